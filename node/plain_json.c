/* plain_json.c - see plain_json.h. A NUL ends the copy, and takes the place of each closing quote.
 */
#include "plain_json.h"

#include <string.h>

#define DIGITS_MAX 9

static bool take(char **p, char want)
{
    bool there = **p == want;

    *p += there;
    return there;
}

static void skip_blanks(char **p)
{
    while (**p == ' ' || **p == '\t' || **p == '\r' || **p == '\n')
        ++*p;
}

static bool take_text(char **p, const char **text)
{
    char *q = *p;

    if (*q++ != '"')
        return false;
    *text = q;
    while (*q >= ' ' && *q <= '~' && *q != '"' && *q != '\\')
        q++;
    if (*q != '"')
        return false;
    *q = '\0';
    *p = q + 1;
    return true;
}

static bool take_number(char **p, int64_t *out)
{
    size_t n = strspn(*p, "0123456789");

    if (n == 0 || n > DIGITS_MAX || (**p == '0' && n > 1))
        return false;
    for (*out = 0; n > 0; n--)
        *out = *out * 10 + (*(*p)++ - '0');
    return true;
}

static bool take_truth(char **p, int64_t *out)
{
    *out = strncmp(*p, "true", 4) == 0;
    if (!*out && strncmp(*p, "false", 5) != 0)
        return false;
    *p += *out ? 4 : 5;
    return true;
}

static bool take_value(char **p, struct plain_field *f)
{
    f->type = PLAIN_TEXT;
    if (take_text(p, &f->text))
        return true;
    f->type = PLAIN_NUMBER;
    if (take_number(p, &f->number))
        return true;
    f->type = PLAIN_TRUTH;
    return take_truth(p, &f->number);
}

static bool take_field(char **p, struct plain_json *o)
{
    struct plain_field *f = &o->v[o->n];

    if (o->n == PLAIN_FIELDS_MAX)
        return false;
    skip_blanks(p);
    if (!take_text(p, &f->name))
        return false;
    for (unsigned i = 0; i < o->n; i++)
        if (strcmp(o->v[i].name, f->name) == 0)
            return false;
    skip_blanks(p);
    if (!take(p, ':'))
        return false;
    skip_blanks(p);
    if (!take_value(p, f))
        return false;
    skip_blanks(p);
    o->n++;
    return true;
}

bool plain_json_read(const char *p, size_t n, struct plain_json *out)
{
    char *at = out->bytes;

    out->n = 0;
    if (n == 0 || n >= PLAIN_BYTES_MAX || memchr(p, '\0', n) != NULL)
        return false;
    memcpy(out->bytes, p, n);
    out->bytes[n] = '\0';
    skip_blanks(&at);
    if (!take(&at, '{'))
        return false;
    do
        if (!take_field(&at, out)) /* an empty object, too: nobody sends one */
            return false;
    while (take(&at, ','));
    if (!take(&at, '}'))
        return false;
    skip_blanks(&at);
    return *at == '\0';
}
