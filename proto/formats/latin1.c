/* latin1.c - UTF-8 in, ISO-8859-1 out, for files whose readers know nothing newer. */
#include "format_int.h"

#include <string.h>

#include "record.h"

/* Base letters of U+0100 to U+024F and of U+1E00 to U+1EFF (Vietnamese among them), made once from
 * UnicodeData's decompositions; strokes and hooks by hand. '?': there is none. */
static const char base_0100[] =
    "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlL"
    "lLlNnNnNnnNnOoOoOo?\?RrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs"
    "bB?\?\?\?\?CcDD?\?\?\?E?FfG?\?\?IKkl?\?NnOOo?\?Pp?\?\?\?\?tTtTUu?VYyZz?\?\?\?\?\?\?\?\?"
    "?\?\?\?DDdLLlNNnAaIiOoUuUuUuUuUueAaAa?\?GgGgKkOoOo?\?jDDdGg?\?NnAa?\?\?\?"
    "AaAaEeEeIiIiOoOoRrRrUuUuSsTt?\?Hh?d?\?\?\?AaEeOoOoOoOoYylntj?\?ACcLTs"
    "z?\?BU?EeJj?\?RrYy";
static const char base_1e00[] =
    "AaBbBbBbCcDdDdDdDdDdEeEeEeEeEeFfGgHhHhHhHhHhIiIiKkKkKkLlLlLlLlMm"
    "MmMmNnNnNnNnOoOoOoOoPpPpRrRrRrRrSsSsSsSsSsTtTtTtTtUuUuUuUuUuVvVv"
    "WwWwWwWwWwXxXxYyZzZzZzhtwyasss?\?AaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEe"
    "EeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOoUuUuUuUuUuUuUuYyYyYyYy?\?\?\?\?\?";
_Static_assert(sizeof base_0100 == 0x150 + 1 && sizeof base_1e00 == 0x100 + 1, "one each");

/* The text is well-formed: its caller asked text_is_clean(). */
static unsigned long next_char(const unsigned char **s)
{
    unsigned long c = *(*s)++;
    unsigned more = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

    if (more > 0)
        c &= 0x3fu >> more;
    for (; more > 0; more--)
        c = c << 6 | (*(*s)++ & 0x3fu);
    return c;
}

/* What stands for a character that Latin-1 lacks; "" for an accent that stands alone. */
static const char *stand_in(unsigned long c, char one[2])
{
    one[0] = '?';
    one[1] = 0;
    switch (c) {
    case 0x132:
        return "IJ";
    case 0x133:
        return "ij";
    case 0x152:
        return "OE";
    case 0x153:
        return "oe";
    case 0x1e9e:
        return "SS";
    case 0x2018:
    case 0x2019:
    case 0x2bc:
        return "'";
    case 0x201c:
    case 0x201d:
        return "\"";
    default:
        break;
    }
    if (c >= 0x300 && c <= 0x36f)
        return "";
    if (c >= 0x2010 && c <= 0x2015)
        one[0] = '-';
    else if (c >= 0x100 && c < 0x250)
        one[0] = base_0100[c - 0x100];
    else if (c >= 0x1e00 && c < 0x1f00)
        one[0] = base_1e00[c - 0x1e00];
    return one;
}

bool latin1_put(struct buf *out, const char *s, const char *forbidden, unsigned *lost)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t before = out->len, plain = text_plain(s);

    if (s[plain] == 0) { /* it stands for itself */
        buf_add(out, s, plain);
        return strcspn(s, forbidden) == plain;
    }
    if (!text_is_clean(s))
        return false;
    while (*p != 0) {
        unsigned long c = next_char(&p);
        uint8_t byte = (uint8_t)c;
        char one[2];

        if (c < 0x100) {
            buf_add(out, &byte, 1);
        } else {
            buf_text(out, stand_in(c, one));
            *lost += 1;
        }
    }
    for (size_t i = before; !out->failed && i < out->len; i++)
        if (strchr(forbidden, out->p[i]) != NULL)
            return false;
    return true;
}

bool latin1_get(const char *s, size_t n, char *out, size_t room)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c < 0x20 || (c >= 0x7f && c < 0xa0) || at + 2 >= room)
            return false;
        if (c >= 0x80)
            out[at++] = (char)(0xc0 | c >> 6);
        out[at++] = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
    }
    out[at] = 0;
    return true;
}

bool is_utf_8(const char *s, size_t n)
{
    uint8_t any = 0;
    size_t k;

    for (size_t i = 0; i < n; i++) /* of nearly all lines this is all */
        any |= (uint8_t)s[i];
    if (any < 0x80)
        return false;
    for (size_t i = 0; i < n; i += k) {
        k = (uint8_t)s[i] < 0x80 ? 1 : text_char(s + i);
        if (k == 0 || k > n - i)
            return false;
    }
    return true;
}

bool latin1_lacks(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;

    if (text_is_clean(s))
        while (*p != 0)
            if (next_char(&p) > 0xff)
                return true;
    return false;
}
