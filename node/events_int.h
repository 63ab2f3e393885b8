/* events_int.h - the node's events: events.c and who looks at them. */
#ifndef TIDEOVER_EVENTS_INT_H
#define TIDEOVER_EVENTS_INT_H

#include "events.h"
#include "node_int.h"

struct node_events {
    struct events all;
    uint64_t looked_ms;
    uint64_t run; /* another one: the node began anew, and numbers with it */
};

uint64_t events_last(const struct node *n);
json_t *events_json(const struct node *n, uint64_t since, uint64_t limit);
uint64_t events_limit(const struct http_request *rq);
/* changes.c: answers when there is an event behind the query's `since`, or the time is up. */
void changes_wait_event(struct node *n, struct http_request *rq, uint64_t timeout_s);

#endif
