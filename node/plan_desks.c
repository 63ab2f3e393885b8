/* plan_desks.c - what the next upload has of each desk, and what may be missing, in words. */
#include "plan_desks.h"

#include <stdio.h>

#include "core.h"

enum where { HERE, BEHIND, AWAY, NEVER, RETIRED, REVOKED };

static const char *const where_names[] = {
    "here", "behind", "away", "never", "retired", "revoked"
};

static enum where where_is(const struct desk *d, const struct desk_held *h)
{
    return d->state == DESK_REVOKED        ? REVOKED
           : d->state == DESK_RETIRED      ? RETIRED
           : h->complete                   ? HERE
           : !h->ever_heard                ? NEVER
           : h->silent_ms >= PEER_QUIET_MS ? AWAY
                                           : BEHIND;
}

static void ago(uint64_t ms, char out[32])
{
    unsigned long long s = ms / 1000;

    if (s < 120)
        snprintf(out, 32, "%llu s ago", s);
    else if (s < 7200)
        snprintf(out, 32, "%llu min ago", s / 60);
    else if (s < 48 * 3600)
        snprintf(out, 32, "%llu h ago", s / 3600);
    else
        snprintf(out, 32, "%llu days ago", s / 86400);
}

static void records(uint64_t n, char out[40])
{
    snprintf(out, 40, "%llu record%s", (unsigned long long)n, n == 1 ? "" : "s");
}

/* "BUS was last seen 3 h ago with 41 records, all of them here; it may have more": all that is
 * counted has been in no upload yet. */
static void say(const char *name, enum where where, const struct desk_held *h, char out[200])
{
    unsigned long long lacking = (unsigned long long)(h->known - h->held);
    char n[40], known[40], when[32];

    records(h->held, n);
    records(h->known, known);
    ago(h->silent_ms, when);
    switch (where) {
    case HERE:
        if (h->held == 0)
            snprintf(out, 200, "%s is here, with nothing that is not uploaded", name);
        else
            snprintf(out, 200, "%s is here with all its %s", name, n);
        return;
    case BEHIND:
        if (lacking == 0)
            snprintf(out, 200, "%s is here with %s, and has not said yet whether that is all", name,
                     n);
        else
            snprintf(out, 200, "%s is here, but not all of its records are yet: %s of %llu so far",
                     name, n, (unsigned long long)h->known);
        return;
    case AWAY:
        if (h->known == 0)
            snprintf(out, 200,
                     "%s was last seen %s, with nothing that is not uploaded; it may have more",
                     name, when);
        else if (lacking == 0)
            snprintf(out, 200, "%s was last seen %s with %s, all here; it may have more", name,
                     when, n);
        else
            snprintf(out, 200,
                     "%s was last seen %s with %s, of which %llu are not here; it may have more",
                     name, when, known, lacking);
        return;
    case NEVER:
        snprintf(out, 200,
                 "%s has not been heard since this desk started; %s of it %s here, and it may "
                 "have more",
                 name, n, h->held == 1 ? "is" : "are");
        return;
    case RETIRED:
    case REVOKED:
        snprintf(out, 200, "%s is %s; %s of it %s here%s", name, where_names[where], n,
                 h->held == 1 ? "is" : "are", lacking > 0 ? ", and not all that is known of" : "");
        return;
    }
}

/* Under the ranges of the job. */
static json_int_t in_job(const struct merge_job *m, const struct desk_id *id)
{
    json_int_t n = 0;

    for (unsigned i = 0; i < m->n_feeds; i++)
        if (desk_id_eq(&m->feeds[i].feed.desk, id) && m->feeds[i].to >= m->feeds[i].from)
            n += (json_int_t)(m->feeds[i].to - m->feeds[i].from + 1);
    return n;
}

json_t *plan_desks(const struct node *n, const struct merge_job *m, bool *complete)
{
    const struct roster *r = core_roster(n->core);
    struct moment now = node_now();
    json_t *all = json_array();

    *complete = true;
    for (unsigned i = 0; i < roster_desks(r); i++) {
        const struct desk *d = roster_desk(r, i);
        json_int_t records_in = in_job(m, &d->id);
        struct desk_held h;
        enum where where;
        char words[200];
        core_desk_held(n->core, &now, &d->id, &h);
        where = where_is(d, &h);
        if ((where == RETIRED || where == REVOKED) && records_in == 0 && h.complete)
            continue;
        *complete = *complete && (h.complete || where == REVOKED);
        say(d->name, where, &h, words);
        json_array_append_new(
            all,
            json_pack("{s:s, s:I, s:I, s:I, s:o, s:s, s:b, s:s}", "desk", d->name, "records",
                      records_in, "held", (json_int_t)h.held, "known", (json_int_t)h.known,
                      "last_seen_s",
                      h.ever_heard ? json_integer((json_int_t)(h.silent_ms / 1000)) : json_null(),
                      "state", where_names[where], "complete", h.complete, "words", words));
    }
    return all;
}
