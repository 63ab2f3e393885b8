/* fuzz_core.c - a member of the branch that lies: whole messages to whole desks.
 *
 * The liar holds a valid certificate, no seat, and signs as itself whatever it likes. It takes
 * messages that honest desks once sent, changes objects in them, outside or inside what is sealed
 * up in a bin, signs blocks and receipts anew, or sends plain bytes. Then it goes away, and the
 * honest desks must have lost nothing, hold the same, and be able to upload.
 *
 * Input: steps. The first byte of a step says which; step() has the rest. */
#include "fuzz.h"

#include "messages.h"

#define HONEST    3
#define LIAR      3 /* on the roster, without a node: its place is the harness's */
#define STEPS_MAX 24
#define DEPTH_MAX 3

/* ---- a short life of the branch, once: what every input begins with ---- */

#define SAMPLES_MAX  192
#define SAMPLES_EACH 4 /* of one type: early and late ones differ */

static struct buf samples[SAMPLES_MAX];
static unsigned n_samples;
static struct branch branch;
static struct memdisk *first_disk[HONEST]; /* each holds all records of that life */
#define FIRST_RECORDS 3                    /* of each desk */

static void keep_sample(const struct buf *bytes)
{
    unsigned type = wire_type_of(bytes), same = 0;

    for (unsigned i = 0; i < n_samples; i++)
        same += wire_type_of(&samples[i]) == type;
    if (same < SAMPLES_EACH && n_samples < SAMPLES_MAX && bytes->len <= 4096)
        buf_add(&samples[n_samples++], bytes->p, bytes->len);
}

/* Like run(), and keeps what is said. */
static void run_and_listen(struct world *w, uint64_t ms)
{
    for (uint64_t end = w->now_ms + ms; w->now_ms < end;) {
        w->now_ms += 100;
        for (unsigned i = 0; i < w->n; i++) {
            struct moment now = moment(w, i);
            for (unsigned k = 0; k < w->n; k++)
                try_connect(w, i, k);
            core_tick(w->v[i].core, &now);
            finish(w, i);
        }
        for (unsigned i = 0; i < w->n_mail; i++) {
            struct letter l = w->mail[i];
            keep_sample(&l.bytes);
            hear(w, l.from, l.to, l.bytes.p, l.bytes.len);
            buf_free(&l.bytes);
        }
        w->n_mail = 0;
    }
}

static void copy_disk(const struct disk *from, struct memdisk *to)
{
    const struct disk *d = memdisk_disk(to);
    struct buf val = { 0 };

    for (unsigned t = 0; t < TABLE_COUNT; t++) {
        uint8_t key[DISK_KEY_MAX], next[DISK_KEY_MAX + 1] = { 0 };
        size_t n = 0, len = 0;
        while (from->seek(from->ctx, (enum table)t, next, len, 1, key, &n, &val) == ERR_OK) {
            d->put(d->ctx, (enum table)t, key, n, val.p, val.len);
            memcpy(next, key, n);
            next[n] = 0; /* the smallest key above this one */
            len = n + 1;
            must_hold(len <= DISK_KEY_MAX);
        }
    }
    buf_free(&val);
    memdisk_commit(to, NULL, NULL);
}

/* What the day did not bring, and that nothing is missing. */
static void make_the_rest(struct world *w)
{
    struct maker k = { .b = &w->b, .me = &w->b.desk[LIAR], .author = &w->b.desk[0] };
    unsigned missing = 0;
    struct receipt r;

    k.keep = keep_sample;
    for (unsigned i = 0; i < core_feeds(w->v[0].core)->n; i++)
        if (desk_id_eq(&core_feeds(w->v[0].core)->v[i].opening.id.desk, &k.author->id))
            k.feed = &core_feeds(w->v[0].core)->v[i];
    must_hold(k.feed != NULL);
    must_hold(ledger_receipt(core_ledger(w->v[0].core), 1, &k.receipt) == ERR_OK);
    must_hold(receipt_decode(k.receipt.p, k.receipt.len, &r, NULL) == ERR_OK);
    buf_add(&k.intent, r.intent, r.intent_len);
    make_messages(&k);
    buf_free(&k.receipt);
    buf_free(&k.intent);
    for (unsigned type = 0; type <= UINT8_MAX; type++) {
        unsigned n = 0;
        for (unsigned i = 0; i < n_samples; i++)
            n += wire_type_of(&samples[i]) == type;
        if (n == 0 && is_between_desks(type))
            fprintf(stderr, "there is no message of type %u to change\n", type);
        missing += n == 0 && is_between_desks(type);
    }
    must_hold(missing == 0);
}

static void live_once(void)
{
    struct world *w = world_new(HONEST, HONEST + 1);

    w->now_ms += 6000;
    for (unsigned i = 0; i < HONEST; i++)
        lend(w, i, FIRST_RECORDS);
    run_and_listen(w, 3000);
    for (unsigned i = 0; i < HONEST; i++) {
        first_disk[i] = memdisk_new();
        copy_disk(memdisk_reader(w->v[i].disk), first_disk[i]);
    }
    stop(w, 1);
    start(w, 1); /* it says HELLO, VECTOR and WANT again */
    run_and_listen(w, 8000);
    press(w, 0);
    run_and_listen(w, 30000);
    must_hold(w->delivered > 0);
    make_the_rest(w);
    branch = w->b;
    w->b = (struct branch){ .n_ops = 0 };
    world_free(w);
}

static unsigned samples_there(void)
{
    if (first_disk[0] == NULL)
        live_once();
    return n_samples;
}

static struct world *world_again(void)
{
    struct world *w = calloc(1, sizeof *w);

    must_hold(w != NULL && samples_there() > 0);
    w->b = branch;
    w->n = HONEST;
    w->now_ms = 1000000;
    for (unsigned i = 0; i < HONEST; i++) {
        w->v[i].dice = 77 + i;
        w->v[i].disk = memdisk_new();
        copy_disk(memdisk_reader(first_disk[i]), w->v[i].disk);
        start(w, i);
    }
    run(w, 6000); /* start marks confirmed, the silence after a start over */
    return w;
}

static void world_end(struct world *w)
{
    w->b = (struct branch){ .n_ops = 0 }; /* the one of all worlds */
    world_free(w);
}

/* ---- changing one object ---- */

static const uint64_t numbers[] = { 0,          1,         2,          3,
                                    127,        255,       512,        4096,
                                    65535,      65536,     UINT32_MAX, 1ull << 32,
                                    1ull << 40, INT64_MAX, 1ull << 63, UINT64_MAX - 1,
                                    UINT64_MAX };

static void mutate(const uint8_t *p, size_t n, struct fuzz_in *how, unsigned depth,
                   struct buf *out);

static bool is_container(const uint8_t *p, size_t n)
{
    struct mp m = mp_over(p, n);

    if (n == 0 || ((p[0] & 0xf0) != 0x90 && p[0] != 0xdc && p[0] != 0xdd))
        return false;
    mp_skip(&m);
    return mp_done(&m);
}

/* What stands in the place of the object [p, p + n). */
static void replacement(const uint8_t *p, size_t n, struct fuzz_in *how, unsigned depth,
                        struct buf *out)
{
    struct mp m = mp_over(p, n);
    size_t len = 0;
    const uint8_t *bin = p[0] >= 0xc4 && p[0] <= 0xc6 ? mp_get_bin(&m, &len) : NULL;
    unsigned what = fuzz_byte(how);
    struct buf inside = { 0 };

    if (bin != NULL && depth < DEPTH_MAX && is_container(bin, len) && what % 4 != 0) {
        mutate(bin, len, how, depth + 1, &inside);
        mp_put_bin(out, inside.p, inside.len);
        buf_free(&inside);
    } else if (bin != NULL && len > 0 && what % 8 != 0) {
        buf_add(&inside, bin, len);
        inside.p[fuzz_be16(how) % len] ^= (uint8_t)(1u << fuzz_byte(how) % 8);
        mp_put_bin(out, inside.p, what % 8 == 7 ? len - 1 : len);
        buf_free(&inside);
    } else if (what % 8 == 1) {
        mp_put_str(out, "\xc3\xa9:1");
    } else if (what % 8 == 2) {
        mp_put_array(out, fuzz_byte(how));
    } else if (what % 8 == 3) {
        mp_put_i64(out, -1 - (int64_t)fuzz_byte(how));
    } else if (what % 8 == 4) {
        mp_put_bool(out, fuzz_byte(how) & 1);
    } else {
        mp_put_u64(out, numbers[fuzz_byte(how) % (sizeof numbers / sizeof numbers[0])]);
    }
}

/* Copies one msgpack value with one of its objects, the `how`-th in reading order, changed. */
static void mutate(const uint8_t *p, size_t n, struct fuzz_in *how, unsigned depth, struct buf *out)
{
    size_t starts[512];
    unsigned k = 0;
    struct mp m = mp_over(p, n), one;

    while (!m.bad && m.p < m.end && k < 512) {
        starts[k++] = (size_t)(m.p - p);
        if ((*m.p & 0xf0) == 0x90 || *m.p == 0xdc || *m.p == 0xdd)
            mp_get_array(&m); /* its elements come next */
        else
            mp_skip(&m);
    }
    if (k == 0)
        return;
    k = fuzz_be16(how) % k;
    one = mp_over(p + starts[k], n - starts[k]);
    if (fuzz_byte(how) % 4 == 0 && (*one.p & 0xf0) == 0x90)
        one.p++; /* the count alone, or (below) the array with all it holds */
    else
        mp_skip(&one);
    buf_add(out, p, starts[k]);
    replacement(p + starts[k], (size_t)(one.p - p) - starts[k], how, depth, out);
    buf_add(out, one.p, (size_t)(one.end - one.p));
}

/* ---- signing as the liar ---- */

static bool sign_blocks(struct mp m, struct buf *out)
{
    const struct ident *me = &branch.desk[LIAR];
    size_t opening_n = 0, block_n = 0, n;
    const uint8_t *opening = mp_get_bin(&m, &opening_n), *r, *block;
    uint64_t head = mp_get_u64(&m);
    struct buf o_bytes = { 0 }, b_bytes = { 0 };
    struct block_walk walk;
    struct opening o;
    struct block k;

    block = mp_get_bin(&m, &block_n);
    if (m.bad || block_decode(block, block_n, &k, NULL) != ERR_OK ||
        !opening_decode(opening, opening_n, &o))
        return false;
    k.feed.desk = me->id;
    o.id = k.feed;
    opening_sign(roster_branch(branch.r), &o, me->sign_sk);
    feed_h0(roster_branch(branch.r), &o, k.hash);
    walk = block_walk(&k);
    while ((r = block_next(&walk, &n)) != NULL)
        feed_next_hash(k.hash, r, n);
    head_sign(roster_branch(branch.r), &k.feed, block_last(&k), k.hash, me->sign_sk, k.sig);
    opening_encode(&o, &o_bytes);
    block_encode(&k, &b_bytes);
    wire_begin(out, WIRE_BLOCKS, 3);
    mp_put_bin(out, o_bytes.p, o_bytes.len);
    mp_put_u64(out, head);
    mp_put_bin(out, b_bytes.p, b_bytes.len);
    buf_free(&o_bytes);
    buf_free(&b_bytes);
    return true;
}

static bool sign_receipt(struct mp m, struct buf *out)
{
    uint64_t slot = mp_get_u64(&m);
    size_t n = 0, inner_n = 0;
    const uint8_t *p = mp_get_bin(&m, &n), *inner;
    struct buf whole = { 0 };
    uint8_t sig[SIG_BYTES];

    m = mp_over(p, n);
    if (mp_get_array(&m) != 2 || (inner = mp_get_bin(&m, &inner_n)) == NULL)
        return false;
    sign_bytes("tideover receipt v1", inner, inner_n, branch.desk[LIAR].sign_sk, sig);
    mp_put_array(&whole, 2);
    mp_put_bin(&whole, inner, inner_n);
    mp_put_bin(&whole, sig, sizeof sig);
    wire_begin(out, WIRE_RECEIPT, 2);
    mp_put_u64(out, slot);
    mp_put_bin(out, whole.p, whole.len);
    buf_free(&whole);
    return true;
}

static void sign_again(struct buf *msg)
{
    struct mp m = mp_over(msg->p, msg->len);
    unsigned type = wire_open(&m);
    struct buf out = { 0 };

    if ((type == WIRE_BLOCKS && sign_blocks(m, &out)) ||
        (type == WIRE_RECEIPT && sign_receipt(m, &out))) {
        buf_free(msg);
        *msg = out;
    } else {
        buf_free(&out);
    }
}

/* ---- steps ---- */

/* press() of a lead who is told "not now" and tries again later. */
static void press_if_it_may(struct world *w, unsigned i)
{
    struct moment now = moment(w, i);
    struct trigger t;
    struct buf b = { 0 };

    core_draft_trigger(w->v[i].core, &now, &t);
    memcpy(t.lead_pk, w->b.lead.sign_pk, KEY_BYTES);
    trigger_sign(roster_branch(w->b.r), &t, w->b.lead.sign_sk, &b);
    (void)core_trigger(w->v[i].core, &now, b.p, b.len, NULL);
    finish(w, i);
    buf_free(&b);
}

static void lie(struct world *w, unsigned op, struct fuzz_in *in)
{
    const struct buf *sample = &samples[fuzz_byte(in) % n_samples];
    struct buf msg = { 0 }, next = { 0 };

    buf_add(&msg, sample->p, sample->len);
    for (unsigned i = op >> 4 & 3; i > 0; i--) {
        mutate(msg.p, msg.len, in, 0, &next);
        buf_free(&msg);
        msg = next;
        next = (struct buf){ 0 };
    }
    if (op & 0x80)
        sign_again(&msg);
    hear(w, LIAR, (op >> 6 & 1) + (op & 1), msg.p, msg.len);
    buf_free(&msg);
}

static void step(struct world *w, struct fuzz_in *in)
{
    unsigned op = fuzz_byte(in), desk = (op >> 4) % HONEST;
    struct record_ref ref;
    struct record r = checkout();
    uint8_t *copy;
    size_t n;

    switch (op & 7) {
    case 4:
        n = fuzz_byte(in);
        copy = fuzz_copy(fuzz_take(in, &n), n);
        hear(w, LIAR, desk, copy, n);
        free(copy);
        break;
    case 5:
        run(w, 100 * (1 + fuzz_byte(in) % 40));
        break;
    case 6:
        r.paper_ms = op & 8 ? 1795400000000 : 0;
        must_hold(enter(w, desk, &r, &ref) == ERR_OK);
        finish(w, desk);
        break;
    case 7:
        if (op & 8) {
            stop(w, desk);
            start(w, desk);
        } else {
            press_if_it_may(w, desk);
        }
        break;
    default:
        lie(w, op, in);
    }
}

/* ---- what must be true in the end ---- */

/* Records that honest desks acknowledged; the desk's own are counted by itself. */
static uint64_t acknowledged(const struct world *w)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < HONEST; i++)
        n += view(w, i).local;
    return n;
}

static bool all_hold_the_same(const struct world *w)
{
    for (unsigned i = 1; i < HONEST; i++) {
        struct feeds *a = (struct feeds *)(uintptr_t)core_feeds(w->v[0].core);
        struct feeds *b = (struct feeds *)(uintptr_t)core_feeds(w->v[i].core);
        if (memcmp(feeds_hash(a), feeds_hash(b), 16) != 0)
            return false;
    }
    return true;
}

static uint64_t most_pending(const struct world *w)
{
    uint64_t most = 0;

    for (unsigned i = 0; i < HONEST; i++)
        most = view(w, i).pending > most ? view(w, i).pending : most;
    return most;
}

static void words_are_clean(const struct world *w)
{
    for (unsigned i = 0; i < HONEST; i++) {
        struct moment now = moment(w, i);
        struct ledger_view l;
        core_ledger_view(w->v[i].core, &now, &l);
        must_hold(text_is_clean(l.problem));
        for (unsigned k = 0; k < core_peers(w->v[i].core); k++) {
            struct peer_view p;
            core_peer_view(w->v[i].core, &now, k, &p);
            must_hold(text_is_clean(p.address) && text_is_clean(p.software));
        }
    }
}

/* For whoever looks at a find. */
static void tell(const struct world *w)
{
    for (unsigned i = 0; i < HONEST; i++) {
        struct moment now = moment(w, i);
        struct core_view v = view(w, i);
        struct ledger_view l;
        core_ledger_view(w->v[i].core, &now, &l);
        fprintf(stderr, "DESK-%u: own %d, held %d, pending %d; slot %d, term %d, %s%s%s%s %s\n",
                i + 1, (int)v.local, (int)v.held, (int)v.pending, (int)l.slot, (int)l.term,
                ledger_state_name(l.state), l.may_vote ? ", votes" : "",
                v.memory_lost ? ", memory lost" : "", l.open ? ", open" : "", l.problem);
    }
}

/* What the liar put into feeds of its own may stay pending for ever: a kind that nobody knows. */
static void honest_desks_go_on(struct world *w)
{
    uint64_t of_liar;
    struct record_ref ref;

    for (unsigned i = 0; i < HONEST; i++)
        core_peer_down(w->v[i].core, &w->b.desk[LIAR].id);
    ref = lend(w, 0, 1);
    for (unsigned i = 0; i < 30 && !all_hold_the_same(w); i++)
        run(w, 1000);
    if (!all_hold_the_same(w))
        tell(w);
    must_hold(all_hold_the_same(w) && core_copies(w->v[0].core, &ref) >= HONEST);
    words_are_clean(w);
    must_hold(held(w, 0) >= acknowledged(w));
    of_liar = held(w, 0) - acknowledged(w);
    for (unsigned i = 0; i < 200 && most_pending(w) > of_liar; i++) {
        if (i % 25 == 0)
            press_if_it_may(w, 0);
        run(w, 1000);
    }
    if (most_pending(w) > of_liar)
        tell(w);
    must_hold(most_pending(w) <= of_liar);
    for (unsigned i = 0; i < HONEST; i++) {
        must_hold(!view(w, i).memory_lost);
        stop(w, i); /* what a liar said never keeps a desk from opening its own disk */
        start(w, i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct world *w = world_again();
    struct fuzz_in in = { p, n };

    for (unsigned i = 0; i < STEPS_MAX && in.n > 0; i++)
        step(w, &in);
    honest_desks_go_on(w);
    world_end(w);
    return 0;
}

void fuzz_seeds(void)
{
    for (unsigned i = 0; i < samples_there(); i++) {
        const uint8_t s = (uint8_t)i;
        fuzz_seed((uint8_t[]){ 0x00, s, 0x05, 3 }, 4);                /* as it was */
        fuzz_seed((uint8_t[]){ 0x80, s, 0x81, s, 0x77, 0x05, 9 }, 7); /* signed anew, a trigger */
        fuzz_seed((uint8_t[]){ 0x90, s, 0, 5, 1, 4, 0x16, 0x05, 20 }, 9); /* an object changed */
        fuzz_seed((uint8_t[]){ 0xa1, s, 0, 9, 1, 5, 0, 2, 1, 3, 0, 1, 1, 6, 0x1f }, 15);
    }
    fuzz_seed("\x04\x05\x93\x01\x01\xc0\xc0", 7);
}
