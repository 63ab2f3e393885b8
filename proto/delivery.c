/* delivery.c - classes of sinks, the steps of a hand-over, a lead's word on what is in doubt. */
#include "delivery.h"

#include <string.h>

static const char decision_domain[] = "tideover decision v1";

/* The rows say what a site must keep; node/sinks/README.md says how each is told. `tell:`, `ask:`, `blind:`
 * and `collect:` are the simulator's. */
static const struct {
    const char *scheme;
    enum sink_class class;
    bool answers;
    uint32_t quiet_ms;
} schemes[] = {
    { "file:", SINK_F2, false, 30000 },
    { "drop:", SINK_DROP, false, 30000 },
    { "sftp:", SINK_F2, false, 30000 },
    { "https:", SINK_F0, false, 30000 },
    { "http:", SINK_F0, false, 30000 },
    { "put:", SINK_F2, false, 30000 },
    { "key:", SINK_F3, false, 0 },
    { "sip2:", SINK_F1, true, 60000 },
    { "sip2s:", SINK_F1, true, 60000 },
    { "koha:", SINK_F1, true, 60000 },
    { "koha-plugin:", SINK_F3, true, 60000 },
    { "evergreen:", SINK_SESSION, true, 60000 },
    { "tell:", SINK_F3, true, 60000 },
    { "ask:", SINK_F1, true, 60000 },
    { "blind:", SINK_F0, false, 60000 },
    { "collect:", SINK_SESSION, true, 60000 },
};
#define SCHEMES (sizeof schemes / sizeof schemes[0])

static unsigned row_of(const char *sink)
{
    unsigned i = 0;

    while (i < SCHEMES && strncmp(sink, schemes[i].scheme, strlen(schemes[i].scheme)) != 0)
        i++;
    return i;
}

enum sink_class sink_class_of(const char *sink)
{
    unsigned i = row_of(sink);

    return i < SCHEMES ? schemes[i].class : SINK_NONE;
}

uint32_t sink_quiet_ms(const char *sink)
{
    unsigned i = row_of(sink);

    return i < SCHEMES ? schemes[i].quiet_ms : 0;
}

bool sink_answers(const char *sink)
{
    unsigned i = row_of(sink);

    return i < SCHEMES && schemes[i].answers;
}

bool sink_settles(const struct policy *p)
{
    return sink_answers(p->sink) && !(strncmp(p->sink, "koha", 4) == 0 && p->koha_service.pending);
}

bool sink_has_steps(enum sink_class c)
{
    return c == SINK_F1 || c == SINK_DROP || c == SINK_F0 || c == SINK_SESSION;
}

bool sink_place(const char *sink, char desk[DESK_NAME_MAX + 1], const char **path)
{
    const char *name = sink + strlen("drop:");
    size_t n;

    if (sink_class_of(sink) != SINK_DROP)
        return false;
    n = strcspn(name, ":");
    if (n == 0 || n > DESK_NAME_MAX || name[n] != ':')
        return false;
    memcpy(desk, name, n);
    desk[n] = '\0';
    *path = name + n + 1;
    return true;
}

bool sink_is_at(const char *sink, const char *desk)
{
    char place[DESK_NAME_MAX + 1];
    const char *path;

    return sink_class_of(sink) != SINK_DROP ||
           (sink_place(sink, place, &path) && strcmp(place, desk) == 0);
}

uint64_t delivery_items(enum sink_class c, const struct slot_part *parts, unsigned n)
{
    uint64_t lines = 0;

    for (unsigned i = 0; i < n; i++)
        lines += parts[i].lines;
    switch (c) {
    case SINK_F1:
        return lines;
    case SINK_SESSION:
        return lines > 0 ? SESSION_READ : 0;
    case SINK_DROP:
    case SINK_F0:
        return n;
    case SINK_F3:
    case SINK_F2:
    case SINK_NONE:
        break;
    }
    return n > 0;
}

/* ---- how far a batch is ---- */

void progress_encode(const struct progress *p, struct buf *out)
{
    mp_put_array(out, 7);
    mp_put_u64(out, p->step);
    mp_put_u64(out, p->done);
    mp_put_u64(out, p->doubts);
    mp_put_u64(out, p->n_answers);
    mp_put_bin(out, p->answers, HASH_BYTES);
    mp_put_array(out, p->n_decisions);
    for (unsigned i = 0; i < p->n_decisions; i++)
        mp_put_bin(out, p->decisions[i].b, p->decisions[i].n);
    mp_put_str(out, p->key);
}

enum err progress_decode(const uint8_t *p, size_t n, struct progress *out)
{
    struct mp m = mp_over(p, n);
    uint32_t k;

    memset(out, 0, sizeof *out);
    if (n > PROGRESS_BYTES_MAX || mp_get_array(&m) != 7)
        return ERR_MALFORMED;
    out->step = mp_get_u64(&m);
    out->done = mp_get_u64(&m);
    out->doubts = mp_get_u64(&m);
    out->n_answers = mp_get_u64(&m);
    mp_get_raw(&m, out->answers, HASH_BYTES);
    k = mp_get_array(&m);
    for (m.bad |= k > PROGRESS_DECISIONS_MAX; out->n_decisions < k && !m.bad; out->n_decisions++) {
        struct decision_bytes *d = &out->decisions[out->n_decisions];
        size_t len = 0;
        const uint8_t *b = mp_get_bin(&m, &len);
        if (!b || len > sizeof d->b)
            return ERR_MALFORMED;
        memcpy(d->b, b, len);
        d->n = (uint16_t)len;
    }
    mp_get_str(&m, out->key, sizeof out->key);
    return mp_done(&m) && out->step < UINT64_MAX / 2 ? ERR_OK : ERR_MALFORMED;
}

void progress_encode_bin(const struct progress *p, struct buf *out)
{
    struct buf b = { 0 };

    progress_encode(p, &b);
    mp_put_bin(out, b.p, b.len);
    buf_free(&b);
}

bool progress_get(struct mp *m, struct progress *out)
{
    size_t n = 0;
    const uint8_t *p = mp_get_bin(m, &n);

    if (m->bad || progress_decode(p, n, out) != ERR_OK)
        m->bad = true;
    return !m->bad;
}

enum delivery_move delivery_move(enum sink_class c, uint64_t items, const struct progress *at,
                                 bool mine)
{
    if (!sink_has_steps(c) && at->done == 0)
        return mine ? MOVE_SEND : MOVE_QUIET;
    if (!sink_has_steps(c))
        return MOVE_FINISH; /* it went whole, and its answers are stored */
    if (at->done >= items)
        return MOVE_FINISH;
    if (at->step % 2 == 0) /* whoever led before never had a majority for more: nothing left */
        return MOVE_STORE;
    return mine ? MOVE_SEND : MOVE_QUIET;
}

void progress_about_to(const struct progress *at, struct progress *next)
{
    *next = *at;
    next->step += 1 + at->step % 2;
}

void progress_arrived(const struct progress *at, uint64_t items, struct progress *next)
{
    *next = *at;
    next->done++;
    next->step += next->done < items ? 2 : 1; /* done with one and about to send the next, in one */
}

void progress_nothing_left(const struct progress *at, struct progress *next)
{
    *next = *at;
    next->step += at->step % 2;
}

/* Nothing was executed in it: leaving it behind does no harm, and a second load of one file would
 * be appended to the first. */
static void another_session(const struct progress *at, struct progress *next)
{
    progress_about_to(at, next);
    next->done = 0;
    next->key[0] = '\0';
}

static enum look_move after_look_at_session(const struct progress *at, enum delivery found,
                                            struct progress *next)
{
    uint64_t item = at->done + 1;

    if (found == DELIVERY_UNPROVEN && item == SESSION_EXECUTE)
        return LOOK_PERSON;
    if (found == DELIVERY_UNPROVEN && item == SESSION_LOAD)
        another_session(at, next);
    else
        progress_about_to(at, next); /* an empty session more, or its answers read once more */
    return LOOK_STORE;
}

enum look_move delivery_after_look(enum sink_class c, uint64_t items, const struct progress *at,
                                   enum delivery found, struct progress *next)
{
    if (found == DELIVERY_DONE) {
        progress_arrived(at, items, next);
        return LOOK_STORE;
    }
    if (c == SINK_SESSION)
        return after_look_at_session(at, found, next);
    if (c != SINK_F1)
        return LOOK_PERSON; /* a loader may have eaten it: absence proves nothing */
    if (found == DELIVERY_ABSENT) {
        progress_about_to(at, next);
        return LOOK_STORE;
    }
    if (at->doubts >= PROGRESS_DOUBTS_MAX)
        return LOOK_PERSON;
    progress_arrived(at, items, next); /* never a repeat */
    next->doubts++;
    return LOOK_STORE;
}

/* ---- a lead's word ---- */

void decision_sign(const uint8_t branch[BRANCH_ID_BYTES], const struct decision *d,
                   const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out)
{
    struct buf inner = { 0 };

    mp_put_array(&inner, 11);
    mp_put_u64(&inner, 1);
    mp_put_bin(&inner, branch, BRANCH_ID_BYTES);
    epoch_put(&inner, &d->epoch);
    mp_put_u64(&inner, d->slot);
    mp_put_bin(&inner, d->intent, HASH_BYTES);
    mp_put_u64(&inner, d->step);
    mp_put_bool(&inner, d->arrived);
    mp_put_i64(&inner, d->made_ms);
    mp_put_bin(&inner, d->desk.b, DESK_ID_BYTES);
    mp_put_bin(&inner, d->lead_pk, KEY_BYTES);
    signed_put(decision_domain, &inner, lead_sk, out);
}

enum err decision_open(const uint8_t *p, size_t n, const uint8_t branch[BRANCH_ID_BYTES],
                       struct decision *out, struct errmsg *msg)
{
    uint8_t sig[SIG_BYTES], theirs[BRANCH_ID_BYTES];
    size_t len = 0;
    const uint8_t *inner = n <= DECISION_BYTES_MAX ? signed_get(p, n, &len, sig) : NULL;
    struct mp m = mp_over(inner, len);

    memset(out, 0, sizeof *out);
    if (!inner || mp_get_array(&m) != 11 || mp_get_u64(&m) != 1)
        return err_set(msg, ERR_MALFORMED, "not a decision of this version");
    mp_get_raw(&m, theirs, sizeof theirs);
    epoch_get(&m, &out->epoch);
    out->slot = mp_get_u64(&m);
    mp_get_raw(&m, out->intent, HASH_BYTES);
    out->step = mp_get_u64(&m);
    out->arrived = mp_get_bool(&m);
    out->made_ms = mp_get_i64(&m);
    mp_get_raw(&m, out->desk.b, DESK_ID_BYTES);
    mp_get_raw(&m, out->lead_pk, KEY_BYTES);
    if (!mp_done(&m) || memcmp(theirs, branch, sizeof theirs) != 0)
        return err_set(msg, ERR_MALFORMED, "a decision that does not parse");
    if (!sign_ok(decision_domain, inner, len, out->lead_pk, sig))
        return err_set(msg, ERR_DENIED, "a decision whose signature is not right");
    return ERR_OK;
}

enum err progress_decided(const struct progress *at, uint64_t items, bool arrived,
                          const uint8_t *bytes, size_t n, struct progress *next)
{
    struct decision_bytes *d;

    if (n > DECISION_BYTES_MAX || (at->step % 2 == 0 && !arrived))
        return ERR_REFUSED;
    *next = *at;
    if (at->step % 2 == 0)
        next->done = items; /* the place is gone: all that was left went by hand */
    else
        next->done += arrived;
    next->step += at->step % 2 == 0 ? 2 : 1;
    if (next->n_decisions == PROGRESS_DECISIONS_MAX)
        memmove(next->decisions, next->decisions + 1,
                --next->n_decisions * sizeof *next->decisions);
    d = &next->decisions[next->n_decisions++];
    memcpy(d->b, bytes, n);
    d->n = (uint16_t)n;
    return ERR_OK;
}
