/* word.c - bytes of words, and the set of those that this desk knows. */
#include "word.h"

#include <stdlib.h>
#include <string.h>

#include "ledger.h"
#include "mem.h"

static const char word_domain[] = "tideover word v1";

#define WORD_FIELDS 8
#define SLOT_LAST   (UINT64_MAX / 2)

/* ---- bytes ---- */

void word_put_ref(struct buf *refs, const struct word_ref *r)
{
    mp_put_array(refs, 3);
    ref_put(refs, &r->ref);
    mp_put_bin(refs, r->id, sizeof r->id);
}

static void get_ref(struct mp *m, struct word_ref *r)
{
    if (mp_get_array(m) != 3)
        m->bad = true;
    ref_get(m, &r->ref);
    mp_get_raw(m, r->id, sizeof r->id);
}

void word_sign(const uint8_t branch[BRANCH_ID_BYTES], const struct word *w, const struct buf *refs,
               const uint8_t sk[SIGN_SK_BYTES], struct buf *out)
{
    struct buf inner = { 0 };

    mp_put_array(&inner, WORD_FIELDS + (w->kind == WORD_NOT_LOADED));
    mp_put_u64(&inner, 1);
    mp_put_bin(&inner, branch, BRANCH_ID_BYTES);
    mp_put_u64(&inner, w->kind);
    mp_put_i64(&inner, w->at_ms);
    mp_put_bin(&inner, w->key, KEY_BYTES);
    mp_put_u64(&inner, w->slot);
    mp_put_bin(&inner, w->intent, HASH_BYTES);
    mp_put_array(&inner, w->n_refs);
    if (w->n_refs > 0)
        buf_add(&inner, refs->p, refs->len);
    if (w->kind == WORD_NOT_LOADED)
        mp_put_str(&inner, w->text);
    signed_put(word_domain, &inner, sk, out);
}

bool word_rules(enum word_kind kind)
{
    return kind == WORD_SEND || kind == WORD_VOID;
}

static bool names_none(enum word_kind kind)
{
    return kind == WORD_CONFIRM || kind == WORD_ONLINE || kind == WORD_CARDS;
}

static bool decode(struct mp *m, const uint8_t branch[BRANCH_ID_BYTES], struct word *w)
{
    uint8_t theirs[BRANCH_ID_BYTES];
    uint64_t version, kind;
    uint32_t fields = mp_get_array(m);
    struct word_ref r;

    memset(w, 0, sizeof *w);
    version = mp_get_u64(m);
    mp_get_raw(m, theirs, sizeof theirs);
    kind = mp_get_u64(m);
    w->at_ms = mp_get_i64(m);
    mp_get_raw(m, w->key, sizeof w->key);
    w->slot = mp_get_u64(m);
    mp_get_raw(m, w->intent, sizeof w->intent);
    w->n_refs = mp_get_array(m);
    w->refs = m->p;
    w->refs_len = (size_t)(m->end - m->p);
    if (m->bad || version != 1 || memcmp(theirs, branch, sizeof theirs) != 0 || kind == 0 ||
        kind > WORD_NOT_LOADED || fields != WORD_FIELDS + (kind == WORD_NOT_LOADED) ||
        w->n_refs > WORD_REFS_MAX || w->slot == 0 || w->slot > SLOT_LAST)
        return false;
    w->kind = (enum word_kind)kind;
    for (unsigned i = 0; i < w->n_refs && !m->bad; i++)
        get_ref(m, &r);
    if (w->kind == WORD_NOT_LOADED)
        mp_get_str(m, w->text, sizeof w->text);
    return mp_done(m) && (!names_none(w->kind) || w->n_refs == 0) &&
           ((w->kind != WORD_RELEASE && w->kind != WORD_NOT_LOADED && !word_rules(w->kind)) ||
            w->n_refs > 0) &&
           (w->kind != WORD_RESTORE || w->n_refs == 1);
}

enum err word_open(const uint8_t *p, size_t n, const uint8_t branch[BRANCH_ID_BYTES],
                   struct word *w, struct errmsg *msg)
{
    uint8_t sig[SIG_BYTES];
    size_t len = 0;
    const uint8_t *inner = n <= WORD_BYTES_MAX ? signed_get(p, n, &len, sig) : NULL;
    struct mp m = mp_over(inner, len);

    if (!inner)
        return err_set(msg, ERR_MALFORMED, "not a word");
    if (!decode(&m, branch, w))
        return err_set(msg, ERR_MALFORMED, "a word that does not parse, or of another branch");
    if (!sign_ok(word_domain, inner, len, w->key, sig))
        return err_set(msg, ERR_DENIED, "a word whose signature is not right");
    return ERR_OK;
}

void word_id(const uint8_t *p, size_t n, uint8_t out[WORD_ID_BYTES])
{
    hash_parts("tideover word id v1", &(struct part){ p, n }, 1, out, WORD_ID_BYTES);
}

struct word_walk word_refs(const struct word *w)
{
    return (struct word_walk){ mp_over(w->refs, w->refs_len), w->n_refs };
}

bool word_ref_next(struct word_walk *walk, struct word_ref *out)
{
    if (walk->left == 0)
        return false;
    walk->left--;
    get_ref(&walk->m, out);
    return !walk->m.bad;
}

/* ---- the set ---- */

static bool known(const struct said *s, const uint8_t id[WORD_ID_BYTES])
{
    for (unsigned i = 0; i < s->n; i++)
        if (memcmp(s->v[i].id, id, WORD_ID_BYTES) == 0)
            return true;
    return false;
}

static const struct desk *desk_of_key(const struct roster *r, const uint8_t key[KEY_BYTES])
{
    struct desk_id id;

    desk_id_of(key, &id);
    return roster_find(r, &id);
}

static enum err keep(struct said *s, const uint8_t id[WORD_ID_BYTES], const uint8_t *p, size_t n)
{
    struct said_word *grown = mem_room(s->v, s->n, &s->room, sizeof *grown), *w;

    if (!grown)
        return ERR_NOMEM;
    s->v = grown;
    w = &s->v[s->n];
    memset(w, 0, sizeof *w);
    buf_add(&w->bytes, p, n);
    if (w->bytes.failed)
        return ERR_NOMEM;
    memcpy(w->id, id, WORD_ID_BYTES);
    for (unsigned i = 0; i < WORD_ID_BYTES; i++)
        s->hash[i] ^= id[i];
    s->n++;
    return ERR_OK;
}

/* One on each content is enough from one desk. Contents are what majorities signed: so a desk that
 * makes some up cannot fill the table, after which no lead could say anything any more. */
static bool said_before(const struct said *s, const struct word *w)
{
    struct word old;

    for (unsigned i = 0; i < s->n; i++)
        if (said_word(s, i, &old) && old.kind == w->kind && old.slot == w->slot &&
            memcmp(old.key, w->key, KEY_BYTES) == 0 &&
            memcmp(old.intent, w->intent, HASH_BYTES) == 0)
            return true;
    return false;
}

/* Whoever was a lead once: desks that heard the word before and after the key was dropped keep the
 * same set. What it is worth is asked when it is used. */
static enum err may_say(const struct said *s, const struct word *w, struct errmsg *msg)
{
    if (roster_was_lead(s->roster, w->key))
        return ERR_OK;
    if (w->kind != WORD_CONFIRM)
        return err_set(msg, ERR_MISSING, "a word that only a lead may say");
    if (!desk_of_key(s->roster, w->key))
        return err_set(msg, ERR_MISSING, "a word of nobody who is known here");
    if (said_before(s, w))
        return err_set(msg, ERR_DENIED, "a desk that says one thing twice");
    return s->ledger && !ledger_was_decided(s->ledger, w->slot, w->intent)
               ? err_set(msg, ERR_MISSING, "a word on an upload that is not known here")
               : ERR_OK;
}

enum err said_take(struct said *s, const uint8_t *p, size_t n, bool *fresh, struct errmsg *msg)
{
    uint8_t id[WORD_ID_BYTES];
    struct word w;
    enum err e;

    *fresh = false;
    word_id(p, n, id);
    if (known(s, id))
        return ERR_OK;
    if ((e = word_open(p, n, roster_branch(s->roster), &w, msg)) != ERR_OK ||
        (e = may_say(s, &w, msg)) != ERR_OK)
        return e;
    if (s->n == WORDS_MAX)
        return err_set(msg, ERR_FULL, "this desk knows %d words already", WORDS_MAX);
    if ((e = s->disk->put(s->disk->ctx, TABLE_WORDS, id, sizeof id, p, n)) != ERR_OK ||
        (e = keep(s, id, p, n)) != ERR_OK)
        return err_set(msg, e, "a word cannot be stored");
    *fresh = true;
    return ERR_OK;
}

enum err said_load(struct said *s, const struct disk *disk, const struct roster *roster,
                   struct errmsg *msg)
{
    uint8_t key[DISK_KEY_MAX] = { 0 }, next[WORD_ID_BYTES + 1] = { 0 };
    struct buf val = { 0 };
    size_t n = WORD_ID_BYTES, len;
    enum err e;

    memset(s, 0, sizeof *s);
    s->disk = disk;
    s->roster = roster;
    while ((e = disk->seek(disk->ctx, TABLE_WORDS, next, n, 1, key, &len, &val)) == ERR_OK) {
        if (len != WORD_ID_BYTES || s->n == WORDS_MAX)
            e = ERR_MALFORMED;
        if (e != ERR_OK || (e = keep(s, key, val.p, val.len)) != ERR_OK)
            break;
        memcpy(next, key, WORD_ID_BYTES);
        n = WORD_ID_BYTES + 1; /* the same and a zero: the next key */
    }
    buf_free(&val);
    return e == ERR_MISSING ? ERR_OK : err_set(msg, e, "the words cannot be read");
}

void said_free(struct said *s)
{
    for (unsigned i = 0; i < s->n; i++)
        buf_free(&s->v[i].bytes);
    free(s->v);
    memset(s, 0, sizeof *s);
}

bool said_word(const struct said *s, unsigned i, struct word *out)
{
    struct mp m = mp_over(s->v[i].bytes.p, s->v[i].bytes.len), in;
    const uint8_t *inner;
    size_t len = 0;

    mp_get_array(&m);
    inner = mp_get_bin(&m, &len); /* the signature was checked when it came */
    in = mp_over(inner, len);
    return decode(&in, roster_branch(s->roster), out);
}

static bool is_second_voice(const struct said *s, const struct word *w,
                            const struct desk_id *uploader)
{
    const struct desk *d = desk_of_key(s->roster, w->key);

    if (roster_is_lead(s->roster, w->key))
        return true;
    return d && d->state != DESK_REVOKED && !desk_id_eq(&d->id, uploader);
}

int64_t said_confirmed(const struct said *s, uint64_t slot, const uint8_t intent[HASH_BYTES],
                       const struct desk_id *uploader, uint8_t by[KEY_BYTES])
{
    int64_t at = 0;
    struct word w;

    for (unsigned i = 0; i < s->n; i++) {
        if (!said_word(s, i, &w) || w.kind != WORD_CONFIRM || w.slot != slot ||
            memcmp(w.intent, intent, HASH_BYTES) != 0 || !is_second_voice(s, &w, uploader))
            continue;
        if (at != 0 && w.at_ms >= at)
            continue;
        at = w.at_ms != 0 ? w.at_ms : 1;
        if (by)
            memcpy(by, w.key, KEY_BYTES);
    }
    return at;
}

bool said_online(const struct said *s, uint64_t slot)
{
    struct word w;

    for (unsigned i = 0; i < s->n; i++)
        if (said_word(s, i, &w) && w.kind == WORD_ONLINE && w.slot == slot &&
            roster_is_lead(s->roster, w.key))
            return true;
    return false;
}
