/* policy_keys.c - the keys of the policy: what each may be, and where it goes. Keys of [due] and
 * [closed] are in policy_due.c, those that name the probe and the sink in policy_reach.c. */
#include "policy_int.h"

#include <string.h>

#include "buf.h"
#include "format.h"

#define KEEP_DAYS_MAX 3650 /* ten years: longer than any library may keep loans */

static const char *const check_digit_words[] = { "none", "mod10", NULL };
static const char *const discharges_words[] = { "hold", "export", NULL };
static const char *const header_words[] = { "none", "E", NULL };
static const char *const eol_words[] = { "lf", "crlf", NULL };
static const char *const crlf_words[] = { "crlf", "lf", NULL };
static const char *const renewals_words[] = { "loan", "none", NULL };
static const char *const service_time_words[] = { "utc", "local", NULL };
static const char *const login_words[] = { "basic", "oauth", NULL };
static const char *const evergreen_registration_words[] = { "none", "xacts", NULL };
static const char *const registration_words[] = { "flat", "jy", "none", NULL };
static const char *const import_words[] = { "desk", "lead", NULL };
static const char *const override_words[] = { "no", "lead", NULL };
static const char *const au_words[] = { "auto", "yes", "no", NULL };

static bool made_of(const char *s, const char *chars)
{
    return s[strspn(s, chars)] == 0;
}

/* Branch and library codes become file names and log fields. */
static enum err read_code(const struct ini_key *row, const char *key, const char *value, void *into,
                          struct errmsg *msg)
{
    if (!made_of(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"))
        return err_set(msg, ERR_CONFIG, "only A-Z, 0-9, _ and - may stand in it");
    return ini_text(row, key, value, into, msg);
}

/* A fixed field of every line: what the log's grammar has no escape for is refused here. */
static enum err read_field(const struct ini_key *row, const char *key, const char *value,
                           void *into, struct errmsg *msg)
{
    for (const char *s = value; *s != 0; s++)
        if (*s == '^' || *s == '|' || (unsigned char)*s >= 0x7f)
            return err_set(msg, ERR_CONFIG, "only plain ASCII without ^ and | may stand in it");
    return ini_text(row, key, value, into, msg);
}

/* Of an address in a user file, as the site's policies name it. */
static enum err read_tag(const struct ini_key *row, const char *key, const char *value, void *into,
                         struct errmsg *msg)
{
    if (!made_of(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/-") ||
        strncmp(value, "USER_", 5) == 0)
        return err_set(msg, ERR_CONFIG,
                       "must be a tag like CITY/PROV: A-Z, 0-9, _, / and -, none that begins with "
                       "USER_");
    return ini_text(row, key, value, into, msg);
}

/* The next of "BUS, KIDS"; what follows it, NULL: there is none, or it has no room. */
static const char *next_of_list(const char *s, char *out, size_t room)
{
    size_t n;

    s += strspn(s, " ,");
    n = strcspn(s, ",");
    while (n > 0 && s[n - 1] == ' ')
        n--;
    if (n == 0 || n >= room)
        return NULL;
    memcpy(out, s, n);
    out[n] = 0;
    s += n;
    return s + strspn(s, " ,");
}

/* What a session may choose: libraries (min 'l'), user accesses ('a'), stations ('s'). */
static enum err read_others(const struct ini_key *row, const char *key, const char *value,
                            void *into, struct errmsg *msg)
{
    struct symphony_profile *s = &((struct policy *)into)->symphony;
    unsigned *n = row->min == 'l'   ? &s->n_libraries
                  : row->min == 'a' ? &s->n_user_accesses
                                    : &s->n_other_stations;
    char text[USER_ACCESS_MAX + 1];
    enum err e = ERR_OK;

    while (*value != 0 && e == ERR_OK) {
        struct ini_key one = { .room = row->min == 's' ? sizeof(unsigned) : row->room,
                               .min = 1,
                               .max = row->min == 's' ? STATION_MAX : 0 };
        value = next_of_list(value, text, sizeof text);
        if (value == NULL)
            return err_set(msg, ERR_CONFIG, "must be a list like A, B");
        if (*n == POLICY_OTHERS)
            return err_set(msg, ERR_CONFIG, "there is room for %d", POLICY_OTHERS);
        one.offset = row->min == 's' ? (size_t)((char *)&s->other_station[*n] - (char *)into)
                                     : row->offset + *n * row->room;
        ++*n;
        e = row->min == 'l'   ? read_code(&one, key, text, into, msg)
            : row->min == 'a' ? read_field(&one, key, text, into, msg)
                              : ini_unsigned(&one, key, text, into, msg);
    }
    return e;
}

static enum err read_zone_rule(const struct ini_key *row, const char *key, const char *value,
                               void *into, struct errmsg *msg)
{
    struct policy *p = into;

    (void)row, (void)key;
    return zone_parse(value, &p->zone, msg);
}

static enum err read_pattern(const struct ini_key *row, const char *key, const char *value,
                             void *into, struct errmsg *msg)
{
    if (!pattern_is_valid(value))
        return err_set(msg, ERR_CONFIG,
                       "a pattern is made of letters, digits, [0-9], {13} and {6,8}");
    return ini_text(row, key, value, into, msg);
}

static enum err read_format(const struct ini_key *row, const char *key, const char *value,
                            void *into, struct errmsg *msg)
{
    const struct format *f = format_by_name(value);
    char names[FORMAT_NAMES_MAX];

    if (f == NULL)
        return err_set(msg, ERR_CONFIG, "this version knows %s", format_names(true, names));
    if (!f->carries(into, RECORD_CHECKOUT))
        return err_set(msg, ERR_CONFIG, "%s does not carry loans", value);
    return ini_text(row, key, value, into, msg);
}

static enum err read_due_code(const struct ini_key *row, const char *key, const char *value,
                              void *into, struct errmsg *msg)
{
    if (strcmp(value, "CF") != 0 && strcmp(value, "WH") != 0)
        return err_set(msg, ERR_CONFIG, "must be CF or WH");
    return ini_text(row, key, value, into, msg);
}

static enum err read_due_time(const struct ini_key *row, const char *key, const char *value,
                              void *into, struct errmsg *msg)
{
    const char *d = "0123456789";
    bool good = strlen(value) == 5 && strspn(value, d) == 2 && value[2] == ':' &&
                strspn(value + 3, d) == 2 && strncmp(value, "23", 2) <= 0 && value[3] <= '5';

    if (*value != 0 && !good)
        return err_set(msg, ERR_CONFIG, "must be a time like 23:59, or empty for none");
    return ini_text(row, key, value, into, msg);
}

/* SIP2's values end with a bar, and nobody agrees on letters beyond ASCII. */
static enum err read_language(const struct ini_key *row, const char *key, const char *value,
                              void *into, struct errmsg *msg)
{
    if (strlen(value) != 3 || !made_of(value, "0123456789"))
        return err_set(msg, ERR_CONFIG, "must be three digits, as 001 for English");
    return ini_text(row, key, value, into, msg);
}

static enum err read_canary(const struct ini_key *row, const char *key, const char *value,
                            void *into, struct errmsg *msg)
{
    if (!barcode_is_clean(value))
        return err_set(msg, ERR_CONFIG, "must be the barcode of an item that the server knows");
    return ini_text(row, key, value, into, msg);
}

static enum err read_unconfirmed(const struct ini_key *row, const char *key, const char *value,
                                 void *into, struct errmsg *msg)
{
    struct ini_key days = *row;

    if (strcmp(value, "never") == 0) {
        ((struct policy *)into)->unconfirmed_days = POLICY_NEVER;
        return ERR_OK;
    }
    if (ini_unsigned(&days, key, value, into, msg) == ERR_OK)
        return ERR_OK;
    return err_set(msg, ERR_CONFIG, "must be never, or days from 0 to %d", KEEP_DAYS_MAX);
}

/* A row of a table by desks: the key is a desk's name, the value a number. */
static enum err read_number(const char *key, const char *value, void *into,
                            struct desk_number *table, unsigned *n, struct errmsg *msg)
{
    struct ini_key number = { .offset = 0, .room = sizeof(unsigned), .min = 1, .max = 9999 };

    if (strlen(key) > DESK_NAME_MAX)
        return err_set(msg, ERR_CONFIG, "a desk's name has at most %d bytes", DESK_NAME_MAX);
    for (unsigned i = 0; i < *n; i++)
        if (strcmp(table[i].desk, key) == 0)
            return err_set(msg, ERR_CONFIG, "the desk is there twice");
    if (*n == POLICY_STATIONS)
        return err_set(msg, ERR_CONFIG, "the table holds %d desks", POLICY_STATIONS);
    memcpy(table[*n].desk, key, strlen(key) + 1);
    number.offset = (size_t)((char *)&table[*n].number - (char *)into);
    ++*n;
    return ini_unsigned(&number, key, value, into, msg);
}

static enum err read_station(const struct ini_key *row, const char *key, const char *value,
                             void *into, struct errmsg *msg)
{
    struct symphony_profile *s = &((struct policy *)into)->symphony;

    (void)row;
    return read_number(key, value, into, s->station, &s->n_stations, msg);
}

static enum err read_group(const struct ini_key *row, const char *key, const char *value,
                           void *into, struct errmsg *msg)
{
    struct sierra_profile *s = &((struct policy *)into)->sierra;

    (void)row;
    return read_number(key, value, into, s->group, &s->n_groups, msg);
}

static enum err read_profile(const struct ini_key *row, const char *key, const char *value,
                             void *into, struct errmsg *msg)
{
    struct evergreen_profile *g = &((struct policy *)into)->evergreen;
    struct ini_key number = { .room = sizeof(unsigned), .min = 1, .max = INT32_MAX };
    struct policy *p = into;

    (void)row;
    if (strlen(key) >= sizeof g->type[0].name)
        return err_set(msg, ERR_CONFIG, "a card's type has at most %zu bytes",
                       sizeof g->type[0].name - 1);
    for (unsigned i = 0; i < g->n_types; i++)
        if (strcmp(g->type[i].name, key) == 0)
            return err_set(msg, ERR_CONFIG, "the type is there twice");
    if (g->n_types == POLICY_PROFILES)
        return err_set(msg, ERR_CONFIG, "the table holds %d types", POLICY_PROFILES);
    memcpy(g->type[g->n_types].name, key, strlen(key) + 1);
    number.offset = (size_t)((char *)&g->type[g->n_types].profile - (char *)p);
    g->n_types++;
    return ini_unsigned(&number, key, value, into, msg);
}

static enum err read_country(const struct ini_key *row, const char *key, const char *value,
                             void *into, struct errmsg *msg)
{
    if (!text_is_clean(value))
        return err_set(msg, ERR_CONFIG, "a country is plain text, like US");
    return ini_text(row, key, value, into, msg);
}

/* ---- things without a barcode ---- */

#define PIECE_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789"

/* Found, or added: the two sections that name kinds may stand in either order. */
static struct piece_kind *kind_at(struct policy *p, const char *name)
{
    for (unsigned i = 0; i < p->n_pieces; i++)
        if (strcmp(p->piece[i].name, name) == 0)
            return &p->piece[i];
    if (p->n_pieces == POLICY_PIECES)
        return NULL;
    memcpy(p->piece[p->n_pieces].name, name, strlen(name) + 1);
    return &p->piece[p->n_pieces++];
}

static enum err read_kinds(const struct ini_key *row, const char *key, const char *value,
                           void *into, struct errmsg *msg)
{
    struct policy *p = into;
    char name[PIECE_KIND_MAX + 1];

    (void)row, (void)key;
    while (*(value += strspn(value, " ,")) != 0) {
        size_t n = strcspn(value, " ,");
        struct piece_kind *k;
        if (n < 2 || n > PIECE_KIND_MAX || strspn(value, PIECE_LETTERS) < n)
            return err_set(msg, ERR_CONFIG,
                           "must be kinds like paperback, magazine: 2 to %d small letters or "
                           "digits each",
                           PIECE_KIND_MAX);
        memcpy(name, value, n);
        name[n] = 0;
        if ((k = kind_at(p, name)) == NULL)
            return err_set(msg, ERR_CONFIG, "there is room for %d kinds", POLICY_PIECES);
        if (k->listed)
            return err_set(msg, ERR_CONFIG, "%s is there twice", name);
        k->listed = true;
        value += n;
    }
    return ERR_OK;
}

static enum err read_noncat(const struct ini_key *row, const char *key, const char *value,
                            void *into, struct errmsg *msg)
{
    struct ini_key number = { .room = sizeof(unsigned), .min = 1, .max = INT32_MAX };
    struct piece_kind *k = strlen(key) <= PIECE_KIND_MAX ? kind_at(into, key) : NULL;

    (void)row;
    if (k == NULL)
        return err_set(msg, ERR_CONFIG, "there is no such kind in [scan] no_barcode_kinds");
    number.offset = (size_t)((char *)&k->noncat - (char *)into);
    return ini_unsigned(&number, key, value, into, msg);
}

#define PLACE(member) offsetof(struct policy, member), sizeof((struct policy *)0)->member

static const struct ini_key keys[] = {
    { "policy", "rules", ini_unsigned, PLACE(rules), 1, POLICY_RULES, NULL },
    { "branch", "code", read_code, PLACE(code), 1, 0, NULL },
    { "branch", "zone", ini_text, PLACE(zone_name), 1, 0, NULL },
    { "branch", "zone_rule", read_zone_rule, 0, 0, 0, 0, NULL },
    { "scan", "user_pattern", read_pattern, PLACE(user_pattern), 1, 0, NULL },
    { "scan", "item_pattern", read_pattern, PLACE(item_pattern), 1, 0, NULL },
    { "scan", "check_digit", ini_word, PLACE(check_digit), 0, 0, check_digit_words },
    { "scan", "user_check_digit", ini_word, PLACE(user_digit), 0, 0, check_digit_words },
    { "scan", "item_check_digit", ini_word, PLACE(item_digit), 0, 0, check_digit_words },
    { "scan", "no_barcode_kinds", read_kinds, 0, 0, 0, 0, NULL },
    { "noncat", "*", read_noncat, 0, 0, 0, 0, NULL },
    { "due", "*", policy_read_due, 0, 0, 0, 0, NULL },
    { "closed", "*", policy_read_closed, 0, 0, 0, 0, NULL },
    { "merge", "double_scan", ini_ms, PLACE(double_scan_ms), 0, HOUR_MS, NULL },
    { "merge", "same_event", ini_ms, PLACE(same_event_ms), 0, HOUR_MS, NULL },
    { "merge", "discharges", ini_word, PLACE(discharges), 0, 0, discharges_words },
    { "server", "probe", policy_read_probe, PLACE(probe), 1, 0, NULL },
    { "server", "backup", policy_read_probe, PLACE(probe_backup), 1, 0, NULL },
    { "server", "expect", ini_text, PLACE(probe_expect), 0, 0, NULL },
    { "server", "every", ini_ms, PLACE(probe_every_ms), 500, HOUR_MS, NULL },
    { "server", "offline_after", ini_unsigned, PLACE(offline_after), 1, 1000, NULL },
    { "server", "back_after", ini_unsigned, PLACE(back_after), 1, 1000, NULL },
    { "upload", "sink", policy_read_sink, PLACE(sink), 1, 0, NULL },
    { "upload", "format", read_format, PLACE(format), 1, 0, NULL },
    { "upload", "load_at", read_due_time, PLACE(load_at), 0, 0, NULL },
    { "upload", "quiet", ini_ms, PLACE(quiet_ms), 0, 24 * HOUR_MS, NULL },
    { "upload", "credential", policy_read_file_name, PLACE(access.credential), 1, 0, NULL },
    { "upload", "ca", policy_read_file_name, PLACE(access.ca), 1, 0, NULL },
    { "upload", "host_key_sha256", policy_read_host_key, PLACE(access.host_key_sha256), 1, 0,
      NULL },
    { "upload", "proxy", policy_read_proxy, PLACE(access.proxy), 1, 0, NULL },
    { "upload", "insecure", ini_yes_no, PLACE(access.insecure), 0, 0, NULL },
    { "keep", "after_upload", ini_unsigned, PLACE(keep_days), 0, KEEP_DAYS_MAX, NULL },
    { "keep", "practice", ini_unsigned, PLACE(practice_days), 0, KEEP_DAYS_MAX, NULL },
    { "keep", "unconfirmed", read_unconfirmed, PLACE(unconfirmed_days), 0, KEEP_DAYS_MAX, NULL },
    { "blocklist", "import", ini_word, PLACE(blocklist_by_lead), 0, 0, import_words },
    { "blocklist", "override", ini_word, PLACE(blocklist_override), 0, 0, override_words },
    { "clock", "warn", ini_ms, PLACE(clock_warn_ms), 1000, HOUR_MS, NULL },
    { "blocklist", "warn_after", ini_ms, PLACE(blocklist_warn_ms), HOUR_MS, 0, NULL },
    { "symphony", "library", read_code, PLACE(symphony.library), 1, 0, NULL },
    { "symphony", "user_access", read_field, PLACE(symphony.user_access), 1, 0, NULL },
    { "symphony", "staff_login", read_field, PLACE(symphony.staff_login), 1, 0, NULL },
    { "symphony", "clearance", read_field, PLACE(symphony.clearance), 1, 0, NULL },
    { "symphony", "client", read_field, PLACE(symphony.client), 1, 0, NULL },
    { "symphony", "other_libraries", read_others, offsetof(struct policy, symphony.other_library),
      LIBRARY_MAX + 1, 'l', 0, NULL },
    { "symphony", "other_user_accesses", read_others,
      offsetof(struct policy, symphony.other_user_access), USER_ACCESS_MAX + 1, 'a', 0, NULL },
    { "symphony", "other_stations", read_others, 0, 0, 's', 0, NULL },
    { "symphony", "header", ini_word, PLACE(symphony.header), 0, 0, header_words },
    { "symphony", "trailer", ini_yes_no, PLACE(symphony.trailer), 0, 0, NULL },
    { "symphony", "eol", ini_word, PLACE(symphony.crlf), 0, 0, eol_words },
    { "symphony", "due_code", read_due_code, PLACE(symphony.due_code), 2, 0, NULL },
    { "symphony", "due_time", read_due_time, PLACE(symphony.due_time), 0, 0, NULL },
    { "symphony", "registration", ini_word, PLACE(symphony.registration), 0, 0,
      registration_words },
    { "symphony", "user_profile", read_field, PLACE(symphony.user_profile), 1, 0, NULL },
    { "symphony", "user_language", read_field, PLACE(symphony.user_language), 1, 0, NULL },
    { "symphony", "user_environment", read_field, PLACE(symphony.user_environment), 1, 0, NULL },
    { "symphony", "user_hist_rule", read_field, PLACE(symphony.user_hist_rule), 1, 0, NULL },
    { "symphony", "user_clearance", read_field, PLACE(symphony.user_clearance), 0, 0, NULL },
    { "symphony", "street_tag", read_tag, PLACE(symphony.address_tag[TAG_STREET]), 1, 0, NULL },
    { "symphony", "city_tag", read_tag, PLACE(symphony.address_tag[TAG_CITY]), 1, 0, NULL },
    { "symphony", "postcode_tag", read_tag, PLACE(symphony.address_tag[TAG_POSTCODE]), 1, 0, NULL },
    { "symphony", "phone_tag", read_tag, PLACE(symphony.address_tag[TAG_PHONE]), 1, 0, NULL },
    { "symphony", "email_tag", read_tag, PLACE(symphony.address_tag[TAG_EMAIL]), 1, 0, NULL },
    { "symphony", "user_years", ini_unsigned, PLACE(symphony.user_years), 0, 99, NULL },
    { "symphony", "file_name", policy_read_loaders_name, PLACE(symphony.file_name), 0, 0, NULL },
    { "symphony", "write_pin", ini_yes_no, PLACE(symphony.write_pin), 0, 0, NULL },
    { "symphony", "verified", ini_yes_no, PLACE(symphony.verified), 0, 0, NULL },
    { "symphony", "default_station", ini_unsigned, PLACE(symphony.default_station), 0, 9999, NULL },
    { "sip2", "institution", read_field, PLACE(sip2.institution), 0, 0, NULL },
    { "sip2", "location", read_field, PLACE(sip2.location), 0, 0, NULL },
    { "sip2", "language", read_language, PLACE(sip2.language), 3, 0, NULL },
    { "sip2", "user", read_field, PLACE(sip2.user), 0, 0, NULL },
    { "sip2", "login", ini_yes_no, PLACE(sip2.login), 0, 0, NULL },
    { "sip2", "canary", read_canary, PLACE(sip2.canary), 1, 0, NULL },
    { "sip2", "no_block", ini_yes_no, PLACE(sip2.no_block), 0, 0, NULL },
    { "sip2", "fee_ack", ini_yes_no, PLACE(sip2.fee_ack), 0, 0, NULL },
    { "sip2", "au_usable", ini_word, PLACE(sip2.au_usable), 0, 0, au_words },
    { "evergreen", "registration", ini_word, PLACE(evergreen.registration), 0, 0,
      evergreen_registration_words },
    { "evergreen", "profile", ini_unsigned, PLACE(evergreen.profile), 1, INT32_MAX, NULL },
    { "evergreen", "home_ou", ini_unsigned, PLACE(evergreen.home_ou), 1, INT32_MAX, NULL },
    { "evergreen", "ident_type", ini_unsigned, PLACE(evergreen.ident_type), 1, INT32_MAX, NULL },
    { "evergreen", "country", read_country, PLACE(evergreen.country), 1, 0, NULL },
    { "evergreen", "write_pin", ini_yes_no, PLACE(evergreen.write_pin), 0, 0, NULL },
    { "profiles", "*", read_profile, 0, 0, 0, 0, NULL },
    { "csv", "write_pin", ini_yes_no, PLACE(csv_pin), 0, 0, NULL },
    { "ndjson", "write_pin", ini_yes_no, PLACE(ndjson_pin), 0, 0, NULL },
    { "evergreen", "org", ini_unsigned, PLACE(evergreen_service.org), 1, 1000000000, NULL },
    { "evergreen", "user", read_field, PLACE(evergreen_service.user), 1, 0, NULL },
    { "evergreen", "workstation", read_field, PLACE(evergreen_service.workstation), 1, 0, NULL },
    { "evergreen", "patience", ini_ms, PLACE(evergreen_service.patience_ms), 1000, 24 * HOUR_MS,
      NULL },
    { "koha", "user", read_field, PLACE(koha_service.user), 1, 0, NULL },
    { "koha", "branchcode", read_code, PLACE(koha_service.branchcode), 1, 0, NULL },
    { "koha", "pending", ini_yes_no, PLACE(koha_service.pending), 0, 0, NULL },
    { "koha", "service_time", ini_word, PLACE(koha_service.local_time), 0, 0, service_time_words },
    { "koha", "login", ini_word, PLACE(koha_service.oauth), 0, 0, login_words },
    { "stations", "*", read_station, 0, 0, 0, 0, NULL },
    { "alma", "renewals", ini_word, PLACE(alma.renewals_by_hand), 0, 0, renewals_words },
    { "aleph", "renewals", ini_word, PLACE(aleph.renewals_by_hand), 0, 0, renewals_words },
    { "aleph", "item_width", ini_unsigned, PLACE(aleph.item_width), BARCODE_MAX, 80, NULL },
    { "aleph", "verified", ini_yes_no, PLACE(aleph.verified), 0, 0, NULL },
    { "sierra", "due_days", ini_unsigned, PLACE(sierra.due_days), 0, 3650, NULL },
    { "sierra", "due_time", read_due_time, PLACE(sierra.due_time), 5, 0, NULL },
    { "sierra", "eol", ini_word, PLACE(sierra.crlf), 0, 0, eol_words },
    { "sierra", "default_group", ini_unsigned, PLACE(sierra.default_group), 0, 9999, NULL },
    { "groups", "*", read_group, 0, 0, 0, 0, NULL },
    { "destiny", "eol", ini_word, PLACE(destiny.lf), 0, 0, crlf_words },
};

enum err policy_read(const char *text, size_t n, struct policy *out, struct errmsg *msg)
{
    return ini_read(NULL, text, n, keys, sizeof keys / sizeof keys[0], out, msg);
}
