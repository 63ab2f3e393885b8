/* erase.c - the shell's part of erasing: the list of what an upload set aside, computed on a
 * thread; and, once blocks were erased, the keys under which they stood. */
#include <string.h>

#include <sodium.h>

#include "batch_int.h"
#include "keys.h"

#define STEP_BYTES (256u << 10) /* sealed anew in one round of the loop */

/* ---- EFFECT_ASIDE ---- */

static void aside_run(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    struct export_out to = { .aside = &b->aside };

    batch_export(b, &to);
}

static void aside_done(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    struct node *n = j->node;
    struct moment now = node_now();

    if (!n->stopped && b->err != ERR_BUSY) /* given up: asked again */
        core_asides(n->core, &now, b->slot, &b->aside, b->err == ERR_OK ? NULL : b->msg.text);
    batch_free(b);
}

void erase_aside(struct node *n, uint64_t slot)
{
    struct errmsg msg = { .text = "" };
    struct buf bytes = { 0 };
    struct receipt r;
    struct intent in;
    struct batch_job *b = NULL;

    if (ledger_receipt(core_ledger(n->core), slot, &bytes) == ERR_OK &&
        receipt_decode(bytes.p, bytes.len, &r, &msg) == ERR_OK &&
        intent_decode(r.intent, r.intent_len, &in, &msg) == ERR_OK) {
        b = batch_new(n, &in, &msg);
        intent_free(&in);
    }
    buf_free(&bytes);
    if (!b)
        return; /* asked again; the core knows when it cannot be */
    b->slot = slot;
    b->job.run = aside_run;
    b->job.done = aside_done;
    node_start_job(n, &b->job);
}

/* ---- EFFECT_FORGET ---- */

void erase_forget(struct node *n, uint64_t number)
{
    if (n->forget.state == FORGET_IDLE)
        n->forget.state = FORGET_BEGIN;
    n->forget.number = number;
}

enum err erase_desk_key(struct node *n, struct errmsg *msg)
{
    const uint8_t *key = store_desk_key(n->store);

    if (sodium_memcmp(key, n->me.store_key, STORE_KEY_BYTES) == 0)
        return ERR_OK;
    memcpy(n->me.store_key, key, STORE_KEY_BYTES);
    return keys_replace_store_key(n->dir, key, msg);
}

static void give_up(struct node *n, const struct errmsg *msg)
{
    node_log(n, 1, "erasing is tried again later: %s", msg->text);
    n->forget.state = FORGET_IDLE;
}

/* One step each round, between two batches: the caller commits what it put. */
void erase_round(struct node *n)
{
    struct errmsg msg = { .text = "" };
    bool done = false;
    enum err e;

    switch (n->forget.state) {
    case FORGET_IDLE:
        return;
    case FORGET_BEGIN:
        n->forget.covers = n->forget.number; /* what is erased from here on may come too late */
        if (store_forget_begin(n->store, &msg) != ERR_OK)
            give_up(n, &msg);
        else
            n->forget.state = FORGET_STEP;
        return;
    case FORGET_STEP:
        if (store_forget_step(n->store, STEP_BYTES, &done, &msg) != ERR_OK)
            give_up(n, &msg);
        else if (done)
            n->forget.state = FORGET_END;
        return;
    case FORGET_END:
        e = store_forget_end(n->store, &msg);
        if (e == ERR_OK)
            e = erase_desk_key(n, &msg);
        if (e == ERR_BUSY) {
            n->forget.state = FORGET_STEP;
        } else if (e != ERR_OK) {
            give_up(n, &msg);
        } else {
            struct moment now = node_now();
            struct core_view v;
            core_view(n->core, &now, &v);
            upload_forget(n, v.back_to);
            n->forget.state = FORGET_IDLE;
            core_forgotten(n->core, n->forget.covers);
        }
        return;
    }
}
