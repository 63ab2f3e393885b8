/* denied.c - the library's system refuses the login: nobody tries again by himself, for many
 * systems lock an account that fails a few times. */
#include <string.h>

#include "credential.h"
#include "node_int.h"

#define LOOK_MS 1000 /* between looks at the files */

void denied_watch(struct node *n, const struct moment *now, const struct ledger_view *v)
{
    const struct policy *p = roster_policy(core_roster(n->core));
    uint8_t stamp[CREDENTIAL_STAMP_BYTES];

    if (v->triggered && !n->denied.triggered)
        probe_log_in_again(n->probe);
    n->denied.triggered = v->triggered;
    if (!p || !v->stopped || v->trouble != TROUBLE_DENIED) {
        n->denied.known = false;
        return;
    }
    if (n->denied.known && now->boot_ms < n->denied.look_ms)
        return;
    n->denied.look_ms = now->boot_ms + LOOK_MS;
    credential_stamp(n->dir, p, stamp);
    if (n->denied.known && memcmp(stamp, n->denied.stamp, sizeof stamp) != 0)
        core_login_changed(n->core, now);
    memcpy(n->denied.stamp, stamp, sizeof stamp);
    n->denied.known = true;
}
