/* outage.c - when the server was away, as each desk saw it. */
#include "day.h"
#include "node_int.h"

void outage_get(struct node *n, struct http_request *rq)
{
    const struct roster *r = core_roster(n->core);
    const struct sightings *s = core_sightings(n->core);
    const struct policy *p = roster_policy(r);
    json_t *list = json_array();
    struct moment now = node_now();
    char at[36];

    for (unsigned i = 0; i < s->n; i++) {
        const struct desk *d = roster_find(r, &s->v[i].desk);
        rfc3339_at(p ? &p->zone : NULL, s->v[i].at_ms, at);
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s}", "at", at, "desk", d ? d->name : "?",
                                        "state", watch_state_name(s->v[i].state)));
    }
    rfc3339_at(p ? &p->zone : NULL, now.wall_ms, at);
    api_json(rq, 200,
             json_pack("{s:i, s:s, s:s, s:o}", "schema", 1, "branch", roster_code(r), "now", at,
                       "sightings", list));
}
