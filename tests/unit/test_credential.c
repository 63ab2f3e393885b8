/* test_credential.c - secrets in files: found in order, refused when they are no secrets. */
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

#include "credential.h"
#include "policy.h"

static char home[64], own[96], theirs[96];
static struct errmsg msg;

static void write_file(const char *dir, const char *name, const char *text, mode_t mode)
{
    char path[200];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
    assert_non_null(f = fopen(path, "wb"));
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static int begin(void **state)
{
    (void)state;
    strcpy(home, "/tmp/test_credential_XXXXXX");
    assert_non_null(mkdtemp(home));
    snprintf(own, sizeof own, "%s/credentials", home);
    snprintf(theirs, sizeof theirs, "%s/systemd", home);
    assert_int_equal(mkdir(theirs, 0700), 0);
    unsetenv("CREDENTIALS_DIRECTORY");
    return 0;
}

static int end(void **state)
{
    char command[100];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", home);
    return system(command);
}

static enum err put(const char *name, const char *kind, const char *text)
{
    return credential_set(home, name, kind, text, strlen(text), &msg);
}

static void what_was_set_is_read_and_is_for_nobody_else(void **state)
{
    char line[CREDENTIAL_LINE_MAX + 1], path[4096], again[CREDENTIAL_LINE_MAX + 1];
    struct stat st;

    (void)state;
    assert_int_equal(credential_read(home, "ils", "password", line, &msg), ERR_MISSING);
    assert_non_null(strstr(msg.text, "credential set ils.password"));
    assert_int_equal(put("ils", "password", "h u nter2\r\n"), ERR_OK);
    assert_int_equal(credential_read(home, "ils", "password", line, &msg), ERR_OK);
    assert_string_equal(line, "h u nter2");
    assert_int_equal(credential_read(home, "ils.password", NULL, again, &msg), ERR_OK);
    assert_string_equal(line, again);
    assert_int_equal(credential_find(home, "ils", "password", path, &msg), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(own, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(put("ils", "password", "second"), ERR_OK);
    assert_int_equal(credential_read(home, "ils", "password", line, &msg), ERR_OK);
    assert_string_equal(line, "second");
}

static void systemd_comes_first_and_its_access_list_is_no_fault(void **state)
{
    char line[CREDENTIAL_LINE_MAX + 1];

    (void)state;
    assert_int_equal(put("token", NULL, "from the desk"), ERR_OK);
    setenv("CREDENTIALS_DIRECTORY", theirs, 1);
    assert_int_equal(credential_read(home, "token", "", line, &msg), ERR_OK);
    assert_string_equal(line, "from the desk");
    write_file(theirs, "token", "from systemd\n", 0440);
    assert_int_equal(credential_read(home, "token", "", line, &msg), ERR_OK);
    assert_string_equal(line, "from systemd");
    write_file(theirs, "token", "for all\n", 0444);
    assert_int_equal(credential_read(home, "token", "", line, &msg), ERR_CONFIG);
    assert_non_null(strstr(msg.text, "others on this PC"));
}

static void what_others_can_read_is_no_secret(void **state)
{
    static const mode_t open_to[] = { 0640, 0604, 0660, 0602, 0644 };
    char line[CREDENTIAL_LINE_MAX + 1], path[4096];

    (void)state;
    assert_int_equal(put("a", NULL, "x"), ERR_OK);
    for (unsigned i = 0; i < sizeof open_to / sizeof open_to[0]; i++) {
        write_file(own, "a", "x", open_to[i]);
        assert_int_equal(credential_read(home, "a", NULL, line, &msg), ERR_CONFIG);
        assert_non_null(strstr(msg.text, "credential a"));
    }
    write_file(own, "a", "x", 0400);
    assert_int_equal(credential_read(home, "a", NULL, line, &msg), ERR_OK);
    write_file(own, "b.ca", "-----BEGIN CERTIFICATE-----", 0644);
    assert_int_equal(credential_find(home, "b", "ca", path, &msg), ERR_OK);
    write_file(own, "b.ca", "-----BEGIN CERTIFICATE-----", 0664);
    assert_int_equal(credential_find(home, "b", "ca", path, &msg), ERR_CONFIG);
}

static void links_folders_and_names_that_lead_elsewhere_are_refused(void **state)
{
    static const char *const bad[] = {
        "",    ".",   "..",  ".a",       "../a",
        "a/b", "a b", "a\n", "\xc3\xa4", "a234567890123456789012345678901234567890123456789"
    };
    char line[CREDENTIAL_LINE_MAX + 1], path[300];

    (void)state;
    assert_int_equal(put("real", NULL, "x"), ERR_OK);
    snprintf(path, sizeof path, "%s/linked", own);
    assert_int_equal(symlink("real", path), 0);
    assert_int_equal(credential_read(home, "linked", NULL, line, &msg), ERR_CONFIG);
    assert_non_null(strstr(msg.text, "is a link"));
    snprintf(path, sizeof path, "%s/folder", own);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(credential_read(home, "folder", NULL, line, &msg), ERR_CONFIG);
    snprintf(path, sizeof path, "%s/fifo", own);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(credential_read(home, "fifo", NULL, line, &msg), ERR_CONFIG);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(credential_read(home, bad[i], NULL, line, &msg), ERR_CONFIG);
        assert_int_equal(put(bad[i], NULL, "x"), ERR_CONFIG);
        assert_int_equal(put("a", *bad[i] ? bad[i] : "/", "x"),
                         i >= 1 && i <= 3 ? ERR_OK : ERR_CONFIG); /* "a..a" is a name like any */
    }
}

static void a_secret_is_one_line(void **state)
{
    static const char *const bad[] = { "", "\n", "a\nb", "a\n\n", "a\tb", "\x7f" };
    char line[CREDENTIAL_LINE_MAX + 1], longest[CREDENTIAL_LINE_MAX + 3];

    (void)state;
    assert_int_equal(put("a", NULL, "x"), ERR_OK);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(put("a", NULL, bad[i]), ERR_INVALID);
        write_file(own, "b", bad[i], 0600);
        assert_int_equal(credential_read(home, "b", NULL, line, &msg), ERR_CONFIG);
    }
    assert_int_equal(credential_set(home, "a", NULL, "a\0b", 3, &msg), ERR_INVALID);
    assert_int_equal(credential_read(home, "a", NULL, line, &msg), ERR_OK);
    assert_string_equal(line, "x"); /* what was refused changed nothing */
    memset(longest, 'y', sizeof longest);
    longest[CREDENTIAL_LINE_MAX + 1] = '\0';
    assert_int_equal(put("a", NULL, longest), ERR_INVALID);
    write_file(own, "b", longest, 0600);
    assert_int_equal(credential_read(home, "b", NULL, line, &msg), ERR_CONFIG);
    longest[CREDENTIAL_LINE_MAX] = '\0';
    assert_int_equal(put("a", NULL, longest), ERR_OK);
    assert_int_equal(credential_read(home, "a", NULL, line, &msg), ERR_OK);
    assert_string_equal(line, longest);
}

static void keys_and_certificates_are_what_they_are_called(void **state)
{
    char path[4096];

    (void)state;
    assert_int_equal(put("drop", "key", "ssh-ed25519 AAAA public"), ERR_INVALID);
    assert_int_equal(put("drop", "key", "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n"), ERR_OK);
    assert_int_equal(credential_find(home, "drop", "key", path, &msg), ERR_OK);
    assert_int_equal(put("my", "ca", "\x30\x82 DER"), ERR_INVALID);
    assert_int_equal(put("my.ca", NULL, "words\n-----BEGIN CERTIFICATE-----\nx\n"), ERR_OK);
}

static void count(void *ctx, const char *file, bool from_systemd, const char *problem)
{
    unsigned *n = ctx;

    n[0]++;
    n[1] += from_systemd;
    n[2] += *problem != '\0';
    assert_null(strstr(problem, "hunter2"));
    assert_true(credential_name_is_valid(file));
}

static void the_list_names_both_places_and_what_cannot_be_used(void **state)
{
    unsigned n[3] = { 0 };

    (void)state;
    assert_int_equal(credential_each(home, count, n, &msg), ERR_OK);
    assert_int_equal(n[0], 0);
    assert_int_equal(put("a", NULL, "hunter2"), ERR_OK);
    write_file(own, "b", "hunter2", 0644);
    write_file(own, ".c.new", "hunter2", 0600);
    write_file(theirs, "d", "hunter2", 0400);
    setenv("CREDENTIALS_DIRECTORY", theirs, 1);
    assert_int_equal(credential_each(home, count, n, &msg), ERR_OK);
    assert_int_equal(n[0], 3);
    assert_int_equal(n[1], 1);
    assert_int_equal(n[2], 1);
}

static void what_the_policys_sink_needs_is_missed_in_time(void **state)
{
    static struct policy p = { .sink = "file:/srv/out", .access.credential = "ils" };
    char words[256];

    (void)state;
    credential_lacks(home, &p, words);
    assert_string_equal(words, ""); /* a folder needs none */
    strcpy(p.sink, "put:https://ils/in/");
    credential_lacks(home, &p, words);
    assert_non_null(strstr(words, "no credential ils,"));
    assert_int_equal(put("ils2", NULL, "x"), ERR_OK);
    assert_int_equal(put("ils.ca", NULL, "-----BEGIN CERTIFICATE-----\nx"), ERR_OK);
    credential_lacks(home, &p, words);
    assert_non_null(strstr(words, "no credential ils,"));
    assert_int_equal(put("ils", "user", "x"), ERR_OK);
    credential_lacks(home, &p, words);
    assert_string_equal(words, "");
    write_file(own, "ils.password", "x", 0644);
    credential_lacks(home, &p, words);
    assert_non_null(strstr(words, "others on this PC"));
    write_file(own, "ils.password", "x", 0600);
    strcpy(p.access.ca, "my");
    credential_lacks(home, &p, words);
    assert_non_null(strstr(words, "no credential my.ca"));
}

/* A name without KIND would be put where no login looks for it. */
static void a_sink_that_logs_in_names_the_kind_that_is_missing(void **state)
{
    static struct policy p = { .access.credential = "lib", .sip2.login = true };
    static const char *const sinks[] = { "sip2s://ils:6001", "evergreen:https://ils",
                                         "koha:https://ils", "koha-plugin:https://ils" };
    char words[256];

    (void)state;
    assert_int_equal(put("lib", NULL, "x"), ERR_OK);
    for (unsigned i = 0; i < sizeof sinks / sizeof sinks[0]; i++) {
        strcpy(p.sink, sinks[i]);
        credential_lacks(home, &p, words);
        assert_non_null(strstr(words, "credential set lib user"));
    }
    assert_int_equal(put("lib", "user", "x"), ERR_OK);
    credential_lacks(home, &p, words);
    assert_non_null(strstr(words, "credential set lib password"));
    assert_int_equal(put("lib", "password", "x"), ERR_OK);
    credential_lacks(home, &p, words);
    assert_string_equal(words, "");
    strcpy(p.sink, "sip2s://ils:6001");
    p.sip2.login = false;
    credential_lacks(home, &p, words);
    assert_string_equal(words, "");
}

static void a_kind_that_no_sink_uses_is_refused_with_those_that_this_one_does(void **state)
{
    static const struct {
        const char *name, *kind, *sink, *says;
    } bad[] = {
        { "ils", "passwort", "", "user, password, key or ca" },
        { "ils.pass", NULL, "sip2s://h", "the policy's sink uses user, password or ca" },
        { "drop", "pem", "sftp://u@h/in", "the policy's sink uses key or password" },
        { "in", "token", "key:https://h/in/", "none of them for a token" },
        { "a", "b", "file:/in", "user, password, key or ca" },
    };
    static const char *const good[][2] = { { "ils", "user" },
                                           { "ils.password", NULL },
                                           { "drop", "key" },
                                           { "own", "ca" },
                                           { "token", NULL } };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(credential_check_kind(bad[i].name, bad[i].kind, bad[i].sink, &msg),
                         ERR_INVALID);
        assert_non_null(strstr(msg.text, bad[i].says));
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(credential_check_kind(good[i][0], good[i][1], "", &msg), ERR_OK);
}

/* What was refused is not tried again; what was written since is another secret. */
static void a_secret_that_was_written_anew_has_another_stamp(void **state)
{
    struct policy p = { .sink = "sip2://h", .access.credential = "stamped", .access.ca = "own" };
    uint8_t before[CREDENTIAL_STAMP_BYTES], after[CREDENTIAL_STAMP_BYTES];
    char login[CREDENTIAL_LOGIN_TEXT];

    (void)state;
    p.sip2.login = true;
    credential_stamp(home, &p, before);
    credential_stamp(home, &p, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(put("stamped", "password", "one"), ERR_OK);
    credential_stamp(home, &p, after);
    assert_memory_not_equal(before, after, sizeof before);
    memcpy(before, after, sizeof before);
    assert_int_equal(put("stamped", "password", "two"), ERR_OK); /* as long as the other */
    credential_stamp(home, &p, after);
    assert_memory_not_equal(before, after, sizeof before);
    memcpy(before, after, sizeof before);
    assert_int_equal(put("another", "password", "one"), ERR_OK);
    credential_stamp(home, &p, after);
    assert_memory_equal(before, after, sizeof before);
    credential_login(home, &p, login);
    assert_string_equal(login, "stamped.user and stamped.password");
    snprintf(p.sip2.user, sizeof p.sip2.user, "tide");
    credential_login(home, &p, login);
    assert_string_equal(login, "stamped.password");
    snprintf(p.sink, sizeof p.sink, "put:https://h/in/");
    credential_login(home, &p, login);
    assert_string_equal(login, "stamped");
    p.access.credential[0] = '\0';
    credential_login(home, &p, login);
    assert_string_equal(login, "");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(what_was_set_is_read_and_is_for_nobody_else),
        T(systemd_comes_first_and_its_access_list_is_no_fault),
        T(what_others_can_read_is_no_secret),
        T(links_folders_and_names_that_lead_elsewhere_are_refused),
        T(a_secret_is_one_line),
        T(keys_and_certificates_are_what_they_are_called),
        T(what_the_policys_sink_needs_is_missed_in_time),
        T(a_sink_that_logs_in_names_the_kind_that_is_missing),
        T(a_kind_that_no_sink_uses_is_refused_with_those_that_this_one_does),
        T(a_secret_that_was_written_anew_has_another_stamp),
        T(the_list_names_both_places_and_what_cannot_be_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
