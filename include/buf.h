/* buf.h - a byte buffer that grows, and msgpack on top of it.
 *
 * Writing goes through msgpack-c's packer. Reading uses a cursor over the given bytes that never
 * allocates: msgpack-c's unpacker reserves 24 bytes per announced element, so that 5 bytes can ask
 * it for a gigabyte (msgpack-c#1013). The cursor compares every length with what is left first. */
#ifndef TIDEOVER_BUF_H
#define TIDEOVER_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    uint8_t *p; /* owned; NULL while empty */
    size_t len, cap;
    bool failed; /* an append ran out of memory: everything after it was ignored */
};

void buf_free(struct buf *b);               /* wipes nothing; buf_wipe() for secrets */
void buf_wipe(struct buf *b);               /* zero the bytes, then free */
void buf_reset(struct buf *b);              /* length 0, memory kept, failed cleared */
uint8_t *buf_grow(struct buf *b, size_t n); /* n bytes at the end, or NULL */
void buf_add_growing(struct buf *b, const void *p, size_t n); /* for buf_add() below */
void buf_number(struct buf *b, uint64_t n, unsigned width);   /* decimal, at least so many digits */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Check b->failed once at the end. Inline: a line of a log is thirty short pieces. */
static inline void buf_add(struct buf *b, const void *p, size_t n)
{
    if (b->failed || n == 0 || n > b->cap - b->len) {
        buf_add_growing(b, p, n);
        return;
    }
    memcpy(b->p + b->len, p, n);
    b->len += n;
}

static inline void buf_text(struct buf *b, const char *s) /* without the NUL */
{
    buf_add(b, s, strlen(s));
}

/* ---- text: well-formed UTF-8 without control characters ---- */
size_t text_char(const char *s);  /* bytes of the character at s; 0: none, or no such one */
size_t text_plain(const char *s); /* bytes of printable ASCII that it begins with */
bool text_is_clean(const char *s);
void text_mend(char *s); /* leaves out what is not clean, as the rest of a character that was cut */
/* Puts # for each run of five digits or more, in place: the numbers of cards and items, in words of
 * another system that are kept longer than records. */
void text_hide_numbers(char *s);

/* ---- msgpack out ---- */
void mp_put_array(struct buf *b, uint32_t n);
void mp_put_map(struct buf *b, uint32_t n);
void mp_put_u64(struct buf *b, uint64_t v);
void mp_put_i64(struct buf *b, int64_t v);
void mp_put_bool(struct buf *b, bool v);
void mp_put_bin(struct buf *b, const void *p, size_t n);
void mp_put_str(struct buf *b, const char *s); /* NUL-terminated, stored without the NUL */

/* ---- msgpack in ---- */
#define MP_DEPTH_MAX 8 /* our deepest message nests 5 levels */

struct mp {
    const uint8_t *p, *end; /* borrowed */
    bool bad;               /* sticky: set by the first thing that does not fit */
};

struct mp mp_over(const void *p, size_t n);
/* Each getter returns zero/false/NULL and sets m->bad when the next object is another one. */
uint32_t mp_get_array(struct mp *m); /* count, at most the bytes left */
uint32_t mp_get_map(struct mp *m);
uint64_t mp_get_u64(struct mp *m);
int64_t mp_get_i64(struct mp *m);
bool mp_get_bool(struct mp *m);
const uint8_t *mp_get_bin(struct mp *m, size_t *n);    /* borrowed from the input */
bool mp_get_raw(struct mp *m, void *out, size_t n);    /* a bin of exactly n bytes */
bool mp_get_str(struct mp *m, char *out, size_t room); /* NUL-terminated copy; too long, or not
                                                          clean text, is bad */
void mp_skip(struct mp *m);                            /* any object, bounded depth */
bool mp_done(const struct mp *m);                      /* all read and nothing bad */

/* ---- fixed-width big-endian, for keys ---- */
void put_be32(uint8_t *p, uint32_t v);
void put_be64(uint8_t *p, uint64_t v);
uint32_t get_be32(const uint8_t *p);
uint64_t get_be64(const uint8_t *p);

#endif
