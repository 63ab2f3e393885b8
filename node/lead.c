/* lead.c - what a lead signs: revocations, the policy, the upload's trigger (invites: invite.c).
 *
 * The key is opened by the passphrase of the request, on a thread of its own (Argon2id takes a
 * second), used for one signature on the loop's thread, and wiped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "keys.h"
#include "lead_int.h"

static void lead_run(struct job *j)
{
    struct lead_job *l = (struct lead_job *)j;

    l->err = keys_unlock_lead(j->node->dir, l->passphrase, l->sk, &l->msg);
    sodium_memzero(l->passphrase, sizeof l->passphrase);
}

static void lead_done(struct job *j)
{
    struct lead_job *l = (struct lead_job *)j;
    struct node *n = j->node;
    json_t *answer = NULL;

    n->unlocking = false;
    if (l->err == ERR_OK && n->stopped)
        l->err = err_set(&l->msg, ERR_DISK, "STOP: this PC cannot save (%.120s)", n->stop_reason);
    if (l->err == ERR_OK) {
        uint8_t pk[KEY_BYTES];
        crypto_sign_ed25519_sk_to_pk(pk, l->sk);
        if (!roster_is_lead(core_roster(n->core), pk))
            l->err = err_why(&l->msg, ERR_DENIED, "lead_dropped", "",
                             "this lead key was withdrawn: get the new one from the branch's root "
                             "key");
    }
    if (l->err == ERR_OK)
        l->err = l->sign(n, l, &answer);
    sodium_memzero(l->sk, sizeof l->sk);
    if (l->err != ERR_OK) {
        api_error(n, l->rq, l->err, &l->msg);
    } else {
        api_json_later(n, l->rq, json_incref(answer));
    }
    json_decref(answer);
    json_decref(l->body);
    free(l);
}

void lead_start(struct node *n, struct http_request *rq, json_t *body,
                enum err (*sign)(struct node *n, struct lead_job *l, json_t **answer))
{
    const char *pass = json_string_value(json_object_get(body, "passphrase"));
    struct lead_job *l = calloc(1, sizeof *l);
    struct errmsg msg = { .text = "" };

    if (n->unlocking) {
        err_why(&msg, ERR_BUSY, "unlocking", "",
                "another request is opening the lead key: try again "
                "in a second");
        api_error(n, rq, ERR_BUSY, &msg);
        free(l);
        json_decref(body);
        return;
    }
    if (!l || !pass || strlen(pass) >= sizeof l->passphrase) {
        err_why(&msg, ERR_DENIED, "no_passphrase", "passphrase",
                "the lead passphrase is needed for this");
        api_error(n, rq, ERR_DENIED, &msg);
        free(l);
        json_decref(body);
        return;
    }
    snprintf(l->passphrase, sizeof l->passphrase, "%s", pass);
    sodium_memzero((void *)(uintptr_t)pass, strlen(pass));
    if (rq->body)
        sodium_memzero(rq->body, rq->body_len);
    l->rq = rq;
    l->body = body;
    l->sign = sign;
    l->job.run = lead_run;
    l->job.done = lead_done;
    n->unlocking = true;
    node_start_job(n, &l->job);
}

const char *lead_text(const struct lead_job *l, const char *name)
{
    const char *s = json_string_value(json_object_get(l->body, name));

    return s ? s : "";
}

const struct desk *lead_desk(struct node *n, struct lead_job *l)
{
    const char *word = lead_text(l, "desk");
    bool many;
    const struct desk *d = roster_find_word(core_roster(n->core), word, &many);

    if (many)
        err_why(&l->msg, ERR_MISSING, "name_twice", "desk",
                "there are two desks %.24s: give the short id that \"tideover peers\" shows", word);
    else if (!d)
        err_why(&l->msg, ERR_MISSING, "no_such_desk", "desk", "there is no desk %.24s", word);
    return d;
}

/* ---- revoking ---- */

static enum err sign_revoke(struct node *n, struct lead_job *l, json_t **answer)
{
    const char *name = lead_text(l, "desk");
    const struct desk *d = lead_desk(n, l);
    struct moment now = node_now();
    struct trusted *v = NULL;
    struct buf op = { 0 };
    uint64_t records;
    unsigned count;
    enum err e;

    if (!d)
        return ERR_MISSING;
    if (d->state == DESK_REVOKED)
        return err_why(&l->msg, ERR_EXISTS, "revoked_before", "desk", "%s is revoked already",
                       name);
    if (desk_id_eq(&d->id, &n->me.id))
        return err_why(&l->msg, ERR_REFUSED, "own_desk", "desk",
                       "a desk cannot revoke itself: do it from another one");
    if ((e = core_trusted_now(n->core, &d->id, &v, &count, &records)) != ERR_OK)
        return e;
    op_revoke(core_roster(n->core), &d->id, v, count, "", l->sk, &op);
    free(v);
    e = core_roster_add(n->core, &now, op.p, op.len, &l->msg);
    buf_free(&op);
    if (e == ERR_OK)
        *answer = json_pack("{s:i, s:s, s:I, s:b}", "schema", 1, "desk", name, "records_trusted",
                            (json_int_t)records, "held_lead_key",
                            (d->roles & (ROLE_LEAD | ROLE_ADMIN)) != 0);
    return e;
}

void lead_revoke(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_revoke);
}

/* ---- the policy ---- */

static enum err sign_policy(struct node *n, struct lead_job *l, json_t **answer)
{
    const char *text = lead_text(l, "text");
    struct policy *p = malloc(sizeof *p);
    struct moment now = node_now();
    struct buf op = { 0 };
    char hex[2 * HASH_BYTES + 1];
    enum err e = p ? policy_parse(text, strlen(text), p, &l->msg) : ERR_NOMEM;

    if (e == ERR_OK && strcmp(p->code, roster_code(core_roster(n->core))) != 0)
        e = err_why(&l->msg, ERR_CONFIG, "other_branch", "code",
                    "this policy is for branch %s, we are %s", p->code,
                    roster_code(core_roster(n->core)));
    free(p);
    if (e != ERR_OK)
        return e;
    op_policy(core_roster(n->core), text, strlen(text), l->sk, &op);
    e = core_roster_add(n->core, &now, op.p, op.len, &l->msg);
    buf_free(&op);
    hex_encode(roster_policy_hash(core_roster(n->core)), HASH_BYTES, hex);
    if (e == ERR_OK)
        *answer = json_pack("{s:i, s:s}", "schema", 1, "hash", hex);
    return e;
}

void lead_policy(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_policy);
}

/* ---- the upload ---- */

static enum err sign_upload(struct node *n, struct lead_job *l, json_t **answer)
{
    struct moment now = node_now();
    struct core_view v;
    struct ledger_view lv;
    struct trigger t;
    struct buf b = { 0 };
    enum err e;

    core_view(n->core, &now, &v);
    core_ledger_view(n->core, &now, &lv);
    if (v.pending == 0 && !lv.open) {
        *answer = json_pack("{s:i, s:I, s:s, s:b}", "schema", 1, "slot", (json_int_t)lv.slot,
                            "state", "idle", "nothing", 1);
        return ERR_OK;
    }
    core_draft_trigger(n->core, &now, &t);
    crypto_sign_ed25519_sk_to_pk(t.lead_pk, l->sk);
    trigger_sign(roster_branch(core_roster(n->core)), &t, l->sk, &b);
    e = core_trigger(n->core, &now, b.p, b.len, &l->msg);
    buf_free(&b);
    if (e == ERR_OK)
        *answer = json_pack("{s:i, s:I, s:s}", "schema", 1, "slot", (json_int_t)t.slot, "state",
                            "gathering");
    return e;
}

void lead_upload(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_upload);
}
