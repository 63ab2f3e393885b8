/* upload_follow.c - waits for an upload's end, and shows how far it is. */
#include "client.h"

#include <string.h>

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

/* One line per change of state where no bar can be drawn. */
static void tell_state(const struct cli *c, const char *state, char seen[32])
{
    if (strcmp(state, seen) == 0)
        return;
    snprintf(seen, 32, "%s", state);
    if (!term_err())
        cli_note(c, "%s\n", state);
}

enum step { STEP_WAIT, STEP_DELIVERED, STEP_FAILED };

static enum step step_of(const json_t *s, long long slot)
{
    const char *state = j_text(s, "state", "");
    long long at = j_int(s, "slot", slot);

    if (j_int(json_object_get(s, "last"), "slot", -1) >= slot || at > slot ||
        (at == slot && strcmp(state, "delivered") == 0))
        return STEP_DELIVERED;
    return at == slot && strcmp(state, "failed") == 0 ? STEP_FAILED : STEP_WAIT;
}

int upload_follow(const struct cli *c, struct client *cl, long long slot)
{
    struct progress bar;
    char seen[32] = "";
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
        tell_state(c, j_text(s, "state", "-"), seen);
        progress_show(&bar, seen, (uint64_t)j_int(s, "done", 0), (uint64_t)j_int(s, "total", 0));
        if (step == STEP_WAIT)
            sleep_ms(POLL_MS);
    }
    progress_end(&bar);
    if (step == STEP_FAILED)
        rc = tell_failed(c, s);
    else if (rc == 0 && step == STEP_WAIT && interrupted())
        rc = let_go(c, slot);
    else if (rc == 0 && step == STEP_WAIT)
        rc = cli_fail(c, err_exit(ERR_BUSY), "not_started",
                      "upload %lld did not begin; look at: "
                      "tideover upload status",
                      slot);
    else if (rc != 0)
        cli_note(c,
                 "Upload %lld may go on at another desk. To look at it: "
                 "tideover upload status\n",
                 slot);
    interrupt_release();
    json_decref(s);
    return rc;
}
