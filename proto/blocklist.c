/* blocklist.c - the list as it is kept and sent: rows by hash, and a signed head. */
#include "blocklist.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define DOMAIN       "tideover blocklist v1"
#define HEAD_VERSION 1

static const struct {
    const char *name, *words;
} statuses[BLOCKED_KINDS] = {
    [BLOCKED_NOT] = { "not", "this user is not on the block list" },
    [BLOCKED] = { "blocked", "this user is blocked" },
    [BLOCKED_BARRED] = { "barred", "this user is barred" },
    [BLOCKED_DELINQUENT] = { "delinquent", "this user is delinquent" },
    [BLOCKED_LOST] = { "lost", "this card is reported lost" },
    [BLOCKED_EXPIRED] = { "expired", "this card has expired" },
    [BLOCKED_PENALTIES] = { "penalties", "this user has open penalties" },
};

const char *blocked_name(enum blocked b)
{
    return statuses[b < BLOCKED_KINDS ? b : BLOCKED].name;
}

const char *blocked_words(enum blocked b)
{
    return statuses[b < BLOCKED_KINDS ? b : BLOCKED].words;
}

void blocklist_free(struct blocklist *b)
{
    buf_wipe(&b->bytes);
    buf_wipe(&b->rows);
    sodium_memzero(b, sizeof *b);
}

bool blocklist_is_newer(const struct blocklist_head *a, const struct blocklist_head *than)
{
    if (a->date_ms != than->date_ms)
        return a->date_ms > than->date_ms;
    if (a->imported_ms != than->imported_ms)
        return a->imported_ms > than->imported_ms;
    return memcmp(a->id, than->id, sizeof a->id) > 0;
}

static void hash_user(const uint8_t key[32], const char *user, size_t n, uint8_t out[8])
{
    uint8_t full[crypto_generichash_BYTES];

    crypto_generichash(full, sizeof full, (const uint8_t *)user, n, key, 32);
    memcpy(out, full, 8);
}

enum blocked blocklist_find(const struct blocklist *b, const char *user)
{
    size_t low = 0, high = b->rows.len / BLOCKLIST_ROW;
    uint8_t h[8];

    if (high == 0 || user[0] == '\0')
        return BLOCKED_NOT;
    hash_user(b->head.key, user, strlen(user), h);
    while (low < high) {
        size_t mid = (low + high) / 2;
        const uint8_t *row = b->rows.p + mid * BLOCKLIST_ROW;
        int cmp = memcmp(row, h, sizeof h);
        if (cmp == 0)
            return row[8] > BLOCKED_NOT && row[8] < BLOCKED_KINDS ? (enum blocked)row[8] : BLOCKED;
        if (cmp < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return BLOCKED_NOT;
}

unsigned blocklist_parts(const struct blocklist_head *h)
{
    return (h->rows + BLOCKLIST_PART_ROWS - 1) / BLOCKLIST_PART_ROWS;
}

const uint8_t *blocklist_part(const struct blocklist *b, unsigned k, size_t *n)
{
    size_t from = (size_t)k * BLOCKLIST_PART_ROWS * BLOCKLIST_ROW;

    *n = from >= b->rows.len ? 0 : b->rows.len - from;
    if (*n > BLOCKLIST_PART_ROWS * BLOCKLIST_ROW)
        *n = BLOCKLIST_PART_ROWS * BLOCKLIST_ROW;
    return *n > 0 ? b->rows.p + from : NULL;
}

/* ---- the head ---- */

static void hash_rows(const struct buf *rows, uint8_t out[HASH_BYTES])
{
    hash_parts("tideover blocklist rows v1", &(struct part){ rows->p, rows->len }, 1, out,
               HASH_BYTES);
}

static void put_body(const struct blocklist_head *h, const uint8_t branch[BRANCH_ID_BYTES],
                     struct buf *out)
{
    mp_put_array(out, 8);
    mp_put_u64(out, HEAD_VERSION);
    mp_put_bin(out, branch, BRANCH_ID_BYTES);
    mp_put_i64(out, h->date_ms);
    mp_put_i64(out, h->imported_ms);
    mp_put_bin(out, &h->desk, sizeof h->desk);
    mp_put_array(out, BLOCKED_KINDS);
    for (unsigned i = 0; i < BLOCKED_KINDS; i++)
        mp_put_u64(out, h->by_status[i]);
    mp_put_bin(out, h->key, sizeof h->key);
    mp_put_bin(out, h->hash, sizeof h->hash);
}

static void name(const uint8_t *p, size_t n, uint8_t id[BLOCKLIST_ID])
{
    hash_parts("tideover blocklist id v1", &(struct part){ p, n }, 1, id, BLOCKLIST_ID);
}

static bool get_body(struct mp *m, uint8_t branch[BRANCH_ID_BYTES], struct blocklist_head *h)
{
    uint64_t rows = 0;

    if (mp_get_array(m) != 8 || mp_get_u64(m) != HEAD_VERSION)
        return false;
    mp_get_raw(m, branch, BRANCH_ID_BYTES);
    h->date_ms = mp_get_i64(m);
    h->imported_ms = mp_get_i64(m);
    mp_get_raw(m, &h->desk, sizeof h->desk);
    if (mp_get_array(m) != BLOCKED_KINDS)
        return false;
    for (unsigned i = 0; i < BLOCKED_KINDS; i++) {
        uint64_t n = mp_get_u64(m);
        if (n > BLOCKLIST_IDS_MAX)
            return false;
        h->by_status[i] = (uint32_t)n;
        rows += n;
    }
    mp_get_raw(m, h->key, sizeof h->key);
    mp_get_raw(m, h->hash, sizeof h->hash);
    h->rows = (uint32_t)rows;
    return mp_done(m) && rows > 0 && rows <= BLOCKLIST_IDS_MAX && h->by_status[BLOCKED_NOT] == 0;
}

static const uint8_t *get_signed(const uint8_t *p, size_t n, size_t *inner_n,
                                 uint8_t sig[SIG_BYTES])
{
    return n <= BLOCKLIST_HEAD_MAX ? signed_get(p, n, inner_n, sig) : NULL;
}

bool blocklist_signer(const uint8_t *p, size_t n, struct desk_id *out)
{
    uint8_t sig[SIG_BYTES], branch[BRANCH_ID_BYTES];
    struct blocklist_head h;
    size_t inner_n = 0;
    const uint8_t *inner = get_signed(p, n, &inner_n, sig);
    struct mp m = mp_over(inner, inner_n);

    memset(&h, 0, sizeof h);
    if (!inner || !get_body(&m, branch, &h))
        return false;
    *out = h.desk;
    return true;
}

enum err blocklist_head_open(const uint8_t *p, size_t n, const uint8_t branch[BRANCH_ID_BYTES],
                             const uint8_t pk[KEY_BYTES], struct blocklist_head *out,
                             struct errmsg *msg)
{
    uint8_t sig[SIG_BYTES], theirs[BRANCH_ID_BYTES];
    struct blocklist_head h;
    size_t inner_n = 0;
    const uint8_t *inner = get_signed(p, n, &inner_n, sig);
    struct mp m = mp_over(inner, inner_n);

    memset(&h, 0, sizeof h);
    if (!inner || !get_body(&m, theirs, &h))
        return err_set(msg, ERR_MALFORMED, "the head of a block list does not parse");
    if (memcmp(theirs, branch, BRANCH_ID_BYTES) != 0 || !sign_ok(DOMAIN, inner, inner_n, pk, sig))
        return err_set(msg, ERR_DENIED, "a block list that its desk did not sign");
    name(p, n, h.id);
    *out = h;
    return ERR_OK;
}

bool blocklist_rows_ok(const struct blocklist_head *h, const struct buf *rows)
{
    uint32_t by_status[BLOCKED_KINDS] = { 0 };
    uint8_t hash[HASH_BYTES];

    if (rows->failed || rows->len != (size_t)h->rows * BLOCKLIST_ROW)
        return false;
    hash_rows(rows, hash);
    if (memcmp(hash, h->hash, sizeof hash) != 0)
        return false;
    for (size_t i = 0; i < rows->len; i += BLOCKLIST_ROW) {
        if (i > 0 && memcmp(rows->p + i - BLOCKLIST_ROW, rows->p + i, 8) >= 0)
            return false;
        if (rows->p[i + 8] >= BLOCKED_KINDS)
            return false;
        by_status[rows->p[i + 8]]++;
    }
    return memcmp(by_status, h->by_status, sizeof by_status) == 0;
}

/* ---- reading a file ---- */

#define DRAFT_ROW    13
#define BAD_PERCENT  5
#define ID_BYTES_MIN 4

bool blocklist_format_by_name(const char *text, enum blocklist_format *out)
{
    static const char *const names[] = { "plain", "symphony", "evergreen" };

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], text) == 0) {
            *out = (enum blocklist_format)i;
            return true;
        }
    return false;
}

/* A status in the words of Symphony, in any case; what is unknown blocks. */
static enum blocked status_of(const char *s, size_t n)
{
    static const struct {
        const char *word;
        enum blocked is;
    } words[] = { { "BARRED", BLOCKED_BARRED },
                  { "DELINQUENT", BLOCKED_DELINQUENT },
                  { "LOST", BLOCKED_LOST },
                  { "EXPIRED", BLOCKED_EXPIRED },
                  { "PENALTIES", BLOCKED_PENALTIES } };

    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t k = 0;
        while (k < n && words[i].word[k] != 0 && (s[k] & ~0x20) == words[i].word[k])
            k++;
        if (k == n && words[i].word[k] == 0)
            return words[i].is;
    }
    return BLOCKED;
}

static enum blocked status_of_letter(char c)
{
    return c == 'L'   ? BLOCKED_LOST
           : c == 'E' ? BLOCKED_EXPIRED
           : c == 'B' ? BLOCKED_BARRED
           : c == 'D' ? BLOCKED_PENALTIES
                      : BLOCKED;
}

static bool is_plausible(const char *id, size_t n)
{
    char text[BARCODE_MAX + 1];

    if (n < ID_BYTES_MIN || n > BARCODE_MAX)
        return false;
    memcpy(text, id, n);
    text[n] = '\0';
    return barcode_is_clean(text) && strpbrk(text, "0123456789") != NULL;
}

/* Evergreen: barcode, blank, one letter; barcodes there may end with blanks, that no scan has. */
static size_t split_evergreen(const char *s, size_t n, enum blocked *is)
{
    if (n < 3 || s[n - 2] != ' ')
        return 0;
    *is = status_of_letter(s[n - 1]);
    for (n -= 2; n > 0 && s[n - 1] == ' ';)
        n--;
    return n;
}

static size_t split_plain(const char *s, size_t n, enum blocked *is)
{
    size_t id = 0, from;

    while (id < n && s[id] != '\t' && s[id] != '|' && s[id] != ',' && s[id] != ' ')
        id++;
    for (from = id;
         from < n && (s[from] == '\t' || s[from] == '|' || s[from] == ',' || s[from] == ' ');)
        from++;
    while (n > from && (s[n - 1] == ' ' || s[n - 1] == '|' || s[n - 1] == '\t'))
        n--;
    *is = status_of(s + from, n - from);
    return id;
}

static enum err take_line(struct blocklist_draft *d, struct errmsg *msg)
{
    const char *s = d->line;
    size_t n = d->line_len, id;
    enum blocked is = BLOCKED;
    uint8_t row[DRAFT_ROW];

    if (d->lines == 0 && n >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
        s += 3;
        n -= 3;
    }
    while (n > 0 && (s[n - 1] == '\r' || (d->format != BLOCKLIST_EVERGREEN && s[n - 1] == ' ')))
        n--;
    for (; n > 0 && *s == ' '; n--)
        s++;
    if (n == 0 && !d->long_line)
        return ERR_OK;
    d->lines++;
    id = d->format == BLOCKLIST_EVERGREEN ? split_evergreen(s, n, &is) : split_plain(s, n, &is);
    if (d->long_line || !is_plausible(s, id)) {
        d->bad++;
        return ERR_OK;
    }
    if (d->rows.len / DRAFT_ROW == BLOCKLIST_IDS_MAX)
        return err_why(msg, ERR_FULL, "too_many", "", "a block list has at most %d numbers",
                       BLOCKLIST_IDS_MAX);
    hash_user(d->key, s, id, row);
    put_be32(row + 8, (uint32_t)(d->rows.len / DRAFT_ROW));
    row[12] = (uint8_t)is;
    buf_add(&d->rows, row, sizeof row);
    return d->rows.failed ? err_set(msg, ERR_NOMEM, "out of memory") : ERR_OK;
}

static enum err end_line(struct blocklist_draft *d, struct errmsg *msg)
{
    enum err e = take_line(d, msg);

    sodium_memzero(d->line, sizeof d->line);
    d->line_len = 0;
    d->long_line = false;
    return e;
}

enum err blocklist_read(struct blocklist_draft *d, const char *p, size_t n, struct errmsg *msg)
{
    for (size_t i = 0; i < n; i++) {
        enum err e;
        if (p[i] != '\n' && d->line_len == sizeof d->line)
            d->long_line = true;
        else if (p[i] != '\n')
            d->line[d->line_len++] = p[i];
        else if ((e = end_line(d, msg)) != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static int by_hash_then_order(const void *a, const void *b)
{
    return memcmp(a, b, 12);
}

static void compact(struct blocklist_draft *d, struct blocklist *out)
{
    qsort(d->rows.p, d->rows.len / DRAFT_ROW, DRAFT_ROW, by_hash_then_order);
    for (size_t i = 0; i < d->rows.len; i += DRAFT_ROW) {
        const uint8_t *row = d->rows.p + i;
        if (i > 0 && memcmp(row - DRAFT_ROW, row, 8) == 0)
            continue;
        buf_add(&out->rows, row, 8);
        buf_add(&out->rows, row + 12, 1);
        out->head.by_status[row[12]]++;
        out->head.rows++;
    }
}

static void sign_head(struct blocklist *b, const uint8_t branch[BRANCH_ID_BYTES],
                      const struct ident *me)
{
    struct buf body = { 0 };

    put_body(&b->head, branch, &body);
    signed_put(DOMAIN, &body, me->sign_sk, &b->bytes);
    if (!b->bytes.failed)
        name(b->bytes.p, b->bytes.len, b->head.id);
}

enum err blocklist_finish(struct blocklist_draft *d, const uint8_t branch[BRANCH_ID_BYTES],
                          const struct ident *me, int64_t now_ms, struct blocklist *out,
                          struct errmsg *msg)
{
    enum err e = end_line(d, msg);

    if (e != ERR_OK)
        return e;
    if (d->bad * 100 > d->lines * BAD_PERCENT)
        return err_why(msg, ERR_INVALID, "no_block_list", "",
                       "that is no block list: %llu of its %llu lines hold no user's number. The "
                       "list from before stays",
                       (unsigned long long)d->bad, (unsigned long long)d->lines);
    if (d->rows.len == 0)
        return err_why(msg, ERR_INVALID, "empty_list", "",
                       "the file holds no user's number, as after an export that failed. The list "
                       "from before stays");
    memset(out, 0, sizeof *out);
    out->head.date_ms = d->date_ms;
    out->head.imported_ms = now_ms;
    out->head.desk = me->id;
    memcpy(out->head.key, d->key, sizeof d->key);
    compact(d, out);
    if (!out->rows.failed)
        hash_rows(&out->rows, out->head.hash);
    sign_head(out, branch, me);
    blocklist_draft_free(d);
    if (!out->rows.failed && !out->bytes.failed)
        return ERR_OK;
    blocklist_free(out);
    return err_set(msg, ERR_NOMEM, "out of memory");
}

void blocklist_draft_free(struct blocklist_draft *d)
{
    buf_wipe(&d->rows);
    sodium_memzero(d, sizeof *d);
}
