/* losses.c - what a format leaves out of a batch, in words, before and after it is sent. */
#include "losses.h"

#include <stdio.h>

/* "3 in-house uses and 2 renewals": what has no line. */
static void kinds_in_words(const struct export_result *r, char out[LOSS_SENTENCE_MAX])
{
    static const char *const many[] = {
        [RECORD_CHECKOUT] = "checkouts",    [RECORD_DISCHARGE] = "discharges",
        [RECORD_RENEW] = "renewals",        [RECORD_USER] = "registrations",
        [RECORD_INHOUSE] = "in-house uses",
    };
    int n = 0;

    out[0] = 0;
    for (unsigned k = RECORD_CHECKOUT; k <= RECORD_INHOUSE; k++)
        if (r->uncarried[k] > 0 && n < LOSS_SENTENCE_MAX)
            n += snprintf(out + n, (size_t)(LOSS_SENTENCE_MAX - n), "%s%s (%llu)", n ? ", " : "",
                          many[k], (unsigned long long)r->uncarried[k]);
}

static void add(json_t *all, const char *loss, uint64_t records, const char *message)
{
    json_array_append_new(all, json_pack("{s:s, s:I, s:s}", "loss", loss, "records",
                                         (json_int_t)records, "message", message));
}

json_t *losses_json(const struct policy *p, const struct export_result *r)
{
    const struct format *f = format_by_name(p->format);
    const char *name = p->format;
    char text[LOSS_SENTENCE_MAX], kinds[LOSS_SENTENCE_MAX];
    json_t *all = json_array();

    for (unsigned l = 0; l < LOSS_COUNT; l++) {
        if (r->lost[l] == 0)
            continue;
        loss_sentence(name, l, r->lost[l], text);
        if (l == LOSS_KIND) {
            kinds_in_words(r, kinds);
            snprintf(text, sizeof text, "%s has no line for: %s", name, kinds);
        }
        add(all, loss_name(l), r->lost[l], text);
    }
    if (r->moved > 0) {
        snprintf(text, sizeof text,
                 "%s: %llu record%s moved to a later %s: no two on one item share one", name,
                 (unsigned long long)r->moved, r->moved == 1 ? " is" : "s are",
                 f && f->tick_s == 60 ? "minute" : "second");
        add(all, "moved", r->moved, text);
    }
    return all;
}

bool format_unverified_words(const struct policy *p, char out[LOSS_SENTENCE_MAX])
{
    const struct format *f = format_by_name(p->format);

    if (!f || !f->unverified || !f->unverified(p))
        return false;
    snprintf(out, LOSS_SENTENCE_MAX,
             "%s is unverified: compare a file of ours with one of your site ([%s] verified)",
             f->name, f->name);
    return true;
}

bool format_age_words(const struct policy *p, int64_t first_ms, int64_t now_ms,
                      char out[LOSS_SENTENCE_MAX])
{
    const struct format *f = format_by_name(p->format);
    int64_t days = (now_ms - first_ms) / (24 * 3600 * 1000);

    if (!f || f->load_days == 0 || first_ms <= 0 || days <= f->load_days)
        return false;
    snprintf(out, LOSS_SENTENCE_MAX,
             "the oldest record is %lld days old: the report that loads %s files may leave out "
             "what is older than %u",
             (long long)days, f->name, f->load_days);
    return true;
}
