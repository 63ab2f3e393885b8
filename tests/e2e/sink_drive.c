/* sink_drive.c - one upload to a sink that is answered, without a branch around it: takes the steps
 * that delivery.c says, with a file in place of the seats. For tests that kill it at any moment and
 * start it again, as a successor would take over.
 *
 *   sink_drive HOME POLICY PAYLOAD JOURNAL
 *
 * HOME: where credentials lie. PAYLOAD: lines; those that begin with "Version=" are a header. The
 * journal gets "P hex" (progress.. as the seats would keep it) and, with it in one write, "A line
 * answer words". QUIET_MS: a successor's wait. BATCH: its name. ARRIVED=yes|no: what a lead says when asked.
 * Exit 0: handed over, and "F evidence" is in the journal; 3: stopped; 4: a lead is asked. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "drive.h"

struct drive {
    struct drive_base base;
    const char *path; /* of the journal */
    struct buf told;  /* "A .." of this send */
    struct progress at;
    bool mine, fresh;
    int journal;
};

static void pause_ms(unsigned ms)
{
    struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

    nanosleep(&t, NULL);
}

/* ---- what a sink asks for ---- */

static void get_answer(void *ctx, uint64_t k, enum answer a, const char *words)
{
    struct drive *d = ctx;

    if (a != ANSWER_ACCEPTED)
        buf_printf(&d->told, "A %llu %s %s\n", (unsigned long long)k, answer_name(a), words);
}

static bool is_behind(void *ctx, uint64_t k)
{
    (void)ctx, (void)k;
    return false;
}

/* ---- the journal ---- */

static void append(struct drive *d, const struct buf *text)
{
    if (write(d->journal, text->p, text->len) != (ssize_t)text->len || fdatasync(d->journal) != 0)
        fail("cannot write", d->path);
}

/* What a majority of seats would hold before the next move. */
static void store(struct drive *d, const struct progress *next)
{
    struct buf bytes = { 0 }, text = { 0 };
    char *hex;

    d->at = *next;
    progress_encode(next, &bytes);
    hex = calloc(1, bytes.len * 2 + 1);
    hex_encode(bytes.p, bytes.len, hex);
    buf_add(&text, d->told.p, d->told.len);
    buf_printf(&text, "P %s\n", hex);
    append(d, &text);
    free(hex);
    buf_free(&text);
    buf_free(&bytes);
    d->mine = true;
}

static void read_journal(struct drive *d)
{
    char *all, *save = NULL;
    size_t whole;

    if ((d->journal = open(d->path, O_RDWR | O_CREAT | O_APPEND, 0600)) < 0)
        fail("cannot open", d->path);
    all = slurp(d->path);
    for (whole = strlen(all); whole > 0 && all[whole - 1] != '\n'; whole--)
        ; /* a torn write ends before its P */
    all[whole] = '\0';
    d->fresh = true;
    for (char *l = strtok_r(all, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        uint8_t bytes[PROGRESS_BYTES_MAX];
        size_t n = 0;
        if (l[0] == 'F')
            exit(0);
        if (l[0] != 'P' ||
            sodium_hex2bin(bytes, sizeof bytes, l + 2, strlen(l + 2), NULL, &n, NULL) != 0 ||
            progress_decode(bytes, n, &d->at) != ERR_OK)
            continue;
        d->fresh = false;
    }
    free(all);
}

/* ---- the moves ---- */

static uint64_t items(const struct drive *d)
{
    struct slot_part part = { .lines = d->base.n };

    return delivery_items(sink_class_of(d->base.policy.sink), &part, 1);
}

static void person(struct drive *d, const char *words)
{
    const char *said = getenv("ARRIVED");
    struct progress next;

    if (!said) {
        fprintf(stderr, "person: %s\n", words);
        exit(4);
    }
    if (progress_decided(&d->at, items(d), strcmp(said, "yes") == 0, (const uint8_t *)"", 0,
                         &next) != ERR_OK)
        exit(5);
    unsetenv("ARRIVED");
    store(d, &next);
}

static void take_key(struct progress *next, const struct sink_batch *b)
{
    memcpy(next->key, b->key, sizeof next->key);
}

static void looked(struct drive *d, struct sink_batch *b, enum delivery found, const char *words)
{
    enum sink_class c = sink_class_of(d->base.policy.sink);
    struct progress next;

    if (delivery_after_look(c, items(d), &d->at, found, &next) == LOOK_PERSON) {
        person(d, words);
        return;
    }
    if (found == DELIVERY_UNPROVEN && c == SINK_F1)
        get_answer(d, b->item, ANSWER_DOUBT, words);
    if (found == DELIVERY_DONE)
        take_key(&next, b);
    store(d, &next);
}

static void sent(struct drive *d, struct sink_batch *b, enum delivery how, const char *words)
{
    struct progress next;

    switch (how) {
    case DELIVERY_DONE:
        progress_arrived(&d->at, items(d), &next);
        take_key(&next, b);
        store(d, &next);
        break;
    case DELIVERY_STOP:
    case DELIVERY_DENIED:
        progress_nothing_left(&d->at, &next);
        store(d, &next);
        fprintf(stderr, "stop: %s\n", words);
        exit(3);
    case DELIVERY_RETRY:
        if (strcmp(b->key, d->at.key) != 0) {
            progress_nothing_left(&d->at, &next);
            take_key(&next, b);
            store(d, &next);
        }
        pause_ms(20);
        break;
    case DELIVERY_DOUBT:
        d->mine = false;
        break;
    default:
        pause_ms(20);
        break;
    }
}

static void act(struct drive *d, struct sink_batch *b, bool look)
{
    char words[256] = "";
    enum delivery how;

    b->item = sink_has_steps(sink_class_of(d->base.policy.sink)) ? d->at.done + 1 : 0;
    memcpy(b->key, d->at.key, sizeof b->key);
    buf_reset(&d->told);
    how = look ? sink_look(d->base.policy.sink, b, words)
               : sink_deliver(d->base.policy.sink, b, words);
    if (getenv("TRACE"))
        fprintf(stderr, "%s %llu: %d %s\n", look ? "look" : "send", (unsigned long long)b->item,
                how, words);
    if (how != DELIVERY_DONE)
        buf_reset(&d->told);
    if (!look) {
        sent(d, b, how, words);
    } else if (how == DELIVERY_RETRY || how == DELIVERY_LATER) {
        pause_ms(20);
    } else if (how == DELIVERY_STOP || how == DELIVERY_DENIED) {
        fprintf(stderr, "stop: %s\n", words);
        exit(3);
    } else {
        looked(d, b, how, words);
    }
}

static void hand_over(struct drive *d, struct sink_batch *b)
{
    const char *ms = getenv("QUIET_MS");
    enum sink_class c = sink_class_of(d->base.policy.sink);
    struct progress next;

    d->mine = d->fresh;
    for (;;) {
        switch (delivery_move(c, items(d), &d->at, d->mine)) {
        case MOVE_FINISH:
            return;
        case MOVE_STORE:
            buf_reset(&d->told);
            progress_about_to(&d->at, &next);
            store(d, &next);
            break;
        case MOVE_SEND:
            act(d, b, false);
            if (!sink_has_steps(c) && d->at.done > 0)
                return;
            break;
        case MOVE_QUIET:
            pause_ms(ms ? (unsigned)atoi(ms) : 0);
            if (sink_has_steps(c))
                act(d, b, true);
            else
                d->mine = true;
            break;
        }
    }
}

/* ---- begin ---- */

int main(int argc, char **argv)
{
    static struct drive d;
    void *session = NULL;
    struct sink_batch b = { .name = getenv("BATCH") ? getenv("BATCH") : "MAIN/e0/s1/1a2b3c4d",
                            .line = drive_line,
                            .answer = get_answer,
                            .behind = is_behind,
                            .secret = drive_secret,
                            .session = &session,
                            .may_send = drive_may,
                            .ctx = &d };
    struct buf text = { 0 };

    if (argc != 5 || sodium_init() < 0)
        return 2;
    d.base.home = b.home = argv[1];
    drive_policy(&d.base, argv[2]);
    drive_payload(&d.base, argv[3], "Version=");
    d.path = argv[4];
    b.policy = &d.base.policy;
    b.n_lines = d.base.n;
    read_journal(&d);
    hand_over(&d, &b);
    buf_text(&text, "F\n");
    append(&d, &text);
    sink_end(d.base.policy.sink, session);
    return 0;
}
