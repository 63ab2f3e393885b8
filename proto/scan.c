/* scan.c - rules D10 to D15. */
#include "scan.h"

#include <string.h>

#include "keyboard_int.h"

enum fit { FIT_NOT, FIT_DIGIT /* but for the check digit */, FIT_USER, FIT_ITEM, FIT_EITHER };

struct found {
    enum fit fit;
    char value[BARCODE_MAX + 1];
};

static enum fit fit_of(const struct policy *p, const char *s)
{
    bool user = pattern_matches(p->user_pattern, s), item = pattern_matches(p->item_pattern, s);

    if (!user && !item)
        return FIT_NOT;
    if (!mod10_is_valid(s)) {
        user &= p->user_digit == DIGIT_NONE;
        item &= p->item_digit == DIGIT_NONE;
    }
    return user && item ? FIT_EITHER : user ? FIT_USER : item ? FIT_ITEM : FIT_DIGIT;
}

static bool is_gap(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- D10 ---- */

static void try_form(const struct policy *p, const char *s, struct found *best)
{
    enum fit f = best->fit < FIT_USER ? fit_of(p, s) : FIT_NOT;

    if (f <= best->fit)
        return;
    best->fit = f;
    memcpy(best->value, s, strlen(s) + 1); /* it fits, so it is short enough */
}

static void drop_gaps(char *s)
{
    char *out = s;

    for (; *s != 0; s++)
        if (!is_gap(*s))
            *out++ = *s;
    *out = 0;
}

static void drop_ends(char *s)
{
    size_t n = strlen(s), from = 0;

    while (n > 0 && is_gap(s[n - 1]))
        s[--n] = 0;
    while (is_gap(s[from]))
        from++;
    memmove(s, s + from, n - from + 1);
}

/* Start and stop are A to D, and T N * E in older books. */
static bool drop_codabar(char *s)
{
    static const char ends[] = "ABCDabcdTNEtne*";
    size_t n = strlen(s);

    if (n < 3 || strchr(ends, s[0]) == NULL || strchr(ends, s[n - 1]) == NULL)
        return false;
    memmove(s, s + 1, n - 2);
    s[n - 2] = 0;
    return true;
}

static void clean(const struct policy *p, const char *text, bool typed, struct found *best)
{
    char s[SCAN_MAX + 1];

    memcpy(s, text, strlen(text) + 1);
    drop_ends(s);
    try_form(p, s, best);
    if (!typed && s[0] == ']' && strlen(s) > 3) {
        memmove(s, s + 3, strlen(s) - 2);
        try_form(p, s, best);
    }
    drop_gaps(s);
    try_form(p, s, best);
    if (!typed && drop_codabar(s))
        try_form(p, s, best);
}

/* ---- D11 ---- */

static enum err two_ways(struct errmsg *msg)
{
    return err_why(msg, ERR_INVALID, "keyboard", "",
                   "the PC's keyboard layout garbles this scanner, and the number can be read in "
                   "two ways: type it, and tell whoever looks after this PC");
}

/* Only where it did not fit as it came. */
static enum err read_layouts(const struct policy *p, const char *text, struct found *best,
                             const char **layout, struct errmsg *msg)
{
    struct found first = { .fit = FIT_NOT };
    char s[SCAN_MAX + 1];
    const char *name;

    for (unsigned i = 0; (name = keyboard_read(i, text, s, sizeof s)) != NULL; i++) {
        struct found f = { .fit = FIT_NOT };

        if (*name == 0)
            continue;
        clean(p, s, false, &f);
        if (f.fit < FIT_USER)
            continue;
        if (first.fit != FIT_NOT && strcmp(first.value, f.value) != 0)
            return two_ways(msg);
        if (first.fit == FIT_NOT)
            *layout = name;
        first = f;
    }
    if (first.fit != FIT_NOT)
        *best = first;
    return ERR_OK;
}

/* ---- D14 ---- */

static const struct {
    const char *name;
    enum scan_code code;
    unsigned days;
} codes[] = {
    { "*CHECKOUT", CODE_CHECKOUT, 0 },
    { "*DISCHARGE", CODE_DISCHARGE, 0 },
    { "*RENEW", CODE_RENEW, 0 },
    { "*INHOUSE", CODE_INHOUSE, 0 },
    { "*NEWUSER", CODE_NEWUSER, 0 },
    { "*NEXT", CODE_NEXT, 0 },
    { "*UNDO", CODE_UNDO, 0 },
    { "*OK", CODE_OK, 0 },
    { "*CANCEL", CODE_CANCEL, 0 },
    { "*DUENONE", CODE_DUE, SCAN_DUE_NONE },
    { "*DUERULE", CODE_DUE, SCAN_DUE_RULE },

};

static bool is_due_code(const char *s, unsigned *days)
{
    unsigned v = 0;

    if (strncmp(s, "*DUE", 4) != 0 || s[4] == 0)
        return false;
    for (s += 4; *s >= '0' && *s <= '9' && v <= DUE_DAYS_MAX; s++)
        v = v * 10 + (unsigned)(*s - '0');
    *days = v;
    return *s == 0 && v >= 1 && v <= DUE_DAYS_MAX;
}

static bool is_piece_code(const struct policy *p, const char *s, struct scan *out)
{
    const struct piece_kind *k;

    if (p->n_pieces == 0 || strncmp(s, "*PIECE", 6) != 0)
        return false;
    if ((k = policy_piece(p, s + 6)) != NULL)
        memcpy(out->value, k->name, sizeof k->name);
    return k != NULL || strcmp(s, "*PIECES") == 0;
}

static bool read_code(const struct policy *p, const char *text, struct scan *out)
{
    char s[SCAN_MAX + 1];

    memcpy(s, text, strlen(text) + 1);
    drop_ends(s);
    if (s[0] == ']' && strlen(s) > 3)
        memmove(s, s + 3, strlen(s) - 2);
    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(codes[i].name, s) == 0) {
            out->code = codes[i].code;
            out->days = codes[i].days;
        }
    if (out->code == 0 && is_due_code(s, &out->days))
        out->code = CODE_DUE;
    if (out->code == 0 && is_piece_code(p, s, out))
        out->code = CODE_PIECE;
    if (out->code != 0)
        out->what = SCAN_CODE;
    return out->code != 0;
}

/* As it came, or through one of the layouts. */
static bool read_any_code(const struct policy *p, const char *text, bool typed, struct scan *out)
{
    char s[SCAN_MAX + 1];
    const char *name;

    if (read_code(p, text, out))
        return true;
    for (unsigned i = 0; !typed && (name = keyboard_read(i, text, s, sizeof s)) != NULL; i++)
        if (*name != 0 && read_code(p, s, out)) {
            out->layout = name;
            return true;
        }
    return false;
}

/* ---- D12, D15 ---- */

/* Where the second of two numbers begins that fit one behind the other; 0: they do not. */
static size_t second_begins(const struct policy *p, const char *s)
{
    size_t n = strlen(s);
    char first[BARCODE_MAX + 1];

    for (size_t k = 1; k < n && k <= BARCODE_MAX; k++) {
        if (n - k > BARCODE_MAX)
            continue;
        memcpy(first, s, k);
        first[k] = 0;
        if (fit_of(p, first) >= FIT_USER && fit_of(p, s + k) >= FIT_USER)
            return k;
    }
    return 0;
}

static bool is_plain(const char *s)
{
    for (; *s != 0; s++)
        if (!(*s >= '0' && *s <= '9') && !(*s >= 'A' && *s <= 'Z') && !(*s >= 'a' && *s <= 'z'))
            return false;
    return true;
}

static enum err why_not(const struct policy *p, const char *text, const struct found *best,
                        bool typed, struct errmsg *msg)
{
    const char *again = typed ? "compare it digit by digit" : "scan it again, or type it";
    unsigned user_min, item_min, most;
    char s[SCAN_MAX + 1];
    size_t n, k;

    memcpy(s, text, strlen(text) + 1);
    drop_gaps(s);
    n = strlen(s);
    if (n == 0)
        return err_why(msg, ERR_INVALID, "empty", "", "nothing was read: scan again");
    if (best->fit == FIT_DIGIT)
        return err_why(msg, ERR_INVALID, "check_digit", "", "the check digit of %s is wrong: %s",
                       best->value, again);
    if (s[0] == '*' && n <= BARCODE_MAX)
        return err_why(msg, ERR_INVALID, "unknown_code", "",
                       "this is a control code of another version: print its sheet anew");
    if ((k = second_begins(p, s)) > 0)
        return err_why(msg, ERR_INVALID, "two_barcodes", "",
                       "two barcodes ran together, %.*s and %s: scan them one after the other",
                       (int)k, s, s + k);
    pattern_length(p->user_pattern, &user_min, &most);
    pattern_length(p->item_pattern, &item_min, &most);
    if (is_plain(s) && n < user_min && n < item_min)
        return err_why(msg, ERR_INVALID, "too_short", "",
                       "%s is only a part of a number, %zu characters of %u: %s", s, n,
                       user_min < item_min ? user_min : item_min, again);
    if (n <= BARCODE_MAX && barcode_is_clean(s))
        return err_why(msg, ERR_INVALID, "bad_barcode", "",
                       "%s is neither a user card nor an item of this library: %s", s, again);
    if (n > BARCODE_MAX && is_plain(s))
        return err_why(msg, ERR_INVALID, "too_long", "",
                       "more than one barcode was read: scan one after the other");
    return err_why(msg, ERR_INVALID, "keyboard", "",
                   "characters came that no barcode has: %s. If every scan looks like this, the "
                   "PC's keyboard layout does not suit the scanner",
                   again);
}

static enum scan_what what_of(enum fit f)
{
    return f == FIT_USER ? SCAN_USER : f == FIT_ITEM ? SCAN_ITEM : SCAN_EITHER;
}

enum err scan_read(const struct policy *p, const char *raw, size_t n, bool typed, struct scan *out,
                   struct errmsg *msg)
{
    struct found best = { .fit = FIT_NOT };
    struct scan scan = { .typed = typed };
    char text[SCAN_MAX + 1];
    enum err e = ERR_OK;

    if (n > SCAN_MAX)
        return err_why(msg, ERR_INVALID, "too_long", "",
                       "more than one barcode was read: scan one after the other");
    memcpy(text, raw, n);
    text[n] = 0;
    if (strlen(text) != n)
        return err_why(msg, ERR_INVALID, "bad_barcode", "", "a zero byte came: scan it again");
    if (read_any_code(p, text, typed, &scan)) {
        *out = scan;
        return ERR_OK;
    }
    clean(p, text, typed, &best);
    if (best.fit < FIT_USER && !typed)
        e = read_layouts(p, text, &best, &scan.layout, msg);
    if (e != ERR_OK)
        return e;
    if (best.fit < FIT_USER)
        return why_not(p, text, &best, typed, msg);
    scan.what = what_of(best.fit);
    memcpy(scan.value, best.value, sizeof scan.value);
    *out = scan;
    return ERR_OK;
}

void scan_groups(const char *value, char out[SCAN_GROUPS_MAX])
{
    size_t n = strlen(value), at = 0;
    bool library = n == 14 && is_plain(value); /* type, institution, number, check digit */

    for (size_t i = 0; i < n && i < BARCODE_MAX; i++) {
        if (library ? i == 1 || i == 5 || i == 13 : i > 0 && i % 4 == 0)
            out[at++] = ' ';
        out[at++] = value[i];
    }
    out[at] = 0;
}
