/* hand_over.c - one hand-over to a sink, without a branch around it, for tests that kill it, cut
 * its wire and make its server misbehave.
 *
 *   hand_over HOME POLICY deliver|look WRITER NAME FILE
 *
 * POLICY is a policy's text; its sink is used. Prints "DELIVERY WORDS". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "credential.h"
#include "sink.h"

static const char *home;
static struct policy policy;

static bool may_send(void *ctx)
{
    (void)ctx;
    return getenv("TOO_LATE") == NULL;
}

static enum err secret(void *ctx, const char *kind, char out[512], struct errmsg *msg)
{
    (void)ctx;
    return credential_read(home, policy.access.credential, kind, out, msg);
}

static size_t read_file(const char *path, char *out, size_t room)
{
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(out, 1, room, f) : 0;

    if (!f || ferror(f)) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    fclose(f);
    return n;
}

static void digest(struct sink_file *f)
{
    crypto_hash_sha256_state st;
    FILE *in = fopen(f->path, "rb");
    uint8_t chunk[65536];
    size_t n;

    if (!in)
        exit(2);
    crypto_hash_sha256_init(&st);
    while ((n = fread(chunk, 1, sizeof chunk, in)) > 0) {
        crypto_hash_sha256_update(&st, chunk, n);
        f->part.bytes += n;
    }
    crypto_hash_sha256_final(&st, f->part.sha256);
    fclose(in);
}

int main(int argc, char **argv)
{
    static const char *const names[] = { "done",   "retry",    "stop", "doubt",
                                         "absent", "unproven", "later" };
    static char text[POLICY_TEXT_MAX], words[256];
    static struct sink_file file;
    struct errmsg msg = { .text = "" };
    struct sink_batch b = { .n_files = 1, .files = &file, .policy = &policy, .may_send = may_send };
    enum delivery d;
    size_t n;

    if (argc != 7 || sodium_init() < 0)
        return 64;
    home = b.home = argv[1];
    n = read_file(argv[2], text, sizeof text);
    if (policy_parse(text, n, &policy, &msg) != ERR_OK) {
        fprintf(stderr, "%s\n", msg.text);
        return 78;
    }
    b.writer = argv[4];
    b.name = argv[5];
    b.secret = secret;
    snprintf(file.name, sizeof file.name, "%s", argv[5]);
    snprintf(file.path, sizeof file.path, "%s", argv[6]);
    digest(&file);
    d = strcmp(argv[3], "look") == 0 ? sink_look(policy.sink, &b, words)
                                     : sink_deliver(policy.sink, &b, words);
    printf("%s %s\n", names[d], words);
    return 0;
}
