/* practice.c - `tideover practice on|off|reset|report`: the monthly drill at this desk. */
#include "client.h"

#include <string.h>

static int call(struct cli *c, json_t *body, json_t **answer)
{
    struct client *cl = NULL;
    struct buf b = { 0 };
    int rc = 0;

    if (body && !j_body(body, NULL, &b))
        return cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    rc = cli_connect(c, &cl);
    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/practice", body ? &b : NULL, NULL, answer);
    if (rc == 0 && !c->json)
        j_scrub(*answer);
    buf_wipe(&b);
    client_close(cl);
    return rc;
}

static void print_number(const json_t *numbers, const char *key, const char *words)
{
    const char *shown = j_text(json_object_get(numbers, key), "shown", "");

    if (*shown != 0)
        printf("  %-12s %s\n", words, shown);
}

static void print_next(const json_t *answer)
{
    const json_t *next = json_object_get(answer, "next"),
                 *numbers = json_object_get(answer, "numbers");
    char until[32];

    words_time(json_object_get(answer, "until"), false, until);
    printf("Practice is on until %s at the latest: this desk records nothing for anybody.\n",
           until);
    print_number(numbers, "user", "user card");
    print_number(numbers, "item", "first item");
    print_number(numbers, "second", "second item");
    printf("Step %lld of %lld: %s.\n", j_int(next, "step", 0) + 1, j_int(next, "steps", 0),
           j_text(next, "message", "-"));
    puts("To scan: tideover record scan. To end: tideover practice off");
}

/* "1 min 12 s" */
static void words_took(const json_t *drill, char out[32])
{
    long long s = (long long)json_number_value(json_object_get(drill, "took_s"));

    if (s < 60)
        snprintf(out, 32, "%lld s", s);
    else
        snprintf(out, 32, "%lld min %lld s", s / 60, s % 60);
}

static int say(struct cli *c, const char *word, json_t **answer)
{
    json_t *o = json_pack("{s:s}", "say", word);

    if (!j_put(o, "staff", c->value[OPT_STAFF])) {
        json_decref(o);
        return cli_fail(c, err_exit(ERR_INVALID), "bad_text", "that is not well-formed text");
    }
    return call(c, o, answer);
}

static int begin(struct cli *c, const char *word)
{
    json_t *answer = NULL;
    int rc = say(c, word, &answer);

    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0 && !c->quiet)
        print_next(answer);
    json_decref(answer);
    return rc;
}

int cmd_practice_on(struct cli *c)
{
    return begin(c, "on");
}

int cmd_practice_reset(struct cli *c)
{
    return begin(c, "reset");
}

int cmd_practice_off(struct cli *c)
{
    json_t *answer = NULL;
    int rc = say(c, "off", &answer);

    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0 && !c->quiet)
        puts("Practice is over: scans are recorded again. How it went: tideover practice report");
    json_decref(answer);
    return rc;
}

static void print_drill(struct table *t, const json_t *d)
{
    char took[32], at[32];

    words_time(json_object_get(d, "at"), true, at);
    words_took(d, took);
    table_cell(t, "%s", at);
    table_cell(t, "%s", *j_text(d, "staff", "") != 0 ? j_text(d, "staff", "") : "-");
    table_cell(t, "%s", took);
    table_cell(t, "%lld", j_int(d, "mistakes", 0));
    if (j_is(d, "done"))
        table_cell(t, "ready");
    else
        table_cell(t, "stopped at step %lld of %lld", j_int(d, "step", 0) + 1,
                   j_int(d, "steps", 0));
}

int cmd_practice_report(struct cli *c)
{
    static const char *const heading[] = { "WHEN", "WHO", "TOOK", "MISTAKES", "RESULT" };
    json_t *answer = NULL;
    const json_t *d;
    struct table t;
    char last[32];
    size_t i, n;
    int rc = call(c, NULL, &answer);

    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        table_begin(&t, heading, sizeof heading / sizeof heading[0]);
        n = j_count(answer, "drills");
        json_array_foreach(json_object_get(answer, "drills"), i, d) print_drill(&t, d);
        if (n > 0)
            table_print(&t);
        table_end(&t);
        words_time(json_object_get(answer, "last_drill"), true, last);
        if (json_is_string(json_object_get(answer, "last_drill")))
            printf("Last whole drill at this desk: %s\n", last);
        else
            puts("Nobody has finished a drill at this desk yet: tideover practice on");
    }
    json_decref(answer);
    return rc;
}
