/* export.c - `tideover export`: what is pending, as a file, without uploading anything. */
#include "client.h"

#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "format.h"

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
    char path[96], names[FORMAT_NAMES_MAX];
    enum err e;
    int rc;

    if (!name_is_clean(c->value[OPT_FORMAT]))
        return cli_usage(c, "there is no format \"%s\"; this version knows %s",
                         c->value[OPT_FORMAT], format_names(false, names));
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
