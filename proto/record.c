/* record.c - a record and its bytes: one table drives both directions. */
#include "record.h"

#include <stddef.h>
#include <string.h>

#include "day.h"

/* The last millisecond of the year 9999: keeps sums of times far from overflow. */
#define OFF_MIN_MAX (26 * 60) /* no zone is further from UTC */

enum field_type {
    F_U8,
    F_U32,
    F_U64,
    F_TIME,   /* int64_t, 0 to RECORD_TIME_MAX */
    F_OFFSET, /* int32_t minutes */
    F_DATE,   /* uint32_t yyyymmdd */
    F_RAW,    /* limit is the exact size */
    F_TEXT,   /* limit is the longest, without the NUL */
    F_BARCODE,
};

struct field {
    uint8_t tag; /* ascending in the table: on the wire and the disk for ever */
    uint8_t type;
    uint16_t offset;
    uint64_t limit;
    const char *name;
};

#define AT(member)  offsetof(struct record, member)
#define REG(member) F_TEXT, AT(reg.member), sizeof((struct record *)0)->reg.member - 1, #member

static const struct field fields[] = {
    { 1, F_U8, AT(kind), UINT8_MAX, "kind" },
    { 2, F_TIME, AT(at_ms), RECORD_TIME_MAX, "at" },
    { 3, F_OFFSET, AT(utc_off_min), OFF_MIN_MAX, "utc_off" },
    { 4, F_BARCODE, AT(item), BARCODE_MAX, "item" },
    { 5, F_BARCODE, AT(user), BARCODE_MAX, "user" },
    { 6, F_DATE, AT(due), UINT32_MAX, "due" },
    { 7, F_TEXT, AT(staff), STAFF_MAX, "staff" },
    { 8, F_U32, AT(flags), UINT32_MAX, "flags" },
    { 9, F_TIME, AT(paper_ms), RECORD_TIME_MAX, "paper_at" },
    { 10, F_U8, AT(count), 99, "count" },
    { 11, F_RAW, AT(target.feed.desk), DESK_ID_BYTES, "target_desk" },
    { 12, F_RAW, AT(target.feed.name), FEED_NAME_BYTES, "target_feed" },
    { 13, F_U64, AT(target.seq), UINT64_MAX, "target_seq" },
    { 14, F_RAW, AT(key), RECORD_KEY_BYTES, "key" },
    { 15, F_TEXT, AT(piece_kind), PIECE_KIND_MAX, "kind" },
    { 16, F_TEXT, AT(piece_label), PIECE_LABEL_MAX, "label" },
    { 17, F_TEXT, AT(library), LIBRARY_MAX, "library" },
    { 18, F_TEXT, AT(user_access), USER_ACCESS_MAX, "user_access" },
    { 19, F_U32, AT(station), STATION_MAX, "station" },
    { 20, REG(first) },
    { 21, REG(last) },
    { 22, REG(email) },
    { 23, REG(street) },
    { 24, REG(city) },
    { 25, REG(note) },
    { 26, REG(guardian) },
    { 27, REG(phone) },
    { 28, REG(postcode) },
    { 29, REG(type) },
    { 30, REG(pin) },
    { 31, F_DATE, AT(reg.birth), UINT32_MAX, "birth" },
};
#define FIELDS (sizeof fields / sizeof fields[0])

static const char *const kind_names[] = {
    [RECORD_CHECKOUT] = "checkout", [RECORD_DISCHARGE] = "discharge", [RECORD_RENEW] = "renew",
    [RECORD_USER] = "user",         [RECORD_INHOUSE] = "inhouse",     [RECORD_VOID] = "void",
};
_Static_assert(sizeof kind_names / sizeof kind_names[0] == RECORD_KIND_LAST + 1, "kind unnamed");

static const void *place(const struct record *r, const struct field *f)
{
    return (const char *)r + f->offset;
}

static void *place_of(struct record *r, const struct field *f)
{
    return (char *)r + f->offset;
}

static bool is_zero(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= b[i];
    return any == 0;
}

static bool text_fits(const char *s, const struct field *f)
{
    if (f->type == F_BARCODE)
        return *s == 0 || barcode_is_clean(s);
    return memchr(s, 0, (size_t)f->limit + 1) != NULL && text_is_clean(s);
}

/* The judge of a value. */
static bool value_fits(const struct record *r, const struct field *f)
{
    const void *p = place(r, f);

    switch ((enum field_type)f->type) {
    case F_U8:
        return *(const uint8_t *)p <= f->limit;
    case F_U32:
        return *(const uint32_t *)p <= f->limit;
    case F_U64:
        return *(const uint64_t *)p <= f->limit;
    case F_TIME:
        return *(const int64_t *)p >= 0 && *(const int64_t *)p <= RECORD_TIME_MAX;
    case F_OFFSET:
        return *(const int32_t *)p >= -OFF_MIN_MAX && *(const int32_t *)p <= OFF_MIN_MAX;
    case F_DATE:
        return *(const uint32_t *)p == 0 || ymd_is_valid(*(const uint32_t *)p);
    case F_RAW:
        return true;
    case F_TEXT:
    case F_BARCODE:
        return text_fits(p, f);
    }
    return false;
}

/* Of a value just read: its getter compared its size before the copy, and found text clean. */
static bool read_value_fits(const struct record *r, const struct field *f)
{
    return (f->type != F_DATE && f->type != F_BARCODE) || value_fits(r, f);
}

static bool is_absent(const struct record *r, const struct field *f)
{
    const void *p = place(r, f);

    switch ((enum field_type)f->type) {
    case F_U8:
        return *(const uint8_t *)p == 0;
    case F_U32:
    case F_DATE:
    case F_OFFSET:
        return is_zero(p, sizeof(uint32_t));
    case F_U64:
    case F_TIME:
        return is_zero(p, sizeof(uint64_t));
    case F_RAW:
        return is_zero(p, (size_t)f->limit);
    case F_TEXT:
    case F_BARCODE:
        return *(const char *)p == 0;
    }
    return true;
}

static void put_value(const struct record *r, const struct field *f, struct buf *out)
{
    const void *p = place(r, f);

    switch ((enum field_type)f->type) {
    case F_U8:
        mp_put_u64(out, *(const uint8_t *)p);
        break;
    case F_U32:
    case F_DATE:
        mp_put_u64(out, *(const uint32_t *)p);
        break;
    case F_U64:
        mp_put_u64(out, *(const uint64_t *)p);
        break;
    case F_TIME:
        mp_put_i64(out, *(const int64_t *)p);
        break;
    case F_OFFSET:
        mp_put_i64(out, *(const int32_t *)p);
        break;
    case F_RAW:
        mp_put_bin(out, p, (size_t)f->limit);
        break;
    case F_TEXT:
    case F_BARCODE:
        mp_put_str(out, p);
        break;
    }
}

/* The limit comes before the copy: a number too wide for its place must not be cut to fit. */
static void get_number(struct mp *m, const struct field *f, void *p)
{
    uint64_t v = mp_get_u64(m);

    if (v > f->limit)
        m->bad = true;
    else if (f->type == F_U8)
        *(uint8_t *)p = (uint8_t)v;
    else if (f->type == F_U64)
        *(uint64_t *)p = v;
    else if (f->type == F_TIME)
        *(int64_t *)p = (int64_t)v;
    else
        *(uint32_t *)p = (uint32_t)v;
}

static void get_value(struct mp *m, const struct field *f, struct record *r)
{
    void *p = place_of(r, f);
    int64_t off;

    switch ((enum field_type)f->type) {
    case F_U8:
    case F_U32:
    case F_U64:
    case F_TIME:
    case F_DATE:
        get_number(m, f, p);
        break;
    case F_OFFSET:
        off = mp_get_i64(m);
        if (off < -OFF_MIN_MAX || off > OFF_MIN_MAX)
            m->bad = true;
        else
            *(int32_t *)p = (int32_t)off;
        break;
    case F_RAW:
        mp_get_raw(m, p, (size_t)f->limit);
        break;
    case F_TEXT:
    case F_BARCODE:
        mp_get_str(m, p, (size_t)f->limit + 1);
        break;
    }
}

int64_t record_time(const struct record *r, int64_t correction_ms)
{
    int64_t ms = r->at_ms + correction_ms;

    if (r->paper_ms != 0)
        return r->paper_ms;
    return ms < 0 ? 0 : ms > RECORD_TIME_MAX ? RECORD_TIME_MAX : ms;
}

enum err record_encode(const struct record *r, struct buf *out, struct errmsg *msg)
{
    size_t before = out->len;
    uint32_t n = 0;

    if (r->kind == 0)
        return err_why(msg, ERR_INVALID, "bad_field", "kind", "a record needs a kind");
    for (unsigned i = 0; i < FIELDS; i++) {
        if (!value_fits(r, &fields[i]))
            return err_why(msg, ERR_INVALID, "bad_field", fields[i].name,
                           "%s is too long or holds what it must not", fields[i].name);
        n += !is_absent(r, &fields[i]);
    }
    mp_put_map(out, n);
    for (unsigned i = 0; i < FIELDS; i++) {
        if (is_absent(r, &fields[i]))
            continue;
        mp_put_u64(out, fields[i].tag);
        put_value(r, &fields[i], out);
    }
    if (out->failed)
        return err_set(msg, ERR_NOMEM, "no memory for a record");
    if (out->len - before > RECORD_BYTES_MAX) {
        out->len = before;
        return err_set(msg, ERR_INVALID, "a record is longer than %d bytes", RECORD_BYTES_MAX);
    }
    return ERR_OK;
}

static enum err decode_map(struct mp *m, struct record *out, bool *bare, struct errmsg *msg)
{
    uint32_t n = mp_get_map(m);
    uint64_t last = 0;
    unsigned row = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint64_t tag = mp_get_u64(m);

        if (m->bad || tag <= last)
            return err_set(msg, ERR_MALFORMED, "record: tags out of order after %llu",
                           (unsigned long long)last);
        last = tag;
        while (row < FIELDS && fields[row].tag < tag)
            row++;
        if (row == FIELDS || fields[row].tag != tag) {
            mp_skip(m); /* a newer version's field */
            continue;
        }
        *bare &= fields[row].offset < offsetof(struct record, reg);
        get_value(m, &fields[row], out);
        if (m->bad || !read_value_fits(out, &fields[row]))
            return err_why(msg, ERR_MALFORMED, "malformed", fields[row].name,
                           "record: %s is not what it should be", fields[row].name);
    }
    if (!mp_done(m))
        return err_set(msg, ERR_MALFORMED, "record: cut off, or bytes behind its end");
    if (out->kind == 0)
        return err_why(msg, ERR_MALFORMED, "malformed", "kind", "record: no kind");
    return ERR_OK;
}

enum err record_decode_next(const uint8_t *p, size_t n, struct record *out, bool *bare,
                            struct errmsg *msg)
{
    struct mp m = mp_over(p, n);
    enum err e;

    memset(out, 0, *bare ? offsetof(struct record, reg) : sizeof *out);
    *bare = true;
    if (n > RECORD_BYTES_MAX)
        return err_set(msg, ERR_MALFORMED, "record: longer than %d bytes", RECORD_BYTES_MAX);
    e = decode_map(&m, out, bare, msg);
    if (e != ERR_OK) {
        memset(out, 0, sizeof *out); /* nobody acts on half a record */
        *bare = true;
    }
    return e;
}

enum err record_decode(const uint8_t *p, size_t n, struct record *out, struct errmsg *msg)
{
    bool bare = false;

    return record_decode_next(p, n, out, &bare, msg);
}

const char *record_kind_name(unsigned kind)
{
    return kind >= 1 && kind <= RECORD_KIND_LAST ? kind_names[kind] : "unknown";
}

unsigned record_kind_by_name(const char *name, size_t n)
{
    for (unsigned k = 1; k <= RECORD_KIND_LAST; k++)
        if (strlen(kind_names[k]) == n && memcmp(kind_names[k], name, n) == 0)
            return k;
    return 0;
}

bool desk_id_eq(const struct desk_id *a, const struct desk_id *b)
{
    return memcmp(a->b, b->b, DESK_ID_BYTES) == 0;
}

bool feed_id_eq(const struct feed_id *a, const struct feed_id *b)
{
    return feed_id_cmp(a, b) == 0;
}

int feed_id_cmp(const struct feed_id *a, const struct feed_id *b)
{
    int c = memcmp(a->desk.b, b->desk.b, DESK_ID_BYTES);

    return c != 0 ? c : memcmp(a->name, b->name, FEED_NAME_BYTES);
}

unsigned feed_place(const void *rows, unsigned n, size_t row_bytes, const struct feed_id *id,
                    bool *there)
{
    unsigned lo = 0, hi = n;

    *there = false;
    while (lo < hi && !*there) {
        unsigned mid = (lo + hi) / 2;
        int c = feed_id_cmp((const void *)((const uint8_t *)rows + mid * row_bytes), id);
        *there = c == 0;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return hi;
}

int ref_cmp(const struct record_ref *a, const struct record_ref *b)
{
    int c = feed_id_cmp(&a->feed, &b->feed);

    return c != 0 ? c : a->seq < b->seq ? -1 : a->seq > b->seq;
}

void ref_put(struct buf *b, const struct record_ref *r)
{
    mp_put_bin(b, &r->feed, sizeof r->feed);
    mp_put_u64(b, r->seq);
}

void ref_get(struct mp *m, struct record_ref *r)
{
    mp_get_raw(m, &r->feed, sizeof r->feed);
    r->seq = mp_get_u64(m);
    if (r->seq == 0 || r->seq > UINT64_MAX / 2)
        m->bad = true;
}

static bool is_barcode_letter(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != 0 && strchr(" .$/+%-", c) != NULL);
}

bool barcode_is_clean(
    const char *s) /* of every record, several times: no strspn() over 70 letters */
{
    size_t n = 0;

    while (n <= BARCODE_MAX && is_barcode_letter(s[n]))
        n++;
    return n >= 1 && n <= BARCODE_MAX && s[n] == 0;
}
