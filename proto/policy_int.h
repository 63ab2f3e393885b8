/* policy_int.h - the policy's insides, shared by the files that read its text. */
#ifndef TIDEOVER_POLICY_INT_H
#define TIDEOVER_POLICY_INT_H

#include "ini_int.h"
#include "policy.h"

#define HOUR_MS 3600000

/* ---- policy_keys.c ---- */
enum err policy_read(const char *text, size_t n, struct policy *out, struct errmsg *msg);

/* ---- policy_due.c: every key of [due] and [closed] ---- */
ini_parser policy_read_due, policy_read_closed;
void policy_derive_due(struct due_policy *d); /* what the text left out */

/* ---- policy_reach.c: values of [server] and [upload] ---- */
ini_parser policy_read_probe;
ini_parser policy_read_sink;
ini_parser policy_read_file_name; /* of a credential */
ini_parser policy_read_host_key;
ini_parser policy_read_proxy;
ini_parser policy_read_loaders_name;
enum err policy_check_reach(const struct policy *p, struct errmsg *msg); /* once all are read */

#endif
