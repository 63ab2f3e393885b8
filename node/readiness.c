/* readiness.c - GET /api/v1/readiness: gathers what readiness.h judges, and puts it into words. */
#include <stdlib.h>
#include <string.h>

#include "ground.h"
#include "node_int.h"

#define DAY_MS INT64_C(86400000)

/* Of each code: what was found, and what to do about it. {n} and {at} stand for the row's. */
static const struct words {
    const char *code, *found, *next;
} words[] = {
    { "write", "a record is on the disk after {n} ms", "" },
    { "write_none", "nothing was written since the start", "" },
    { "write_slow", "a record takes {n} ms to the disk: staff wait for it at each scan",
      "look for what else writes to this disk" },
    { "not_saving", "STOP: this PC cannot save",
      "tideover status says why; write on paper until then" },
    { "disk", "{n} MiB are free on the disk", "" },
    { "disk_low", "only {n} MiB are free on the disk",
      "free some: a desk that cannot write cannot record" },
    { "restart", "what was on this disk outlived a restart of the PC", "" },
    { "restart_unknown", "not known yet whether this disk is wiped when the PC restarts",
      "restart the PC, then look again" },
    { "restart_forgot",
      "the other desks remember more of this one than its disk does: it was replaced or set back; "
      "if "
      "that happens at each restart, as on a frozen PC, all that is recorded here goes with it",
      "take the state directory out of the freeze, or put it on a disk of its own; then a lead: "
      "tideover restore-seat" },
    { "ground_layered",
      "the records lie on a layered file system, as frozen PCs have: they may be gone at the next "
      "restart",
      "put the state directory on a disk of its own, or take it out of the freeze" },
    { "ground_memory", "the records lie in memory: a restart loses this desk and all of them",
      "choose a directory on a real disk (--state)" },
    { "clock", "this PC's clock is kept right", "" },
    { "clock_unkept", "no time service says that it keeps this PC's clock",
      "switch one on: timedatectl set-ntp true" },
    { "clock_off", "this PC's clock is {n} s from the other desks'",
      "set it right; what is recorded is kept, and the upload corrects its times" },
    { "clock_impossible", "the date of this PC is wrong", "set it now" },
    { "server", "the library's server is watched", "" },
    { "server_unwatched",
      "the library's server is not watched: nobody is told when it goes or comes back",
      "[server] probe in the branch's policy" },
    { "sink", "the policy says where uploads go", "" },
    { "sink_none", "the policy names no place to upload to",
      "[upload] sink in the branch's policy" },
    { "copies", "other desks that are on: {n}", "" },
    { "copies_none", "none of the other desks is on: records stay on this PC alone",
      "switch one on; tideover peers says why they are not reached" },
    { "alone", "this desk is the branch's only one: its disk is the only copy",
      "tideover invite --desk NAME, on a lead's desk" },
    { "list", "the block list is {n} days old", "" },
    { "list_none", "there is no list of blocked users: in an outage everybody may borrow",
      "tideover blocklist import FILE, nightly" },
    { "list_old", "the block list is {n} days old: who was blocked since is not on it",
      "look at the nightly job that imports it" },
    { "scan", "a scanner was last tried here {at}", "" },
    { "scan_never", "no scanner was tried at this desk yet",
      "scan one card and one item in practice: tideover practice on" },
    { "scan_old", "no scanner was tried here for {n} days",
      "scan one card and one item in practice: tideover practice on" },
    { "drill", "the last drill was {at}", "" },
    { "drill_never", "nobody has practised at this desk",
      "tideover practice on: five minutes, once a month" },
    { "drill_old", "nobody has practised here for {n} days",
      "tideover practice on: five minutes, once a month" },
    { "backup", "the branch's keys were last backed up {at}", "" },
    { "backup_never", "no backup of the branch's keys was made on this desk",
      "tideover backup FILE, onto a stick that goes into a drawer" },
    { "backup_old", "the branch's keys were last backed up {n} days ago",
      "tideover backup FILE, onto a stick that goes into a drawer" },
    { "leads", "desks that hold the lead key: {n}", "" },
    { "leads_one", "one desk alone holds the lead key: if that PC dies, nobody can upload",
      "tideover invite --desk NAME --role lead, or tideover role" },
};

/* ---- facts ---- */

static unsigned lead_desks(const struct roster *r)
{
    unsigned n = 0;

    for (unsigned i = 0; i < roster_desks(r); i++) {
        const struct desk *d = roster_desk(r, i);
        n += d->state == DESK_ACTIVE && (d->roles & (ROLE_LEAD | ROLE_ADMIN)) != 0;
    }
    return n;
}

static void find_branch(const struct node *n, const struct moment *now, struct readiness_facts *f)
{
    const struct policy *p = roster_policy(core_roster(n->core));
    const struct blocklist_head *list = core_blocklist(n->core);
    struct core_view v;

    core_view(n->core, now, &v);
    f->watched = v.server != WATCH_UNKNOWN || (p && strcmp(p->probe, "none") != 0);
    f->forgot = v.memory_lost;
    f->has_list = list != NULL;
    f->list_age_ms = list && now->wall_ms > list->date_ms ? now->wall_ms - list->date_ms : 0;
    f->list_warn_ms = p ? (int64_t)p->blocklist_warn_ms : 7 * DAY_MS;
    f->clock_warn_ms = p ? (int64_t)p->clock_warn_ms : 5000;
    f->has_sink = p && p->sink[0] != '\0' && strcmp(p->sink, "none") != 0;
    f->lead_desks = lead_desks(core_roster(n->core));
    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view peer;
        core_peer_view(n->core, now, i, &peer);
        f->others += peer.state != PEER_REVOKED && peer.state != PEER_RETIRED;
        f->online += peer.state == PEER_ONLINE;
    }
}

static void find_facts(const struct node *n, const struct moment *now, struct readiness_facts *f)
{
    struct store_stats st;
    struct clock_view clock;

    memset(f, 0, sizeof *f);
    store_stats(n->store, &st);
    core_clock(n->core, now, &clock);
    f->saving = !n->stopped;
    if (n->metrics.commits > 0)
        f->commit_us = 1 + (uint64_t)(n->metrics.commit_seconds * 1e6 / (double)n->metrics.commits);
    f->disk_free = st.disk_free_bytes;
    f->ground = ground_of(n->dir);
    f->outlived = ground_outlived(n->dir);
    f->clock_kept = ground_clock_kept();
    f->clock_known = clock.known;
    f->ahead_ms = clock.ahead_ms;
    f->clock_impossible = clock.impossible;
    f->now_ms = now->wall_ms;
    f->scan_ms = n->drills.scan_ms;
    f->drill_ms = n->drills.last_ms;
    f->backup_ms = backup_made(n->dir);
    find_branch(n, now, f);
}

/* ---- words ---- */

static void fill_in(const char *text, const struct ready_row *row, const char *at, struct buf *out)
{
    const char *hole;

    for (; (hole = strchr(text, '{')) != NULL; text = strchr(hole, '}') + 1) {
        buf_add(out, text, (size_t)(hole - text));
        if (hole[1] == 'n')
            buf_printf(out, "%lld", (long long)row->n);
        else
            buf_text(out, at);
    }
    buf_text(out, text);
}

static json_t *row_json(const struct node *n, const struct ready_row *row)
{
    const struct words *w = NULL;
    struct buf b = { 0 };
    json_t *o = json_pack("{s:s, s:s, s:s, s:I}", "check", row->check, "code", row->code, "state",
                          ready_name(row->state), "n", (json_int_t)row->n);
    json_t *at = row->at_ms ? status_time(n, row->at_ms) : json_null();

    for (unsigned i = 0; i < sizeof words / sizeof words[0] && !w; i++)
        if (strcmp(words[i].code, row->code) == 0)
            w = &words[i];
    fill_in(w ? w->found : row->code, row, json_is_string(at) ? json_string_value(at) : "", &b);
    json_object_set_new(o, "message", json_stringn((const char *)b.p, b.len));
    json_object_set_new(o, "next", w && w->next[0] ? json_string(w->next) : json_null());
    json_object_set_new(o, "at", at);
    buf_free(&b);
    return o;
}

/* What a row above says already. */
static bool is_told(const char *code)
{
    return strcmp(code, "not_saving") == 0 || strcmp(code, "block_list_old") == 0 ||
           strcmp(code, "clock_off") == 0;
}

/* What is wrong at this moment, as in the status: its sentences have the next step in them. */
static void add_problems(const struct node *n, const struct moment *now, json_t *rows)
{
    json_t *problems = status_problems(n, now), *p;
    size_t i;

    json_array_foreach(problems, i, p)
    {
        json_t *row;
        if (is_told(json_string_value(json_object_get(p, "code"))))
            continue;
        row = json_copy(p);
        json_object_update_new(
            row, json_pack("{s:s, s:s, s:n}", "check", "status", "state", "warn", "next"));
        json_array_append_new(rows, row);
    }
    json_decref(problems);
}

void readiness_get(struct node *n, struct http_request *rq)
{
    struct moment now = node_now();
    struct readiness_facts f;
    struct ready_row row[READY_ROWS];
    json_t *rows = json_array();
    unsigned count;

    find_facts(n, &now, &f);
    count = readiness_judge(&f, row);
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(rows, row_json(n, &row[i]));
    add_problems(n, &now, rows);
    api_json(rq, 200, json_pack("{s:i, s:o}", "schema", 1, "checks", rows));
}
