/* probe_sip2.c - is the library system there? As SIP2 tells it: a login, a status, an item that it
 * knows. */
#include "probe_int.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "sip2_link.h"

bool probe_is_sip2(const char *target)
{
    return strncmp(target, "sip2:", 5) == 0 || strncmp(target, "sip2s:", 6) == 0;
}

bool probe_sip2(const char *target, const struct policy *p, const char *state_dir, bool *denied,
                char why[PROBE_WHY])
{
    struct sip2_link *l = sip2_link_new();
    struct sip2_site site;
    struct errmsg msg = { .text = "out of memory" };
    enum delivery d = DELIVERY_STOP;
    char words[256] = "";
    enum err e = l ? sip2_site_find(state_dir, p, target, &site, &msg) : ERR_NOMEM;

    if (e == ERR_OK)
        d = sip2_link_open(l, &site, words);
    if (d == DELIVERY_DONE)
        sip2_link_close(l, true);
    *denied = d == DELIVERY_DENIED;
    snprintf(why, PROBE_WHY, "%.*s", PROBE_WHY - 1, e == ERR_OK ? words : msg.text);
    text_mend(why);
    sodium_memzero(&site, sizeof site);
    sip2_link_free(l);
    return d == DELIVERY_DONE;
}
