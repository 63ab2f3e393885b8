/* fuzz_signed.c - what leads and desks sign on its own: words, overrides, decisions, the progress
 * of a delivery, and proofs of forks. The harness signs the inner part again, as a malicious lead
 * could.
 *
 * Input: one byte (which), then the bytes, whole or the inner part alone. */
#include "../branch.h"

#include "fuzz.h"

#include "delivery.h"
#include "fork.h"
#include "override.h"
#include "word.h"

enum { WORD, OVERRIDE, DECISION, PROGRESS, FORK, KINDS };

static struct branch *branch(void)
{
    static struct branch b;

    if (b.r == NULL)
        branch_new(&b, 3, 3);
    return &b;
}

static void look_at_word(const uint8_t *p, size_t n)
{
    struct word_walk walk;
    struct word_ref ref;
    struct word w;
    unsigned refs = 0;

    if (word_open(p, n, roster_branch(branch()->r), &w, NULL) != ERR_OK)
        return;
    must_hold(w.n_refs <= WORD_REFS_MAX);
    walk = word_refs(&w);
    while (word_ref_next(&walk, &ref))
        refs++;
    must_hold(refs == w.n_refs);
}

static void look_at_override(const uint8_t *p, size_t n)
{
    struct override *o = calloc(1, sizeof *o);

    must_hold(o != NULL);
    if (override_open(p, n, roster_branch(branch()->r), o, NULL) == ERR_OK) {
        must_hold(o->n_seats % 2 == 1 && o->n_seats <= SEATS_MAX);
        must_hold(o->n_missing <= ROSTER_DESKS_MAX && text_is_clean(o->reason));
        must_hold(epoch_eq(&o->epoch, &o->epoch) && !epoch_wins(&o->epoch, &o->epoch));
    }
    free(o);
}

static void look_at_progress(const uint8_t *p, size_t n)
{
    struct progress *x = calloc(2, sizeof *x);
    struct buf out = { 0 };

    must_hold(x != NULL);
    if (progress_decode(p, n, &x[0]) == ERR_OK) {
        must_hold(x[0].n_decisions <= PROGRESS_DECISIONS_MAX);
        progress_encode(&x[0], &out);
        must_hold(out.len <= PROGRESS_BYTES_MAX);
        must_hold(progress_decode(out.p, out.len, &x[1]) == ERR_OK);
        must_hold(x[0].step == x[1].step && x[0].done == x[1].done);
    }
    buf_free(&out);
    free(x);
}

static void look_at_fork(const uint8_t *p, size_t n)
{
    const struct branch *b = branch();
    struct buf out = { 0 };
    struct fork f;

    if (fork_decode(p, n, &f, NULL) != ERR_OK)
        return;
    if (fork_check(&f, roster_branch(b->r), b->desk[0].sign_pk, NULL) == ERR_OK)
        must_hold(f.at < block_last(&f.run[0].block) && f.at < block_last(&f.run[1].block));
    fork_encode(&f, &out);
    must_hold(fork_decode(out.p, out.len, &f, NULL) == ERR_OK);
    buf_free(&out);
}

static void look(unsigned what, const uint8_t *p, size_t n)
{
    struct decision d;

    switch (what) {
    case WORD:
        look_at_word(p, n);
        break;
    case OVERRIDE:
        look_at_override(p, n);
        break;
    case DECISION:
        (void)decision_open(p, n, roster_branch(branch()->r), &d, NULL);
        break;
    case PROGRESS:
        look_at_progress(p, n);
        break;
    default:
        look_at_fork(p, n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const char *const domains[KINDS] = { "tideover word v1", "tideover override v1",
                                                "tideover decision v1", "", "" };
    unsigned what = n > 0 ? p[0] % KINDS : 0;
    size_t len = n - (n > 0);
    uint8_t *copy = fuzz_copy(p + (n > 0), len), sig[SIG_BYTES];
    struct buf whole = { 0 };

    look(what, copy, len);
    if (domains[what][0] != '\0') {
        sign_bytes(domains[what], copy, len, branch()->lead.sign_sk, sig);
        mp_put_array(&whole, 2);
        mp_put_bin(&whole, copy, len);
        mp_put_bin(&whole, sig, sizeof sig);
        look(what, whole.p, whole.len);
    }
    buf_free(&whole);
    free(copy);
    return 0;
}

/* ---- seeds ---- */

static void seed_signed(uint8_t what, struct buf *whole)
{
    struct mp m = mp_over(whole->p, whole->len);
    const uint8_t *inner;
    size_t n = 0;

    fuzz_seed_with(what, whole->p, whole->len);
    mp_get_array(&m);
    inner = mp_get_bin(&m, &n);
    fuzz_seed_with(what, inner, n);
    buf_free(whole);
}

static void seed_word(void)
{
    struct branch *b = branch();
    struct word_ref ref = { .ref = { .feed.desk = b->desk[0].id, .seq = 3 }, .id = { 9 } };
    struct word w = { .kind = WORD_RELEASE, .at_ms = 1795500000000, .slot = 1, .n_refs = 2 };
    struct buf refs = { 0 }, out = { 0 };

    memcpy(w.key, b->lead.sign_pk, KEY_BYTES);
    word_put_ref(&refs, &ref);
    ref.ref.seq++;
    word_put_ref(&refs, &ref);
    word_sign(roster_branch(b->r), &w, &refs, b->lead.sign_sk, &out);
    buf_free(&refs);
    seed_signed(WORD, &out);
}

static void seed_override(void)
{
    struct branch *b = branch();
    struct override o = { .epoch.number = 1,
                          .base = 2,
                          .n_seats = 1,
                          .n_missing = 2,
                          .reason = "two desks burnt",
                          .made_ms = 1795500000000 };
    struct buf out = { 0 };

    o.desk = o.seats[0] = b->desk[0].id;
    o.missing[0] = b->desk[1].id;
    o.missing[1] = b->desk[2].id;
    memcpy(o.lead_pk, b->lead.sign_pk, KEY_BYTES);
    override_sign(roster_branch(b->r), &o, b->lead.sign_sk, &out);
    seed_signed(OVERRIDE, &out);
}

static void seed_delivery(void)
{
    struct branch *b = branch();
    struct decision d = { .slot = 1, .step = 3, .arrived = true, .made_ms = 1795500000000 };
    struct progress p = { .step = 3, .done = 1, .doubts = 1, .n_answers = 1 };
    struct buf out = { 0 };

    d.desk = b->desk[0].id;
    memcpy(d.lead_pk, b->lead.sign_pk, KEY_BYTES);
    decision_sign(roster_branch(b->r), &d, b->lead.sign_sk, &out);
    p.n_decisions = 1;
    p.decisions[0].n = (uint16_t)out.len;
    memcpy(p.decisions[0].b, out.p, out.len);
    seed_signed(DECISION, &out);
    progress_encode(&p, &out);
    fuzz_seed_with(PROGRESS, out.p, out.len);
    buf_free(&out);
}

/* A feed of one record, twice, with another record each time. */
static void seed_fork(void)
{
    struct branch *b = branch();
    struct opening o = { .id.desk = b->desk[0].id, .number = 1, .at_ms = 1795500000000 };
    struct buf opening = { 0 }, records[2] = { { 0 } }, blocks[2] = { { 0 } }, out = { 0 };
    struct fork f = { .feed = o.id };

    opening_encode(&o, &opening);
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t r[] = { 0x81, 0x01, (uint8_t)(1 + i) };
        struct block k = { .feed = o.id, .first = 1, .count = 1 };
        feed_h0(roster_branch(b->r), &o, k.hash);
        feed_next_hash(k.hash, r, sizeof r);
        mp_put_bin(&records[i], r, sizeof r);
        k.records = records[i].p;
        k.len = records[i].len;
        head_sign(roster_branch(b->r), &k.feed, 1, k.hash, b->desk[0].sign_sk, k.sig);
        block_encode(&k, &blocks[i]);
        f.run[i] = (struct fork_run){ opening.p, opening.len, blocks[i].p, blocks[i].len, k };
    }
    fork_encode(&f, &out);
    must_hold(fork_decode(out.p, out.len, &f, NULL) == ERR_OK);
    must_hold(fork_check(&f, roster_branch(b->r), b->desk[0].sign_pk, NULL) == ERR_OK);
    fuzz_seed_with(FORK, out.p, out.len);
    for (unsigned i = 0; i < 2; i++) {
        buf_free(&records[i]);
        buf_free(&blocks[i]);
    }
    buf_free(&opening);
    buf_free(&out);
}

void fuzz_seeds(void)
{
    seed_word();
    seed_override();
    seed_delivery();
    seed_fork();
}
