/* sip2_test.c - learning what a SIP2 server does by one loan that is undone at once. */
#include "sip2_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <sodium.h>

#include "sip2_link.h"

#define LOAN_DAYS 11 /* a period that no library has: tells whose due date it is */

enum sip2_fact { FACT_UNKNOWN, FACT_NO, FACT_YES };

struct sip2_facts {
    struct sip2_status status;
    bool has_clock;
    int64_t clock_off_s; /* the server's minus ours */
    /* ---- of a test loan ---- */
    bool loan_made, undone;  /* undone: the item was seen not to be on loan in the end */
    enum sip2_fact no_block; /* keeps the due date that the user was told */
    enum sip2_fact au;       /* the user's list of loans names barcodes */
    enum sip2_fact ah;       /* due dates can be read */
    enum sip2_fact renews;   /* a second checkout is booked as a renewal; NO: "already theirs" */
    enum sip2_fact not_out;  /* a check-in of what is not on loan is answered with yes */
    char problem[256];       /* why the test loan broke off; "" */
};

struct trial {
    struct sip2_link *l;
    const struct sip2_site *site;
    const char *item, *user;
    char now[SIP2_DATE + 1], due[SIP2_DATE + 1];
    uint32_t due_day;
    struct sip2_facts *f;
};

static enum sip2_fact fact(bool yes)
{
    return yes ? FACT_YES : FACT_NO;
}

/* One of the three, and its answer; false: lost, or not the answer to it. */
static bool tell(struct trial *t, unsigned kind, struct sip2_told *said, struct sip2_msg *m)
{
    const struct policy *p = t->site->policy;
    struct sip2_loan loan = { true,
                              t->now,
                              kind == RECORD_DISCHARGE ? t->now : t->due,
                              p->sip2.location,
                              p->sip2.institution,
                              t->user,
                              t->item };
    struct sip2_answer a;
    struct sip2_ask ask;
    struct buf b = { 0 };
    bool good;

    loan.no_block = p->sip2.no_block;
    good = sip2_put_loan(&b, kind, &loan) == ERR_OK && !b.failed &&
           sip2_ask_of((const char *)b.p, b.len, &ask, NULL) == ERR_OK &&
           sip2_link_ask(t->l, &b, &a) == SIP2_GOT_ANSWER;
    buf_wipe(&b);
    if (!good)
        return false;
    sip2_judge(&ask, a.seq, false, a.p, a.n, said);
    return said->next != SIP2_LOST && sip2_parse(a.p, a.n, m, NULL) == ERR_OK;
}

static bool broke(struct trial *t, const char *what, const char *words)
{
    snprintf(t->f->problem, sizeof t->f->problem, "%s%s%.150s", what, words[0] ? ": " : "", words);
    return false;
}

static bool may_lend(struct trial *t)
{
    struct sip2_msg m;
    struct sip2_field bl;

    if (sip2_link_item(t->l, t->site->policy, t->item, &m) != SIP2_GOT_ANSWER)
        return broke(t, "the server does not tell where the item is", "");
    if (sip2_place_of(&m) != SIP2_IN)
        return broke(t, "the item must be known to the server and not be on loan", "");
    if (sip2_link_patron(t->l, t->site->policy, t->user, 1, &m) != SIP2_GOT_ANSWER)
        return broke(t, "the server does not tell about the user", "");
    if (sip2_find(&m, "BL", &bl) && bl.n > 0 && !sip2_is(&m, "BL", "Y"))
        return broke(t, "the server does not know the user", "");
    return true;
}

static bool lend(struct trial *t)
{
    struct sip2_told said;
    struct sip2_msg m;
    uint32_t due;

    t->f->loan_made = true; /* from here on it may be so, whatever comes back */
    if (!tell(t, RECORD_CHECKOUT, &said, &m))
        return broke(t, "the answer to the test loan was lost", "");
    if (m.fixed[0] != '1') {
        t->f->loan_made = false;
        return broke(t, "the server refused the test loan", said.words);
    }
    due = sip2_due(&m);
    t->f->ah = fact(due != 0);
    if (due != 0)
        t->f->no_block = fact(due == t->due_day);
    return true;
}

/* A look at the loan, as after a lost answer. */
static void look(struct trial *t)
{
    struct sip2_ask ask = { .kind = RECORD_CHECKOUT };
    struct sip2_seen seen = { .place = SIP2_OUT };
    struct sip2_msg m;

    snprintf(ask.item, sizeof ask.item, "%s", t->item);
    for (unsigned from = 1; from < 20 * SIP2_PAGE; from += SIP2_PAGE) {
        if (sip2_link_patron(t->l, t->site->policy, t->user, from, &m) != SIP2_GOT_ANSWER)
            return;
        if (!sip2_see_page(&ask, &m, &seen))
            break;
    }
    t->f->au = fact(seen.has_it);
}

static void lend_again(struct trial *t)
{
    struct sip2_told said;
    struct sip2_msg m;

    if (tell(t, RECORD_CHECKOUT, &said, &m) && (m.fixed[0] == '1' || m.fixed[1] == 'Y'))
        t->f->renews = fact(m.fixed[0] == '1');
}

/* Whatever happened before: the item goes back, on a new connection if need be. */
static bool take_back(struct trial *t)
{
    struct sip2_told said;
    struct sip2_msg m;
    char words[256];

    for (unsigned i = 0; i < 3 && !t->f->undone; i++) {
        if (!sip2_link_is_open(t->l) && sip2_link_open(t->l, t->site, words) != DELIVERY_DONE)
            continue;
        if (!tell(t, RECORD_DISCHARGE, &said, &m) && !sip2_link_is_open(t->l) &&
            sip2_link_open(t->l, t->site, words) != DELIVERY_DONE)
            continue;
        t->f->undone = sip2_link_item(t->l, t->site->policy, t->item, &m) == SIP2_GOT_ANSWER &&
                       sip2_place_of(&m) == SIP2_IN;
    }
    return t->f->undone;
}

static void take_back_again(struct trial *t)
{
    struct sip2_told said;
    struct sip2_msg m;

    if (tell(t, RECORD_DISCHARGE, &said, &m))
        t->f->not_out = fact(m.fixed[0] == '1');
}

static bool try_loan(struct sip2_link *l, const struct sip2_site *site, const char *item,
                     const char *user, struct sip2_facts *f)
{
    struct trial t = { .l = l, .site = site, .item = item, .user = user, .f = f };
    const struct zone *z = &site->policy->zone;
    int64_t now = time(NULL);

    sip2_date(z, now, t.now);
    sip2_date(z, now + LOAN_DAYS * 86400, t.due);
    memcpy(t.due + 12, "235959", 6);
    t.due_day = ymd_at(z, (now + LOAN_DAYS * 86400) * 1000);
    if (!may_lend(&t))
        return false;
    if (lend(&t)) {
        look(&t);
        if (sip2_link_is_open(l))
            lend_again(&t);
    }
    if (!f->loan_made)
        return false;
    if (take_back(&t))
        take_back_again(&t);
    else if (f->problem[0] == '\0')
        broke(&t, "the server did not take the item back", "");
    return f->problem[0] == '\0';
}

/* ---- saying it ---- */

static json_t *fact_json(enum sip2_fact f)
{
    return f == FACT_UNKNOWN ? json_null() : json_boolean(f == FACT_YES);
}

static json_t *facts_json(const struct sip2_facts *f)
{
    return json_pack("{s:s, s:s, s:o, s:b, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:s?}",
                     "version", f->status.version, "supports", f->status.supports, "timeout_s",
                     f->status.timeout_ds == 999 ? json_null()
                                                 : json_real(f->status.timeout_ds / 10.0),
                     "offline_ok", f->status.offline, "clock_off_s",
                     f->has_clock ? json_integer(f->clock_off_s) : json_null(), "loan_made",
                     f->loan_made, "undone", f->undone, "no_block_honoured", fact_json(f->no_block),
                     "au_usable", fact_json(f->au), "due_dates_readable", fact_json(f->ah),
                     "second_checkout_renews", fact_json(f->renews), "check_in_of_returned_ok",
                     fact_json(f->not_out), "problem", f->problem[0] ? f->problem : NULL);
}

static void say(struct buf *out, enum sip2_fact f, const char *yes, const char *no)
{
    if (f != FACT_UNKNOWN)
        buf_printf(out, "%s\n", f == FACT_YES ? yes : no);
}

static void say_clock(const struct sip2_facts *f, struct buf *out)
{
    int64_t off = f->clock_off_s < 0 ? -f->clock_off_s : f->clock_off_s;

    if (!f->has_clock)
        buf_text(out, "Its clock cannot be read.\n");
    else if (off > SIP2_CLOCK_WARN_S)
        buf_printf(out,
                   "Its clock is %lld min %s this desk's: set the clocks right, or check [branch] "
                   "zone.\n",
                   (long long)(off / 60), f->clock_off_s < 0 ? "behind" : "ahead of");
    else
        buf_printf(out, "Its clock is within %lld s of this desk's.\n", (long long)off);
}

static void facts_words(const struct sip2_facts *f, struct buf *out)
{
    buf_printf(out, "It speaks SIP %s", f->status.version);
    if (f->status.timeout_ds != 999)
        buf_printf(out, " and wants an answer to take %u.%u s at most", f->status.timeout_ds / 10,
                   f->status.timeout_ds % 10);
    buf_text(out, ".\n");
    say_clock(f, out);
    if (!sip2_supports(&f->status, 14))
        buf_text(out, "It says that it takes no renewals (29): they will be refused.\n");
    say(out, f->no_block, "It keeps the due date that the user was told.",
        "It computes its own due date, whatever the user was told: such loans will be listed as "
        "deviating.");
    say(out, f->ah, "Its due dates can be read.",
        "Its due dates cannot be read: renewals whose answer is lost will be exceptions.");
    say(out, f->au, "A user's list of loans names barcodes.",
        "A user's list of loans names no barcodes: checkouts whose answer is lost will be sent "
        "again, renewals will be exceptions. Set au_usable = no in [sip2].");
    say(out, f->renews,
        "A second checkout to the same user is booked as a renewal: harmless after a lost answer, "
        "but counted.",
        "A second checkout to the same user is answered with \"already theirs\".");
    say(out, f->not_out, "A return of what is not on loan is answered with yes.",
        "A return of what is not on loan is answered with no: it counts as already there.");
    if (f->problem[0] != '\0')
        buf_printf(out, "The test broke off: %s.\n", f->problem);
    if (f->loan_made && f->undone)
        buf_text(out, "The test loan was made and taken back.\n");
    else if (f->loan_made)
        buf_text(out,
                 "THE TEST LOAN MAY STILL BE THERE: look the item up in the library system and "
                 "return it.\n");
}

/* ---- coming to the server, and keeping what it said ---- */

static enum err keep(const char *state_dir, const struct sip2_site *site, struct sip2_report *r,
                     struct errmsg *msg)
{
    char dir[4096 + 16], aside[4400 + 8];

    snprintf(dir, sizeof dir, "%.4000s/servers", state_dir);
    snprintf(r->path, sizeof r->path, "%s/%s-%u.json", dir, site->url.host, site->port);
    snprintf(aside, sizeof aside, "%s.new", r->path);
    if ((mkdir(dir, 0700) != 0 && errno != EEXIST) ||
        json_dump_file(r->facts, aside, JSON_INDENT(2)) != 0 || chmod(aside, 0600) != 0 ||
        rename(aside, r->path) != 0)
        return err_set(msg, ERR_DISK, "cannot write %.200s: %s", r->path, strerror(errno));
    return ERR_OK;
}

static enum err try_server(struct sip2_link *l, const struct sip2_site *site, const char *item,
                           const char *user, struct sip2_facts *f, struct errmsg *msg)
{
    char words[256];
    enum delivery d = sip2_link_open(l, site, words);

    if (d != DELIVERY_DONE)
        return err_set(msg,
                       d == DELIVERY_DENIED ? ERR_DENIED
                       : d == DELIVERY_STOP ? ERR_CONFIG
                                            : ERR_OFFLINE,
                       "%s", words);
    f->status = *sip2_link_status(l);
    f->has_clock = sip2_clock_off(&f->status, &site->policy->zone, time(NULL), &f->clock_off_s);
    if (item != NULL)
        (void)try_loan(l, site, item, user, f);
    sip2_link_close(l, true);
    return ERR_OK;
}

enum err sip2_test(const char *state_dir, const struct policy *p, const char *item,
                   const char *user, struct sip2_report *out, struct errmsg *msg)
{
    struct sip2_link *l = sip2_link_new();
    struct sip2_facts f = { .problem = "" };
    struct sip2_site site;
    enum err e = l ? ERR_OK : err_set(msg, ERR_NOMEM, "out of memory");

    memset(out, 0, sizeof *out);
    if (e == ERR_OK && strncmp(p->sink, "sip2:", 5) != 0 && strncmp(p->sink, "sip2s:", 6) != 0)
        e = err_why(msg, ERR_CONFIG, "no_sip2", "",
                    "the policy's sink is %.100s: only sip2:// and sip2s:// can be tested",
                    p->sink);
    if (e == ERR_OK)
        e = sip2_site_find(state_dir, p, p->sink, &site, msg);
    if (e == ERR_OK)
        e = try_server(l, &site, item, user, &f, msg);
    if (e == ERR_OK) {
        facts_words(&f, &out->words);
        out->broke_off = f.problem[0] != '\0';
        out->facts = facts_json(&f);
        if (out->words.failed || !out->facts ||
            json_object_set_new(out->facts, "schema", json_integer(1)) != 0 ||
            json_object_set_new(out->facts, "server", json_string(p->sink)) != 0)
            e = err_set(msg, ERR_NOMEM, "out of memory");
    }
    if (e == ERR_OK)
        e = keep(state_dir, &site, out, msg);
    sodium_memzero(&site, sizeof site);
    sip2_link_free(l);
    return e;
}

void sip2_report_free(struct sip2_report *r)
{
    json_decref(r->facts);
    buf_free(&r->words);
    memset(r, 0, sizeof *r);
}
