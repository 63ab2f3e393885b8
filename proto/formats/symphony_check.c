/* symphony_check.c - the judge of a finished Symphony log (E5): knows the file, not the writer. */
#include "format_int.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

struct format_check {
    struct check_lines lines;
    struct symphony_profile profile;
    char stamp[15];
    struct seen_set seen; /* in the current second */
};

struct found { /* one line's fields, by place in symphony_line */
    const struct symphony_line *line;
    const struct symphony_profile *profile;
    uint32_t day; /* of the stamp, 0 without header */
};

/* Codes in their order; '?' may be absent, "@@" is the due date under the profile's code. */
static const char *order_of(const char *command)
{
    if (strcmp(command, "CV") == 0)
        return "FF FE Fc FW NQ UO @@?dC ";
    if (strcmp(command, "EV") == 0)
        return "FF FE Fc FW NQ CO dC ";
    if (strcmp(command, "RV") == 0)
        return "FF FE Fc FW NQ UO?@@?dC ";
    if (strcmp(command, "JY") == 0)
        return "FF FE Fc FW UO uF?uM?uL uV UM PE Uf?UZ?UD UQ Ib UV UX P7 ";
    return NULL;
}

/* The reader skips empty fields; in a file of ours there is only the one before the end. */
static bool has_empty_field(const struct symphony_line *l, size_t request)
{
    size_t used = 6 + 3; /* ^S, sequence, command; ^^O */

    for (unsigned i = 0; i < l->n_fields; i++)
        used += 2 + l->field[i].len + (i > 0);
    return used != request;
}

static bool code_is(const char *code, const char *wanted)
{
    return memcmp(code, wanted, 2) == 0;
}

static enum err check_order(const struct found *f, const char *order, struct errmsg *msg)
{
    const struct symphony_line *l = f->line;
    unsigned i = 0;

    for (; *order != 0; order += 3) {
        const char *code = order[0] == '@' ? f->profile->due_code : order;

        if (i < l->n_fields && code_is(l->field[i].code, code))
            i++;
        else if (order[2] != '?')
            return err_set(msg, ERR_MALFORMED, "%s without %.2s in its place", l->command, code);
    }
    if (i < l->n_fields)
        return err_set(msg, ERR_MALFORMED, "%s with %s, which does not belong there", l->command,
                       l->field[i].code);
    return ERR_OK;
}

/* Both numbers of a date with or without leading zeros; "M/D/YYYY" at most 10 bytes. */
static uint32_t read_date(const char *s, size_t n, bool zeros)
{
    uint32_t part[3] = { 0 };
    size_t digits[3] = { 0 }, k = 0;

    for (size_t i = 0; i < n; i++) {
        if (s[i] == '/' && k < 2) {
            k++;
        } else if (s[i] >= '0' && s[i] <= '9' && digits[k] < 4) {
            part[k] = part[k] * 10 + (uint32_t)(s[i] - '0');
            digits[k]++;
        } else {
            return 0;
        }
    }
    for (k = 0; k < 2; k++)
        if (digits[k] != (zeros || part[k] > 9 ? 2u : 1u))
            return 0;
    if (digits[2] != 4 || part[0] > 12 || part[1] > 31)
        return 0;
    k = part[2] * 10000 + part[0] * 100 + part[1];
    return ymd_is_valid((uint32_t)k) ? (uint32_t)k : 0;
}

/* H:MM or HH:MM. */
static bool is_time(const char *s, size_t n, bool zeros)
{
    unsigned h;

    if (n < 4 || n > 5 || s[n - 3] != ':' || s[n - 2] < '0' || s[n - 2] > '5' || s[n - 1] < '0' ||
        s[n - 1] > '9' || s[0] < '0' || s[0] > '9' || (n == 5 && (s[1] < '0' || s[1] > '9')))
        return false;
    h = n == 5 ? (unsigned)(s[0] - '0') * 10 + (unsigned)(s[1] - '0') : (unsigned)(s[0] - '0');
    return h < 24 && (zeros ? n == 5 : n == (h > 9 ? 5u : 4u));
}

static bool is_text(const char *value, size_t n, const char *wanted)
{
    return strlen(wanted) == n && memcmp(value, wanted, n) == 0;
}

/* One of the list that a session may choose from. */
static bool is_other(const char *value, size_t n, const char *list, unsigned many, size_t room)
{
    for (unsigned i = 0; i < many; i++)
        if (is_text(value, n, list + i * room))
            return true;
    return false;
}

static bool due_is_good(const struct found *f, const char *v, size_t n)
{
    const char *comma = memchr(v, ',', n);
    size_t date = comma != NULL ? (size_t)(comma - v) : n;
    uint32_t due = read_date(v, date, true);

    if ((comma != NULL) != (f->profile->due_time[0] != 0) || due == 0 || due < f->day)
        return false;
    return comma == NULL || is_time(comma + 1, n - date - 1, true);
}

static bool discharge_is_good(const struct found *f, const char *v, size_t n)
{
    const char *comma = memchr(v, ',', n);
    size_t date = comma != NULL ? (size_t)(comma - v) : n;
    uint32_t day = read_date(v, date, false);

    return comma != NULL && day != 0 && (f->day == 0 || day == f->day) &&
           is_time(comma + 1, n - date - 1, false);
}

static bool barcode_is_good(const char *v, size_t n)
{
    char text[BARCODE_MAX + 1];

    if (n > BARCODE_MAX)
        return false;
    memcpy(text, v, n);
    text[n] = 0;
    return strlen(text) == n && barcode_is_clean(text);
}

static uint32_t date_of(const struct found *f, const char *code)
{
    for (unsigned i = 0; i < f->line->n_fields; i++)
        if (code_is(f->line->field[i].code, code))
            return read_date(f->line->field[i].value, f->line->field[i].len, false);
    return 0;
}

#define CODE(a, b) ((unsigned)(a) << 8 | (unsigned)(b))

static bool value_is_good(const struct found *f, const char *code, const char *v, size_t n)
{
    const struct symphony_profile *p = f->profile;

    switch (CODE(code[0], code[1])) {
    case CODE('F', 'F'):
        return is_text(v, n, p->user_access) ||
               is_other(v, n, p->other_user_access[0], p->n_user_accesses,
                        sizeof p->other_user_access[0]);
    case CODE('F', 'E'):
        return is_text(v, n, p->library) ||
               is_other(v, n, p->other_library[0], p->n_libraries, sizeof p->other_library[0]);
    case CODE('U', 'M'):
        return is_text(v, n, p->library);
    case CODE('F', 'c'):
        return is_text(v, n, p->clearance);
    case CODE('F', 'W'):
        return is_text(v, n, p->staff_login);
    case CODE('d', 'C'):
        return is_text(v, n, p->client);
    case CODE('N', 'Q'):
    case CODE('U', 'O'):
        return barcode_is_good(v, n);
    case CODE('C', 'F'):
    case CODE('W', 'H'): /* as the profile says: check_order() lets no other stand there */
        return due_is_good(f, v, n);
    case CODE('C', 'O'):
        return discharge_is_good(f, v, n);
    case CODE('U', 'D'):
    case CODE('U', 'Z'):
        return read_date(v, n, false) != 0 && (f->day == 0 || read_date(v, n, false) <= f->day);
    case CODE('U', 'Q'):
        return is_text(v, n, "NEVER") || read_date(v, n, false) > date_of(f, "UD");
    case CODE('U', 'f'):
        return p->write_pin && n > 0;
    }
    return n > 0; /* a field that was not known is left out, never empty */
}

static bool has_c1(const char *s, size_t n) /* control characters of Latin-1 */
{
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= (uint8_t)s[i] >= 0x80 && (uint8_t)s[i] < 0xa0;
    return any != 0;
}

static enum err check_values(const struct found *f, bool c1, struct errmsg *msg)
{
    for (unsigned i = 0; i < f->line->n_fields; i++) {
        const char *v = f->line->field[i].value, *code = f->line->field[i].code;
        size_t n = f->line->field[i].len;

        if (c1 && has_c1(v, n))
            return err_set(msg, ERR_MALFORMED, "%s is not Latin-1", code);
        if (!value_is_good(f, code, v, n))
            return err_set(msg, ERR_MALFORMED,
                           "%s is empty, too long, impossible or not as the "
                           "profile says",
                           code);
    }
    return ERR_OK;
}

static void copy_field(const struct symphony_line *l, const char *code, char out[BARCODE_MAX + 1])
{
    out[0] = 0;
    for (unsigned i = 0; i < l->n_fields; i++) {
        if (code_is(l->field[i].code, code)) {
            memcpy(out, l->field[i].value, l->field[i].len); /* its length is checked already */
            out[l->field[i].len] = 0;
        }
    }
}

static enum err check_second(struct format_check *c, const struct symphony_line *l,
                             struct errmsg *msg)
{
    char item[BARCODE_MAX + 1], user[BARCODE_MAX + 1];

    copy_field(l, "NQ", item);
    copy_field(l, "UO", user);
    return seen_event(&c->seen, item, user, strcmp(l->command, "JY") == 0, "second", msg);
}

static enum err check_stamp(struct format_check *c, const struct symphony_line *l, uint32_t *day,
                            struct errmsg *msg)
{
    const char *t = l->stamp;
    int order;

    *day = digits_to_ymd(t, 8);
    if (*day == 0 || memcmp(t + 8, "23", 2) > 0 || t[10] > '5' || t[12] > '5')
        return err_set(msg, ERR_MALFORMED, "the stamp is not a time");
    if (l->station == 0)
        return err_set(msg, ERR_MALFORMED, "station 0000");
    order = strcmp(t, c->stamp);
    if (order < 0)
        return err_set(msg, ERR_MALFORMED, "the stamp runs back");
    if (order > 0)
        seen_forget(&c->seen);
    memcpy(c->stamp, t, sizeof c->stamp);
    return ERR_OK;
}

static enum err check_one(struct format_check *c, const char *line, size_t n, struct errmsg *msg)
{
    const struct symphony_profile *p = &c->profile;
    struct symphony_line l;
    struct found f = { &l, p, 0 };
    enum err e;

    if (p->crlf && (n == 0 || line[--n] != '\r'))
        return err_set(msg, ERR_MALFORMED, "ends without CR");
    if ((e = symphony_parse(line, n, &l, msg)) != ERR_OK)
        return e;
    if (l.header_form != (p->header ? 'E' : 0) || (p->header && line[19] != 'R'))
        return err_set(msg, ERR_MALFORMED, "the header is not as the profile says");
    if (l.trailer_ok != p->trailer || (!p->trailer && line[n - 1] != 'O'))
        return err_set(msg, ERR_MALFORMED, "the trailer is not the counted length");
    if (has_empty_field(&l, n - (p->header ? 21 : 0) - (p->trailer ? 5 : 0)))
        return err_set(msg, ERR_MALFORMED, "an empty field");
    if (l.seq == 0)
        return err_set(msg, ERR_MALFORMED, "sequence 00");
    if (order_of(l.command) == NULL ||
        (strcmp(l.command, "JY") == 0 && p->registration != REGISTRATION_JY))
        return err_set(msg, ERR_MALFORMED, "command %s is not one of ours", l.command);
    if ((p->header && (e = check_stamp(c, &l, &f.day, msg)) != ERR_OK) ||
        (e = check_order(&f, order_of(l.command), msg)) != ERR_OK ||
        (e = check_values(&f, has_c1(line, n), msg)) != ERR_OK)
        return e;
    return p->header ? check_second(c, &l, msg) : ERR_OK;
}

struct format_check *symphony_check_new(const struct policy *p)
{
    struct format_check *c = mem_zero(1, sizeof *c);

    if (c != NULL)
        c->profile = p->symphony;
    return c;
}

enum err symphony_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return check_lines_add(&c->lines, c, check_one, p, n, msg);
}

enum err symphony_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg)
{
    enum err e = check_lines_end(&c->lines, msg);

    *records = e == ERR_OK ? c->lines.lines : 0;
    return e;
}

void symphony_check_free(struct format_check *c)
{
    if (c != NULL)
        seen_free(&c->seen);
    free(c);
}
