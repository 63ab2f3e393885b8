/* sink.c - the table of sinks. */
#include "sink.h"

#include <stdio.h>
#include <string.h>

static const struct sink_kind {
    const char *scheme;
    enum delivery (*deliver)(struct sink_batch *b, char words[256]);
    enum delivery (*look)(struct sink_batch *b, char words[256]); /* NULL: has no steps */
    void (*end)(void *session);                                   /* NULL: keeps no connection */
} sinks[] = {
    { "file:", sink_file_deliver, NULL, NULL },
    { "drop:", sink_drop_deliver, sink_drop_look, NULL },
    { "https:", sink_https_deliver, sink_https_look, NULL },
    { "http:", sink_https_deliver, sink_https_look, NULL },
    { "put:", sink_put_deliver, NULL, NULL },
    { "key:", sink_key_deliver, NULL, NULL },
    { "sftp:", sink_sftp_deliver, NULL, NULL },
    { "evergreen:", sink_evergreen_deliver, sink_evergreen_look, sink_evergreen_end },
    { "koha:", sink_koha_deliver, sink_koha_look, sink_koha_end },
    { "koha-plugin:", sink_koha_plugin_deliver, NULL, sink_koha_plugin_end },
    { "sip2:", sink_sip2_deliver, sink_sip2_look, sink_sip2_end },
    { "sip2s:", sink_sip2_deliver, sink_sip2_look, sink_sip2_end },
};

static const struct sink_kind *kind_of(const char *sink)
{
    for (unsigned i = 0; i < sizeof sinks / sizeof sinks[0]; i++)
        if (strncmp(sink, sinks[i].scheme, strlen(sinks[i].scheme)) == 0)
            return &sinks[i];
    return NULL;
}

bool sink_is_built(const char *sink)
{
    return kind_of(sink) != NULL;
}

static void aim(const char *sink, struct sink_batch *b)
{
    char desk[DESK_NAME_MAX + 1];

    if (sink_place(sink, desk, &b->target))
        return;
    b->target = strchr(sink, ':') + 1;
    if (strncmp(b->target, "//", 2) == 0) /* the scheme is the URL's own: "https://HOST/DIR/" */
        b->target = sink;
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

enum delivery sink_denied(const char *login, const char *who, const char *detail, char words[256])
{
    if (login[0] == '\0')
        snprintf(words, 256,
                 "%s refuses the login%s, for it wants one, and the policy names no credential: "
                 "publish one with credential in [upload]",
                 who, detail);
    else
        snprintf(words, 256,
                 "%s refuses the login%s: put the credential %s right (tideover credential set), "
                 "or its rights "
                 "there. Until then, or until a lead runs the upload again, nobody tries again",
                 who, detail, login);
    return DELIVERY_DENIED;
}

enum delivery sink_deliver(const char *sink, struct sink_batch *b, char words[256])
{
    const struct sink_kind *k = kind_of(sink);

    if (!k)
        return unknown(words);
    aim(sink, b);
    if (!b->may_send(b->ctx))
        return sink_too_late(words);
    return k->deliver(b, words);
}

enum delivery sink_look(const char *sink, struct sink_batch *b, char words[256])
{
    const struct sink_kind *k = kind_of(sink);

    if (!k || !k->look)
        return unknown(words);
    aim(sink, b);
    return k->look(b, words);
}

void sink_end(const char *sink, void *session)
{
    const struct sink_kind *k = kind_of(sink);

    if (session && k && k->end)
        k->end(session);
}

/* ---- a second voice ---- */

static const struct {
    const char *scheme;
    enum put_there (*check)(struct sink_batch *b, unsigned i, char words[256]);
} checks[] = {
    { "file:", sink_file_check }, { "sftp:", sink_sftp_check }, { "https:", sink_http_check },
    { "http:", sink_http_check }, { "put:", sink_http_check },  { "key:", sink_http_check },
};
#define CHECKS (sizeof checks / sizeof checks[0])

static unsigned check_of(const char *sink)
{
    unsigned i = 0;

    while (i < CHECKS && strncmp(sink, checks[i].scheme, strlen(checks[i].scheme)) != 0)
        i++;
    return i;
}

bool sink_can_check(const char *sink)
{
    return check_of(sink) < CHECKS;
}

enum put_there sink_check(const char *sink, struct sink_batch *b, unsigned i, char words[256])
{
    unsigned k = check_of(sink);

    if (k == CHECKS)
        return THERE_UNREADABLE;
    aim(sink, b);
    return checks[k].check(b, i, words);
}
