/* test_scan.c - what a desk answers to a scan: every line of scan_cases.txt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "box.h"

#define LINE_MAX_BYTES 2048
#define CASES_MIN      120 /* the table is not to shrink unnoticed */

static const struct {
    const char *name, *scan;
} policies[] = {
    { "lib", "" },
    { "nod", "[scan]\ncheck_digit = none\n" },
    { "let", "[scan]\ncheck_digit = none\nuser_pattern = P[0-9]{6}\n"
             "item_pattern = [A-Z]{2}[0-9]{6,8}\n" },
    { "spc", "[scan]\ncheck_digit = none\nitem_pattern = XB [0-9]{4}\n" },
    { "yz", "[scan]\ncheck_digit = none\nitem_pattern = YB[0-9]{6}\n" },
    { "one", "[scan]\ncheck_digit = none\nuser_pattern = [0-9]{10}\nitem_pattern = [0-9]{10}\n" },
    { "one1", "[scan]\nitem_check_digit = none\nuser_pattern = [0-9]{10}\n"
              "item_pattern = [0-9]{10}\n" },
    { "usr", "[scan]\nitem_check_digit = none\n" },
    { "itm", "[scan]\ncheck_digit = none\nitem_check_digit = mod10\n" },
    { "pcs", "[scan]\nno_barcode_kinds = paperback, toy\n" },
    { "two", "[scan]\ncheck_digit = none\nitem_pattern = [0-9]{4}\n" },
};

static struct policy policy_of(const char *name)
{
    struct errmsg msg = { .text = "" };
    char text[1024];
    struct policy p;

    for (unsigned i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        if (strcmp(policies[i].name, name) != 0)
            continue;
        snprintf(text, sizeof text, "[branch]\ncode = MAIN\nzone = UTC\nzone_rule = UTC0\n%s",
                 policies[i].scan);
        if (policy_parse(text, strlen(text), &p, &msg) != ERR_OK)
            fail_msg("%s: %s", name, msg.text);
        return p;
    }
    fail_msg("no policy %s", name);
    abort();
}

/* A quoted scan; what follows it, or NULL at the end. */
static const char *take_quoted(const char *s, char *out, size_t *n)
{
    *n = 0;
    s = strchr(s, '"');
    if (!s)
        return NULL;
    for (s++; *s != '"'; s++) {
        assert_true(*s != 0 && *n < LINE_MAX_BYTES);
        if (*s == '\\') {
            s++;
            out[(*n)++] = (char)(*s == 'r' ? '\r' : *s == 'n' ? '\n' : *s == 't' ? '\t' : *s);
        } else {
            out[(*n)++] = *s;
        }
    }
    return s + 1;
}

static void say_due(unsigned days, char *out, size_t room)
{
    if (days == SCAN_DUE_NONE || days == SCAN_DUE_RULE)
        snprintf(out, room, "due %s", days == SCAN_DUE_NONE ? "none" : "rule");
    else
        snprintf(out, room, "due %u", days);
}

/* D15 */
static bool says_what_to_do(const char *sentence)
{
    static const char *const steps[] = {
        "scan", "type it", "compare it", "print", "answer", "go to"
    };

    for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (strstr(sentence, steps[i]))
            return true;
    return false;
}

static void say(const struct box *b, enum err e, const struct box_answer *a,
                const struct errmsg *msg, char *out, size_t room)
{
    size_t n;

    if (e != ERR_OK) {
        if (!msg->why[0] || !says_what_to_do(msg->text))
            fail_msg("refused without a next step: %s", msg->text);
        snprintf(out, room, "refused %s", msg->why);
        return;
    }
    switch (a->act) {
    case BOX_RECORD:
        snprintf(out, room, "record %s %s %s", record_kind_name(a->kind),
                 a->user[0] ? a->user : "-", a->piece_kind[0] ? a->piece_kind : a->item);
        break;
    case BOX_OPENED:
    case BOX_PIECES:
    case BOX_FORM:
        snprintf(out, room, "%s %s", box_act_name(a->act), a->user);
        break;
    case BOX_MODE:
        snprintf(out, room, "mode %s", record_kind_name(b->mode));
        break;
    case BOX_ASKS:
        snprintf(out, room, "asks %s", a->value);
        break;
    case BOX_DUE:
        say_due(a->days, out, room);
        break;
    case BOX_NOTHING:
    case BOX_NEXT:
    case BOX_UNDO:
    case BOX_HELD:
        snprintf(out, room, "%s", box_act_name(a->act));
        break;
    }
    n = strlen(out);
    if (a->closed[0])
        n += (size_t)snprintf(out + n, room - n, " closed %s %u", a->closed, a->closed_count);
    if (a->layout)
        n += (size_t)snprintf(out + n, room - n, " via %s", a->layout);
    if (a->typed)
        snprintf(out + n, room - n, " typed");
}

/* The last scan's answer, and those of what it set free. */
static void play(struct box *b, const struct policy *p, const char *scans, bool typed, char *out,
                 size_t room)
{
    static char raw[LINE_MAX_BYTES];
    size_t n;

    while ((scans = take_quoted(scans, raw, &n)) != NULL) {
        struct errmsg msg = { .text = "" };
        struct box_answer a;
        struct box before = *b;
        enum err e = box_take(b, p, raw, n, typed, &a, &msg);

        if (e != ERR_OK && before.asks[0] == 0)
            assert_memory_equal(&before, b, sizeof before); /* a refusal changes nothing */
        if (e == ERR_OK && a.act == BOX_RECORD)
            box_recorded(b, &a);
        say(b, e, &a, &msg, out, room);
        while (box_take_held(b, p, &a, &e, &msg)) {
            size_t at = strlen(out);
            snprintf(out + at, room - at, " then ");
            say(b, e, &a, &msg, out + at + 6, room - at - 6);
        }
    }
}

static char *column(char **line)
{
    char *at = *line, *bar = strstr(at, " | ");

    if (bar) {
        *bar = 0;
        *line = bar + 3;
    }
    return at;
}

static void each_scan_is_answered_as_the_table_says(void **state)
{
    static char line[LINE_MAX_BYTES], said[LINE_MAX_BYTES];
    FILE *f = fopen(GOLDEN_DIR "/../unit/scan_cases.txt", "r");
    unsigned number = 0, cases = 0, wrong = 0;

    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        char mode[16], user[BARCODE_MAX + 1], *rest = line, *name, *slot, *how, *scans;
        struct policy p;
        struct box b;

        number++;
        if (line[0] == '#' || line[0] == '\n')
            continue;
        line[strcspn(line, "\n")] = 0;
        name = column(&rest), slot = column(&rest), how = column(&rest), scans = column(&rest);
        assert_int_equal(sscanf(slot, "%15s %32s", mode, user), 2);
        p = policy_of(name);
        box_init(&b);
        b.mode = (uint8_t)record_kind_by_name(mode, strlen(mode));
        assert_int_not_equal(b.mode, 0);
        if (strcmp(user, "-") != 0)
            memcpy(b.user, user, sizeof user);
        play(&b, &p, scans, strcmp(how, "type") == 0, said, sizeof said);
        cases++;
        if (strcmp(said, rest) != 0) {
            print_error("line %u: %s\n  expected: %s\n  answered: %s\n", number, scans, rest, said);
            wrong++;
        }
    }
    fclose(f);
    assert_int_equal(wrong, 0);
    assert_true(cases >= CASES_MIN);
}

static void numbers_are_shown_in_groups(void **state)
{
    char out[SCAN_GROUPS_MAX];

    (void)state;
    scan_groups("29999000001016", out);
    assert_string_equal(out, "2 9999 00000101 6");
    scan_groups("P123456", out);
    assert_string_equal(out, "P123 456");
    scan_groups("12345678901234567890123456789012", out);
    assert_string_equal(out, "1234 5678 9012 3456 7890 1234 5678 9012");
}

#define U "29999000001016"
#define I "39999000005015"

static struct box_answer take(struct box *b, const struct policy *p, const char *raw)
{
    struct box_answer a = { .act = BOX_NOTHING };

    assert_int_equal(box_take(b, p, raw, strlen(raw), false, &a, NULL), ERR_OK);
    return a;
}

static void B5_a_doubt_about_the_branch_is_answered_once(void **state)
{
    struct policy p = policy_of("lib");
    struct box_answer a;
    struct box b;

    (void)state;
    box_init(&b);
    take(&b, &p, U);
    a = take(&b, &p, I);
    assert_int_equal(a.act, BOX_RECORD);
    assert_false(a.confirmed);
    box_doubt(&b, &a); /* another desk lent it */
    assert_int_equal(take(&b, &p, U).act, BOX_HELD);
    a = take(&b, &p, "*OK");
    assert_int_equal(a.act, BOX_RECORD);
    assert_true(a.confirmed);
    assert_false(a.typed);
    assert_string_equal(a.item, I);
    box_recorded(&b, &a);
    assert_int_equal(b.count, 1);
    assert_false(take(&b, &p, "*RENEW").confirmed); /* forgotten with the answer */
}

static void B6_an_undone_record_is_not_on_the_slip(void **state)
{
    struct policy p = policy_of("lib");
    struct box_answer a;
    struct box b;

    (void)state;
    box_init(&b);
    take(&b, &p, U);
    a = take(&b, &p, I);
    box_recorded(&b, &a);
    assert_int_equal(b.count, 1);
    assert_int_equal(take(&b, &p, "*UNDO").act, BOX_UNDO);
    assert_int_equal(b.count, 0);
    take(&b, &p, "*UNDO");
    assert_int_equal(b.count, 0);
}

static void bytes_that_are_no_text_are_refused(void **state)
{
    struct policy p = policy_of("lib");
    struct errmsg msg = { .text = "" };
    struct scan s;

    (void)state;
    assert_int_equal(scan_read(&p, "29999\0000001016", 14, false, &s, &msg), ERR_INVALID);
    assert_string_equal(msg.why, "bad_barcode");
    assert_int_equal(scan_read(&p, "\xff\xfe", 2, false, &s, &msg), ERR_INVALID);
    assert_string_equal(msg.why, "keyboard");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_scan_is_answered_as_the_table_says),
        cmocka_unit_test(numbers_are_shown_in_groups),
        cmocka_unit_test(B5_a_doubt_about_the_branch_is_answered_once),
        cmocka_unit_test(B6_an_undone_record_is_not_on_the_slip),
        cmocka_unit_test(bytes_that_are_no_text_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
