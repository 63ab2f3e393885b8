/* init.c - `tideover init`: found a branch. */
#include "cli_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "setup.h"

/* The passphrase file, made before the branch: afterwards it would be too late to find out that it
 * cannot be written. */
struct passphrase_file {
    const char *path; /* NULL: none asked for */
    int fd;           /* of one that we made; -1 */
};

static int open_passphrase_file(const struct cli *c, struct passphrase_file *f, char *given)
{
    struct errmsg msg = { .text = "" };
    enum err e;

    f->fd = -1;
    if (f->path == NULL)
        return 0;
    f->fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (f->fd >= 0)
        return 0;
    if (errno != EEXIST)
        return cli_fail(c, err_exit(ERR_EXISTS), "passphrase_file", "cannot make %s: %s", f->path,
                        strerror(errno));
    e = passphrase_read(c, f->path, given, &msg);
    return e == ERR_OK ? 0 : cli_err(c, e, &msg);
}

static void show_passphrase(const char *words)
{
    fprintf(stderr,
            "\nThe lead's passphrase: %s\n"
            "Write it down and keep it safe: it is shown this once. Uploads, invites, policies\n"
            "and revocations ask for it.\n\n",
            words);
}

static void keep_passphrase(const struct cli *c, struct passphrase_file *f, const char *words)
{
    size_t n = strlen(words);
    bool good = f->fd >= 0 && write(f->fd, words, n) == (ssize_t)n && write(f->fd, "\n", 1) == 1 &&
                fsync(f->fd) == 0;

    if (good)
        cli_note(c, "The lead's passphrase is in %s; whoever reads it can upload and invite.\n",
                 f->path);
    else if (f->fd >= 0)
        fprintf(stderr, "tideover: cannot write %s: %s\n", f->path, strerror(errno));
    if (!good)
        show_passphrase(words);
}

int cmd_init(struct cli *c)
{
    struct passphrase_file file = { .path = c->value[OPT_PASSPHRASE], .fd = -1 };
    char words[SETUP_WORDS] = "", given[SETUP_WORDS] = "", made[SETUP_WORDS] = "";
    struct errmsg msg = { .text = "" };
    struct buf policy = { 0 };
    struct setup_init in = { .state_dir = c->state,
                             .branch = c->value[OPT_BRANCH],
                             .desk = c->value[OPT_DESK],
                             .listen = c->value[OPT_LISTEN],
                             .web = c->value[OPT_WEB] };
    enum err e;
    int rc = 0;

    if (c->value[OPT_POLICY] != NULL) {
        rc = policy_load(c, c->value[OPT_POLICY], &policy);
        in.policy_text = (const char *)policy.p;
    }
    if (rc == 0)
        rc = open_passphrase_file(c, &file, given);
    if (rc == 0) {
        in.passphrase = given[0] != 0 ? given : NULL;
        e = setup_init(&in, words, made, &msg);
        if (e != ERR_OK)
            rc = cli_err(c, e, &msg);
        if (rc == 0 && in.passphrase == NULL)
            keep_passphrase(c, &file, made);
        else if (rc != 0 && file.fd >= 0)
            unlink(file.path); /* ours, and empty */
    }
    if (rc == 0) {
        printf("Branch %s founded; this desk is %s, in %s\n", in.branch, in.desk, c->state);
        printf("Branch key   %s\n", words);
        say_next_start(c);
    }
    if (file.fd >= 0)
        close(file.fd);
    sodium_memzero(given, sizeof given);
    sodium_memzero(made, sizeof made);
    buf_free(&policy);
    return rc;
}
