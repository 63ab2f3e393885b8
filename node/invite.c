/* invite.c - making one-time codes, and the door at which new desks knock with them. */
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "day.h"
#include "join.h"
#include "keys.h"
#include "lead_int.h"
#include "wire.h"

#define WRONG_MAX     5
#define DOOR_AFTER_MS 600000 /* a used or expired code is told so for ten minutes more */
#define EXPIRES_MAX_S 86400

/* Where a new desk can reach us: the address we are bound to, else the first real one. */
static void own_ipv4(const struct node *n, uint8_t out[4])
{
    struct ifaddrs *all = NULL;
    char host[CONF_ADDR_MAX];
    unsigned a, b, c, d;
    uint16_t port;

    memcpy(out, (uint8_t[]){ 127, 0, 0, 1 }, 4);
    if (addr_split(n->conf.listen, host, &port) && strcmp(host, "0.0.0.0") != 0 &&
        sscanf(host, "%u.%u.%u.%u", &a, &b, &c, &d) == 4) {
        memcpy(out, (uint8_t[]){ (uint8_t)a, (uint8_t)b, (uint8_t)c, (uint8_t)d }, 4);
        return;
    }
    if (getifaddrs(&all) != 0)
        return;
    for (struct ifaddrs *i = all; i; i = i->ifa_next)
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && (i->ifa_flags & IFF_UP) &&
            !(i->ifa_flags & IFF_LOOPBACK)) {
            memcpy(out, &((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr, 4);
            break;
        }
    freeifaddrs(all);
}

static unsigned roles_of(const char *role)
{
    return strcmp(role, "admin") == 0  ? ROLE_DESK | ROLE_ADMIN
           : strcmp(role, "lead") == 0 ? ROLE_DESK | ROLE_LEAD
           : strcmp(role, "desk") == 0 ? ROLE_DESK
                                       : 0;
}

static void close_invite(struct node *n, struct invite *i)
{
    net_door_close(n->net, i->door);
    buf_free(&i->power);
    buf_wipe(&i->lead_box);
    sodium_memzero(i, sizeof *i);
}

static enum err check_invite(struct node *n, struct lead_job *l, const char *name, unsigned roles,
                             json_int_t expires)
{
    if (!desk_name_ok(name))
        return err_why(&l->msg, ERR_INVALID, "bad_desk", "desk",
                       "a desk name has 1 to %d letters, digits, - or _", DESK_NAME_MAX);
    if (roster_name_taken(core_roster(n->core), name, NULL))
        return err_why(&l->msg, ERR_EXISTS, "desk_exists", "desk",
                       "%s is in the branch already: choose another name, or revoke it first",
                       name);
    if (roster_desks(core_roster(n->core)) >= ROSTER_DESKS_MAX)
        return err_why(&l->msg, ERR_FULL, "too_many_desks", "desk",
                       "a branch has at most %d desks in its life, and this one had them",
                       ROSTER_DESKS_MAX);
    if (roles == 0)
        return err_why(&l->msg, ERR_INVALID, "bad_role", "role", "a role is desk, lead or admin");
    if (expires < 1 || expires > EXPIRES_MAX_S)
        return err_why(&l->msg, ERR_INVALID, "bad_expires", "expires",
                       "an invite lives 1 second to 24 hours");
    return ERR_OK;
}

static enum err open_invite(struct node *n, struct lead_job *l, struct invite *i, const char *name,
                            unsigned roles, json_int_t expires_s)
{
    struct moment now = node_now();
    struct invite_power p = { .roles = roles, .seat = true };
    uint8_t seed[SEED_BYTES], door_pk[KEY_BYTES], door_sk[KEY_BYTES];
    size_t sealed_n = 0;
    enum err e = ERR_OK;

    randombytes_buf(i->code.token, sizeof i->code.token);
    invite_door_keys(i->code.token, door_pk, door_sk);
    if (roles & (ROLE_LEAD | ROLE_ADMIN)) {
        const uint8_t *sealed = core_lead_key_sealed(n->core, &sealed_n);
        buf_add(&i->lead_box, sealed, sealed_n);
    }
    if (e == ERR_OK && (i->door = net_door_open(n->net, door_sk, &i->code.port, &l->msg)) < 0)
        e = ERR_FULL;
    sodium_memzero(door_sk, sizeof door_sk);
    if (e != ERR_OK)
        return e;
    own_ipv4(n, i->code.ipv4);
    i->expires_ms = now.wall_ms + expires_s * 1000;
    i->closes_boot_ms = now.boot_ms + (uint64_t)expires_s * 1000 + DOOR_AFTER_MS;
    randombytes_buf(seed, sizeof seed);
    crypto_sign_seed_keypair(p.invite_pk, i->invite_sk, seed);
    sodium_memzero(seed, sizeof seed);
    snprintf(p.name, sizeof p.name, "%s", name);
    snprintf(i->name, sizeof i->name, "%s", name);
    i->number = ++n->invites;
    i->roles = roles;
    p.expires_ms = i->expires_ms;
    invite_power_sign(core_roster(n->core), &p, l->sk, &i->power);
    i->live = true;
    return ERR_OK;
}

/* A free place; else that of the code that was used longest ago, whose door stays open only to say
 * so. NULL: all are open and unused. */
static struct invite *room_for_invite(struct node *n)
{
    struct invite *oldest = NULL;

    for (unsigned k = 0; k < INVITES_MAX; k++) {
        struct invite *i = &n->invite[k];
        if (!i->live)
            return i;
        if ((i->used || i->withdrawn) && (!oldest || i->closes_boot_ms < oldest->closes_boot_ms))
            oldest = i;
    }
    if (oldest)
        close_invite(n, oldest);
    return oldest;
}

static enum err sign_invite(struct node *n, struct lead_job *l, json_t **answer)
{
    const char *name = lead_text(l, "desk");
    const char *role = lead_text(l, "role")[0] ? lead_text(l, "role") : "desk";
    json_t *expires_j = json_object_get(l->body, "expires_s");
    json_int_t expires = expires_j ? json_integer_value(expires_j) : 1800;
    struct invite *i = NULL;
    char code[INVITE_CODE_MAX], words[64], at[36];
    enum err e = check_invite(n, l, name, roles_of(role), expires);

    if (e != ERR_OK)
        return e;
    if ((i = room_for_invite(n)) == NULL)
        return err_why(&l->msg, ERR_FULL, "too_many_invites", "",
                       "%d invites are open already: let one expire", INVITES_MAX);
    if ((e = open_invite(n, l, i, name, roles_of(role), expires)) != ERR_OK) {
        buf_wipe(&i->lead_box);
        sodium_memzero(i, sizeof *i);
        return e;
    }
    invite_code_format(&i->code, code);
    key_words(roster_root(core_roster(n->core)), words);
    rfc3339_format(i->expires_ms, 0, at);
    *answer =
        json_pack("{s:i, s:s, s:s, s:s}", "schema", 1, "code", code, "words", words, "expires", at);
    sodium_memzero(code, sizeof code);
    return ERR_OK;
}

void lead_invite(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_invite);
}

/* ---- the invites of this run ---- */

static const char *invite_state(const struct invite *i, const struct moment *now)
{
    return i->used                         ? "used"
           : i->withdrawn                  ? "withdrawn"
           : i->wrong >= WRONG_MAX         ? "shut"
           : now->wall_ms >= i->expires_ms ? "expired"
                                           : "open";
}

/* The code itself is told once, to whoever made it. */
void invite_list(struct node *n, struct http_request *rq)
{
    struct moment now = node_now();
    json_t *all = json_array();

    for (unsigned k = 0; k < INVITES_MAX; k++) {
        const struct invite *i = &n->invite[k];
        if (!i->live)
            continue;
        json_array_append_new(all, json_pack("{s:i, s:s, s:o, s:s, s:o, s:s?, s:i, s:i, s:i, s:i}",
                                             "number", (int)i->number, "desk", i->name, "roles",
                                             status_roles(i->roles), "state", invite_state(i, &now),
                                             "expires", status_time(n, i->expires_ms), "joined",
                                             i->used ? status_desk_name(n, &i->used_by) : NULL,
                                             "wrong", (int)i->wrong, "late", (int)i->late, "again",
                                             (int)i->again, "taken", (int)i->taken));
    }
    api_json(rq, 200, json_pack("{s:i, s:o}", "schema", 1, "invites", all));
}

/* It needs no passphrase: it takes a power back, and gives none. */
void invite_withdraw(struct node *n, struct http_request *rq, json_t *body)
{
    json_int_t number = json_integer_value(json_object_get(body, "number"));
    struct moment now = node_now();
    struct errmsg msg = { .text = "" };
    struct invite *i = NULL;

    json_decref(body);
    for (unsigned k = 0; k < INVITES_MAX && !i; k++)
        if (n->invite[k].live && n->invite[k].number == number && !n->invite[k].used &&
            !n->invite[k].withdrawn)
            i = &n->invite[k];
    if (!i) {
        err_why(&msg, ERR_MISSING, "no_such_invite", "number",
                "that invite is not open any more: it was used, withdrawn, or is long expired");
        api_error(n, rq, ERR_MISSING, &msg);
        return;
    }
    i->withdrawn = true;
    i->closes_boot_ms = now.boot_ms + DOOR_AFTER_MS; /* to tell whoever comes with it */
    sodium_memzero(i->invite_sk, sizeof i->invite_sk);
    node_log(n, 2, "the invite for %s was withdrawn", i->name);
    api_json(rq, 200, json_pack("{s:i, s:s}", "schema", 1, "desk", i->name));
}

void invite_tick(struct node *n, const struct moment *now)
{
    for (unsigned k = 0; k < INVITES_MAX; k++)
        if (n->invite[k].live && now->boot_ms >= n->invite[k].closes_boot_ms)
            close_invite(n, &n->invite[k]);
}

/* ---- somebody knocks with a code ---- */

static void answer_door(struct node *n, int door, uint64_t client, struct buf *b)
{
    struct door_reply *d = calloc(1, sizeof *d);

    if (!d) {
        buf_free(b);
        return;
    }
    d->door = door;
    d->client = client;
    d->bytes = *b;
    d->next = n->door_replies;
    n->door_replies = d; /* after the commit: whoever is told "welcome" is on the roster on disk */
}

static void refuse(struct node *n, int door, uint64_t client, const char *why, const char *text)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_JOIN_REFUSED, 2);
    mp_put_str(&b, why);
    mp_put_str(&b, text);
    answer_door(n, door, client, &b);
    node_log(n, 2, "refused a join: %s", why);
}

/* [operations], [addresses], lead key box; ours among the addresses. */
static void welcome(struct node *n, const struct invite *i, int door, uint64_t client)
{
    const struct roster *r = core_roster(n->core);
    struct buf b = { 0 }, others = { 0 };
    struct mp m;
    char mine[CONF_ADDR_MAX], host[CONF_ADDR_MAX];
    uint16_t port = 0;
    uint32_t count;

    wire_begin(&b, WIRE_WELCOME, 3);
    mp_put_array(&b, roster_ops(r));
    for (unsigned k = 0; k < roster_ops(r); k++) {
        size_t len;
        const uint8_t *op = roster_op(r, k, &len);
        mp_put_bin(&b, op, len);
    }
    core_addresses(n->core, &others);
    m = mp_over(others.p, others.len);
    count = mp_get_array(&m);
    addr_split(n->conf.listen, host, &port);
    snprintf(mine, sizeof mine, "%u.%u.%u.%u:%u", i->code.ipv4[0], i->code.ipv4[1], i->code.ipv4[2],
             i->code.ipv4[3], port);
    mp_put_array(&b, count + 1);
    buf_add(&b, m.p, (size_t)(m.end - m.p));
    mp_put_array(&b, 2);
    mp_put_bin(&b, n->me.id.b, DESK_ID_BYTES);
    mp_put_str(&b, mine);
    mp_put_bin(&b, i->lead_box.p, i->lead_box.len);
    buf_free(&others);
    answer_door(n, door, client, &b);
}

static void admit(struct node *n, struct invite *i, const struct join *j, int door, uint64_t client)
{
    struct moment now = node_now();
    struct errmsg msg = { .text = "" };
    struct buf op = { 0 };
    char address[CONF_ADDR_MAX];
    struct desk_id id;
    enum err e;

    if (roster_name_taken(core_roster(n->core), i->name,
                          NULL)) { /* two codes for one name: the first one to come */
        i->taken++;
        refuse(
            n, door, client, "desk_exists",
            "a desk of this name joined meanwhile: ask the lead for an invite with another name");
        return;
    }
    op_add_invited(core_roster(n->core), j->sign_pk, j->curve_pk, i->power.p, i->power.len,
                   i->invite_sk, &op);
    e = core_roster_add(n->core, &now, op.p, op.len, &msg);
    buf_free(&op);
    desk_id_of(j->sign_pk, &id);
    if (e != ERR_OK || !roster_find(core_roster(n->core), &id)) {
        refuse(n, door, client, "not_admitted",
               "the inviting desk could not enrol you: ask for a "
               "new invite");
        return;
    }
    i->used = true;
    i->closes_boot_ms = now.boot_ms + DOOR_AFTER_MS;
    i->used_by = id;
    memcpy(i->used_sign_pk, j->sign_pk, KEY_BYTES);
    snprintf(address, sizeof address, "%s", j->address);
    if (address[0] != ':')
        core_hint(n->core, &id, address);
    welcome(n, i, door, client);
    node_log(n, 2, "%s joined the branch", roster_find(core_roster(n->core), &id)->name);
}

void invite_knock(struct node *n, int door, uint64_t client, const uint8_t *p, size_t len)
{
    struct moment now = node_now();
    struct invite *i = NULL;
    struct join j;
    uint8_t mac[HASH_BYTES];

    for (unsigned k = 0; k < INVITES_MAX; k++)
        if (n->invite[k].live && n->invite[k].door == door)
            i = &n->invite[k];
    if (!i || i->wrong >= WRONG_MAX || !join_decode(p, len, &j))
        return;
    invite_mac(i->code.token, j.sign_pk, j.curve_pk, mac);
    if (sodium_memcmp(mac, j.mac, sizeof mac) != 0) {
        i->wrong++;
        node_log(n, 2, "refused a join: the code is not the one of %s's invite", i->name);
    } else if (i->used && memcmp(i->used_sign_pk, j.sign_pk, KEY_BYTES) == 0)
        welcome(n, i, door, client); /* our answer was lost */
    else if (i->used) {
        i->again++;
        refuse(n, door, client, "used_code",
               "this code has been used already: ask the lead for a new invite");
    } else if (i->withdrawn) {
        i->late++;
        refuse(n, door, client, "withdrawn_code",
               "this invite was withdrawn: ask the lead for a new one");
    } else if (now.wall_ms >= i->expires_ms) {
        i->late++;
        refuse(n, door, client, "expired_code",
               "this code has expired: ask the lead for a new invite");
    } else
        admit(n, i, &j, door, client);
}
