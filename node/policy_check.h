/* policy_check.h - what a policy would run into at this branch. */
#ifndef TIDEOVER_POLICY_CHECK_H
#define TIDEOVER_POLICY_CHECK_H

#include "format.h"
#include "node_int.h"

#define POLICY_REMARK_MAX 240

/* Looks at the folder of the policy's sink; "" if it is there, or there is none. May block on a
 * share that is away: on a thread. */
void policy_look(const char *text, char remark[POLICY_REMARK_MAX]);
/* [{code, desk, message}..]; folder: what policy_look() said. On the loop's thread. */
json_t *policy_remarks(const struct node *n, const struct policy *p, const char *folder);

#endif
