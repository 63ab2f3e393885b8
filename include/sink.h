/* sink.h - where a batch goes. One file per kind in node/sinks/, one row in the table there.
 *
 * A sink gets files that lie ready beside our own state, with their digests, and must be safe to
 * call again with the same ones: its class, in node/sinks/README.md, says how. Runs on a worker thread. */
#ifndef TIDEOVER_SINK_H
#define TIDEOVER_SINK_H

#include "answer.h"
#include "err.h"
#include "ledger.h"
#include "policy.h"
#include "put.h"
#include "record.h"
#include "slot.h"

struct sink_file {
    char name[96]; /* under which the server's side finds it */
    int fd;        /* of its bytes, which have no name anywhere; for pread(), borrowed */
    struct slot_part part;
};

/* One line of the payload, for sinks that are answered per record. */
struct sink_line {
    unsigned part;        /* index of its file in the batch of all files */
    const uint8_t *bytes; /* as written, with its line end; borrowed until the next call */
    size_t n;
    struct record_ref ref;
    unsigned kind; /* enum record_kind */
};

struct sink_batch {
    const char *target; /* behind "file:" or "drop:DESK:" the directory; else the URL: "https://..",
                           "sip2://HOST:PORT" */
    const char *writer; /* desk and attempt, for names of files that are being written */
    unsigned n_files;
    const struct sink_file *files;
    /* ---- of sinks that are answered per record, or item by item (delivery.h) ---- */
    const struct policy *policy;
    const char *home;       /* the state directory, where credentials lie (credential.h) */
    const char *name;       /* of the batch: branch, epoch, slot, hash; no personal data */
    uint64_t item;          /* which is meant, from 1; 0: the whole batch */
    uint64_t n_lines;       /* over all files */
    char key[SINK_KEY_MAX]; /* as the item before left it; a send that is DONE, or RETRY with
                               another place to try it at, may set it anew */
    /* The k-th line, from 1. ERR_MISSING, ERR_DISK. */
    enum err (*line)(void *ctx, uint64_t k, struct sink_line *out);
    /* What became of the k-th line; words are the system's own, "" if it said nothing. Lines that
     * are never told are accepted once the batch (or the item) is DONE. Counts only together with
     * DONE: of a send or look that ends otherwise nothing is kept. Each line at most once. */
    void (*answer)(void *ctx, uint64_t k, enum answer a, const char *words);
    /* Must this line wait, because an earlier one of its item, or the registration of its card, was
     * refused, quarantined or held? */
    bool (*behind)(void *ctx, uint64_t k);
    /* The policy's credential, as "name" or "name.KIND" names it: one line of text without its line
     * end. Wiped by the caller. ERR_CONFIG: says which file is missing or open to others. */
    enum err (*secret)(void *ctx, const char *kind, char out[512], struct errmsg *msg);
    /* A connection that is kept between the items of one upload; NULL at first. The sink's `end`
     * closes it. */
    void **session;
    /* Asked at the last moment before anything leaves: is the lease that this was begun under still
     * held? A process may have been stopped, or long at its work, since it was told to deliver. */
    bool (*may_send)(void *ctx);
    void *ctx;
};

/* words: evidence if done, else what to do; 256 bytes. */
enum delivery sink_deliver(const char *sink, struct sink_batch *b, char words[256]);
/* Is it there? Only asked of sinks with steps. words: the name of what was looked for, or what to
 * do; 256 bytes. */
enum delivery sink_look(const char *sink, struct sink_batch *b, char words[256]);
/* Is the i-th file there, byte for byte? Asked by a desk that did not send it, of sinks whose files
 * stay; needs of b: policy, home, secret, files with name and part. words: "" or why not known. */
enum put_there sink_check(const char *sink, struct sink_batch *b, unsigned i, char words[256]);
bool sink_can_check(const char *sink);
void sink_end(const char *sink, void *session); /* NULL is fine */
bool sink_is_built(const char *sink);           /* can this version hand over to it? */

/* ---- for the sinks ---- */
/* DENIED, in words that name the files of the login (credential_login). who: "Koha"; detail: of its
 * answer, " (HTTP 401)". */
enum delivery sink_denied(const char *login, const char *who, const char *detail, char words[256]);
enum delivery sink_too_late(char words[256]); /* RETRY: the lease ended before anything left */
/* Names with a blank between, as many as there is room for: the evidence in the receipt of files
 * that arrived, for people. */
void sink_say_names(const struct sink_batch *b, char words[256]);

enum delivery sink_file_deliver(struct sink_batch *b, char words[256]);
enum delivery sink_drop_deliver(struct sink_batch *b, char words[256]);
enum delivery sink_drop_look(struct sink_batch *b, char words[256]);
enum put_there sink_file_check(struct sink_batch *b, unsigned i, char words[256]);
enum put_there sink_http_check(struct sink_batch *b, unsigned i, char words[256]);
enum put_there sink_sftp_check(struct sink_batch *b, unsigned i, char words[256]);
enum delivery sink_https_deliver(struct sink_batch *b, char words[256]);
enum delivery sink_https_look(struct sink_batch *b, char words[256]);
enum delivery sink_put_deliver(struct sink_batch *b, char words[256]);
enum delivery sink_key_deliver(struct sink_batch *b, char words[256]);
enum delivery sink_sftp_deliver(struct sink_batch *b, char words[256]);
enum delivery sink_evergreen_deliver(struct sink_batch *b, char words[256]);
enum delivery sink_evergreen_look(struct sink_batch *b, char words[256]);
void sink_evergreen_end(void *session);
enum delivery sink_koha_deliver(struct sink_batch *b, char words[256]);
enum delivery sink_koha_look(struct sink_batch *b, char words[256]);
void sink_koha_end(void *session);
enum delivery sink_koha_plugin_deliver(struct sink_batch *b, char words[256]);
void sink_koha_plugin_end(void *session);
enum delivery sink_sip2_deliver(struct sink_batch *b, char words[256]);
enum delivery sink_sip2_look(struct sink_batch *b, char words[256]);
void sink_sip2_end(void *session);

#endif
