/* fuzz_blocklist.c - lists of blocked users: the file that a system exported, however it is cut into
 * pieces, and the head that a desk signed, as a malicious desk of the branch could.
 *
 * Input: one byte, 0 to 2 a file of that format, 3 a head, 4 the inside of one, signed anew; then for a
 * file the size of a piece; then the bytes. */
#include "../branch.h"

#include "fuzz.h"

#include "blocklist.h"

#define NOW_MS INT64_C(1795500000000)

static struct branch *branch(void)
{
    static struct branch b;

    if (b.r == NULL)
        branch_new(&b, 2, 2);
    return &b;
}

static enum err read_list(enum blocklist_format format, const char *p, size_t n, size_t piece,
                          struct blocklist *out, struct errmsg *msg)
{
    const struct branch *b = branch();
    struct blocklist_draft d = { .format = format, .date_ms = NOW_MS - 1, .key = { 3 } };
    enum err e = ERR_OK;

    for (size_t at = 0; e == ERR_OK && at < n; at += piece)
        e = blocklist_read(&d, p + at, n - at < piece ? n - at : piece, msg);
    if (e == ERR_OK)
        e = blocklist_finish(&d, roster_branch(b->r), &b->desk[0], NOW_MS, out, msg);
    blocklist_draft_free(&d);
    return e;
}

static void try_file(enum blocklist_format format, const char *p, size_t n, size_t piece)
{
    const struct branch *b = branch();
    struct blocklist whole = { .rows = { 0 } }, cut = { .rows = { 0 } };
    struct errmsg msg = { .text = "" };
    struct blocklist_head h;
    enum err e = read_list(format, p, n, n > 0 ? n : 1, &whole, &msg);

    must_hold(read_list(format, p, n, piece, &cut, NULL) == e);
    if (e == ERR_OK) {
        must_hold(whole.head.rows > 0 && blocklist_rows_ok(&whole.head, &whole.rows));
        must_hold(whole.rows.len == cut.rows.len &&
                  memcmp(whole.rows.p, cut.rows.p, cut.rows.len) == 0);
        must_hold(blocklist_head_open(whole.bytes.p, whole.bytes.len, roster_branch(b->r),
                                      b->desk[0].sign_pk, &h, NULL) == ERR_OK);
        must_hold(whole.bytes.len <= BLOCKLIST_HEAD_MAX && h.rows == whole.head.rows);
    } else {
        must_hold(msg.text[0] != '\0' && text_is_clean(msg.text));
    }
    blocklist_free(&whole);
    blocklist_free(&cut);
}

static void try_head(const uint8_t *p, size_t n)
{
    const struct branch *b = branch();
    struct errmsg msg = { .text = "" };
    struct blocklist_head h;
    struct desk_id by;

    (void)blocklist_signer(p, n, &by);
    if (blocklist_head_open(p, n, roster_branch(b->r), b->desk[1].sign_pk, &h, &msg) == ERR_OK) {
        must_hold(h.rows > 0 && h.rows <= BLOCKLIST_IDS_MAX && blocklist_signer(p, n, &by));
        must_hold(blocklist_parts(&h) <= BLOCKLIST_IDS_MAX / BLOCKLIST_PART_ROWS + 1);
        must_hold(!blocklist_rows_ok(&h, &(struct buf){ 0 }));
    } else {
        must_hold(msg.text[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct fuzz_in in = { p, n };
    unsigned what = fuzz_byte(&in) % 5;
    size_t piece = what < 3 ? 1 + fuzz_byte(&in) : 0;
    uint8_t *copy = fuzz_copy(in.p, in.n);
    struct buf inner = { 0 }, whole = { 0 };

    if (what < 3) {
        try_file((enum blocklist_format)what, (const char *)copy, in.n, piece);
    } else if (what == 3) {
        try_head(copy, in.n);
    } else {
        buf_add(&inner, copy, in.n);
        signed_put("tideover blocklist v1", &inner, branch()->desk[1].sign_sk, &whole);
        try_head(whole.p, whole.len);
    }
    buf_free(&whole);
    free(copy);
    return 0;
}

static void seed_file(uint8_t format, const char *text)
{
    uint8_t first[2] = { format, 6 };
    struct buf b = { 0 };

    buf_add(&b, first, 2);
    buf_text(&b, text);
    fuzz_seed_buf(&b);
}

void fuzz_seeds(void)
{
    const char *text = "20000000000006|BARRED\r\n\n20000000000014\tDelinquent\n2000003,whatever\n";
    struct blocklist list = { .rows = { 0 } };
    uint8_t sig[SIG_BYTES];
    const uint8_t *inner;
    size_t n = 0;

    seed_file(BLOCKLIST_PLAIN, "20000000000006\n2000004\n");
    seed_file(BLOCKLIST_SYMPHONY, text);
    seed_file(BLOCKLIST_EVERGREEN, "20000000000006 L\n20000000000014   B\n2000003 E\n2000004 D\n");
    must_hold(read_list(BLOCKLIST_SYMPHONY, text, strlen(text), 7, &list, NULL) == ERR_OK);
    fuzz_seed_with(3, list.bytes.p, list.bytes.len);
    inner = signed_get(list.bytes.p, list.bytes.len, &n, sig);
    must_hold(inner != NULL);
    fuzz_seed_with(4, inner, n);
    blocklist_free(&list);
}
