/* sip2.c - messages of SIP 2.00 to bytes and back. */
#include "sip2.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"

/* ---- writing ---- */

void sip2_date(const struct zone *z, int64_t unix_s, char out[SIP2_DATE + 1])
{
    struct civil c;

    civil_from_unix(unix_s, zone_offset_s(z, unix_s), &c);
    snprintf(out, SIP2_DATE + 1, "%04u%02u%02u    %02u%02u%02u", (unsigned)c.year % 10000,
             (unsigned)c.month % 100, (unsigned)c.day % 100, (unsigned)c.hour % 100,
             (unsigned)c.minute % 100, (unsigned)c.second % 100);
}

static void put_field(struct buf *b, const char *code, const char *value)
{
    buf_text(b, code);
    buf_text(b, value);
    buf_text(b, "|");
}

void sip2_put_login(struct buf *b, const char *user, const char *password, const char *location)
{
    buf_text(b, "9300");
    put_field(b, "CN", user);
    put_field(b, "CO", password);
    if (location[0] != '\0')
        put_field(b, "CP", location);
}

void sip2_put_status(struct buf *b, char status)
{
    buf_printf(b, "99%c0802.00", status);
}

void sip2_put_item(struct buf *b, const char *date, const char *institution, const char *item)
{
    buf_printf(b, "17%s", date);
    put_field(b, "AO", institution);
    put_field(b, "AB", item);
    put_field(b, "AC", "");
}

void sip2_put_patron(struct buf *b, const char *language, const char *date, const char *institution,
                     const char *user, unsigned from, unsigned to)
{
    buf_printf(b, "63%s%s  Y       ", language, date);
    put_field(b, "AO", institution);
    put_field(b, "AA", user);
    put_field(b, "AC", "");
    buf_printf(b, "BP%u|BQ%u|", from, to);
}

enum err sip2_put_loan(struct buf *b, unsigned kind, const struct sip2_loan *l)
{
    static const char blanks[] = "                  ";
    char no_block = l->no_block ? 'Y' : 'N';

    if (kind == RECORD_DISCHARGE) {
        buf_printf(b, "09%c%s%s", no_block, l->date, l->other_date);
        put_field(b, "AP", l->location);
        put_field(b, "AO", l->institution);
        put_field(b, "AB", l->item);
        buf_text(b, "AC|BIN|");
        return ERR_OK;
    }
    if (kind != RECORD_CHECKOUT && kind != RECORD_RENEW)
        return ERR_INVALID;
    /* Renewal policy N, third party N: an item that this patron already has stays as it is. */
    buf_printf(b, "%sN%c%s%s", kind == RECORD_CHECKOUT ? "11" : "29", no_block, l->date,
               l->other_date ? l->other_date : blanks);
    put_field(b, "AO", l->institution);
    put_field(b, "AA", l->user);
    put_field(b, "AB", l->item);
    buf_text(b, kind == RECORD_CHECKOUT ? "AC|BON|BIN|" : "AC|BON|");
    return ERR_OK;
}

static unsigned sum_of(const char *p, size_t n)
{
    unsigned sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (unsigned char)p[i];
    return sum;
}

void sip2_seal(struct buf *b, size_t from, unsigned seq)
{
    buf_printf(b, "AY%uAZ", seq % 10);
    if (!b->failed)
        buf_printf(b, "%04X\r", -sum_of((const char *)b->p + from, b->len - from) & 0xffff);
}

/* ---- reading ---- */

/* Length of the fixed part, without the command. */
static const struct {
    char code[3];
    unsigned fixed;
} layouts[] = {
    { "93", 2 },  { "94", 1 },  { "99", 8 },  { "98", 34 }, { "11", 38 }, { "12", 22 },
    { "09", 37 }, { "10", 22 }, { "29", 38 }, { "30", 22 }, { "63", 31 }, { "64", 59 },
    { "17", 18 }, { "18", 24 }, { "96", 0 },  { "97", 0 },
};

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes AZ and AY off the end, which must be the last fields. Some servers end them with a bar. */
static size_t read_tail(const char *p, size_t n, struct sip2_msg *out)
{
    size_t end = n > 0 && p[n - 1] == '|' ? n - 1 : n, from;
    unsigned told = 0;

    if (end < 8 || memcmp(p + end - 6, "AZ", 2) != 0)
        return n;
    for (size_t i = end - 4; i < end; i++) {
        if (hex_of(p[i]) < 0)
            return n;
        told = told * 16 + (unsigned)hex_of(p[i]);
    }
    out->sum = (sum_of(p, end - 4) + told) % 65536 == 0 ? SIP2_SUM_GOOD : SIP2_SUM_BAD;
    from = end - 6;
    if (from >= 2 && p[from - 1] == '|')
        from--; /* a bar between AY and AZ, as some write it */
    if (from >= 5 && memcmp(p + from - 3, "AY", 2) == 0 && p[from - 1] >= '0' &&
        p[from - 1] <= '9') {
        out->seq = p[from - 1] - '0';
        return from - 3;
    }
    return end - 6;
}

enum err sip2_parse(const char *p, size_t n, struct sip2_msg *out, struct errmsg *msg)
{
    memset(out, 0, sizeof *out);
    out->seq = -1;
    for (unsigned i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        size_t end;
        if (n < 2 || memcmp(p, layouts[i].code, 2) != 0)
            continue;
        end = read_tail(p, n, out);
        if (end < 2 + layouts[i].fixed)
            return err_set(msg, ERR_MALFORMED, "a message %s that is too short", layouts[i].code);
        memcpy(out->code, layouts[i].code, sizeof out->code);
        out->fixed = p + 2;
        out->body = p + 2 + layouts[i].fixed;
        out->n_body = end - 2 - layouts[i].fixed;
        return ERR_OK;
    }
    return err_set(msg, ERR_MALFORMED, "no SIP2 message");
}

bool sip2_next(const struct sip2_msg *m, size_t *at, struct sip2_field *out)
{
    const char *bar;

    while (*at < m->n_body && m->body[*at] == '|')
        (*at)++; /* an empty field, or a bar before AY */
    if (m->n_body - *at < 2)
        return false;
    bar = memchr(m->body + *at, '|', m->n_body - *at);
    memcpy(out->code, m->body + *at, 2);
    out->code[2] = '\0';
    out->value = m->body + *at + 2;
    out->n = bar == NULL               ? m->n_body - *at - 2
             : bar < m->body + *at + 2 ? 0
                                       : (size_t)(bar - out->value);
    *at = bar == NULL ? m->n_body : (size_t)(bar - m->body) + 1;
    return true;
}

bool sip2_find(const struct sip2_msg *m, const char *code, struct sip2_field *out)
{
    for (size_t at = 0; sip2_next(m, &at, out);)
        if (memcmp(out->code, code, 2) == 0)
            return true;
    return false;
}

static bool equals(const struct sip2_field *f, const char *value)
{
    return f->n == strlen(value) && memcmp(f->value, value, f->n) == 0;
}

bool sip2_is(const struct sip2_msg *m, const char *code, const char *value)
{
    struct sip2_field f;

    return sip2_find(m, code, &f) && equals(&f, value);
}

bool sip2_pairs(const struct sip2_msg *m, const char *code, unsigned seq, const char *field,
                const char *value)
{
    return memcmp(m->code, code, 2) == 0 && m->sum != SIP2_SUM_BAD &&
           (m->seq < 0 || m->seq == (int)(seq % 10)) && (field == NULL || sip2_is(m, field, value));
}

/* ---- words and dates for people ---- */

/* Latin-1 where it is not UTF-8: never fail on odd bytes. Control bytes become blanks. */
static size_t put_char(const char *p, size_t n, char out[5], size_t *used)
{
    char one[5] = { 0 };
    unsigned char c = (unsigned char)p[0];
    size_t k;

    memcpy(one, p, n < 4 ? n : 4);
    k = text_char(one);
    *used = 1;
    if (k > 0 && k <= n) {
        memcpy(out, one, k);
        *used = k;
        return k;
    }
    if (c < 0xa0) {
        out[0] = ' ';
        return 1;
    }
    out[0] = (char)(0xc0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3f));
    return 2;
}

static void add_words(const char *p, size_t n, char *out, size_t room)
{
    size_t len = strlen(out);

    if (len > 0 && n > 0 && len + 1 < room) {
        out[len++] = ' ';
        out[len] = '\0';
    }
    for (size_t i = 0, used; i < n; i += used) {
        char c[5] = { 0 };
        size_t k = put_char(p + i, n - i, c, &used);
        if (len + k >= room)
            return;
        memcpy(out + len, c, k);
        len += k;
        out[len] = '\0';
    }
}

void sip2_words(const struct sip2_msg *m, char *out, size_t n)
{
    struct sip2_field f;

    out[0] = '\0';
    for (size_t at = 0; sip2_next(m, &at, &f);)
        if (memcmp(f.code, "AF", 2) == 0)
            add_words(f.value, f.n, out, n);
}

uint32_t sip2_due(const struct sip2_msg *m)
{
    struct sip2_field f;
    uint32_t ymd = 0;
    unsigned digits = 0;

    if (!sip2_find(m, "AH", &f))
        return 0;
    for (size_t i = 0; i < f.n && digits < 8; i++)
        if (f.value[i] >= '0' && f.value[i] <= '9') {
            ymd = ymd * 10 + (uint32_t)(f.value[i] - '0');
            digits++;
        }
    return digits == 8 && ymd_is_valid(ymd) ? ymd : 0;
}

/* ---- the server's 98 ---- */

static unsigned number(const char *p, size_t n, unsigned otherwise)
{
    unsigned v = 0;

    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return otherwise;
        v = v * 10 + (unsigned)(p[i] - '0');
    }
    return v;
}

bool sip2_read_status(const struct sip2_msg *m, struct sip2_status *out)
{
    struct sip2_field bx;

    memset(out, 0, sizeof *out);
    if (strcmp(m->code, "98") != 0 || m->sum == SIP2_SUM_BAD)
        return false;
    out->online = m->fixed[0] == 'Y';
    out->checkin = m->fixed[1] == 'Y';
    out->checkout = m->fixed[2] == 'Y';
    out->renewal = m->fixed[3] == 'Y';
    out->offline = m->fixed[5] == 'Y';
    out->timeout_ds = number(m->fixed + 6, 3, 999);
    memcpy(out->date, m->fixed + 12, SIP2_DATE);
    memcpy(out->version, m->fixed + 30, 4);
    if (sip2_find(m, "BX", &bx))
        for (size_t i = 0; i < bx.n && i < sizeof out->supports - 1; i++)
            out->supports[i] = bx.value[i] == 'Y' ? 'Y' : 'N';
    return true;
}

bool sip2_supports(const struct sip2_status *s, unsigned place)
{
    return place >= strlen(s->supports) || s->supports[place] == 'Y';
}

enum delivery sip2_check_status(const struct sip2_status *s, char words[256])
{
    static const struct {
        unsigned place;
        const char *what;
    } needed[] = { { 1, "checkouts (11)" },
                   { 2, "check-ins (09)" },
                   { 7, "patron information (63)" },
                   { 10, "item information (17)" } };

    words[0] = '\0';
    if (strcmp(s->version, "2.00") < 0) {
        snprintf(words, 256, "the server speaks an older version of SIP than 2.00");
        return DELIVERY_STOP;
    }
    if (!s->online || s->timeout_ds == 0) {
        snprintf(words, 256, "the SIP2 server says that its library system is not on-line");
        return DELIVERY_RETRY;
    }
    if (!s->checkin || !s->checkout) {
        snprintf(words, 256, "the SIP2 server does not allow this login %s: ask whoever runs it",
                 s->checkout ? "check-ins" : "checkouts");
        return DELIVERY_STOP;
    }
    for (unsigned i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (!sip2_supports(s, needed[i].place)) {
            snprintf(words, 256,
                     "the SIP2 server says that it does not support %s, without which an upload is "
                     "not safe: ask whoever runs it",
                     needed[i].what);
            return DELIVERY_STOP;
        }
    return DELIVERY_DONE;
}

bool sip2_clock_off(const struct sip2_status *s, const struct zone *z, int64_t unix_s,
                    int64_t *off_s)
{
    unsigned ymd = number(s->date, 8, 0), hms = number(s->date + 12, 6, 999999);
    struct civil c = { (int)(ymd / 10000), (int)(ymd / 100 % 100), (int)(ymd % 100),
                       (int)(hms / 10000), (int)(hms / 100 % 100), (int)(hms % 100) };

    if (!ymd_is_valid(ymd) || c.hour > 23 || c.minute > 59 || c.second > 60)
        return false;
    *off_s = civil_to_unix(&c, zone_offset_s(z, unix_s)) - unix_s;
    return true;
}

uint32_t sip2_limit_ms(const struct sip2_status *s, uint32_t slowest_ms)
{
    uint32_t limit = 5000;

    if (s->timeout_ds != 999 && s->timeout_ds * 100 > limit)
        limit = s->timeout_ds * 100;
    if (slowest_ms > limit / 3)
        limit = slowest_ms > 20000 ? 60000 : slowest_ms * 3;
    return limit < 60000 ? limit : 60000;
}
