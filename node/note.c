/* note.c - what the branch did a moment ago, as JSON: beside a record, or with its refusal. */
#include "node_int.h"

json_t *note_json(const struct node *n, const struct told_note *t)
{
    char id[RECORD_ID_TEXT];

    if (t->what == LATELY_NOTHING)
        return NULL;
    core_id_text(n->core, &t->other, id);
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "code", lately_code(t->what), "message", t->text,
                     "id", id, "desk", t->desk, "at", status_time(n, t->at_ms));
}
