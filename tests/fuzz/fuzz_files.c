/* fuzz_files.c - the small files beside the store, as a broken disk or a thief may leave them:
 * period keys and the spare roster, sealed anew by the harness as whoever has the keys could, desk
 * key, the box of the lead key (but for what would cost Argon2id's memory), what is sealed in a
 * backup, who sits at the desk, and the drills.
 *
 * Input: one byte, 0 `periods` as it is, 1 what is sealed in it, 2 desk.key, 3 the box, 4 `roster` as it
 * is, 5 what is sealed in it, 6 a backup's inside, 7 `session`, 8 `practice`; then bytes. */
#include "../branch.h"
#include "../memdisk.h"

#include "fuzz.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup.h"
#include "ident.h"
#include "keys.h"
#include "practice.h"
#include "session.h"
#include "spare.h"
#include "store_int.h"

#define CHEAP_BYTES (1u << 20) /* of Argon2id */

static char dir[64];
static int dir_fd = -1;

static void remove_dir(void)
{
    unlinkat(dir_fd, "periods", 0);
    unlinkat(dir_fd, "desk.key", 0);
    unlinkat(dir_fd, "roster", 0);
    rmdir(dir);
}

static void make_dir(void)
{
    if (dir_fd >= 0)
        return;
    snprintf(dir, sizeof dir, "/tmp/fuzz-files-XXXXXX");
    must_hold(sodium_init() >= 0 && mkdtemp(dir) != NULL);
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must_hold(dir_fd >= 0);
    atexit(remove_dir);
}

static void write_file(const char *name, const uint8_t *p, size_t n)
{
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    must_hold(fd >= 0 && write(fd, p, n) == (ssize_t)n);
    close(fd);
}

static const uint8_t desk_key[STORE_KEY_BYTES] = { 7, 7, 7 };

static void try_periods(const uint8_t *p, size_t n)
{
    struct errmsg msg = { .text = "" };
    struct ring *r = NULL;

    write_file("periods", p, n);
    if (periods_load(dir_fd, desk_key, &r, &msg) == ERR_OK) {
        must_hold(r->n > 0);
        for (uint32_t i = 0; i < r->n; i++)
            must_hold(ring_key(r, r->v[i].number) == r->v[i].key);
        ring_free(r);
    } else {
        must_hold(msg.text[0] != '\0' && r == NULL);
    }
}

/* A right head and seal over whatever text: the form is read off a file that the store writes. */
static void seal_periods(const uint8_t *p, size_t n, struct buf *out)
{
    uint8_t nonce[SEAL_NONCE] = { 5 }, *at;

    buf_text(out, "TIDEKEYS");
    buf_add(out, (uint8_t[]){ STORE_VERSION }, 1);
    buf_add(out, nonce, sizeof nonce);
    at = buf_grow(out, n + SEAL_TAG);
    must_hold(at != NULL);
    crypto_aead_xchacha20poly1305_ietf_encrypt(at, NULL, p, n, out->p, 9, NULL, nonce, desk_key);
}

static void try_box(const uint8_t *p, size_t n)
{
    struct mp m = mp_over(p, n);
    uint8_t seed[SEED_BYTES];

    mp_get_array(&m);
    mp_get_u64(&m);
    if (mp_get_u64(&m) > 4 || (mp_get_u64(&m) > CHEAP_BYTES && !m.bad))
        return;
    (void)keybox_open(p, n, "canary passphrase", seed, NULL);
}

/* ---- the roster's copies ---- */

static const struct branch *branch(void)
{
    static struct branch b;

    if (b.r == NULL)
        branch_new(&b, 2, 2);
    return &b;
}

/* Goes onto a fresh disk, as a desk that begins anew would have it. */
static void take_spare(const struct roster *r, const struct buf *addresses)
{
    struct memdisk *m = memdisk_new();

    must_hold(roster_ops(r) > 0);
    must_hold(spare_put(memdisk_disk(m), r, addresses) == ERR_OK);
    memdisk_free(m);
}

static void try_spare(const uint8_t *p, size_t n)
{
    struct errmsg msg = { .text = "" };
    struct spare s;

    write_file("roster", p, n);
    if (spare_read(dir, &branch()->desk[0], &s, &msg) == ERR_OK) {
        take_spare(s.roster, &s.addresses);
        spare_free(&s);
    } else {
        must_hold(msg.text[0] != '\0' && s.roster == NULL);
    }
}

static void seal_spare(const uint8_t *p, size_t n, struct buf *out)
{
    struct part secret = { branch()->desk[0].curve_sk, KEY_BYTES };
    uint8_t nonce[SEAL_NONCE] = { 5 }, key[HASH_BYTES], *at;

    hash_parts("tideover spare v1", &secret, 1, key, HASH_BYTES);
    buf_text(out, "TIDEROST\1");
    buf_add(out, nonce, sizeof nonce);
    at = buf_grow(out, n + SEAL_TAG);
    must_hold(at != NULL);
    crypto_aead_xchacha20poly1305_ietf_encrypt(at, NULL, p, n, out->p, 9, NULL, nonce, key);
}

static void try_backup(const uint8_t *p, size_t n)
{
    struct errmsg msg = { .text = "" };
    struct backup b;

    if (backup_decode(p, n, &b, &msg) == ERR_OK)
        take_spare(b.roster, &b.addresses);
    else
        must_hold(msg.text[0] != '\0' && text_is_clean(msg.text));
    backup_free(&b);
}

/* ---- who sits here, and who practised ---- */

static void try_session(const uint8_t *p, size_t n)
{
    struct session s, again;
    struct errmsg msg = { .text = "" };
    struct buf text = { 0 };

    if (session_parse((const char *)p, n, &s, &msg) == ERR_OK) {
        must_hold(text_is_clean(s.staff) && text_is_clean(s.library));
        session_text(&s, &text);
        must_hold(text.len <= SESSION_TEXT_MAX);
        must_hold(session_parse((const char *)text.p, text.len, &again, &msg) == ERR_OK);
        must_hold(strcmp(s.staff, again.staff) == 0 && s.due == again.due);
    } else {
        must_hold(msg.text[0] != '\0' && text_is_clean(msg.text));
    }
    buf_free(&text);
}

static void try_drills(const uint8_t *p, size_t n)
{
    static struct drills d, again;
    struct buf out = { 0 };

    if (drills_read(p, n, &d, NULL) != ERR_OK) {
        must_hold(d.n == 0);
        return;
    }
    must_hold(d.n <= DRILLS_MAX);
    drills_write(&d, &out);
    must_hold(drills_read(out.p, out.len, &again, NULL) == ERR_OK);
    must_hold(memcmp(&d, &again, sizeof d) == 0);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    size_t len = n - (n > 0);
    uint8_t *copy = fuzz_copy(p + (n > 0), len);
    struct buf sealed = { 0 };
    struct ident me;

    make_dir();
    switch (n > 0 ? p[0] % 9 : 0) {
    case 0:
        try_periods(copy, len);
        break;
    case 1:
        seal_periods(copy, len, &sealed);
        try_periods(sealed.p, sealed.len);
        break;
    case 2:
        write_file("desk.key", copy, len);
        if (keys_read_desk(dir, &me, NULL) == ERR_OK)
            ident_wipe(&me);
        break;
    case 3:
        try_box(copy, len);
        break;
    case 4:
        try_spare(copy, len);
        break;
    case 5:
        seal_spare(copy, len, &sealed);
        try_spare(sealed.p, sealed.len);
        break;
    case 6:
        try_backup(copy, len);
        break;
    case 7:
        try_session(copy, len);
        break;
    default:
        try_drills(copy, len);
    }
    buf_free(&sealed);
    free(copy);
    return 0;
}

static void seed_file(uint8_t what, const char *name)
{
    struct buf b = { 0 };

    must_hold(small_file_read(dir, name, 65536, &b, NULL) == ERR_OK);
    fuzz_seed_with(what, b.p, b.len);
    if (what == 0) { /* what is sealed in it, for the harness to seal again */
        uint8_t *text = b.p + 9 + SEAL_NONCE;
        size_t n = b.len - 9 - SEAL_NONCE;
        must_hold(crypto_aead_xchacha20poly1305_ietf_decrypt(text, NULL, NULL, text, n, b.p, 9,
                                                             b.p + 9, desk_key) == 0);
        fuzz_seed_with(1, text, n - SEAL_TAG);
    }
    buf_free(&b);
}

static void seed_rosters(void)
{
    const struct branch *b = branch();
    struct backup backup = { .start = 7, .roster = b->r };
    struct buf addresses = { 0 }, out = { 0 };

    mp_put_array(&addresses, 1);
    mp_put_array(&addresses, 2);
    mp_put_bin(&addresses, b->desk[1].id.b, DESK_ID_BYTES);
    mp_put_str(&addresses, "10.0.0.5:7411");
    must_hold(spare_write(dir, &b->desk[0], b->r, &addresses, NULL) == ERR_OK);
    seed_file(4, "roster");
    mp_put_array(&out, 2);
    mp_put_array(&out, b->n_ops);
    for (unsigned i = 0; i < b->n_ops; i++)
        mp_put_bin(&out, b->op[i].p, b->op[i].len);
    buf_add(&out, addresses.p, addresses.len);
    fuzz_seed_with(5, out.p, out.len);
    buf_reset(&out);
    backup.addresses = addresses;
    backup_encode(&b->desk[0], &backup, &out);
    fuzz_seed_with(6, out.p, out.len);
    try_backup(out.p, out.len);
    buf_free(&addresses);
    buf_free(&out);
}

static void seed_people(void)
{
    struct drills d = { .last_ms = 1795500000000, .scan_ms = 1795503600000 };
    struct drill one = { .staff = "Ana", .at_ms = 1795500000000, .took_ms = 240000 };
    const char *session = "[session]\nstaff = Ana\ndue = days\ndays = 7\nchosen = 2026-11-23\n"
                          "library = MAIN\nuser_access = PUBLIC\nstation = 42\n"
                          "unchecked = 2026-11-23\n";
    struct buf out = { 0 };

    fuzz_seed_with(7, session, strlen(session));
    fuzz_seed_with(7, "[session]\ndue = date\ndate = 2026-12-24\n", 40);
    one.step = PRACTICE_READY;
    drills_add(&d, &one);
    one.step = PRACTICE_UNDO;
    one.mistakes[1] = 3;
    drills_add(&d, &one);
    drills_write(&d, &out);
    fuzz_seed_with(8, out.p, out.len);
    buf_free(&out);
}

void fuzz_seeds(void)
{
    struct ring *one, *two;
    uint8_t seed[3 * SEED_BYTES] = { 1 }, zeros[KEYBOX_RANDOM] = { 0 };
    struct buf box = { 0 };

    make_dir();
    one = ring_with_fresh(NULL);
    two = ring_with_fresh(one);
    must_hold(one != NULL && two != NULL);
    must_hold(periods_save(dir_fd, desk_key, two, NULL) == ERR_OK);
    ring_free(one);
    ring_free(two);
    seed_file(0, "periods");
    must_hold(keys_write_desk(dir, seed, NULL) == ERR_OK);
    seed_file(2, "desk.key");
    mp_put_array(&box, 5); /* as keybox_seal(), at a price that can be paid here */
    mp_put_u64(&box, 1);
    mp_put_u64(&box, 1);
    mp_put_u64(&box, 8192);
    mp_put_bin(&box, zeros, KEYBOX_RANDOM);
    mp_put_bin(&box, seed, SEED_BYTES + 16);
    fuzz_seed_with(3, box.p, box.len);
    buf_free(&box);
    seed_rosters();
    seed_people();
}
