/* settled.c - an upload is delivered once it is handed over, and settled once somebody knows what
 * became of its records: the system that answered for each of them, its report of loading the file,
 * or a second voice. */
#include "node_int.h"

json_t *settled_json(const struct node *n, const struct receipt *r, const struct intent *in)
{
    const struct policy *p = roster_policy_by_hash(core_roster(n->core), in->policy);
    struct loaded_view loaded;
    json_t *word;

    if (in->n_parts == 0)
        return json_pack("{s:s}", "how", "nothing_sent");
    if (p && sink_settles(p) && !ledger_lacks_answers(core_ledger(n->core), in->slot))
        return json_pack("{s:s, s:s, s:o}", "how", "answers", "by", status_desk_name(n, &r->desk),
                         "at", status_time(n, r->at_ms));
    if (core_loaded(n->core, in->slot, &loaded) && loaded.settled && loaded.at_ms > 0)
        return json_pack("{s:s, s:s, s:o}", "how", "loaded", "by", "a lead", "at",
                         status_time(n, loaded.at_ms));
    word = word_confirmed_json(n, r, in->slot);
    if (json_is_object(word))
        json_object_set_new(word, "how", json_string("word"));
    return word;
}
