/* test_url.c - URLs of sinks: what is taken apart how, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "url.h"

static void good_ones_come_apart(void **state)
{
    static const struct {
        const char *text, *scheme, *user, *host;
        unsigned port;
        const char *path;
        bool loopback;
    } good[] = {
        { "https://ils.example.org/in/", "https", "", "ils.example.org", 0, "/in/", false },
        { "https://ils.example.org", "https", "", "ils.example.org", 0, "", false },
        { "http://127.0.0.1:8080/a%20b", "http", "", "127.0.0.1", 8080, "/a%20b", true },
        { "http://[::1]:1/x", "http", "", "::1", 1, "/x", true },
        { "http://localhost", "http", "", "localhost", 0, "", true },
        { "sftp://tide-over@[2001:db8::1]:65535/~/in", "sftp", "tide-over", "2001:db8::1", 65535,
          "/~/in", false },
        { "sip2s://ils:6443", "sip2s", "", "ils", 6443, "", false },
        { "http://127.evil.example/", "http", "", "127.evil.example", 0, "/", false },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct url u;
        assert_int_equal(url_parse(good[i].text, &u, NULL), ERR_OK);
        assert_string_equal(u.scheme, good[i].scheme);
        assert_string_equal(u.user, good[i].user);
        assert_string_equal(u.host, good[i].host);
        assert_int_equal(u.port, good[i].port);
        assert_string_equal(u.path, good[i].path);
        assert_int_equal(url_is_loopback(&u), good[i].loopback);
    }
}

static void bad_ones_are_refused_with_words(void **state)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        { "", "form like" },
        { "ils.example.org", "form like" },
        { "://x", "form like" },
        { "HTTPS://x", "form like" },
        { "abcdefghijkl://x", "form like" },
        { "https://", "host" },
        { "https:///x", "host" },
        { "https://:80/x", "host" },
        { "https://a b/", "host" },
        { "https://[::1/x", "host" },
        { "https://[]/x", "host" },
        { "https://[::g]/x", "host" },
        { "https://h:/x", "port" },
        { "https://h:0/x", "port" },
        { "https://h:65536/x", "port" },
        { "https://h:123456/x", "port" },
        { "https://h:8x/x", "port" },
        { "https://[::1]x/", "port" },
        { "https://me:secret@h/x", "password" },
        { "https://@h/x", "user's name" },
        { "https://a%40b@h/x", "user's name" },
        { "https://h/a?b", "path" },
        { "https://h/a#b", "path" },
        { "https://h/a b", "path" },
        { "https://h/a\"b", "path" },
        { "https://h/%4", "path" },
        { "https://h/%zz", "path" },
        { "https://h/\xc3\xa4", "path" },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct errmsg msg = { .text = "" };
        struct url u;
        assert_int_equal(url_parse(bad[i].text, &u, &msg), ERR_CONFIG);
        assert_non_null(strstr(msg.text, bad[i].words));
        assert_null(strstr(msg.text, "secret"));
    }
}

static void a_host_of_any_length_is_taken_or_refused(void **state)
{
    char text[600];
    struct url u;

    (void)state;
    for (unsigned n = 1; n < 500; n++) {
        memcpy(text, "https://", 8);
        memset(text + 8, 'a', n);
        strcpy(text + 8 + n, "/");
        assert_int_equal(url_parse(text, &u, NULL), n <= URL_HOST_MAX ? ERR_OK : ERR_CONFIG);
    }
}

static void the_url_of_a_sink_stands_behind_its_word(void **state)
{
    (void)state;
    assert_string_equal(sink_url("https://h/"), "https://h/");
    assert_string_equal(sink_url("put:https://h/"), "https://h/");
    assert_string_equal(sink_url("koha-plugin:https://h:1/a"), "https://h:1/a");
    assert_null(sink_url("file:/a"));
    assert_null(sink_url("file:/a://b"));
    assert_null(sink_url("drop:MAIN-1:/a://b"));
    assert_null(sink_url("none"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_come_apart),
        cmocka_unit_test(bad_ones_are_refused_with_words),
        cmocka_unit_test(a_host_of_any_length_is_taken_or_refused),
        cmocka_unit_test(the_url_of_a_sink_stands_behind_its_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
