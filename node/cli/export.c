/* export.c - `tideover export`: what is pending, as a file, without uploading anything. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

/* Written aside, flushed, linked into place: a file under its name is whole, and none is
 * overwritten. */
struct target {
    const char *path;
    char aside[4096];
    int fd;
    bool is_stdout;
};

static int target_open(const struct cli *c, struct target *t)
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

static int target_keep(const struct cli *c, struct target *t)
{
    int rc = fsync(t->fd);

    if (rc == 0 && link(t->aside, t->path) != 0)
        rc = errno == EEXIST ? -1 : rename(t->aside, t->path); /* FAT, some shares: no links */
    if (rc != 0)
        return cli_fail(c, err_exit(errno == EEXIST ? ERR_EXISTS : ERR_DISK), "cannot_create",
                        "cannot keep %s: %s", t->path, strerror(errno));
    return 0;
}

static void target_close(struct target *t)
{
    if (t->is_stdout || t->fd < 0)
        return;
    close(t->fd);
    unlink(t->aside); /* gone already if it was renamed */
}

static bool digest_of(int fd, char hex[65], long long *bytes)
{
    crypto_hash_sha256_state state;
    unsigned char block[16384], digest[32];
    ssize_t n;

    *bytes = 0;
    crypto_hash_sha256_init(&state);
    while ((n = pread(fd, block, sizeof block, (off_t)*bytes)) > 0) {
        crypto_hash_sha256_update(&state, block, (unsigned long long)n);
        *bytes += n;
    }
    crypto_hash_sha256_final(&state, digest);
    sodium_bin2hex(hex, 65, digest, sizeof digest);
    return n == 0;
}

static void tell(const struct cli *c, const struct target *t, const struct buf *summary)
{
    json_t *o = json_loadb((const char *)summary->p, summary->len, 0, NULL);
    char hex[65] = "", n[32];
    long long bytes = 0;

    if (!json_is_object(o)) {
        json_decref(o);
        o = json_pack("{s:i}", "schema", 1);
    }
    if (!t->is_stdout && digest_of(t->fd, hex, &bytes)) {
        json_object_set_new(o, "file", json_string(t->path));
        json_object_set_new(o, "bytes", json_integer(bytes));
        json_object_set_new(o, "sha256", json_string(hex));
    }
    if (c->json && !t->is_stdout) {
        cli_json(o);
    } else if (!t->is_stdout) {
        words_number(bytes, n);
        printf("%s: %s bytes, SHA-256 %s\n", t->path, n, hex);
        if (json_object_get(o, "total") != NULL) {
            j_scrub(o);
            json_object_del(o, "sink");
            plan_print(c, o);
        }
        puts("Nothing counts as uploaded: the same records go with the next upload.");
    }
    json_decref(o);
}

static bool name_is_clean(const char *s)
{
    return *s != 0 && strlen(s) < 32 && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == 0;
}

int cmd_export(struct cli *c)
{
    struct target t = { .path = c->value[OPT_OUT], .fd = -1 };
    struct errmsg msg = { .text = "" };
    struct client *cl = NULL;
    struct reply r = { 0 };
    char path[96];
    enum err e;
    int rc;

    if (!name_is_clean(c->value[OPT_FORMAT]))
        return cli_usage(c, "there is no format \"%s\"; this version knows symphony and ldflat",
                         c->value[OPT_FORMAT]);
    snprintf(path, sizeof path, "/api/v1/export?format=%s", c->value[OPT_FORMAT]);
    rc = cli_connect(c, &cl);
    if (rc == 0)
        rc = target_open(c, &t);
    if (rc == 0) {
        struct request rq = { .path = path, .waiting = "exporting", .to_fd = t.fd };

        e = client_send(cl, &rq, &r, &msg);
        if (e != ERR_OK)
            rc = cli_err(c, e, &msg);
        else if (r.status != 200)
            rc = cli_refused(c, r.status, (const char *)r.body.p, r.body.len);
        else if (!t.is_stdout)
            rc = target_keep(c, &t);
        if (rc == 0)
            tell(c, &t, &r.summary);
    }
    reply_free(&r);
    target_close(&t);
    client_close(cl);
    return rc;
}
