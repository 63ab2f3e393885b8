/* pause.c - the local API of pauses: the upload under way waits before its next step, or goes on. */
#include "pause.h"

#include "node_int.h"

#define SHOWN_MAX 16 /* desks; one is enough to make it wait */

json_t *pause_json(const struct node *n)
{
    struct desk_id by[SHOWN_MAX];
    unsigned count = core_paused_by(n->core, by, SHOWN_MAX);
    json_t *all = json_array();

    for (unsigned i = 0; i < count; i++)
        json_array_append_new(all, json_string(status_desk_name(n, &by[i])));
    return all;
}

void pause_post(struct node *n, struct http_request *rq, json_t *body)
{
    const json_t *yes = json_object_get(body, "pause");
    struct errmsg msg = { .text = "" };
    struct moment now = node_now();
    enum err e = json_is_boolean(yes) ? core_pause(n->core, &now, json_is_true(yes), &msg)
                                      : err_why(&msg, ERR_INVALID, "bad_type", "pause",
                                                "pause has to be true or false");

    json_decref(body);
    if (e != ERR_OK)
        api_error(n, rq, e, &msg);
    else
        api_json(rq, 200,
                 json_pack("{s:i, s:I, s:o}", "schema", 1, "slot",
                           (json_int_t)ledger_decided(core_ledger(n->core)) + 1, "paused_by",
                           pause_json(n)));
}
