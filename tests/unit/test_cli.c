/* test_cli.c - the command table, the command line, and the pure parts behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli_int.h"
#include "cli/lines.h"
#include "cli/zonefile.h"
#include "format.h"

/* ---- what monitoring is told ---- */

/* A status whose server is in that state since noon, UTC, with 3 records pending. */
static enum check_level judged(const char *state, int pending, int minutes, char words[300])
{
    json_t *s = json_pack("{s:{s:s, s:s}, s:{s:i, s:i, s:i}}", "server", "state", state, "since",
                          "2026-11-23T12:00:00Z", "records", "local", 3, "replicated", 3, "pending",
                          pending);
    enum check_level l =
        check_judge(s, 100, 1000, (INT64_C(1795435200) + minutes * 60) * 1000, words);

    json_decref(s);
    return l;
}

static void a_server_that_is_away_is_said_and_a_forgotten_upload_is_a_warning(void **state)
{
    char words[300];

    (void)state;
    assert_int_equal(judged("online", 0, 0, words), LEVEL_OK);
    assert_string_equal(words, "nothing needs a look");
    assert_int_equal(judged("offline", 3, 600, words), LEVEL_OK);
    assert_string_equal(words, "the library's server is away since 2026-11-23 12:00:00 +00:00: the "
                               "desks record, 3 records wait for the upload");
    assert_int_equal(judged("back", 1, 30, words), LEVEL_OK);
    assert_string_equal(words, "the library's server is back since 2026-11-23 12:00:00 +00:00, 1 "
                               "record waits: tideover upload run");
    assert_int_equal(judged("back", 1, 31, words), LEVEL_WARNING);
    assert_int_equal(judged("back", 0, 600, words), LEVEL_OK);
    assert_string_equal(words, "nothing needs a look");
}

/* ---- what a run prints ---- */

struct capture {
    int saved[2];
    char path[2][32];
    char text[2][16384];
};

static void capture_begin(struct capture *k)
{
    fflush(stdout);
    fflush(stderr);
    for (int i = 0; i < 2; i++) {
        int fd;
        strcpy(k->path[i], "/tmp/test_cli_XXXXXX");
        fd = mkstemp(k->path[i]);
        assert_true(fd >= 0);
        k->saved[i] = dup(i + 1);
        dup2(fd, i + 1);
        close(fd);
    }
}

static void capture_end(struct capture *k)
{
    fflush(stdout);
    fflush(stderr);
    for (int i = 0; i < 2; i++) {
        FILE *f;
        size_t n;
        dup2(k->saved[i], i + 1);
        close(k->saved[i]);
        f = fopen(k->path[i], "rb");
        assert_non_null(f);
        n = fread(k->text[i], 1, sizeof k->text[i] - 1, f);
        k->text[i][n] = 0;
        fclose(f);
        unlink(k->path[i]);
    }
}

static char node_saw[128];

static int fake_node(const char *state_dir, int argc, char **argv)
{
    snprintf(node_saw, sizeof node_saw, "%s %d %s %s", state_dir, argc, argv[0],
             argc > 1 ? argv[1] : "");
    return 42;
}

/* Runs "tideover WORDS"; words are parted by blanks. */
static int run(struct capture *k, const char *words)
{
    char copy[512], *argv[32] = { (char *)"tideover" };
    int argc = 1, rc;

    snprintf(copy, sizeof copy, "%s", words);
    for (char *s = strtok(copy, " "); s != NULL && argc < 31; s = strtok(NULL, " "))
        argv[argc++] = s;
    capture_begin(k);
    rc = cli_main(argc, argv, fake_node);
    capture_end(k);
    return rc;
}

/* ---- the table ---- */

static void every_verb_has_help_and_an_example(void **state)
{
    (void)state;
    for (unsigned i = 0; i < n_commands; i++) {
        const struct command *c = &commands[i];

        assert_true(strlen(c->help) > 10 && strlen(c->help) < 100);
        assert_non_null(c->run);
        assert_non_null(strstr(c->examples, "tideover "));
        assert_non_null(strstr(c->examples, c->verb));
        assert_int_equal(c->examples[strlen(c->examples) - 1], '\n');
        assert_ptr_equal(command_find(c->verb, c->object), c);
    }
}

static void every_option_has_a_name_and_help(void **state)
{
    (void)state;
    for (unsigned o = OPT_NONE + 1; o < OPT_COUNT; o++) {
        const struct option_row *row = option_row((enum cli_opt)o);
        assert_non_null(row->name);
        assert_non_null(row->help);
    }
}

static void help_shows_every_verb_and_each_verb_its_examples(void **state)
{
    struct capture k;
    char words[64];

    (void)state;
    assert_int_equal(run(&k, "--help"), 0);
    for (unsigned i = 0; i < n_commands; i++)
        assert_non_null(strstr(k.text[0], commands[i].help));
    for (unsigned i = 0; i < n_commands; i++) {
        const struct command *c = &commands[i];
        snprintf(words, sizeof words, "%s %s --help", c->verb, c->object != NULL ? c->object : "");
        assert_int_equal(run(&k, words), 0);
        assert_string_equal(k.text[1], "");
        assert_non_null(strstr(k.text[0], c->examples));
        snprintf(words, sizeof words, "help %s", c->verb);
        assert_int_equal(run(&k, words), 0);
        assert_non_null(strstr(k.text[0], c->examples));
    }
}

/* Nobody who asks for one command wants a page about twelve others. */
static void help_on_one_command_is_of_that_one_alone(void **state)
{
    struct capture k, other;
    char names[FORMAT_NAMES_MAX];

    (void)state;
    assert_int_equal(run(&k, "upload run --help"), 0);
    assert_non_null(strstr(k.text[0], "tideover upload run"));
    assert_null(strstr(k.text[0], "exceptions"));
    assert_int_equal(run(&other, "help upload run"), 0);
    assert_string_equal(k.text[0], other.text[0]);
    assert_int_equal(run(&k, "upload --help"), 0);
    assert_non_null(strstr(k.text[0], "tideover upload exceptions"));

    /* the formats are those that there are */
    assert_int_equal(run(&k, "export --help"), 0);
    format_names(false, names);
    for (char *name = strtok(names, ", "); name != NULL; name = strtok(NULL, ", "))
        assert_non_null(strstr(k.text[0], name));
}

static void no_line_of_any_help_is_wider_than_a_hundred_columns(void **state)
{
    struct capture k;
    char words[64];

    (void)state;
    for (unsigned i = 0; i <= n_commands; i++) { /* the last: the page of all verbs */
        snprintf(words, sizeof words, "%s --help", i < n_commands ? commands[i].verb : "");
        assert_int_equal(run(&k, words), 0);
        for (char *line = strtok(k.text[0], "\n"); line != NULL; line = strtok(NULL, "\n"))
            if (strlen(line) > 100)
                fail_msg("%s", line);
    }
}

/* ---- mistakes ---- */

static void mistakes_on_the_command_line_are_64_and_say_what(void **state)
{
    static const struct {
        const char *words, *part;
    } bad[] = {
        { "stauts", "did you mean \"status\"?" },
        { "frobnicate", "there is no verb \"frobnicate\"" },
        { "log lst", "did you mean \"log list\"?" },
        { "log", "log what?" },
        { "upload frobnicate", "there is no \"upload frobnicate\"" },
        { "record chekout", "did you mean \"record checkout\"?" },
        { "record", "record what?" },
        { "status --josn", "did you mean --json?" },
        { "status --frobnicate", "unknown option --frobnicate" },
        { "status extra", "\"extra\" is one argument too many" },
        { "status --state", "option --state needs a value" },
        { "--state", "option --state needs a value" },
        { "status --json=yes", "--json takes no value" },
        { "init --branch MAIN", "--desk is missing" },
        { "init --branch MAIN --desk A --json", "\"init\" has no --json" },
        { "--json init --branch MAIN --desk A", "\"init\" has no --json" },
        { "record checkout --user 1", "say --item NUMBER, or --kind KIND" },
        { "record checkout --usr 1", "did you mean --user?" },
        { "record discharge --item 1 --due 2026-12-07", "unknown option --due" },
        { "join", "CODE is missing" },
        { "join A B", "\"B\" is one argument too many" },
        { "invite --desk A --role king", "--role must be desk, lead or admin" },
        { "invite --desk A --expires soon", "--expires must be a time" },
        { "invite --desk A --expires 48h", "a day at most" },
        { "invite --desk A --expires 0m", "--expires must be a time" },
        { "upload report --slot first", "--slot must be a number" },
        { "export --format ../x --out y", "there is no format" },
        { "export --format symphony", "--out is missing" },
        { "--state= status", "--state needs a directory" },
        { "help frobnicate", "there is no verb" },
    };
    struct capture k;

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int rc = run(&k, bad[i].words);
        if (rc != 64 || strstr(k.text[1], bad[i].part) == NULL)
            fail_msg("\"%s\": %d %s", bad[i].words, rc, k.text[1]);
        assert_string_equal(strstr(bad[i].words, "--json") == NULL ? k.text[0] : "", "");
        assert_memory_equal(k.text[1], "tideover: ", 10);
    }
}

static void the_state_directory_may_stand_anywhere_and_wins_over_the_environment(void **state)
{
    static const char *const words[] = { "--state /tmp/none-such status",
                                         "status --state /tmp/none-such",
                                         "status --state=/tmp/none-such",
                                         "--state /tmp/none-such" };
    struct capture k;

    (void)state;
    setenv("TIDEOVER_STATE", "/tmp/another", 1);
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        assert_int_equal(run(&k, words[i]), 69);
        assert_non_null(strstr(k.text[1], "no node runs on /tmp/none-such"));
        assert_string_equal(k.text[0], "");
    }
    assert_int_equal(run(&k, ""), 69);
    assert_non_null(strstr(k.text[1], "no node runs on /tmp/another"));
    unsetenv("TIDEOVER_STATE");
    setenv("HOME", "/tmp/home-of-nobody", 1);
    unsetenv("XDG_STATE_HOME");
    assert_int_equal(run(&k, "peers"), 69);
    assert_non_null(strstr(k.text[1], "/tmp/home-of-nobody/.local/state/tideover"));
}

static void with_json_a_failure_is_an_object_too(void **state)
{
    struct capture k;
    json_t *o;

    (void)state;
    assert_int_equal(run(&k, "--state /tmp/none-such status --json"), 69);
    o = json_loads(k.text[0], 0, NULL);
    assert_int_equal(j_int(o, "schema", 0), 1);
    assert_string_equal(j_text(json_object_get(o, "error"), "code", ""), "no_node");
    json_decref(o);
}

static void the_daemon_gets_the_state_directory_and_what_is_its_own(void **state)
{
    struct capture k;

    (void)state;
    assert_int_equal(run(&k, "--state /tmp/none-such node --trace"), 42);
    assert_string_equal(node_saw, "/tmp/none-such 2 node --trace");
    assert_int_equal(run(&k, "node --state /tmp/none-such"), 42);
    assert_string_equal(node_saw, "/tmp/none-such 1 node ");
}

static void names_of_people_do_not_stay_in_the_arguments(void **state)
{
    char user[] = "29999000001016", first[] = "--first=Ada";
    char *argv[] = { (char *)"tideover",
                     (char *)"--state",
                     (char *)"/tmp/none-such",
                     (char *)"record",
                     (char *)"user",
                     (char *)"--user",
                     user,
                     first,
                     NULL };
    struct capture k;
    struct cli c = { .node = fake_node };
    bool done;

    (void)state;
    capture_begin(&k);
    assert_int_equal(cli_parse(8, argv, &c, &done), 0);
    capture_end(&k);
    assert_string_equal(c.value[OPT_USER], "29999000001016");
    assert_string_equal(c.value[OPT_FIRST], "Ada");
    assert_string_equal(user, "**************");
    assert_string_equal(first, "--first=***");
    cli_free(&c);
}

/* ---- the batch's lines ---- */

static enum line_kind next_is(struct lines *l, const char *text)
{
    const char *line = NULL;
    size_t n = 0;
    enum line_kind kind = lines_next(l, &line, &n);

    if (text != NULL) {
        assert_int_equal(n, strlen(text));
        assert_memory_equal(line, text, n);
    }
    return kind;
}

static void a_partial_line_waits_for_its_rest(void **state)
{
    struct lines l = { 0 };

    (void)state;
    assert_int_equal(next_is(&l, NULL), LINE_NONE);
    assert_true(lines_feed(&l, "one\ntw", 6));
    assert_int_equal(next_is(&l, "one"), LINE_GOOD);
    assert_int_equal(next_is(&l, NULL), LINE_NONE);
    assert_true(lines_feed(&l, "o\r\n\n  \nthree", 12));
    assert_int_equal(next_is(&l, "two"), LINE_GOOD);
    assert_int_equal(next_is(&l, NULL), LINE_NONE);
    assert_false(lines_done(&l));
    lines_end(&l);
    assert_false(lines_done(&l));
    assert_int_equal(next_is(&l, "three"), LINE_GOOD);
    assert_int_equal(next_is(&l, NULL), LINE_NONE);
    assert_true(lines_done(&l));
    lines_free(&l);
}

static void a_line_is_good_up_to_its_limit_and_then_passed_over(void **state)
{
    static char x[3 * LINE_BYTES_MAX];
    struct lines l = { 0 };
    const char *line;
    size_t n;

    (void)state;
    memset(x, 'x', sizeof x);
    lines_feed(&l, x, LINE_BYTES_MAX);
    lines_feed(&l, "\r\n", 2);
    assert_int_equal(lines_next(&l, &line, &n), LINE_GOOD);
    assert_int_equal(n, LINE_BYTES_MAX);
    lines_feed(&l, x, LINE_BYTES_MAX + 1);
    lines_feed(&l, "\nafter\n", 7);
    assert_int_equal(lines_next(&l, &line, &n), LINE_TOO_LONG);
    assert_int_equal(next_is(&l, "after"), LINE_GOOD);
    lines_free(&l);
}

static void a_line_without_end_is_not_kept_in_memory(void **state)
{
    static char x[65536];
    struct lines l = { 0 };

    (void)state;
    memset(x, 'x', sizeof x);
    for (int i = 0; i < 100; i++) {
        lines_feed(&l, x, sizeof x);
        assert_int_equal(next_is(&l, NULL), LINE_NONE);
        assert_true(l.bytes.cap <= 4 * sizeof x);
    }
    lines_feed(&l, "x\ny\n", 4);
    assert_int_equal(next_is(&l, NULL), LINE_TOO_LONG);
    assert_int_equal(next_is(&l, "y"), LINE_GOOD);
    lines_feed(&l, x, sizeof x);
    assert_int_equal(next_is(&l, NULL), LINE_NONE);
    lines_end(&l);
    assert_false(lines_done(&l));
    assert_int_equal(next_is(&l, NULL), LINE_TOO_LONG);
    assert_int_equal(next_is(&l, NULL), LINE_NONE);
    assert_true(lines_done(&l));
    lines_free(&l);
}

static void a_zero_byte_spoils_its_own_line_only(void **state)
{
    struct lines l = { 0 };

    (void)state;
    lines_feed(&l, "a\0b\nc\n", 6);
    assert_int_equal(next_is(&l, NULL), LINE_NOT_TEXT);
    assert_int_equal(next_is(&l, "c"), LINE_GOOD);
    lines_free(&l);
}

static void however_the_bytes_are_cut_the_lines_are_the_same(void **state)
{
    static const char text[] = "first\nsecond line\r\n\nthird\n\xc5\xbdofie\nlast";
    static const char *const wanted[] = { "first", "second line", "third", "\xc5\xbdofie", "last" };

    (void)state;
    for (size_t cut = 1; cut < sizeof text; cut++) {
        struct lines l = { 0 };
        unsigned got = 0;
        const char *line;
        size_t n;

        for (size_t at = 0; at < sizeof text - 1; at += cut) {
            size_t k = sizeof text - 1 - at < cut ? sizeof text - 1 - at : cut;
            lines_feed(&l, text + at, k);
            if (at + k == sizeof text - 1)
                lines_end(&l);
            while (lines_next(&l, &line, &n) == LINE_GOOD) {
                assert_int_equal(n, strlen(wanted[got]));
                assert_memory_equal(line, wanted[got++], n);
            }
        }
        assert_int_equal(got, 5);
        lines_free(&l);
    }
}

/* ---- words and bodies ---- */

static void numbers_times_and_barcodes_read_well(void **state)
{
    char out[40];
    json_t *t = json_string("2026-11-23T09:12:04-05:00");

    (void)state;
    words_number(0, out);
    assert_string_equal(out, "0");
    words_number(1234567, out);
    assert_string_equal(out, "1,234,567");
    words_number(-1234, out);
    assert_string_equal(out, "-1,234");
    words_ago(1, out);
    assert_string_equal(out, "now");
    words_ago(10800, out);
    assert_string_equal(out, "3 h");
    words_ago(-1, out);
    assert_string_equal(out, "-");
    words_barcode("29999000001016", false, out);
    assert_string_equal(out, "…1016");
    words_barcode("29999000001016", true, out);
    assert_string_equal(out, "29999000001016");
    words_barcode("", false, out);
    assert_string_equal(out, "");
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1); /* this PC's zone is not the library's */
    tzset();
    words_time(t, true, out);
    assert_string_equal(out, "2026-11-23 09:12:04");
    words_time(NULL, true, out);
    assert_string_equal(out, "-");
    json_decref(t);
}

static void a_passphrase_is_escaped_into_the_body(void **state)
{
    struct buf b = { 0 };

    (void)state;
    assert_true(j_body(json_object(), "a\"b\\c\x01", &b));
    buf_add(&b, "", 1);
    assert_string_equal((char *)b.p, "{\"passphrase\":\"a\\\"b\\\\c\\u0001\"}");
    buf_reset(&b);
    assert_true(j_body(json_pack("{s:s}", "desk", "A"), "x", &b));
    buf_add(&b, "", 1);
    assert_string_equal((char *)b.p, "{\"desk\":\"A\",\"passphrase\":\"x\"}");
    buf_free(&b);
}

static void a_terminal_never_sees_the_nodes_control_characters(void **state)
{
    json_t *o = json_loads("{\"a\":[\"x\\u001b[31m\",\"two\\nlines\"],\"b\":\"\\u009b1m\xc5\xbd\"}",
                           0, NULL);

    (void)state;
    j_scrub(o);
    assert_string_equal(json_string_value(json_array_get(json_object_get(o, "a"), 0)), "x?[31m");
    assert_string_equal(json_string_value(json_array_get(json_object_get(o, "a"), 1)),
                        "two\nlines");
    assert_string_equal(j_text(o, "b", ""), "??1m\xc5\xbd");
    json_decref(o);
}

/* ---- time zone data ---- */

struct zone_dir {
    char dir[64], file[96];
};

static int make_zone(void **state)
{
    static const uint8_t head[44] = "TZif2";
    struct zone_dir *z = calloc(1, sizeof *z);
    FILE *f;

    strcpy(z->dir, "/tmp/test_zone_XXXXXX");
    assert_non_null(mkdtemp(z->dir));
    snprintf(z->file, sizeof z->file, "%s/Testland", z->dir);
    f = fopen(z->file, "wb");
    fwrite(head, 1, sizeof head, f);
    fputs("\nEST5EDT,M3.2.0,M11.1.0\n", f);
    fclose(f);
    *state = z;
    return 0;
}

static int drop_zone(void **state)
{
    struct zone_dir *z = *state;

    unlink(z->file);
    rmdir(z->dir);
    free(z);
    return 0;
}

static void a_policy_without_its_zones_rule_gets_it_at_the_end(void **state)
{
    static const char text[] = "[branch]\ncode = MAIN\n  zone : Testland \r\n[scan]\nx = 1";
    const struct zone_dir *z = *state;
    struct buf b = { 0 };

    assert_int_equal(zonefile_complete(z->dir, text, strlen(text), &b, NULL), ERR_OK);
    assert_memory_equal(b.p, text, strlen(text));
    assert_string_equal((char *)b.p + strlen(text),
                        "\n\n[branch]\n# From the time zone data of the PC that published this.\n"
                        "zone_rule = EST5EDT,M3.2.0,M11.1.0\n");
    buf_free(&b);
}

static void a_policy_that_has_its_rule_or_no_zone_stays_as_it_is(void **state)
{
    static const char *const texts[] = { "[branch]\nzone = Nowhere\nzone_rule = UTC0\n",
                                         "[branch]\n#zone = Testland\n", "zone = Testland\n",
                                         "[scan]\nzone = Testland\n", "" };
    const struct zone_dir *z = *state;

    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct buf b = { 0 };
        assert_int_equal(zonefile_complete(z->dir, texts[i], strlen(texts[i]), &b, NULL), ERR_OK);
        assert_string_equal((char *)b.p, texts[i]);
        buf_free(&b);
    }
}

static void a_rule_left_over_from_another_zone_is_refused_with_the_way_out(void **state)
{
    static const char text[] = "[branch]\nzone = Testland\nzone_rule = UTC0\n";
    const struct zone_dir *z = *state;
    struct errmsg msg = { .text = "" };
    struct buf b = { 0 };

    assert_int_equal(zonefile_complete(z->dir, text, strlen(text), &b, &msg), ERR_CONFIG);
    assert_non_null(strstr(msg.text, "delete the zone_rule line"));
    buf_free(&b);
}

static void zones_that_are_not_there_or_lead_elsewhere_are_refused(void **state)
{
    static const char *const bad[] = { "Nowhere", "../etc/passwd", "/etc/passwd", "", "." };
    const struct zone_dir *z = *state;
    char rule[ZONE_RULE_MAX + 1];
    FILE *f;

    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(zonefile_rule(z->dir, bad[i], rule, NULL), ERR_CONFIG);
    f = fopen(z->file, "wb");
    fputs("TZif1 and nothing of use in it, but long enough to be looked at\n", f);
    fclose(f);
    assert_int_equal(zonefile_rule(z->dir, "Testland", rule, NULL), ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_has_help_and_an_example),
        cmocka_unit_test(a_server_that_is_away_is_said_and_a_forgotten_upload_is_a_warning),
        cmocka_unit_test(every_option_has_a_name_and_help),
        cmocka_unit_test(help_shows_every_verb_and_each_verb_its_examples),
        cmocka_unit_test(help_on_one_command_is_of_that_one_alone),
        cmocka_unit_test(no_line_of_any_help_is_wider_than_a_hundred_columns),
        cmocka_unit_test(mistakes_on_the_command_line_are_64_and_say_what),
        cmocka_unit_test(the_state_directory_may_stand_anywhere_and_wins_over_the_environment),
        cmocka_unit_test(with_json_a_failure_is_an_object_too),
        cmocka_unit_test(the_daemon_gets_the_state_directory_and_what_is_its_own),
        cmocka_unit_test(names_of_people_do_not_stay_in_the_arguments),
        cmocka_unit_test(a_partial_line_waits_for_its_rest),
        cmocka_unit_test(a_line_is_good_up_to_its_limit_and_then_passed_over),
        cmocka_unit_test(a_line_without_end_is_not_kept_in_memory),
        cmocka_unit_test(a_zero_byte_spoils_its_own_line_only),
        cmocka_unit_test(however_the_bytes_are_cut_the_lines_are_the_same),
        cmocka_unit_test(numbers_times_and_barcodes_read_well),
        cmocka_unit_test(a_passphrase_is_escaped_into_the_body),
        cmocka_unit_test(a_terminal_never_sees_the_nodes_control_characters),
        cmocka_unit_test_setup_teardown(a_policy_without_its_zones_rule_gets_it_at_the_end,
                                        make_zone, drop_zone),
        cmocka_unit_test_setup_teardown(a_policy_that_has_its_rule_or_no_zone_stays_as_it_is,
                                        make_zone, drop_zone),
        cmocka_unit_test_setup_teardown(
            a_rule_left_over_from_another_zone_is_refused_with_the_way_out, make_zone, drop_zone),
        cmocka_unit_test_setup_teardown(zones_that_are_not_there_or_lead_elsewhere_are_refused,
                                        make_zone, drop_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
