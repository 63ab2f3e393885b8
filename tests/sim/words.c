/* words.c - a message in words, for the trace. */
#include <stdio.h>

#include "sim.h"
#include "wire.h"

static const char *name_of(unsigned type)
{
    switch ((enum wire_type)type) {
    case WIRE_HELLO:
        return "HELLO";
    case WIRE_BEAT:
        return "BEAT";
    case WIRE_VECTOR:
        return "VECTOR";
    case WIRE_WANT:
        return "WANT";
    case WIRE_BLOCKS:
        return "BLOCKS";
    case WIRE_ACK:
        return "ACK";
    case WIRE_ROSTER_HAVE:
        return "ROSTER_HAVE";
    case WIRE_ROSTER_OPS:
        return "ROSTER_OPS";
    case WIRE_BYE:
        return "BYE";
    case WIRE_KEY_WANT:
        return "KEY_WANT";
    case WIRE_KEY:
        return "KEY";
    case WIRE_FORK_ASK:
        return "FORK_ASK";
    case WIRE_FORK_PROOF:
        return "FORK_PROOF";
    case WIRE_BLOCKLIST_ASK:
        return "BLOCKLIST_ASK";
    case WIRE_BLOCKLIST:
        return "BLOCKLIST";
    case WIRE_CLOCKS_ASK:
        return "CLOCKS_ASK";
    case WIRE_CLOCKS:
        return "CLOCKS";
    case WIRE_CONDITION:
        return "CONDITION";
    case WIRE_PREVOTE:
        return "PREVOTE";
    case WIRE_PREVOTED:
        return "PREVOTED";
    case WIRE_VOTE:
        return "VOTE";
    case WIRE_VOTED:
        return "VOTED";
    case WIRE_RENEW:
        return "RENEW";
    case WIRE_RENEWED:
        return "RENEWED";
    case WIRE_ACCEPT:
        return "ACCEPT";
    case WIRE_ACCEPTED:
        return "ACCEPTED";
    case WIRE_REFUSED:
        return "REFUSED";
    case WIRE_RECEIPT:
        return "RECEIPT";
    case WIRE_SLOTS_WANT:
        return "SLOTS_WANT";
    case WIRE_TRIGGER:
        return "TRIGGER";
    case WIRE_RESIGN:
        return "RESIGN";
    case WIRE_OVERRIDE:
        return "OVERRIDE";
    case WIRE_EVIDENCE:
        return "EVIDENCE";
    case WIRE_PROGRESS:
        return "PROGRESS";
    case WIRE_PROGRESSED:
        return "PROGRESSED";
    case WIRE_DECISION:
        return "DECISION";
    case WIRE_FLOOR:
        return "FLOOR";
    case WIRE_WORD:
        return "WORD";
    case WIRE_ANSWERS_ASK:
        return "ANSWERS_ASK";
    case WIRE_ANSWERS:
        return "ANSWERS";
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
