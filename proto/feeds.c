/* feeds.c - the table of feeds and the blocks on disk. */
#include "feeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define TWINS_MAX 26 /* letters; no honest desk counts so badly so often */

/* ---- keys ---- */

static void block_key(uint32_t alias, uint64_t last, uint8_t out[12])
{
    put_be32(out, alias);
    put_be64(out + 4, last);
}

void ref_key(const struct record_ref *ref, uint8_t out[REF_KEY])
{
    memcpy(out, &ref->feed, sizeof ref->feed);
    put_be64(out + sizeof ref->feed, ref->seq);
}

void ref_of_key(const uint8_t key[REF_KEY], struct record_ref *out)
{
    memcpy(&out->feed, key, sizeof out->feed);
    out->seq = get_be64(key + sizeof out->feed);
}

/* Signed time as an ordered key: shift zero to the middle. */
void paper_key(int64_t time_ms, const struct record_ref *ref, uint8_t out[PAPER_KEY])
{
    put_be64(out, (uint64_t)time_ms ^ UINT64_C(1) << 63);
    ref_key(ref, out + 8);
}

int64_t paper_key_time(const uint8_t key[PAPER_KEY])
{
    return (int64_t)(get_be64(key) ^ UINT64_C(1) << 63);
}

/* ---- the table ---- */

static unsigned place_of(const struct feeds *fs, const struct feed_id *id, bool *there)
{
    unsigned lo = 0, hi = fs->n;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        int c = feed_id_cmp(&fs->v[fs->by_id[mid]].opening.id, id);
        if (c == 0) {
            *there = true;
            return mid;
        }
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *there = false;
    return lo;
}

int feeds_index(const struct feeds *fs, const struct feed_id *id)
{
    bool there;
    unsigned at = place_of(fs, id, &there);

    return there ? (int)fs->by_id[at] : -1;
}

struct feed *feeds_find(const struct feeds *fs, const struct feed_id *id)
{
    int i = feeds_index(fs, id);

    return i < 0 ? NULL : &fs->v[i];
}

static bool make_room(struct feeds *fs)
{
    unsigned room = fs->room ? 2 * fs->room : 64;
    struct feed *v;
    uint32_t *by_id;

    if (fs->n < fs->room)
        return true;
    if ((v = mem_more(fs->v, room * sizeof *v)) == NULL)
        return false;
    fs->v = v;
    if ((by_id = mem_more(fs->by_id, room * sizeof *by_id)) == NULL)
        return false;
    fs->by_id = by_id;
    fs->room = room;
    return true;
}

static bool same_name(const struct feeds *fs, const struct desk_id *a, const struct desk_id *b)
{
    const struct desk *x = fs->roster ? roster_find(fs->roster, a) : NULL;
    const struct desk *y = fs->roster ? roster_find(fs->roster, b) : NULL;

    return desk_id_eq(a, b) || (x && y && strcmp(x->joined, y->joined) == 0);
}

/* Two feeds of one name with one number (a wiped disk that counts again, a new PC under the name of
 * a revoked one): the later one, by the clock at its start, prints a letter. */
static void letter_twins(struct feeds *fs, const struct feed *fresh)
{
    const struct opening *o = &fresh->opening;

    for (unsigned i = 0; i < fs->n; i++) {
        struct feed *f = &fs->v[i];
        unsigned older = 0;
        if (f->opening.number != o->number || !same_name(fs, &f->opening.id.desk, &o->id.desk))
            continue;
        for (unsigned k = 0; k < fs->n; k++) {
            const struct opening *p = &fs->v[k].opening;
            if (k != i && p->number == o->number && same_name(fs, &p->id.desk, &o->id.desk) &&
                (p->at_ms < f->opening.at_ms ||
                 (p->at_ms == f->opening.at_ms && feed_id_cmp(&p->id, &f->opening.id) < 0)))
                older++;
        }
        f->suffix = older == 0 ? 0 : (char)('a' + (older < 25 ? older : 25));
    }
}

static struct feed *insert(struct feeds *fs, const struct opening *o)
{
    bool there;
    unsigned at = place_of(fs, &o->id, &there);
    struct feed *f = &fs->v[fs->n];

    memset(f, 0, sizeof *f);
    f->opening = *o;
    f->alias = fs->n + 1;
    f->want_peer = -1;
    feed_h0(fs->branch, o, f->hash);
    memcpy(f->base_hash, f->hash, HASH_BYTES);
    memmove(fs->by_id + at + 1, fs->by_id + at, (fs->n - at) * sizeof *fs->by_id);
    fs->by_id[at] = fs->n++;
    letter_twins(fs, f);
    fs->hash_is_stale = true;
    return f;
}

/* How many this desk has, and how many of them with that number. */
static void count_feeds(const struct feeds *fs, const struct opening *o, unsigned *all,
                        unsigned *twins)
{
    *all = *twins = 0;
    for (unsigned i = 0; i < fs->n; i++)
        if (desk_id_eq(&fs->v[i].opening.id.desk, &o->id.desk)) {
            ++*all;
            *twins += fs->v[i].opening.number == o->number;
        }
}

enum err feeds_open(struct feeds *fs, const struct opening *o, struct feed **out,
                    struct errmsg *msg)
{
    struct buf b = { 0 };
    uint8_t key[4];
    unsigned all, twins;
    enum err e;

    if ((*out = feeds_find(fs, &o->id)) != NULL)
        return ERR_OK;
    if (fs->n == FEEDS_MAX)
        return err_set(msg, ERR_FULL, "the branch has %d feeds already", FEEDS_MAX);
    count_feeds(fs, o, &all, &twins);
    if (all >= FEEDS_DESK_MAX)
        return err_set(msg, ERR_FULL, "this desk has %d feeds already", FEEDS_DESK_MAX);
    if (twins >= TWINS_MAX)
        return err_set(msg, ERR_FULL, "a desk that gives all its feeds one number");
    if (!make_room(fs))
        return err_set(msg, ERR_NOMEM, "out of memory");
    put_be32(key, fs->n + 1);
    opening_encode(o, &b);
    e = fs->disk->put(fs->disk->ctx, TABLE_FEEDS, key, sizeof key, b.p, b.len);
    buf_free(&b);
    if (e != ERR_OK)
        return err_set(msg, e, "a feed cannot be stored");
    *out = insert(fs, o);
    return ERR_OK;
}

enum err feeds_reopen(struct feeds *fs, struct feed *f, const struct opening *o)
{
    struct buf b = { 0 };
    uint8_t key[4];
    enum err e;

    put_be32(key, f->alias);
    opening_encode(o, &b);
    e = fs->disk->put(fs->disk->ctx, TABLE_FEEDS, key, sizeof key, b.p, b.len);
    buf_free(&b);
    if (e != ERR_OK)
        return e;
    f->opening = *o;
    feed_h0(fs->branch, o, f->hash);
    letter_twins(fs, f);
    fs->hash_is_stale = true;
    return ERR_OK;
}

static enum err load_head(struct feeds *fs, struct feed *f, struct buf *raw, struct errmsg *msg)
{
    uint8_t key[12], found[DISK_KEY_MAX], ukey[5] = { 'U' };
    size_t n;
    struct block b;
    enum err e;

    if ((e = feeds_load_floor(fs, f, raw, msg)) != ERR_OK)
        return e;
    if (f->floor.seq > 0) {
        f->seq = f->floor.seq;
        memcpy(f->hash, f->floor.hash, HASH_BYTES);
    }
    block_key(f->alias + 1, 0, key);
    e = fs->disk->seek(fs->disk->ctx, TABLE_BLOCKS, key, sizeof key, -1, found, &n, raw);
    if (e == ERR_OK && n == 12 && get_be32(found) == f->alias) {
        if ((e = block_decode(raw->p, raw->len, &b, msg)) != ERR_OK)
            return e;
        if (block_last(&b) > f->seq) {
            f->seq = block_last(&b);
            memcpy(f->hash, b.hash, HASH_BYTES);
        }
    } else if (e != ERR_OK && e != ERR_MISSING) {
        return e;
    }
    f->stored = f->seq;
    put_be32(ukey + 1, f->alias);
    if (fs->disk->get(fs->disk->ctx, TABLE_META, ukey, sizeof ukey, raw) == ERR_OK && raw->len == 8)
        f->unknown_from = get_be64(raw->p);
    fs->records += f->seq;
    return ERR_OK;
}

enum err feeds_load(struct feeds *fs, const struct disk *disk,
                    const uint8_t branch[BRANCH_ID_BYTES], const struct roster *roster,
                    struct errmsg *msg)
{
    struct buf raw = { 0 };
    enum err e = ERR_OK;

    memset(fs, 0, sizeof *fs);
    fs->disk = disk;
    fs->branch = branch;
    fs->roster = roster;
    fs->hash_is_stale = true;
    for (uint32_t alias = 1; e == ERR_OK; alias++) {
        struct opening o;
        uint8_t key[4];
        put_be32(key, alias);
        if ((e = disk->get(disk->ctx, TABLE_FEEDS, key, sizeof key, &raw)) != ERR_OK)
            break;
        if (!opening_decode(raw.p, raw.len, &o))
            e = err_set(msg, ERR_MALFORMED, "the table of feeds does not parse");
        else if (!make_room(fs))
            e = err_set(msg, ERR_NOMEM, "out of memory");
        else
            e = load_head(fs, insert(fs, &o), &raw, msg);
    }
    buf_free(&raw);
    return e == ERR_MISSING ? ERR_OK : e;
}

void feeds_free(struct feeds *fs)
{
    free(fs->v);
    free(fs->by_id);
    free(fs->cuts);
    memset(fs, 0, sizeof *fs);
}

/* ---- appending ---- */

static enum err put_index(struct feeds *fs, enum table t, const uint8_t *key, size_t n,
                          const void *val, size_t len)
{
    return fs->disk->put(fs->disk->ctx, t, key, n, val, len);
}

/* What must be found without reading every record: see disk.h. */
static enum err index_record(struct feeds *fs, struct feed *f, uint64_t seq, const uint8_t *p,
                             size_t n)
{
    struct record_ref ref = { f->opening.id, seq };
    struct record rec;
    uint8_t key[PAPER_KEY], mine[REF_KEY], value[8], ukey[5] = { 'U' };
    enum err e = ERR_OK;

    ref_key(&ref, mine);
    if (record_decode(p, n, &rec, NULL) != ERR_OK || rec.kind > RECORD_KIND_LAST || rec.kind == 0) {
        if (f->unknown_from > 0)
            return ERR_OK;
        f->unknown_from = seq; /* kept and relayed; no slot passes over it */
        put_be32(ukey + 1, f->alias);
        put_be64(value, seq);
        return put_index(fs, TABLE_META, ukey, sizeof ukey, value, sizeof value);
    }
    if (fs->heard)
        fs->heard(fs->heard_ctx, &ref, &rec);
    if (rec.paper_ms != 0) {
        paper_key(rec.paper_ms, &ref, key);
        e = put_index(fs, TABLE_PAPER, key, sizeof key, "", 0);
    }
    if (e == ERR_OK && rec.kind == RECORD_USER)
        e = put_index(fs, TABLE_CARDS, mine, sizeof mine, "", 0);
    if (e == ERR_OK && rec.kind == RECORD_VOID) {
        uint8_t both[VOID_KEY];
        ref_key(&rec.target, both);
        memcpy(both + REF_KEY, mine, REF_KEY);
        e = put_index(fs, TABLE_VOIDS, both, sizeof both, "", 0);
    }
    return e;
}

enum err feeds_append(struct feeds *fs, struct feed *f, const struct block *b, size_t known_bytes,
                      const uint8_t h[HASH_BYTES], struct errmsg *msg)
{
    struct block rest = *b;
    struct block_walk w;
    struct buf bytes = { 0 };
    const uint8_t *rec;
    uint8_t key[12];
    size_t n;
    enum err e = ERR_OK;

    rest.first = f->seq + 1;
    rest.count = (uint32_t)(block_last(b) - f->seq);
    rest.records = b->records + known_bytes;
    rest.len = b->len - known_bytes;
    memcpy(rest.hash, h, HASH_BYTES);
    w = block_walk(&rest);
    while (e == ERR_OK && (rec = block_next(&w, &n)) != NULL)
        e = index_record(fs, f, w.seq, rec, n);
    if (e == ERR_OK) {
        block_key(f->alias, block_last(&rest), key);
        block_encode(&rest, &bytes);
        e = bytes.failed ? ERR_NOMEM
                         : put_index(fs, TABLE_BLOCKS, key, sizeof key, bytes.p, bytes.len);
    }
    buf_free(&bytes);
    if (e != ERR_OK)
        return err_set(msg, e, "a block cannot be stored: %s", err_text(e));
    fs->records += rest.count;
    f->seq = f->stored = block_last(&rest);
    memcpy(f->hash, h, HASH_BYTES);
    f->moved = true;
    fs->hash_is_stale = true;
    return ERR_OK;
}

/* ---- reading ---- */

enum err feeds_block(const struct disk *disk, uint32_t alias, uint64_t seq, struct buf *raw,
                     struct block *b, struct errmsg *msg)
{
    uint8_t key[12], found[DISK_KEY_MAX];
    size_t n;
    enum err e;

    block_key(alias, seq, key);
    e = disk->seek(disk->ctx, TABLE_BLOCKS, key, sizeof key, 1, found, &n, raw);
    if (e == ERR_MISSING || (e == ERR_OK && (n != 12 || get_be32(found) != alias)))
        return ERR_MISSING;
    if (e != ERR_OK)
        return err_set(msg, e, "a block cannot be read");
    if ((e = block_decode(raw->p, raw->len, b, msg)) != ERR_OK)
        return e;
    return seq >= b->first ? ERR_OK : ERR_MISSING;
}

enum err feeds_range(const struct disk *disk, uint32_t alias, uint64_t from, uint64_t to,
                     struct buf *scratch, struct buf *out_records, struct block *b,
                     struct errmsg *msg)
{
    uint64_t next = from;
    struct block one;

    buf_reset(out_records);
    memset(b, 0, sizeof *b);
    while (next <= to) {
        struct block_walk w;
        const uint8_t *start;
        size_t n;
        enum err e = feeds_block(disk, alias, next, scratch, &one, msg);
        if (e == ERR_MISSING)
            break;
        if (e != ERR_OK)
            return e;
        if (b->count > 0 && (b->count + (block_last(&one) - next + 1) > BLOCK_RECORDS_MAX ||
                             out_records->len + one.len > BLOCK_BYTES_MAX))
            break;
        w = block_walk(&one);
        start = one.records;
        while (w.seq + 1 < next && block_next(&w, &n) != NULL)
            start = w.m.p; /* a stored block may begin before what is wanted */
        buf_add(out_records, start, (size_t)(one.records + one.len - start));
        b->feed = one.feed;
        b->count += (uint32_t)(block_last(&one) - next + 1);
        memcpy(b->hash, one.hash, HASH_BYTES);
        memcpy(b->sig, one.sig, SIG_BYTES);
        next = block_last(&one) + 1;
    }
    b->first = from;
    b->records = out_records->p;
    b->len = out_records->len;
    if (out_records->failed)
        return err_set(msg, ERR_NOMEM, "out of memory");
    return b->count > 0 ? ERR_OK : ERR_MISSING;
}

enum err feeds_record(const struct disk *disk, uint32_t alias, uint64_t seq, struct buf *scratch,
                      struct record *out, struct errmsg *msg)
{
    struct block b;
    struct block_walk w;
    const uint8_t *rec;
    size_t n;
    enum err e = feeds_block(disk, alias, seq, scratch, &b, msg);

    if (e != ERR_OK)
        return e;
    w = block_walk(&b);
    while ((rec = block_next(&w, &n)) != NULL)
        if (w.seq == seq)
            return record_decode(rec, n, out, msg);
    return ERR_MISSING;
}

/* h(seq) of a feed whose records up to seq are here: from memory, or hashed anew from the end of
 * the block before, at most a block of records. */
enum err feeds_hash_at(const struct feeds *fs, const struct feed *f, uint64_t seq,
                       uint8_t h[HASH_BYTES])
{
    struct buf raw = { 0 }, before = { 0 };
    struct block b, prev;
    struct block_walk w;
    const uint8_t *rec;
    size_t n;
    enum err e;

    if (seq == f->seq || (seq == f->floor.seq && seq > 0)) {
        memcpy(h, seq == f->seq ? f->hash : f->floor.hash, HASH_BYTES);
        return ERR_OK;
    }
    feed_h0(fs->branch, &f->opening, h);
    if (seq == 0)
        return ERR_OK;
    e = feeds_block(fs->disk, f->alias, seq, &raw, &b, NULL);
    if (e == ERR_OK && b.first == f->floor.seq + 1 && f->floor.seq > 0)
        memcpy(h, f->floor.hash, HASH_BYTES);
    else if (e == ERR_OK && b.first == f->base + 1)
        memcpy(h, f->base_hash, HASH_BYTES);
    else if (e == ERR_OK && b.first > 1 &&
             (e = feeds_block(fs->disk, f->alias, b.first - 1, &before, &prev, NULL)) == ERR_OK)
        memcpy(h, prev.hash, HASH_BYTES);
    if (e == ERR_OK && block_last(&b) == seq) {
        memcpy(h, b.hash, HASH_BYTES);
    } else if (e == ERR_OK) {
        w = block_walk(&b);
        while (w.seq < seq && (rec = block_next(&w, &n)) != NULL)
            feed_next_hash(h, rec, n);
    }
    buf_free(&raw);
    buf_free(&before);
    return e;
}

enum err feeds_void_of(const struct disk *disk, const struct record_ref *target,
                       struct record_ref *voider)
{
    uint8_t key[REF_KEY], found[DISK_KEY_MAX];
    size_t n;
    enum err e;

    ref_key(target, key);
    e = disk->seek(disk->ctx, TABLE_VOIDS, key, sizeof key, 1, found, &n, NULL);
    if (e == ERR_OK && (n != VOID_KEY || memcmp(found, key, REF_KEY) != 0))
        return ERR_MISSING;
    if (e == ERR_OK)
        ref_of_key(found + REF_KEY, voider);
    return e;
}

/* ---- the vector ---- */

const uint8_t *feeds_hash(struct feeds *fs)
{
    if (fs->hash_is_stale) {
        struct buf b = { 0 };
        for (unsigned i = 0; i < fs->n; i++) {
            const struct feed *f = &fs->v[fs->by_id[i]];
            uint8_t seq[8];
            if (f->seq == 0 && !f->forked)
                continue; /* an opening without records is not part of the set */
            put_be64(seq, f->seq);
            buf_add(&b, &f->opening.id, sizeof f->opening.id);
            buf_add(&b, seq, sizeof seq);
            if (f->seq > 0) /* of two openings nobody says which */
                buf_add(&b, f->hash, HASH_BYTES);
            put_be64(seq, f->fork_at);
            if (f->forked)
                buf_add(&b, seq, sizeof seq);
        }
        hash_parts("tideover vector v1", &(struct part){ b.len ? b.p : (uint8_t *)"", b.len }, 1,
                   fs->hash, sizeof fs->hash);
        buf_free(&b);
        fs->hash_is_stale = false;
    }
    return fs->hash;
}

/* ---- names for people ---- */

void feeds_id_text(const struct feed *f, const struct roster *r, uint64_t seq,
                   char out[RECORD_ID_TEXT])
{
    const struct desk *d = roster_find(r, &f->opening.id.desk);
    char letter[2] = { f->suffix, '\0' };

    snprintf(out, RECORD_ID_TEXT, "%s/%u%s/%04llu", d ? d->joined : "?", f->opening.number, letter,
             (unsigned long long)seq);
}

enum err feeds_id_parse(const struct feeds *fs, const struct roster *r, const char *text,
                        struct record_ref *out, struct errmsg *msg)
{
    char mine[RECORD_ID_TEXT];
    const char *last = strrchr(text, '/');
    unsigned long long seq = 0;
    char rest;

    if (!last || strlen(text) >= RECORD_ID_TEXT || sscanf(last + 1, "%llu%c", &seq, &rest) != 1 ||
        seq == 0)
        return err_why(msg, ERR_INVALID, "bad_id", "id",
                       "a record's number looks like KIDS-1/3/0042, as the slip shows it");
    for (unsigned i = 0; i < fs->n; i++) {
        size_t n = (size_t)(last - text) + 1;
        feeds_id_text(&fs->v[i], r, seq, mine);
        if (strncmp(mine, text, n) == 0 && strrchr(mine, '/') == mine + n - 1 &&
            seq <= fs->v[i].seq) {
            out->feed = fs->v[i].opening.id;
            out->seq = seq;
            return ERR_OK;
        }
    }
    return err_why(msg, ERR_MISSING, "no_such_record", "id", "there is no record %s here", text);
}
