/* fuzz_slot.c - intents, triggers and receipts: what decodes must encode to the same bytes where
 * "exactly" is said, since hashes and signatures are over the bytes. The first byte chooses. */
#include "../branch.h"

#include "fuzz.h"

#include "delivery.h"
#include "slot.h"

static struct branch *branch(void)
{
    static struct branch b;

    if (b.r == NULL)
        branch_new(&b, 3, 3);
    return &b;
}

static void try_intent(const uint8_t *p, size_t n)
{
    struct intent in, again;
    struct errmsg msg = { .text = "" };
    struct buf out = { 0 };
    uint8_t hash[HASH_BYTES], other[HASH_BYTES];

    memset(&in, 0, sizeof in);
    if (intent_decode(p, n, &in, &msg) != ERR_OK) {
        must_hold(msg.text[0] != '\0');
        return;
    }
    must_hold(in.n_ranges <= SLOT_RANGES_MAX && in.n_seats <= SEATS_MAX);
    must_hold(in.n_parts <= SLOT_PARTS_MAX);
    for (unsigned i = 0; i < in.n_ranges; i++)
        must_hold(in.ranges[i].from >= 1 && in.ranges[i].to >= in.ranges[i].from);
    intent_encode(&in, &out);
    must_hold(intent_decode(out.p, out.len, &again, &msg) == ERR_OK);
    intent_hash(out.p, out.len, hash);
    buf_reset(&out);
    intent_encode(&again, &out);
    intent_hash(out.p, out.len, other);
    must_hold(memcmp(hash, other, sizeof hash) == 0);
    intent_free(&again);
    intent_free(&in);
    buf_free(&out);
}

/* Signs whatever bytes as the inner part: the signature is what a malicious lead or desk has. */
static void signed_over(const char *domain, const uint8_t *p, size_t n,
                        const uint8_t sk[SIGN_SK_BYTES], struct buf *out)
{
    uint8_t sig[SIG_BYTES];

    sign_bytes(domain, p, n, sk, sig);
    mp_put_array(out, 2);
    mp_put_bin(out, p, n);
    mp_put_bin(out, sig, sizeof sig);
}

static void try_trigger(const uint8_t *p, size_t n)
{
    const struct branch *b = branch();
    struct buf whole = { 0 };
    struct trigger t;

    (void)trigger_open(p, n, roster_branch(b->r), &t, NULL);
    signed_over("tideover trigger v1", p, n, b->lead.sign_sk, &whole);
    (void)trigger_open(whole.p, whole.len, roster_branch(b->r), &t, NULL);
    buf_free(&whole);
}

static void try_receipt(const uint8_t *p, size_t n)
{
    const struct branch *b = branch();
    struct desk_id seats[3] = { b->desk[0].id, b->desk[1].id, b->desk[2].id };
    struct buf whole = { 0 };
    struct receipt r;

    if (receipt_decode(p, n, &r, NULL) == ERR_OK)
        must_hold(r.n_accepted <= SEATS_MAX && r.intent >= p && r.intent + r.intent_len <= p + n);
    must_hold(receipt_open(p, n, b->r, seats, 3, &r, NULL) != ERR_OK || n > 300);
    signed_over("tideover receipt v1", p, n, b->desk[0].sign_sk, &whole);
    (void)receipt_decode(whole.p, whole.len, &r, NULL);
    (void)receipt_open(whole.p, whole.len, b->r, seats, 3, &r, NULL);
    buf_free(&whole);
}

/* How far a hand-over is, and a lead's word on it: what decodes encodes to something that decodes.
 */
static void try_delivery(const uint8_t *p, size_t n)
{
    const struct branch *b = branch();
    struct buf whole = { 0 };
    struct progress at, again;
    struct answer_row row, twin;
    struct decision d;

    if (answer_row_decode(p, n, &row) == ERR_OK) {
        answer_row_encode(&row, &whole);
        must_hold(whole.len <= ANSWER_BYTES_LIMIT &&
                  answer_row_decode(whole.p, whole.len, &twin) == ERR_OK &&
                  memcmp(&row, &twin, sizeof row) == 0);
        buf_reset(&whole);
    }
    if (progress_decode(p, n, &at) == ERR_OK) {
        must_hold(at.n_decisions <= PROGRESS_DECISIONS_MAX);
        progress_encode(&at, &whole);
        must_hold(whole.len <= PROGRESS_BYTES_MAX &&
                  progress_decode(whole.p, whole.len, &again) == ERR_OK &&
                  memcmp(&at, &again, sizeof at) == 0);
        buf_reset(&whole);
    }
    (void)decision_open(p, n, roster_branch(b->r), &d, NULL);
    signed_over("tideover decision v1", p, n, b->lead.sign_sk, &whole);
    (void)decision_open(whole.p, whole.len, roster_branch(b->r), &d, NULL);
    buf_free(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint8_t *copy = fuzz_copy(p + (n > 0), n - (n > 0));
    size_t len = n - (n > 0);

    switch (n > 0 ? p[0] % 4 : 0) {
    case 0:
        try_intent(copy, len);
        break;
    case 1:
        try_trigger(copy, len);
        break;
    case 3:
        try_delivery(copy, len);
        break;
    default:
        try_receipt(copy, len);
    }
    free(copy);
    return 0;
}

/* The whole, and the inner part that the harness signs again. */
static void seed_signed(uint8_t what, const struct buf *whole)
{
    struct mp m = mp_over(whole->p, whole->len);
    const uint8_t *inner;
    size_t n = 0;

    fuzz_seed_with(what, whole->p, whole->len);
    mp_get_array(&m);
    inner = mp_get_bin(&m, &n);
    fuzz_seed_with(what, inner, n);
}

void fuzz_seeds(void)
{
    const struct branch *b = branch();
    struct trigger t = { .slot = 1, .made_ms = 1795500000000, .desk = b->desk[0].id };
    struct intent in = { .slot = 1, .term = 3, .desk = b->desk[0].id, .type = SLOT_UPLOAD };
    struct slot_range ranges[2] = { { .from = 1, .to = 5 }, { .from = 3, .to = 3 } };
    struct receipt r = { .term = 3, .desk = b->desk[0].id, .at_ms = 1795500000000 };
    struct buf trigger = { 0 }, intent = { 0 }, receipt = { 0 };
    uint8_t hash[HASH_BYTES];

    memcpy(t.lead_pk, b->lead.sign_pk, KEY_BYTES);
    trigger_sign(roster_branch(b->r), &t, b->lead.sign_sk, &trigger);
    memcpy(in.branch, roster_branch(b->r), BRANCH_ID_BYTES);
    memcpy(in.policy, roster_policy_hash(b->r), HASH_BYTES);
    snprintf(in.sink, sizeof in.sink, "file:/drop");
    in.rules = 1;
    ranges[0].feed.desk = b->desk[0].id;
    ranges[1].feed.desk = b->desk[1].id;
    if (feed_id_cmp(&ranges[0].feed, &ranges[1].feed) > 0) {
        struct feed_id x = ranges[0].feed;
        ranges[0].feed = ranges[1].feed;
        ranges[1].feed = x;
    }
    in.ranges = ranges;
    in.n_ranges = 2;
    in.records = 6;
    in.n_parts = 1;
    in.parts[0] = (struct slot_part){ .suffix = "log", .bytes = 900, .lines = 6 };
    in.trigger = trigger;
    intent_encode(&in, &intent);
    fuzz_seed_with(0, intent.p, intent.len);
    intent_hash(intent.p, intent.len, hash);
    r.intent = intent.p;
    r.intent_len = intent.len;
    r.n_accepted = 2;
    for (unsigned i = 0; i < 2; i++) {
        r.accepted[i].desk = b->desk[i].id;
        accepted_sign(roster_branch(b->r), 1, 3, hash, b->desk[i].sign_sk, r.accepted[i].sig);
    }
    snprintf(r.evidence, sizeof r.evidence, "MAIN-20261123-e0-s000001-1a2b3c4d.log");
    receipt_encode(&r, b->desk[0].sign_sk, &receipt);
    seed_signed(2, &receipt);
    seed_signed(1, &trigger);
    buf_free(&intent);
    buf_reset(&intent);
    in.type = SLOT_SEATS;
    in.n_ranges = 0;
    in.records = 0;
    in.n_parts = 0;
    in.n_seats = 3;
    for (unsigned i = 0; i < 3; i++)
        in.seats[i] = b->desk[i].id;
    in.trigger = (struct buf){ 0 };
    in.sink[0] = '\0';
    intent_encode(&in, &intent);
    fuzz_seed_with(0, intent.p, intent.len);
    buf_free(&intent);
    buf_free(&receipt);
    buf_free(&trigger);
}
