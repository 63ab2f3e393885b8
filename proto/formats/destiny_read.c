/* destiny_read.c - reader of Destiny's text files (E11). They say no time: at_ms stays 0. What
 * stands under a code of resources or textbooks is handed on as unknown. */
#include "format_int.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum mode { NO_CODE, USER, OUT, IN, FOREIGN };

struct format_reader {
    struct read_lines lines;
    struct format_read to;
    enum mode mode;
    char user[BARCODE_MAX + 1];
};

/* Any line may be a number here, but no number has a blank in it: words are handed back. Nor has one
 * a code behind it: there a line was cut. */
static bool take_number(const char *text, size_t n, char out[BARCODE_MAX + 1])
{
    return memchr(text, ' ', n) == NULL && copy_barcode(text, n, out) && !strstr(out, "%C1");
}

/* NULL: one that we know the meaning of. */
static const char *read_code(struct format_reader *r, const char *line, size_t n)
{
    static const char *const foreign[] = { "%C121Q", "%C122R", "%C120P",
                                           "%C125J", "%C124I", "%C126K" };

    r->mode = FOREIGN;
    if (n == 6 && memcmp(line, "%C123H", 6) == 0)
        r->mode = USER;
    if (n == 6 && memcmp(line, "%C127L", 6) == 0)
        r->mode = IN;
    if (r->mode != FOREIGN)
        return NULL;
    for (unsigned i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (n == 6 && memcmp(line, foreign[i], 6) == 0)
            return "a code of resources or textbooks";
    return "a code that is not known";
}

static enum err take(struct format_reader *r, uint64_t line, const char *text, size_t n,
                     struct errmsg *msg)
{
    struct format_event ev = { .line = line, .desk = "" };
    const char *why = NULL;

    if (r->lines.cut) {
        why = CUT_LINE;
    } else if (text[0] == '%') {
        why = read_code(r, text, n);
    } else if (r->mode == NO_CODE) {
        why = "a number before any code";
    } else if (r->mode == FOREIGN) {
        why = "under a code that is none of ours";
    } else if (r->mode == USER && take_number(text, n, r->user)) {
        r->mode = OUT;
    } else if (r->mode == USER) {
        r->mode = FOREIGN; /* whose loans the next lines are is not known */
        why = "the user is too long or impossible";
    } else if (!take_number(text, n, ev.rec.item)) {
        why = "the item is too long or impossible";
    } else {
        ev.rec.kind = r->mode == OUT ? RECORD_CHECKOUT : RECORD_DISCHARGE;
        if (r->mode == OUT)
            memcpy(ev.rec.user, r->user, sizeof ev.rec.user);
        return r->to.event(r->to.ctx, &ev, msg);
    }
    return why == NULL ? ERR_OK
                       : r->to.unknown(r->to.ctx, line, (const uint8_t *)text, n, why, msg);
}

struct format_reader *destiny_read_new(const struct policy *p, const struct format_read *to)
{
    struct format_reader *r = mem_zero(1, sizeof *r);

    (void)p;
    if (r != NULL)
        r->to = *to;
    return r;
}

enum err destiny_read_add(struct format_reader *r, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return read_lines_add(&r->lines, r, take, &r->to, p, n, msg);
}

enum err destiny_read_end(struct format_reader *r, struct errmsg *msg)
{
    return read_lines_end(&r->lines, r, take, &r->to, msg);
}

void destiny_read_free(struct format_reader *r)
{
    free(r);
}
