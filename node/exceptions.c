/* exceptions.c - what the library's system did not book as it was sent: each answer, joined to its
 * record. */
#include <stdlib.h>

#include <sodium.h>

#include "answer.h"
#include "node_int.h"
#include "query.h"
#include "record_json.h"

#define PAGE 1000 /* of one answer; the next is asked for with after= */

struct listing {
    const struct node *n;
    uint64_t after, seen, more; /* exceptions and deviations passed over; met; behind this page */
    uint64_t open;
    json_t *list;
};

/* Open is what nobody has settled or sent again since. */
static bool is_open(const struct node *n, uint64_t slot, const struct answer_row *r, bool *released)
{
    struct aside_view v;
    bool yes = answer_is_exception(r->answer) && core_aside_of(n->core, &r->ref, &v) &&
               v.slot == slot && v.what == excepted_what(r->answer);

    *released = yes && v.released;
    return yes;
}

static json_t *one_json(const struct node *n, uint64_t slot, const struct answer_row *r, bool open,
                        bool released)
{
    struct record *rec = calloc(1, sizeof *rec);
    const struct desk *d = roster_find(core_roster(n->core), &r->ref.feed.desk);
    char id[RECORD_ID_TEXT], sentence[200], next[200];
    json_t *o;

    core_id_text(n->core, &r->ref, id);
    answer_sentence(r->answer, r->kind, sentence);
    answer_next_step(r->answer, r->kind, next);
    o = json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:b, s:b, s:s}", "id", id, "desk",
                  d ? d->name : "?", "slot", (json_int_t)slot, "line", (json_int_t)r->line,
                  "answer", answer_name(r->answer), "words", r->words, "means", sentence, "next",
                  open || r->answer == ANSWER_DEVIATING ? next : "", "open", open, "released",
                  released, "op", record_kind_name(r->kind));
    if (rec && o && core_aside_record(n->core, &r->ref, rec, NULL) == ERR_OK)
        record_to_json(rec, status_zone(n), o);
    if (rec)
        sodium_memzero(rec, sizeof *rec);
    free(rec);
    return o;
}

/* Those that a lead read in the system's own report. */
static void list_not_loaded(struct listing *l, uint64_t slot)
{
    json_t *all = json_array(), *o;
    size_t i;

    loaded_list(l->n, slot, all, &l->open);
    json_array_foreach(all, i, o)
    {
        if (l->seen++ < l->after)
            continue;
        if (json_array_size(l->list) < PAGE)
            json_array_append(l->list, o);
        else
            l->more++;
    }
    json_decref(all);
}

static void list_slot(struct listing *l, uint64_t slot)
{
    const struct ledger *ledger = core_ledger(l->n->core);
    uint8_t intent[HASH_BYTES];
    struct progress p;
    struct answer_row r;

    if (!core_answers_of(l->n->core, slot, intent, &p))
        return;
    for (uint64_t k = 1; k <= p.n_answers; k++) {
        bool open, released;
        if (ledger_answer(ledger, slot, intent, k, &r) != ERR_OK ||
            (!answer_is_exception(r.answer) && r.answer != ANSWER_DEVIATING))
            continue;
        open = is_open(l->n, slot, &r, &released);
        l->open += open;
        if (l->seen++ < l->after)
            continue;
        if (json_array_size(l->list) < PAGE)
            json_array_append_new(l->list, one_json(l->n, slot, &r, open, released));
        else
            l->more++;
    }
    sodium_memzero(&r, sizeof r);
}

void exceptions_list(struct node *n, struct http_request *rq)
{
    uint64_t slot = query_number(rq->query, "slot", 0);
    uint64_t decided = ledger_decided(core_ledger(n->core));
    struct listing l = { .n = n,
                         .after = query_number(rq->query, "after", 0),
                         .list = json_array() };
    struct errmsg msg = { .text = "" };
    bool known = core_asides_known(n->core);

    if (slot > decided) {
        json_decref(l.list);
        api_error(n, rq,
                  err_why(&msg, ERR_MISSING, "no_upload", "slot",
                          "there is no upload %llu: see \"tideover upload status\"",
                          (unsigned long long)slot),
                  &msg);
        return;
    }
    for (uint64_t s = slot ? slot : 1; s <= (slot ? slot : decided); s++) {
        known = known && !ledger_lacks_answers(core_ledger(n->core), s);
        list_slot(&l, s);
        list_not_loaded(&l, s);
    }
    api_json(rq, 200,
             json_pack("{s:i, s:b, s:I, s:I, s:I, s:o}", "schema", 1, "known", known, "total",
                       (json_int_t)l.seen, "open", (json_int_t)l.open, "more", (json_int_t)l.more,
                       "exceptions", l.list));
}

/* How many of each answer an upload got: {"refused": 3}; none told: empty. */
json_t *exceptions_counts(const struct node *n, uint64_t slot)
{
    uint64_t counts[ANSWER_LAST + 1] = { 0 };
    uint8_t intent[HASH_BYTES];
    struct progress p;
    struct answer_row r;
    json_t *o = json_object();

    if (core_answers_of(n->core, slot, intent, &p))
        for (uint64_t k = 1; k <= p.n_answers; k++)
            if (ledger_answer(core_ledger(n->core), slot, intent, k, &r) == ERR_OK)
                counts[r.answer]++;
    sodium_memzero(&r, sizeof r);
    for (unsigned a = ANSWER_DEVIATING; a <= ANSWER_LAST; a++)
        if (counts[a] > 0)
            json_object_set_new(o, answer_name((enum answer)a),
                                json_integer((json_int_t)counts[a]));
    return o;
}
