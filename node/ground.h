/* ground.h - what a PC says of the disk and the clock under a desk; for doctor and readiness. */
#ifndef TIDEOVER_GROUND_H
#define TIDEOVER_GROUND_H

#include <stdbool.h>

#include "readiness.h"

enum ground ground_of(const char *dir); /* which kind of file system */
/* Did what lay in dir outlive a restart of this PC? Leaves its mark there for the next one, if it may;
 * false: not known yet. */
bool ground_outlived(const char *dir);
bool ground_clock_kept(void); /* a time service says that it keeps this PC's clock */

#endif
