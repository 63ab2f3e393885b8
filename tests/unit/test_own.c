/* test_own.c - csv and ndjson: they lose nothing, and read back what they wrote. */
#include "format_rig.h"

static int set_up_csv(void **state)
{
    *state = bench_new(&format_csv, "[csv]\nwrite_pin = yes\n");
    return 0;
}

static int set_up_ndjson(void **state)
{
    *state = bench_new(&format_ndjson, "[ndjson]\nwrite_pin = yes\n");
    return 0;
}

static int tear_down(void **state)
{
    bench_free(*state);
    return 0;
}

/* One of each kind, with each field once. */
static void write_all(struct bench *b)
{
    struct registration *reg;
    struct record *r;

    r = bench_record(b, RECORD_CHECKOUT, "39999000005015", "29999000001016");
    r->due = 20261214;
    r->at_ms =
        bench_ms("2026-11-23T09:04:58.500-05:00"); /* this desk is a second and a half late */
    r->utc_off_min = -300;
    strcpy(r->staff, "Ann \"A\", desk");
    bench_add(b, "MAIN-1/7/0001", "2026-11-23T09:05:00.012-05:00");
    r = bench_record(b, RECORD_DISCHARGE, "39999000005023", "");
    r->flags = RECORD_TYPED | RECORD_OVERRIDE | RECORD_CONFIRMED | RECORD_UNCHECKED;
    bench_add(b, "MAIN-1/7/0002", "2026-11-23T09:06:01.005-05:00");
    r = bench_record(b, RECORD_CHECKOUT, "39999000005023", "29999000001032");
    assert_int_equal(bench_add_moved(b, "MAIN-2/1/0001", "2026-11-23T09:06:01.700-05:00",
                                     "2026-11-23T09:06:02-05:00"),
                     ERR_OK);
    r = bench_record(b, RECORD_RENEW, "39999000005056", "");
    r->paper_ms = bench_ms("2026-11-23T09:06:30-05:00");
    r->at_ms = bench_ms("2026-11-23T12:00:00Z");
    memset(r->key, 0xa5, sizeof r->key);
    bench_add(b, "MAIN-1/8b/0003", "2026-11-23T09:06:30-05:00");
    r = bench_record(b, RECORD_INHOUSE, "39999000005031", "");
    r->count = 3;
    bench_add(b, "MAIN-1/7/0004", "2026-11-23T09:07:40-05:00");
    r = bench_record(b, RECORD_CHECKOUT, "", "29999000001016");
    strcpy(r->piece_kind, "paperback");
    strcpy(r->piece_label, "=two, thin");
    r->count = 2;
    strcpy(r->library, "BUS");
    strcpy(r->user_access, "OFF 2");
    r->station = 9999;
    bench_add(b, "MAIN-1/7/0006", "2026-11-23T09:07:50-05:00");
    reg = bench_okafor(b);
    strcpy(reg->phone, "+1 330-555-0142");
    strcpy(reg->email, "zoe@example.org");
    strcpy(reg->type, "CHILD");
    strcpy(reg->guardian, "=cmd|' /C calc'!A0");
    strcpy(reg->note, "'twin\\");
    bench_add(b, "MAIN-1/7/0005", "2026-11-23T09:08:00-05:00");
    bench_finish(b);
}

static void same(const struct bench *b)
{
    const struct format_event *e = b->event;
    const struct registration *g = &e[6].rec.reg;

    assert_int_equal(b->n_events, 7);
    assert_int_equal(b->n_unknown, 0);
    assert_int_equal(e[0].rec.kind, RECORD_CHECKOUT);
    assert_string_equal(e[0].rec.item, "39999000005015");
    assert_string_equal(e[0].rec.user, "29999000001016");
    assert_string_equal(e[0].rec.staff, "Ann \"A\", desk");
    assert_int_equal(e[0].rec.due, 20261214);
    assert_int_equal(e[0].rec.at_ms, bench_ms("2026-11-23T09:04:58.500-05:00"));
    assert_int_equal(e[0].time_ms, bench_ms("2026-11-23T09:05:00.012-05:00"));
    assert_int_equal(e[0].rec.utc_off_min, -300);
    assert_string_equal(e[0].desk, "MAIN-1");
    assert_int_equal(e[1].rec.kind, RECORD_DISCHARGE);
    assert_int_equal(e[1].rec.flags,
                     RECORD_TYPED | RECORD_OVERRIDE | RECORD_CONFIRMED | RECORD_UNCHECKED);
    assert_int_equal(e[2].time_ms, bench_ms("2026-11-23T09:06:01.700-05:00"));
    assert_int_equal(e[3].rec.kind, RECORD_RENEW);
    assert_int_equal(e[3].rec.paper_ms, bench_ms("2026-11-23T09:06:30-05:00"));
    assert_int_equal(e[3].rec.at_ms, bench_ms("2026-11-23T12:00:00Z"));
    assert_int_equal(e[3].rec.key[15], 0xa5);
    assert_int_equal(e[4].rec.kind, RECORD_INHOUSE);
    assert_int_equal(e[4].rec.count, 3);
    assert_int_equal(e[5].rec.kind, RECORD_CHECKOUT);
    assert_string_equal(e[5].rec.item, "");
    assert_string_equal(e[5].rec.piece_kind, "paperback");
    assert_string_equal(e[5].rec.piece_label, "=two, thin");
    assert_int_equal(e[5].rec.count, 2);
    assert_string_equal(e[5].rec.library, "BUS");
    assert_string_equal(e[5].rec.user_access, "OFF 2");
    assert_int_equal(e[5].rec.station, 9999);
    assert_int_equal(e[6].rec.kind, RECORD_USER);
    assert_int_equal(g->birth, 19880714);
    assert_string_equal(g->first, "Zo\xc3\xab");
    assert_string_equal(g->last, "Okafor");
    assert_string_equal(g->pin, "7315");
    assert_string_equal(g->street, "12 Mill Lane");
    assert_string_equal(g->city, "Rivermouth, OH");
    assert_string_equal(g->postcode, "44654");
    assert_string_equal(g->phone, "+1 330-555-0142");
    assert_string_equal(g->email, "zoe@example.org");
    assert_string_equal(g->type, "CHILD");
    assert_string_equal(g->guardian, "=cmd|' /C calc'!A0");
    assert_string_equal(g->note, "'twin\\");
}

static void all_fields_are_written_byte_for_byte_and_read_back(void **state)
{
    struct bench *b = *state;
    const char *name = b->f == &format_csv ? "own.csv" : "own.ndjson";

    write_all(b);
    bench_is_golden(b, name);
    bench_is_good(b, 7);
    for (size_t piece = 1; piece < 2000; piece = piece * 4 + 3) {
        assert_int_equal(bench_read(b, b->out.p, b->out.len, piece), ERR_OK);
        same(b);
    }
    assert_int_equal(b->event[0].line, b->f == &format_csv ? 2 : 1);
}

static void a_pin_leaves_only_by_the_policys_word(void **state)
{
    struct bench *b = *state;
    struct format_item it = { .rec = &b->rec };

    write_all(b);
    assert_int_equal(b->f->loses(&b->p, &it), 0);
    b->p.csv_pin = b->p.ndjson_pin = false;
    assert_int_equal(b->f->loses(&b->p, &it), 1u << LOSS_USER_FIELDS);
    bench_refused(b, "MAIN-1/7/0005", "MAIN-1/7/0005", "a PIN, which the policy does not send");
    buf_reset(&b->out);
    memset(&b->st, 0, sizeof b->st);
    b->lines = 0;
    write_all(b);
    bench_is_good(b, 7);
    assert_int_equal(bench_read(b, b->out.p, b->out.len, 100), ERR_OK);
    assert_string_equal(b->event[6].rec.reg.pin, "");
}

static void what_no_reader_would_take_is_not_written(void **state)
{
    struct bench *b = *state;
    const char *at = "2026-11-23T09:05:00-05:00";

    bench_record(b, RECORD_CHECKOUT, "", "29999000001016");
    bench_refuses(b, at, "item");
    bench_record(b, RECORD_CHECKOUT, "39999000005015", "");
    bench_refuses(b, at, "user");
    strcpy(bench_record(b, RECORD_CHECKOUT, "", "29999000001016")->piece_kind, "toy");
    bench_refuses(b, at, "count");
    bench_record(b, RECORD_DISCHARGE, "3999\t", "");
    bench_refuses(b, at, "item");
    bench_record(b, RECORD_CHECKOUT, "39999000005015", "29999000001016")->due = 20261122;
    bench_refuses(b, at, "due");
    b->rec.due = 20260229;
    bench_refuses(b, at, "due");
    bench_record(b, RECORD_INHOUSE, "39999000005015", "")->count = 100;
    bench_refuses(b, at, "count");
    bench_okafor(b)->last[0] = 0;
    bench_refuses(b, at, "last");
    strcpy(bench_okafor(b)->street, "two\nlines");
    bench_refuses(b, at, "street");
    strcpy(bench_okafor(b)->first, "\xe9t\xe9");
    bench_refuses(b, at, "first");
    bench_record(b, RECORD_VOID, "", "");
    bench_refuses(b, at, "kind");
    for (unsigned k = 0; k < 256; k++)
        assert_int_equal(b->f->carries(&b->p, k), k >= RECORD_CHECKOUT && k <= RECORD_INHOUSE);
    assert_int_equal(b->lines, 0);
}

static void the_judge_of_both_names_what_is_wrong(void **state)
{
    struct bench *b = *state;

    write_all(b);
    bench_refused(b, "39999000005015", "3999900000501_", "character that no barcode has");
    bench_refused(b, "2026-12-14", "2026-12-32", "a date looks like");
    bench_refused(b, "2026-12-14", "2026-11-22", "the due date is before the event");
    bench_refused(b, "checkout", "chekout", "the op is none of");
    bench_refused(b, "T09:05:00.012-05:00", "T09:05-05:00", "a time looks like");
    bench_refused(b, "T09:06:01.005", "T09:04:01.005", "the time runs back");
    bench_refused(b, "T09:06:02.000", "T09:06:01.900", "two events on one item in one second");
    bench_refused(b, "paperback", "", "item is missing");
    bench_refused(b, "Zo\xc3\xab", "Zo\xeb", "UTF-8");
    bench_refused(b, "a5a5", "A5a5", "32 hex digits");
}

/* ---- csv ---- */

#define HEADER "op,at,item,user\r\n"
#define ROW    "checkout,2026-11-23T09:05:00-05:00,3,2\r\n"

static void the_judge_of_csv_knows_one_form(void **state)
{
    struct bench *b = *state;

    write_all(b);
    bench_refused(b, "id,op", "op,id", "line 1: the header is not ours");
    bench_refused(b, "\r\n", "\n", "line 1: ends without CR");
    bench_refused(b, "'=cmd", "=cmd", "takes for a formula");
    bench_refused(b, ",,,,,,", ",,,,,", "cells, not 34");
    bench_refused(b, "\"Ann", "Ann", "a quotation mark in the middle");
    bench_refused(b, "desk\",", "desk,", "line 2: a quotation mark that is not closed");
    bench_refused(b, "MAIN-1/7/0001", "", "line 2: id is missing");
    bench_refused(b, ",yes,yes,", ",yes,no,", "line 3: override: a flag is yes");
    bench_refused(b, ",3,,", ",100,,", "count: a count is 1 to 99");
}

/* Of Code 39, or typed: one such record once stopped the whole batch. */
static void a_barcode_that_looks_like_a_number_is_carried(void **state)
{
    static const char *const odd[] = { "12E+3", "1.5e+05", "+1", "-3", "1E+", "39E+12" };
    struct bench *b = *state;
    char at[40];

    for (unsigned i = 0; i < 6; i++) {
        snprintf(at, sizeof at, "2026-11-23T09:05:%02u-05:00", i);
        bench_record(b, RECORD_CHECKOUT, odd[i], odd[5 - i]);
        bench_add(b, "MAIN-1/7/0001", at);
    }
    bench_finish(b);
    bench_is_good(b, 6);
    assert_int_equal(bench_read(b, b->out.p, b->out.len, 100), ERR_OK);
    assert_int_equal(b->n_unknown, 0);
    assert_int_equal(b->n_events, 6);
    for (unsigned i = 0; i < 6; i++) {
        assert_string_equal(b->event[i].rec.item, odd[i]);
        assert_string_equal(b->event[i].rec.user, odd[5 - i]);
    }
}

static void csv_from_a_spreadsheet_is_read(void **state)
{
    struct bench *b = *state;

    bench_reads(b, "\xef\xbb\xbf"
                   "user;at;op;item\n"
                   "2;2026-11-23T09:05:00-05:00;checkout;3\n"
                   "\"2\";2026-11-23T09:06:00Z;checkout;\"4\"\n");
    assert_int_equal(b->n_events, 2);
    assert_int_equal(b->n_unknown, 0);
    assert_string_equal(b->event[1].rec.item, "4");
    bench_reads(b, "op\tat\titem\tuser\r\ncheckout\t2026-11-23T09:05:00-05:00\t3\t2\r\n");
    assert_int_equal(b->n_events, 1);
    bench_reads(b, HEADER "checkout,2026-11-23T09:05:00-05:00,'-3,2\r\n" ROW);
    assert_string_equal(b->event[0].rec.item, "-3");
    assert_string_equal(b->event[1].rec.item, "3");
}

static void of_csv_nothing_is_guessed_and_nothing_dropped(void **state)
{
    struct bench *b = *state;

    bench_is_unknown(b, HEADER ROW "\r\n" ROW, "an empty line");
    assert_int_equal(b->n_events, 2);
    assert_int_equal(b->unknown[0].line, 3);
    bench_is_unknown(b, HEADER "checkout,2026-11-23T09:05:00-05:00,3\r\n", "fewer or more cells");
    assert_string_equal(b->unknown[0].text, "checkout,2026-11-23T09:05:00-05:00,3");
    bench_is_unknown(b, HEADER ROW "checkout,2026-11-23T09:05:00-05:00,3,2", "perhaps it was cut");
    bench_is_unknown(b, HEADER "checkout,23.11.2026 09:05,3,2\r\n", "a time looks like");
    bench_is_unknown(b, HEADER "checkout,2026-11-23T09:05:00-05:00,3.9999E+13,2\r\n",
                     "a spreadsheet made a number");
    bench_is_unknown(b, HEADER "lend,2026-11-23T09:05:00-05:00,3,2\r\n", "the op is none of");
    bench_is_unknown(b, HEADER "checkout,2026-11-23T09:05:00-05:00,3,\r\n", "user is missing");
    bench_is_unknown(b, HEADER "checkout,\"2026,3,2\r\n", "not closed");
    bench_is_unknown(b, HEADER "checkout,2026-11-23T09:05:00-05:00,\xe9,2\r\n", "UTF-8");
    bench_is_unknown(b,
                     "op,at,item,user,weather\r\n"
                     "checkout,2026-11-23T09:05:00-05:00,3,2,fine\r\n",
                     "columns that are none of ours");
    assert_int_equal(b->n_events, 1);
}

static void a_file_without_our_columns_is_refused(void **state)
{
    static const char *const files[][2] = {
        { "E202603091015320042R ^S01EVNQ1^^O\n", "at least op and at" },
        { "op,item\r\n" ROW, "at least op and at" },
        { "op,at,op\r\n" ROW, "the column op is there twice" },
        { "\"op\r\n" ROW, "not closed" },
        { "\xff\xfeo\0p\0\n", "UTF-16" },
    };
    struct bench *b = *state;

    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++) {
        assert_int_equal(bench_read(b, files[i][0], strlen(files[i][0]) + (i == 4) * 3, 3),
                         ERR_MALFORMED);
        if (strstr(b->msg.text, files[i][1]) == NULL)
            fail_msg("%s: said %s", files[i][0], b->msg.text);
    }
}

static void a_line_of_a_megabyte_is_handed_on_in_pieces(void **state)
{
    struct bench *b = *state;
    size_t n = 200000, head = strlen(HEADER);
    char *text = malloc(n + head);

    memset(text, 'x', n + head);
    memcpy(text, HEADER, head);
    text[n + head - 1] = '\n';
    assert_int_equal(bench_read(b, text, n + head, 1000), ERR_OK);
    assert_int_equal(b->n_unknown, 13);
    for (unsigned i = 0; i < 13; i++)
        assert_int_equal(b->unknown[i].line, 2);
    assert_non_null(strstr(b->unknown[0].why, "longer than any line"));
    for (unsigned i = 1; i < 13; i++)
        assert_string_equal(b->unknown[i].why, "more of it");
    free(text);
}

/* ---- ndjson ---- */

static void the_judge_of_ndjson_knows_one_form(void **state)
{
    struct bench *b = *state;

    write_all(b);
    bench_refused(b, "{\"id\"", " {\"id\"", "line 1: not one JSON object");
    bench_refused(b, "{\"id\":\"MAIN-1/7/0001\",", "{", "line 1: id is missing");
    bench_refused(b, ",\"recorded\":\"2026-11-23T09:04:58.500-05:00\"", "", "recorded is missing");
    bench_refused(b, "\"staff\"", "\"stuff\"", "line 1: a key that is none of ours");
    bench_refused(b, "\"39999000005015\"", "39999000005015", "a barcode is text in quotes");
    bench_refused(b, "\"count\":3", "\"count\":100", "a count is 1 to 99");
    bench_refused(b, "\"count\":3", "\"count\":3,\"count\":3", "not JSON");
    bench_refused(b, "}\n", "}", "");
}

static void of_ndjson_nothing_is_guessed_and_nothing_dropped(void **state)
{
    struct bench *b = *state;
#define START "{\"op\":\"checkout\",\"at\":\"2026-11-23T09:05:00-05:00\",\"item\":\"3\""

    bench_reads(b, "\xef\xbb\xbf" START ",\"user\":\"2\",\"typed\":false,\"due\":null}\r\n" START
                   ",\"user\":\"2\"}");
    assert_int_equal(b->n_events, 2);
    assert_int_equal(b->n_unknown, 0);
    bench_is_unknown(b, START ",\"user\":\"2\"}\n" START "\n", "not JSON");
    assert_int_equal(b->unknown[0].line, 2);
    bench_is_unknown(b, START ",\"user\":2}\n", "a barcode is text in quotes");
    bench_is_unknown(b, START ",\"user\":\"2\",\"typed\":\"yes\"}\n", "the wrong type");
    bench_is_unknown(b, START ",\"user\":\"2\",\"user\":\"4\"}\n", "not JSON");
    bench_is_unknown(b, "[" START ",\"user\":\"2\"}]\n", "not an object");
    bench_is_unknown(b, START ",\"user\":\"2\\u0000\"}\n", "not JSON");
    bench_is_unknown(b,
                     START ",\"user\":\"2\",\"state\":\"pending\"}\n" START
                           ",\"user\":\"2\",\"state\":\"pending\"}\n",
                     "none of ours");
    assert_int_equal(b->n_events, 2);
}

#define CSV(f)    cmocka_unit_test_setup_teardown(f, set_up_csv, tear_down)
#define NDJSON(f) cmocka_unit_test_setup_teardown(f, set_up_ndjson, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CSV(all_fields_are_written_byte_for_byte_and_read_back),
        NDJSON(all_fields_are_written_byte_for_byte_and_read_back),
        CSV(a_pin_leaves_only_by_the_policys_word),
        NDJSON(a_pin_leaves_only_by_the_policys_word),
        CSV(what_no_reader_would_take_is_not_written),
        NDJSON(what_no_reader_would_take_is_not_written),
        CSV(the_judge_of_both_names_what_is_wrong),
        NDJSON(the_judge_of_both_names_what_is_wrong),
        CSV(a_barcode_that_looks_like_a_number_is_carried),
        NDJSON(a_barcode_that_looks_like_a_number_is_carried),
        CSV(the_judge_of_csv_knows_one_form),
        CSV(csv_from_a_spreadsheet_is_read),
        CSV(of_csv_nothing_is_guessed_and_nothing_dropped),
        CSV(a_file_without_our_columns_is_refused),
        CSV(a_line_of_a_megabyte_is_handed_on_in_pieces),
        NDJSON(the_judge_of_ndjson_knows_one_form),
        NDJSON(of_ndjson_nothing_is_guessed_and_nothing_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
