/* daemon.c - `tideover node` as a process: what it may, its signals, from start to stop. */
#include "node.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "mem.h"
#include "node_int.h"
#include "now.h"
#include "service.h"

#define FILES_WANTED 8192 /* a mesh of 200 desks needs three descriptors each */

static volatile sig_atomic_t stop_signal, reload_signal; /* the two globals */

static void on_signal(int sig)
{
    if (sig == SIGHUP)
        reload_signal = sig;
    else
        stop_signal = sig;
}

bool node_stops(void)
{
    return stop_signal != 0;
}

static void harden(void)
{
    struct rlimit none = { 0, 0 }, files;

    setrlimit(RLIMIT_CORE, &none); /* memory holds keys and names */
    prctl(PR_SET_DUMPABLE, 0);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max < FILES_WANTED ? files.rlim_max : FILES_WANTED;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    umask(077);
}

static void catch_signals(void)
{
    struct sigaction sa = { .sa_handler = on_signal };

    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* What root writes into another user's directory that user could not write again. */
static enum err check_owner(const char *dir, struct errmsg *msg)
{
    struct stat st;
    const struct passwd *who;

    if (geteuid() != 0 || stat(dir, &st) != 0 || st.st_uid == 0)
        return ERR_OK;
    who = getpwuid(st.st_uid);
    return err_set(msg, ERR_DENIED,
                   "%s belongs to %s: start the service (systemctl start tideover), or say "
                   "runuser -u %s -- tideover node --state %s",
                   dir, who ? who->pw_name : "another user", who ? who->pw_name : "USER", dir);
}

static int run_node(struct node *n)
{
    struct errmsg msg = { .text = "" };
    enum err e = check_owner(n->dir, &msg);

    if (e == ERR_OK)
        e = node_open(n, &msg);
    if (e == ERR_OK) {
        char id[8];
        desk_id_short(&n->me.id, id);
        n->started_ms = clock_ms(CLOCK_BOOTTIME);
        printf("ready desk %s (%s) branch %s, desks %s, api http://%s\n", n->conf.name, id,
               roster_code(core_roster(n->core)), n->conf.listen, n->conf.web);
        fflush(stdout);
        service_ready();
        while (!stop_signal && !n->again) {
            struct moment now = node_now();
            node_round(n);
            if (reload_signal) {
                reload_signal = 0;
                reload_by_signal(n);
            }
            service_round(n, &now);
        }
        service_stopping();
        node_log(n, 2, n->again ? "the store is damaged: beginning anew" : "stopping");
    } else if (n->cut_short) {
        service_stopping();
        node_log(n, 2, "%s", msg.text);
        e = ERR_OK;
    } else {
        fprintf(stderr, "tideover: %s\n", msg.text[0] ? msg.text : err_text(e));
    }
    node_close(n);
    return err_exit(e);
}

static struct node *node_new(const char *state_dir)
{
    struct node *n = calloc(1, sizeof *n);

    if (!n || (n->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
        free(n);
        return NULL;
    }
    pthread_mutex_init(&n->lock, NULL);
    n->requests_end = &n->requests;
    replies_begin(n);
    snprintf(n->dir, sizeof n->dir, "%s", state_dir);
    return n;
}

static void node_free(struct node *n)
{
    pthread_mutex_destroy(&n->lock);
    close(n->wake_fd);
    free(n->self);
    free(n);
}

int node_main(const char *state_dir, int argc, char **argv)
{
    bool again = true;
    int rc = 0;

    if (argc == 2 && strcmp(argv[1], "--look") == 0) {
        harden();
        return damage_look_main(state_dir);
    }
    if (argc == 2 && strcmp(argv[1], "--compact") == 0) {
        harden();
        return damage_compact_main(state_dir);
    }
    if (argc > 1) {
        fprintf(stderr, "tideover: node takes no arguments; see: tideover node --help\n");
        return err_exit(ERR_USAGE);
    }
    harden();
    json_set_alloc_funcs(mem_alloc, free); /* counted: an answer with holes is none */
    catch_signals();
    while (again) { /* a second time only over a store that was found damaged */
        struct node *n = sodium_init() < 0 ? NULL : node_new(state_dir);
        if (!n) {
            fprintf(stderr, "tideover: out of memory or descriptors\n");
            rc = err_exit(ERR_NOMEM);
            break;
        }
        rc = run_node(n);
        again = n->again && !stop_signal;
        node_free(n);
    }
    return rc;
}
