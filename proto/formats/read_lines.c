/* read_lines.c - a file that another program wrote, cut into lines for its reader (E11). */
#include "format_int.h"

#include <string.h>

/* The next piece of a line that is too long. */
static enum err hand_piece(struct read_lines *l, const struct format_read *to, struct errmsg *msg)
{
    const char *why = l->too_long ? NULL : "longer than any line of this format";
    size_t n = l->len;

    l->len = 0;
    l->too_long = true;
    return to->unknown(to->ctx, l->lines, (const uint8_t *)l->line, n, why, msg);
}

static enum err end_line(struct read_lines *l, struct format_reader *r, read_line *take,
                         const struct format_read *to, struct errmsg *msg)
{
    const char *text = l->line;
    size_t n = l->len;

    l->line[n] = 0;
    if (l->too_long) {
        enum err e = hand_piece(l, to, msg);
        l->too_long = false;
        return e;
    }
    l->len = 0;
    if (l->lines == 1 && n >= 2 &&
        (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return err_set(msg, ERR_MALFORMED, "the file is UTF-16: save it as UTF-8 or plain text");
    if (l->lines == 1 && n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        l->had_mark = true;
        text += 3;
        n -= 3;
    }
    while (n > 0 && text[n - 1] == '\r') {
        l->cut = false;
        n--;
    }
    if (strspn(text, " \t") >= n)
        return to->unknown(to->ctx, l->lines, (const uint8_t *)text, n, "an empty line", msg);
    return take(r, l->lines, text, n, msg);
}

enum err read_lines_add(struct read_lines *l, struct format_reader *r, read_line *take,
                        const struct format_read *to, const uint8_t *p, size_t n,
                        struct errmsg *msg)
{
    enum err e = ERR_OK;

    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        if (l->len == 0)
            l->lines++;
        if (p[i] == '\n') {
            e = end_line(l, r, take, to, msg);
            continue;
        }
        if (l->len == CHECK_LINE_MAX)
            e = hand_piece(l, to, msg);
        l->line[l->len++] = (char)p[i];
    }
    return e;
}

enum err read_lines_end(struct read_lines *l, struct format_reader *r, read_line *take,
                        const struct format_read *to, struct errmsg *msg)
{
    l->cut = true;
    return l->len > 0 ? end_line(l, r, take, to, msg) : ERR_OK;
}
