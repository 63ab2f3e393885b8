/* config.c - `tideover config path|check|show|reload`: this PC's settings. Only reload needs a node. */
#include "client.h"

#include <stdlib.h>
#include <string.h>

#include "conf.h"

int cmd_config_path(struct cli *c)
{
    printf("%s/tideover.conf\n", c->state);
    return 0;
}

#define RESTART "needs a restart of the node; until then it stays as it was"

static void say_names(const json_t *answer, const char *list, const char *what)
{
    const json_t *name;
    size_t i;

    json_array_foreach(json_object_get(answer, list), i, name)
        printf("%s: %s\n", json_string_value(name), what);
}

/* What a node that runs has otherwise than the file; nothing if none runs, or we may not ask. */
static void say_waiting(struct cli *c)
{
    struct errmsg msg = { .text = "" };
    struct client *cl = NULL;
    json_t *answer = NULL;

    if (client_open(c->state, c, &cl, &msg) == ERR_OK &&
        cli_call(c, cl, "/api/v1/settings", NULL, NULL, &answer) == 0) {
        say_names(answer, "changed", "not in force yet: tideover config reload");
        say_names(answer, "restart", RESTART);
    }
    client_close(cl);
    json_decref(answer);
}

int cmd_config_check(struct cli *c)
{
    struct errmsg msg = { .text = "" };
    struct conf conf;
    enum err e = conf_read(c->state, &conf, &msg);

    if (e != ERR_OK)
        return cli_err(c, e, &msg);
    printf("%s/tideover.conf is well-formed.\n", c->state);
    say_waiting(c);
    return 0;
}

int cmd_config_reload(struct cli *c)
{
    json_t *answer = NULL;
    int rc = cli_call_with(c, "/api/v1/settings", json_object(), NULL, 0, &answer);

    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        say_names(answer, "taken", "in force now");
        say_names(answer, "restart", RESTART);
        if (json_array_size(json_object_get(answer, "taken")) == 0 &&
            json_array_size(json_object_get(answer, "restart")) == 0)
            printf("The node that runs has these settings already.\n");
    }
    json_decref(answer);
    return rc;
}

static void print_row(void *ctx, const char *section, const char *key, const char *value,
                      bool is_default)
{
    const struct cli *c = ctx;

    printf("%s%-10s%-12s = %s%s%s\n", hue(c, is_default ? HUE_DIM : HUE_OFF), section, key, value,
           is_default ? "   (default)" : "", hue(c, HUE_OFF));
}

static void add_row(void *ctx, const char *section, const char *key, const char *value,
                    bool is_default)
{
    json_array_append_new(ctx, json_pack("{s:s, s:s, s:s, s:b}", "section", section, "key", key,
                                         "value", value, "default", is_default));
}

int cmd_config_show(struct cli *c)
{
    struct errmsg msg = { .text = "" };
    json_t *rows = json_array();
    struct conf conf;
    enum err e = conf_read(c->state, &conf, &msg);

    if (e == ERR_OK && c->json)
        conf_each(&conf, add_row, rows);
    else if (e == ERR_OK)
        conf_each(&conf, print_row, c);
    if (e == ERR_OK && c->json)
        cli_json(json_pack("{s:i, s:O}", "schema", 1, "settings", rows));
    json_decref(rows);
    return e == ERR_OK ? 0 : cli_err(c, e, &msg);
}
