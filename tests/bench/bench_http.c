/* bench_http.c - one durable record through the running daemon's local API.
 *
 *   bench_http -w WEB_PORT -k TOKEN_FILE -p REDIS_PORT [-r ROUNDS] [-t SECONDS]
 *
 * POST /api/v1/records over keep-alive connections, one request under way on each, against Redis
 * with appendfsync always and as many connections. Both servers are asked by the same client. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUE_BYTES 250

struct asking {
    uint16_t port;
    char token[80];
    uint64_t i;
};

static size_t http_request(void *ctx, char *out, size_t room)
{
    struct asking *a = ctx;
    char line[1024];
    struct record r;
    size_t n;

    record_fill(&r, ++a->i, 0);
    n = record_line(&r, line, sizeof line);
    return (size_t)snprintf(out, room,
                            "POST /api/v1/records HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                            "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                            "Content-Length: %zu\r\n\r\n%s",
                            a->port, a->token, n, line);
}

static size_t http_answer_size(const char *p, size_t n)
{
    const char *body, *length;
    char head[2048];
    size_t head_len, whole;

    if ((body = memmem(p, n, "\r\n\r\n", 4)) == NULL)
        return 0;
    head_len = (size_t)(body + 4 - p);
    if (head_len >= sizeof head)
        bench_die("a head of %zu bytes", head_len);
    memcpy(head, p, head_len);
    head[head_len] = '\0';
    length = strcasestr(head, "\r\nContent-Length:");
    whole = head_len + (length ? strtoul(length + 17, NULL, 10) : 0);
    if (strncmp(head, "HTTP/1.1 200", 12) != 0)
        bench_die("the node refused: %.*s", (int)n, p);
    return n >= whole ? whole : 0;
}

static void read_token(const char *path, char out[80])
{
    FILE *f = fopen(path, "r");

    if (!f || !fgets(out, 80, f))
        bench_die("no token in %s", path);
    out[strcspn(out, "\r\n")] = '\0';
    fclose(f);
}

static void measure(const struct load *node, const struct load *redis, unsigned connections,
                    unsigned rounds, double seconds)
{
    static struct latency lat[2][2];
    struct latency *l = lat[connections > 1];
    char id[16], what[96], note[128];
    struct row r = { .id = id,
                     .what = what,
                     .unit = "records/s",
                     .note = note,
                     .against = "Redis AOF always, RPUSH 250 B, as many" };

    snprintf(id, sizeof id, "http-%u", connections);
    snprintf(what, sizeof what, "the same through the daemon over HTTP, %u connection%s",
             connections, connections == 1 ? "" : "s");
    for (unsigned i = 0; i < rounds; i++) { /* A B, then B A */
        if (i % 2 == 0)
            samples_add(&r.ours, load_run(node, connections, seconds, &l[0]));
        samples_add(&r.theirs, load_run(redis, connections, seconds, &l[1]));
        if (i % 2 == 1)
            samples_add(&r.ours, load_run(node, connections, seconds, &l[0]));
    }
    snprintf(note, sizeof note, "p50 %.0f us, p99 %.0f us; Redis p50 %.0f us, p99 %.0f us",
             latency_us(&l[0], 0.5), latency_us(&l[0], 0.99), latency_us(&l[1], 0.5),
             latency_us(&l[1], 0.99));
    row_print(&r);
}

int main(int argc, char **argv)
{
    struct push push = { VALUE_BYTES };
    struct asking asking = { .port = 0 };
    struct load node = { "127.0.0.1", 0, http_request, http_answer_size, &asking };
    struct load redis = { "127.0.0.1", 0, push_request, push_answer, &push };
    unsigned rounds = 7;
    double seconds = 0.5;
    int c;

    while ((c = getopt(argc, argv, "w:k:p:r:t:")) != -1)
        switch (c) {
        case 'w':
            asking.port = node.port = (uint16_t)atoi(optarg);
            break;
        case 'k':
            read_token(optarg, asking.token);
            break;
        case 'p':
            redis.port = (uint16_t)atoi(optarg);
            break;
        case 'r':
            rounds = (unsigned)atoi(optarg);
            break;
        case 't':
            seconds = atof(optarg);
            break;
        default:
            return 2;
        }
    if (!node.port || !redis.port || !asking.token[0])
        bench_die("-w WEB_PORT, -k TOKEN_FILE and -p REDIS_PORT are needed");
    load_run(&node, 1, 0.1, NULL); /* both are warm before the first slice */
    load_run(&redis, 1, 0.1, NULL);
    measure(&node, &redis, 1, rounds, seconds);
    measure(&node, &redis, 32, rounds, seconds);
    return 0;
}
