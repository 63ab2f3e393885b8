/* fuzz_scan.c - raw scans: whatever the keys, a box stays whole, and what it would record passes
 * the desk's own rules. First byte: policy; then lines, "t" in front of what is typed. */
#include "fuzz.h"

#include "box.h"
#include "desk.h"

#define NOW_MS INT64_C(1795000000000)

static const struct policy *policy(unsigned which)
{
    static const char *const scans[] = {
        "", "[scan]\ncheck_digit = none\n",
        "[scan]\ncheck_digit = none\nuser_pattern = [0-9A-Z]{1,32}\nitem_pattern = [A-Z .]{0,9}X\n"
    };
    static struct policy p[3];
    static bool made;

    for (unsigned i = 0; i < 3 && !made; i++) {
        char text[512];
        snprintf(text, sizeof text, "[branch]\ncode = MAIN\nzone = UTC\nzone_rule = UTC0\n%s",
                 scans[i]);
        must_hold(policy_parse(text, strlen(text), &p[i], NULL) == ERR_OK);
    }
    made = true;
    return &p[which % 3];
}

static void look(const struct policy *p, struct box *b, enum err e, const struct box_answer *a,
                 const struct errmsg *msg)
{
    struct record r = { .kind = a->kind, .count = a->kind == RECORD_INHOUSE };

    must_hold(b->n_held <= BOX_HELD_MAX);
    if (e != ERR_OK) {
        must_hold(msg->why[0] != 0 && msg->text[0] != 0 && text_is_clean(msg->text));
        return;
    }
    must_hold(box_act_name(a->act) != NULL);
    if (a->act != BOX_RECORD)
        return;
    memcpy(r.user, a->user, sizeof r.user);
    memcpy(r.item, a->item, sizeof r.item);
    must_hold(desk_check(p, &r, NOW_MS, NULL) == ERR_OK);
    box_recorded(b, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct fuzz_in in = { bytes, n };
    const struct policy *p = policy(fuzz_byte(&in));
    struct box b;

    box_init(&b);
    while (in.n > 0) {
        const uint8_t *end = memchr(in.p, '\n', in.n);
        size_t len = end ? (size_t)(end - in.p) : in.n, all = len + (end != NULL);
        bool typed = len > 0 && in.p[0] == 't';
        uint8_t *raw = fuzz_copy(in.p + typed, len - typed);
        struct errmsg msg = { .text = "" };
        struct box_answer a;
        enum err e = box_take(&b, p, (const char *)raw, len - typed, typed, &a, &msg);

        look(p, &b, e, &a, &msg);
        while (box_take_held(&b, p, &a, &e, &msg))
            look(p, &b, e, &a, &msg);
        free(raw);
        fuzz_take(&in, &all);
    }
    return 0;
}

/* Of literals that begin with the policy's zero byte. */
#define SEED(text) fuzz_seed(text, sizeof(text) - 1)

void fuzz_seeds(void)
{
    SEED("\0"
         "29999000001016\r\nA39999000005015B\n*RENEW\n]A039999000005015\n*NEXT");
    SEED("\1"
         "t29999000001016\n*OK\nt39999000005015\n39999000005015\n*CANCEL\n*DUE14");
    SEED("\2"
         "ABC\nABCX\n*DISCHARGE\nA B.X\n*NEWUSER\nQ\n*UNDO");
    SEED("\0"
         "éçççç&\n(RENEW\n2999900000101639999000005015\n29999");
}
