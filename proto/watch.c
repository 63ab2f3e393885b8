/* watch.c - from single looks at the server to what the desk says of it. */
#include "watch.h"

#include <string.h>

const char *watch_state_name(enum watch_state s)
{
    static const char *const names[] = { "unknown", "online", "backup", "offline", "back" };

    return (unsigned)s <= WATCH_LAST ? names[s] : names[0];
}

static void count(bool ok, unsigned *good, unsigned *bad)
{
    *good = ok ? *good + 1 : 0;
    *bad = ok ? 0 : *bad + 1;
}

/* Is it there, by this many good or bad looks in a row? Neither: as before. */
static bool is_up(bool was, bool first, unsigned good, unsigned bad, unsigned offline_after,
                  unsigned back_after)
{
    if (good > 0 && (first || good >= back_after))
        return true;
    return was && bad < offline_after;
}

static enum watch_state judge(const struct watch *w, unsigned offline_after, unsigned back_after)
{
    bool first = w->seen == WATCH_UNKNOWN, on = w->seen == WATCH_ONLINE;

    if (is_up(on, first, w->good, w->bad, offline_after, back_after))
        return WATCH_ONLINE;
    if (w->bad < offline_after && w->seen != WATCH_BACKUP)
        return w->seen; /* on its way up or down, or nothing is known yet */
    /* The backup matters at the moment when the primary is given up, as it is then. */
    if (is_up(w->seen == WATCH_BACKUP, w->seen != WATCH_OFFLINE, w->backup_good, w->backup_bad,
              offline_after, back_after))
        return WATCH_BACKUP;
    return WATCH_OFFLINE;
}

bool watch_take(struct watch *w, unsigned offline_after, unsigned back_after,
                const struct watch_check *check, uint64_t boot_ms)
{
    enum watch_state was = w->seen;

    count(check->primary, &w->good, &w->bad);
    if (!check->primary)
        count(check->backup, &w->backup_good, &w->backup_bad);
    w->checks++;
    w->failures += !check->primary;
    w->checked_ms = boot_ms;
    w->seen = judge(w, offline_after, back_after);
    if (!check->primary)
        memcpy(w->why, check->why, sizeof w->why);
    else if (w->seen == WATCH_ONLINE)
        w->why[0] = '\0';
    w->why[sizeof w->why - 1] = '\0';
    if (w->seen != was)
        w->since_ms = boot_ms;
    return w->seen != was;
}

bool watch_answers(const struct watch *w)
{
    return w->seen == WATCH_ONLINE || w->seen == WATCH_BACKUP;
}

enum watch_state watch_shown(const struct watch *w, bool waits, bool released)
{
    return watch_answers(w) && waits && !released ? WATCH_BACK : w->seen;
}
