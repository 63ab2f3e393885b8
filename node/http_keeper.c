/* http_keeper.c - the keeper's lock, clock and dice: asked from libmicrohttpd's thread and the
 * loop. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "http_int.h"
#include "now.h"

void page_keeper_open(struct page_keeper *g, const struct http_config *c)
{
    pthread_mutex_init(&g->lock, NULL);
    snprintf(g->cookie_name, sizeof g->cookie_name, "%s", c->cookie_name ? c->cookie_name : "");
    if (c->sessions)
        keeper_read(&g->keeper, clock_ms(CLOCK_BOOTTIME), c->wall_ms, c->sessions, c->sessions_len);
}

void page_keeper_close(struct page_keeper *g)
{
    pthread_mutex_destroy(&g->lock);
    sodium_memzero(g, sizeof *g);
}

/* Secrets that are nobody's: the caller goes on as nobody. */
bool page_judge(struct page_keeper *g, const struct page_keys *k, bool is_change,
                struct http_request *rq)
{
    uint64_t now = clock_ms(CLOCK_BOOTTIME);
    bool slow = true;

    pthread_mutex_lock(&g->lock);
    rq->session = keeper_who(&g->keeper, now, k->cookie, k->has_token ? k->token : NULL);
    if (rq->session != 0)
        rq->right = keeper_is_lifted(&g->keeper, now, rq->session) ? HTTP_CTL : HTTP_DESK;
    if (rq->session != 0 && is_change) {
        slow = keeper_change(&g->keeper, now, rq->session);
        keeper_touch(&g->keeper, now, rq->session);
    }
    pthread_mutex_unlock(&g->lock);
    return slow;
}

void http_keeper_code(struct http *h, char code[2 * KEEPER_CODE_BYTES + 1])
{
    struct page_keeper *g = http_keeper_of(h);
    uint8_t bytes[KEEPER_CODE_BYTES];

    randombytes_buf(bytes, sizeof bytes);
    pthread_mutex_lock(&g->lock);
    keeper_add_code(&g->keeper, clock_ms(CLOCK_BOOTTIME), bytes);
    pthread_mutex_unlock(&g->lock);
    sodium_bin2hex(code, 2 * sizeof bytes + 1, bytes, sizeof bytes);
    sodium_memzero(bytes, sizeof bytes);
}

bool http_keeper_enter(struct http *h, const char *code, struct http_request *rq)
{
    struct page_keeper *g = http_keeper_of(h);
    uint8_t bytes[KEEPER_CODE_BYTES] = { 0 }, cookie[KEEPER_SECRET_BYTES],
            token[KEEPER_SECRET_BYTES];
    char hex[2 * KEEPER_SECRET_BYTES + 1];
    size_t n = 0;

    if (strlen(code) != 2 * sizeof bytes ||
        sodium_hex2bin(bytes, sizeof bytes, code, 2 * sizeof bytes, NULL, &n, NULL) != 0 ||
        n != sizeof bytes)
        return false;
    randombytes_buf(cookie, sizeof cookie);
    randombytes_buf(token, sizeof token);
    pthread_mutex_lock(&g->lock);
    rq->session = keeper_enter(&g->keeper, clock_ms(CLOCK_BOOTTIME), bytes, cookie, token);
    pthread_mutex_unlock(&g->lock);
    if (rq->session != 0) {
        sodium_bin2hex(hex, sizeof hex, cookie, sizeof cookie);
        snprintf(rq->set_cookie, sizeof rq->set_cookie, "%s=%s; HttpOnly; SameSite=Strict; Path=/",
                 g->cookie_name, hex);
    }
    sodium_memzero(cookie, sizeof cookie);
    sodium_memzero(token, sizeof token);
    sodium_memzero(hex, sizeof hex);
    return rq->session != 0;
}

bool http_keeper_token(struct http *h, uint64_t session, char token[2 * KEEPER_SECRET_BYTES + 1])
{
    struct page_keeper *g = http_keeper_of(h);
    const uint8_t *bytes;

    pthread_mutex_lock(&g->lock);
    bytes = keeper_token(&g->keeper, session);
    if (bytes != NULL)
        sodium_bin2hex(token, 2 * KEEPER_SECRET_BYTES + 1, bytes, KEEPER_SECRET_BYTES);
    pthread_mutex_unlock(&g->lock);
    return bytes != NULL;
}

void http_keeper_leave(struct http *h, uint64_t session)
{
    struct page_keeper *g = http_keeper_of(h);

    pthread_mutex_lock(&g->lock);
    keeper_leave(&g->keeper, session);
    pthread_mutex_unlock(&g->lock);
}

void http_keeper_write(struct http *h, int64_t wall_ms, struct buf *out)
{
    struct page_keeper *g = http_keeper_of(h);

    pthread_mutex_lock(&g->lock);
    keeper_write(&g->keeper, clock_ms(CLOCK_BOOTTIME), wall_ms, out);
    pthread_mutex_unlock(&g->lock);
}

bool http_keeper_poll_begin(struct http *h, uint64_t session)
{
    struct page_keeper *g = http_keeper_of(h);
    bool room;

    pthread_mutex_lock(&g->lock);
    room = keeper_poll_begin(&g->keeper, session);
    pthread_mutex_unlock(&g->lock);
    return room;
}

void http_keeper_poll_end(struct http *h, uint64_t session)
{
    struct page_keeper *g = http_keeper_of(h);

    pthread_mutex_lock(&g->lock);
    keeper_poll_end(&g->keeper, session);
    pthread_mutex_unlock(&g->lock);
}

void http_keeper_lift(struct http *h, uint64_t session)
{
    struct page_keeper *g = http_keeper_of(h);

    pthread_mutex_lock(&g->lock);
    keeper_lift(&g->keeper, clock_ms(CLOCK_BOOTTIME), session);
    pthread_mutex_unlock(&g->lock);
}

void http_keeper_lower(struct http *h, uint64_t session)
{
    struct page_keeper *g = http_keeper_of(h);

    pthread_mutex_lock(&g->lock);
    keeper_lower(&g->keeper, session);
    pthread_mutex_unlock(&g->lock);
}

bool http_keeper_is_lifted(struct http *h, uint64_t session)
{
    struct page_keeper *g = http_keeper_of(h);
    bool lifted;

    pthread_mutex_lock(&g->lock);
    lifted = keeper_is_lifted(&g->keeper, clock_ms(CLOCK_BOOTTIME), session);
    pthread_mutex_unlock(&g->lock);
    return lifted;
}

uint64_t http_keeper_pin_wait(struct http *h, enum keeper_page page)
{
    struct page_keeper *g = http_keeper_of(h);
    uint64_t wait;

    pthread_mutex_lock(&g->lock);
    wait = keeper_pin_wait(&g->keeper, clock_ms(CLOCK_BOOTTIME), page);
    pthread_mutex_unlock(&g->lock);
    return wait;
}

void http_keeper_pin_tried(struct http *h, enum keeper_page page, bool right)
{
    struct page_keeper *g = http_keeper_of(h);

    pthread_mutex_lock(&g->lock);
    keeper_pin_tried(&g->keeper, clock_ms(CLOCK_BOOTTIME), page, right);
    pthread_mutex_unlock(&g->lock);
}
