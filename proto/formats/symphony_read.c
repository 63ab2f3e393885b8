/* symphony_read.c - reader of one line of a Symphony log: wider than what we write (E11). */
#include "format.h"

#include <string.h>

static enum err at_byte(struct errmsg *msg, size_t at, const char *what)
{
    return err_set(msg, ERR_MALFORMED, "byte %zu: %s", at, what);
}

static bool all_digits(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9')
            return false;
    return true;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static unsigned number(const char *s, size_t n)
{
    unsigned v = 0;

    for (size_t i = 0; i < n; i++)
        v = v * 10 + (unsigned)(s[i] - '0');
    return v;
}

/* What stands before ^S: nothing, form E in full, or form D, whose station may be a name. */
static enum err read_header(const char *line, size_t n, struct symphony_line *out,
                            struct errmsg *msg)
{
    size_t digits = 0;

    if (n == 0)
        return ERR_OK;
    if ((line[0] != 'E' && line[0] != 'D') || n < 15 || !all_digits(line + 1, 14))
        return at_byte(msg, 0, "the header is E or D with a stamp of 14 digits");
    if (line[0] == 'E' && (n != 21 || !all_digits(line + 15, 4) ||
                           memchr("RFI", line[19], 3) == NULL || line[20] != ' '))
        return at_byte(msg, 15, "after the stamp come four digits of station, R, F or I, a blank");
    out->header_form = line[0];
    memcpy(out->stamp, line + 1, 14);
    while (15 + digits < n && digits < 4 && all_digits(line + 15 + digits, 1))
        digits++;
    out->station = number(line + 15, digits);
    return ERR_OK;
}

/* The end of the request, and whether a right trailer follows it. */
static enum err find_end(const char *line, size_t n, size_t from, size_t *end,
                         struct symphony_line *out, struct errmsg *msg)
{
    if (n >= from + 8 && all_digits(line + n - 5, 5) && memcmp(line + n - 8, "^^O", 3) == 0) {
        *end = n - 8;
        out->trailer_ok = number(line + n - 5, 5) == n - 5 - from;
        return ERR_OK;
    }
    if (n < from + 3 || memcmp(line + n - 3, "^^O", 3) != 0)
        return at_byte(msg, n, "the line ends with ^^O, perhaps with five digits of length");
    *end = n - 3;
    return ERR_OK;
}

static enum err read_fields(const char *line, size_t from, size_t end, struct symphony_line *out,
                            struct errmsg *msg)
{
    for (size_t at = from; at < end; at++) { /* at++ steps over the caret */
        const char *caret = memchr(line + at, '^', end - at);
        size_t stop = caret != NULL ? (size_t)(caret - line) : end;

        if (stop == at)
            continue; /* an empty field */
        if (stop - at < 2 || !is_alnum(line[at]) || !is_alnum(line[at + 1]))
            return at_byte(msg, at, "a field begins with a code of two letters or digits");
        if (out->n_fields == sizeof out->field / sizeof out->field[0])
            return at_byte(msg, at, "too many fields");
        memcpy(out->field[out->n_fields].code, line + at, 2);
        out->field[out->n_fields].code[2] = 0;
        out->field[out->n_fields].value = line + at + 2;
        out->field[out->n_fields].len = stop - at - 2;
        out->n_fields++;
        at = stop;
    }
    return ERR_OK;
}

/* Bytes, and no way out of the loop, so that the compiler looks at sixteen at once. */
static bool has_control(const char *line, size_t n)
{
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= (uint8_t)line[i] < 0x20 || (uint8_t)line[i] == 0x7f;
    return any != 0;
}

static enum err control_byte(const char *line, struct errmsg *msg)
{
    size_t at = 0;

    while ((unsigned char)line[at] >= 0x20 && line[at] != 0x7f)
        at++;
    return at_byte(msg, at, "a control byte");
}

enum err symphony_parse(const char *line, size_t n, struct symphony_line *out, struct errmsg *msg)
{
    size_t from = 0, end = 0;
    enum err e;

    memset(out, 0, sizeof *out);
    if (has_control(line, n))
        return control_byte(line, msg);
    while (from < n && line[from] != '^')
        from++;
    if (n - from < 6 || line[from + 1] != 'S' || !all_digits(line + from + 2, 2) ||
        !is_alnum(line[from + 4]) || !is_alnum(line[from + 5]))
        return at_byte(msg, from, "a request begins with ^S, two digits and a command");
    out->seq = number(line + from + 2, 2);
    memcpy(out->command, line + from + 4, 2);
    if ((e = read_header(line, from, out, msg)) != ERR_OK ||
        (e = find_end(line, n, from, &end, out, msg)) != ERR_OK)
        return e;
    if (end < from + 6)
        return at_byte(msg, end, "the line ends within its command");
    return read_fields(line, from + 6, end, out, msg);
}
