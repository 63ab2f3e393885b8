/* setup.c - founding a branch and joining one. */
#include "setup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>
#include <zmq.h>

#include "conf.h"
#include "core.h"
#include "join.h"
#include "keys.h"
#include "policy.h"
#include "roster.h"
#include "setup_int.h"
#include "spare.h"
#include "store.h"
#include "wire.h"
#include "cli/zonefile.h"

#define DEFAULT_LISTEN "0.0.0.0:7411"
#define DEFAULT_WEB    "127.0.0.1:7412"

static int64_t wall_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the directory, made aside ---- */

static enum err make_parents(const char *path, struct errmsg *msg)
{
    char part[PATH_MAX];

    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            if (mkdir(part, 0700) != 0 && errno != EEXIST)
                return err_set(msg, ERR_DISK, "cannot make %s: %s", part, strerror(errno));
            *p = '/';
        }
    return ERR_OK;
}

/* The package makes the directory for a user of its own: what root puts there is that user's. */
static void note_owner(struct site *s)
{
    struct stat st;

    s->owner = 0;
    s->group = 0;
    if (geteuid() == 0 && lstat(s->final, &st) == 0 && S_ISDIR(st.st_mode)) {
        s->owner = st.st_uid;
        s->group = st.st_gid;
    }
}

/* One level of directories is all that a new state directory has. */
static bool give_all(const char *dir, uid_t owner, gid_t group, unsigned depth)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    bool good = d != NULL && lchown(dir, owner, group) == 0;
    char path[2 * PATH_MAX];
    struct stat st;

    while (good && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        good = lstat(path, &st) == 0;
        if (good && S_ISDIR(st.st_mode) && depth > 0)
            good = give_all(path, owner, group, depth - 1);
        else
            good = good && lchown(path, owner, group) == 0;
    }
    if (d)
        closedir(d);
    return good;
}

static bool is_absent_or_empty(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *e;
    bool empty = true;

    if (!d)
        return errno == ENOENT;
    while (empty && (e = readdir(d)) != NULL)
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    closedir(d);
    return empty;
}

enum err site_begin(struct site *s, const char *state_dir, struct errmsg *msg)
{
    size_t n;
    enum err e;

    if ((size_t)snprintf(s->final, sizeof s->final, "%s", state_dir) >= sizeof s->final - 32)
        return err_set(msg, ERR_INVALID, "the path of the state directory is too long");
    for (n = strlen(s->final); n > 1 && s->final[n - 1] == '/'; n--)
        s->final[n - 1] = '\0';
    if (!is_absent_or_empty(s->final)) /* an empty one is replaced at the end */
        return err_why(msg, ERR_EXISTS, "state_exists", "",
                       "%s is not empty: a desk lives there already, or it is not a state "
                       "directory; choose another with --state",
                       s->final);
    note_owner(s);
    if ((e = make_parents(s->final, msg)) != ERR_OK)
        return e;
    snprintf(s->dir, sizeof s->dir, "%s.new-XXXXXX", s->final);
    if (!mkdtemp(s->dir)) {
        s->dir[0] = '\0';
        return err_set(msg, errno == EACCES ? ERR_DENIED : ERR_DISK, "cannot make %s: %s", s->final,
                       strerror(errno));
    }
    return ERR_OK;
}

static void remove_file(const char *dir, const char *name)
{
    char path[PATH_MAX + 64];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (unlink(path) != 0)
        rmdir(path);
}

/* Only what site_begin and its callers made: names, never a recursive delete. */
void site_abort(struct site *s)
{
    static const char *const names[] = {
        "tideover.conf",  "desk.key",      "lead.key", "root-key-backup", "store/data.mdb",
        "store/lock.mdb", "store/journal", "store",    "periods",         "lock"
    };

    if (s->dir[0] == '\0')
        return;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        remove_file(s->dir, names[i]);
    rmdir(s->dir);
}

enum err site_commit(struct site *s, struct errmsg *msg)
{
    char parent[PATH_MAX], *slash;
    int fd;

    if (s->owner != 0 && !give_all(s->dir, s->owner, s->group, 1))
        return err_set(msg, ERR_DISK, "cannot give %s to its user: %s", s->final, strerror(errno));
    if (rename(s->dir, s->final) != 0)
        return err_set(msg, errno == ENOTEMPTY || errno == EEXIST ? ERR_EXISTS : ERR_DISK,
                       "cannot make %s: %s", s->final, strerror(errno));
    snprintf(parent, sizeof parent, "%s", s->final);
    slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    if ((fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0) {
        fsync(fd);
        close(fd);
    }
    return ERR_OK;
}

enum err setup_write_conf(const struct site *s, const char *name, const char *listen,
                          const char *web, struct errmsg *msg)
{
    struct buf b = { 0 };
    enum err e;

    conf_default_text(name, listen ? listen : DEFAULT_LISTEN, web ? web : DEFAULT_WEB, &b);
    e = small_file_write(s->dir, "tideover.conf", b.p, b.len, 0600, msg);
    buf_free(&b);
    return e;
}

static enum err put_start(const struct disk *d, uint64_t start, bool lost)
{
    uint8_t random[MARK_BYTES];
    struct buf b = { 0 };
    enum err e;

    randombytes_buf(random, sizeof random);
    mp_put_array(&b, 2);
    mp_put_u64(&b, start);
    mp_put_bin(&b, random, sizeof random);
    e = d->put(d->ctx, TABLE_META, (const uint8_t *)"S", 1, b.p, b.len);
    if (e == ERR_OK && lost)
        e = d->put(d->ctx, TABLE_META, (const uint8_t *)"F", 1, (const uint8_t *)"", 0);
    buf_free(&b);
    return e;
}

enum err setup_write_store(const struct site *s, const struct ident *me, const struct roster *r,
                           const struct buf *addresses, uint64_t start, bool lost,
                           struct errmsg *msg)
{
    struct store *st = NULL;
    enum err e = store_open(s->dir, me->store_key, &st, msg);

    if (e != ERR_OK)
        return e;
    e = spare_put(store_disk(st), r, addresses);
    if (e == ERR_OK && start > 0)
        e = put_start(store_disk(st), start, lost);
    if (e == ERR_OK)
        e = store_commit(st, msg);
    store_close(st);
    return e;
}

/* ---- founding ---- */

#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

static bool is_made_of(const char *s, const char *set, size_t max)
{
    size_t n = strspn(s, set);

    return n > 0 && n <= max && s[n] == '\0';
}

enum err setup_check_addresses(const char *listen, const char *web, struct errmsg *msg)
{
    char host[CONF_ADDR_MAX];
    uint16_t port;

    if (listen && !addr_split(listen, host, &port))
        return err_why(msg, ERR_INVALID, "bad_address", "listen", "%s is no numeric ADDRESS:PORT",
                       listen);
    if (web && (!addr_split(web, host, &port) ||
                (strncmp(host, "127.", 4) != 0 && strcmp(host, "::1") != 0)))
        return err_why(msg, ERR_INVALID, "bad_address", "web",
                       "%s is no address of this PC alone: give 127.0.0.1:PORT", web);
    return ERR_OK;
}

static enum err check_init(const struct setup_init *in, struct errmsg *msg)
{
    if (!in->branch || !is_made_of(in->branch, UPPER, 15))
        return err_why(msg, ERR_INVALID, "bad_branch", "branch",
                       "a branch code has 1 to 15 capital letters, digits, - or _");
    if (!in->desk || !desk_name_ok(in->desk))
        return err_why(msg, ERR_INVALID, "bad_desk", "desk",
                       "a desk name has 1 to %d letters, digits, - or _", DESK_NAME_MAX);
    if (in->passphrase && strlen(in->passphrase) < 12)
        return err_why(msg, ERR_INVALID, "weak_passphrase", "passphrase",
                       "a lead passphrase has at least 12 characters; leave it out and six words "
                       "are made for you");
    return setup_check_addresses(in->listen, in->web, msg);
}

/* This PC's own zone; UTC if it cannot be told. */
static void local_zone(char name[64], char rule[ZONE_RULE_MAX + 1])
{
    char target[256];
    ssize_t n = readlink("/etc/localtime", target, sizeof target - 1);
    char *at;

    snprintf(name, 64, "UTC");
    snprintf(rule, ZONE_RULE_MAX + 1, "UTC0");
    if (n <= 0)
        return;
    target[n] = '\0';
    if ((at = strstr(target, "zoneinfo/")) == NULL)
        return;
    at += strlen("zoneinfo/");
    if (strlen(at) < 48 && zonefile_rule(ZONEFILE_DIR, at, rule, NULL) == ERR_OK)
        snprintf(name, 64, "%s", at);
    else
        snprintf(rule, ZONE_RULE_MAX + 1, "UTC0");
}

static enum err policy_text(const struct setup_init *in, struct buf *out, struct errmsg *msg)
{
    char zone[64], rule[ZONE_RULE_MAX + 1];
    struct policy p;
    enum err e;

    if (in->policy_text) {
        buf_text(out, in->policy_text);
    } else {
        local_zone(zone, rule);
        policy_default_text(in->branch, zone, rule, out);
    }
    if (out->failed)
        return err_set(msg, ERR_NOMEM, "out of memory");
    e = policy_parse((const char *)out->p, out->len, &p, msg);
    if (e == ERR_OK && strcmp(p.code, in->branch) != 0)
        e = err_why(msg, ERR_CONFIG, "other_branch", "policy",
                    "the policy is for branch %s, not for %s: change its code", p.code, in->branch);
    return e;
}

struct founding { /* secrets of one call */
    uint8_t root_seed[SEED_BYTES], root_pk[KEY_BYTES], root_sk[SIGN_SK_BYTES];
    uint8_t lead_seed[SEED_BYTES], lead_pk[KEY_BYTES], lead_sk[SIGN_SK_BYTES];
    uint8_t desk_seed[3 * SEED_BYTES];
    struct ident me;
};

static enum err found_roster(const struct founding *f, const struct setup_init *in,
                             const struct buf *policy, const struct buf *sealed, struct roster *r,
                             struct errmsg *msg)
{
    struct buf op = { 0 };
    uint8_t hash[HASH_BYTES];
    bool fresh;
    enum err e;

    op_found(f->root_sk, f->lead_pk, in->branch, wall_ms(), &op);
    e = roster_add(r, op.p, op.len, &fresh, msg);
    if (e == ERR_OK) {
        buf_reset(&op);
        op_add(r, &f->me, in->desk, ROLE_DESK | ROLE_LEAD | ROLE_ADMIN, true, f->lead_sk, &op);
        e = roster_add(r, op.p, op.len, &fresh, msg);
    }
    if (e == ERR_OK) {
        buf_reset(&op);
        sealed_key_hash(sealed->p, sealed->len, hash);
        op_key(r, f->lead_pk, hash, f->lead_sk, &op);
        e = roster_add(r, op.p, op.len, &fresh, msg);
    }
    if (e == ERR_OK) {
        buf_reset(&op);
        op_policy(r, (const char *)policy->p, policy->len, f->lead_sk, &op);
        e = roster_add(r, op.p, op.len, &fresh, msg);
    }
    buf_free(&op);
    return e;
}

static enum err found_files(const struct site *s, const struct founding *f,
                            const struct setup_init *in, const struct buf *sealed,
                            const struct roster *r, struct errmsg *msg)
{
    struct buf none = { 0 };
    enum err e;

    if ((e = keys_write_lead(s->dir, sealed->p, sealed->len, msg)) == ERR_OK &&
        (e = keys_write_root(s->dir, f->root_seed, msg)) == ERR_OK &&
        (e = keys_write_desk(s->dir, f->desk_seed, msg)) == ERR_OK &&
        (e = setup_write_conf(s, in->desk, in->listen, in->web, msg)) == ERR_OK)
        e = setup_write_store(s, &f->me, r, &none, 0, false, msg);
    return e;
}

enum err setup_init(const struct setup_init *in, char *words, char *passphrase_out,
                    struct errmsg *msg)
{
    struct site s = { .dir = "" };
    struct founding f;
    struct buf policy = { 0 }, sealed = { 0 };
    struct roster *r = roster_new();
    uint8_t random[8], salt[KEYBOX_RANDOM];
    enum err e = r ? check_init(in, msg) : err_set(msg, ERR_NOMEM, "out of memory");

    randombytes_buf(f.root_seed, sizeof f.root_seed);
    randombytes_buf(f.lead_seed, sizeof f.lead_seed);
    randombytes_buf(f.desk_seed, sizeof f.desk_seed);
    randombytes_buf(random, sizeof random);
    randombytes_buf(salt, sizeof salt);
    crypto_sign_seed_keypair(f.root_pk, f.root_sk, f.root_seed);
    crypto_sign_seed_keypair(f.lead_pk, f.lead_sk, f.lead_seed);
    ident_from_seed(f.desk_seed, &f.me);
    if (in->passphrase)
        snprintf(passphrase_out, SETUP_WORDS, "%s", in->passphrase);
    else
        passphrase_words(random, passphrase_out);
    key_words(f.root_pk, words);
    if (e == ERR_OK && (e = policy_text(in, &policy, msg)) == ERR_OK &&
        (e = keybox_seal(f.lead_seed, passphrase_out, salt, &sealed, msg)) == ERR_OK &&
        (e = found_roster(&f, in, &policy, &sealed, r, msg)) == ERR_OK &&
        (e = site_begin(&s, in->state_dir, msg)) == ERR_OK &&
        (e = found_files(&s, &f, in, &sealed, r, msg)) == ERR_OK)
        e = site_commit(&s, msg);
    if (e != ERR_OK)
        site_abort(&s);
    sodium_memzero(&f, sizeof f);
    buf_free(&policy);
    buf_free(&sealed);
    roster_free(r);
    return e;
}

/* ---- joining ---- */

struct knock {
    void *ctx, *sock;
};

static void knock_close(struct knock *k)
{
    if (k->sock)
        zmq_close(k->sock);
    if (k->ctx)
        zmq_ctx_term(k->ctx);
}

static enum err knock_open(struct knock *k, const struct invite_code *code, const char *at,
                           struct errmsg *msg)
{
    uint8_t door_pk[KEY_BYTES], door_sk[KEY_BYTES], pk[KEY_BYTES], sk[KEY_BYTES];
    char endpoint[CONF_ADDR_MAX + 8], host[CONF_ADDR_MAX];
    uint16_t port;
    int zero = 0;
    int64_t max = WIRE_BYTES_MAX * 4; /* a whole roster in one answer */

    if (at && !addr_split(at, host, &port))
        return err_why(msg, ERR_INVALID, "bad_address", "at", "%s is no numeric ADDRESS:PORT", at);
    if (at)
        snprintf(endpoint, sizeof endpoint, "tcp://%s", at);
    else
        snprintf(endpoint, sizeof endpoint, "tcp://%u.%u.%u.%u:%u", code->ipv4[0], code->ipv4[1],
                 code->ipv4[2], code->ipv4[3], code->port);
    invite_door_keys(code->token, door_pk, door_sk);
    sodium_memzero(door_sk, sizeof door_sk);
    crypto_box_keypair(pk, sk);
    k->ctx = zmq_ctx_new();
    k->sock = zmq_socket(k->ctx, ZMQ_DEALER);
    zmq_setsockopt(k->sock, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(k->sock, ZMQ_MAXMSGSIZE, &max, sizeof max);
    zmq_setsockopt(k->sock, ZMQ_CURVE_SERVERKEY, door_pk, KEY_BYTES);
    zmq_setsockopt(k->sock, ZMQ_CURVE_PUBLICKEY, pk, KEY_BYTES);
    zmq_setsockopt(k->sock, ZMQ_CURVE_SECRETKEY, sk, KEY_BYTES);
    sodium_memzero(sk, sizeof sk);
    if (zmq_connect(k->sock, endpoint) != 0)
        return err_set(msg, ERR_OFFLINE, "cannot reach %s: %s", endpoint + 6, zmq_strerror(errno));
    return ERR_OK;
}

static enum err ask_in(struct knock *k, const struct invite_code *code, const struct ident *me,
                       const char *listen, unsigned timeout_ms, struct roster *r,
                       struct buf *addresses, struct buf *lead_box, struct errmsg *msg)
{
    struct buf b = { 0 };
    enum err e = ERR_OFFLINE;
    int64_t until = wall_ms() + timeout_ms;
    zmq_pollitem_t item = { k->sock, 0, ZMQ_POLLIN, 0 };

    join_encode(code->token, me, listen, &b);
    zmq_send(k->sock, b.p, b.len, ZMQ_DONTWAIT);
    buf_free(&b);
    err_why(msg, ERR_OFFLINE, "no_answer", "code",
            "nobody answers for this code: it may have expired, the inviting desk may have been "
            "restarted, or the network is blocked; make a new one, or give the address with --at");
    while (wall_ms() < until && zmq_poll(&item, 1, (long)(until - wall_ms())) > 0) {
        zmq_msg_t in;
        zmq_msg_init(&in);
        if (zmq_msg_recv(&in, k->sock, ZMQ_DONTWAIT) >= 0) {
            e = join_answer_read(zmq_msg_data(&in), zmq_msg_size(&in), &me->id, r, addresses,
                                 lead_box, msg);
            until = 0;
        }
        zmq_msg_close(&in);
    }
    return e;
}

static void advertised(const char *listen, char out[CONF_ADDR_MAX])
{
    char host[CONF_ADDR_MAX];
    uint16_t port;

    out[0] = '\0';
    if (!addr_split(listen, host, &port))
        return;
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        snprintf(out, CONF_ADDR_MAX, ":%u", port);
    else
        snprintf(out, CONF_ADDR_MAX, strchr(host, ':') ? "[%.40s]:%u" : "%.40s:%u", host, port);
}

enum err setup_join(const struct setup_join *in, char *branch, char *desk, char *words,
                    struct errmsg *msg)
{
    struct site s = { .dir = "" };
    struct invite_code code;
    struct knock k = { 0 };
    struct roster *r = roster_new();
    struct buf addresses = { 0 }, lead_box = { 0 };
    uint8_t seed[3 * SEED_BYTES];
    struct ident me;
    char listen[CONF_ADDR_MAX];
    enum err e =
        r ? invite_code_parse(in->code, &code, msg) : err_set(msg, ERR_NOMEM, "out of memory");

    randombytes_buf(seed, sizeof seed);
    ident_from_seed(seed, &me);
    advertised(in->listen ? in->listen : DEFAULT_LISTEN, listen);
    if (e == ERR_OK && (e = setup_check_addresses(in->listen, in->web, msg)) == ERR_OK &&
        (e = site_begin(&s, in->state_dir, msg)) == ERR_OK &&
        (e = knock_open(&k, &code, in->at, msg)) == ERR_OK &&
        (e = ask_in(&k, &code, &me, listen, in->timeout_ms ? in->timeout_ms : 5000, r, &addresses,
                    &lead_box, msg)) == ERR_OK) {
        const struct desk *d = roster_find(r, &me.id);
        snprintf(branch, 16, "%s", roster_code(r));
        snprintf(desk, DESK_NAME_MAX + 1, "%s", d->name);
        key_words(roster_root(r), words);
        if ((e = keys_write_desk(s.dir, seed, msg)) == ERR_OK &&
            (e = setup_write_conf(&s, desk, in->listen, in->web, msg)) == ERR_OK &&
            (e = setup_write_store(&s, &me, r, &addresses, 0, false, msg)) == ERR_OK &&
            lead_box.len > 0)
            e = keys_write_lead(s.dir, lead_box.p, lead_box.len, msg);
        if (e == ERR_OK)
            e = site_commit(&s, msg);
    }
    if (e != ERR_OK)
        site_abort(&s);
    knock_close(&k);
    sodium_memzero(seed, sizeof seed);
    ident_wipe(&me);
    buf_free(&addresses);
    buf_free(&lead_box);
    roster_free(r);
    return e;
}
