/* upload_follow.c - waits for an upload's end, and shows how far it is. */
#include "client.h"

#include <string.h>

#define SEEN_MAX   280
#define POLL_MS    150
#define IDLE_POLLS 200 /* half a minute of "idle": the trigger was forgotten or refused */

static int let_go(const struct cli *c, long long slot)
{
    cli_note(c,
             "\nUpload %lld goes on without this command. To look at it: "
             "tideover upload status\n",
             slot);
    return err_exit(ERR_BUSY);
}

static int tell_failed(const struct cli *c, const json_t *s)
{
    const json_t *error = json_object_get(s, "error");
    long long exit_code = j_int(error, "exit", j_int(s, "exit", err_exit(ERR_DISK)));

    return cli_fail(c, (int)(exit_code > 0 && exit_code < 126 ? exit_code : 70),
                    j_text(error, "code", "upload_failed"), "upload %lld failed: %s",
                    j_int(s, "slot", 0),
                    j_text(s, "message", j_text(error, "message", "no reason was given")));
}

/* One line per change where no bar can be drawn. seen: "gathering", "gathering: two of three seats
 * are away". */
static void tell_state(const struct cli *c, const json_t *s, char seen[SEEN_MAX])
{
    const char *message = j_text(s, "message", NULL);
    char text[SEEN_MAX];

    snprintf(text, sizeof text, "%s%s%s", j_text(s, "state", "-"), message != NULL ? ": " : "",
             message != NULL ? message : "");
    if (strcmp(text, seen) == 0)
        return;
    memcpy(seen, text, sizeof text);
    if (!term_err() && strcmp(j_text(s, "state", ""), "failed") != 0)
        cli_note(c, "%s\n", text);
}

enum step { STEP_WAIT, STEP_DELIVERED, STEP_FAILED, STEP_DECIDE };

/* A change of seats may have taken the slot that was ours to be: then ours is a later one. */
static enum step step_of(const json_t *s, long long *slot)
{
    long long last = j_int(json_object_get(s, "last"), "slot", -1);

    if (last >= *slot) {
        *slot = last;
        return STEP_DELIVERED;
    }
    if (json_is_object(json_object_get(s, "doubt")))
        return STEP_DECIDE;
    return strcmp(j_text(s, "state", ""), "failed") == 0 ? STEP_FAILED : STEP_WAIT;
}

int upload_follow(const struct cli *c, struct client *cl, long long *slot)
{
    struct progress bar;
    char seen[SEEN_MAX] = "";
    unsigned idle = 0;
    enum step step = STEP_WAIT;
    json_t *s = NULL;
    int rc = 0;

    progress_begin(c, &bar);
    interrupt_catch();
    while (rc == 0 && step == STEP_WAIT && !interrupted() && idle < IDLE_POLLS) {
        json_decref(s);
        s = NULL;
        rc = cli_call(c, cl, "/api/v1/upload/status", NULL, NULL, &s);
        if (rc != 0)
            break;
        step = step_of(s, slot);
        idle = strcmp(j_text(s, "state", ""), "idle") == 0 ? idle + 1 : 0;
        tell_state(c, s, seen);
        progress_show(&bar, seen, (uint64_t)j_int(s, "done", 0), (uint64_t)j_int(s, "total", 0));
        if (step == STEP_WAIT)
            sleep_ms(POLL_MS);
    }
    progress_end(&bar);
    if (step == STEP_FAILED)
        rc = tell_failed(c, s);
    else if (step == STEP_DECIDE)
        rc = cli_fail(c, err_exit(ERR_BUSY), "in_doubt", "%s",
                      j_text(s, "message", "a lead must decide: tideover upload decide"));
    else if (rc == 0 && step == STEP_WAIT && interrupted())
        rc = let_go(c, *slot);
    else if (rc == 0 && step == STEP_WAIT)
        rc = cli_fail(c, err_exit(ERR_BUSY), "not_started",
                      "upload %lld did not begin; look at: "
                      "tideover upload status",
                      *slot);
    else if (rc != 0)
        cli_note(c,
                 "Upload %lld may go on at another desk. To look at it: "
                 "tideover upload status\n",
                 *slot);
    interrupt_release();
    json_decref(s);
    return rc;
}
