/* conf.c - tideover.conf: one table of keys, and the text that init and join write. */
#include "conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "ini_int.h"

#define CONF_BYTES_MAX 65536 /* sixty-four addresses and many comments */
#define VALUE_MAX      (CONF_PEERS_MAX * (CONF_ADDR_MAX + 2)) /* of a key, as text: the addresses */
#define LISTEN_DEFAULT "0.0.0.0:7411"
#define WEB_DEFAULT    "127.0.0.1:7412"

static const char *const level_words[] = { "error", "warn", "info", "debug", NULL };

static const char *without_scheme(const char *s)
{
    return strncmp(s, "tcp://", 6) == 0 ? s + 6 : s;
}

static enum err put_address(const char *s, size_t n, char out[CONF_ADDR_MAX], struct errmsg *msg)
{
    char host[CONF_ADDR_MAX], text[CONF_ADDR_MAX];
    uint16_t port;

    if (n >= sizeof text)
        return err_set(msg, ERR_CONFIG, "an address has at most %d bytes", CONF_ADDR_MAX - 1);
    memcpy(text, s, n);
    text[n] = 0;
    if (!addr_split(text, host, &port))
        return err_set(msg, ERR_CONFIG,
                       "must be a numeric address and port, like 10.20.4.11:7411 or [::1]:7411");
    memcpy(out, text, n + 1);
    return ERR_OK;
}

static enum err read_listen(const struct ini_key *row, const char *key, const char *value,
                            void *into, struct errmsg *msg)
{
    const char *s = without_scheme(value);

    (void)key;
    return put_address(s, strlen(s), (char *)into + row->offset, msg);
}

static enum err read_web(const struct ini_key *row, const char *key, const char *value, void *into,
                         struct errmsg *msg)
{
    char host[CONF_ADDR_MAX];
    uint16_t port;

    if (!addr_split(value, host, &port) ||
        (strcmp(host, "127.0.0.1") != 0 && strcmp(host, "::1") != 0))
        return err_set(msg, ERR_CONFIG, "must be 127.0.0.1:PORT or [::1]:PORT: this PC only");
    return read_listen(row, key, value, into, msg);
}

static enum err read_known(const struct ini_key *row, const char *key, const char *value,
                           void *into, struct errmsg *msg)
{
    struct conf *c = into;

    (void)row, (void)key;
    while (*(value += strspn(value, " ,")) != 0) {
        const char *s = without_scheme(value);
        size_t n = strcspn(s, " ,");
        enum err e;

        if (c->n_known == CONF_PEERS_MAX)
            return err_set(msg, ERR_CONFIG, "more than %d addresses", CONF_PEERS_MAX);
        e = put_address(s, n, c->known[c->n_known], msg);
        if (e != ERR_OK)
            return e;
        c->n_known++;
        value = s + n;
    }
    return ERR_OK;
}

static const char *const discovery_words[] = { "off", "lan", NULL };
static const char *const slip_words[] = { "80mm", "58mm", "a4", "off", NULL };

#define PLACE(member) offsetof(struct conf, member), sizeof((struct conf *)0)->member

static const struct ini_key keys[] = {
    { "node", "name", ini_text, PLACE(name), 1, 0, NULL },
    { "peers", "listen", read_listen, PLACE(listen), 0, 0, NULL },
    { "peers", "known", read_known, PLACE(known), 0, 0, NULL },
    { "peers", "discovery", ini_word, PLACE(discovery), 0, 0, discovery_words },
    { "peers", "away_after", ini_ms, PLACE(away_after_ms), 1000, 24 * 3600 * 1000, NULL },
    { "web", "listen", read_web, PLACE(web), 0, 0, NULL },
    { "web", "metrics", ini_yes_no, PLACE(metrics), 0, 0, NULL },
    { "desk", "slip", ini_word, PLACE(slip), 0, 0, slip_words },
    { "desk", "slip_auto", ini_yes_no, PLACE(slip_auto), 0, 0, NULL },
    { "desk", "slip_title", ini_text, PLACE(slip_title), 1, 0, NULL },
    { "desk", "slip_ask", ini_text, PLACE(slip_ask), 1, 0, NULL },
    { "desk", "sounds", ini_yes_no, PLACE(sounds), 0, 0, NULL },
    { "log", "level", ini_word, PLACE(log_level), 0, 0, level_words },
};

static const struct conf defaults = { .listen = LISTEN_DEFAULT,
                                      .web = WEB_DEFAULT,
                                      .away_after_ms = 30000,
                                      .metrics = true,
                                      .discovery = true,
                                      .sounds = true,
                                      .log_level = 2 };

static enum err read_text(const char *path, struct buf *out, struct errmsg *msg)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;
    enum err e = ERR_OK;

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return err_set(msg, ERR_NOFILE,
                       "there is no desk here: %s is missing; make one with "
                       "tideover init, or tideover join",
                       path);
    if (fd < 0)
        return err_set(msg, errno == EACCES ? ERR_DENIED : ERR_DISK, "cannot read %s: %s", path,
                       strerror(errno));
    while (n > 0 && out->len <= CONF_BYTES_MAX) {
        uint8_t *at = buf_grow(out, 4096);

        if (at == NULL) {
            e = err_set(msg, ERR_NOMEM, "no memory to read %s", path);
            break;
        }
        n = read(fd, at, 4096);
        out->len -= 4096 - (size_t)(n > 0 ? n : 0);
    }
    if (e == ERR_OK && n < 0)
        e = err_set(msg, ERR_DISK, "cannot read %s: %s", path, strerror(errno));
    else if (e == ERR_OK && out->len > CONF_BYTES_MAX)
        e = err_set(msg, ERR_CONFIG, "%s is longer than %d bytes", path, CONF_BYTES_MAX);
    close(fd);
    return e;
}

enum err conf_read(const char *state_dir, struct conf *out, struct errmsg *msg)
{
    struct conf c = defaults;
    struct buf path = { 0 }, text = { 0 };
    enum err e;

    buf_printf(&path, "%s/tideover.conf", state_dir);
    buf_add(&path, "", 1);
    if (path.failed)
        e = err_set(msg, ERR_NOMEM, "no memory to read the configuration");
    else
        e = read_text((const char *)path.p, &text, msg);
    if (e == ERR_OK)
        e = ini_read("tideover.conf", (const char *)text.p, text.len, keys,
                     sizeof keys / sizeof keys[0], &c, msg);
    if (e == ERR_OK && c.name[0] == 0)
        e = err_set(msg, ERR_CONFIG, "tideover.conf needs \"name\" in [node]");
    if (e == ERR_OK)
        *out = c;
    buf_free(&path);
    buf_free(&text);
    return e;
}

void conf_default_text(const char *name, const char *listen, const char *web, struct buf *out)
{
    buf_printf(
        out,
        "# tideover.conf: what concerns this PC only. What decides the upload is in the\n"
        "# branch's policy: tideover policy show. After a change: tideover config reload;\n"
        "# the two \"listen\" need a restart.\n"
        "\n"
        "[node]\n"
        "# For people; the identity is the key.\n"
        "name = %s\n"
        "\n"
        "[peers]\n"
        "# Where other desks reach this one; open this port in the firewall.\n"
        "listen = %s\n"
        "# Addresses of other desks, where they are not found by themselves.\n"
        "#known = 10.20.4.11:7411, 10.20.4.13:7411\n"
        "# lan: desks find each other by broadcasts (UDP 7411); off: by the addresses above.\n"
        "#discovery = lan\n"
        "# So long unheard, a desk is named among the problems.\n"
        "#away_after = 30s\n"
        "\n"
        "[web]\n"
        "# This PC only; anything but 127.0.0.1 and [::1] is refused.\n"
        "listen = %s\n"
        "# GET /metrics for Prometheus, without user data and without a token.\n"
        "#metrics = yes\n"
        "\n"
        "[desk]\n"
        "# The slip that a user takes along: 80mm, 58mm, a4 or off; slip_auto = yes prints\n"
        "# it when the next user comes.\n"
        "#slip = 80mm\n"
        "#slip_auto = no\n"
        "# What stands above it, and whom to ask.\n"
        "#slip_title = Main Street Library\n"
        "#slip_ask = Questions: 555 0100, or any desk\n"
        "#sounds = yes\n"
        "\n"
        "[log]\n"
        "# error, warn, info or debug; never user data, at any level.\n"
        "#level = info\n",
        name, listen != NULL ? listen : LISTEN_DEFAULT, web != NULL ? web : WEB_DEFAULT);
}

/* As it would stand in the file. */
static void value_text(const struct ini_key *row, const struct conf *c, char *out, size_t room)
{
    const void *at = (const char *)c + row->offset;
    size_t n = 0;

    out[0] = '\0';
    if (row->parse == ini_ms) {
        snprintf(out, room, "%us", *(const uint32_t *)at / 1000);
    } else if (row->parse == ini_yes_no) {
        snprintf(out, room, "%s", *(const bool *)at ? "yes" : "no");
    } else if (row->parse == ini_word) {
        snprintf(out, room, "%s",
                 row->words[row->room == sizeof(bool) ? *(const bool *)at : *(const int *)at]);
    } else if (row->parse == read_known) {
        for (unsigned i = 0; i < c->n_known && n < room; i++)
            n += (size_t)snprintf(out + n, room - n, "%s%s", i > 0 ? ", " : "", c->known[i]);
    } else {
        snprintf(out, room, "%s", (const char *)at);
    }
}

void conf_each(const struct conf *c,
               void (*each)(void *ctx, const char *section, const char *key, const char *value,
                            bool is_default),
               void *ctx)
{
    char value[VALUE_MAX], usual[VALUE_MAX];

    for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        value_text(&keys[i], c, value, sizeof value);
        value_text(&keys[i], &defaults, usual, sizeof usual);
        each(ctx, keys[i].section, keys[i].key, value, strcmp(value, usual) == 0);
    }
}

void conf_compare(const struct conf *a, const struct conf *b,
                  void (*each)(void *ctx, const char *section, const char *key, bool at_start),
                  void *ctx)
{
    char old[VALUE_MAX], fresh[VALUE_MAX];

    for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        value_text(&keys[i], a, old, sizeof old);
        value_text(&keys[i], b, fresh, sizeof fresh);
        if (strcmp(old, fresh) != 0)
            each(ctx, keys[i].section, keys[i].key,
                 keys[i].parse == read_listen || keys[i].parse == read_web);
    }
}

bool addr_split(const char *s, char host[CONF_ADDR_MAX], uint16_t *port)
{
    const char *colon = strrchr(s, ':'), *from = s;
    unsigned char binary[sizeof(struct in6_addr)];
    char name[CONF_ADDR_MAX];
    unsigned number = 0;
    size_t n;

    if (colon == NULL || strlen(colon + 1) < 1 || strlen(colon + 1) > 5)
        return false;
    for (const char *d = colon + 1; *d != 0; d++) {
        if (*d < '0' || *d > '9')
            return false;
        number = number * 10 + (unsigned)(*d - '0');
    }
    if (number < 1 || number > 65535)
        return false;
    n = (size_t)(colon - s);
    if (*s == '[') {
        if (n < 3 || s[n - 1] != ']')
            return false;
        from = s + 1;
        n -= 2;
    }
    if (n >= sizeof name)
        return false;
    memcpy(name, from, n);
    name[n] = 0;
    if (inet_pton(*s == '[' ? AF_INET6 : AF_INET, name, binary) != 1)
        return false;
    memcpy(host, name, n + 1);
    *port = (uint16_t)number;
    return true;
}
