/* plan_clocks.c - which clocks were not right, and what the upload makes of it, in words. */
#include "plan_clocks.h"

#include <stdio.h>

#include "clocks.h"
#include "day.h"

#define SAY_MAX 240

static void say(const struct merge_feed *f, char out[SAY_MAX])
{
    char off[CLOCK_WORDS_MAX];
    unsigned long long n = f->reordered;

    if (!f->clock_known) {
        snprintf(out, SAY_MAX,
                 "%s clock is in doubt: no other desk could compare it%s. Its times are as it "
                 "showed them",
                 f->desk,
                 f->clock == CLOCK_IMPOSSIBLE ? ", and it showed a date that cannot be"
                                              : ", or not all say the same");
        return;
    }
    clock_words(-f->correction_ms, off);
    snprintf(out, SAY_MAX, "%s clock was %s: times corrected, %llu order%s changed", f->desk, off,
             n, n == 1 ? "" : "s");
}

static json_t *clock_of(const struct merge_job *m, const struct merge_feed *f)
{
    char words[SAY_MAX], began[36], corrected[36], feed[RECORD_ID_TEXT];
    json_t *o;

    say(f, words);
    snprintf(feed, sizeof feed, "%s/%u%.1s", f->desk, f->number, f->suffix ? &f->suffix : "");
    rfc3339_at(&m->policy.zone, f->opened_ms, began);
    rfc3339_at(&m->policy.zone, f->opened_ms + f->correction_ms, corrected);
    o = json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:s}", "desk", f->desk, "feed", feed, "class",
                  clock_class_name(f->clock), "records", (json_int_t)(f->to - f->from + 1),
                  "reordered", (json_int_t)f->reordered, "began", began, "words", words);
    json_object_set_new(o, "corrected", f->clock_known ? json_string(corrected) : json_null());
    json_object_set_new(o, "ahead_ms",
                        f->clock_known ? json_integer((json_int_t)-f->correction_ms) : json_null());
    return o;
}

json_t *plan_clocks(const struct merge_job *m)
{
    json_t *all = json_array();

    for (unsigned i = 0; i < m->n_feeds; i++) {
        const struct merge_feed *f = &m->feeds[i];
        if (f->to >= f->from && f->clock != CLOCK_OK)
            json_array_append_new(all, clock_of(m, f));
    }
    return all;
}
