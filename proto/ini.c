/* ini.c - INI text by a table of keys: libinih splits the lines, everything else is checked here.
 */
#include "ini_int.h"

#include <ini.h>
#include <stdbool.h>
#include <string.h>

#include "record.h"

#define WORD_MAX  48 /* longer names are never a near miss */
#define NEAR_MISS 2

struct reading {
    const char *name, *text;
    size_t left;
    unsigned line;
    const struct ini_key *keys;
    unsigned n_keys;
    void *into;
    struct errmsg *msg;
    enum err err; /* the first; nothing is read after it */
    bool seen[INI_KEYS_MAX];
};

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

unsigned edit_distance(const char *a, const char *b)
{
    unsigned row[WORD_MAX + 1], na = (unsigned)strlen(a), nb = (unsigned)strlen(b);

    if (na > WORD_MAX || nb > WORD_MAX)
        return UINT16_MAX;
    for (unsigned j = 0; j <= nb; j++)
        row[j] = j;
    for (unsigned i = 1; i <= na; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= nb; j++) {
            unsigned above = row[j];
            row[j] = min3(row[j - 1] + 1, above + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[nb];
}

/* Puts the place before what `what` says, and stops the reading. */
static void stop(struct reading *r, enum err code, const char *what)
{
    if (r->err != ERR_OK)
        return;
    r->err = code;
    if (r->name != NULL)
        err_set(r->msg, code, "%s:%u: %s", r->name, r->line, what);
    else
        err_set(r->msg, code, "line %u: %s", r->line, what);
}

static bool section_is_known(const struct reading *r, const char *section)
{
    for (unsigned i = 0; i < r->n_keys; i++)
        if (strcmp(r->keys[i].section, section) == 0)
            return true;
    return false;
}

static void stop_unknown_section(struct reading *r, const char *section)
{
    const char *near = NULL;
    unsigned best = NEAR_MISS + 1;
    struct errmsg m;

    for (unsigned i = 0; i < r->n_keys; i++) {
        unsigned d = edit_distance(section, r->keys[i].section);
        if (d < best) {
            best = d;
            near = r->keys[i].section;
        }
    }
    if (near != NULL)
        err_set(&m, ERR_CONFIG, "unknown section [%.40s]; did you mean [%s]?", section, near);
    else
        err_set(&m, ERR_CONFIG, "unknown section [%.40s]", section);
    stop(r, ERR_CONFIG, m.text);
}

static void stop_unknown_key(struct reading *r, const char *section, const char *key)
{
    const char *near = NULL, *elsewhere = NULL;
    unsigned best = NEAR_MISS + 1;
    struct errmsg m;

    for (unsigned i = 0; i < r->n_keys; i++) {
        unsigned d = edit_distance(key, r->keys[i].key);
        if (strcmp(r->keys[i].section, section) != 0) {
            elsewhere = d == 0 ? r->keys[i].section : elsewhere;
        } else if (d < best) {
            best = d;
            near = r->keys[i].key;
        }
    }
    if (near != NULL)
        err_set(&m, ERR_CONFIG, "unknown key \"%.40s\" in [%s]; did you mean \"%s\"?", key, section,
                near);
    else if (elsewhere != NULL)
        err_set(&m, ERR_CONFIG, "unknown key \"%.40s\" in [%s]; it belongs in [%s]", key, section,
                elsewhere);
    else
        err_set(&m, ERR_CONFIG, "unknown key \"%.40s\" in [%s]", key, section);
    stop(r, ERR_CONFIG, m.text);
}

/* libinih says nothing of a section without keys, and ignores what follows its bracket. */
static void check_section_line(struct reading *r, const char *line)
{
    char section[INI_LINE_MAX + 1];
    size_t n;

    line += strspn(line, " ");
    if (*line != '[')
        return;
    line++;
    n = strcspn(line, "]");
    if (line[n] != ']' || line[n + 1 + strspn(line + n + 1, " ")] != 0) {
        stop(r, ERR_CONFIG, "a section looks like [branch], alone on its line");
        return;
    }
    memcpy(section, line, n);
    section[n] = 0;
    if (!section_is_known(r, section))
        stop_unknown_section(r, section);
}

/* fgets() over the text, which counts the lines because Debian's libinih does not tell. */
static char *read_line(char *str, int num, void *stream)
{
    struct reading *r = stream;
    const char *lf = r->left > 0 ? memchr(r->text, '\n', r->left) : NULL;
    size_t n = lf != NULL ? (size_t)(lf - r->text) : r->left, end = n;

    if (r->left == 0 || r->err != ERR_OK)
        return NULL;
    r->line++;
    if (n > INI_LINE_MAX || n + 2 > (size_t)num) {
        stop(r, ERR_CONFIG, "the line is longer than 4000 bytes");
        return NULL;
    }
    if (lf != NULL && end > 0 && r->text[end - 1] == '\r')
        end--;
    memcpy(str, r->text, end);
    str[end] = 0;
    for (char *tab = strchr(str, '\t'); tab != NULL; tab = strchr(tab, '\t'))
        *tab = ' ';
    if (strlen(str) != end || !text_is_clean(str))
        stop(r, ERR_CONFIG, "there is a control byte in the line, or it is not UTF-8");
    check_section_line(r, str);
    if (r->err != ERR_OK)
        return NULL;
    str[end] = '\n';
    str[end + 1] = 0;
    r->text += n + (lf != NULL);
    r->left -= n + (lf != NULL);
    return str;
}

static const struct ini_key *find_key(const struct reading *r, const char *section, const char *key)
{
    for (unsigned i = 0; i < r->n_keys; i++)
        if (strcmp(r->keys[i].section, section) == 0 &&
            (strcmp(r->keys[i].key, key) == 0 || strcmp(r->keys[i].key, "*") == 0))
            return &r->keys[i];
    return NULL;
}

static int take_pair(void *user, const char *section, const char *key, const char *value)
{
    struct reading *r = user;
    const struct ini_key *row = find_key(r, section, key);
    struct errmsg why = { .text = "" }, m;
    enum err e;

    if (r->err != ERR_OK)
        return 0;
    if (*section == 0) {
        stop(r, ERR_CONFIG, "a key before the first [section]");
        return 0;
    }
    if (row == NULL) {
        stop_unknown_key(r, section, key);
        return 0;
    }
    if (strcmp(row->key, "*") != 0 && r->seen[row - r->keys]) {
        err_set(&m, ERR_CONFIG, "\"%s\" in [%s] is there twice", key, section);
        stop(r, ERR_CONFIG, m.text);
        return 0;
    }
    r->seen[row - r->keys] = true;
    e = row->parse(row, key, value, r->into, &why);
    if (e != ERR_OK) {
        err_set(&m, e, "\"%.40s\" in [%s]: %s", key, section, why.text);
        stop(r, e == ERR_NOMEM ? e : ERR_CONFIG, m.text);
    }
    return r->err == ERR_OK;
}

/* Measured on libinih 55. Set once; later calls only read them. */
static void set_switches(void)
{
    if (ini_max_line == 4096)
        return;
    ini_allow_multiline = false;
    ini_allow_inline_comments = false;
    ini_use_stack = false;
    ini_initial_alloc = 4096;
    ini_stop_on_first_error = true;
    ini_max_line = 4096;
}

enum err ini_read(const char *name_for_messages, const char *text, size_t n,
                  const struct ini_key *keys, unsigned n_keys, void *into, struct errmsg *msg)
{
    struct reading r = { .name = name_for_messages,
                         .text = text,
                         .left = n,
                         .keys = keys,
                         .n_keys = n_keys,
                         .into = into,
                         .msg = msg };
    int rc;

    if (n_keys > INI_KEYS_MAX)
        return err_set(msg, ERR_BUG, "%u keys in one table", n_keys);
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* Windows editors write it */
        r.text += 3;
        r.left -= 3;
    }
    set_switches();
    rc = ini_parse_stream(read_line, &r, take_pair, &r);
    if (r.err == ERR_OK && rc == -2)
        return err_set(msg, ERR_NOMEM, "no memory to read the configuration");
    if (r.err == ERR_OK && rc != 0)
        stop(&r, ERR_CONFIG, "this is neither [section], key = value nor a comment");
    return r.err;
}

/* ---- parsers of values ---- */

static void *place(const struct ini_key *row, void *into)
{
    return (char *)into + row->offset;
}

enum err ini_text(const struct ini_key *row, const char *key, const char *value, void *into,
                  struct errmsg *msg)
{
    size_t n = strlen(value), max = row->max != 0 ? (size_t)row->max : row->room - 1;

    (void)key;
    if (n < row->min)
        return err_set(msg, ERR_CONFIG, "needs a value");
    if (n > max || n >= row->room)
        return err_set(msg, ERR_CONFIG, "is longer than %zu bytes", max);
    memcpy(place(row, into), value, n + 1);
    return ERR_OK;
}

enum err ini_word(const struct ini_key *row, const char *key, const char *value, void *into,
                  struct errmsg *msg)
{
    char list[128] = "";
    size_t n = 0;

    (void)key;
    for (unsigned i = 0; row->words[i] != NULL; i++) {
        const char *word = row->words[i];

        if (strcmp(word, value) == 0) {
            if (row->room == sizeof(bool))
                *(bool *)place(row, into) = i != 0;
            else
                *(unsigned *)place(row, into) = i;
            return ERR_OK;
        }
        if (n + strlen(word) + 5 < sizeof list) {
            memcpy(list + n, i > 0 ? " or " : "", i > 0 ? 4 : 0);
            n += i > 0 ? 4 : 0;
            memcpy(list + n, word, strlen(word) + 1);
            n += strlen(word);
        }
    }
    return err_set(msg, ERR_CONFIG, "must be %s", list);
}

enum err ini_yes_no(const struct ini_key *row, const char *key, const char *value, void *into,
                    struct errmsg *msg)
{
    static const char *const words[] = { "no", "yes", NULL };
    struct ini_key yes_no = *row;

    yes_no.words = words;
    return ini_word(&yes_no, key, value, into, msg);
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* Digits and a unit out of the list; without overflow. */
static bool read_amount(const char *s, const struct unit *units, uint64_t *out)
{
    uint64_t v = 0;

    if (*s < '0' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9'; s++) {
        if (v > (UINT64_MAX - 9) / 10)
            return false;
        v = v * 10 + (uint64_t)(*s - '0');
    }
    for (; units->name != NULL; units++) {
        if (strcmp(s, units->name) == 0 && v <= UINT64_MAX / units->factor) {
            *out = v * units->factor;
            return true;
        }
    }
    return false;
}

static bool in_range(const struct ini_key *row, uint64_t v, uint64_t hard_max)
{
    return v >= row->min && v <= (row->max != 0 ? row->max : hard_max) && v <= hard_max;
}

enum err ini_unsigned(const struct ini_key *row, const char *key, const char *value, void *into,
                      struct errmsg *msg)
{
    static const struct unit units[] = { { "", 1 }, { NULL, 0 } };
    uint64_t v;

    (void)key;
    if (!read_amount(value, units, &v) || !in_range(row, v, UINT32_MAX))
        return err_set(msg, ERR_CONFIG, "must be a number from %llu to %llu",
                       (unsigned long long)row->min,
                       (unsigned long long)(row->max != 0 ? row->max : UINT32_MAX));
    *(unsigned *)place(row, into) = (unsigned)v;
    return ERR_OK;
}

enum err ini_ms(const struct ini_key *row, const char *key, const char *value, void *into,
                struct errmsg *msg)
{
    static const struct unit units[] = { { "ms", 1 },      { "s", 1000 },     { "m", 60000 },
                                         { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 } };
    uint64_t v;

    (void)key;
    if (!read_amount(value, units, &v))
        return err_set(msg, ERR_CONFIG, "must be a time with its unit, like 500ms, 5s, 30m or 2h");
    if (!in_range(row, v, UINT32_MAX))
        return err_set(msg, ERR_CONFIG, "must be from %llums to %llus",
                       (unsigned long long)row->min,
                       (unsigned long long)(row->max != 0 ? row->max : UINT32_MAX) / 1000);
    *(uint32_t *)place(row, into) = (uint32_t)v;
    return ERR_OK;
}
