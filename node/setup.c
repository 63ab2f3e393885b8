/* setup.c - founding a branch: its root key, its first lead and its first desk. */
#include "setup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "conf.h"
#include "keys.h"
#include "now.h"
#include "policy.h"
#include "roster.h"
#include "setup_int.h"
#include "cli/zonefile.h"

#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

static bool is_made_of(const char *s, const char *set, size_t max)
{
    size_t n = strspn(s, set);

    return n > 0 && n <= max && s[n] == '\0';
}

enum err setup_check_addresses(const char *listen, const char *web, struct errmsg *msg)
{
    char host[CONF_ADDR_MAX];
    uint16_t port;

    if (listen && !addr_split(listen, host, &port))
        return err_why(msg, ERR_INVALID, "bad_address", "listen", "%s is no numeric ADDRESS:PORT",
                       listen);
    if (web && (!addr_split(web, host, &port) ||
                (strncmp(host, "127.", 4) != 0 && strcmp(host, "::1") != 0)))
        return err_why(msg, ERR_INVALID, "bad_address", "web",
                       "%s is no address of this PC alone: give 127.0.0.1:PORT", web);
    return ERR_OK;
}

static enum err check_init(const struct setup_init *in, struct errmsg *msg)
{
    if (!in->branch || !is_made_of(in->branch, UPPER, 15))
        return err_why(msg, ERR_INVALID, "bad_branch", "branch",
                       "a branch code has 1 to 15 capital letters, digits, - or _");
    if (!in->desk || !desk_name_ok(in->desk))
        return err_why(msg, ERR_INVALID, "bad_desk", "desk",
                       "a desk name has 1 to %d letters, digits, - or _", DESK_NAME_MAX);
    if (in->passphrase && strlen(in->passphrase) < 12)
        return err_why(msg, ERR_INVALID, "weak_passphrase", "passphrase",
                       "a lead passphrase has at least 12 characters; leave it out and six words "
                       "are made for you");
    return setup_check_addresses(in->listen, in->web, msg);
}

/* This PC's own zone; UTC if it cannot be told. */
static void local_zone(char name[64], char rule[ZONE_RULE_MAX + 1])
{
    char target[256];
    ssize_t n = readlink("/etc/localtime", target, sizeof target - 1);
    char *at;

    snprintf(name, 64, "UTC");
    snprintf(rule, ZONE_RULE_MAX + 1, "UTC0");
    if (n <= 0)
        return;
    target[n] = '\0';
    if ((at = strstr(target, "zoneinfo/")) == NULL)
        return;
    at += strlen("zoneinfo/");
    if (strlen(at) < 48 && zonefile_rule(ZONEFILE_DIR, at, rule, NULL) == ERR_OK)
        snprintf(name, 64, "%s", at);
    else
        snprintf(rule, ZONE_RULE_MAX + 1, "UTC0");
}

static enum err policy_text(const struct setup_init *in, struct buf *out, struct errmsg *msg)
{
    char zone[64], rule[ZONE_RULE_MAX + 1];
    struct policy p;
    enum err e;

    if (in->policy_text) {
        buf_text(out, in->policy_text);
    } else {
        local_zone(zone, rule);
        policy_default_text(in->branch, zone, rule, out);
    }
    if (out->failed)
        return err_set(msg, ERR_NOMEM, "out of memory");
    e = policy_parse((const char *)out->p, out->len, &p, msg);
    if (e == ERR_OK && strcmp(p.code, in->branch) != 0)
        e = err_why(msg, ERR_CONFIG, "other_branch", "policy",
                    "the policy is for branch %s, not for %s: change its code", p.code, in->branch);
    return e;
}

struct founding { /* secrets of one call */
    uint8_t root_seed[SEED_BYTES], root_pk[KEY_BYTES], root_sk[SIGN_SK_BYTES];
    uint8_t lead_seed[SEED_BYTES], lead_pk[KEY_BYTES], lead_sk[SIGN_SK_BYTES];
    uint8_t desk_seed[3 * SEED_BYTES];
    struct ident me;
};

static enum err found_roster(const struct founding *f, const struct setup_init *in,
                             const struct buf *policy, const struct buf *sealed, struct roster *r,
                             struct errmsg *msg)
{
    struct buf op = { 0 };
    uint8_t hash[HASH_BYTES];
    bool fresh;
    enum err e;

    op_found(f->root_sk, f->lead_pk, in->branch, (int64_t)clock_ms(CLOCK_REALTIME), &op);
    e = roster_add(r, op.p, op.len, &fresh, msg);
    if (e == ERR_OK) {
        buf_reset(&op);
        op_add(r, &f->me, in->desk, ROLE_DESK | ROLE_LEAD | ROLE_ADMIN, true, f->lead_sk, &op);
        e = roster_add(r, op.p, op.len, &fresh, msg);
    }
    if (e == ERR_OK) {
        buf_reset(&op);
        sealed_key_hash(sealed->p, sealed->len, hash);
        op_key(r, f->lead_pk, hash, f->lead_sk, &op);
        e = roster_add(r, op.p, op.len, &fresh, msg);
    }
    if (e == ERR_OK) {
        buf_reset(&op);
        op_policy(r, (const char *)policy->p, policy->len, f->lead_sk, &op);
        e = roster_add(r, op.p, op.len, &fresh, msg);
    }
    buf_free(&op);
    return e;
}

static enum err found_files(const struct site *s, const struct founding *f,
                            const struct setup_init *in, const struct buf *sealed,
                            const struct roster *r, struct errmsg *msg)
{
    struct buf none = { 0 };
    enum err e;

    if ((e = keys_write_lead(s->dir, sealed->p, sealed->len, msg)) == ERR_OK &&
        (e = keys_write_root(s->dir, f->root_seed, msg)) == ERR_OK &&
        (e = keys_write_desk(s->dir, f->desk_seed, msg)) == ERR_OK &&
        (e = setup_write_conf(s, in->desk, in->listen, in->web, msg)) == ERR_OK)
        e = setup_write_store(s, &f->me, r, &none, 0, false, msg);
    return e;
}

enum err setup_init(const struct setup_init *in, char *words, char *passphrase_out,
                    struct errmsg *msg)
{
    struct site s = { .dir = "" };
    struct founding f;
    struct buf policy = { 0 }, sealed = { 0 };
    struct roster *r = roster_new();
    uint8_t random[8], salt[KEYBOX_RANDOM];
    enum err e = r ? check_init(in, msg) : err_set(msg, ERR_NOMEM, "out of memory");

    randombytes_buf(f.root_seed, sizeof f.root_seed);
    randombytes_buf(f.lead_seed, sizeof f.lead_seed);
    randombytes_buf(f.desk_seed, sizeof f.desk_seed);
    randombytes_buf(random, sizeof random);
    randombytes_buf(salt, sizeof salt);
    crypto_sign_seed_keypair(f.root_pk, f.root_sk, f.root_seed);
    crypto_sign_seed_keypair(f.lead_pk, f.lead_sk, f.lead_seed);
    ident_from_seed(f.desk_seed, &f.me);
    if (in->passphrase)
        snprintf(passphrase_out, SETUP_WORDS, "%s", in->passphrase);
    else
        passphrase_words(random, passphrase_out);
    key_words(f.root_pk, words);
    if (e == ERR_OK && (e = policy_text(in, &policy, msg)) == ERR_OK &&
        (e = keybox_seal(f.lead_seed, passphrase_out, salt, &sealed, msg)) == ERR_OK &&
        (e = found_roster(&f, in, &policy, &sealed, r, msg)) == ERR_OK &&
        (e = site_begin(&s, in->state_dir, msg)) == ERR_OK &&
        (e = found_files(&s, &f, in, &sealed, r, msg)) == ERR_OK)
        e = site_commit(&s, msg);
    if (e != ERR_OK)
        site_abort(&s);
    sodium_memzero(&f, sizeof f);
    buf_free(&policy);
    buf_free(&sealed);
    roster_free(r);
    return e;
}
