/* fuzz_ini.c - policies and configuration files as people write them.
 *
 * Input: one byte, 0 policy, 1 tideover.conf, 2 a pattern, a line feed and a barcode; then text. */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "policy.h"

static void try_policy(const char *text, size_t n)
{
    struct policy *p = calloc(1, sizeof *p);
    struct errmsg msg = { .text = "" };

    must_hold(p != NULL);
    if (policy_parse(text, n, p, &msg) == ERR_OK) {
        must_hold(p->symphony.n_stations <= POLICY_STATIONS);
        must_hold(text_is_clean(p->sink) && text_is_clean(p->code) && p->code[0] != '\0');
        must_hold(text_is_clean(p->probe) && text_is_clean(p->format));
        must_hold(pattern_is_valid(p->user_pattern) && pattern_is_valid(p->item_pattern));
        (void)zone_offset_s(&p->zone, 1795500000);
        (void)policy_station(p, "DESK-1");
    } else {
        must_hold(msg.text[0] != '\0' && text_is_clean(msg.text));
    }
    free(p);
}

static const char *conf_dir(void)
{
    static char dir[64];

    if (dir[0] == '\0') {
        snprintf(dir, sizeof dir, "/tmp/fuzz-ini-XXXXXX");
        must_hold(mkdtemp(dir) != NULL);
    }
    return dir;
}

static void remove_dir(void)
{
    char path[128];

    snprintf(path, sizeof path, "%s/tideover.conf", conf_dir());
    unlink(path);
    rmdir(conf_dir());
}

static void try_conf(const uint8_t *p, size_t n)
{
    static int fd = -1;
    struct errmsg msg = { .text = "" };
    struct conf *c = calloc(1, sizeof *c);
    char path[128], host[CONF_ADDR_MAX];
    uint16_t port;

    snprintf(path, sizeof path, "%s/tideover.conf", conf_dir());
    if (fd < 0) {
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        atexit(remove_dir);
    }
    must_hold(fd >= 0 && c != NULL);
    must_hold(ftruncate(fd, 0) == 0 && pwrite(fd, p, n, 0) == (ssize_t)n);
    if (conf_read(conf_dir(), c, &msg) == ERR_OK) {
        must_hold(c->n_known <= CONF_PEERS_MAX && c->name[0] != '\0' && text_is_clean(c->name));
        must_hold(addr_split(c->listen, host, &port) && port > 0);
        must_hold(addr_split(c->web, host, &port) && port > 0);
    } else {
        must_hold(msg.text[0] != '\0' && text_is_clean(msg.text));
    }
    free(c);
}

static void try_pattern(char *text)
{
    char *barcode = strchr(text, '\n');

    if (barcode == NULL)
        return;
    *barcode++ = '\0';
    if (!pattern_is_valid(text))
        must_hold(!pattern_matches(text, barcode));
    else
        (void)pattern_matches(text, barcode);
    (void)mod10_is_valid(barcode);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    size_t len = n - (n > 0);
    char *text = fuzz_text(p + (n > 0), len);

    switch (n > 0 ? p[0] % 3 : 0) {
    case 0:
        try_policy(text, len);
        break;
    case 1:
        try_conf((const uint8_t *)text, len);
        break;
    default:
        try_pattern(text);
    }
    free(text);
    return 0;
}

static void seed_text(uint8_t what, const char *text)
{
    fuzz_seed_with(what, text, strlen(text));
}

void fuzz_seeds(void)
{
    struct buf b = { 0 };

    policy_default_text("MAIN", "Europe/Paris", "CET-1CEST,M3.5.0,M10.5.0/3", &b);
    buf_add(&b, "", 1);
    seed_text(0, (const char *)b.p);
    buf_reset(&b);
    conf_default_text("DESK-1", "0.0.0.0:7411", "127.0.0.1:7412", &b);
    buf_add(&b, "", 1);
    seed_text(1, (const char *)b.p);
    buf_free(&b);
    seed_text(0, "[branch]\ncode = MAIN\nzone = UTC\nzone_rule = UTC0\n"
                 "[scan]\nuser_pattern = 2[0-9]{13}\nitem_pattern = [A-Z]{1,3}[0-9]{4,}\n"
                 "check_digit = mod10\n[merge]\ndouble_scan = 5s\nsame_event = 60s\n"
                 "discharges = export\n[upload]\nsink = file:/drop\nquiet = 2s\n"
                 "format = symphony\n[server]\nprobe = tcp:10.0.0.1:6001\noffline_after = 3\n"
                 "[symphony]\nlibrary = MAIN\nheader = no\ndue_time = 23:59\n"
                 "registration = jy\ndefault_station = 1\n[stations]\nDESK-1 = 7\nDESK-2 = 8\n");
    seed_text(1, "[node]\nname = K\n[peers]\nlisten = [::1]:7411\nknown = 10.0.0.1:1, "
                 "10.0.0.2:65535\naway_after = 2h\n[web]\nlisten = 127.0.0.1:80\n[log]\n"
                 "level = debug\n");
    seed_text(2, "2[0-9]{13}\n20000000000018");
    seed_text(2, "[A-Z]{1,3}x[0-9-]{0,9}\nABCx12-3");
}
