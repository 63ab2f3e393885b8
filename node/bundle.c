/* bundle.c - a bundle goes out and comes in part by part: no file of the node's own, no long round
 * of its loop. The command line holds the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "bundle.h"
#include "node_int.h"
#include "query.h"

static json_t *base64_json(const struct buf *b)
{
    size_t room = sodium_base64_encoded_len(b->len, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(room);
    json_t *j = NULL;

    if (text)
        j = json_string(
            sodium_bin2base64(text, room, b->p, b->len, sodium_base64_VARIANT_ORIGINAL));
    free(text);
    return j;
}

/* GET ?at=: one part, and where the next one begins. */
void bundle_get(struct node *n, struct http_request *rq)
{
    struct errmsg msg = { .text = "" };
    struct bundle_at at;
    struct buf part = { 0 };
    char text[64] = "";
    bool last = false;
    enum err e;

    query_text(rq->query, "at", text, sizeof text);
    e = bundle_at_parse(text, &at) ? core_bundle(n->core, &at, &part, &last, &msg)
                                   : err_set(&msg, ERR_INVALID, "at= is not what a part said");
    bundle_at_text(&at, text);
    if (e == ERR_OK)
        api_json(rq, 200,
                 json_pack("{s:i, s:o, s:o}", "schema", 1, "part", base64_json(&part), "next",
                           last ? json_null() : json_string(text)));
    else
        api_error(n, rq, e, &msg);
    buf_free(&part);
}

/* Adds this request's piece to what waits. ERR_BUSY: it does not continue it. */
static enum err add_piece(struct node *n, const json_t *body, struct errmsg *msg)
{
    const char *text = json_string_value(json_object_get(body, "piece"));
    json_int_t at = json_integer_value(json_object_get(body, "at"));
    size_t len = text ? strlen(text) : 0, got = 0, room = len / 4 * 3 + 3;
    uint8_t *p;

    if (at == 0)
        buf_reset(&n->bundle);
    if (!text || at < 0 || (uint64_t)at != n->bundle.len)
        return err_why(msg, ERR_BUSY, "other_import", "",
                       "another import is under way on this desk: try again when it is done");
    if (n->bundle.len + room > BUNDLE_PART_MAX + 3)
        return err_set(msg, ERR_MALFORMED, "a part of a bundle is not that long");
    if ((p = buf_grow(&n->bundle, room)) == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    n->bundle.len -= room;
    if (sodium_base642bin(p, room, text, len, NULL, &got, NULL, sodium_base64_VARIANT_ORIGINAL) !=
        0)
        return err_set(msg, ERR_INVALID, "a piece that is not base64");
    n->bundle.len += got;
    return ERR_OK;
}

/* Parts stand alone; but where one is missing what follows has no beginning, and is not taken. */
static enum err in_order(struct node *n, const struct bundle_taken *t, struct errmsg *msg)
{
    bool follows =
        t->number == 1 || (t->number == n->bundle_next && desk_id_eq(&t->from, &n->bundle_of));

    if (!follows)
        return err_why(msg, ERR_MALFORMED, "part_missing", "",
                       "a part is missing before part %u of the file, or another file came in "
                       "between: import it once more, and if that does not help copy it again",
                       t->number);
    n->bundle_next = t->number + 1;
    n->bundle_of = t->from;
    return ERR_OK;
}

static void take(struct node *n, struct http_request *rq)
{
    struct moment now = node_now();
    struct errmsg msg = { .text = "" };
    struct core_view before, after;
    struct bundle_taken t;
    const struct desk *d;
    enum err e;

    core_view(n->core, &now, &before);
    e = core_bundle_take(n->core, &now, n->bundle.p, n->bundle.len, &t, &msg);
    if (e == ERR_OK)
        e = in_order(n, &t, &msg);
    core_view(n->core, &now, &after);
    d = roster_find(core_roster(n->core), &t.from);
    if (e == ERR_OK)
        api_json_later(n, rq,
                       json_pack("{s:i, s:s, s:I, s:I, s:I, s:b}", "schema", 1, "desk",
                                 d ? d->name : "?", "messages", (json_int_t)t.messages, "refused",
                                 (json_int_t)t.refused, "records",
                                 (json_int_t)(after.held - before.held), "last", t.last));
    else
        api_error(n, rq, e, &msg);
}

/* A part is longer than a request's body may be: it comes in pieces. */
void bundle_put(struct node *n, struct http_request *rq, json_t *body)
{
    struct errmsg msg = { .text = "" };
    enum err e = add_piece(n, body, &msg);

    if (e != ERR_OK)
        api_error(n, rq, e, &msg);
    else if (json_is_true(json_object_get(body, "more")))
        api_json(rq, 200, json_pack("{s:i, s:I}", "schema", 1, "at", (json_int_t)n->bundle.len));
    else
        take(n, rq);
    if (e != ERR_OK || !json_is_true(json_object_get(body, "more")))
        buf_free(&n->bundle);
    json_decref(body);
}
