/* node_int.h - the daemon's insides: one loop that owns core, store and network.
 *
 * A round of the loop: gather events (messages, requests, finished jobs, the clock), let the core
 * handle them, seal, commit, and only then send, answer and start jobs. A request that recorded
 * something is answered after its commit; one that needs long work runs as a job on a thread of its
 * own with its own snapshot of the store. */
#ifndef TIDEOVER_NODE_INT_H
#define TIDEOVER_NODE_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include <jansson.h>

#include "commit_wait.h"
#include "conf.h"
#include "core.h"
#include "export.h"
#include "http.h"
#include "invite.h"
#include "metrics.h"
#include "net.h"
#include "practice.h"
#include "session.h"
#include "store.h"
#include "today.h"

#define INVITES_MAX 16

struct node;

/* Long work: run() on its own thread, done() on the loop's, then the job is freed by done(). */
struct job {
    struct node *node;
    void (*run)(struct job *j);
    void (*done)(struct job *j);
    struct job *next;
    bool apart;                           /* reads nothing of the store */
    atomic_uint_fast64_t progress, total; /* shown by `upload status` */
};

struct reply { /* an answer that waits for the commit */
    struct http_request *rq;
    unsigned status;
    const char *type;
    struct buf body;
    bool copies; /* wait for the first copy elsewhere, but not past until_ms */
    bool durable;
    struct record_ref ref;
    json_t *more; /* to be said of the record: note, due, warning; owned; NULL: nothing */
    uint64_t until_ms;
    struct reply *next;
};

struct invite {
    bool live;
    char name[DESK_NAME_MAX + 1]; /* of the desk it is for */
    int door;
    int64_t expires_ms; /* wall clock; the door answers "used" or "expired" a while on */
    uint64_t closes_boot_ms;
    struct invite_code code;
    uint8_t invite_sk[SIGN_SK_BYTES];
    struct buf power, lead_box;
    bool used;
    struct desk_id used_by;
    uint8_t used_sign_pk[KEY_BYTES];
    unsigned number, roles; /* of this run: 1, 2, .. */
    bool withdrawn;
    unsigned wrong, late, again, taken; /* tries that were refused: not this code; expired or
                                           withdrawn; used before; its name joined meanwhile */
};

struct door_reply { /* as reply, for a joiner */
    int door;
    uint64_t client;
    struct buf bytes;
    struct door_reply *next;
};

struct node {
    char dir[4000];
    struct conf conf;
    struct ident me;
    struct session session;
    struct today today;   /* shift.c */
    const char *keyboard; /* scan.h, D11: the last scan here came through it; NULL: as it was */
    struct practice practice;
    struct drills drills;                   /* as the file `practice` has them */
    uint8_t practice_key[RECORD_KEY_BYTES]; /* of the last scan: a repeated one is judged once */
    struct store *store;
    struct core *core;
    struct net_events net_events;
    struct net *net;
    struct http *http;
    int wake_fd;          /* eventfd: requests and finished jobs */
    pthread_mutex_t lock; /* guards the two queues */
    struct http_request *requests, **requests_end;
    struct job *finished;
    unsigned jobs;  /* running; loop's thread only */
    bool unlocking; /* one passphrase at a time: each try takes 256 MiB */
    struct reply *replies, **replies_end;
    struct door_reply *door_replies;
    struct buf *self; /* messages to ourselves, for the next round */
    unsigned n_self, self_room;
    size_t batch_bytes; /* taken in since the last commit */
    unsigned recorded;  /* single records since then, whose clients wait */
    struct commit_wait wait;
    bool doubted, again;            /* the store: to be looked through; damaged, so begin anew */
    bool unlooked;                  /* it was in doubt, and the last look came to no end */
    bool cut_short;                 /* stopped while a start looked through it */
    uint8_t spare_hash[HASH_BYTES]; /* roster in the file `roster`, and the addresses beside it */
    struct buf spare_addresses;
    uint64_t spare_ms; /* next look at it */
    bool stopped;      /* the disk refused: nothing is acknowledged until it works again */
    char stop_reason[256];
    unsigned long refused; /* mem_refused() at the last commit */
    uint64_t sending,
        sending_until_ms; /* of the ledger's view; under lock, the job's thread asks */
    uint64_t retry_ms;
    struct invite invite[INVITES_MAX];
    unsigned invites; /* made in this run */
    struct {
        enum { FORGET_IDLE, FORGET_BEGIN, FORGET_STEP, FORGET_END } state;
        uint64_t number, covers; /* of the erased blocks: asked for, and when it began */
    } forget;
    struct job *upload_job;  /* for progress */
    struct payload *payload; /* of the upload that this desk hands over; NULL: none */
    struct { /* work of the upload that could not begin; number 0: none. Said in the next round,
              * so that what the core then puts on the disk is durable before it speaks of it */
        uint64_t number;
        bool build;
        char why[256];
    } unbegun;
    struct job *jobs_to_start; /* once what they may read is committed */
    struct buf bundle;         /* pieces of a part that comes in */
    unsigned bundle_next;      /* number of the part that has to follow in the file, */
    struct desk_id bundle_of;  /* which that desk wrote */
    bool runs;                 /* run/ is ours to remove */
    uint64_t started_ms, hint_ms, condition_ms;
    unsigned hints; /* rounds through [peers] known */
    struct metrics metrics;
    struct beacon *beacon; /* NULL: desks are not looked for on the local network */
    struct probe *probe;
    uint8_t probe_policy[HASH_BYTES];
    struct changes *changes;
    struct {
        bool known, triggered;
        uint8_t stamp[16]; /* of the secrets here, when the login was refused */
        uint64_t look_ms;
    } denied;
    struct node_events *events;
};

/* node.c */
struct moment node_now(void);
enum err node_open(struct node *n, struct errmsg *msg);
void node_round(struct node *n); /* of the loop: waits for something to do, and does it */
void node_close(struct node *n);
int node_patience(const struct node *n, uint64_t now_ms); /* so many ms may the loop sleep */

/* cycle.c */
void node_cycle(struct node *n); /* seal, commit, effects, answers, jobs */
enum err node_open_core(struct node *n, struct errmsg *msg);
void node_stop_saving(struct node *n, const char *why);
void node_save_again(struct node *n); /* while it is stopped: is the disk good again? */

/* jobs.c */
void node_wake(struct node *n); /* the loop, from any thread */
/* After this round's commit: its snapshot must hold what the core counted when the job was made. */
void node_start_job(struct node *n, struct job *j);
void jobs_start(struct node *n);
void jobs_finish(struct node *n);     /* those that have ended */
bool jobs_have_ended(struct node *n); /* at the stop: all of them; false: one is still at work */

/* daemon.c */
bool node_stops(void); /* were we told to? any thread */

/* log.c. level: 0 error, 1 warn, 2 info, 3 debug. Loop's thread only. */
void node_log(struct node *n, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* entry.c: a page comes in */
void entry_cookie_name(const struct node *n, char out[40]);
void entry_sessions(const struct node *n, struct buf *out); /* that a crash left; wipe them */
void entry_code(struct node *n, struct http_request *rq, json_t *body);
void entry_trade(struct node *n, struct http_request *rq, json_t *body);
void entry_again(struct node *n, struct http_request *rq);
void entry_touch(struct node *n, struct http_request *rq, json_t *body);
void entry_leave(struct node *n, struct http_request *rq, json_t *body);
/* pin.c */
void pin_try(struct node *n, struct http_request *rq, json_t *body);
void pin_change(struct node *n, struct http_request *rq, json_t *body);
void pin_lock(struct node *n, struct http_request *rq, json_t *body);

/* events.c */
enum err events_open(struct node *n, struct errmsg *msg);
void events_round(struct node *n, const struct moment *now);
void events_get(struct node *n, struct http_request *rq);
void events_close(struct node *n);

/* tokens.c */
enum err tokens_make(struct node *n, struct http_config *hc, struct errmsg *msg); /* fills hc's */
void tokens_remove(const struct node *n);

/* reload.c */
void reload_by_signal(struct node *n);
void reload_settings(struct node *n, struct http_request *rq);
void reload_post(struct node *n, struct http_request *rq, json_t *body);

/* support.c */
json_t *support_settings(const struct node *n);
void support_get(struct node *n, struct http_request *rq);

/* changes.c: pages that wait */
enum err changes_open(struct node *n, struct errmsg *msg);
void changes_round(struct node *n, const struct moment *now);
bool changes_awaited(const struct node *n); /* by a page that is open */
void changes_get(struct node *n, struct http_request *rq);
void changes_close(struct node *n); /* before the door is closed */

/* replies.c */
void replies_begin(struct node *n);
void node_reply_later(struct node *n, struct http_request *rq, unsigned status, const char *type,
                      struct buf *body); /* after this round's commit */
/* As recorded, once there is a copy on another desk, or after a moment without one. */
void node_reply_copies(struct node *n, struct http_request *rq, const struct record_ref *ref,
                       json_t *more); /* fields of the answer; taken; NULL: none */
/* After a commit: answers what is true now. Not durable: says that this PC cannot save. */
void replies_release(struct node *n, bool durable);
uint64_t replies_until(const struct node *n); /* one waits for a copy so long; UINT64_MAX: none */
void replies_end(struct node *n);             /* at the stop: nobody is left waiting */

/* api.c */
void api_handle(struct node *n, struct http_request *rq);
void api_error(struct node *n, struct http_request *rq, enum err e, const struct errmsg *msg);
/* Puts a promised day under `name`, and a warning if the library is closed then. due 0: nothing. */
void api_put_due(uint32_t due, const struct policy *p, json_t *o, const char *name);
json_t *api_error_json(enum err e, const struct errmsg *msg);
void api_recorded(struct node *n, const struct record_ref *ref, json_t *more,
                  struct buf *out); /* takes more; NULL: none */
void api_json_later(struct node *n, struct http_request *rq, json_t *j); /* after the commit */
void api_json(struct http_request *rq, unsigned status, json_t *j);      /* takes j */

/* status.c */
void status_get(struct node *n, struct http_request *rq);
void status_peers(struct node *n, struct http_request *rq);
void status_policy(struct node *n, struct http_request *rq);
void status_upload(struct node *n, struct http_request *rq);
json_t *status_json(struct node *n); /* as answered */
const char *status_upload_state(const struct node *n, const struct ledger_view *l);
json_t *status_peers_json(struct node *n);
json_t *status_upload_json(struct node *n);
/* settled.c: {"how": "answers", "loaded", "word" or "nothing_sent", "by", "at"}; null: only handed
 * over. */
json_t *settled_json(const struct node *n, const struct receipt *r, const struct intent *in);
const struct zone *status_zone(const struct node *n); /* the library's; NULL: not known yet */
/* A moment in the library's own time, whatever this PC's zone is. */
json_t *status_time(const struct node *n, int64_t ms);
const char *status_desk_name(const struct node *n, const struct desk_id *id); /* "?": not known */
json_t *status_roles(unsigned roles);
json_t *status_problems(const struct node *n, const struct moment *now); /* status_problems.c */
/* readiness.c */
void readiness_get(struct node *n, struct http_request *rq);
/* condition.c */
void condition_here(struct node *n, const struct moment *now, struct condition *out);
void condition_look(struct node *n, const struct moment *now); /* at each tick */

struct payload; /* payload_int.h */

/* blocklist.c */
/* clock.c: NULL-free; "warning" is null or {code, message} */
json_t *clock_json(const struct node *n, const struct moment *now);
bool clock_warning(const struct node *n, const struct moment *now, char out[256]);

json_t *blocklist_json(const struct node *n);       /* NULL: there is none */
long long blocklist_age_days(const struct node *n); /* 0: none, or of today */
bool blocklist_is_old(const struct node *n, char text[256]);
void blocklist_get(struct node *n, struct http_request *rq);
void blocklist_begin(struct node *n, struct http_request *rq, json_t *body);
void blocklist_lines(struct node *n, struct http_request *rq, json_t *body);
void blocklist_end(struct node *n, struct http_request *rq, json_t *body);
void blocklist_test(struct node *n, struct http_request *rq, json_t *body);
void lead_override_block(struct node *n, struct http_request *rq, json_t *body);

json_t *note_json(const struct node *n, const struct told_note *t); /* note.c; NULL: nothing */

/* session.c */
const char *session_desk(const struct node *n); /* its name as it joined */
void session_load(struct node *n);
enum err session_keep(struct node *n, const struct session *s, struct errmsg *msg); /* durable */
void session_get(struct node *n, struct http_request *rq);
void session_put(struct node *n, struct http_request *rq, json_t *body);
/* shift.c: what the Desk page shows */
void shift_get(struct node *n, struct http_request *rq);
/* gate.c: the only way from this desk's people into the core; shut while practice is on (P2). */
enum err gate_record(struct node *n, const struct moment *now, struct record *r, enum ask ask,
                     struct told_note *note, struct record_ref *out, bool *again,
                     struct errmsg *msg);
/* practice.c */
void practice_load(struct node *n);
void practice_watch(struct node *n, const struct moment *now); /* at each tick: P3, and forgets */
/* P4: is this scan practice, or real? *mark: of its box, if it came with one; becomes 0 or the
 * practice's number. ERR_REFUSED: practice, practice_over. */
enum err practice_enter(const struct node *n, bool has_box, uint32_t *mark, struct errmsg *msg);
/* key NULL: it has none. Else the box is led back to the way (P6). */
bool practice_is_repeat(struct node *n, const uint8_t *key, const struct box *b);
/* A scan of practice was carried out: the next step. */
json_t *practice_judged(struct node *n, const struct policy *p, const struct box *after, bool fresh,
                        enum err e, const char *why, const struct box_answer *a);
void practice_scanned(struct node *n, int64_t wall_ms); /* a scanner read something */
json_t *practice_status(const struct node *n);          /* for the status */
json_t *practice_last_drill(const struct node *n);
void practice_get(struct node *n, struct http_request *rq);
void practice_post(struct node *n, struct http_request *rq, json_t *body);
/* scan.c */
void scan_post(struct node *n, struct http_request *rq, json_t *body);

/* upload.c: the effects BUILD, DELIVER and LOOK */
void upload_build(struct node *n, uint64_t number, const struct buf *draft);
void upload_deliver(struct node *n, uint64_t number, uint64_t item, bool look,
                    const struct buf *intent);
void upload_watch(struct node *n, const struct ledger_view *v); /* after each round */
void upload_end(struct node *n);                                /* lets go of the payload */
void upload_say_unbegun(struct node *n);
/* denied.c: after each round; a login that was refused is tried again when this desk's secrets are
 * other ones, or a lead says so. */
void denied_watch(struct node *n, const struct moment *now, const struct ledger_view *v);
void upload_forget(const struct node *n, uint64_t back_to); /* manifests of earlier slots */

/* erase.c: the effects ASIDE and FORGET */
void erase_aside(struct node *n, uint64_t slot);
void erase_forget(struct node *n, uint64_t number);
void erase_round(struct node *n);
enum err erase_desk_key(struct node *n, struct errmsg *msg); /* the store's into the key file */

/* report.c */
void report_plan(struct node *n, struct http_request *rq);
void report_slot(struct node *n, struct http_request *rq, uint64_t slot); /* 0: the newest upload */

/* exceptions.c */
void exceptions_list(struct node *n, struct http_request *rq);
json_t *exceptions_counts(const struct node *n, uint64_t slot);

/* stream.c */
void stream_export(struct node *n, struct http_request *rq, const char *format);
void stream_list(struct node *n, struct http_request *rq, bool pending, uint64_t after,
                 uint64_t limit); /* pending: only what waits to be uploaded */
void stream_lines(struct node *n, struct http_request *rq, uint64_t slot); /* what it sent */
void stream_conflicts(struct node *n, struct http_request *rq); /* of what waits: for a lead */

/* pause.c */
void pause_post(struct node *n, struct http_request *rq, json_t *body);
json_t *pause_json(const struct node *n); /* names of the desks that want it to wait */

/* outage.c */
void outage_get(struct node *n, struct http_request *rq);

/* bundle.c */
void bundle_get(struct node *n, struct http_request *rq);
void bundle_put(struct node *n, struct http_request *rq, json_t *body);

/* verify.c */
void verify_start(struct node *n, struct http_request *rq);

/* lead.c: whatever needs the lead's key */
void invite_list(struct node *n, struct http_request *rq);
void invite_withdraw(struct node *n, struct http_request *rq, json_t *body);
void lead_invite(struct node *n, struct http_request *rq, json_t *body);
void quarantine_list(struct node *n, struct http_request *rq);
void lead_admit(struct node *n, struct http_request *rq, json_t *body);
void lead_revoke(struct node *n, struct http_request *rq, json_t *body);
void lead_policy(struct node *n, struct http_request *rq, json_t *body);
void lead_upload(struct node *n, struct http_request *rq, json_t *body);
void lead_retire(struct node *n, struct http_request *rq, json_t *body);
void lead_rename(struct node *n, struct http_request *rq, json_t *body);
void lead_role(struct node *n, struct http_request *rq, json_t *body);
void lead_passphrase(struct node *n, struct http_request *rq, json_t *body);
void lead_new(struct node *n, struct http_request *rq, json_t *body);
void lead_drop(struct node *n, struct http_request *rq, json_t *body);
int64_t backup_made(const char *dir); /* when, wall clock; 0: never */
void backup_start(struct node *n, struct http_request *rq, json_t *body);
void keyring_load(struct node *n);                           /* with a core just opened */
void keyring_keep(struct node *n, const struct buf *sealed); /* empty: remove */
void keyring_show(struct node *n, struct http_request *rq);
void keyring_list(struct node *n, struct http_request *rq);
void keyring_log(struct node *n, struct http_request *rq);
void desks_conflicts(struct node *n, struct http_request *rq);
void lead_decide(struct node *n, struct http_request *rq, json_t *body);
void invite_knock(struct node *n, int door, uint64_t client, const uint8_t *p, size_t len);
void invite_tick(struct node *n, const struct moment *now);

/* override.c */
void override_plan_get(struct node *n, struct http_request *rq);
void lead_override(struct node *n, struct http_request *rq, json_t *body);
void overlaps_get(struct node *n, struct http_request *rq);

/* word.c */
void word_confirm(struct node *n, struct http_request *rq, json_t *body);
void loaded_say(struct node *n, struct http_request *rq, json_t *body); /* loaded.c */
void loaded_get(struct node *n, struct http_request *rq);
void loaded_lines(struct node *n, struct http_request *rq);
json_t *loaded_json(const struct node *n, uint64_t slot); /* null: no upload */
void loaded_list(const struct node *n, uint64_t slot, json_t *list, uint64_t *open);
void word_done(struct node *n, struct http_request *rq, json_t *body);
/* worklist.c */
void worklist_get(struct node *n, struct http_request *rq);
void worklist_tick(struct node *n, struct http_request *rq, json_t *body);

/* aside.c */
void aside_list(struct node *n, struct http_request *rq);
json_t *aside_counts_json(const struct node *n); /* by reason */
void conflicts_rule(struct node *n, struct http_request *rq, json_t *body);
void aside_release(struct node *n, struct http_request *rq, json_t *body);
void aside_cards(struct node *n, struct http_request *rq, json_t *body);
void word_restore(struct node *n, struct http_request *rq, json_t *body);
void word_online(struct node *n, struct http_request *rq, json_t *body);
void word_erasing(struct node *n, struct http_request *rq);
json_t *word_confirmed_json(const struct node *n, const struct receipt *r, uint64_t slot);

/* damage.c */
int damage_look_main(const char *dir);    /* the process that looks; the verdict is its exit code */
int damage_compact_main(const char *dir); /* that makes its file smaller */
/* Before the store is opened: moves a damaged one aside. ERR_DENIED: damaged, and nothing to begin
 * anew from. ERR_BUSY with n->cut_short: we were told to stop. */
enum err damage_judge(struct node *n, struct errmsg *msg);
enum err damage_refill(struct node *n, struct errmsg *msg); /* a store that is open and empty */
void damage_look_later(struct node *n); /* a job: the store is in doubt; sets n->again if damaged */
bool damage_lies_here(const char *dir, char name[80]);

/* beacon.c */
struct beacon *beacon_start(struct node *n); /* NULL: switched off, or it cannot be */
void beacon_round(struct node *n, const struct moment *now);
void beacon_stop(struct beacon *b); /* NULL is fine */

/* probe.c */
struct probe;
struct probe *probe_start(const struct policy *p,
                          const char *state_dir);           /* NULL: nothing to watch */
bool probe_fetch(struct probe *p, struct watch_check *out); /* a look since the last fetch */
void probe_log_in_again(struct probe *p); /* also if it was refused; NULL is fine */
void probe_stop(struct probe *p);         /* NULL is fine; its thread says nothing any more */

#endif
