/* fuzz.h - what every target of hostile bytes has in common.
 *
 * A target is one file with LLVMFuzzerTestOneInput() and fuzz_seeds(). Built with clang and
 * -DSANITIZE=fuzz it is a libFuzzer program; built otherwise driver.c gives it a main() that
 * replays its seeds and its corpus and then tries mutations of them. Seeds are made by the
 * project's own encoders, so that a change of a byte form never leaves a stale corpus behind;
 * what fuzzing found lies in corpus/TARGET. */
#ifndef TIDEOVER_FUZZ_H
#define TIDEOVER_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
void fuzz_seeds(void);

/* For fuzz_seeds(): p is copied. */
void fuzz_seed(const void *p, size_t n);
static inline void fuzz_seed_text(const char *s)
{
    fuzz_seed(s, strlen(s));
}
/* Takes b's bytes and frees it. */
static inline void fuzz_seed_buf(struct buf *b)
{
    fuzz_seed(b->p, b->len);
    buf_free(b);
}

/* Of a target whose first byte picks what the rest is for. */
static inline void fuzz_seed_with(uint8_t what, const void *p, size_t n)
{
    struct buf b = { 0 };

    buf_add(&b, &what, 1);
    buf_add(&b, p, n);
    fuzz_seed_buf(&b);
}

/* What must hold for whatever bytes. Not assert(): NDEBUG must not silence it. */
#define must_hold(x)                                                                               \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #x);                 \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A copy of exactly n bytes (and a NUL behind them for *_text), so that a byte read past the end is
 * one that the address sanitizer sees. free() it. */
static inline uint8_t *fuzz_copy(const uint8_t *p, size_t n)
{
    uint8_t *q = calloc(n > 0 ? n : 1, 1);

    must_hold(q != NULL);
    if (n > 0)
        memcpy(q, p, n);
    return q;
}

static inline char *fuzz_text(const uint8_t *p, size_t n)
{
    char *q = malloc(n + 1);

    must_hold(q != NULL);
    if (n > 0)
        memcpy(q, p, n);
    q[n] = '\0';
    return q;
}

/* Takes bytes off the front of an input; zeros once there are none. */
struct fuzz_in {
    const uint8_t *p;
    size_t n;
};

static inline const uint8_t *fuzz_take(struct fuzz_in *in, size_t *n)
{
    const uint8_t *at = in->p;

    if (*n > in->n)
        *n = in->n;
    in->p += *n;
    in->n -= *n;
    return at;
}

static inline unsigned fuzz_byte(struct fuzz_in *in)
{
    size_t n = 1;
    const uint8_t *at = fuzz_take(in, &n);

    return n > 0 ? *at : 0;
}

static inline unsigned fuzz_be16(struct fuzz_in *in)
{
    unsigned high = fuzz_byte(in);

    return high << 8 | fuzz_byte(in);
}

#endif
