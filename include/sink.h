/* sink.h - where a batch goes. One file per kind in node/sinks/, one row in the table there.
 *
 * A sink gets files that lie ready beside our own state, with their digests, and must be safe to
 * call again with the same ones: its class in the README says how. Runs on a worker thread. */
#ifndef TIDEOVER_SINK_H
#define TIDEOVER_SINK_H

#include "err.h"
#include "ledger.h"
#include "slot.h"

struct sink_file {
    char name[96];   /* under which the server's side finds it */
    char path[4096]; /* where it lies ready, 0600 */
    struct slot_part part;
};

struct sink_batch {
    const char *target; /* the directory: what stands behind "file:" or "drop:DESK:" */
    const char *writer; /* desk and attempt, for names of files that are being written */
    unsigned n_files;
    const struct sink_file *files;
    /* Asked at the last moment before anything leaves: is the lease that this was begun under still
     * held? A process may have been stopped, or long at its work, since it was told to deliver. */
    bool (*may_send)(void *ctx);
    void *ctx;
};

/* words: evidence if done, else what to do; 256 bytes. */
enum delivery sink_deliver(const char *sink, const struct sink_batch *b, char words[256]);
/* Is it there? Only asked of sinks with steps. words: the name of what was looked for, or what to
 * do; 256 bytes. */
enum delivery sink_look(const char *sink, const struct sink_batch *b, char words[256]);
bool sink_is_built(const char *sink); /* can this version hand over to it? */

enum delivery sink_file_deliver(const struct sink_batch *b, char words[256]);
enum delivery sink_drop_deliver(const struct sink_batch *b, char words[256]);
enum delivery sink_drop_look(const struct sink_batch *b, char words[256]);

#endif
