/* server.c - `tideover server status` and `online`: what the desks see of the library's server, and
 * a lead's word that they may use it before the upload. */
#include "client.h"

#include <string.h>

static const struct {
    const char *state, *shout, *words;
} states[] = {
    { "online", "ONLINE", "work in the library's system as always" },
    { "backup", "BACKUP", "work in the library's system at its backup address" },
    { "offline", "OFFLINE", "record here" },
    { "back", "SERVER BACK",
      "upload first: go on recording here until a lead has uploaded (or says \"tideover server "
      "online\")" },
    { "unknown", "NOT KNOWN",
      "the policy names no probe, or this desk has not looked often enough" },
};

static unsigned row_of(const char *state)
{
    unsigned i = 0;

    while (i < sizeof states / sizeof states[0] - 1 && strcmp(states[i].state, state) != 0)
        i++;
    return i;
}

/* "OFFLINE since 2026-11-23 09:12:04: connection refused. Record here." */
void print_server(const struct cli *c, const json_t *server)
{
    const char *state = j_text(server, "state", "unknown"), *why = j_text(server, "why", ""), *desk,
               *sees;
    const json_t *since = json_object_get(server, "since"), *by;
    unsigned row = row_of(state), other = 0;
    char at[32];

    printf("Server    %s%s%s", hue(c, strcmp(state, "offline") == 0 ? HUE_BAD : HUE_OFF),
           states[row].shout, hue(c, HUE_OFF));
    if (since != NULL) {
        words_time(since, true, at);
        printf(" since %s", at);
    }
    printf("%s%s\n          %s\n", why[0] ? ": " : "", why, states[row].words);
    json_object_foreach(json_object_get(server, "peers"), desk, by)
    {
        sees = json_string_value(by);
        if (sees && strcmp(sees, "unknown") != 0 && strcmp(sees, j_text(server, "sees", "")) != 0)
            printf("%s%s sees it %s", other++ ? ", " : "          ", desk,
                   states[row_of(sees)].shout);
    }
    if (other > 0)
        puts(": look at the cables of the desks that differ");
}

int cmd_server_status(struct cli *c)
{
    struct client *cl = NULL;
    json_t *s = NULL;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/status", NULL, NULL, &s);
    if (rc == 0 && c->json)
        cli_json(json_object_get(s, "server"));
    else if (rc == 0)
        print_server(c, json_object_get(s, "server"));
    json_decref(s);
    client_close(cl);
    return rc;
}

int cmd_server_online(struct cli *c)
{
    json_t *answer = NULL;
    int rc = cli_call_as_lead(c, "/api/v1/server/online", json_object(), &answer);

    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf("The desks may work in the library's system before upload %lld. Loans whose items "
               "are back already\nwill be charged to whoever had them when it is sent: upload "
               "soon.\n",
               j_int(answer, "slot", 0));
    json_decref(answer);
    return rc;
}
