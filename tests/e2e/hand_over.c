/* hand_over.c - one hand-over to a sink, without a branch around it, for tests that kill it, cut
 * its wire and make its server misbehave.
 *
 *   hand_over HOME POLICY deliver|look WRITER NAME FILE
 *
 * POLICY is a policy's text; its sink is used. Prints "DELIVERY WORDS". */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "drive.h"

static bool may_send(void *ctx)
{
    (void)ctx;
    return getenv("TOO_LATE") == NULL;
}

static void digest(struct sink_file *f)
{
    crypto_hash_sha256_state st;
    uint8_t chunk[65536];
    ssize_t n;

    if (f->fd < 0)
        exit(2);
    crypto_hash_sha256_init(&st);
    while ((n = pread(f->fd, chunk, sizeof chunk, (off_t)f->part.bytes)) > 0) {
        crypto_hash_sha256_update(&st, chunk, (size_t)n);
        f->part.bytes += (uint64_t)n;
    }
    crypto_hash_sha256_final(&st, f->part.sha256);
}

int main(int argc, char **argv)
{
    static const char *const names[] = { "done",  "retry",  "stop",     "denied",
                                         "doubt", "absent", "unproven", "later" };
    static struct drive_base d;
    static char words[256];
    static struct sink_file file;
    struct sink_batch b = { .n_files = 1,
                            .files = &file,
                            .policy = &d.policy,
                            .secret = drive_secret,
                            .may_send = may_send,
                            .ctx = &d };
    enum delivery how;

    if (argc != 7 || sodium_init() < 0)
        return 64;
    d.home = b.home = argv[1];
    drive_policy(&d, argv[2]);
    b.writer = argv[4];
    b.name = argv[5];
    snprintf(file.name, sizeof file.name, "%s", argv[5]);
    file.fd = open(argv[6], O_RDONLY | O_CLOEXEC);
    digest(&file);
    how = strcmp(argv[3], "look") == 0 ? sink_look(d.policy.sink, &b, words)
                                       : sink_deliver(d.policy.sink, &b, words);
    printf("%s %s\n", names[how], words);
    return 0;
}
