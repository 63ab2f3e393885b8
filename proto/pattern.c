/* pattern.c - the small language of barcode patterns, and the check digit (include/policy.h).
 *
 * Letters and digits, [..] classes with ranges, {n} and {m,n}. The page hands the same text to the
 * browser as a regular expression, so whatever would mean something else there is not valid here.
 */
#include "policy.h"

#include <string.h>

#define PIECES_MAX 63 /* a pattern has at most 63 bytes */
#define REPEAT_MAX 99

struct piece {
    uint8_t set[16]; /* bit per ASCII character */
    unsigned min, max;
};

static void set_add(struct piece *p, unsigned char c)
{
    p->set[c / 8] |= (uint8_t)(1u << c % 8);
}

static bool set_has(const struct piece *p, unsigned char c)
{
    return c < 128 && (p->set[c / 8] >> c % 8 & 1) != 0;
}

static bool is_one_of(char c, const char *also)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != 0 && strchr(also, c) != NULL);
}

/* The class after its '['. Returns what follows the ']', NULL if it is ill-formed. */
static const char *read_class(const char *s, struct piece *out)
{
    if (*s == ']')
        return NULL;
    for (; *s != ']'; s++) {
        char first = *s, last;

        if (!is_one_of(first, " .$/+%-"))
            return NULL;
        if (s[1] != '-' || s[2] == ']') {
            set_add(out, (unsigned char)first);
            continue;
        }
        last = s[2];
        if (!is_one_of(first, "") || !is_one_of(last, "") || last < first)
            return NULL;
        for (char c = first; c <= last; c++)
            set_add(out, (unsigned char)c);
        s += 2;
    }
    return s + 1;
}

static const char *read_count(const char *s, unsigned *out)
{
    unsigned v = 0;

    if (*s < '0' || *s > '9')
        return NULL;
    for (; *s >= '0' && *s <= '9'; s++) {
        v = v * 10 + (unsigned)(*s - '0');
        if (v > REPEAT_MAX)
            return NULL;
    }
    *out = v;
    return s;
}

/* What may follow a piece: {n} or {m,n}. */
static const char *read_repeat(const char *s, struct piece *out)
{
    out->min = out->max = 1;
    if (*s != '{')
        return s;
    s = read_count(s + 1, &out->min);
    if (s == NULL)
        return NULL;
    out->max = out->min;
    if (*s == ',')
        s = read_count(s + 1, &out->max);
    if (s == NULL || *s != '}' || out->max < out->min || out->max == 0)
        return NULL;
    return s + 1;
}

static const char *read_piece(const char *s, struct piece *out)
{
    memset(out, 0, sizeof *out);
    if (*s == '[') {
        s = read_class(s + 1, out);
    } else if (is_one_of(*s, " /%-")) {
        set_add(out, (unsigned char)*s);
        s++;
    } else {
        s = NULL;
    }
    return s != NULL ? read_repeat(s, out) : NULL;
}

bool pattern_is_valid(const char *pattern)
{
    struct piece piece;

    if (*pattern == 0 || strlen(pattern) > PIECES_MAX)
        return false;
    while (pattern != NULL && *pattern != 0)
        pattern = read_piece(pattern, &piece);
    return pattern != NULL;
}

bool pattern_length(const char *pattern, unsigned *min, unsigned *max)
{
    struct piece piece;

    *min = *max = 0;
    if (!pattern_is_valid(pattern))
        return false;
    while (*pattern != 0) {
        pattern = read_piece(pattern, &piece);
        *min += piece.min;
        *max += piece.max;
    }
    return true;
}

/* The letters of a set, in the order of pattern_sample(). */
static unsigned letters_of(const struct piece *p, char out[128])
{
    unsigned n = 0;

    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned c = 127; c > 0; c--)
            if (set_has(p, (unsigned char)c) && (c >= '0' && c <= '9') == (pass == 0))
                out[n++] = (char)c;
    return n;
}

bool pattern_sample(const char *pattern, unsigned k, char out[BARCODE_MAX + 1])
{
    struct piece at[BARCODE_MAX];
    unsigned n = 0;

    out[0] = 0;
    if (!pattern_is_valid(pattern))
        return false;
    while (*pattern != 0) {
        struct piece piece;

        pattern = read_piece(pattern, &piece);
        for (unsigned i = 0; i < piece.min; i++) {
            if (n == BARCODE_MAX)
                return false;
            at[n++] = piece;
        }
    }
    out[n] = 0;
    for (unsigned i = n; i-- > 0;) { /* the last one counts fastest */
        char letters[128];
        unsigned many = letters_of(&at[i], letters);

        out[i] = letters[k % many];
        k /= many;
    }
    return n > 0 && k == 0;
}

/* at[i]: the pieces so far can end before s[i]. One pass a piece, so at worst
 * PIECES_MAX * BARCODE_MAX * BARCODE_MAX steps, whatever the pattern. */
bool pattern_matches(const char *pattern, const char *s)
{
    bool at[BARCODE_MAX + 1] = { true };
    size_t n = strlen(s);

    if (n > BARCODE_MAX || !pattern_is_valid(pattern))
        return false;
    while (*pattern != 0) {
        bool next[BARCODE_MAX + 1] = { false };
        struct piece piece;

        pattern = read_piece(pattern, &piece);
        for (size_t i = 0; i <= n; i++) {
            if (!at[i])
                continue;
            for (size_t k = 0; k <= piece.max && i + k <= n; k++) {
                if (k >= piece.min)
                    next[i + k] = true;
                if (i + k < n && !set_has(&piece, (unsigned char)s[i + k]))
                    break;
            }
        }
        memcpy(at, next, sizeof at);
    }
    return at[n];
}

bool mod10_is_valid(const char *digits)
{
    size_t n = strlen(digits);
    unsigned sum = 0;

    if (n < 2)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)(unsigned char)digits[n - 1 - i] - '0';

        if (d > 9)
            return false;
        if (i % 2 == 1)
            d = d * 2 > 9 ? d * 2 - 9 : d * 2;
        sum += d;
    }
    return sum % 10 == 0;
}
