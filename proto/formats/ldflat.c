/* ldflat.c - writer of the LDUSER flat user file: registrations, the only form with addresses. */
#include "format_int.h"

#include <string.h>

struct block { /* one user in the making */
    struct buf *out;
    const char *bad; /* field that cannot be written */
};

static bool ldflat_carries(const struct policy *p, unsigned kind)
{
    return kind == RECORD_USER && p->symphony.registration == REGISTRATION_FLAT;
}

static void put_text(struct block *b, const char *tag, const char *value, const char *name)
{
    unsigned lost = 0;

    if (value[0] == 0)
        return;
    buf_printf(b->out, ".%s.   |a", tag);
    if (!latin1_put(b->out, value, "|", &lost))
        b->bad = name;
    buf_text(b->out, "\n");
}

static void put_date(struct block *b, const char *tag, uint32_t ymd)
{
    buf_printf(b->out, ".%s.   |a%08u\n", tag, (unsigned)ymd);
}

static void put_address(struct block *b, const char tag[ADDRESS_TAGS][24],
                        const struct registration *r)
{
    if (r->street[0] == 0 && r->city[0] == 0 && r->postcode[0] == 0 && r->phone[0] == 0 &&
        r->email[0] == 0)
        return;
    buf_text(b->out, ".USER_MAILINGADDR.   |a1\n.USER_ADDR1_BEGIN.\n");
    put_text(b, tag[TAG_STREET], r->street, "street");
    put_text(b, tag[TAG_CITY], r->city, "city");
    put_text(b, tag[TAG_POSTCODE], r->postcode, "postcode");
    put_text(b, tag[TAG_PHONE], r->phone, "phone");
    put_text(b, tag[TAG_EMAIL], r->email, "email");
    buf_text(b->out, ".USER_ADDR1_END.\n");
}

/* The note carries what has no tag of its own: our record id (E4), the guardian, the clerk's note.
 */
static void put_note(struct block *b, const char *id, const struct registration *r)
{
    unsigned lost = 0;

    buf_printf(b->out, ".USER_XINFO_BEGIN.\n.NOTE.   |aRegistered offline, %s", id);
    if (r->guardian[0] != 0)
        buf_text(b->out, "; guardian ");
    if (!latin1_put(b->out, r->guardian, "|", &lost))
        b->bad = "guardian";
    if (r->note[0] != 0)
        buf_text(b->out, "; ");
    if (!latin1_put(b->out, r->note, "|", &lost))
        b->bad = "note";
    buf_text(b->out, "\n.USER_XINFO_END.\n");
}

static void put_user(struct block *b, const struct policy *p, const struct format_item *it)
{
    const struct symphony_profile *s = &p->symphony;
    const struct registration *r = &it->rec->reg;
    uint32_t today = ymd_at(&p->zone, it->tick_s * 1000);

    buf_text(b->out, "*** DOCUMENT BOUNDARY ***\nFORM=LDUSER\n");
    put_text(b, "USER_ID", it->rec->user, "user");
    put_text(b, "USER_FIRST_NAME", r->first, "first");
    put_text(b, "USER_LAST_NAME", r->last, "last");
    put_text(b, "USER_LIBRARY", s->library, "library");
    put_text(b, "USER_PROFILE", r->type[0] != 0 ? r->type : s->user_profile, "type");
    put_text(b, "USER_PREF_LANG", s->user_language, "user_language");
    if (s->write_pin)
        put_text(b, "USER_PIN", r->pin, "pin");
    put_text(b, "USER_STATUS", "OK", "");
    put_date(b, "USER_PRIV_GRANTED", today);
    if (s->user_years == 0)
        put_text(b, "USER_PRIV_EXPIRES", "NEVER", "");
    else
        put_date(b, "USER_PRIV_EXPIRES", ymd_add_years(today, s->user_years));
    if (r->birth != 0)
        put_date(b, "USER_BIRTH_DATE", r->birth);
    put_text(b, "UACNT_CLEARANCE", s->user_clearance, "user_clearance");
    put_address(b, s->address_tag, r);
    put_note(b, it->id, r);
    if (!ymd_is_valid(today))
        b->bad = "at";
    if (r->birth != 0 && (!ymd_is_valid(r->birth) || r->birth > today))
        b->bad = "birth";
    if (r->last[0] == 0)
        b->bad = "last";
    if (!barcode_is_clean(it->rec->user))
        b->bad = "user";
}

static enum err ldflat_write(const struct policy *p, struct format_state *st,
                             const struct format_item *it, struct buf *out, struct errmsg *msg)
{
    struct block b = { .out = out };
    size_t len = out->len;

    (void)st; /* nothing is kept between users */
    if (!ldflat_carries(p, it->rec->kind))
        return err_why(msg, ERR_INVALID, "not_carried", "kind",
                       "%s: the user file has no place for %s", it->id,
                       record_kind_name(it->rec->kind));
    put_user(&b, p, it);
    if (!out->failed && b.bad == NULL)
        return ERR_OK;
    if (len < out->len)
        out->len = len;
    if (out->failed)
        return err_set(msg, ERR_NOMEM, "no memory for a user");
    return err_why(msg, ERR_INVALID, "bad_field", b.bad, "%s: %s cannot be written to a user file",
                   it->id, b.bad);
}

/* Guardian and note share the note with our record id; a reader parts them at the semicolons. */
static unsigned ldflat_loses(const struct policy *p, const struct format_item *it)
{
    const struct registration *r = &it->rec->reg;
    const char *const texts[] = { r->first, r->last,     r->type,  r->street, r->city,
                                  r->phone, r->postcode, r->email, r->note,   r->guardian };
    unsigned lost = 1u << LOSS_TIME;

    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (latin1_lacks(texts[i]))
            lost |= 1u << LOSS_TEXT;
    if (strchr(r->guardian, ';') || strncmp(r->note, "guardian ", 9) == 0 ||
        (r->pin[0] != 0 && !p->symphony.write_pin))
        lost |= 1u << LOSS_USER_FIELDS;
    return lost;
}

const struct format format_ldflat = {
    .name = "ldflat",
    .suffix = "flat",
    .tick_s = 1,
    .carries = ldflat_carries,
    .loses = ldflat_loses,
    .write = ldflat_write,
    .check_new = ldflat_check_new,
    .check_add = ldflat_check_add,
    .check_end = ldflat_check_end,
    .check_free = ldflat_check_free,
    .read_new = ldflat_read_new,
    .read_add = ldflat_read_add,
    .read_end = ldflat_read_end,
    .read_free = ldflat_read_free,
};
