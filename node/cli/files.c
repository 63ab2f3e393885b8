/* files.c - whole small files; policies with their zone filled in. */
#include "cli_int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "policy.h"
#include "zonefile.h"

enum err file_read(const char *path, size_t max, struct buf *out, struct errmsg *msg)
{
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    enum err e = ERR_OK;

    if (fd < 0)
        return err_set(msg, errno == ENOENT || errno == ENOTDIR ? ERR_NOFILE : ERR_DENIED,
                       "cannot read %s: %s", path, strerror(errno));
    do {
        uint8_t *at = buf_grow(out, 4096);

        if (at == NULL) {
            e = err_set(msg, ERR_NOMEM, "out of memory");
            break;
        }
        n = read(fd, at, 4096);
        out->len -= 4096 - (size_t)(n > 0 ? n : 0);
    } while (n > 0 && out->len <= max);
    if (e == ERR_OK && n < 0)
        e = err_set(msg, ERR_NOFILE, "cannot read %s: %s", path, strerror(errno));
    else if (e == ERR_OK && out->len > max)
        e = err_set(msg, ERR_INVALID, "%s is longer than %zu bytes", path, max);
    close(fd);
    return e;
}

int policy_load(const struct cli *c, const char *path, struct buf *out)
{
    struct buf text = { 0 };
    struct errmsg msg = { .text = "" }, line;
    struct policy policy;
    enum err e = file_read(path, POLICY_TEXT_MAX, &text, &msg);

    if (e == ERR_OK && text.len > 0 && memchr(text.p, 0, text.len) != NULL)
        e = err_set(&msg, ERR_CONFIG, "%s is not a text file", path);
    if (e == ERR_OK)
        e = zonefile_complete(ZONEFILE_DIR, (const char *)text.p, text.len, out, &msg);
    if (e == ERR_OK) {
        e = policy_parse((const char *)out->p, out->len, &policy, &line);
        if (e != ERR_OK)
            err_set(&msg, e, "%s: %s", path, line.text);
    }
    buf_free(&text);
    return e == ERR_OK ? 0 : cli_err(c, e, &msg);
}
