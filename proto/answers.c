/* answers.c - bytes and chain of what was said about records; which lines must wait for it. */
#include "answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "hmap.h"
#include "mem.h"

#define ROW_FIELDS 6

void answer_row_encode(const struct answer_row *r, struct buf *out)
{
    mp_put_array(out, ROW_FIELDS);
    mp_put_u64(out, r->line);
    ref_put(out, &r->ref);
    mp_put_u64(out, r->kind);
    mp_put_u64(out, r->answer);
    mp_put_str(out, r->words);
}

enum err answer_row_decode(const uint8_t *p, size_t n, struct answer_row *out)
{
    struct mp m = mp_over(p, n);
    uint64_t kind, answer;

    memset(out, 0, sizeof *out);
    if (n > ANSWER_BYTES_LIMIT || mp_get_array(&m) != ROW_FIELDS)
        return ERR_MALFORMED;
    out->line = mp_get_u64(&m);
    ref_get(&m, &out->ref);
    kind = mp_get_u64(&m);
    answer = mp_get_u64(&m);
    mp_get_str(&m, out->words, sizeof out->words);
    if (!mp_done(&m) || out->line == 0 || kind > UINT8_MAX || answer < ANSWER_DEVIATING ||
        answer > ANSWER_LAST)
        return ERR_MALFORMED;
    out->kind = (unsigned)kind;
    out->answer = (enum answer)answer;
    return ERR_OK;
}

void answers_begin(const uint8_t intent[HASH_BYTES], uint8_t h[HASH_BYTES])
{
    hash_parts("tideover answers v1", &(struct part){ intent, HASH_BYTES }, 1, h, HASH_BYTES);
}

void answers_chain(uint8_t h[HASH_BYTES], const uint8_t *p, size_t n)
{
    crypto_generichash_state st;

    crypto_generichash_init(&st, NULL, 0, HASH_BYTES);
    crypto_generichash_update(&st, h, HASH_BYTES);
    crypto_generichash_update(&st, p, n);
    crypto_generichash_final(&st, h, HASH_BYTES);
}

/* ---- what a sink brings back ---- */

void told_add(struct told *t, const struct answer_row *r)
{
    struct answer_row clean = *r;
    struct buf b = { 0 };

    clean.words[sizeof clean.words - 1] = '\0';
    text_mend(clean.words);
    answer_row_encode(&clean, &b);
    mp_put_bin(&t->rows, b.p, b.len);
    t->n++;
    buf_wipe(&b);
}

void told_free(struct told *t)
{
    buf_wipe(&t->rows);
    memset(t, 0, sizeof *t);
}

/* ---- holds ---- */

struct holds {
    struct hmap v;
    bool blind; /* out of memory for one: everything waits */
};

struct holds *holds_new(void)
{
    return mem_zero(1, sizeof(struct holds));
}

void holds_free(struct holds *h)
{
    if (!h)
        return;
    hmap_free(&h->v);
    free(h);
}

void holds_digest(const uint8_t branch[BRANCH_ID_BYTES], char what, const char *barcode,
                  uint8_t out[HOLD_DIGEST])
{
    uint8_t both[1 + BARCODE_MAX];
    size_t n = strlen(barcode);

    memset(out, 0, HOLD_DIGEST);
    if (n == 0)
        return;
    both[0] = (uint8_t)what;
    memcpy(both + 1, barcode, n);
    crypto_shorthash_siphashx24(out, both, n + 1, branch);
}

static void hold(struct holds *h, const uint8_t digest[HOLD_DIGEST])
{
    bool fresh;

    if (!sodium_is_zero(digest, HOLD_DIGEST) && !hmap_at(&h->v, digest, &fresh))
        h->blind = true;
}

static bool holds_item(enum answer a)
{
    return a == ANSWER_QUARANTINED || a == ANSWER_HELD;
}

static bool holds_card(unsigned kind, enum answer a)
{
    return kind == RECORD_USER && (holds_item(a) || a == ANSWER_REFUSED || a == ANSWER_DOUBT);
}

bool answer_holds(unsigned kind, enum answer a)
{
    return holds_item(a) || holds_card(kind, a);
}

void holds_tell(struct holds *h, unsigned kind, const uint8_t item[HOLD_DIGEST],
                const uint8_t user[HOLD_DIGEST], enum answer a)
{
    if (holds_item(a))
        hold(h, item);
    if (holds_card(kind, a))
        hold(h, user);
}

bool holds_line(const struct holds *h, const uint8_t item[HOLD_DIGEST],
                const uint8_t user[HOLD_DIGEST])
{
    return h->blind || (!sodium_is_zero(item, HOLD_DIGEST) && hmap_find(&h->v, item)) ||
           (!sodium_is_zero(user, HOLD_DIGEST) && hmap_find(&h->v, user));
}
