/* sink.c - the table of sinks. */
#include "sink.h"

#include <stdio.h>
#include <string.h>

static const struct sink_kind {
    enum sink_class class;
    enum delivery (*deliver)(const struct sink_batch *b, char words[256]);
    enum delivery (*look)(const struct sink_batch *b, char words[256]); /* NULL: has no steps */
} sinks[] = {
    { SINK_F2, sink_file_deliver, NULL },
    { SINK_DROP, sink_drop_deliver, sink_drop_look },
};

static const struct sink_kind *kind_of(const char *sink)
{
    for (unsigned i = 0; i < sizeof sinks / sizeof sinks[0]; i++)
        if (sinks[i].class == sink_class_of(sink))
            return &sinks[i];
    return NULL;
}

bool sink_is_built(const char *sink)
{
    return kind_of(sink) != NULL;
}

static struct sink_batch aimed(const char *sink, const struct sink_batch *b)
{
    struct sink_batch with = *b;
    char desk[DESK_NAME_MAX + 1];

    if (!sink_place(sink, desk, &with.target))
        with.target = strchr(sink, ':') + 1;
    return with;
}

static enum delivery unknown(char words[256])
{
    snprintf(words, 256, "this version knows no sink like the policy's: update tideover here");
    return DELIVERY_STOP;
}

enum delivery sink_too_late(char words[256])
{
    snprintf(words, 256, "the lease ended before the batch was ready: it is begun again");
    return DELIVERY_RETRY;
}

enum delivery sink_deliver(const char *sink, const struct sink_batch *b, char words[256])
{
    const struct sink_kind *k = kind_of(sink);
    struct sink_batch with;

    if (!k)
        return unknown(words);
    with = aimed(sink, b);
    if (!b->may_send(b->ctx))
        return sink_too_late(words);
    return k->deliver(&with, words);
}

enum delivery sink_look(const char *sink, const struct sink_batch *b, char words[256])
{
    const struct sink_kind *k = kind_of(sink);
    struct sink_batch with;

    if (!k || !k->look)
        return unknown(words);
    with = aimed(sink, b);
    return k->look(&with, words);
}
