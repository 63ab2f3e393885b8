/* fuzz_sip2.c - what a SIP2 server may send as an answer, and a damaged line of a batch.
 *
 * Input: one byte (what was asked), then what came back. */
#include "fuzz.h"

#include "sip2.h"

static const char *const lines[] = {
    "11NY20261123    09050020261214    235959AOMAIN|AA29999000001016|AB39999000005015|AC|BON|BIN|",
    "09Y20261123    12160020261123    090601APMAIN|AOMAIN|AB39999000005015|AC|BIN|",
    "29NY20261123    09063020261214    235959AOMAIN|AA29999000001016|AB39999000005015|AC|BON|",
};

static void walk(const struct sip2_msg *m, const char *p, size_t n)
{
    struct sip2_field f;
    struct sip2_status s;
    char words[ANSWER_WORDS_MAX + 1], why[256];
    int64_t off;
    struct zone z = { 0 };

    for (size_t at = 0; sip2_next(m, &at, &f);) {
        must_hold(f.value >= p && f.value + f.n <= p + n);
        must_hold(memchr(f.value, '|', f.n) == NULL);
    }
    sip2_words(m, words, sizeof words);
    must_hold(words[0] == '\0' || text_is_clean(words));
    (void)sip2_due(m);
    if (sip2_read_status(m, &s)) {
        (void)sip2_check_status(&s, why);
        (void)sip2_clock_off(&s, &z, 0, &off);
        must_hold(sip2_limit_ms(&s, 7) <= 60000);
    }
}

static void look(const struct sip2_ask *ask, const struct sip2_msg *m)
{
    struct sip2_seen seen = { 0 };
    struct sip2_told t;

    if (strcmp(m->code, "18") == 0)
        seen.place = sip2_place_of(m);
    (void)sip2_see_page(ask, m, &seen);
    (void)sip2_after_look(ask, &seen, &t);
    must_hold(t.words[0] == '\0' || text_is_clean(t.words));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    unsigned how = n > 0 ? p[0] : 0;
    size_t len = n - (n > 0);
    char *copy = (char *)fuzz_copy(p + (n > 0), len);
    const char *line = lines[how % 3];
    struct sip2_ask ask;
    struct sip2_told t;
    struct sip2_msg m;

    must_hold(sip2_ask_of(line, strlen(line), &ask, NULL) == ERR_OK);
    sip2_judge(&ask, how / 3, how & 1, copy, len, &t);
    must_hold(t.words[0] == '\0' || text_is_clean(t.words));
    if (sip2_parse(copy, len, &m, NULL) == ERR_OK) {
        walk(&m, copy, len);
        look(&ask, &m);
    } else {
        must_hold(t.next == SIP2_LOST);
    }
    if (sip2_ask_of(copy, len, &ask, NULL) == ERR_OK)
        must_hold(ask.kind != 0 && strlen(ask.item) <= BARCODE_MAX);
    free(copy);
    return 0;
}

void fuzz_seeds(void)
{
    static const char *const seeds[] = {
        "\x06"
        "121NNY20261123    121500AOMAIN|AA29999000001016|AB39999000005015|AJExample title|"
        "AH20261214    235959|AFM\xfcller|AY2AZE59B",
        "\x06"
        "120NNY20261123    121500AOMAIN|AA29999000001016|AB39999000005015|BLN|BV1.50|BT01|AFno|",
        "\x07"
        "101YNN20261123    121600AOMAIN|AB39999000005015|AQMAIN|AJExample title|CV01|AY2AZEB8D",
        "\x08"
        "301YNN20261123    121600AOMAIN|AA29999000001016|AB39999000005015|AH2026-12-14 23:59:00|",
        "\x06"
        "98YYYYNN60000320261123    0905002.00AOMAIN|BXYYYYYYYYYYYYYYYY|AY1AZEE2A",
        "\x07"
        "1804000120261123    121700AB39999000005015|AJExample title|AH20261214    235959|AY5AZEB8E",
        "\x06"
        "64              00020261123    121700000000010001000000000000AOMAIN|AA29999000001016|"
        "AEEva|BLY|AU39999000005015|",
        "\x00"
        "96AZFEF6",
        "\x00"
        "Internal error",
    };

    for (unsigned i = 0; i < sizeof seeds / sizeof seeds[0]; i++)
        fuzz_seed(seeds[i], 1 + strlen(seeds[i] + 1));
    for (unsigned i = 0; i < sizeof lines / sizeof lines[0]; i++)
        fuzz_seed_text(lines[i]);
}
