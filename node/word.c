/* word.c - what people say of uploads that are decided: settled by hand, to be sent again.
 * Confirmed: confirm.c. */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "day.h"
#include "word_int.h"

/* ---- the upload that is spoken of ---- */

void spoken_free(struct spoken *s)
{
    intent_free(&s->in);
    buf_free(&s->bytes);
}

enum err spoken_of(const struct node *n, uint64_t slot, struct spoken *s, struct errmsg *msg)
{
    enum err e = slot > 0 ? ledger_receipt(core_ledger(n->core), slot, &s->bytes) : ERR_MISSING;

    if (e == ERR_OK && (e = receipt_decode(s->bytes.p, s->bytes.len, &s->r, msg)) == ERR_OK &&
        (e = intent_decode(s->r.intent, s->r.intent_len, &s->in, msg)) == ERR_OK &&
        s->in.type != SLOT_UPLOAD)
        e = ERR_MISSING;
    if (e == ERR_MISSING)
        return err_why(msg, e, "no_upload", "slot",
                       "there is no upload %llu: see \"tideover upload "
                       "status\"",
                       (unsigned long long)slot);
    if (e == ERR_OK)
        intent_hash(s->r.intent, s->r.intent_len, s->hash);
    return e;
}

uint64_t word_slot(const json_t *body)
{
    json_int_t slot = json_integer_value(json_object_get(body, "slot"));

    return slot > 0 ? (uint64_t)slot : 0;
}

enum err word_say(struct node *n, struct word *w, const struct buf *refs,
                  const uint8_t sk[SIGN_SK_BYTES], struct errmsg *msg)
{
    struct moment now = node_now();
    struct buf bytes = { 0 };
    enum err e;

    w->at_ms = w->at_ms > now.wall_ms ? w->at_ms : now.wall_ms;
    crypto_sign_ed25519_sk_to_pk(w->key, sk);
    word_sign(roster_branch(core_roster(n->core)), w, refs, sk, &bytes);
    e = bytes.failed ? err_set(msg, ERR_NOMEM, "out of memory")
                     : core_say(n->core, &now, bytes.p, bytes.len, msg);
    buf_free(&bytes);
    return e;
}

/* For the report: who stands for it that the upload arrived, or null. */
json_t *word_confirmed_json(const struct node *n, const struct receipt *r, uint64_t slot)
{
    const struct roster *ros = core_roster(n->core);
    uint8_t hash[HASH_BYTES], by[KEY_BYTES];
    const struct desk *d;
    struct desk_id id;
    char at[36];
    int64_t ms;

    intent_hash(r->intent, r->intent_len, hash);
    if ((ms = said_confirmed(core_said(n->core), slot, hash, &r->desk, by)) == 0)
        return json_null();
    desk_id_of(by, &id);
    d = roster_find(ros, &id);
    rfc3339_at(roster_policy(ros) ? &roster_policy(ros)->zone : NULL, ms, at);
    return json_pack("{s:s, s:s}", "by", d ? d->name : "a lead", "at", at);
}

/* ---- settled by hand ---- */

static enum err add_ref(const struct node *n, const char *id, struct buf *refs, struct word *w,
                        struct errmsg *msg)
{
    struct word_ref r = { .id = { 0 } };
    enum err e = core_id_parse(n->core, id, &r.ref, msg);

    if (e == ERR_OK && w->n_refs == WORD_REFS_MAX)
        e = err_why(msg, ERR_INVALID, "too_long", "ids", "at most %d records at once",
                    WORD_REFS_MAX);
    if (e == ERR_OK) {
        word_put_ref(refs, &r);
        w->n_refs++;
    }
    return e;
}

/* Of a whole upload, or of records by name: of those the slot says nothing. */
enum err word_sign_done(struct node *n, struct lead_job *l, json_t **answer)
{
    const json_t *ids = json_object_get(l->body, "ids"), *id;
    struct word w = { .kind = WORD_DONE, .slot = word_slot(l->body) };
    struct spoken s = { .bytes = { 0 } };
    struct buf refs = { 0 };
    enum err e = ERR_OK;
    size_t i;

    if (json_array_size(ids) == 0) {
        e = spoken_of(n, w.slot, &s, &l->msg);
        memcpy(w.intent, s.hash, HASH_BYTES);
    } else {
        w.slot = ledger_decided(core_ledger(n->core));
    }
    json_array_foreach(ids, i, id) if (e == ERR_OK) e =
        json_is_string(id) ? add_ref(n, json_string_value(id), &refs, &w, &l->msg)
                           : err_set(&l->msg, ERR_INVALID, "ids are texts");
    if (e == ERR_OK && w.slot == 0)
        e = err_why(&l->msg, ERR_MISSING, "no_upload", "", "nothing has been uploaded yet");
    if (e == ERR_OK)
        e = word_say(n, &w, &refs, l->sk, &l->msg);
    if (e == ERR_OK)
        *answer = json_pack("{s:i, s:I, s:I}", "schema", 1, "slot", (json_int_t)w.slot, "records",
                            (json_int_t)w.n_refs);
    buf_free(&refs);
    spoken_free(&s);
    return e;
}

void word_done(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, word_sign_done);
}

/* ---- a desk that lost its memory ---- */

static enum err sign_restore(struct node *n, struct lead_job *l, json_t **answer)
{
    const struct desk *d = lead_desk(n, l);
    struct moment now = node_now();
    struct ledger_view v;
    struct buf refs = { 0 };
    struct word w;
    enum err e;

    if (!d)
        return ERR_MISSING;
    core_ledger_view(n->core, &now, &v);
    e = core_draft_restore(n->core, &d->id, &w, &refs, &l->msg);
    if (e == ERR_OK)
        e = word_say(n, &w, &refs, l->sk, &l->msg);
    if (e == ERR_OK)
        *answer = json_pack("{s:i, s:s, s:I, s:b}", "schema", 1, "desk", d->name, "slot",
                            (json_int_t)w.slot, "waits", v.open);
    buf_free(&refs);
    return e;
}

void word_restore(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_restore);
}

/* ---- working online before the upload ---- */

static enum err sign_online(struct node *n, struct lead_job *l, json_t **answer)
{
    struct word w = { .kind = WORD_ONLINE, .slot = ledger_decided(core_ledger(n->core)) + 1 };
    struct moment now = node_now();
    struct core_view v;
    enum err e = ERR_OK;

    core_view(n->core, &now, &v);
    if (v.server != WATCH_BACK && !said_online(core_said(n->core), w.slot))
        return err_why(&l->msg, ERR_REFUSED, "not_back", "",
                       watch_answers(&v.watch)
                           ? "nothing waits to be uploaded: the desks work online anyway"
                           : "this desk does not see the library's server: there is nothing to "
                             "work in");
    if (!said_online(core_said(n->core), w.slot))
        e = word_say(n, &w, NULL, l->sk, &l->msg);
    if (e == ERR_OK)
        *answer = json_pack("{s:i, s:I}", "schema", 1, "slot", (json_int_t)w.slot);
    return e;
}

void word_online(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_online);
}

/* ---- what is still readable, and until when ---- */

static json_t *date_or_null(const struct node *n, int64_t ms)
{
    return ms == 0 ? json_null() : status_time(n, ms);
}

void word_erasing(struct node *n, struct http_request *rq)
{
    struct moment now = node_now();
    struct core_view v;
    json_t *all = json_array();

    core_view(n->core, &now, &v);
    for (unsigned i = 0; i < core_past(n->core); i++) {
        struct past_view p;
        core_past_view(n->core, i, &p);
        json_array_append_new(all, json_pack("{s:I, s:o, s:o, s:o, s:b, s:b}", "slot",
                                             (json_int_t)p.slot, "at", date_or_null(n, p.at_ms),
                                             "confirmed", date_or_null(n, p.confirmed_ms), "due",
                                             date_or_null(n, p.due_ms), "erased", p.erased,
                                             "all_kept", p.unknown));
    }
    api_json(rq, 200,
             json_pack("{s:i, s:I, s:I, s:b, s:o}", "schema", 1, "readable_from",
                       (json_int_t)(v.back_to ? v.back_to : 1), "set_aside",
                       (json_int_t)v.set_aside, "dropping_keys",
                       n->forget.state != FORGET_IDLE || v.erase_owed, "uploads", all));
}
