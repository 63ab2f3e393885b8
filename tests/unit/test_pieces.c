/* test_pieces.c - things without a barcode: the policy's kinds, and what a desk may record of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "desk.h"

#define NOON INT64_C(1795694400000)

static enum err read(const char *sections, struct policy *p, struct errmsg *msg)
{
    char text[1024];

    snprintf(text, sizeof text, "[branch]\ncode = MAIN\nzone = UTC\nzone_rule = UTC0\n%s",
             sections);
    return policy_parse(text, strlen(text), p, msg);
}

static void the_policy_names_the_kinds(void **state)
{
    static const struct {
        const char *sections, *because;
    } rows[] = {
        { "[scan]\nno_barcode_kinds = Paperback\n", "small letters" },
        { "[scan]\nno_barcode_kinds = s\n", "2 to 16" }, /* *PIECES would be of that kind */
        { "[scan]\nno_barcode_kinds = abcdefghijklmnopq\n", "2 to 16" },
        { "[scan]\nno_barcode_kinds = toy, toy\n", "toy is there twice" },
        { "[scan]\nno_barcode_kinds = aa bb cc dd ee ff gg hh ii jj kk ll mm nn oo pp qq\n",
          "room for 16" },
        { "[noncat]\npaperback = 3\n", "[noncat] has a number for paperback" },
        { "[scan]\nno_barcode_kinds = toy\n[noncat]\ntoy = 0\n", "must be a number from 1" },
    };
    struct policy p;
    struct errmsg msg;

    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        msg = (struct errmsg){ .text = "" };
        assert_int_equal(read(rows[i].sections, &p, &msg), ERR_CONFIG);
        if (strstr(msg.text, rows[i].because) == NULL)
            fail_msg("%s: said %s", rows[i].sections, msg.text);
    }
    assert_int_equal(
        read("[noncat]\ntoy = 7\n[scan]\nno_barcode_kinds = paperback, toy\n", &p, &msg), ERR_OK);
    assert_int_equal(p.n_pieces, 2);
    assert_int_equal(policy_piece(&p, "TOY")->noncat, 7);
    assert_int_equal(policy_piece(&p, "paperback")->noncat, 0);
    assert_null(policy_piece(&p, "to"));
    assert_null(policy_piece(&p, "toys"));
    assert_null(policy_piece(&p, ""));
}

static struct record pieces(const char *kind, unsigned count)
{
    struct record r = { .kind = RECORD_CHECKOUT, .count = (uint8_t)count, .at_ms = NOON };

    snprintf(r.user, sizeof r.user, "29999000001016");
    snprintf(r.piece_kind, sizeof r.piece_kind, "%s", kind);
    return r;
}

static void D16_a_checkout_of_pieces_has_a_kind_a_count_and_no_item(void **state)
{
    struct policy p;
    struct record r = pieces("paperback", 3), other;
    struct errmsg msg = { .text = "" };

    (void)state;
    assert_int_equal(read("[scan]\nno_barcode_kinds = paperback\n[due]\ndefault = 14d\n3999 = 7d\n"
                          "paper = 1d\n",
                          &p, &msg),
                     ERR_OK);
    snprintf(r.piece_label, sizeof r.piece_label, "thin ones");
    r.due = DUE_BY_RULE;
    desk_settle_due(&p, &r, NOON);
    assert_int_equal(r.due, 20261210); /* the default: there is no number to look at */
    assert_int_equal(due_by_kind(&p.due, "paper", 20261126, 20261126), 20261127); /* D8: its row */
    assert_int_equal(desk_check(&p, &r, NOON, &msg), ERR_OK);

#define REFUSED(change, word, which)                                                               \
    other = r;                                                                                     \
    change;                                                                                        \
    msg = (struct errmsg){ .text = "" };                                                           \
    assert_int_equal(desk_check(&p, &other, NOON, &msg), ERR_INVALID);                             \
    assert_string_equal(msg.why, word);                                                            \
    assert_string_equal(msg.field, which)

    REFUSED(other.count = 0, "bad_count", "count");
    REFUSED(other.count = 100, "bad_count", "count");
    REFUSED(strcpy(other.piece_kind, "toy"), "unknown_kind", "kind");
    REFUSED(strcpy(other.piece_kind, "PAPERBACK"), "unknown_kind", "kind"); /* one name */
    REFUSED(other.piece_kind[0] = 0, "extra_field", "label");
    REFUSED(strcpy(other.item, "39999000005015"), "extra_field", "item");
    REFUSED(strcpy(other.piece_label, "\x1b[2J"), "bad_text", "label");
    REFUSED(other.user[0] = 0, "missing_field", "user");
    REFUSED(other.kind = RECORD_RENEW, "extra_field", "kind");
    REFUSED(other.kind = RECORD_DISCHARGE, "extra_field", "kind");
    REFUSED(other.kind = RECORD_INHOUSE, "extra_field", "kind");
    REFUSED((other.piece_kind[0] = other.piece_label[0] = 0), "missing_field", "item");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_policy_names_the_kinds),
        cmocka_unit_test(D16_a_checkout_of_pieces_has_a_kind_a_count_and_no_item),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
