/* test_roster.c - one set of operations is one roster, whoever told us first. */
#include "../branch.h"

#include <sodium.h>

/* Replays the first n operations into a fresh roster: a desk that knows only those. */
static struct roster *apart(const struct branch *b, unsigned n)
{
    struct roster *r = roster_new();
    bool fresh;

    for (unsigned i = 0; i < n; i++)
        assert_int_equal(roster_add(r, b->op[i].p, b->op[i].len, &fresh, NULL), ERR_OK);
    return r;
}

static const struct desk *named(const struct roster *r, const char *name)
{
    bool many;

    return roster_find_word(r, name, &many);
}

/* Adds what another roster made to the pool and to b->r. */
static void bring(struct branch *b, struct roster *maker, struct buf *op)
{
    bool fresh;

    if (maker != b->r)
        assert_int_equal(roster_add(maker, op->p, op->len, &fresh, NULL), ERR_OK);
    branch_put(b, op);
}

static void add_desk(struct branch *b, struct roster *maker, unsigned i, const char *name,
                     const struct ident *lead)
{
    struct buf op = { 0 };

    op_add(maker, &b->desk[i], name, ROLE_DESK, true, lead->sign_sk, &op);
    bring(b, maker, &op);
}

static void set_policy(struct branch *b, struct roster *maker, const char *extra,
                       const struct ident *lead)
{
    struct buf op = { 0 }, text = { 0 };

    branch_policy_text(extra, &text);
    op_policy(maker, (const char *)text.p, text.len, lead->sign_sk, &op);
    bring(b, maker, &op);
    buf_free(&text);
}

static void second_lead(struct branch *b)
{
    struct buf op = { 0 };

    op_lead(b->r, b->other_lead.sign_pk, b->root.sign_sk, &op);
    branch_put(b, &op);
}

/* An operation of any type and count, as a newer version or an attacker may make it. */
static void raw_op(const struct roster *r, const uint8_t *parent, uint64_t count, unsigned type,
                   const struct ident *signer, struct buf *out)
{
    struct buf inner = { 0 };
    uint8_t sig[SIG_BYTES];

    mp_put_array(&inner, 8);
    mp_put_u64(&inner, 1);
    mp_put_bin(&inner, roster_branch(r), BRANCH_ID_BYTES);
    mp_put_bin(&inner, parent, HASH_BYTES);
    mp_put_u64(&inner, count);
    mp_put_u64(&inner, type);
    mp_put_bin(&inner, signer->sign_pk, KEY_BYTES);
    mp_put_bin(&inner, "", 0);
    mp_put_bin(&inner, "body", 4);
    sign_bytes("tideover roster v1", inner.p, inner.len, signer->sign_sk, sig);
    mp_put_array(out, 2);
    mp_put_bin(out, inner.p, inner.len);
    mp_put_bin(out, sig, sizeof sig);
    buf_free(&inner);
}

static void assert_same(const struct roster *a, const struct roster *b)
{
    assert_memory_equal(roster_hash(a), roster_hash(b), HASH_BYTES);
    assert_memory_equal(roster_tip(a), roster_tip(b), HASH_BYTES);
    assert_memory_equal(roster_policy_hash(a), roster_policy_hash(b), HASH_BYTES);
    assert_int_equal(roster_conflicts(a, NULL, 0), roster_conflicts(b, NULL, 0));
    assert_int_equal(roster_desks(a), roster_desks(b));
    for (unsigned i = 0; i < roster_desks(a); i++) {
        const struct desk *x = roster_desk(a, i), *y = roster_desk(b, i);
        assert_true(desk_id_eq(&x->id, &y->id));
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->joined, y->joined);
        assert_int_equal(x->roles, y->roles);
        assert_int_equal(x->seat, y->seat);
        assert_int_equal(x->state, y->state);
        assert_int_equal(x->n_trusted, y->n_trusted);
        for (unsigned k = 0; k < x->n_trusted; k++)
            assert_int_equal(x->trusted[k].seq, y->trusted[k].seq);
    }
}

static unsigned dice(unsigned below)
{
    static uint32_t s = 1;

    s = s * 1664525 + 1013904223;
    return (s >> 8) % below;
}

/* Every operation in random order, what lacks its parent again and again, as the wire would. */
static void assert_order_is_nothing(const struct branch *b, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        struct roster *r = roster_new();
        unsigned order[BRANCH_OPS], done = 1;
        bool in[BRANCH_OPS] = { true }, fresh;
        assert_int_equal(roster_add(r, b->op[0].p, b->op[0].len, &fresh, NULL), ERR_OK);
        for (unsigned i = 0; i < b->n_ops; i++)
            order[i] = i;
        for (unsigned i = b->n_ops - 1; i > 1; i--) {
            unsigned k = 1 + dice(i), t = order[i];
            order[i] = order[k];
            order[k] = t;
        }
        for (unsigned pass = 0; pass < b->n_ops && done < b->n_ops; pass++)
            for (unsigned i = 1; i < b->n_ops; i++) {
                const struct buf *op = &b->op[order[i]];
                if (in[order[i]] || roster_add(r, op->p, op->len, &fresh, NULL) != ERR_OK)
                    continue;
                in[order[i]] = true;
                done++;
            }
        assert_int_equal(done, b->n_ops);
        assert_same(r, b->r);
        roster_free(r);
    }
}

static void founding_gives_branch_lead_desks_and_policy(void **state)
{
    struct branch b;
    uint8_t id[BRANCH_ID_BYTES];

    (void)state;
    branch_new(&b, 3, 3);
    branch_id_of(b.root.sign_pk, id);
    assert_memory_equal(roster_branch(b.r), id, sizeof id);
    assert_memory_equal(roster_root(b.r), b.root.sign_pk, KEY_BYTES);
    assert_string_equal(roster_code(b.r), "MAIN");
    assert_true(roster_is_lead(b.r, b.lead.sign_pk));
    assert_false(roster_is_lead(b.r, b.root.sign_pk));
    assert_int_equal(roster_active(b.r), 3);
    assert_string_equal(roster_desk(b.r, 0)->name, "DESK-1");
    assert_non_null(roster_find_curve(b.r, b.desk[2].curve_pk));
    assert_null(roster_find(b.r, &b.desk[3].id));
    assert_non_null(roster_policy(b.r));
    assert_int_equal(roster_policy(b.r)->quiet_ms, 2000);
    assert_int_equal(roster_conflicts(b.r, NULL, 0), 0);
    branch_free(&b);
}

static void known_operation_is_welcome_and_not_fresh(void **state)
{
    struct branch b;
    bool fresh = true;

    (void)state;
    branch_new(&b, 2, 1);
    assert_int_equal(roster_add(b.r, b.op[1].p, b.op[1].len, &fresh, NULL), ERR_OK);
    assert_false(fresh);
    assert_int_equal(roster_ops(b.r), b.n_ops);
    branch_free(&b);
}

static void two_leads_apart_both_add_and_the_longer_branch_sets_the_policy(void **state)
{
    struct branch b;
    struct roster *other;
    unsigned fork;

    (void)state;
    branch_new(&b, 2, 2);
    second_lead(&b);
    fork = b.n_ops;
    other = apart(&b, fork);
    add_desk(&b, b.r, 2, "DESK-3", &b.lead);
    set_policy(&b, b.r, "[merge]\ndouble_scan = 7s\n", &b.lead);
    add_desk(&b, other, 3, "DESK-4", &b.other_lead);
    set_policy(&b, other, "[merge]\ndouble_scan = 8s\n", &b.other_lead);
    add_desk(&b, other, 4, "DESK-5", &b.other_lead); /* the other branch is longer now */
    assert_int_equal(roster_active(b.r), 5);
    assert_int_equal(roster_policy(b.r)->double_scan_ms, 8000);
    assert_int_equal(roster_conflicts(b.r, NULL, 0), 1);
    assert_order_is_nothing(&b, 60);
    roster_free(other);
    branch_free(&b);
}

static void of_equal_branches_the_smaller_hash_sets_the_policy(void **state)
{
    struct branch b;
    struct roster *other, *fresh;
    const uint8_t *one, *two;
    uint8_t mine[HASH_BYTES], lost[HASH_BYTES];
    unsigned fork;

    (void)state;
    branch_new(&b, 2, 2);
    second_lead(&b);
    fork = b.n_ops;
    other = apart(&b, fork);
    set_policy(&b, b.r, "[merge]\ndouble_scan = 7s\n", &b.lead);
    memcpy(mine, roster_policy_hash(b.r), HASH_BYTES);
    set_policy(&b, other, "[merge]\ndouble_scan = 8s\n", &b.other_lead);
    memcpy(lost,
           memcmp(mine, roster_policy_hash(b.r), HASH_BYTES) == 0 ? roster_policy_hash(other)
                                                                  : mine,
           HASH_BYTES);
    one = roster_op_hash(b.r, fork);
    two = roster_op_hash(b.r, fork + 1);
    assert_int_equal(roster_policy(b.r)->double_scan_ms,
                     memcmp(one, two, HASH_BYTES) < 0 ? 7000 : 8000);
    fresh = apart(&b, b.n_ops); /* a desk that never worked under either */
    assert_non_null(roster_policy_by_hash(fresh, lost));
    assert_memory_not_equal(lost, roster_policy_hash(fresh), HASH_BYTES);
    roster_free(fresh);
    assert_order_is_nothing(&b, 40);
    roster_free(other);
    branch_free(&b);
}

static void earlier_policy_is_found_by_its_hash(void **state)
{
    struct branch b;
    uint8_t first[HASH_BYTES];

    (void)state;
    branch_new(&b, 1, 1);
    memcpy(first, roster_policy_hash(b.r), sizeof first);
    set_policy(&b, b.r, "[merge]\ndouble_scan = 7s\n", &b.lead);
    assert_memory_not_equal(first, roster_policy_hash(b.r), sizeof first);
    assert_int_equal(roster_policy_by_hash(b.r, first)->double_scan_ms, 5000);
    set_policy(&b, b.r, "", &b.lead); /* back to the first text: the same policy */
    assert_memory_equal(first, roster_policy_hash(b.r), sizeof first);
    branch_free(&b);
}

static void policy_that_cannot_be_read_is_in_force_and_unknown(void **state)
{
    struct branch b;
    struct buf op = { 0 };

    (void)state;
    branch_new(&b, 1, 1);
    op_policy(b.r, "[future]\nx = 1\n", 15, b.lead.sign_sk, &op);
    branch_put(&b, &op);
    assert_null(roster_policy(b.r));
    assert_null(roster_policy_by_hash(b.r, roster_policy_hash(b.r)));
    branch_free(&b);
}

static void revoked_desk_is_trusted_as_far_as_named(void **state)
{
    struct branch b;
    struct buf op = { 0 };
    struct trusted t = { "feed-one", 42 };
    struct feed_id named, unnamed;

    (void)state;
    branch_new(&b, 3, 3);
    named.desk = unnamed.desk = b.desk[1].id;
    memcpy(named.name, "feed-one", FEED_NAME_BYTES);
    memcpy(unnamed.name, "feed-two", FEED_NAME_BYTES);
    assert_true(roster_trusted_to(b.r, &named) == UINT64_MAX);
    op_revoke(b.r, &b.desk[1].id, &t, 1, "stolen", b.lead.sign_sk, &op);
    branch_put(&b, &op);
    t.seq = 100;
    op_revoke(b.r, &b.desk[1].id, &t, 1, "again", b.lead.sign_sk, &op);
    branch_put(&b, &op); /* the first stands: a second cannot trust it further */
    assert_int_equal(roster_find(b.r, &b.desk[1].id)->state, DESK_REVOKED);
    assert_int_equal(roster_trusted_to(b.r, &named), 42);
    assert_int_equal(roster_trusted_to(b.r, &unnamed), 0);
    assert_int_equal(roster_active(b.r), 2);
    assert_order_is_nothing(&b, 40);
    branch_free(&b);
}

/* What it signed behind its operation `last` has no effect. */
static void drop_other_lead(struct branch *b, const uint8_t last[HASH_BYTES])
{
    struct buf op = { 0 };

    op_lead_drop(b->r, b->other_lead.sign_pk, last, b->root.sign_sk, &op);
    branch_put(b, &op);
}

static void dropped_lead_keeps_what_he_did_before(void **state)
{
    struct branch b;
    struct roster *his;
    uint8_t last[HASH_BYTES];

    (void)state;
    branch_new(&b, 1, 1);
    second_lead(&b);
    add_desk(&b, b.r, 1, "GOOD", &b.other_lead);
    memcpy(last, roster_tip(b.r), sizeof last);
    his = apart(&b, b.n_ops);
    drop_other_lead(&b, last);
    add_desk(&b, his, 2, "BAD", &b.other_lead); /* kept in the tree, without effect */
    set_policy(&b, his, "[merge]\ndouble_scan = 9s\n", &b.other_lead);
    assert_false(roster_is_lead(b.r, b.other_lead.sign_pk));
    assert_non_null(named(b.r, "GOOD"));
    assert_null(named(b.r, "BAD"));
    assert_int_equal(roster_policy(b.r)->double_scan_ms, 5000);
    assert_order_is_nothing(&b, 60);
    roster_free(his);
    branch_free(&b);
}

static void two_ends_of_one_lead_mean_the_same_everywhere(void **state)
{
    struct branch b;
    struct roster *other;
    struct buf op = { 0 };
    uint8_t early[HASH_BYTES], late[HASH_BYTES];

    (void)state;
    branch_new(&b, 1, 1);
    second_lead(&b);
    memcpy(early, roster_tip(b.r), sizeof early);
    add_desk(&b, b.r, 1, "DESK-2", &b.other_lead);
    memcpy(late, roster_tip(b.r), sizeof late);
    other = apart(&b, b.n_ops);
    op_lead_drop(b.r, b.other_lead.sign_pk, early, b.root.sign_sk, &op);
    branch_put(&b, &op);
    op_lead_drop(other, b.other_lead.sign_pk, late, b.root.sign_sk, &op);
    bring(&b, other, &op);
    assert_order_is_nothing(&b, 60);
    roster_free(other);
    branch_free(&b);
}

static void set_desk(struct branch *b, struct roster *maker, unsigned i, const char *name,
                     unsigned roles, const struct ident *lead)
{
    struct buf op = { 0 };

    op_set(maker, &b->desk[i].id, name, roles, lead->sign_sk, &op);
    bring(b, maker, &op);
}

static void what_a_dropped_lead_signs_afterwards_has_no_weight(void **state)
{
    struct branch b;
    struct roster *his;
    uint8_t last[HASH_BYTES];

    (void)state;
    branch_new(&b, 2, 2);
    second_lead(&b);
    memcpy(last, roster_tip(b.r), sizeof last);
    his = apart(&b, b.n_ops);
    drop_other_lead(&b, last);
    set_policy(&b, b.r, "[merge]\ndouble_scan = 7s\n", &b.lead);
    for (unsigned i = 0; i < 9; i++) /* the thief's branch is much longer */
        set_policy(&b, his, "[merge]\ndouble_scan = 9s\n", &b.other_lead);
    assert_int_equal(roster_policy(b.r)->double_scan_ms, 7000);
    assert_int_equal(roster_conflicts(b.r, NULL, 0), 0);
    assert_order_is_nothing(&b, 60);
    roster_free(his);
    branch_free(&b);
}

static void renamed_desk_keeps_the_name_it_joined_with(void **state)
{
    struct branch b;
    bool many;

    (void)state;
    branch_new(&b, 2, 2);
    set_desk(&b, b.r, 1, "CHILDREN", ROLE_DESK | ROLE_LEAD, &b.lead);
    assert_string_equal(roster_find(b.r, &b.desk[1].id)->name, "CHILDREN");
    assert_string_equal(roster_find(b.r, &b.desk[1].id)->joined, "DESK-2");
    assert_int_equal(roster_find(b.r, &b.desk[1].id)->roles, ROLE_DESK | ROLE_LEAD);
    assert_true(roster_name_taken(b.r, "CHILDREN", NULL));
    assert_true(roster_name_taken(b.r, "DESK-2", NULL));
    assert_false(roster_name_taken(b.r, "DESK-2", &b.desk[1].id));
    assert_null(roster_find_word(b.r, "DESK-2", &many));
    set_desk(&b, b.r, 1, "no blanks", ROLE_DESK, &b.lead); /* no name: nothing of it applies */
    assert_string_equal(roster_find(b.r, &b.desk[1].id)->name, "CHILDREN");
    branch_free(&b);
}

static void two_leads_apart_leave_a_name_to_a_person(void **state)
{
    struct branch b;
    struct roster *other;
    struct roster_conflict c[2];

    (void)state;
    branch_new(&b, 3, 3);
    second_lead(&b);
    other = apart(&b, b.n_ops);
    set_desk(&b, b.r, 0, "ONE", ROLE_DESK, &b.lead);
    set_desk(&b, b.r, 1, "SAME", ROLE_DESK, &b.lead);
    set_desk(&b, b.r, 2, "X", ROLE_DESK, &b.lead);
    set_desk(&b, other, 1, "SAME", ROLE_DESK, &b.other_lead); /* both said so: no conflict */
    set_desk(&b, other, 0, "TWO", ROLE_DESK | ROLE_LEAD, &b.other_lead);
    assert_string_equal(roster_find(b.r, &b.desk[0].id)->name, "ONE");
    assert_int_equal(roster_conflicts(b.r, c, 2), 1);
    assert_int_equal(c[0].type, OP_SET);
    assert_true(desk_id_eq(&c[0].desk, &b.desk[0].id));
    assert_string_equal(c[0].name, "TWO");
    assert_int_equal(c[0].roles, ROLE_DESK | ROLE_LEAD);
    set_desk(&b, b.r, 2, "Y", ROLE_DESK, &b.lead); /* about another desk: settles nothing */
    assert_int_equal(roster_conflicts(b.r, NULL, 0), 1);
    set_desk(&b, b.r, 0, "TWO", ROLE_DESK, &b.lead);
    assert_int_equal(roster_conflicts(b.r, NULL, 0), 0);
    assert_order_is_nothing(&b, 60);
    roster_free(other);
    branch_free(&b);
}

static void two_desks_of_one_name_are_a_conflict_until_one_is_renamed(void **state)
{
    struct branch b;
    struct roster *other;
    struct roster_conflict c[1];
    char brief[8];
    bool many;

    (void)state;
    branch_new(&b, 1, 1);
    second_lead(&b);
    other = apart(&b, b.n_ops);
    add_desk(&b, b.r, 1, "KIDS", &b.lead);
    add_desk(&b, other, 2, "KIDS", &b.other_lead);
    assert_int_equal(roster_conflicts(b.r, c, 1), 1);
    assert_int_equal(c[0].type, OP_ADD);
    assert_string_equal(c[0].name, "KIDS");
    assert_null(roster_find_word(b.r, "KIDS", &many));
    assert_true(many);
    desk_id_short(&c[0].desk, brief);
    assert_true(desk_id_eq(&roster_find_word(b.r, brief, &many)->id, &c[0].desk));
    for (unsigned i = 1; i <= 2; i++)
        if (desk_id_eq(&b.desk[i].id, &c[0].desk))
            set_desk(&b, b.r, i, "KIDS-2", ROLE_DESK, &b.lead);
    assert_int_equal(roster_conflicts(b.r, NULL, 0), 0);
    assert_order_is_nothing(&b, 40);
    roster_free(other);
    branch_free(&b);
}

static void retired_desk_leaves_and_all_it_wrote_counts(void **state)
{
    struct branch b;
    struct roster *other;
    struct buf op = { 0 };
    struct feed_id feed = { .name = "feed-one" };

    (void)state;
    branch_new(&b, 3, 3);
    second_lead(&b);
    other = apart(&b, b.n_ops);
    op_retire(other, &b.desk[1].id, b.other_lead.sign_sk, &op);
    bring(&b, other, &op);
    set_policy(&b, b.r, "", &b.lead);
    set_policy(&b, b.r, "", &b.lead); /* the retirement is on the branch that loses, and applies */
    feed.desk = b.desk[1].id;
    assert_int_equal(roster_find(b.r, &b.desk[1].id)->state, DESK_RETIRED);
    assert_int_equal(roster_active(b.r), 2);
    assert_true(roster_trusted_to(b.r, &feed) == UINT64_MAX);
    op_revoke(b.r, &b.desk[1].id, NULL, 0, "", b.lead.sign_sk, &op);
    branch_put(&b, &op); /* a retired PC that was stolen afterwards */
    assert_int_equal(roster_find(b.r, &b.desk[1].id)->state, DESK_REVOKED);
    assert_order_is_nothing(&b, 40);
    roster_free(other);
    branch_free(&b);
}

static void assert_key(const struct branch *b, const struct ident *lead, uint8_t fill)
{
    uint8_t pk[KEY_BYTES], hash[HASH_BYTES], want[HASH_BYTES];

    memset(want, fill, sizeof want);
    assert_true(roster_key(b->r, pk, hash));
    assert_memory_equal(pk, lead->sign_pk, KEY_BYTES);
    assert_memory_equal(hash, want, HASH_BYTES);
}

static void name_key(struct branch *b, struct roster *maker, const struct ident *lead,
                     const struct ident *signer, uint8_t fill)
{
    struct buf op = { 0 };
    uint8_t hash[HASH_BYTES];

    memset(hash, fill, sizeof hash);
    op_key(maker, lead->sign_pk, hash, signer->sign_sk, &op);
    bring(b, maker, &op);
}

static void sealed_lead_key_in_use_is_the_last_one_of_a_lead_that_stands(void **state)
{
    struct branch b;
    uint8_t pk[KEY_BYTES], hash[HASH_BYTES], last[HASH_BYTES];

    (void)state;
    branch_new(&b, 1, 1);
    assert_false(roster_key(b.r, pk, hash));
    name_key(&b, b.r, &b.lead, &b.lead, 1);
    name_key(&b, b.r, &b.lead, &b.lead, 2);
    assert_key(&b, &b.lead, 2);
    name_key(&b, b.r, &b.desk[0], &b.lead, 3); /* no lead's key */
    assert_key(&b, &b.lead, 2);
    memcpy(last, roster_tip(b.r), sizeof last);
    second_lead(&b);
    name_key(&b, b.r, &b.other_lead, &b.root, 4);
    assert_key(&b, &b.other_lead, 4);
    drop_other_lead(&b, last);
    assert_key(&b, &b.lead, 2); /* the last one that stands */
    assert_order_is_nothing(&b, 40);
    branch_free(&b);
}

static void leads_are_listed_with_what_they_signed(void **state)
{
    struct branch b;
    struct roster *his;
    struct roster_lead l;
    uint8_t last[HASH_BYTES];

    (void)state;
    branch_new(&b, 1, 1);
    second_lead(&b);
    add_desk(&b, b.r, 1, "GOOD", &b.other_lead);
    memcpy(last, roster_tip(b.r), sizeof last);
    his = apart(&b, b.n_ops);
    drop_other_lead(&b, last);
    add_desk(&b, his, 2, "BAD", &b.other_lead);
    assert_int_equal(roster_leads(b.r), 2);
    roster_lead(b.r, 0, &l);
    assert_memory_equal(l.pk, b.lead.sign_pk, KEY_BYTES);
    assert_false(l.dropped);
    assert_int_equal(l.signed_ops, 2);
    assert_int_equal(l.void_ops, 0);
    roster_lead(b.r, 1, &l);
    assert_true(l.dropped);
    assert_memory_equal(l.last, last, HASH_BYTES);
    assert_int_equal(l.signed_ops, 2);
    assert_int_equal(l.void_ops, 1);
    roster_free(his);
    branch_free(&b);
}

static void invite(const struct roster *r, const struct ident *lead, const struct ident *key,
                   struct buf *power)
{
    struct invite_power p = { .roles = ROLE_DESK, .seat = true, .expires_ms = 1 };

    memcpy(p.invite_pk, key->sign_pk, KEY_BYTES);
    snprintf(p.name, sizeof p.name, "GUEST");
    invite_power_sign(r, &p, lead->sign_sk, power);
}

static void invite_adds_one_desk_under_its_name(void **state)
{
    struct branch b;
    struct ident key;
    struct buf power = { 0 }, op = { 0 };

    (void)state;
    branch_new(&b, 1, 1);
    branch_ident(50, &key);
    invite(b.r, &b.lead, &key, &power);
    op_add_invited(b.r, b.desk[1].sign_pk, b.desk[1].curve_pk, power.p, power.len, key.sign_sk,
                   &op);
    branch_put(&b, &op);
    assert_true(desk_id_eq(&named(b.r, "GUEST")->id, &b.desk[1].id));
    assert_true(named(b.r, "GUEST")->seat);
    buf_free(&power);
    branch_free(&b);
}

static void invite_used_twice_adds_the_same_one_everywhere(void **state)
{
    struct branch b;
    struct roster *other;
    struct ident key;
    struct buf power = { 0 }, op = { 0 };

    (void)state;
    branch_new(&b, 1, 1);
    branch_ident(50, &key);
    invite(b.r, &b.lead, &key, &power);
    other = apart(&b, b.n_ops);
    op_add_invited(b.r, b.desk[1].sign_pk, b.desk[1].curve_pk, power.p, power.len, key.sign_sk,
                   &op);
    branch_put(&b, &op);
    op_add_invited(other, b.desk[2].sign_pk, b.desk[2].curve_pk, power.p, power.len, key.sign_sk,
                   &op);
    bring(&b, other, &op);
    assert_int_equal(roster_active(b.r), 2);
    assert_order_is_nothing(&b, 40);
    roster_free(other);
    buf_free(&power);
    branch_free(&b);
}

static void invite_of_a_lead_who_is_dropped_meanwhile_does_not_split_the_roster(void **state)
{
    struct branch b;
    struct roster *his;
    struct ident key;
    struct buf power = { 0 }, op = { 0 };
    uint8_t last[HASH_BYTES];

    (void)state;
    branch_new(&b, 1, 1);
    second_lead(&b);
    memcpy(last, roster_tip(b.r), sizeof last);
    branch_ident(50, &key);
    invite(b.r, &b.other_lead, &key, &power);
    his = apart(&b, b.n_ops);
    drop_other_lead(&b, last);
    op_add_invited(his, b.desk[1].sign_pk, b.desk[1].curve_pk, power.p, power.len, key.sign_sk,
                   &op);
    bring(&b, his, &op);
    add_desk(&b, his, 2, "DESK-3", &b.lead); /* built upon it, in good faith */
    assert_non_null(named(b.r, "DESK-3"));
    assert_order_is_nothing(&b, 40);
    roster_free(his);
    buf_free(&power);
    branch_free(&b);
}

static void assert_refused(struct branch *b, struct buf *op, enum err why)
{
    bool fresh = true;

    assert_int_equal(roster_add(b->r, op->p, op->len, &fresh, NULL), why);
    assert_false(fresh);
    assert_int_equal(roster_ops(b->r), b->n_ops);
    buf_free(op);
}

static void invite_signed_by_nobody_or_for_another_key_is_refused(void **state)
{
    struct branch b;
    struct ident key, thief;
    struct buf power = { 0 }, op = { 0 };

    (void)state;
    branch_new(&b, 1, 1);
    branch_ident(50, &key);
    branch_ident(51, &thief);
    invite(b.r, &thief, &key, &power);
    op_add_invited(b.r, b.desk[1].sign_pk, b.desk[1].curve_pk, power.p, power.len, key.sign_sk,
                   &op);
    assert_refused(&b, &op, ERR_DENIED);
    buf_reset(&power);
    invite(b.r, &b.lead, &key, &power);
    op_add_invited(b.r, b.desk[1].sign_pk, b.desk[1].curve_pk, power.p, power.len, thief.sign_sk,
                   &op);
    assert_refused(&b, &op, ERR_DENIED);
    buf_free(&power);
    branch_free(&b);
}

static void strangers_and_desks_sign_nothing(void **state)
{
    struct branch b;
    struct buf op = { 0 };

    (void)state;
    branch_new(&b, 2, 2);
    op_add(b.r, &b.desk[3], "X", ROLE_DESK, true, b.desk[0].sign_sk, &op);
    assert_refused(&b, &op, ERR_DENIED);
    op_revoke(b.r, &b.desk[1].id, NULL, 0, "", b.other_lead.sign_sk, &op);
    assert_refused(&b, &op, ERR_DENIED);
    op_lead(b.r, b.other_lead.sign_pk, b.lead.sign_sk, &op); /* only the root makes leads */
    assert_refused(&b, &op, ERR_DENIED);
    op_lead_drop(b.r, b.lead.sign_pk, roster_tip(b.r), b.lead.sign_sk, &op);
    assert_refused(&b, &op, ERR_DENIED);
    op_found(b.root.sign_sk, b.other_lead.sign_pk, "MAIN", 1, &op);
    assert_refused(&b, &op, ERR_DENIED);
    op_found(b.other_lead.sign_sk, b.other_lead.sign_pk, "MAIN", 1, &op);
    assert_refused(&b, &op, ERR_DENIED);
    branch_free(&b);
}

static void operation_without_its_parent_waits(void **state)
{
    struct branch b;
    struct roster *r = roster_new();
    bool fresh;

    (void)state;
    branch_new(&b, 2, 2);
    assert_int_equal(roster_add(r, b.op[1].p, b.op[1].len, &fresh, NULL), ERR_DENIED);
    assert_int_equal(roster_add(r, b.op[0].p, b.op[0].len, &fresh, NULL), ERR_OK);
    assert_int_equal(roster_add(r, b.op[2].p, b.op[2].len, &fresh, NULL), ERR_MISSING);
    assert_int_equal(roster_ops(r), 1);
    roster_free(r);
    branch_free(&b);
}

static void operation_with_a_wrong_count_is_refused(void **state)
{
    struct branch b;
    struct buf op = { 0 };

    (void)state;
    branch_new(&b, 1, 1);
    raw_op(b.r, roster_tip(b.r), 1000, OP_POLICY, &b.lead, &op);
    assert_refused(&b, &op, ERR_MALFORMED);
    branch_free(&b);
}

static void operation_of_a_newer_version_is_kept(void **state)
{
    struct branch b;
    struct buf op = { 0 };

    (void)state;
    branch_new(&b, 2, 2);
    raw_op(b.r, roster_tip(b.r), roster_ops(b.r) + 1, 77, &b.lead, &op);
    branch_put(&b, &op);
    assert_int_equal(roster_active(b.r), 2);
    add_desk(&b, b.r, 2, "DESK-3", &b.lead);
    assert_int_equal(roster_active(b.r), 3);
    branch_free(&b);
}

static void changed_bytes_are_refused_wherever_they_are(void **state)
{
    struct branch b;
    struct buf op = { 0 };
    bool fresh;

    (void)state;
    branch_new(&b, 1, 1);
    op_add(b.r, &b.desk[1], "DESK-2", ROLE_DESK, true, b.lead.sign_sk, &op);
    for (size_t i = 0; i < op.len; i++) {
        op.p[i] ^= 0x10;
        assert_int_not_equal(roster_add(b.r, op.p, op.len, &fresh, NULL), ERR_OK);
        assert_false(fresh);
        op.p[i] ^= 0x10;
    }
    assert_int_equal(roster_desks(b.r), 1);
    branch_put(&b, &op);
    branch_free(&b);
}

static void cut_off_operation_is_refused_at_every_byte(void **state)
{
    struct branch b;
    bool fresh;

    (void)state;
    branch_new(&b, 2, 2);
    for (unsigned k = 0; k < b.n_ops; k++) {
        struct roster *r = apart(&b, k);
        for (size_t n = 0; n < b.op[k].len; n++) {
            uint8_t *exact = malloc(n ? n : 1); /* so that a byte read too far is seen */
            memcpy(exact, b.op[k].p, n);
            assert_int_equal(roster_add(r, exact, n, &fresh, NULL), ERR_MALFORMED);
            free(exact);
        }
        roster_free(r);
    }
    branch_free(&b);
}

static unsigned wanted(unsigned desks, unsigned named, unsigned now)
{
    struct branch b;
    struct desk_id have[SEATS_MAX], out[SEATS_MAX];
    unsigned n;

    branch_new(&b, desks, named);
    for (unsigned i = 0; i < now; i++)
        have[i] = roster_desk(b.r, i)->id;
    n = roster_seats_wanted(b.r, have, now, out);
    for (unsigned i = 0; i < n; i++)
        assert_true(desk_id_eq(&out[i], &roster_desk(b.r, i)->id));
    branch_free(&b);
    return n;
}

static void seats_are_one_three_or_five_of_the_named(void **state)
{
    (void)state;
    assert_int_equal(wanted(1, 1, 1), 1);
    assert_int_equal(wanted(2, 2, 1), 1);
    assert_int_equal(wanted(3, 3, 1), 3);
    assert_int_equal(wanted(3, 2, 1), 1);
    assert_int_equal(wanted(4, 4, 1), 3);
    assert_int_equal(wanted(5, 5, 1), 5);
    assert_int_equal(wanted(5, 4, 1), 3);
    assert_int_equal(wanted(5, 4, 3), 3);
    assert_int_equal(wanted(8, 8, 3), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(founding_gives_branch_lead_desks_and_policy),
        cmocka_unit_test(known_operation_is_welcome_and_not_fresh),
        cmocka_unit_test(two_leads_apart_both_add_and_the_longer_branch_sets_the_policy),
        cmocka_unit_test(of_equal_branches_the_smaller_hash_sets_the_policy),
        cmocka_unit_test(earlier_policy_is_found_by_its_hash),
        cmocka_unit_test(policy_that_cannot_be_read_is_in_force_and_unknown),
        cmocka_unit_test(revoked_desk_is_trusted_as_far_as_named),
        cmocka_unit_test(dropped_lead_keeps_what_he_did_before),
        cmocka_unit_test(two_ends_of_one_lead_mean_the_same_everywhere),
        cmocka_unit_test(what_a_dropped_lead_signs_afterwards_has_no_weight),
        cmocka_unit_test(renamed_desk_keeps_the_name_it_joined_with),
        cmocka_unit_test(two_leads_apart_leave_a_name_to_a_person),
        cmocka_unit_test(two_desks_of_one_name_are_a_conflict_until_one_is_renamed),
        cmocka_unit_test(retired_desk_leaves_and_all_it_wrote_counts),
        cmocka_unit_test(sealed_lead_key_in_use_is_the_last_one_of_a_lead_that_stands),
        cmocka_unit_test(leads_are_listed_with_what_they_signed),
        cmocka_unit_test(invite_adds_one_desk_under_its_name),
        cmocka_unit_test(invite_used_twice_adds_the_same_one_everywhere),
        cmocka_unit_test(invite_of_a_lead_who_is_dropped_meanwhile_does_not_split_the_roster),
        cmocka_unit_test(invite_signed_by_nobody_or_for_another_key_is_refused),
        cmocka_unit_test(strangers_and_desks_sign_nothing),
        cmocka_unit_test(operation_without_its_parent_waits),
        cmocka_unit_test(operation_with_a_wrong_count_is_refused),
        cmocka_unit_test(operation_of_a_newer_version_is_kept),
        cmocka_unit_test(changed_bytes_are_refused_wherever_they_are),
        cmocka_unit_test(cut_off_operation_is_refused_at_every_byte),
        cmocka_unit_test(seats_are_one_three_or_five_of_the_named),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
