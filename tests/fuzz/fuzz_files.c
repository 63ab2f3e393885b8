/* fuzz_files.c - the small files beside the store, as a broken disk or a thief may leave them:
 * period keys, sealed anew by the harness as whoever has the desk key could, desk key, and the box
 * of the lead key (but for what would cost Argon2id's memory).
 *
 * Input: one byte, 0 `periods` as it is, 1 what is sealed in it, 2 desk.key, 3 the box; then bytes.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ident.h"
#include "keys.h"
#include "store_int.h"

#define CHEAP_BYTES (1u << 20) /* of Argon2id */

static char dir[64];
static int dir_fd = -1;

static void remove_dir(void)
{
    unlinkat(dir_fd, "periods", 0);
    unlinkat(dir_fd, "desk.key", 0);
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

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    size_t len = n - (n > 0);
    uint8_t *copy = fuzz_copy(p + (n > 0), len);
    struct buf sealed = { 0 };
    struct ident me;

    make_dir();
    switch (n > 0 ? p[0] % 4 : 0) {
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
    default:
        try_box(copy, len);
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
}
