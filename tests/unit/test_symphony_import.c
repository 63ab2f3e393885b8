/* test_symphony_import.c - what the importer of Symphony logs understands, keeps and says (E11). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"

#define CV "^S01CVFFOFFLINE^FERVR^FcNONE^FWRVRCIRC^NQ39999000005015^UO29999000001016"

static struct policy policy;
static struct symphony_seen seen;

static int set_up(void **state)
{
    static const char text[] = "[branch]\ncode = MAIN\nzone = America/New_York\n"
                               "zone_rule = EST5EDT,M3.2.0,M11.1.0\n";

    (void)state;
    return policy_parse(text, sizeof text - 1, &policy, NULL) == ERR_OK ? 0 : -1;
}

static enum err on_event(void *ctx, const struct format_event *ev, struct errmsg *msg)
{
    const struct record *r = &ev->rec;
    char at[36], paper[36];

    (void)msg;
    rfc3339_format(r->at_ms, r->utc_off_min, at);
    buf_printf(ctx, "%llu %s %s %s", (unsigned long long)ev->line, at, ev->desk,
               record_kind_name(r->kind));
    if (r->item[0] != 0)
        buf_printf(ctx, " item=%s", r->item);
    if (r->user[0] != 0)
        buf_printf(ctx, " user=%s", r->user);
    if (r->due != 0)
        buf_printf(ctx, " due=%u", r->due);
    if (r->paper_ms != 0) {
        rfc3339_format(r->paper_ms, r->utc_off_min, paper);
        buf_printf(ctx, " true=%s", paper);
    }
    if (r->flags != 0)
        buf_printf(ctx, " flags=%u", r->flags);
    if ((ev->left_out & LEFT_DUE_TIME) != 0)
        buf_text(ctx, " -due_time");
    if ((ev->left_out & LEFT_FIELDS) != 0)
        buf_text(ctx, " -fields");
    if (r->reg.last[0] != 0)
        buf_printf(ctx, " %s|%s|%s|%s|%u", r->reg.first, r->reg.last, r->reg.type, r->reg.pin,
                   r->reg.birth);
    buf_text(ctx, "\n");
    return ERR_OK;
}

static enum err on_unknown(void *ctx, uint64_t line, const uint8_t *p, size_t n, const char *why,
                           struct errmsg *msg)
{
    (void)msg;
    buf_printf(ctx, "%llu ?%.*s? %s\n", (unsigned long long)line, (int)n, (const char *)p, why);
    return ERR_OK;
}

static void on_skipped(void *ctx, uint64_t line)
{
    buf_printf(ctx, "%llu reply\n", (unsigned long long)line);
}

/* All the reader says of a file, whichever way it is cut into chunks. */
static const char *read_all(const char *text, size_t n)
{
    static struct buf whole, pieces;
    struct buf *out[2] = { &whole, &pieces };

    for (unsigned k = 0; k < 2; k++) {
        struct format_read to = { out[k], on_event, on_unknown, on_skipped };
        struct format_reader *r = format_symphony.read_new(&policy, &to);
        size_t step = k == 0 ? n : 3;

        buf_reset(out[k]);
        assert_non_null(r);
        for (size_t at = 0; at < n; at += step)
            assert_int_equal(format_symphony.read_add(r, (const uint8_t *)text + at,
                                                      n - at < step ? n - at : step, NULL),
                             ERR_OK);
        assert_int_equal(format_symphony.read_end(r, NULL), ERR_OK);
        symphony_read_seen(r, &seen);
        format_symphony.read_free(r);
        buf_add(out[k], "", 1);
    }
    assert_string_equal((char *)whole.p, (char *)pieces.p);
    return (char *)whole.p;
}

static const char *read_text(const char *text)
{
    return read_all(text, strlen(text));
}

static void the_golden_log_is_read_as_it_was_meant(void **state)
{
    char text[8192];
    FILE *f = fopen(GOLDEN_DIR "/symphony_a_to_h.log", "rb");
    size_t n;

    (void)state;
    assert_non_null(f);
    n = fread(text, 1, sizeof text, f);
    fclose(f);
    assert_string_equal(
        read_all(text, n),
        "1 2026-03-09T10:15:32-04:00 0042 checkout item=39999000005015 user=29999000001016\n"
        "2 2026-03-09T10:15:41-04:00 0042 checkout item=39999000005023 user=29999000001016 "
        "due=20260316\n"
        "3 2026-03-09T10:17:02-04:00 0043 checkout item=39999000005031 user=29999000001024\n"
        "4 2026-03-09T10:30:11-04:00 0043 discharge item=39999000005031\n"
        "5 2026-03-09T10:31:45-04:00 0043 renew item=39999000005049\n"
        "6 2026-03-09T10:31:46-04:00 0043 renew item=39999000005056 user=29999000001032 "
        "due=20260406\n"
        "7 2026-03-09T10:40:20-04:00 0042 user user=29999000001040 MARTA|OKAFOR|ADULT|4821|"
        "19880714\n"
        "8 2026-03-09T10:40:33-04:00 0042 checkout item=39999000005064 user=29999000001040\n");
    assert_string_equal(seen.library, "RVR");
    assert_string_equal(seen.staff_login, "RVRCIRC");
    assert_false(seen.library_differs || seen.staff_login_differs);
}

static void every_form_of_header_and_end_is_understood(void **state)
{
    (void)state;
    assert_string_equal(
        read_text("\xef\xbb\xbf"
                  "E202603091015320042R " CV "^dC3^^O00079\r\n"
                  "D20260309101533042R " CV "^^O\n"
                  "D20260309101534CIRC1 " CV "^^O\n"
                  "E202603091015350042R ^S09CV^UO29999000001016^zz^^NQ39999000005015"
                  "^^O"),
        "1 2026-03-09T10:15:32-04:00 0042 checkout item=39999000005015 "
        "user=29999000001016\n"
        "2 2026-03-09T10:15:33-04:00 042 checkout item=39999000005015 "
        "user=29999000001016\n"
        "3 2026-03-09T10:15:34-04:00 CIRC1 checkout item=39999000005015 "
        "user=29999000001016\n"
        "4 2026-03-09T10:15:35-04:00 0042 checkout item=39999000005015 "
        "user=29999000001016\n");
}

static void what_is_no_event_is_kept_with_the_reason(void **state)
{
    (void)state;
    assert_string_equal(
        read_text("E202603091015320042R ^S01CAFFOFFLINE^NQ39999000005015^^O\n"
                  "E202603091015320042R " CV "^dC3^^O00078\n" CV "^^O\n"
                  "E202602301015320042R " CV "^^O\n"
                  "E202603091015320042R " CV "^CFNEVER^^O\n"
                  "E202603091015320042R " CV "^CFsoon^^O\n"
                  "E202603091015320042R ^S01CVNQ39999000005015^^O\n"
                  "E202603091015320042F ^@01CVMN250^^O00014\n"
                  "hello\n"),
        "1 ?E202603091015320042R ^S01CAFFOFFLINE^NQ39999000005015^^O? no transaction that is known "
        "here\n"
        "2 ?E202603091015320042R " CV "^dC3^^O00078? the length at its end is not the line's: cut, "
        "or changed by hand\n"
        "3 ?" CV "^^O? nothing says when it happened: a line without a stamp\n"
        "4 ?E202602301015320042R " CV "^^O? the stamp is no time\n"
        "5 ?E202603091015320042R " CV "^CFNEVER^^O? due NEVER: no other format can say it\n"
        "6 ?E202603091015320042R " CV "^CFsoon^^O? the due date is no date\n"
        "7 ?E202603091015320042R ^S01CVNQ39999000005015^^O? UO is missing\n"
        "8 reply\n"
        "9 ?hello? byte 5: a request begins with ^S, two digits and a command\n");
}

static void dates_are_read_in_all_their_forms(void **state)
{
    (void)state;
    assert_string_equal(
        read_text("E202603091015320042R " CV "^CF3/16/2026^^O\n"
                  "E202603091015320042R " CV "^WH03/06/2027,7:05^^O\n"
                  "E202603091015320042R " CV "^CFTODAY^OMY^^O\n"
                  "E202603091015320042R ^S01EVNQ39999000005015^CO3/7/2026^^O\n"
                  "E202603091015320042R ^S01EVNQ39999000005015^CO03/07/2026,18:00^^O\n"
                  "E202603091015320042R ^S01EVNQ39999000005015^COTODAY^^O\n"
                  "^S01EVNQ39999000005015^CO3/9/2026,8:00^^O\n"),
        "1 2026-03-09T10:15:32-04:00 0042 checkout item=39999000005015 user=29999000001016 "
        "due=20260316\n"
        "2 2026-03-09T10:15:32-04:00 0042 checkout item=39999000005015 user=29999000001016 "
        "due=20270306 -due_time\n"
        "3 2026-03-09T10:15:32-04:00 0042 checkout item=39999000005015 user=29999000001016 "
        "due=20260309 flags=2\n"
        "4 2026-03-09T10:15:32-04:00 0042 discharge item=39999000005015 "
        "true=2026-03-08T00:59:00-04:00\n"
        "5 2026-03-09T10:15:32-04:00 0042 discharge item=39999000005015 "
        "true=2026-03-07T19:00:00-04:00\n"
        "6 2026-03-09T10:15:32-04:00 0042 discharge item=39999000005015\n"
        "7 2026-03-09T08:00:00-04:00  discharge item=39999000005015\n");
}

static void the_autumn_hour_goes_on_instead_of_back(void **state)
{
    (void)state;
    assert_string_equal(read_text("E202611010159000042R " CV "^^O\n"
                                  "E202611010101000042R " CV "^^O\n"
                                  "E202611010200000042R " CV "^^O\n"),
                        "1 2026-11-01T01:59:00-04:00 0042 checkout item=39999000005015 "
                        "user=29999000001016\n"
                        "2 2026-11-01T01:01:00-05:00 0042 checkout item=39999000005015 "
                        "user=29999000001016\n"
                        "3 2026-11-01T02:00:00-05:00 0042 checkout item=39999000005015 "
                        "user=29999000001016\n");
}

static void names_are_latin_1_and_stations_that_differ_are_noticed(void **state)
{
    (void)state;
    assert_string_equal(
        read_text("E202603091040200042R ^S03JYFERVR^FWA^UO29999000001040^uFZo\xeb"
                  "^uMB.^uLOk\xe1"
                  "for^^O\n"
                  "E202603091040210042R ^S03JYFENEW^FWA^UO29999000001040^uL\x80^^O\n"
                  "E202603091040210042R ^S03EVFENEW^FWB^NQ39999000005015^^O\n"),
        "1 2026-03-09T10:40:20-04:00 0042 user user=29999000001040 Zo\xc3\xab "
        "B.|Ok\xc3\xa1"
        "for|||0\n"
        "2 ?E202603091040210042R ^S03JYFENEW^FWA^UO29999000001040^uL\x80^^O? uL is "
        "missing, too long, or no text\n"
        "3 2026-03-09T10:40:21-04:00 0042 discharge item=39999000005015\n");
    assert_true(seen.library_differs);
    assert_true(seen.staff_login_differs);
}

#define JY "E202603091040200042R ^S03JYFERVR^FWA^UO1"

/* Which letters they are, a byte order mark says; else nobody can tell. */
static void utf_8_is_not_taken_for_latin_1(void **state)
{
    (void)state;
    assert_string_equal(read_text(JY "^uLZo\xc3\xab^^O\n"),
                        "1 ?" JY "^uLZo\xc3\xab^^O? its letters are UTF-8, where this format has "
                        "ISO-8859-1\n");
    assert_string_equal(read_text("\xef\xbb\xbf" JY "^uLZo\xc3\xab^^O\n" JY "^uLZo\xeb^^O\n"),
                        "1 2026-03-09T10:40:20-04:00 0042 user user=1 |Zo\xc3\xab|||0\n"
                        "2 ?" JY "^uLZo\xeb^^O? uL is missing, too long, or no text\n");
}

static void a_year_that_nobody_recorded_in_is_no_time(void **state)
{
    (void)state;
    assert_string_equal(read_text("E197001010000000042R " CV "^^O\n"
                                  "E190001010000000042R " CV "^^O\n"
                                  "E999912312359590042R " CV "^^O\n"
                                  "E202603091015320042R ^S01EVNQ39999000005015^CO1/1/1900^^O\n"),
                        "1 ?E197001010000000042R " CV "^^O? a time before 1971 or after 2999\n"
                        "2 ?E190001010000000042R " CV "^^O? a time before 1971 or after 2999\n"
                        "3 ?E999912312359590042R " CV "^^O? the stamp is no time\n"
                        "4 ?E202603091015320042R ^S01EVNQ39999000005015^CO1/1/1900^^O? a time "
                        "before 1971 or after 2999\n");
}

static void what_a_record_has_no_place_for_is_said(void **state)
{
    (void)state;
    assert_string_equal(
        read_text(JY "^uLB^UD3/9/2026^UQ3/9/2028^IbENGLISH^P7CIRCRULE^UMRVR^^O\n" JY
                     "^uLB^UD3/9/2026^UQ3/9/2027^^O\n" JY "^uLB^IbFRENCH^^O\n" JY
                     "^uLB^PI12 Mill Lane^^O\n"
                     "E202603091015320042R " CV "^CF3/16/2026,23:59^IQPS 3552^^O\n"
                     "E202603091015320042R " CV "^CF3/9/2026,14:00^zz1^^O\n"),
        "1 2026-03-09T10:40:20-04:00 0042 user user=1 |B|||0\n"
        "2 2026-03-09T10:40:20-04:00 0042 user user=1 -fields |B|||0\n"
        "3 2026-03-09T10:40:20-04:00 0042 user user=1 -fields |B|||0\n"
        "4 2026-03-09T10:40:20-04:00 0042 user user=1 -fields |B|||0\n"
        "5 2026-03-09T10:15:32-04:00 0042 checkout item=39999000005015 user=29999000001016 "
        "due=20260316\n"
        "6 2026-03-09T10:15:32-04:00 0042 checkout item=39999000005015 user=29999000001016 "
        "due=20260309 -due_time -fields\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_golden_log_is_read_as_it_was_meant),
        cmocka_unit_test(every_form_of_header_and_end_is_understood),
        cmocka_unit_test(what_is_no_event_is_kept_with_the_reason),
        cmocka_unit_test(dates_are_read_in_all_their_forms),
        cmocka_unit_test(the_autumn_hour_goes_on_instead_of_back),
        cmocka_unit_test(names_are_latin_1_and_stations_that_differ_are_noticed),
        cmocka_unit_test(utf_8_is_not_taken_for_latin_1),
        cmocka_unit_test(a_year_that_nobody_recorded_in_is_no_time),
        cmocka_unit_test(what_a_record_has_no_place_for_is_said),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
