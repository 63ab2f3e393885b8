/* paper.c - the facts of an outage as sentences and tables, and these as text or as a page. */
#include "cli_int.h"

#include <stdarg.h>
#include <string.h>

#include "paper.h"

#define LISTED_MAX 1000 /* what the node lists of each kind */

/* ---- making ---- */

static json_t *section(json_t *paper, const char *title)
{
    json_t *s = json_pack("{s:s, s:[], s:[], s:[]}", "title", title, "lines", "head", "rows");

    json_array_append_new(json_object_get(paper, "sections"), s);
    return s;
}

__attribute__((format(printf, 2, 3))) static void say(json_t *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    json_array_append_new(json_object_get(s, "lines"), json_vsprintf(fmt, ap));
    va_end(ap);
}

static void heads(json_t *s, const char *const *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        json_array_append_new(json_object_get(s, "head"), json_string(v[i]));
}

static const char *number(long long n, char out[32])
{
    words_number(n, out);
    return out;
}

/* "2026-11-23 09:12:04 -05:00": in the branch's time, as the node wrote it. */
static void moment_of(const json_t *o, const char *key, char out[80])
{
    const json_t *at = json_object_get(o, key);

    snprintf(out, 80, "-");
    if (json_is_string(at))
        words_span(at, at, out);
}

/* Who could not be asked may have recorded more: the sentence says whose word it is. */
static void put_nothing_unsent(json_t *s, const json_t *desks)
{
    size_t n = json_array_size(desks), heard = 0, i;
    const json_t *d;

    json_array_foreach(desks, i, d) heard += j_is(d, "complete");
    if (heard == n)
        say(s,
            "Nothing is unsent: every record of the branch was handed over, and nothing waits "
            "for a person. Each of its %zu desk%s was heard just before this was written.",
            n, n == 1 ? "" : "s");
    else
        say(s,
            "As far as %zu of the %zu desks know, nothing is unsent: every record that is here "
            "was handed over, and nothing waits for a person.",
            heard, n);
}

/* Handed over is not booked: some systems load later, and say so in a report of their own. */
static void put_unconfirmed(json_t *s, const json_t *uploads)
{
    const json_t *u;
    char n[32];
    size_t i;

    json_array_foreach(uploads, i, u) if (!j_is(u, "settled") && !j_is(u, "told") &&
                                          j_int(u, "unconfirmed", 0) > 0)
        say(s,
            "Of upload %lld the library's system has not confirmed %s record%s yet: look for the "
            "report of its load.",
            j_int(u, "slot", 0), number(j_int(u, "unconfirmed", 0), n),
            j_int(u, "unconfirmed", 0) == 1 ? "" : "s");
}

/* What is still here, in words. */
static void put_verdict(json_t *paper, const json_t *facts)
{
    json_t *s = section(paper, "In short"), *d;
    const json_t *desks = json_object_get(facts, "desks");
    long long pending = j_int(facts, "pending", 0), aside = j_int(facts, "set_aside", 0),
              open = j_int(facts, "exceptions_open", 0);
    char n[32];
    size_t i;

    if (pending == 0 && aside == 0 && open == 0)
        put_nothing_unsent(s, desks);
    if (pending > 0)
        say(s, "%s record%s not uploaded yet.", number(pending, n), pending == 1 ? " is" : "s are");
    if (aside > 0)
        say(s, "%s record%s set aside and wait%s for a person or a later upload.", number(aside, n),
            aside == 1 ? " was" : "s were", aside == 1 ? "s" : "");
    if (open > 0)
        say(s, "%s record%s refused or in doubt, and nobody has settled %s yet.", number(open, n),
            open == 1 ? " was" : "s were", open == 1 ? "it" : "them");
    put_unconfirmed(s, json_object_get(facts, "uploads"));
    json_array_foreach(desks, i, d) if (!j_is(d, "complete"))
        say(s, "%s.", j_text(d, "words", "A desk could not be asked"));
}

static void put_server(json_t *paper, const json_t *facts)
{
    static const char *const head[] = { "When", "Desk", "Saw the server" };
    const json_t *list = json_object_get(facts, "server"), *o;
    json_t *s = section(paper, "The library's server");
    char at[80];
    size_t i;

    if (json_array_size(list) == 0) {
        say(s, "No desk saw it go or come back; it may not be watched.");
        return;
    }
    heads(s, head, 3);
    json_array_foreach(list, i, o)
    {
        moment_of(o, "at", at);
        json_array_append_new(
            json_object_get(s, "rows"),
            json_pack("[s, s, s]", at, j_text(o, "desk", "-"), j_text(o, "state", "-")));
    }
}

static void put_names(struct buf *b, const json_t *names)
{
    const json_t *v;
    size_t i;

    json_array_foreach(names, i, v)
        buf_printf(b, "%s%s", i > 0 ? ", " : "", json_is_string(v) ? json_string_value(v) : "-");
    buf_add(b, "", 1);
}

/* Some systems load what lies there later, and say in a report of their own what came of it. */
static void put_loaded(json_t *s, const json_t *o)
{
    char n[32], at[80];

    if (!json_is_object(o) || j_is(o, "told"))
        return;
    moment_of(o, "said", at);
    if (json_is_string(json_object_get(o, "said")))
        say(s, "Of the system's own report of loading it the lead %s said, last %s: %lld refused.",
            j_text(o, "lead", "-"), at, j_int(o, "refused", 0));
    if (j_is(o, "settled"))
        say(s, "It is settled: nothing of it waits for that report any more.");
    else
        say(s, "Not confirmed yet by the system's own report of loading it: %s of its records.",
            number(j_int(o, "unconfirmed", 0), n));
}

static void put_sent(json_t *paper, const json_t *u)
{
    json_t *s = section(paper, "What was sent"), *p;
    const json_t *by = json_object_get(u, "confirmed");
    struct buf names = { 0 };
    char at[80], n[32];
    size_t i;

    if (!json_is_object(u)) {
        say(s, "Nothing has been uploaded yet.");
        return;
    }
    moment_of(u, "at", at);
    say(s, "Upload %lld: %s records, handed over by %s, %s.", j_int(u, "slot", 0),
        number(j_int(u, "send_total", 0), n), j_text(u, "desk", "-"), at);
    say(s, "To: %s", j_text(u, "sink", "-"));
    say(s, "What the receiver said: %s", j_text(u, "file", "-"));
    json_array_foreach(json_object_get(u, "parts"), i, p)
        say(s, "Part %s: %s lines, %lld bytes, SHA-256 %s", j_text(p, "part", "-"),
            number(j_int(p, "lines", 0), n), j_int(p, "bytes", 0), j_text(p, "sha256", "-"));
    put_names(&names, json_object_get(u, "accepted_by"));
    say(s, "Agreed and signed by: %s", (const char *)names.p);
    moment_of(by, "at", at);
    if (json_is_object(by))
        say(s, "That it arrived was confirmed by %s, %s.", j_text(by, "by", "-"), at);
    else
        say(s, "That it arrived was not confirmed by a second voice yet.");
    put_loaded(s, json_object_get(u, "loaded"));
    if (j_is(u, "erased"))
        say(s, "Its records are erased: it was confirmed, and kept as long as the policy says.");
    buf_free(&names);
}

/* An outage may take several: what came late goes with the next. */
static void put_uploads(json_t *paper, const json_t *all)
{
    static const char *const head[] = { "Upload", "When", "Records", "Is" };
    const json_t *u;
    char at[80], slot[32], n[32];
    json_t *s;
    size_t i;

    if (json_array_size(all) < 2)
        return;
    s = section(paper, "All uploads whose records are still here");
    say(s, "The rest of this report is of one of them; of another: tideover report --slot N");
    heads(s, head, 4);
    json_array_foreach(all, i, u)
    {
        moment_of(u, "at", at);
        json_array_append_new(json_object_get(s, "rows"),
                              json_pack("[s, s, s, s]", number(j_int(u, "slot", 0), slot), at,
                                        number(j_int(u, "lines", 0), n),
                                        j_is(u, "settled") ? "settled" : "handed over"));
    }
}

static void put_counts(json_t *paper, const json_t *u)
{
    static const struct {
        const char *key, *words;
    } rows[] = { { "total", "records of the branch in this upload" },
                 { "send_total", "sent" },
                 { "duplicates", "duplicates: one event, recorded twice" },
                 { "voided", "taken back before the upload" },
                 { "superseded", "replaced by a later due date of the same loan" },
                 { "review", "not sent until a lead decides" },
                 { "held", "discharges held, to be checked by hand" },
                 { "waits", "waiting for the registration of their card" },
                 { "uncarried", "that the format cannot say" },
                 { "unwritable", "with a value the format cannot hold" },
                 { "behind", "behind an unwritable record of their item or card" },
                 { "late_voids", "taken back too late: to be undone in the ILS" },
                 { "late", "of these, recorded before an earlier upload and not in it" },
                 { "never_sent", "taken back before they were ever sent: nothing to undo" } };
    static const char *const kinds[] = { "user", "checkout", "renew", "discharge", "inhouse" };
    static const char *const head[] = { "How many", "Of what" }, *const by[] = { "Records",
                                                                                 "Desk" };
    json_t *s, *to, *d;
    char n[32], what[64];
    size_t i;

    if (!json_is_object(u))
        return;
    s = section(paper, "Counts");
    to = json_object_get(s, "rows");
    heads(s, head, 2);
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (j_int(u, rows[i].key, 0) > 0)
            json_array_append_new(
                to, json_pack("[s, s]", number(j_int(u, rows[i].key, 0), n), rows[i].words));
    for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        long long v = j_int(json_object_get(u, "send"), kinds[i], 0);
        snprintf(what, sizeof what, "sent: %s", kinds[i]);
        if (v > 0)
            json_array_append_new(to, json_pack("[s, s]", number(v, n), what));
    }
    if (j_count(u, "desks") == 0)
        return;
    s = section(paper, "Desks");
    heads(s, by, 2);
    json_array_foreach(json_object_get(u, "desks"), i, d) json_array_append_new(
        json_object_get(s, "rows"),
        json_pack("[s, s]", number(j_int(d, "records", 0), n), j_text(d, "desk", "-")));
}

static void put_lists(json_t *paper, const json_t *u)
{
    static const char *const head[] = { "Record", "Became", "Rule", "Because of", "Why" };
    json_t *lists = json_object_get(u, "lists"), *list, *s, *d;
    const char *name;
    size_t i;

    if (json_object_size(lists) == 0)
        return;
    s = section(paper, "Duplicates, conflicts and what was left out");
    heads(s, head, 5);
    json_object_foreach(lists, name, list) json_array_foreach(list, i, d) json_array_append_new(
        json_object_get(s, "rows"),
        json_pack("[s, s, s, s, s]", j_text(d, "id", "-"), name, j_text(d, "rule", ""),
                  j_text(d, "of", ""), j_text(d, "why", "")));
    json_object_foreach(lists, name, list) if (json_array_size(list) >= LISTED_MAX)
        say(s, "Of %s the first %d are listed; the manifest on the uploader's PC has all.", name,
            LISTED_MAX);
}

static void put_words(json_t *paper, const json_t *list, const char *title, const char *taken,
                      const char *sent)
{
    static const char *const head[] = { "Record", "Is", "Said by the lead", "When" };
    const json_t *o;
    json_t *s;
    char at[80];
    size_t i;

    if (json_array_size(list) == 0)
        return;
    s = section(paper, title);
    heads(s, head, 4);
    json_array_foreach(list, i, o)
    {
        bool is_void = strcmp(j_text(o, "say", ""), "void") == 0,
             stands = j_text(o, "is", NULL) == NULL;
        moment_of(o, "at", at);
        json_array_append_new(
            json_object_get(s, "rows"),
            json_pack("[s, s+, s, s]", j_text(o, "id", "-"), is_void ? taken : sent,
                      stands ? "" : "; another word stands", j_text(o, "lead", "-"), at));
    }
}

static void put_decisions(json_t *paper, const json_t *u)
{
    put_words(paper, json_object_get(u, "decisions"), "What a lead decided before it was sent",
              "taken back", "sent");
    put_words(paper, json_object_get(u, "late_decisions"), "What a lead said too late",
              "sent all the same: to be undone in the ILS", "not sent: it was set aside");
}

/* What was booked, but otherwise, is no work that anybody could settle. */
static const char *exception_is(const json_t *o)
{
    return j_is(o, "open")                                     ? "open"
           : strcmp(j_text(o, "answer", ""), "deviating") == 0 ? "booked, look at it"
           : strcmp(j_text(o, "answer", ""), "already") == 0   ? "booked"
                                                               : "settled";
}

static void put_exceptions(json_t *paper, const json_t *facts)
{
    static const char *const head[] = {
        "Record", "Item", "User", "Answer", "What it means", "Open"
    };
    const json_t *list = json_object_get(facts, "exceptions"), *o;
    json_t *s;
    size_t i;

    if (json_array_size(list) == 0)
        return;
    s = section(paper, "What the library's system did not book as sent");
    if (j_int(facts, "exceptions_more", 0) > 0)
        say(s, "And %lld more: tideover upload exceptions", j_int(facts, "exceptions_more", 0));
    heads(s, head, 6);
    json_array_foreach(list, i, o)
    {
        json_array_append_new(json_object_get(s, "rows"),
                              json_pack("[s, s, s, s, s, s]", j_text(o, "id", "-"),
                                        j_text(o, "item", ""), j_text(o, "user", ""),
                                        j_text(o, "answer", "-"), j_text(o, "means", ""),
                                        exception_is(o)));
    }
}

json_t *paper_of(const json_t *facts)
{
    const json_t *u = json_object_get(facts, "upload");
    json_t *paper = json_pack("{s:s, s:[]}", "title", "", "sections");
    char at[80], title[160];
    json_t *clock;
    size_t i;

    moment_of(facts, "made", at);
    snprintf(title, sizeof title, "Outage report of %s, %s", j_text(facts, "branch", "-"), at);
    json_object_set_new(paper, "title", json_string(title));
    put_verdict(paper, facts);
    put_server(paper, facts);
    put_uploads(paper, json_object_get(facts, "uploads"));
    put_sent(paper, u);
    if (json_is_object(u) && json_is_string(json_object_get(u, "first"))) {
        json_t *s = section(paper, "When it was recorded");
        words_span(json_object_get(u, "first"), json_object_get(u, "last"), at);
        say(s, "%s", at);
        json_array_foreach(json_object_get(u, "clocks"), i, clock)
            say(s, "%s.", j_text(clock, "words", "-"));
    }
    put_counts(paper, u);
    put_lists(paper, u);
    put_decisions(paper, u);
    put_exceptions(paper, facts);
    return paper;
}

/* ---- text ---- */

static void text_rows(const json_t *rows, FILE *to)
{
    const json_t *row, *cell;
    size_t i, k;

    json_array_foreach(rows, i, row)
    {
        fputs("  ", to);
        json_array_foreach(row, k, cell) if (json_string_length(cell) > 0)
            fprintf(to, "%s%s", k > 0 ? "  " : "", json_string_value(cell));
        fputc('\n', to);
    }
}

void paper_text(const json_t *paper, FILE *to)
{
    const json_t *s, *line;
    size_t i, k;

    fprintf(to, "%s\n", j_text(paper, "title", ""));
    json_array_foreach(json_object_get(paper, "sections"), i, s)
    {
        fprintf(to, "\n%s\n", j_text(s, "title", ""));
        json_array_foreach(json_object_get(s, "lines"), k, line)
            fprintf(to, "  %s\n", json_string_value(line));
        text_rows(json_object_get(s, "rows"), to);
    }
}

/* ---- page ---- */

static const char page_head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n<style>\n"
    "body { font: 11pt/1.45 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }\n"
    "h1 { font-size: 1.4em; } h2 { font-size: 1.1em; margin: 1.4em 0 .3em; }\n"
    "p { margin: .2em 0; overflow-wrap: anywhere; }\n"
    "table { border-collapse: collapse; } th, td { text-align: left; vertical-align: top; "
    "padding: .15em 1em .15em 0; border-bottom: 1px solid #999; }\n"
    "@media print { body { margin: 0; max-width: none; } tr, h2 { break-inside: avoid; } h2 { "
    "break-after: avoid; } }\n</style>\n";

static void escaped(const char *s, FILE *to)
{
    for (; *s != 0; s++)
        switch (*s) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        case '\'':
            fputs("&#39;", to);
            break;
        default:
            fputc(*s, to);
        }
}

static void element(const char *name, const char *s, FILE *to)
{
    fprintf(to, "<%s>", name);
    escaped(s, to);
    fprintf(to, "</%s>", name);
}

static void html_row(const char *cell_name, const json_t *row, FILE *to)
{
    const json_t *cell;
    size_t i;

    fputs("<tr>", to);
    json_array_foreach(row, i, cell) element(cell_name, json_string_value(cell), to);
    fputs("</tr>\n", to);
}

void paper_html(const json_t *paper, FILE *to)
{
    const json_t *s, *line, *row;
    size_t i, k;

    fputs(page_head, to);
    element("title", j_text(paper, "title", ""), to);
    fputs("\n</head>\n<body>\n", to);
    element("h1", j_text(paper, "title", ""), to);
    json_array_foreach(json_object_get(paper, "sections"), i, s)
    {
        fputc('\n', to);
        element("h2", j_text(s, "title", ""), to);
        fputc('\n', to);
        json_array_foreach(json_object_get(s, "lines"), k, line)
        {
            element("p", json_string_value(line), to);
            fputc('\n', to);
        }
        if (j_count(s, "rows") == 0)
            continue;
        fputs("<table>\n", to);
        html_row("th", json_object_get(s, "head"), to);
        json_array_foreach(json_object_get(s, "rows"), k, row) html_row("td", row, to);
        fputs("</table>\n", to);
    }
    fputs("</body>\n</html>\n", to);
}
