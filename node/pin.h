/* pin.h - the PINs of the lead's and the admin's page, each in a file of the state directory. */
#ifndef TIDEOVER_PIN_H
#define TIDEOVER_PIN_H

#include <stdbool.h>

#include "err.h"
#include "keeper.h"

#define PIN_MIN 4 /* digits or letters: a PIN is typed standing, before others */
#define PIN_MAX 64

bool pin_is_set(const char *dir, enum keeper_page page);
/* A quarter of a second of Argon2id and 64 MiB each; not in the loop. ERR_INVALID: too short or
 * too long. */
enum err pin_set(const char *dir, enum keeper_page page, const char *pin, struct errmsg *msg);
/* ERR_MISSING: none is set; ERR_DENIED: another one. */
enum err pin_check(const char *dir, enum keeper_page page, const char *pin, struct errmsg *msg);

#endif
