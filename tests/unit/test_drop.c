/* test_drop.c - sinks of files on a file system that refuses, or does it and loses the answer.
 *
 * link(), renameat2() and write() are this file's own; everything else is real. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "sink.h"

static struct fault {
    int link_fails, rename_fails; /* errno; 0: it works */
    bool done;                    /* the server did it all the same.. */
    bool eaten;                   /* ..and the loader took the file before we looked */
    unsigned full_at;             /* the n-th write finds the disk full; 0: none */
} fault;

static void done_all_the_same(const char *from, const char *to, bool keeps)
{
    if (!fault.done)
        return;
    assert_int_equal(keeps ? (int)syscall(SYS_linkat, -100, from, -100, to, 0)
                           : (int)syscall(SYS_renameat2, -100, from, -100, to, 0),
                     0);
    if (fault.eaten)
        assert_int_equal(unlink(to), 0);
}

int link(const char *from, const char *to)
{
    if (fault.link_fails == 0)
        return (int)syscall(SYS_linkat, -100, from, -100, to, 0);
    if (fault.rename_fails == 0)
        done_all_the_same(from, to, true);
    errno = fault.link_fails;
    return -1;
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    if (fault.rename_fails == 0)
        return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    done_all_the_same(from, to, false);
    errno = fault.rename_fails;
    return -1;
}

ssize_t write(int fd, const void *p, size_t n)
{
    if (fault.full_at > 0 && --fault.full_at == 0) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_write, fd, p, n);
}

struct bench {
    char dir[64], target[80], final[200];
    struct sink_file file;
    struct sink_batch batch;
    bool too_late;
    char words[256];
};

static bool in_time(void *ctx)
{
    const struct bench *t = ctx;

    return !t->too_late;
}

static struct bench *bench_new(struct fault f)
{
    struct bench *t = calloc(1, sizeof *t);
    static const char text[] = "one batch";
    FILE *ready = tmpfile(); /* without a name, as the node's */

    assert_non_null(ready);
    fputs(text, ready);
    fflush(ready);
    t->file.fd = dup(fileno(ready));
    fclose(ready);
    snprintf(t->dir, sizeof t->dir, "/tmp/tideover-drop-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    snprintf(t->target, sizeof t->target, "%s/in", t->dir);
    assert_int_equal(syscall(SYS_mkdirat, -100, t->target, 0700), 0);
    snprintf(t->file.name, sizeof t->file.name, "MAIN-e0-s000001-1a2b3c4d.log");
    snprintf(t->final, sizeof t->final, "%s/%s", t->target, t->file.name);
    t->file.part.bytes = strlen(text);
    crypto_hash_sha256(t->file.part.sha256, (const uint8_t *)text, strlen(text));
    t->batch = (struct sink_batch){ .target = t->target,
                                    .writer = "abc-1-1",
                                    .n_files = 1,
                                    .files = &t->file,
                                    .may_send = in_time,
                                    .ctx = t };
    fault = f;
    return t;
}

static void bench_free(struct bench *t)
{
    fault = (struct fault){ 0 };
    unlink(t->final);
    close(t->file.fd);
    rmdir(t->target);
    assert_int_equal(rmdir(t->dir), 0); /* and no file aside was left */
    free(t);
}

static enum delivery deliver(struct bench *t)
{
    return sink_drop_deliver(&t->batch, t->words);
}

static void it_is_delivered_by_link_or_by_rename(void **state)
{
    static const int no_links[] = { 0, EPERM, EOPNOTSUPP, ENOSYS, EMLINK };

    (void)state;
    for (unsigned i = 0; i < sizeof no_links / sizeof no_links[0]; i++) {
        struct bench *t = bench_new((struct fault){ .link_fails = no_links[i] });
        assert_int_equal(deliver(t), DELIVERY_DONE);
        assert_int_equal(access(t->final, F_OK), 0);
        bench_free(t);
    }
}

static void D9_nothing_leaves_when_the_lease_is_over(void **state)
{
    struct bench *t = bench_new((struct fault){ 0 });

    (void)state;
    t->too_late = true;
    assert_int_equal(deliver(t), DELIVERY_RETRY);
    assert_int_equal(access(t->final, F_OK), -1);
    bench_free(t);
}

static void what_was_refused_certainly_did_not_leave(void **state)
{
    static const struct fault f[] = { { .link_fails = ENOSPC },
                                      { .link_fails = EACCES },
                                      { .link_fails = EPERM, .rename_fails = EINVAL },
                                      { .link_fails = EPERM, .rename_fails = EROFS } };

    (void)state;
    for (unsigned i = 0; i < sizeof f / sizeof f[0]; i++) {
        struct bench *t = bench_new(f[i]);
        assert_int_equal(deliver(t), DELIVERY_RETRY);
        assert_non_null(strstr(t->words, "Put that right on this desk"));
        bench_free(t);
    }
}

/* "Try again" would drop it a second time: the loader has had it. */
static void an_answer_that_was_lost_is_a_doubt(void **state)
{
    static const int lost[] = { EIO, ETIMEDOUT, ESTALE, EHOSTDOWN, ENOTCONN, ECONNRESET, EINTR };

    (void)state;
    for (unsigned i = 0; i < sizeof lost / sizeof lost[0]; i++) {
        for (unsigned by_rename = 0; by_rename < 2; by_rename++) {
            struct fault f = { .link_fails = by_rename ? EPERM : lost[i],
                               .rename_fails = by_rename ? lost[i] : 0,
                               .done = true,
                               .eaten = true };
            struct bench *t = bench_new(f);
            assert_int_equal(deliver(t), DELIVERY_DOUBT);
            assert_string_equal(t->words, t->file.name);
            bench_free(t);
        }
    }
}

/* Repeated over the network, a rename that was done finds its old name gone. */
static void a_rename_whose_old_name_is_gone_is_a_doubt(void **state)
{
    struct bench *t = bench_new(
        (struct fault){ .link_fails = EPERM, .rename_fails = EINVAL, .done = true, .eaten = true });

    (void)state;
    assert_int_equal(deliver(t), DELIVERY_DOUBT);
    bench_free(t);
}

static void a_file_under_its_name_that_cannot_be_read_is_a_doubt_too(void **state)
{
    struct bench *t = bench_new((struct fault){ 0 });

    (void)state;
    assert_int_equal(syscall(SYS_mkdirat, -100, t->final, 0700), 0); /* read() fails: EISDIR */
    assert_int_equal(deliver(t), DELIVERY_DOUBT);
    assert_int_equal(sink_drop_look(&t->batch, t->words), DELIVERY_RETRY);
    rmdir(t->final);
    bench_free(t);
}

/* On a share without links the final file is written itself: half of it must not stay. */
static void a_kept_file_that_met_a_full_disk_is_written_again(void **state)
{
    struct bench *t = bench_new((struct fault){ .link_fails = EPERM, .full_at = 2 });

    (void)state;
    assert_int_equal(sink_file_deliver(&t->batch, t->words), DELIVERY_RETRY);
    assert_non_null(strstr(t->words, "No space left"));
    assert_int_equal(access(t->final, F_OK), -1);
    assert_int_equal(sink_file_deliver(&t->batch, t->words), DELIVERY_DONE);
    assert_int_equal(sink_file_deliver(&t->batch, t->words), DELIVERY_DONE);
    bench_free(t);
}

static void a_file_that_was_left_there_counts_once(void **state)
{
    struct bench *t = bench_new((struct fault){ 0 });

    (void)state;
    assert_int_equal(deliver(t), DELIVERY_DONE);
    assert_int_equal(sink_drop_look(&t->batch, t->words), DELIVERY_DONE);
    assert_int_equal(unlink(t->final), 0);
    assert_int_equal(sink_drop_look(&t->batch, t->words), DELIVERY_UNPROVEN);
    bench_free(t);
}

/* standlog.901 holds no hash: what stands there after an uploader died may be the next one. */
static void another_file_under_the_loaders_own_name_is_for_a_person(void **state)
{
    struct bench *t = bench_new((struct fault){ 0 });
    struct policy *p = calloc(1, sizeof *p);
    FILE *other;

    (void)state;
    assert_non_null(p);
    assert_non_null(other = fopen(t->final, "wb"));
    fputs("what WorkFlows wrote", other);
    fclose(other);
    t->batch.policy = p;
    assert_int_equal(sink_drop_look(&t->batch, t->words), DELIVERY_STOP);
    snprintf(p->symphony.file_name, sizeof p->symphony.file_name, "%.31s", t->file.name);
    snprintf(t->file.name, sizeof t->file.name, "%s", p->symphony.file_name);
    snprintf(t->final, sizeof t->final, "%s/%s", t->target, t->file.name);
    assert_non_null(other = fopen(t->final, "wb"));
    fputs("what WorkFlows wrote", other);
    fclose(other);
    assert_int_equal(sink_drop_look(&t->batch, t->words), DELIVERY_UNPROVEN);
    assert_string_equal(t->words, t->file.name);
    assert_int_equal(deliver(t), DELIVERY_STOP); /* and nothing is overwritten */
    assert_non_null(strstr(t->words, "nothing was overwritten"));
    free(p);
    bench_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_delivered_by_link_or_by_rename),
        cmocka_unit_test(what_was_refused_certainly_did_not_leave),
        cmocka_unit_test(an_answer_that_was_lost_is_a_doubt),
        cmocka_unit_test(a_rename_whose_old_name_is_gone_is_a_doubt),
        cmocka_unit_test(a_file_under_its_name_that_cannot_be_read_is_a_doubt_too),
        cmocka_unit_test(a_kept_file_that_met_a_full_disk_is_written_again),
        cmocka_unit_test(a_file_that_was_left_there_counts_once),
        cmocka_unit_test(another_file_under_the_loaders_own_name_is_for_a_person),
        cmocka_unit_test(D9_nothing_leaves_when_the_lease_is_over),
    };

    return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
