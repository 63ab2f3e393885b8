/* ldflat_check.c - the judge of a finished LDUSER file (E5): knows the file, not the writer.
 *
 *   BETWEEN --boundary--> FORM --FORM=LDUSER--> USER <--begin, end--> ADDRESS or NOTES
 *   A boundary in USER ends the user before it. */
#include "format_int.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum place { BETWEEN, FORM, USER, ADDRESS, NOTES };
enum value { V_TEXT, V_BARCODE, V_DATE, V_EXPIRY, V_CLEARANCE, V_BEGIN, V_END };

struct tag {
    const char *name;
    enum place where;
    enum value value;
    bool required; /* in every user */
    enum place to; /* of V_BEGIN and V_END */
};

static const struct tag tags[] = {
    { "USER_ID", USER, V_BARCODE, true, USER },
    { "USER_FIRST_NAME", USER, V_TEXT, false, USER },
    { "USER_LAST_NAME", USER, V_TEXT, true, USER },
    { "USER_LIBRARY", USER, V_TEXT, false, USER },
    { "USER_PROFILE", USER, V_TEXT, true, USER },
    { "USER_PREF_LANG", USER, V_TEXT, true, USER },
    { "USER_PIN", USER, V_TEXT, false, USER },
    { "USER_STATUS", USER, V_TEXT, false, USER },
    { "USER_PRIV_GRANTED", USER, V_DATE, false, USER },
    { "USER_PRIV_EXPIRES", USER, V_EXPIRY, false, USER },
    { "USER_BIRTH_DATE", USER, V_DATE, false, USER },
    { "USER_MAILINGADDR", USER, V_TEXT, false, USER },
    { "UACNT_CLEARANCE", USER, V_CLEARANCE, false, USER },
    { "USER_ADDR1_BEGIN", USER, V_BEGIN, false, ADDRESS },
    { NULL, ADDRESS, V_TEXT, false, USER }, /* a site's own names, by the policy; any other is .. */
    { NULL, ADDRESS, V_TEXT, false, USER }, /* .. refused */
    { NULL, ADDRESS, V_TEXT, false, USER },
    { NULL, ADDRESS, V_TEXT, false, USER },
    { NULL, ADDRESS, V_TEXT, false, USER },
    { "USER_ADDR1_END", ADDRESS, V_END, false, USER },
    { "USER_XINFO_BEGIN", USER, V_BEGIN, true, NOTES },
    { "NOTE", NOTES, V_TEXT, true, USER }, /* carries the record id (E4) */
    { "USER_XINFO_END", NOTES, V_END, true, USER },
};
#define TAGS (sizeof tags / sizeof tags[0])

struct format_check {
    struct check_lines lines;
    struct symphony_profile profile;
    enum place place;
    bool had[TAGS];
    uint32_t granted;
    uint64_t users;
};

static enum err bad(struct errmsg *msg, const char *what)
{
    return err_set(msg, ERR_MALFORMED, "%s", what);
}

static bool is_line(const char *line, size_t n, const char *wanted)
{
    return n == strlen(wanted) && memcmp(line, wanted, n) == 0;
}

static enum err end_user(struct format_check *c, struct errmsg *msg)
{
    if (c->place == BETWEEN)
        return ERR_OK;
    if (c->place != USER)
        return bad(msg, "the user before has a block without its end");
    for (unsigned i = 0; i < TAGS; i++)
        if ((tags[i].required || (tags[i].value == V_CLEARANCE && c->profile.user_clearance[0])) &&
            !c->had[i])
            return err_set(msg, ERR_MALFORMED, "the user before lacks .%s.", tags[i].name);
    c->place = BETWEEN;
    c->users++;
    return ERR_OK;
}

static enum err begin_user(struct format_check *c, struct errmsg *msg)
{
    enum err e = end_user(c, msg);

    if (e != ERR_OK)
        return e;
    memset(c->had, 0, sizeof c->had);
    c->granted = 0;
    c->place = FORM;
    return ERR_OK;
}

/* The site's tags stand in their order without a name of their own. */
static const char *name_of(const struct format_check *c, unsigned tag)
{
    unsigned of_site = 0;

    for (unsigned i = 0; i < tag; i++)
        of_site += tags[i].name == NULL;
    return tags[tag].name != NULL ? tags[tag].name : c->profile.address_tag[of_site];
}

/* ".NAME." at the start of the line; what follows begins at *rest. */
static const struct tag *find_tag(const struct format_check *c, const char *line, size_t n,
                                  size_t *rest)
{
    for (unsigned i = 0; i < TAGS; i++) {
        const char *name = name_of(c, i);
        size_t k = strlen(name);

        if (n >= k + 2 && line[0] == '.' && memcmp(line + 1, name, k) == 0 && line[k + 1] == '.') {
            *rest = k + 2;
            return &tags[i];
        }
    }
    return NULL;
}

static bool text_is_good(const char *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char b = (unsigned char)v[i];
        if (b < 0x20 || b == '|' || (b >= 0x7f && b < 0xa0))
            return false;
    }
    return n > 0;
}

static bool barcode_is_good(const char *v, size_t n)
{
    char text[BARCODE_MAX + 1];

    if (n > BARCODE_MAX)
        return false;
    memcpy(text, v, n);
    text[n] = 0;
    return barcode_is_clean(text);
}

static bool value_is_good(struct format_check *c, const struct tag *t, const char *v, size_t n)
{
    uint32_t day;

    if (!text_is_good(v, n))
        return false;
    switch (t->value) {
    case V_BARCODE:
        return barcode_is_good(v, n);
    case V_DATE:
        day = digits_to_ymd(v, n);
        if (strcmp(t->name, "USER_PRIV_GRANTED") == 0) /* dates are no site's tags */
            c->granted = day;
        return day != 0 && (c->granted == 0 || day <= c->granted);
    case V_EXPIRY:
        return is_line(v, n, "NEVER") || digits_to_ymd(v, n) > c->granted;
    case V_CLEARANCE:
        return is_line(v, n, c->profile.user_clearance);
    case V_TEXT:
    case V_BEGIN:
    case V_END:
        return true;
    }
    return false;
}

static enum err check_tag(struct format_check *c, const char *line, size_t n, struct errmsg *msg)
{
    size_t at = 0;
    const struct tag *t = find_tag(c, line, n, &at);
    const char *name = t != NULL ? name_of(c, (unsigned)(t - tags)) : "";

    if (t == NULL || t->where != c->place)
        return bad(msg, "a tag that does not belong there");
    if (c->had[t - tags])
        return err_set(msg, ERR_MALFORMED, ".%s. is there twice", name);
    c->had[t - tags] = true;
    if (t->value == V_BEGIN || t->value == V_END) {
        c->place = t->to;
        return at == n ? ERR_OK : err_set(msg, ERR_MALFORMED, ".%s. takes no value", name);
    }
    if (n < at + 5 || memcmp(line + at, "   |a", 5) != 0)
        return err_set(msg, ERR_MALFORMED, ".%s. without its value", name);
    at += 5;
    if (!value_is_good(c, t, line + at, n - at) ||
        (strcmp(name, "USER_PIN") == 0 && !c->profile.write_pin))
        return err_set(msg, ERR_MALFORMED, ".%s. is empty, too long or impossible", name);
    return ERR_OK;
}

static enum err check_one(struct format_check *c, const char *line, size_t n, struct errmsg *msg)
{
    if (is_line(line, n, "*** DOCUMENT BOUNDARY ***"))
        return begin_user(c, msg);
    switch (c->place) {
    case BETWEEN:
        return bad(msg, "a file begins with the document boundary");
    case FORM:
        c->place = USER;
        return is_line(line, n, "FORM=LDUSER") ? ERR_OK : bad(msg, "FORM=LDUSER is missing");
    case USER:
    case ADDRESS:
    case NOTES:
        return check_tag(c, line, n, msg);
    }
    return ERR_BUG;
}

struct format_check *ldflat_check_new(const struct policy *p)
{
    struct format_check *c = mem_zero(1, sizeof *c);

    if (c != NULL)
        c->profile = p->symphony;
    return c;
}

enum err ldflat_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return check_lines_add(&c->lines, c, check_one, p, n, msg);
}

enum err ldflat_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg)
{
    enum err e = check_lines_end(&c->lines, msg);
    struct errmsg why;

    *records = 0;
    if (e == ERR_OK && end_user(c, &why) != ERR_OK)
        e = check_lines_fail(&c->lines, &why, msg);
    if (e == ERR_OK)
        *records = c->users;
    return e;
}

void ldflat_check_free(struct format_check *c)
{
    free(c);
}
