/* newpass.c - a passphrase that is new, and the branch's root key from its backup file. */
#include "cli_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "ident.h"
#include "setup.h"

_Static_assert(SETUP_WORDS_MAX == SETUP_WORDS, "the same room");

static int keep_in_file(const struct cli *c, struct new_passphrase *p, int fd)
{
    size_t n = strlen(p->words);
    bool good = write(fd, p->words, n) == (ssize_t)n && write(fd, "\n", 1) == 1 && fsync(fd) == 0;

    p->made_file = true;
    if (close(fd) == 0 && good)
        return 0;
    unlink(p->path);
    return cli_fail(c, err_exit(ERR_DISK), "passphrase_file", "cannot write %s: %s", p->path,
                    strerror(errno));
}

int passphrase_new(const struct cli *c, const char *path, struct new_passphrase *p)
{
    struct errmsg msg = { .text = "" };
    uint8_t random[8];
    int fd = -1;
    enum err e;

    memset(p, 0, sizeof *p);
    p->path = path;
    if (p->path != NULL) {
        fd = open(p->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST)
            return cli_fail(c, err_exit(ERR_EXISTS), "passphrase_file", "cannot make %s: %s",
                            p->path, strerror(errno));
        if (fd < 0) {
            e = passphrase_read(c, p->path, p->words, &msg);
            return e == ERR_OK ? 0 : cli_err(c, e, &msg);
        }
    }
    randombytes_buf(random, sizeof random);
    passphrase_words(random, p->words);
    sodium_memzero(random, sizeof random);
    if (fd >= 0)
        return keep_in_file(c, p, fd);
    fprintf(stderr,
            "\nThe new passphrase: %s\n"
            "Write it down now: it is shown this once, and counts when this command says so.\n\n",
            p->words);
    return 0;
}

void passphrase_new_end(const struct cli *c, struct new_passphrase *p, int rc)
{
    bool unknown = rc == err_exit(ERR_OFFLINE) || rc == err_exit(ERR_PEER);

    if (rc == 0 && p->made_file)
        cli_note(c, "The new passphrase is in %s.\n", p->path);
    else if (p->made_file && unknown)
        cli_note(c,
                 "tideover: whether the new passphrase in %s counts is not known: try it, then the "
                 "old one\n",
                 p->path);
    else if (p->made_file)
        unlink(p->path); /* ours, and of no use */
    sodium_memzero(p->words, sizeof p->words);
}

/* "tideover branch root key, version 1", then 64 hex digits on a line, then words for people. */
int root_key_get(const struct cli *c, char hex[65])
{
    static const char head[] = "tideover branch root key, version 1\n";
    const char *path = c->value[OPT_ROOT_KEY];
    struct buf text = { 0 };
    struct errmsg msg = { .text = "" };
    uint8_t seed[SEED_BYTES];
    enum err e = file_read(path, 4096, &text, &msg);

    if (e == ERR_OK &&
        (text.len < sizeof head - 1 + 64 || memcmp(text.p, head, sizeof head - 1) != 0))
        e = err_set(&msg, ERR_INVALID, "%s is no backup of a branch's root key", path);
    if (e == ERR_OK) {
        memcpy(hex, text.p + sizeof head - 1, 64);
        hex[64] = 0;
        if (!hex_decode(hex, seed, sizeof seed))
            e = err_set(&msg, ERR_INVALID, "the root key in %s is damaged", path);
        sodium_memzero(seed, sizeof seed);
    }
    buf_wipe(&text);
    return e == ERR_OK ? 0 : cli_err(c, e, &msg);
}
