/* keeper.c - who may use the local pages. */
#include "keeper.h"

#include <sodium.h>
#include <string.h>

static const char *const page_names[KEEPER_PAGES] = { "desk", "lead", "admin" };

const char *keeper_page_name(enum keeper_page p)
{
    return page_names[p];
}

bool keeper_page_by_name(const char *name, enum keeper_page *out)
{
    for (unsigned i = 0; i < KEEPER_PAGES; i++)
        if (strcmp(page_names[i], name) == 0) {
            *out = (enum keeper_page)i;
            return true;
        }
    return false;
}

/* ---- sessions ---- */

static bool has_ended(const struct keeper_session *s, uint64_t now_ms)
{
    return s->id == 0 || now_ms - s->began_ms >= KEEPER_SESSION_MS;
}

static struct keeper_session *session_of(struct keeper *g, uint64_t id)
{
    for (unsigned i = 0; id != 0 && i < KEEPER_SESSIONS; i++)
        if (g->session[i].id == id)
            return &g->session[i];
    return NULL;
}

static void end_session(struct keeper_session *s)
{
    sodium_memzero(s, sizeof *s);
}

void keeper_add_code(struct keeper *g, uint64_t now_ms, const uint8_t code[KEEPER_CODE_BYTES])
{
    unsigned at = 0;

    for (unsigned i = 1; i < KEEPER_CODES && g->code[at].live; i++)
        if (!g->code[i].live || g->code[i].until_ms < g->code[at].until_ms)
            at = i;
    g->code[at].live = true;
    g->code[at].until_ms = now_ms + KEEPER_CODE_MS;
    memcpy(g->code[at].code, code, KEEPER_CODE_BYTES);
}

/* All are compared, each in constant time. */
static bool take_code(struct keeper *g, uint64_t now_ms, const uint8_t code[KEEPER_CODE_BYTES])
{
    bool found = false;

    for (unsigned i = 0; i < KEEPER_CODES; i++) {
        bool same = sodium_memcmp(g->code[i].code, code, KEEPER_CODE_BYTES) == 0;
        if (!g->code[i].live || !same)
            continue;
        found = now_ms < g->code[i].until_ms;
        sodium_memzero(&g->code[i], sizeof g->code[i]);
    }
    return found;
}

uint64_t keeper_enter(struct keeper *g, uint64_t now_ms, const uint8_t code[KEEPER_CODE_BYTES],
                      const uint8_t cookie[KEEPER_SECRET_BYTES],
                      const uint8_t token[KEEPER_SECRET_BYTES])
{
    struct keeper_session *s = &g->session[0];

    if (!take_code(g, now_ms, code))
        return 0;
    for (unsigned i = 1; i < KEEPER_SESSIONS && !has_ended(s, now_ms); i++)
        if (has_ended(&g->session[i], now_ms) || g->session[i].used_ms < s->used_ms)
            s = &g->session[i];
    end_session(s);
    s->id = ++g->last_id;
    s->began_ms = s->used_ms = now_ms;
    memcpy(s->cookie, cookie, KEEPER_SECRET_BYTES);
    memcpy(s->token, token, KEEPER_SECRET_BYTES);
    return s->id;
}

uint64_t keeper_who(struct keeper *g, uint64_t now_ms, const uint8_t cookie[KEEPER_SECRET_BYTES],
                    const uint8_t *token)
{
    uint64_t who = 0;

    for (unsigned i = 0; i < KEEPER_SESSIONS; i++) {
        struct keeper_session *s = &g->session[i];
        bool same = sodium_memcmp(s->cookie, cookie, KEEPER_SECRET_BYTES) == 0;

        if (token != NULL)
            same &= sodium_memcmp(s->token, token, KEEPER_SECRET_BYTES) == 0;
        if (s->id != 0 && has_ended(s, now_ms))
            end_session(s);
        else if (s->id != 0 && same)
            who = s->id, s->used_ms = now_ms;
    }
    return who;
}

const uint8_t *keeper_token(const struct keeper *g, uint64_t id)
{
    const struct keeper_session *s = session_of((struct keeper *)g, id);

    return s ? s->token : NULL;
}

void keeper_leave(struct keeper *g, uint64_t id)
{
    struct keeper_session *s = session_of(g, id);

    if (s)
        end_session(s);
}

/* Cookie, token, when it ends by the wall clock. */
void keeper_write(const struct keeper *g, uint64_t now_ms, int64_t wall_ms, struct buf *out)
{
    for (unsigned i = 0; i < KEEPER_SESSIONS; i++) {
        const struct keeper_session *s = &g->session[i];
        uint8_t until[8];

        if (has_ended(s, now_ms))
            continue;
        put_be64(until, (uint64_t)wall_ms + KEEPER_SESSION_MS - (now_ms - s->began_ms));
        buf_add(out, s->cookie, sizeof s->cookie);
        buf_add(out, s->token, sizeof s->token);
        buf_add(out, until, sizeof until);
    }
}

void keeper_read(struct keeper *g, uint64_t now_ms, int64_t wall_ms, const uint8_t *p, size_t n)
{
    for (unsigned i = 0; i < KEEPER_SESSIONS && n >= KEEPER_SESSION_BYTES; i++) {
        struct keeper_session *s = &g->session[i];
        uint64_t left = get_be64(p + 2 * KEEPER_SECRET_BYTES) - (uint64_t)wall_ms;

        if (left > 0 && left <= KEEPER_SESSION_MS) {
            end_session(s);
            s->id = ++g->last_id;
            memcpy(s->cookie, p, sizeof s->cookie);
            memcpy(s->token, p + sizeof s->cookie, sizeof s->token);
            s->began_ms =
                now_ms - (KEEPER_SESSION_MS - left); /* may wrap: only differences count */
            s->used_ms = now_ms;
        }
        p += KEEPER_SESSION_BYTES;
        n -= KEEPER_SESSION_BYTES;
    }
}

/* ---- limits ---- */

bool keeper_change(struct keeper *g, uint64_t now_ms, uint64_t id)
{
    struct keeper_session *s = session_of(g, id);

    if (s == NULL)
        return false;
    if (now_ms - s->second_ms >= 1000) {
        s->second_ms = now_ms;
        s->changes = 0;
    }
    return ++s->changes <= KEEPER_CHANGES_S;
}

bool keeper_poll_begin(struct keeper *g, uint64_t id)
{
    struct keeper_session *s = session_of(g, id);

    if (g->polls == KEEPER_POLLS_ALL || (s && s->polls == KEEPER_POLLS))
        return false;
    g->polls++;
    if (s)
        s->polls++;
    return true;
}

void keeper_poll_end(struct keeper *g, uint64_t id)
{
    struct keeper_session *s = session_of(g, id);

    g->polls--;
    if (s && s->polls > 0)
        s->polls--;
}

/* ---- PINs ---- */

void keeper_lift(struct keeper *g, uint64_t now_ms, uint64_t id)
{
    struct keeper_session *s = session_of(g, id);

    if (s)
        s->lifted_ms = now_ms;
}

bool keeper_is_lifted(const struct keeper *g, uint64_t now_ms, uint64_t id)
{
    const struct keeper_session *s = session_of((struct keeper *)g, id);

    return s && s->lifted_ms != 0 && now_ms - s->lifted_ms < KEEPER_LIFT_MS;
}

void keeper_touch(struct keeper *g, uint64_t now_ms, uint64_t id)
{
    if (keeper_is_lifted(g, now_ms, id))
        keeper_lift(g, now_ms, id);
}

void keeper_lower(struct keeper *g, uint64_t id)
{
    struct keeper_session *s = session_of(g, id);

    if (s)
        s->lifted_ms = 0;
}

uint64_t keeper_pin_wait(const struct keeper *g, uint64_t now_ms, enum keeper_page page)
{
    return now_ms < g->pin[page].until_ms ? g->pin[page].until_ms - now_ms : 0;
}

void keeper_pin_tried(struct keeper *g, uint64_t now_ms, enum keeper_page page, bool right)
{
    uint64_t wait = KEEPER_PIN_WAIT_MS;

    if (right) {
        g->pin[page].wrong = 0;
        g->pin[page].until_ms = 0;
        return;
    }
    if (++g->pin[page].wrong < KEEPER_PIN_FREE)
        return;
    for (unsigned i = KEEPER_PIN_FREE; i < g->pin[page].wrong && wait < KEEPER_PIN_WAIT_MOST; i++)
        wait *= 2;
    g->pin[page].until_ms = now_ms + (wait < KEEPER_PIN_WAIT_MOST ? wait : KEEPER_PIN_WAIT_MOST);
}
