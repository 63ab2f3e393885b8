/* zonefile.c - the rule in the footer of a TZif file, and policies that lack theirs. */
#include "zonefile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 64
#define FILE_MAX_BYTES                                                                             \
    65536 /* the largest of tzdata is below 4 KiB in its slim, 8 in its fat form */

/* No way out of the directory: no "..", no leading slash. */
static bool name_is_clean(const char *s)
{
    static const char fine[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                               "0123456789_+-/";

    return *s != 0 && *s != '/' && strlen(s) <= NAME_MAX_BYTES && s[strspn(s, fine)] == 0;
}

/* Version 2 and later end with "\n" rule "\n". */
static enum err take_footer(const char *name, const uint8_t *p, size_t n,
                            char out[ZONE_RULE_MAX + 1], struct errmsg *msg)
{
    struct zone zone;
    size_t from, len;

    if (n < 46 || memcmp(p, "TZif", 4) != 0 || p[4] < '2' || p[n - 1] != '\n')
        return err_set(msg, ERR_CONFIG, "the time zone data of %s is not of a known form", name);
    for (from = n - 1; from > 0 && p[from - 1] != '\n'; from--)
        ;
    len = n - 1 - from;
    if (len == 0 || len > ZONE_RULE_MAX)
        return err_set(msg, ERR_CONFIG, "the time zone data of %s has no rule for the future",
                       name);
    memcpy(out, p + from, len);
    out[len] = 0;
    return zone_parse(out, &zone, msg);
}

enum err zonefile_rule(const char *dir, const char *name, char out[ZONE_RULE_MAX + 1],
                       struct errmsg *msg)
{
    uint8_t bytes[FILE_MAX_BYTES];
    char path[512];
    size_t n;
    FILE *f;

    if (!name_is_clean(name) || snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return err_set(msg, ERR_CONFIG, "\"%.64s\" is no time zone; it looks like Europe/Paris",
                       name);
    f = fopen(path, "rb");
    if (f == NULL)
        return err_set(msg, ERR_CONFIG,
                       "this PC knows no time zone \"%s\" (%s: %s); give its rule "
                       "as zone_rule in [branch]",
                       name, path, strerror(errno));
    n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    return take_footer(name, bytes, n, out, msg);
}

struct seen {
    bool in_branch, has_rule, has_zone;
    char zone[NAME_MAX_BYTES + 1], rule[ZONE_RULE_MAX + 1];
};

/* The same simple view of a line as the real reader's, which will judge the text afterwards. */
static void see_line(struct seen *s, const char *line, size_t n)
{
    size_t key, value, end = n;

    while (n > 0 && (*line == ' ' || *line == '\t'))
        line++, n--;
    end = n;
    while (end > 0 && strchr(" \t\r", line[end - 1]) != NULL)
        end--;
    if (end > 0 && line[0] == '[') {
        s->in_branch = end == 8 && memcmp(line, "[branch]", 8) == 0;
        return;
    }
    for (key = 0; key < end && line[key] != '=' && line[key] != ':'; key++)
        ;
    for (value = key + 1; value < end && (line[value] == ' ' || line[value] == '\t'); value++)
        ;
    while (key > 0 && (line[key - 1] == ' ' || line[key - 1] == '\t'))
        key--;
    if (!s->in_branch || value >= end)
        return;
    if (key == 9 && memcmp(line, "zone_rule", 9) == 0) {
        s->has_rule = true;
        if (end - value < sizeof s->rule) {
            memcpy(s->rule, line + value, end - value);
            s->rule[end - value] = 0;
        }
    }
    if (key == 4 && memcmp(line, "zone", 4) == 0 && end - value < sizeof s->zone) {
        memcpy(s->zone, line + value, end - value);
        s->zone[end - value] = 0;
        s->has_zone = true;
    }
}

enum err zonefile_complete(const char *dir, const char *text, size_t n, struct buf *out,
                           struct errmsg *msg)
{
    struct seen s = { .has_zone = false };
    char rule[ZONE_RULE_MAX + 1];

    for (size_t at = 0; at < n;) {
        const char *lf = memchr(text + at, '\n', n - at);
        size_t len = lf != NULL ? (size_t)(lf - (text + at)) : n - at;

        see_line(&s, text + at, len);
        at += len + 1;
    }
    if (s.has_zone && s.has_rule && zonefile_rule(dir, s.zone, rule, NULL) == ERR_OK &&
        strcmp(rule, s.rule) != 0) /* the zone was changed, the rule of the old one forgotten */
        return err_set(msg, ERR_CONFIG,
                       "zone_rule is %s, but %s has %s: delete the zone_rule line in [branch] and "
                       "it is filled in",
                       s.rule, s.zone, rule);
    buf_add(out, text, n);
    if (s.has_zone && !s.has_rule) {
        enum err e = zonefile_rule(dir, s.zone, rule, msg);
        if (e != ERR_OK)
            return e;
        if (n > 0 && text[n - 1] != '\n')
            buf_text(out, "\n");
        buf_printf(out,
                   "\n[branch]\n# From the time zone data of the PC that published this.\n"
                   "zone_rule = %s\n",
                   rule);
    }
    buf_add(out, "", 1);
    if (out->failed)
        return err_set(msg, ERR_NOMEM, "out of memory");
    out->len--;
    return ERR_OK;
}
