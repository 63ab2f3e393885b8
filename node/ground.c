/* ground.c - file system, restarts, clock. */
#include "ground.h"

#include <stdio.h>
#include <string.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TMPFS     0x01021994
#define OVERLAYFS 0x794c7630

enum ground ground_of(const char *dir)
{
    struct statfs fs;

    if (statfs(dir, &fs) != 0)
        return GROUND_UNKNOWN;
    return fs.f_type == TMPFS       ? GROUND_MEMORY
           : fs.f_type == OVERLAYFS ? GROUND_LAYERED
                                    : GROUND_DISK;
}

static bool read_line(const char *path, char *out, size_t room)
{
    FILE *f = fopen(path, "re");
    bool good = f != NULL && fgets(out, (int)room, f) != NULL;

    if (f)
        fclose(f);
    if (good)
        out[strcspn(out, "\n")] = '\0';
    return good;
}

/* Of the restart that is seen first the mark stays: the disk has shown what it had to. */
bool ground_outlived(const char *dir)
{
    char path[4200], now[64] = "", then[64] = "";
    FILE *f;

    snprintf(path, sizeof path, "%s/doctor.boot", dir);
    if (!read_line("/proc/sys/kernel/random/boot_id", now, sizeof now))
        return false;
    if (read_line(path, then, sizeof then) && then[0] != '\0')
        return strcmp(now, then) != 0;
    if ((f = fopen(path, "we")) != NULL) {
        fprintf(f, "%s\n", now);
        if (fflush(f) == 0)
            fsync(
                fileno(f)); /* not on the disk: it is not found after the restart, which is told */
        fclose(f);
    }
    return false;
}

bool ground_clock_kept(void)
{
    struct timex t = { .modes = 0 };

    return adjtimex(&t) >= 0 && !(t.status & STA_UNSYNC);
}
