/* cli_int.h - what the verbs share: the table, the parsed command line, words for people. */
#ifndef TIDEOVER_CLI_INT_H
#define TIDEOVER_CLI_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "buf.h"
#include "cli.h"
#include "err.h"

#define SYSTEM_STATE "/var/lib/tideover" /* the package makes it */
#define SYSTEM_RUN   "/run/tideover"     /* the service: what desk staff may read */

#define SETUP_WORDS_MAX 128 /* setup.h's SETUP_WORDS */

/* ---- options ---- */

enum cli_opt {
    OPT_NONE, /* ends a list */
    OPT_STATE,
    OPT_JSON,
    OPT_QUIET,
    OPT_NO_COLOR,
    OPT_HELP,
    OPT_VERSION,
    OPT_BRANCH,
    OPT_DESK,
    OPT_LISTEN,
    OPT_WEB,
    OPT_POLICY,
    OPT_PASSPHRASE,
    OPT_ROLE,
    OPT_EXPIRES,
    OPT_AT_ADDRESS,
    OPT_USER,
    OPT_ITEM,
    OPT_DUE,
    OPT_AT,
    OPT_FIRST,
    OPT_LAST,
    OPT_BIRTH,
    OPT_PHONE,
    OPT_EMAIL,
    OPT_STREET,
    OPT_CITY,
    OPT_POSTCODE,
    OPT_TYPE,
    OPT_LIBRARY,
    OPT_USER_ACCESS,
    OPT_BLOCK_LIST,
    OPT_KIND,
    OPT_PIECES,
    OPT_LABEL,
    OPT_BATCH,
    OPT_FULL,
    OPT_YES,
    OPT_SLOT,
    OPT_NEW_PASSPHRASE,
    OPT_ROOT_KEY,
    OPT_DROP_OTHERS,
    OPT_LAST_OP,
    OPT_BACKUP_PASSPHRASE,
    OPT_ARRIVED,
    OPT_FORMAT,
    OPT_OUT,
    OPT_FROM,
    OPT_TO_FORMAT,
    OPT_ZONE,
    OPT_STATION,
    OPT_TMP,
    OPT_AGAIN,
    OPT_MEASURE,
    OPT_CHECK,
    OPT_ALL,
    OPT_CSV,
    OPT_HTML,
    OPT_REASON,
    OPT_ASIDE,
    OPT_PLAN,
    OPT_TO,
    OPT_HISTORY,
    OPT_LOAN,
    OPT_KEEP,
    OPT_STAFF,
    OPT_TYPED,
    OPT_OVERRIDE,
    OPT_DATE,
    OPT_LIST_FORMAT,
    OPT_WARN_BEHIND,
    OPT_CRIT_BEHIND,
    OPT_PRINT,
    OPT_PIN_FILE,
    OPT_FOLLOW,
    OPT_SINCE,
    OPT_COUNT
};

struct option_row {
    const char *name, *value; /* value NULL: a switch */
    const char *help;
    const char *words; /* the only values, with blanks between; NULL: others, too */
};
const struct option_row *option_row(enum cli_opt o);

/* ---- the table ---- */

struct cli;

#define NEEDS_MAX 4
#define TAKES_MAX 14

struct command {
    const char *verb, *object;     /* object NULL: the verb alone */
    const char *args;              /* "CODE", or NULL: takes none */
    enum cli_opt needs[NEEDS_MAX]; /* OPT_NONE at the end */
    enum cli_opt takes[TAKES_MAX]; /* besides those every verb takes */
    const char *help;              /* one line */
    const char *examples;          /* lines of two blanks and a command */
    int (*run)(struct cli *c);
    bool passes_on; /* what it does not know is the verb's own affair */
};
extern const struct command commands[];
extern const unsigned n_commands;
/* What the last of c->args may be, with blanks between; NULL: it is free. */
const char *command_words(const struct command *c);

/* object may be NULL or another word; then a row without object is taken, if there is one. */
const struct command *command_find(const char *verb, const char *object);
bool verb_exists(const char *verb);
bool verb_has_objects(const char *verb);
const char *verb_near(const char *verb); /* "did you mean", or NULL */
const char *object_near(const char *verb, const char *object);
void command_usage(const struct command *c, FILE *to); /* one line */
void help_all(FILE *to);
void help_outage(FILE *to); /* outage_page.c */
/* object may be NULL: all of the verb's; else that one alone, if there is such. */
void help_verb(const char *verb, const char *object, FILE *to);

/* ---- a parsed command line ---- */

struct cli {
    const struct command *command;
    const char *state;      /* the state directory */
    char *value[OPT_COUNT]; /* as given; "" for a switch; NULL if not given */
    int argc;               /* arguments that are no options */
    char **argv;
    bool json, quiet, color; /* color: of stdout */
    cli_node *node;
};

/* 0 and a filled c, or the exit code after the complaint; *done: help or version was printed. */
int cli_parse(int argc, char **argv, struct cli *c, bool *done);
void cli_free(struct cli *c);

/* ---- results and complaints ---- */

/* "tideover: ..." on stderr; with --json the error object on stdout as well. Returns exit_code. */
int cli_fail(const struct cli *c, int exit_code, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int cli_err(const struct cli *c, enum err e, const struct errmsg *msg);
int cli_usage(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A remark on stderr, unless --quiet. */
void cli_note(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* After init, join and restore: how the node of this state directory is started. */
void say_next_start(const struct cli *c);
void cli_json(const json_t *o); /* one line on stdout */

/* ---- the node (client.h below it) ---- */

struct client;
struct secret { /* goes into a body and never into a jansson value */
    const char *name, *value;
};
/* 0, or the exit code after the complaint. */
int cli_connect(const struct cli *c, struct client **out);
/* One request, one JSON object back. body NULL: GET. waiting: what to say once it takes more than
 * a second, and the sign that it may take minutes; NULL for what is answered at once. */
int cli_call(const struct cli *c, struct client *cl, const char *path, const struct buf *body,
             const char *waiting, json_t **out);
/* Posts o with secrets in it; o is released. */
int cli_call_with(const struct cli *c, const char *path, json_t *o, const struct secret *v,
                  unsigned count, json_t **out);
/* Is the lead key on this desk? Else it says where to go; asked before any passphrase. */
int cli_can_sign(const struct cli *c, struct client *cl);
/* Posts o with the lead's passphrase, which it asks for once the node is found; o is released. */
int cli_call_as_lead(const struct cli *c, const char *path, json_t *o, json_t **out);
/* The same with a list of such objects, one after another, asking once; *out, NULL before, is the
 * last answer; list is released. Ends at the first that is refused. */
int cli_call_as_lead_all(const struct cli *c, const char *path, json_t *list, json_t **out);
/* Prints what the node refused and returns its exit code. */
int cli_refused(const struct cli *c, unsigned status, const char *body, size_t n);

/* ---- JSON, tolerantly ---- */

long long j_int(const json_t *o, const char *key, long long otherwise);
bool j_is(const json_t *o, const char *key); /* true and nothing else */
const char *j_text(const json_t *o, const char *key, const char *otherwise);
size_t j_count(const json_t *o, const char *key); /* of an array; else 0 */
/* Control characters in texts become '?': a terminal obeys them. Line feeds stay. */
void j_scrub(json_t *o);
bool j_put(json_t *o, const char *key, const char *value); /* NULL value: nothing */
bool j_body_secrets(json_t *o, const struct secret *v, unsigned count, struct buf *out);
/* o's bytes and, if given, "passphrase"; out is to be wiped. o is released. */
bool j_body(json_t *o, const char *passphrase, struct buf *out);

/* ---- passphrase.c ---- */

/* The lead's passphrase from --lead-passphrase-file, or asked for on a terminal. 0 or exit code.
 * out has SETUP_WORDS bytes; wipe it. */
int passphrase_get(const struct cli *c, char *out);
/* Another one: from the file at path, or (NULL) asked for with these words. */
int passphrase_ask(const struct cli *c, const char *path, const char *question, char *out);
/* A passphrase that is new: the first line of the file at path if there is one; else six words of
 * ours, kept in that file before anything happens, or shown. 0 or exit code. */
struct new_passphrase {
    const char *path; /* as given; NULL: shown */
    bool made_file;
    char words[SETUP_WORDS_MAX];
};
int passphrase_new(const struct cli *c, const char *path, struct new_passphrase *p);
/* rc: what became of it. A refused one's file goes again; wipes. */
void passphrase_new_end(const struct cli *c, struct new_passphrase *p, int rc);
/* The branch's root key out of its backup file, as 64 hex digits. 0 or exit code; wipe it. */
int root_key_get(const struct cli *c, char hex[65]);
/* First line of a file. ERR_NOFILE, ERR_DENIED, ERR_INVALID. */
enum err passphrase_read(const struct cli *c, const char *path, char *out, struct errmsg *msg);

/* ---- term.c ---- */

bool term_out(void);       /* stdout is a terminal */
bool term_has_color(void); /* one with colours, and nobody set NO_COLOR */
bool term_err(void);
bool term_can_ask(void); /* somebody sits there: stdin and stderr are terminals */
bool term_ask_yes(const char *question);
/* Reads a line without echo. False at its end or Ctrl-C. */
bool term_ask_secret(const char *question, char *out, size_t room);

enum hue { HUE_OFF, HUE_BAD, HUE_WARN, HUE_GOOD, HUE_DIM };
const char *hue(const struct cli *c, enum hue h); /* escape sequence, or "" */

struct progress {
    bool on; /* on a terminal and not --quiet */
    bool shown;
    uint64_t began_ms, drawn_ms;
};
void progress_begin(const struct cli *c, struct progress *p);
/* Draws at most ten times a second, and nothing in the first second. total 0: unknown. */
void progress_show(struct progress *p, const char *what, uint64_t done, uint64_t total);
void progress_end(struct progress *p); /* wipes the line */

void interrupt_catch(void); /* Ctrl-C sets a flag from here on */
void interrupt_release(void);
bool interrupted(void);

uint64_t now_ms(void); /* monotonic */
void sleep_ms(unsigned ms);

/* A table with columns as wide as their cells; tab-separated without a heading off a terminal. */
#define TABLE_COLUMNS 10
struct table {
    unsigned columns;
    bool aligned;
    size_t width[TABLE_COLUMNS];
    struct buf cells; /* NUL-terminated, row after row */
    size_t n_cells;
};
void table_begin(struct table *t, const char *const *heading, unsigned columns);
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_print(struct table *t); /* prints and forgets the rows; the widths stay */
void table_end(struct table *t);

/* ---- target.c ---- */

/* Written aside, flushed, linked into place: a file under its name is whole, and none is
 * overwritten. */
struct target {
    const char *path;
    char aside[4096];
    int fd;
    bool is_stdout;
};
int target_open(const struct cli *c, struct target *t); /* 0 or exit code, as the next one */
int target_keep(const struct cli *c, struct target *t);
void target_close(struct target *t);

/* ---- words for people ---- */

void words_number(long long n, char out[32]);    /* "12,345" */
void words_ago(long long seconds, char out[32]); /* "3 h", "2 min", "now" */
/* RFC 3339 text, in the time that it says itself: the library's. day: with the date. */
void words_time(const json_t *t, bool day, char out[32]);
/* "2026-11-23 09:12:04 to 13:58:40 -05:00", as the times themselves say it; one moment: once. */
void words_span(const json_t *from, const json_t *to, char out[80]);
/* An item's number; of pieces without one: "3 paperback". "-": neither. */
void words_item(const json_t *record, char out[48]);
void words_barcode(const char *s, bool full, char out[40]); /* "…1234" */

/* A quoted cell on stdout, then a comma or the end of the line; never a formula. */
void csv_cell(const char *s, bool last);

/* ---- shared between verbs ---- */
void print_seats_left(const json_t *answer);                  /* of retire and revoke */
void print_server(const struct cli *c, const json_t *server); /* of status: a line or three */

void plan_print(const struct cli *c, const json_t *plan); /* upload_words.c */
/* "2 held, 3 waits" of counts by reason; empty: none. */
void words_aside(const json_t *reasons, struct buf *out);
/* Waits until the upload of *slot, or the first after it, is delivered; *slot becomes its number.
 * 0 or exit code. upload_follow.c */
int upload_follow(const struct cli *c, struct client *cl, long long *slot);
int batch_run(const struct cli *c, const char *path); /* batch.c */
enum err file_read(const char *path, size_t max, struct buf *out, struct errmsg *msg);
/* Reads a policy file and fills in its zone's rule. 0 or exit code. */
int policy_load(const struct cli *c, const char *path, struct buf *out);

int cmd_init(struct cli *c);
int cmd_invite(struct cli *c);
int cmd_invites_list(struct cli *c);
int cmd_invites_withdraw(struct cli *c);
int cmd_join(struct cli *c);
int cmd_revoke(struct cli *c);
int cmd_quarantine_list(struct cli *c);
int cmd_quarantine_admit(struct cli *c);
int cmd_restore_seat(struct cli *c);
int cmd_server_status(struct cli *c);
int cmd_server_online(struct cli *c);
int cmd_server_test(struct cli *c);
int cmd_retire(struct cli *c);
int cmd_rename(struct cli *c);
int cmd_role(struct cli *c);
int cmd_roster_conflicts(struct cli *c);
int cmd_roster_log(struct cli *c);
int cmd_passphrase(struct cli *c);
int cmd_lead_list(struct cli *c);
int cmd_lead_new(struct cli *c);
int cmd_lead_drop(struct cli *c);
int cmd_backup(struct cli *c);
int cmd_key_show(struct cli *c);
int cmd_restore(struct cli *c);
int cmd_policy_show(struct cli *c);
int cmd_policy_publish(struct cli *c);
int cmd_blocklist_import(struct cli *c);
int cmd_blocklist_show(struct cli *c);
int cmd_blocklist_test(struct cli *c);
int cmd_credential_set(struct cli *c);
int cmd_credential_list(struct cli *c);
int cmd_open(struct cli *c);
int cmd_support(struct cli *c);
int cmd_events(struct cli *c);
int cmd_pin_set(struct cli *c);
int cmd_node(struct cli *c);
int cmd_record(struct cli *c);
int cmd_record_scan(struct cli *c);
int cmd_practice_on(struct cli *c);
int cmd_practice_off(struct cli *c);
int cmd_practice_reset(struct cli *c);
int cmd_practice_report(struct cli *c);
int cmd_session_show(struct cli *c);
int cmd_session_set(struct cli *c);
int cmd_session_end(struct cli *c);
int cmd_void(struct cli *c);
int cmd_status(struct cli *c);
int cmd_check(struct cli *c);
/* Nagios' four, as exit codes. */
enum check_level { LEVEL_OK, LEVEL_WARNING, LEVEL_CRITICAL, LEVEL_UNKNOWN };
/* The worst of what a status says, and the words for it. warn, crit: records on this PC only. */
enum check_level check_judge(const json_t *status, long long warn, long long crit, int64_t now_ms,
                             char words[300]);
int cmd_doctor(struct cli *c);
int cmd_config_path(struct cli *c);
int cmd_config_check(struct cli *c);
int cmd_config_show(struct cli *c);
int cmd_config_reload(struct cli *c);
int cmd_manual(struct cli *c);
int cmd_completion(struct cli *c);
int cmd_watch(struct cli *c);
int cmd_peers(struct cli *c);
int cmd_log_list(struct cli *c);
int cmd_log_verify(struct cli *c);
int cmd_upload_plan(struct cli *c);
int cmd_upload_run(struct cli *c);
int cmd_upload_status(struct cli *c);
int cmd_upload_decide(struct cli *c);
int cmd_upload_pause(struct cli *c);
int cmd_upload_resume(struct cli *c);
int cmd_upload_report(struct cli *c);
int cmd_upload_override(struct cli *c);
int cmd_upload_overlaps(struct cli *c);
int cmd_upload_confirm(struct cli *c);
int cmd_upload_done(struct cli *c);
int cmd_upload_loaded(struct cli *c);
int cmd_upload_unconfirmed(struct cli *c);
int cmd_upload_aside(struct cli *c);
int cmd_upload_exceptions(struct cli *c);
int cmd_upload_release(struct cli *c);
int cmd_upload_cards(struct cli *c);
int cmd_worklist(struct cli *c);
int cmd_worklist_done(struct cli *c);
int cmd_conflicts_list(struct cli *c);
int cmd_conflicts_send(struct cli *c);
int cmd_conflicts_void(struct cli *c);
int cmd_erase(struct cli *c);
int cmd_report(struct cli *c);
int cmd_bundle_export(struct cli *c);
int cmd_bundle_import(struct cli *c);
int cmd_export(struct cli *c);
int cmd_merge(struct cli *c);
int cmd_help(struct cli *c);

#endif
