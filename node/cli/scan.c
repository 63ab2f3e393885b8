/* scan.c - `tideover record scan`: raw scans in, one a line; what each did out, one a line.
 *
 * The box of the page, without the page: the node decides, we hand its box back to it. */
#include "client.h"

#include <stdlib.h>
#include <string.h>

#include "scan.h"

/* A line as JSON text; what is no UTF-8 becomes '?', which no barcode has. */
static json_t *raw_text(char *line, size_t n)
{
    json_t *o;

    for (size_t i = 0; i < n; i++)
        if (line[i] == 0)
            line[i] = '?';
    if ((o = json_stringn(line, n)) != NULL)
        return o;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)line[i] >= 0x80)
            line[i] = '?';
    return json_stringn(line, n);
}

static void print_answers(const json_t *answer, unsigned long long *refused)
{
    size_t i;
    json_t *one;

    json_array_foreach(json_object_get(answer, "answers"), i, one)
    {
        *refused += !j_is(one, "ok");
        cli_json(one);
    }
}

struct scanning {
    json_t *box;
    unsigned long long refused;
    bool warned; /* of the clock: once */
};

/* Beside the answers, which are for programs: before the first one. */
static void print_warning(const struct cli *c, const json_t *answer, struct scanning *s)
{
    const char *warning = j_text(json_object_get(answer, "warning"), "message", NULL);

    if (warning == NULL || s->warned)
        return;
    cli_note(c, "tideover: %s\n", warning);
    s->warned = true;
}

static int scan_line(const struct cli *c, struct client *cl, char *line, size_t n,
                     struct scanning *s)
{
    json_t *o =
        json_pack("{s:o, s:b}", "scan", raw_text(line, n), "typed", c->value[OPT_TYPED] != NULL);
    struct buf body = { 0 };
    json_t *answer = NULL;
    int rc;

    if (s->box)
        json_object_set(o, "box", s->box);
    rc = j_body(o, NULL, &body) ? cli_call(c, cl, "/api/v1/scan", &body, NULL, &answer)
                                : cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    if (rc == 0) {
        print_warning(c, answer, s);
        print_answers(answer, &s->refused);
        json_decref(s->box);
        s->box = json_incref(json_object_get(answer, "box"));
        if (fflush(stdout) != 0)
            rc = err_exit(ERR_DISK);
    }
    json_decref(answer);
    buf_wipe(&body);
    return rc;
}

int cmd_record_scan(struct cli *cli)
{
    struct cli plain = *cli; /* stdout is for answers */
    struct scanning s = { .box = NULL };
    struct client *cl = NULL;
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int rc;

    plain.json = false;
    rc = cli_connect(&plain, &cl);
    while (rc == 0 && (n = getline(&line, &room, stdin)) > 0) {
        if (n > SCAN_MAX + 1) /* one byte too many is refused as many are */
            n = SCAN_MAX + 1;
        rc = scan_line(&plain, cl, line, (size_t)n, &s);
    }
    if (rc == 0 && s.refused > 0)
        rc = err_exit(ERR_INVALID);
    free(line);
    json_decref(s.box);
    client_close(cl);
    return rc;
}
