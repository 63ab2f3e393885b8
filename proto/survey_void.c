/* survey_void.c - R2: what its own desk or a lead took back. */
#include "merge_int.h"

#include "word.h"

/* Of several voids of one record the first by key counts, whatever order they came in. A void
 * counts if it lies under this cut or an earlier one, and only for its own desk's records. */
void survey_void(struct survey *s, const struct record_ref *target, const struct record_ref *voider)
{
    struct place v, t;
    const struct merge_feed *vf, *tf;
    const struct finding *before;

    if (!merge_place_of(s->job, voider, &v) || v.seq > (vf = &s->job->feeds[v.feed])->to)
        return;
    if (!merge_place_of(s->job, target, &t) ||
        !desk_id_eq(&target->feed.desk, &voider->feed.desk)) {
        if (v.seq >= vf->from)
            survey_judge(s, v, VERDICT_IDLE_VOID, "R2", NULL);
        return;
    }
    tf = &s->job->feeds[t.feed];
    before = survey_found(s, t);
    if (before && before->verdict == VERDICT_VOIDED) {
        struct place late = before->other;
        if (v.seq >= vf->from) {
            survey_judge(s, v, VERDICT_IDLE_VOID, "R2", &t);
        } else if (t.seq < tf->from && late.seq >= s->job->feeds[late.feed].from) {
            survey_judge(s, late, VERDICT_IDLE_VOID, "R2",
                         &t); /* an earlier upload had this void */
            survey_judge(s, t, VERDICT_VOIDED, "R2", &v);
        }
        return;
    }
    if (t.seq < tf->from && !released_find(s->job, t)) {
        if (t.seq >= tf->back)
            survey_judge(s, t, VERDICT_VOIDED, "R2",
                         &v); /* no event of its item, whoever looks back */
        if (v.seq >= vf->from)
            survey_judge(s, v, VERDICT_LATE_VOID, "R2", &t);
        return;
    }
    if (t.seq <= tf->to)
        survey_judge(s, t, VERDICT_VOIDED, "R2", &v);
    if (v.seq >= vf->from)
        survey_judge(s, v, VERDICT_VOID, "R2", &t);
}

/* What its own desk took back stays taken back. */
void survey_ruling(struct survey *s, const struct merge_ruling *r)
{
    struct place at = { r->feed, r->seq };
    const struct finding *before = survey_found(s, at);
    struct finding *f;

    if (before && (before->verdict == VERDICT_VOIDED || before->verdict == VERDICT_VOID))
        return;
    if (at.seq < s->job->feeds[at.feed].from &&
        (at.seq < s->job->feeds[at.feed].back || released_find(s->job, at)))
        return;
    if (r->what == WORD_VOID) {
        survey_judge(s, at, VERDICT_VOIDED, "R2", NULL);
    } else if ((f = survey_find(s, at)) != NULL) {
        f->verdict = VERDICT_SEND;
        f->rule = "lead";
        f->ruled = true;
    }
}
