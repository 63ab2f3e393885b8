/* practice.c - practice at this desk: its file, its part of the API, and what ends it. Rules:
 * practice.h. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "day.h"
#include "keys.h"
#include "node_int.h"

#define PRACTICE_FILE                                                                              \
    "practice" /* names of staff stand in it: 0600, and gone after a day or so                     \
                */

static const struct policy *policy_of(const struct node *n)
{
    return roster_policy(core_roster(n->core));
}

static struct practice_moment moment_of(const struct moment *now)
{
    return (struct practice_moment){ now->boot_ms, now->wall_ms };
}

/* ---- the file ---- */

void practice_load(struct node *n)
{
    struct errmsg msg = { .text = "" };
    struct buf b = { 0 };
    enum err e = small_file_read(n->dir, PRACTICE_FILE, DRILLS_BYTES, &b, &msg);

    if (e == ERR_OK)
        e = drills_read(b.p, b.len, &n->drills, &msg);
    if (e != ERR_OK && e != ERR_NOFILE)
        node_log(n, 1, "the reports of practice cannot be read: they begin anew");
    buf_wipe(&b);
}

static enum err keep_drills(struct node *n, struct errmsg *msg)
{
    struct buf b = { 0 };
    enum err e;

    drills_write(&n->drills, &b);
    e = b.failed ? err_set(msg, ERR_NOMEM, "out of memory")
                 : small_file_write(n->dir, PRACTICE_FILE, b.p, b.len, 0600, msg);
    buf_wipe(&b);
    return e;
}

static void forget_old(struct node *n, int64_t wall_ms)
{
    const struct policy *p = policy_of(n);
    struct errmsg msg = { .text = "" };

    if (p && n->drills.n > 0 && drills_forget(&n->drills, wall_ms, p->practice_days) &&
        keep_drills(n, &msg) != ERR_OK)
        node_log(n, 1, "an old report of practice cannot be removed: %s", msg.text);
}

static void report(struct node *n, const struct drill *d)
{
    struct errmsg msg = { .text = "" };

    drills_add(&n->drills, d);
    if (keep_drills(n, &msg) != ERR_OK)
        node_log(n, 1, "the report of practice cannot be kept: %s", msg.text);
}

void practice_scanned(struct node *n, int64_t wall_ms)
{
    struct errmsg msg = { .text = "" };

    if (drills_scanned(&n->drills, wall_ms) && keep_drills(n, &msg) != ERR_OK)
        node_log(n, 1, "that a scanner was tried cannot be kept: %s", msg.text);
}

/* ---- on and off ---- */

static void end(struct node *n, const struct moment *now, enum practice_end why)
{
    struct practice_moment at = moment_of(now);
    struct drill d;

    if (practice_end(&n->practice, &at, why, &d))
        report(n, &d);
    node_log(n, 2, "practice is over%s",
             why == PRACTICE_OUTAGE ? ": the library's server went away"
             : why == PRACTICE_HOUR ? ": it lasted an hour"
                                    : "");
}

void practice_watch(struct node *n, const struct moment *now)
{
    struct core_view v;
    enum practice_end why;

    forget_old(n, now->wall_ms);
    if (!n->practice.on)
        return;
    core_view(n->core, now, &v);
    if ((why = practice_due(&n->practice, now->boot_ms, v.server)) != PRACTICE_GOES_ON)
        end(n, now, why);
}

static enum err begin(struct node *n, const struct moment *now, const char *staff,
                      struct errmsg *msg)
{
    struct practice_moment at = moment_of(now);
    struct core_view v;
    enum err e;

    core_view(n->core, now, &v);
    if (n->practice.on)
        return err_why(msg, ERR_EXISTS, "practice", "",
                       "practice is on already: tideover practice reset begins again");
    if (!text_is_clean(staff) || strlen(staff) > STAFF_MAX)
        return err_why(msg, ERR_INVALID, "bad_text", "staff", "the staff name is not clean text");
    e = practice_begin(&n->practice, &at, v.server, staff, randombytes_random() | 1u, msg);
    sodium_memzero(n->practice_key, sizeof n->practice_key);
    if (e == ERR_OK)
        node_log(n, 2, "practice is on: this desk records nothing");
    return e;
}

/* ---- scans ---- */

enum err practice_enter(const struct node *n, bool has_box, uint32_t *mark, struct errmsg *msg)
{
    if (n->practice.on && (!has_box || *mark == n->practice.number)) {
        *mark = n->practice.number;
        return ERR_OK;
    }
    if (n->practice.on)
        return err_why(msg, ERR_REFUSED, *mark ? "practice_over" : "practice", "box", "%s",
                       *mark ? "that practice is over, and another one began: begin anew"
                             : "practice is on at this desk, and nothing is recorded: end it "
                               "first (tideover practice off)");
    if (*mark)
        return err_why(msg, ERR_REFUSED, "practice_over", "box",
                       "practice is over: this was not recorded. If it was meant, scan the user "
                       "card and the items again");
    return ERR_OK;
}

bool practice_is_repeat(struct node *n, const uint8_t *key, const struct box *b)
{
    bool yes = key && memcmp(n->practice_key, key, RECORD_KEY_BYTES) == 0;

    if (key)
        memcpy(n->practice_key, key, RECORD_KEY_BYTES);
    if (!yes)
        practice_settle(&n->practice, b);
    return yes;
}

static json_t *next_json(const struct practice *pr, const struct box *b, const struct policy *p)
{
    const char *scan = practice_shown(pr, b, p);
    char groups[SCAN_GROUPS_MAX] = "";
    json_t *o =
        json_pack("{s:i, s:i, s:s, s:s, s:s, s:i, s:b}", "step", (int)pr->drill.step, "steps",
                  PRACTICE_STEPS, "name", practice_step_name(pr->drill.step), "key",
                  practice_key(pr, b), "message", practice_sentence(pr, b), "mistakes",
                  (int)drill_mistakes(&pr->drill), "done", pr->drill.step == PRACTICE_READY);

    if (scan[0] && scan[0] != '*')
        scan_groups(scan, groups);
    if (scan[0])
        json_object_update_new(
            o, json_pack("{s:s, s:s}", "scan", scan, "shown", groups[0] ? groups : scan));
    return o;
}

json_t *practice_judged(struct node *n, const struct policy *p, const struct box *after, bool fresh,
                        enum err e, const char *why, const struct box_answer *a)
{
    if (fresh && practice_judge(&n->practice, node_now().boot_ms, after, e, why, a))
        report(n, &n->practice.drill);
    return next_json(&n->practice, after, p);
}

/* ---- answers ---- */

static json_t *time_json(const struct node *n, int64_t ms)
{
    const struct policy *p = policy_of(n);
    char at[36];

    rfc3339_at(p ? &p->zone : NULL, ms, at);
    return json_string(at);
}

static json_t *drill_json(const struct node *n, const struct drill *d)
{
    json_t *by = json_object();

    for (unsigned i = 0; i < PRACTICE_STEPS; i++)
        if (d->mistakes[i] > 0)
            json_object_set_new(by, practice_step_name(i), json_integer(d->mistakes[i]));
    return json_pack("{s:o, s:s, s:f, s:i, s:i, s:b, s:i, s:o}", "at", time_json(n, d->at_ms),
                     "staff", d->staff, "took_s", d->took_ms / 1000.0, "step", (int)d->step,
                     "steps", PRACTICE_STEPS, "done", d->step == PRACTICE_READY, "mistakes",
                     (int)drill_mistakes(d), "by_step", by);
}

json_t *practice_status(const struct node *n)
{
    struct moment now = node_now();
    int64_t left = (int64_t)(n->practice.began_ms + PRACTICE_MS) - (int64_t)now.boot_ms;
    json_t *o = json_pack("{s:b}", "on", n->practice.on);

    if (n->practice.on)
        json_object_update_new(o, json_pack("{s:o, s:i, s:i}", "until",
                                            time_json(n, now.wall_ms + left), "step",
                                            (int)n->practice.drill.step, "steps", PRACTICE_STEPS));
    else if (n->practice.ended != PRACTICE_GOES_ON)
        json_object_set_new(o, "ended", json_string(practice_end_name(n->practice.ended)));
    return o;
}

json_t *practice_last_drill(const struct node *n)
{
    return n->drills.last_ms ? time_json(n, n->drills.last_ms) : json_null();
}

static void put_groups(json_t *o, const char *name, const char *number)
{
    char groups[SCAN_GROUPS_MAX];

    if (number[0] == 0)
        return;
    scan_groups(number, groups);
    json_object_set_new(o, name, json_pack("{s:s, s:s}", "scan", number, "shown", groups));
}

static void answer(const struct node *n, struct http_request *rq)
{
    const struct policy *p = policy_of(n);
    json_t *o = practice_status(n), *drills = json_array(), *numbers = json_object();

    for (unsigned i = n->drills.n; i-- > 0;)
        json_array_append_new(drills, drill_json(n, &n->drills.v[i]));
    if (p) {
        put_groups(numbers, "user", p->practice_user);
        put_groups(numbers, "item", p->practice_item[0]);
        put_groups(numbers, "second", p->practice_item[1]);
    }
    json_object_set_new(o, "schema", json_integer(1));
    if (n->practice.on && p)
        json_object_set_new(o, "next", next_json(&n->practice, NULL, p));
    json_object_set_new(o, "numbers", numbers);
    json_object_set_new(o, "last_drill", practice_last_drill(n));
    json_object_set_new(o, "drills", drills);
    api_json(rq, 200, o);
}

void practice_get(struct node *n, struct http_request *rq)
{
    forget_old(n, node_now().wall_ms);
    answer(n, rq);
}

static enum err say(struct node *n, const json_t *body, struct errmsg *msg)
{
    const char *word = json_string_value(json_object_get(body, "say"));
    const char *staff = json_string_value(json_object_get(body, "staff"));
    struct moment now = node_now();
    struct practice_moment at = moment_of(&now);

    if (word && strcmp(word, "on") == 0)
        return begin(n, &now, staff ? staff : n->session.staff, msg);
    if (word == NULL || (strcmp(word, "off") != 0 && strcmp(word, "reset") != 0))
        return err_why(msg, ERR_INVALID, "missing_field", "say", "say is on, off or reset");
    if (!n->practice.on)
        return err_why(msg, ERR_REFUSED, "practice_over", "", "practice is not on");
    if (strcmp(word, "off") == 0)
        end(n, &now, PRACTICE_OFF);
    else
        practice_again(&n->practice, &at);
    return ERR_OK;
}

void practice_post(struct node *n, struct http_request *rq, json_t *body)
{
    struct errmsg msg = { .text = "" };
    enum err e = say(n, body, &msg);

    if (e == ERR_OK)
        answer(n, rq);
    else
        api_error(n, rq, e, &msg);
    json_decref(body);
}
