/* ldflat_read.c - reader of LDUSER flat user files: wider than what we write (E11).
 *
 * A user is a boundary, a form and tags up to the next boundary. Text is ISO-8859-1, but UTF-8 in a
 * file that begins with a byte order mark. A tag that a registration of ours has no place for is
 * handed on as unknown, and so is a whole user without number or name. */
#include "format_int.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define EXPIRES_NEVER UINT32_MAX
#define USER_MAX      32768 /* bytes of one user that are kept in case it turns out to be none */

enum place { BETWEEN, TAGS, ADDRESS, OTHER_ADDRESS, NOTES, FOREIGN };

#define REG(member) offsetof(struct record, reg.member), sizeof((struct record *)0)->reg.member

/* Tags with a place in a registration. Names of address tags are a site's own. */
static const struct text_tag {
    const char *name;
    enum place where;
    size_t at, room;
} text_tags[] = {
    { "USER_FIRST_NAME", TAGS, REG(first) }, { "USER_LAST_NAME", TAGS, REG(last) },
    { "USER_NAME", TAGS, REG(last) },        { "USER_PROFILE", TAGS, REG(type) },
    { "USER_PIN", TAGS, REG(pin) },          { "STREET", ADDRESS, REG(street) },
    { "CITY/STATE", ADDRESS, REG(city) },    { "CITY/PROV", ADDRESS, REG(city) },
    { "ZIP", ADDRESS, REG(postcode) },       { "POSTALCODE", ADDRESS, REG(postcode) },
    { "PHONE", ADDRESS, REG(phone) },        { "HOMEPHONE", ADDRESS, REG(phone) },
    { "EMAIL", ADDRESS, REG(email) },        { "NOTE", NOTES, REG(note) },
};

/* Where the policy has other names for them, by enum address_tag. */
static const struct text_tag site_tags[ADDRESS_TAGS] = {
    [TAG_STREET] = { NULL, ADDRESS, REG(street) },     [TAG_CITY] = { NULL, ADDRESS, REG(city) },
    [TAG_POSTCODE] = { NULL, ADDRESS, REG(postcode) }, [TAG_PHONE] = { NULL, ADDRESS, REG(phone) },
    [TAG_EMAIL] = { NULL, ADDRESS, REG(email) },
};

/* Tags that the branch's policy says for every user: a user loses with them what is said otherwise.
 */
static const char *const policy_tags[] = { "USER_LIBRARY",     "USER_PREF_LANG",
                                           "USER_STATUS",      "USER_PRIV_EXPIRES",
                                           "USER_MAILINGADDR", "UACNT_CLEARANCE" };

static const struct block_tag {
    const char *name;
    enum place from, to;
} block_tags[] = {
    { "USER_ADDR1_BEGIN", TAGS, ADDRESS },       { "USER_ADDR1_END", ADDRESS, TAGS },
    { "USER_ADDR2_BEGIN", TAGS, OTHER_ADDRESS }, { "USER_ADDR2_END", OTHER_ADDRESS, TAGS },
    { "USER_ADDR3_BEGIN", TAGS, OTHER_ADDRESS }, { "USER_ADDR3_END", OTHER_ADDRESS, TAGS },
    { "USER_XINFO_BEGIN", TAGS, NOTES },         { "USER_XINFO_END", NOTES, TAGS },
};

struct format_reader {
    struct read_lines lines;
    struct format_read to;
    struct zone zone;
    struct symphony_profile profile;
    enum place place;
    bool cut;                  /* the file ends within the user */
    uint32_t granted, expires; /* 0: it does not say */
    struct format_event ev;    /* the user in the making */
    struct buf raw;            /* its lines so far, but for those that were handed on */
};

/* A piece of a line; `name` of a tag without its points. */
struct text {
    const char *p;
    size_t n;
};

static bool is(struct text t, const char *wanted)
{
    return t.n == strlen(wanted) && memcmp(t.p, wanted, t.n) == 0;
}

/* ".NAME." at the start, then blanks, then perhaps "|a", then the value. */
static bool split_tag(const char *line, size_t n, struct text *name, struct text *value)
{
    const char *end = n > 2 && line[0] == '.' ? memchr(line + 1, '.', n - 1) : NULL;
    const char *v;

    if (end == NULL)
        return false;
    *name = (struct text){ line + 1, (size_t)(end - line) - 1 };
    for (v = end + 1; v < line + n && *v == ' '; v++)
        ;
    if (line + n - v >= 2 && v[0] == '|' && v[1] == 'a')
        v += 2;
    *value = (struct text){ v, (size_t)(line + n - v) };
    return true;
}

/* False: too long, or no clean text. */
static bool copy_text(const struct format_reader *r, struct text t, char *out, size_t room)
{
    size_t k = 0;

    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.p[i];
        bool two = c >= 0x80 && !r->lines.had_mark;

        if (c == 0 || k + two + 1 >= room)
            return false;
        if (two)
            out[k++] = (char)(0xc0 | c >> 6);
        out[k++] = (char)(two ? 0x80 | (c & 0x3f) : c);
    }
    out[k] = 0;
    return text_is_clean(out);
}

static bool begins(struct text t, const char *with)
{
    return t.n >= strlen(with) && memcmp(t.p, with, strlen(with)) == 0;
}

/* What stands before the next "; ", and *t is what stands behind it. */
static struct text cut(struct text *t)
{
    struct text first = *t;

    for (size_t i = 0; i + 1 < t->n; i++) {
        if (t->p[i] != ';' || t->p[i + 1] != ' ')
            continue;
        first.n = i;
        *t = (struct text){ t->p + i + 2, t->n - i - 2 };
        return first;
    }
    t->n = 0;
    return first;
}

/* "Registered offline, KIDS-1/3/0042; guardian Eva; twin" is a note of ours. */
static bool read_note(const struct format_reader *r, struct text note, struct registration *reg)
{
    if (begins(note, "Registered offline, ")) {
        cut(&note);
        if (begins(note, "guardian ")) {
            struct text g = cut(&note);
            if (!copy_text(r, (struct text){ g.p + 9, g.n - 9 }, reg->guardian,
                           sizeof reg->guardian))
                return false;
        }
    }
    return copy_text(r, note, reg->note, sizeof reg->note);
}

/* NULL: taken. */
static const char *read_text(struct format_reader *r, const struct text_tag *t, struct text value)
{
    char *into = (char *)&r->ev.rec + t->at, text[REG_TEXT_MAX + 1] = "";

    if (into[0] != 0)
        return "a second value of this tag";
    if (t->where == NOTES) {
        struct registration reg = r->ev.rec.reg;
        if (!read_note(r, value, &reg))
            return "a value that is too long, or no clean text";
        r->ev.rec.reg = reg;
        return NULL;
    }
    if (!copy_text(r, value, text, t->room < sizeof text ? t->room : sizeof text))
        return "a value that is too long, or no clean text";
    memcpy(into, text, strlen(text) + 1);
    return NULL;
}

static const char *read_date(struct format_reader *r, struct text name, struct text value)
{
    uint32_t day = digits_to_ymd(value.p, value.n);
    struct civil at = { .year = (int)(day / 10000),
                        .month = (int)(day / 100 % 100),
                        .day = (int)(day % 100) };

    if (day == 0 || (day < FIRST_DAY && is(name, "USER_PRIV_GRANTED")))
        return "no date, as 20260309";
    if (is(name, "USER_BIRTH_DATE"))
        r->ev.rec.reg.birth = day;
    else {
        event_time(&r->ev, &r->zone, &at);
        r->granted = day;
    }
    return NULL;
}

static const char *keep_to_policy(struct format_reader *r, unsigned tag, struct text value)
{
    const struct symphony_profile *s = &r->profile;
    const char *const says[] = { s->library, s->user_language, "OK", NULL, "1", s->user_clearance };

    if (says[tag] == NULL) { /* judged at the end, by the day from which it counts */
        r->expires = is(value, "NEVER") ? EXPIRES_NEVER : digits_to_ymd(value.p, value.n);
        return r->expires != 0 ? NULL : "no date, as 20280309, or NEVER";
    }
    if (value.n > 0 && !is(value, says[tag]))
        r->ev.left_out |= LEFT_FIELDS;
    return NULL;
}

static bool expires_otherwise(const struct format_reader *r)
{
    unsigned years = r->profile.user_years;

    return r->expires != 0 &&
           r->expires != (years == 0 ? EXPIRES_NEVER : ymd_add_years(r->granted, years));
}

/* NULL: taken; else why the line is handed on. */
static const char *read_tag(struct format_reader *r, struct text name, struct text value)
{
    for (unsigned i = 0; i < sizeof block_tags / sizeof block_tags[0]; i++) {
        if (!is(name, block_tags[i].name))
            continue;
        if (r->place != block_tags[i].from)
            return "a block's begin or end where it does not belong";
        r->place = block_tags[i].to;
        return NULL;
    }
    for (unsigned i = 0; i < ADDRESS_TAGS && r->place == ADDRESS; i++)
        if (is(name, r->profile.address_tag[i]))
            return read_text(r, &site_tags[i], value);
    for (unsigned i = 0; i < sizeof text_tags / sizeof text_tags[0]; i++)
        if (is(name, text_tags[i].name) && text_tags[i].where == r->place)
            return read_text(r, &text_tags[i], value);
    for (unsigned i = 0; i < sizeof policy_tags / sizeof policy_tags[0]; i++)
        if (is(name, policy_tags[i]) && r->place == TAGS)
            return keep_to_policy(r, i, value);
    if (r->place == TAGS && is(name, "USER_ID"))
        return r->ev.rec.user[0] != 0                           ? "a second value of this tag"
               : copy_barcode(value.p, value.n, r->ev.rec.user) ? NULL
                                                                : "the number is impossible";
    if (r->place == TAGS && (is(name, "USER_PRIV_GRANTED") || is(name, "USER_BIRTH_DATE")))
        return read_date(r, name, value);
    return "a registration has no place for this tag";
}

static enum err hand_on(const struct format_reader *r, uint64_t line, const void *p, size_t n,
                        const char *why, struct errmsg *msg)
{
    return r->to.unknown(r->to.ctx, line, p, n, why, msg);
}

/* NULL: it is whole, as far as one can see. */
static const char *what_it_lacks(const struct format_reader *r)
{
    return r->place != TAGS             ? "a user with a block that does not end: perhaps cut"
           : r->ev.rec.user[0] == 0     ? "a user without a number"
           : r->ev.rec.reg.last[0] == 0 ? "a user without a name"
           : r->cut                     ? "the file ends within this user: perhaps it was cut"
                                        : NULL;
}

/* The user before is whole; or is none, then its lines are handed on in one piece. */
static enum err end_user(struct format_reader *r, struct errmsg *msg)
{
    const char *lacks = what_it_lacks(r);
    enum err e = ERR_OK;

    if (expires_otherwise(r))
        r->ev.left_out |= LEFT_FIELDS;
    if (r->place != BETWEEN && r->place != FOREIGN)
        e = lacks == NULL ? r->to.event(r->to.ctx, &r->ev, msg)
                          : hand_on(r, r->ev.line, r->raw.p, r->raw.len, lacks, msg);
    r->place = BETWEEN;
    buf_reset(&r->raw);
    return e;
}

static enum err begin_user(struct format_reader *r, uint64_t line, struct errmsg *msg)
{
    enum err e = end_user(r, msg);

    r->place = TAGS;
    memset(&r->ev, 0, sizeof r->ev);
    r->ev.rec.kind = RECORD_USER;
    r->ev.line = line;
    r->ev.desk = "";
    r->granted = r->expires = 0;
    return e;
}

/* NULL: taken. */
static const char *read_line_of_user(struct format_reader *r, struct text line)
{
    struct text name, value;

    if (r->place == BETWEEN)
        return "before any user";
    if (r->place == FOREIGN)
        return "of a user or form that is not known";
    if (line.n > 5 && memcmp(line.p, "FORM=", 5) == 0) {
        if (!is(line, "FORM=LDUSER"))
            r->place = FOREIGN;
        return r->place == FOREIGN ? "a form that is not LDUSER" : NULL;
    }
    if (!split_tag(line.p, line.n, &name, &value))
        return "no tag";
    return read_tag(r, name, value);
}

/* ".USER_ADDR1_END." and its like. */
static bool ends_a_block(struct text line)
{
    return line.n > 6 && memcmp(line.p + line.n - 5, "_END.", 5) == 0;
}

static enum err take(struct format_reader *r, uint64_t line, const char *text, size_t n,
                     struct errmsg *msg)
{
    struct text whole = { text, n };
    const char *why = NULL;
    enum err e = ERR_OK;

    if (is(whole, "*** DOCUMENT BOUNDARY ***"))
        e = begin_user(r, line, msg);
    else if (!r->lines.had_mark && is_utf_8(text, n))
        why = UTF_8_LETTERS;
    else
        why = read_line_of_user(r, whole);
    r->cut = r->lines.cut && !ends_a_block(whole); /* that tells its own end */
    if (e != ERR_OK || why != NULL)
        return e != ERR_OK ? e : hand_on(r, line, text, n, why, msg);
    if (r->raw.len > 0)
        buf_text(&r->raw, "\n");
    buf_add(&r->raw, text, n);
    if (r->raw.failed)
        return err_set(msg, ERR_NOMEM, "no memory for a user");
    if (r->raw.len <= USER_MAX)
        return ERR_OK;
    r->place = FOREIGN;
    return hand_on(r, r->ev.line, r->raw.p, r->raw.len, "a user longer than any", msg);
}

struct format_reader *ldflat_read_new(const struct policy *p, const struct format_read *to)
{
    struct format_reader *r = mem_zero(1, sizeof *r);

    if (r != NULL) {
        r->to = *to;
        r->zone = p->zone;
        r->profile = p->symphony;
    }
    return r;
}

enum err ldflat_read_add(struct format_reader *r, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return read_lines_add(&r->lines, r, take, &r->to, p, n, msg);
}

enum err ldflat_read_end(struct format_reader *r, struct errmsg *msg)
{
    enum err e = read_lines_end(&r->lines, r, take, &r->to, msg);

    return e == ERR_OK ? end_user(r, msg) : e;
}

void ldflat_read_free(struct format_reader *r)
{
    if (r != NULL)
        buf_wipe(&r->raw); /* it may hold a PIN */
    free(r);
}
