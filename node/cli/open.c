/* open.c - `tideover open` and `tideover pin set`: the local pages and who may use them. */
#include "cli_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "setup.h"

extern char **environ;

/* xdg-open hands the address to a browser and ends; what either says is not for this terminal. */
static bool show(const char *address)
{
    char *argv[] = { "xdg-open", (char *)address, NULL };
    posix_spawn_file_actions_t quiet;
    pid_t pid;
    int status = 0, rc;

    if (getenv("DISPLAY") == NULL && getenv("WAYLAND_DISPLAY") == NULL)
        return false; /* else it may start a browser in this terminal */
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
    rc = posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&quiet);
    if (rc != 0)
        return false;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int cmd_open(struct cli *c)
{
    const char *page = c->argc > 0 ? c->argv[0] : "desk";
    json_t *answer = NULL, *o = json_pack("{s:s}", "page", page);
    int rc;

    if (o == NULL)
        return cli_usage(c, "the page is desk, lead or admin");
    rc = cli_call_with(c, "/api/v1/login-code", o, NULL, 0, &answer);
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        const char *address = j_text(answer, "address", "");
        if (c->value[OPT_PRINT] != NULL)
            printf("%s\n", address);
        else if (show(address))
            cli_note(c, "The %s page opens in your browser.\n", page);
        else
            printf("Open this address in a browser of this PC, within a minute:\n%s\n", address);
    }
    json_decref(answer);
    return rc;
}

int cmd_pin_set(struct cli *c)
{
    char pin[SETUP_WORDS] = "", again[SETUP_WORDS] = "";
    json_t *answer = NULL, *o = json_pack("{s:s}", "page", c->argv[0]);
    const char *path = c->value[OPT_PIN_FILE];
    int rc;

    if (o == NULL || (strcmp(c->argv[0], "lead") != 0 && strcmp(c->argv[0], "admin") != 0)) {
        json_decref(o);
        return cli_usage(c, "only the lead's and the admin's page have a PIN: tideover pin set "
                            "lead");
    }
    rc = passphrase_ask(c, path, "New PIN (best six characters or more)", pin);
    if (rc == 0 && path == NULL && (rc = passphrase_ask(c, NULL, "Once more", again)) == 0 &&
        strcmp(pin, again) != 0)
        rc = cli_fail(c, err_exit(ERR_INVALID), "bad_pin", "the two are not the same");
    if (rc == 0) {
        struct secret v[] = { { "pin", pin } };
        rc = cli_call_with(c, "/api/v1/pin/set", json_incref(o), v, 1, &answer);
    }
    sodium_memzero(pin, sizeof pin);
    sodium_memzero(again, sizeof again);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf("The %s page of this desk has a PIN.\n", c->argv[0]);
    json_decref(o);
    json_decref(answer);
    return rc;
}
