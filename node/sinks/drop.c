/* drop.c - file drop whose files a loader takes away (class F0 with a look).
 *
 * Gone may mean loaded, so a name is given once. Before the call, a majority of seats has "about to
 * link" on disk; here the file is written aside, flushed, and linked only if the name is free. A
 * loader may have taken it before we return, so nothing is read back after the link. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aside_int.h"

static void final_name(const struct sink_batch *b, const struct sink_file *f, char out[4096])
{
    snprintf(out, 4096, "%s/%s", b->target, f->name);
}

/* What stands under the name already. */
static enum delivery compare(const struct sink_batch *b, const struct sink_file *f,
                             const char *final, char words[256])
{
    bool readable;

    if (aside_is_equal(final, &f->part, &readable)) {
        if (aside_flush_dir(b->target) != 0)
            return aside_fail(words, "cannot flush", b->target);
        snprintf(words, 256, "%s", f->name);
        return DELIVERY_DONE;
    }
    return readable ? aside_unequal(f, words) : aside_fail(words, "cannot read", final);
}

/* Errors that say that nothing was done. After any other (EIO, ETIMEDOUT, EHOSTDOWN..) a server may
 * have done it and its answer got lost. */
static bool is_refusal(int why)
{
    static const int sure[] = { EACCES, EPERM,  EROFS, ENOSPC,     EDQUOT, ENOTDIR, ENAMETOOLONG,
                                EXDEV,  EMLINK, ELOOP, EOPNOTSUPP, ENOSYS, EINVAL,  ENOMEM };

    for (unsigned i = 0; i < sizeof sure / sizeof sure[0]; i++)
        if (why == sure[i])
            return true;
    return false;
}

static enum delivery in_doubt(const struct sink_file *f, char words[256])
{
    snprintf(words, 256, "%s", f->name);
    return DELIVERY_DOUBT;
}

/* The name holds the hash of the content, or is the loader's one name: what stood under it and
 * cannot be read may be ours, and is never "nothing left". */
static enum delivery compare_own(const struct sink_batch *b, const struct sink_file *f,
                                 const char *final, char words[256])
{
    enum delivery d = compare(b, f, final, words);

    return d == DELIVERY_RETRY ? in_doubt(f, words) : d;
}

/* For file systems without link(). A rename that was done and whose answer was lost shows in the
 * name that is gone. */
static enum delivery rename_once(const struct sink_batch *b, const struct sink_file *f,
                                 const char *aside, const char *final, char words[256])
{
    int why;

    if (renameat2(AT_FDCWD, aside, AT_FDCWD, final, RENAME_NOREPLACE) == 0)
        return DELIVERY_DONE;
    why = errno;
    if (why == EEXIST && access(final, F_OK) == 0)
        return compare_own(b, f, final, words);
    if (!is_refusal(why) || access(aside, F_OK) != 0)
        return in_doubt(f, words);
    errno = why;
    return aside_fail(words, "cannot name the file in", b->target);
}

/* A file system over a network may lose the answer to a link that it did: the count of links tells.
 */
static enum delivery link_once(const struct sink_batch *b, const struct sink_file *f,
                               const char *aside, const char *final, char words[256])
{
    struct stat st;
    int why;

    if (link(aside, final) == 0)
        return DELIVERY_DONE;
    why = errno;
    if (stat(aside, &st) == 0 && st.st_nlink == 2)
        return DELIVERY_DONE;
    if (why == EEXIST && access(final, F_OK) == 0)
        return compare_own(b, f, final, words);
    if (!is_refusal(why))
        return in_doubt(f, words);
    if (why == EPERM || why == EOPNOTSUPP || why == ENOSYS || why == EMLINK)
        return rename_once(b, f, aside, final, words);
    errno = why;
    return aside_fail(words, "cannot name the file in", b->target);
}

static enum delivery drop_one(const struct sink_batch *b, const struct sink_file *f,
                              char words[256])
{
    char final[4096], aside[ASIDE_PATH];
    enum delivery d;

    final_name(b, f, final);
    if (access(final, F_OK) == 0)
        return compare_own(b, f, final, words);
    if ((d = aside_write(b, f, aside, words)) != DELIVERY_DONE)
        return d;
    d = b->may_send(b->ctx) ? link_once(b, f, aside, final, words) : sink_too_late(words);
    unlink(aside);
    if (d != DELIVERY_DONE)
        return d;
    snprintf(words, 256, "%s", f->name);
    /* Linked, but perhaps not for ever: a power cut may take the name back. */
    return aside_flush_dir(b->target) == 0 ? DELIVERY_DONE : DELIVERY_DOUBT;
}

enum delivery sink_drop_deliver(struct sink_batch *b, char words[256])
{
    enum delivery d = DELIVERY_DONE;

    aside_clean_own(b);
    words[0] = '\0';
    for (unsigned i = 0; i < b->n_files && d == DELIVERY_DONE; i++)
        d = drop_one(b, &b->files[i], words);
    return d;
}

/* Under the loader's own name another file proves nothing: ours may have been taken, and this one
 * have come after it. */
static bool is_loaders_name(const struct sink_batch *b, const struct sink_file *f)
{
    return b->policy && strcmp(f->name, b->policy->symphony.file_name) == 0;
}

enum delivery sink_drop_look(struct sink_batch *b, char words[256])
{
    enum delivery d = DELIVERY_DONE;

    aside_clean_own(b);
    words[0] = '\0';
    for (unsigned i = 0; i < b->n_files && d == DELIVERY_DONE; i++) {
        char final[4096];
        final_name(b, &b->files[i], final);
        if (access(final, F_OK) == 0) {
            d = compare(b, &b->files[i], final, words);
            if (d == DELIVERY_STOP && is_loaders_name(b, &b->files[i])) {
                snprintf(words, 256, "%s", b->files[i].name);
                d = DELIVERY_UNPROVEN;
            }
        } else if (errno == ENOENT && access(b->target, F_OK) == 0) {
            snprintf(words, 256, "%s", b->files[i].name);
            d = DELIVERY_UNPROVEN; /* taken away, or never there */
        } else {
            d = aside_fail(words, "cannot look into", b->target);
        }
    }
    return d;
}
