/* policy.c - the branch's policy: what it is where the text says nothing, what follows from other
 * keys, and what the desks ask of it. */
#include "policy_int.h"

#include <string.h>

#include "format.h"

static void set_defaults(struct policy *p)
{
    *p = (struct policy){
        .rules = POLICY_RULES,
        .user_pattern = "2[0-9]{13}",
        .item_pattern = "3[0-9]{13}",
        .check_digit = DIGIT_MOD10,
        .user_digit = DIGIT_BY_BRANCH,
        .item_digit = DIGIT_BY_BRANCH,
        .double_scan_ms = 5000,
        .same_event_ms = 60000,
        .clock_warn_ms = 5000,
        .probe = "none",
        .probe_backup = "none",
        .offline_after = 3,
        .back_after = 5,
        .sink = "none",
        .access = { .proxy = "none" },
        .format = "symphony",
        .quiet_ms = QUIET_BY_CLASS,
        .keep_days = 30,
        .practice_days = 1,
        .unconfirmed_days = POLICY_NEVER,
        .blocklist_warn_ms = 7 * 24 * HOUR_MS,
        .evergreen = { .registration = true },
        .symphony = { .user_access = "OFFLINE",
                      .clearance = "NONE",
                      .client = "3",
                      .header = true,
                      .trailer = true,
                      .due_code = "CF",
                      .due_time = "23:59",
                      .user_profile = "ADULT",
                      .user_language = "ENGLISH",
                      .user_environment = "PUBLIC",
                      .user_hist_rule = "CIRCRULE",
                      .user_years = 2,
                      .address_tag = { "STREET", "CITY/STATE", "ZIP", "PHONE", "EMAIL" } },
        .sip2 = { .language = "000", .login = true, .no_block = true },
        .alma = { .item_width = 80 },
        .aleph = { .item_width = 80 },
        .sierra = { .due_time = "23:59" },
        .evergreen_service = { .patience_ms = 600000 },
        .koha_service = { .pending = true },
    };
    /* No offset is 26 hours: tells that zone_rule was left out. */
    p->zone.std_off_s = 26 * 3600;
}

#define SAMPLES 200 /* a check digit is right once in ten */

static unsigned make_up(const struct policy *p, bool user, unsigned from, char out[BARCODE_MAX + 1])
{
    const char *pattern = user ? p->user_pattern : p->item_pattern;
    enum check_digit digit = user ? p->user_digit : p->item_digit;

    for (unsigned k = from; k < SAMPLES && pattern_sample(pattern, k, out); k++)
        if ((digit == DIGIT_NONE || mod10_is_valid(out)) && strcmp(out, p->practice_user) != 0)
            return k + 1;
    out[0] = 0;
    return SAMPLES;
}

static void make_up_numbers(struct policy *p)
{
    char user[BARCODE_MAX + 1];
    unsigned next;

    make_up(p, true, 0, user);
    memcpy(p->practice_user, user, sizeof user);
    next = make_up(p, false, 0, p->practice_item[0]);
    make_up(p, false, next, p->practice_item[1]);
}

/* Defaults that come from other keys, once all are read. */
static void derive(struct policy *p)
{
    struct symphony_profile *s = &p->symphony;

    _Static_assert(sizeof s->library >= sizeof p->code, "the code is the default library");
    _Static_assert(sizeof s->staff_login >= sizeof s->library + 4, "CIRC is appended to it");
    _Static_assert(sizeof p->koha_service.branchcode >= sizeof p->code, "the code is the default");
    policy_derive_due(&p->due);
    if (p->user_digit == DIGIT_BY_BRANCH)
        p->user_digit = p->check_digit;
    if (p->item_digit == DIGIT_BY_BRANCH)
        p->item_digit = p->check_digit;
    make_up_numbers(p);
    if (s->library[0] == 0)
        memcpy(s->library, p->code, sizeof p->code);
    if (p->probe_every_ms == 0) /* a login each time: gently */
        p->probe_every_ms = strncmp(p->probe, "sip2", 4) == 0 ? 30000 : 5000;
    if (p->sip2.institution[0] == 0)
        memcpy(p->sip2.institution, p->code, sizeof p->code);
    if (p->koha_service.branchcode[0] == 0)
        memcpy(p->koha_service.branchcode, p->code, sizeof p->code);
    if (s->staff_login[0] == 0) {
        size_t n = strlen(s->library);
        memcpy(s->staff_login, s->library, n);
        memcpy(s->staff_login + n, "CIRC", 5);
    }
}

/* Two fields of an address under one tag would be one field. */
static enum err check_tags(const struct policy *p, struct errmsg *msg)
{
    const struct symphony_profile *s = &p->symphony;

    for (unsigned i = 0; i < ADDRESS_TAGS; i++)
        for (unsigned k = 0; k < i; k++)
            if (strcmp(s->address_tag[i], s->address_tag[k]) == 0)
                return err_set(msg, ERR_CONFIG, "[symphony] has the tag %s for two fields",
                               s->address_tag[i]);
    return ERR_OK;
}

static enum err check_kinds(const struct policy *p, struct errmsg *msg)
{
    for (unsigned i = 0; i < p->n_pieces; i++)
        if (!p->piece[i].listed)
            return err_set(msg, ERR_CONFIG,
                           "[noncat] has a number for %s, which is none of the kinds in [scan] "
                           "no_barcode_kinds",
                           p->piece[i].name);
    return ERR_OK;
}

enum err policy_parse(const char *text, size_t n, struct policy *out, struct errmsg *msg)
{
    const struct format *f;
    struct policy p;
    enum err e;

    set_defaults(&p);
    if (n > POLICY_TEXT_MAX)
        return err_set(msg, ERR_CONFIG, "a policy has at most %d bytes", POLICY_TEXT_MAX);
    if ((e = policy_read(text, n, &p, msg)) != ERR_OK)
        return e;
    if (p.code[0] == 0)
        return err_set(msg, ERR_CONFIG, "the policy needs \"code\" in [branch]");
    if (p.zone_name[0] == 0)
        return err_set(msg, ERR_CONFIG, "the policy needs \"zone\" in [branch]");
    if (p.zone.std_off_s == 26 * 3600)
        return err_set(msg, ERR_CONFIG,
                       "the policy needs \"zone_rule\" in [branch], like EST5EDT,M3.2.0,M11.1.0");
    derive(&p);
    if ((e = check_kinds(&p, msg)) != ERR_OK || (e = check_tags(&p, msg)) != ERR_OK ||
        (e = policy_check_reach(&p, msg)) != ERR_OK)
        return e;
    f = format_by_name(p.format);
    if (f != NULL && f->needs != NULL && (e = f->needs(&p, msg)) != ERR_OK)
        return e;
    *out = p;
    return ERR_OK;
}

bool policy_has_library(const struct policy *p, const char *library)
{
    bool yes = library[0] == 0 || strcmp(library, p->symphony.library) == 0;

    for (unsigned i = 0; i < p->symphony.n_libraries && !yes; i++)
        yes = strcmp(p->symphony.other_library[i], library) == 0;
    return yes;
}

bool policy_has_user_access(const struct policy *p, const char *user_access)
{
    bool yes = user_access[0] == 0 || strcmp(user_access, p->symphony.user_access) == 0;

    for (unsigned i = 0; i < p->symphony.n_user_accesses && !yes; i++)
        yes = strcmp(p->symphony.other_user_access[i], user_access) == 0;
    return yes;
}

bool policy_has_station(const struct policy *p, const char *desk, unsigned station)
{
    bool yes = station == 0 || station == policy_station(p, desk);

    for (unsigned i = 0; i < p->symphony.n_other_stations && !yes; i++)
        yes = p->symphony.other_station[i] == station;
    return yes;
}

const struct piece_kind *policy_piece(const struct policy *p, const char *kind)
{
    size_t n = strlen(kind);

    for (unsigned i = 0; i < p->n_pieces; i++) {
        const char *name = p->piece[i].name;
        size_t k = 0;
        while (k < n && (kind[k] >= 'A' && kind[k] <= 'Z' ? kind[k] + 32 : kind[k]) == name[k])
            k++;
        if (k == n && name[k] == 0)
            return &p->piece[i];
    }
    return NULL;
}

uint32_t policy_quiet_ms(const struct policy *p, uint32_t of_class)
{
    return p->quiet_ms == QUIET_BY_CLASS ? of_class : p->quiet_ms;
}

static unsigned number_of(const struct desk_number *table, unsigned n, unsigned otherwise,
                          const char *desk)
{
    for (unsigned i = 0; i < n; i++)
        if (strcmp(table[i].desk, desk) == 0)
            return table[i].number;
    return otherwise;
}

unsigned policy_station(const struct policy *p, const char *desk)
{
    const struct symphony_profile *s = &p->symphony;

    return number_of(s->station, s->n_stations, s->default_station, desk);
}

unsigned policy_group(const struct policy *p, const char *desk)
{
    const struct sierra_profile *s = &p->sierra;

    return number_of(s->group, s->n_groups, s->default_group, desk);
}
