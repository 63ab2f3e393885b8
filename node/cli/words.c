/* words.c - numbers, times and barcodes as people read them; JSON read tolerantly. */
#include "cli_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "day.h"

#define SHOWN_DIGITS 4
#define DEPTH_MAX    32

void words_number(long long n, char out[32])
{
    char digits[24];
    size_t len, k = 0;

    snprintf(digits, sizeof digits, "%lld", n);
    len = strlen(digits);
    for (size_t i = 0; i < len; i++) {
        out[k++] = digits[i];
        if (digits[i] != '-' && i + 1 < len && (len - i - 1) % 3 == 0)
            out[k++] = ',';
    }
    out[k] = 0;
}

void words_ago(long long s, char out[32])
{
    if (s < 0)
        snprintf(out, 32, "-");
    else if (s < 2)
        snprintf(out, 32, "now");
    else if (s < 120)
        snprintf(out, 32, "%lld s", s);
    else if (s < 2 * 3600)
        snprintf(out, 32, "%lld min", s / 60);
    else if (s < 48 * 3600)
        snprintf(out, 32, "%lld h", s / 3600);
    else
        snprintf(out, 32, "%lld days", s / 86400);
}

/* As the node says it, in the library's time: this PC may be set to another zone. */
void words_time(const json_t *t, bool day, char out[32])
{
    struct civil c;
    int64_t ms;
    int off;

    snprintf(out, 32, "-");
    if (!json_is_string(t) || rfc3339_parse(json_string_value(t), &ms, &off, NULL) != ERR_OK)
        return;
    civil_from_unix(ms / 1000, off * 60, &c);
    if (day)
        snprintf(out, 32, "%04d-%02d-%02d %02d:%02d:%02d", c.year % 10000, c.month, c.day, c.hour,
                 c.minute, c.second);
    else
        snprintf(out, 32, "%02d:%02d:%02d", c.hour, c.minute, c.second);
}

void words_span(const json_t *from, const json_t *to, char out[80])
{
    const json_t *const t[2] = { from, to };
    char end[2][36], zone[2][8];
    struct civil c[2];

    snprintf(out, 80, "-");
    for (unsigned i = 0; i < 2; i++) {
        int64_t ms;
        int off;

        if (!json_is_string(t[i]) ||
            rfc3339_parse(json_string_value(t[i]), &ms, &off, NULL) != ERR_OK)
            return;
        civil_from_unix(ms / 1000, off * 60, &c[i]);
        snprintf(end[i], sizeof end[i], "%04d-%02d-%02d %02d:%02d:%02d", c[i].year, c[i].month,
                 c[i].day, c[i].hour, c[i].minute, c[i].second);
        snprintf(zone[i], sizeof zone[i], "%c%02d:%02d", off < 0 ? '-' : '+', abs(off) / 60,
                 abs(off) % 60);
    }
    if (strcmp(zone[0], zone[1]) != 0)
        snprintf(out, 80, "%s %s to %s %s", end[0], zone[0], end[1], zone[1]);
    else if (memcmp(end[0], end[1], 10) != 0)
        snprintf(out, 80, "%s to %s %s", end[0], end[1], zone[1]);
    else if (strcmp(end[0], end[1]) != 0)
        snprintf(out, 80, "%s to %s %s", end[0], end[1] + 11, zone[1]);
    else
        snprintf(out, 80, "%s %s", end[0], zone[0]);
}

void words_barcode(const char *s, bool full, char out[40])
{
    size_t n = strlen(s);

    if (full || n <= SHOWN_DIGITS)
        snprintf(out, 40, "%.39s", s);
    else
        snprintf(out, 40, "…%s", s + n - SHOWN_DIGITS);
}

void words_item(const json_t *record, char out[48])
{
    const char *item = j_text(record, "item", ""), *kind = j_text(record, "kind", "");

    if (*item == 0 && *kind != 0)
        snprintf(out, 48, "%lld %s", j_int(record, "count", 1), kind);
    else
        snprintf(out, 48, "%s", *item != 0 ? item : "-");
}

void csv_cell(const char *s, bool last)
{
    bool formula = *s != 0 && strchr("=+-@\t\r", *s) != NULL; /* a spreadsheet would run it */

    putchar('"');
    if (formula)
        putchar('\'');
    for (; *s != 0; s++) {
        if (*s == '"')
            putchar('"');
        putchar(*s);
    }
    fputs(last ? "\"\r\n" : "\",", stdout);
}

/* ---- JSON ---- */

long long j_int(const json_t *o, const char *key, long long otherwise)
{
    const json_t *v = json_object_get(o, key);

    return json_is_integer(v) ? (long long)json_integer_value(v) : otherwise;
}

bool j_is(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

const char *j_text(const json_t *o, const char *key, const char *otherwise)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s != NULL ? s : otherwise;
}

size_t j_count(const json_t *o, const char *key)
{
    return json_array_size(json_object_get(o, key)); /* 0 for anything else */
}

static void scrub_text(json_t *o)
{
    unsigned char *s = (unsigned char *)(uintptr_t)json_string_value(o); /* its own heap copy */

    for (; *s != 0; s++) {
        if ((*s < 0x20 && *s != '\n') || *s == 0x7f) {
            *s = '?';
        } else if (*s == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0) { /* C1: a terminal obeys 0x9b */
            s[0] = '?';
            s[1] = '?';
        }
    }
}

static void scrub(json_t *o, unsigned depth)
{
    const char *key;
    json_t *v;
    size_t i;

    if (depth > DEPTH_MAX)
        return;
    if (json_is_string(o))
        scrub_text(o);
    json_object_foreach(o, key, v) scrub(v, depth + 1);
    json_array_foreach(o, i, v) scrub(v, depth + 1);
}

void j_scrub(json_t *o)
{
    scrub(o, 0);
}

bool j_put(json_t *o, const char *key, const char *value)
{
    return value == NULL || json_object_set_new(o, key, json_string(value)) == 0;
}

static void add_escaped(struct buf *out, const char *s)
{
    for (; *s != 0; s++) {
        if (*s == '"' || *s == '\\')
            buf_printf(out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            buf_printf(out, "\\u%04x", (unsigned)*s);
        else
            buf_add(out, s, 1);
    }
}

/* A secret never becomes a jansson value: those are freed without being wiped. */
bool j_body_secrets(json_t *o, const struct secret *v, unsigned count, struct buf *out)
{
    char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
    size_t n = text != NULL ? strlen(text) : 0;

    if (n >= 2) {
        buf_add(out, text, n - 1); /* without the closing brace */
        for (unsigned i = 0; i < count; i++) {
            buf_printf(out, "%s\"%s\":\"", n > 2 || i > 0 ? "," : "", v[i].name);
            add_escaped(out, v[i].value);
            buf_text(out, "\"");
        }
        buf_text(out, "}");
    }
    free(text);
    json_decref(o);
    return n >= 2 && !out->failed;
}

bool j_body(json_t *o, const char *passphrase, struct buf *out)
{
    struct secret s = { "passphrase", passphrase };

    return j_body_secrets(o, &s, passphrase != NULL, out);
}
