/* clock.c - what people are told of this PC's clock, before the first scan and whenever they look. */
#include <stdio.h>

#include "clocks.h"
#include "node_int.h"

static int64_t distance(int64_t ms)
{
    return ms < 0 ? -ms : ms;
}

bool clock_warning(const struct node *n, const struct moment *now, char out[256])
{
    const struct policy *p = roster_policy(core_roster(n->core));
    struct clock_view v;
    char off[CLOCK_WORDS_MAX];

    core_clock(n->core, now, &v);
    clock_words(v.ahead_ms, off);
    if (v.impossible)
        snprintf(out, 256,
                 "the date of this PC is wrong%s%s%s: set it now. Due dates counted from it are "
                 "wrong, too; what is recorded is kept",
                 v.known ? ": it is " : "", v.known ? off : "",
                 v.known ? " against the other desks" : "");
    else if (v.known && p && distance(v.ahead_ms) > p->clock_warn_ms)
        snprintf(out, 256,
                 "the clock of this PC is %s against the other desks: set it right. What is "
                 "recorded is kept, and the upload corrects its times",
                 off);
    else
        return false;
    return true;
}

json_t *clock_json(const struct node *n, const struct moment *now)
{
    struct clock_view v;
    char text[256];
    json_t *o;

    core_clock(n->core, now, &v);
    o = json_pack("{s:o, s:i}", "ahead_ms",
                  v.known ? json_integer((json_int_t)v.ahead_ms) : json_null(), "desks",
                  (int)v.desks);
    json_object_set_new(o, "warning",
                        clock_warning(n, now, text)
                            ? json_pack("{s:s, s:s}", "code", "clock_off", "message", text)
                            : json_null());
    return o;
}
