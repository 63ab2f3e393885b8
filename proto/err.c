/* err.c - codes, their default sentences and words, and the one way to fill a message. */
#include "err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"

struct err_row {
    const char *text;
    int exit_code;
};

#define ERR_ROW(code, sentence, exit_status) [code] = { sentence, exit_status },
static const struct err_row rows[] = { [ERR_OK] = { "all is well", 0 }, ERR_MAP(ERR_ROW) };
#undef ERR_ROW
#define ERR_ROWS (sizeof rows / sizeof rows[0])

/* The API's words are part of the contract with scripts, so they stand here in full. */
static const char *const words[] = {
    [ERR_OK] = "ok",
    [ERR_BUG] = "bug",
    [ERR_NOMEM] = "nomem",
    [ERR_DISK] = "disk",
    [ERR_MALFORMED] = "malformed",
    [ERR_INVALID] = "invalid",
    [ERR_REFUSED] = "refused",
    [ERR_FULL] = "full",
    [ERR_MISSING] = "missing",
    [ERR_NOFILE] = "nofile",
    [ERR_EXISTS] = "exists",
    [ERR_DENIED] = "denied",
    [ERR_CONFIG] = "config",
    [ERR_PEER] = "peer",
    [ERR_OFFLINE] = "offline",
    [ERR_BUSY] = "busy",
    [ERR_USAGE] = "usage",
};
_Static_assert(sizeof words / sizeof words[0] == ERR_ROWS, "a code without its word");

static void copy_word(char *out, size_t room, const char *s)
{
    size_t n = strlen(s);

    if (n >= room)
        n = room - 1;
    memcpy(out, s, n);
    out[n] = 0;
}

enum err err_set(struct errmsg *msg, enum err code, const char *fmt, ...)
{
    char text[sizeof msg->text];
    va_list ap;

    if (msg == NULL)
        return code;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap); /* apart: an argument may be msg->text itself */
    va_end(ap);
    text_mend(text); /* a "%.40s" or the end may cut a character */
    memset(msg, 0, sizeof *msg);
    memcpy(msg->text, text, sizeof text);
    return code;
}

enum err err_why(struct errmsg *msg, enum err code, const char *why, const char *field,
                 const char *fmt, ...)
{
    struct errmsg m = { .text = "" };
    va_list ap;

    if (msg == NULL)
        return code;
    va_start(ap, fmt);
    vsnprintf(m.text, sizeof m.text, fmt, ap);
    va_end(ap);
    text_mend(m.text);
    copy_word(m.why, sizeof m.why, why);
    copy_word(m.field, sizeof m.field, field);
    *msg = m;
    return code;
}

const char *err_text(enum err code)
{
    return (unsigned)code < ERR_ROWS ? rows[code].text : "a code that this version does not know";
}

const char *err_word(enum err code)
{
    return (unsigned)code < ERR_ROWS ? words[code] : "unknown";
}

int err_exit(enum err code)
{
    return (unsigned)code < ERR_ROWS ? rows[code].exit_code : 70;
}
