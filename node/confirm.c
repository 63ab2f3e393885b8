/* confirm.c - a second voice says that an upload arrived: a lead, or another desk than the sender
 * that looks for itself. The look reads whole files over a network, so it is a job. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "credential.h"
#include "export.h"
#include "sink.h"
#include "word_int.h"

static enum err confirm(struct node *n, const struct spoken *s, const uint8_t sk[SIGN_SK_BYTES],
                        json_t **answer, struct errmsg *msg)
{
    struct word w = { .kind = WORD_CONFIRM, .slot = s->in.slot };
    enum err e;

    memcpy(w.intent, s->hash, HASH_BYTES);
    if ((e = word_say(n, &w, NULL, sk, msg)) == ERR_OK)
        *answer = json_pack("{s:i, s:I, s:b}", "schema", 1, "slot", (json_int_t)s->in.slot,
                            "confirmed", 1);
    return e;
}

static enum err sign_confirm(struct node *n, struct lead_job *l, json_t **answer)
{
    struct spoken s = { .bytes = { 0 } };
    enum err e = spoken_of(n, word_slot(l->body), &s, &l->msg);

    if (e == ERR_OK)
        e = confirm(n, &s, l->sk, answer, &l->msg);
    spoken_free(&s);
    return e;
}

/* ---- a desk's own look ---- */

struct look_job {
    struct job job; /* first: a job is one */
    struct http_request *rq;
    struct spoken s;
    struct policy policy; /* how to come to the sink */
    char home[4000];
    struct sink_file files[SLOT_PARTS_MAX];
    enum err err;
    struct errmsg msg;
};

static enum err secret(void *ctx, const char *kind, char out[CREDENTIAL_LINE_MAX + 1],
                       struct errmsg *msg)
{
    const struct look_job *j = ctx;

    return credential_read(j->home, j->policy.access.credential, kind, out, msg);
}

/* What the files are called, the intent says: not the desk that sent, which may say anything. */
static void name_files(struct look_job *j, const char *code, const struct policy *sent)
{
    for (unsigned i = 0; i < j->s.in.n_parts; i++) {
        struct sink_file *f = &j->files[i];

        f->part = j->s.in.parts[i];
        export_part_name(sent, code, j->s.in.epoch.number, j->s.in.slot, &f->part, f->name);
    }
}

static enum err say_there(enum put_there there, const char *name, const char *words,
                          struct errmsg *msg)
{
    switch (there) {
    case THERE_EQUAL:
        break;
    case THERE_OTHER:
        return err_why(msg, ERR_REFUSED, "other_bytes", "",
                       "%.150s is not what the branch agreed to send: do not load it, and look why",
                       name);
    case THERE_NOT:
        return err_why(msg, ERR_MISSING, "not_there", "",
                       "this desk does not find %.150s: look on a desk that sees that folder, or "
                       "let a lead confirm it",
                       name);
    case THERE_UNREADABLE:
        return err_why(msg, ERR_REFUSED, "cannot_look", "",
                       "this desk cannot look whether it is there: a lead confirms it");
    case THERE_UNKNOWN:
        return err_why(msg, ERR_OFFLINE, "no_answer", "", "%s",
                       *words ? words : "the sink does not answer: try again later");
    }
    return ERR_OK;
}

static void look_run(struct job *job)
{
    struct look_job *j = (struct look_job *)job;
    struct sink_batch b = { .policy = &j->policy,
                            .home = j->home,
                            .n_files = j->s.in.n_parts,
                            .files = j->files,
                            .secret = secret,
                            .ctx = j };

    for (unsigned i = 0; i < b.n_files && j->err == ERR_OK; i++) {
        char words[256] = "";
        enum put_there there = sink_check(j->s.in.sink, &b, i, words);
        j->err = say_there(there, j->files[i].name, words, &j->msg);
    }
}

static void look_free(struct look_job *j)
{
    spoken_free(&j->s);
    free(j);
}

static void look_done(struct job *job)
{
    struct look_job *j = (struct look_job *)job;
    struct node *n = job->node;
    json_t *answer = NULL;

    if (j->err == ERR_OK && n->stopped)
        j->err = err_set(&j->msg, ERR_DISK, "STOP: this PC cannot save (%.120s)", n->stop_reason);
    if (j->err == ERR_OK)
        j->err = confirm(n, &j->s, n->me.sign_sk, &answer, &j->msg);
    if (j->err == ERR_OK)
        api_json_later(n, j->rq, answer);
    else
        api_error(n, j->rq, j->err, &j->msg);
    look_free(j);
}

/* ERR_EXISTS: another voice than the sender's confirmed it already. */
static enum err may_look(struct node *n, uint64_t slot, struct look_job *j, struct errmsg *msg)
{
    const struct roster *r = core_roster(n->core);
    const struct policy *p = roster_policy(r), *sent;
    enum err e = spoken_of(n, slot, &j->s, msg);

    if (e != ERR_OK)
        return e;
    if (desk_id_eq(&j->s.r.desk, &n->me.id))
        return err_why(msg, ERR_REFUSED, "own_upload", "slot",
                       "this desk sent upload %llu itself: a second voice is needed, from another "
                       "desk or a lead",
                       (unsigned long long)slot);
    if (said_confirmed(core_said(n->core), slot, j->s.hash, &j->s.r.desk, NULL) != 0)
        return ERR_EXISTS;
    if (j->s.in.n_parts == 0)
        return err_why(msg, ERR_REFUSED, "nothing_there", "slot",
                       "nothing of this upload was handed over: a lead confirms it");
    sent = roster_policy_by_hash(r, j->s.in.policy);
    if (!p || !sent || !sink_can_check(j->s.in.sink))
        return err_why(msg, ERR_REFUSED, "cannot_look", "",
                       "this desk cannot look into %.100s: a lead confirms it", j->s.in.sink);
    name_files(j, roster_code(r), sent);
    /* A password that was renewed since counts, but another server's is not this one's business. */
    j->policy = strcmp(p->sink, j->s.in.sink) == 0 ? *p : *sent;
    snprintf(j->home, sizeof j->home, "%s", n->dir);
    return ERR_OK;
}

static void look_start(struct node *n, struct http_request *rq, uint64_t slot)
{
    struct look_job *j = calloc(1, sizeof *j);
    struct errmsg msg = { .text = "" };
    enum err e = j ? may_look(n, slot, j, &msg) : ERR_NOMEM;

    if (e == ERR_OK) {
        j->rq = rq;
        j->job.run = look_run;
        j->job.done = look_done;
        node_start_job(n, &j->job);
        return;
    }
    if (e == ERR_EXISTS)
        api_json_later(
            n, rq,
            json_pack("{s:i, s:I, s:b}", "schema", 1, "slot", (json_int_t)slot, "confirmed", 1));
    else
        api_error(n, rq, e, &msg);
    if (j)
        look_free(j);
}

void word_confirm(struct node *n, struct http_request *rq, json_t *body)
{
    if (!json_is_true(json_object_get(body, "check"))) {
        lead_start(n, rq, body, sign_confirm);
        return;
    }
    look_start(n, rq, word_slot(body));
    json_decref(body);
}
