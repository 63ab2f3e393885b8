/* bench_desk.c - a founded branch, and desks of it on real stores. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <sodium.h>

#include "day.h"

static void must(enum err e, const struct errmsg *msg, const char *what)
{
    if (e != ERR_OK)
        bench_die("%s: %s", what, msg->text[0] ? msg->text : err_text(e));
}

static uint64_t clock_ms(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

struct moment bench_moment(void)
{
    return (struct moment){ clock_ms(CLOCK_BOOTTIME), (int64_t)clock_ms(CLOCK_REALTIME), 0 };
}

static void dice(void *ctx, void *out, size_t n)
{
    (void)ctx;
    randombytes_buf(out, n);
}

/* ---- the branch ---- */

void branch_found(struct bench_branch *b, unsigned n)
{
    uint8_t root_pk[KEY_BYTES], root_sk[SIGN_SK_BYTES], lead_pk[KEY_BYTES], lead_sk[SIGN_SK_BYTES];
    struct roster *r = roster_new();
    struct errmsg msg = { .text = "" };
    struct buf policy = { 0 };
    bool fresh;

    if (sodium_init() < 0 || !r)
        bench_die("libsodium or memory");
    memset(b, 0, sizeof *b);
    b->n = n;
    crypto_sign_keypair(root_pk, root_sk);
    crypto_sign_keypair(lead_pk, lead_sk);
    policy_default_text("BENCH", "UTC", "UTC0", &policy);
    op_found(root_sk, lead_pk, "BENCH", bench_moment().wall_ms, &b->op[b->n_ops]);
    must(roster_add(r, b->op[0].p, b->op[0].len, &fresh, &msg), &msg, "found");
    b->n_ops++;
    for (unsigned i = 0; i <= n; i++) {
        struct buf *op = &b->op[b->n_ops++];
        uint8_t seed[3 * SEED_BYTES];
        char name[16];
        if (i == n) {
            op_policy(r, (const char *)policy.p, strlen((const char *)policy.p), lead_sk, op);
        } else {
            randombytes_buf(seed, sizeof seed);
            ident_from_seed(seed, &b->desk[i]);
            snprintf(name, sizeof name, "DESK-%u", i + 1);
            op_add(r, &b->desk[i], name, ROLE_DESK | ROLE_LEAD, true, lead_sk, op);
        }
        must(roster_add(r, op->p, op->len, &fresh, &msg), &msg, "roster");
    }
    buf_free(&policy);
    roster_free(r);
}

void desk_open(struct bench_desk *d, const struct bench_branch *b, unsigned i, const char *dir,
               const char *address)
{
    struct core_config c = { .dice = dice };
    struct errmsg msg = { .text = "" };
    struct moment now = bench_moment();
    const struct disk *disk;

    memset(d, 0, sizeof *d);
    d->me = b->desk[i];
    if (mkdir(dir, 0700) != 0)
        bench_die("%s: %s", dir, strerror(errno));
    must(store_open(dir, d->me.store_key, &d->store, &msg), &msg, "store");
    disk = store_disk(d->store);
    for (unsigned k = 0; k < b->n_ops; k++) {
        uint8_t key[4] = { 0, 0, 0, (uint8_t)k };
        must(disk->put(disk->ctx, TABLE_ROSTER, key, sizeof key, b->op[k].p, b->op[k].len), &msg,
             "roster");
    }
    must(store_commit(d->store, &msg), &msg, "commit");
    c.me = &d->me;
    c.disk = disk;
    snprintf(c.address, sizeof c.address, "%s", address);
    snprintf(c.software, sizeof c.software, "bench");
    must(core_open(&c, &now, &d->core, &msg), &msg, "core");
    must(store_commit(d->store, &msg), &msg, "commit");
}

void desk_close(struct bench_desk *d)
{
    core_close(d->core);
    store_close(d->store);
}

/* ---- records ---- */

/* 13 digits and the check digit over them. */
static void barcode(char first, uint64_t i, char out[15])
{
    unsigned sum = 0;

    snprintf(out, 15, "%c9999%08llu0", first, (unsigned long long)(i % 100000000));
    for (unsigned k = 0; k < 13; k++) {
        unsigned v = (unsigned)(out[k] - '0') * (k % 2 == 0 ? 2 : 1);
        sum += v > 9 ? v - 9 : v;
    }
    out[13] = (char)('0' + (10 - sum % 10) % 10);
}

#define BACK_AFTER 5000u /* records between a loan and its return; a multiple of 5 */

static const char staff[] = "branch-front-desk-volunteer-morning";

/* The key is the number under a hash, so that no two runs of bytes repeat. */
static void key_of(uint64_t i, uint8_t key[RECORD_KEY_BYTES])
{
    crypto_generichash(key, RECORD_KEY_BYTES, (const uint8_t *)&i, sizeof i, NULL, 0);
}

void record_fill(struct record *r, uint64_t i, unsigned back)
{
    memset(r, 0, sizeof *r);
    memcpy(r->staff, staff, sizeof staff);
    key_of(i, r->key);
    if (i >= BACK_AFTER && i % 5 < back) { /* what was lent as the last of its five */
        r->kind = RECORD_DISCHARGE;
        barcode('3', i - BACK_AFTER + 4 - 2 * (i % 5), r->item);
        return;
    }
    r->kind = RECORD_CHECKOUT;
    barcode('3', i, r->item);
    barcode('2', i / 5, r->user);
    r->due = 20991231;
}

size_t record_line(const struct record *r, char *out, size_t room)
{
    char key[2 * RECORD_KEY_BYTES + 1];

    hex_encode(r->key, sizeof r->key, key);
    if (r->kind == RECORD_DISCHARGE)
        return (size_t)snprintf(out, room,
                                "{\"op\":\"discharge\",\"item\":\"%s\",\"staff\":\"%s\",\"key\":"
                                "\"%s\"}\n",
                                r->item, staff, key);
    return (size_t)snprintf(out, room,
                            "{\"op\":\"checkout\",\"user\":\"%s\",\"item\":\"%s\",\"due\":"
                            "\"2099-12-31\",\"staff\":\"%s\",\"key\":\"%s\"}\n",
                            r->user, r->item, staff, key);
}
