/* damage.c - a store that is not what was written: found in a process of its own, moved aside, made
 * anew from what the other desks hold.
 *
 * LMDB trusts its file: over a damaged one it ends the process. So another process looks first, at
 * every start; after an end that was not in order it takes all the time it needs, for whatever
 * ended the last run may lie in the file, and would end the next one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "keys.h"
#include "node_int.h"
#include "service.h"
#include "spare.h"

#define LOOK_MS      10000 /* after an end in order: a large store is looked at as far as it goes */
#define LOOK_LONG_MS 600000 /* 60 GB from a slow disk; what takes longer hangs */
#define LOOK_WORDS   256
#define SLICE_MS     100 /* so soon a stop is heard */

extern char **environ;

/* ---- the process that looks ---- */

/* Its exit code says it, its standard output why. */
enum look {
    LOOK_SOUND = 0,
    LOOK_NOTHING = 10, /* nothing was ever stored */
    LOOK_DAMAGED,
    LOOK_REFUSED, /* it could not be looked at: nothing is said about it */
    LOOK_LOOSE,   /* sound, and most of its file is free */
    LOOK_CUT,     /* of the caller: told to stop meanwhile, so nothing is said about it either */
};

static int look_of(enum err e)
{
    switch (e) {
    case ERR_OK:
        return LOOK_SOUND;
    case ERR_MISSING:
        return LOOK_NOTHING;
    case ERR_DENIED:
        return LOOK_DAMAGED;
    default:
        return LOOK_REFUSED;
    }
}

int damage_look_main(const char *dir)
{
    struct errmsg msg = { .text = "" };
    struct ident me;
    uint64_t values = 0;
    enum err e;

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody waits for the answer any more */
    if ((e = keys_read_desk(dir, &me, &msg)) != ERR_OK)
        e = e == ERR_DENIED ? ERR_DISK : e; /* about the key file, not the store */
    else
        e = store_look(dir, me.store_key, &values, &msg);
    ident_wipe(&me);
    printf("%s\n", msg.text[0] ? msg.text : "sound");
    fflush(stdout);
    return e == ERR_OK && store_is_loose(dir) ? LOOK_LOOSE : look_of(e);
}

int damage_compact_main(const char *dir)
{
    struct errmsg msg = { .text = "" };
    uint64_t before = 0, after = 0;
    enum err e;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if ((e = store_compact(dir, &before, &after, &msg)) == ERR_OK)
        printf("the store's file was made smaller: %llu MiB instead of %llu\n",
               (unsigned long long)after >> 20, (unsigned long long)before >> 20);
    else
        printf("the store's file stays as large as it is: %s\n", msg.text);
    fflush(stdout);
    return look_of(e);
}

/* ---- its caller ---- */

/* Of what ends us (Ctrl-C goes to both, a service manager's stop, too) it hears nothing: its caller
 * ends it, and knows why. */
static bool start_looking(const char *dir, const char *how, pid_t *pid, int *out,
                          struct errmsg *msg)
{
    char *argv[] = { "tideover", "node", (char *)how, "--state", (char *)dir, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t deaf;
    int pipes[2], rc;

    if (pipe2(pipes, O_CLOEXEC) != 0) {
        err_set(msg, ERR_NOMEM, "cannot look through the store: %s", strerror(errno));
        return false;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
    /* LMDB's dying words are about its own source */
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    sigemptyset(&deaf);
    sigaddset(&deaf, SIGINT);
    sigaddset(&deaf, SIGTERM);
    sigaddset(&deaf, SIGHUP);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &deaf);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    rc = posix_spawn(pid, "/proc/self/exe", &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[1]);
    *out = pipes[0];
    if (rc != 0) {
        close(pipes[0]);
        err_set(msg, ERR_NOMEM, "cannot look through the store: %s", strerror(rc));
    }
    return rc == 0;
}

enum heard { HEARD_ALL, HEARD_TOO_LATE, HEARD_STOP };

/* What it says until it ends. starting: the service manager waits for us. */
static enum heard listen_to(int fd, unsigned limit_ms, bool starting, char words[LOOK_WORDS])
{
    uint64_t end = node_now().boot_ms + limit_ms;
    enum heard heard = HEARD_ALL;
    size_t n = 0;

    for (;;) {
        struct pollfd p = { fd, POLLIN, 0 };
        ssize_t k;
        if (node_stops())
            heard = HEARD_STOP;
        else if (node_now().boot_ms >= end)
            heard = HEARD_TOO_LATE;
        if (heard != HEARD_ALL)
            break;
        if (starting)
            service_starting("looks through the store");
        if (poll(&p, 1, SLICE_MS) <= 0)
            continue;
        k = read(fd, words + n, LOOK_WORDS - 1 - n);
        if (k == 0 || (k < 0 && errno != EINTR)) /* at its end errno may be a signal's of before */
            break;
        n += k > 0 ? (size_t)k : 0;
        words[n] = '\0';
        if (n == LOOK_WORDS - 1)
            break;
    }
    words[strcspn(words, "\n")] = '\0';
    return heard;
}

static bool is_death_of_damage(int sig)
{
    return sig == SIGABRT || sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL;
}

/* how: --look or --compact. hangs: does not to be ready in time mean damage? */
static enum look look_through(const char *dir, const char *how, unsigned limit_ms, bool hangs,
                              bool starting, char words[LOOK_WORDS])
{
    struct errmsg msg = { .text = "" };
    enum heard heard;
    int fd, st = 0;
    pid_t pid;

    words[0] = '\0';
    if (!start_looking(dir, how, &pid, &fd, &msg)) {
        snprintf(words, LOOK_WORDS, "%s", msg.text);
        return LOOK_REFUSED;
    }
    heard = listen_to(fd, limit_ms, starting, words);
    if (heard != HEARD_ALL)
        kill(pid, SIGKILL);
    close(fd);
    while (waitpid(pid, &st, 0) < 0 && errno == EINTR)
        ;
    if (heard == HEARD_STOP)
        return LOOK_CUT;
    if (heard == HEARD_TOO_LATE) {
        snprintf(words, LOOK_WORDS, "looking through it did not end");
        return hangs ? LOOK_DAMAGED : LOOK_SOUND;
    }
    if (WIFEXITED(st) && (WEXITSTATUS(st) == LOOK_SOUND ||
                          (WEXITSTATUS(st) >= LOOK_NOTHING && WEXITSTATUS(st) <= LOOK_LOOSE)))
        return (enum look)WEXITSTATUS(st);
    if (WIFSIGNALED(st) && is_death_of_damage(WTERMSIG(st))) {
        snprintf(words, LOOK_WORDS, "LMDB dies of it (%s)", strsignal(WTERMSIG(st)));
        return LOOK_DAMAGED;
    }
    snprintf(words, LOOK_WORDS, "looking through the store was cut short: try again");
    return LOOK_REFUSED;
}

/* ---- while the node runs ---- */

struct look_job {
    struct job job; /* first */
    enum look verdict;
    char words[LOOK_WORDS];
};

static void look_run(struct job *j)
{
    struct look_job *l = (struct look_job *)j;

    l->verdict = look_through(j->node->dir, "--look", LOOK_LONG_MS, true, false, l->words);
}

static void look_done(struct job *j)
{
    struct look_job *l = (struct look_job *)j;
    struct node *n = j->node;

    if (l->verdict == LOOK_DAMAGED || l->verdict == LOOK_NOTHING) {
        node_log(n, 0, "%s", l->words);
        n->again = true;
    }
    n->unlooked = l->verdict == LOOK_REFUSED || l->verdict == LOOK_CUT;
    n->doubted = n->unlooked && n->stopped; /* asked again, then */
    free(l);
}

void damage_look_later(struct node *n)
{
    struct look_job *l = calloc(1, sizeof *l);

    if (!l)
        return;
    l->job.run = look_run;
    l->job.done = look_done;
    node_start_job(n, &l->job);
}

/* ---- moving aside ---- */

static void name_aside(int dir_fd, const char *what, char out[80])
{
    time_t now = time(NULL);
    struct tm day;
    char stamp[32];

    localtime_r(&now, &day);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &day);
    snprintf(out, 80, "%s.damaged-%s", what, stamp);
    for (unsigned k = 2; faccessat(dir_fd, out, F_OK, AT_SYMLINK_NOFOLLOW) == 0; k++)
        snprintf(out, 80, "%s.damaged-%s-%u", what, stamp, k);
}

static enum err move_aside(const char *dir, const char *what, char name[80], struct errmsg *msg)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err e = ERR_OK;

    if (fd < 0)
        return err_set(msg, ERR_DISK, "cannot open %s: %s", dir, strerror(errno));
    name_aside(fd, what, name);
    if ((renameat(fd, what, fd, name) != 0 && errno != ENOENT) || fsync(fd) != 0)
        e = err_set(msg, ERR_DISK, "cannot move the damaged %s aside: %s", what, strerror(errno));
    close(fd);
    return e;
}

/* ---- at the start ---- */

static bool ended_in_order(const char *dir)
{
    char path[4096 + 16];

    snprintf(path, sizeof path, "%s/run/web", dir);
    return access(path, F_OK) != 0;
}

/* The period keys open nothing any more if they are damaged themselves. */
static enum err set_aside(struct node *n, const char *why, struct errmsg *msg)
{
    char name[80] = "", periods[80];
    enum err e = move_aside(n->dir, "store", name, msg);

    if (e == ERR_OK && !store_periods_open(n->dir, n->me.store_key))
        e = move_aside(n->dir, "periods", periods, msg);
    if (e == ERR_OK)
        node_log(n, 0, "%s. It was moved to %s, and is made anew from what the other desks hold",
                 why, name);
    return e;
}

/* What tells a crash (ended_in_order) stays, and so the next start takes all its time, too. */
static enum err cut_short(struct node *n, struct errmsg *msg)
{
    n->cut_short = true;
    return err_set(msg, ERR_BUSY,
                   "stopping while the store is looked through; the next start looks again");
}

/* Whatever becomes of it: the store is whole, only larger or smaller. */
static enum err compact(struct node *n, struct errmsg *msg)
{
    char words[LOOK_WORDS];
    enum look done = look_through(n->dir, "--compact", LOOK_LONG_MS, true, true, words);

    if (done == LOOK_CUT)
        return cut_short(n, msg);
    node_log(n, done == LOOK_SOUND ? 2 : 1, "%s", words);
    return ERR_OK;
}

static enum err judge(struct node *n, struct errmsg *msg)
{
    char words[LOOK_WORDS];
    struct spare spare = { 0 };
    bool orderly = ended_in_order(n->dir);
    enum err e = ERR_OK;

    switch (
        look_through(n->dir, "--look", orderly ? LOOK_MS : LOOK_LONG_MS, !orderly, true, words)) {
    case LOOK_SOUND:
        return ERR_OK;
    case LOOK_LOOSE:
        return compact(n, msg);
    case LOOK_CUT:
        return cut_short(n, msg);
    case LOOK_REFUSED:
        return err_set(msg, ERR_DISK, "%s", words);
    case LOOK_NOTHING: /* a first start; or the folder was taken away */
        return ERR_OK;
    case LOOK_DAMAGED:
        break;
    }
    if ((e = spare_read(n->dir, &n->me, &spare, msg)) == ERR_OK)
        e = set_aside(n, words, msg);
    else
        e = err_set(
            msg, ERR_DENIED,
            "%s, and the spare copy of the roster does not open either: start with an empty "
            "state directory and let this desk join again; keep the old one",
            words);
    spare_free(&spare);
    return e;
}

enum err damage_judge(struct node *n, struct errmsg *msg)
{
    int lock;
    enum err e = store_lock(n->dir, &lock, msg);

    if (e != ERR_OK)
        return e;
    e = judge(n, msg);
    store_unlock(lock);
    return e;
}

/* With others in the branch it must not trust its own memory; alone, nobody else has a better one.
 */
enum err damage_refill(struct node *n, struct errmsg *msg)
{
    const struct disk *d = store_disk(n->store);
    struct spare spare = { 0 };
    struct buf op = { 0 };
    uint8_t first[4] = { 0 };
    enum err e = d->get(d->ctx, TABLE_ROSTER, first, sizeof first, &op);

    buf_free(&op);
    if (e != ERR_MISSING || spare_read(n->dir, &n->me, &spare, msg) != ERR_OK)
        return ERR_OK; /* the core says what is missing */
    if ((e = spare_put(d, spare.roster, &spare.addresses)) != ERR_OK ||
        (roster_active(spare.roster) > 1 && (e = core_forgot(d)) != ERR_OK))
        e = err_set(msg, e, "the new store cannot be filled");
    else if ((e = store_commit(n->store, msg)) == ERR_OK)
        node_log(n, 1,
                 "this desk begins with an empty store and asks the others for their records");
    spare_free(&spare);
    return e;
}

/* The newest store that was moved aside; false: there is none. */
bool damage_lies_here(const char *dir, char name[80])
{
    const struct dirent *e;
    DIR *d = opendir(dir);

    name[0] = '\0';
    while (d && (e = readdir(d)) != NULL)
        if (strncmp(e->d_name, "store.damaged-", 14) == 0 && strcmp(e->d_name, name) > 0)
            snprintf(name, 80, "%.79s", e->d_name);
    if (d)
        closedir(d);
    return name[0] != '\0';
}
