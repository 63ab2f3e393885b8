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
#include "sink.h"

static enum err unlock(struct lead_job *l)
{
    uint8_t seed[SEED_BYTES], pk[KEY_BYTES];
    enum err e = keybox_open(l->sealed.p, l->sealed.len, l->passphrase, seed, &l->msg);

    if (e == ERR_OK)
        crypto_sign_seed_keypair(pk, l->sk, seed);
    sodium_memzero(seed, sizeof seed);
    return e;
}

/* A new passphrase for the key in sk; with the root key at hand, for a key that is new itself. */
static enum err seal_next(struct lead_job *l)
{
    uint8_t seed[SEED_BYTES], pk[KEY_BYTES], random[KEYBOX_RANDOM];
    enum err e;

    randombytes_buf(random, sizeof random);
    if (l->needs & LEAD_ROOT) {
        randombytes_buf(seed, sizeof seed);
        crypto_sign_seed_keypair(pk, l->sk, seed);
    } else {
        crypto_sign_ed25519_sk_to_seed(seed, l->sk);
    }
    buf_reset(&l->sealed);
    e = keybox_seal(seed, l->next, random, &l->sealed, &l->msg);
    sodium_memzero(seed, sizeof seed);
    return e;
}

static void lead_run(struct job *j)
{
    struct lead_job *l = (struct lead_job *)j;

    if (l->needs & LEAD_PASSPHRASE)
        l->err = unlock(l);
    if (l->err == ERR_OK && (l->needs & LEAD_NEXT))
        l->err = seal_next(l);
    if (l->err == ERR_OK && (l->needs & LEAD_FOLDER))
        policy_look(lead_text(l, "text"), l->remark);
    sodium_memzero(l->passphrase, sizeof l->passphrase);
    sodium_memzero(l->next, sizeof l->next);
}

/* Opened, but may it still sign? */
static enum err may_sign(const struct node *n, struct lead_job *l)
{
    uint8_t pk[KEY_BYTES];

    if (n->stopped)
        return err_set(&l->msg, ERR_DISK, "STOP: this PC cannot save (%.120s)", n->stop_reason);
    if (l->needs & LEAD_ROOT) {
        crypto_sign_ed25519_sk_to_pk(pk, l->root_sk);
        return memcmp(pk, roster_root(core_roster(n->core)), KEY_BYTES) == 0
                   ? ERR_OK
                   : err_why(&l->msg, ERR_DENIED, "wrong_root_key", "root",
                             "that is the root key of another branch");
    }
    crypto_sign_ed25519_sk_to_pk(pk, l->sk);
    if (!roster_is_lead(core_roster(n->core), pk))
        return err_why(&l->msg, ERR_DENIED, "lead_dropped", "",
                       "this lead key was withdrawn: make a new one with the branch's root key, "
                       "\"tideover lead new\"");
    if (core_lead_key_is_old(n->core))
        return err_why(&l->msg, ERR_DENIED, "old_passphrase", "passphrase",
                       "the passphrase was changed at another desk, and this desk has not got the "
                       "new key yet: switch a lead desk that has it on, or use that one");
    return ERR_OK;
}

static void lead_done(struct job *j)
{
    struct lead_job *l = (struct lead_job *)j;
    struct node *n = j->node;
    json_t *answer = NULL;

    n->unlocking = false;
    if (l->err == ERR_OK && (l->err = may_sign(n, l)) == ERR_OK)
        l->err = l->sign(n, l, &answer);
    sodium_memzero(l->sk, sizeof l->sk);
    sodium_memzero(l->root_sk, sizeof l->root_sk);
    if (l->err != ERR_OK) {
        api_error(n, l->rq, l->err, &l->msg);
    } else {
        api_json_later(n, l->rq, json_incref(answer));
    }
    json_decref(answer);
    json_decref(l->body);
    buf_wipe(&l->sealed);
    free(l);
}

/* Moves a secret out of the body, which keeps none. */
static bool take_secret(json_t *body, const char *name, char *out, size_t room)
{
    const char *s = json_string_value(json_object_get(body, name));
    size_t n = s ? strlen(s) : 0;

    if (n == 0 || n >= room)
        return false;
    memcpy(out, s, n + 1);
    sodium_memzero((void *)(uintptr_t)s, n);
    return true;
}

json_t *lead_desks_json(const struct node *n, bool others)
{
    const struct roster *r = core_roster(n->core);
    json_t *names = json_array();

    for (unsigned i = 0; i < roster_desks(r); i++) {
        const struct desk *d = roster_desk(r, i);
        if (d->state == DESK_ACTIVE && (d->roles & (ROLE_LEAD | ROLE_ADMIN)) != 0 &&
            !(others && desk_id_eq(&d->id, &n->me.id)))
            json_array_append_new(names, json_string(d->name));
    }
    return names;
}

enum err lead_is_here(const struct node *n, struct errmsg *msg)
{
    json_t *names = NULL;
    struct buf where = { 0 };
    const json_t *name;
    size_t len, i;

    (void)core_lead_key_sealed(n->core, &len);
    if (len > 0)
        return ERR_OK;
    names = lead_desks_json(n, false);
    json_array_foreach(names, i, name)
    {
        const char *sep = i == 0 ? "" : i + 1 == json_array_size(names) ? " or " : ", ";
        buf_printf(&where, "%s%s", sep, json_string_value(name));
    }
    buf_add(&where, "", 1);
    json_decref(names);
    if (where.len > 1 && !where.failed)
        err_why(msg, ERR_DENIED, "no_lead_key", "",
                "the lead key is not on this desk: do this at %.180s", (const char *)where.p);
    else
        err_why(msg, ERR_DENIED, "no_lead_key", "",
                "the lead key is on no desk of the branch: make a new one with the branch's root "
                "key, \"tideover lead new\"");
    buf_free(&where);
    return ERR_DENIED;
}

static enum err take_secrets(const struct node *n, struct lead_job *l)
{
    char root[2 * SEED_BYTES + 1];
    uint8_t seed[SEED_BYTES], pk[KEY_BYTES];
    const uint8_t *sealed;
    size_t len;
    enum err e = ERR_OK;

    if ((l->needs & LEAD_PASSPHRASE) && (e = lead_is_here(n, &l->msg)) != ERR_OK)
        return e; /* and no passphrase is asked for */
    if ((l->needs & LEAD_PASSPHRASE) &&
        !take_secret(l->body, "passphrase", l->passphrase, sizeof l->passphrase))
        return err_why(&l->msg, ERR_DENIED, "no_passphrase", "passphrase",
                       "the lead passphrase is needed for this");
    if ((l->needs & LEAD_NEXT) &&
        (!take_secret(l->body, "new", l->next, sizeof l->next) || strlen(l->next) < 12))
        return err_why(&l->msg, ERR_INVALID, "weak_passphrase", "new",
                       "a lead passphrase has at least 12 characters");
    if (l->needs & LEAD_ROOT) {
        if (!take_secret(l->body, "root", root, sizeof root) ||
            !hex_decode(root, seed, sizeof seed))
            e = err_why(&l->msg, ERR_DENIED, "no_root_key", "root",
                        "the branch's root key is needed for this: 64 hex digits");
        else
            crypto_sign_seed_keypair(pk, l->root_sk, seed);
        sodium_memzero(root, sizeof root);
        sodium_memzero(seed, sizeof seed);
    }
    sealed = core_lead_key_sealed(n->core, &len);
    buf_add(&l->sealed, sealed, len);
    return e;
}

void lead_start_with(struct node *n, struct http_request *rq, json_t *body, unsigned needs,
                     enum err (*sign)(struct node *n, struct lead_job *l, json_t **answer))
{
    struct lead_job *l = calloc(1, sizeof *l);
    struct errmsg msg = { .text = "" };
    enum err e = ERR_OK;

    if (!l)
        e = err_set(&msg, ERR_NOMEM, "out of memory");
    else if (n->unlocking)
        e = err_why(&msg, ERR_BUSY, "unlocking", "",
                    "another request is opening the lead key: try again in a second");
    if (e == ERR_OK) {
        l->rq = rq;
        l->body = body;
        l->needs = needs;
        l->sign = sign;
        l->job.run = lead_run;
        l->job.done = lead_done;
        e = take_secrets(n, l);
        msg = l->msg;
    }
    if (rq->body)
        sodium_memzero(rq->body, rq->body_len);
    if (e == ERR_OK) {
        n->unlocking = true;
        node_start_job(n, &l->job);
        return;
    }
    api_error(n, rq, e, &msg);
    json_decref(body);
    if (l) {
        buf_wipe(&l->sealed);
        sodium_memzero(l, sizeof *l);
    }
    free(l);
}

void lead_start(struct node *n, struct http_request *rq, json_t *body,
                enum err (*sign)(struct node *n, struct lead_job *l, json_t **answer))
{
    lead_start_with(n, rq, body, LEAD_PASSPHRASE, sign);
}

enum err lead_add(struct node *n, struct lead_job *l, struct buf *op)
{
    struct moment now = node_now();
    enum err e = core_roster_add(n->core, &now, op->p, op->len, &l->msg);

    buf_free(op);
    return e;
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

static enum err may_revoke(const struct node *n, struct lead_job *l, const struct desk *d)
{
    if (!d)
        return ERR_MISSING;
    if (d->state == DESK_REVOKED)
        return err_why(&l->msg, ERR_EXISTS, "revoked_before", "desk", "%s is revoked already",
                       d->name);
    if (desk_id_eq(&d->id, &n->me.id))
        return err_why(&l->msg, ERR_REFUSED, "own_desk", "desk",
                       "a desk cannot revoke itself: do it from another one");
    return ERR_OK;
}

/* With the root key at hand: a new lead key first, which signs the rest, and the old ones end. */
static enum err sign_revoke(struct node *n, struct lead_job *l, json_t **answer)
{
    const struct desk *found = lead_desk(n, l);
    bool renew = (l->needs & LEAD_ROOT) != 0;
    struct trusted *v = NULL;
    struct desk d;
    struct buf op = { 0 };
    uint64_t records;
    unsigned count;
    enum err e;

    if ((e = may_revoke(n, l, found)) != ERR_OK)
        return e;
    d = *found;
    if ((renew && (e = keyring_renew(n, l, true)) != ERR_OK) ||
        (e = core_trusted_now(n->core, &d.id, &v, &count, &records)) != ERR_OK)
        return e;
    op_revoke(core_roster(n->core), &d.id, v, count, "", l->sk, &op);
    free(v);
    if ((e = lead_add(n, l, &op)) == ERR_OK)
        *answer = json_pack("{s:i, s:s, s:I, s:b, s:b}", "schema", 1, "desk", d.name,
                            "records_trusted", (json_int_t)records, "held_lead_key",
                            (d.roles & (ROLE_LEAD | ROLE_ADMIN)) != 0, "new_lead_key", renew);
    if (e == ERR_OK)
        lead_tell_seats(n, &d.id, *answer);
    return e;
}

void lead_revoke(struct node *n, struct http_request *rq, json_t *body)
{
    bool renew = json_object_get(body, "root") != NULL;

    lead_start_with(n, rq, body, renew ? LEAD_ROOT | LEAD_NEXT : LEAD_PASSPHRASE, sign_revoke);
}

/* ---- the policy ---- */

static enum err place_is_known(const struct node *n, const char *sink, struct errmsg *msg)
{
    char desk[DESK_NAME_MAX + 1];
    const char *path;

    if (!sink_place(sink, desk, &path) || roster_find_joined(core_roster(n->core), desk))
        return ERR_OK;
    return err_why(msg, ERR_CONFIG, "no_such_desk", "sink",
                   "the sink is at the desk %s, and none joined under that name", desk);
}

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
    if (e == ERR_OK && strcmp(p->sink, "none") != 0 && !sink_is_built(p->sink))
        e = err_why(&l->msg, ERR_CONFIG, "unknown_sink", "sink",
                    "no program stands behind that sink here: it is the simulator's. The sinks "
                    "stand in node/sinks/README.md");
    if (e == ERR_OK)
        e = place_is_known(n, p->sink, &l->msg);
    if (e == ERR_OK) {
        op_policy(core_roster(n->core), text, strlen(text), l->sk, &op);
        e = core_roster_add(n->core, &now, op.p, op.len, &l->msg);
    }
    buf_free(&op);
    if (e == ERR_OK) {
        hex_encode(roster_policy_hash(core_roster(n->core)), HASH_BYTES, hex);
        *answer = json_pack("{s:i, s:s, s:o}", "schema", 1, "hash", hex, "remarks",
                            policy_remarks(n, p, l->remark));
    }
    free(p);
    return e;
}

void lead_policy(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start_with(n, rq, body, LEAD_PASSPHRASE | LEAD_FOLDER, sign_policy);
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
    if (v.pending == 0 && v.released == 0 && !lv.open) {
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

/* ---- an item in doubt ---- */

static enum err sign_decision(struct node *n, struct lead_job *l, json_t **answer)
{
    const json_t *arrived = json_object_get(l->body, "arrived");
    json_int_t slot = json_integer_value(json_object_get(l->body, "slot"));
    struct moment now = node_now();
    struct decision d;
    struct buf b = { 0 };
    enum err e;

    if (!json_is_boolean(arrived) || slot <= 0)
        return err_why(&l->msg, ERR_MALFORMED, "bad_decision", "arrived",
                       "slot must be a number, and arrived true or false");
    if (!core_draft_decision(n->core, &now, json_is_true(arrived), &d))
        return err_why(&l->msg, ERR_MISSING, "nothing_in_doubt", "slot",
                       "nothing waits for a lead's decision");
    if (d.slot != (uint64_t)slot)
        return err_why(&l->msg, ERR_REFUSED, "other_slot", "slot",
                       "it is slot %llu that waits for a decision", (unsigned long long)d.slot);
    crypto_sign_ed25519_sk_to_pk(d.lead_pk, l->sk);
    decision_sign(roster_branch(core_roster(n->core)), &d, l->sk, &b);
    e = core_decide(n->core, &now, b.p, b.len, &l->msg);
    buf_free(&b);
    if (e == ERR_OK)
        *answer = json_pack("{s:i, s:I, s:I, s:b}", "schema", 1, "slot", (json_int_t)d.slot, "step",
                            (json_int_t)d.step, "arrived", d.arrived);
    return e;
}

void lead_decide(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_decision);
}
