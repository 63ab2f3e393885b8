/* passphrase.c - the lead's passphrase: from a file or a terminal, never from the arguments. */
#include "cli_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "setup.h"

enum err passphrase_read(const struct cli *c, const char *path, char *out, struct errmsg *msg)
{
    struct stat st;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum err e = ERR_OK;

    if (fd < 0)
        return err_set(msg, errno == ENOENT ? ERR_NOFILE : ERR_DENIED, "cannot read %s: %s", path,
                       strerror(errno));
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
        cli_note(c,
                 "tideover: warning: others on this PC can read %s; make it yours alone: "
                 "chmod 600 %s\n",
                 path, path);
    n = read(fd, out, SETUP_WORDS);
    close(fd);
    if (n < 0)
        return err_set(msg, ERR_DENIED, "cannot read %s: %s", path, strerror(errno));
    if (n < SETUP_WORDS)
        out[n] = 0;
    n = (ssize_t)strnlen(out, SETUP_WORDS);
    for (ssize_t i = 0; i < n; i++) {
        if (out[i] == '\n' || out[i] == '\r') {
            out[i] = 0;
            n = i;
        }
    }
    if (n == 0)
        e = err_set(msg, ERR_INVALID, "%s has no passphrase in its first line", path);
    else if (n >= SETUP_WORDS)
        e = err_set(msg, ERR_INVALID, "the passphrase in %s is longer than %d bytes", path,
                    SETUP_WORDS - 1);
    if (e != ERR_OK)
        sodium_memzero(out, SETUP_WORDS);
    return e;
}

int passphrase_ask(const struct cli *c, const char *path, const char *question, char *out)
{
    struct errmsg msg = { .text = "" };

    if (path != NULL) {
        enum err e = passphrase_read(c, path, out, &msg);
        return e == ERR_OK ? 0 : cli_err(c, e, &msg);
    }
    if (!term_can_ask() || !term_ask_secret(question, out, SETUP_WORDS) || *out == 0) {
        sodium_memzero(out, SETUP_WORDS);
        if (c->command != NULL && c->command->run == cmd_pin_set)
            return cli_fail(c, err_exit(ERR_DENIED), "no_pin",
                            "no PIN: give it with --pin-file FILE, or on a terminal");
        return cli_fail(c, err_exit(ERR_DENIED), "no_passphrase",
                        "no passphrase: give it with --%s FILE, or on a terminal",
                        option_row(c->command != NULL && c->command->run == cmd_restore
                                       ? OPT_BACKUP_PASSPHRASE
                                       : OPT_PASSPHRASE)
                            ->name);
    }
    return 0;
}

int passphrase_get(const struct cli *c, char *out)
{
    return passphrase_ask(c, c->value[OPT_PASSPHRASE], "Lead's passphrase", out);
}
