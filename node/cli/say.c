/* say.c - complaints and remarks: stderr for people, one object on stdout with --json. */
#include "cli_int.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void complain_json(const char *code, const char *text)
{
    json_t *o = json_pack("{s:i,s:{s:s,s:s}}", "schema", 1, "error", "code", code, "message", text);

    if (o != NULL)
        cli_json(o);
    json_decref(o);
}

int cli_fail(const struct cli *c, int exit_code, const char *code, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "tideover: %s\n", text);
    if (c->json)
        complain_json(code, text);
    return exit_code;
}

int cli_err(const struct cli *c, enum err e, const struct errmsg *msg)
{
    return cli_fail(c, err_exit(e), msg->why[0] != 0 ? msg->why : err_word(e), "%s",
                    msg->text[0] != 0 ? msg->text : err_text(e));
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "tideover: %s\n", text);
    if (c->command != NULL) {
        fputs("Usage: ", stderr);
        command_usage(c->command, stderr);
        fprintf(stderr, "More: tideover %s%s%s --help\n", c->command->verb,
                c->command->object != NULL ? " " : "",
                c->command->object != NULL ? c->command->object : "");
    } else {
        fputs("All verbs: tideover --help\n", stderr);
    }
    if (c->json)
        complain_json("usage", text);
    return err_exit(ERR_USAGE);
}

void cli_note(const struct cli *c, const char *fmt, ...)
{
    va_list ap;

    if (c->quiet)
        return;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
}

void cli_json(const json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT);

    if (text != NULL)
        puts(text);
    free(text);
}

/* The package's directory belongs to the service's user, and only the service may run there. */
void say_next_start(const struct cli *c)
{
    struct stat st;

    if (stat(c->state, &st) == 0 && st.st_uid != geteuid())
        puts("Next         systemctl start tideover");
    else if (c->value[OPT_STATE] != NULL)
        printf("Next         tideover --state %s node\n", c->state);
    else
        puts("Next         tideover node");
}
