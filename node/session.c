/* session.c - the desk's session: its file, and its part of the API. Rules: session.h. */
#include <string.h>

#include "keys.h"
#include "node_int.h"
#include "record_json.h"

#define SESSION_FILE                                                                               \
    "session" /* a staff name stands in it: 0600, as all of the state directory                    \
               */

const char *session_desk(const struct node *n)
{
    const struct desk *me = roster_find(core_roster(n->core), &n->me.id);

    return me ? me->joined : "";
}

void session_load(struct node *n)
{
    struct errmsg msg = { .text = "" };
    struct buf b = { 0 };
    enum err e = small_file_read(n->dir, SESSION_FILE, SESSION_TEXT_MAX, &b, &msg);

    if (e == ERR_OK)
        e = session_parse((const char *)b.p, b.len, &n->session, &msg);
    if (e != ERR_OK && e != ERR_NOFILE) /* recording goes on; the staff name is set anew */
        node_log(n, 1, "the session begins anew: its file cannot be read");
    buf_wipe(&b);
}

enum err session_keep(struct node *n, const struct session *s, struct errmsg *msg)
{
    struct buf b = { 0 };
    enum err e = ERR_NOMEM;

    session_text(s, &b);
    if (!b.failed)
        e = small_file_write(n->dir, SESSION_FILE, b.p, b.len, 0600, msg);
    if (e == ERR_OK)
        n->session = *s;
    buf_wipe(&b);
    return e;
}

static json_t *due_json(const struct session *s, const struct policy *p, uint32_t today)
{
    static const char *const names[] = { "rule", "none", "days", "date" };
    enum session_due due = session_due_today(s, today);
    json_t *o = json_pack("{s:s, s:b}", "by", names[due], "forgotten",
                          due == SESSION_RULE && s->due != SESSION_RULE);

    if (due == SESSION_DAYS)
        json_object_set_new(o, "days", json_integer(s->days));
    if (due == SESSION_RULE) { /* of an item that no row of [due] names */
        api_put_due(due_by_rule(&p->due, "", today, today), p, o, "date");
        json_object_set_new(o, "varies", json_boolean(p->due.n_rules > 0));
    }
    if (due == SESSION_DAYS || due == SESSION_DATE)
        api_put_due(due == SESSION_DATE ? s->date : due_after_days(&p->due, today, s->days, today),
                    p, o, "date");
    return o;
}

static const struct policy *policy_of(struct node *n, struct http_request *rq)
{
    const struct policy *p = roster_policy(core_roster(n->core));
    struct errmsg msg = { .text = "" };

    if (p == NULL) {
        err_why(&msg, ERR_CONFIG, "policy", "",
                "this version cannot read the branch's policy: update tideover");
        api_error(n, rq, ERR_CONFIG, &msg);
    }
    return p;
}

static json_t *texts_json(const char *list, unsigned many, size_t room)
{
    json_t *a = json_array();

    for (unsigned i = 0; i < many; i++)
        json_array_append_new(a, json_string(list + i * room));
    return a;
}

/* What may be chosen instead of the branch's own. */
static json_t *others_json(const struct policy *p)
{
    const struct symphony_profile *s = &p->symphony;
    json_t *stations = json_array();

    for (unsigned i = 0; i < s->n_other_stations; i++)
        json_array_append_new(stations, json_integer(s->other_station[i]));
    return json_pack(
        "{s:o, s:o, s:o}", "library",
        texts_json(s->other_library[0], s->n_libraries, sizeof s->other_library[0]), "user_access",
        texts_json(s->other_user_access[0], s->n_user_accesses, sizeof s->other_user_access[0]),
        "station", stations);
}

static void put_place(struct node *n, const struct policy *p, uint32_t today, json_t *o)
{
    const struct symphony_profile *y = &p->symphony;
    struct session s = n->session;
    unsigned own = policy_station(p, session_desk(n));

    session_settle_place(&s, p, session_desk(n));
    json_object_set_new(o, "branch",
                        json_pack("{s:s, s:s, s:i}", "library", y->library, "user_access",
                                  y->user_access, "station", (int)own));
    json_object_set_new(o, "place",
                        json_pack("{s:s, s:s, s:i}", "library",
                                  s.library[0] ? s.library : y->library, "user_access",
                                  s.user_access[0] ? s.user_access : y->user_access, "station",
                                  (int)(s.station ? s.station : own)));
    json_object_set_new(o, "others", others_json(p));
    json_object_set_new(o, "block_list", json_boolean(s.unchecked != today));
}

static void answer(struct node *n, struct http_request *rq, const struct policy *p)
{
    struct moment now = node_now();
    json_t *presets = json_array();
    json_t *o;

    for (unsigned i = 0; i < p->due.n_presets; i++)
        json_array_append_new(presets, json_integer(p->due.preset[i]));
    o = json_pack("{s:i, s:s, s:o, s:o}", "schema", 1, "staff", n->session.staff, "due",
                  due_json(&n->session, p, ymd_at(&p->zone, now.wall_ms)), "presets", presets);
    put_place(n, p, ymd_at(&p->zone, now.wall_ms), o);
    json_object_set_new(o, "clock", clock_json(n, &now));
    api_json(rq, 200, o);
}

void session_get(struct node *n, struct http_request *rq)
{
    const struct policy *p = policy_of(n, rq);

    if (p)
        answer(n, rq, p);
}

static bool is_place(const char *name)
{
    return strcmp(name, "library") == 0 || strcmp(name, "user_access") == 0 ||
           strcmp(name, "station") == 0;
}

static enum err change(struct session *s, const struct policy *p, const char *desk,
                       const json_t *body, struct errmsg *msg)
{
    uint32_t today = ymd_at(&p->zone, node_now().wall_ms);
    enum err e = ERR_OK;
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)body, name, v)
    {
        const char *text = json_string_value(v);

        if (strcmp(name, "block_list") == 0 && json_is_boolean(v))
            s->unchecked = json_is_true(v) ? 0 : today;
        else if (text == NULL)
            e = err_why(msg, ERR_INVALID, "bad_type", "", "%.40s has to be text in quotes", name);
        else if (strcmp(name, "staff") == 0)
            e = session_set_staff(s, text, msg);
        else if (strcmp(name, "due") == 0)
            e = session_set_due(s, p, text, today, msg);
        else if (is_place(name))
            e = session_set_place(s, p, desk, name, text, msg);
        else
            e = err_why(msg, ERR_INVALID, "unknown_field", "",
                        "there is no field of that name: %.40s", name);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

void session_put(struct node *n, struct http_request *rq, json_t *body)
{
    const struct policy *p = policy_of(n, rq);
    struct errmsg msg = { .text = "" };
    struct session s = n->session;
    enum err e;

    if (p == NULL) {
        json_decref(body);
        return;
    }
    e = change(&s, p, session_desk(n), body, &msg);
    json_decref(body);
    if (e == ERR_OK)
        e = session_keep(n, &s, &msg);
    if (e == ERR_OK)
        answer(n, rq, p);
    else
        api_error(n, rq, e, &msg);
}
