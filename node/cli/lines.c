/* lines.c - splits a stream into lines of bounded length. */
#include "lines.h"

#include <string.h>

void lines_free(struct lines *l)
{
    buf_wipe(&l->bytes);
    *l = (struct lines){ .ended = true };
}

bool lines_feed(struct lines *l, const void *p, size_t n)
{
    if (l->at > 0) {
        memmove(l->bytes.p, l->bytes.p + l->at, l->bytes.len - l->at);
        l->bytes.len -= l->at;
        l->at = 0;
    }
    buf_add(&l->bytes, p, n);
    return !l->bytes.failed;
}

void lines_end(struct lines *l)
{
    l->ended = true;
}

static bool is_blank(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] != ' ' && s[i] != '\t')
            return false;
    return true;
}

static enum line_kind kind_of(const char *s, size_t n)
{
    if (n > LINE_BYTES_MAX)
        return LINE_TOO_LONG;
    return memchr(s, 0, n) != NULL ? LINE_NOT_TEXT : LINE_GOOD;
}

/* The rest has not come. A line that is too long already need not be kept. */
static enum line_kind wait_for_rest(struct lines *l, size_t left)
{
    if (l->skipping ||
        left > LINE_BYTES_MAX + 1) { /* + 1: its last byte may be a carriage return */
        l->skipping = true;
        l->at = l->bytes.len;
    }
    return LINE_NONE;
}

enum line_kind lines_next(struct lines *l, const char **line, size_t *n)
{
    while (l->at < l->bytes.len || (l->ended && l->skipping)) {
        const char *s = (const char *)l->bytes.p + l->at;
        size_t left = l->bytes.len - l->at;
        const char *lf = left > 0 ? memchr(s, '\n', left) : NULL;
        size_t len = lf != NULL ? (size_t)(lf - s) : left;

        if (lf == NULL && !l->ended)
            return wait_for_rest(l, left);
        l->at += len + (lf != NULL);
        if (l->skipping) {
            l->skipping = false;
            return LINE_TOO_LONG;
        }
        if (len > 0 && s[len - 1] == '\r')
            len--;
        if (is_blank(s, len))
            continue;
        *line = s;
        *n = len;
        return kind_of(s, len);
    }
    return LINE_NONE;
}

bool lines_done(const struct lines *l)
{
    return l->ended && l->at >= l->bytes.len && !l->skipping;
}
