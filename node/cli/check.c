/* check.c - `tideover check`: one line and an exit code for Nagios, Icinga and their kin
 * (https://nagios-plugins.org/doc/guidelines.html); `tideover watch`: the status, again and again. */
#include "client.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "day.h"

#define WARN_BEHIND   100 /* records that only this PC has: a busy desk's minute or two */
#define CRIT_BEHIND   1000
#define FORGOTTEN_MS  1800000 /* the server is back, and nobody uploaded: as in alerts.yml */
#define LOOK_EVERY_MS 2000

static const char *const level_words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

/* Problems that stop a desk or may cost records; all others wait till somebody looks. */
static bool is_critical(const char *code)
{
    static const char *const codes[] = { "not_saving",  "store_damaged",  "revoked",   "retired",
                                         "memory_lost", "upload_stopped", "sent_twice" };

    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(code, codes[i]) == 0)
            return true;
    return false;
}

static bool threshold(const struct cli *c, enum cli_opt opt, long long otherwise, long long *out)
{
    const char *s = c->value[opt];

    *out = otherwise;
    if (s == NULL)
        return true;
    if (strspn(s, "0123456789") != strlen(s) || s[0] == '\0' || strlen(s) > 9)
        return false;
    *out = atoll(s);
    return true;
}

static enum check_level higher(enum check_level a, enum check_level b)
{
    return a > b ? a : b;
}

/* A server that is away is what Tideover is for: no fault of this desk, but said. That it is back
 * and nobody uploads is one. */
static enum check_level judge_server(const json_t *s, int64_t now_ms, char words[300])
{
    const json_t *server = json_object_get(s, "server"), *since = json_object_get(server, "since");
    const char *state = j_text(server, "state", "");
    long long pending = j_int(json_object_get(s, "records"), "pending", 0);
    char at[80], n[32];
    int64_t since_ms;
    int off;

    words_span(since, since, at);
    words_number(pending, n);
    snprintf(words, 300, "nothing needs a look");
    if (strcmp(state, "offline") == 0) {
        snprintf(words, 300,
                 "the library's server is away since %s: the desks record, %s record%s for the "
                 "upload",
                 at, n, pending == 1 ? " waits" : "s wait");
        return LEVEL_OK;
    }
    if (strcmp(state, "back") != 0 || pending == 0)
        return LEVEL_OK;
    snprintf(words, 300, "the library's server is back since %s, %s record%s: tideover upload run",
             at, n, pending == 1 ? " waits" : "s wait");
    return json_is_string(since) &&
                   rfc3339_parse(json_string_value(since), &since_ms, &off, NULL) == ERR_OK &&
                   now_ms - since_ms > FORGOTTEN_MS
               ? LEVEL_WARNING
               : LEVEL_OK;
}

enum check_level check_judge(const json_t *s, long long warn, long long crit, int64_t now_ms,
                             char words[300])
{
    const json_t *records = json_object_get(s, "records"), *p;
    long long behind = j_int(records, "local", 0) - j_int(records, "replicated", 0);
    enum check_level worst = judge_server(s, now_ms, words);
    char n[32];
    size_t i;

    json_array_foreach(json_object_get(s, "problems"), i, p)
    {
        enum check_level l = is_critical(j_text(p, "code", "")) ? LEVEL_CRITICAL : LEVEL_WARNING;
        if (l > worst)
            snprintf(words, 300, "%s", j_text(p, "message", j_text(p, "code", "a problem")));
        worst = higher(worst, l);
    }
    if (behind >= warn || behind >= crit) {
        enum check_level l = behind >= crit ? LEVEL_CRITICAL : LEVEL_WARNING;
        words_number(behind, n);
        if (l > worst)
            snprintf(words, 300, "%s records are on this PC only", n);
        worst = higher(worst, l);
    }
    return worst;
}

static int say(enum check_level l, const char *words, const char *perf)
{
    char clean[300];

    snprintf(clean, sizeof clean, "%s", words);
    for (char *p = clean; *p; p++)
        if (*p == '|' || *p == '\n') /* ends the text of a plugin */
            *p = ' ';
    printf("%s - %s%s%s\n", level_words[l], clean, perf[0] ? " | " : "", perf);
    return (int)l;
}

static int check_with(const struct cli *c, struct client *cl, long long warn, long long crit)
{
    struct request rq = { .path = "/api/v1/status" };
    struct errmsg msg = { .text = "" };
    struct reply r = { 0 };
    const json_t *records, *peers, *store;
    long long behind;
    char words[300], perf[400];
    json_t *s = NULL;
    enum check_level l;
    enum err e = client_send(cl, &rq, &r, &msg);

    if (e == ERR_OK && r.status == 200)
        s = json_loadb((const char *)r.body.p, r.body.len, 0, NULL);
    reply_free(&r);
    if (s == NULL)
        return say(LEVEL_CRITICAL, e == ERR_OK ? "the node answers nonsense" : msg.text, "");
    records = json_object_get(s, "records");
    peers = json_object_get(s, "peers");
    store = json_object_get(s, "store");
    behind = j_int(records, "local", 0) - j_int(records, "replicated", 0);
    l = check_judge(s, warn, crit, (int64_t)time(NULL) * 1000, words);
    snprintf(perf, sizeof perf,
             "behind=%lld;%lld;%lld;0 pending=%lld set_aside=%lld peers_online=%lld;;;0;%lld "
             "peers_total=%lld disk_free=%lldB server_away=%d",
             behind, warn, crit, j_int(records, "pending", 0), j_int(records, "set_aside", 0),
             j_int(peers, "online", 0), j_int(peers, "total", 0), j_int(peers, "total", 0),
             j_int(store, "disk_free_bytes", 0),
             strcmp(j_text(json_object_get(s, "server"), "state", ""), "offline") == 0);
    (void)c;
    json_decref(s);
    return say(l, words, perf);
}

int cmd_check(struct cli *c)
{
    struct errmsg msg = { .text = "" };
    struct client *cl = NULL;
    long long warn, crit;
    enum err e;
    int rc;

    if (!threshold(c, OPT_WARN_BEHIND, WARN_BEHIND, &warn) ||
        !threshold(c, OPT_CRIT_BEHIND, CRIT_BEHIND, &crit))
        return say(LEVEL_UNKNOWN, "--warn-behind and --crit-behind take a number of records", "");
    if ((e = client_open(c->state, c, &cl, &msg)) != ERR_OK) /* who may not look knows nothing */
        return say(e == ERR_DENIED ? LEVEL_UNKNOWN : LEVEL_CRITICAL, msg.text, "");
    rc = check_with(c, cl, warn, crit);
    client_close(cl);
    return rc;
}

int cmd_watch(struct cli *c)
{
    int rc = 0;

    interrupt_catch();
    while (!interrupted()) {
        if (term_out() && c->value[OPT_NO_COLOR] == NULL)
            fputs("\033[H\033[J", stdout); /* to the top, and nothing of before */
        rc = cmd_status(c);
        fflush(stdout);
        if (!interrupted())
            sleep_ms(LOOK_EVERY_MS);
        if (!term_out())
            putchar('\n');
    }
    interrupt_release();
    return rc;
}
