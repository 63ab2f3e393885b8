/* fuzz_bundle.c - the bytes of a stick, at a desk of the branch. What is behind the seal the
 * harness seals itself, as a malicious desk of the branch could.
 *
 * Input: one byte (0: a part, 1: the inside of one, signed anew), then the bytes. */
#include "../world.h"

#include "fuzz.h"

#include "bundle.h"
#include "slot.h"

static struct world *world(void)
{
    static struct world *w;

    if (w == NULL) {
        w = world_new(2, 2);
        cut(w, 0, 1, true);
        lend(w, 1, 5);
    }
    return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct world *w = world();
    struct moment now = moment(w, 0);
    struct bundle_taken t;
    struct buf part = { 0 }, inner = { 0 };
    uint8_t *copy;
    uint64_t had = held(w, 0);

    if (n == 0)
        return 0;
    if (p[0] & 1) {
        buf_add(&inner, p + 1, n - 1);
        signed_put("tideover bundle v1", &inner, w->b.desk[1].sign_sk, &part);
    } else {
        buf_add(&part, p + 1, n - 1);
    }
    copy = fuzz_copy(part.p, part.len);
    if (core_bundle_take(w->v[0].core, &now, copy, part.len, &t, NULL) != ERR_OK)
        must_hold(held(w, 0) == had);
    else
        must_hold(t.refused <= t.messages);
    finish(w, 0);
    free(copy);
    buf_free(&part);
    buf_free(&inner);
    return 0;
}

static void seed(unsigned how, const uint8_t *p, size_t n)
{
    struct buf b = { 0 };

    *buf_grow(&b, 1) = (uint8_t)how;
    buf_add(&b, p, n);
    fuzz_seed_buf(&b);
}

void fuzz_seeds(void)
{
    struct bundle_at at = { 0 };
    struct buf part = { 0 };
    uint8_t sig[SIG_BYTES];
    const uint8_t *inner;
    bool last;
    size_t n;

    must_hold(core_bundle(world()->v[1].core, &at, &part, &last, NULL) == ERR_OK && last);
    inner = signed_get(part.p, part.len, &n, sig);
    must_hold(inner != NULL);
    seed(0, part.p, part.len);
    seed(1, inner, n);
    buf_free(&part);
}
