/* test_paper.c - an outage as text and as a page, against what lies in tests/golden/report; and the
 * memory of when the server was there. */
#include "../memdisk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "cli/paper.h"
#include "sightings.h"

static char *slurp(const char *name)
{
    char path[512], *text = calloc(1, 65536);
    FILE *f;

    snprintf(path, sizeof path, GOLDEN_DIR "/report/%s", name);
    f = fopen(path, "rb");
    if (f != NULL) {
        assert_true(fread(text, 1, 65535, f) < 65535);
        fclose(f);
    }
    return text;
}

static void is_golden(const json_t *facts, void (*print)(const json_t *, FILE *), const char *name)
{
    char *want = slurp(name), *got = NULL;
    json_t *paper = paper_of(facts);
    size_t n = 0;
    FILE *f = open_memstream(&got, &n);

    print(paper, f);
    fclose(f);
    if (strcmp(got, want) != 0) {
        fputs(got, stderr);
        fail_msg("%s reads otherwise, see above", name);
    }
    free(got);
    free(want);
    json_decref(paper);
}

static json_t *facts_of(const char *name)
{
    char *text = slurp(name);
    json_t *facts = json_loads(text, 0, NULL);

    assert_non_null(facts);
    free(text);
    return facts;
}

static void an_outage_with_everything_in_it(void **state)
{
    json_t *facts = facts_of("outage.json");

    (void)state;
    is_golden(facts, paper_text, "outage.txt");
    is_golden(facts, paper_html, "outage.html");
    json_decref(facts);
}

static void nothing_is_unsent_only_if_that_is_so(void **state)
{
    static const char *const spoils[] = { "pending", "set_aside", "exceptions_open" };
    json_t *facts = facts_of("quiet.json");

    (void)state;
    is_golden(facts, paper_text, "quiet.txt");
    for (unsigned i = 0; i < 3; i++) {
        json_t *bad = json_deep_copy(facts), *paper;
        char *text;
        json_object_set_new(bad, spoils[i], json_integer(1));
        paper = paper_of(bad);
        text = json_dumps(paper, 0);
        assert_null(strstr(text, "Nothing is unsent"));
        free(text);
        json_decref(paper);
        json_decref(bad);
    }
    json_decref(facts);
}

static void a_desk_that_was_not_heard_is_named_and_nobody_speaks_for_it(void **state)
{
    json_t *facts = facts_of("quiet.json"), *paper;
    char *text;

    (void)state;
    json_array_append_new(json_object_get(facts, "desks"),
                          json_pack("{s:s, s:b, s:s}", "desk", "KIDS-1", "complete", 0, "words",
                                    "KIDS-1 was last seen 4 s ago with 30 records, all here; it "
                                    "may have more"));
    paper = paper_of(facts);
    text = json_dumps(paper, 0);
    assert_null(strstr(text, "Nothing is unsent"));
    assert_non_null(strstr(text, "As far as 2 of the 3 desks know, nothing is unsent"));
    assert_non_null(strstr(text, "KIDS-1 was last seen 4 s ago with 30 records"));
    free(text);
    json_decref(paper);
    json_decref(facts);
}

/* Texts come from other desks and from the ILS. */
static void a_page_runs_nothing_that_stands_in_a_text(void **state)
{
    json_t *facts =
        json_pack("{s:s, s:[{s:s, s:s, s:s}]}", "branch", "<script>alert(1)</script>", "exceptions",
                  "id", "\"><img src=x onerror='x'>", "answer", "a&b", "means", "</td>");
    json_t *paper = paper_of(facts);
    char *got = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&got, &n);

    (void)state;
    paper_html(paper, f);
    fclose(f);
    assert_null(strstr(got, "<script"));
    assert_null(strstr(got, "<img"));
    assert_null(strstr(got, "http://"));
    assert_non_null(strstr(got, "&lt;script&gt;"));
    assert_non_null(strstr(got, "a&amp;b"));
    free(got);
    json_decref(paper);
    json_decref(facts);
}

static void a_change_is_noted_once_and_outlives_a_restart(void **state)
{
    struct memdisk *m = memdisk_new();
    const struct disk *d = memdisk_disk(m);
    struct desk_id a = { { 1 } }, b = { { 2 } };
    struct sightings *s = calloc(2, sizeof *s);

    (void)state;
    sightings_load(&s[0], d);
    assert_int_equal(s->n, 0);
    sightings_note(s, d, 10, &a, WATCH_ONLINE);
    sightings_note(s, d, 20, &a, WATCH_ONLINE);
    sightings_note(s, d, 30, &b, WATCH_OFFLINE);
    sightings_note(s, d, 40, &a, WATCH_UNKNOWN); /* says nothing */
    sightings_note(s, d, 50, &a, WATCH_OFFLINE);
    assert_int_equal(s->n, 3);
    sightings_load(&s[1], d);
    assert_int_equal(s[1].n, 3);
    assert_int_equal(s[1].v[2].at_ms, 50);
    assert_int_equal(s[1].v[2].state, WATCH_OFFLINE);
    assert_true(desk_id_eq(&s[1].v[1].desk, &b));
    for (unsigned i = 0; i < 2 * SIGHTINGS_MAX; i++)
        sightings_note(s, d, 100 + i, &a, i % 2 ? WATCH_OFFLINE : WATCH_ONLINE);
    assert_int_equal(s->n, SIGHTINGS_MAX);
    assert_int_equal(s->v[SIGHTINGS_MAX - 1].at_ms, 99 + 2 * SIGHTINGS_MAX);
    d->put(d->ctx, TABLE_META, "O", 1, "\xdd\xff\xff\xff\xff\x93", 6); /* torn bytes are nothing */
    sightings_load(&s[1], d);
    assert_int_equal(s[1].n, 0);
    free(s);
    memdisk_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outage_with_everything_in_it),
        cmocka_unit_test(nothing_is_unsent_only_if_that_is_so),
        cmocka_unit_test(a_desk_that_was_not_heard_is_named_and_nobody_speaks_for_it),
        cmocka_unit_test(a_page_runs_nothing_that_stands_in_a_text),
        cmocka_unit_test(a_change_is_noted_once_and_outlives_a_restart),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
