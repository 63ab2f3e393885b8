/* record_json.c - JSON in and out for records. */
#include "record_json.h"

#include <stdio.h>
#include <string.h>

#include "desk.h"
#include "node_int.h"
#include "plain_json.h"

#define DEPTH_MAX 16

static bool is_shallow(const char *p, size_t n)
{
    unsigned depth = 0;
    bool text = false;

    for (size_t i = 0; i < n; i++) {
        if (text && p[i] == '\\')
            i++;
        else if (p[i] == '"')
            text = !text;
        else if (!text && (p[i] == '{' || p[i] == '[') && ++depth > DEPTH_MAX)
            return false;
        else if (!text && (p[i] == '}' || p[i] == ']') && depth > 0)
            depth--;
    }
    return true;
}

json_t *json_object_of(const char *p, size_t n, struct errmsg *msg)
{
    json_error_t why;
    json_t *o = NULL;

    if (is_shallow(p, n))
        o = json_loadb(p, n, JSON_REJECT_DUPLICATES, &why);
    else
        snprintf(why.text, sizeof why.text, "nested too deeply");
    if (o && json_is_object(o))
        return o;
    err_why(msg, ERR_INVALID, "bad_json", "", "not one JSON object: %.120s",
            o ? "another JSON value" : why.text);
    json_decref(o);
    return NULL;
}

struct text_field {
    const char *name;
    size_t at, room;
};

#define TEXT(name, member)                                                                         \
    {                                                                                              \
        name, offsetof(struct record, member), sizeof(((struct record *)0)->member)                \
    }

static const struct text_field texts[] = {
    TEXT("user", user),         TEXT("item", item),         TEXT("staff", staff),
    TEXT("kind", piece_kind),   TEXT("label", piece_label), TEXT("first", reg.first),
    TEXT("last", reg.last),     TEXT("phone", reg.phone),   TEXT("email", reg.email),
    TEXT("street", reg.street), TEXT("city", reg.city),     TEXT("postcode", reg.postcode),
    TEXT("type", reg.type),     TEXT("note", reg.note),     TEXT("guardian", reg.guardian),
    TEXT("pin", reg.pin),       TEXT("library", library),   TEXT("user_access", user_access),
};

static const struct text_field *text_field(const char *name)
{
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(texts[i].name, name) == 0)
            return &texts[i];
    return NULL;
}

static enum err take_text(const struct text_field *f, const char *value, struct record *out,
                          struct errmsg *msg)
{
    if (strlen(value) >= f->room)
        return err_why(msg, ERR_INVALID, "too_long", f->name, "%s is longer than %zu bytes",
                       f->name, f->room - 1);
    memcpy((char *)out + f->at, value, strlen(value) + 1);
    return ERR_OK;
}

enum err record_take_at(const struct core *c, const char *value, struct record *out,
                        struct errmsg *msg)
{
    const struct policy *policy = c ? roster_policy(core_roster(c)) : NULL;
    struct errmsg inner = { .text = "" };

    if (paper_time_parse(policy ? &policy->zone : NULL, node_now().wall_ms, value, &out->paper_ms,
                         &inner) == ERR_OK) {
        if (out->paper_ms == 0) /* would mean that there is none; too old is refused (D6) */
            out->paper_ms = 1;
        return ERR_OK;
    }
    return err_why(msg, ERR_INVALID, "bad_at", "at", "%s", inner.text);
}

static enum err take_string(const struct core *c, const char *name, const char *value,
                            struct record *out, struct errmsg *msg)
{
    const struct text_field *f = text_field(name);
    struct errmsg inner = { .text = "" };

    if (f)
        return take_text(f, value, out, msg);
    if (strcmp(name, "op") == 0) {
        out->kind = (uint8_t)record_kind_by_name(value, strlen(value));
        return out->kind ? ERR_OK
                         : err_why(msg, ERR_INVALID, "unknown_op", "op",
                                   "there is no operation of that name: checkout, discharge, "
                                   "renew, user, inhouse or void");
    }
    if (strcmp(name, "id") == 0)
        return core_id_parse(c, value, &out->target, msg);
    if (strcmp(name, "key") == 0)
        return hex_decode(value, out->key, sizeof out->key)
                   ? ERR_OK
                   : err_why(msg, ERR_INVALID, "bad_key", "key", "a key has 32 hex digits");
    if (strcmp(name, "due") == 0 && (value[0] == '\0' || strcmp(value, "none") == 0)) {
        out->due = value[0] == '\0' ? DUE_BY_RULE : 0;
        return ERR_OK;
    }
    if (strcmp(name, "due") == 0 && ymd_parse(value, &out->due, &inner) != ERR_OK)
        return err_why(msg, ERR_INVALID, "bad_due", "due", "%s", inner.text);
    if (strcmp(name, "birth") == 0 && ymd_parse(value, &out->reg.birth, &inner) != ERR_OK)
        return err_why(msg, ERR_INVALID, "bad_birth", "birth", "%s", inner.text);
    if (strcmp(name, "at") == 0)
        return record_take_at(c, value, out, msg);
    if (strcmp(name, "due") != 0 && strcmp(name, "birth") != 0)
        return err_why(msg, ERR_INVALID, "unknown_field", "",
                       "there is no field of that name: "
                       "%.40s",
                       name);
    return ERR_OK;
}

static enum err take_field(const struct core *c, const struct plain_field *f, struct record *out,
                           struct errmsg *msg)
{
    bool number = f->type == PLAIN_NUMBER, truth = f->type == PLAIN_TRUTH;

    if (f->type == PLAIN_TEXT)
        return take_string(c, f->name, f->text, out, msg);
    if (number && strcmp(f->name, "count") == 0)
        out->count = f->number >= 0 && f->number <= 255 ? (uint8_t)f->number : 255;
    else if (number && strcmp(f->name, "station") == 0)
        out->station =
            f->number >= 0 && f->number <= STATION_MAX ? (uint32_t)f->number : STATION_MAX + 1;
    else if (truth && strcmp(f->name, "typed") == 0)
        out->flags |= f->number ? RECORD_TYPED : 0;
    else if (truth && strcmp(f->name, "confirm") == 0)
        out->flags |= f->number ? RECORD_CONFIRMED : 0;
    else if (truth && strcmp(f->name, "block_list") == 0)
        out->flags |= f->number ? 0 : RECORD_UNCHECKED;
    else
        return err_why(msg, ERR_INVALID, "bad_type", "", "%.40s has to be text in quotes", f->name);
    return ERR_OK;
}

static void begin(struct record *out)
{
    memset(out, 0, sizeof *out);
    out->due = DUE_BY_RULE;
}

static enum err finish(struct record *out, struct errmsg *msg)
{
    if (out->kind == 0)
        return err_why(msg, ERR_INVALID, "missing_field", "op", "op is missing");
    if (out->kind == RECORD_VOID && out->target.seq == 0)
        return err_why(msg, ERR_INVALID, "missing_field", "id",
                       "a void needs the id of the record that it takes back");
    if (out->kind != RECORD_VOID && out->target.seq != 0)
        return err_why(msg, ERR_INVALID, "extra_field", "id", "only a void has an id");
    if ((out->kind == RECORD_INHOUSE || out->piece_kind[0] != 0) && out->count == 0)
        out->count = 1;
    return ERR_OK;
}

enum err record_of_json(const struct core *c, const json_t *o, struct record *out,
                        struct errmsg *msg)
{
    const char *name;
    json_t *v;
    enum err e;

    begin(out);
    json_object_foreach((json_t *)o, name, v)
    {
        struct plain_field f = { name, json_string_value(v), PLAIN_NEITHER, json_is_true(v) };
        if (json_is_string(v))
            f.type = PLAIN_TEXT;
        else if (json_is_boolean(v))
            f.type = PLAIN_TRUTH;
        else if (json_is_integer(v)) {
            f.type = PLAIN_NUMBER;
            f.number = json_integer_value(v);
        }
        if ((e = take_field(c, &f, out, msg)) != ERR_OK)
            return e;
    }
    return finish(out, msg);
}

enum err record_of_text(const struct core *c, const char *p, size_t n, struct record *out,
                        struct errmsg *msg)
{
    struct plain_json plain;
    enum err e = ERR_OK;
    json_t *o;

    if (!plain_json_read(p, n, &plain)) {
        o = json_object_of(p, n, msg);
        e = o ? record_of_json(c, o, out, msg) : ERR_INVALID;
        json_decref(o);
        return e;
    }
    begin(out);
    for (unsigned i = 0; i < plain.n && e == ERR_OK; i++)
        e = take_field(c, &plain.v[i], out, msg);
    return e == ERR_OK ? finish(out, msg) : e;
}

static void put_ymd(json_t *o, const char *name, uint32_t ymd)
{
    char day[11];

    if (ymd == 0)
        return;
    ymd_format(ymd, day);
    json_object_set_new(o, name, json_string(day));
}

void record_put_paper(const struct record *r, const struct zone *zone, json_t *o)
{
    char at[36];

    if (r->paper_ms == 0)
        return;
    rfc3339_at(zone, r->paper_ms, at);
    json_object_set_new(o, "at", json_string(at));
    json_object_set_new(o, "from_paper", json_true());
}

void record_to_json(const struct record *r, const struct zone *zone, json_t *o)
{
    int64_t when = record_time(r, 0);
    char at[36];

    json_object_set_new(o, "op", json_string(record_kind_name(r->kind)));
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *value = (const char *)r + texts[i].at;
        if (value[0] != '\0' && strcmp(texts[i].name, "pin") != 0)
            json_object_set_new(o, texts[i].name, json_string(value));
    }
    put_ymd(o, "due", r->due);
    put_ymd(o, "birth", r->reg.birth);
    rfc3339_format(when, zone ? zone_offset_s(zone, when / 1000) / 60 : r->utc_off_min, at);
    json_object_set_new(o, "at", json_string(at));
    if (r->paper_ms)
        json_object_set_new(o, "from_paper", json_true());
    if (r->flags & RECORD_TYPED)
        json_object_set_new(o, "typed", json_true());
    if (r->flags & RECORD_CONFIRMED)
        json_object_set_new(o, "confirmed", json_true());
    if (r->flags & RECORD_OVERRIDE)
        json_object_set_new(o, "override", json_true());
    if (r->flags & RECORD_UNCHECKED)
        json_object_set_new(o, "block_list", json_false());
    if (r->station)
        json_object_set_new(o, "station", json_integer(r->station));
    if (r->count)
        json_object_set_new(o, "count", json_integer(r->count));
}
