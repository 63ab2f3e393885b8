/* config.c - `tideover config path|check|show`: this PC's settings. No node is needed. */
#include "cli_int.h"

#include <stdlib.h>
#include <string.h>

#include "conf.h"

int cmd_config_path(struct cli *c)
{
    printf("%s/tideover.conf\n", c->state);
    return 0;
}

int cmd_config_check(struct cli *c)
{
    struct errmsg msg = { .text = "" };
    struct conf conf;
    enum err e = conf_read(c->state, &conf, &msg);

    if (e != ERR_OK)
        return cli_err(c, e, &msg);
    printf("%s/tideover.conf is well-formed. A node that runs takes it at its next start.\n",
           c->state);
    return 0;
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
