/* drive.h - what the programs that drive a sink without a branch have in common: files, a policy,
 * a payload's lines, the credentials. */
#ifndef DRIVE_H
#define DRIVE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "credential.h"
#include "sink.h"

struct drive_base { /* what each one's ctx begins with */
    struct policy policy;
    const char *home; /* where credentials lie */
    char *payload;
    char **line; /* with its LF */
    uint64_t n;
};

static inline void fail(const char *what, const char *which)
{
    fprintf(stderr, "cannot drive: %s %s: %s\n", what, which, strerror(errno));
    exit(2);
}

static inline char *slurp(const char *path)
{
    FILE *f = fopen(path, "rb");
    long n;
    char *p;

    if (!f || fseek(f, 0, SEEK_END) != 0 || (n = ftell(f)) < 0)
        fail("cannot read", path);
    rewind(f);
    if ((p = calloc(1, (size_t)n + 1)) == NULL || fread(p, 1, (size_t)n, f) != (size_t)n)
        fail("cannot read", path);
    fclose(f);
    return p;
}

static inline void drive_policy(struct drive_base *d, const char *path)
{
    struct errmsg msg = { .text = "" };
    char *text = slurp(path);

    if (policy_parse(text, strlen(text), &d->policy, &msg) != ERR_OK) {
        fprintf(stderr, "%s: %s\n", path, msg.text);
        exit(2);
    }
    free(text);
}

/* Each line that does not begin with `header`. */
static inline void drive_payload(struct drive_base *d, const char *path, const char *header)
{
    uint64_t lines = 0;

    d->payload = slurp(path);
    for (char *p = d->payload; *p; p++)
        lines += *p == '\n';
    if ((d->line = calloc(lines + 1, sizeof *d->line)) == NULL)
        fail("no memory for", path);
    for (char *p = d->payload; *p; p = strchr(p, '\n') + 1)
        if (!header || strncmp(p, header, strlen(header)) != 0)
            d->line[d->n++] = p;
}

/* ---- what a sink asks for ---- */

static inline enum err drive_line(void *ctx, uint64_t k, struct sink_line *out)
{
    struct drive_base *d = ctx;

    memset(out, 0, sizeof *out);
    if (k == 0 || k > d->n)
        return ERR_MISSING;
    out->bytes = (const uint8_t *)d->line[k - 1];
    out->n = strcspn(d->line[k - 1], "\n") + 1;
    return ERR_OK;
}

static inline enum err drive_secret(void *ctx, const char *kind, char out[512], struct errmsg *msg)
{
    struct drive_base *d = ctx;

    return credential_read(d->home, d->policy.access.credential, kind, out, msg);
}

static inline bool drive_may(void *ctx)
{
    (void)ctx;
    return true;
}

#endif
