/* said.c - how words get round: said once, sent to all, and again while a peer's set differs. */
#include <string.h>

#include "core_int.h"

#define WORDS_AGAIN_MS 2000         /* to one peer whose set differs */
#define WORDS_AT_ONCE  (256u << 10) /* a long set goes in turns */

/* Bytes of words from `from` on, as many as fit; returns the next. */
unsigned said_send(struct core *c, const struct peer *p, unsigned from)
{
    struct buf body = { 0 }, b = { 0 };
    unsigned i = from;

    while (i < c->said.n && (i == from || body.len + c->said.v[i].bytes.len < WORDS_AT_ONCE)) {
        mp_put_bin(&body, c->said.v[i].bytes.p, c->said.v[i].bytes.len);
        i++;
    }
    wire_begin(&b, WIRE_WORD, 1);
    mp_put_array(&b, i - from);
    buf_add(&b, body.p, body.len);
    buf_free(&body);
    peer_send(c, p, &b);
    return i;
}

void said_compare(struct core *c, struct peer *p, const uint8_t theirs[WORD_ID_BYTES])
{
    if (memcmp(theirs, c->said.hash, WORD_ID_BYTES) == 0 || c->said.n == 0 ||
        (p->words_sent_ms != 0 && c->now_ms - p->words_sent_ms < WORDS_AGAIN_MS))
        return;
    p->words_sent_ms = c->now_ms;
    p->words_next = said_send(c, p, p->words_next < c->said.n ? p->words_next : 0);
}

void said_on_word(struct core *c, struct peer *p, struct mp *m)
{
    uint32_t n = mp_get_array(m);

    for (uint32_t i = 0; i < n && !m->bad; i++) {
        size_t len = 0;
        const uint8_t *word = mp_get_bin(m, &len);
        struct errmsg msg = { .text = "" };
        bool fresh;
        enum err e = m->bad ? ERR_MALFORMED : said_take(&c->said, word, len, &fresh, &msg);
        if (e == ERR_MALFORMED || e == ERR_DENIED) /* missing: our roster may be behind */
            peer_refuse(c, p, msg.text);
    }
}

enum err core_say(struct core *c, const struct moment *now, const uint8_t *word, size_t n,
                  struct errmsg *msg)
{
    bool fresh;
    enum err e = said_take(&c->said, word, n, &fresh, msg);

    c->now_ms = now->boot_ms;
    if (e == ERR_OK && fresh)
        past_hear(c);
    for (unsigned i = 0; e == ERR_OK && fresh && i < c->n_peers; i++)
        if (peer_is_active(c, &c->peers[i]))
            said_send(c, &c->peers[i], c->said.n - 1);
    return e;
}

const struct said *core_said(const struct core *c)
{
    return &c->said;
}
