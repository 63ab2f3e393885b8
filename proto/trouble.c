/* trouble.c - why an upload does not get on, and that every desk says so: the server does not
 * answer (it is tried again), or it refuses the login (nobody tries again by himself), or a person
 * must look. */
#include "ledger_int.h"

#include <string.h>

void trouble_set(struct ledger *l, enum ledger_trouble trouble, const char *words)
{
    ledger_set_problem(l, words);
    l->trouble = trouble;
}

/* What was said before does not count any more; but a server that was not there a moment ago is
 * believed to be back when it has answered. */
void trouble_begin_anew(struct ledger *l)
{
    if (l->trouble != TROUBLE_WAITS)
        ledger_set_problem(l, "");
}

/* ---- until a lead says it again ---- */

static void hash_of_word(const struct ledger *l, uint8_t out[HASH_BYTES])
{
    const struct buf *word = l->trigger.len == 0 && ledger_leads(l) ? &l->cur.trigger : &l->trigger;
    struct intent in = { 0 };

    if (word->len == 0 && l->acc.len > 0 &&
        intent_decode(l->acc.p, l->acc.len, &in, NULL) == ERR_OK)
        word = &in.trigger;
    crypto_generichash(out, HASH_BYTES, word->p, word->len, NULL, 0);
    intent_free(&in);
}

static void stop(struct ledger *l)
{
    hash_of_word(l, l->stopped_word);
    l->stopped = true;
    trigger_drop(l); /* a person was told; pressing again tries again */
}

void trouble_stop(struct ledger *l, const struct ledger_moment *now)
{
    stop(l);
    election_resign(l, now, LEASE_MS);
}

bool trouble_was_stopped(const struct ledger *l, const uint8_t *word, size_t n)
{
    uint8_t hash[HASH_BYTES];

    crypto_generichash(hash, HASH_BYTES, word, n, NULL, 0);
    return l->stopped && memcmp(hash, l->stopped_word, HASH_BYTES) == 0;
}

void ledger_login_changed(struct ledger *l, const struct ledger_moment *now)
{
    if (!l->stopped || l->trouble != TROUBLE_DENIED)
        return;
    l->stopped = false;
    ledger_set_problem(l, "");
    l->next_try = now->boot_ms;
}

/* ---- told to the others: the end of RESIGN ---- */

void trouble_put(const struct ledger *l, struct buf *b)
{
    mp_put_u64(b, l->trouble);
    mp_put_str(b, l->trouble == TROUBLE_NONE ? "" : l->problem);
}

/* Only whoever led us may put us off; a desk without a seat follows nobody, and decides nothing. */
static bool may_say(const struct ledger *l, const struct desk_id *from)
{
    return l->state == LEDGER_IDLE && !l->stopped && !desk_id_eq(from, &l->me->id) &&
           (desk_id_eq(from, &l->promised_to) || ledger_seat_of(l, &l->me->id) < 0);
}

void trouble_on_resign(struct ledger *l, const struct ledger_moment *now,
                       const struct desk_id *from, struct mp *m)
{
    uint64_t trouble = mp_get_u64(m);
    const struct desk *d = roster_find(l->roster, from);
    char words[sizeof l->problem], text[sizeof l->problem + DESK_NAME_MAX + 4];

    mp_get_str(m, words, sizeof words);
    if (m->bad || words[0] == '\0' || !d || !may_say(l, from))
        return;
    if (trouble == TROUBLE_WAITS) {
        trouble_set(l, TROUBLE_WAITS, words);
        l->trouble_until = now->boot_ms + TROUBLE_LIFE_MS;
    } else if (trouble == TROUBLE_DENIED) { /* more tries would lock the login */
        snprintf(text, sizeof text, "%s: %s", d->name, words);
        stop(l);
        trouble_set(l, TROUBLE_DENIED, text);
    }
}

void trouble_tick(struct ledger *l, const struct ledger_moment *now)
{
    if (l->trouble == TROUBLE_WAITS && now->boot_ms >= l->trouble_until)
        ledger_set_problem(l, "");
}

void trouble_view(const struct ledger *l, const struct ledger_moment *now, struct ledger_view *out)
{
    uint64_t at = l->state == LEDGER_IDLE                     ? l->next_try
                  : l->state == LEDGER_SEND && !l->delivering ? l->retry_at
                  : l->state == LEDGER_QUIET                  ? l->quiet_until
                                                              : 0;

    out->trouble = l->trouble;
    out->next_try_ms = at > now->boot_ms ? at - now->boot_ms : 0;
}
