/* fuzz_zone.c - time zone rules, the footer of TZif files, dates, and the policy's completion. */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "cli/zonefile.h"
#include "day.h"

static void try_rule(const char *text)
{
    struct errmsg msg = { .text = "" };
    struct zone z;

    if (zone_parse(text, &z, &msg) != ERR_OK) {
        must_hold(msg.text[0] != '\0');
        return;
    }
    for (int64_t t = 1700000000; t < 1800000000; t += 7654321) {
        int off = zone_offset_s(&z, t);
        must_hold(off == z.std_off_s || off == z.dst_off_s);
        must_hold(off > -26 * 3600 && off < 26 * 3600);
        must_hold(ymd_is_valid(ymd_at(&z, t * 1000)));
    }
    (void)zone_offset_s(&z, INT64_C(253402300799));
    (void)zone_offset_s(&z, 0);
}

static void try_times(const char *text)
{
    struct errmsg msg = { .text = "" };
    uint32_t ymd;
    int64_t ms;
    int off;
    char day[11], at[36];

    if (ymd_parse(text, &ymd, &msg) == ERR_OK) {
        must_hold(ymd_is_valid(ymd));
        ymd_format(ymd, day);
        must_hold(strcmp(day, text) == 0);
    }
    if (rfc3339_parse(text, &ms, &off, &msg) == ERR_OK) {
        int64_t again;
        rfc3339_format(ms, off, at);
        must_hold(rfc3339_parse(at, &again, &off, &msg) == ERR_OK);
        must_hold(again <= ms && ms - again < 1000);
    }
}

/* A file without a name: /proc/self/fd is a directory like any other. */
static void try_file(const uint8_t *p, size_t n)
{
    char name[16], rule[ZONE_RULE_MAX + 1];
    struct errmsg msg = { .text = "" };
    struct zone z;
    static int fd = -1;

    if (fd < 0)
        fd = memfd_create("zone", MFD_CLOEXEC);
    must_hold(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, p, n, 0) == (ssize_t)n);
    snprintf(name, sizeof name, "%d", fd);
    if (zonefile_rule("/proc/self/fd", name, rule, &msg) == ERR_OK)
        must_hold(zone_parse(rule, &z, &msg) == ERR_OK);
    else
        must_hold(msg.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    char *text = fuzz_text(p, n);
    struct buf out = { 0 };
    struct errmsg msg = { .text = "" };

    try_rule(text);
    try_times(text);
    try_file(p, n);
    if (zonefile_complete("/usr/share/zoneinfo", text, n, &out, &msg) == ERR_OK)
        must_hold(out.len >= n && memcmp(out.p, text, n) == 0 && out.p[out.len] == '\0');
    buf_free(&out);
    free(text);
    return 0;
}

void fuzz_seeds(void)
{
    static const char *const texts[] = { "EST5EDT,M3.2.0,M11.1.0",
                                         "<-03>3",
                                         "UTC0",
                                         "IST-2IDT,M3.4.4/26,M10.5.0",
                                         "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                                         "EST5EDT,0/0,J365/25",
                                         "GMT0BST,M3.5.0/1,M10.5.0",
                                         "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
                                         "2026-12-07",
                                         "2026-11-23T09:12:04-05:00",
                                         "1969-12-31T23:59:59.999Z",
                                         "[branch]\nzone = Europe/Paris\n",
                                         "[branch]\nzone = UTC\nzone_rule = UTC0\n[x]\nzone=a" };
    struct buf b = { 0 };

    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        fuzz_seed_text(texts[i]);
    buf_text(&b, "TZif2");
    memset(buf_grow(&b, 64), 0, 64);
    buf_text(&b, "\nCET-1CEST,M3.5.0,M10.5.0/3\n");
    fuzz_seed_buf(&b);
}
