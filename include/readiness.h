/* readiness.h - is this desk ready for the next outage? One list, told to the Admin page, to
 * `tideover doctor` and over the local API, judged on ordinary days, when nothing presses. */
#ifndef TIDEOVER_READINESS_H
#define TIDEOVER_READINESS_H

#include <stdbool.h>
#include <stdint.h>

#define READY_DISK_LOW  (1ull << 30)         /* bytes: a day's records many times over, and logs */
#define READY_WRITE_US  50000                /* from here on staff wait at each scan */
#define READY_MONTH_MS  INT64_C(2678400000)  /* 31 days: drills and scans are monthly */
#define READY_BACKUP_MS INT64_C(34560000000) /* 400 days: the keys' backup is looked at yearly */

enum ready { READY_GOOD, READY_WARN, READY_BAD };
const char *ready_name(enum ready r); /* "good", "warn", "bad" */

/* Where the state directory lies. */
enum ground { GROUND_UNKNOWN, GROUND_DISK, GROUND_LAYERED, GROUND_MEMORY };

struct readiness_facts {
    bool saving;        /* false: STOP */
    uint64_t commit_us; /* of a record, the mean; 0: nothing written yet */
    uint64_t disk_free; /* bytes */
    enum ground ground;
    bool outlived;    /* what lay there was seen again after a restart of the PC */
    bool forgot;      /* the other desks remember more of this one than its disk does */
    bool clock_kept;  /* a time service says that it does */
    bool clock_known; /* against the other desks: */
    int64_t ahead_ms;
    int64_t clock_warn_ms; /* of the policy */
    bool clock_impossible;
    bool watched; /* a probe is named, or somebody sees the server */
    bool has_list;
    int64_t list_age_ms, list_warn_ms;
    int64_t now_ms, scan_ms, drill_ms, backup_ms; /* wall clock; 0: never */
    unsigned lead_desks;                          /* that hold the lead key, this one among them */
    unsigned others, online;                      /* desks beside this one */
    bool has_sink;
};

struct ready_row {
    enum ready state;
    const char *check; /* what is looked at: "disk"; each once, in this order */
    const char *code;  /* what was found: "disk_low"; for translations, for ever */
    int64_t n;         /* of the code: days, ms, MiB, desks; else 0 */
    int64_t at_ms;     /* when; 0: no matter */
};
#define READY_ROWS 13

/* Returns how many rows were filled. */
unsigned readiness_judge(const struct readiness_facts *f, struct ready_row out[READY_ROWS]);

#endif
