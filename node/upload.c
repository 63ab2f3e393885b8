/* upload.c - the upload's two jobs: computing the payload's digests, and handing the payload over,
 * as often as the ledger says, item by item or whole. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "credential.h"
#include "payload_int.h"

/* ---- EFFECT_BUILD: the payload's digests ---- */

static void build_run(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    struct export_out nowhere = { .aside = &b->aside };

    batch_export(b, &nowhere);
}

static void build_done(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    struct node *n = j->node;
    struct moment now = node_now();
    struct slot_aside aside = { .n = b->aside.n };

    asides_hash(&b->aside, aside.hash);
    if (!n->stopped)
        core_built(n->core, &now, b->number, b->result.parts, b->result.n_parts, &aside,
                   b->err == ERR_OK ? NULL : b->msg.text);
    if (n->upload_job == j)
        n->upload_job = NULL;
    batch_free(b);
}

static void could_not_begin(struct node *n, uint64_t number, bool build, const struct errmsg *msg)
{
    n->unbegun.number = number;
    n->unbegun.build = build;
    snprintf(n->unbegun.why, sizeof n->unbegun.why, "%s", msg->text);
}

void upload_say_unbegun(struct node *n)
{
    struct moment now = node_now();

    if (n->unbegun.number == 0 || n->stopped)
        return;
    if (n->unbegun.build)
        core_built(n->core, &now, n->unbegun.number, NULL, 0, &(struct slot_aside){ 0 },
                   n->unbegun.why);
    else
        core_delivered(n->core, &now, n->unbegun.number, DELIVERY_RETRY, n->unbegun.why, NULL);
    n->unbegun.number = 0;
}

void upload_build(struct node *n, uint64_t number, const struct buf *draft)
{
    struct errmsg msg = { .text = "" };
    struct intent in;
    struct batch_job *b = NULL;

    if (intent_decode(draft->p, draft->len, &in, &msg) == ERR_OK) {
        b = batch_new(n, &in, &msg);
        intent_free(&in);
    }
    if (!b) {
        could_not_begin(n, number, true, &msg);
        return;
    }
    b->number = number;
    b->job.run = build_run;
    b->job.done = build_done;
    n->upload_job = &b->job;
    node_start_job(n, &b->job);
}

/* ---- EFFECT_DELIVER and EFFECT_LOOK: the payload itself ---- */

struct deliver_job {
    struct job job; /* first: a job is one */
    struct payload *payload;
    uint64_t number, item; /* item: the one that is meant, from 1; 0: all */
    bool look;             /* only ask whether it is there */
    char writer[64];       /* of files that are being written: desk, start, attempt */
    char key[SINK_KEY_MAX];
    struct told told;
    struct answer_row *earlier; /* of the upload, that may hold lines back; owned */
    unsigned n_earlier;
    enum delivery delivery;
    char words[256];
};

static bool may_send(void *ctx)
{
    const struct deliver_job *d = ctx;
    struct node *n = d->job.node;
    struct moment now = node_now();
    bool may;

    pthread_mutex_lock(&n->lock);
    may = d->number == n->sending && now.boot_ms < n->sending_until_ms;
    pthread_mutex_unlock(&n->lock);
    return may;
}

static enum err line(void *ctx, uint64_t k, struct sink_line *out)
{
    struct deliver_job *d = ctx;
    struct payload_line l;
    enum err e = payload_line(d->payload, k, &l);

    memset(out, 0, sizeof *out);
    if (e != ERR_OK || (e = payload_bytes(d->payload, &l, &out->bytes)) != ERR_OK)
        return e;
    out->part = payload_part(d->payload, l.file);
    out->n = l.n;
    out->ref = l.ref;
    out->kind = l.kind;
    return ERR_OK;
}

static void answer(void *ctx, uint64_t k, enum answer a, const char *words)
{
    struct deliver_job *d = ctx;
    struct answer_row r = { .line = k, .answer = a };
    struct payload_line l;

    if (a == ANSWER_ACCEPTED || payload_line(d->payload, k, &l) != ERR_OK)
        return;
    r.ref = l.ref;
    r.kind = l.kind;
    snprintf(r.words, sizeof r.words, "%s", words);
    told_add(&d->told, &r);
    holds_tell(d->payload->holds, l.kind, l.item, l.user, a);
}

static bool behind(void *ctx, uint64_t k)
{
    const struct deliver_job *d = ctx;
    struct payload_line l;

    return payload_line(d->payload, k, &l) != ERR_OK ||
           holds_line(d->payload->holds, l.item, l.user);
}

static enum err secret(void *ctx, const char *kind, char out[CREDENTIAL_LINE_MAX + 1],
                       struct errmsg *msg)
{
    const struct deliver_job *d = ctx;
    const struct policy *p = &d->payload->batch->merge.policy;

    return credential_read(d->job.node->dir, p->access.credential, kind, out, msg);
}

static void hand_over(struct deliver_job *d)
{
    struct payload *p = d->payload;
    bool whole = d->item == 0 || sink_answers(p->sink); /* else its items are its files */
    struct sink_batch b = { .writer = d->writer,
                            .n_files = whole ? p->batch->result.n_parts : 1,
                            .files = p->out + (whole ? 0 : d->item - 1),
                            .policy = &p->batch->merge.policy,
                            .name = p->name,
                            .item = d->item,
                            .n_lines = payload_lines(p),
                            .line = line,
                            .answer = answer,
                            .behind = behind,
                            .home = d->job.node->dir,
                            .secret = secret,
                            .session = &p->session,
                            .may_send = may_send,
                            .ctx = d };

    if (p->batch->result.n_parts == 0) { /* all was voided, held or doubled */
        d->delivery = DELIVERY_DONE;
        snprintf(d->words, sizeof d->words, "nothing to hand over");
        return;
    }
    memcpy(b.key, d->key, sizeof b.key);
    d->delivery = d->look ? sink_look(p->sink, &b, d->words) : sink_deliver(p->sink, &b, d->words);
    if (d->look && d->delivery == DELIVERY_UNPROVEN && sink_class_of(p->sink) == SINK_F1) {
        told_free(&d->told);
        answer(d, d->item, ANSWER_DOUBT, d->words); /* the ledger never sends it again */
    }
    if ((d->delivery == DELIVERY_DONE || d->delivery == DELIVERY_RETRY) &&
        memcmp(b.key, d->key, sizeof b.key) != 0)
        snprintf(d->told.key, sizeof d->told.key, "%s", b.key);
}

/* What was answered before, here or at an uploader that is dead. */
static void hold_back(struct deliver_job *d)
{
    struct payload_line l;

    for (unsigned i = 0; i < d->n_earlier; i++)
        if (payload_line(d->payload, d->earlier[i].line, &l) == ERR_OK)
            holds_tell(d->payload->holds, l.kind, l.item, l.user, d->earlier[i].answer);
}

static void deliver_run(struct job *j)
{
    struct deliver_job *d = (struct deliver_job *)j;
    struct errmsg msg = { .text = "" };
    enum err e = d->payload->built ? ERR_OK : payload_build(d->payload, &msg);

    if (e == ERR_OK) {
        hold_back(d);
        hand_over(d);
        return;
    }
    d->delivery = e == ERR_BUG ? DELIVERY_STOP : DELIVERY_RETRY;
    snprintf(d->words, sizeof d->words, "%s", msg.text);
}

/* ---- the payload's end: a connection may take its time to close, and a gigabyte to be removed ---- */

struct end_job {
    struct job job; /* first */
    struct payload *payload;
};

static void end_run(struct job *j)
{
    const struct end_job *e = (struct end_job *)j;

    sink_end(e->payload->sink, e->payload->session);
    payload_remove(e->payload);
}

static void end_done(struct job *j)
{
    struct end_job *e = (struct end_job *)j;

    payload_free(e->payload);
    free(e);
}

static void retire(struct node *n, struct payload *p)
{
    struct end_job *e = calloc(1, sizeof *e);

    if (!e) {
        sink_end(p->sink, p->session);
        payload_free(p);
        return;
    }
    payload_close(p);
    e->payload = p;
    e->job.run = end_run;
    e->job.done = end_done;
    e->job.apart = true;
    node_start_job(n, &e->job);
}

/* One that a job still uses is retired when that job is done. */
void upload_end(struct node *n)
{
    struct payload *p = n->payload;

    n->payload = NULL;
    if (p && !p->busy)
        retire(n, p);
}

void upload_watch(struct node *n, const struct ledger_view *v)
{
    if (n->payload && !n->payload->busy && (!v->is_uploader || v->slot != n->payload->slot))
        upload_end(n);
}

static bool is_whole(const struct payload *p)
{
    return !sink_has_steps(sink_class_of(p->sink));
}

static void deliver_done(struct job *j)
{
    struct deliver_job *d = (struct deliver_job *)j;
    struct node *n = j->node;
    struct moment now = node_now();

    d->payload->busy = false;
    d->payload->stale = d->told.n > 0 && d->delivery != DELIVERY_DONE;
    if (n->payload == d->payload &&
        (!d->payload->built || (d->delivery != DELIVERY_DONE && is_whole(d->payload))))
        n->payload = NULL; /* built anew at the next try: no plain text lies here meanwhile */
    if (n->payload != d->payload)
        retire(n, d->payload);
    if (!n->stopped)
        core_delivered(n->core, &now, d->number, d->delivery, d->words, &d->told);
    n->upload_job = NULL;
    told_free(&d->told);
    free(d->earlier);
    free(d);
}

/* A dead uploader and its successor may be writing at one time: never to one name. */
static void name_writer(const struct node *n, uint64_t number, char out[64])
{
    struct core_view v;
    struct moment now = node_now();
    char hex[17];

    core_view(n->core, &now, &v);
    hex_encode(n->me.id.b, 8, hex);
    snprintf(out, 64, "%s-%llu-%llu", hex, (unsigned long long)v.start, (unsigned long long)number);
}

/* The one that is here, if it is of this intent and no lost delivery still uses it. */
static struct payload *payload_for(struct node *n, const struct buf *intent, struct errmsg *msg)
{
    uint8_t hash[HASH_BYTES];
    struct intent in;

    intent_hash(intent->p, intent->len, hash);
    if (n->payload && !n->payload->busy && memcmp(n->payload->intent, hash, HASH_BYTES) == 0)
        return n->payload;
    upload_end(n);
    if (intent_decode(intent->p, intent->len, &in, msg) != ERR_OK)
        return NULL;
    n->payload = payload_new(n, &in, hash, msg);
    intent_free(&in);
    return n->payload;
}

/* The answers that the payload's holds have not seen yet. */
static bool gather_earlier(struct node *n, struct deliver_job *d, const struct ledger_view *v)
{
    struct payload *p = d->payload;
    struct answer_row row;

    if (p->stale) { /* they saw answers that do not count */
        struct holds *fresh = holds_new();
        if (!fresh)
            return false;
        holds_free(p->holds);
        p->holds = fresh;
        p->seen = 0;
        p->stale = false;
    }
    for (; p->seen < v->answers; p->seen++) {
        struct answer_row *grown;
        if (ledger_answer(core_ledger(n->core), p->slot, p->intent, p->seen + 1, &row) != ERR_OK)
            return false;
        if (!answer_holds(row.kind, row.answer))
            continue;
        if ((grown = realloc(d->earlier, (d->n_earlier + 1) * sizeof *grown)) == NULL)
            return false;
        d->earlier = grown;
        d->earlier[d->n_earlier++] = row;
    }
    return true;
}

void upload_deliver(struct node *n, uint64_t number, uint64_t item, bool look,
                    const struct buf *intent)
{
    struct errmsg msg = { .text = "" };
    struct payload *p = payload_for(n, intent, &msg);
    struct deliver_job *d = p ? calloc(1, sizeof *d) : NULL;
    struct moment now = node_now();
    struct ledger_view v;

    if (!d) {
        could_not_begin(n, number, false, &msg);
        return;
    }
    core_ledger_view(n->core, &now, &v);
    memcpy(d->key, v.key, sizeof d->key);
    d->payload = p;
    if (!gather_earlier(n, d, &v)) {
        err_set(&msg, ERR_DISK, "the answers so far cannot be read");
        could_not_begin(n, number, false, &msg);
        p->stale = true;
        free(d->earlier);
        free(d);
        return;
    }
    p->busy = true;
    d->number = number;
    d->item = item;
    d->look = look;
    name_writer(n, number, d->writer);
    d->job.run = deliver_run;
    d->job.done = deliver_done;
    d->job.apart = p->built;
    atomic_store(&d->job.progress, item);
    atomic_store(&d->job.total, p->built && item > 0 ? payload_lines(p) : 0);
    n->upload_job = p->built ? &d->job : &p->batch->job;
    node_start_job(n, &d->job);
}

/* A manifest names an upload's records, with digests of lines that somebody could guess at. */
void upload_forget(const struct node *n, uint64_t back_to)
{
    char dir[4096], path[4096 + 300];
    const struct dirent *e;
    DIR *d;

    snprintf(dir, sizeof dir, "%s/uploads", n->dir);
    if ((d = opendir(dir)) == NULL)
        return;
    while ((e = readdir(d)) != NULL) {
        if (strncmp(e->d_name, "slot-", 5) != 0 || strtoull(e->d_name + 5, NULL, 10) >= back_to)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        unlink(path);
    }
    closedir(d);
}
