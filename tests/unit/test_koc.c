/* test_koc.c - Koha's .koc and the body of its plugin: written, judged, read. */
#include "format_rig.h"

static int set_up_koc(void **state)
{
    *state = bench_new(&format_koha, "");
    return 0;
}

static int set_up_json(void **state)
{
    *state = bench_new(&format_koha_json, "");
    return 0;
}

static int tear_down(void **state)
{
    bench_free(*state);
    return 0;
}

static void write_two(struct bench *b)
{
    bench_record(b, RECORD_CHECKOUT, "39999000005015", "29999000001016");
    bench_add(b, "MAIN-1/7/0001", "2026-11-23T09:05:00.012-05:00");
    bench_record(b, RECORD_DISCHARGE, "39999000005023", "");
    bench_add(b, "MAIN-1/7/0002", "2026-11-23T09:06:01.005-05:00");
    bench_finish(b);
}

static void two_rows_are_written_byte_for_byte_and_read_back(void **state)
{
    struct bench *b = *state;
    bool koc = b->f == &format_koha;

    write_two(b);
    bench_is_golden(b, koc ? "koha.koc" : "koha.json");
    bench_is_good(b, 2);
    for (size_t piece = 1; piece < 500; piece = piece * 3 + 1) {
        assert_int_equal(bench_read(b, b->out.p, b->out.len, piece), ERR_OK);
        assert_int_equal(b->n_unknown, 0);
        assert_int_equal(b->n_events, 2);
        assert_int_equal(b->event[0].rec.kind, RECORD_CHECKOUT);
        assert_string_equal(b->event[0].rec.item, "39999000005015");
        assert_string_equal(b->event[0].rec.user, "29999000001016");
        assert_int_equal(b->event[0].rec.at_ms,
                         bench_ms(koc ? "2026-11-23T14:05:00.012Z" : "2026-11-23T14:05:00Z"));
        assert_int_equal(b->event[0].rec.utc_off_min, koc ? -300 : 0);
        assert_int_equal(b->event[1].rec.kind, RECORD_DISCHARGE);
        assert_string_equal(b->event[1].rec.item, "39999000005023");
        assert_int_equal(b->event[1].line, 3);
    }
}

static void a_renewal_is_an_issue_and_needs_its_user(void **state)
{
    struct bench *b = *state;
    struct format_item it = { .rec = &b->rec };
    const char *at = "2026-11-23T09:05:00-05:00";

    bench_record(b, RECORD_RENEW, "39999000005056", "29999000001032");
    assert_int_equal(b->f->loses(&b->p, &it), 1u << LOSS_RENEW_AS_OUT);
    bench_add(b, "MAIN-1/7/0003", at);
    it.due = 20261214;
    assert_int_equal(b->f->loses(&b->p, &it), 1u << LOSS_RENEW_AS_OUT | 1u << LOSS_DUE);
    bench_finish(b);
    bench_is_good(b, 1);
    assert_int_equal(bench_read(b, b->out.p, b->out.len, 8), ERR_OK);
    assert_int_equal(b->event[0].rec.kind, RECORD_CHECKOUT);
    bench_record(b, RECORD_RENEW, "39999000005056", "");
    bench_refuses(b, at, "user");
    bench_record(b, RECORD_CHECKOUT, "399990000050156789012", "29999000001016");
    bench_refuses(b, at, "item");
    bench_record(b, RECORD_CHECKOUT, "39999000005015", "299990000010167890123");
    bench_refuses(b, at, "user");
    bench_record(b, RECORD_INHOUSE, "39999000005015", "");
    bench_refuses(b, at, "kind");
    it.due = 0;
    assert_int_equal(b->f->loses(&b->p, &it), 1u << LOSS_KIND);
    bench_okafor(b);
    bench_refuses(b, at, "kind");
    for (unsigned k = 0; k < 256; k++)
        assert_int_equal(b->f->carries(&b->p, k), k >= RECORD_CHECKOUT && k <= RECORD_RENEW);
}

static void one_item_twice_in_a_second_is_refused(void **state)
{
    struct bench *b = *state;

    bench_record(b, RECORD_CHECKOUT, "39999000005015", "29999000001016");
    bench_add(b, "MAIN-1/7/0001", "2026-11-23T09:05:00.100-05:00");
    bench_record(b, RECORD_DISCHARGE, "39999000005015", "");
    bench_add(b, "MAIN-1/7/0002", "2026-11-23T09:05:00.900-05:00");
    bench_finish(b);
    bench_refused(b, "9", "9", "line 3: two events on one item in one second");
}

/* ---- .koc ---- */

static void milliseconds_and_the_autumn_hour_never_run_back(void **state)
{
    struct bench *b = *state;

    bench_record(b, RECORD_DISCHARGE, "1", "");
    bench_add(b, "A/1/1", "2026-11-01T01:59:58.500-04:00");
    bench_record(b, RECORD_DISCHARGE, "2", "");
    bench_add(b, "A/1/2", "2026-11-01T01:00:00.100-05:00"); /* two seconds later */
    bench_record(b, RECORD_DISCHARGE, "2", "");
    assert_int_equal(
        bench_add_moved(b, "A/1/3", "2026-11-01T01:00:00.200-05:00", "2026-11-01T01:00:01-05:00"),
        ERR_OK);
    bench_record(b, RECORD_DISCHARGE, "3", "");
    bench_add(b, "A/1/4", "2026-11-01T03:00:00.300-05:00");
    buf_add(&b->out, "", 1);
    assert_string_equal(strchr((char *)b->out.p, '\n') + 1, "2026-11-01 01:59:58 500\treturn\t1\n"
                                                            "2026-11-01 01:59:59 100\treturn\t2\n"
                                                            "2026-11-01 02:00:00 000\treturn\t2\n"
                                                            "2026-11-01 03:00:00 300\treturn\t3\n");
    b->out.len--;
    bench_is_good(b, 4);
}

static void the_judge_of_koc_refuses_what_kills_kohas_page(void **state)
{
    static const char *const rows[][3] = {
        { "Version=1.0", "Version=1.1", "line 1: the header is not ours" },
        { "Version", "\xef\xbb\xbfVersion", "line 1: the header is not ours" },
        { "\n", "\n\n", "line 2: no time" },
        { "\n", "\r\n", "line 1: the header is not ours" },
        { "5015\n", "5015\r\n", "a card or barcode is empty, none" },
        { "issue", "lend", "line 2: the action is neither issue nor return" },
        { "issue", "payment", "line 2: the action is neither" },
        { "\tissue\t", " issue ", "line 2: no time" },
        { "09:05:00 012", "09:05:00", "line 2: no time" },
        { "09:05:00 012", "09:65:00 012", "line 2: no time" },
        { "2026-11-23", "2026-11-31", "line 2: no time" },
        { "issue\t29999000001016\t", "issue\t", "an issue is time, issue, card and barcode" },
        { "return\t", "return\t2\t", "line 3: a return is time, return and barcode" },
        { "29999000001016", "", "a card or barcode is empty, none" },
        { "39999000005015", "399990000050151234567", "longer than 20" },
        { "39999000005015", "3999\"", "a card or barcode is empty, none" },
        { "09:06:01 005", "09:05:00 011", "line 3: the time runs back" },
        { "5023\n", "5023", "line 3: the file ends in the middle of it" },
        { "5015\n", "5015\t\t\n", "line 2: more than four fields" },
    };
    struct bench *b = *state;

    write_two(b);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        bench_refused(b, rows[i][0], rows[i][1], rows[i][2]);
}

#define ROW "2026-11-23 09:05:00 012\tissue\t2\t3\n"

static void every_variant_of_koc_is_read(void **state)
{
    struct bench *b = *state;

    bench_reads(b, "\xef\xbb\xbfVersion=1.0\tGenerator=koct\tGeneratorVersion=0.1\r\n"
                   "2026-11-23 09-05-00 012\tissue\t2\t3\r\n"
                   "2026-11-23 09:05:00\treturn\t3\r\n");
    assert_int_equal(b->n_unknown, 0);
    assert_int_equal(b->n_events, 2);
    assert_int_equal(b->event[0].rec.at_ms, bench_ms("2026-11-23T09:05:00.012-05:00"));
    assert_int_equal(b->event[1].rec.at_ms, bench_ms("2026-11-23T09:05:00-05:00"));
    bench_reads(b, ROW); /* other tools write no header */
    assert_int_equal(b->n_events, 1);
    bench_reads(b, "2026-11-01 01:59:59\treturn\t3\n2026-11-01 01:00:30\treturn\t4\n");
    assert_int_equal(b->event[0].rec.at_ms, bench_ms("2026-11-01T01:59:59-04:00"));
    assert_int_equal(b->event[1].rec.at_ms, bench_ms("2026-11-01T01:00:30-05:00"));
}

static void of_koc_nothing_is_guessed_and_nothing_dropped(void **state)
{
    struct bench *b = *state;

    bench_is_unknown(b, "Version=1.1\tGenerator=x\n" ROW, "another version");
    assert_int_equal(b->n_events, 1);
    bench_is_unknown(b, ROW "\n" ROW, "an empty line");
    assert_int_equal(b->n_events, 2);
    bench_is_unknown(b, ROW "2026-11-23 09:05:00 012\tissue\t2\t3", "perhaps it was cut");
    bench_is_unknown(b, "2026-11-23 09:05:00 012\tpayment\t2\t1.50\n", "a payment");
    assert_string_equal(b->unknown[0].text, "2026-11-23 09:05:00 012\tpayment\t2\t1.50");
    bench_is_unknown(b, "2026-11-23 09:05:00 012\tlend\t2\t3\n", "neither issue nor return");
    bench_is_unknown(b, "2026-11-23 09:05:00 012 issue 2 3\n", "with tabs between");
    bench_is_unknown(b, "2026-11-23 09:05:00 012\tissue\t2\n", "an issue has card and barcode");
    bench_is_unknown(b, "2026-11-23 09:05:00 012\tissue\t2\t3\t4\t5\n", "more fields");
    bench_is_unknown(b, "2026-11-23 09:05:00 012\tissue\t\t3\n", "is missing");
    bench_is_unknown(b, "1970-01-01 00:00:00 000\treturn\t3\n", "before 1971");
    bench_is_unknown(b, "2026-11-23 09:05\treturn\t3\n", "no time like");
    bench_is_unknown(b, "2026-11-23 09:05:00 012\treturn\t3\r2026-11-23 09:05:00 012\treturn\t4\n",
                     "a return a barcode alone");
}

/* ---- the plugin's body ---- */

static void the_judge_of_a_batch_knows_one_form(void **state)
{
    static const char *const rows[][3] = {
        { "\"MAIN\"", "\"KIDS\"", "line 1: the branchcode is not the policy's" },
        { "true", "false", "line 1: pending is not as the policy says" },
        { "true", "\"true\"", "line 1: pending is not as the policy says" },
        { "transactions", "rows", "line 1: the batch does not begin as one" },
        { "issue", "payment", "line 2: the action is neither issue nor return" },
        { "\"cardnumber\":\"29999000001016\",", "",
          "line 2: a row with too many keys, or too few" },
        { "\"return\"", "\"return\",\"cardnumber\":\"2\"", "line 3: a row with too many keys" },
        { "\"39999000005015\"", "39999000005015", "line 2: a card or barcode" },
        { "39999000005015", "399990000050151234567", "longer than 20" },
        { "14:05:00Z", "14:05:00", "line 2: no timestamp" },
        { "14:05:00Z", "09:05:00-05:00", "line 2: no timestamp" },
        { "14:06:01Z", "14:04:59Z", "line 3: the timestamp runs back" },
        { "5015\"},", "5015\"}", "line 2: not one row" },
        { "]}\n", "]}\n\n", "line 4: bytes behind the end" },
        { "]}\n", ",\n", "line 3: the batch has no end" },
        { "]}\n", "", "line 3: the file ends in the middle" },
        { "{\"timestamp\"", "{{\"timestamp\"", "line 2: not JSON" },
    };
    struct bench *b = *state;
    uint64_t n;

    write_two(b);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        bench_refused(b, rows[i][0], rows[i][1], rows[i][2]);
    assert_int_equal(bench_judge(b, b->out.p,
                                 (size_t)(strchr((char *)b->out.p, '\n') + 1 - (char *)b->out.p), 9,
                                 &n),
                     ERR_MALFORMED);
    assert_string_equal(b->msg.text, "line 1: the batch has no end");
}

#define HEAD "{\"branchcode\":\"MAIN\",\"pending\":true,\"transactions\":["
#define ISSUE                                                                                      \
    "{\"timestamp\":\"2026-11-23T14:05:00Z\",\"action\":\"issue\",\"cardnumber\":\"2\","           \
    "\"barcode\":\"3\"}"

static void a_batch_is_read_however_it_is_broken(void **state)
{
    struct bench *b = *state;

    bench_reads(b, HEAD ISSUE "," ISSUE "]}");
    assert_int_equal(b->n_events, 2);
    assert_int_equal(b->n_unknown, 0);
    bench_reads(b, " {\n \"transactions\" : [\n" ISSUE "\n,\n { \"action\":\"return\",\n"
                   "\"timestamp\":\"2026-11-23T09:05:00.5-05:00\",\"barcode\":\"}]\\\"\"},"
                   "{\"action\":\"return\",\"barcode\":\"3\",\n"
                   "\"timestamp\":\"2026-11-23T09:05:00.5-05:00\"} ]\r\n}\n");
    assert_int_equal(b->n_events, 2);
    assert_int_equal(b->event[1].line, 6);
    assert_int_equal(b->event[1].rec.at_ms, bench_ms("2026-11-23T14:05:00.500Z"));
    assert_int_equal(b->n_unknown, 1); /* that barcode */
    assert_int_equal(b->unknown[0].line, 5);
    bench_reads(b, "");
    assert_int_equal(b->n_events + b->n_unknown, 0);
}

static void of_a_batch_nothing_is_guessed_and_nothing_dropped(void **state)
{
    struct bench *b = *state;
    char *big = calloc(1, 40000);

    bench_is_unknown(b,
                     HEAD ISSUE ","
                                "{\"action\":\"pay",
                     "perhaps it was cut");
    assert_int_equal(b->n_events, 1);
    assert_string_equal(b->unknown[0].text, "{\"action\":\"pay");
    bench_is_unknown(b, HEAD ISSUE, "perhaps it was cut");
    bench_is_unknown(b, HEAD ISSUE "]", "does not end as one");
    bench_is_unknown(b, HEAD ISSUE "] } trailing", "does not end as one");
    bench_is_unknown(b, HEAD "7," ISSUE "]}", "between the rows");
    bench_is_unknown(b, HEAD "{\"action\":\"payment\",\"amount\":\"1.50\"}]}", "a payment");
    bench_is_unknown(b, HEAD "{\"action\":\"lend\"}]}", "neither issue nor return");
    bench_is_unknown(b, HEAD "{\"action\":\"return\",\"barcode\":\"3\"}]}", "no timestamp");
    bench_is_unknown(b,
                     HEAD "{\"action\":\"return\",\"barcode\":3,\"timestamp\":"
                          "\"2026-11-23T14:05:00Z\"}]}",
                     "in quotes");
    sprintf(big, HEAD "{\"action\":\"%020000d\"}," ISSUE "]}", 1);
    bench_reads(b, big);
    assert_int_equal(b->n_events, 1);
    assert_int_equal(b->n_unknown, 2);
    assert_string_equal(b->unknown[0].why, "longer than any row");
    assert_string_equal(b->unknown[1].why, "more of it");
    free(big);
    assert_int_equal(bench_read(b, "[1]", 3, 1), ERR_MALFORMED);
    assert_int_equal(bench_read(b, "{\"a\":[1]}", 9, 1), ERR_MALFORMED);
    assert_int_equal(bench_read(b, "{\"a\":{}}", 8, 1), ERR_MALFORMED);
    assert_non_null(strstr(b->msg.text, "not a batch for Koha's plugin"));
}

#define KOC(f)  cmocka_unit_test_setup_teardown(f, set_up_koc, tear_down)
#define JSON(f) cmocka_unit_test_setup_teardown(f, set_up_json, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KOC(two_rows_are_written_byte_for_byte_and_read_back),
        JSON(two_rows_are_written_byte_for_byte_and_read_back),
        KOC(a_renewal_is_an_issue_and_needs_its_user),
        JSON(a_renewal_is_an_issue_and_needs_its_user),
        KOC(one_item_twice_in_a_second_is_refused),
        JSON(one_item_twice_in_a_second_is_refused),
        KOC(milliseconds_and_the_autumn_hour_never_run_back),
        KOC(the_judge_of_koc_refuses_what_kills_kohas_page),
        KOC(every_variant_of_koc_is_read),
        KOC(of_koc_nothing_is_guessed_and_nothing_dropped),
        JSON(the_judge_of_a_batch_knows_one_form),
        JSON(a_batch_is_read_however_it_is_broken),
        JSON(of_a_batch_nothing_is_guessed_and_nothing_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
