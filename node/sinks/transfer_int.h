/* transfer_int.h - one connection of libcurl's to the sink's host: what http.c and sftp.c share.
 *
 * Never without a check of who answers, never through a proxy of the environment, never elsewhere
 * by redirection; given up when nothing moves for the sink's quiet time, or when the lease under
 * which it was begun ends. So what is under way when an uploader dies is over when its successor
 * looks. */
#ifndef TIDEOVER_TRANSFER_INT_H
#define TIDEOVER_TRANSFER_INT_H

#include <stdio.h>

#include <curl/curl.h>
#include <sodium.h>

#include "put.h"
#include "reach.h"
#include "sink.h"
#include "url.h"

struct transfer {
    CURL *curl;
    struct sink_batch *b;
    struct url to;
    char detail[CURL_ERROR_SIZE]; /* libcurl's own words, of the last perform */
    struct reach reach;
    uint32_t quiet_ms;
    enum { TRANSFER_WENT_ON, TRANSFER_STALLED, TRANSFER_TOO_LATE } gave_up;
    curl_off_t moved; /* bytes both ways, and when that number last grew */
    uint64_t moved_ms;
    bool sending; /* may only go on while the lease is ours */
    FILE *from;   /* what is being sent */
    struct {      /* what is being read */
        crypto_hash_sha256_state sha;
        uint64_t bytes, most; /* of more than most no byte is taken */
    } in;
};

/* DONE, or RETRY and STOP with words. Ends with transfer_free() in any case. */
enum delivery transfer_begin(struct transfer *t, struct sink_batch *b, char words[256]);
void transfer_free(struct transfer *t);
/* The options that every request has; those of the last one are gone. */
void transfer_reset(struct transfer *t);
/* The URL of a name within the sink's directory; "": of the directory itself, '/' at its end. */
bool transfer_aim(struct transfer *t, const char *name);
CURLcode transfer_run(struct transfer *t);
/* Why it ended as it did, for people: at most 160 bytes, clean text. */
void transfer_why(const struct transfer *t, CURLcode rc, char out[160]);

/* The payload of f is what the next request sends, from its beginning. */
bool transfer_send_file(struct transfer *t, const struct sink_file *f);
/* What comes is compared with f's payload; the same after it came. */
void transfer_read(struct transfer *t, const struct sink_file *f);
bool transfer_is_equal(struct transfer *t, const struct sink_file *f);

#endif
