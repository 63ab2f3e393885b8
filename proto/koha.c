/* koha.c - rows of a .koc file as Koha's service and its plugin want them, and their answers. */
#include "koha.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

/* ---- rows ---- */

static bool digits(const char *s, unsigned n, int *out)
{
    *out = 0;
    for (unsigned i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        *out = *out * 10 + (s[i] - '0');
    }
    return true;
}

/* "2026-11-23 09:05:00 012" */
static bool row_time(const char *s, struct civil *c)
{
    return digits(s, 4, &c->year) && s[4] == '-' && digits(s + 5, 2, &c->month) && s[7] == '-' &&
           digits(s + 8, 2, &c->day) && s[10] == ' ' && digits(s + 11, 2, &c->hour) &&
           s[13] == ':' && digits(s + 14, 2, &c->minute) && s[16] == ':' &&
           digits(s + 17, 2, &c->second) && (s[19] == '\0' || s[19] == ' ') && c->hour < 24 &&
           c->minute < 60 && c->second < 60 &&
           ymd_is_valid((uint32_t)(c->year * 10000 + c->month * 100 + c->day));
}

static bool take(const char *s, char out[BARCODE_MAX + 1])
{
    if (!s || strlen(s) > BARCODE_MAX || !barcode_is_clean(s))
        return false;
    memcpy(out, s, strlen(s) + 1);
    return true;
}

enum err koha_row(const uint8_t *p, size_t n, struct koha_row *out)
{
    char line[160], *field[5] = { line };
    unsigned k = 1;

    memset(out, 0, sizeof *out);
    while (n > 0 && (p[n - 1] == '\n' || p[n - 1] == '\r'))
        n--;
    if (n >= sizeof line || memchr(p, '\0', n))
        return ERR_MALFORMED;
    memcpy(line, p, n);
    line[n] = '\0';
    for (char *tab = line; k < 5 && (tab = strchr(tab, '\t')) != NULL; k++) {
        *tab++ = '\0';
        field[k] = tab;
    }
    if (k < 3 || k > 4 || !row_time(line, &out->at))
        return ERR_MALFORMED;
    out->issue = strcmp(field[1], "issue") == 0;
    if (out->issue ? k != 4 || !take(field[2], out->card)
                   : k != 3 || strcmp(field[1], "return") != 0)
        return ERR_MALFORMED;
    return take(field[k - 1], out->item) ? ERR_OK : ERR_MALFORMED;
}

/* In the hour that comes twice the first is meant; of the hour that is left out, the hour after. */
static int64_t local_to_unix(const struct zone *z, const struct civil *c)
{
    int64_t summer = civil_to_unix(c, z->has_dst ? z->dst_off_s : z->std_off_s);
    int64_t winter = civil_to_unix(c, z->std_off_s);

    return summer + zone_offset_s(z, summer) == winter + z->std_off_s ? summer : winter;
}

void koha_time(const struct koha_row *r, const struct zone *z, bool utc, char out[24])
{
    struct civil c = r->at;

    if (utc)
        civil_from_unix(local_to_unix(z, &r->at), 0, &c);
    snprintf(out, 24, "%04d-%02d-%02d%c%02d:%02d:%02d%s", c.year, c.month, c.day, utc ? 'T' : ' ',
             c.hour, c.minute, c.second, utc ? "Z" : "");
}

/* ---- the service ---- */

static bool is_word(const char *p, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(p, word, n) == 0;
}

static bool contains(const char *p, size_t n, const char *word)
{
    size_t w = strlen(word);

    for (size_t i = 0; i + w <= n; i++)
        if (memcmp(p + i, word, w) == 0)
            return true;
    return false;
}

enum koha_says koha_body(const char *p, size_t n, bool issue, enum answer *answer)
{
    *answer = ANSWER_REFUSED;
    while (n > 0 && (p[n - 1] == '\n' || p[n - 1] == '\r' || p[n - 1] == ' '))
        n--;
    if (is_word(p, n, "Success.")) {
        *answer = ANSWER_ACCEPTED;
        return KOHA_ANSWERED;
    }
    if (is_word(p, n, "Added.")) {
        *answer = ANSWER_ACCEPTED;
        return KOHA_QUEUED;
    }
    if (is_word(p, n, "Item not issued.") && !issue) {
        *answer = ANSWER_ALREADY;
        return KOHA_ANSWERED;
    }
    if (n == 0 || is_word(p, n, "Item not issued.") || is_word(p, n, "Item not found.") ||
        is_word(p, n, "Barcode not found.") || is_word(p, n, "Borrower not found."))
        return KOHA_ANSWERED;
    if (is_word(p, n, "Authentication failed.") || contains(p, n, "auth_status"))
        return KOHA_STOP;
    *answer = ANSWER_DOUBT;
    return KOHA_UNKNOWN;
}

/* ---- the plugin ---- */

/* Barcodes are clean ASCII without quotes; a branch code is checked by the policy. */
void koha_batch_begin(struct buf *b, const char *branchcode, bool pending)
{
    buf_printf(b, "{\"branchcode\":\"%s\",\"pending\":%s,\"transactions\":[", branchcode,
               pending ? "true" : "false");
}

void koha_batch_row(struct buf *b, const struct koha_row *r, const struct zone *z, bool first)
{
    char at[24];

    koha_time(r, z, true, at);
    buf_printf(b, "%s{\"timestamp\":\"%s\",\"action\":\"%s\"", first ? "" : ",", at,
               r->issue ? "issue" : "return");
    if (r->issue)
        buf_printf(b, ",\"cardnumber\":\"%s\"", r->card);
    buf_printf(b, ",\"barcode\":\"%s\"}", r->item);
}

void koha_batch_end(struct buf *b)
{
    buf_text(b, "]}");
}

static const struct {
    const char *status;
    enum koha_says says;
    enum answer answer;
} statuses[] = {
    { "processed", KOHA_ANSWERED, ANSWER_ACCEPTED },
    { "queued", KOHA_QUEUED, ANSWER_ACCEPTED },
    { "skipped", KOHA_ANSWERED, ANSWER_ALREADY },
    { "error", KOHA_ANSWERED, ANSWER_REFUSED },
};

enum err koha_results(const char *p, size_t n, size_t rows, void *ctx,
                      void (*each)(void *ctx, size_t i, enum koha_says s, enum answer a,
                                   const char *words))
{
    json_t *j = json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL);
    const json_t *list = json_object_get(j, "results");
    enum err e = json_is_array(list) && json_array_size(list) == rows ? ERR_OK : ERR_MALFORMED;

    for (size_t i = 0; e == ERR_OK && i < rows; i++) {
        const json_t *x = json_array_get(list, i);
        const char *status = json_string_value(json_object_get(x, "status"));
        const char *message = json_string_value(json_object_get(x, "message"));
        enum koha_says says = KOHA_UNKNOWN;
        enum answer a = ANSWER_DOUBT;
        char words[ANSWER_WORDS_MAX + 1];
        for (size_t k = 0; status && k < sizeof statuses / sizeof statuses[0]; k++)
            if (strcmp(statuses[k].status, status) == 0) {
                says = statuses[k].says;
                a = statuses[k].answer;
            }
        snprintf(words, sizeof words, "%s", message ? message : status ? status : "");
        text_mend(words);
        each(ctx, i, says, a, words);
    }
    json_decref(j);
    return e;
}

enum err koha_token(const char *p, size_t n, char *token, size_t room)
{
    json_t *j = json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL);
    const char *s = json_string_value(json_object_get(j, "access_token"));
    bool ok = s && *s != '\0' && strlen(s) < room && text_is_clean(s);

    if (ok)
        memcpy(token, s, strlen(s) + 1);
    json_decref(j);
    return ok ? ERR_OK : ERR_MALFORMED;
}
