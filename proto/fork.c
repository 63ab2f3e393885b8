/* fork.c - bytes of a fork proof, and what makes one good. */
#include "fork.h"

#include <string.h>

void fork_encode(const struct fork *f, struct buf *out)
{
    mp_put_array(out, 7);
    mp_put_u64(out, 1);
    mp_put_bin(out, &f->feed, sizeof f->feed);
    mp_put_bin(out, f->before, HASH_BYTES);
    for (unsigned i = 0; i < 2; i++) {
        mp_put_bin(out, f->run[i].opening, f->run[i].opening_n);
        mp_put_bin(out, f->run[i].bytes, f->run[i].n);
    }
}

enum err fork_decode(const uint8_t *p, size_t n, struct fork *f, struct errmsg *msg)
{
    struct mp m = mp_over(p, n);

    memset(f, 0, sizeof *f);
    if (n > FORK_BYTES_MAX || mp_get_array(&m) != 7 || mp_get_u64(&m) != 1)
        return err_set(msg, ERR_MALFORMED, "not a fork proof of this version");
    mp_get_raw(&m, &f->feed, sizeof f->feed);
    mp_get_raw(&m, f->before, HASH_BYTES);
    for (unsigned i = 0; i < 2; i++) {
        struct fork_run *r = &f->run[i];
        r->opening = mp_get_bin(&m, &r->opening_n);
        r->bytes = mp_get_bin(&m, &r->n);
        if (m.bad || block_decode(r->bytes, r->n, &r->block, msg) != ERR_OK)
            return err_set(msg, ERR_MALFORMED, "a fork proof that does not parse");
    }
    return mp_done(&m) ? ERR_OK : err_set(msg, ERR_MALFORMED, "a fork proof with a tail");
}

/* The run's chain up to its end is the desk's own word; h is the hash before its first record. */
static enum err check_run(const struct fork *f, struct fork_run *r,
                          const uint8_t branch[BRANCH_ID_BYTES], const uint8_t pk[KEY_BYTES],
                          uint8_t h[HASH_BYTES], struct errmsg *msg)
{
    struct opening o;
    uint8_t *end = r->block.hash; /* what it says is a hint */
    size_t known;

    memcpy(h, f->before, HASH_BYTES);
    if (!feed_id_eq(&r->block.feed, &f->feed) || (r->block.first == 1) != (r->opening_n > 0))
        return err_set(msg, ERR_PEER, "a fork proof over another feed");
    if (r->opening_n > 0) {
        if (!opening_decode(r->opening, r->opening_n, &o) || !feed_id_eq(&o.id, &f->feed))
            return err_set(msg, ERR_PEER, "a fork proof with an opening that is not its feed's");
        feed_h0(branch, &o, h);
    }
    memmove(end, h, HASH_BYTES);
    return block_check(&r->block, branch, pk, r->block.first - 1, end, &known, msg);
}

enum err fork_check(struct fork *f, const uint8_t branch[BRANCH_ID_BYTES],
                    const uint8_t pk[KEY_BYTES], struct errmsg *msg)
{
    uint8_t h[2][HASH_BYTES];
    struct block_walk w[2];
    enum err e;

    for (unsigned i = 0; i < 2; i++)
        if ((e = check_run(f, &f->run[i], branch, pk, h[i], msg)) != ERR_OK)
            return e;
    if (f->run[0].block.first != f->run[1].block.first)
        return err_set(msg, ERR_PEER, "a fork proof whose runs begin apart");
    f->at = f->run[0].block.first - 1;
    if (memcmp(h[0], h[1], HASH_BYTES) != 0)
        return ERR_OK; /* two openings of one feed */
    w[0] = block_walk(&f->run[0].block);
    w[1] = block_walk(&f->run[1].block);
    for (;; f->at++) {
        size_t n[2];
        const uint8_t *a = block_next(&w[0], &n[0]), *b = block_next(&w[1], &n[1]);
        if (!a || !b)
            return err_set(msg, ERR_PEER, "a fork proof of one history");
        if (n[0] != n[1] || memcmp(a, b, n[0]) != 0)
            return ERR_OK;
    }
}
