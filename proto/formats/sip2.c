/* sip2.c - a batch for a SIP2 server: one message per line, without sequence and checksum, which
 * belong to the connection. What is sent is exactly what a majority agreed on.
 *
 * SIP2 has no message for a new card: its records wait until a lead says that the card is known
 * (R7). */
#include "format_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "sip2.h"

static bool sip2_carries(const struct policy *p, unsigned kind)
{
    (void)p;
    return kind == RECORD_CHECKOUT || kind == RECORD_DISCHARGE || kind == RECORD_RENEW;
}

static unsigned sip2_loses(const struct policy *p, const struct format_item *it)
{
    if (!sip2_carries(p, it->rec->kind))
        return 1u << LOSS_KIND;
    /* A server that is not told "no block" computes its own date. */
    return it->due != 0 && !p->sip2.no_block ? 1u << LOSS_DUE : 0;
}

static const char *why_not(const struct policy *p, const struct format_item *it)
{
    const struct record *r = it->rec;

    if (!barcode_is_clean(r->item))
        return "item";
    if (r->kind != RECORD_DISCHARGE && !barcode_is_clean(r->user))
        return "user";
    if (!ymd_is_valid(ymd_at(&p->zone, it->tick_s * 1000)))
        return "at";
    if (r->kind != RECORD_DISCHARGE && it->due != 0 &&
        (!ymd_is_valid(it->due) || it->due < ymd_at(&p->zone, it->tick_s * 1000)))
        return "due";
    return NULL;
}

static enum err sip2_write(const struct policy *p, struct format_state *st,
                           const struct format_item *it, struct buf *out, struct errmsg *msg)
{
    char at[SIP2_DATE + 1], due[32];
    struct sip2_loan l = { .no_block = p->sip2.no_block,
                           .date = at,
                           .location = p->sip2.location,
                           .institution = p->sip2.institution,
                           .user = it->rec->user,
                           .item = it->rec->item };
    const char *bad;

    (void)st; /* each line stands alone */
    if (!sip2_carries(p, it->rec->kind))
        return err_why(msg, ERR_INVALID, "not_carried", "kind", "%s: SIP2 has no message for %s",
                       it->id, record_kind_name(it->rec->kind));
    if ((bad = why_not(p, it)) != NULL)
        return err_why(msg, ERR_INVALID, "bad_field", bad, "%s: %s cannot be said by SIP2%s",
                       it->id, bad,
                       strcmp(bad, "user") == 0 && it->rec->kind == RECORD_RENEW
                           ? ", which renews only for a user"
                           : "");
    sip2_date(&p->zone, it->tick_s, at);
    snprintf(due, sizeof due, "%08u    235959", (unsigned)it->due);
    l.other_date = it->rec->kind == RECORD_DISCHARGE ? at : it->due != 0 ? due : NULL;
    sip2_put_loan(out, it->rec->kind, &l);
    buf_text(out, "\n");
    return out->failed ? err_set(msg, ERR_NOMEM, "no memory for a line") : ERR_OK;
}

/* ---- the judge of a finished batch (E5): knows the lines, not the writer ---- */

struct format_check {
    struct check_lines lines;
    uint64_t records;
};

static enum err bad(struct errmsg *msg, const char *what)
{
    return err_set(msg, ERR_MALFORMED, "%s", what);
}

static bool date_is_good(const char *d)
{
    static const unsigned most[] = { 23, 59, 59 };

    if (digits_to_ymd(d, 8) == 0 || memcmp(d + 8, "    ", 4) != 0)
        return false;
    for (unsigned i = 0; i < 3; i++) {
        const char *s = d + 12 + 2 * i;
        if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9' ||
            (unsigned)(s[0] - '0') * 10 + (unsigned)(s[1] - '0') > most[i])
            return false;
    }
    return true;
}

static bool is_flag(char c)
{
    return c == 'Y' || c == 'N';
}

/* The fixed part: how long it is and what may stand in it. */
static enum err check_fixed(const char *line, size_t n, size_t *from, struct errmsg *msg)
{
    bool discharge = memcmp(line, "09", 2) == 0;
    const char *first, *second;

    *from = discharge ? 39 : 40;
    if (n < *from)
        return bad(msg, "the fixed part is too short");
    first = line + (discharge ? 3 : 4);
    second = first + SIP2_DATE;
    if (!is_flag(line[2]) || (!discharge && (line[2] != 'N' || !is_flag(line[3]))))
        return bad(msg, "a flag is neither Y nor N, or renews what was to be lent");
    if (!date_is_good(first))
        return bad(msg, "when it happened is no date of eighteen characters with a blank zone");
    if (!discharge && memcmp(second, "                  ", SIP2_DATE) == 0)
        return ERR_OK;
    if (!date_is_good(second))
        return bad(msg, "the second date is none of eighteen characters with a blank zone");
    if (!discharge && memcmp(second, first, 8) < 0)
        return bad(msg, "due before it was lent");
    return ERR_OK;
}

static bool barcode_is_good(const char *v, size_t n)
{
    char text[BARCODE_MAX + 1];

    if (n > BARCODE_MAX)
        return false;
    memcpy(text, v, n);
    text[n] = '\0';
    return barcode_is_clean(text);
}

/* The fields that must follow, each once, in their order, and nothing behind them. */
static enum err check_fields(const char *order, const char *v, size_t n, struct errmsg *msg)
{
    for (; *order != '\0'; order += 2) {
        const char *bar = memchr(v, '|', n);
        size_t len = bar != NULL ? (size_t)(bar - v) : 0;
        if (bar == NULL || len < 2 || memcmp(v, order, 2) != 0)
            return err_set(msg, ERR_MALFORMED, "without %.2s in its place", order);
        if (len - 2 > SIP2_VALUE_MAX)
            return err_set(msg, ERR_MALFORMED, "%.2s is longer than %d bytes", order,
                           SIP2_VALUE_MAX);
        if ((memcmp(order, "AB", 2) == 0 || memcmp(order, "AA", 2) == 0) &&
            !barcode_is_good(v + 2, len - 2))
            return err_set(msg, ERR_MALFORMED, "%.2s is no barcode", order);
        if (order[0] == 'B' && (len != 3 || v[2] != 'N'))
            return err_set(msg, ERR_MALFORMED, "%.2s must be N", order);
        if (memcmp(order, "AC", 2) == 0 && len != 2)
            return bad(msg, "AC, a password, must be empty");
        v += len + 1;
        n -= len + 1;
    }
    return n == 0 ? ERR_OK : bad(msg, "something stands behind the last field");
}

static enum err check_one(struct format_check *c, const char *line, size_t n, struct errmsg *msg)
{
    static const struct {
        const char *code, *fields;
    } kinds[] = { { "11", "AOAAABACBOBI" }, { "09", "APAOABACBI" }, { "29", "AOAAABACBO" } };
    size_t from = 0;
    enum err e;

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)line[i] < 0x20 || (unsigned char)line[i] > 0x7e)
            return bad(msg, "a byte that is not plain ASCII");
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (n < 2 || memcmp(line, kinds[i].code, 2) != 0)
            continue;
        if ((e = check_fixed(line, n, &from, msg)) == ERR_OK)
            e = check_fields(kinds[i].fields, line + from, n - from, msg);
        c->records += e == ERR_OK;
        return e;
    }
    return bad(msg, "neither a checkout (11), a check-in (09) nor a renewal (29)");
}

static struct format_check *check_new(const struct policy *p)
{
    (void)p;
    return mem_zero(1, sizeof(struct format_check));
}

static enum err check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return check_lines_add(&c->lines, c, check_one, p, n, msg);
}

static enum err check_end(struct format_check *c, uint64_t *records, struct errmsg *msg)
{
    enum err e = check_lines_end(&c->lines, msg);

    *records = e == ERR_OK ? c->records : 0;
    return e;
}

static void check_free(struct format_check *c)
{
    free(c);
}

const struct format format_sip2 = {
    .name = "sip2",
    .suffix = "sip2",
    .tick_s = 1,
    .carries = sip2_carries,
    .loses = sip2_loses,
    .write = sip2_write,
    .check_new = check_new,
    .check_add = check_add,
    .check_end = check_end,
    .check_free = check_free,
};
