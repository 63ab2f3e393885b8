/* spill_file.h - where a node sorts what its memory shall not hold (runs.h).
 *
 * A file without a name in the node's directory, made at the first write, gone when it is closed or the
 * process ends. What is in it says who borrowed what, so it is enciphered (XChaCha20) with a key that only
 * this process has and never writes down. A byte that the disk changes shows as another content of the
 * upload, which no seat agrees to; it is not authenticated for that reason. One thread. */
#ifndef TIDEOVER_SPILL_FILE_H
#define TIDEOVER_SPILL_FILE_H

#include "runs.h"

#define SPILL_KEY_BYTES   32
#define SPILL_NONCE_BYTES 24

struct spill_file {
    const char *dir; /* borrowed */
    struct spill lent;
    int fd; /* -1: not made yet */
    uint64_t bytes;
    uint8_t key[SPILL_KEY_BYTES], nonce[SPILL_NONCE_BYTES];
};

/* What to lend; it and dir stay valid until the file is closed. */
const struct spill *spill_file_init(struct spill_file *f, const char *dir);
void spill_file_close(struct spill_file *f); /* wipes the key; zeros are fine, too */

#endif
