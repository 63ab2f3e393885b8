/* policy_check.c - what a policy would run into at this branch, told to whoever publishes it: desks
 * that the format knows no number of, numbers of desks that are none, a folder that is not there.
 *
 * Remarks, not refusals: a desk may join tomorrow, and a share may be mounted tonight. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "credential.h"
#include "delivery.h"
#include "export.h"
#include "lead_int.h"
#include "policy_check.h"

#include "losses.h"

/* "" if the sink is no folder. */
static const char *folder_of(const char *sink, char desk[DESK_NAME_MAX + 1])
{
    const char *path = "";

    desk[0] = 0;
    if (strncmp(sink, "file:", 5) == 0)
        return sink + 5;
    return sink_place(sink, desk, &path) ? path : "";
}

void policy_look(const char *text, char remark[POLICY_REMARK_MAX])
{
    struct policy *p = malloc(sizeof *p);
    char desk[DESK_NAME_MAX + 1];
    const char *path = "";
    struct stat st;

    remark[0] = 0;
    if (p && policy_parse(text, strlen(text), p, NULL) == ERR_OK)
        path = folder_of(p->sink, desk);
    if (*path && stat(path, &st) != 0)
        snprintf(remark, POLICY_REMARK_MAX, "the folder %.120s is not to be had on this desk: %s",
                 path, strerror(errno));
    else if (*path && !S_ISDIR(st.st_mode))
        snprintf(remark, POLICY_REMARK_MAX, "%.120s is no folder on this desk", path);
    else if (*path && access(path, W_OK | X_OK) != 0)
        snprintf(remark, POLICY_REMARK_MAX, "this desk may not write to the folder %.120s", path);
    free(p);
}

static void add(json_t *all, const char *code, const char *desk, const char *message)
{
    json_array_append_new(
        all, json_pack("{s:s, s:s, s:s}", "code", code, "desk", desk, "message", message));
}

static void check_desks(const struct roster *r, const struct policy *p, json_t *all)
{
    const struct format *f = format_by_name(p->format);
    char text[POLICY_REMARK_MAX];

    for (unsigned i = 0; f && f->desk_lacks && i < roster_desks(r); i++) {
        const struct desk *d = roster_desk(r, i);
        const char *what = d->state == DESK_ACTIVE ? f->desk_lacks(p, d->joined) : NULL;

        if (!what)
            continue;
        snprintf(text, sizeof text,
                 "%s has no %s. Until then no upload that has a record of this desk can begin",
                 d->joined, what + (strncmp(what, "a ", 2) == 0 ? 2 : 0));
        add(all, "desk_lacks", d->joined, text);
    }
}

/* Whoever left counts, too: what was recorded there still goes under its number. */
static bool ever_joined(const struct roster *r, const char *name)
{
    for (unsigned i = 0; i < roster_desks(r); i++)
        if (strcmp(roster_desk(r, i)->joined, name) == 0)
            return true;
    return false;
}

static void check_table(const struct roster *r, const struct desk_number *table, unsigned n,
                        const char *section, json_t *all)
{
    char text[POLICY_REMARK_MAX];

    for (unsigned i = 0; i < n; i++) {
        if (ever_joined(r, table[i].desk))
            continue;
        snprintf(text, sizeof text, "no desk joined as %s, which stands in [%s]", table[i].desk,
                 section);
        add(all, "no_such_desk", table[i].desk, text);
    }
}

json_t *policy_remarks(const struct node *n, const struct policy *p, const char *folder)
{
    const struct roster *r = core_roster(n->core);
    const struct desk *me = roster_find(r, &n->me.id);
    char desk[DESK_NAME_MAX + 1], words[LOSS_SENTENCE_MAX], lacks[256];
    json_t *all = json_array();

    check_desks(r, p, all);
    if (strcmp(p->format, format_symphony.name) == 0)
        check_table(r, p->symphony.station, p->symphony.n_stations, "stations", all);
    if (strcmp(p->format, format_sierra.name) == 0)
        check_table(r, p->sierra.group, p->sierra.n_groups, "groups", all);
    folder_of(p->sink, desk);
    if (*folder && (desk[0] == 0 || (me && strcmp(desk, me->joined) == 0)))
        add(all, "folder", "", folder);
    credential_lacks(n->dir, p, lacks);
    if (*lacks)
        add(all, "credential", "", lacks);
    if (format_unverified_words(p, words))
        add(all, "unverified", "", words);
    return all;
}
