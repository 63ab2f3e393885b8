/* file.c - file drop whose files stay (class F2): exclusive creation makes a repetition harmless.
 *
 * Written aside on the same file system, flushed, linked under the final name, directory flushed.
 * A name that exists already: equal content means delivered (by a dead uploader), other content
 * means that a person must look. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "sink.h"

static enum delivery fail(char words[256], const char *what, const char *where)
{
    snprintf(words, 256, "%s %.120s: %s. Put that right on this desk: it is tried again by itself",
             what, where, strerror(errno));
    return DELIVERY_RETRY;
}

/* What this desk was writing when it was killed: nobody else will take it away, and it is plain
 * text. The writer's name begins with the desk. */
static void clean_own(const struct sink_batch *b)
{
    size_t own = strcspn(b->writer, "-");
    const struct dirent *e;
    DIR *d = opendir(b->target);

    while (d && (e = readdir(d)) != NULL) {
        const char *writer = strrchr(e->d_name, '.');
        char path[4096 + 300];
        if (e->d_name[0] != '.' || !writer || strncmp(writer + 1, b->writer, own) != 0 ||
            writer[1 + own] != '-')
            continue;
        snprintf(path, sizeof path, "%s/%s", b->target, e->d_name);
        unlink(path);
    }
    if (d)
        closedir(d);
}

static bool copy(int from, int to)
{
    char chunk[65536];
    ssize_t n;

    while ((n = read(from, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        for (ssize_t done = 0; done < n;) {
            ssize_t k = write(to, chunk + done, (size_t)(n - done));
            if (k < 0 && errno != EINTR)
                return false;
            done += k > 0 ? k : 0;
        }
    }
    return true;
}

static bool is_equal(const char *path, const struct slot_part *part, bool *readable)
{
    crypto_hash_sha256_state st;
    uint8_t chunk[65536], sha[32];
    uint64_t bytes = 0;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *readable = fd >= 0;
    if (fd < 0)
        return false;
    crypto_hash_sha256_init(&st);
    while ((n = read(fd, chunk, sizeof chunk)) > 0) {
        crypto_hash_sha256_update(&st, chunk, (size_t)n);
        bytes += (uint64_t)n;
    }
    crypto_hash_sha256_final(&st, sha);
    close(fd);
    *readable = n == 0;
    return n == 0 && bytes == part->bytes && memcmp(sha, part->sha256, sizeof sha) == 0;
}

/* link() refuses to overwrite everywhere it exists. Where it does not (some shares), exclusive
 * creation of the final name is the next best: a cut then leaves a short file, which the next look
 * finds unequal and a person is asked. */
static int publish(const char *aside, const char *final)
{
    int from, to, ok;

    if (link(aside, final) == 0)
        return 0;
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
        return -1;
    if ((to = open(final, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
        return -1;
    from = open(aside, O_RDONLY | O_CLOEXEC);
    ok = from >= 0 && copy(from, to) && fsync(to) == 0;
    if (from >= 0)
        close(from);
    close(to);
    return ok ? 0 : -1;
}

static int flush_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

    if (fd < 0)
        return -1;
    rc = fsync(fd);
    close(fd);
    return rc;
}

static enum delivery drop_one(const struct sink_batch *b, const struct sink_file *f,
                              char words[256])
{
    char final[4096], aside[4096 + 64];
    int from, to;
    bool ok, readable;

    snprintf(final, sizeof final, "%s/%s", b->target, f->name);
    snprintf(aside, sizeof aside, "%s/.%s.%s", b->target, f->name, b->writer);
    if (access(final, F_OK) == 0)
        goto compare;
    if ((from = open(f->path, O_RDONLY | O_CLOEXEC)) < 0)
        return fail(words, "cannot read", f->path);
    unlink(aside);
    if ((to = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0) {
        close(from);
        return fail(words, "cannot write to", b->target);
    }
    ok = copy(from, to) && fsync(to) == 0;
    close(from);
    if (close(to) != 0 || !ok) {
        enum delivery d = fail(words, "cannot write to", b->target);
        unlink(aside);
        return d;
    }
    if (publish(aside, final) != 0 && errno != EEXIST) {
        enum delivery d = fail(words, "cannot name the file in", b->target);
        unlink(aside);
        return d;
    }
    unlink(aside);
compare:
    if (is_equal(final, &f->part, &readable)) /* flushed too if it was another who wrote it */
        return flush_dir(b->target) == 0 ? DELIVERY_DONE : fail(words, "cannot flush", b->target);
    if (!readable)
        return fail(words, "cannot read back", final);
    snprintf(words, 256,
             "%.120s is there with other content: nothing was overwritten. Compare it, "
             "move it away, then run the upload again",
             f->name);
    return DELIVERY_STOP;
}

enum delivery sink_file_deliver(const struct sink_batch *b, char words[256])
{
    clean_own(b);
    for (unsigned i = 0; i < b->n_files; i++) {
        enum delivery d = drop_one(b, &b->files[i], words);
        if (d != DELIVERY_DONE)
            return d;
    }
    words[0] = '\0';
    for (unsigned i = 0; i < b->n_files; i++) {
        size_t n = strlen(words);
        snprintf(words + n, 256 - n, "%s%s", i ? " " : "", b->files[i].name);
    }
    return DELIVERY_DONE;
}
