/* support.c - what somebody who helps from afar needs, without a user, an item, a member of staff
 * or a secret: the settings, GET /api/v1/support. */
#include <string.h>
#include <sys/utsname.h>

#include "events_int.h"

#define SUPPORT_EVENTS 512

static void add_row(void *ctx, const char *section, const char *key, const char *value,
                    bool is_default)
{
    json_array_append_new(ctx, json_pack("{s:s, s:s, s:s, s:b}", "section", section, "key", key,
                                         "value", value, "default", is_default));
}

/* As they are in force. */
json_t *support_settings(const struct node *n)
{
    json_t *rows = json_array();

    conf_each(&n->conf, add_row, rows);
    return rows;
}

void support_get(struct node *n, struct http_request *rq)
{
    struct utsname u;
    struct moment now = node_now();
    char at[36], hex[2 * HASH_BYTES + 1];
    json_t *o;

    memset(&u, 0, sizeof u);
    uname(&u);
    rfc3339_format(now.wall_ms, now.utc_off_min, at);
    hex_encode(roster_policy_hash(core_roster(n->core)), HASH_BYTES, hex);
    o = json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:s}", "schema", 1, "at", at, "version",
                  TIDEOVER_VERSION, "system", u.sysname, "kernel", u.release, "runs_s",
                  (json_int_t)(now.boot_ms - n->started_ms) / 1000, "policy", hex);
    json_object_set_new(o, "settings", support_settings(n));
    json_object_set_new(o, "status", status_json(n));
    json_object_set_new(o, "peers", status_peers_json(n));
    json_object_set_new(o, "upload", status_upload_json(n));
    json_object_set_new(o, "events", events_json(n, 0, SUPPORT_EVENTS));
    api_json(rq, 200, o);
}
