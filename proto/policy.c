/* policy.c - the branch's policy: INI text to struct. One table of keys; each row checks its value,
 * so that every complaint names the line. */
#include "policy.h"

#include <string.h>

#include "buf.h"
#include "delivery.h"
#include "format.h"
#include "ini_int.h"
#include "policy_due_int.h"
#include "url.h"

#define HOUR_MS       3600000
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

/* Beside nothing of ours, and no path. */
static enum err read_loaders_name(const struct ini_key *row, const char *key, const char *value,
                                  void *into, struct errmsg *msg)
{
    if (value[0] == '.' ||
        !made_of(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"))
        return err_set(msg, ERR_CONFIG,
                       "is the name of one file, of letters, digits, \".\", \"_\" and \"-\"");
    return ini_text(row, key, value, into, msg);
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

/* HOST:PORT at the end of s, both there. */
static bool is_host_port(const char *s)
{
    const char *colon = strrchr(s, ':');
    unsigned port = 0;

    if (colon == NULL || colon == s || colon[1] == 0 || strlen(colon + 1) > 5 ||
        strcspn(s, " /@") != strlen(s))
        return false;
    for (const char *d = colon + 1; *d != 0; d++) {
        if (*d < '0' || *d > '9')
            return false;
        port = port * 10 + (unsigned)(*d - '0');
    }
    return port >= 1 && port <= 65535;
}

static bool is_url(const char *s)
{
    size_t n = strncmp(s, "http://", 7) == 0 ? 7 : strncmp(s, "https://", 8) == 0 ? 8 : 0;

    return n > 0 && s[n] != 0 && s[n] != '/' && strpbrk(s, " \"<>") == NULL;
}

static enum err read_probe(const struct ini_key *row, const char *key, const char *value,
                           void *into, struct errmsg *msg)
{
    if (strcmp(value, "none") != 0 && !is_url(value) &&
        !(strncmp(value, "evergreen:", 10) == 0 && is_url(value + 10)) &&
        !(strncmp(value, "koha:", 5) == 0 && is_url(value + 5)) &&
        !(strncmp(value, "tcp:", 4) == 0 && is_host_port(value + 4)) &&
        !(strncmp(value, "sip2://", 7) == 0 && is_host_port(value + 7)) &&
        !(strncmp(value, "sip2s://", 8) == 0 && is_host_port(value + 8)))
        return err_set(msg, ERR_CONFIG,
                       "must be tcp:HOST:PORT, http(s)://HOST/..., evergreen:https://HOST, "
                       "koha:https://HOST, sip2(s)://HOST:PORT or none");
    return ini_text(row, key, value, into, msg);
}

static bool is_absolute(const char *dir)
{
    bool drive =
        ((dir[0] >= 'A' && dir[0] <= 'Z') || (dir[0] >= 'a' && dir[0] <= 'z')) && dir[1] == ':';

    return drive ? dir[2] == '/' || dir[2] == '\\' : dir[0] == '/';
}

/* Forms that name a host. */
static enum err read_sink_url(const struct ini_key *row, const char *key, const char *value,
                              void *into, struct errmsg *msg)
{
    const char *text = sink_url(value);
    bool sftp, web;
    struct url u;
    enum err e;

    if (text == NULL)
        return err_set(msg, ERR_CONFIG, "needs a form like https://HOST/DIR/");
    if ((e = url_parse(text, &u, msg)) != ERR_OK)
        return e;
    sftp = strcmp(u.scheme, "sftp") == 0;
    web = strcmp(u.scheme, "https") == 0 || strcmp(u.scheme, "http") == 0;
    if (text != value && !web)
        return err_set(msg, ERR_CONFIG,
                       "needs https:// behind the word, like put:https://HOST/in/");
    if (sftp == (*u.user == 0))
        return err_set(msg, ERR_CONFIG,
                       "sftp: needs the user's name in front of the host, like "
                       "sftp://tideover@ils.example.org/incoming; others must not have one");
    if (sftp && (strlen(u.path) < 2 || strpbrk(u.path, "%!$&'()*;:@") != NULL))
        return err_set(msg, ERR_CONFIG,
                       "sftp: needs a directory, of letters, digits, / . _ - ~ + , =");
    return ini_text(row, key, value, into, msg);
}

static enum err read_sink(const struct ini_key *row, const char *key, const char *value, void *into,
                          struct errmsg *msg)
{
    enum sink_class c = sink_class_of(value);
    char desk[DESK_NAME_MAX + 1];
    const char *path = value;

    if (strcmp(value, "none") != 0 && c == SINK_NONE)
        return err_set(
            msg, ERR_CONFIG,
            "this version knows file:DIR, drop:DESK:DIR, sftp://, https://, put:https://, "
            "key:https://, sip2://, sip2s://, koha:https://, koha-plugin:https://, "
            "evergreen:https://, and none");
    if (strcmp(value, "none") != 0 && strncmp(value, "file:", 5) != 0 && c != SINK_DROP)
        return read_sink_url(row, key, value, into, msg);
    if (strncmp(value, "file:", 5) == 0 && !is_absolute(value + strlen("file:")))
        return err_set(msg, ERR_CONFIG,
                       "file: needs an absolute directory, like file:/srv/tideover/out");
    if (c == SINK_DROP && (!sink_place(value, desk, &path) || !is_absolute(path)))
        return err_set(msg, ERR_CONFIG,
                       "drop: needs a desk and an absolute directory there, like "
                       "drop:MAIN-1:/srv/pickup");
    return ini_text(row, key, value, into, msg);
}

/* Of a file in the desk's own place for secrets (credential.h). */
static enum err read_file_name(const struct ini_key *row, const char *key, const char *value,
                               void *into, struct errmsg *msg)
{
    if (!made_of(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789_-"))
        return err_set(msg, ERR_CONFIG,
                       "must be the name of a credential: letters, digits, _ and -; what it "
                       "holds is set on each desk with tideover credential set");
    return ini_text(row, key, value, into, msg);
}

static enum err read_host_key(const struct ini_key *row, const char *key, const char *value,
                              void *into, struct errmsg *msg)
{
    if (strncmp(value, "SHA256:", 7) != 0 || strlen(value) != 7 + 43 ||
        !made_of(value + 7, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"))
        return err_set(msg, ERR_CONFIG,
                       "must be SHA256: and 43 letters, as ssh-keygen -lf prints it for the "
                       "server's ECDSA host key");
    return ini_text(row, key, value, into, msg);
}

static enum err read_proxy(const struct ini_key *row, const char *key, const char *value,
                           void *into, struct errmsg *msg)
{
    struct url u;

    if (strcmp(value, "none") != 0 &&
        (url_parse(value, &u, msg) != ERR_OK || strcmp(u.scheme, "http") != 0 || u.port == 0 ||
         *u.user != 0 || *u.path != 0))
        return err_set(msg, ERR_CONFIG, "must be http://HOST:PORT or none");
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

#define PLACE(member) offsetof(struct policy, member), sizeof((struct policy *)0)->member

static const struct ini_key keys[] = {
    { "policy", "rules", ini_unsigned, PLACE(rules), 1, POLICY_RULES, NULL },
    { "branch", "code", read_code, PLACE(code), 1, 0, NULL },
    { "branch", "zone", ini_text, PLACE(zone_name), 1, 0, NULL },
    { "branch", "zone_rule", read_zone_rule, 0, 0, 0, 0, NULL },
    { "scan", "user_pattern", read_pattern, PLACE(user_pattern), 1, 0, NULL },
    { "scan", "item_pattern", read_pattern, PLACE(item_pattern), 1, 0, NULL },
    { "scan", "check_digit", ini_word, PLACE(check_digit), 0, 0, check_digit_words },
    { "scan", "no_barcode_kinds", read_kinds, 0, 0, 0, 0, NULL },
    { "noncat", "*", read_noncat, 0, 0, 0, 0, NULL },
    { "due", "*", policy_read_due, 0, 0, 0, 0, NULL },
    { "closed", "*", policy_read_closed, 0, 0, 0, 0, NULL },
    { "merge", "double_scan", ini_ms, PLACE(double_scan_ms), 0, HOUR_MS, NULL },
    { "merge", "same_event", ini_ms, PLACE(same_event_ms), 0, HOUR_MS, NULL },
    { "merge", "discharges", ini_word, PLACE(discharges), 0, 0, discharges_words },
    { "server", "probe", read_probe, PLACE(probe), 1, 0, NULL },
    { "server", "backup", read_probe, PLACE(probe_backup), 1, 0, NULL },
    { "server", "expect", ini_text, PLACE(probe_expect), 0, 0, NULL },
    { "server", "every", ini_ms, PLACE(probe_every_ms), 500, HOUR_MS, NULL },
    { "server", "offline_after", ini_unsigned, PLACE(offline_after), 1, 1000, NULL },
    { "server", "back_after", ini_unsigned, PLACE(back_after), 1, 1000, NULL },
    { "upload", "sink", read_sink, PLACE(sink), 1, 0, NULL },
    { "upload", "format", read_format, PLACE(format), 1, 0, NULL },
    { "upload", "load_at", read_due_time, PLACE(load_at), 0, 0, NULL },
    { "upload", "quiet", ini_ms, PLACE(quiet_ms), 0, 24 * HOUR_MS, NULL },
    { "upload", "credential", read_file_name, PLACE(access.credential), 1, 0, NULL },
    { "upload", "ca", read_file_name, PLACE(access.ca), 1, 0, NULL },
    { "upload", "host_key_sha256", read_host_key, PLACE(access.host_key_sha256), 1, 0, NULL },
    { "upload", "proxy", read_proxy, PLACE(access.proxy), 1, 0, NULL },
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
    { "symphony", "user_years", ini_unsigned, PLACE(symphony.user_years), 0, 99, NULL },
    { "symphony", "file_name", read_loaders_name, PLACE(symphony.file_name), 0, 0, NULL },
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

static void set_defaults(struct policy *p)
{
    *p = (struct policy){
        .rules = POLICY_RULES,
        .user_pattern = "2[0-9]{13}",
        .item_pattern = "3[0-9]{13}",
        .check_digit = true,
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
                      .user_years = 2 },
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

static unsigned make_up(const struct policy *p, const char *pattern, unsigned from,
                        char out[BARCODE_MAX + 1])
{
    for (unsigned k = from; k < SAMPLES && pattern_sample(pattern, k, out); k++)
        if ((!p->check_digit || mod10_is_valid(out)) && strcmp(out, p->practice_user) != 0)
            return k + 1;
    out[0] = 0;
    return SAMPLES;
}

static void make_up_numbers(struct policy *p)
{
    char user[BARCODE_MAX + 1];
    unsigned next;

    make_up(p, p->user_pattern, 0, user);
    memcpy(p->practice_user, user, sizeof user);
    next = make_up(p, p->item_pattern, 0, p->practice_item[0]);
    make_up(p, p->item_pattern, next, p->practice_item[1]);
}

/* Defaults that come from other keys, once all are read. */
static void derive(struct policy *p)
{
    struct symphony_profile *s = &p->symphony;

    _Static_assert(sizeof s->library >= sizeof p->code, "the code is the default library");
    _Static_assert(sizeof s->staff_login >= sizeof s->library + 4, "CIRC is appended to it");
    _Static_assert(sizeof p->koha_service.branchcode >= sizeof p->code, "the code is the default");
    policy_derive_due(&p->due);
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

/* A probe by SIP2 sends a password. */
static bool probe_is_open(const struct policy *p, const char *probe)
{
    struct url u;

    return strncmp(probe, "sip2://", 7) == 0 && p->sip2.login && !p->access.insecure &&
           url_parse(probe, &u, NULL) == ERR_OK && !url_is_loopback(&u);
}

/* A name that does not tell one batch from the next is safe only where each file is taken away
 * before the next one comes, and a person is asked in doubt. */
static enum err check_file_name(const struct policy *p, struct errmsg *msg)
{
    if (p->symphony.file_name[0] == 0 || strcmp(p->format, "symphony") != 0 ||
        strcmp(p->sink, "none") == 0)
        return ERR_OK;
    if (sink_class_of(p->sink) != SINK_DROP)
        return err_set(msg, ERR_CONFIG,
                       "file_name in [symphony] needs a sink that a loader empties: "
                       "drop:DESK:/folder");
    if (p->symphony.registration == REGISTRATION_FLAT)
        return err_set(msg, ERR_CONFIG,
                       "file_name in [symphony] is the one file of an upload: registration must be "
                       "jy or none, a user file may not lie beside it");
    return ERR_OK;
}

/* What only two keys together can get wrong. */
static enum err check_access(const struct policy *p, struct errmsg *msg)
{
    const char *text = sink_url(p->sink), *pins;
    bool clear;
    struct url u;

    if (probe_is_open(p, p->probe) || probe_is_open(p, p->probe_backup))
        return err_set(msg, ERR_CONFIG,
                       "the probe in [server] would send its password for everybody to read: use "
                       "sip2s://, or say insecure = yes in [upload]");
    if (text == NULL || url_parse(text, &u, NULL) != ERR_OK)
        return ERR_OK;
    clear =
        (strcmp(u.scheme, "http") == 0 || strcmp(u.scheme, "sip2") == 0) && !url_is_loopback(&u);
    if (clear && !p->access.insecure)
        return err_set(msg, ERR_CONFIG,
                       "the sink in [upload] is not encrypted, and everybody on the way could read "
                       "who borrows what: use %s://, or say insecure = yes",
                       strcmp(u.scheme, "http") == 0 ? "https" : "sip2s");
    pins = p->symphony.write_pin    ? "symphony"
           : p->evergreen.write_pin ? "evergreen"
           : p->csv_pin             ? "csv"
           : p->ndjson_pin          ? "ndjson"
                                    : NULL;
    if (clear && pins != NULL)
        return err_set(msg, ERR_CONFIG,
                       "write_pin = yes in [%s], but the sink in [upload] is not encrypted: PINs "
                       "never leave that way",
                       pins);
    if (strcmp(u.scheme, "sftp") == 0 && p->access.host_key_sha256[0] == 0)
        return err_set(msg, ERR_CONFIG,
                       "an sftp: sink needs host_key_sha256 in [upload], as ssh-keygen -lf prints "
                       "it for the server's ECDSA host key");
    if (strcmp(u.scheme, "sftp") == 0 && p->access.credential[0] == 0)
        return err_set(msg, ERR_CONFIG, "an sftp: sink needs a credential in [upload]");
    return ERR_OK;
}

/* Sinks that know what stands in a line. */
static enum err check_lines(const struct policy *p, struct errmsg *msg)
{
    const struct {
        const char *scheme, *format;
        bool logs_in;
    } speaks[] = {
        { "evergreen:", "evergreen", true }, { "koha:", "koha", true },
        { "koha-plugin:", "koha", true },    { "sip2:", "sip2", p->sip2.login },
        { "sip2s:", "sip2", p->sip2.login },
    };

    for (size_t i = 0; i < sizeof speaks / sizeof speaks[0]; i++) {
        if (strncmp(p->sink, speaks[i].scheme, strlen(speaks[i].scheme)) != 0)
            continue;
        if (strcmp(p->format, speaks[i].format) != 0)
            return err_set(msg, ERR_CONFIG, "a sink %s needs format = %s in [upload]",
                           speaks[i].scheme, speaks[i].format);
        if (speaks[i].logs_in && p->access.credential[0] == 0)
            return err_set(msg, ERR_CONFIG, "a sink %s needs a credential in [upload]",
                           speaks[i].scheme);
    }
    if (strncmp(p->sink, "evergreen:", 10) == 0 && p->evergreen_service.org == 0)
        return err_set(msg, ERR_CONFIG,
                       "a sink evergreen: needs org in [evergreen]: the number of the org unit");
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
    e = ini_read(NULL, text, n, keys, sizeof keys / sizeof keys[0], &p, msg);
    if (e != ERR_OK)
        return e;
    if (p.code[0] == 0)
        return err_set(msg, ERR_CONFIG, "the policy needs \"code\" in [branch]");
    if (p.zone_name[0] == 0)
        return err_set(msg, ERR_CONFIG, "the policy needs \"zone\" in [branch]");
    if (p.zone.std_off_s == 26 * 3600)
        return err_set(msg, ERR_CONFIG,
                       "the policy needs \"zone_rule\" in [branch], like EST5EDT,M3.2.0,M11.1.0");
    derive(&p);
    if ((e = check_kinds(&p, msg)) != ERR_OK || (e = check_file_name(&p, msg)) != ERR_OK ||
        (e = check_access(&p, msg)) != ERR_OK || (e = check_lines(&p, msg)) != ERR_OK)
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
