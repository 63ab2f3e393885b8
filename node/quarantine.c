/* quarantine.c - what waits for a lead, and a lead's word that it counts. */
#include <stdlib.h>
#include <string.h>

#include "lead_int.h"

/* "DESK-4/1", as before the last slash of a record's number. */
static void feed_text(const struct node *n, const struct feed_id *feed, char out[RECORD_ID_TEXT])
{
    struct record_ref ref = { *feed, 1 };
    char *last;

    core_id_text(n->core, &ref, out);
    if ((last = strrchr(out, '/')) != NULL)
        *last = '\0';
}

static json_t *quarantined_json(const struct node *n, const struct quarantined *q)
{
    char feed[RECORD_ID_TEXT], hash[2 * HASH_SHORT_BYTES + 1];

    feed_text(n, &q->feed, feed);
    hex_encode(q->hash, sizeof q->hash, hash);
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:b}", "feed", feed, "why",
                     q->forked ? "forked" : "revoked", "from", (json_int_t)q->from, "to",
                     (json_int_t)q->to, "records", (json_int_t)(q->to - q->from + 1), "history",
                     hash, "here", q->here);
}

void quarantine_list(struct node *n, struct http_request *rq)
{
    json_t *all = json_array();

    for (unsigned i = 0; i < core_feeds(n->core)->n; i++) {
        struct quarantined q[QUARANTINED_MAX];
        unsigned count = core_quarantined(n->core, i, q);
        for (unsigned k = 0; k < count; k++)
            json_array_append_new(all, quarantined_json(n, &q[k]));
    }
    api_json(rq, 200, json_pack("{s:i, s:o}", "schema", 1, "quarantine", all));
}

static const struct feed_id *named_feed(const struct node *n, const char *text)
{
    const struct feeds *fs = core_feeds(n->core);

    for (unsigned i = 0; i < fs->n; i++) {
        char mine[RECORD_ID_TEXT];
        feed_text(n, &fs->v[i].opening.id, mine);
        if (strcmp(mine, text) == 0)
            return &fs->v[i].opening.id;
    }
    return NULL;
}

/* The history that the lead means: the one named, else the one that lies here. */
static enum err history(const struct node *n, struct lead_job *l, const struct feed_id *feed,
                        uint64_t to, uint8_t hash[HASH_SHORT_BYTES])
{
    const char *text = lead_text(l, "history");

    if (text[0] != '\0')
        return hex_decode(text, hash, HASH_SHORT_BYTES)
                   ? ERR_OK
                   : err_why(
                         &l->msg, ERR_INVALID, "bad_history", "history",
                         "a history is 16 hex digits, as \"tideover quarantine list\" shows it");
    if (core_history_at(n->core, feed, to, hash) != ERR_OK)
        return err_why(
            &l->msg, ERR_MISSING, "no_such_record", "to",
            "this desk does not hold the feed so far: \"tideover quarantine list\" shows "
            "how far");
    return ERR_OK;
}

static enum err sign_admit(struct node *n, struct lead_job *l, json_t **answer)
{
    const char *text = lead_text(l, "feed");
    const struct feed_id *feed = named_feed(n, text);
    json_int_t to = json_integer_value(json_object_get(l->body, "to"));
    uint8_t hash[HASH_SHORT_BYTES];
    struct feed_id id;
    struct buf op = { 0 };
    enum err e;

    if (!feed)
        return err_why(&l->msg, ERR_MISSING, "no_such_feed", "feed",
                       "there is no feed of that name: \"tideover quarantine list\" shows them");
    if (to <= 0)
        return err_why(&l->msg, ERR_INVALID, "bad_number", "to",
                       "say how far: the number of the last record that is to count");
    if ((uint64_t)to <= feeds_cut(core_feeds(n->core), feed))
        return err_why(&l->msg, ERR_EXISTS, "uploaded_before", "to",
                       "that is uploaded already: nothing is left to admit");
    if ((e = history(n, l, feed, (uint64_t)to, hash)) != ERR_OK)
        return e;
    id = *feed;
    op_admit(core_roster(n->core), &id, (uint64_t)to, hash, l->sk, &op);
    if ((e = lead_add(n, l, &op)) == ERR_OK)
        *answer = json_pack("{s:i, s:s, s:I}", "schema", 1, "feed", text, "to", to);
    return e;
}

void lead_admit(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_admit);
}
