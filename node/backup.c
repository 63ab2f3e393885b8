/* backup.c - this desk's keys and its place in the branch, sealed for a drawer. */
#include "backup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "keys.h"
#include "node_int.h"

#define MADE_FILE "backup.made" /* when the last one was, Unix ms as text */

int64_t backup_made(const char *dir)
{
    struct buf b = { 0 };
    int64_t at = 0;

    if (small_file_read(dir, MADE_FILE, 20, &b, NULL) == ERR_OK)
        buf_add(&b, "", 1);
    if (b.len > 0 && !b.failed)
        at = strtoll((const char *)b.p, NULL, 10);
    buf_free(&b);
    return at > 0 ? at : 0;
}

static void note_made(struct node *n)
{
    struct errmsg msg = { .text = "" };
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)node_now().wall_ms);

    if (small_file_write(n->dir, MADE_FILE, text, (size_t)len, 0600, &msg) != ERR_OK)
        node_log(n, 1, "when the backup was made cannot be kept: %s", msg.text);
}

struct backup_job {
    struct job job; /* first */
    struct http_request *rq;
    char passphrase[256];
    struct buf plain, sealed;
    enum err err;
    struct errmsg msg;
};

static void backup_run(struct job *j)
{
    struct backup_job *b = (struct backup_job *)j;
    uint8_t random[KEYBOX_RANDOM];

    randombytes_buf(random, sizeof random);
    buf_text(&b->sealed, BACKUP_HEAD);
    b->err = passbox_seal(BACKUP_DOMAIN, b->plain.p, b->plain.len, b->passphrase, random,
                          &b->sealed, &b->msg);
    sodium_memzero(b->passphrase, sizeof b->passphrase);
    buf_wipe(&b->plain);
}

static void backup_done(struct job *j)
{
    struct backup_job *b = (struct backup_job *)j;
    struct node *n = j->node;
    char *hex = b->err == ERR_OK ? malloc(2 * b->sealed.len + 1) : NULL;

    n->unlocking = false;
    if (hex) {
        note_made(n);
        hex_encode(b->sealed.p, b->sealed.len, hex);
        api_json(
            b->rq, 200,
            json_pack("{s:i, s:s, s:b}", "schema", 1, "backup", hex, "lead_key", b->job.total > 0));
    } else {
        api_error(n, b->rq, b->err != ERR_OK ? b->err : ERR_NOMEM, &b->msg);
    }
    free(hex);
    buf_free(&b->sealed);
    free(b);
}

static void gather(struct node *n, struct backup_job *j)
{
    struct core_view v;
    struct moment now = node_now();
    struct backup b = { .roster = (struct roster *)(uintptr_t)core_roster(n->core) }; /* lent */
    size_t len;
    const uint8_t *sealed = core_lead_key_sealed(n->core, &len);

    core_view(n->core, &now, &v);
    b.start = v.start;
    core_addresses(n->core, &b.addresses);
    buf_add(&b.lead_key, sealed, len);
    j->job.total = len;
    j->err = small_file_read(n->dir, "tideover.conf", 65536, &b.conf, &j->msg);
    backup_encode(&n->me, &b, &j->plain);
    if (j->err == ERR_OK && j->plain.failed)
        j->err = err_set(&j->msg, ERR_NOMEM, "out of memory");
    b.roster = NULL;
    backup_free(&b);
}

void backup_start(struct node *n, struct http_request *rq, json_t *body)
{
    const char *pass = json_string_value(json_object_get(body, "new"));
    struct backup_job *b = calloc(1, sizeof *b);
    struct errmsg msg = { .text = "" };
    enum err e = ERR_OK;

    if (!b)
        e = ERR_NOMEM;
    else if (!pass || strlen(pass) < 12 || strlen(pass) >= sizeof b->passphrase)
        e = err_why(&msg, ERR_INVALID, "weak_passphrase", "new",
                    "a backup's passphrase has at least 12 characters");
    else if (n->unlocking)
        e = err_why(&msg, ERR_BUSY, "unlocking", "",
                    "another request works with a passphrase: try again in a second");
    if (e == ERR_OK) {
        strcpy(b->passphrase, pass);
        gather(n, b);
        e = b->err;
        msg = b->msg;
    }
    if (pass)
        sodium_memzero((void *)(uintptr_t)pass, strlen(pass));
    if (rq->body)
        sodium_memzero(rq->body, rq->body_len);
    json_decref(body);
    if (e == ERR_OK) {
        b->rq = rq;
        b->job.run = backup_run;
        b->job.done = backup_done;
        n->unlocking = true;
        node_start_job(n, &b->job);
        return;
    }
    api_error(n, rq, e, &msg);
    if (b)
        buf_wipe(&b->plain);
    free(b);
}
