/* test_limits.c - node/MANUAL.md, "Limits": at the limit a thing is taken, one above it is refused, with
 * the sentence that the table gives. */
#include "../world.h"

#include <sodium.h>

#include "http_int.h"
#include "lines.h"
#include "pack.h"
#include "policy.h"
#include "record_json.h"
#include "store_int.h"

/* A record with a field that this version does not know, to fill it to n bytes. */
static void record_of_bytes(size_t n, struct buf *out)
{
    uint8_t *fill;

    mp_put_map(out, 2);
    mp_put_u64(out, 1);
    mp_put_u64(out, RECORD_CHECKOUT);
    mp_put_u64(out, 200);
    fill = calloc(1, n);
    mp_put_bin(out, fill, n - out->len - 3);
    assert_int_equal(out->len, n);
    free(fill);
}

static void a_record_has_4096_bytes(void **state)
{
    struct errmsg msg = { .text = "" };
    struct buf b = { 0 };
    struct record r;

    (void)state;
    record_of_bytes(RECORD_BYTES_MAX, &b);
    assert_int_equal(record_decode(b.p, b.len, &r, &msg), ERR_OK);
    buf_reset(&b);
    record_of_bytes(RECORD_BYTES_MAX + 1, &b);
    assert_int_equal(record_decode(b.p, b.len, &r, &msg), ERR_MALFORMED);
    assert_string_equal(msg.text, "record: longer than 4096 bytes");
    buf_free(&b);
}

/* Every field as long as it may be, in letters of two bytes: what a desk takes can be stored. */
static void the_longest_registration_fits(void **state)
{
    struct record r = { .kind = RECORD_USER,
                        .at_ms = 253402300799999,
                        .paper_ms = 253402300799999,
                        .utc_off_min = -1560,
                        .flags = UINT32_MAX,
                        .key = { 1 } };
    char *const texts[] = { r.reg.first, r.reg.last, r.reg.email,   r.reg.street,
                            r.reg.city,  r.reg.note, r.reg.guardian };
    struct buf b = { 0 };

    (void)state;
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        for (unsigned k = 0; k + 1 < REG_TEXT_MAX; k += 2)
            memcpy(texts[i] + k, "\xc3\xa9", 3);
    memset(r.user, '2', BARCODE_MAX);
    memset(r.staff, 's', STAFF_MAX);
    memset(r.reg.phone, '5', sizeof r.reg.phone - 1);
    memset(r.reg.postcode, '5', sizeof r.reg.postcode - 1);
    memset(r.reg.type, 'T', sizeof r.reg.type - 1);
    memset(r.reg.pin, '1', sizeof r.reg.pin - 1);
    r.due = r.reg.birth = 29991231;
    assert_int_equal(record_encode(&r, &b, NULL), ERR_OK);
    assert_true(b.len <= RECORD_BYTES_MAX);
    buf_free(&b);
}

static enum err record_json(const char *text, struct errmsg *msg)
{
    json_t *o = json_object_of(text, strlen(text), msg);
    struct record r;
    enum err e = o ? record_of_json(NULL, o, &r, msg) : ERR_INVALID;

    json_decref(o);
    return e;
}

static void a_barcode_has_32_characters_and_a_name_200_bytes(void **state)
{
    struct errmsg msg = { .text = "" };
    char line[512], code[REG_TEXT_MAX + 2];

    (void)state;
    memset(code, '3', sizeof code);
    snprintf(line, sizeof line, "{\"op\":\"discharge\",\"item\":\"%.32s\"}", code);
    assert_int_equal(record_json(line, &msg), ERR_OK);
    snprintf(line, sizeof line, "{\"op\":\"discharge\",\"item\":\"%.33s\"}", code);
    assert_int_equal(record_json(line, &msg), ERR_INVALID);
    assert_string_equal(msg.text, "item is longer than 32 bytes");
    snprintf(line, sizeof line, "{\"op\":\"user\",\"last\":\"%.200s\"}", code);
    assert_int_equal(record_json(line, &msg), ERR_OK);
    snprintf(line, sizeof line, "{\"op\":\"user\",\"last\":\"%.201s\"}", code);
    assert_int_equal(record_json(line, &msg), ERR_INVALID);
    assert_string_equal(msg.text, "last is longer than 200 bytes");
}

static void json_nests_16_deep(void **state)
{
    static const char deep[] = "[[[[[[[[[[[[[[[[[[", close[] = "]]]]]]]]]]]]]]]]]]";
    struct errmsg msg = { .text = "" };
    char text[64];
    json_t *o;

    (void)state;
    snprintf(text, sizeof text, "{\"a\":%.15s%.15s}", deep, close);
    assert_non_null(o = json_object_of(text, strlen(text), &msg));
    json_decref(o);
    snprintf(text, sizeof text, "{\"a\":%.16s%.16s}", deep, close);
    assert_null(json_object_of(text, strlen(text), &msg));
    assert_string_equal(msg.text, "not one JSON object: nested too deeply");
}

/* ---- blocks and feeds ---- */

static enum err block_of(uint32_t count, size_t bytes, struct errmsg *msg)
{
    struct block b = { .first = 1, .count = count, .len = bytes }, back;
    uint8_t *records = calloc(1, bytes);
    struct buf out = { 0 };
    enum err e;

    b.records = records;
    block_encode(&b, &out);
    e = block_decode(out.p, out.len, &back, msg);
    free(records);
    buf_free(&out);
    return e;
}

static void a_block_has_512_records_and_128_kib(void **state)
{
    struct errmsg msg = { .text = "" };

    (void)state;
    assert_int_equal(block_of(BLOCK_RECORDS_MAX, BLOCK_BYTES_MAX, &msg), ERR_OK);
    assert_int_equal(block_of(BLOCK_RECORDS_MAX + 1, 1000, &msg), ERR_MALFORMED);
    assert_string_equal(msg.text, "a block out of bounds");
    assert_int_equal(block_of(1, BLOCK_BYTES_MAX + 1, &msg), ERR_MALFORMED);
    assert_string_equal(msg.text, "a block out of bounds");
}

static void a_desk_has_8192_feeds_and_26_of_one_number(void **state)
{
    struct memdisk *disk = memdisk_new();
    uint8_t branch[BRANCH_ID_BYTES] = { 1 };
    struct errmsg msg = { .text = "" };
    struct opening o = { .number = 1, .at_ms = 1 };
    struct feeds fs;
    struct feed *f;

    (void)state;
    assert_int_equal(feeds_load(&fs, memdisk_disk(disk), branch, NULL, &msg), ERR_OK);
    for (unsigned i = 0; i < FEEDS_DESK_MAX; i++) {
        put_be32(o.id.name, i);
        o.number = 1 + i / 26;
        assert_int_equal(feeds_open(&fs, &o, &f, &msg), ERR_OK);
        if (i == 25) {
            put_be32(o.id.name, UINT32_MAX);
            assert_int_equal(feeds_open(&fs, &o, &f, &msg), ERR_FULL);
            assert_string_equal(msg.text, "a desk that gives all its feeds one number");
        }
    }
    put_be32(o.id.name, UINT32_MAX);
    o.number = 100000;
    assert_int_equal(feeds_open(&fs, &o, &f, &msg), ERR_FULL);
    assert_string_equal(msg.text, "this desk has 8192 feeds already");
    o.id.desk.b[0] = 1; /* others go on */
    assert_int_equal(feeds_open(&fs, &o, &f, &msg), ERR_OK);
    feeds_free(&fs);
    memdisk_free(disk);
}

/* ---- the roster ---- */

static void a_branch_has_256_desks(void **state)
{
    struct branch b;
    struct ident id;
    struct buf op = { 0 };
    bool fresh;

    (void)state;
    branch_new(&b, 1, 1);
    for (unsigned i = 1; i <= ROSTER_DESKS_MAX; i++) {
        char name[DESK_NAME_MAX + 1];
        branch_ident(1000 + i, &id);
        put_be32(id.sign_pk, i); /* any key will do: nobody signs with it here */
        snprintf(name, sizeof name, "D-%u", i);
        op_add(b.r, &id, name, ROLE_DESK, false, b.lead.sign_sk, &op);
        assert_int_equal(roster_add(b.r, op.p, op.len, &fresh, NULL), ERR_OK);
        assert_int_equal(roster_desks(b.r), i < ROSTER_DESKS_MAX ? i + 1 : ROSTER_DESKS_MAX);
        buf_reset(&op);
    }
    buf_free(&op);
    branch_free(&b);
}

static void an_operation_has_17408_bytes(void **state)
{
    struct errmsg msg = { .text = "" };
    char *text = calloc(1, ROSTER_OP_BYTES + 1);
    struct buf op = { 0 };
    struct branch b;
    bool fresh;

    (void)state;
    branch_new(&b, 1, 1);
    memset(text, '#', ROSTER_OP_BYTES);
    op_policy(b.r, text, 100, b.lead.sign_sk, &op);
    for (size_t n = ROSTER_OP_BYTES - (op.len - 100) - 4; op.len < ROSTER_OP_BYTES; n++) {
        buf_reset(&op);
        op_policy(b.r, text, n, b.lead.sign_sk, &op);
    }
    assert_int_equal(op.len, ROSTER_OP_BYTES);
    assert_int_equal(roster_add(b.r, op.p, op.len, &fresh, &msg), ERR_OK);
    buf_reset(&op);
    op_policy(b.r, text, ROSTER_OP_BYTES, b.lead.sign_sk, &op);
    assert_int_equal(roster_add(b.r, op.p, op.len, &fresh, &msg), ERR_MALFORMED);
    assert_string_equal(msg.text, "not an operation of the roster");
    buf_free(&op);
    branch_free(&b);
    free(text);
}

static void a_policy_has_16384_bytes_and_its_lines_4000(void **state)
{
    struct errmsg msg = { .text = "" };
    struct buf text = { 0 };
    struct policy p;

    (void)state;
    branch_policy_text("", &text);
    while (text.len < POLICY_TEXT_MAX)
        buf_add(&text, text.len % 100 == 0 ? "\n" : "#", 1);
    assert_int_equal(policy_parse((char *)text.p, text.len, &p, &msg), ERR_OK);
    buf_add(&text, "#", 1);
    assert_int_equal(policy_parse((char *)text.p, text.len, &p, &msg), ERR_CONFIG);
    assert_string_equal(msg.text, "a policy has at most 16384 bytes");
    buf_reset(&text);
    for (unsigned i = 0; i <= 4000; i++)
        buf_add(&text, "#", 1);
    assert_int_equal(policy_parse((char *)text.p, text.len, &p, &msg), ERR_CONFIG);
    assert_non_null(strstr(msg.text, "the line is longer than 4000 bytes"));
    buf_free(&text);
}

/* ---- the ledger ---- */

static void intent_of(unsigned n_ranges, struct buf *out)
{
    struct intent in = { .slot = UINT32_MAX, .type = SLOT_UPLOAD, .n_ranges = n_ranges };

    memset(in.sink, 's', sizeof in.sink - 1);
    in.ranges = calloc(n_ranges, sizeof *in.ranges);
    for (unsigned i = 0; i < n_ranges; i++) {
        struct slot_range *r = &in.ranges[i];
        put_be32(r->feed.name, i);
        r->from = r->to = UINT64_MAX / 2;
        r->correction_ms = INT64_MIN / 4;
    }
    intent_encode(&in, out);
    free(in.ranges);
}

static void a_slot_has_8192_ranges_and_fits_a_message(void **state)
{
    struct errmsg msg = { .text = "" };
    struct buf b = { 0 };
    struct intent in;

    (void)state;
    intent_of(SLOT_RANGES_MAX, &b);
    assert_int_equal(intent_decode(b.p, b.len, &in, &msg), ERR_OK);
    assert_true(b.len > SLOT_RANGES_MAX * (INTENT_RANGE_MAX - 1));
    assert_true(b.len + 16384 < DISK_VALUE_MAX); /* with five signatures, a trigger and evidence */
    intent_free(&in);
    buf_reset(&b);
    intent_of(SLOT_RANGES_MAX + 1, &b);
    assert_int_equal(intent_decode(b.p, b.len, &in, &msg), ERR_MALFORMED);
    assert_string_equal(msg.text, "an intent that does not parse");
    buf_free(&b);
}

/* ---- messages ---- */

/* A BYE with a field of a newer version behind it. */
static void bye_of_bytes(size_t n, struct buf *out)
{
    uint8_t *fill = calloc(1, n);

    wire_begin(out, WIRE_BYE, 1);
    mp_put_bin(out, fill, n - out->len - 5);
    assert_int_equal(out->len, n);
    free(fill);
}

static void a_message_has_1114112_bytes(void **state)
{
    struct world *w = world_new(2, 2);
    struct buf b = { 0 };

    (void)state;
    assert_int_equal(WIRE_BYTES_MAX, 1114112);
    bye_of_bytes(WIRE_BYTES_MAX, &b);
    hear(w, 1, 0, b.p, b.len);
    assert_int_equal(peer(w, 0, 1).refused, 0);
    buf_reset(&b);
    bye_of_bytes(WIRE_BYTES_MAX + 1, &b);
    hear(w, 1, 0, b.p, b.len);
    assert_int_equal(peer(w, 0, 1).refused, 1);
    buf_free(&b);
    world_free(w);
}

static void a_roster_list_has_8192_hashes(void **state)
{
    struct world *w = world_new(2, 2);
    struct buf b = { 0 };

    (void)state;
    for (unsigned n = ROSTER_OPS_MAX; n <= ROSTER_OPS_MAX + 1; n++) {
        buf_reset(&b);
        wire_begin(&b, WIRE_ROSTER_HAVE, 1);
        mp_put_array(&b, n);
        for (unsigned i = 0; i < n; i++) {
            uint8_t h[HASH_BYTES] = { 0 };
            put_be32(h, i);
            mp_put_bin(&b, h, sizeof h);
        }
        hear(w, 1, 0, b.p, b.len);
        assert_int_equal(peer(w, 0, 1).refused, n - ROSTER_OPS_MAX);
    }
    buf_free(&b);
    world_free(w);
}

/* 2,000 questions of 40 bytes, each for a megabyte, before the commit at which answers leave. */
static void answers_to_a_flood_of_questions_wait_in_32_mib(void **state)
{
    struct world *w = world_new(2, 2);
    struct moment now;
    struct effects *fx;
    struct record_ref ref = lend(w, 0, 4096);
    struct buf b = { 0 };
    unsigned n;

    (void)state;
    run(w, 2000);
    wire_begin(&b, WIRE_WANT, 3);
    mp_put_bin(&b, &ref.feed, sizeof ref.feed);
    mp_put_u64(&b, 1);
    mp_put_u64(&b, 4096);
    now = moment(w, 0);
    fx = core_effects(w->v[0].core);
    for (unsigned i = 0; i < 2000; i++)
        core_message(w->v[0].core, &now, &w->b.desk[1].id, "", b.p, b.len);
    assert_true(effects_waiting(fx, &w->b.desk[1].id) > ANSWER_BYTES_MAX / 2);
    assert_true(fx->bytes < ANSWER_BYTES_MAX + (4u << 20));
    finish(w, 0);
    n = w->n_mail;
    assert_true(n > 0);
    core_message(w->v[0].core, &now, &w->b.desk[1].id, "", b.p,
                 b.len); /* the next batch is heard */
    assert_true(effects_waiting(fx, &w->b.desk[1].id) > 0);
    buf_free(&b);
    finish(w, 0);
    world_free(w);
}

static void a_packed_message_is_heard_and_a_broken_one_counted(void **state)
{
    struct world *w = world_new(2, 2);
    static const uint8_t none[HASH_BYTES];
    struct buf have = { 0 }, packed = { 0 };
    struct moment now;
    struct peer_view p;

    (void)state;
    run(w, 2000);
    now = moment(w, 0);
    wire_begin(&have, WIRE_ROSTER_HAVE, 1);
    mp_put_array(&have, 32);
    for (unsigned i = 0; i < 32; i++)
        mp_put_bin(&have, none, sizeof none);
    assert_true(message_pack(have.p, have.len, &packed));
    core_message(w->v[0].core, &now, &w->b.desk[1].id, "", packed.p, packed.len);
    finish(w, 0);
    assert_true(w->n_mail > 0); /* what the other lacks */
    core_peer_view(w->v[0].core, &now, 0, &p);
    assert_int_equal(p.refused, 0);
    core_message(w->v[0].core, &now, &w->b.desk[1].id, "", packed.p, packed.len - 1);
    core_peer_view(w->v[0].core, &now, 0, &p);
    assert_int_equal(p.refused, 1);
    buf_free(&have);
    buf_free(&packed);
    world_free(w);
}

/* ---- the local API ---- */

static void a_path_has_127_characters_and_a_query_255(void **state)
{
    struct http_request rq;
    char target[512];

    (void)state;
    memset(target, 'a', sizeof target);
    target[0] = '/';
    target[127] = '\0';
    assert_int_equal(target_split(target, &rq), REFUSAL_NONE);
    target[127] = 'a';
    target[128] = '\0';
    assert_int_equal(target_split(target, &rq), REFUSAL_LONG);
    assert_string_equal(refusal_row(REFUSAL_LONG)->message, "the request's address is too long");
    target[128] = 'a';
    target[1] = '?';
    target[2 + 255] = '\0';
    assert_int_equal(target_split(target, &rq), REFUSAL_NONE);
    target[2 + 255] = 'a';
    target[2 + 256] = '\0';
    assert_int_equal(target_split(target, &rq), REFUSAL_LONG);
}

static enum line_kind line_of_bytes(size_t n)
{
    struct lines l = { .at = 0 };
    char *text = malloc(n + 1);
    const char *line;
    enum line_kind kind;
    size_t len;

    memset(text, 'x', n);
    text[n] = '\n';
    assert_true(lines_feed(&l, text, n + 1));
    kind = lines_next(&l, &line, &len);
    lines_free(&l);
    free(text);
    return kind;
}

static void a_line_has_8192_bytes(void **state)
{
    (void)state;
    assert_int_equal(line_of_bytes(LINE_BYTES_MAX), LINE_GOOD);
    assert_int_equal(line_of_bytes(LINE_BYTES_MAX + 1), LINE_TOO_LONG);
}

/* ---- period keys ---- */

static void a_store_has_65536_period_keys(void **state)
{
    struct ring *full = calloc(1, sizeof *full + 65536 * sizeof full->v[0]), *more;

    (void)state;
    full->n = 65535;
    for (uint32_t i = 0; i < 65536; i++)
        full->v[i].number = i + 1;
    assert_non_null(more = ring_with_fresh(full));
    assert_int_equal(more->v[65535].number, 65536);
    ring_free(more);
    full->n = 65536;
    assert_null(ring_with_fresh(full));
    free(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_has_4096_bytes),
        cmocka_unit_test(the_longest_registration_fits),
        cmocka_unit_test(a_barcode_has_32_characters_and_a_name_200_bytes),
        cmocka_unit_test(json_nests_16_deep),
        cmocka_unit_test(a_block_has_512_records_and_128_kib),
        cmocka_unit_test(a_desk_has_8192_feeds_and_26_of_one_number),
        cmocka_unit_test(a_branch_has_256_desks),
        cmocka_unit_test(an_operation_has_17408_bytes),
        cmocka_unit_test(a_policy_has_16384_bytes_and_its_lines_4000),
        cmocka_unit_test(a_slot_has_8192_ranges_and_fits_a_message),
        cmocka_unit_test(a_message_has_1114112_bytes),
        cmocka_unit_test(a_roster_list_has_8192_hashes),
        cmocka_unit_test(answers_to_a_flood_of_questions_wait_in_32_mib),
        cmocka_unit_test(a_packed_message_is_heard_and_a_broken_one_counted),
        cmocka_unit_test(a_path_has_127_characters_and_a_query_255),
        cmocka_unit_test(a_line_has_8192_bytes),
        cmocka_unit_test(a_store_has_65536_period_keys),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
