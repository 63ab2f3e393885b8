/* test_xacts.c - Evergreen's offline transactions: written, judged, read. */
#include "format_rig.h"

#define SECTION                                                                                    \
    "[evergreen]\nprofile = 2\nhome_ou = 4\nident_type = 3\ncountry = US\nwrite_pin = yes\n"       \
    "[profiles]\nCHILD = 5\n[scan]\nno_barcode_kinds = paperback, toy\n[noncat]\npaperback = 3\n"

static int set_up(void **state)
{
    *state = bench_new(&format_evergreen, SECTION);
    return 0;
}

static int tear_down(void **state)
{
    bench_free(*state);
    return 0;
}

static void write_five(struct bench *b)
{
    bench_record(b, RECORD_CHECKOUT, "39999000005015", "29999000001016")->due = 20261214;
    bench_add(b, "MAIN-1/7/0001", "2026-11-23T09:05:00.750-05:00");
    bench_record(b, RECORD_DISCHARGE, "39999000005023", "");
    bench_add(b, "MAIN-1/7/0002", "2026-11-23T09:06:01-05:00");
    bench_record(b, RECORD_RENEW, "39999000005056", "29999000001032");
    bench_add(b, "MAIN-1/7/0003", "2026-11-23T09:06:30-05:00");
    bench_record(b, RECORD_INHOUSE, "39999000005031", "")->count = 3;
    bench_add(b, "MAIN-1/7/0004", "2026-11-23T09:07:40-05:00");
    bench_okafor(b);
    bench_add(b, "MAIN-1/7/0005", "2026-11-23T09:08:00-05:00");
}

static void the_five_lines_are_written_byte_for_byte_and_read_back(void **state)
{
    struct bench *b = *state;

    write_five(b);
    bench_is_golden(b, "evergreen.xacts");
    bench_is_good(b, 5);
    for (size_t piece = 1; piece < 2000; piece = piece * 4 + 3) {
        const struct format_event *e = b->event;

        assert_int_equal(bench_read(b, b->out.p, b->out.len, piece), ERR_OK);
        assert_int_equal(b->n_unknown, 0);
        assert_int_equal(b->n_events, 5);
        assert_int_equal(e[0].rec.kind, RECORD_CHECKOUT);
        assert_string_equal(e[0].rec.item, "39999000005015");
        assert_string_equal(e[0].rec.user, "29999000001016");
        assert_int_equal(e[0].rec.due, 20261214);
        assert_int_equal(e[0].rec.at_ms, bench_ms("2026-11-23T09:05:00-05:00"));
        assert_int_equal(e[0].rec.paper_ms, 0);
        assert_int_equal(e[0].rec.utc_off_min, -300);
        assert_string_equal(e[0].desk, "MAIN-1");
        assert_int_equal(e[1].rec.kind, RECORD_DISCHARGE);
        assert_int_equal(e[2].rec.kind, RECORD_RENEW);
        assert_string_equal(e[2].rec.user, "29999000001032");
        assert_int_equal(e[3].rec.count, 3);
        assert_int_equal(e[4].rec.kind, RECORD_USER);
        assert_string_equal(e[4].rec.user, "29999000001040");
        assert_string_equal(e[4].rec.reg.first, "Zo\xc3\xab");
        assert_string_equal(e[4].rec.reg.city, "Rivermouth, OH");
        assert_string_equal(e[4].rec.reg.type, "");
        assert_string_equal(e[4].rec.reg.pin, "7315");
        assert_int_equal(e[4].rec.reg.birth, 19880714);
        assert_int_equal(e[4].line, 5);
    }
}

static void what_is_not_known_is_left_out(void **state)
{
    struct bench *b = *state;
    struct registration *r = bench_okafor(b);

    r->pin[0] = 0;
    r->birth = 0;
    strcpy(r->first, "\xf0\x9f\x90\x8d\xc3\xa9\"\\");
    strcpy(r->city, "Z\xc3\xbcrich, Kreis 4");
    strcpy(r->type, "CHILD");
    strcpy(r->email, "zoe@example.org");
    strcpy(r->phone, "330");
    bench_add(b, "KIDS-1/3b/0042", "2026-07-01T00:00:00-04:00");
    bench_record(b, RECORD_RENEW, "39999000005056", "");
    bench_add(b, "KIDS-1/3b/0043", "2026-07-01T00:00:01-04:00");
    buf_add(&b->out, "", 1);
    assert_string_equal(
        b->out.p,
        "{\"timestamp\":1782878400,\"type\":\"register\",\"delta\":0,\"user\":{\"card\":"
        "{\"barcode\":\"29999000001040\"},\"family_name\":\"Okafor\",\"first_given_name\":"
        "\"\\ud83d\\udc0d\\u00e9\\\"\\\\\",\"profile\":5,\"home_ou\":4,\"ident_type\":3,"
        "\"email\":\"zoe@example.org\",\"day_phone\":\"330\",\"billing_address\":{\"id\":-1,"
        "\"street1\":\"12 Mill Lane\",\"city\":\"Z\\u00fcrich, Kreis 4\",\"country\":\"US\","
        "\"post_code\":\"44654\"}},\"tideover_id\":\"KIDS-1/3b/0042\"}\n"
        "{\"timestamp\":1782878401,\"type\":\"renew\",\"delta\":0,\"barcode\":\"39999000005056\","
        "\"checkout_time\":\"2026-07-01T00:00:01-04:00\",\"tideover_id\":\"KIDS-1/3b/0043\"}\n");
    b->out.len--;
    bench_is_good(b, 2);
    assert_int_equal(bench_read(b, b->out.p, b->out.len, 9), ERR_OK);
    assert_string_equal(b->event[0].rec.reg.first, "\xf0\x9f\x90\x8d\xc3\xa9\"\\");
    assert_string_equal(b->event[0].rec.reg.city, "Z\xc3\xbcrich, Kreis 4");
    assert_string_equal(b->event[0].rec.reg.type, "CHILD");
}

static void pieces_without_a_barcode_are_of_evergreens_own_type(void **state)
{
    struct bench *b = *state;
    struct format_item it = { .rec = &b->rec };
    struct record *r = bench_record(b, RECORD_CHECKOUT, "", "29999000001016");

    strcpy(r->piece_kind, "paperback");
    strcpy(r->piece_label, "three thin ones");
    r->count = 3;
    r->due = 20261214;
    assert_true(b->f->pieces(&b->p, r));
    it.due = r->due;
    assert_int_equal(b->f->loses(&b->p, &it), 1u << LOSS_DUE);
    bench_add(b, "MAIN-1/7/0001", "2026-11-23T09:05:00-05:00");
    bench_add(b, "MAIN-1/7/0002", "2026-11-23T09:05:00-05:00"); /* no item: one second holds both */
    buf_add(&b->out, "", 1);
    assert_non_null(
        strstr((char *)b->out.p,
               "{\"timestamp\":1795442700,\"type\":\"checkout\",\"delta\":0,\"patron_barcode\":"
               "\"29999000001016\",\"noncat\":1,\"noncat_type\":3,\"noncat_count\":3,"
               "\"checkout_time\":\"2026-11-23T09:05:00-05:00\",\"tideover_id\":"
               "\"MAIN-1/7/0001\"}\n"));
    b->out.len--;
    bench_is_good(b, 2);
    assert_int_equal(bench_read(b, b->out.p, b->out.len, 9), ERR_OK);
    assert_int_equal(b->n_events, 2);
    assert_string_equal(b->event[0].rec.piece_kind, "paperback");
    assert_string_equal(b->event[0].rec.item, "");
    assert_int_equal(b->event[0].rec.count, 3);
    strcpy(r->piece_kind, "toy"); /* has no number in [noncat] */
    assert_false(b->f->pieces(&b->p, r));
    bench_refuses(b, "2026-11-23T09:06:00-05:00", "kind");
}

/* The clocks go back in the night before 1 November 2026. */
static void a_due_date_ends_by_the_offset_of_its_own_evening(void **state)
{
    struct bench *b = *state;

    bench_record(b, RECORD_CHECKOUT, "39999000005015", "29999000001016")->due = 20261101;
    bench_add(b, "MAIN-1/7/0001", "2026-10-31T23:59:59-04:00");
    b->rec.due = 20261031;
    strcpy(b->rec.item, "39999000005023");
    bench_add(b, "MAIN-1/7/0002", "2026-10-31T23:59:59-04:00");
    buf_add(&b->out, "", 1);
    assert_non_null(strstr((char *)b->out.p, "\"2026-11-01T23:59:59-05:00\""));
    assert_non_null(strstr((char *)b->out.p, "\"due_date\":\"2026-10-31T23:59:59-04:00\""));
    b->out.len--;
    bench_is_good(b, 2);
}

static void what_the_server_would_choke_on_is_not_written(void **state)
{
    struct bench *b = *state;
    const char *at = "2026-11-23T09:05:00-05:00";

    bench_record(b, RECORD_CHECKOUT, "39999000005015", "");
    bench_refuses(b, at, "user");
    bench_record(b, RECORD_CHECKOUT, "39999000005015", "29999000001016")->due = 20261122;
    bench_refuses(b, at, "due");
    bench_record(b, RECORD_DISCHARGE, "39999000005015", "");
    bench_refuses(b, "1970-01-02T00:05:00-05:00", "at"); /* a PC whose battery is dead */
    bench_record(b, RECORD_INHOUSE, "39999000005015", "")->count = 100;
    bench_refuses(b, at, "count");
    bench_okafor(b)->first[0] = 0;
    bench_refuses(b, at, "first");
    bench_okafor(b)->street[0] = 0;
    bench_refuses(b, at, "street");
    bench_okafor(b)->postcode[0] = 0;
    bench_refuses(b, at, "postcode");
    bench_okafor(b)->birth = 20261124;
    bench_refuses(b, at, "birth");
    strcpy(bench_okafor(b)->last, "\xe9");
    bench_refuses(b, at, "last");
    b->p.evergreen.registration = false;
    bench_okafor(b);
    bench_refuses(b, at, "kind");
    assert_int_equal(b->lines, 0);
}

static void what_is_lost_is_said(void **state)
{
    struct bench *b = *state;
    struct format_item it = { .rec = &b->rec };

    bench_record(b, RECORD_CHECKOUT, "39999000005015", "29999000001016");
    assert_int_equal(b->f->loses(&b->p, &it), 0);
    strcpy(bench_okafor(b)->type, "CHILD");
    assert_int_equal(b->f->loses(&b->p, &it), 0);
    strcpy(b->rec.reg.type, "DOG");
    assert_int_equal(b->f->loses(&b->p, &it), 1u << LOSS_USER_FIELDS);
    strcpy(bench_okafor(b)->guardian, "Eva");
    assert_int_equal(b->f->loses(&b->p, &it), 1u << LOSS_USER_FIELDS);
    bench_okafor(b);
    b->p.evergreen.write_pin = false;
    assert_int_equal(b->f->loses(&b->p, &it), 1u << LOSS_USER_FIELDS);
    b->p.evergreen.registration = false;
    assert_int_equal(b->f->loses(&b->p, &it), 1u << LOSS_KIND);
    bench_record(b, RECORD_VOID, "", "");
    assert_int_equal(b->f->loses(&b->p, &it), 1u << LOSS_KIND);
}

static void a_policy_without_its_numbers_is_refused(void **state)
{
    static const char text[] = FILE_BRANCH "[upload]\nformat = evergreen\n[evergreen]\n%s";
    static const struct {
        const char *keys, *because;
    } rows[] = {
        { "home_ou = 4\nident_type = 3\ncountry = US\n", "needs \"profile\" in [evergreen]" },
        { "profile = 2\nident_type = 3\ncountry = US\n", "needs \"home_ou\" in" },
        { "profile = 2\nhome_ou = 4\ncountry = US\n", "needs \"ident_type\" in" },
        { "profile = 2\nhome_ou = 4\nident_type = 3\n", "needs \"country\" in" },
        { "profile = 0\n", "must be a number from 1" },
        { "registration = jy\n", "must be none or xacts" },
        { "[profiles]\nCHILD = x\n", "must be a number from 1" },
        { "[profiles]\nCHILD = 5\nCHILD = 6\n", "the type is there twice" },
        { "registration = none\n", NULL },
        { "profile = 2\nhome_ou = 4\nident_type = 3\ncountry = US\n", NULL },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct errmsg msg = { .text = "" };
        struct policy p;
        char all[512];

        snprintf(all, sizeof all, text, rows[i].keys);
        assert_int_equal(policy_parse(all, strlen(all), &p, &msg),
                         rows[i].because ? ERR_CONFIG : ERR_OK);
        if (rows[i].because && strstr(msg.text, rows[i].because) == NULL)
            fail_msg("%s: said %s", rows[i].keys, msg.text);
    }
}

static void the_judge_refuses_what_kills_a_session(void **state)
{
    static const char *const rows[][3] = {
        { "Zo\\u00eb", "Zo\xc3\xab", "line 5: byte 142 is not plain ASCII" },
        { "{\"timestamp\":1795442700", "\xef\xbb\xbf{\"timestamp\":1795442700", "line 1: byte 1" },
        { "\n", "\n\n", "line 2: not one JSON object" },
        { "{\"timestamp\":1795442700", "[{\"timestamp\":1795442700", "not one JSON object" },
        { "0001\"}\n", "0001\"\n", "line 1: not one JSON object" },
        { "\"delta\":0,\"user\"", "\"delta\":0,,\"user\"", "line 5: not JSON" },
        { "\"checkin\"", "\"checkIn\"", "line 2: a type that the server does not know" },
        { "1795442700", "1795442700000", "line 1: the timestamp is no whole number of seconds" },
        { "1795442700", "1795442700.5", "no whole number of seconds" },
        { "1795442700", "\"1795442700\"", "no whole number of seconds" },
        { "\"timestamp\":1795442700,", "", "no whole number of seconds" },
        { "1795442761", "1795442699", "line 2: the timestamp runs back" },
        { "\"delta\":0", "\"delta\":5", "a delta that is not 0" },
        { "\"39999000005015\"", "39999000005015", "a barcode that is none, or not in quotes" },
        { "\"barcode\":\"39999000005015\",", "", "line 1: a line that lacks a key of its type" },
        { "\"patron_barcode\":\"29999000001016\",", "", "line 1: a line that lacks a key" },
        { ",\"checkout_time\":\"2026-11-23T09:05:00-05:00\"", "", "line 1: a line that lacks" },
        { "T09:05:00-05:00", "T09:05-05:00", "a time that is none in full" },
        { "T09:05:00-05:00", "T09:05:00Z", "a time that is none in full" },
        { "T09:05:00-05:00", "T09:05:01-05:00", "or not the timestamp's" },
        { "2026-12-14T", "2026-11-22T", "a due date that is no time in full, or before the event" },
        { "\"count\":3", "\"count\":100", "line 4: a count outside 1 to 99" },
        { "\"count\":3", "\"count\":\"3\"", "line 4: a count outside 1 to 99" },
        { "\"count\":3,", "", "line 4: a line that lacks a key of its type" },
        { "\"backdate\"", "\"use_time\"", "line 2: a line that lacks a key of its type" },
        { "\"delta\":0", "\"delta\":0,\"noncat\":1",
          "line 1: a line that lacks a key of its type" },
        { "\"barcode\":\"39999000005015\"", "\"noncat\":1,\"noncat_type\":3,\"noncat_count\":100",
          "a count outside 1 to 99" },
        { "\"barcode\":\"39999000005015\"", "\"noncat\":2,\"noncat_type\":3,\"noncat_count\":1",
          "a noncat that is not 1" },
        { "\"barcode\":\"39999000005015\"", "\"noncat\":1,\"noncat_type\":\"3\",\"noncat_count\":1",
          "a noncat_type that is no" },
        { "\"delta\":0", "\"delta\":0,\"noncat\":1,\"noncat_type\":3,\"noncat_count\":1",
          "a key that is not of its type" },
        { "7/0002\"", "7/0001\"", "line 2: the tideover_id MAIN-1/7/0001 is there twice" },
        { ",\"tideover_id\":\"MAIN-1/7/0001\"", "", "line 1: a line that lacks a key" },
        { "\"family_name\":\"Okafor\",", "", "line 5: a user without card, names" },
        { "\"profile\":2", "\"profile\":\"2\"", "a number of profile" },
        { "\"profile\":2", "\"profile\":2,\"standing\":1", "a user with a field" },
        { "\"dob\":\"1988-07-14\"", "\"dob\":\"14.7.1988\"", "a dob that is no past date" },
        { "\"dob\":\"1988-07-14\"", "\"dob\":\"2026-11-24\"", "a dob that is no past date" },
        { "billing_address", "bulling_address", "line 5: a user without an address" },
        { "\"city\":\"Rivermouth\",", "", "an address without street1, city" },
        { "\"state\":\"OH\"", "\"stote\":\"OH\"", "an address with a field" },
        { "\"billing_address\":{\"id\":-1",
          "\"mailing_address\":{\"id\":-1,\"street1\":\"a\",\"city\":\"b\",\"country\":\"c\","
          "\"post_code\":\"d\"},\"billing_address\":{\"id\":-1",
          "two addresses with one id" },
    };
    struct bench *b = *state;

    write_five(b);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        bench_refused(b, rows[i][0], rows[i][1], rows[i][2]);
    b->p.evergreen.write_pin = false;
    bench_refused(b, "MAIN", "MAIN", "line 5: a PIN, which the policy does not send");
    b->p.evergreen.registration = false;
    bench_refused(b, "MAIN", "MAIN", "line 5: a registration, which the policy does not send");
}

static void two_events_on_one_item_are_a_second_apart(void **state)
{
    struct bench *b = *state;

    bench_record(b, RECORD_CHECKOUT, "39999000005015", "29999000001016");
    bench_add(b, "MAIN-1/7/0001", "2026-11-23T09:05:00-05:00");
    bench_record(b, RECORD_DISCHARGE, "39999000005015", "");
    bench_add(b, "MAIN-1/7/0002", "2026-11-23T09:05:00-05:00");
    bench_refused(b, "MAIN", "MAIN", "line 2: two events on one item in one second");
    buf_reset(&b->out);
    bench_okafor(b);
    bench_add(b, "MAIN-1/7/0003", "2026-11-23T09:05:00-05:00");
    bench_record(b, RECORD_CHECKOUT, "39999000005015", "29999000001040");
    bench_add(b, "MAIN-1/7/0004", "2026-11-23T09:05:00-05:00");
    bench_refused(b, "MAIN", "MAIN", "line 2: a card is registered and used in one second");
}

static void cut_anywhere_but_at_a_line_end_a_file_is_refused(void **state)
{
    struct bench *b = *state;
    uint64_t n;

    write_five(b);
    for (size_t cut = 0; cut < b->out.len; cut++)
        assert_int_equal(bench_judge(b, b->out.p, cut, cut + 1, &n),
                         cut == 0 || b->out.p[cut - 1] == '\n' ? ERR_OK : ERR_MALFORMED);
}

/* Ids of five feeds, interleaved and with gaps; then one of the first comes again. */
static void an_id_is_known_again_among_many(void **state)
{
    struct bench *b = *state;
    struct format_check *c = format_evergreen.check_new(&b->p);
    const unsigned many = 20000;
    enum err e = ERR_OK;
    char line[256];

    for (unsigned i = 0; i <= many && e == ERR_OK; i++) {
        unsigned id = i == many ? 8 : i;
        int n = snprintf(line, sizeof line,
                         "{\"timestamp\":%u,\"type\":\"checkin\",\"delta\":0,\"barcode\":\"3\","
                         "\"backdate\":\"2026-11-23T%02u:%02u:%02u+00:00\",\"tideover_id\":"
                         "\"MAIN-%u/7/%04u\"}\n",
                         1795392000 + i, i / 3600, i / 60 % 60, i % 60, id % 5, id * 3);
        e = format_evergreen.check_add(c, (uint8_t *)line, (size_t)n, &b->msg);
        assert_int_equal(e, i == many ? ERR_MALFORMED : ERR_OK);
    }
    assert_string_equal(b->msg.text, "line 20001: the tideover_id MAIN-3/7/0024 is there twice");
    format_evergreen.check_free(c);
}

/* ---- read ---- */

#define OUT "{\"type\":\"checkout\",\"barcode\":\"3\",\"patron_barcode\":\"2\","

static void every_variant_is_read(void **state)
{
    struct bench *b = *state;

    bench_reads(
        b, "\xef\xbb\xbf" OUT "\"timestamp\":\"1795442700\",\"delta\":12}\r\n" OUT
           "\"checkout_time\":\"20261123 09:05:00\",\"due_date\":\"2026-12-14\"}\n" OUT
           "\"timestamp\":1795442700,\"checkout_time\":\"2026-11-23T14:05:00.000Z\",\"due_date\":"
           "\"2026-12-15T04:59:59Z\"}\n" OUT
           "\"timestamp\":1795442700,\"checkout_time\":\"2026-11-23T08:00:00-0500\",\"extra\":[]}\n"
           "{\"type\":\"in_house_use\",\"barcode\":\"3\",\"timestamp\":1795442700,\"count\":\"\"}\n"
           "{\"type\":\"checkin\",\"barcode\":\"3\",\"timestamp\":1795442700,\"backdate\":"
           "\"2026-11-23\"}\n"
           "{\"type\":\"register\",\"timestamp\":1795442700,\"user\":{\"card\":{\"barcode\":\"2\"},"
           "\"family_name\":\"Zo\xc3\xab\",\"profile\":\"7\",\"dob\":\"1988-07-14T00:00:00\","
           "\"mailing_address\":{\"street1\":\"a\",\"street2\":\"b\",\"city\":\"c\"}}}");
    assert_int_equal(b->n_unknown, 0);
    assert_int_equal(b->n_events, 7);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(b->event[i].rec.at_ms, 1795442700000);
    assert_int_equal(b->event[1].rec.due, 20261214);
    assert_int_equal(b->event[2].rec.due, 20261214);
    assert_int_equal(b->event[2].rec.paper_ms, 0);
    assert_int_equal(b->event[3].rec.paper_ms, bench_ms("2026-11-23T08:00:00-05:00"));
    assert_int_equal(b->event[4].rec.count, 1);
    assert_int_equal(b->event[1].left_out, 0);
    assert_int_equal(b->event[3].left_out, LEFT_FIELDS); /* "extra" */
    assert_int_equal(b->event[6].left_out, 0);
    assert_string_equal(b->event[6].rec.reg.street, "a, b");
    assert_string_equal(b->event[6].rec.reg.type, "7");
    assert_int_equal(b->event[6].rec.reg.birth, 19880714);
}

static void nothing_is_guessed_and_nothing_dropped(void **state)
{
    struct bench *b = *state;

    bench_is_unknown(b, OUT "\"timestamp\":1795442700}\n" OUT "\"timesta", "not JSON, or cut");
    assert_int_equal(b->n_events, 1);
    assert_int_equal(b->unknown[0].line, 2);
    assert_string_equal(b->unknown[0].text, OUT "\"timesta");
    bench_is_unknown(b, "[" OUT "\"timestamp\":1795442700}]\n", "not an object");
    bench_is_unknown(b, "\n", "an empty line");
    bench_is_unknown(b, OUT "\"delta\":0}\n", "neither a timestamp nor a time");
    bench_is_unknown(b, OUT "\"timestamp\":1795442700123}\n", "of milliseconds?");
    bench_is_unknown(b, OUT "\"timestamp\":\"2026-11-23T09:05:00\"}\n", "a number that is none");
    bench_is_unknown(b, OUT "\"checkout_time\":\"2026-11-23T09:05\"}\n", "has no seconds");
    bench_is_unknown(b, OUT "\"timestamp\":0}\n", "before 1971"); /* once it stopped the merge */
    bench_is_unknown(b, OUT "\"timestamp\":1795442700,\"due_date\":\"12/14/2026\"}\n",
                     "a time that is none");
    bench_is_unknown(b,
                     "{\"type\":\"checkin\",\"barcode\":\"3\",\"timestamp\":1795442700,"
                     "\"backdate\":\"2026-11-22\"}\n",
                     "dated to another day");
    bench_is_unknown(b,
                     "{\"type\":\"checkout\",\"patron_barcode\":\"2\",\"noncat\":true,"
                     "\"noncat_type\":1,\"noncat_count\":2,\"timestamp\":1795442700}\n",
                     "uncatalogued pieces");
    bench_is_unknown(b, "{\"type\":\"checkin\",\"barcode\":3,\"timestamp\":1795442700}\n",
                     "a number where text in quotes belongs");
    bench_is_unknown(b, "{\"type\":\"hold\",\"barcode\":\"3\",\"timestamp\":1795442700}\n",
                     "not known");
    bench_is_unknown(b,
                     "{\"type\":\"in_house_use\",\"barcode\":\"3\",\"count\":100,"
                     "\"timestamp\":1795442700}\n",
                     "a count outside");
    bench_is_unknown(
        b,
        "{\"type\":\"register\",\"timestamp\":1795442700,\"user\":{\"card\":{\"barcode\":"
        "\"2\"}}}\n",
        "without its card or its family_name");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_five_lines_are_written_byte_for_byte_and_read_back),
        TEST(what_is_not_known_is_left_out),
        TEST(pieces_without_a_barcode_are_of_evergreens_own_type),
        TEST(a_due_date_ends_by_the_offset_of_its_own_evening),
        TEST(what_the_server_would_choke_on_is_not_written),
        TEST(what_is_lost_is_said),
        TEST(a_policy_without_its_numbers_is_refused),
        TEST(the_judge_refuses_what_kills_a_session),
        TEST(two_events_on_one_item_are_a_second_apart),
        TEST(cut_anywhere_but_at_a_line_end_a_file_is_refused),
        TEST(an_id_is_known_again_among_many),
        TEST(every_variant_is_read),
        TEST(nothing_is_guessed_and_nothing_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
