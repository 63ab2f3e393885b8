/* conf.h - tideover.conf: what concerns this PC only. What decides the upload is in policy.h.
 *
 * INI, UTF-8, read by proto/ini_int.h (libinih); an unknown or repeated key is an error that names
 * the line. Every key has a default except [node] name, which init and join write. */
#ifndef TIDEOVER_CONF_H
#define TIDEOVER_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "record.h"

#define CONF_PEERS_MAX 64
#define CONF_ADDR_MAX  64

enum conf_slip { SLIP_80MM, SLIP_58MM, SLIP_A4, SLIP_OFF };

struct conf {
    char name[DESK_NAME_MAX + 1]; /* [node] name; for people, the identity is the key */
    char listen[CONF_ADDR_MAX];   /* [peers] listen, default 0.0.0.0:7411 (tcp:// accepted) */
    char web[CONF_ADDR_MAX];      /* [web] listen, default 127.0.0.1:7412, loopback only */
    bool metrics;                 /* [web] metrics = no | yes (default): GET /metrics is answered */
    unsigned n_known;
    char known[CONF_PEERS_MAX][CONF_ADDR_MAX]; /* [peers] known = A:P, B:P */
    bool discovery;                            /* [peers] discovery = lan (default) | off */
    uint32_t away_after_ms;                    /* [peers] away_after, default 30s */
    int slip;                                  /* [desk] slip = 80mm (default) | 58mm | a4 | off */
    bool slip_auto;      /* [desk] slip_auto = no: each user's slip prints by itself */
    bool sounds;         /* [desk] sounds = yes */
    char slip_title[81]; /* [desk] slip_title: the library, default the branch's code */
    char slip_ask[201];  /* [desk] slip_ask: whom to ask; default nothing */
    int log_level;       /* [log] level = error | warn | info (default) | debug */
};

/* DIR/tideover.conf. ERR_NOFILE: no state there; ERR_CONFIG names the line. */
enum err conf_read(const char *state_dir, struct conf *out, struct errmsg *msg);
/* Every key in the order of the file, with its value as it would stand there. */
void conf_each(const struct conf *c,
               void (*each)(void *ctx, const char *section, const char *key, const char *value,
                            bool is_default),
               void *ctx);
/* Every key that a and b have otherwise. at_start: an address that is bound once, at the start;
 * every other key can change while a node runs. */
void conf_compare(const struct conf *a, const struct conf *b,
                  void (*each)(void *ctx, const char *section, const char *key, bool at_start),
                  void *ctx);
/* Text that init and join write. */
struct buf;
void conf_default_text(const char *name, const char *listen, const char *web, struct buf *out);
/* Splits "10.0.0.5:7411" or "[::1]:7411". Numeric addresses only (names stall ZeroMQ's I/O). */
bool addr_split(const char *s, char host[CONF_ADDR_MAX], uint16_t *port);

#endif
