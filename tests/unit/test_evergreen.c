/* test_evergreen.c - what Evergreen's answers mean, and where our lines stand in its session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evergreen.h"

static struct evergreen_event event(const char *text)
{
    struct evergreen_event ev;

    assert_int_equal(evergreen_event(text, strlen(text), &ev), ERR_OK);
    return ev;
}

static void every_code_of_a_call_is_known(void **state)
{
    static const struct {
        int code;
        enum evergreen_says says;
    } codes[] = {
        { 0, EVERGREEN_DONE },        { 1001, EVERGREEN_LOG_IN },    { 8000, EVERGREEN_RUNNING },
        { 8010, EVERGREEN_FINISHED }, { 8001, EVERGREEN_LOADED },    { 8008, EVERGREEN_NO_SESSION },
        { 8002, EVERGREEN_FILES },    { 8004, EVERGREEN_FILES },     { 8009, EVERGREEN_REFUSED },
        { 5000, EVERGREEN_REFUSED },  { 1000, EVERGREEN_REFUSED },   { 1529, EVERGREEN_REFUSED },
        { 2003, EVERGREEN_REFUSED },  { 999999, EVERGREEN_REFUSED },
    };
    char text[80];

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct evergreen_event ev;
        snprintf(text, sizeof text, "{\"ilsevent\":%d,\"textcode\":\"X\"}", codes[i].code);
        ev = event(text);
        assert_int_equal(evergreen_says(&ev), codes[i].says);
        snprintf(text, sizeof text, "{\"ilsevent\":\"%d\",\"textcode\":\"X\"}", codes[i].code);
        ev = event(text);
        assert_int_equal(evergreen_says(&ev), codes[i].says);
    }
}

static void an_event_s_words_name_the_right_and_the_reason(void **state)
{
    struct evergreen_event ev = event("{\"ilsevent\":\"5000\",\"textcode\":\"PERM_FAILURE\","
                                      "\"desc\":\"Permission denied\",\"ilsperm\":"
                                      "\"OFFLINE_EXECUTE\"}");

    (void)state;
    assert_string_equal(ev.words, "PERM_FAILURE OFFLINE_EXECUTE: Permission denied");
    ev = event("{\"ilsevent\":2003,\"textcode\":\"INTERNAL_SERVER_ERROR\",\"desc\":null,"
               "\"debug\":\"TOO MANY\\nIN HOUSE USE\"}");
    assert_string_equal(ev.words, "INTERNAL_SERVER_ERROR; TOO MANYIN HOUSE USE");
    ev = event("{\"ilsevent\":0,\"textcode\":\"SUCCESS\",\"payload\":\"1795442700_12_7\"}");
    assert_string_equal(ev.payload, "1795442700_12_7");
}

static void what_is_no_event_is_said_so(void **state)
{
    static const char *const texts[] = { "",
                                         "null",
                                         "[]",
                                         "{}",
                                         "<html>",
                                         "{\"ilsevent\":\"x\"}",
                                         "{\"ilsevent\":\"\"}",
                                         "{\"ilsevent\":0",
                                         "\xff" };
    struct evergreen_event ev;
    char token[EVERGREEN_TEXT_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(evergreen_event(texts[i], strlen(texts[i]), &ev), ERR_MALFORMED);
        assert_int_equal(evergreen_token(texts[i], strlen(texts[i]), token, &ev), ERR_MALFORMED);
    }
}

static void a_login_gives_its_token_or_says_why_not(void **state)
{
    static const char good[] = "{\"payload\":[{\"ilsevent\":0,\"textcode\":\"SUCCESS\",\"payload\":"
                               "{\"authtoken\":\"abc123\",\"authtime\":420}}],\"status\":200}";
    static const char bad[] = "{\"payload\":[{\"ilsevent\":\"1000\",\"textcode\":\"LOGIN_FAILED\"}]"
                              ",\"status\":200}";
    char token[EVERGREEN_TEXT_MAX + 1] = "";
    struct evergreen_event ev;

    (void)state;
    assert_int_equal(evergreen_token(good, strlen(good), token, &ev), ERR_OK);
    assert_string_equal(token, "abc123");
    assert_int_equal(evergreen_token(bad, strlen(bad), token, &ev), ERR_DENIED);
    assert_string_equal(ev.textcode, "LOGIN_FAILED");
}

/* ---- the session ---- */

static const char status_text[] =
    "{\"key\":\"1_2_3\",\"org\":\"4\",\"description\":\"MAIN e0 s1\",\"in_process\":\"0\","
    "\"start_time\":null,\"end_time\":\"\",\"num_complete\":\"0\",\"scripts\":["
    "{\"workstation\":\"MAIN-1\",\"count\":\"2\",\"time_delta\":0},"
    "{\"workstation\":\"KIDS\",\"count\":1,\"time_delta\":\"0\"}]}";

static struct evergreen_status *status(const char *text)
{
    struct evergreen_status *st = malloc(sizeof *st);

    assert_int_equal(evergreen_status(text, strlen(text), st), ERR_OK);
    return st;
}

static void a_session_is_ours_only_with_all_files_and_counts(void **state)
{
    struct evergreen_desk desks[3] = { { "MAIN-1", 2, false },
                                       { "KIDS", 1, false },
                                       { "ADULT", 5, false } };
    struct evergreen_status *st = status(status_text);

    (void)state;
    assert_false(st->started || st->ended);
    assert_string_equal(st->key, "1_2_3");
    assert_int_equal(evergreen_compare(st, "MAIN e0 s1", desks, 2), EVERGREEN_ALL);
    assert_int_equal(evergreen_compare(st, "MAIN e0 s1", desks, 3), EVERGREEN_SOME);
    assert_true(desks[0].there && desks[1].there && !desks[2].there);
    assert_int_equal(evergreen_compare(st, "MAIN e0 s2", desks, 2), EVERGREEN_FOREIGN);
    assert_int_equal(evergreen_compare(st, "MAIN e0 s1", desks, 1), EVERGREEN_FOREIGN);
    desks[1].lines = 2;
    assert_int_equal(evergreen_compare(st, "MAIN e0 s1", desks, 2), EVERGREEN_FOREIGN);
    desks[1].lines = 1;
    st->script[1].shifted = true;
    assert_int_equal(evergreen_compare(st, "MAIN e0 s1", desks, 2), EVERGREEN_FOREIGN);
    st->script[1] = st->script[0];
    assert_int_equal(evergreen_compare(st, "MAIN e0 s1", desks, 2), EVERGREEN_FOREIGN);
    free(st);
}

static void any_mark_of_the_child_means_that_it_began(void **state)
{
    struct evergreen_status *st =
        status("{\"scripts\":[],\"in_process\":\"1\",\"start_time\":null,\"end_time\":null}");

    (void)state;
    assert_true(st->started && !st->ended);
    free(st);
    st = status("{\"scripts\":[],\"in_process\":0,\"start_time\":5,\"end_time\":6,"
                "\"num_complete\":7}");
    assert_true(st->started && st->ended && st->done == 7);
    free(st);
}

static void a_session_of_ours_that_began_is_found_among_all(void **state)
{
    static const char text[] =
        "[{\"key\":\"1\",\"description\":\"other\",\"start_time\":5},"
        "{\"key\":\"2\",\"description\":\"ours\",\"start_time\":null,\"in_process\":0},"
        "{\"key\":\"3\",\"description\":\"ours\",\"start_time\":null,\"in_process\":\"1\"}]";
    char key[EVERGREEN_TEXT_MAX + 1];

    (void)state;
    assert_int_equal(evergreen_begun(text, strlen(text), "ours", key), ERR_OK);
    assert_string_equal(key, "3");
    assert_int_equal(evergreen_begun(text, strlen(text), "theirs", key), ERR_OK);
    assert_string_equal(key, "");
    assert_int_equal(evergreen_begun("{}", 2, "ours", key), ERR_MALFORMED);
}

static void an_event_is_no_status(void **state)
{
    static const char text[] = "{\"ilsevent\":\"8008\",\"textcode\":\"OFFLINE_INVALID_SESSION\"}";
    struct evergreen_status *st = malloc(sizeof *st);

    (void)state;
    assert_int_equal(evergreen_status(text, strlen(text), st), ERR_MALFORMED);
    assert_int_equal(evergreen_status("[]", 2, st), ERR_MALFORMED);
    free(st);
}

/* ---- exceptions ---- */

struct seen {
    unsigned n;
    char id[8][RECORD_ID_TEXT];
    enum answer answer[8];
    char words[8][ANSWER_WORDS_MAX + 1];
};

static enum err see(void *ctx, const char *id, enum answer a, const char *words)
{
    struct seen *s = ctx;

    snprintf(s->id[s->n], sizeof s->id[0], "%s", id);
    snprintf(s->words[s->n], sizeof s->words[0], "%s", words);
    s->answer[s->n++] = a;
    return ERR_OK;
}

static void exceptions_are_joined_by_our_id_alone(void **state)
{
    static const char text[] =
        "[{\"command\":{\"type\":\"checkout\",\"tideover_id\":\"A/1/0001\"},\"event\":"
        "[{\"ilsevent\":\"1502\",\"textcode\":\"ASSET_COPY_NOT_FOUND\",\"payload\":\"39\"}]},"
        "{\"command\":{\"tideover_id\":\"A/1/0002\"},\"event\":{\"ilsevent\":3,\"textcode\":"
        "\"NO_CHANGE\"}},"
        "{\"command\":{\"tideover_id\":\"A/1/0003\"},\"event\":{\"ilsevent\":\"7000\",\"textcode\":"
        "\"ROUTE_ITEM\"}},"
        "{\"command\":{\"type\":\"register\",\"user\":{},\"tideover_id\":\"A/1/0004\"},\"event\":"
        "null},"
        "{\"command\":{\"type\":\"odd\"}},"
        "{\"command\":{\"tideover_id\":\"A/1/0005\"},\"event\":[{\"ilsevent\":0,\"textcode\":"
        "\"SUCCESS\"},{\"ilsevent\":8011,\"textcode\":\"SKIP_ASSET_CHANGED\"}]}]";
    struct seen s = { 0 };

    (void)state;
    assert_int_equal(evergreen_exceptions(text, strlen(text), &s, see), ERR_OK);
    assert_int_equal(s.n, 6);
    assert_string_equal(s.id[0], "A/1/0001");
    assert_int_equal(s.answer[0], ANSWER_REFUSED);
    assert_string_equal(s.words[0], "ASSET_COPY_NOT_FOUND; 39");
    assert_int_equal(s.answer[1], ANSWER_ALREADY);
    assert_int_equal(s.answer[2], ANSWER_DEVIATING);
    assert_int_equal(s.answer[3], ANSWER_REFUSED);
    assert_string_equal(s.words[3], "Evergreen gave no reason");
    assert_string_equal(s.id[4], "");
    assert_int_equal(s.answer[5], ANSWER_REFUSED);
    assert_string_equal(s.words[5], "SKIP_ASSET_CHANGED");
    assert_int_equal(evergreen_exceptions("{\"ilsevent\":8002}", 17, &s, see), ERR_MALFORMED);
}

/* ---- our lines ---- */

static void a_line_tells_its_desk_and_its_time(void **state)
{
    static const char text[] = "{\"timestamp\":1795442880,\"type\":\"register\",\"user\":{},"
                               "\"tideover_id\":\"KIDS/A/7/0005\"}\n";
    struct evergreen_line l;

    (void)state;
    assert_int_equal(evergreen_line((const uint8_t *)text, strlen(text), &l), ERR_OK);
    assert_string_equal(l.id, "KIDS/A/7/0005");
    assert_string_equal(l.desk, "KIDS/A");
    assert_true(l.registers && l.timestamp == 1795442880);
    assert_int_equal(evergreen_line((const uint8_t *)"{}\n", 3, &l), ERR_MALFORMED);
}

static void desks_become_names_of_files_that_nobody_confuses(void **state)
{
    static const char *const names[] = { "MAIN-1", "Haus Süd", "Haus S__d", "-rf", "..", "MAIN-1" };
    static const char *const want[] = { "MAIN-1", "Haus_S__d", "Haus_S__d-2", "_rf", "_." };
    struct evergreen_desk *desks = calloc(EVERGREEN_DESKS_MAX, sizeof *desks);
    char(*known)[DESK_NAME_MAX + 1] = calloc(EVERGREEN_DESKS_MAX, sizeof *known);
    unsigned n = 0, at;

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(evergreen_desk_find(desks, known, &n, names[i], &at), ERR_OK);
        assert_int_equal(at, i % 5);
    }
    assert_int_equal(n, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_string_equal(desks[i].ws, want[i]);
    free(desks);
    free(known);
}

static void registrations_come_first_and_ties_are_known(void **state)
{
    struct evergreen_place v[] = {
        { .timestamp = 30, .line = 1, .bytes = 9000 },
        { .timestamp = 10, .line = 2, .bytes = 9000 },
        { .timestamp = 50, .line = 3, .bytes = 9000, .registers = true },
        { .timestamp = 20, .line = 4, .bytes = 9000 },
        { .timestamp = 20, .line = 5, .bytes = 9000, .desk = 1 },
        { .timestamp = 60, .line = 6, .bytes = 9000, .told = true },
    };
    static const uint32_t order[] = { 3, 2, 4, 5, 1, 6 };
    static const uint8_t after_two[] = {
        0, ANSWER_DOUBT, ANSWER_DOUBT, ANSWER_DOUBT, ANSWER_HELD, 0
    };

    (void)state;
    evergreen_sort(v, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(v[i].line, order[i]);
    /* Two were done: of the second, and of the third and the line that may have stood in its place,
     * nobody can tell. What is in the list is known. */
    evergreen_broken(v, 6, 2);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(v[i].answer, after_two[i]);
    evergreen_broken(v, 6, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(v[i].answer, 0);
}

static void a_short_day_s_results_all_die_with_the_script(void **state)
{
    struct evergreen_place v[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        v[i] = (struct evergreen_place){ .timestamp = i, .line = i + 1, .bytes = 200 };
    evergreen_broken(v, 4, 2);
    assert_int_equal(v[0].answer, ANSWER_DOUBT);
    assert_int_equal(v[2].answer, ANSWER_DOUBT);
    assert_int_equal(v[3].answer, ANSWER_HELD);
}

static void lines_are_found_by_their_id(void **state)
{
    struct evergreen_place v[3] = { 0 };
    char id[16];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        snprintf(id, sizeof id, "A/1/%04u", i);
        v[i].id = evergreen_id(id);
        v[i].line = i + 1;
    }
    evergreen_sort_ids(v, 3);
    assert_int_equal(evergreen_find(v, 3, "A/1/0001"), 2);
    assert_int_equal(evergreen_find(v, 3, "A/1/0003"), 0);
    assert_int_equal(evergreen_find(v, 3, ""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_of_a_call_is_known),
        cmocka_unit_test(an_event_s_words_name_the_right_and_the_reason),
        cmocka_unit_test(what_is_no_event_is_said_so),
        cmocka_unit_test(a_login_gives_its_token_or_says_why_not),
        cmocka_unit_test(a_session_is_ours_only_with_all_files_and_counts),
        cmocka_unit_test(any_mark_of_the_child_means_that_it_began),
        cmocka_unit_test(a_session_of_ours_that_began_is_found_among_all),
        cmocka_unit_test(an_event_is_no_status),
        cmocka_unit_test(exceptions_are_joined_by_our_id_alone),
        cmocka_unit_test(a_line_tells_its_desk_and_its_time),
        cmocka_unit_test(desks_become_names_of_files_that_nobody_confuses),
        cmocka_unit_test(registrations_come_first_and_ties_are_known),
        cmocka_unit_test(a_short_day_s_results_all_die_with_the_script),
        cmocka_unit_test(lines_are_found_by_their_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
