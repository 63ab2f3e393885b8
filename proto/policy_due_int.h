/* policy_due_int.h - readers of [due] and [closed]; every key of both sections is theirs. */
#ifndef TIDEOVER_POLICY_DUE_INT_H
#define TIDEOVER_POLICY_DUE_INT_H

#include "due.h"
#include "ini_int.h"

ini_parser policy_read_due, policy_read_closed;
void policy_derive_due(struct due_policy *d); /* what the text left out */

#endif
