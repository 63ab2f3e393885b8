/* condition.c - looks now and then how this PC fares, for the other desks (condition.h). */
#include <string.h>

#include "node_int.h"

#define LOOK_MS 5000

/* What every desk of the branch sees for itself. */
static bool is_the_branchs(const char *code)
{
    static const char *const codes[] = { "contested",     "quarantined",    "sent_twice",
                                         "login_refused", "upload_stopped", "upload_waits",
                                         "block_list_old" };

    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(code, codes[i]) == 0)
            return true;
    return false;
}

void condition_here(struct node *n, const struct moment *now, struct condition *out)
{
    struct store_stats st;
    json_t *problems = status_problems(n, now), *p;
    size_t i;

    memset(out, 0, sizeof *out);
    store_stats(n->store, &st);
    out->disk_free = st.disk_free_bytes;
    if (n->metrics.commits > 0)
        out->commit_us =
            1 + (uint64_t)(n->metrics.commit_seconds * 1e6 / (double)n->metrics.commits);
    json_array_foreach(problems, i, p)
    {
        const char *code = json_string_value(json_object_get(p, "code"));
        if (json_object_get(p, "desk") == NULL && !is_the_branchs(code))
            condition_add(out, code);
    }
    json_decref(problems);
}

void condition_look(struct node *n, const struct moment *now)
{
    struct condition c;

    if (core_peers(n->core) == 0 ||
        (n->condition_ms != 0 && now->boot_ms - n->condition_ms < LOOK_MS))
        return;
    n->condition_ms = now->boot_ms;
    condition_here(n, now, &c);
    core_condition(n->core, &c);
}
