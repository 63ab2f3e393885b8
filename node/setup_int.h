/* setup_int.h - a state directory that is made aside and renamed into place: shared by site.c
 * (which makes it), setup.c, knock.c and restore.c. */
#ifndef TIDEOVER_SETUP_INT_H
#define TIDEOVER_SETUP_INT_H

#include <limits.h>
#include <sys/types.h>

#include "ident.h"
#include "roster.h"

#define DEFAULT_LISTEN "0.0.0.0:7411"
#define DEFAULT_WEB    "127.0.0.1:7412"

struct site {
    char final[PATH_MAX], dir[PATH_MAX + 16];
    uid_t owner; /* of the empty directory that it replaces, when root sets it up; else 0 */
    gid_t group;
};

enum err site_begin(struct site *s, const char *state_dir, struct errmsg *msg);
enum err site_commit(struct site *s, struct errmsg *msg);
void site_abort(struct site *s);

enum err setup_check_addresses(const char *listen, const char *web, struct errmsg *msg);
enum err setup_write_conf(const struct site *s, const char *name, const char *listen,
                          const char *web, struct errmsg *msg);
/* The roster, and where the others are, as the core will read them. start > 0: of a restored desk,
 * whose starts are numbered from there; lost: its memory is not what others remember of it. */
enum err setup_write_store(const struct site *s, const struct ident *me, const struct roster *r,
                           const struct buf *addresses, uint64_t start, bool lost,
                           struct errmsg *msg);

#endif
