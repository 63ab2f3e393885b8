/* readiness.c - what a desk needs for an outage, and how far it has it. */
#include "readiness.h"

#define DAY_MS INT64_C(86400000)

const char *ready_name(enum ready r)
{
    static const char *const names[] = { "good", "warn", "bad" };

    return names[r];
}

struct list {
    struct ready_row *v;
    unsigned n;
};

static void add(struct list *l, enum ready state, const char *check, const char *code, int64_t n,
                int64_t at_ms)
{
    l->v[l->n++] = (struct ready_row){ state, check, code, n, at_ms };
}

static void judge_disk(const struct readiness_facts *f, struct list *l)
{
    if (!f->saving)
        add(l, READY_BAD, "write", "not_saving", 0, 0);
    else if (f->commit_us == 0)
        add(l, READY_GOOD, "write", "write_none", 0, 0);
    else
        add(l, f->commit_us > READY_WRITE_US ? READY_WARN : READY_GOOD, "write",
            f->commit_us > READY_WRITE_US ? "write_slow" : "write",
            (int64_t)(f->commit_us + 999) / 1000, 0);
    if (f->disk_free < READY_DISK_LOW)
        add(l, READY_WARN, "disk", "disk_low", (int64_t)(f->disk_free >> 20), 0);
    else
        add(l, READY_GOOD, "disk", "disk", (int64_t)(f->disk_free >> 20), 0);
    if (f->ground == GROUND_MEMORY)
        add(l, READY_BAD, "restart", "ground_memory", 0, 0);
    else if (f->forgot) /* also where something outlived a restart: it may be in the frozen image */
        add(l, READY_WARN, "restart", "restart_forgot", 0, 0);
    else if (f->ground == GROUND_LAYERED && !f->outlived)
        add(l, READY_WARN, "restart", "ground_layered", 0, 0);
    else if (!f->outlived)
        add(l, READY_WARN, "restart", "restart_unknown", 0, 0);
    else
        add(l, READY_GOOD, "restart", "restart", 0, 0);
}

static void judge_clock(const struct readiness_facts *f, struct list *l)
{
    int64_t off = f->ahead_ms < 0 ? -f->ahead_ms : f->ahead_ms;

    if (f->clock_impossible)
        add(l, READY_BAD, "clock", "clock_impossible", 0, 0);
    else if (f->clock_known && off > f->clock_warn_ms)
        add(l, READY_WARN, "clock", "clock_off", off / 1000, 0);
    else if (!f->clock_kept)
        add(l, READY_WARN, "clock", "clock_unkept", 0, 0);
    else
        add(l, READY_GOOD, "clock", "clock", 0, 0);
}

/* What is done once a month, or once a year. */
static void judge_date(struct list *l, const char *check, const char *const code[3], int64_t at_ms,
                       int64_t now_ms, int64_t old_ms)
{
    int64_t age = now_ms > at_ms ? now_ms - at_ms : 0;

    if (at_ms == 0)
        add(l, READY_WARN, check, code[0], 0, 0);
    else if (age > old_ms)
        add(l, READY_WARN, check, code[1], age / DAY_MS, at_ms);
    else
        add(l, READY_GOOD, check, code[2], age / DAY_MS, at_ms);
}

static void judge_people(const struct readiness_facts *f, struct list *l)
{
    static const char *const scan[] = { "scan_never", "scan_old", "scan" };
    static const char *const drill[] = { "drill_never", "drill_old", "drill" };
    static const char *const backup[] = { "backup_never", "backup_old", "backup" };

    if (!f->has_list)
        add(l, READY_WARN, "block_list", "list_none", 0, 0);
    else
        add(l, f->list_age_ms >= f->list_warn_ms ? READY_WARN : READY_GOOD, "block_list",
            f->list_age_ms >= f->list_warn_ms ? "list_old" : "list", f->list_age_ms / DAY_MS, 0);
    judge_date(l, "scan", scan, f->scan_ms, f->now_ms, READY_MONTH_MS);
    judge_date(l, "drill", drill, f->drill_ms, f->now_ms, READY_MONTH_MS);
    judge_date(l, "backup", backup, f->backup_ms, f->now_ms, READY_BACKUP_MS);
    if (f->lead_desks > 1)
        add(l, READY_GOOD, "leads", "leads", f->lead_desks, 0);
    else
        add(l, READY_WARN, "leads", "leads_one", f->lead_desks, 0);
}

static void judge_branch(const struct readiness_facts *f, struct list *l)
{
    if (!f->watched)
        add(l, READY_WARN, "server", "server_unwatched", 0, 0);
    else
        add(l, READY_GOOD, "server", "server", 0, 0);
    if (f->has_sink)
        add(l, READY_GOOD, "upload", "sink", 0, 0);
    else
        add(l, READY_WARN, "upload", "sink_none", 0, 0);
    if (f->others == 0)
        add(l, READY_WARN, "copies", "alone", 0, 0);
    else if (f->online == 0)
        add(l, READY_WARN, "copies", "copies_none", f->others, 0);
    else
        add(l, READY_GOOD, "copies", "copies", f->online, 0);
}

unsigned readiness_judge(const struct readiness_facts *f, struct ready_row out[READY_ROWS])
{
    struct list l = { out, 0 };

    judge_disk(f, &l);
    judge_clock(f, &l);
    judge_branch(f, &l);
    judge_people(f, &l);
    return l.n;
}
