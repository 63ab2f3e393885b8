/* merge_report.c - what became of every line of a merge: for people, and as JSON. */
#include "merging.h"
#include "losses.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

#define SHIFT_MS 2000 /* two clocks that agree better are right */

static const char unknown_heading[] =
    "\nLines that were not understood. They stand in the file .unknown, as they were:\n";
const char *merge_odd_words(unsigned odd, uint64_t lines)
{
    static const char *const words[MERGE_ODDITIES][2] = {
        { "due date ends at another time than its day's end, which is not kept",
          "due dates end at other times than their day's end, which are not kept" },
        { "line has fields that are not kept", "lines have fields that are not kept" },
        { "event is later than its file was written: a wrong clock or date",
          "events are later than their file was written: a wrong clock or date" },
        { "line goes back in time by more than two hours: a clock that was set, or a wrong date",
          "lines go back in time by more than two hours: a clock that was set, or wrong dates" },
    };

    return words[odd][lines != 1];
}

static const char record_heading[] =
    "\nWhat was taken as one event, what was not written, and what needs a look, by time:\n";

static bool carries_cards(const struct merging *m)
{
    return m->to->carries(&m->policy, RECORD_USER) ||
           (m->to->users != NULL && m->to->users(&m->policy) != NULL);
}

/* ---- line by line, while they pass ---- */

static void heading(struct merging *m, const char *text, uint64_t before)
{
    if (before == 0)
        fputs(text, m->details);
}

void merge_note_unknown(struct merging *m, const struct merge_input *in, uint64_t line,
                        const char *why)
{
    static const char form[] = "  %s:%llu: %s\n";
    uint64_t all = 0;

    for (unsigned i = 0; i < m->n_in; i++)
        all += m->in[i].unknown;
    heading(m, unknown_heading, all - 1);
    fprintf(m->details, form, in->path, (unsigned long long)line, why);
}

/* "LOG-B:17" */
static void put_place(struct merging *m, unsigned file, uint64_t line)
{
    fprintf(m->details, "%s:%llu", m->in[file].path, (unsigned long long)line);
}

static const char *verdict_words(const struct pooled *p)
{
    switch (p->m.verdict) {
    case VERDICT_DUPLICATE:
        return p->m.rec.kind == RECORD_USER ? "the same card again" : "the same event again";
    case VERDICT_SUPERSEDED:
        return "a renewal; a later due date of the same loan is written";
    case VERDICT_HELD:
        return "a discharge, held by the policy: not written";
    case VERDICT_WAITS:
        return "of a card that is registered twice with different data: not written";
    case VERDICT_REVIEW:
        return p->m.rec.kind == RECORD_USER
                   ? "a card registered twice with different data: not written"
                   : "a renewal after the return of its item: not written";
    case VERDICT_SEND:
    case VERDICT_VOIDED:
    case VERDICT_VOID:
    case VERDICT_LATE_VOID:
    case VERDICT_IDLE_VOID:
        break;
    }
    return "not written";
}

static void note_verdict(struct merging *m, const struct pooled *p)
{
    struct merge_input *in = &m->in[p->m.feed];

    if (p->m.verdict == VERDICT_DUPLICATE)
        in->duplicates++;
    else if (p->m.verdict != VERDICT_SUPERSEDED && p->m.verdict != VERDICT_HELD)
        in->conflicts++;
    fputs("  ", m->details);
    put_place(m, p->m.feed, p->m.seq);
    fprintf(m->details, ": %s", verdict_words(p));
    if (p->m.has_other) {
        fputs(", see ", m->details);
        put_place(m, p->m.other_feed, p->m.other_seq);
    }
    fprintf(m->details, " (%s)\n", p->m.rule);
}

static void note(struct merging *m, const struct pooled *p, const char *words)
{
    fputs("  ", m->details);
    put_place(m, p->m.feed, p->m.seq);
    fprintf(m->details, ": %s\n", words);
}

static void note_outcome(struct merging *m, const struct pooled *p, enum outcome o)
{
    const char *why = strstr(m->why, ": "); /* it begins with an id that nobody knows here */

    switch (o) {
    case OUTCOME_NOT_SENT:
        note_verdict(m, p);
        break;
    case OUTCOME_UNCARRIED:
        m->cards_by_hand += p->m.rec.kind == RECORD_USER;
        note(m, p,
             p->m.rec.kind == RECORD_USER
                 ? "a new card, which this format cannot say: register it by hand"
                 : "this format cannot say it: not written");
        break;
    case OUTCOME_UNWRITABLE:
        note(m, p, why != NULL ? why + 2 : m->why);
        break;
    case OUTCOME_BEHIND:
        note(m, p, "behind a line of its item that cannot be written: not written");
        break;
    case OUTCOME_SENT:
        break;
    }
}

static bool is_worth_a_word(const struct merging *m, const struct pooled *p, enum outcome o)
{
    return o != OUTCOME_SENT || p->out_twice || (p->new_card && !carries_cards(m));
}

void merge_note_record(struct merging *m, const struct pooled *p, enum outcome o)
{
    if (!is_worth_a_word(m, p, o))
        return;
    heading(m, record_heading, m->lines_noted++);
    note_outcome(m, p, o);
    if (p->out_twice) {
        m->twice++;
        m->in[p->m.feed].conflicts++;
        m->in[p->twice_feed].conflicts++;
        fputs("  ", m->details);
        put_place(m, p->m.feed, p->m.seq);
        fprintf(m->details, ": item %s goes out, while it is out to another user since ",
                p->m.rec.item);
        put_place(m, p->twice_feed, p->twice_seq);
        fputs("; both are written: look the item up (R5)\n", m->details);
    }
    if (p->new_card && !carries_cards(m)) {
        m->new_card_loans++;
        note(m, p, "of a card that was registered in these files: register it first");
    }
}

/* Two files whose clocks are surely apart. */
static bool is_shifted(const struct merging *m, unsigned a, unsigned b, struct pool_clock *c)
{
    return pool_clock(m->pool, a, b, c) && (c->median_ms < -SHIFT_MS || c->median_ms > SHIFT_MS);
}

bool merge_is_clean(const struct merging *m)
{
    const struct export_result *r = &m->result;
    struct pool_clock c;
    uint64_t odd = 0;

    for (unsigned i = 0; i < m->n_in; i++) {
        odd += m->in[i].unknown;
        for (unsigned k = 0; k < MERGE_ODDITIES; k++)
            odd += m->in[i].odd[k].lines;
        for (unsigned k = 0; k < i; k++)
            odd += is_shifted(m, k, i, &c);
    }
    return odd == 0 && m->twice == 0 && m->cards_by_hand == 0 && r->verdicts[VERDICT_REVIEW] == 0 &&
           r->verdicts[VERDICT_WAITS] == 0 && r->verdicts[VERDICT_HELD] == 0 &&
           r->outcomes[OUTCOME_UNWRITABLE] == 0 && r->outcomes[OUTCOME_BEHIND] == 0;
}

/* ---- clocks ---- */

static void put_shift(char out[40], int64_t ms)
{
    uint64_t s = (uint64_t)((ms < 0 ? -ms : ms) + 500) / 1000;

    if (s >= 3600)
        snprintf(out, 40, "%lluh%llum%llus", (unsigned long long)s / 3600,
                 (unsigned long long)s / 60 % 60, (unsigned long long)s % 60);
    else if (s >= 60)
        snprintf(out, 40, "%llum%llus", (unsigned long long)s / 60, (unsigned long long)s % 60);
    else
        snprintf(out, 40, "%llus", (unsigned long long)s);
}

/* Only said, never done: who scanned a book twice within minutes looks the same. */
static void merge_clocks(const struct merging *m, FILE *to)
{
    for (unsigned b = 1; b < m->n_in; b++)
        for (unsigned a = 0; a < b; a++) {
            const struct merge_input *in = &m->in[b];
            struct pool_clock c;
            char shift[40], whole[40];
            if (is_shifted(m, a, b, &c)) {
                put_shift(shift, c.median_ms);
                put_shift(whole, in->offset_ms - c.median_ms);
                fprintf(to,
                        "  clock      %s is %s %s %s, by %llu events that both have: consider "
                        "%s@%c%s\n",
                        in->path, shift, c.median_ms > 0 ? "ahead of" : "behind", m->in[a].path,
                        (unsigned long long)c.shared, in->path,
                        in->offset_ms < c.median_ms ? '-' : '+', whole);
            } else if (m->to == NULL && pool_clock(m->pool, a, b, &c)) {
                fprintf(to, "  clock      %s and %s agree, by %llu events that both have\n",
                        m->in[a].path, in->path, (unsigned long long)c.shared);
            } else if (m->to == NULL) {
                fprintf(to, "  clock      %s and %s have too little in common to tell\n",
                        m->in[a].path, in->path);
            }
        }
}

/* ---- the whole ---- */

/* words: of one, then after a bar of several. */
static void put_count(FILE *to, const char *label, uint64_t n, const char *words)
{
    const char *bar = strchr(words, '|');
    char text[32];

    if (n == 0)
        return;
    words_number((long long)n, text);
    if (bar != NULL && n == 1)
        fprintf(to, "  %-10s %s %.*s\n", label, text, (int)(bar - words), words);
    else
        fprintf(to, "  %-10s %s %s\n", label, text, bar != NULL ? bar + 1 : words);
}

static void put_moment(FILE *to, const struct merging *m, int64_t ms)
{
    char text[36];

    rfc3339_format(ms, zone_offset_s(&m->policy.zone, ms / 1000) / 60, text);
    fputs(text, to);
}

static void put_input(FILE *to, const struct merging *m, const struct merge_input *in)
{
    static const char *const words[][2] = { [RECORD_CHECKOUT] = { "checkout", "checkouts" },
                                            [RECORD_DISCHARGE] = { "discharge", "discharges" },
                                            [RECORD_RENEW] = { "renewal", "renewals" },
                                            [RECORD_USER] = { "new card", "new cards" },
                                            [RECORD_INHOUSE] = { "in-house use", "in-house uses" },
                                            [RECORD_VOID] = { "void", "voids" } };
    char hex[65], n[32];

    sodium_bin2hex(hex, sizeof hex, in->sha256, sizeof in->sha256);
    if (in->same_as >= 0) {
        fprintf(to, "%s: the same file as %s, left out\n", in->path, m->in[in->same_as].path);
        return;
    }
    words_number((long long)in->lines, n);
    fprintf(to, "%s: %s, %s line%s", in->path, in->format->name, n, in->lines == 1 ? "" : "s");
    for (unsigned k = 1; k <= RECORD_KIND_LAST; k++)
        if (in->kinds[k] > 0) {
            words_number((long long)in->kinds[k], n);
            fprintf(to, ", %s %s", n, words[k][in->kinds[k] > 1]);
        }
    fputc('\n', to);
    if (in->events > 0) {
        fputs("  from       ", to);
        put_moment(to, m, in->first_ms);
        fputs(" to ", to);
        put_moment(to, m, in->last_ms);
        if (in->offset_ms != 0)
            fprintf(to, ", clock moved by %+lld s", (long long)in->offset_ms / 1000);
        fputc('\n', to);
    }
    put_count(to, "unknown", in->unknown,
              "line that was not understood|lines that were not understood");
    put_count(to, "skipped", in->skipped, "reply of a server|replies of a server");
    put_count(to, "again", in->duplicates,
              "event that another line has, too|events that another line has, too");
    put_count(to, "conflict", in->conflicts,
              "line that contradicts another|lines that contradict another");
    put_count(to, "no time", in->untimed,
              "new card dated as the file is|new cards dated as the file is");
    for (unsigned i = 0; i < MERGE_ODDITIES; i++)
        if (in->odd[i].lines > 0) {
            words_number((long long)in->odd[i].lines, n);
            fprintf(to, "  %-10s %s %s: line %llu%s\n", i < ODD_FUTURE ? "lost" : "dates", n,
                    merge_odd_words(i, in->odd[i].lines), (unsigned long long)in->odd[i].first,
                    in->odd[i].lines > 1 ? " is the first" : "");
        }
    fprintf(to, "  SHA-256    %s\n", hex);
}

static void put_losses(FILE *to, const struct merging *m)
{
    json_t *losses = losses_json(&m->policy, &m->result), *loss;
    uint64_t overrides = 0, pins = 0;
    char text[LOSS_SENTENCE_MAX];
    size_t k;

    for (unsigned i = 0; i < m->n_in; i++) {
        overrides += m->in[i].overrides;
        pins += m->in[i].pins;
    }
    if (format_unverified_words(&m->policy, text))
        fprintf(to, "  note       %s\n", text);
    if (format_age_words(&m->policy, m->result.first_ms, (int64_t)time(NULL) * 1000, text))
        fprintf(to, "  note       %s\n", text);
    json_array_foreach(losses, k, loss)
        fprintf(to, "  lost       %s\n", json_string_value(json_object_get(loss, "message")));
    json_decref(losses);
    if (m->to == &format_csv || m->to == &format_ndjson)
        overrides = 0; /* they say it */
    put_count(
        to, "lost", overrides,
        "line with an override, which is not written|lines with an override, which is not written");
    if (m->to == &format_symphony)
        put_count(
            to, "PINs", pins,
            m->policy.symphony.write_pin
                ? "of a new card, written in clear text|of new cards, written in clear text"
                : "of a new card, not written (write_pin)|of new cards, not written (write_pin)");
}

static void put_written(FILE *to, const struct merging *m)
{
    const struct export_result *r = &m->result;
    char hex[65], n[32];
    unsigned part = 0;

    for (unsigned i = 0; i < MERGE_FILES; i++) {
        const struct merge_file *f = &m->file[i == 0 ? MERGE_USERS : i == 1 ? MERGE_OUT : i];
        if (f->path == NULL || i == MERGE_UNKNOWN || i == MERGE_REPORT || part >= r->n_parts ||
            (i == 1 && m->result.parts[part].lines == 0))
            continue;
        words_number((long long)r->parts[part].lines, n);
        sodium_bin2hex(hex, sizeof hex, r->parts[part].sha256, sizeof r->parts[part].sha256);
        fprintf(to, "%s: %s record%s, SHA-256 %s\n", f->path, n,
                r->parts[part].lines == 1 ? "" : "s", hex);
        part++;
    }
    if (r->n_parts == 0)
        fputs("Nothing could be written.\n", to);
    else if (m->file[MERGE_USERS].path != NULL)
        fprintf(to, "Load %s first.\n", m->file[MERGE_USERS].path);
}

static void put_head(FILE *to, const struct merging *m)
{
    const struct export_result *r = &m->result;

    for (unsigned i = 0; i < m->n_in; i++)
        put_input(to, m, &m->in[i]);
    fprintf(to, "Merged as %s; local times are those of %s (%s)\n", m->to->name,
            m->policy.zone_name, m->zone_from);
    put_count(to, "duplicates", r->verdicts[VERDICT_DUPLICATE],
              "left out: another line says the same");
    put_count(to, "replaced", r->verdicts[VERDICT_SUPERSEDED],
              "renewal by a later due date of the same loan|renewals by a later due date of the "
              "same loan");
    put_count(to, "twice out", m->twice,
              "item out to two users with no return between: both sent|items out to two users with "
              "no return between: both sent");
    put_count(to, "held", r->verdicts[VERDICT_HELD],
              "discharge (discharges = hold)|discharges (discharges = hold)");
    put_count(to, "review", r->verdicts[VERDICT_REVIEW] + r->verdicts[VERDICT_WAITS],
              "not written: they contradict each other");
    put_count(to, "unwritable", r->outcomes[OUTCOME_UNWRITABLE],
              "with a value that the format cannot hold");
    put_count(to, "behind", r->outcomes[OUTCOME_BEHIND], "not written: behind an unwritable one");
    put_count(to, "by hand", m->cards_by_hand,
              "new card to be registered by hand, first|new cards to be registered by hand, first");
    put_count(to, "new cards", m->new_card_loans,
              "line of a card that must be registered first|lines of cards that must be registered "
              "first");
    put_losses(to, m);
    merge_clocks(m, to);
    put_written(to, m);
}

/* ---- out ---- */

int merge_report(struct merging *m)
{
    FILE *to = m->file[MERGE_REPORT].to;
    char b[16384];
    size_t n;

    put_head(to, m);
    rewind(m->details);
    while ((n = fread(b, 1, sizeof b, m->details)) > 0)
        fwrite(b, 1, n, to);
    if (ferror(m->details) != 0)
        return cli_fail(m->c, err_exit(ERR_DISK), "disk", "the report's notes cannot be read: %s",
                        strerror(errno));
    return 0;
}

void merge_say(struct merging *m)
{
    json_t *o;

    if (m->c->json) {
        o = merge_json(m);
        cli_json(o);
        json_decref(o);
    } else if (m->to == NULL) {
        for (unsigned i = 0; i < m->n_in; i++)
            put_input(stdout, m, &m->in[i]);
        merge_clocks(m, stdout);
    } else {
        put_head(stdout, m);
        printf("Details: %s\n", m->file[MERGE_REPORT].path);
    }
}
