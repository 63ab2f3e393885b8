/* file.c - file drop whose files stay (class F2): exclusive creation makes a repetition harmless.
 *
 * Written aside on the same file system, flushed, linked under the final name, directory flushed.
 * A name that exists already: equal content means delivered (by a dead uploader), other content
 * means that a person must look. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aside_int.h"

/* link() refuses to overwrite everywhere it exists. Where it does not (some shares), exclusive
 * creation of the final name is the next best: a cut then leaves a short file, which the next look
 * finds unequal and a person is asked. A full disk does not: what we began is taken away again. */
static int publish(const char *aside, const char *final)
{
    int from, to, ok, why;

    if (link(aside, final) == 0)
        return 0;
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
        return -1;
    if ((to = open(final, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
        return -1;
    from = open(aside, O_RDONLY | O_CLOEXEC);
    ok = from >= 0 && aside_copy(from, to) && fsync(to) == 0;
    why = errno;
    if (from >= 0)
        close(from);
    if (close(to) != 0 && ok) {
        ok = false;
        why = errno;
    }
    if (ok)
        return 0;
    unlink(final);
    errno = why;
    return -1;
}

static enum delivery drop_one(const struct sink_batch *b, const struct sink_file *f,
                              char words[256])
{
    char final[4096], aside[ASIDE_PATH];
    enum delivery d;
    bool readable;

    snprintf(final, sizeof final, "%s/%s", b->target, f->name);
    if (access(final, F_OK) != 0) {
        if ((d = aside_write(b, f, aside, words)) != DELIVERY_DONE)
            return d;
        if (publish(aside, final) != 0 && errno != EEXIST) {
            d = aside_fail(words, "cannot name the file in", b->target);
            unlink(aside);
            return d;
        }
        unlink(aside);
    }
    if (aside_is_equal(final, &f->part, &readable)) /* flushed too if it was another who wrote it */
        return aside_flush_dir(b->target) == 0 ? DELIVERY_DONE
                                               : aside_fail(words, "cannot flush", b->target);
    return readable ? aside_unequal(f, words) : aside_fail(words, "cannot read back", final);
}

enum delivery sink_file_deliver(struct sink_batch *b, char words[256])
{
    aside_clean_own(b);
    for (unsigned i = 0; i < b->n_files; i++) {
        enum delivery d = drop_one(b, &b->files[i], words);
        if (d != DELIVERY_DONE)
            return d;
    }
    sink_say_names(b, words);
    return DELIVERY_DONE;
}

enum put_there sink_file_check(struct sink_batch *b, unsigned i, char words[256])
{
    const struct sink_file *f = &b->files[i];
    char path[4096 + 100];
    bool readable, equal;

    words[0] = '\0';
    snprintf(path, sizeof path, "%s/%s", b->target, f->name);
    equal = aside_is_equal(path, &f->part, &readable);
    return equal ? THERE_EQUAL : readable ? THERE_OTHER : THERE_NOT;
}
