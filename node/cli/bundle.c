/* bundle.c - `tideover bundle export` and `import`: what a desk holds, on a stick. */
#include "client.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"

#define PIECE 45000 /* bytes of a part in one request, as base64 */

/* ---- export ---- */

static bool write_all(int fd, const void *p, size_t n)
{
    const uint8_t *at = p;

    while (n > 0) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

static int write_part(const struct cli *c, const struct target *t, const char *text)
{
    size_t len = strlen(text), n = 0;
    struct buf b = { 0 };
    uint8_t head[4], *p = buf_grow(&b, len / 4 * 3 + 3);
    int rc = 0;

    if (p == NULL || sodium_base642bin(p, b.len, text, len, NULL, &n, NULL,
                                       sodium_base64_VARIANT_ORIGINAL) != 0) {
        rc = cli_fail(c, err_exit(ERR_NOMEM), "nomem", "the node's answer cannot be read");
    } else {
        put_be32(head, (uint32_t)n);
        if (!write_all(t->fd, head, sizeof head) || !write_all(t->fd, p, n))
            rc = cli_fail(c, err_exit(ERR_DISK), "cannot_write", "cannot write %s: %s", t->path,
                          strerror(errno));
    }
    buf_free(&b);
    return rc;
}

/* All parts, one request each. */
static int write_parts(const struct cli *c, struct client *cl, const struct target *t,
                       long long *parts)
{
    char next[64] = "", path[128];
    struct progress progress;
    bool more = true;
    int rc = 0;

    if (!write_all(t->fd, BUNDLE_HEAD, strlen(BUNDLE_HEAD)))
        return cli_fail(c, err_exit(ERR_DISK), "cannot_write", "cannot write %s: %s", t->path,
                        strerror(errno));
    progress_begin(c, &progress);
    while (rc == 0 && more) {
        json_t *answer = NULL;

        snprintf(path, sizeof path, "/api/v1/bundle?at=%s", next);
        rc = interrupted() ? 130 : cli_call(c, cl, path, NULL, NULL, &answer);
        if (rc == 0)
            rc = write_part(c, t, j_text(answer, "part", ""));
        more = j_text(answer, "next", NULL) != NULL;
        snprintf(next, sizeof next, "%s", j_text(answer, "next", ""));
        json_decref(answer);
        progress_show(&progress, "parts written", (uint64_t)++ * parts, 0);
    }
    progress_end(&progress);
    return rc;
}

int cmd_bundle_export(struct cli *c)
{
    struct target t = { .path = c->argv[0], .fd = -1 };
    struct client *cl = NULL;
    json_t *status = NULL;
    long long parts = 0, held;
    char n[32];
    int rc = cli_connect(c, &cl);

    interrupt_catch();
    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/status", NULL, NULL, &status);
    if (rc == 0)
        rc = target_open(c, &t);
    if (rc == 0)
        rc = write_parts(c, cl, &t, &parts);
    if (rc == 0 && !t.is_stdout)
        rc = target_keep(c, &t);
    held = j_int(json_object_get(status, "records"), "held", 0);
    if (rc == 0 && c->json && !t.is_stdout) {
        json_t *o = json_pack("{s:i, s:s, s:I, s:I}", "schema", 1, "file", t.path, "parts",
                              (json_int_t)parts, "held", (json_int_t)held);
        cli_json(o);
        json_decref(o);
    } else if (rc == 0 && !t.is_stdout) {
        words_number(held, n);
        printf("%s: the %s records on this desk, sealed for the desks of the branch.\n"
               "Take it to another desk, and there: tideover bundle import %s\n",
               t.path, n, t.path);
    }
    target_close(&t);
    json_decref(status);
    client_close(cl);
    interrupt_release();
    return rc;
}

/* ---- import ---- */

struct import {
    long long parts, records, refused;
    bool last;     /* the part that ends a bundle was met */
    char desk[64]; /* who wrote it */
};

static int send_part(const struct cli *c, struct client *cl, const uint8_t *p, size_t n,
                     struct import *im)
{
    static char text[PIECE / 3 * 4 + 8];
    json_t *answer = NULL;
    int rc = 0;

    for (size_t at = 0; rc == 0 && at < n;) {
        size_t piece = n - at < PIECE ? n - at : PIECE;
        struct buf body = { 0 };

        sodium_bin2base64(text, sizeof text, p + at, piece, sodium_base64_VARIANT_ORIGINAL);
        json_decref(answer);
        answer = NULL;
        if (!j_body(json_pack("{s:I, s:b, s:s}", "at", (json_int_t)at, "more", at + piece < n,
                              "piece", text),
                    NULL, &body))
            rc = cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
        else
            rc = cli_call(c, cl, "/api/v1/bundle", &body, "taking it in", &answer);
        buf_free(&body);
        at += piece;
    }
    if (rc == 0) {
        im->parts++;
        im->records += j_int(answer, "records", 0);
        im->refused += j_int(answer, "refused", 0);
        im->last = j_is(answer, "last");
        snprintf(im->desk, sizeof im->desk, "%s", j_text(answer, "desk", "-"));
    }
    json_decref(answer);
    return rc;
}

/* Part by part: a file of any size in little memory. *torn: it ends within a part. */
static int read_parts(const struct cli *c, struct client *cl, FILE *f, const char *path,
                      struct import *im, bool *torn)
{
    struct buf part = { 0 };
    struct progress progress;
    uint8_t head[4];
    size_t got;
    int rc = 0;

    progress_begin(c, &progress);
    while (rc == 0 && (got = fread(head, 1, sizeof head, f)) > 0) {
        uint32_t n = get_be32(head);
        uint8_t *p;

        buf_reset(&part);
        if (got == sizeof head && (n == 0 || n > BUNDLE_PART_MAX)) {
            rc = cli_fail(c, err_exit(ERR_MALFORMED), "malformed",
                          "%s is damaged behind its part %lld: what is before it was taken", path,
                          im->parts);
            break;
        }
        if (got < sizeof head || (p = buf_grow(&part, n)) == NULL || fread(p, 1, n, f) != n) {
            *torn = true;
            break;
        }
        rc = interrupted() ? 130 : send_part(c, cl, p, n, im);
        progress_show(&progress, "parts taken in", (uint64_t)im->parts, 0);
    }
    progress_end(&progress);
    buf_free(&part);
    return rc;
}

static int import_file(const struct cli *c, struct client *cl, const char *path, struct import *im)
{
    char head[sizeof BUNDLE_HEAD] = "";
    FILE *f = fopen(path, "rb");
    bool torn = false;
    int rc;

    if (f == NULL)
        return cli_fail(c, err_exit(ERR_NOFILE), "no_file", "cannot read %s: %s", path,
                        strerror(errno));
    if (fread(head, 1, sizeof head - 1, f) != sizeof head - 1 || strcmp(head, BUNDLE_HEAD) != 0)
        rc =
            cli_fail(c, err_exit(ERR_MALFORMED), "malformed",
                     "%s is not a bundle of this program: look for the file that \"tideover bundle "
                     "export\" wrote",
                     path);
    else
        rc = read_parts(c, cl, f, path, im, &torn);
    if (rc == 0 && (torn || !im->last))
        rc = cli_fail(
            c, err_exit(ERR_MALFORMED), "torn",
            "%s ends too early: %lld whole part%s and %lld new records were taken; copy it "
            "again, and import it once more",
            path, im->parts, im->parts == 1 ? "" : "s", im->records);
    fclose(f);
    return rc;
}

static void tell(const struct cli *c, const char *path, const struct import *im, json_t *all)
{
    char n[32];

    if (c->json) {
        json_array_append_new(all, json_pack("{s:s, s:s, s:I, s:I, s:I}", "file", path, "desk",
                                             im->desk, "parts", (json_int_t)im->parts, "records",
                                             (json_int_t)im->records, "refused",
                                             (json_int_t)im->refused));
        return;
    }
    words_number(im->records, n);
    if (im->records > 0)
        printf("%s: written by %s; %s record%s that this desk did not have\n", path, im->desk, n,
               im->records == 1 ? "" : "s");
    else
        printf("%s: written by %s; this desk had all of it\n", path, im->desk);
    if (im->refused > 0)
        printf("%s# %lld messages of it were refused: this desk's log says why%s\n",
               hue(c, HUE_WARN), im->refused, hue(c, HUE_OFF));
}

int cmd_bundle_import(struct cli *c)
{
    json_t *all = json_array(), *o;
    struct client *cl = NULL;
    int rc = cli_connect(c, &cl), worst = rc;

    interrupt_catch();
    for (int i = 0; rc == 0 && i < c->argc; i++) {
        struct import im = { .desk = "-" };
        int r = import_file(c, cl, c->argv[i], &im);

        if (r == 0)
            tell(c, c->argv[i], &im, all);
        else
            worst = r; /* the next file may be whole */
        rc = r == 130 ? r : 0;
    }
    if (worst == 0 && c->json) {
        o = json_pack("{s:i, s:O}", "schema", 1, "files", all);
        cli_json(o);
        json_decref(o);
    }
    json_decref(all);
    client_close(cl);
    interrupt_release();
    return worst;
}
