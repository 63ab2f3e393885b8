/* log.c - what the node says, on standard error: one line each, never personal data, at any level.
 *
 * To a journal it says the priority of each line, too (sd-daemon(3)), so that `journalctl -p warning`
 * finds what is wrong. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "node_int.h"

/* systemd.exec(5): device and inode of the standard error that it gave us. */
static bool to_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char own[48];
    struct stat st;

    if (stream == NULL || fstat(2, &st) != 0)
        return false;
    snprintf(own, sizeof own, "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    return strcmp(stream, own) == 0;
}

void node_log(struct node *n, int level, const char *fmt, ...)
{
    static const struct {
        const char *name;
        int priority; /* syslog(3) */
    } levels[] = { { "error", 3 }, { "warn", 4 }, { "info", 6 }, { "debug", 7 } };
    char line[512];
    va_list ap;

    if (level > n->conf.log_level)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (to_journal())
        fprintf(stderr, "<%d>%s\n", levels[level].priority, line);
    else
        fprintf(stderr, "%s: %s\n", levels[level].name, line);
}
