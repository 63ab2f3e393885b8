/* aside_int.h - shared by the sinks of files: file.c, drop.c. */
#ifndef TIDEOVER_ASIDE_INT_H
#define TIDEOVER_ASIDE_INT_H

#include "sink.h"

#define ASIDE_PATH (4096 + 64)

/* DELIVERY_RETRY, with a sentence from errno. */
enum delivery aside_fail(char words[256], const char *what, const char *where);
/* DELIVERY_STOP, and what to do about it. */
enum delivery aside_unequal(const struct sink_file *f, char words[256]);
/* Takes away what this desk was writing when it was killed. */
void aside_clean_own(const struct sink_batch *b);
bool aside_copy(int from, int to);
/* Flushed under `aside`, or nothing there and a sentence. */
enum delivery aside_write(const struct sink_batch *b, const struct sink_file *f,
                          char aside[ASIDE_PATH], char words[256]);
bool aside_is_equal(const char *path, const struct slot_part *part, bool *readable);
int aside_flush_dir(const char *dir);

#endif
