/* fuzz_invite.c - invite codes and Crockford base32, typed by people and sent by scanners. */
#include "fuzz.h"

#include "invite.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    char *text = fuzz_text(p, n), back[INVITE_CODE_MAX], base[512];
    struct invite_code c, again;
    struct errmsg msg = { .text = "" };
    uint8_t bytes[256], same[256];
    size_t len;

    if (invite_code_parse(text, &c, &msg) == ERR_OK) {
        invite_code_format(&c, back);
        must_hold(invite_code_parse(back, &again, &msg) == ERR_OK);
        must_hold(memcmp(c.token, again.token, sizeof c.token) == 0 && c.port == again.port);
        must_hold(memcmp(c.ipv4, again.ipv4, sizeof c.ipv4) == 0);
    } else {
        must_hold(msg.text[0] != '\0');
    }
    len = base32_decode(text, bytes, sizeof bytes);
    must_hold(len <= sizeof bytes);
    if (len > 0) {
        must_hold(base32_encode(bytes, len, base, sizeof base) > 0);
        must_hold(base32_decode(base, same, sizeof same) == len && memcmp(bytes, same, len) == 0);
    }
    (void)hex_decode(text, bytes, 16);
    free(text);
    return 0;
}

void fuzz_seeds(void)
{
    struct invite_code c = { .ipv4 = { 10, 0, 0, 5 }, .port = 7411 };
    char text[INVITE_CODE_MAX];

    for (unsigned i = 0; i < 4; i++) {
        memset(c.token, (int)(85 * i), sizeof c.token);
        invite_code_format(&c, text);
        fuzz_seed_text(text);
    }
    fuzz_seed_text("il0-O oO");
    fuzz_seed_text("00112233445566778899aabbccddeeff");
}
