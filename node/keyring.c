/* keyring.c - the lead key's life: a changed passphrase, new and dropped lead keys, and the file.
 *
 * A new sealed key is written to lead.key.next first, then named in the roster; it takes the place
 * of lead.key once the roster is durable. Whoever is killed between has the old passphrase or the
 * new one, and the roster says which. How the other lead desks get it: proto/leadkey.c. */
#include <string.h>

#include <sodium.h>

#include "keys.h"
#include "lead_int.h"

/* ---- the file ---- */

void keyring_load(struct node *n)
{
    struct errmsg msg = { .text = "" };
    struct buf b = { 0 };
    uint8_t pk[KEY_BYTES], named[HASH_BYTES], hash[HASH_BYTES];

    if (keys_read_lead(n->dir, LEAD_KEY_NEXT, &b, &msg) == ERR_OK) {
        sealed_key_hash(b.p, b.len, hash);
        if (!roster_key(core_roster(n->core), pk, named) || memcmp(hash, named, sizeof hash) != 0 ||
            keys_write_lead(n->dir, b.p, b.len, &msg) == ERR_OK)
            keys_remove(n->dir, LEAD_KEY_NEXT);
    }
    if (keys_read_lead(n->dir, LEAD_KEY, &b, &msg) == ERR_OK)
        core_lead_key(n->core, b.p, b.len, false);
    else if (msg.text[0])
        node_log(n, 3, "%s", msg.text);
    buf_wipe(&b);
}

void keyring_keep(struct node *n, const struct buf *sealed)
{
    struct errmsg msg = { .text = "" };

    if (sealed->len == 0)
        keys_remove(n->dir, LEAD_KEY);
    else if (keys_write_lead(n->dir, sealed->p, sealed->len, &msg) != ERR_OK) {
        node_log(n, 1, "the new lead key waits for the next start: %s", msg.text);
        return; /* lead.key.next is there yet */
    }
    keys_remove(n->dir, LEAD_KEY_NEXT);
}

static enum err put_in_use(struct node *n, struct lead_job *l,
                           const uint8_t signer_sk[SIGN_SK_BYTES])
{
    uint8_t pk[KEY_BYTES], hash[HASH_BYTES];
    struct buf op = { 0 };
    enum err e = small_file_write(n->dir, LEAD_KEY_NEXT, l->sealed.p, l->sealed.len, 0600, &l->msg);

    if (e != ERR_OK)
        return e;
    crypto_sign_ed25519_sk_to_pk(pk, l->sk);
    sealed_key_hash(l->sealed.p, l->sealed.len, hash);
    op_key(core_roster(n->core), pk, hash, signer_sk, &op);
    if ((e = lead_add(n, l, &op)) == ERR_OK)
        core_lead_key(n->core, l->sealed.p, l->sealed.len, true);
    else
        keys_remove(n->dir, LEAD_KEY_NEXT);
    return e;
}

/* ---- the passphrase ---- */

static enum err sign_passphrase(struct node *n, struct lead_job *l, json_t **answer)
{
    enum err e = put_in_use(n, l, l->sk);

    if (e == ERR_OK)
        *answer = json_pack("{s:i, s:o}", "schema", 1, "lead_desks", lead_desks_json(n, true));
    return e;
}

void lead_passphrase(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start_with(n, rq, body, LEAD_PASSPHRASE | LEAD_NEXT, sign_passphrase);
}

/* ---- lead keys, by the root ---- */

static void key_name(const uint8_t pk[KEY_BYTES], char out[64])
{
    key_words(pk, out);
    for (char *p = out; *p; p++)
        if (*p == ' ')
            *p = '-';
}

static enum err drop_key(struct node *n, struct lead_job *l, const uint8_t pk[KEY_BYTES],
                         const uint8_t last[HASH_BYTES])
{
    struct buf op = { 0 };

    op_lead_drop(core_roster(n->core), pk, last, l->root_sk, &op);
    return lead_add(n, l, &op);
}

static enum err drop_all_but(struct node *n, struct lead_job *l, const uint8_t kept[KEY_BYTES],
                             const uint8_t last[HASH_BYTES])
{
    enum err e = ERR_OK;

    for (unsigned i = 0; e == ERR_OK && i < roster_leads(core_roster(n->core)); i++) {
        struct roster_lead k;
        roster_lead(core_roster(n->core), i, &k);
        if (!k.dropped && memcmp(k.pk, kept, KEY_BYTES) != 0)
            e = drop_key(n, l, k.pk, last);
    }
    return e;
}

enum err keyring_renew(struct node *n, struct lead_job *l, bool drop)
{
    uint8_t pk[KEY_BYTES], last[HASH_BYTES];
    const struct desk *me;
    struct buf op = { 0 };
    enum err e;

    crypto_sign_ed25519_sk_to_pk(pk, l->sk);
    memcpy(last, roster_tip(core_roster(n->core)), sizeof last);
    op_lead(core_roster(n->core), pk, l->root_sk, &op);
    if ((e = lead_add(n, l, &op)) != ERR_OK || (e = put_in_use(n, l, l->root_sk)) != ERR_OK)
        return e;
    me = roster_find(core_roster(n->core), &n->me.id);
    if (me && (me->roles & (ROLE_LEAD | ROLE_ADMIN)) == 0) {
        op_set(core_roster(n->core), &me->id, me->name, me->roles | ROLE_LEAD, l->sk, &op);
        e = lead_add(n, l, &op);
    }
    return e == ERR_OK && drop ? drop_all_but(n, l, pk, last) : e;
}

static enum err sign_new(struct node *n, struct lead_job *l, json_t **answer)
{
    const struct desk *me = roster_find(core_roster(n->core), &n->me.id);
    bool drop = json_is_true(json_object_get(l->body, "drop_others"));
    uint8_t pk[KEY_BYTES];
    char name[64];
    enum err e;

    if (!me || me->state != DESK_ACTIVE)
        return err_why(&l->msg, ERR_REFUSED, "not_active", "",
                       "this desk is no longer part of the branch: do it from another one");
    if ((e = keyring_renew(n, l, drop)) != ERR_OK)
        return e;
    crypto_sign_ed25519_sk_to_pk(pk, l->sk);
    key_name(pk, name);
    *answer = json_pack("{s:i, s:s, s:o, s:b}", "schema", 1, "key", name, "lead_desks",
                        lead_desks_json(n, true), "dropped_others", drop);
    return ERR_OK;
}

void lead_new(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start_with(n, rq, body, LEAD_ROOT | LEAD_NEXT, sign_new);
}

static enum err find_key(const struct node *n, struct lead_job *l, struct roster_lead *out)
{
    const char *word = lead_text(l, "key");

    for (unsigned i = 0; i < roster_leads(core_roster(n->core)); i++) {
        char name[64];
        roster_lead(core_roster(n->core), i, out);
        key_name(out->pk, name);
        if (strcmp(name, word) == 0)
            return ERR_OK;
    }
    return err_why(&l->msg, ERR_MISSING, "no_such_key", "key",
                   "there is no lead key %.60s: see \"tideover lead list\"", word);
}

/* The operation that "last" names by the first digits of its hash; the newest one here if absent.
 */
static enum err find_last(const struct node *n, struct lead_job *l, uint8_t out[HASH_BYTES])
{
    const struct roster *r = core_roster(n->core);
    const char *word = lead_text(l, "last");
    unsigned found = 0;

    memcpy(out, roster_tip(r), HASH_BYTES);
    if (word[0] == '\0')
        return ERR_OK;
    for (unsigned i = 0; i < roster_ops(r); i++) {
        char hex[2 * HASH_BYTES + 1];
        hex_encode(roster_op_hash(r, i), HASH_BYTES, hex);
        if (strlen(word) >= 8 && strncmp(hex, word, strlen(word)) == 0) {
            memcpy(out, roster_op_hash(r, i), HASH_BYTES);
            found++;
        }
    }
    return found == 1 ? ERR_OK
                      : err_why(&l->msg, ERR_MISSING, "no_such_operation", "last",
                                "there is no operation %.64s: see \"tideover roster log\"", word);
}

static enum err sign_drop(struct node *n, struct lead_job *l, json_t **answer)
{
    uint8_t pk[KEY_BYTES], hash[HASH_BYTES], last[HASH_BYTES];
    struct roster_lead k;
    unsigned voided;
    enum err e;

    if ((e = find_key(n, l, &k)) != ERR_OK || (e = find_last(n, l, last)) != ERR_OK)
        return e;
    if (k.dropped)
        return err_why(&l->msg, ERR_EXISTS, "lead_dropped", "key",
                       "this lead key was dropped before");
    if (!roster_key(core_roster(n->core), pk, hash) || memcmp(pk, k.pk, KEY_BYTES) == 0)
        return err_why(&l->msg, ERR_REFUSED, "lead_in_use", "key",
                       "this is the lead key in use: make a new one first with \"tideover lead "
                       "new\"");
    voided = k.void_ops;
    if ((e = drop_key(n, l, k.pk, last)) != ERR_OK)
        return e;
    find_key(n, l, &k);
    *answer = json_pack("{s:i, s:s, s:i}", "schema", 1, "key", lead_text(l, "key"), "voided",
                        (int)(k.void_ops - voided));
    return ERR_OK;
}

void lead_drop(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start_with(n, rq, body, LEAD_ROOT, sign_drop);
}

/* ---- looking ---- */

/* Which keys this desk has, and whose it is: by names, never a key itself. */
void keyring_show(struct node *n, struct http_request *rq)
{
    struct errmsg msg = { .text = "" };
    bool here = lead_is_here(n, &msg) == ERR_OK;
    const struct roster *r = core_roster(n->core);
    const struct desk *d = roster_find(r, &n->me.id);
    int64_t at = backup_made(n->dir);
    char branch_key[64], desk_key[64], id[8];
    json_t *o;

    key_words(roster_root(r), branch_key);
    key_words(n->me.sign_pk, desk_key);
    desk_id_short(&n->me.id, id);
    o = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:b}", "schema", 1, "branch", roster_code(r),
                  "branch_key", branch_key, "desk", d ? d->name : n->conf.name, "id", id,
                  "desk_key", desk_key, "lead_key", here, "root_key", keys_root_is_here(n->dir));
    json_object_set_new(o, "message", here ? json_null() : json_string(msg.text));
    json_object_set_new(o, "backup", at > 0 ? status_time(n, at) : json_null());
    api_json(rq, 200, o);
}

void keyring_list(struct node *n, struct http_request *rq)
{
    const struct roster *r = core_roster(n->core);
    uint8_t in_use[KEY_BYTES], hash[HASH_BYTES];
    bool named = roster_key(r, in_use, hash), here;
    json_t *all = json_array(), *o;
    struct errmsg msg = { .text = "" };

    for (unsigned i = 0; i < roster_leads(r); i++) {
        struct roster_lead k;
        char name[64], newest[17];
        roster_lead(r, i, &k);
        key_name(k.pk, name);
        hex_encode(k.newest, 8, newest);
        json_array_append_new(
            all,
            json_pack("{s:s, s:b, s:b, s:i, s:i, s:s}", "key", name, "dropped", k.dropped, "in_use",
                      named && !k.dropped && memcmp(k.pk, in_use, KEY_BYTES) == 0, "operations",
                      (int)k.signed_ops, "void", (int)k.void_ops, "newest", newest));
    }
    here = lead_is_here(n, &msg) == ERR_OK;
    o = json_pack("{s:i, s:o, s:b, s:o}", "schema", 1, "leads", all, "here", here, "desks",
                  lead_desks_json(n, false));
    json_object_set_new(o, "message", here ? json_null() : json_string(msg.text));
    api_json(rq, 200, o);
}

static const char *op_word(unsigned type)
{
    static const char *const words[] = {
        [OP_FOUND] = "found",   [OP_LEAD] = "lead new",  [OP_LEAD_DROP] = "lead drop",
        [OP_ADD] = "add",       [OP_SET] = "name, role", [OP_REVOKE] = "revoke",
        [OP_RETIRE] = "retire", [OP_POLICY] = "policy",  [OP_KEY] = "passphrase",
    };

    return type < sizeof words / sizeof words[0] && words[type] ? words[type]
                                                                : "of a newer version";
}

void keyring_log(struct node *n, struct http_request *rq)
{
    const struct roster *r = core_roster(n->core);
    json_t *all = json_array();

    for (unsigned i = 0; i < roster_ops(r); i++) {
        struct roster_entry e;
        const struct desk *d;
        char name[64], hex[17];
        json_t *o;
        roster_entry(r, i, &e);
        key_name(e.signer, name);
        hex_encode(e.hash, 8, hex);
        o = json_pack("{s:s, s:i, s:s, s:s, s:b, s:b}", "operation", hex, "count", (int)e.count,
                      "what", op_word(e.type), "by",
                      memcmp(e.signer, roster_root(r), KEY_BYTES) == 0 ? "root" : name, "counts",
                      e.counts, "wins", e.winning);
        if (e.has_desk && (d = roster_find(r, &e.desk)) != NULL)
            json_object_set_new(o, "desk", json_string(d->name));
        json_array_append_new(all, o);
    }
    api_json(rq, 200, json_pack("{s:i, s:o}", "schema", 1, "operations", all));
}
