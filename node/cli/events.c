/* events.c - `tideover events`: what happened to this desk and its branch since its node began. */
#include "client.h"

#include <stdlib.h>

#define WAIT_S 20

static void print_all(const struct cli *c, const json_t *answer)
{
    const json_t *e;
    size_t i;

    json_array_foreach(json_object_get(answer, "events"), i, e)
    {
        char when[32];

        if (c->json) {
            cli_json(e);
            continue;
        }
        words_time(json_object_get(e, "at"), true, when);
        printf("%6lld  %s  %s\n", j_int(e, "id", 0), when, j_text(e, "message", ""));
    }
    fflush(stdout);
}

/* Asks behind *since and prints; another run of the node begins its numbers anew. */
static int ask(const struct cli *c, struct client *cl, long long *since, long long *run,
               unsigned wait_s)
{
    json_t *answer = NULL;
    char path[128];
    int rc;

    snprintf(path, sizeof path, "/api/v1/events?since=%lld&limit=500&timeout=%u", *since, wait_s);
    rc = cli_call(c, cl, path, NULL, NULL, &answer);
    if (rc == 0 && *run != 0 && *run != j_int(answer, "run", 0))
        *since = 0;
    else if (rc == 0)
        print_all(c, answer);
    if (rc == 0 && (*run == 0 || *run == j_int(answer, "run", 0)))
        *since = j_int(answer, "last", *since);
    if (rc == 0)
        *run = j_int(answer, "run", 0);
    json_decref(answer);
    return rc;
}

int cmd_events(struct cli *c)
{
    long long since = 0, run = 0;
    struct client *cl = NULL;
    char *end = NULL;
    int rc;

    if (c->value[OPT_SINCE] != NULL) {
        since = strtoll(c->value[OPT_SINCE], &end, 10);
        if (*c->value[OPT_SINCE] == '\0' || *end != '\0' || since < 0)
            return cli_usage(c, "--since takes the number of an event");
    }
    rc = cli_connect(c, &cl);
    if (rc == 0)
        rc = ask(c, cl, &since, &run, 0);
    while (rc == 0 && c->value[OPT_FOLLOW] != NULL) /* until Ctrl-C */
        rc = ask(c, cl, &since, &run, WAIT_S);
    client_close(cl);
    return rc;
}
