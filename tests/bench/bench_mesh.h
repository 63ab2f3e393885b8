/* bench_mesh.h - one desk on a real store and up to seven on memory disks, with a network of letters
 * between it and them. Time is this machine's, and what mesh_tick() adds. */
#ifndef TIDEOVER_BENCH_MESH_H
#define TIDEOVER_BENCH_MESH_H

#include "bench.h"
#include "memdisk.h"

#define MAIL_MAX 65536 /* letters under way at once */

struct letter {
    unsigned from, to;
    struct buf bytes;
};

struct mesh {
    struct bench_branch b;
    unsigned n, n_mail, n_taken;
    uint64_t ahead_ms, step_ms;        /* step: the wall clocks only */
    uint64_t recorded, letters, bytes; /* since it was opened */
    struct bench_desk first;           /* desk 0 */
    struct core *core[BENCH_DESKS_MAX];
    struct memdisk *disk[BENCH_DESKS_MAX]; /* of 1 and on */
    struct letter mail[MAIL_MAX];
};
/* n desks that have met; desk 0's store in dir, which must not exist. */
void mesh_open(struct mesh *m, unsigned n, const char *dir);
void mesh_close(struct mesh *m);
void mesh_forget(struct mesh *m); /* all desks but desk 0, and what they keep in memory */

void mesh_record(struct mesh *m, unsigned i, unsigned count); /* one block, one commit */
bool mesh_take(struct mesh *m, struct letter *out);           /* the next letter; free its bytes */
void mesh_hear(struct mesh *m, const struct letter *l);
void mesh_finish(struct mesh *m, unsigned i); /* seal, commit, then what is to be done */
void mesh_settle(struct mesh *m);             /* until no letter is under way */
void mesh_tick(struct mesh *m, uint64_t ms);  /* time goes by for all */
uint64_t mesh_held(const struct mesh *m);     /* records that desk 0 holds */

#endif
