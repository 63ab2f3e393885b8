/* box.c - rules B1 to B6, B9. */
#include "box.h"

#include <string.h>

static void put(char out[BARCODE_MAX + 1], const char *value)
{
    memmove(out, value, strlen(value) + 1);
}

void box_init(struct box *b)
{
    *b = (struct box){ .mode = RECORD_CHECKOUT };
}

const char *box_act_name(enum box_act act)
{
    static const char *const names[] = {
        [BOX_NOTHING] = "nothing", [BOX_MODE] = "mode",     [BOX_OPENED] = "opened",
        [BOX_NEXT] = "next",       [BOX_RECORD] = "record", [BOX_FORM] = "form",
        [BOX_UNDO] = "undo",       [BOX_DUE] = "due",       [BOX_ASKS] = "asks",
        [BOX_HELD] = "held",       [BOX_PIECES] = "pieces",
    };

    return names[act];
}

static void close_user(struct box *b, struct box_answer *out)
{
    put(out->closed, b->user);
    out->closed_count = b->count;
    b->user[0] = b->item[0] = 0;
    b->piece = false;
    b->count = 0;
}

/* ---- B6 ---- */

static bool keeps_user(unsigned mode)
{
    return mode == RECORD_CHECKOUT || mode == RECORD_RENEW;
}

static void set_mode(struct box *b, uint8_t mode, struct box_answer *out)
{
    out->act = BOX_MODE;
    if (b->mode == mode)
        return;
    if (!keeps_user(b->mode) || !keeps_user(mode))
        close_user(b, out);
    b->item[0] = 0;
    b->piece = false;
    b->mode = mode;
}

/* B9 */
static enum err take_piece(const struct box *b, const char *kind, struct box_answer *out,
                           struct errmsg *msg)
{
    if (b->mode != RECORD_CHECKOUT || b->user[0] == 0)
        return err_why(msg, ERR_INVALID, "wrong_slot", "user",
                       b->mode != RECORD_CHECKOUT
                           ? "things without a barcode can only be lent: go to Checkout"
                           : "no user is open: scan the user card first");
    out->act = kind[0] ? BOX_RECORD : BOX_PIECES;
    out->kind = b->mode;
    put(out->user, b->user);
    memcpy(out->piece_kind, kind, strlen(kind) + 1);
    return ERR_OK;
}

static enum err take_code(struct box *b, const struct scan *s, struct box_answer *out,
                          struct errmsg *msg)
{
    switch (s->code) {
    case CODE_CHECKOUT:
        set_mode(b, RECORD_CHECKOUT, out);
        break;
    case CODE_DISCHARGE:
        set_mode(b, RECORD_DISCHARGE, out);
        break;
    case CODE_RENEW:
        set_mode(b, RECORD_RENEW, out);
        break;
    case CODE_INHOUSE:
        set_mode(b, RECORD_INHOUSE, out);
        break;
    case CODE_NEWUSER:
        set_mode(b, RECORD_USER, out);
        break;
    case CODE_NEXT:
        out->act = BOX_NEXT;
        close_user(b, out);
        break;
    case CODE_UNDO:
        out->act = BOX_UNDO;
        b->count -= (b->item[0] != 0 || b->piece) && b->count > 0;
        b->item[0] = 0; /* it may be scanned again */
        b->piece = false;
        break;
    case CODE_DUE:
        out->act = BOX_DUE;
        out->days = s->days;
        break;
    case CODE_PIECE:
        return take_piece(b, s->value, out, msg);
    case CODE_OK: /* nothing is asked */
    case CODE_CANCEL:
        out->act = BOX_NOTHING;
        break;
    }
    return ERR_OK;
}

/* ---- B1, B2, B3 ---- */

static enum err take_user(struct box *b, const char *user, struct box_answer *out,
                          struct errmsg *msg)
{
    if (b->mode == RECORD_DISCHARGE || b->mode == RECORD_INHOUSE)
        return err_why(msg, ERR_INVALID, "wrong_slot", "item",
                       "that is a user card: %s. Nothing was recorded; scan an item, or go to "
                       "Checkout",
                       user);
    put(out->user, user);
    if (b->mode == RECORD_USER) {
        out->act = BOX_FORM;
        return ERR_OK;
    }
    if (strcmp(b->user, user) == 0) {
        out->act = BOX_NOTHING;
        return ERR_OK;
    }
    close_user(b, out);
    put(b->user, user);
    out->act = BOX_OPENED;
    return ERR_OK;
}

static enum err take_item(struct box *b, const char *item, struct box_answer *out,
                          struct errmsg *msg)
{
    if (b->mode == RECORD_USER)
        return err_why(msg, ERR_INVALID, "wrong_slot", "user",
                       "that is an item number, not a user card: %s; scan the new card", item);
    if (b->mode == RECORD_CHECKOUT && b->user[0] == 0)
        return err_why(msg, ERR_INVALID, "wrong_slot", "user",
                       "that is an item number, and no user is open: %s; scan the user card first",
                       item);
    put(out->item, item);
    if (strcmp(b->item, item) == 0) {
        out->act = BOX_NOTHING;
        return ERR_OK;
    }
    out->act = BOX_RECORD;
    out->kind = b->mode;
    put(out->user, b->user);
    return ERR_OK;
}

static enum err take_number(struct box *b, enum scan_what what, const char *value,
                            struct box_answer *out, struct errmsg *msg)
{
    bool waits_for_user = b->mode == RECORD_USER || (b->mode == RECORD_CHECKOUT && b->user[0] == 0);

    put(out->value, value);
    if (what == SCAN_USER || (what == SCAN_EITHER && waits_for_user))
        return take_user(b, value, out, msg);
    return take_item(b, value, out, msg);
}

/* ---- B4, B5 ---- */

/* Is what was typed protected by a check digit? */
static bool has_digit(const struct policy *p, enum scan_what what)
{
    return (what == SCAN_ITEM || p->user_digit != DIGIT_NONE) &&
           (what == SCAN_USER || p->item_digit != DIGIT_NONE);
}

static enum err ask(struct box *b, const struct scan *s, struct box_answer *out, struct errmsg *msg)
{
    struct box tried = *b; /* what would be refused anyhow is not asked about */
    struct box_answer would = { .act = BOX_NOTHING };
    enum err e = take_number(&tried, s->what, s->value, &would, msg);

    if (e != ERR_OK)
        return e;
    put(b->asks, s->value);
    b->asks_typed = true;
    put(out->value, s->value);
    out->act = BOX_ASKS;
    return ERR_OK;
}

static enum err hold(struct box *b, const char *raw, size_t n, bool typed, struct box_answer *out,
                     struct errmsg *msg)
{
    struct box_held *h = &b->held[b->n_held];

    if (b->n_held >= BOX_HELD_MAX)
        return err_why(msg, ERR_FULL, "asks", "",
                       "a question waits for an answer, and no more scans can be held: answer it, "
                       "then scan this again");
    if (n > SCAN_MAX || memchr(raw, 0, n) != NULL)
        return err_why(msg, ERR_INVALID, "too_long", "",
                       "more than one barcode was read: scan one after the other");
    memcpy(h->text, raw, n);
    h->text[n] = 0;
    h->typed = typed;
    b->n_held++;
    out->act = BOX_HELD;
    return ERR_OK;
}

static enum err while_asking(struct box *b, const struct policy *p, const char *raw, size_t n,
                             bool typed, struct box_answer *out, struct errmsg *msg)
{
    bool was_typed = b->asks_typed, branch = b->asks_branch;
    char value[BARCODE_MAX + 1];
    struct scan s;
    enum err e = scan_read(p, raw, n, typed, &s, NULL);

    if (e != ERR_OK || s.what != SCAN_CODE || (s.code != CODE_OK && s.code != CODE_CANCEL))
        return hold(b, raw, n, typed, out, msg);
    put(value, b->asks);
    b->asks[0] = 0;
    b->asks_typed = b->asks_branch = false;
    out->act = BOX_NOTHING;
    if (s.code == CODE_CANCEL)
        return ERR_OK;
    out->typed = was_typed;
    out->confirmed = branch;
    if ((e = scan_read(p, value, strlen(value), true, &s, msg)) != ERR_OK)
        return e;
    return take_number(b, s.what, value, out, msg);
}

enum err box_take(struct box *b, const struct policy *p, const char *raw, size_t n, bool typed,
                  struct box_answer *out, struct errmsg *msg)
{
    struct scan s;
    enum err e;

    *out = (struct box_answer){ .typed = typed };
    if (b->asks[0])
        return while_asking(b, p, raw, n, typed, out, msg);
    if ((e = scan_read(p, raw, n, typed, &s, msg)) != ERR_OK)
        return e;
    out->layout = s.layout;
    if (s.what == SCAN_CODE)
        e = take_code(b, &s, out, msg);
    else if (typed && !has_digit(p, s.what))
        e = ask(b, &s, out, msg);
    else
        e = take_number(b, s.what, s.value, out, msg);
    return e;
}

bool box_take_held(struct box *b, const struct policy *p, struct box_answer *out, enum err *e,
                   struct errmsg *msg)
{
    struct box_held h;

    if (b->asks[0] || b->n_held == 0)
        return false;
    h = b->held[0];
    b->n_held--;
    memmove(b->held, b->held + 1, b->n_held * sizeof b->held[0]);
    *e = box_take(b, p, h.text, strlen(h.text), h.typed, out, msg);
    return true;
}

void box_doubt(struct box *b, const struct box_answer *a)
{
    put(b->asks, a->item);
    b->asks_typed = a->typed;
    b->asks_branch = true;
}

void box_recorded(struct box *b, const struct box_answer *a)
{
    put(b->item, a->item);
    b->piece = a->piece_kind[0] != 0;
    b->count++;
}
