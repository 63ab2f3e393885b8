/* buf.c - a byte buffer that grows, and clean text. */
#include "buf.h"

#include <sodium/utils.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define BUF_FIRST   256 /* most records and messages fit without growing twice */
#define PRINTF_ROOM 100 /* most of what is printed fits without printing twice */

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){ 0 };
}

void buf_wipe(struct buf *b)
{
    if (b->p != NULL)
        sodium_memzero(b->p, b->cap);
    buf_free(b);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

/* Not realloc(): it may leave a copy of a secret behind, out of buf_wipe()'s reach. */
static bool make_room(struct buf *b, size_t n)
{
    size_t cap = b->cap ? b->cap : BUF_FIRST;
    uint8_t *p;

    if (n <= b->cap - b->len)
        return true;
    if (n > SIZE_MAX / 2 - b->len)
        return false;
    while (cap < b->len + n)
        cap *= 2;
    p = mem_alloc(cap);
    if (p == NULL)
        return false;
    if (b->len > 0)
        memcpy(p, b->p, b->len);
    if (b->p != NULL)
        sodium_memzero(b->p, b->cap);
    free(b->p);
    b->p = p;
    b->cap = cap;
    return true;
}

uint8_t *buf_grow(struct buf *b, size_t n)
{
    uint8_t *at;

    if (!b->failed && !make_room(b, n > 0 ? n : 1)) /* an empty piece is not a failure */
        b->failed = true;
    if (b->failed)
        return NULL;
    at = b->p + b->len;
    b->len += n;
    return at;
}

void buf_add_growing(struct buf *b, const void *p, size_t n)
{
    uint8_t *at = n > 0 ? buf_grow(b, n) : NULL;

    if (at != NULL)
        memcpy(at, p, n);
}

void buf_number(struct buf *b, uint64_t n, unsigned width)
{
    char digits[20], *p = digits + sizeof digits;

    do
        *--p = (char)('0' + n % 10);
    while ((n /= 10) > 0 || digits + sizeof digits - p < (ptrdiff_t)width);
    buf_add(b, p, (size_t)(digits + sizeof digits - p));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int n = PRINTF_ROOM;

    for (int room = 0; room <= n && !b->failed;) { /* most fit at the first try */
        room = n + 1;
        if (!make_room(b, (size_t)room)) {
            b->failed = true;
            return;
        }
        va_start(ap, fmt);
        n = vsnprintf((char *)b->p + b->len, (size_t)room, fmt, ap);
        va_end(ap);
        if (n < 0)
            b->failed = true;
    }
    if (!b->failed)
        b->len += (size_t)n;
}

/* ---- text ---- */

/* Length of the well-formed UTF-8 sequence at p (Unicode, table 3-7), 0 if there is none or if it
 * is a control character. The NUL at the end of the text stops every branch. */
size_t text_char(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    unsigned char low = 0x80, high = 0xbf;
    size_t n;

    if (p[0] < 0x80)
        return p[0] >= 0x20 && p[0] != 0x7f;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xc2 || p[0] == 0xe0)
        low = 0xa0; /* C1 controls; three bytes where two do */
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xed)
        high = 0x9f; /* surrogates */
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

size_t text_plain(const char *s)
{
    size_t n = 0;

    while (s[n] >= 0x20 && s[n] < 0x7f)
        n++;
    return n;
}

bool text_is_clean(const char *s)
{
    for (s += text_plain(s); *s != '\0'; s += text_plain(s)) {
        size_t n = text_char(s);
        if (n == 0)
            return false;
        s += n;
    }
    return true;
}

void text_mend(char *s)
{
    char *out = s;

    while (*s != '\0') {
        size_t n = text_char(s);
        memmove(out, s, n);
        out += n;
        s += n > 0 ? n : 1;
    }
    *out = '\0';
}

#define HIDE_DIGITS 5

void text_hide_numbers(char *s)
{
    char *out = s;

    while (*s != '\0') {
        size_t n = strspn(s, "0123456789");
        if (n >= HIDE_DIGITS) {
            *out++ = '#';
            s += n;
            continue;
        }
        n = n > 0 ? n : 1;
        memmove(out, s, n);
        out += n;
        s += n;
    }
    *out = '\0';
}

void put_be32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

void put_be64(uint8_t *p, uint64_t v)
{
    for (unsigned i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (56 - 8 * i));
}

uint32_t get_be32(const uint8_t *p)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < 4; i++)
        v = v << 8 | p[i];
    return v;
}

uint64_t get_be64(const uint8_t *p)
{
    return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}
