/* bench_ingest.c - CPU that a desk spends on a record of a peer, from the sealed message to the
 * commit.
 *
 *   bench_ingest -d DIR [-r ROUNDS] [-t SECONDS]
 *
 * Ours: opens the box of the message as CURVE does, checks the block's signature and chain, decodes
 * each record, seals the block, keeps it and its indexes, commits; 64 records a message. Against a
 * bare pipeline that does as much to 64 records of 200 bytes: decrypt, unpack, hash, one signature,
 * encrypt, one put each, one commit; no indexes, no roster, no checks. DIR should be in memory: it
 * is CPU that is compared, not flushing. */
#include "bench_mesh.h"

#include <errno.h>
#include <lmdb.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#define GROUP        64
#define RECORD_BYTES 200
#define SEALED_BYTES (RECORD_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES)
#define NONCE_BYTES  crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

/* ---- ours ---- */

struct ours {
    struct mesh mesh;
    uint8_t shared[crypto_box_BEFORENMBYTES], nonce[crypto_box_NONCEBYTES];
    struct buf box;
    uint64_t ticked_ms;
};

static void ours_open(struct ours *o, const char *dir)
{
    char path[4096];

    randombytes_buf(o->shared, sizeof o->shared);
    randombytes_buf(o->nonce, sizeof o->nonce);
    snprintf(path, sizeof path, "%s/desk", dir);
    mesh_open(&o->mesh, 2, path);
}

/* What counts. A function of its own: tests/bench/profile counts inside it. */
static __attribute__((noinline)) uint64_t take_in(struct ours *o, struct letter *l)
{
    uint64_t began = bench_cpu_ns();

    if (crypto_box_open_easy_afternm(l->bytes.p, o->box.p, o->box.len, o->nonce, o->shared) != 0)
        bench_die("a box does not open");
    mesh_hear(&o->mesh, l);
    mesh_finish(&o->mesh, 0);
    return bench_cpu_ns() - began;
}

/* The CPU of desk 0 for one message; to others it is delivered for nothing. */
static uint64_t hear(struct ours *o, struct letter *l)
{
    size_t n = l->bytes.len;

    if (l->to != 0) {
        mesh_hear(&o->mesh, l);
        mesh_finish(&o->mesh, l->to);
        return 0;
    }
    buf_reset(&o->box);
    crypto_box_easy_afternm(buf_grow(&o->box, n + crypto_box_MACBYTES), l->bytes.p, n, o->nonce,
                            o->shared);
    return take_in(o, l);
}

/* Nanoseconds of CPU a record. */
static double ours_slice(struct ours *o, double seconds)
{
    uint64_t end = bench_ns() + (uint64_t)(seconds * 1e9), cpu = 0, before = mesh_held(&o->mesh);
    struct letter l;

    do {
        mesh_record(&o->mesh, 1, GROUP);
        while (mesh_take(&o->mesh, &l)) {
            cpu += hear(o, &l);
            buf_free(&l.bytes);
        }
        if (bench_ns() / 1000000 - o->ticked_ms >= 1000) {
            o->ticked_ms = bench_ns() / 1000000;
            mesh_tick(&o->mesh, 0);
        }
    } while (bench_ns() < end);
    if (mesh_held(&o->mesh) == before)
        bench_die("nothing arrived");
    return (double)cpu / (double)(mesh_held(&o->mesh) - before);
}

/* ---- the bare pipeline ---- */

struct bare {
    MDB_env *env;
    MDB_dbi dbi;
    uint64_t seq;
    uint8_t theirs[32], mine[32], their_nonce[NONCE_BYTES], nonce[NONCE_BYTES],
        pk[crypto_sign_PUBLICKEYBYTES], sig[crypto_sign_BYTES];
    uint8_t sealed[GROUP][SEALED_BYTES];
};

static void check(int rc, const char *what)
{
    if (rc != 0)
        bench_die("lmdb, %s: %s", what, mdb_strerror(rc));
}

static void fill_record(uint8_t out[RECORD_BYTES])
{
    static const char item[] = "30112003456789", user[] = "20112009876543";
    uint8_t raw[32] = { 7 }, note[RECORD_BYTES];
    msgpack_sbuffer b;
    msgpack_packer p;
    size_t left;

    msgpack_sbuffer_init(&b);
    msgpack_packer_init(&p, &b, msgpack_sbuffer_write);
    msgpack_pack_array(&p, 8);
    msgpack_pack_bin(&p, 16);
    msgpack_pack_bin_body(&p, raw, 16);
    msgpack_pack_uint64(&p, 1700000000000);
    msgpack_pack_uint8(&p, 1);
    msgpack_pack_str(&p, 14);
    msgpack_pack_str_body(&p, item, 14);
    msgpack_pack_str(&p, 14);
    msgpack_pack_str_body(&p, user, 14);
    msgpack_pack_uint32(&p, 1767225600);
    msgpack_pack_bin(&p, 32);
    msgpack_pack_bin_body(&p, raw, 32);
    left = RECORD_BYTES - b.size - 2;
    memset(note, 'n', left);
    msgpack_pack_str(&p, left);
    msgpack_pack_str_body(&p, note, left);
    if (b.size != RECORD_BYTES)
        bench_die("a bare record has %zu bytes", b.size);
    memcpy(out, b.data, RECORD_BYTES);
    msgpack_sbuffer_destroy(&b);
}

static void bare_open(struct bare *b, const char *dir)
{
    uint8_t sk[crypto_sign_SECRETKEYBYTES], record[RECORD_BYTES], hash[32];
    unsigned long long n;
    MDB_txn *txn;
    char path[4096];

    snprintf(path, sizeof path, "%s/bare", dir);
    if (mkdir(path, 0700) != 0)
        bench_die("%s: %s", path, strerror(errno));
    check(mdb_env_create(&b->env), "create");
    check(mdb_env_set_mapsize(b->env, (size_t)8 << 30), "map");
    check(mdb_env_open(b->env, path, 0, 0600), "open");
    check(mdb_txn_begin(b->env, NULL, 0, &txn), "begin");
    check(mdb_dbi_open(txn, NULL, 0, &b->dbi), "table");
    check(mdb_txn_commit(txn), "commit");
    fill_record(record);
    randombytes_buf(b->theirs, sizeof b->theirs);
    randombytes_buf(b->mine, sizeof b->mine);
    randombytes_buf(b->their_nonce, sizeof b->their_nonce);
    for (unsigned i = 0; i < GROUP; i++)
        crypto_aead_xchacha20poly1305_ietf_encrypt(b->sealed[i], &n, record, RECORD_BYTES, NULL, 0,
                                                   NULL, b->their_nonce, b->theirs);
    crypto_generichash(hash, sizeof hash, record, RECORD_BYTES, NULL, 0);
    crypto_sign_keypair(b->pk, sk);
    crypto_sign_detached(b->sig, NULL, hash, sizeof hash, sk);
}

static void unpack(const uint8_t *p, size_t n)
{
    msgpack_unpacked u;
    size_t at = 0;

    msgpack_unpacked_init(&u);
    if (msgpack_unpack_next(&u, (const char *)p, n, &at) != MSGPACK_UNPACK_SUCCESS)
        bench_die("a bare record does not unpack");
    msgpack_unpacked_destroy(&u);
}

static void bare_group(struct bare *b)
{
    uint8_t record[RECORD_BYTES], sealed[NONCE_BYTES + SEALED_BYTES], hash[32], key[8];
    unsigned long long n;
    MDB_txn *txn;

    check(mdb_txn_begin(b->env, NULL, 0, &txn), "begin");
    for (unsigned i = 0; i < GROUP; i++) {
        MDB_val k = { sizeof key, key }, v = { sizeof sealed, sealed };
        if (crypto_aead_xchacha20poly1305_ietf_decrypt(record, &n, NULL, b->sealed[i], SEALED_BYTES,
                                                       NULL, 0, b->their_nonce, b->theirs) != 0)
            bench_die("a bare record does not open");
        unpack(record, n);
        crypto_generichash(hash, sizeof hash, record, n, NULL, 0);
        sodium_increment(b->nonce, sizeof b->nonce);
        memcpy(sealed, b->nonce, NONCE_BYTES);
        crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE_BYTES, &n, record, RECORD_BYTES,
                                                   NULL, 0, NULL, b->nonce, b->mine);
        put_be64(key, ++b->seq);
        check(mdb_put(txn, b->dbi, &k, &v, MDB_APPEND), "put");
    }
    if (crypto_sign_verify_detached(b->sig, hash, sizeof hash, b->pk) != 0)
        bench_die("a bare signature does not verify");
    check(mdb_txn_commit(txn), "commit");
}

static double bare_slice(struct bare *b, double seconds)
{
    uint64_t end = bench_ns() + (uint64_t)(seconds * 1e9), before = b->seq, cpu = bench_cpu_ns();

    do
        bare_group(b);
    while (bench_ns() < end);
    return (double)(bench_cpu_ns() - cpu) / (double)(b->seq - before);
}

int main(int argc, char **argv)
{
    static struct ours o;
    static struct bare b;
    struct row r = { .id = "ingest",
                     .what = "CPU of a record that comes from a peer, 64 a message",
                     .unit = "ns",
                     .against = "bare pipeline: decrypt, unpack, hash, verify once, encrypt, put",
                     .must = "<= 1.6",
                     .aim = "<= 1.2" };
    const char *dir = NULL;
    unsigned rounds = 7;
    double seconds = 0.5;
    char note[128];
    int c;

    while ((c = getopt(argc, argv, "d:r:t:")) != -1)
        switch (c) {
        case 'd':
            dir = optarg;
            break;
        case 'r':
            rounds = (unsigned)atoi(optarg);
            break;
        case 't':
            seconds = atof(optarg);
            break;
        default:
            return 2;
        }
    if (!dir)
        bench_die("-d DIR is missing");
    ours_open(&o, dir);
    bare_open(&b, dir);
    ours_slice(&o, seconds / 4); /* both stores grow a little first */
    bare_slice(&b, seconds / 4);
    for (unsigned i = 0; i < rounds; i++) { /* A B, then B A: a drift falls on both */
        if (i % 2 == 0)
            samples_add(&r.ours, ours_slice(&o, seconds));
        samples_add(&r.theirs, bare_slice(&b, seconds));
        if (i % 2 == 1)
            samples_add(&r.ours, ours_slice(&o, seconds));
    }
    snprintf(note, sizeof note, "lower is better; stores in memory; theirs has records of %u bytes",
             RECORD_BYTES);
    r.note = note;
    row_print(&r);
    mesh_close(&o.mesh);
    mdb_env_close(b.env);
    return 0;
}
