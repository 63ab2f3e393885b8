/* aside.c - what every sink of files needs: written under a name that nobody reads, on the same
 * file system, flushed, compared. */
#include "aside_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

void sink_say_names(const struct sink_batch *b, char words[256])
{
    size_t n = 0, room = 256 - sizeof " and 999 more";

    words[0] = '\0';
    for (unsigned i = 0; i < b->n_files; i++) {
        size_t len = strlen(b->files[i].name) + (i > 0);

        if (n + len >= room) {
            snprintf(words + n, 256 - n, " and %u more", b->n_files - i);
            return;
        }
        snprintf(words + n, 256 - n, "%s%s", i ? " " : "", b->files[i].name);
        n += len;
    }
}

enum delivery aside_fail(char words[256], const char *what, const char *where)
{
    snprintf(words, 256, "%s %.120s: %s. Put that right on this desk: it is tried again by itself",
             what, where, strerror(errno));
    return DELIVERY_RETRY;
}

/* What this desk was writing when it was killed: nobody else will take it away, and it is plain
 * text. The writer's name begins with the desk. */
void aside_clean_own(const struct sink_batch *b)
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

bool aside_copy(int from, int to)
{
    char chunk[65536];
    ssize_t n;

    for (off_t at = 0; (n = pread(from, chunk, sizeof chunk, at)) != 0; at += n > 0 ? n : 0) {
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

bool aside_is_equal(const char *path, const struct slot_part *part, bool *readable)
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

int aside_flush_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

    if (fd < 0)
        return -1;
    rc = fsync(fd);
    close(fd);
    return rc;
}

enum delivery aside_write(const struct sink_batch *b, const struct sink_file *f,
                          char aside[ASIDE_PATH], char words[256])
{
    bool ok;
    int to;

    snprintf(aside, ASIDE_PATH, "%s/.%s.%s", b->target, f->name, b->writer);
    unlink(aside);
    if ((to = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
        return aside_fail(words, "cannot write to", b->target);
    ok = aside_copy(f->fd, to) && fsync(to) == 0;
    if (close(to) != 0 || !ok) {
        enum delivery d = aside_fail(words, "cannot write to", b->target);
        unlink(aside);
        return d;
    }
    return DELIVERY_DONE;
}

enum delivery aside_unequal(const struct sink_file *f, char words[256])
{
    snprintf(words, 256,
             "%.120s is there with other content: nothing was overwritten. Compare it, "
             "move it away, then run the upload again",
             f->name);
    return DELIVERY_STOP;
}
