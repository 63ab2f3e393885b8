/* leads.c - leads that work apart from each other: names, policies, a second lead key and its end.
 * Rows of verbs.c. With an odd number the second lead signs, once there is one. */
#include <stdio.h>

#include "deeds.h"

static const uint8_t *signer(const struct sim *s, int desk, uint64_t n)
{
    const struct roster *r = core_roster(s->desk[desk].core);

    return n % 2 == 1 && roster_is_lead(r, s->second.sign_pk) ? s->second.sign_sk : s->lead_sk;
}

static void sign(struct sim *s, int desk, struct buf *op, const char *what)
{
    struct moment now = sim_moment(s, desk);
    struct errmsg msg = { .text = "" };

    if (core_roster_add(s->desk[desk].core, &now, op->p, op->len, &msg) != ERR_OK)
        sim_fail(s, "roster", "%s: %s refused: %s", s->desk[desk].name, what, msg.text);
    else
        checks_commit(s, desk);
    sim_trace(s, desk, "a lead signs: %s", what);
    buf_free(op);
}

/* At the first desk's, the second gets a name and a role by the number. */
void deed_rename(struct sim *s, const struct args *a)
{
    const struct station *at = &s->desk[a->desk[0]];
    char name[DESK_NAME_MAX + 1];
    struct buf op = { 0 };

    if (at->revoked)
        return;
    snprintf(name, sizeof name, "NAME-%u", (unsigned)(a->num[0] % 8));
    op_set(core_roster(at->core), &s->desk[a->desk[1]].me.id, name,
           a->num[0] % 4 ? ROLE_DESK : ROLE_DESK | ROLE_LEAD, signer(s, a->desk[0], a->num[0]),
           &op);
    sign(s, a->desk[0], &op, "a name");
}

/* One more policy, told from the others by the number: merged and sent as before. */
void deed_policy(struct sim *s, const struct args *a)
{
    const struct station *at = &s->desk[a->desk[0]];
    struct buf op = { 0 }, text = { 0 };
    size_t n;
    const char *now;

    if (at->revoked)
        return;
    now = roster_policy_text(core_roster(at->core), &n);
    buf_add(&text, now, n);
    buf_printf(&text, "# %u\n", (unsigned)(a->num[0] % 8));
    op_policy(core_roster(at->core), (const char *)text.p, text.len,
              signer(s, a->desk[0], a->num[0]), &op);
    sign(s, a->desk[0], &op, "a policy");
    buf_free(&text);
}

/* With the root key: 0 makes the second lead's key, 1 ends it with what this desk knows. */
void deed_lead(struct sim *s, const struct args *a)
{
    const struct station *at = &s->desk[a->desk[0]];
    const struct roster *r = core_roster(at->core);
    struct buf op = { 0 };

    if (at->revoked || (a->num[0] % 2 == 1 && !roster_is_lead(r, s->second.sign_pk)))
        return;
    if (a->num[0] % 2 == 1)
        op_lead_drop(r, s->second.sign_pk, roster_tip(r), s->root_sk, &op);
    else
        op_lead(r, s->second.sign_pk, s->root_sk, &op);
    sign(s, a->desk[0], &op, a->num[0] % 2 ? "the end of a lead key" : "a lead key");
}
