/* test_symphony.c - writer, reader and judge of the Symphony log.
 */
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
    static const char text[] = "[branch]\ncode = MAIN\nzone = America/New_York\n"
                               "zone_rule = EST5EDT,M3.2.0,M11.1.0\n"
                               "[symphony]\nlibrary = RVR\nregistration = jy\nwrite_pin = yes\n"
                               "[stations]\nMAIN-1 = 42\nMAIN-2 = 43\n";

    return bench_set_up(state, text);
}

static int64_t utc(const char *local) /* "2026-03-09T10:15:32-04:00" */
{
    int64_t ms;
    int off;

    assert_int_equal(rfc3339_parse(local, &ms, &off, NULL), ERR_OK);
    return ms / 1000;
}

static enum err add(struct bench *b, const char *local, const char *desk)
{
    struct format_item it = {
        .rec = &b->rec, .id = "MAIN-1/1/0001", .desk = desk, .tick_s = utc(local), .due = b->rec.due
    };

    return format_symphony.write(&b->p, &b->st, &it, &b->out, &b->msg);
}

static void record(struct bench *b, unsigned kind, const char *item, const char *user, uint32_t due)
{
    memset(&b->rec, 0, sizeof b->rec);
    b->rec.kind = (uint8_t)kind;
    strcpy(b->rec.item, item);
    strcpy(b->rec.user, user);
    b->rec.due = due;
}

static void marta(struct bench *b)
{
    record(b, RECORD_USER, "", "29999000001040", 0);
    strcpy(b->rec.reg.first, "MARTA");
    strcpy(b->rec.reg.last, "OKAFOR");
    strcpy(b->rec.reg.pin, "4821");
    b->rec.reg.birth = 19880714;
}

static void write_a_to_h(struct bench *b)
{
    record(b, RECORD_CHECKOUT, "39999000005015", "29999000001016", 0);
    assert_int_equal(add(b, "2026-03-09T10:15:32-04:00", "MAIN-1"), ERR_OK);
    record(b, RECORD_CHECKOUT, "39999000005023", "29999000001016", 20260316);
    assert_int_equal(add(b, "2026-03-09T10:15:41-04:00", "MAIN-1"), ERR_OK);
    record(b, RECORD_CHECKOUT, "39999000005031", "29999000001024", 0);
    assert_int_equal(add(b, "2026-03-09T10:17:02-04:00", "MAIN-2"), ERR_OK);
    record(b, RECORD_DISCHARGE, "39999000005031", "", 0);
    assert_int_equal(add(b, "2026-03-09T10:30:11-04:00", "MAIN-2"), ERR_OK);
    record(b, RECORD_RENEW, "39999000005049", "", 0);
    assert_int_equal(add(b, "2026-03-09T10:31:45-04:00", "MAIN-2"), ERR_OK);
    record(b, RECORD_RENEW, "39999000005056", "29999000001032", 20260406);
    assert_int_equal(add(b, "2026-03-09T10:31:46-04:00", "MAIN-2"), ERR_OK);
    marta(b);
    assert_int_equal(add(b, "2026-03-09T10:40:20-04:00", "MAIN-1"), ERR_OK);
    record(b, RECORD_CHECKOUT, "39999000005064", "29999000001040", 0);
    assert_int_equal(add(b, "2026-03-09T10:40:33-04:00", "MAIN-1"), ERR_OK);
}

/* Judges text in one piece; on refusal the message is in b->msg. */
static enum err judge(struct bench *b, const void *text, size_t n, uint64_t *records)
{
    return bench_judge(b, &format_symphony, text, n, records);
}

static void refused(struct bench *b, const char *text, const char *because)
{
    uint64_t n;

    assert_int_equal(judge(b, text, strlen(text), &n), ERR_MALFORMED);
    if (strstr(b->msg.text, because) == NULL)
        fail_msg("said: %s; wanted: %s", b->msg.text, because);
}

static void a_line_says_the_place_that_the_session_chose(void **state)
{
    struct bench *b = *state;
    struct symphony_profile *s = &b->p.symphony;
    uint64_t n;

    strcpy(s->other_library[s->n_libraries++], "BUS");
    strcpy(s->other_user_access[s->n_user_accesses++], "OFF2");
    s->other_station[s->n_other_stations++] = 77;
    record(b, RECORD_DISCHARGE, "39999000005031", "", 0);
    strcpy(b->rec.library, "BUS");
    strcpy(b->rec.user_access, "OFF2");
    b->rec.station = 77;
    assert_int_equal(add(b, "2026-03-09T10:15:32-04:00", "MAIN-1"), ERR_OK);
    buf_add(&b->out, "", 1);
    assert_non_null(strstr((char *)b->out.p, "E202603091015320077R ^S01EVFFOFF2^FEBUS^FcNONE^"));
    b->out.len--;
    assert_int_equal(judge(b, b->out.p, b->out.len, &n), ERR_OK);
    s->n_libraries = 0; /* a later policy: that record is for people */
    refused(b, (char *)b->out.p, "FE is empty, too long, impossible");
    assert_int_equal(add(b, "2026-03-09T10:15:40-04:00", "MAIN-1"), ERR_INVALID);
    assert_string_equal(b->msg.field, "place");
}

static void the_eight_lines_are_written_byte_for_byte(void **state)
{
    struct bench *b = *state;
    char wanted[2048];
    FILE *f = fopen(GOLDEN_DIR "/symphony_a_to_h.log", "rb");
    size_t n;

    assert_non_null(f);
    n = fread(wanted, 1, sizeof wanted, f);
    fclose(f);
    write_a_to_h(b);
    assert_int_equal(b->out.len, n);
    assert_memory_equal(b->out.p, wanted, n);
}

static void the_judge_accepts_them_however_they_are_split(void **state)
{
    struct bench *b = *state;
    uint64_t n = 0;

    write_a_to_h(b);
    assert_int_equal(judge(b, b->out.p, b->out.len, &n), ERR_OK);
    assert_int_equal(n, 8);
    for (size_t step = 1; step < 200; step += 7) {
        struct format_check *c = format_symphony.check_new(&b->p);

        for (size_t at = 0; at < b->out.len; at += step)
            assert_int_equal(
                format_symphony.check_add(c, b->out.p + at,
                                          at + step < b->out.len ? step : b->out.len - at, &b->msg),
                ERR_OK);
        assert_int_equal(format_symphony.check_end(c, &n, &b->msg), ERR_OK);
        assert_int_equal(n, 8);
        format_symphony.check_free(c);
    }
    format_symphony.check_free(NULL);
}

static void truncated_anywhere_but_at_a_line_end_the_file_is_refused(void **state)
{
    struct bench *b = *state;
    uint64_t n;

    write_a_to_h(b);
    for (size_t cut = 0; cut < b->out.len; cut++) {
        bool whole = cut == 0 || b->out.p[cut - 1] == '\n';

        assert_int_equal(judge(b, b->out.p, cut, &n), whole ? ERR_OK : ERR_MALFORMED);
    }
}

static void a_changed_byte_never_crashes_nor_changes_the_count_of_records(void **state)
{
    struct bench *b = *state;
    uint32_t seed = 11;
    uint64_t n;

    write_a_to_h(b);
    for (unsigned round = 0; round < 20000; round++) {
        size_t at;
        uint8_t old;

        seed = seed * 1664525 + 1013904223;
        at = (seed >> 8) % b->out.len;
        old = b->out.p[at];
        b->out.p[at] = (uint8_t)seed;
        if (judge(b, b->out.p, b->out.len, &n) == ERR_OK) {
            assert_int_equal(n, 8);
            assert_true(b->out.p[at] == old || (old != '\n' && old != ' '));
        }
        b->out.p[at] = old;
    }
}

static void random_bytes_are_refused(void **state)
{
    struct bench *b = *state;
    uint32_t seed = 5;
    uint8_t bytes[300];
    uint64_t n;

    for (unsigned round = 0; round < 5000; round++) {
        struct symphony_line l;

        for (unsigned i = 0; i < sizeof bytes; i++) {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = round % 2 ? (uint8_t)(seed >> 24) : (uint8_t) "^SO01E\nC"[seed >> 29];
        }
        assert_int_equal(judge(b, bytes, sizeof bytes, &n), ERR_MALFORMED);
        (void)symphony_parse((char *)bytes, sizeof bytes, &l, NULL);
    }
}

static void the_sequence_runs_from_1_to_99_for_each_station(void **state)
{
    struct bench *b = *state;
    char line[64];

    record(b, RECORD_DISCHARGE, "39999000005015", "", 0);
    for (unsigned i = 0; i < 200; i++) {
        size_t at = b->out.len;

        assert_int_equal(add(b, "2026-03-09T10:15:32-04:00", i % 2 ? "MAIN-2" : "MAIN-1"), ERR_OK);
        sprintf(line, "%04uR ^S%02uEV", i % 2 ? 43 : 42, i / 2 % 99 + 1);
        assert_memory_equal(b->out.p + at + 15, line, strlen(line));
    }
}

static void a_refused_record_leaves_nothing_behind(void **state)
{
    struct bench *b = *state;

    record(b, RECORD_CHECKOUT, "39999000005015", "", 0);
    assert_int_equal(add(b, "2026-03-09T10:15:40-04:00", "MAIN-1"), ERR_INVALID);
    assert_string_equal(b->msg.field, "user");
    assert_null(strstr(b->msg.text, "39999")); /* no barcode in a message */
    record(b, RECORD_CHECKOUT, "", "29999000001016", 0);
    assert_int_equal(add(b, "2026-03-09T10:15:40-04:00", "MAIN-1"), ERR_INVALID);
    assert_string_equal(b->msg.field, "item");
    record(b, RECORD_CHECKOUT, "39999000005015", "29999000001016", 20260308);
    assert_int_equal(add(b, "2026-03-09T10:15:40-04:00", "MAIN-1"), ERR_INVALID);
    assert_string_equal(b->msg.field, "due"); /* before the event */
    record(b, RECORD_CHECKOUT, "39999000005015", "29999000001016", 0);
    assert_int_equal(add(b, "2026-03-09T10:15:40-04:00", "BUS"), ERR_CONFIG);
    assert_string_equal(b->msg.why, "no_station");
    record(b, RECORD_INHOUSE, "39999000005015", "", 0);
    assert_int_equal(add(b, "2026-03-09T10:15:40-04:00", "MAIN-1"), ERR_INVALID);
    assert_string_equal(b->msg.why, "not_carried");
    record(b, 200, "39999000005015", "", 0);
    assert_int_equal(add(b, "2026-03-09T10:15:40-04:00", "MAIN-1"), ERR_INVALID);
    assert_int_equal(b->out.len, 0);
    record(b, RECORD_DISCHARGE, "39999000005015", "", 0); /* earlier, still number 01 */
    assert_int_equal(add(b, "2026-03-09T10:15:30-04:00", "MAIN-1"), ERR_OK);
    assert_memory_equal(b->out.p, "E202603091015300042R ^S01EV", 27);
}

static void a_registration_is_carried_only_if_the_policy_says_jy(void **state)
{
    struct bench *b = *state;

    for (unsigned k = 0; k <= 255; k++)
        assert_int_equal(format_symphony.carries(&b->p, k),
                         k >= RECORD_CHECKOUT && k <= RECORD_USER);
    write_a_to_h(b);
    b->p.symphony.registration = REGISTRATION_FLAT;
    assert_false(format_symphony.carries(&b->p, RECORD_USER));
    marta(b);
    assert_int_equal(add(b, "2026-03-09T10:50:20-04:00", "MAIN-1"), ERR_INVALID);
    assert_int_equal(judge(b, b->out.p, b->out.len, &(uint64_t){ 0 }), ERR_MALFORMED);
    assert_string_equal(b->msg.text, "line 7: command JY is not one of ours");
}

static void wrote(struct bench *b, const char *wanted)
{
    uint64_t n;

    assert_int_equal(b->out.len, strlen(wanted));
    assert_memory_equal(b->out.p, wanted, b->out.len);
    assert_int_equal(judge(b, b->out.p, b->out.len, &n), ERR_OK);
    assert_int_equal(n, 1);
    buf_reset(&b->out);
}

static void the_profile_decides_header_trailer_end_and_due_form(void **state)
{
    struct bench *b = *state;

    b->p.symphony.header = b->p.symphony.trailer = false;
    b->p.symphony.crlf = true;
    strcpy(b->p.symphony.due_code, "WH");
    strcpy(b->p.symphony.due_time, "");
    record(b, RECORD_CHECKOUT, "1", "2", 20260309);
    assert_int_equal(add(b, "2026-03-09T23:15:32-04:00", "MAIN-1"), ERR_OK);
    wrote(b, "^S01CVFFOFFLINE^FERVR^FcNONE^FWRVRCIRC^NQ1^UO2^WH03/09/2026^dC3^^O\r\n");
    refused(b, "^S01EVFFOFFLINE^FERVR^FcNONE^FWRVRCIRC^NQ1^CO3/9/2026,9:05^dC3^^O\n",
            "line 1: ends without CR");
}

static void a_registration_is_written_without_what_is_not_known(void **state)
{
    struct bench *b = *state;

    b->p.symphony.write_pin = false;
    b->p.symphony.user_years = 0;
    marta(b);
    b->rec.reg.birth = 0;
    b->rec.reg.first[0] = 0;
    strcpy(b->rec.reg.type, "CHILD");
    assert_int_equal(add(b, "2026-12-31T23:40:20-05:00", "MAIN-1"), ERR_OK);
    wrote(b, "E202612312340200042R ^S01JYFFOFFLINE^FERVR^FcNONE^FWRVRCIRC^UO29999000001040^uLOKAFOR"
             "^uV0^UMRVR^PECHILD^UD12/31/2026^UQNEVER^IbENGLISH^UVPUBLIC^UXPUBLIC^P7CIRCRULE^^O"
             "00145\n");
    b->rec.reg.last[0] = 0;
    assert_int_equal(add(b, "2026-12-31T23:40:20-05:00", "MAIN-1"), ERR_INVALID);
    assert_string_equal(b->msg.field, "last");
}

static void a_leap_day_card_expires_on_the_28th(void **state)
{
    struct bench *b = *state;

    marta(b);
    assert_int_equal(add(b, "2028-02-29T10:00:00-05:00", "MAIN-1"), ERR_OK);
    buf_add(&b->out, "", 1);
    assert_non_null(strstr((char *)b->out.p, "^UD2/29/2028^UQ2/28/2030^"));
}

static void names_become_latin_1_then_base_letters_then_question_marks(void **state)
{
    struct bench *b = *state;

    marta(b);
    strcpy(b->rec.reg.first, "Zo\xc3\xab \xc5\x81ucja e\xcc\x81 \xc5\x93 \xe2\x80\x99");
    strcpy(b->rec.reg.last, "Nguy\xe1\xbb\x85n \xe6\x9d\x8e \xf0\x9f\x93\x9a\xe2\x82\xac");
    assert_int_equal(add(b, "2026-03-09T10:40:20-04:00", "MAIN-1"), ERR_OK);
    buf_add(&b->out, "", 1);
    assert_non_null(strstr((char *)b->out.p, "^uFZo\xeb Lucja e oe '^uLNguyen ? ??^uV0"));
    b->out.len--;
    assert_int_equal(judge(b, b->out.p, b->out.len, &(uint64_t){ 0 }), ERR_OK);
}

static void a_caret_control_byte_or_broken_utf8_in_a_name_is_refused(void **state)
{
    static const char *const bad[] = {
        "A^B", "A\rB", "A\nB", "A\tB", "A\x7f", "A\xc2\x85", "\xff"
    };
    struct bench *b = *state;

    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        marta(b);
        strcpy(b->rec.reg.last, bad[i]);
        assert_int_equal(add(b, "2026-03-09T10:40:20-04:00", "MAIN-1"), ERR_INVALID);
        assert_string_equal(b->msg.field, "last");
    }
    assert_int_equal(b->out.len, 0);
}

static void in_the_repeated_hour_stamps_go_on_second_by_second(void **state)
{
    struct bench *b = *state;
    static const char *const at[] = { "2026-11-01T01:59:58-04:00", "2026-11-01T01:00:00-05:00",
                                      "2026-11-01T01:00:01-05:00", "2026-11-01T01:00:02-05:00",
                                      "2026-11-01T02:00:01-05:00", "2026-11-01T02:00:02-05:00" };
    static const char *const stamps[] = { "20261101015958", "20261101015959", "20261101020000",
                                          "20261101020001", "20261101020002", "20261101020003" };
    uint64_t n;

    for (unsigned i = 0; i < 6; i++) {
        size_t from = b->out.len;

        record(b, i % 2 ? RECORD_DISCHARGE : RECORD_CHECKOUT, "39999000005015",
               i % 2 ? "" : "29999000001016", 0);
        assert_int_equal(add(b, at[i], "MAIN-1"), ERR_OK);
        assert_memory_equal(b->out.p + from + 1, stamps[i], 14);
    }
    assert_int_equal(judge(b, b->out.p, b->out.len, &n), ERR_OK);
    n = b->out.len;
    record(b, RECORD_DISCHARGE, "39999000005023", "", 0); /* of another item: shares the tick */
    assert_int_equal(add(b, at[5], "MAIN-1"), ERR_OK);
    assert_memory_equal(b->out.p + n + 1, stamps[5], 14);
    record(b, RECORD_DISCHARGE, "39999000005031", "", 0);
    n = b->out.len;
    assert_int_equal(add(b, "2026-11-01T02:00:04-05:00", "MAIN-1"), ERR_OK); /* caught up */
    assert_memory_equal(b->out.p + n + 1, "20261101020004", 14);
    n = b->out.len;
    record(b, RECORD_DISCHARGE, "39999000005049", "", 0);
    assert_int_equal(add(b, "2026-11-01T02:00:04-05:00", "MAIN-1"), ERR_OK); /* may share again */
    assert_memory_equal(b->out.p + n + 1, "20261101020004", 14);
}

static void the_same_local_second_an_hour_later_is_another_stamp(void **state)
{
    struct bench *b = *state;

    record(b, RECORD_DISCHARGE, "39999000005015", "", 0);
    assert_int_equal(add(b, "2026-11-01T01:30:00-04:00", "MAIN-1"), ERR_OK);
    assert_int_equal(add(b, "2026-11-01T01:30:00-05:00", "MAIN-1"), ERR_OK);
    assert_int_equal(judge(b, b->out.p, b->out.len, &(uint64_t){ 0 }), ERR_OK);
}

#define STATION "FFOFFLINE^FERVR^FcNONE^FWRVRCIRC"
#define EV(stamp, station, seq, item, rest)                                                        \
    "E" stamp station "R ^S" seq "EV" STATION "^NQ" item "^CO3/9/2026,9:05^dC3^^O" rest
#define T1 "20260309090500"
#define T2 "20260309090501"

static void the_judge_names_what_is_wrong(void **state)
{
    struct bench *b = *state;
    const char *good = EV(T1, "0042", "01", "1", "00065\n");

    assert_int_equal(judge(b, good, strlen(good), &(uint64_t){ 0 }), ERR_OK);
    refused(b, EV(T1, "0000", "01", "1", "00065\n"), "line 1: station 0000");
    refused(b, EV(T1, "0042", "00", "1", "00065\n"), "line 1: sequence 00");
    refused(b, EV(T1, "0042", "01", "1", "00066\n"), "line 1: the trailer is not the counted");
    refused(b, EV(T1, "0042", "01", "1", "\n"), "line 1: the trailer is not the counted");
    refused(b, EV(T1, "0042", "01", "", "00064\n"), "line 1: NQ is empty");
    refused(b, EV(T1, "0042", "01", "123456789012345678901234567890123", "00097\n"), "line 1: NQ");
    refused(b, EV(T1, "0042", "01", "\xe9", "00065\n"), "line 1: NQ");
    refused(b, EV(T1, "0042", "01", "a^b", "00067\n"), "line 1: byte 64: a field begins with");
    refused(b, EV("20260309240500", "0042", "01", "1", "00065\n"), "line 1: the stamp is not");
    refused(b, EV("20260229090500", "0042", "01", "1", "00065\n"), "line 1: the stamp is not");
    refused(b, EV(T2, "0042", "01", "1", "00065\n") EV(T1, "0042", "02", "2", "00065\n"),
            "line 2: the stamp runs back");
    refused(b, EV(T1, "0042", "01", "1", "00065\n") EV(T1, "0043", "01", "1", "00065\n"),
            "line 2: two events on one item in one second");
    refused(b, EV(T1, "0042", "01", "1", "00065\n") "\n", "line 2: byte 0");
    refused(b, "^S01EV" STATION "^NQ1^CO3/9/2026,9:05^dC3^^O00065\n", "line 1: the header is not");
    refused(b, "D" T1 "0042R ^S01EV" STATION "^NQ1^CO3/9/2026,9:05^dC3^^O00065\n", "the header");
    refused(b, "E" T1 "0042F ^S01EV" STATION "^NQ1^CO3/9/2026,9:05^dC3^^O00065\n", "the header");
    refused(b, "E" T1 "0042R ^S01EV" STATION "^NQ1^CO3/9/2026,9:05^dC3^^O00065\r\n", "a control");
    refused(b, "E" T1 "0042R ^S01ZZ" STATION "^NQ1^dC3^^O00049\n", "command ZZ is not one of ours");
    refused(b, "E" T1 "0042R ^S01EV" STATION "^NQ1^dC3^^O00049\n", "EV without CO in its place");
    refused(b, "E" T1 "0042R ^S01RV" STATION "^NQ1^dC3^UO2^^O00053\n",
            "RV with UO, which does not");
    refused(b, "E" T1 "0042R ^S01EV" STATION "^NQ1^CO03/9/2026,9:05^dC3^^O00066\n", "CO is empty");
    refused(b, "E" T1 "0042R ^S01EV" STATION "^NQ1^CO2/30/2026,9:05^dC3^^O00066\n", "CO is empty");
    refused(b, "E" T1 "0042R ^S01EV" STATION "^NQ1^CO3/9/2026,24:05^dC3^^O00066\n", "CO is empty");
    refused(b, "E" T1 "0042R ^S01RV" STATION "^NQ1^CF03/08/2026,23:59^dC3^^O00068\n",
            "CF is empty");
    refused(b, "E" T1 "0042R ^S01RV" STATION "^NQ1^CF3/18/2026,23:59^dC3^^O00067\n", "CF is empty");
    refused(b, "E" T1 "0042R ^S01RV" STATION "^NQ1^CF03/18/2026^dC3^^O00062\n", "CF is empty");
    refused(b, "E" T1 "0042R ^S01RV" STATION "^NQ1^dC\x80^^O00049\n", "dC is not Latin-1");
    refused(b, "E" T1 "0042R ^S01RV" STATION "^NQ1^^dC3^^O00050\n", "an empty field");
}

static void a_card_is_not_registered_and_used_in_one_second(void **state)
{
    struct bench *b = *state;
    uint64_t n;

    marta(b);
    assert_int_equal(add(b, "2026-03-09T10:40:20-04:00", "MAIN-1"), ERR_OK);
    record(b, RECORD_CHECKOUT, "39999000005064", "29999000001040", 0);
    assert_int_equal(add(b, "2026-03-09T10:40:20-04:00", "MAIN-1"), ERR_OK);
    assert_int_equal(judge(b, b->out.p, b->out.len, &n), ERR_MALFORMED);
    assert_string_equal(b->msg.text, "line 2: a card is registered and used in one second");
}

static void a_thousand_items_in_one_second_are_told_apart(void **state)
{
    struct bench *b = *state;
    uint64_t n;

    for (unsigned i = 0; i < 1000; i++) {
        record(b, RECORD_DISCHARGE, "", "", 0);
        sprintf(b->rec.item, "3999%010u", i);
        assert_int_equal(add(b, "2026-03-09T10:40:20-04:00", "MAIN-1"), ERR_OK);
    }
    assert_int_equal(judge(b, b->out.p, b->out.len, &n), ERR_OK);
    assert_int_equal(n, 1000);
    strcpy(b->rec.item, "39990000000500");
    assert_int_equal(add(b, "2026-03-09T10:40:20-04:00", "MAIN-1"), ERR_OK);
    assert_int_equal(judge(b, b->out.p, b->out.len, &n), ERR_MALFORMED);
    assert_string_equal(b->msg.text, "line 1001: two events on one item in one second");
}

static void the_first_complaint_stays(void **state)
{
    struct bench *b = *state;
    struct format_check *c = format_symphony.check_new(&b->p);
    uint64_t n = 9;

    assert_int_equal(format_symphony.check_add(c, (const uint8_t *)"x\n", 2, &b->msg),
                     ERR_MALFORMED);
    write_a_to_h(b);
    assert_int_equal(format_symphony.check_add(c, b->out.p, b->out.len, &b->msg), ERR_MALFORMED);
    memset(&b->msg, 0, sizeof b->msg);
    assert_int_equal(format_symphony.check_end(c, &n, &b->msg), ERR_MALFORMED);
    assert_non_null(strstr(b->msg.text, "line 1: "));
    assert_int_equal(n, 0);
    format_symphony.check_free(c);
}

static void a_line_without_end_costs_no_memory(void **state)
{
    struct bench *b = *state;
    char *text = malloc(1 << 20);

    memset(text, 'E', 1 << 20);
    text[(1 << 20) - 1] = 0;
    refused(b, text, "line 1: longer than 16384 bytes");
    text[16384] = '\n'; /* just fits, and is no line of a log */
    text[16385] = 0;
    refused(b, text, "line 1: byte 16384: a request begins with");
    text[16384] = 'E';
    text[16385] = '\n';
    text[16386] = 0;
    refused(b, text, "line 1: longer than 16384 bytes");
    free(text);
}

/* ---- the reader ---- */

static void reads(const char *text, struct symphony_line *l)
{
    struct errmsg m = { .text = "" };

    if (symphony_parse(text, strlen(text), l, &m) != ERR_OK)
        fail_msg("%s", m.text);
}

static void the_reader_takes_every_variant(void **state)
{
    struct symphony_line l;

    (void)state;
    reads("E202603091015320042R ^S01CVFFOFFLINE^NQ39999000005015^^O00034", &l);
    assert_int_equal(l.header_form, 'E');
    assert_string_equal(l.stamp, "20260309101532");
    assert_int_equal(l.station, 42);
    assert_int_equal(l.seq, 1);
    assert_string_equal(l.command, "CV");
    assert_int_equal(l.n_fields, 2);
    assert_string_equal(l.field[1].code, "NQ");
    assert_int_equal(l.field[1].len, 14);
    assert_memory_equal(l.field[1].value, "39999000005015", 14);
    assert_false(l.trailer_ok); /* 35 counted */
    reads("E202603091015320042R ^S01CVFFOFFLINE^NQ39999000005015^^O00035", &l);
    assert_true(l.trailer_ok);
    reads("^S00EVNQ1^^O", &l);
    assert_int_equal(l.header_form, 0);
    assert_false(l.trailer_ok);
    reads("D202603091015320042R ^S07RVXX^^^zz\xe9^^O", &l);
    assert_int_equal(l.header_form, 'D');
    assert_int_equal(l.n_fields, 2);
    assert_int_equal(l.field[0].len, 0);
    reads("D20260309101532123^S07RVXX^^O", &l);
    assert_int_equal(l.station, 123);
    reads("D20260309101532KIDS ^S07RVXX^^O", &l);
    assert_int_equal(l.station, 0);
    reads("^S01HF^^O00009", &l);
    assert_int_equal(l.n_fields, 0);
    assert_true(l.trailer_ok);
}

static void the_reader_refuses_the_rest_and_says_where(void **state)
{
    static const char *const rows[][2] = {
        { "", "byte 0" },
        { "^@01CVMA$(250)^^O", "byte 0: a request begins" },
        { "^S1", "byte 0" },
        { "^S0xEV^^O", "byte 0" },
        { "^S01E^^O", "byte 0" },
        { "^S01EV", "byte 6: the line ends" },
        { "^S01EV^^O123", "byte 12: the line ends" },
        { "^S01EVN^^O", "byte 6: a field begins" },
        { "^S01EVNQ1^-Q2^^O", "byte 10: a field begins" },
        { "^S01EVNQ1\t^^O", "byte 9: a control byte" },
        { "X^S01EVNQ1^^O", "byte 0: the header" },
        { "E2026^S01EVNQ1^^O", "byte 0: the header" },
        { "E20260309101532004XR ^S01EVNQ1^^O", "byte 15" },
        { "E202603091015320042X ^S01EVNQ1^^O", "byte 15" },
    };
    struct symphony_line l;
    struct errmsg m;
    char many[512] = "^S01EV";

    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(symphony_parse(rows[i][0], strlen(rows[i][0]), &l, &m), ERR_MALFORMED);
        if (strstr(m.text, rows[i][1]) == NULL)
            fail_msg("%s: said %s", rows[i][0], m.text);
    }
    for (unsigned i = 0; i < 49; i++)
        strcat(many, "NQ1^");
    strcat(many, "^O");
    assert_int_equal(symphony_parse(many, strlen(many), &l, &m), ERR_MALFORMED);
    assert_non_null(strstr(m.text, "too many fields"));
}

static void formats_are_found_by_name(void **state)
{
    (void)state;
    assert_ptr_equal(format_by_name("symphony"), &format_symphony);
    assert_ptr_equal(format_by_name("ldflat"), &format_ldflat);
    assert_null(format_by_name("koc"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_eight_lines_are_written_byte_for_byte),
        TEST(a_line_says_the_place_that_the_session_chose),
        TEST(the_judge_accepts_them_however_they_are_split),
        TEST(truncated_anywhere_but_at_a_line_end_the_file_is_refused),
        TEST(a_changed_byte_never_crashes_nor_changes_the_count_of_records),
        TEST(random_bytes_are_refused),
        TEST(the_sequence_runs_from_1_to_99_for_each_station),
        TEST(a_refused_record_leaves_nothing_behind),
        TEST(a_registration_is_carried_only_if_the_policy_says_jy),
        TEST(the_profile_decides_header_trailer_end_and_due_form),
        TEST(a_registration_is_written_without_what_is_not_known),
        TEST(a_leap_day_card_expires_on_the_28th),
        TEST(names_become_latin_1_then_base_letters_then_question_marks),
        TEST(a_caret_control_byte_or_broken_utf8_in_a_name_is_refused),
        TEST(in_the_repeated_hour_stamps_go_on_second_by_second),
        TEST(the_same_local_second_an_hour_later_is_another_stamp),
        TEST(the_judge_names_what_is_wrong),
        TEST(a_card_is_not_registered_and_used_in_one_second),
        TEST(a_thousand_items_in_one_second_are_told_apart),
        TEST(the_first_complaint_stays),
        TEST(a_line_without_end_costs_no_memory),
        cmocka_unit_test(the_reader_takes_every_variant),
        cmocka_unit_test(the_reader_refuses_the_rest_and_says_where),
        cmocka_unit_test(formats_are_found_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
