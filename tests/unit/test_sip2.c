/* test_sip2.c - SIP 2.00: bytes out, bytes in, what an answer and a look mean, and the format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format_line.h"
#include "sip2.h"

static void is_text(struct buf *b, const char *wanted)
{
    buf_add(b, "", 1);
    assert_false(b->failed);
    assert_string_equal((char *)b->p, wanted);
    buf_free(b);
    memset(b, 0, sizeof *b);
}

/* ---- bytes out ---- */

static void a_login_is_written_byte_for_byte(void **state)
{
    struct buf b = { 0 };

    (void)state;
    sip2_put_login(&b, "tideover", "secret", "MAIN");
    sip2_seal(&b, 0, 0);
    is_text(&b, "9300CNtideover|COsecret|CPMAIN|AY0AZF398\r");
    sip2_put_status(&b, '0');
    sip2_seal(&b, 0, 1);
    is_text(&b, "9900802.00AY1AZFCA0\r");
}

static void loans_are_written_byte_for_byte(void **state)
{
    struct sip2_loan out = { true,   "20261123    090500", "20261214    235959", "",
                             "MAIN", "29999000001016",     "39999000005015" };
    struct sip2_loan in = { true, "20261123    121600", "20261123    090601", "MAIN", "MAIN",
                            "",   "39999000005023" };
    struct sip2_loan again = { true,   "20261123    090630", "20261214    235959", "",
                               "MAIN", "29999000001032",     "39999000005056" };
    struct sip2_loan undated = { false, "20261123    090500", NULL, "", "", "1", "2" };
    struct buf b = { 0 };

    (void)state;
    assert_int_equal(sip2_put_loan(&b, RECORD_CHECKOUT, &out), ERR_OK);
    sip2_seal(&b, 0, 2);
    is_text(&b, "11NY20261123    09050020261214    235959AOMAIN|AA29999000001016|AB39999000005015|"
                "AC|BON|BIN|AY2AZE980\r");
    assert_int_equal(sip2_put_loan(&b, RECORD_DISCHARGE, &in), ERR_OK);
    sip2_seal(&b, 0, 3);
    is_text(&b, "09Y20261123    12160020261123    090601APMAIN|AOMAIN|AB39999000005023|AC|BIN|"
                "AY3AZECD2\r");
    assert_int_equal(sip2_put_loan(&b, RECORD_RENEW, &again), ERR_OK);
    sip2_seal(&b, 0, 4);
    is_text(&b, "29NY20261123    09063020261214    235959AOMAIN|AA29999000001032|AB39999000005056|"
                "AC|BON|AY4AZEAC3\r");
    assert_int_equal(sip2_put_loan(&b, RECORD_CHECKOUT, &undated), ERR_OK);
    is_text(&b, "11NN20261123    090500                  AO|AA1|AB2|AC|BON|BIN|");
    assert_int_equal(sip2_put_loan(&b, RECORD_USER, &undated), ERR_INVALID);
}

static void questions_are_written_byte_for_byte(void **state)
{
    struct buf b = { 0 };

    (void)state;
    sip2_put_item(&b, "20261123    121700", "MAIN", "39999000005015");
    sip2_seal(&b, 0, 5);
    is_text(&b, "1720261123    121700AOMAIN|AB39999000005015|AC|AY5AZF3F0\r");
    sip2_put_patron(&b, "000", "20261123    121700", "MAIN", "29999000001016", 1, 50);
    sip2_seal(&b, 0, 6);
    is_text(&b, "6300020261123    121700  Y       AOMAIN|AA29999000001016|AC|BP1|BQ50|AY6AZEF37\r");
}

/* ---- bytes in ---- */

static struct sip2_msg parsed(const char *text)
{
    struct sip2_msg m;

    if (sip2_parse(text, strlen(text), &m, NULL) != ERR_OK)
        fail_msg("does not parse: %s", text);
    return m;
}

static void an_answer_is_taken_apart(void **state)
{
    static const char text[] =
        "121NNY20261123    121500AOMAIN|AA29999000001016|AB39999000005015|AJExample title|"
        "AH20261214    235959|AY2AZE59B";
    struct sip2_msg m = parsed(text);
    struct sip2_field f;

    (void)state;
    assert_string_equal(m.code, "12");
    assert_memory_equal(m.fixed, "1NNY20261123    121500", 22);
    assert_int_equal(m.seq, 2);
    assert_int_equal(m.sum, SIP2_SUM_GOOD);
    assert_true(sip2_is(&m, "AB", "39999000005015"));
    assert_false(sip2_is(&m, "AB", "3999900000501"));
    assert_true(sip2_find(&m, "AJ", &f));
    assert_int_equal(f.n, strlen("Example title"));
    assert_false(sip2_find(&m, "AY", &f));
    assert_int_equal(sip2_due(&m), 20261214);
}

static void every_example_has_its_checksum(void **state)
{
    static const char *const good[] = {
        "941AY0AZFDFD",
        "98YYYYNN60000320261123    0905002.00AOMAIN|BXYYYYYYYYYYYYYYYY|AY1AZEE2A",
        "101YNN20261123    121600AOMAIN|AB39999000005023|AQMAIN|AJExample title|AY3AZEB8D",
        "1804000120261123    121700AB39999000005015|AJExample title|AH20261214    235959|AY5AZEB8E",
        "96AZFEF6",
        "97AZFEF5",
    };

    (void)state;
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
        char text[256];
        struct sip2_msg m = parsed(good[i]);
        assert_int_equal(m.sum, SIP2_SUM_GOOD);
        snprintf(text, sizeof text, "%s", good[i]);
        text[strlen(text) - 1] = text[strlen(text) - 1] == '0' ? '1' : '0';
        m = parsed(text);
        assert_int_equal(m.sum, SIP2_SUM_BAD);
    }
}

static void odd_forms_are_taken(void **state)
{
    static const char bar[] = "941|AY0AZFD81";
    struct sip2_msg m = parsed("941");
    struct sip2_field f;
    size_t at = 0;

    (void)state;
    assert_int_equal(m.seq, -1);
    assert_int_equal(m.sum, SIP2_SUM_NONE);
    m = parsed(bar); /* a bar before AY */
    assert_int_equal(m.seq, 0);
    assert_int_equal(m.sum, SIP2_SUM_GOOD);
    m = parsed("101YNN20261123    121600||ABx|AFone|A|AFtwo"); /* empty, short and unended fields */
    assert_true(sip2_next(&m, &at, &f));
    assert_string_equal(f.code, "AB");
    assert_true(sip2_next(&m, &at, &f));
    assert_true(sip2_next(&m, &at, &f));
    assert_int_equal(f.n, 0);
    assert_true(sip2_next(&m, &at, &f));
    assert_string_equal(f.code, "AF");
    assert_int_equal(f.n, 3);
    assert_false(sip2_next(&m, &at, &f));
}

static void what_is_no_message_is_refused(void **state)
{
    struct sip2_msg m;

    (void)state;
    assert_int_equal(sip2_parse("", 0, &m, NULL), ERR_MALFORMED);
    assert_int_equal(sip2_parse("9", 1, &m, NULL), ERR_MALFORMED);
    assert_int_equal(sip2_parse("Internal error", 14, &m, NULL), ERR_MALFORMED);
    assert_int_equal(sip2_parse("121NNY20261123    12150", 23, &m, NULL), ERR_MALFORMED);
    assert_int_equal(sip2_parse("1220261123AY0AZ0000", 19, &m, NULL), ERR_MALFORMED);
}

static void odd_letters_become_clean_text(void **state)
{
    struct sip2_msg m = parsed("120NNN20261123    121500AFM\xfcller \xc3\xa9\x01"
                               "x|AFtwo|AF|AFthree|");
    char words[ANSWER_WORDS_MAX + 1], few[7];

    (void)state;
    sip2_words(&m, words, sizeof words);
    assert_string_equal(words, "M\xc3\xbcller \xc3\xa9 x two three");
    sip2_words(&m, few, sizeof few);
    assert_string_equal(few, "M\xc3\xbclle");
    assert_true(text_is_clean(words));
}

static void a_due_date_is_read_only_where_it_is_one(void **state)
{
    static const struct {
        const char *ah;
        uint32_t due;
    } forms[] = { { "20261214    235959", 20261214 },
                  { "2026-12-14 23:59:00", 20261214 },
                  { "12/14/2026", 0 },
                  { "14.12.2026", 0 },
                  { "no due date", 0 },
                  { "", 0 } };

    (void)state;
    for (unsigned i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char text[128];
        struct sip2_msg m;
        snprintf(text, sizeof text, "121NNY20261123    121500AH%s|", forms[i].ah);
        m = parsed(text);
        assert_int_equal(sip2_due(&m), forms[i].due);
    }
}

/* ---- 98 ---- */

static enum delivery ready(const char *fixed_and_bx, char words[256])
{
    struct sip2_msg m = parsed(fixed_and_bx);
    struct sip2_status s;

    assert_true(sip2_read_status(&m, &s));
    return sip2_check_status(&s, words);
}

static void a_server_that_may_not_be_told_is_not_told(void **state)
{
    char w[256];

    (void)state;
    assert_int_equal(ready("98YYYYNN60000320261123    0905002.00BXYYYYYYYYYYYYYYYY|", w),
                     DELIVERY_DONE);
    assert_int_equal(ready("98YYYYNN60000320261123    0905002.00", w), DELIVERY_DONE);
    assert_int_equal(ready("98NYYYNN60000320261123    0905002.00", w), DELIVERY_RETRY);
    assert_int_equal(ready("98YYYYNN00000320261123    0905002.00", w), DELIVERY_RETRY);
    assert_int_equal(ready("98YNYYNN60000320261123    0905002.00", w), DELIVERY_STOP);
    assert_int_equal(ready("98YYNYNN60000320261123    0905002.00", w), DELIVERY_STOP);
    assert_int_equal(ready("98YYYYNN60000320261123    0905001.00", w), DELIVERY_STOP);
    assert_int_equal(ready("98YYYYNN60000320261123    0905002.00BXYYYYYYYYYYNYYYYY|", w),
                     DELIVERY_STOP);
    assert_non_null(strstr(w, "item information (17)"));
}

static void the_time_limit_follows_the_server(void **state)
{
    struct sip2_status s = { .timeout_ds = 999 };

    (void)state;
    assert_int_equal(sip2_limit_ms(&s, 0), 5000);
    assert_int_equal(sip2_limit_ms(&s, 4000), 12000);
    assert_int_equal(sip2_limit_ms(&s, 400000), 60000);
    s.timeout_ds = 300;
    assert_int_equal(sip2_limit_ms(&s, 100), 30000);
    s.timeout_ds = 998;
    assert_int_equal(sip2_limit_ms(&s, 0), 60000);
}

static void the_clock_is_compared_in_local_time(void **state)
{
    struct sip2_msg m = parsed("98YYYYNN60000320261123    0905002.00");
    struct sip2_status s;
    struct zone z;
    int64_t off;

    (void)state;
    assert_int_equal(zone_parse("EST5EDT,M3.2.0,M11.1.0", &z, NULL), ERR_OK);
    assert_true(sip2_read_status(&m, &s));
    assert_true(sip2_clock_off(&s, &z, 1795442700 - 90, &off)); /* 2026-11-23 14:05 UTC */
    assert_int_equal(off, 90);
    memcpy(s.date, "00000000    000000", 18);
    assert_false(sip2_clock_off(&s, &z, 0, &off));
}

/* ---- what answers mean ---- */

#define OUT_LINE                                                                                   \
    "11NY20261123    09050020261214    "                                                           \
    "235959AOMAIN|AA29999000001016|AB39999000005015|AC|BON|BIN|\n"
#define IN_LINE "09Y20261123    12160020261123    090601AP|AOMAIN|AB39999000005015|AC|BIN|\n"
#define RENEW_LINE                                                                                 \
    "29NY20261123    09063020261214    235959AOMAIN|AA29999000001016|AB39999000005015|AC|BON|\n"

static struct sip2_ask asked(const char *line)
{
    struct sip2_ask a;

    assert_int_equal(sip2_ask_of(line, strlen(line), &a, NULL), ERR_OK);
    return a;
}

static void judged(const char *line, bool again, const char *answer, enum sip2_next next,
                   enum answer a, const char *words)
{
    struct sip2_ask ask = asked(line);
    struct sip2_told t;

    sip2_judge(&ask, 2, again, answer, strlen(answer), &t);
    if (t.next != next || (next == SIP2_TOLD && t.answer != a) || strstr(t.words, words) == NULL)
        fail_msg("%s: %d %s \"%s\"", answer, t.next, answer_name(t.answer), t.words);
}

#define OUT_TAIL "NNY20261123    121500AOMAIN|AA29999000001016|AB39999000005015|"
#define AS_ASKED "AH2026-12-14 23:59:59|AY2"

static void a_booked_answer_is_accepted_or_deviates(void **state)
{
    (void)state;
    judged(OUT_LINE, false, "121" OUT_TAIL AS_ASKED, SIP2_TOLD, ANSWER_ACCEPTED, "");
    judged(OUT_LINE, false, "121" OUT_TAIL "AHsoon|", SIP2_TOLD, ANSWER_ACCEPTED, "");
    judged(OUT_LINE, false, "121" OUT_TAIL "AH20261207    235959|AFHi|", SIP2_TOLD,
           ANSWER_DEVIATING, "due 2026-12-07 there, the user was told 2026-12-14: Hi");
    judged(OUT_LINE, false, "121YNY20261123    121500AOMAIN|AA29999000001016|AB39999000005015|",
           SIP2_TOLD, ANSWER_DEVIATING, "as a renewal");
    judged(OUT_LINE, true, "121YNY20261123    121500AOMAIN|AA29999000001016|AB39999000005015|",
           SIP2_TOLD, ANSWER_ACCEPTED, "");
    judged(OUT_LINE, false, "121NNY20261123    121500AOBUS|AA29999000001016|AB39999000005015|",
           SIP2_TOLD, ANSWER_DEVIATING, "another institution");
    judged(IN_LINE, false, "101YNN20261123    121600AOMAIN|AB39999000005015|AFHold for Eva|",
           SIP2_TOLD, ANSWER_ACCEPTED, "Hold for Eva");
    judged(RENEW_LINE, false, "301YNN20261123    121600AOMAIN|AA29999000001016|AB39999000005015|",
           SIP2_TOLD, ANSWER_ACCEPTED, "");
}

static void a_no_is_told_with_the_servers_words(void **state)
{
    (void)state;
    judged(OUT_LINE, false, "120" OUT_TAIL "AFOverdue items|", SIP2_TOLD, ANSWER_REFUSED,
           "Overdue items");
    judged(OUT_LINE, false, "120" OUT_TAIL "BLN|AFno such card|", SIP2_TOLD, ANSWER_REFUSED,
           "unknown user: no such card");
    judged(OUT_LINE, false, "120YNN20261123    121500AO|AA29999000001016|AB39999000005015|",
           SIP2_TOLD, ANSWER_ALREADY, "");
    judged(OUT_LINE, true, "120YNN20261123    121500AO|AA29999000001016|AB39999000005015|",
           SIP2_TOLD, ANSWER_ACCEPTED, "");
    judged(OUT_LINE, false, "120" OUT_TAIL "BT01|BV2.50|", SIP2_FEE, ANSWER_REFUSED, "");
    judged(OUT_LINE, false, "120" OUT_TAIL "BT01|BV0.00|", SIP2_TOLD, ANSWER_REFUSED, "");
    judged(IN_LINE, false, "100NNN20261123    121600AOMAIN|AB39999000005015|AFnot out|", SIP2_ITEM,
           ANSWER_REFUSED, "not out");
}

static void what_does_not_fit_the_question_is_no_answer(void **state)
{
    static const char *const foreign[] = {
        "",
        "Internal error",
        "96AZFEF6",
        "98YYYYNN60000320261123    0905002.00",
        "101YNN20261123    121600AOMAIN|AB39999000005015|",
        "121NNY20261123    121500AOMAIN|AA29999000001016|AB39999000005023|",
        "121NNY20261123    121500AOMAIN|AA29999000001024|AB39999000005015|",
        "121NNY20261123    121500AOMAIN|AA29999000001016|",
        "121" OUT_TAIL "AY3",
        "121" OUT_TAIL "AY2AZ0000",
        "12?" OUT_TAIL,
    };

    (void)state;
    for (unsigned i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        struct sip2_ask ask = asked(OUT_LINE);
        struct sip2_told t;
        /* AY without AZ is no tail: give it one. */
        struct buf b = { 0 };
        buf_text(&b, foreign[i]);
        if (strlen(foreign[i]) > 3 && memcmp(foreign[i] + strlen(foreign[i]) - 3, "AY3", 3) == 0) {
            b.len -= 3;
            sip2_seal(&b, 0, 3);
            b.len--;
        }
        sip2_judge(&ask, 2, false, (const char *)b.p, b.len, &t);
        buf_free(&b);
        if (t.next != SIP2_LOST || t.words[0] == '\0')
            fail_msg("taken as an answer: %s", foreign[i]);
    }
}

/* ---- looks ---- */

static enum delivery looked(const char *line, const char *item, const char *patron,
                            enum answer *answer)
{
    struct sip2_ask ask = asked(line);
    struct sip2_msg m = parsed(item);
    struct sip2_seen seen = { sip2_place_of(&m), sip2_due(&m), false };
    struct sip2_told t;
    enum delivery d;

    if (sip2_wants_patron(&ask, &seen)) {
        assert_non_null(patron);
        m = parsed(patron);
        sip2_see_page(&ask, &m, &seen);
    } else {
        assert_null(patron);
    }
    d = sip2_after_look(&ask, &seen, &t);
    *answer = t.answer;
    return d;
}

#define STATUS(two)                                                                                \
    "18" two "000120261123    121700AB39999000005015|AJA title|AH20261214    235959|"
#define OTHER_DUE "1804000120261123    121700AB39999000005015|AJA title|AH20261207    235959|"
#define NOT_KNOWN "1801000120261123    121700AB39999000005015|AJ|"
#define PATRON(loans)                                                                              \
    "64              00020261123    121700000000010001000000000000AOMAIN|AA29999000001016|AEEva|"  \
    "BLY|" loans
#define HAS_IT "AU39999000005007|AU39999000005015|"

static void a_look_proves_only_what_is_shown(void **state)
{
    enum answer a;

    (void)state;
    /* a discharge */
    assert_int_equal(looked(IN_LINE, STATUS("03"), NULL, &a), DELIVERY_DONE);
    assert_int_equal(looked(IN_LINE, STATUS("10"), NULL, &a), DELIVERY_DONE);
    assert_int_equal(looked(IN_LINE, STATUS("04"), NULL, &a), DELIVERY_UNPROVEN);
    assert_int_equal(looked(IN_LINE, STATUS("12"), NULL, &a), DELIVERY_UNPROVEN);
    assert_int_equal(looked(IN_LINE, STATUS("07"), NULL, &a), DELIVERY_UNPROVEN);
    assert_int_equal(looked(IN_LINE, NOT_KNOWN, NULL, &a), DELIVERY_DONE);
    assert_int_equal(a, ANSWER_REFUSED);
    /* a checkout */
    assert_int_equal(looked(OUT_LINE, STATUS("04"), PATRON(HAS_IT), &a), DELIVERY_DONE);
    assert_int_equal(a, ANSWER_ACCEPTED);
    assert_int_equal(looked(OUT_LINE, OTHER_DUE, PATRON(HAS_IT), &a), DELIVERY_DONE);
    assert_int_equal(a, ANSWER_DEVIATING);
    assert_int_equal(looked(OUT_LINE, STATUS("04"), PATRON("AUA title|"), &a), DELIVERY_ABSENT);
    assert_int_equal(looked(OUT_LINE, STATUS("03"), NULL, &a), DELIVERY_ABSENT);
    /* a renewal */
    assert_int_equal(looked(RENEW_LINE, STATUS("04"), PATRON(HAS_IT), &a), DELIVERY_DONE);
    assert_int_equal(looked(RENEW_LINE, STATUS("04"), PATRON(""), &a), DELIVERY_UNPROVEN);
    assert_int_equal(looked(RENEW_LINE, OTHER_DUE, NULL, &a), DELIVERY_UNPROVEN);
    assert_int_equal(looked(RENEW_LINE, STATUS("03"), NULL, &a), DELIVERY_UNPROVEN);
}

static void a_full_page_of_loans_asks_for_the_next(void **state)
{
    struct sip2_ask ask = asked(OUT_LINE);
    struct sip2_seen seen = { SIP2_OUT, 0, false };
    struct buf b = { 0 };
    struct sip2_msg m;

    (void)state;
    buf_text(&b, PATRON(""));
    for (unsigned i = 0; i < SIP2_PAGE; i++)
        buf_printf(&b, "AU%u|", i);
    assert_int_equal(sip2_parse((char *)b.p, b.len, &m, NULL), ERR_OK);
    assert_true(sip2_see_page(&ask, &m, &seen));
    buf_text(&b, HAS_IT);
    assert_int_equal(sip2_parse((char *)b.p, b.len, &m, NULL), ERR_OK);
    assert_false(sip2_see_page(&ask, &m, &seen));
    assert_true(seen.has_it);
    buf_free(&b);
}

static void poison_is_what_fails_while_others_live(void **state)
{
    struct sip2_tally t = { 0 };

    (void)state;
    for (unsigned i = 0; i < 5; i++) /* the server is down: that says nothing of the record */
        sip2_tally_failed(&t, 7);
    sip2_tally_lives(&t);
    assert_false(sip2_tally_is_poison(&t, 7));
    sip2_tally_failed(&t, 7);
    sip2_tally_lives(&t);
    sip2_tally_failed(&t, 7);
    assert_false(sip2_tally_is_poison(&t, 7));
    sip2_tally_lives(&t);
    assert_true(sip2_tally_is_poison(&t, 7));
    assert_false(sip2_tally_is_poison(&t, 8));
    sip2_tally_failed(&t, 8);
    assert_false(sip2_tally_is_poison(&t, 7));
}

static void twenty_refusals_at_the_start_stop_the_upload(void **state)
{
    struct sip2_tally t = { 0 }, late = { 0 }, mixed = { 0 };

    (void)state;
    for (uint64_t i = 1; i <= SIP2_REFUSED; i++) {
        assert_false(sip2_tally_stops(&t));
        sip2_tally_told(&t, i, ANSWER_REFUSED);
        sip2_tally_told(&late, i + 1, ANSWER_REFUSED);
        sip2_tally_told(&mixed, i, i == 9 ? ANSWER_ALREADY : ANSWER_REFUSED);
    }
    sip2_tally_told(&mixed, 21, ANSWER_REFUSED);
    assert_true(sip2_tally_stops(&t));
    assert_false(sip2_tally_stops(&late));
    assert_false(sip2_tally_stops(&mixed));
}

/* ---- the format ---- */

static int set_up(void **state)
{
    static const char text[] = "[branch]\ncode = MAIN\nzone = America/New_York\n"
                               "zone_rule = EST5EDT,M3.2.0,M11.1.0\n[upload]\nformat = sip2\n"
                               "[sip2]\nlocation = RVR\n";

    return bench_set_up(state, text);
}

static enum err add(struct bench *b, unsigned kind, const char *user, const char *item,
                    uint32_t due)
{
    struct format_item it = {
        .rec = &b->rec, .id = "KIDS-1/3/0042", .desk = "KIDS-1", .tick_s = 1795442700, .due = due
    };

    memset(&b->rec, 0, sizeof b->rec);
    b->rec.kind = (uint8_t)kind;
    snprintf(b->rec.user, sizeof b->rec.user, "%s", user);
    snprintf(b->rec.item, sizeof b->rec.item, "%s", item);
    return format_sip2.write(&b->p, &b->st, &it, &b->out, &b->msg);
}

static enum err judge(struct bench *b, const void *text, size_t n, uint64_t *records)
{
    return bench_judge(b, &format_sip2, text, n, records);
}

static void a_batch_is_written_byte_for_byte(void **state)
{
    static const char wanted[] =
        "11NY20261123    09050020261214    235959AOMAIN|AA29999000001016|AB39999000005015|AC|BON|"
        "BIN|\n"
        "09Y20261123    09050020261123    090500APRVR|AOMAIN|AB39999000005023|AC|BIN|\n"
        "29NY20261123    090500                  AOMAIN|AA29999000001032|AB39999000005056|AC|"
        "BON|\n";
    struct bench *b = *state;
    uint64_t n = 0;

    assert_int_equal(add(b, RECORD_CHECKOUT, "29999000001016", "39999000005015", 20261214), ERR_OK);
    assert_int_equal(add(b, RECORD_DISCHARGE, "", "39999000005023", 0), ERR_OK);
    assert_int_equal(add(b, RECORD_RENEW, "29999000001032", "39999000005056", 0), ERR_OK);
    assert_int_equal(judge(b, b->out.p, b->out.len, &n), ERR_OK);
    assert_int_equal(n, 3);
    is_text(&b->out, wanted);
}

static void what_sip2_cannot_say_is_refused_alone(void **state)
{
    struct bench *b = *state;

    for (unsigned k = 0; k <= 255; k++)
        assert_int_equal(format_sip2.carries(&b->p, k),
                         k == RECORD_CHECKOUT || k == RECORD_DISCHARGE || k == RECORD_RENEW);
    assert_false(format_has_users_inside(&b->p));
    assert_int_equal(add(b, RECORD_USER, "29999000001016", "", 0), ERR_INVALID);
    assert_int_equal(add(b, RECORD_RENEW, "", "39999000005015", 0), ERR_INVALID);
    assert_string_equal(b->msg.field, "user");
    assert_int_equal(add(b, RECORD_CHECKOUT, "1", "a|b", 0), ERR_INVALID);
    assert_string_equal(b->msg.field, "item");
    assert_int_equal(add(b, RECORD_CHECKOUT, "1", "2", 20261122), ERR_INVALID);
    assert_string_equal(b->msg.field, "due");
    assert_int_equal(b->out.len, 0);
}

/* `from` becomes `to` in a good file. */
static void refused(struct bench *b, const char *from, const char *to, const char *because)
{
    char text[1024];
    const char *at;
    uint64_t n;

    buf_reset(&b->out);
    assert_int_equal(add(b, RECORD_CHECKOUT, "29999000001016", "39999000005015", 20261214), ERR_OK);
    assert_int_equal(add(b, RECORD_DISCHARGE, "", "39999000005023", 0), ERR_OK);
    buf_add(&b->out, "", 1);
    at = strstr((char *)b->out.p, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - (char *)b->out.p), (char *)b->out.p, to,
             at + strlen(from));
    assert_int_equal(judge(b, text, strlen(text), &n), ERR_MALFORMED);
    if (strstr(b->msg.text, because) == NULL)
        fail_msg("said: %s; wanted: %s", b->msg.text, because);
}

static void the_judge_names_what_is_wrong(void **state)
{
    struct bench *b = *state;

    refused(b, "11NY", "11YY", "line 1: a flag");
    refused(b, "11NY", "12NY", "line 1: neither a checkout");
    refused(b, "23    09", "23EST 09", "line 1: when it happened is no date");
    refused(b, "20261214    235959", "20261122    235959", "line 1: due before it was lent");
    refused(b, "20261214    235959", "20261232    235959", "line 1: the second date");
    refused(b, "20261214    235959", "", "line 1: ");
    refused(b, "AB39999000005015|", "AB|", "line 1: AB is no barcode");
    refused(b, "AA29999000001016|", "", "line 1: without AA in its place");
    refused(b, "|AC|", "|AC1234|", "line 1: AC, a password, must be empty");
    refused(b, "BIN|\n", "BIY|\n", "line 1: BI must be N");
    refused(b, "BIN|\n", "BIN|AY1AZ0000\n", "line 1: something stands behind the last field");
    refused(b, "BIN|\n", "BIN|\r\n", "line 1: a byte that is not plain ASCII");
    refused(b, "APRVR", "APM\xc3\xbcller", "line 2: a byte that is not plain ASCII");
    refused(b, "AOMAIN|AB39999000005023", "AB39999000005023|AOMAIN", "line 2: without AO");
    refused(b, "AB39999000005023|AC|BIN|\n", "", "line 2: the file ends in the middle of it");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_is_written_byte_for_byte),
        cmocka_unit_test(loans_are_written_byte_for_byte),
        cmocka_unit_test(questions_are_written_byte_for_byte),
        cmocka_unit_test(an_answer_is_taken_apart),
        cmocka_unit_test(every_example_has_its_checksum),
        cmocka_unit_test(odd_forms_are_taken),
        cmocka_unit_test(what_is_no_message_is_refused),
        cmocka_unit_test(odd_letters_become_clean_text),
        cmocka_unit_test(a_due_date_is_read_only_where_it_is_one),
        cmocka_unit_test(a_server_that_may_not_be_told_is_not_told),
        cmocka_unit_test(the_time_limit_follows_the_server),
        cmocka_unit_test(the_clock_is_compared_in_local_time),
        cmocka_unit_test(a_booked_answer_is_accepted_or_deviates),
        cmocka_unit_test(a_no_is_told_with_the_servers_words),
        cmocka_unit_test(what_does_not_fit_the_question_is_no_answer),
        cmocka_unit_test(a_look_proves_only_what_is_shown),
        cmocka_unit_test(a_full_page_of_loans_asks_for_the_next),
        cmocka_unit_test(poison_is_what_fails_while_others_live),
        cmocka_unit_test(twenty_refusals_at_the_start_stop_the_upload),
        TEST(a_batch_is_written_byte_for_byte),
        TEST(what_sip2_cannot_say_is_refused_alone),
        TEST(the_judge_names_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
