/* fuzz_ils.c - what Evergreen and Koha answer, and our own lines for them. */
#include "fuzz.h"

#include "evergreen.h"
#include "koha.h"

static enum err see(void *ctx, const char *id, enum answer a, const char *words)
{
    (void)ctx;
    must_hold(id != NULL && a >= ANSWER_ACCEPTED && a <= ANSWER_LAST);
    must_hold(strlen(words) <= ANSWER_WORDS_MAX && text_is_clean(words));
    return ERR_OK;
}

static void see_result(void *ctx, size_t i, enum koha_says s, enum answer a, const char *words)
{
    size_t *next = ctx;

    must_hold(i == (*next)++);
    must_hold(s != KOHA_STOP && a >= ANSWER_ACCEPTED && a <= ANSWER_LAST);
    must_hold(strlen(words) <= ANSWER_WORDS_MAX && text_is_clean(words));
}

static void try_row(const uint8_t *p, size_t n)
{
    struct koha_row r;
    struct zone z = { .std_off_s = -18000 };
    struct buf b = { 0 };
    char at[24];

    if (koha_row(p, n, &r) != ERR_OK)
        return;
    must_hold(barcode_is_clean(r.item) && (!r.issue || barcode_is_clean(r.card)));
    koha_time(&r, &z, false, at);
    must_hold(strlen(at) == 19);
    koha_time(&r, &z, true, at);
    must_hold(strlen(at) == 20);
    koha_batch_row(&b, &r, &z, true);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct evergreen_status st;
    uint8_t *copy = fuzz_copy(p, n);
    const char *text = (const char *)copy;
    struct evergreen_event ev;
    struct evergreen_line l;
    char token[EVERGREEN_TEXT_MAX + 1];
    enum answer a;
    size_t next = 0;

    if (evergreen_event(text, n, &ev) == ERR_OK) {
        must_hold(text_is_clean(ev.words) && text_is_clean(ev.textcode));
        (void)evergreen_says(&ev);
    }
    (void)evergreen_token(text, n, token, &ev);
    if (evergreen_status(text, n, &st) == ERR_OK)
        must_hold(st.n <= EVERGREEN_DESKS_MAX && text_is_clean(st.description));
    if (evergreen_begun(text, n, "M", token) == ERR_OK)
        must_hold(text_is_clean(token));
    (void)evergreen_exceptions(text, n, NULL, see);
    if (evergreen_line(copy, n, &l) == ERR_OK)
        must_hold(strlen(l.desk) < strlen(l.id));
    (void)koha_body(text, n, true, &a);
    (void)koha_results(text, n, 2, &next, see_result);
    must_hold(next == 0 || next == 2);
    (void)koha_token(text, n, token, sizeof token);
    try_row(copy, n);
    free(copy);
    return 0;
}

void fuzz_seeds(void)
{
    static const char *const texts[] = {
        "{\"ilsevent\":\"5000\",\"textcode\":\"PERM_FAILURE\",\"desc\":\"no\",\"ilsperm\":\"X\"}",
        "{\"payload\":[{\"ilsevent\":0,\"payload\":{\"authtoken\":\"abc\"}}],\"status\":200}",
        "{\"description\":\"M\",\"in_process\":1,\"start_time\":\"5\",\"end_time\":null,"
        "\"num_complete\":3,\"scripts\":[{\"workstation\":\"A\",\"count\":\"2\",\"time_delta\":0}]"
        "}",
        "[{\"command\":{\"tideover_id\":\"A/1/0001\"},\"event\":[{\"ilsevent\":1502,\"textcode\":"
        "\"ASSET_COPY_NOT_FOUND\",\"payload\":\"3\"}]},{\"command\":null,\"event\":null}]",
        "{\"timestamp\":1795442700,\"type\":\"checkin\",\"tideover_id\":\"MAIN-1/7/0002\"}\n",
        "2026-11-23 09:05:00 012\tissue\t29999000001016\t39999000005015\n",
        "2026-11-23 09:06:01 005\treturn\t39999000005023\n",
        "Success.",
        "Item not issued.",
        "{\"results\":[{\"status\":\"processed\",\"message\":\"Success.\"},{\"status\":\"odd\"}]}",
        "{\"access_token\":\"abc\"}",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        fuzz_seed_text(texts[i]);
}
