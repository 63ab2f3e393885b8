/* test_conf.c - tideover.conf: defaults, every key, and complaints that name the line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "conf.h"

struct place {
    char dir[64], file[96];
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    strcpy(p->dir, "/tmp/test_conf_XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->file, sizeof p->file, "%s/tideover.conf", p->dir);
    *state = p;
    return 0;
}

static int leave_place(void **state)
{
    struct place *p = *state;

    unlink(p->file);
    rmdir(p->dir);
    free(p);
    return 0;
}

static enum err read_text(const struct place *p, const char *text, struct conf *out,
                          struct errmsg *msg)
{
    FILE *f = fopen(p->file, "wb");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return conf_read(p->dir, out, msg);
}

static void a_name_is_enough(void **state)
{
    struct conf c;
    struct errmsg msg;

    assert_int_equal(read_text(*state, "[node]\nname = MAIN-1\n", &c, &msg), ERR_OK);
    assert_string_equal(c.name, "MAIN-1");
    assert_string_equal(c.listen, "0.0.0.0:7411");
    assert_string_equal(c.web, "127.0.0.1:7412");
    assert_int_equal(c.n_known, 0);
    assert_int_equal(c.away_after_ms, 30000);
    assert_int_equal(c.log_level, 2);
}

struct seen {
    char all[512];
};

static void see(void *ctx, const char *section, const char *key, bool at_start)
{
    struct seen *s = ctx;
    size_t n = strlen(s->all);

    snprintf(s->all + n, sizeof s->all - n, "%s.%s%s ", section, key, at_start ? "!" : "");
}

static void what_differs_is_named_and_addresses_need_a_restart(void **state)
{
    struct conf a, b;
    struct seen s = { "" };
    struct errmsg msg;

    assert_int_equal(read_text(*state, "[node]\nname = MAIN-1\n", &a, &msg), ERR_OK);
    conf_compare(&a, &a, see, &s);
    assert_string_equal(s.all, "");
    assert_int_equal(read_text(*state,
                               "[node]\nname = MAIN-1\n[peers]\nlisten = 10.0.0.1:7411\n"
                               "known = 10.0.0.2:7411\n[web]\nlisten = 127.0.0.1:7999\n"
                               "metrics = no\n[log]\nlevel = debug\n",
                               &b, &msg),
                     ERR_OK);
    conf_compare(&a, &b, see, &s);
    assert_string_equal(s.all, "peers.listen! peers.known web.listen! web.metrics log.level ");
}

static void every_key_is_read(void **state)
{
    struct conf c;
    struct errmsg msg;

    assert_int_equal(
        read_text(*state,
                  "# comment\n[node]\nname = KIDS 1\n[peers]\nlisten = tcp://[::1]:7500\n"
                  "known = 10.0.0.1:7411,tcp://[fe80::1]:7411 , 10.0.0.2:1\n"
                  "away_after = 2m\n[web]\nlisten = [::1]:7999\n[log]\nlevel = debug\n",
                  &c, &msg),
        ERR_OK);
    assert_string_equal(c.name, "KIDS 1");
    assert_string_equal(c.listen, "[::1]:7500");
    assert_int_equal(c.n_known, 3);
    assert_string_equal(c.known[0], "10.0.0.1:7411");
    assert_string_equal(c.known[1], "[fe80::1]:7411");
    assert_string_equal(c.known[2], "10.0.0.2:1");
    assert_int_equal(c.away_after_ms, 120000);
    assert_string_equal(c.web, "[::1]:7999");
    assert_int_equal(c.log_level, 3);
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
    static const struct {
        const char *text, *part;
    } bad[] = {
        { "[node]\nname = A\nnmae = B\n", "tideover.conf:3: unknown key \"nmae\" in [node]" },
        { "[node]\nname = A\nname = B\n", "tideover.conf:3: " },
        { "[nodes]\nname = A\n", "tideover.conf:1: " },
        { "[node]\nname = A\n[web]\nlisten = 0.0.0.0:7412\n", "tideover.conf:4: " },
        { "[node]\nname = A\n[web]\nlisten = 10.0.0.1:7412\n", "this PC only" },
        { "[node]\nname = A\n[peers]\nlisten = desk.example.org:7411\n", "tideover.conf:4: " },
        { "[node]\nname = A\n[peers]\nknown = 10.0.0.1:7411, 10.0.0.2\n", "numeric address" },
        { "[node]\nname = A\n[log]\nlevel = loud\n", "error or warn or info or debug" },
        { "[node]\nname = A\n[peers]\naway_after = 30\n", "tideover.conf:4: " },
        { "[node]\nname = ABCDEFGHIJKLMNOPQRSTUVWXYZ\n", "tideover.conf:2: " },
        { "[node]\n", "needs \"name\"" },
        { "", "needs \"name\"" },
    };

    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct conf c = { .log_level = 77 };
        struct errmsg msg = { .text = "" };

        assert_int_equal(read_text(*state, bad[i].text, &c, &msg), ERR_CONFIG);
        if (strstr(msg.text, bad[i].part) == NULL)
            fail_msg("%u: %s", i, msg.text);
        assert_int_equal(c.log_level, 77);
    }
}

static void a_missing_directory_or_file_means_no_desk_there(void **state)
{
    const struct place *p = *state;
    struct errmsg msg;
    struct conf c;

    assert_int_equal(conf_read("/nonexistent/place", &c, &msg), ERR_NOFILE);
    assert_int_equal(conf_read(p->dir, &c, &msg), ERR_NOFILE);
    assert_non_null(strstr(msg.text, "tideover init"));
}

static void a_file_too_large_to_be_one_is_refused(void **state)
{
    const struct place *p = *state;
    struct errmsg msg;
    struct conf c;
    FILE *f = fopen(p->file, "wb");

    for (int i = 0; i < 70000; i++)
        fputc('\n', f);
    fclose(f);
    assert_int_equal(conf_read(p->dir, &c, &msg), ERR_CONFIG);
}

static void the_default_text_reads_back(void **state)
{
    struct buf b = { 0 };
    struct errmsg msg;
    struct conf c;

    conf_default_text("MAIN-1", NULL, NULL, &b);
    buf_add(&b, "", 1);
    assert_int_equal(read_text(*state, (char *)b.p, &c, &msg), ERR_OK);
    assert_string_equal(c.name, "MAIN-1");
    assert_string_equal(c.listen, "0.0.0.0:7411");
    assert_string_equal(c.web, "127.0.0.1:7412");
    buf_reset(&b);
    conf_default_text("BUS", "10.0.0.5:7500", "127.0.0.1:7501", &b);
    buf_add(&b, "", 1);
    assert_int_equal(read_text(*state, (char *)b.p, &c, &msg), ERR_OK);
    assert_string_equal(c.listen, "10.0.0.5:7500");
    assert_string_equal(c.web, "127.0.0.1:7501");
    buf_free(&b);
}

static void addresses_are_numeric_with_a_port(void **state)
{
    static const char *const bad[] = { "",
                                       ":7411",
                                       "10.0.0.5",
                                       "10.0.0.5:",
                                       "10.0.0.5:0",
                                       "10.0.0.5:65536",
                                       "10.0.0.5:+1",
                                       "desk:7411",
                                       "::1:7411",
                                       "[::1]",
                                       "[10.0.0.5]:1",
                                       "[::1:7411",
                                       "10.0.0.5:7411 ",
                                       "10.0.0.5:74110",
                                       "[]:1",
                                       "256.0.0.1:1" };
    char host[CONF_ADDR_MAX];
    uint16_t port;

    (void)state;
    assert_true(addr_split("10.0.0.5:7411", host, &port));
    assert_string_equal(host, "10.0.0.5");
    assert_int_equal(port, 7411);
    assert_true(addr_split("[fe80::1]:65535", host, &port));
    assert_string_equal(host, "fe80::1");
    assert_int_equal(port, 65535);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (addr_split(bad[i], host, &port))
            fail_msg("\"%s\" was taken", bad[i]);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, leave_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(a_name_is_enough),
        WITH_PLACE(every_key_is_read),
        WITH_PLACE(what_differs_is_named_and_addresses_need_a_restart),
        WITH_PLACE(what_is_wrong_is_named_with_its_line),
        WITH_PLACE(a_missing_directory_or_file_means_no_desk_there),
        WITH_PLACE(a_file_too_large_to_be_one_is_refused),
        WITH_PLACE(the_default_text_reads_back),
        cmocka_unit_test(addresses_are_numeric_with_a_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
