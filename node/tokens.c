/* tokens.c - run/: where the node that runs is found, and the tokens by which it is asked.
 *
 * run/ lies in the state directory, which is the node's user's alone. Staff have another account:
 * where the service manager gives a runtime directory (/run/tideover), the desk token lies there,
 * too, readable by the service's group, and never the ctl token. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "keys.h"
#include "node_int.h"

static const char *staff_dir(void)
{
    const char *dir = getenv("RUNTIME_DIRECTORY"); /* systemd.exec(5) */

    return dir != NULL && dir[0] == '/' && strlen(dir) < 200 ? dir : NULL;
}

static enum err write_token(const char *dir, const char *name, unsigned mode,
                            const uint8_t token[HTTP_TOKEN_BYTES], struct errmsg *msg)
{
    char hex[2 * HTTP_TOKEN_BYTES + 1];
    enum err e;

    hex_encode(token, HTTP_TOKEN_BYTES, hex);
    e = small_file_write(dir, name, hex, strlen(hex), mode, msg);
    sodium_memzero(hex, sizeof hex);
    return e;
}

/* Last the address: who finds it finds the token. */
static enum err write_for_staff(const struct node *n, const char *dir, const struct http_config *hc,
                                struct errmsg *msg)
{
    enum err e = write_token(dir, "desk.token", 0640, hc->desk_token, msg);

    if (e == ERR_OK)
        e = small_file_write(dir, "web", n->conf.web, strlen(n->conf.web), 0644, msg);
    return e;
}

enum err tokens_make(struct node *n, struct http_config *hc, struct errmsg *msg)
{
    const char *staff = staff_dir();
    char run[4096];
    enum err e;

    snprintf(run, sizeof run, "%s/run", n->dir);
    if (mkdir(run, 0755) != 0 && errno != EEXIST)
        return err_set(msg, ERR_DISK, "cannot make %s: %s", run, strerror(errno));
    randombytes_buf(hc->ctl_token, sizeof hc->ctl_token);
    randombytes_buf(hc->desk_token, sizeof hc->desk_token);
    if ((e = write_token(run, "ctl.token", 0600, hc->ctl_token, msg)) == ERR_OK &&
        (e = write_for_staff(n, run, hc, msg)) == ERR_OK && staff != NULL)
        e = write_for_staff(n, staff, hc, msg);
    return e;
}

void tokens_remove(const struct node *n)
{
    static const char *const names[] = { "web", "ctl.token", "desk.token", "sessions" };
    const char *staff = staff_dir();
    char path[4096 + 32];

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/run/%s", n->dir, names[i]);
        unlink(path);
        if (staff != NULL) {
            snprintf(path, sizeof path, "%s/%s", staff, names[i]);
            unlink(path);
        }
    }
}
