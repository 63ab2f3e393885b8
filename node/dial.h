/* dial.h - why nobody answers at an address. ZeroMQ tries again and again and does not say what the
 * system told it (its event of a failed connection has no errno), so a plain connection is tried
 * beside it, now and then, for its error alone; nothing is sent on it. */
#ifndef TIDEOVER_DIAL_H
#define TIDEOVER_DIAL_H

#include <stdint.h>

struct dial { /* zeros: not tried yet */
    int fd;   /* of a try under way; 0: none */
    uint64_t began_ms;
    int err; /* errno of the last try that ended; 0: somebody answered, or not known yet */
};

/* Begins a try, unless one is under way or was a moment ago; ends one that got its answer.
 * address: numeric, "10.0.0.5:7411". Never waits. */
void dial_look(struct dial *d, const char *address);
void dial_close(struct dial *d);

#endif
