/* status_problems.c - what is wrong and what a person does about it, for the status. */
#include <stdio.h>

#include "credential.h"
#include "keys.h"
#include "node_int.h"

/* Borrowed: what the sentence has in it, for pages in other languages, is put there. */
static json_t *add_problem(json_t *all, const char *code, const char *desk, const char *text)
{
    json_t *p = json_pack("{s:s, s:s}", "code", code, "message", text);

    if (desk)
        json_object_set_new(p, "desk", json_string(desk));
    json_array_append_new(all, p);
    return p;
}

#define REFUSED_MANY 10 /* messages; one or two may come of a fork in good faith */

static void peer_problems(const struct node *n, const struct moment *now, json_t *all)
{
    char text[256];

    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view v;
        const char *name;
        core_peer_view(n->core, now, i, &v);
        name = status_desk_name(n, &v.id);
        if (v.state == PEER_UNREACHABLE && v.ever_heard && v.silent_ms >= n->conf.away_after_ms) {
            snprintf(text, sizeof text, "%s has not been seen for %llu s; it may hold more", name,
                     (unsigned long long)v.silent_ms / 1000);
            json_object_set_new(add_problem(all, "peer_away", name, text), "silent_s",
                                json_integer((json_int_t)v.silent_ms / 1000));
        }
        if (v.memory_lost && v.state != PEER_REVOKED && v.state != PEER_RETIRED) {
            snprintf(
                text, sizeof text,
                v.restorable
                    ? "%s started with an older disk than the branch remembers: its copies and "
                      "its vote do not count. A lead gives them back: tideover restore-seat %s"
                    : "%s started with an older disk than the branch remembers: its copies and "
                      "its vote do not count. A lead can give them back once it is on and has "
                      "its own records again (tideover restore-seat %s)",
                name, name);
            add_problem(all, "peer_memory_lost", name, text);
        }
        if (v.cloned) {
            snprintf(text, sizeof text,
                     "two PCs run as %s, as after a restored backup: stop the one that is not to "
                     "be it",
                     name);
            add_problem(all, "peer_cloned", name, text);
        }
        if (v.refused >= REFUSED_MANY && v.state != PEER_REVOKED) {
            snprintf(text, sizeof text,
                     "%llu of its messages were refused, as no honest desk sends them: its program "
                     "is another version, or somebody lies with its keys; look at that PC, and if "
                     "it is not yours any more: tideover revoke %s",
                     (unsigned long long)v.refused, name);
            json_object_set_new(add_problem(all, "peer_refused", name, text), "messages",
                                json_integer((json_int_t)v.refused));
        }
        if (v.inbound_only && now->boot_ms - n->started_ms > PEER_AWAY_MS)
            add_problem(all, "peer_inbound_blocked", name,
                        "it reaches us, we do not reach it: look at its firewall and address");
    }
}

static void override_problems(const struct ledger_view *l, json_t *all)
{
    char text[256];

    if (l->doubled > 0) {
        snprintf(text, sizeof text,
                 "%llu records may have reached the server twice, before and after an override: "
                 "tideover upload overlaps",
                 (unsigned long long)l->doubled);
        add_problem(all, "sent_twice", NULL, text);
    }
    if (l->behind) {
        snprintf(text, sizeof text,
                 "this desk follows an override that rests on upload %llu, and waits for it from "
                 "another desk",
                 (unsigned long long)l->base);
        add_problem(all, "override_behind", NULL, text);
    }
}

static void store_problem(const struct node *n, json_t *all)
{
    char text[256], aside[80];

    if (!damage_lies_here(n->dir, aside))
        return;
    snprintf(
        text, sizeof text,
        "the store of this desk was damaged and lies in %s. A new one was filled from the other "
        "desks; what no other desk had is only in the damaged one. Delete that folder when "
        "nothing is missed",
        aside);
    json_object_set_new(add_problem(all, "store_damaged", NULL, text), "folder",
                        json_string(aside));
}

static void credential_problem(const struct node *n, json_t *all)
{
    const struct policy *p = roster_policy(core_roster(n->core));
    char words[256];

    if (!p)
        return;
    credential_lacks(n->dir, p, words);
    if (words[0])
        add_problem(all, "credential_missing", NULL, words);
}

/* What this desk may no longer do in the branch, or not yet. */
static void standing_problems(const struct node *n, const struct moment *now,
                              const struct core_view *v, json_t *all)
{
    if (v->revoked)
        add_problem(
            all, "revoked", NULL,
            "this desk was revoked: it is no longer part of the branch and records nothing. "
            "Ask a lead; to use this PC again, join with a new code under another --state");
    if (v->quarantined > 0)
        add_problem(
            all, "quarantined", NULL,
            "records of a revoked desk, or of one that signed two histories, wait for a lead: "
            "tideover quarantine list");
    if (v->retired)
        add_problem(
            all, "retired", NULL,
            v->replicated == v->local
                ? "this desk was retired, and other desks have all its records: this PC can "
                  "go"
                : "this desk was retired and records no more; leave it on until other desks "
                  "have all its records");
    if (v->memory_lost)
        add_problem(
            all, "memory_lost", NULL,
            "this desk forgot what the others remember of it: it was restored from a backup, "
            "its disk was set back or damaged, or another PC runs with its keys. It "
            "records, but has no vote and its copies do not count");
    if (v->memory_lost && v->restorable)
        add_problem(all, "vote_restorable", NULL,
                    "it has its own records again: a lead gives it its vote back with tideover "
                    "restore-seat");
    if (!v->mark_confirmed && !v->memory_lost && !v->revoked && !v->retired &&
        ledger_is_seat(core_ledger(n->core), &n->me.id) &&
        now->boot_ms - n->started_ms > PEER_AWAY_MS)
        add_problem(all, "vote_waits", NULL,
                    "this desk was restarted and has no vote in an upload until enough other desks "
                    "with a seat have been on at the same time once");
}

json_t *status_problems(const struct node *n, const struct moment *now)
{
    json_t *all = json_array();
    struct core_view v;
    struct ledger_view l;
    char text[256];

    core_view(n->core, now, &v);
    core_ledger_view(n->core, now, &l);
    if (n->stopped)
        add_problem(all, "not_saving", NULL, n->stop_reason);
    standing_problems(n, now, &v, all);
    if (v.contested)
        add_problem(all, "contested", NULL,
                    "two leads worked apart from each other and not all they did could stand: look "
                    "at \"tideover roster conflicts\"");
    if (core_lead_key_is_old(n->core))
        add_problem(all, "lead_key_old", NULL,
                    "the lead's passphrase was changed, or a new lead key made, at another desk: "
                    "this desk gets it once it meets a lead desk that has it");
    store_problem(n, all);
    credential_problem(n, all);
    if (clock_warning(n, now, text))
        add_problem(all, "clock_off", NULL, text);
    if (n->keyboard) {
        snprintf(text, sizeof text,
                 "this PC's keyboard layout does not suit its scanner: the last scan came through "
                 "%s and was understood; set the layout to US, or the scanner to this one",
                 n->keyboard);
        json_object_set_new(add_problem(all, "keyboard_layout", NULL, text), "layout",
                            json_string(n->keyboard));
    }
    if (blocklist_is_old(n, text))
        json_object_set_new(add_problem(all, "block_list_old", NULL, text), "days",
                            json_integer(blocklist_age_days(n)));
    if (keys_root_is_here(n->dir))
        add_problem(all, "root_key_here", NULL,
                    "the branch root key still lies on this PC: move root-key-backup off it");
    if (l.problem[0])
        add_problem(all,
                    l.trouble == TROUBLE_DENIED ? "login_refused"
                    : l.stopped                 ? "upload_stopped"
                                                : "upload_waits",
                    NULL, l.problem);
    override_problems(&l, all);
    peer_problems(n, now, all);
    return all;
}
