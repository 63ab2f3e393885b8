/* words.c - a message in words, for the trace. */
#include <stdio.h>

#include "sim.h"
#include "wire.h"

#define NAME(type)                                                                                 \
    case WIRE_##type:                                                                              \
        return #type

static const char *name_of(unsigned type)
{
    switch ((enum wire_type)type) {
        NAME(HELLO);
        NAME(BEAT);
        NAME(VECTOR);
        NAME(WANT);
        NAME(BLOCKS);
        NAME(ACK);
        NAME(ROSTER_HAVE);
        NAME(ROSTER_OPS);
        NAME(BYE);
        NAME(KEY_WANT);
        NAME(KEY);
        NAME(FORK_ASK);
        NAME(FORK_PROOF);
        NAME(BLOCKLIST_ASK);
        NAME(BLOCKLIST);
        NAME(CLOCKS_ASK);
        NAME(CLOCKS);
        NAME(CONDITION);
        NAME(PACKED);
        NAME(PREVOTE);
        NAME(PREVOTED);
        NAME(VOTE);
        NAME(VOTED);
        NAME(RENEW);
        NAME(RENEWED);
        NAME(ACCEPT);
        NAME(ACCEPTED);
        NAME(REFUSED);
        NAME(RECEIPT);
        NAME(SLOTS_WANT);
        NAME(TRIGGER);
        NAME(RESIGN);
        NAME(OVERRIDE);
        NAME(EVIDENCE);
        NAME(PROGRESS);
        NAME(PROGRESSED);
        NAME(DECISION);
        NAME(FLOOR);
        NAME(WORD);
        NAME(ANSWERS_ASK);
        NAME(ANSWERS);
    case WIRE_JOIN:
    case WIRE_WELCOME:
    case WIRE_JOIN_REFUSED:
        break;
    }
    return "?";
}

/* Behind E: what a person following the ledger asks first. */
static void ledger_words(unsigned type, struct mp *m, char *out, size_t n)
{
    uint8_t hash[HASH_BYTES];
    unsigned long long term, dec;
    char more[96] = "";

    mp_get_u64(m);
    mp_get_raw(m, hash, sizeof hash);
    term = mp_get_u64(m);
    dec = mp_get_u64(m);
    if (type == WIRE_PREVOTED || type == WIRE_VOTED)
        snprintf(more, sizeof more, ", %s", mp_get_bool(m) ? "yes" : "no");
    else if (type == WIRE_ACCEPTED || type == WIRE_REFUSED)
        snprintf(more, sizeof more, ", slot %llu", (unsigned long long)mp_get_u64(m));
    if (type == WIRE_REFUSED) {
        char words[80];
        mp_get_str(m, words, sizeof words);
        snprintf(more, sizeof more, ": %.80s", words);
    }
    snprintf(out, n, "%s term %llu, %llu decided%s", name_of(type), term, dec, more);
}

static void blocks_words(const struct sim *s, struct mp *m, char *out, size_t n)
{
    size_t len = 0;
    const uint8_t *p;
    struct block b;
    int author;

    mp_get_bin(m, &len);
    mp_get_u64(m);
    p = mp_get_bin(m, &len);
    if (m->bad || block_decode(p, len, &b, NULL) != ERR_OK) {
        snprintf(out, n, "BLOCKS, broken");
        return;
    }
    author = sim_desk_of(s, &b.feed.desk);
    snprintf(out, n, "BLOCKS %llu-%llu of %s", (unsigned long long)b.first,
             (unsigned long long)block_last(&b), author < 0 ? "a stranger" : s->desk[author].name);
}

/* Empty for what only fills the screen: the beats. */
void words_of_message(const struct sim *s, const struct buf *bytes, char out[160])
{
    struct mp m = mp_over(bytes->p, bytes->len);
    unsigned type = wire_open(&m);

    out[0] = '\0';
    if (type == WIRE_BEAT || type == WIRE_RENEW || type == WIRE_RENEWED)
        return;
    if (type == WIRE_BLOCKS)
        blocks_words(s, &m, out, 160);
    else if (type == WIRE_RECEIPT || type == WIRE_SLOTS_WANT)
        snprintf(out, 160, "%s slot %llu", name_of(type), (unsigned long long)mp_get_u64(&m));
    else if (wire_is_ledger(type) && type != WIRE_TRIGGER && type < WIRE_OVERRIDE)
        ledger_words(type, &m, out, 160);
    else
        snprintf(out, 160, "%s (%zu bytes)", name_of(type), bytes->len);
}
