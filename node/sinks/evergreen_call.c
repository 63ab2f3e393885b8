/* evergreen_call.c - one call of Evergreen's offline script, with the login before it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "evergreen_int.h"

#define GATEWAY "/osrf-gateway-v1"
#define SCRIPT  "/cgi-bin/offline/offline.pl"

/* ---- the batch's lines: whose they are, and when the server takes them ---- */

static enum err place_line(struct evergreen *e, struct sink_batch *b, uint64_t k)
{
    struct evergreen_line l;
    struct sink_line line;
    unsigned desk = 0;
    enum err rc = b->line(b->ctx, k, &line);

    if (rc == ERR_OK)
        rc = evergreen_line(line.bytes, line.n, &l);
    if (rc == ERR_OK)
        rc = evergreen_desk_find(e->desk, e->name, &e->n_desks, l.desk, &desk);
    if (rc != ERR_OK)
        return rc;
    e->desk[desk].lines++;
    e->place[k - 1] = (struct evergreen_place){ .id = evergreen_id(l.id),
                                                .timestamp = l.timestamp,
                                                .line = (uint32_t)k,
                                                .bytes = (uint32_t)line.n,
                                                .desk = (uint16_t)desk,
                                                .registers = l.registers };
    return ERR_OK;
}

static enum delivery place_lines(struct evergreen *e, struct sink_batch *b, char words[256])
{
    if (e->place)
        return DELIVERY_DONE;
    if (b->n_lines > UINT32_MAX || (e->place = calloc(b->n_lines + 1, sizeof *e->place)) == NULL) {
        snprintf(words, 256, "out of memory");
        return DELIVERY_RETRY;
    }
    for (uint64_t k = 1; k <= b->n_lines; k++) {
        enum err rc = place_line(e, b, k);
        if (rc == ERR_OK)
            continue;
        free(e->place);
        e->place = NULL;
        e->n_desks = 0;
        snprintf(words, 256,
                 "line %llu of the batch is no line for Evergreen: is the policy's format "
                 "evergreen?",
                 (unsigned long long)k);
        return rc == ERR_DISK ? DELIVERY_RETRY : DELIVERY_STOP;
    }
    return DELIVERY_DONE;
}

enum delivery evergreen_begin(struct sink_batch *b, struct evergreen **out, char words[256])
{
    struct evergreen *e = *b->session;

    if (!e) {
        if ((e = calloc(1, sizeof *e)) == NULL) {
            snprintf(words, 256, "out of memory");
            return DELIVERY_RETRY;
        }
        snprintf(e->org, sizeof e->org, "%u", b->policy->evergreen_service.org);
        snprintf(e->description, sizeof e->description, "%s", b->name);
        for (char *s = e->description; *s != '\0'; s++)
            if (*s == '/')
                *s = '-';
        e->web = web_new(b, EVERGREEN_LIMIT_MS, words);
        if (!e->web) {
            free(e);
            return DELIVERY_STOP;
        }
        *b->session = e;
    }
    *out = e;
    return place_lines(e, b, words);
}

void evergreen_end(struct evergreen *e)
{
    if (!e)
        return;
    web_free(e->web);
    free(e->place);
    sodium_memzero(e->token, sizeof e->token);
    free(e);
}

/* ---- login ---- */

static void json_text(struct buf *b, const char *s)
{
    buf_text(b, "\"");
    for (; *s != '\0'; s++)
        if (*s == '"' || *s == '\\')
            buf_printf(b, "\\%c", *s);
        else
            buf_add(b, s, 1); /* one line of text: no control characters */
    buf_text(b, "\"");
}

static void login_param(const struct evergreen_service *s, const char *user, const char *pass,
                        struct buf *out)
{
    buf_text(out, "{\"username\":");
    json_text(out, user);
    buf_text(out, ",\"password\":");
    json_text(out, pass);
    buf_text(out, ",\"type\":\"staff\"");
    if (s->workstation[0] != '\0') {
        buf_text(out, ",\"workstation\":");
        json_text(out, s->workstation);
    }
    buf_add(out, "}", 2); /* with its NUL */
}

static bool login_form(struct sink_batch *b, struct buf *form, char words[256])
{
    const struct evergreen_service *s = &b->policy->evergreen_service;
    struct web_login login;
    struct buf param = { 0 };
    bool ok = web_find_login(b, s->user, &login, words);

    if (!ok)
        return false;
    login_param(s, login.user, login.pass, &param);
    sodium_memzero(&login, sizeof login);
    if (!param.failed) {
        web_form_add(form, "service", "open-ils.auth");
        web_form_add(form, "method", "open-ils.auth.login");
        web_form_add(form, "param", (const char *)param.p);
    }
    ok = !param.failed && !form->failed;
    buf_wipe(&param);
    if (!ok)
        snprintf(words, 256, "out of memory");
    return ok;
}

static enum delivery login_said(struct evergreen *e, const struct web_answer *a, char words[256])
{
    struct evergreen_event ev = { 0 };

    char detail[EVERGREEN_TEXT_MAX + 4];

    switch (evergreen_token((const char *)a->body.p, a->body.len, e->token, &ev)) {
    case ERR_OK:
        return DELIVERY_DONE;
    case ERR_DENIED:
        snprintf(detail, sizeof detail, " (%s)", ev.textcode);
        return web_denied(e->web, "Evergreen", detail, words);
    default:
        snprintf(words, 256,
                 "the login at the policy's sink answers something else than "
                 "Evergreen does: is the address right?");
        return DELIVERY_STOP;
    }
}

static enum delivery log_in(struct evergreen *e, struct sink_batch *b, char words[256])
{
    struct buf form = { 0 };
    struct web_request rq = { .path = GATEWAY, .form = &form };
    struct web_answer a = { 0 };
    enum delivery d = DELIVERY_STOP;
    enum web_end end;

    e->token[0] = '\0';
    if (login_form(b, &form, words)) {
        end = web_send(e->web, &rq, &a);
        d = end == WEB_ANSWERED && a.status == 200
                ? login_said(e, &a, words)
                : web_failed(e->web, &a, end, "Evergreen", words);
        web_answer_free(&a);
    }
    buf_wipe(&form);
    return d;
}

/* ---- a call ---- */

struct loading { /* the lines of one desk, as they go out */
    struct sink_batch *b;
    const struct evergreen *e;
    unsigned desk;
    uint64_t next; /* line after the ones that were taken, from 0 */
    const uint8_t *at;
    size_t left;
};

static bool next_line(struct loading *l)
{
    struct sink_line line;

    while (l->next < l->b->n_lines && l->e->place[l->next].desk != l->desk)
        l->next++;
    if (l->next == l->b->n_lines)
        return true;
    if (l->b->line(l->b->ctx, ++l->next, &line) != ERR_OK)
        return false;
    l->at = line.bytes;
    l->left = line.n;
    return true;
}

static size_t read_lines(char *to, size_t size, size_t n, void *ctx)
{
    struct loading *l = ctx;
    size_t room = size * n, done = 0;

    while (done < room) {
        size_t part = l->left < room - done ? l->left : room - done;
        if (l->left == 0 && !next_line(l))
            return CURL_READFUNC_ABORT;
        if (l->left == 0)
            break;
        part = l->left < room - done ? l->left : room - done;
        memcpy(to + done, l->at, part);
        done += part;
        l->at += part;
        l->left -= part;
    }
    return done;
}

static void add_part(curl_mime *m, const char *key, const char *value)
{
    curl_mimepart *part = curl_mime_addpart(m);

    curl_mime_name(part, key);
    curl_mime_data(part, value, CURL_ZERO_TERMINATED);
}

static void add_file(curl_mime *m, struct loading *l, const char *ws)
{
    curl_mimepart *part = curl_mime_addpart(m);
    char file[EVERGREEN_WS_MAX + 8];
    curl_off_t bytes = 0;

    for (uint64_t k = 0; k < l->b->n_lines; k++)
        if (l->e->place[k].desk == l->desk)
            bytes += l->e->place[k].bytes;
    snprintf(file, sizeof file, "%s.xacts", ws);
    curl_mime_name(part, "file");
    curl_mime_filename(part, file);
    curl_mime_type(part, "text/plain");
    curl_mime_data_cb(part, bytes, read_lines, NULL, NULL, l);
}

/* In the body, so that the token stands in no access log. */
static enum web_end send_call(struct evergreen *e, struct sink_batch *b,
                              const struct evergreen_call *call, struct web_answer *a)
{
    const char *ws = call->load ? call->load->ws : e->n_desks > 0 ? e->desk[0].ws : "tideover";
    const char *const pairs[][2] = {
        { "ses", e->token },
        { "org", e->org },
        { "ws", ws },
        { "wc", "1" },
        { "action", call->action },
        { "seskey", call->key },
        { "status_type", call->status_type },
        { strcmp(call->action, "create") == 0 ? "desc" : NULL, e->description },
        { call->load ? "delta" : NULL, "0" },
    };
    struct loading l = { .b = b,
                         .e = e,
                         .desk = call->load ? (unsigned)(call->load - e->desk) : 0 };
    struct buf form = { 0 };
    struct web_request rq = { .path = SCRIPT };
    enum web_end end;

    if (call->load)
        rq.mime = web_mime(e->web);
    else
        rq.form = &form;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (!pairs[i][0] || !pairs[i][1])
            continue;
        if (rq.mime)
            add_part(rq.mime, pairs[i][0], pairs[i][1]);
        else
            web_form_add(&form, pairs[i][0], pairs[i][1]);
    }
    if (rq.mime)
        add_file(rq.mime, &l, ws);
    end = web_send(e->web, &rq, a);
    curl_mime_free(rq.mime);
    buf_wipe(&form);
    return end;
}

static bool token_expired(const struct web_answer *a)
{
    struct evergreen_event ev;

    return a->status == 200 &&
           evergreen_event((const char *)a->body.p, a->body.len, &ev) == ERR_OK &&
           evergreen_says(&ev) == EVERGREEN_LOG_IN;
}

static enum evergreen_end how_it_ended(const struct evergreen *e, const struct web_answer *a,
                                       enum web_end end, enum delivery *why, char words[256])
{
    if (end == WEB_LOST || (end == WEB_ANSWERED && a->status > 500)) {
        snprintf(words, 256, "Evergreen gave no answer (%.120s)",
                 end == WEB_LOST ? a->words : "a gateway's error");
        return EVERGREEN_LOST;
    }
    if (end == WEB_ANSWERED && a->status == 200)
        return EVERGREEN_SAID;
    if (end == WEB_ANSWERED && a->status == 500) {
        snprintf(words, 256, "Evergreen's offline script broke (HTTP 500): its log says why");
        return EVERGREEN_BROKE;
    }
    *why = web_failed(e->web, a, end, "Evergreen", words);
    return EVERGREEN_NOT;
}

enum evergreen_end evergreen_call(struct evergreen *e, struct sink_batch *b,
                                  const struct evergreen_call *call, struct web_answer *a,
                                  enum delivery *why, char words[256])
{
    bool fresh = e->token[0] == '\0';
    enum web_end end;

    memset(a, 0, sizeof *a);
    if (fresh && (*why = log_in(e, b, words)) != DELIVERY_DONE)
        return EVERGREEN_NOT;
    end = send_call(e, b, call, a);
    if (end == WEB_ANSWERED && token_expired(a) && !fresh) {
        web_answer_free(a);
        if ((*why = log_in(e, b, words)) != DELIVERY_DONE)
            return EVERGREEN_NOT;
        end = send_call(e, b, call, a);
    }
    return how_it_ended(e, a, end, why, words);
}
