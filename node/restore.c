/* restore.c - a new PC becomes the desk of a backup.
 *
 * The desk keeps its identity and starts anew: new store key, new feed, its records from the
 * others. What it voted for and held is not in the backup, so it counts as one that lost its
 * memory, and its starts are numbered by the clock, above all that the old PC can have had: that
 * one, if it still runs, hears of a later start and gives its vote up too. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "backup.h"
#include "conf.h"
#include "keys.h"
#include "setup.h"
#include "setup_int.h"

static enum err open_backup(const struct setup_restore *in, struct backup *b, struct errmsg *msg)
{
    size_t head = strlen(BACKUP_HEAD);
    struct buf plain = { 0 };
    enum err e;

    if (in->backup_len < head || memcmp(in->backup, BACKUP_HEAD, head) != 0)
        return err_set(msg, ERR_INVALID, "this is no backup of a desk");
    e = passbox_open(BACKUP_DOMAIN, in->backup + head, in->backup_len - head, in->passphrase,
                     &plain, msg);
    if (e == ERR_DENIED)
        err_why(msg, e, "wrong_passphrase", "passphrase",
                "that is not this backup's passphrase, or the file was changed");
    if (e == ERR_OK)
        e = backup_decode(plain.p, plain.len, b, msg);
    buf_wipe(&plain);
    return e;
}

static uint64_t next_start(const struct backup *b)
{
    time_t now = time(NULL);
    uint64_t by_clock = now > 0 ? (uint64_t)now : 0;

    return by_clock > b->start ? by_clock : b->start + 1000000;
}

static enum err write_files(const struct site *s, const struct setup_restore *in,
                            const struct backup *b, const uint8_t seed[3 * SEED_BYTES],
                            const struct ident *me, struct errmsg *msg)
{
    const struct desk *d = roster_find(b->roster, &me->id);
    bool others = roster_active(b->roster) > 1;
    enum err e = keys_write_desk(s->dir, seed, msg);

    if (e == ERR_OK && b->lead_key.len > 0)
        e = keys_write_lead(s->dir, b->lead_key.p, b->lead_key.len, msg);
    if (e == ERR_OK)
        e = in->listen || in->web
                ? setup_write_conf(s, d->name, in->listen, in->web, msg)
                : small_file_write(s->dir, "tideover.conf", b->conf.p, b->conf.len, 0600, msg);
    return e == ERR_OK
               ? setup_write_store(s, me, b->roster, &b->addresses, next_start(b), others, msg)
               : e;
}

enum err setup_restore(const struct setup_restore *in, char *branch, char *desk, char *words,
                       struct errmsg *msg)
{
    struct site s = { .dir = "" };
    struct backup b = { .start = 0 };
    uint8_t seed[3 * SEED_BYTES];
    struct ident me;
    enum err e = setup_check_addresses(in->listen, in->web, msg);

    randombytes_buf(seed, sizeof seed); /* its last third: the store of this disk has its own key */
    if (e == ERR_OK && (e = open_backup(in, &b, msg)) == ERR_OK) {
        memcpy(seed, b.sign_seed, SEED_BYTES);
        memcpy(seed + SEED_BYTES, b.curve_sk, KEY_BYTES);
        ident_from_seed(seed, &me);
        snprintf(branch, 16, "%s", roster_code(b.roster));
        snprintf(desk, DESK_NAME_MAX + 1, "%s", roster_find(b.roster, &me.id)->name);
        key_words(roster_root(b.roster), words);
        if ((e = site_begin(&s, in->state_dir, msg)) == ERR_OK &&
            (e = write_files(&s, in, &b, seed, &me, msg)) == ERR_OK)
            e = site_commit(&s, msg);
        ident_wipe(&me);
    }
    if (e != ERR_OK)
        site_abort(&s);
    sodium_memzero(seed, sizeof seed);
    backup_free(&b);
    return e;
}
