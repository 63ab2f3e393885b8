/* lately.c - rules L1 to L8, and the index that they look into. */
#include "lately.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "mem.h"

/* ---- the index ---- */

/* SipHash: several for each record, and an eighth of what BLAKE2b costs for a few bytes. */
static void hash(const struct lately *l, char what, const char *text, uint8_t *out, size_t n)
{
    uint8_t full[crypto_shorthash_siphashx24_BYTES], in[1 + BARCODE_MAX];
    size_t len = strnlen(text, BARCODE_MAX);

    in[0] = (uint8_t)what;
    memcpy(in + 1, text, len);
    crypto_shorthash_siphashx24(full, in, 1 + len, l->key);
    memcpy(out, full, n);
}

static void rows_free(struct lately_rows *r)
{
    hmap_free(&r->at);
    free(r->v);
    memset(r, 0, sizeof *r);
}

void lately_free(struct lately *l)
{
    rows_free(&l->now);
    rows_free(&l->old);
    sodium_memzero(l->key, sizeof l->key);
}

static struct lately_row *find(const struct lately_rows *r, const uint8_t key[16])
{
    const uint64_t *at = hmap_find(&r->at, key);

    return at ? &r->v[*at] : NULL;
}

static const struct lately_row *look(const struct lately *l, char what, const char *text)
{
    uint8_t key[16];
    const struct lately_row *row;

    if (text[0] == '\0')
        return NULL;
    hash(l, what, text, key, sizeof key);
    row = find(&l->now, key);
    return row ? row : find(&l->old, key);
}

static bool make_room(struct lately_rows *r)
{
    unsigned room = r->room ? 2 * r->room : 64;
    struct lately_row *v;

    if (r->n < r->room)
        return true;
    if ((v = mem_zero(room, sizeof *v)) == NULL)
        return false;
    if (r->n > 0)
        memcpy(v, r->v, r->n * sizeof *v);
    free(r->v);
    r->v = v;
    r->room = room;
    return true;
}

static struct lately_row *place(struct lately *l, const uint8_t key[16])
{
    struct lately_row *row = find(&l->now, key);
    const struct lately_row *known = find(&l->old, key);
    struct lately_row begun = { 0 };
    uint64_t *at;
    bool fresh;

    if (row)
        return row;
    if (known)
        begun = *known;
    if (l->now.n == LATELY_ROWS) {
        rows_free(&l->old);
        l->old = l->now;
        memset(&l->now, 0, sizeof l->now);
    }
    if (!make_room(&l->now) || (at = hmap_at(&l->now.at, key, &fresh)) == NULL)
        return NULL;
    *at = l->now.n++;
    l->now.v[*at] = begun;
    return &l->now.v[*at];
}

static bool same_ref(const struct record_ref *a, const struct record_ref *b)
{
    return a->seq == b->seq && feed_id_eq(&a->feed, &b->feed);
}

/* One order on every desk, whatever came first. */
static bool is_later(const struct lately_event *a, const struct lately_event *b)
{
    int cmp = feed_id_cmp(&a->ref.feed, &b->ref.feed);

    if (a->at_ms != b->at_ms)
        return a->at_ms > b->at_ms;
    return cmp != 0 ? cmp > 0 : a->ref.seq > b->ref.seq;
}

static void insert(struct lately_row *row, const struct lately_event *e)
{
    if (same_ref(&row->last.ref, &e->ref) || same_ref(&row->before.ref, &e->ref))
        return;
    if (row->last.ref.seq == 0 || is_later(e, &row->last)) {
        row->before = row->last;
        row->last = *e;
    } else if (row->before.ref.seq == 0 || is_later(e, &row->before)) {
        row->before = *e;
    }
}

void lately_event_of(const struct lately *l, const struct record_ref *ref, const struct record *r,
                     int64_t correction_ms, struct lately_event *out)
{
    *out = (struct lately_event){ .ref = *ref,
                                  .at_ms = record_time(r, correction_ms),
                                  .kind = r->kind };
    if (r->user[0] != '\0')
        hash(l, 'u', r->user, out->user, sizeof out->user);
}

static bool moves_an_item(const struct record *r)
{
    return r->kind == RECORD_CHECKOUT || r->kind == RECORD_DISCHARGE || r->kind == RECORD_RENEW;
}

void lately_learn(struct lately *l, const struct record_ref *ref, const struct record *r,
                  int64_t correction_ms)
{
    bool item = moves_an_item(r) && r->item[0] != '\0';
    struct lately_event e;
    struct lately_row *row;
    uint8_t key[16];

    if (!item && r->kind != RECORD_USER)
        return;
    hash(l, item ? 'i' : 'c', item ? r->item : r->user, key, sizeof key);
    lately_event_of(l, ref, r, correction_ms, &e);
    if ((row = place(l, key)) != NULL)
        insert(row, &e);
}

const struct lately_row *lately_item(const struct lately *l, const struct record *r)
{
    return moves_an_item(r) ? look(l, 'i', r->item) : NULL;
}

const struct lately_row *lately_card(const struct lately *l, const char *user)
{
    return look(l, 'c', user);
}

/* ---- the rules ---- */

void lately_not_before(const struct lately_event *first, struct lately_event *then)
{
    if (first->at_ms > then->at_ms && first->at_ms - then->at_ms <= LATELY_MINUTES_MS)
        then->at_ms = first->at_ms;
}

static bool names_user(const struct lately_event *e)
{
    static const uint8_t none[sizeof e->user];

    return memcmp(e->user, none, sizeof none) != 0;
}

static bool same_user(const struct lately_event *a, const struct lately_event *b)
{
    return memcmp(a->user, b->user, sizeof a->user) == 0;
}

static bool is_out(const struct lately_event *e)
{
    return e->kind == RECORD_CHECKOUT || e->kind == RECORD_RENEW;
}

static bool other_desk_minutes_ago(const struct lately_event *a, const struct lately_event *b)
{
    return b->at_ms - a->at_ms < LATELY_MINUTES_MS &&
           !desk_id_eq(&a->ref.feed.desk, &b->ref.feed.desk);
}

static enum lately_what judge_item(const struct lately_event *a, const struct lately_event *b)
{
    if (a->kind == RECORD_DISCHARGE)
        return b->kind == RECORD_CHECKOUT ? LATELY_NOTHING : LATELY_RETURNED;
    if (!is_out(a))
        return LATELY_NOTHING;
    if (b->kind == RECORD_DISCHARGE)
        return other_desk_minutes_ago(a, b) ? LATELY_JUST_NOW : LATELY_NOTHING;
    if (names_user(a) && names_user(b) && !same_user(a, b))
        return LATELY_TO_ANOTHER;
    if (b->kind == RECORD_CHECKOUT)
        return LATELY_LENT;
    return a->kind == RECORD_RENEW ? LATELY_RENEWED : LATELY_NOTHING;
}

enum lately_what lately_judge(const struct lately_event *a, const struct lately_event *b,
                              uint32_t double_scan_ms)
{
    int64_t ago = b->at_ms - a->at_ms;

    if (a->ref.seq == 0 || ago < 0 || ago >= LATELY_MS)
        return LATELY_NOTHING;
    if (a->kind == b->kind && same_user(a, b) && ago < (int64_t)double_scan_ms &&
        desk_id_eq(&a->ref.feed.desk, &b->ref.feed.desk))
        return LATELY_DOUBLE_SCAN;
    if (a->kind == RECORD_USER)
        return b->kind == RECORD_USER ? LATELY_CARD : LATELY_NEW_CARD;
    return judge_item(a, b);
}

/* ---- the words ---- */

static const struct {
    const char *code, *happened, *what_to_do;
} words[] = {
    [LATELY_NOTHING] = { "", "", "" },
    [LATELY_DOUBLE_SCAN] = { "double_scan", "the same was recorded",
                             "it is recorded once; confirm to record it twice" },
    [LATELY_TO_ANOTHER] = { "lent_to_another", "this item went to another user",
                            "see whose it is; if it came back, discharge it first; or confirm" },
    [LATELY_LENT] = { "lent_already", "this item was lent to this user",
                      "record a renewal for a later date, or confirm" },
    [LATELY_JUST_NOW] = { "lent_just_now", "this item was lent or renewed",
                          "see that it is the right one, then confirm" },
    [LATELY_RETURNED] = { "returned_already", "this item was returned",
                          "if it goes out again, record a checkout; or confirm" },
    [LATELY_RENEWED] = { "renewed_already", "this item was renewed",
                         "confirm to renew it once more" },
    [LATELY_CARD] = { "card_registered", "this card was registered",
                      "take a new card for another person; or confirm" },
    [LATELY_NEW_CARD] = { "card_is_new", "this card was registered",
                          "the library's system does not know it yet" },
};

const char *lately_code(enum lately_what w)
{
    return words[w].code;
}

static void ago_text(int64_t ms, char out[32])
{
    long long s = ms / 1000, m = s / 60, h = m / 60;

    if (s < 2)
        snprintf(out, 32, "a moment ago");
    else if (m == 0)
        snprintf(out, 32, "%lld seconds ago", s);
    else if (h == 0)
        snprintf(out, 32, "%lld minute%s ago", m, m == 1 ? "" : "s");
    else
        snprintf(out, 32, "%lld hour%s ago", h, h == 1 ? "" : "s");
}

void lately_text(enum lately_what w, const char *desk, int64_t ago_ms, char out[256])
{
    char ago[32];

    ago_text(ago_ms, ago);
    snprintf(out, 256, "%s at %s %s: %s", words[w].happened, desk, ago, words[w].what_to_do);
}
