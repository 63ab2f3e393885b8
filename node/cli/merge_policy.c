/* merge_policy.c - zone, rules and profile of a merge: of a policy file, of this PC, of the files.
 */
#include "merging.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zonefile.h"

/* This PC's zone by name: TZ, or where /etc/localtime points. */
static const char *zone_of_pc(char out[64])
{
    const char *tz = getenv("TZ"), *name;
    char link[256];
    ssize_t n;

    if (tz != NULL && *tz == ':')
        tz++;
    if (tz != NULL && *tz != 0 && strlen(tz) < 64) {
        snprintf(out, 64, "%s", tz);
        return out;
    }
    n = readlink("/etc/localtime", link, sizeof link - 1);
    if (n > 0) {
        link[n] = 0;
        name = strstr(link, "/zoneinfo/");
        if (name != NULL && strlen(name + 10) < 64) {
            snprintf(out, 64, "%s", name + 10);
            return out;
        }
    }
    return "UTC";
}

static enum err take_zone(struct merging *m, const char *name, const char *from, struct errmsg *msg)
{
    char rule[ZONE_RULE_MAX + 1];
    enum err e = zonefile_rule(ZONEFILE_DIR, name, rule, msg);

    if (e == ERR_OK)
        e = zone_parse(rule, &m->policy.zone, msg);
    snprintf(m->policy.zone_name, sizeof m->policy.zone_name, "%s", name);
    snprintf(m->zone_from, sizeof m->zone_from, "%s", from);
    return e;
}

static int default_policy(struct merging *m)
{
    struct buf text = { 0 };
    struct errmsg msg;
    char pc[64];
    enum err e;

    policy_default_text("FILES", "UTC", "UTC0", &text);
    e = policy_parse((const char *)text.p, text.len, &m->policy, &msg);
    buf_free(&text);
    if (e == ERR_OK)
        e = take_zone(m, zone_of_pc(pc), "of this PC", &msg);
    m->policy.discharges = DISCHARGES_EXPORT; /* somebody else's, and somebody asked for them */
    m->policy.symphony.library[0] = 0;
    return e == ERR_OK ? 0 : cli_err(m->c, e, &msg);
}

int merge_policy(struct merging *m)
{
    const char *path = m->c->value[OPT_POLICY], *zone = m->c->value[OPT_ZONE];
    struct errmsg msg = { .text = "" };
    enum err e = ERR_OK;
    int rc;

    if (path == NULL) {
        rc = default_policy(m);
    } else {
        struct buf text = { 0 };
        rc = policy_load(m->c, path, &text);
        if (rc == 0)
            e = policy_parse((const char *)text.p, text.len, &m->policy, &msg);
        buf_free(&text);
        m->has_policy = true;
        snprintf(m->zone_from, sizeof m->zone_from, "of the policy");
    }
    if (rc == 0 && e == ERR_OK && zone != NULL)
        e = take_zone(m, zone, "as given", &msg);
    if (rc == 0 && e == ERR_OK && m->to != NULL) {
        snprintf(m->policy.format, sizeof m->policy.format, "%s", m->to->name);
        if (m->to == &format_ldflat) /* whoever asks for the users' file wants users in it */
            m->policy.symphony.registration = REGISTRATION_FLAT;
        if (m->to->needs != NULL && m->to != &format_symphony)
            e = m->to->needs(&m->policy, &msg);
        if (e != ERR_OK && !m->has_policy) {
            struct errmsg said = msg;
            err_set(&msg, e, "%s; write it into a file and give that as --policy", said.text);
        }
    }
    return rc != 0 || e == ERR_OK ? rc : cli_err(m->c, e, &msg);
}

/* ---- Symphony: whose log it is stands in the log ---- */

static int one_library(const struct merging *m, const char *library, const char *of)
{
    for (unsigned i = 0; i < m->n_in; i++) {
        const struct symphony_seen *s = &m->in[i].seen;
        if (s->library_differs)
            return cli_fail(m->c, err_exit(ERR_INVALID), "several_libraries",
                            "%s is of several libraries: merge each by itself", m->in[i].path);
        if (s->library[0] != 0 && strcmp(s->library, library) != 0)
            return cli_fail(m->c, err_exit(ERR_INVALID), "several_libraries",
                            "%s is of library %s, %s says %s: merge each by itself", m->in[i].path,
                            s->library, of, library);
    }
    return 0;
}

static void take(char *to, size_t room, const char *seen)
{
    if (seen[0] != 0)
        snprintf(to, room, "%s", seen);
}

/* Without a policy the log goes on as its stations wrote it. */
static int adopt_profile(struct merging *m)
{
    struct symphony_profile *p = &m->policy.symphony;
    uint64_t users = 0, flat = 0;
    int first = -1;

    for (unsigned i = 0; i < m->n_in; i++) {
        if (first < 0 && m->in[i].seen.library[0] != 0)
            first = (int)i;
        if (m->in[i].format == &format_symphony)
            users += m->in[i].kinds[RECORD_USER];
        else
            flat += m->in[i].kinds[RECORD_USER];
    }
    if (first < 0)
        return cli_fail(m->c, err_exit(ERR_CONFIG), "config",
                        "nothing says for which library this log is: give a policy with library "
                        "in [symphony]");
    take(p->library, sizeof p->library, m->in[first].seen.library);
    take(p->user_access, sizeof p->user_access, m->in[first].seen.user_access);
    take(p->staff_login, sizeof p->staff_login, m->in[first].seen.staff_login);
    take(p->clearance, sizeof p->clearance, m->in[first].seen.clearance);
    take(p->client, sizeof p->client, m->in[first].seen.client);
    if (users > 0 && flat == 0)
        p->registration = REGISTRATION_JY; /* they came in the log, and have no addresses */
    return one_library(m, p->library, m->in[first].path);
}

/* Stations keep the numbers that the files give them. */
static int map_stations(struct merging *m)
{
    struct symphony_profile *p = &m->policy.symphony;
    const char *given = m->c->value[OPT_STATION];
    char *end;

    if (given != NULL) {
        unsigned long n = strtoul(given, &end, 10);
        if (*given < '0' || *given > '9' || *end != 0 || n < 1 || n > 9999)
            return cli_usage(m->c, "a station is a number from 1 to 9999");
        p->default_station = (unsigned)n;
    }
    for (unsigned i = 0; i < pool_desks(m->pool); i++) {
        const char *name = pool_desk(m->pool, i);
        unsigned long n = strtoul(name, &end, 10);
        unsigned k = 0;
        while (k < p->n_stations && strcmp(p->station[k].desk, name) != 0)
            k++;
        if (k < p->n_stations || *name < '0' || *name > '9' || *end != 0 || n < 1 || n > 9999)
            continue;
        if (p->n_stations == POLICY_STATIONS)
            return cli_fail(m->c, err_exit(ERR_FULL), "full", "more than %d stations",
                            POLICY_STATIONS);
        snprintf(p->station[k].desk, sizeof p->station[k].desk, "%s", name);
        p->station[k].number = (unsigned)n;
        p->n_stations++;
    }
    return 0;
}

int merge_stations(struct merging *m)
{
    int rc = 0;

    if (m->to == &format_symphony) {
        rc = m->has_policy ? one_library(m, m->policy.symphony.library, "the policy")
                           : adopt_profile(m);
        if (rc == 0)
            rc = map_stations(m);
    }
    for (unsigned i = 0; rc == 0 && m->to->desk_lacks != NULL && i < pool_desks(m->pool); i++) {
        const char *name = pool_desk(m->pool, i), *lacks = m->to->desk_lacks(&m->policy, name);
        if (lacks == NULL)
            continue;
        if (m->to == &format_symphony)
            return cli_fail(m->c, err_exit(ERR_CONFIG), "no_station",
                            "%s%s%s no station number: give one with --station, or a policy with "
                            "[stations]",
                            *name != 0 ? "station \"" : "some lines name no station, and there is",
                            name, *name != 0 ? "\" has" : "");
        return cli_fail(m->c, err_exit(ERR_CONFIG), "config", "\"%s\" lacks %s (--policy FILE)",
                        name, lacks);
    }
    return rc;
}
