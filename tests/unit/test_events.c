/* test_events.c - what changed between two looks, and nothing else, is an event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"

struct bench {
    struct events e;
    struct sight s;
    uint64_t read; /* events told so far */
    int64_t now;
};

static int begin(void **state)
{
    struct bench *b = calloc(1, sizeof *b);

    b->s.upload = "idle";
    b->s.disk_free = 10 * EVENT_DISK_LOW;
    *state = b;
    return 0;
}

static int end(void **state)
{
    free(*state);
    return 0;
}

static void put_desk(struct bench *b, uint8_t name, enum peer_state st)
{
    struct sight_desk *d = &b->s.desk[b->s.n_desks++];

    memset(&d->id, name, sizeof d->id);
    d->state = st;
}

/* Looks, and says what was told: "server=offline elected/7". */
static const char *look(struct bench *b)
{
    static char text[400];

    events_see(&b->e, b->now += 1000, &b->s);
    text[0] = '\0';
    for (b->read++; b->read <= b->e.last; b->read++) {
        const struct event *v = events_at(&b->e, b->read);
        size_t n = strlen(text);

        assert_non_null(v);
        assert_int_equal(v->id, b->read);
        assert_int_equal(v->at_ms, b->now);
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? " " : "", event_code(v->kind));
        if (v->has_desk)
            n += (size_t)snprintf(text + n, sizeof text - n, ":%c", *(const char *)&v->desk);
        if (v->word[0])
            n += (size_t)snprintf(text + n, sizeof text - n, "=%s", v->word);
        if (v->number)
            snprintf(text + n, sizeof text - n, "/%llu", (unsigned long long)v->number);
    }
    b->read = b->e.last;
    return text;
}

static void nothing_new_is_no_event(void **state)
{
    struct bench *b = *state;

    put_desk(b, 'A', PEER_UNREACHABLE);
    assert_string_equal(look(b), "started");
    assert_string_equal(look(b), "");
    assert_string_equal(look(b), "");
}

static void the_server_and_the_uploader(void **state)
{
    struct bench *b = *state;

    look(b);
    b->s.server = WATCH_ONLINE;
    assert_string_equal(look(b), "server=online");
    b->s.server = WATCH_OFFLINE;
    assert_string_equal(look(b), "server=offline");
    b->s.has_uploader = true;
    memset(&b->s.uploader, 'M', sizeof b->s.uploader);
    b->s.term = 7;
    assert_string_equal(look(b), "elected:M/7");
    assert_string_equal(look(b), "");
    b->s.term = 8;
    assert_string_equal(look(b), "elected:M/8");
    b->s.has_uploader = false;
    assert_string_equal(look(b), "no_uploader/8");
}

static void desks_come_go_join_and_are_revoked(void **state)
{
    struct bench *b = *state;

    put_desk(b, 'A', PEER_UNREACHABLE);
    put_desk(b, 'B', PEER_REVOKED);
    assert_string_equal(look(b), "started");
    b->s.desk[0].state = PEER_ONLINE;
    assert_string_equal(look(b), "desk_back:A");
    b->s.desk[0].state = PEER_QUIET; /* silent for a moment */
    assert_string_equal(look(b), "");
    b->s.desk[0].state = PEER_ONLINE;
    assert_string_equal(look(b), "");
    b->s.desk[0].state = PEER_QUIET;
    look(b);
    b->s.desk[0].state = PEER_UNREACHABLE;
    assert_string_equal(look(b), "desk_lost:A");
    put_desk(b, 'C', PEER_ONLINE);
    assert_string_equal(look(b), "desk_joined:C desk_back:C");
    b->s.desk[2].state = PEER_RETIRED;
    b->s.desk[0].state = PEER_REVOKED;
    assert_string_equal(look(b), "desk_revoked:A desk_retired:C");
    /* another order is no event */
    struct sight_desk first = b->s.desk[0];
    b->s.desk[0] = b->s.desk[2];
    b->s.desk[2] = first;
    assert_string_equal(look(b), "");
}

static void a_clock_is_told_once_until_it_is_right(void **state)
{
    struct bench *b = *state;

    put_desk(b, 'A', PEER_ONLINE);
    look(b);
    b->s.desk[0].has_clock = true;
    b->s.desk[0].clock_ms = -EVENT_CLOCK_MS;
    assert_string_equal(look(b), "");
    b->s.desk[0].clock_ms = -95000;
    assert_string_equal(look(b), "clock_off:A/95");
    b->s.desk[0].clock_ms = EVENT_CLOCK_MS - 1; /* better, and not yet right */
    assert_string_equal(look(b), "");
    b->s.desk[0].clock_ms = 12;
    assert_string_equal(look(b), "clock_right:A");
}

static void an_upload_step_by_step(void **state)
{
    struct bench *b = *state;

    b->s.delivered_ms = 1000; /* of long ago */
    b->s.slot = 4;
    assert_string_equal(look(b), "started");
    b->s.upload = "gathering";
    b->s.slot = 5;
    assert_string_equal(look(b), "upload=gathering/5");
    b->s.upload = "sending";
    assert_string_equal(look(b), "upload=sending/5");
    assert_string_equal(look(b), "");
    b->s.upload = "idle";
    b->s.delivered_ms = 9000;
    assert_string_equal(look(b), "upload=delivered/5");
}

static void the_disk_and_the_drill(void **state)
{
    struct bench *b = *state;

    look(b);
    b->s.stopped = true;
    assert_string_equal(look(b), "not_saving");
    b->s.stopped = false;
    b->s.disk_free = EVENT_DISK_LOW - (1 << 20);
    assert_string_equal(look(b), "saving disk_low/1023");
    b->s.disk_free = EVENT_DISK_LOW + 1;
    assert_string_equal(look(b), "");
    b->s.disk_free = 2 * EVENT_DISK_LOW;
    b->s.practice = true;
    assert_string_equal(look(b), "practice=on disk_fine");
    b->s.practice = false;
    assert_string_equal(look(b), "practice=off");
}

static void the_ring_keeps_the_newest_without_a_gap(void **state)
{
    struct bench *b = *state;

    for (unsigned i = 0; i < 2 * EVENTS_MAX; i++) {
        b->s.practice = !b->s.practice;
        look(b);
    }
    assert_int_equal(b->e.last, 2 * EVENTS_MAX + 1); /* and the start */
    assert_int_equal(events_first(&b->e), EVENTS_MAX + 2);
    assert_null(events_at(&b->e, EVENTS_MAX + 1));
    assert_null(events_at(&b->e, b->e.last + 1));
    for (uint64_t id = events_first(&b->e); id <= b->e.last; id++)
        assert_int_equal(events_at(&b->e, id)->id, id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_new_is_no_event, begin, end),
        cmocka_unit_test_setup_teardown(the_server_and_the_uploader, begin, end),
        cmocka_unit_test_setup_teardown(desks_come_go_join_and_are_revoked, begin, end),
        cmocka_unit_test_setup_teardown(a_clock_is_told_once_until_it_is_right, begin, end),
        cmocka_unit_test_setup_teardown(an_upload_step_by_step, begin, end),
        cmocka_unit_test_setup_teardown(the_disk_and_the_drill, begin, end),
        cmocka_unit_test_setup_teardown(the_ring_keeps_the_newest_without_a_gap, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
