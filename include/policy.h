/* policy.h - everything that decides what is sent: the same on every desk of the branch.
 *
 * INI text, published by a lead as a signed operation of the roster (`tideover policy publish`),
 * read with libinih. The text itself is what is signed and hashed; this struct is its meaning.
 * Unknown sections and keys are errors, so that a desk never follows half a policy. */
#ifndef TIDEOVER_POLICY_H
#define TIDEOVER_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "day.h"
#include "due.h"
#include "err.h"
#include "record.h"

#define POLICY_RULES      1     /* number of the merge rules this version knows */
#define POLICY_TEXT_MAX   16384 /* two pages of INI; also the reader's limit */
#define POLICY_STATIONS   256
#define POLICY_PROFILES   64 /* types of cards with a permission group of their own */
#define POLICY_PIECES     16 /* kinds of things without a barcode */
#define POLICY_OTHERS     16 /* libraries, user accesses, stations that a session may choose */
#define POLICY_TEXT_VALUE 256
#define QUIET_BY_CLASS    UINT32_MAX /* the policy says nothing: as the sink's class needs it */
#define POLICY_NEVER      UINT32_MAX

enum discharges { DISCHARGES_HOLD, DISCHARGES_EXPORT };
enum registration_form { REGISTRATION_FLAT, REGISTRATION_JY, REGISTRATION_NONE };

struct desk_number { /* a number that the ILS has for a desk */
    char desk[DESK_NAME_MAX + 1];
    unsigned number; /* 1-9999 */
};

enum address_tag { TAG_STREET, TAG_CITY, TAG_POSTCODE, TAG_PHONE, TAG_EMAIL, ADDRESS_TAGS };

/* Site profile of SirsiDynix Symphony; every unverified guess is a key here. */
struct symphony_profile {
    char library[16];           /* FE, and name of the file */
    char file_name[32];         /* "standlog.901": the loader's own; "": named by content */
    char user_access[32];       /* FF, default OFFLINE */
    char staff_login[32];       /* FW, default <library>CIRC */
    char clearance[16];         /* Fc, default NONE */
    char client[4];             /* dC, default 3 */
    bool header, trailer, crlf; /* defaults yes, yes, no */
    char due_code[3];           /* CF (default) or WH */
    char due_time[6];           /* "23:59"; empty: a date without time */
    enum registration_form registration; /* default flat */
    char user_profile[32];  /* UM's companion PE, default ADULT; a registration's type overrides */
    char user_language[16]; /* Ib, default ENGLISH */
    char user_environment[16]; /* UV and UX, default PUBLIC */
    char user_hist_rule[16];   /* P7, default CIRCRULE */
    char user_clearance[16];   /* UACNT_CLEARANCE of the user file; default "": none is written */
    char address_tag[ADDRESS_TAGS]
                    [24]; /* of the user file, by enum address_tag: a site's own names */
    unsigned user_years;  /* privilege expires after so many years, default 2; 0 = NEVER */
    bool write_pin;       /* default no */
    bool verified;        /* compared with one real file of the site; default no */
    /* What a desk's session may choose instead (D17). */
    unsigned n_libraries, n_user_accesses, n_other_stations;
    char other_library[POLICY_OTHERS][LIBRARY_MAX + 1];
    char other_user_access[POLICY_OTHERS][USER_ACCESS_MAX + 1];
    unsigned other_station[POLICY_OTHERS];
    unsigned default_station; /* for a desk without one; 0 = refuse to export its records */
    unsigned n_stations;
    struct desk_number station[POLICY_STATIONS];
};

/* Alma's .dat file, and Aleph's, whose widths are not published. */
struct dat_profile {
    bool renewals_by_hand; /* default no: a renewal is written as a loan to the same user */
    unsigned item_width;   /* default 80, which is Alma's; 32-80 */
    bool verified;         /* of Aleph: compared with one real file of the site; default no */
};

/* Sierra's and Millennium's rdy file. */
struct sierra_profile {
    unsigned due_days;      /* a loan without a due date is due so many days later; 0: not given */
    char due_time[6];       /* "23:59": of every due date */
    bool crlf;              /* default no */
    unsigned default_group; /* for a desk that [groups] does not name; 0 = refuse to export */
    unsigned n_groups;
    struct desk_number group[POLICY_STATIONS];
};

struct destiny_profile {
    bool lf; /* default no: lines end with CRLF */
};

/* How to come to the sink; names of credentials only, whose content stays on the desk
 * (credential.h). */
struct sink_access {
    char credential[49];      /* [upload] credential = NAME; "": none */
    char ca[49];              /* [upload] ca = NAME: trust the certificates in NAME.ca only */
    char host_key_sha256[52]; /* [upload] host_key_sha256 = SHA256:43 letters, for sftp: */
    char proxy[128];          /* [upload] proxy = http://HOST:PORT; "none": the default */
    bool insecure;            /* [upload] insecure = yes: a sink without encryption is meant */
};

enum au_usable { AU_AUTO, AU_YES, AU_NO };

/* A site's SIP2 server; what it really does: `tideover server test`. */
struct sip2_profile {
    char institution[33];         /* AO, default the branch's code */
    char location[33];            /* AP of check-ins, CP of the login; default empty */
    char language[4];             /* of 63, default 000: unknown */
    char user[65];                /* CN; empty: the credential's file NAME.user */
    char canary[BARCODE_MAX + 1]; /* an item that the server knows; empty: none is asked for */
    bool login;                   /* default yes; no: it wants no 93 */
    bool no_block;                /* default yes: what happened offline is not to be refused */
    bool fee_ack;                 /* default no; yes: refused for a fee, sent once more with BO=Y */
    enum au_usable au_usable;     /* do patrons' lists of loans name barcodes? default auto */
};

struct evergreen_service { /* [evergreen], where sink = evergreen:https://HOST */
    unsigned org;          /* number of the org unit that everything is uploaded for */
    char user[65];         /* login name; empty: the credential's file NAME.user */
    char workstation[64];  /* that the login registers at; default: none */
    uint32_t patience_ms;  /* the script shows no progress: then it counts as dead; default 10m */
};

struct koha_service {    /* [koha], where sink = koha:https://HOST or koha-plugin:.. */
    char user[65];       /* login name; empty: the credential's file NAME.user */
    char branchcode[16]; /* default: the branch's code */
    bool pending;        /* rows wait for the staff in Koha (default), or are booked at once */
    bool local_time;     /* service_time = utc (default) | local: as the server stores it */
    bool oauth;          /* login = basic (default) | oauth: of the plugin */
};

/* What Evergreen has to be told of a new card: numbers of its own tables. */
struct evergreen_profile {
    bool registration;                     /* [evergreen] registration = xacts (default) | none */
    unsigned profile, home_ou, ident_type; /* permission group, org unit, kind; 0 = not given */
    char country[REG_TEXT_MAX + 1];        /* of every address; empty = not given */
    bool write_pin;                        /* default no */
    unsigned n_types;
    struct { /* [profiles]: permission group by the type of a card */
        char name[41];
        unsigned profile;
    } type[POLICY_PROFILES];
};

enum check_digit { DIGIT_NONE, DIGIT_MOD10, DIGIT_BY_BRANCH /* as check_digit says */ };

struct piece_kind { /* [scan] no_barcode_kinds = paperback, magazine */
    char name[PIECE_KIND_MAX + 1];
    bool listed;     /* always, once the policy is read */
    unsigned noncat; /* [noncat] paperback = 3: number of Evergreen's own type; 0: none */
};

struct policy {
    unsigned rules;                          /* [policy] rules, default POLICY_RULES */
    char code[16];                           /* [branch] code */
    char zone_name[48];                      /* [branch] zone, for people */
    struct zone zone;                        /* [branch] zone_rule, written by `policy publish` */
    char user_pattern[64], item_pattern[64]; /* [scan]; literals, [..] classes, {n}, {m,n} */
    /* [scan] check_digit, and for one kind of card user_check_digit, item_check_digit = mod10 |
     * none. Once the policy is read the last two say it. */
    enum check_digit check_digit, user_digit, item_digit;
    unsigned n_pieces;
    struct piece_kind piece[POLICY_PIECES];
    /* Derived: made-up numbers that fit, for practice; "": the patterns have none to spare. */
    char practice_user[BARCODE_MAX + 1], practice_item[2][BARCODE_MAX + 1];
    struct due_policy due;         /* [due] and [closed] */
    uint32_t double_scan_ms;       /* [merge] double_scan = 5s */
    uint32_t same_event_ms;        /* [merge] same_event = 60s */
    enum discharges discharges;    /* [merge] discharges = hold | export */
    char probe[POLICY_TEXT_VALUE]; /* [server] probe = tcp:HOST:PORT | http(s)://... | evergreen:URL
                                      | koha:URL | none */
    char probe_backup[POLICY_TEXT_VALUE]; /* [server] backup: the same, tried before OFFLINE */
    char probe_expect[POLICY_TEXT_VALUE]; /* [server] expect: text that must stand in the page */
    uint32_t probe_every_ms;              /* [server] every, default 5s, of sip2: 30s */
    unsigned offline_after, back_after;   /* [server], defaults 3 and 5 checks */
    char sink[POLICY_TEXT_VALUE];         /* [upload] sink = file:DIR | drop:DESK:DIR */
    char format[16];                      /* [upload] format = symphony */
    struct sink_access access;            /* [upload], for sinks over the network */
    char load_at[6];    /* [upload] load_at = 20:00: when the system loads what lies there; empty */
    uint32_t quiet_ms;  /* [upload] quiet = 30s: a successor's wait; default: as the sink's class */
    unsigned keep_days; /* [keep] after_upload: a confirmed upload's records stay so long */
    unsigned practice_days;             /* [keep] practice: reports of drills, default 1 */
    unsigned unconfirmed_days;          /* [keep] unconfirmed = never | days */
    bool blocklist_by_lead;             /* [blocklist] import = desk (default) | lead */
    bool blocklist_override;            /* [blocklist] override = no (default) | lead */
    uint32_t clock_warn_ms;             /* [clock] warn = 5s: a PC that is further off is told */
    uint32_t blocklist_warn_ms;         /* [blocklist] warn_after = 7d */
    bool csv_pin, ndjson_pin;           /* [csv], [ndjson] write_pin, default no */
    struct evergreen_profile evergreen; /* [evergreen] and [profiles] */
    struct symphony_profile symphony;   /* [symphony] and [stations] */
    struct sip2_profile sip2;           /* [sip2] */
    struct dat_profile alma, aleph;
    struct sierra_profile sierra; /* [sierra] and [groups] */
    struct destiny_profile destiny;
    struct evergreen_service evergreen_service;
    struct koha_service koha_service;
};

/* Text as published. On failure *out is untouched and the message names the line. */
enum err policy_parse(const char *text, size_t n, struct policy *out, struct errmsg *msg);

/* What a branch starts with when `init` is given no file; NUL-terminated, at most POLICY_TEXT_MAX.
 */
void policy_default_text(const char *code, const char *zone_name, const char *zone_rule,
                         struct buf *out);

/* The policy's quiet time, or that of the sink's class. */
uint32_t policy_quiet_ms(const struct policy *p, uint32_t of_class);

/* Station number of a desk by its name, or the default; 0 = none. */
unsigned policy_station(const struct policy *p, const char *desk);
/* Sierra's statistics group, in the same way. */
unsigned policy_group(const struct policy *p, const char *desk);

/* D17: the policy's own, or one that a session may choose instead. "" and 0: the policy's own. */
bool policy_has_library(const struct policy *p, const char *library);
bool policy_has_user_access(const struct policy *p, const char *user_access);
bool policy_has_station(const struct policy *p, const char *desk, unsigned station);

/* A kind of things without a barcode, letters in either case; NULL: the policy has none such. */
const struct piece_kind *policy_piece(const struct policy *p, const char *kind);

/* Whole-string match of the small pattern language; an ill-formed pattern never matches. */
bool pattern_matches(const char *pattern, const char *s);
bool pattern_is_valid(const char *pattern);
/* The k-th highest text of the least length that it matches, digits before letters; false: there
 * are fewer, or it would be no barcode. */
bool pattern_sample(const char *pattern, unsigned k, char out[BARCODE_MAX + 1]);
/* How many characters a match has; false if the pattern is ill-formed. */
bool pattern_length(const char *pattern, unsigned *min, unsigned *max);
bool mod10_is_valid(const char *digits); /* Luhn, as on 14-digit Codabar library barcodes */

#endif
