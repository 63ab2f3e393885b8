/* upload_words.c - a plan as people read it: problems first, every record accounted for. */
#include "cli_int.h"

#include <string.h>

/* "2 new users (first), 401 checkouts, 18 renewals" */
static void add_kinds(struct buf *b, const json_t *send)
{
    static const struct {
        const char *key, *one, *many;
    } kinds[] = { { "user", "new user (first)", "new users (first)" },
                  { "checkout", "checkout", "checkouts" },
                  { "renew", "renewal", "renewals" },
                  { "discharge", "discharge", "discharges" },
                  { "inhouse", "in-house use", "in-house uses" } };
    bool first = true;
    char n[32];

    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        long long v = j_int(send, kinds[i].key, 0);
        if (v == 0)
            continue;
        words_number(v, n);
        buf_printf(b, "%s%s %s", first ? ": " : ", ", n, v == 1 ? kinds[i].one : kinds[i].many);
        first = false;
    }
}

static void print_line(const char *label, long long n, const char *what)
{
    char number[32];

    if (n == 0)
        return;
    words_number(n, number);
    printf("  %-10s %s%s\n", label, number, what);
}

static long long desks_with_records(const json_t *p)
{
    const json_t *d;
    long long n = 0;
    size_t i;

    json_array_foreach(json_object_get(p, "desks"), i, d) n += j_int(d, "records", 0) > 0;
    return n;
}

/* "538 records from 4 desks, 2026-11-23 09:12:04 to 13:58:40 -05:00", and below it "of these    6
 * duplicates, .. leave 524" */
static void print_total(const json_t *p)
{
    static const char *const fates[] = { "send_total", "held",   "waits",      "review",
                                         "duplicates", "voided", "superseded", "uncarried",
                                         "unwritable", "behind", "late_voids", "never_sent" };
    long long total = j_int(p, "total", 0), rest = total, desks = desks_with_records(p),
              duplicates = j_int(p, "duplicates", 0), voided = j_int(p, "voided", 0);
    char n[32], span[80];

    for (unsigned i = 0; i < sizeof fates / sizeof fates[0]; i++)
        rest -= j_int(p, fates[i], 0);
    rest = j_int(p, "voids", rest);
    words_number(total, n);
    printf("%s record%s", n, total == 1 ? "" : "s");
    if (desks > 0) /* none: all of them were released */
        printf(" from %lld desk%s", desks, desks == 1 ? "" : "s");
    words_span(json_object_get(p, "first"), json_object_get(p, "last"), span);
    if (total > 0)
        printf(", %s", span);
    if (duplicates > 0 || voided > 0 || rest > 0) {
        long long left = total - duplicates - voided - (rest > 0 ? rest : 0);

        printf("\n  of these   %lld duplicate%s, %lld voided", duplicates,
               duplicates == 1 ? "" : "s", voided);
        if (rest > 0)
            printf(" (and %s%lld void%s)", rest == voided ? "their " : "", rest,
                   rest == 1 ? "" : "s");
        words_number(left, n);
        printf(" leave %s", n);
    }
    putchar('\n');
}

static void print_texts(const struct cli *c, enum hue h, const char *label, const json_t *texts)
{
    const json_t *t;
    size_t i;

    json_array_foreach(texts, i, t) printf(
        "%s%s%s%s\n", hue(c, h), label,
        json_is_string(t) ? json_string_value(t) : j_text(t, "message", "-"), hue(c, HUE_OFF));
}

/* What may be missing stands first, in the node's words; the rest of the desks below the counts. */
static void print_missing(const struct cli *c, const json_t *desks)
{
    const json_t *d;
    size_t i;

    json_array_foreach(desks, i, d) if (json_is_false(json_object_get(d, "complete")))
        printf("%s# %s%s\n", hue(c, HUE_WARN), j_text(d, "words", "-"), hue(c, HUE_OFF));
}

static void print_desks(const json_t *p)
{
    const json_t *desks = json_object_get(p, "desks"), *d;
    size_t i;

    if (json_object_get(p, "complete") == NULL) /* of an upload that is over */
        return;
    if (j_is(p, "complete"))
        printf("  missing    nothing: every desk of the branch was heard just now\n");
    json_array_foreach(desks, i, d) if (j_is(d, "complete"))
        printf("  desk       %s\n", j_text(d, "words", "-"));
}

/* "decided    KIDS-1/3/0042 is sent, a lead said (..) 2026-11-23 14:05:10 -05:00"; a word that does
 * not stand is listed, too. */
static void print_decisions(const json_t *decisions)
{
    const json_t *d;
    char at[80];
    size_t i;

    json_array_foreach(decisions, i, d)
    {
        bool stands = j_text(d, "is", NULL) == NULL;

        words_span(json_object_get(d, "at"), json_object_get(d, "at"), at);
        printf("  decided    %s %s %s, a lead said (%s) %s%s\n", j_text(d, "id", "-"),
               stands ? "is" : "was to be",
               strcmp(j_text(d, "say", ""), "void") == 0 ? "taken back" : "sent",
               j_text(d, "lead", "-"), at, stands ? "" : ", and was overruled");
    }
}

/* "too late   KIDS-1/3/0042 was to be taken back, a lead said ..: it was sent" */
static void print_late_decisions(const struct cli *c, const json_t *decisions)
{
    const json_t *d;
    char at[80];
    size_t i;

    json_array_foreach(decisions, i, d)
    {
        bool taken = strcmp(j_text(d, "say", ""), "void") == 0;

        words_span(json_object_get(d, "at"), json_object_get(d, "at"), at);
        printf("%s  too late   %s was to be %s, a lead said (%s) %s: %s%s\n", hue(c, HUE_WARN),
               j_text(d, "id", "-"), taken ? "taken back" : "sent", j_text(d, "lead", "-"), at,
               taken ? "it was sent, undo it in the ILS" : "it was not, see tideover upload aside",
               hue(c, HUE_OFF));
    }
}

/* "clock      BUS clock was 95 s fast: times corrected, 2 orders changed (09:12:04 became ..)" */
static void print_clocks(const struct cli *c, const json_t *clocks)
{
    const json_t *k;
    char began[80], corrected[80];
    size_t i;

    json_array_foreach(clocks, i, k)
    {
        bool known = j_text(k, "corrected", NULL) != NULL;

        words_span(json_object_get(k, "began"), json_object_get(k, "began"), began);
        printf("%s  clock      %s (%s: began %s", hue(c, known ? HUE_OFF : HUE_WARN),
               j_text(k, "words", "-"), j_text(k, "feed", "-"), began);
        if (known) {
            words_span(json_object_get(k, "corrected"), json_object_get(k, "corrected"), corrected);
            printf(", that is %s", corrected);
        }
        printf(")%s\n", hue(c, HUE_OFF));
    }
}

void words_aside(const json_t *reasons, struct buf *out)
{
    const char *reason;
    json_t *v;
    char n[32];

    json_object_foreach((json_t *)(uintptr_t)reasons, reason, v)
    {
        if (json_integer_value(v) == 0)
            continue;
        words_number(json_integer_value(v), n);
        buf_printf(out, "%s%s %s", out->len > 0 ? ", " : "", n, reason);
    }
    buf_add(out, "", 1);
}

void plan_print(const struct cli *c, const json_t *p)
{
    bool is_plan = json_object_get(p, "complete") != NULL; /* else of an upload that is over */
    struct buf kinds = { 0 };

    print_texts(c, HUE_BAD, "# Problem: ", json_object_get(p, "problems"));
    print_missing(c, json_object_get(p, "desks"));
    if (strcmp(j_text(p, "server", ""), "offline") == 0)
        printf("%s# The library's server is still away, as the desks see it: tideover status%s\n",
               hue(c, HUE_WARN), hue(c, HUE_OFF));
    print_total(p);
    add_kinds(&kinds, json_object_get(p, "send"));
    buf_add(&kinds, "", 1);
    if (j_int(p, "send_total", 0) > 0 && !kinds.failed)
        print_line("to upload", j_int(p, "send_total", 0), (const char *)kinds.p);
    else
        printf("  to upload  nothing\n");
    print_line("from paper", j_int(p, "typed", 0),
               " of the records, with the time as it was typed");
    print_line("released", j_int(p, "released", 0), " of these, set aside by earlier uploads");
    print_line("held", j_int(p, "held", 0),
               j_int(p, "held", 0) == 1 ? " discharge, to be checked by hand (discharges = hold)"
                                        : " discharges, to be checked by hand (discharges = hold)");
    print_line("wait", j_int(p, "waits", 0), " behind the registration of their card");
    print_line("wait", j_int(p, "behind", 0), " behind an unwritable record of their item or card");
    print_line("too late", j_int(p, "late_voids", 0),
               j_int(p, "late_voids", 0) == 1
                   ? " void of a record sent before: to be undone in the ILS"
                   : " voids of records sent before: to be undone in the ILS");
    print_line(
        "late", j_int(p, "late", 0),
        " of these, recorded before an earlier upload and not in it: tideover conflicts list");
    print_line(
        "look at", is_plan ? j_int(p, "as_they_stand", 0) : 0,
        " of these, sent as they stand unless a lead says otherwise: tideover conflicts list");
    print_line("idle", j_int(p, "never_sent", 0),
               j_int(p, "never_sent", 0) == 1
                   ? " void of a record that was never sent: nothing to undo in the ILS"
                   : " voids of records that were never sent: nothing to undo in the ILS");
    print_line("review", j_int(p, "review", 0),
               " not sent until a lead decides: tideover conflicts list");
    print_line("replaced", j_int(p, "superseded", 0), " by a later due date of the same loan");
    print_line("not sent", j_int(p, "uncarried", 0) - j_int(p, "by_hand", 0),
               " that the format cannot say");
    print_line("by hand", j_int(p, "by_hand", 0),
               j_int(p, "by_hand", 0) == 1
                   ? " new card that the format cannot say, to be registered by hand"
                   : " new cards that the format cannot say, to be registered by hand");
    print_line("unwritable", j_int(p, "unwritable", 0), " with a value the format cannot hold");
    print_texts(c, HUE_WARN, "  note       ", json_object_get(p, "losses"));
    for (unsigned i = 0; i < 2; i++) {
        const char *words = j_text(p, i == 0 ? "unverified" : "old", NULL);
        if (words != NULL)
            printf("%s  note       %s%s\n", hue(c, HUE_WARN), words, hue(c, HUE_OFF));
    }
    if (j_text(p, "sink", NULL) != NULL)
        printf("  goes to    %s, as %s\n", j_text(p, "sink", "-"), j_text(p, "format", "-"));
    print_clocks(c, json_object_get(p, "clocks"));
    print_decisions(json_object_get(p, "decisions"));
    print_late_decisions(c, json_object_get(p, "late_decisions"));
    print_desks(p);
    buf_free(&kinds);
}
