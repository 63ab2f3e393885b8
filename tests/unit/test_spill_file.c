/* test_spill_file.c - what a node sorts on its disk comes back as it was, and nobody else can read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "spill_file.h"

#define BYTES 100003

static char dir[] = "/tmp/spill-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return sodium_init() < 0 || !mkdtemp(dir);
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir); /* nothing is left in it */
}

static void what_was_appended_in_pieces_is_read_in_others(void **state)
{
    static uint8_t in[BYTES], out[BYTES];
    struct spill_file f;
    const struct spill *s = spill_file_init(&f, dir);
    size_t at = 0;

    (void)state;
    randombytes_buf(in, sizeof in);
    for (size_t n = 1; at < BYTES; n = n * 3 + 1) {
        size_t some = n < BYTES - at ? n : BYTES - at;
        assert_int_equal(s->append(s->ctx, in + at, some, NULL), ERR_OK);
        at += some;
    }
    for (at = 0; at < BYTES; at += 977)
        assert_int_equal(s->read(s->ctx, at, out + at, BYTES - at < 977 ? BYTES - at : 977, NULL),
                         ERR_OK);
    assert_memory_equal(in, out, BYTES);
    assert_int_equal(s->read(s->ctx, BYTES, out, 1, NULL), ERR_DISK);
    spill_file_close(&f);
}

static void the_file_has_no_name_and_no_plain_text(void **state)
{
    static const char text[] = "29999000001016 has 39999000005015";
    char raw[sizeof text];
    struct spill_file f;
    const struct spill *s = spill_file_init(&f, dir);
    struct stat st;

    (void)state;
    assert_int_equal(s->append(s->ctx, text, sizeof text, NULL), ERR_OK);
    assert_int_equal(fstat(f.fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(pread(f.fd, raw, sizeof raw, 0), (ssize_t)sizeof raw);
    assert_memory_not_equal(raw, text, 8);
    spill_file_close(&f);
}

static void without_a_write_there_is_no_file_and_without_a_directory_it_says_so(void **state)
{
    struct errmsg msg = { .text = "" };
    struct spill_file f;
    const struct spill *s = spill_file_init(&f, "/nowhere/at/all");

    (void)state;
    assert_int_equal(f.fd, -1);
    assert_int_equal(s->append(s->ctx, "x", 1, &msg), ERR_DISK);
    assert_non_null(strstr(msg.text, "/nowhere/at/all"));
    spill_file_close(&f);
    spill_file_close(&f); /* zeros are fine */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_appended_in_pieces_is_read_in_others),
        cmocka_unit_test(the_file_has_no_name_and_no_plain_text),
        cmocka_unit_test(without_a_write_there_is_no_file_and_without_a_directory_it_says_so),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
