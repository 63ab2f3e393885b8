/* conflicts.c - a lead's words on records that no upload has yet: they go, or they are taken back.
 */
#include <stdlib.h>
#include <string.h>

#include "lead_int.h"

static enum err add_ref(const struct node *n, const char *id, enum word_kind kind, struct buf *refs,
                        struct errmsg *msg)
{
    struct record *r = calloc(1, sizeof *r);
    struct word_ref ref;
    enum err e =
        r ? core_id_parse(n->core, id, &ref.ref, msg) : err_set(msg, ERR_NOMEM, "out of memory");
    unsigned k;

    if (e == ERR_OK && (e = core_may_rule(n->core, &ref.ref, &ref, msg)) == ERR_OK)
        e = core_aside_record(n->core, &ref.ref, r, msg);
    k = r ? r->kind : 0;
    free(r);
    if (e != ERR_OK)
        return e;
    if (k == RECORD_VOID || (k == RECORD_USER && kind == WORD_SEND))
        return err_why(msg, ERR_INVALID, "cannot_rule", "ids",
                       k == RECORD_VOID
                           ? "%.60s is a void: nothing is decided about it"
                           : "%.60s is a registration: void the other one of the same card instead",
                       id);
    word_put_ref(refs, &ref);
    return ERR_OK;
}

static enum err sign_rule(struct node *n, struct lead_job *l, json_t **answer)
{
    const json_t *ids = json_object_get(l->body, "ids"), *id;
    const char *say = lead_text(l, "say");
    struct word w = { .kind = strcmp(say, "void") == 0 ? WORD_VOID : WORD_SEND,
                      .slot = ledger_decided(core_ledger(n->core)) + 1 };
    struct buf refs = { 0 };
    enum err e = ERR_OK;
    size_t i;

    if (strcmp(say, "void") != 0 && strcmp(say, "send") != 0)
        return err_why(&l->msg, ERR_INVALID, "bad_say", "say", "say \"send\" or \"void\"");
    if (json_array_size(ids) == 0 || json_array_size(ids) > WORD_REFS_MAX)
        return err_why(&l->msg, ERR_INVALID, "too_many", "ids", "name 1 to %d records",
                       WORD_REFS_MAX);
    json_array_foreach(ids, i, id) if (e == ERR_OK)
    {
        e = json_is_string(id) ? add_ref(n, json_string_value(id), w.kind, &refs, &l->msg)
                               : err_set(&l->msg, ERR_INVALID, "ids are texts");
        w.n_refs++;
    }
    if (e == ERR_OK)
        e = word_say(n, &w, &refs, l->sk, &l->msg);
    if (e == ERR_OK)
        *answer =
            json_pack("{s:i, s:s, s:I}", "schema", 1, "say", say, "records", (json_int_t)w.n_refs);
    buf_free(&refs);
    return e;
}

void conflicts_rule(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_rule);
}
