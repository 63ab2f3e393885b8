/* json_text.c - text as a JSON string, for writers. */
#include "format_int.h"

static unsigned long code_of(const unsigned char *p, size_t n)
{
    unsigned long c = n == 1 ? p[0] : p[0] & 0x7fu >> n;

    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3fu);
    return c;
}

/* Bytes at s that stand for themselves. */
static size_t plain(const char *s)
{
    size_t n = 0;

    while (s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
        n++;
    return n;
}

bool json_put_text(struct buf *out, const char *s, bool ascii)
{
    buf_text(out, "\"");
    while (*s != 0) {
        size_t run = plain(s), n;
        unsigned long c;

        buf_add(out, s, run);
        s += run;
        if (*s == 0)
            break;
        if ((n = text_char(s)) == 0)
            return false;
        c = code_of((const unsigned char *)s, n);
        if (n == 1) /* a quotation mark or a backslash: all else of one byte is plain */
            buf_printf(out, "\\%c", (char)c);
        else if (!ascii)
            buf_add(out, s, n);
        else if (c < 0x10000)
            buf_printf(out, "\\u%04lx", c);
        else
            buf_printf(out, "\\u%04lx\\u%04lx", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
        s += n;
    }
    buf_text(out, "\"");
    return true;
}
