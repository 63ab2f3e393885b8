/* conflicts.c - a lead's words on records that no upload has yet: they go, or they are taken back.
 *
 * What one decision is made of is signed together: "void" and "send" of one request both or none.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lead_int.h"

struct ruling {
    struct word w;
    struct buf refs;
    json_t *ids;   /* borrowed */
    json_t *cards; /* owned: those whose registrations it names */
    json_t *named; /* borrowed; of both lists: by id, what is said of it */
};

static enum err refuse_user(const char *id, struct errmsg *msg)
{
    return err_why(msg, ERR_INVALID, "cannot_rule", "ids",
                   "%.60s is a registration: void the other one of the same card instead", id);
}

/* Two of one card cannot both go: one is sent by voiding the others, in the same breath, or if it
 * is to be taken back no more. */
static bool may_be_sent(const struct node *n, const struct record_ref *ref, const char *card,
                        const struct ruling *voids)
{
    int64_t at_ms;

    return core_ruled(n->core, ref, &at_ms) == WORD_VOID ||
           json_object_get(voids->cards, card) != NULL;
}

/* However it was spelled: twice is once, and of send and void only one can be meant. */
static enum err name_once(const struct node *n, const struct record_ref *ref, struct ruling *r,
                          bool *again, struct errmsg *msg)
{
    char id[RECORD_ID_TEXT];
    const json_t *before;

    core_id_text(n->core, ref, id);
    before = json_object_get(r->named, id);
    *again = before != NULL;
    if (!before)
        return json_object_set_new(r->named, id, json_integer(r->w.kind)) == 0
                   ? ERR_OK
                   : err_set(msg, ERR_NOMEM, "out of memory");
    return json_integer_value(before) == (json_int_t)r->w.kind
               ? ERR_OK
               : err_why(msg, ERR_INVALID, "cannot_rule", "ids",
                         "%.60s stands in both lists: it can be sent or taken back, not both", id);
}

static enum err add_ref(const struct node *n, const char *id, const struct record_ref *at,
                        struct ruling *r, const struct ruling *voids, struct errmsg *msg)
{
    struct moment now = node_now();
    struct record *rec = calloc(1, sizeof *rec);
    struct word_ref ref;
    enum err e = rec ? ERR_OK : err_set(msg, ERR_NOMEM, "out of memory");

    if (e == ERR_OK && (e = core_may_rule(n->core, at, &ref, msg)) == ERR_OK)
        e = core_aside_record(n->core, &ref.ref, rec, msg);
    if (e == ERR_OK && rec->kind == RECORD_VOID)
        e = err_why(msg, ERR_INVALID, "cannot_rule", "ids",
                    "%.60s is a void: nothing is decided about it", id);
    if (e == ERR_OK && rec->kind == RECORD_USER && r->w.kind == WORD_SEND &&
        !may_be_sent(n, &ref.ref, rec->user, voids))
        e = refuse_user(id, msg);
    if (e == ERR_OK) {
        int64_t at_ms = core_rule_at(n->core, &now, &ref.ref);
        r->w.at_ms = at_ms > r->w.at_ms ? at_ms : r->w.at_ms;
        r->w.n_refs++;
        word_put_ref(&r->refs, &ref);
        if (rec->kind == RECORD_USER)
            json_object_set_new(r->cards, rec->user, json_true());
    }
    if (rec)
        sodium_memzero(rec, sizeof *rec);
    free(rec);
    return e;
}

static enum err add_id(const struct node *n, const char *id, struct ruling *r,
                       const struct ruling *voids, struct errmsg *msg)
{
    struct record_ref at;
    bool again = false;
    enum err e = core_id_parse(n->core, id, &at, msg);

    if (e == ERR_OK)
        e = name_once(n, &at, r, &again, msg);
    return e != ERR_OK || again ? e : add_ref(n, id, &at, r, voids, msg);
}

static enum err add_refs(const struct node *n, struct ruling *r, const struct ruling *voids,
                         struct errmsg *msg)
{
    enum err e = ERR_OK;
    const json_t *id;
    size_t i;

    if (json_array_size(r->ids) > WORD_REFS_MAX)
        return err_why(msg, ERR_INVALID, "too_many", "ids", "name 1 to %d records", WORD_REFS_MAX);
    json_array_foreach(r->ids, i, id) if (e == ERR_OK) e =
        json_is_string(id) ? add_id(n, json_string_value(id), r, voids, msg)
                           : err_set(msg, ERR_INVALID, "ids are texts");
    return e;
}

/* {"say", "ids"}, or both lists under their own names. */
static enum err read_lists(const struct lead_job *l, struct ruling *v, struct ruling *s,
                           struct errmsg *msg)
{
    const char *say = lead_text(l, "say");

    v->ids = json_object_get(l->body, "void");
    s->ids = json_object_get(l->body, "send");
    if (strcmp(say, "void") == 0)
        v->ids = json_object_get(l->body, "ids");
    else if (strcmp(say, "send") == 0)
        s->ids = json_object_get(l->body, "ids");
    else if (*say != '\0' || (!v->ids && !s->ids))
        return err_why(msg, ERR_INVALID, "bad_say", "say", "say \"send\" or \"void\"");
    if (json_array_size(v->ids) + json_array_size(s->ids) == 0)
        return err_why(msg, ERR_INVALID, "too_many", "ids", "name 1 to %d records", WORD_REFS_MAX);
    return ERR_OK;
}

static enum err say_it(struct node *n, struct lead_job *l, struct ruling *r)
{
    return r->w.n_refs == 0 ? ERR_OK : word_say(n, &r->w, &r->refs, l->sk, &l->msg);
}

static enum err sign_rule(struct node *n, struct lead_job *l, json_t **answer)
{
    uint64_t slot = ledger_decided(core_ledger(n->core)) + 1;
    json_t *named = json_object();
    struct ruling voids = { .w = { .kind = WORD_VOID, .slot = slot }, .cards = json_object() },
                  sends = { .w = { .kind = WORD_SEND, .slot = slot }, .cards = json_object() };
    enum err e = read_lists(l, &voids, &sends, &l->msg);

    voids.named = sends.named = named;
    if (e == ERR_OK)
        e = add_refs(n, &voids, &voids, &l->msg);
    if (e == ERR_OK)
        e = add_refs(n, &sends, &voids, &l->msg);
    if (e == ERR_OK)
        e = say_it(n, l, &voids);
    if (e == ERR_OK)
        e = say_it(n, l, &sends);
    if (e == ERR_OK)
        *answer = json_pack("{s:i, s:I, s:I, s:I}", "schema", 1, "records",
                            (json_int_t)(voids.w.n_refs + sends.w.n_refs), "voided",
                            (json_int_t)voids.w.n_refs, "sent", (json_int_t)sends.w.n_refs);
    buf_free(&voids.refs);
    buf_free(&sends.refs);
    json_decref(voids.cards);
    json_decref(sends.cards);
    json_decref(named);
    return e;
}

void conflicts_rule(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_rule);
}
