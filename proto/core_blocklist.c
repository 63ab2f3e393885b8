/* core_blocklist.c - one block list for the branch: imported at a desk, fetched by the others in
 * parts, kept, and asked at each loan. */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "core_int.h"

#define STALL_MS   3000
#define REFUSED_MS 60000              /* before a list that was refused is looked at again */
#define AHEAD_MS   INT64_C(172800000) /* a date so far in the future is a mistake: two days */

static void part_key(unsigned k, uint8_t key[4])
{
    put_be32(key, k);
}

/* ---- which one ---- */

static enum err may_import(const struct core *c, const struct desk_id *id, struct errmsg *msg)
{
    const struct policy *p = roster_policy(c->roster);
    const struct desk *d = roster_find(c->roster, id);

    if (!p)
        return err_set(msg, ERR_CONFIG, "this version cannot read the branch's policy");
    if (!d || d->state == DESK_REVOKED)
        return err_set(msg, ERR_DENIED, "a block list of a desk that left the branch");
    if (p->blocklist_by_lead && !(d->roles & (ROLE_LEAD | ROLE_ADMIN)))
        return err_why(msg, ERR_DENIED, "lead_desk", "",
                       "the branch's policy lets only a lead's or an admin's desk import a block "
                       "list ([blocklist] import = lead)");
    return ERR_OK;
}

/* What a revoked desk imported is older than anything. */
static bool is_newer(const struct core *c, const struct blocklist_head *h)
{
    const struct blocked_users *b = &c->blocked;
    const struct desk *d = roster_find(c->roster, &b->list.head.desk);

    if (memcmp(h->id, b->list.head.id, sizeof h->id) == 0)
        return false;
    return b->list.head.rows == 0 || !d || d->state == DESK_REVOKED ||
           blocklist_is_newer(h, &b->list.head);
}

/* ---- the disk ---- */

static enum err store_list(struct core *c, const struct blocklist *l, struct errmsg *msg)
{
    const struct disk *d = c->conf.disk;
    unsigned parts = blocklist_parts(&l->head), before = blocklist_parts(&c->blocked.list.head);
    uint8_t key[4];
    enum err e;

    part_key(0, key);
    e = d->put(d->ctx, TABLE_BLOCKLIST, key, sizeof key, l->bytes.p, l->bytes.len);
    for (unsigned k = 0; k < parts && e == ERR_OK; k++) {
        size_t n;
        const uint8_t *p = blocklist_part(l, k, &n);
        part_key(k + 1, key);
        e = d->put(d->ctx, TABLE_BLOCKLIST, key, sizeof key, p, n);
    }
    for (unsigned k = parts; k < before && e == ERR_OK; k++) {
        part_key(k + 1, key);
        if ((e = d->del(d->ctx, TABLE_BLOCKLIST, key, sizeof key)) == ERR_MISSING)
            e = ERR_OK;
    }
    return e == ERR_OK ? e : err_set(msg, e, "the block list cannot be stored");
}

static enum err open_head(const struct core *c, const uint8_t *p, size_t n,
                          struct blocklist_head *out, struct errmsg *msg)
{
    struct desk_id id;
    const struct desk *d;

    if (!blocklist_signer(p, n, &id))
        return err_set(msg, ERR_MALFORMED, "the head of a block list does not parse");
    if ((d = roster_find(c->roster, &id)) == NULL)
        return err_set(msg, ERR_MISSING, "a block list of a desk that is not on the roster");
    return blocklist_head_open(p, n, roster_branch(c->roster), d->sign_pk, out, msg);
}

/* What does not fit together is as if there were none: the other desks have it. */
void blocklist_load(struct core *c)
{
    const struct disk *d = c->conf.disk;
    struct blocklist l = { .head = { .rows = 0 } };
    struct buf part = { 0 };
    uint8_t key[4];
    bool good;

    part_key(0, key);
    good = d->get(d->ctx, TABLE_BLOCKLIST, key, sizeof key, &l.bytes) == ERR_OK &&
           open_head(c, l.bytes.p, l.bytes.len, &l.head, NULL) == ERR_OK;
    for (unsigned k = 0; good && k < blocklist_parts(&l.head); k++) {
        part_key(k + 1, key);
        good = d->get(d->ctx, TABLE_BLOCKLIST, key, sizeof key, &part) == ERR_OK;
        if (good)
            buf_add(&l.rows, part.p, part.len);
    }
    buf_wipe(&part);
    if (good && blocklist_rows_ok(&l.head, &l.rows))
        c->blocked.list = l;
    else
        blocklist_free(&l);
}

void blocked_free(struct blocked_users *b)
{
    blocklist_free(&b->list);
    blocklist_free(&b->coming);
    blocklist_draft_free(&b->draft);
}

/* Takes l over, which is in force from now on. */
static enum err adopt(struct core *c, struct blocklist *l, struct errmsg *msg)
{
    const struct desk *d = roster_find(c->roster, &l->head.desk);
    enum err e = store_list(c, l, msg);

    if (e != ERR_OK) {
        blocklist_free(l);
        return e;
    }
    blocklist_free(&c->blocked.list);
    c->blocked.list = *l;
    memset(l, 0, sizeof *l);
    effects_event(&c->fx, "a block list of %u users is in force, imported at %s",
                  c->blocked.list.head.rows, d ? d->name : "?");
    return ERR_OK;
}

/* ---- importing here ---- */

enum err core_blocklist_begin(struct core *c, const struct moment *now,
                              enum blocklist_format format, int64_t date_ms, struct errmsg *msg)
{
    enum err e = may_import(c, &c->conf.me->id, msg);

    if (e != ERR_OK)
        return e;
    if (date_ms <= 0 || date_ms > now->wall_ms + 60000)
        return err_why(msg, ERR_INVALID, "bad_date", "date",
                       "the list's date is not in the past by this PC's clock");
    blocklist_draft_free(&c->blocked.draft);
    c->blocked.draft.format = format;
    c->blocked.draft.date_ms = date_ms;
    c->conf.dice(c->conf.dice_ctx, c->blocked.draft.key, sizeof c->blocked.draft.key);
    return ERR_OK;
}

enum err core_blocklist_lines(struct core *c, const char *p, size_t n, struct errmsg *msg)
{
    if (c->blocked.draft.date_ms == 0)
        return err_why(msg, ERR_REFUSED, "not_begun", "", "no import was begun: begin anew");
    return blocklist_read(&c->blocked.draft, p, n, msg);
}

enum err core_blocklist_end(struct core *c, const struct moment *now, struct errmsg *msg)
{
    struct blocklist l;
    enum err e;

    if (c->blocked.draft.date_ms == 0)
        return err_why(msg, ERR_REFUSED, "not_begun", "", "no import was begun: begin anew");
    if ((e = may_import(c, &c->conf.me->id, msg)) != ERR_OK ||
        (e = blocklist_finish(&c->blocked.draft, roster_branch(c->roster), c->conf.me, now->wall_ms,
                              &l, msg)) != ERR_OK) {
        blocklist_draft_free(&c->blocked.draft);
        return e;
    }
    if (is_newer(c, &l.head))
        return adopt(c, &l, msg);
    blocklist_free(&l);
    return err_why(msg, ERR_REFUSED, "older_list", "date",
                   "the branch has a newer block list already");
}

/* ---- among the desks ---- */

void blocklist_put_version(const struct core *c, struct buf *b)
{
    const struct blocklist_head *h = &c->blocked.list.head;

    mp_put_i64(b, h->date_ms);
    mp_put_i64(b, h->imported_ms);
    mp_put_bin(b, h->id, sizeof h->id);
}

static void ask(struct core *c, struct peer *p, const uint8_t id[BLOCKLIST_ID], unsigned part)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_BLOCKLIST_ASK, 2);
    mp_put_bin(&b, id, BLOCKLIST_ID);
    mp_put_u64(&b, part);
    peer_send(c, p, &b);
    c->blocked.asked_ms = c->now_ms;
}

static unsigned next_part(const struct blocked_users *b)
{
    return (unsigned)(b->coming.rows.len / (BLOCKLIST_PART_ROWS * BLOCKLIST_ROW)) + 1;
}

/* Behind the known fields of a BEAT, if its desk has a list. */
void blocklist_hear_version(struct core *c, struct peer *p, struct mp *m)
{
    struct blocked_users *b = &c->blocked;
    struct blocklist_head h = { .rows = 0 };
    bool coming;

    h.date_ms = mp_get_i64(m);
    h.imported_ms = mp_get_i64(m);
    mp_get_raw(m, h.id, sizeof h.id);
    if (m->bad || sodium_is_zero(h.id, sizeof h.id) || !is_newer(c, &h))
        return;
    if (memcmp(b->refused, h.id, sizeof h.id) == 0 && c->now_ms < b->refused_ms + REFUSED_MS)
        return;
    coming = b->coming.head.rows > 0;
    if (coming && c->now_ms < b->asked_ms + STALL_MS)
        return; /* one at a time */
    if (coming && memcmp(b->coming.head.id, h.id, sizeof h.id) == 0) {
        ask(c, p, h.id, next_part(b));
        return;
    }
    blocklist_free(&b->coming);
    ask(c, p, h.id, 0);
}

void blocklist_on_ask(struct core *c, struct peer *p, struct mp *m)
{
    const struct blocklist *l = &c->blocked.list;
    uint8_t id[BLOCKLIST_ID];
    const uint8_t *bytes = l->bytes.p;
    size_t n = l->bytes.len;
    struct buf b = { 0 };
    uint64_t part;

    mp_get_raw(m, id, sizeof id);
    part = mp_get_u64(m);
    if (m->bad || l->head.rows == 0 || memcmp(id, l->head.id, sizeof id) != 0 ||
        part > blocklist_parts(&l->head))
        return;
    if (part > 0)
        bytes = blocklist_part(l, (unsigned)part - 1, &n);
    wire_begin(&b, WIRE_BLOCKLIST, 3);
    mp_put_bin(&b, id, sizeof id);
    mp_put_u64(&b, part);
    mp_put_bin(&b, bytes, n);
    peer_send(c, p, &b);
}

static void pass_over(struct core *c, const uint8_t id[BLOCKLIST_ID])
{
    memcpy(c->blocked.refused, id, BLOCKLIST_ID);
    c->blocked.refused_ms = c->now_ms;
    blocklist_free(&c->blocked.coming);
}

static void refuse(struct core *c, struct peer *p, const uint8_t id[BLOCKLIST_ID], const char *why)
{
    pass_over(c, id);
    peer_refuse(c, p, why);
}

/* Is it one for this desk, by what it knows now? The sender may know more. */
static bool suits(const struct core *c, const struct blocklist_head *h)
{
    return may_import(c, &h->desk, NULL) == ERR_OK && h->date_ms <= c->wall_ms + AHEAD_MS;
}

static void take_head(struct core *c, struct peer *p, const uint8_t id[BLOCKLIST_ID],
                      const uint8_t *bytes, size_t n)
{
    struct blocklist *l = &c->blocked.coming;
    struct errmsg msg = { .text = "" };
    struct blocklist_head h;
    enum err e = open_head(c, bytes, n, &h, &msg);

    if (e == ERR_MISSING || (e == ERR_OK && !suits(c, &h))) {
        pass_over(c, id);
        return;
    }
    if (e != ERR_OK || memcmp(h.id, id, sizeof h.id) != 0) {
        refuse(c, p, id, e != ERR_OK ? msg.text : "a block list of another name");
        return;
    }
    if (!is_newer(c, &h))
        return;
    blocklist_free(l);
    l->head = h;
    buf_add(&l->bytes, bytes, n);
    ask(c, p, id, 1);
}

static void take_rows(struct core *c, struct peer *p, const uint8_t *bytes, size_t n)
{
    struct blocklist *l = &c->blocked.coming;

    buf_add(&l->rows, bytes, n);
    if (l->rows.len < (size_t)l->head.rows * BLOCKLIST_ROW && !l->rows.failed) {
        ask(c, p, l->head.id, next_part(&c->blocked));
        return;
    }
    if (l->rows.failed || l->bytes.failed)
        blocklist_free(l); /* asked for anew, some beats later */
    else if (!blocklist_rows_ok(&l->head, &l->rows))
        refuse(c, p, l->head.id, "the rows of a block list are not those of its head");
    else if (is_newer(c, &l->head))
        adopt(c, l, NULL);
    else
        blocklist_free(l);
}

void blocklist_on_part(struct core *c, struct peer *p, struct mp *m)
{
    struct blocked_users *b = &c->blocked;
    uint8_t id[BLOCKLIST_ID];
    const uint8_t *bytes;
    uint64_t part;
    size_t n = 0, left;

    mp_get_raw(m, id, sizeof id);
    part = mp_get_u64(m);
    bytes = mp_get_bin(m, &n);
    if (m->bad)
        return;
    if (part == 0) {
        if (b->coming.head.rows == 0)
            take_head(c, p, id, bytes, n);
        return;
    }
    if (b->coming.head.rows == 0 || memcmp(id, b->coming.head.id, sizeof id) != 0 ||
        part != next_part(b))
        return; /* a repetition */
    left = (size_t)b->coming.head.rows * BLOCKLIST_ROW - b->coming.rows.len;
    if (n !=
        (left < BLOCKLIST_PART_ROWS * BLOCKLIST_ROW ? left : BLOCKLIST_PART_ROWS * BLOCKLIST_ROW)) {
        refuse(c, p, id, "a part of a block list of another length");
        return;
    }
    take_rows(c, p, bytes, n);
}

/* ---- at the desk ---- */

const struct blocklist_head *core_blocklist(const struct core *c)
{
    return c->blocked.list.head.rows > 0 ? &c->blocked.list.head : NULL;
}

enum blocked core_blocked(const struct core *c, const char *user)
{
    return blocklist_find(&c->blocked.list, user);
}

enum err blocklist_allows(const struct core *c, const struct record *r, int64_t now_ms,
                          struct errmsg *msg)
{
    const struct policy *p = roster_policy(c->roster);
    int64_t days = (now_ms - c->blocked.list.head.date_ms) / 86400000;
    enum blocked is;

    if ((r->kind != RECORD_CHECKOUT && r->kind != RECORD_RENEW) || (r->flags & RECORD_UNCHECKED))
        return ERR_OK;
    if ((is = core_blocked(c, r->user)) == BLOCKED_NOT)
        return ERR_OK;
    if ((r->flags & RECORD_OVERRIDE) && p->blocklist_override)
        return ERR_OK;
    return err_why(msg, ERR_REFUSED, "user_blocked", "user",
                   "%s, says the block list, which is %lld day%s old: %s", blocked_words(is),
                   (long long)(days > 0 ? days : 0), days == 1 ? "" : "s",
                   p->blocklist_override ? "no loan, unless a lead overrides it at a lead's desk"
                                         : "no loan until the library's system is back");
}
