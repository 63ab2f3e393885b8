/* power_store.c - writes to a store and says what is durable, until the power goes; and looks.
 *
 *     power_store load DIR     "record N", "vote N", "receipt N" on stdout after each commit
 *     power_store few DIR      the same, twenty-five commits
 *     power_store check DIR    reads everything, says "record N" (1..N are there), "vote N" ...
 *
 * The three kinds are what the node promises to keep before it answers: blocks of records, the
 * ledger's state, which is overwritten in place, and receipts, each of which may begin a period
 * (a new file of period keys). test_power.py compares. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store.h"

#define GROUP         5 /* records in a commit */
#define RECORD_BYTES  700
#define VOTE_EVERY    3 /* commits */
#define RECEIPT_EVERY 7
#define PERIOD_EVERY  21

static const uint8_t desk_key[STORE_KEY_BYTES] = "power cut test";

static void die(const char *what, const struct errmsg *msg)
{
    fprintf(stderr, "power_store: %s: %s\n", what, msg->text);
    exit(1);
}

static void say(const char *kind, uint64_t n)
{
    char line[64];
    int len = snprintf(line, sizeof line, "%s %" PRIu64 "\n", kind, n);

    if (write(STDOUT_FILENO, line, (size_t)len) != len) /* unbuffered: said is said */
        exit(1);
}

/* The n-th value: its bytes follow from n, so that a wrong one is noticed. */
static void value(uint64_t n, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(n * 31 + i * 7 + (n >> 8));
}

static void put(const struct disk *d, enum table t, uint64_t key_n, uint64_t n)
{
    uint8_t key[12] = { 0 }, val[RECORD_BYTES + 8];
    size_t key_len = t == TABLE_BLOCKS ? 12 : 8;

    put_be64(key + key_len - 8, key_n);
    put_be64(val, n);
    value(n, val + 8, RECORD_BYTES);
    d->put(d->ctx, t, key, key_len, val, sizeof val); /* a failure spoils the commit */
}

/* The number of the last value in t, 0 if none. Every value must be whole; with all, none missing.
 */
static uint64_t last(const struct disk *d, enum table t, bool all)
{
    uint8_t key[DISK_KEY_MAX] = { 0 }, want[RECORD_BYTES];
    size_t len = t == TABLE_BLOCKS ? 12 : 8;
    struct errmsg msg = { .text = "a value is missing or altered" };
    struct buf val = { 0 };
    uint64_t n = 0;
    enum err e;

    while ((e = d->seek(d->ctx, t, key, len, 1, key, &len, &val)) == ERR_OK) {
        uint64_t got = val.len == RECORD_BYTES + 8 ? get_be64(val.p) : 0;
        value(got, want, RECORD_BYTES);
        if (got == 0 || (all && got != n + 1) || memcmp(val.p + 8, want, RECORD_BYTES) != 0)
            die("check", &msg);
        n = got;
        key[len++] = 0; /* the first key behind this one */
    }
    if (e != ERR_MISSING)
        die("read", &(struct errmsg){ .text = "the store cannot be read" });
    buf_free(&val);
    return n;
}

static void load(struct store *s, uint64_t commits)
{
    const struct disk *d = store_disk(s);
    uint64_t record = last(d, TABLE_BLOCKS, true), vote = last(d, TABLE_META, false),
             receipt = last(d, TABLE_SLOTS, true);
    struct errmsg msg = { .text = "" };

    for (uint64_t i = record / GROUP; commits > 0; i++, commits--) {
        bool votes = i % VOTE_EVERY == 0, settles = i % RECEIPT_EVERY == 0;
        for (unsigned k = 0; k < GROUP; k++, record++)
            put(d, TABLE_BLOCKS, record + 1, record + 1);
        if (votes)
            put(d, TABLE_META, 1, ++vote);
        if (settles)
            put(d, TABLE_SLOTS, receipt + 1, receipt + 1), receipt++;
        if (store_commit(s, &msg) != ERR_OK)
            die("commit", &msg);
        say("record", record);
        if (votes)
            say("vote", vote);
        if (settles)
            say("receipt", receipt);
        if (i % PERIOD_EVERY == 0 && store_period_begin(s, &msg) != ERR_OK)
            die("period", &msg);
    }
}

static void check(struct store *s)
{
    const struct disk *d = store_disk(s);

    say("record", last(d, TABLE_BLOCKS, true));
    say("vote", last(d, TABLE_META, false));
    say("receipt", last(d, TABLE_SLOTS, true));
}

int main(int argc, char **argv)
{
    struct errmsg msg = { .text = "" };
    struct store *s;

    if (argc != 3)
        return fprintf(stderr, "usage: power_store load|few|check DIR\n"), 64;
    if (store_open(argv[2], desk_key, &s, &msg) != ERR_OK)
        die("open", &msg);
    if (strcmp(argv[1], "load") == 0)
        load(s, UINT64_MAX);
    else if (strcmp(argv[1], "few") == 0)
        load(s, 25);
    else
        check(s);
    store_close(s);
    return 0;
}
