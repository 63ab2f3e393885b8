/* fuzz_journal.c - the journal of the store, as a broken disk may leave it: entries are taken one
 * after the other while they fit, and what is in them is bounded before it is believed.
 *
 * Input: one byte. 0: blocks of the file as they are, 64 bytes of the input for the first ones of
 * each. Else entries with right heads, [length be16, puts and dels], then one bit of the file turned
 * if the byte is even. */
#include "fuzz.h"

#include <sodium.h>
#include <unistd.h>

#include <sys/mman.h>

#include "store_int.h"

#define ENTRIES_MAX 16
#define ROUND       3
#define SEEN        64 /* bytes of a block that decide whether it is an entry: head, then some */

static const uint8_t desk_key[STORE_KEY_BYTES] = { 7, 7, 7 };

/* An ops part from the disk: whatever it says, nothing is read beyond its end. */
static unsigned walk_ops(const uint8_t *p, size_t n)
{
    uint8_t *copy = fuzz_copy(p, n);
    const uint8_t *at = copy, *end = copy + n;
    uint8_t *plain = malloc(n + 1);
    unsigned many = 0;

    must_hold(plain != NULL);
    for (struct op op; at < end && op_get(&at, end, &op); many++) {
        struct place place = { table_rows[op.table].number, op.key, op.n };
        must_hold(op.table < TABLE_COUNT && op.n > 0 && op.n <= DISK_KEY_MAX);
        must_hold(op.key >= copy && op.box + op.len <= end && at == op.box + op.len);
        if (!op.del)
            must_hold(!seal_unseal(plain, desk_key, &place, op.box, op.len));
    }
    free(plain);
    free(copy);
    return many;
}

/* Entries until the first that does not fit. */
static unsigned walk_file(const struct buf *all, struct journal *j)
{
    struct errmsg msg = { .text = "" };
    const uint8_t *ops = NULL;
    unsigned n = 0;
    size_t len = 0;
    enum err e;

    journal_begin(j, ROUND);
    while ((e = journal_next(j, all, &ops, &len, &msg)) == ERR_OK) {
        must_hold(ops > all->p && len < all->len && ops + len <= all->p + all->len);
        must_hold(j->at <= JOURNAL_BYTES && j->at % JOURNAL_BLOCK == 0);
        walk_ops(ops, len);
        must_hold(++n <= JOURNAL_BYTES / JOURNAL_BLOCK);
    }
    must_hold(e == ERR_MISSING || (e == ERR_DENIED && strcmp(msg.why, "damaged") == 0));
    return n;
}

static struct journal *file(void)
{
    static struct journal j = { .fd = -1 };

    if (j.fd < 0) {
        must_hold(sodium_init() >= 0);
        j.fd = memfd_create("journal", MFD_CLOEXEC);
        must_hold(j.fd >= 0 && ftruncate(j.fd, JOURNAL_BYTES) == 0);
    }
    return &j;
}

static void load(struct buf *all)
{
    must_hold(journal_load(file(), all, NULL) == ERR_OK && all->len == JOURNAL_BYTES);
}

static void try_blocks(struct fuzz_in *in)
{
    struct buf all = { 0 };
    uint8_t *p = buf_grow(&all, JOURNAL_BYTES);

    must_hold(p != NULL);
    memset(p, 0, JOURNAL_BYTES);
    for (size_t at = 0; in->n > 0 && at < JOURNAL_BYTES; at += JOURNAL_BLOCK) {
        size_t n = SEEN;
        const uint8_t *from = fuzz_take(in, &n);
        memcpy(p + at, from, n);
    }
    (void)walk_file(&all, file());
    buf_free(&all);
}

static void try_entries(struct fuzz_in *in, bool bend)
{
    struct journal *j = file();
    struct buf all = { 0 };
    unsigned n = 0;
    size_t end;

    must_hold(ftruncate(j->fd, 0) == 0 && ftruncate(j->fd, JOURNAL_BYTES) == 0);
    journal_begin(j, ROUND);
    for (; in->n > 0 && n < ENTRIES_MAX; n++) {
        size_t len = fuzz_be16(in);
        const uint8_t *ops = fuzz_take(in, &len);
        must_hold(journal_has_room(j, len) && journal_add(j, ops, len, NULL) == ERR_OK);
    }
    end = j->at;
    load(&all);
    must_hold(walk_file(&all, j) == n);
    if (bend && end > 0) { /* what is behind an entry's end is no part of it, and may be anything */
        all.p[fuzz_be16(in) * 17u % end] ^= (uint8_t)(1u << (n % 8));
        must_hold(walk_file(&all, j) <= n);
    }
    buf_free(&all);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct fuzz_in in = { p, n };
    unsigned how = fuzz_byte(&in);

    if (how == 0)
        try_blocks(&in);
    else
        try_entries(&in, how % 2 == 0);
    return 0;
}

static void put_op(struct buf *b, unsigned table, bool del, const char *key, const char *val)
{
    uint8_t head[7] = { (uint8_t)table, (uint8_t)strlen(key), del };

    put_be32(head + 3, (uint32_t)strlen(val));
    buf_add(b, head, sizeof head);
    buf_text(b, key);
    buf_text(b, val);
}

void fuzz_seeds(void)
{
    struct buf b = { 0 }, all = { 0 };
    uint8_t len[2];
    struct buf ops = { 0 };

    put_op(&ops, 4, false, "0001", "a sealed value of forty bytes and a few");
    put_op(&ops, 6, false, "a key", "");
    put_op(&ops, 4, true, "0001", "");
    len[0] = (uint8_t)(ops.len >> 8);
    len[1] = (uint8_t)ops.len;
    for (unsigned i = 0; i < 3; i++) {
        buf_add(&b, len, 2);
        buf_add(&b, ops.p, ops.len);
        fuzz_seed_with(1, b.p, b.len);
        fuzz_seed_with(2, b.p, b.len);
    }
    try_entries(&(struct fuzz_in){ b.p, b.len }, false);
    load(&all);
    buf_reset(&b);
    for (unsigned i = 0; i < 4; i++)
        buf_add(&b, all.p + i * JOURNAL_BLOCK, SEEN);
    fuzz_seed_with(0, b.p, b.len);
    must_hold(walk_ops(ops.p, ops.len) == 3);
    buf_free(&all);
    buf_free(&ops);
    buf_free(&b);
}
