/* blocklist.c - `tideover blocklist import`, `show` and `test`. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "day.h"

#define PIECE 8192 /* as JSON at most six times as long; the API takes 65536 bytes */

static int send(struct cli *c, struct client *cl, const char *path, json_t *o, json_t **answer)
{
    struct buf body = { 0 };
    int rc;

    if (!j_body(o, NULL, &body))
        return cli_fail(c, err_exit(ERR_INVALID), "invalid", "the file is not text");
    json_decref(*answer);
    *answer = NULL;
    rc = cli_call(c, cl, path, &body, NULL, answer);
    buf_wipe(&body);
    return rc;
}

/* Numbers are plain ASCII: any other byte stands for itself, as something that is none. */
static int send_lines(struct cli *c, struct client *cl, int fd, json_t **answer)
{
    char bytes[PIECE];
    ssize_t n;
    int rc = 0;

    while (rc == 0 && (n = read(fd, bytes, sizeof bytes)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cli_fail(c, err_exit(ERR_NOFILE), "nofile", "the file cannot be read: %s",
                            strerror(errno));
        for (ssize_t i = 0; i < n; i++)
            if ((unsigned char)bytes[i] > 0x7e || bytes[i] == 0)
                bytes[i] = '?';
        rc = send(c, cl, "/api/v1/blocklist/lines", json_pack("{s:s%}", "text", bytes, (size_t)n),
                  answer);
    }
    memset(bytes, 0, sizeof bytes);
    return rc;
}

static void print_list(const json_t *list)
{
    const json_t *by = json_object_get(list, "by_status"), *v;
    const char *name;

    if (!json_is_object(list)) {
        printf("There is no list of blocked users: nobody is refused for that.\n");
        return;
    }
    printf("Blocked   %lld users\nMade      %s, %lld days ago\nImported  %s at %s\n",
           j_int(list, "users", 0), j_text(list, "date", "-"), j_int(list, "age_days", 0),
           j_text(list, "imported", "-"), j_text(list, "desk", "-"));
    json_object_foreach((json_t *)(uintptr_t)by, name, v)
        printf("  %-11s %lld\n", name, (long long)json_integer_value(v));
}

static void date_of(const struct cli *c, const struct stat *st, char out[36])
{
    if (c->value[OPT_DATE])
        snprintf(out, 36, "%.35s", c->value[OPT_DATE]);
    else
        rfc3339_format((int64_t)st->st_mtime * 1000, 0, out);
}

int cmd_blocklist_import(struct cli *c)
{
    const char *format = c->value[OPT_LIST_FORMAT] ? c->value[OPT_LIST_FORMAT] : "plain";
    int fd = open(c->argv[0], O_RDONLY | O_CLOEXEC);
    struct client *cl = NULL;
    json_t *answer = NULL;
    struct stat st;
    char date[36];
    int rc;

    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = cli_fail(c, err_exit(ERR_NOFILE), "nofile", "%s cannot be read: %s", c->argv[0],
                      strerror(errno));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    date_of(c, &st, date);
    rc = cli_connect(c, &cl);
    if (rc == 0)
        rc = send(c, cl, "/api/v1/blocklist/begin",
                  json_pack("{s:s, s:s}", "format", format, "date", date), &answer);
    if (rc == 0)
        rc = send_lines(c, cl, fd, &answer);
    if (rc == 0)
        rc = send(c, cl, "/api/v1/blocklist/end", json_object(), &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0 && !c->quiet)
        print_list(json_object_get(answer, "list"));
    json_decref(answer);
    client_close(cl);
    close(fd);
    return rc;
}

int cmd_blocklist_show(struct cli *c)
{
    struct client *cl = NULL;
    json_t *answer = NULL;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/blocklist", NULL, NULL, &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        print_list(json_object_get(answer, "list"));
    json_decref(answer);
    client_close(cl);
    return rc;
}

int cmd_blocklist_test(struct cli *c)
{
    struct client *cl = NULL;
    json_t *answer = NULL;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = send(c, cl, "/api/v1/blocklist/test", json_pack("{s:s}", "user", c->value[OPT_USER]),
                  &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf("%s\n", j_text(answer, "message", "-"));
    json_decref(answer);
    client_close(cl);
    return rc;
}
