/* sip2_drive.c - the SIP2 sink without a branch: plays a payload to a server with a journal in a
 * file, as the ledger does with its seats. For e2e.sip2, which kills it at any moment, and for
 * tests/bench.
 *
 *   sip2_drive SINK POLICY PAYLOAD JOURNAL HOME      HOME: where credentials lie
 *
 * "S k" is on disk before line k may leave, "N k" says that nothing left, "R k answer words" what
 * became of it. At a start the last S without one of them is in doubt. Exit 0: all told; 3: stop.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "drive.h"
#include "sip2.h"

struct drive {
    struct drive_base base;
    char *answer; /* of each line: enum answer, 0 none */
    int journal;
    uint64_t told; /* this call's line, 0: none */
    char words[ANSWER_WORDS_MAX + 1];
};

static void get_answer(void *ctx, uint64_t k, enum answer a, const char *words)
{
    struct drive *d = ctx;

    d->told = k;
    d->answer[k - 1] = (char)a;
    snprintf(d->words, sizeof d->words, "%s", words);
}

static bool is_behind(void *ctx, uint64_t k)
{
    struct drive *d = ctx;
    struct sip2_ask me, other;

    sip2_ask_of(d->base.line[k - 1], strcspn(d->base.line[k - 1], "\n"), &me, NULL);
    for (uint64_t j = 1; j < k; j++) {
        if (d->answer[j - 1] != ANSWER_QUARANTINED && d->answer[j - 1] != ANSWER_HELD)
            continue;
        sip2_ask_of(d->base.line[j - 1], strcspn(d->base.line[j - 1], "\n"), &other, NULL);
        if (strcmp(me.item, other.item) == 0)
            return true;
    }
    return false;
}

/* One write, then the flush that a seat's commit has. */
static void note(struct drive *d, char what, uint64_t k, const char *more)
{
    char text[400];
    int n = snprintf(text, sizeof text, "%c %llu%s%s\n", what, (unsigned long long)k,
                     more[0] ? " " : "", more);

    if (write(d->journal, text, (size_t)n) != n || fdatasync(d->journal) != 0)
        fail("cannot write", "the journal");
}

/* Returns the line in doubt, or 0; *next is the first that is not told. */
static uint64_t read_journal(struct drive *d, const char *path, uint64_t *next)
{
    char *all, *save = NULL;
    uint64_t doubt = 0;
    size_t whole;

    *next = 1;
    if ((d->journal = open(path, O_RDWR | O_CREAT | O_APPEND, 0600)) < 0)
        fail("cannot open", path);
    all = slurp(path);
    for (whole = strlen(all); whole > 0 && all[whole - 1] != '\n'; whole--)
        ;
    if (ftruncate(d->journal, (off_t)whole) != 0) /* a torn last line */
        fail("cannot cut", path);
    all[whole] = '\0';
    for (char *l = strtok_r(all, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        uint64_t k = strtoull(l + 2, NULL, 10);
        char name[32] = "";
        doubt = l[0] == 'S' ? k : 0;
        if (l[0] != 'R' || k == 0 || k > d->base.n)
            continue;
        *next = k + 1;
        sscanf(l + 2, "%*s %31s", name);
        for (enum answer a = ANSWER_ACCEPTED; a <= ANSWER_LAST; a++)
            if (strcmp(answer_name(a), name) == 0)
                d->answer[k - 1] = (char)a;
    }
    free(all);
    return doubt;
}

static void result(struct drive *d, uint64_t k)
{
    char more[300];

    if (d->told != k) {
        d->answer[k - 1] = ANSWER_ACCEPTED;
        d->words[0] = '\0';
    }
    snprintf(more, sizeof more, "%s %s", answer_name((enum answer)d->answer[k - 1]), d->words);
    note(d, 'R', k, more);
}

/* Until line k is settled. */
static void play(struct drive *d, const char *sink, struct sink_batch *b, uint64_t k, bool doubt)
{
    struct timespec pause = { 0, 50000000 };
    char words[256] = "";

    b->item = k;
    if (getenv("SIP2_DRIVE_PAUSE_MS")) { /* before each line: a server may close what is idle */
        struct timespec before = { 0, atol(getenv("SIP2_DRIVE_PAUSE_MS")) * 1000000L };
        nanosleep(&before, NULL);
    }
    for (;;) {
        enum delivery how;
        d->told = 0;
        if (!doubt)
            note(d, 'S', k, "");
        how = doubt ? sink_look(sink, b, words) : sink_deliver(sink, b, words);
        if (getenv("SIP2_DRIVE_TRACE"))
            fprintf(stderr, "%llu %s -> %d %s\n", (unsigned long long)k, doubt ? "look" : "send",
                    how, words);
        switch (how) {
        case DELIVERY_DONE:
            result(d, k);
            return;
        case DELIVERY_STOP:
        case DELIVERY_DENIED:
            if (!doubt)
                note(d, 'N', k, "");
            fprintf(stderr, "stop: %s\n", words);
            sink_end(sink, *b->session);
            exit(3);
        case DELIVERY_DOUBT:
            doubt = true;
            break;
        case DELIVERY_ABSENT:
            doubt = false;
            break;
        case DELIVERY_UNPROVEN:
            get_answer(d, k, ANSWER_DOUBT, words);
            result(d, k);
            return;
        case DELIVERY_RETRY:
        default:
            if (!doubt)
                note(d, 'N', k, "");
            fprintf(stderr, "retry: %s\n", words);
            nanosleep(&pause, NULL);
            break;
        }
    }
}

int main(int argc, char **argv)
{
    static struct drive d;
    void *session = NULL;
    struct sink_batch b = { .line = drive_line,
                            .answer = get_answer,
                            .behind = is_behind,
                            .secret = drive_secret,
                            .session = &session,
                            .may_send = drive_may,
                            .ctx = &d };
    uint64_t next, doubt;

    if (argc != 6 || sodium_init() < 0)
        return 2;
    drive_policy(&d.base, argv[2]);
    drive_payload(&d.base, argv[3], NULL);
    d.base.home = b.home = argv[5];
    if ((d.answer = calloc(d.base.n + 1, 1)) == NULL)
        fail("no memory for", argv[3]);
    b.policy = &d.base.policy;
    b.n_lines = d.base.n;
    doubt = read_journal(&d, argv[4], &next);
    for (uint64_t k = next; k <= d.base.n; k++)
        play(&d, argv[1], &b, k, k == doubt);
    sink_end(argv[1], session);
    return 0;
}
