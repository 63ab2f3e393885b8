/* site.c - a state directory that is made beside its final name and renamed into place: a refused
 * code, a full disk or Ctrl-C leaves nothing behind. */
#include "setup_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "conf.h"
#include "core.h"
#include "keys.h"
#include "spare.h"
#include "store.h"

static enum err make_parents(const char *path, struct errmsg *msg)
{
    char part[PATH_MAX];

    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            if (mkdir(part, 0700) != 0 && errno != EEXIST)
                return err_set(msg, ERR_DISK, "cannot make %s: %s", part, strerror(errno));
            *p = '/';
        }
    return ERR_OK;
}

/* The package makes the directory for a user of its own: what root puts there is that user's. */
static void note_owner(struct site *s)
{
    struct stat st;

    s->owner = 0;
    s->group = 0;
    if (geteuid() == 0 && lstat(s->final, &st) == 0 && S_ISDIR(st.st_mode)) {
        s->owner = st.st_uid;
        s->group = st.st_gid;
    }
}

/* One level of directories is all that a new state directory has. */
static bool give_all(const char *dir, uid_t owner, gid_t group, unsigned depth)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    bool good = d != NULL && lchown(dir, owner, group) == 0;
    char path[2 * PATH_MAX];
    struct stat st;

    while (good && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        good = lstat(path, &st) == 0;
        if (good && S_ISDIR(st.st_mode) && depth > 0)
            good = give_all(path, owner, group, depth - 1);
        else
            good = good && lchown(path, owner, group) == 0;
    }
    if (d)
        closedir(d);
    return good;
}

static bool is_absent_or_empty(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *e;
    bool empty = true;

    if (!d)
        return errno == ENOENT;
    while (empty && (e = readdir(d)) != NULL)
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    closedir(d);
    return empty;
}

enum err site_begin(struct site *s, const char *state_dir, struct errmsg *msg)
{
    size_t n;
    enum err e;

    if ((size_t)snprintf(s->final, sizeof s->final, "%s", state_dir) >= sizeof s->final - 32)
        return err_set(msg, ERR_INVALID, "the path of the state directory is too long");
    for (n = strlen(s->final); n > 1 && s->final[n - 1] == '/'; n--)
        s->final[n - 1] = '\0';
    if (!is_absent_or_empty(s->final)) /* an empty one is replaced at the end */
        return err_why(msg, ERR_EXISTS, "state_exists", "",
                       "%s is not empty: a desk lives there already, or it is not a state "
                       "directory; choose another with --state",
                       s->final);
    note_owner(s);
    if ((e = make_parents(s->final, msg)) != ERR_OK)
        return e;
    snprintf(s->dir, sizeof s->dir, "%s.new-XXXXXX", s->final);
    if (!mkdtemp(s->dir)) {
        s->dir[0] = '\0';
        return err_set(msg, errno == EACCES ? ERR_DENIED : ERR_DISK, "cannot make %s: %s", s->final,
                       strerror(errno));
    }
    return ERR_OK;
}

static void remove_file(const char *dir, const char *name)
{
    char path[PATH_MAX + 64];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (unlink(path) != 0)
        rmdir(path);
}

/* Only what site_begin and its callers made: names, never a recursive delete. */
void site_abort(struct site *s)
{
    static const char *const names[] = {
        "tideover.conf",  "desk.key",      "lead.key", "root-key-backup", "store/data.mdb",
        "store/lock.mdb", "store/journal", "store",    "periods",         "lock"
    };

    if (s->dir[0] == '\0')
        return;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        remove_file(s->dir, names[i]);
    rmdir(s->dir);
}

enum err site_commit(struct site *s, struct errmsg *msg)
{
    char parent[PATH_MAX], *slash;
    int fd;

    if (s->owner != 0 && !give_all(s->dir, s->owner, s->group, 1))
        return err_set(msg, ERR_DISK, "cannot give %s to its user: %s", s->final, strerror(errno));
    if (rename(s->dir, s->final) != 0)
        return err_set(msg, errno == ENOTEMPTY || errno == EEXIST ? ERR_EXISTS : ERR_DISK,
                       "cannot make %s: %s", s->final, strerror(errno));
    snprintf(parent, sizeof parent, "%s", s->final);
    slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    if ((fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0) {
        fsync(fd);
        close(fd);
    }
    return ERR_OK;
}

enum err setup_write_conf(const struct site *s, const char *name, const char *listen,
                          const char *web, struct errmsg *msg)
{
    struct buf b = { 0 };
    enum err e;

    conf_default_text(name, listen ? listen : DEFAULT_LISTEN, web ? web : DEFAULT_WEB, &b);
    e = small_file_write(s->dir, "tideover.conf", b.p, b.len, 0600, msg);
    buf_free(&b);
    return e;
}

static enum err put_start(const struct disk *d, uint64_t start, bool lost)
{
    uint8_t random[MARK_BYTES];
    struct buf b = { 0 };
    enum err e;

    randombytes_buf(random, sizeof random);
    mp_put_array(&b, 2);
    mp_put_u64(&b, start);
    mp_put_bin(&b, random, sizeof random);
    e = d->put(d->ctx, TABLE_META, (const uint8_t *)"S", 1, b.p, b.len);
    if (e == ERR_OK && lost)
        e = d->put(d->ctx, TABLE_META, (const uint8_t *)"F", 1, (const uint8_t *)"", 0);
    buf_free(&b);
    return e;
}

enum err setup_write_store(const struct site *s, const struct ident *me, const struct roster *r,
                           const struct buf *addresses, uint64_t start, bool lost,
                           struct errmsg *msg)
{
    struct store *st = NULL;
    enum err e = store_open(s->dir, me->store_key, &st, msg);

    if (e != ERR_OK)
        return e;
    e = spare_put(store_disk(st), r, addresses);
    if (e == ERR_OK && start > 0)
        e = put_start(store_disk(st), start, lost);
    if (e == ERR_OK)
        e = store_commit(st, msg);
    store_close(st);
    return e;
}
