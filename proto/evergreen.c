/* evergreen.c - reads what an Evergreen server answers: events, a session's status, exceptions.
 *
 * The server's numbers may be texts and its texts may be missing, so nothing is taken for granted
 * but the outer form. */
#include "evergreen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static json_t *read_json(const char *p, size_t n)
{
    return json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL);
}

/* Cut between characters, and clean. */
static void copy_text(const char *s, char *out, size_t room)
{
    snprintf(out, room, "%s", s ? s : "");
    text_mend(out);
}

static const char *text_of(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));

    return s ? s : "";
}

/* A number, or a text of digits. */
static bool number_of(const json_t *j, int64_t *out)
{
    const char *s = json_string_value(j);
    char *end;

    *out = 0;
    if (json_is_integer(j)) {
        *out = json_integer_value(j);
        return true;
    }
    if (!s || *s < '0' || *s > '9')
        return false;
    *out = strtol(s, &end, 10);
    return *end == '\0';
}

static uint64_t count_of(const json_t *j, const char *key)
{
    int64_t v;

    return number_of(json_object_get(j, key), &v) && v > 0 ? (uint64_t)v : 0;
}

/* Perl knows no null: a time that was not set is null, "" or 0. */
static bool is_set(const json_t *j, const char *key)
{
    const json_t *v = json_object_get(j, key);
    int64_t n;

    return number_of(v, &n) ? n != 0 : json_string_length(v) > 0;
}

/* ---- events ---- */

static void append(char words[ANSWER_WORDS_MAX + 1], const char *sep, const char *s)
{
    size_t n = strlen(words);

    if (*s != '\0')
        snprintf(words + n, ANSWER_WORDS_MAX + 1 - n, "%s%s", n > 0 ? sep : "", s);
}

static bool take_event(const json_t *j, struct evergreen_event *out)
{
    int64_t code;
    const json_t *payload = json_object_get(j, "payload");

    memset(out, 0, sizeof *out);
    if (!json_is_object(j) || !number_of(json_object_get(j, "ilsevent"), &code))
        return false;
    out->code = (long)code;
    copy_text(text_of(j, "textcode"), out->textcode, sizeof out->textcode);
    copy_text(json_string_value(payload), out->payload, sizeof out->payload);
    append(out->words, "", text_of(j, "textcode"));
    append(out->words, " ", text_of(j, "ilsperm"));
    append(out->words, ": ", text_of(j, "desc"));
    append(out->words, "; ", text_of(j, "debug"));
    append(out->words, "; ", json_is_string(payload) ? json_string_value(payload) : "");
    text_mend(out->words);
    return true;
}

enum err evergreen_event(const char *p, size_t n, struct evergreen_event *out)
{
    json_t *j = read_json(p, n);
    bool ok = take_event(j, out);

    json_decref(j);
    return ok ? ERR_OK : ERR_MALFORMED;
}

enum evergreen_says evergreen_says(const struct evergreen_event *ev)
{
    switch (ev->code) {
    case 0:
        return EVERGREEN_DONE;
    case 1001: /* NO_SESSION: of the login, not of the upload */
        return EVERGREEN_LOG_IN;
    case 8000:
        return EVERGREEN_RUNNING;
    case 8010:
        return EVERGREEN_FINISHED;
    case 8001:
        return EVERGREEN_LOADED;
    case 8008:
        return EVERGREEN_NO_SESSION;
    case 8002:
    case 8004:
        return EVERGREEN_FILES;
    default:
        return EVERGREEN_REFUSED;
    }
}

enum err evergreen_token(const char *p, size_t n, char token[EVERGREEN_TEXT_MAX + 1],
                         struct evergreen_event *ev)
{
    json_t *j = read_json(p, n);
    const json_t *event = json_array_get(json_object_get(j, "payload"), 0);
    const char *s = text_of(json_object_get(event, "payload"), "authtoken");
    enum err e = ERR_OK;

    if (!take_event(event, ev))
        e = ERR_MALFORMED;
    else if (ev->code != 0)
        e = ERR_DENIED;
    else if (*s == '\0' || strlen(s) > EVERGREEN_TEXT_MAX)
        e = ERR_MALFORMED;
    else
        snprintf(token, EVERGREEN_TEXT_MAX + 1, "%s", s);
    json_decref(j);
    return e;
}

/* ---- the session ---- */

/* in_process is set before start_time. */
static bool has_begun(const json_t *session)
{
    return is_set(session, "start_time") || is_set(session, "in_process") ||
           is_set(session, "end_time");
}

enum err evergreen_status(const char *p, size_t n, struct evergreen_status *out)
{
    json_t *j = read_json(p, n);
    const json_t *scripts = json_object_get(j, "scripts");
    size_t k = json_array_size(scripts);

    memset(out, 0, sizeof *out);
    if (!json_is_array(scripts) || json_object_get(j, "ilsevent") || k > EVERGREEN_DESKS_MAX) {
        json_decref(j);
        return ERR_MALFORMED;
    }
    copy_text(text_of(j, "key"), out->key, sizeof out->key);
    copy_text(text_of(j, "description"), out->description, sizeof out->description);
    out->started = has_begun(j);
    out->ended = is_set(j, "end_time");
    out->done = count_of(j, "num_complete");
    for (; out->n < k; out->n++) {
        const json_t *s = json_array_get(scripts, out->n);
        copy_text(text_of(s, "workstation"), out->script[out->n].ws, sizeof out->script[0].ws);
        out->script[out->n].count = count_of(s, "count");
        out->script[out->n].shifted = is_set(s, "time_delta");
    }
    json_decref(j);
    return ERR_OK;
}

enum err evergreen_begun(const char *p, size_t n, const char *description,
                         char key[EVERGREEN_TEXT_MAX + 1])
{
    json_t *j = read_json(p, n);
    enum err e = json_is_array(j) ? ERR_OK : ERR_MALFORMED;

    key[0] = '\0';
    for (size_t i = 0; i < json_array_size(j) && key[0] == '\0'; i++) {
        const json_t *s = json_array_get(j, i);
        if (strcmp(text_of(s, "description"), description) == 0 && has_begun(s))
            copy_text(text_of(s, "key"), key, EVERGREEN_TEXT_MAX + 1);
    }
    json_decref(j);
    return e;
}

enum evergreen_match evergreen_compare(const struct evergreen_status *st, const char *description,
                                       struct evergreen_desk *desks, unsigned n)
{
    unsigned found = 0;

    for (unsigned i = 0; i < n; i++)
        desks[i].there = false;
    if (strcmp(st->description, description) != 0)
        return EVERGREEN_FOREIGN;
    for (unsigned s = 0; s < st->n; s++) {
        struct evergreen_desk *d = NULL;
        for (unsigned i = 0; i < n && !d; i++)
            if (strcmp(desks[i].ws, st->script[s].ws) == 0)
                d = &desks[i];
        /* Two files of one workstation: two uploaders loaded at one time. */
        if (!d || d->there || d->lines != st->script[s].count || st->script[s].shifted)
            return EVERGREEN_FOREIGN;
        d->there = true;
        found++;
    }
    return found == n ? EVERGREEN_ALL : EVERGREEN_SOME;
}

/* ---- exceptions ---- */

static enum answer answer_of(const struct evergreen_event *ev)
{
    switch (ev->code) {
    case 0:
        return ANSWER_ACCEPTED;
    case 3: /* NO_CHANGE: was not on loan */
        return ANSWER_ALREADY;
    case 7000: /* ROUTE_ITEM: checked in, and now belongs elsewhere */
        return ANSWER_DEVIATING;
    default:
        return ANSWER_REFUSED;
    }
}

/* Of several events that say why, the one that says most against it counts. */
static unsigned weight(enum answer a)
{
    return a == ANSWER_REFUSED ? 3 : a == ANSWER_DEVIATING ? 2 : a == ANSWER_ALREADY;
}

static enum answer judge(const json_t *event, char words[ANSWER_WORDS_MAX + 1])
{
    enum answer worst = ANSWER_ACCEPTED;
    struct evergreen_event ev;
    size_t n = json_is_array(event) ? json_array_size(event) : 1;
    bool any = false;

    words[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        if (!take_event(json_is_array(event) ? json_array_get(event, i) : event, &ev))
            continue;
        if (!any || weight(answer_of(&ev)) > weight(worst)) {
            worst = answer_of(&ev);
            snprintf(words, ANSWER_WORDS_MAX + 1, "%s", ev.words);
        }
        any = true;
    }
    if (any)
        return worst;
    snprintf(words, ANSWER_WORDS_MAX + 1, "Evergreen gave no reason");
    return ANSWER_REFUSED;
}

enum err evergreen_exceptions(const char *p, size_t n, void *ctx,
                              enum err (*each)(void *ctx, const char *id, enum answer a,
                                               const char *words))
{
    json_t *j = read_json(p, n);
    enum err e = json_is_array(j) ? ERR_OK : ERR_MALFORMED;

    for (size_t i = 0; e == ERR_OK && i < json_array_size(j); i++) {
        const json_t *x = json_array_get(j, i);
        char words[ANSWER_WORDS_MAX + 1];
        enum answer a = judge(json_object_get(x, "event"), words);
        e = each(ctx, text_of(json_object_get(x, "command"), "tideover_id"), a, words);
    }
    json_decref(j);
    return e;
}
