/* fuzz_record.c - a record from anywhere; what is taken must encode to what is taken again, and be
 * fit for every format's writer, whose bytes the validator must then find right (rule E5). */
#include "fuzz.h"

#include "desk.h"
#include "format.h"
#include "record.h"

static const char policy_text[] = "[branch]\ncode = MAIN\nzone = America/New_York\n"
                                  "zone_rule = EST5EDT,M3.2.0,M11.1.0\n"
                                  "[symphony]\nlibrary = MAIN\ndefault_station = 42\n"
                                  "registration = jy\nwrite_pin = yes\n"
                                  "[sierra]\ndue_days = 21\ndefault_group = 1\n"
                                  "[csv]\nwrite_pin = yes\n[ndjson]\nwrite_pin = yes\n"
                                  "[evergreen]\nprofile = 2\nhome_ou = 4\nident_type = 3\n"
                                  "country = US\nwrite_pin = yes\n[profiles]\nCHILD = 5\n";

static bool flat; /* registrations go into a user file */

static const struct policy *policy(void)
{
    static struct policy p;
    static bool is_there;

    if (!is_there) {
        struct errmsg msg = { .text = "" };
        if (policy_parse(policy_text, sizeof policy_text - 1, &p, &msg) != ERR_OK) {
            fprintf(stderr, "%s\n", msg.text);
            abort();
        }
        is_there = true;
    }
    p.symphony.registration = flat ? REGISTRATION_FLAT : REGISTRATION_JY;
    return &p;
}

/* ---- what was written is read back as it was, but for what the format cannot say ---- */

struct expected {
    const struct record *rec;
    const struct format *format;
    int64_t tick_s;
    unsigned lost, events;
};

/* Formats without a zone say the same of both runs of the autumn hour. */
static int64_t local_tick(const struct expected *x, int64_t unix_s)
{
    return (unix_s + zone_offset_s(&policy()->zone, unix_s)) / x->format->tick_s;
}

/* Our own formats lose nothing: byte for byte the record comes back, but for what no desk writes. */
static void is_whole(const struct record *r, const struct format_event *ev)
{
    struct record wanted = *r;
    struct buf a = { 0 }, b = { 0 };

    wanted.flags &= RECORD_TYPED | RECORD_OVERRIDE | RECORD_CONFIRMED | RECORD_UNCHECKED;
    memset(&wanted.target, 0, sizeof wanted.target);
    if (wanted.utc_off_min <= -24 * 60 || wanted.utc_off_min >= 24 * 60)
        wanted.utc_off_min = 0;
    must_hold(record_encode(&wanted, &a, NULL) == ERR_OK);
    must_hold(record_encode(&ev->rec, &b, NULL) == ERR_OK);
    must_hold(a.len == b.len && memcmp(a.p, b.p, a.len) == 0);
    must_hold(ev->time_ms == record_time(r, 0) && ev->left_out == 0);
    buf_free(&a);
    buf_free(&b);
}

static enum err on_event(void *ctx, const struct format_event *ev, struct errmsg *msg)
{
    struct expected *x = ctx;
    const struct record *r = x->rec, *got = &ev->rec;
    bool as_out = x->lost >> LOSS_RENEW_AS_OUT & 1;

    (void)msg;
    x->events++;
    if (x->format == &format_csv || x->format == &format_ndjson)
        is_whole(r, ev);
    must_hold(got->kind == (as_out ? RECORD_CHECKOUT : r->kind));
    must_hold(strcmp(got->item, r->item) == 0);
    must_hold(got->user[0] == '\0' || strcmp(got->user, r->user) == 0);
    must_hold(got->user[0] != '\0' || r->user[0] == '\0' || r->kind == RECORD_DISCHARGE ||
              r->kind == RECORD_INHOUSE);
    if (x->lost >> LOSS_DUE_RULE & 1)
        must_hold(r->due == 0 && got->due > ymd_at(&policy()->zone, x->tick_s * 1000));
    else
        must_hold(got->due == (x->lost >> LOSS_DUE & 1 ? 0 : r->due));
    must_hold(r->kind != RECORD_INHOUSE || got->count == r->count);
    if (x->lost >> LOSS_TIME & 1)
        must_hold(ymd_at(&policy()->zone, got->at_ms) == ymd_at(&policy()->zone, x->tick_s * 1000));
    else if (!(x->lost >> LOSS_DAY & 1))
        must_hold(local_tick(x, (ev->time_ms ? ev->time_ms : record_time(got, 0)) / 1000) ==
                  local_tick(x, x->tick_s));
    if (r->kind == RECORD_USER && !(x->lost >> LOSS_USER_FIELDS & 1) &&
        !(x->lost >> LOSS_TEXT & 1)) {
        must_hold(strcmp(got->reg.last, r->reg.last) == 0);
        must_hold(strcmp(got->reg.first, r->reg.first) == 0);
        must_hold(strcmp(got->reg.street, r->reg.street) == 0);
        must_hold(strcmp(got->reg.guardian, r->reg.guardian) == 0);
        must_hold(strcmp(got->reg.note, r->reg.note) == 0);
        must_hold(got->reg.birth == r->reg.birth);
    }
    return ERR_OK;
}

static enum err on_unknown(void *ctx, uint64_t line, const uint8_t *p, size_t n, const char *why,
                           struct errmsg *msg)
{
    const struct expected *x = ctx;

    (void)msg;
    if (x->lost >> LOSS_USER_FIELDS & 1)
        return ERR_OK; /* a note that is two notes */
    fprintf(stderr, "line %llu, %s: %.*s\n", (unsigned long long)line, why ? why : "more", (int)n,
            (const char *)p);
    must_hold(!"a line of ours is unknown to our reader");
    return ERR_OK;
}

static void read_back(const struct format *f, const struct buf *out, const struct format_item *it)
{
    struct expected x = { it->rec, f, it->tick_s, f->loses ? f->loses(policy(), it) : 0, 0 };
    struct format_read to = { .ctx = &x, .event = on_event, .unknown = on_unknown };
    struct format_reader *r = f->read_new(policy(), &to);

    must_hold(r != NULL);
    must_hold(f->read_add(r, out->p, out->len, NULL) == ERR_OK);
    must_hold(f->read_end(r, NULL) == ERR_OK);
    f->read_free(r);
    must_hold(x.events == 1);
}

/* The format's begin comes before the record, but is asked for when there is one. */
static enum err write_file(const struct format *f, const struct format_item *it, struct buf *out,
                           struct errmsg *msg)
{
    struct format_state *st = calloc(1, sizeof *st);
    struct buf line = { 0 };
    enum err e;

    must_hold(st != NULL);
    e = f->write(policy(), st, it, &line, msg);
    must_hold(e == ERR_OK || line.len == 0);
    if (e == ERR_OK && f->begin != NULL)
        must_hold(f->begin(policy(), st, out, msg) == ERR_OK);
    if (e == ERR_OK) {
        buf_add(out, line.p, line.len);
        if (f->finish != NULL)
            must_hold(f->finish(policy(), st, out, msg) == ERR_OK);
    }
    buf_free(&line);
    free(st);
    return e;
}

static void write_and_check(const struct format *f, const struct record *r)
{
    struct format_item it = { .rec = r,
                              .id = "DESK-1/1/0001",
                              .desk = "DESK-1",
                              .tick_s = record_time(r, 0) / 1000,
                              .due = r->due,
                              .time_ms = record_time(r, 0) };
    struct format_check *c = f->check_new(policy());
    struct errmsg msg = { .text = "" };
    struct buf out = { 0 };
    uint64_t records = 0;
    enum err e;

    must_hold(c != NULL);
    it.tick_s -= it.tick_s % f->tick_s;
    if (f->carries(policy(), r->kind) && write_file(f, &it, &out, &msg) == ERR_OK) {
        e = f->check_add(c, out.p, out.len, &msg);
        if (e == ERR_OK)
            e = f->check_end(c, &records, &msg);
        if (e != ERR_OK)
            fprintf(stderr, "%s: %s\n", f->name, msg.text);
        must_hold(e == ERR_OK && records == 1);
        if (f->read_new != NULL)
            read_back(f, &out, &it);
    }
    f->check_free(c);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint8_t *copy = fuzz_copy(p, n);
    struct record r, again;
    struct errmsg msg = { .text = "" };
    struct buf out = { 0 };

    if (record_decode(copy, n, &r, &msg) == ERR_OK) {
        must_hold(record_encode(&r, &out, &msg) == ERR_OK && out.len <= n + 64);
        must_hold(record_decode(out.p, out.len, &again, &msg) == ERR_OK);
        must_hold(memcmp(&r, &again, sizeof r) == 0);
        if (desk_check(policy(), &r, r.at_ms, &msg) == ERR_OK && r.at_ms > 946684800000 &&
            r.at_ms < 32503680000000) { /* what a desk would have taken, in this millennium */
            for (unsigned i = 0; format_at(i) != NULL; i++) {
                flat = format_at(i) == &format_ldflat;
                write_and_check(format_at(i), &r);
            }
        }
    } else {
        must_hold(r.kind == 0 && msg.text[0] != '\0');
    }
    buf_free(&out);
    free(copy);
    return 0;
}

static void seed_of(struct record r)
{
    struct buf b = { 0 };

    r.at_ms = 1795500000000;
    r.utc_off_min = -300;
    snprintf(r.staff, sizeof r.staff, "desk one");
    must_hold(record_encode(&r, &b, NULL) == ERR_OK);
    fuzz_seed_buf(&b);
}

void fuzz_seeds(void)
{
    struct record user = { .kind = RECORD_USER, .user = "20000000000018", .key = { 1, 2, 3 } };

    seed_of((struct record){ .kind = RECORD_CHECKOUT,
                             .user = "20000000000018",
                             .item = "30000000000011",
                             .due = 20261207 });
    seed_of((struct record){ .kind = RECORD_DISCHARGE, .item = "30000000000011", .flags = 1 });
    seed_of((struct record){ .kind = RECORD_RENEW,
                             .item = "30000000000011",
                             .due = 20270101,
                             .paper_ms = 1795400000000 });
    seed_of((struct record){ .kind = RECORD_INHOUSE, .item = "A.B$/+%-1", .count = 99 });
    seed_of((struct record){ .kind = RECORD_VOID, .target = { .seq = 7 } });
    seed_of((struct record){ .kind = 200 });
    snprintf(user.reg.first, sizeof user.reg.first, "Zo\xc3\xab");
    snprintf(user.reg.last, sizeof user.reg.last, "O'Neill ^ |");
    snprintf(user.reg.street, sizeof user.reg.street, "1 Main St");
    snprintf(user.reg.city, sizeof user.reg.city, "Springfield");
    snprintf(user.reg.postcode, sizeof user.reg.postcode, "12345");
    snprintf(user.reg.email, sizeof user.reg.email, "a@b.example");
    snprintf(user.reg.phone, sizeof user.reg.phone, "555-0100");
    snprintf(user.reg.note, sizeof user.reg.note, "$<x> .UB. *** DOCUMENT");
    snprintf(user.reg.guardian, sizeof user.reg.guardian, "\xe2\x82\xac");
    snprintf(user.reg.pin, sizeof user.reg.pin, "1234");
    user.reg.birth = 20101231;
    seed_of(user);
}
