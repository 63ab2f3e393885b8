/* backup.c - `tideover backup` (also: `key backup`), `restore`, `key show`. */
#include "client.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup.h"
#include "setup.h"

static int write_hex(const struct cli *c, const struct target *t, const char *hex)
{
    size_t n = strlen(hex) / 2, done = 0;
    uint8_t *bytes = malloc(n ? n : 1);
    bool good = bytes != NULL && hex_decode(hex, bytes, n);

    while (good && done < n) {
        ssize_t k = write(t->fd, bytes + done, n - done);
        good = k > 0 || (k < 0 && errno == EINTR);
        done += k > 0 ? (size_t)k : 0;
    }
    free(bytes);
    return good ? 0
                : cli_fail(c, err_exit(ERR_DISK), "disk", "cannot write %s: %s", t->path,
                           strerror(errno));
}

int cmd_backup(struct cli *c)
{
    struct target t = { .path = c->argv[0], .fd = -1 };
    struct new_passphrase p = { .path = NULL };
    struct client *cl = NULL;
    json_t *answer = NULL;
    int rc;

    if (strcmp(t.path, "-") == 0)
        return cli_usage(c, "a backup goes to a file");
    rc = cli_connect(c, &cl); /* no node, no question */
    client_close(cl);
    if (rc == 0 && (rc = target_open(c, &t)) == 0 &&
        (rc = passphrase_new(c, c->value[OPT_BACKUP_PASSPHRASE], &p)) == 0) {
        struct secret v[] = { { "new", p.words } };
        rc = cli_call_with(c, "/api/v1/backup", json_object(), v, 1, &answer);
    }
    if (rc == 0 && (rc = write_hex(c, &t, j_text(answer, "backup", ""))) == 0)
        rc = target_keep(c, &t);
    if (rc == 0 && c->json) {
        json_t *o = json_pack("{s:i, s:s, s:b}", "schema", 1, "file", t.path, "lead_key",
                              j_is(answer, "lead_key"));
        cli_json(o);
        json_decref(o);
    } else if (rc == 0) {
        printf(
            "%s holds this desk's keys and its place in the branch%s; no records. Keep it and its "
            "passphrase apart from each other, and from this PC.\n",
            t.path, j_is(answer, "lead_key") ? ", and the sealed lead key" : "");
    }
    passphrase_new_end(c, &p, rc == 0 ? 0 : err_exit(ERR_REFUSED));
    target_close(&t);
    json_decref(answer);
    return rc;
}

int cmd_key_show(struct cli *c)
{
    struct client *cl = NULL;
    json_t *k = NULL;
    char at[32];
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/key", NULL, NULL, &k);
    if (rc == 0 && c->json) {
        cli_json(k);
    } else if (rc == 0) {
        words_time(json_object_get(k, "backup"), true, at);
        printf("Branch     %s, branch key %s\n", j_text(k, "branch", "-"),
               j_text(k, "branch_key", "-"));
        printf("This desk  %s, %s, desk key %s\n", j_text(k, "desk", "-"), j_text(k, "id", "-"),
               j_text(k, "desk_key", "-"));
        printf("Lead key   %s\n", j_text(k, "message", "here, sealed by the lead's passphrase"));
        printf("Root key   %s\n",
               j_is(k, "root_key") ? "its backup file lies on this PC: put it away, on two sticks"
                                   : "not on this PC, as it should be");
        if (j_text(k, "backup", NULL) != NULL)
            printf("Backup     last made %s\n", at);
        else
            printf("Backup     never made here: tideover key backup FILE\n");
    }
    json_decref(k);
    client_close(cl);
    return rc;
}

int cmd_restore(struct cli *c)
{
    char branch[16] = "", desk[DESK_NAME_MAX + 1] = "", words[SETUP_WORDS] = "";
    char passphrase[SETUP_WORDS] = "";
    struct errmsg msg = { .text = "" };
    struct buf file = { 0 };
    struct setup_restore in = { .state_dir = c->state,
                                .listen = c->value[OPT_LISTEN],
                                .web = c->value[OPT_WEB],
                                .passphrase = passphrase };
    enum err e = file_read(c->argv[0], BACKUP_BYTES_MAX, &file, &msg);
    int rc = e == ERR_OK ? passphrase_ask(c, c->value[OPT_BACKUP_PASSPHRASE],
                                          "The backup's passphrase", passphrase)
                         : cli_err(c, e, &msg);

    if (rc == 0) {
        in.backup = file.p;
        in.backup_len = file.len;
        e = setup_restore(&in, branch, desk, words, &msg);
        rc = e == ERR_OK ? 0 : cli_err(c, e, &msg);
    }
    if (rc == 0) {
        printf("This PC is desk %s of branch %s now, in %s\n", desk, branch, c->state);
        printf("Branch key   %s\n", words);
        printf(
            "             Its records come back from the other desks. It has no vote in an upload "
            "until a lead gives it back, and the old PC must not run any more.\n");
        say_next_start(c);
    }
    sodium_memzero(passphrase, sizeof passphrase);
    buf_free(&file);
    return rc;
}
