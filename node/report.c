/* report.c - what an upload would send (plan) and what one sent (report), counted and listed. */
#include <stdio.h>
#include <string.h>

#include "batch_int.h"
#include "day.h"
#include "decisions.h"
#include "losses.h"
#include "mem.h"
#include "plan_clocks.h"
#include "plan_desks.h"

/* A record that a lead sent again: how it goes now stands in the other lists, if it does not. */
static void list_released(struct batch_job *b, const struct merged *m)
{
    json_t *list = json_object_get(b->lists, "released");
    char id[RECORD_ID_TEXT];

    if (!list) {
        json_object_set_new(b->lists, "released", json_array());
        list = json_object_get(b->lists, "released");
    }
    if (json_array_size(list) >= 1000)
        return;
    merge_id_text(&b->merge.feeds[m->feed], m->seq, id);
    json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "id", id, "was",
                                          aside_name((enum aside_what)m->again->what), "in",
                                          (json_int_t)m->again->slot));
}

/* Its record was set aside by an earlier upload and is still not sent. */
static bool undoes_nothing(const struct batch_job *b, const struct merged *m)
{
    struct record_ref of = { b->merge.feeds[m->other_feed].feed, m->other_seq };

    return m->verdict == VERDICT_LATE_VOID && m->has_other && unsent_has(&b->unsent, &of);
}

/* A word that came too late changes nothing where the record went as the word has it. */
static void settle_late(struct batch_job *b, const struct merged *m, enum outcome o)
{
    struct record_ref ref = { b->merge.feeds[m->feed].feed, m->seq };

    for (unsigned i = 0; i < b->n_late; i++)
        if (ref_cmp(&b->late[i].ref, &ref) == 0 &&
            (b->late[i].what == WORD_VOID) != (o == OUTCOME_SENT))
            b->late[i].what = 0;
}

static void list_anomaly(void *ctx, const struct merged *m, enum outcome o, unsigned part,
                         uint64_t line, const uint8_t *bytes, size_t n, const char *why)
{
    struct batch_job *b = ctx;
    const char *name = o == OUTCOME_NOT_SENT ? verdict_name(m->verdict) : outcome_name(o);
    json_t *list, *entry;
    char id[RECORD_ID_TEXT];

    settle_late(b, m, o);
    if (undoes_nothing(b, m)) {
        name = "never_sent";
        b->never_sent++;
    }

    (void)part;
    (void)line;
    (void)bytes;
    (void)n;
    b->as_they_stand +=
        o == OUTCOME_SENT && !m->late && strcmp(m->rule, "lead") != 0 && batch_is_for_a_lead(m);
    if (m->again)
        list_released(b, m);
    if (o == OUTCOME_SENT || m->verdict == VERDICT_HELD || m->verdict == VERDICT_VOID)
        return;
    if ((list = json_object_get(b->lists, name)) == NULL) {
        json_object_set_new(b->lists, name, json_array());
        list = json_object_get(b->lists, name);
    }
    if (json_array_size(list) >= 1000)
        return; /* a report is for people; the manifest has them all */
    merge_id_text(&b->merge.feeds[m->feed], m->seq, id);
    entry = json_pack("{s:s, s:s}", "id", id, "rule", m->rule);
    if (m->has_other) {
        merge_id_text(&b->merge.feeds[m->other_feed], m->other_seq, id);
        json_object_set_new(entry, "of", json_string(id));
    }
    if (why[0])
        json_object_set_new(entry, "why", json_string(why));
    json_array_append_new(list, entry);
}

static void plan_run(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    struct export_out to = { .ctx = b, .record = list_anomaly };
    unsigned long refused = mem_refused();

    b->lists = json_object();
    batch_export(b, &to);
    batch_had_memory(b, refused);
}

static json_t *desks_of(const struct merge_job *m)
{
    json_t *all = json_object(), *out = json_array();
    const char *name;
    json_t *v;

    for (unsigned i = 0; i < m->n_feeds; i++) {
        const struct merge_feed *f = &m->feeds[i];
        json_int_t n = f->to >= f->from ? (json_int_t)(f->to - f->from + 1) : 0;
        json_t *old = json_object_get(all, f->desk);
        if (n > 0)
            json_object_set_new(all, f->desk, json_integer(n + json_integer_value(old)));
    }
    json_object_foreach(all, name, v) json_array_append_new(
        out, json_pack("{s:s, s:I}", "desk", name, "records", json_integer_value(v)));
    json_decref(all);
    return out;
}

static json_t *counts_json(const struct batch_job *b)
{
    const struct export_result *r = &b->result;
    json_t *o = json_object(), *send = json_object();
    json_int_t voids = (json_int_t)(r->verdicts[VERDICT_VOID] + r->verdicts[VERDICT_IDLE_VOID]);
    char at[36], words[LOSS_SENTENCE_MAX];

    for (unsigned k = RECORD_CHECKOUT; k <= RECORD_INHOUSE; k++)
        json_object_set_new(send, record_kind_name(k), json_integer((json_int_t)r->sent[k]));
    json_object_update_new(o, json_pack("{s:i, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I}", "schema",
                                        1, "slot", (json_int_t)b->merge.slot, "total",
                                        (json_int_t)r->records, "send", send, "send_total",
                                        (json_int_t)r->outcomes[OUTCOME_SENT], "held",
                                        (json_int_t)r->verdicts[VERDICT_HELD], "waits",
                                        (json_int_t)r->verdicts[VERDICT_WAITS], "duplicates",
                                        (json_int_t)r->verdicts[VERDICT_DUPLICATE], "voided",
                                        (json_int_t)r->verdicts[VERDICT_VOIDED]));
    json_object_update_new(
        o, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:s}", "voids", voids, "late_voids",
                     (json_int_t)(r->verdicts[VERDICT_LATE_VOID] - b->never_sent), "superseded",
                     (json_int_t)r->verdicts[VERDICT_SUPERSEDED], "review",
                     (json_int_t)r->verdicts[VERDICT_REVIEW], "uncarried",
                     (json_int_t)r->outcomes[OUTCOME_UNCARRIED], "unwritable",
                     (json_int_t)r->outcomes[OUTCOME_UNWRITABLE], "behind",
                     (json_int_t)r->outcomes[OUTCOME_BEHIND], "desks", desks_of(&b->merge),
                     "format", b->merge.policy.format));
    json_object_set_new(o, "losses", losses_json(&b->merge.policy, &b->result));
    if (format_unverified_words(&b->merge.policy, words))
        json_object_set_new(o, "unverified", json_string(words));
    json_object_set_new(o, "late", json_integer((json_int_t)r->late));
    json_object_set_new(o, "as_they_stand", json_integer((json_int_t)b->as_they_stand));
    json_object_set_new(o, "never_sent", json_integer((json_int_t)b->never_sent));
    json_object_set_new(o, "by_hand", json_integer((json_int_t)r->by_hand));
    json_object_set_new(o, "released", json_integer((json_int_t)r->released));
    json_object_set_new(o, "typed", json_integer((json_int_t)r->typed));
    json_object_set_new(o, "clocks", plan_clocks(&b->merge));
    if (r->first_ms > 0) {
        rfc3339_at(&b->merge.policy.zone, r->first_ms, at);
        json_object_set_new(o, "first", json_string(at));
        rfc3339_at(&b->merge.policy.zone, r->last_ms, at);
        json_object_set_new(o, "last", json_string(at));
    }
    return o;
}

static void plan_done(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    char words[LOSS_SENTENCE_MAX];
    json_t *o;

    if (b->err != ERR_OK) {
        batch_refuse(j->node, b, b->rq, &b->msg);
        return;
    }
    o = counts_json(b);
    if (format_age_words(&b->merge.policy, b->result.first_ms, node_now().wall_ms, words))
        json_object_set_new(o, "old", json_string(words));
    json_object_set(o, "lists", b->lists);
    if (b->n_late > 0)
        json_object_set_new(
            o, "late_decisions",
            decisions_late_json(j->node, &b->merge.policy.zone, b->late, b->n_late));
    json_object_update(o, b->more);
    api_json(b->rq, 200, o);
    batch_free(b);
}

static json_t *missing_desks(const struct node *n)
{
    struct moment now = node_now();
    json_t *all = json_array();

    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view v;
        const struct desk *d;
        core_peer_view(n->core, &now, i, &v);
        d = roster_find(core_roster(n->core), &v.id);
        if (v.state == PEER_REVOKED || (v.state == PEER_RETIRED && v.missing == 0) ||
            (v.state == PEER_ONLINE && v.missing == 0))
            continue;
        json_array_append_new(
            all,
            json_pack("{s:s, s:o, s:I}", "desk", d ? d->name : "?", "last_seen_s",
                      v.ever_heard ? json_integer((json_int_t)v.silent_ms / 1000) : json_null(),
                      "missing", (json_int_t)v.missing));
    }
    return all;
}

void report_plan(struct node *n, struct http_request *rq)
{
    struct errmsg msg = { .text = "" };
    struct batch_job *b = batch_new(n, NULL, &msg);
    struct moment now = node_now();
    struct core_view v;
    bool complete;
    json_t *desks;

    if (!b) {
        batch_refuse(n, NULL, rq, &msg);
        return;
    }
    b->rq = rq;
    core_view(n->core, &now, &v);
    desks = plan_desks(n, &b->merge, &complete);
    unsent_load(n, &b->unsent);
    b->more = json_pack("{s:o, s:o, s:b, s:o, s:s, s:s}", "missing", missing_desks(n), "desks",
                        desks, "complete", complete, "decisions", decisions_json(n, &b->merge),
                        "sink", b->merge.policy.sink, "server", watch_state_name(v.server));
    b->job.run = plan_run;
    b->job.done = plan_done;
    node_start_job(n, &b->job);
}

/* Of what it set aside; null: this desk is still counting. */
static json_t *still_open(const struct node *n, uint64_t slot)
{
    struct record_ref at = { .seq = 0 };
    struct aside_view v;
    json_int_t open = 0;

    if (!core_asides_known(n->core))
        return json_null();
    while (core_aside_next(n->core, &at, &v))
        open += v.slot == slot;
    return json_integer(open);
}

static json_t *receipt_json(const struct node *n, const struct receipt *r, const struct intent *in,
                            const struct zone *zone)
{
    const struct roster *ros = core_roster(n->core);
    const struct desk *d = roster_find(ros, &r->desk);
    json_t *by = json_array(), *parts = json_array();
    char at[36], sha[65] = "";
    json_t *o;

    for (unsigned i = 0; i < r->n_accepted; i++) {
        const struct desk *seat = roster_find(ros, &r->accepted[i].desk);
        json_array_append_new(by, json_string(seat ? seat->name : "?"));
    }
    for (unsigned i = 0; i < in->n_parts; i++) {
        hex_encode(in->parts[i].sha256, 32, sha);
        json_array_append_new(parts, json_pack("{s:s, s:I, s:I, s:s}", "part", in->parts[i].suffix,
                                               "lines", (json_int_t)in->parts[i].lines, "bytes",
                                               (json_int_t)in->parts[i].bytes, "sha256", sha));
    }
    rfc3339_at(zone, r->at_ms, at);
    o = json_pack("{s:o, s:s, s:s, s:s, s:o, s:o, s:s, s:I, s:s, s:o, s:o}", "answers",
                  exceptions_counts(n, in->slot), "desk", d ? d->name : "?", "file", r->evidence,
                  "sha256", sha, "accepted_by", by, "parts", parts, "at", at, "term",
                  (json_int_t)r->term, "sink", in->sink, "confirmed",
                  word_confirmed_json(n, r, in->slot), "open", still_open(n, in->slot));
    json_object_set_new(o, "settled", settled_json(n, r, in));
    return o;
}

/* What the receipt says outlives the records. */
static json_t *erased_json(const struct node *n, const struct receipt *r, const struct intent *in)
{
    const struct policy *p = roster_policy_by_hash(core_roster(n->core), in->policy);
    json_t *o = receipt_json(n, r, in, p ? &p->zone : NULL);
    json_int_t lines = 0;

    for (unsigned i = 0; i < in->n_parts; i++)
        lines += (json_int_t)in->parts[i].lines;
    json_object_update_new(o, json_pack("{s:i, s:I, s:b, s:I, s:I, s:I, s:{}}", "schema", 1, "slot",
                                        (json_int_t)in->slot, "erased", 1, "total",
                                        (json_int_t)in->records, "send_total", lines, "released",
                                        (json_int_t)in->n_released, "lists"));
    return o;
}

void report_slot(struct node *n, struct http_request *rq, uint64_t slot)
{
    struct errmsg msg = { .text = "" };
    struct buf bytes = { 0 };
    struct receipt r;
    struct intent in = { 0 };
    struct batch_job *b = NULL;
    json_t *erased = NULL;
    enum err e = ERR_MISSING;
    uint64_t s = slot ? slot : ledger_decided(core_ledger(n->core));

    for (; s > 0; s--) { /* the newest upload, or just the slot asked for */
        intent_free(&in);
        if ((e = ledger_receipt(core_ledger(n->core), s, &bytes)) != ERR_OK ||
            (e = receipt_decode(bytes.p, bytes.len, &r, &msg)) != ERR_OK ||
            (e = intent_decode(r.intent, r.intent_len, &in, &msg)) != ERR_OK)
            break;
        e = in.type == SLOT_UPLOAD ? ERR_OK : ERR_MISSING;
        if (e == ERR_OK || slot)
            break;
    }
    if (e == ERR_MISSING && slot > 0) {
        err_why(&msg, e, "no_upload", "slot",
                "there is no upload %llu: see \"tideover upload status\"",
                (unsigned long long)slot);
    } else if (s == 0 || e == ERR_MISSING) {
        e = err_why(&msg, ERR_MISSING, "no_upload", "", "nothing has been uploaded yet");
    } else if (e == ERR_OK && (b = batch_new(n, &in, &msg)) != NULL) {
        b->rq = rq;
        b->more = receipt_json(n, &r, &in, &b->merge.policy.zone);
        json_object_set_new(b->more, "loaded", loaded_json(n, in.slot));
        json_object_set_new(b->more, "decisions", decisions_json(n, &b->merge));
        unsent_load(n, &b->unsent);
        e = b->err = core_late_rulings(n->core, &in, &b->late, &b->n_late, &msg);
        b->job.run = plan_run;
        b->job.done = plan_done;
    }
    if (e == ERR_OK && !b && strcmp(msg.why, "erased") == 0)
        erased = erased_json(n, &r, &in);
    intent_free(&in);
    buf_free(&bytes);
    if (b && e == ERR_OK)
        node_start_job(n, &b->job);
    else if (b)
        batch_refuse(n, b, rq, &msg);
    else if (erased)
        api_json(rq, 200, erased);
    else
        api_error(n, rq, e == ERR_OK ? ERR_BUSY : e, &msg);
}
