/* merge_json.c - the summary of a merge for programs. */
#include "merging.h"

#include <sodium.h>

#include "losses.h"

static json_t *input_json(const struct merging *m, const struct merge_input *in)
{
    json_t *o = json_object(), *kinds = json_object(), *odd = json_array();
    static const char *const names[MERGE_ODDITIES] = { "due_time", "fields", "future", "back" };
    char hex[65], at[36];

    sodium_bin2hex(hex, sizeof hex, in->sha256, sizeof in->sha256);
    json_object_set_new(o, "file", json_string(in->path));
    json_object_set_new(o, "sha256", json_string(hex));
    if (in->same_as >= 0)
        json_object_set_new(o, "same_as", json_string(m->in[in->same_as].path));
    else
        json_object_set_new(o, "format", json_string(in->format->name));
    for (unsigned k = 1; k <= RECORD_KIND_LAST; k++)
        if (in->kinds[k] > 0)
            json_object_set_new(kinds, record_kind_name(k), json_integer((json_int_t)in->kinds[k]));
    json_object_set_new(o, "kinds", kinds);
    for (unsigned i = 0; i < 2 && in->events > 0; i++) {
        int64_t ms = i == 0 ? in->first_ms : in->last_ms;
        rfc3339_format(ms, zone_offset_s(&m->policy.zone, ms / 1000) / 60, at);
        json_object_set_new(o, i == 0 ? "first" : "last", json_string(at));
    }
    json_object_set_new(o, "offset_s", json_integer((json_int_t)in->offset_ms / 1000));
    json_object_set_new(o, "lines", json_integer((json_int_t)in->lines));
    json_object_set_new(o, "events", json_integer((json_int_t)in->events));
    json_object_set_new(o, "unknown", json_integer((json_int_t)in->unknown));
    json_object_set_new(o, "skipped", json_integer((json_int_t)in->skipped));
    json_object_set_new(o, "duplicates", json_integer((json_int_t)in->duplicates));
    json_object_set_new(o, "conflicts", json_integer((json_int_t)in->conflicts));
    json_object_set_new(o, "overrides", json_integer((json_int_t)in->overrides));
    json_object_set_new(o, "pins", json_integer((json_int_t)in->pins));
    for (unsigned i = 0; i < MERGE_ODDITIES; i++)
        if (in->odd[i].lines > 0)
            json_array_append_new(odd, json_pack("{s:s,s:I,s:I,s:s}", "odd", names[i], "lines",
                                                 (json_int_t)in->odd[i].lines, "first_line",
                                                 (json_int_t)in->odd[i].first, "message",
                                                 merge_odd_words(i, in->odd[i].lines)));
    json_object_set_new(o, "oddities", odd);
    return o;
}

static json_t *clocks_json(const struct merging *m)
{
    json_t *v = json_array();

    for (unsigned a = 0; a < m->n_in; a++)
        for (unsigned b = a + 1; b < m->n_in; b++) {
            struct pool_clock c;
            bool sure = pool_clock(m->pool, a, b, &c);
            if (c.shared > 0)
                json_array_append_new(v, json_pack("{s:s,s:s,s:I,s:I,s:b}", "file", m->in[b].path,
                                                   "against", m->in[a].path, "shared",
                                                   (json_int_t)c.shared, "ahead_ms",
                                                   (json_int_t)c.median_ms, "sure", sure));
        }
    return v;
}

json_t *merge_json(const struct merging *m)
{
    const struct export_result *r = &m->result;
    json_t *o = json_pack("{s:i,s:s,s:s}", "schema", 1, "zone", m->policy.zone_name, "zone_from",
                          m->zone_from),
           *files = json_array(), *verdicts = json_object(), *outcomes = json_object(),
           *made = json_array();

    for (unsigned i = 0; i < m->n_in; i++)
        json_array_append_new(files, input_json(m, &m->in[i]));
    json_object_set_new(o, "files", files);
    json_object_set_new(o, "clocks", clocks_json(m));
    if (m->to == NULL)
        return o;
    for (unsigned v = 0; v < VERDICT_COUNT; v++)
        if (r->verdicts[v] > 0)
            json_object_set_new(verdicts, verdict_name((enum verdict)v),
                                json_integer((json_int_t)r->verdicts[v]));
    for (unsigned v = 0; v <= OUTCOME_BEHIND; v++)
        if (r->outcomes[v] > 0)
            json_object_set_new(outcomes, outcome_name((enum outcome)v),
                                json_integer((json_int_t)r->outcomes[v]));
    for (unsigned i = 0; i < r->n_parts; i++) {
        char hex[65];
        sodium_bin2hex(hex, sizeof hex, r->parts[i].sha256, sizeof r->parts[i].sha256);
        json_array_append_new(made, json_pack("{s:s,s:I,s:I}", "sha256", hex, "records",
                                              (json_int_t)r->parts[i].lines, "bytes",
                                              (json_int_t)r->parts[i].bytes));
    }
    json_object_set_new(o, "format", json_string(m->to->name));
    json_object_set_new(o, "out", json_string(m->c->value[OPT_OUT]));
    json_object_set_new(o, "verdicts", verdicts);
    json_object_set_new(o, "outcomes", outcomes);
    json_object_set_new(o, "losses", losses_json(&m->policy, r));
    json_object_set_new(o, "twice_out", json_integer((json_int_t)m->twice));
    json_object_set_new(o, "cards_by_hand", json_integer((json_int_t)m->cards_by_hand));
    json_object_set_new(o, "new_card_lines", json_integer((json_int_t)m->new_card_loans));
    json_object_set_new(o, "moved", json_integer((json_int_t)r->moved));
    json_object_set_new(o, "written", made);
    json_object_set_new(o, "clean", json_boolean(merge_is_clean(m)));
    return o;
}
