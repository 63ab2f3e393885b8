/* doctor.c - `tideover doctor`: is this PC fit to carry a desk through an outage? Each finding with
 * its next step. It needs no node, and asks one that runs. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <curl/curl.h>

#include "conf.h"
#include "ground.h"
#include "libcurl.h"

#define FLUSHES       15
#define FLUSH_LIES_NS 20000 /* no disk, and no honest cache, is done sooner */
#define FLUSH_SLOW_NS 50000000

enum finding { FINE, WARNING, FAULT };

struct doctor {
    const struct cli *c;
    json_t *all;
    enum finding worst;
};

static void find(struct doctor *d, enum finding f, const char *what, const char *next,
                 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void find(struct doctor *d, enum finding f, const char *what, const char *next,
                 const char *fmt, ...)
{
    static const char *const words[] = { "ok", "warning", "fault" };
    char text[300];
    va_list v;

    va_start(v, fmt);
    vsnprintf(text, sizeof text, fmt, v);
    va_end(v);
    json_array_append_new(d->all,
                          json_pack("{s:s, s:s, s:s, s:s?}", "check", what, "result", words[f],
                                    "message", text, "next", *next ? next : NULL));
    if (f > d->worst)
        d->worst = f;
}

static uint64_t ns_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* ---- the disk ---- */

static void look_at_disk(struct doctor *d)
{
    enum ground ground = ground_of(d->c->state);
    struct statvfs space;

    if (ground == GROUND_UNKNOWN || statvfs(d->c->state, &space) != 0)
        return;
    if (ground == GROUND_MEMORY)
        find(d, FAULT, "disk", "choose a directory on a real disk (--state)",
             "the state directory lies in memory: a restart loses this desk and its records");
    else if (ground == GROUND_LAYERED)
        find(d, WARNING, "disk",
             "put the state directory on a disk of its own, or take it out of the freeze",
             "the state directory lies on a layered file system, as frozen PCs and containers "
             "have: it may be gone at the next restart");
    else
        find(d, FINE, "disk", "", "the state directory lies on a disk");
    if ((uint64_t)space.f_bavail * space.f_frsize < READY_DISK_LOW)
        find(d, WARNING, "space", "free some: a desk that cannot write cannot record",
             "%llu MiB are free", (unsigned long long)space.f_bavail * space.f_frsize >> 20);
    else
        find(d, FINE, "space", "", "%llu GiB are free",
             (unsigned long long)space.f_bavail * space.f_frsize >> 30);
}

/* The median of a few small flushed writes, as one record makes them; 0: they failed. */
static uint64_t flush_time(const char *path)
{
    uint64_t took[FLUSHES];
    char block[4096] = "";
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    unsigned n = 0;
    int failed;

    if (fd < 0)
        return 0;
    for (bool good = true; good && n < FLUSHES; n += good) {
        uint64_t began = ns_now();
        block[0] = (char)n;
        good = pwrite(fd, block, sizeof block, 0) == (ssize_t)sizeof block && fdatasync(fd) == 0;
        took[n] = ns_now() - began;
        if (!good)
            break;
    }
    failed = errno;
    close(fd);
    unlink(path);
    errno = failed;
    if (n < FLUSHES)
        return 0;
    qsort(took, FLUSHES, sizeof took[0], by_size);
    return took[FLUSHES / 2];
}

static void look_at_flush(struct doctor *d)
{
    char path[4200];
    uint64_t ns;

    snprintf(path, sizeof path, "%s/doctor-%ld", d->c->state, (long)getpid());
    errno = 0;
    ns = flush_time(path);
    if (ns == 0)
        find(d, FAULT, "flush", "give this directory back to the desk's user, or mend the disk",
             "cannot write in the state directory: %s", strerror(errno));
    else if (ns < FLUSH_LIES_NS)
        find(d, WARNING, "flush",
             "switch the write cache to \"flush\" (hdparm -W, the VM's cache mode), or use a UPS",
             "a flush returns after %llu us: this disk, or what lies under it, does not wait for "
             "its platter, and a power cut may take what was acknowledged",
             (unsigned long long)ns / 1000);
    else if (ns > FLUSH_SLOW_NS)
        find(d, WARNING, "flush", "look for what else writes to this disk",
             "a flush takes %llu ms: staff will wait for it at each scan",
             (unsigned long long)ns / 1000000);
    else
        find(d, FINE, "flush", "", "a flush takes %.1f ms", (double)ns / 1e6);
}

/* answer: what the node says, which knows more; NULL: none runs. */
static void look_at_restarts(struct doctor *d, const json_t *answer)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(answer, "checks"), i,
                       row) if (strcmp(j_text(row, "code", ""), "restart_forgot") == 0)
    {
        find(d, WARNING, "restart", j_text(row, "next", ""), "%s", j_text(row, "message", "-"));
        return;
    }
    if (ground_outlived(d->c->state))
        find(d, FINE, "restart", "", "what was on this disk outlived a restart of the PC");
    else
        find(d, WARNING, "restart", "restart the PC, then: tideover doctor",
             "not known yet whether this disk is wiped when the PC restarts");
}

/* ---- clock, ports, tokens ---- */

static void look_at_clock(struct doctor *d)
{
    if (!ground_clock_kept())
        find(d, WARNING, "clock", "switch a time service on: timedatectl set-ntp true",
             "no time service says that it keeps this PC's clock");
    else
        find(d, FINE, "clock", "", "a time service keeps this PC's clock");
}

/* Can the port be had? Of a node that runs it is taken, and should be. */
static bool port_is_free(const char *address)
{
    char host[CONF_ADDR_MAX];
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    bool six, free_now;
    uint16_t port;
    int fd, on = 1;

    if (!addr_split(address, host, &port))
        return false;
    six = inet_pton(AF_INET6, host, &v6.sin6_addr) == 1;
    if (!six)
        inet_pton(AF_INET, host, &v4.sin_addr);
    v4.sin_port = v6.sin6_port = htons(port);
    fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    free_now = fd >= 0 && (six ? bind(fd, (struct sockaddr *)&v6, sizeof v6)
                               : bind(fd, (struct sockaddr *)&v4, sizeof v4)) == 0;
    if (fd >= 0)
        close(fd);
    return free_now;
}

static void look_at_ports(struct doctor *d, const struct conf *conf, bool runs)
{
    const char *const which[] = { conf->listen, conf->web };
    const unsigned port = (unsigned)atoi(strrchr(conf->listen, ':') + 1);

    for (unsigned i = 0; i < 2; i++) {
        bool is_free = port_is_free(which[i]);
        if (runs == is_free)
            find(d, FAULT, "port",
                 runs ? "start the node again" : "change [peers] or [web] listen in tideover.conf",
                 runs ? "%s: the node runs, and nobody listens there"
                      : "%s is taken by another program",
                 which[i]);
    }
    if (strncmp(conf->listen, "127.", 4) == 0 || strncmp(conf->listen, "[::1]", 5) == 0)
        find(d, WARNING, "network", "[peers] listen = 0.0.0.0:7411 in tideover.conf",
             "%s is this PC alone: no other desk can reach it", conf->listen);
    else
        find(
            d, FINE, "network", "",
            "it listens for other desks at %s; where there is a firewall, it has to let in TCP %u, "
            "the 64 ports above it (invites) and UDP %u",
            conf->listen, port, port);
}

static void look_at_rights(struct doctor *d)
{
    static const struct {
        const char *name;
        mode_t most;
    } files[] = { { "", 0711 },
                  { "desk.key", 0600 },
                  { "lead.key", 0600 },
                  { "run/ctl.token", 0600 },
                  { "run/desk.token", 0640 } };
    bool all_well = true;
    char path[4200];
    struct stat st;

    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", d->c->state, files[i].name);
        if (stat(path, &st) != 0 || (st.st_mode & 0777 & ~files[i].most) == 0)
            continue;
        all_well = false;
        find(d, FAULT, "rights", "take the rights away: chmod go= FILE",
             "%s may be read by others (mode %03o)", path, (unsigned)st.st_mode & 0777);
    }
    if (all_well)
        find(d, FINE, "rights", "", "keys and tokens are this user's alone");
}

/* Nothing else would miss it before the day of the upload. */
static void look_at_libcurl(struct doctor *d)
{
    CURL *c = curl_easy_init();

    if (!c)
        find(d, FAULT, "libcurl", "install it (Debian: apt install libcurl4), and start the node",
             "%s", libcurl_why());
    curl_easy_cleanup(c);
}

/* ---- what the node says ---- */

/* What doctor sees for itself, also while no node runs. */
static bool is_seen(const char *check)
{
    return strcmp(check, "disk") == 0 || strcmp(check, "restart") == 0;
}

static enum finding result_of(char state) /* of ready_name(), its first letter */
{
    if (state == 'g')
        return FINE;
    return state == 'b' ? FAULT : WARNING;
}

static void look_at_node(struct doctor *d, const json_t *answer)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(answer, "checks"), i, row)
    {
        const char *check = j_text(row, "check", "-"), *state = j_text(row, "state", "good");
        if (is_seen(check) || strcmp(j_text(row, "code", ""), "clock_unkept") == 0 ||
            (*state == 'g' && strcmp(check, "clock") == 0))
            continue;
        find(d, result_of(*state), check, j_text(row, "next", ""), "%s",
             j_text(row, "message", j_text(row, "code", "-")));
    }
}

static enum hue hue_of(const char *result)
{
    if (strcmp(result, "ok") == 0)
        return HUE_GOOD;
    return *result == 'f' ? HUE_BAD : HUE_WARN;
}

static void print_all(const struct doctor *d)
{
    const json_t *o;
    size_t i;

    json_array_foreach(d->all, i, o)
    {
        const char *result = j_text(o, "result", ""), *next = j_text(o, "next", NULL);

        printf("%s%-8s%s %-11s %s\n", hue(d->c, hue_of(result)), result, hue(d->c, HUE_OFF),
               j_text(o, "check", ""), j_text(o, "message", ""));
        if (next != NULL)
            printf("%21s-> %s\n", "", next);
    }
}

int cmd_doctor(struct cli *c)
{
    struct doctor d = { .c = c, .all = json_array() };
    struct errmsg msg = { .text = "" };
    struct client *cl = NULL;
    struct conf conf;
    json_t *answer = NULL;
    enum err e = conf_read(c->state, &conf, &msg);

    if (e != ERR_OK) {
        json_decref(d.all);
        return cli_err(c, e, &msg);
    }
    look_at_disk(&d);
    look_at_flush(&d);
    look_at_clock(&d);
    look_at_rights(&d);
    look_at_libcurl(&d);
    e = client_open(c->state, c, &cl, &msg);
    look_at_ports(&d, &conf, e == ERR_OK);
    if (e != ERR_OK)
        find(&d, FAULT, "node", "tideover node, or: systemctl start tideover", "%s", msg.text);
    else
        cli_call(c, cl, "/api/v1/readiness", NULL, NULL, &answer);
    look_at_restarts(&d, answer);
    look_at_node(&d, answer);
    if (c->json)
        cli_json(json_pack("{s:i, s:O}", "schema", 1, "checks", d.all));
    else
        print_all(&d);
    json_decref(answer);
    json_decref(d.all);
    client_close(cl);
    return d.worst == FINE ? 0 : 1;
}
