/* credential_check.c - does this desk have the secrets that the policy names? Told while the server
 * is still away, not when the upload fails. */
#include <stdio.h>
#include <string.h>

#include "credential.h"
#include "policy.h"
#include "url.h"

struct search {
    const char *name;
    bool found;
    char problem[256]; /* of one that is there */
};

/* NAME, or NAME.KIND of some kind: which one it must be is the sink's business. */
static void compare(void *ctx, const char *file, bool from_systemd, const char *problem)
{
    struct search *s = ctx;
    size_t n = strlen(s->name);

    (void)from_systemd;
    if (strncmp(file, s->name, n) != 0 || (file[n] != '\0' && file[n] != '.') ||
        strcmp(file + n, ".ca") == 0)
        return;
    s->found = true;
    if (*problem != '\0')
        snprintf(s->problem, sizeof s->problem, "%s", problem);
}

void credential_lacks(const char *state_dir, const struct policy *p, char words[256])
{
    struct search s = { .name = p->access.credential };
    struct errmsg msg = { .text = "" };
    char path[4096];

    words[0] = '\0';
    if (sink_url(p->sink) == NULL)
        return;
    if (p->access.ca[0] != '\0' &&
        credential_find(state_dir, p->access.ca, "ca", path, &msg) != ERR_OK) {
        snprintf(words, 256, "%s", msg.text);
        return;
    }
    if (s.name[0] == '\0')
        return;
    if (credential_each(state_dir, compare, &s, &msg) != ERR_OK)
        snprintf(words, 256, "%s", msg.text);
    else if (!s.found)
        snprintf(words, 256,
                 "this desk has no credential %s, without which it cannot upload: put it there "
                 "with tideover credential set %s",
                 s.name, s.name);
    else
        snprintf(words, 256, "%s", s.problem);
}
