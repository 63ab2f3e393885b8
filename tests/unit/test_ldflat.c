/* test_ldflat.c - writer and judge of the LDUSER flat user file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format_line.h"

#ifndef GOLDEN_DIR
#define GOLDEN_DIR "tests/golden"
#endif

static int set_up(void **state)
{
    static const char text[] = "[branch]\ncode = RVR\nzone = America/New_York\n"
                               "zone_rule = EST5EDT,M3.2.0,M11.1.0\n[symphony]\nwrite_pin = yes\n";

    return bench_set_up(state, text);
}

static void marta(struct bench *b)
{
    struct registration *r = &b->rec.reg;

    memset(&b->rec, 0, sizeof b->rec);
    b->rec.kind = RECORD_USER;
    strcpy(b->rec.user, "29999000001040");
    strcpy(r->first, "Marta");
    strcpy(r->last, "Okafor");
    strcpy(r->pin, "4821");
    r->birth = 19880714;
    strcpy(r->street, "12 Mill Lane");
    strcpy(r->city, "Rivermouth, OH");
    strcpy(r->postcode, "44654");
    strcpy(r->phone, "330-555-0142");
    strcpy(r->email, "marta@example.org");
}

static enum err add(struct bench *b)
{
    /* 2026-03-09 23:40 in New York, already the 10th in UTC */
    struct format_item it = {
        .rec = &b->rec, .id = "KIDS-1/3/0042", .desk = "KIDS-1", .tick_s = 1773114000
    };

    return format_ldflat.write(&b->p, &b->st, &it, &b->out, &b->msg);
}

static enum err judge(struct bench *b, const void *text, size_t n, uint64_t *records)
{
    return bench_judge(b, &format_ldflat, text, n, records);
}

static void a_registration_is_written_byte_for_byte(void **state)
{
    struct bench *b = *state;
    char wanted[1024];
    FILE *f = fopen(GOLDEN_DIR "/ldflat_one_user.flat", "rb");
    uint64_t records;
    size_t n;

    assert_non_null(f);
    n = fread(wanted, 1, sizeof wanted, f);
    fclose(f);
    marta(b);
    assert_int_equal(add(b), ERR_OK);
    assert_int_equal(b->out.len, n);
    assert_memory_equal(b->out.p, wanted, n);
    assert_int_equal(add(b), ERR_OK);
    assert_int_equal(judge(b, b->out.p, b->out.len, &records), ERR_OK);
    assert_int_equal(records, 2);
}

static void what_is_not_known_is_left_out_with_its_block(void **state)
{
    static const char wanted[] =
        "*** DOCUMENT BOUNDARY ***\n"
        "FORM=LDUSER\n"
        ".USER_ID.   |a29999000001040\n"
        ".USER_LAST_NAME.   |aN\xfa\xf1"
        "ez L\n"
        ".USER_LIBRARY.   |aRVR\n"
        ".USER_PROFILE.   |aCHILD\n"
        ".USER_PREF_LANG.   |aENGLISH\n"
        ".USER_STATUS.   |aOK\n"
        ".USER_PRIV_GRANTED.   |a20260309\n"
        ".USER_PRIV_EXPIRES.   |aNEVER\n"
        ".USER_XINFO_BEGIN.\n"
        ".NOTE.   |aRegistered offline, KIDS-1/3/0042; guardian Eva; twin\n"
        ".USER_XINFO_END.\n";
    struct bench *b = *state;
    uint64_t n;

    memset(&b->rec, 0, sizeof b->rec);
    b->rec.kind = RECORD_USER;
    strcpy(b->rec.user, "29999000001040");
    strcpy(b->rec.reg.last, "N\xc3\xba\xc3\xb1"
                            "ez \xc5\x81");
    strcpy(b->rec.reg.type, "CHILD");
    strcpy(b->rec.reg.guardian, "Eva");
    strcpy(b->rec.reg.note, "twin");
    strcpy(b->rec.reg.pin, "4821");
    b->p.symphony.write_pin = false;
    b->p.symphony.user_years = 0;
    assert_int_equal(add(b), ERR_OK);
    assert_int_equal(b->out.len, sizeof wanted - 1);
    assert_memory_equal(b->out.p, wanted, b->out.len);
    assert_int_equal(judge(b, b->out.p, b->out.len, &n), ERR_OK);
    assert_int_equal(n, 1);
}

static void only_registrations_are_carried_and_only_in_flat_form(void **state)
{
    struct bench *b = *state;

    for (unsigned k = 0; k <= 255; k++)
        assert_int_equal(format_ldflat.carries(&b->p, k), k == RECORD_USER);
    b->p.symphony.registration = REGISTRATION_JY;
    assert_false(format_ldflat.carries(&b->p, RECORD_USER));
    marta(b);
    assert_int_equal(add(b), ERR_INVALID);
    assert_string_equal(b->msg.why, "not_carried");
}

static void a_bar_control_byte_or_missing_name_is_refused(void **state)
{
    struct bench *b = *state;

    marta(b);
    strcpy(b->rec.reg.street, "12 | Mill");
    assert_int_equal(add(b), ERR_INVALID);
    assert_string_equal(b->msg.field, "street");
    marta(b);
    strcpy(b->rec.reg.note, "two\nlines");
    assert_int_equal(add(b), ERR_INVALID);
    assert_string_equal(b->msg.field, "note");
    marta(b);
    b->rec.reg.last[0] = 0;
    assert_int_equal(add(b), ERR_INVALID);
    assert_string_equal(b->msg.field, "last");
    marta(b);
    b->rec.user[0] = 0;
    assert_int_equal(add(b), ERR_INVALID);
    assert_string_equal(b->msg.field, "user");
    marta(b);
    b->rec.reg.birth = 20260310; /* tomorrow */
    assert_int_equal(add(b), ERR_INVALID);
    assert_string_equal(b->msg.field, "birth");
    assert_int_equal(b->out.len, 0);
}

static void truncated_anywhere_but_behind_a_user_the_file_is_refused(void **state)
{
    struct bench *b = *state;
    uint64_t n;
    size_t one;

    marta(b);
    assert_int_equal(add(b), ERR_OK);
    one = b->out.len;
    assert_int_equal(add(b), ERR_OK);
    for (size_t cut = 0; cut < b->out.len; cut++)
        assert_int_equal(judge(b, b->out.p, cut, &n),
                         cut == 0 || cut == one ? ERR_OK : ERR_MALFORMED);
}

/* Changes one line of a good file: `from` becomes `to`. */
static void refused(struct bench *b, const char *from, const char *to, const char *because)
{
    char text[2048];
    const char *at;
    uint64_t n;

    buf_reset(&b->out);
    marta(b);
    assert_int_equal(add(b), ERR_OK);
    buf_add(&b->out, "", 1);
    at = strstr((char *)b->out.p, from);
    assert_non_null(at);
    sprintf(text, "%.*s%s%s", (int)(at - (char *)b->out.p), (char *)b->out.p, to,
            at + strlen(from));
    assert_int_equal(judge(b, text, strlen(text), &n), ERR_MALFORMED);
    if (strstr(b->msg.text, because) == NULL)
        fail_msg("said: %s; wanted: %s", b->msg.text, because);
}

static void the_judge_names_what_is_wrong(void **state)
{
    struct bench *b = *state;

    refused(b, "*** DOC", "*** DUC", "line 1: a file begins with the document boundary");
    refused(b, "FORM=LDUSER\n", "", "line 2: FORM=LDUSER is missing");
    refused(b, ".USER_ID.   |a29999000001040\n", "", "the user before lacks .USER_ID.");
    refused(b, ".USER_LAST_NAME.   |aOkafor\n", "", "lacks .USER_LAST_NAME.");
    refused(b, ".USER_PROFILE.   |aADULT\n", "", "lacks .USER_PROFILE.");
    refused(b, ".USER_PREF_LANG.   |aENGLISH\n", "", "lacks .USER_PREF_LANG.");
    refused(b, "|a29999000001040", "|a", "line 3: .USER_ID. is empty, too long");
    refused(b, "|a29999000001040", "|a123456789012345678901234567890123", "line 3: .USER_ID.");
    refused(b, "Okafor", "Oka|for", "line 5: .USER_LAST_NAME. is empty");
    refused(b, "Okafor", "Oka\nfor", "line 6: a tag that does not belong there");
    refused(b, "Okafor", "Oka\rfor", "line 5: .USER_LAST_NAME.");
    refused(b, "Okafor", "Oka\x85", "line 5: .USER_LAST_NAME.");
    refused(b, "20260309", "20260229", "line 11: .USER_PRIV_GRANTED.");
    refused(b, "20280309", "20260309", "line 12: .USER_PRIV_EXPIRES.");
    refused(b, "19880714", "20260310", "line 13: .USER_BIRTH_DATE.");
    refused(b, ".USER_ADDR1_END.\n", "", "a tag that does not belong there");
    refused(b, ".USER_ADDR1_BEGIN.\n", "", "line 15: a tag that does not belong there");
    refused(b, ".USER_XINFO_END.\n", "", "the user before has a block without its end");
    refused(b, ".ZIP.", ".POSTALCODE.", "line 18: a tag that does not belong there");
    refused(b, ".STREET.", ".USER_STREET.", "a tag that does not belong there");
    refused(b, ".PHONE.   |a330-555-0142\n", ".ZIP.   |a1\n", "line 19: .ZIP. is there twice");
    refused(b, ".STREET.   |a", ".STREET. |a", "line 16: .STREET. without its value");
    refused(b, ".USER_ADDR1_BEGIN.", ".USER_ADDR1_BEGIN. ", "takes no value");
    b->p.symphony.write_pin = false;
    buf_reset(&b->out);
    b->p.symphony.write_pin = true;
    marta(b);
    assert_int_equal(add(b), ERR_OK);
    b->p.symphony.write_pin = false;
    assert_int_equal(judge(b, b->out.p, b->out.len, &(uint64_t){ 0 }), ERR_MALFORMED);
    assert_string_equal(b->msg.text, "line 9: .USER_PIN. is empty, too long or impossible");
}

static void changed_and_random_bytes_never_crash(void **state)
{
    struct bench *b = *state;
    uint32_t seed = 21;
    uint64_t n;

    marta(b);
    assert_int_equal(add(b), ERR_OK);
    for (unsigned round = 0; round < 20000; round++) {
        size_t at;
        uint8_t old;

        seed = seed * 1664525 + 1013904223;
        at = (seed >> 8) % b->out.len;
        old = b->out.p[at];
        b->out.p[at] = (uint8_t)seed;
        (void)judge(b, b->out.p, b->out.len, &n);
        b->out.p[at] = old;
    }
}

/* ---- the reader ---- */

struct seen {
    unsigned n;
    struct record user[8];
    uint64_t line[8];
    unsigned left_out[8];
    struct buf unknown;
};

static enum err on_event(void *ctx, const struct format_event *ev, struct errmsg *msg)
{
    struct seen *s = ctx;

    (void)msg;
    assert_in_range(s->n, 0, 7);
    assert_int_equal(ev->rec.kind, RECORD_USER);
    s->line[s->n] = ev->line;
    s->left_out[s->n] = ev->left_out;
    s->user[s->n++] = ev->rec;
    return ERR_OK;
}

static enum err on_unknown(void *ctx, uint64_t line, const uint8_t *p, size_t n, const char *why,
                           struct errmsg *msg)
{
    struct seen *s = ctx;

    (void)msg;
    buf_printf(&s->unknown, "%llu: %s: ", (unsigned long long)line, why ? why : "more of it");
    buf_add(&s->unknown, p, n);
    buf_text(&s->unknown, "\n");
    return ERR_OK;
}

static void reads(struct bench *b, struct seen *s, const void *text, size_t n, const char *unknown)
{
    for (size_t step = 1; step < 200; step += 61) {
        struct format_read to = { .ctx = s, .event = on_event, .unknown = on_unknown };
        struct format_reader *r = format_ldflat.read_new(&b->p, &to);

        buf_free(&s->unknown);
        memset(s, 0, sizeof *s);
        for (size_t at = 0; at < n; at += step)
            assert_int_equal(format_ldflat.read_add(r, (const uint8_t *)text + at,
                                                    at + step < n ? step : n - at, &b->msg),
                             ERR_OK);
        assert_int_equal(format_ldflat.read_end(r, &b->msg), ERR_OK);
        format_ldflat.read_free(r);
        buf_add(&s->unknown, "", 1);
        assert_string_equal((const char *)s->unknown.p, unknown);
    }
}

static void what_was_written_is_read_back_but_for_time_and_id(void **state)
{
    struct bench *b = *state;
    struct seen s = { 0 };
    struct format_item it = { .rec = &b->rec };

    marta(b);
    strcpy(b->rec.reg.last, "N\xc3\xba\xc3\xb1"
                            "ez");
    strcpy(b->rec.reg.type, "CHILD");
    strcpy(b->rec.reg.guardian, "Eva");
    strcpy(b->rec.reg.note, "twin; of Ada");
    assert_int_equal(format_ldflat.loses(&b->p, &it), 1u << LOSS_TIME);
    assert_int_equal(add(b), ERR_OK);
    reads(b, &s, b->out.p, b->out.len, "");
    assert_int_equal(s.n, 1);
    assert_memory_equal(&s.user[0].reg, &b->rec.reg, sizeof b->rec.reg);
    assert_string_equal(s.user[0].user, b->rec.user);
    assert_int_equal(s.user[0].at_ms, 1773028800000); /* 2026-03-09, 00:00 in New York */
    assert_int_equal(s.user[0].utc_off_min, -240);
    buf_free(&s.unknown);
}

static void losses_of_a_user_are_told(void **state)
{
    struct bench *b = *state;
    struct format_item it = { .rec = &b->rec };

    marta(b);
    b->p.symphony.write_pin = false;
    strcpy(b->rec.reg.city, "\xc5\x81\xc3\xb3"
                            "d\xc5\xba");
    assert_int_equal(format_ldflat.loses(&b->p, &it),
                     1u << LOSS_TIME | 1u << LOSS_USER_FIELDS | 1u << LOSS_TEXT);
}

static void the_reader_takes_every_variant_and_keeps_the_rest(void **state)
{
    static const char text[] = "stray\n"
                               "*** DOCUMENT BOUNDARY ***\r\n"
                               "FORM=LDUSER\r\n"
                               ".USER_ID. 29999000001016\r\n"
                               ".USER_NAME.   |aLovelace, Ad\xe9le\r\n"
                               ".USER_CATEGORY1.   |aTEEN\r\n"
                               ".USER_BIRTH_DATE.   |a20260230\r\n"
                               ".USER_ADDR2_BEGIN.\r\n"
                               ".STREET.   |aElsewhere 1\r\n"
                               ".USER_ADDR2_END.\r\n"
                               ".USER_ADDR1_BEGIN.\r\n"
                               ".STREET.  Here 2\r\n"
                               ".POSTALCODE.   |aK1A 0A6\r\n"
                               ".USER_ADDR1_END.\r\n"
                               ".USER_XINFO_BEGIN.\r\n.NOTE.   |aPays late\r\n.USER_XINFO_END.\r\n"
                               "*** DOCUMENT BOUNDARY ***\n"
                               "FORM=LDUSER\n.USER_FIRST_NAME.   |aNobody\n"
                               "*** DOCUMENT BOUNDARY ***\n"
                               "FORM=LDITEM\n.ITEM_ID.   |a3\n"
                               "*** DOCUMENT BOUNDARY ***\n"
                               "FORM=LDUSER\n.USER_ID.   |a2[9\n.USER_LAST_NAME.   |aBracket\n"
                               "*** DOCUMENT BOUNDARY ***\n"
                               "FORM=LDUSER\n.USER_ID.   |a29999000001024\n.USER_ID.   |a2\n"
                               ".USER_LAST_NAME.   |aLast line is cut";
    struct bench *b = *state;
    struct seen s = { 0 };

    reads(b, &s, text, sizeof text - 1,
          "1: before any user: stray\n"
          "6: a registration has no place for this tag: .USER_CATEGORY1.   |aTEEN\n"
          "7: no date, as 20260309: .USER_BIRTH_DATE.   |a20260230\n"
          "9: a registration has no place for this tag: .STREET.   |aElsewhere 1\n"
          "18: a user without a number: *** DOCUMENT BOUNDARY ***\n"
          "FORM=LDUSER\n.USER_FIRST_NAME.   |aNobody\n"
          "22: a form that is not LDUSER: FORM=LDITEM\n"
          "23: of a user or form that is not known: .ITEM_ID.   |a3\n"
          "26: the number is impossible: .USER_ID.   |a2[9\n"
          "24: a user without a number: *** DOCUMENT BOUNDARY ***\n"
          "FORM=LDUSER\n.USER_LAST_NAME.   |aBracket\n"
          "31: a second value of this tag: .USER_ID.   |a2\n"
          "28: the file ends within this user: perhaps it was cut: *** DOCUMENT BOUNDARY ***\n"
          "FORM=LDUSER\n.USER_ID.   |a29999000001024\n"
          ".USER_LAST_NAME.   |aLast line is cut\n");
    assert_int_equal(s.n, 1);
    assert_int_equal(s.line[0], 2);
    assert_string_equal(s.user[0].user, "29999000001016");
    assert_string_equal(s.user[0].reg.last, "Lovelace, Ad\xc3\xa9le");
    assert_string_equal(s.user[0].reg.street, "Here 2");
    assert_string_equal(s.user[0].reg.postcode, "K1A 0A6");
    assert_string_equal(s.user[0].reg.note, "Pays late");
    assert_int_equal(s.user[0].at_ms, 0);
    buf_free(&s.unknown);
}

/* Another expiry, status or library than the policy's is lost: our writer says its own. */
static void what_the_policy_says_otherwise_is_told(void **state)
{
#define USER "*** DOCUMENT BOUNDARY ***\nFORM=LDUSER\n.USER_ID.   |a1\n.USER_LAST_NAME.   |aL\n"
#define KEPT                                                                                       \
    ".USER_LIBRARY.   |aRVR\n.USER_PREF_LANG.   |aENGLISH\n.USER_STATUS.   |aOK\n"                 \
    ".USER_PRIV_GRANTED.   |a20260309\n.USER_PRIV_EXPIRES.   |a20280309\n"
    static const char text[] = USER KEPT USER
        ".USER_STATUS.   |aBARRED\n" USER ".USER_PRIV_GRANTED.   |a20260309\n"
        ".USER_PRIV_EXPIRES.   |a20270309\n" USER ".USER_ADDR1_BEGIN.\n.STREET.   |a1 Mill\n" USER;
    struct bench *b = *state;
    struct seen s = { 0 };

    reads(b, &s, text, sizeof text - 1,
          "21: a user with a block that does not end: perhaps cut: " USER
          ".USER_ADDR1_BEGIN.\n.STREET.   |a1 Mill\n");
    assert_int_equal(s.n, 4);
    assert_int_equal(s.left_out[0], 0);
    assert_int_equal(s.left_out[1], LEFT_FIELDS);
    assert_int_equal(s.left_out[2], LEFT_FIELDS);
    assert_int_equal(s.left_out[3], 0);
    buf_free(&s.unknown);
}

/* Rivermouth's own names, and a clearance as accountability sites need it. */
static void the_sites_own_tags_are_written_judged_and_read(void **state)
{
    struct bench *b = *state;
    struct seen s = { 0 };
    uint64_t n;

    strcpy(b->p.symphony.address_tag[TAG_CITY], "CITY/PROV");
    strcpy(b->p.symphony.address_tag[TAG_POSTCODE], "POSTALCODE");
    strcpy(b->p.symphony.address_tag[TAG_PHONE], "MOBILE");
    strcpy(b->p.symphony.user_clearance, "NONE");
    marta(b);
    strcpy(b->rec.reg.type, "ADULT");
    assert_int_equal(add(b), ERR_OK);
    buf_add(&b->out, "", 1);
    assert_non_null(strstr((char *)b->out.p, "\n.UACNT_CLEARANCE.   |aNONE\n"));
    assert_non_null(strstr((char *)b->out.p,
                           "\n.CITY/PROV.   |aRivermouth, OH\n"
                           ".POSTALCODE.   |a44654\n.MOBILE.   |a330-555-0142\n"));
    b->out.len--;
    assert_int_equal(judge(b, b->out.p, b->out.len, &n), ERR_OK);
    assert_int_equal(n, 1);
    reads(b, &s, b->out.p, b->out.len, "");
    assert_memory_equal(&s.user[0].reg, &b->rec.reg, sizeof b->rec.reg);
    strcpy(b->p.symphony.address_tag[TAG_PHONE], "PHONE");
    assert_int_equal(judge(b, b->out.p, b->out.len, &n), ERR_MALFORMED);
    strcpy(b->p.symphony.address_tag[TAG_PHONE], "MOBILE");
    strcpy(b->p.symphony.user_clearance, "ALL");
    assert_int_equal(judge(b, b->out.p, b->out.len, &n), ERR_MALFORMED);
    buf_free(&s.unknown);
}

static void a_byte_order_mark_says_utf_8(void **state)
{
    static const char text[] = "\xef\xbb\xbf*** DOCUMENT BOUNDARY ***\n.USER_ID.   |a1\n"
                               ".USER_LAST_NAME.   |aZo\xc3\xab\n.USER_FIRST_NAME.   |a\xe9\n";
    struct bench *b = *state;
    struct seen s = { 0 };

    reads(b, &s, text, sizeof text - 1,
          "4: a value that is too long, or no clean text: .USER_FIRST_NAME.   |a\xe9\n");
    assert_int_equal(s.n, 1);
    assert_string_equal(s.user[0].reg.last, "Zo\xc3\xab");
    /* without one there are two ways to read it, and none is taken */
    reads(b, &s, text + 3, sizeof text - 1 - 3,
          "3: its letters are UTF-8, where this format has ISO-8859-1: "
          ".USER_LAST_NAME.   |aZo\xc3\xab\n"
          "1: a user without a name: *** DOCUMENT BOUNDARY ***\n.USER_ID.   |a1\n"
          ".USER_FIRST_NAME.   |a\xe9\n");
    buf_free(&s.unknown);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_registration_is_written_byte_for_byte),
        TEST(what_is_not_known_is_left_out_with_its_block),
        TEST(only_registrations_are_carried_and_only_in_flat_form),
        TEST(a_bar_control_byte_or_missing_name_is_refused),
        TEST(truncated_anywhere_but_behind_a_user_the_file_is_refused),
        TEST(the_judge_names_what_is_wrong),
        TEST(changed_and_random_bytes_never_crash),
        TEST(what_was_written_is_read_back_but_for_time_and_id),
        TEST(losses_of_a_user_are_told),
        TEST(the_reader_takes_every_variant_and_keeps_the_rest),
        TEST(what_the_policy_says_otherwise_is_told),
        TEST(the_sites_own_tags_are_written_judged_and_read),
        TEST(a_byte_order_mark_says_utf_8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
