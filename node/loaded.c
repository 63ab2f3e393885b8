/* loaded.c - a lead says what the library's system reported of loading an upload's file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "day.h"
#include "query.h"
#include "record_json.h"
#include "word_int.h"

/* ---- what is confirmed ---- */

/* When the system's nightly report has run after that moment, by [upload] load_at; 0: not said. The
 * hour of a clock change is not worth a rule. */
static int64_t expected_ms(const struct policy *p, int64_t at_ms)
{
    char local[36];
    int h, m, s, want;

    if (!p || p->load_at[0] == '\0')
        return 0;
    rfc3339_at(&p->zone, at_ms, local);
    if (sscanf(local + 11, "%2d:%2d:%2d", &h, &m, &s) != 3)
        return 0;
    want = (atoi(p->load_at) * 60 + atoi(p->load_at + 3)) * 60;
    return at_ms + 1000 * (int64_t)((want - (h * 3600 + m * 60 + s) + 86400) % 86400);
}

static json_t *time_or_null(const struct policy *p, int64_t ms)
{
    char at[36];

    if (ms == 0)
        return json_null();
    rfc3339_at(p ? &p->zone : NULL, ms, at);
    return json_string(at);
}

json_t *loaded_json(const struct node *n, uint64_t slot)
{
    const struct policy *p = roster_policy(core_roster(n->core));
    struct loaded_view v;
    struct past_view past;
    int64_t expected = 0, at_ms = 0;
    char lead[64] = "";

    if (!core_loaded(n->core, slot, &v))
        return json_null();
    for (unsigned i = 0; i < core_past(n->core); i++) {
        core_past_view(n->core, i, &past);
        if (past.slot == slot)
            expected = expected_ms(p, at_ms = past.at_ms);
    }
    if (v.at_ms > 0)
        key_words(v.lead, lead);
    return json_pack("{s:I, s:o, s:I, s:I, s:I, s:I, s:b, s:b, s:o, s:o, s:s, s:b}", "slot",
                     (json_int_t)slot, "at", time_or_null(p, at_ms), "lines", (json_int_t)v.lines,
                     "named", (json_int_t)v.named, "refused", (json_int_t)v.refused, "unconfirmed",
                     (json_int_t)(v.lines - (v.named < v.lines ? v.named : v.lines)), "settled",
                     v.settled, "told", v.answers, "said", time_or_null(p, v.at_ms), "expected",
                     time_or_null(p, expected), "lead", lead, "overdue",
                     !v.settled && expected > 0 && node_now().wall_ms > expected);
}

void loaded_get(struct node *n, struct http_request *rq)
{
    json_t *all = json_array();

    for (unsigned i = 0; i < core_past(n->core); i++) {
        struct past_view p;
        json_t *o;
        core_past_view(n->core, i, &p);
        if (!json_is_null(o = loaded_json(n, p.slot)))
            json_array_append_new(all, o);
    }
    api_json(rq, 200, json_pack("{s:i, s:o}", "schema", 1, "uploads", all));
}

void loaded_lines(struct node *n, struct http_request *rq)
{
    stream_lines(n, rq, query_number(rq->query, "slot", 0));
}

/* ---- what a lead says ---- */

static enum err add_ids(struct node *n, const json_t *ids, size_t from, struct word *w,
                        struct buf *refs, struct errmsg *msg)
{
    buf_reset(refs);
    w->n_refs = 0;
    for (size_t i = from; i < json_array_size(ids) && w->n_refs < WORD_REFS_MAX; i++) {
        const json_t *id = json_array_get(ids, i);
        struct word_ref r = { .id = { 0 } };
        enum err e = json_is_string(id) ? core_id_parse(n->core, json_string_value(id), &r.ref, msg)
                                        : err_set(msg, ERR_INVALID, "ids are texts");
        if (e == ERR_OK)
            e = core_sent_ref(n->core, w->slot, &r.ref, &r, msg);
        if (e == ERR_MISSING && w->kind == WORD_LOADED) /* what was loaded needs no more proof */
            e = ERR_OK;
        if (e != ERR_OK)
            return e;
        word_put_ref(refs, &r);
        w->n_refs++;
    }
    return ERR_OK;
}

/* In as many words as it takes. */
static enum err say_ids(struct node *n, struct lead_job *l, struct word *w, const json_t *ids)
{
    struct buf refs = { 0 };
    enum err e = ERR_OK;

    for (size_t i = 0; e == ERR_OK && i < json_array_size(ids); i += WORD_REFS_MAX)
        if ((e = add_ids(n, ids, i, w, &refs, &l->msg)) == ERR_OK)
            e = word_say(n, w, &refs, l->sk, &l->msg);
    buf_free(&refs);
    return e;
}

static enum err say_refused(struct node *n, struct lead_job *l, struct word *w)
{
    const json_t *list = json_object_get(l->body, "refused"), *o;
    enum err e = ERR_OK;
    size_t i;

    w->kind = WORD_NOT_LOADED;
    json_array_foreach(list, i, o)
    {
        const char *words = json_string_value(json_object_get(o, "words"));
        snprintf(w->text, sizeof w->text, "%s", words ? words : "");
        text_mend(w->text);
        text_hide_numbers(w->text);
        if (e == ERR_OK)
            e = say_ids(n, l, w, json_object_get(o, "ids"));
    }
    return e;
}

static enum err sign_loaded(struct node *n, struct lead_job *l, json_t **answer)
{
    bool all = json_is_true(json_object_get(l->body, "all"));
    struct word w = { .kind = WORD_LOADED, .slot = word_slot(l->body) };
    struct spoken s = { .bytes = { 0 } };
    struct loaded_view v;
    enum err e = spoken_of(n, w.slot, &s, &l->msg);

    memcpy(w.intent, s.hash, HASH_BYTES);
    if (e == ERR_OK && core_loaded(n->core, w.slot, &v) && v.answers)
        e = err_why(&l->msg, ERR_REFUSED, "told_already", "slot",
                    "of upload %llu the library's system told what became of each record: see "
                    "\"upload exceptions\"",
                    (unsigned long long)w.slot);
    if (e == ERR_OK) /* what was refused first: it is never all right in between */
        e = say_refused(n, l, &w);
    w.kind = WORD_LOADED;
    w.n_refs = 0;
    if (e == ERR_OK && all)
        e = word_say(n, &w, NULL, l->sk, &l->msg);
    else if (e == ERR_OK)
        e = say_ids(n, l, &w, json_object_get(l->body, "loaded"));
    if (e == ERR_OK) {
        *answer = loaded_json(n, w.slot);
        json_object_set_new(*answer, "schema", json_integer(1));
    }
    spoken_free(&s);
    return e;
}

void loaded_say(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_loaded);
}

/* ---- exceptions ---- */

static json_t *one_json(const struct node *n, uint64_t slot, const struct record_ref *ref,
                        const char *words, bool open, bool released)
{
    struct record *rec = calloc(1, sizeof *rec);
    const struct desk *d = roster_find(core_roster(n->core), &ref->feed.desk);
    char id[RECORD_ID_TEXT];
    json_t *o;

    core_id_text(n->core, ref, id);
    o = json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:b, s:b}", "id", id, "desk",
                  d ? d->name : "?", "slot", (json_int_t)slot, "answer", "not_loaded", "words",
                  words, "means", "the library's system did not load it", "next",
                  open ? aside_next_step(ASIDE_NOT_LOADED) : "", "open", open, "released",
                  released);
    if (rec && o && core_aside_record(n->core, ref, rec, NULL) == ERR_OK)
        record_to_json(rec, status_zone(n), o);
    free(rec);
    return o;
}

void loaded_list(const struct node *n, uint64_t slot, json_t *list, uint64_t *open)
{
    const struct said *said = core_said(n->core);
    struct word w;

    for (unsigned i = 0; i < said->n; i++) {
        struct word_walk walk;
        struct word_ref r;
        if (!core_loaded_says(n->core, i, slot, &w) || w.kind != WORD_NOT_LOADED)
            continue;
        for (walk = word_refs(&w); word_ref_next(&walk, &r);) {
            struct aside_view v;
            bool is_open =
                core_aside_of(n->core, &r.ref, &v) && v.slot == slot && v.what == ASIDE_NOT_LOADED;
            *open += is_open;
            json_array_append_new(
                list, one_json(n, slot, &r.ref, w.text, is_open, is_open && v.released));
        }
    }
}
