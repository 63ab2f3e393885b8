/* test_blocklist.c - one block list for the branch: read, refused, sent, in force. */
#include "../world.h"

#define ANNA "20000000000006"
#define BOB  "20000000000014"

#define DATE INT64_C(1795500000000)

static enum err import(struct world *w, unsigned i, enum blocklist_format format, int64_t date_ms,
                       const char *text, struct errmsg *msg)
{
    struct moment now = moment(w, i);
    enum err e = core_blocklist_begin(w->v[i].core, &now, format, date_ms, msg);

    for (size_t at = 0; e == ERR_OK && text[at] != 0;) { /* as it comes, in uneven pieces */
        size_t n = strlen(text + at) < 7 ? strlen(text + at) : 7;
        e = core_blocklist_lines(w->v[i].core, text + at, n, msg);
        at += n;
    }
    if (e == ERR_OK)
        e = core_blocklist_end(w->v[i].core, &now, msg);
    finish(w, i);
    return e;
}

static void imported(struct world *w, unsigned i, enum blocklist_format format, int64_t date_ms,
                     const char *text)
{
    struct errmsg msg = { .text = "" };

    if (import(w, i, format, date_ms, text, &msg) != ERR_OK)
        fail_msg("%s", msg.text);
}

static void refused(struct world *w, unsigned i, enum blocklist_format format, int64_t date_ms,
                    const char *text, const char *why)
{
    struct errmsg msg = { .text = "" };

    assert_int_not_equal(import(w, i, format, date_ms, text, &msg), ERR_OK);
    assert_string_equal(msg.why, why);
}

static void reads_what_the_systems_write(void **state)
{
    struct world *w = world_new(1, 1);
    const struct core *c = w->v[0].core;
    const struct blocklist_head *h;

    (void)state;
    imported(w, 0, BLOCKLIST_SYMPHONY, DATE,
             "20000000000006|BARRED\r\n\n20000000000014\tDelinquent\n2000003,whatever\n"
             "2000004 BLOCKED \n2000005\n20000000000006|DELINQUENT\n2000006|");
    assert_int_equal(core_blocked(c, ANNA), BLOCKED_BARRED); /* the first line wins */
    assert_int_equal(core_blocked(c, BOB), BLOCKED_DELINQUENT);
    assert_int_equal(core_blocked(c, "2000003"), BLOCKED);
    assert_int_equal(core_blocked(c, "2000004"), BLOCKED);
    assert_int_equal(core_blocked(c, "2000005"), BLOCKED);
    assert_int_equal(core_blocked(c, "2000006"), BLOCKED);
    assert_int_equal(core_blocked(c, "2000007"), BLOCKED_NOT);
    assert_non_null(h = core_blocklist(c));
    assert_int_equal(h->rows, 6);
    assert_int_equal(h->by_status[BLOCKED], 4);
    imported(w, 0, BLOCKLIST_EVERGREEN, DATE + 1,
             "\xef\xbb\xbf"
             "20000000000006 L\n20000000000014   B\n2000003 E\n2000004 D\n2000005 X\n");
    assert_int_equal(core_blocked(c, ANNA), BLOCKED_LOST);
    assert_int_equal(core_blocked(c, BOB), BLOCKED_BARRED);
    assert_int_equal(core_blocked(c, "2000003"), BLOCKED_EXPIRED);
    assert_int_equal(core_blocked(c, "2000004"), BLOCKED_PENALTIES);
    assert_int_equal(core_blocked(c, "2000005"), BLOCKED);
    world_free(w);
}

static void what_is_no_list_leaves_the_old_one(void **state)
{
    struct world *w = world_new(1, 1);
    char text[2048] = "";

    (void)state;
    imported(w, 0, BLOCKLIST_PLAIN, DATE, "20000000000006\n");
    refused(w, 0, BLOCKLIST_PLAIN, DATE + 1, "", "empty_list");
    refused(w, 0, BLOCKLIST_PLAIN, DATE + 1, "\n \r\n\n", "empty_list");
    refused(w, 0, BLOCKLIST_PLAIN, DATE + 1, "<html>\n<body>Log in</body>\n</html>\n",
            "no_block_list");
    refused(w, 0, BLOCKLIST_EVERGREEN, DATE + 1, "20000000000014\n", "no_block_list");
    for (unsigned i = 0; i < 95; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%014u\n", i);
    for (unsigned i = 0; i < 5; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "?\n");
    imported(w, 0, BLOCKLIST_PLAIN, DATE + 1, text); /* just five of a hundred */
    snprintf(text + strlen(text), sizeof text - strlen(text), "?\n");
    refused(w, 0, BLOCKLIST_PLAIN, DATE + 2, text, "no_block_list");
    refused(w, 0, BLOCKLIST_PLAIN, DATE, "20000000000014\n", "older_list");
    refused(w, 0, BLOCKLIST_PLAIN, DATE + (1 << 30), "20000000000014\n", "bad_date");
    assert_int_equal(core_blocklist(w->v[0].core)->rows, 95);
    world_free(w);
}

static void lists_imported_apart_end_as_the_newest(void **state)
{
    struct world *w = world_new(3, 3);

    (void)state;
    cut(w, 0, 1, true);
    cut(w, 0, 2, true);
    cut(w, 1, 2, true);
    imported(w, 0, BLOCKLIST_PLAIN, DATE + 5, "20000000000006\n");
    imported(w, 1, BLOCKLIST_PLAIN, DATE + 9, "20000000000014\n");
    imported(w, 2, BLOCKLIST_PLAIN, DATE + 9, "2000003\n"); /* of the same day, imported later */
    cut(w, 0, 1, false);
    cut(w, 0, 2, false);
    cut(w, 1, 2, false);
    run(w, 20000);
    for (unsigned i = 0; i < 3; i++) {
        assert_memory_equal(core_blocklist(w->v[i].core)->id, core_blocklist(w->v[0].core)->id,
                            BLOCKLIST_ID);
        assert_int_equal(core_blocklist(w->v[i].core)->date_ms, DATE + 9);
        assert_int_equal(core_blocked(w->v[i].core, ANNA), BLOCKED_NOT);
    }
    stop(w, 1);
    start(w, 1); /* and it is on the disk */
    assert_memory_equal(core_blocklist(w->v[1].core)->id, core_blocklist(w->v[0].core)->id,
                        BLOCKLIST_ID);
    world_free(w);
}

static void a_long_list_comes_in_parts_over_losses(void **state)
{
    struct world *w = world_new(2, 2);
    unsigned n = 2 * BLOCKLIST_PART_ROWS + 3;
    char *text = malloc(n * 16 + 1), id[16];

    (void)state;
    for (unsigned i = 0; i < n; i++)
        snprintf(text + i * 15, 16, "%014u\n", i);
    imported(w, 0, BLOCKLIST_PLAIN, DATE, text);
    run(w, 2100); /* the question is on its way */
    w->drop[0][1] = 1;
    run(w, 15000);
    assert_non_null(core_blocklist(w->v[1].core));
    assert_int_equal(core_blocklist(w->v[1].core)->rows, n);
    for (unsigned i = 0; i < n; i += 997) {
        snprintf(id, sizeof id, "%014u", i);
        assert_int_equal(core_blocked(w->v[1].core, id), BLOCKED);
    }
    imported(w, 1, BLOCKLIST_PLAIN, DATE + 1, "20000000000014\n"); /* a short one in its place */
    stop(w, 1);
    start(w, 1);
    assert_int_equal(core_blocklist(w->v[1].core)->rows, 1);
    free(text);
    world_free(w);
}

static void blocked_users_borrow_nothing(void **state)
{
    struct world *w = world_new(1, 1);
    struct record r = checkout();
    struct record_ref ref;

    (void)state;
    imported(w, 0, BLOCKLIST_PLAIN, DATE, "20000000000006 BARRED\n");
    assert_int_equal(enter(w, 0, &r, &ref), ERR_REFUSED);
    r.flags = RECORD_OVERRIDE; /* this branch's policy allows none */
    assert_int_equal(enter(w, 0, &r, &ref), ERR_REFUSED);
    r.kind = RECORD_RENEW;
    r.flags = 0;
    assert_int_equal(enter(w, 0, &r, &ref), ERR_REFUSED);
    r.flags = RECORD_UNCHECKED;
    assert_int_equal(enter(w, 0, &r, &ref), ERR_OK);
    r = (struct record){ .kind = RECORD_DISCHARGE };
    snprintf(r.item, sizeof r.item, "30000000000004");
    assert_int_equal(enter(w, 0, &r, &ref), ERR_OK); /* what comes back is welcome */
    world_free(w);
}

/* Bytes that no desk signed, or that are not the rows of their head. */
static void nothing_forged_is_taken(void **state)
{
    struct world *w = world_new(1, 1);
    struct blocklist_draft d = { .format = BLOCKLIST_PLAIN, .date_ms = DATE, .key = { 7 } };
    const uint8_t *branch = roster_branch(w->b.r);
    struct blocklist l;
    struct blocklist_head h;

    (void)state;
    assert_int_equal(blocklist_read(&d, "2000001\n2000002\n", 16, NULL), ERR_OK);
    assert_int_equal(blocklist_finish(&d, branch, &w->b.desk[0], DATE, &l, NULL), ERR_OK);
    assert_int_equal(
        blocklist_head_open(l.bytes.p, l.bytes.len, branch, w->b.desk[0].sign_pk, &h, NULL),
        ERR_OK);
    assert_memory_equal(h.id, l.head.id, sizeof h.id);
    assert_true(blocklist_rows_ok(&h, &l.rows));
    assert_int_equal(
        blocklist_head_open(l.bytes.p, l.bytes.len, branch, w->b.desk[1].sign_pk, &h, NULL),
        ERR_DENIED);
    for (size_t i = 0; i < l.bytes.len; i++) {
        l.bytes.p[i] ^= 1;
        assert_int_not_equal(
            blocklist_head_open(l.bytes.p, l.bytes.len, branch, w->b.desk[0].sign_pk, &h, NULL),
            ERR_OK);
        l.bytes.p[i] ^= 1;
    }
    for (size_t i = 0; i < l.bytes.len; i++)
        assert_int_not_equal(
            blocklist_head_open(l.bytes.p, i, branch, w->b.desk[0].sign_pk, &h, NULL), ERR_OK);
    l.rows.p[3] ^= 1;
    assert_false(blocklist_rows_ok(&l.head, &l.rows));
    blocklist_free(&l);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_the_systems_write),
        cmocka_unit_test(what_is_no_list_leaves_the_old_one),
        cmocka_unit_test(lists_imported_apart_end_as_the_newest),
        cmocka_unit_test(a_long_list_comes_in_parts_over_losses),
        cmocka_unit_test(blocked_users_borrow_nothing),
        cmocka_unit_test(nothing_forged_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
