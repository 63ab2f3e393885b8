/* target.c - a file that a verb makes: whole under its name, or not there. */
#include "cli_int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int target_open(const struct cli *c, struct target *t)
{
    t->is_stdout = strcmp(t->path, "-") == 0;
    t->fd = STDOUT_FILENO;
    if (t->is_stdout)
        return 0;
    if (access(t->path, F_OK) == 0)
        return cli_fail(c, err_exit(ERR_EXISTS), "exists",
                        "%s is there already; choose another name, or take it away", t->path);
    if (snprintf(t->aside, sizeof t->aside, "%s.%ld.part", t->path, (long)getpid()) >=
        (int)sizeof t->aside)
        return cli_usage(c, "the file's name is too long");
    t->fd = open(t->aside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (t->fd < 0)
        return cli_fail(c, err_exit(ERR_EXISTS), "cannot_create", "cannot make %s: %s", t->path,
                        strerror(errno));
    return 0;
}

int target_keep(const struct cli *c, struct target *t)
{
    int rc = fsync(t->fd);

    if (rc == 0 && link(t->aside, t->path) != 0)
        rc = errno == EEXIST ? -1 : rename(t->aside, t->path); /* FAT, some shares: no links */
    if (rc != 0)
        return cli_fail(c, err_exit(errno == EEXIST ? ERR_EXISTS : ERR_DISK), "cannot_create",
                        "cannot keep %s: %s", t->path, strerror(errno));
    return 0;
}

void target_close(struct target *t)
{
    if (t->is_stdout || t->fd < 0)
        return;
    close(t->fd);
    unlink(t->aside); /* gone already if it was renamed */
}
