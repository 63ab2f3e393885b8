/* sftp.c - files on the server's own disk, over SSH (class F2).
 *
 * Each file is written aside, read back and compared, and renamed. SFTP version 3, which libssh2
 * speaks, says that a rename onto a name that exists is an error; OpenSSH does it by link(), so
 * that of two at once only one succeeds. Where a server overwrites all the same, it can only be by
 * equal bytes: the name carries their hash. So: looked for before, renamed, compared after.
 *
 * A partial file of an earlier try is gone on with, from its end: its name is this desk's own and
 * says what is in it, and it is compared whole before it gets its final name. */
#include <string.h>

#include "credential.h"
#include "transfer_int.h"

#define ASIDE_MAX 200

struct login {
    char key[4096]; /* of the file; "": a password */
    char password[CREDENTIAL_LINE_MAX + 1];
};

struct sftp {
    struct transfer t;
    struct login login;
};

static enum delivery find_login(struct sftp *s, char words[256])
{
    struct sink_batch *b = s->t.b;
    struct errmsg msg = { .text = "" };
    enum err e = credential_find(b->home, b->policy->access.credential, "key", s->login.key, &msg);

    if (e == ERR_MISSING) {
        s->login.key[0] = '\0';
        e = b->secret(b->ctx, "password", s->login.password, &msg);
    }
    if (e == ERR_MISSING)
        snprintf(words, 256,
                 "this desk has neither %s.key nor %s.password: put one there with tideover "
                 "credential set",
                 b->policy->access.credential, b->policy->access.credential);
    else
        snprintf(words, 256, "%.255s", msg.text);
    return e == ERR_OK ? DELIVERY_DONE : DELIVERY_RETRY; /* another desk may have it */
}

/* Pinned, or nothing: without a pin libcurl takes any host. */
static bool pin_host(const struct sftp *s)
{
    const char *pin = s->t.b->policy->access.host_key_sha256;

    return strlen(pin) == 7 + 43 &&
           curl_easy_setopt(s->t.curl, CURLOPT_SSH_HOST_PUBLIC_KEY_SHA256, pin + 7) == CURLE_OK;
}

static bool set_common(struct sftp *s, const char *name)
{
    CURL *c = s->t.curl;

    transfer_reset(&s->t);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "sftp");
    curl_easy_setopt(c, CURLOPT_USERNAME, s->t.to.user);
    if (s->login.key[0] != '\0') {
        curl_easy_setopt(c, CURLOPT_SSH_AUTH_TYPES, (long)CURLSSH_AUTH_PUBLICKEY);
        curl_easy_setopt(c, CURLOPT_SSH_PRIVATE_KEYFILE, s->login.key);
    } else {
        curl_easy_setopt(c, CURLOPT_SSH_AUTH_TYPES,
                         (long)(CURLSSH_AUTH_PASSWORD | CURLSSH_AUTH_KEYBOARD));
        curl_easy_setopt(c, CURLOPT_PASSWORD, s->login.password);
    }
    return pin_host(s) && transfer_aim(&s->t, name);
}

/* ---- what went wrong ---- */

static enum delivery other_host(const struct sftp *s, char words[256])
{
    const char *theirs = strstr(s->t.detail, "Remote ");
    char shown[60] = "another";

    if (theirs)
        snprintf(shown, sizeof shown, "SHA256:%.43s", theirs + strlen("Remote "));
    snprintf(words, 256,
             "the server shows the host key %s, not the policy's: nothing was sent. If that is its "
             "ECDSA key, publish it as host_key_sha256; else somebody stands between",
             shown);
    return DELIVERY_STOP;
}

static enum delivery failed(const struct sftp *s, CURLcode rc, char words[256])
{
    char why[160], login[CREDENTIAL_LOGIN_TEXT];

    transfer_why(&s->t, rc, why);
    switch (rc) {
    case CURLE_PEER_FAILED_VERIFICATION:
        return other_host(s, words);
    case CURLE_LOGIN_DENIED:
        credential_login(s->t.b->home, s->t.b->policy, login);
        return sink_denied(login, "the server", "", words);
    case CURLE_REMOTE_ACCESS_DENIED:
        snprintf(words, 256,
                 "%s may not write or read in %.100s on the server: give it the folder, then run "
                 "the upload again",
                 s->t.to.user, s->t.to.path);
        return DELIVERY_STOP;
    case CURLE_REMOTE_FILE_NOT_FOUND: /* of what was to be written */
        snprintf(words, 256,
                 "there is no folder %.100s on the server: make it there, or publish a policy with "
                 "the right one. It is tried again by itself",
                 s->t.to.path);
        return DELIVERY_RETRY;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
        snprintf(words, 256, "the server cannot be reached: %.140s. It is tried again by itself",
                 why);
        return DELIVERY_RETRY;
    case CURLE_REMOTE_DISK_FULL:
        snprintf(words, 256, "the server's disk is full: it is tried again by itself");
        return DELIVERY_RETRY;
    default:
        snprintf(words, 256,
                 "the server does not take the file: %.140s. It is tried again by "
                 "itself",
                 why);
        return DELIVERY_RETRY;
    }
}

/* ---- single acts ---- */

/* What stands under the name, compared byte for byte. *rc: why that is unknown. */
static enum put_there look_for(struct sftp *s, const char *name, const struct sink_file *f,
                               CURLcode *rc)
{
    *rc = CURLE_FAILED_INIT;
    if (!set_common(s, name))
        return THERE_UNKNOWN;
    transfer_read(&s->t, f);
    *rc = transfer_run(&s->t);
    if (*rc == CURLE_REMOTE_FILE_NOT_FOUND)
        return THERE_NOT;
    if (*rc == CURLE_WRITE_ERROR) /* longer than ours */
        return THERE_OTHER;
    if (*rc != CURLE_OK)
        return THERE_UNKNOWN;
    return transfer_is_equal(&s->t, f) ? THERE_EQUAL : THERE_OTHER;
}

/* One command without a transfer: the directory's own URL, of which nothing is read. */
static CURLcode command(struct sftp *s, const char *text)
{
    struct curl_slist *list = curl_slist_append(NULL, text);
    CURLcode rc = CURLE_FAILED_INIT;

    if (list && set_common(s, "")) {
        curl_easy_setopt(s->t.curl, CURLOPT_NOBODY, 1L);
        curl_easy_setopt(s->t.curl, CURLOPT_QUOTE, list);
        rc = transfer_run(&s->t);
        transfer_reset(&s->t); /* before the list goes */
    }
    curl_slist_free_all(list);
    return rc;
}

/* The policy's path has neither blanks nor quotes, and our names never do. */
static CURLcode command_on(struct sftp *s, const char *verb, const char *one, const char *other)
{
    char text[2 * (POLICY_TEXT_VALUE + ASIDE_MAX) + 20];
    const char *dir = s->t.to.path;
    int n = (int)strlen(dir);

    while (n > 0 && dir[n - 1] == '/')
        n--;
    if (other)
        snprintf(text, sizeof text, "%s %.*s/%s %.*s/%s", verb, n, dir, one, n, dir, other);
    else
        snprintf(text, sizeof text, "%s %.*s/%s", verb, n, dir, one);
    return command(s, text);
}

/* What is there is gone on with. */
static CURLcode send_aside(struct sftp *s, const char *aside, const struct sink_file *f)
{
    if (!set_common(s, aside) || !transfer_send_file(&s->t, f))
        return CURLE_READ_ERROR;
    curl_easy_setopt(s->t.curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)-1);
    curl_easy_setopt(s->t.curl, CURLOPT_NEW_FILE_PERMS, 0600L);
    return transfer_run(&s->t);
}

/* ---- one file ---- */

static enum delivery write_aside(struct sftp *s, const char *aside, const struct sink_file *f,
                                 char words[256])
{
    CURLcode rc = send_aside(s, aside, f), why;
    enum put_there there;

    if (rc != CURLE_OK)
        return failed(s, rc, words);
    there = look_for(s, aside, f, &why);
    if (there == THERE_EQUAL)
        return DELIVERY_DONE;
    if (there == THERE_UNKNOWN)
        return failed(s, why, words);
    command_on(s, "*rm", aside, NULL); /* of other bytes: begun anew */
    snprintf(words, 256,
             "what arrived at the server is not what was sent: it was taken away there, and is "
             "sent again by itself");
    return DELIVERY_RETRY;
}

/* The name that counts, after it was given or refused. */
static enum delivery compare_final(struct sftp *s, const struct sink_file *f, CURLcode renamed,
                                   char words[256])
{
    CURLcode rc;
    enum put_there there = look_for(s, f->name, f, &rc);

    if (there == THERE_UNKNOWN)
        return failed(s, rc, words);
    if (there == THERE_NOT && renamed == CURLE_OK) {
        snprintf(words, 256,
                 "%.100s was put there and is gone again: files must stay in the folder. Look what "
                 "took it, and for such folders use drop:DESK:DIR",
                 f->name);
        return DELIVERY_STOP;
    }
    if (there == THERE_NOT) {
        snprintf(words, 256,
                 "the server refuses to name the file in %.100s: it is tried again by "
                 "itself",
                 s->t.to.path);
        return DELIVERY_RETRY;
    }
    return put_compared(PUT_EXCLUSIVE, there, f->name, words);
}

static enum delivery deliver_one(struct sftp *s, const struct sink_file *f, char words[256])
{
    struct sink_batch *b = s->t.b;
    char aside[ASIDE_MAX];
    enum put_there there;
    enum delivery d;
    CURLcode rc;

    /* Of this desk and no other, whichever try it is. */
    snprintf(aside, sizeof aside, ".%s.%.*s.part", f->name, (int)strcspn(b->writer, "-"),
             b->writer);
    there = look_for(s, f->name, f, &rc);
    if (there == THERE_UNKNOWN)
        return failed(s, rc, words);
    if (there == THERE_NOT) {
        if ((d = write_aside(s, aside, f, words)) != DELIVERY_DONE)
            return d;
        if (!b->may_send(b->ctx))
            return sink_too_late(words);
        rc = command_on(s, "rename", aside, f->name);
        d = compare_final(s, f, rc, words);
    } else {
        d = put_compared(PUT_EXCLUSIVE, there, f->name, words);
    }
    if (d == DELIVERY_DONE)
        command_on(s, "*rm", aside, NULL); /* of a try whose rename was not answered */
    return d;
}

static enum delivery begin(struct sftp *s, struct sink_batch *b, char words[256])
{
    enum delivery d = transfer_begin(&s->t, b, words);

    memset(&s->login, 0, sizeof s->login);
    if (d == DELIVERY_DONE)
        d = find_login(s, words);
    if (d == DELIVERY_DONE && !pin_host(s)) {
        snprintf(words, 256,
                 "this desk's libcurl cannot pin a host key, without which nothing is sent: "
                 "install one that is built with libssh2");
        d = DELIVERY_STOP;
    }
    return d;
}

static void end(struct sftp *s)
{
    transfer_free(&s->t);
    sodium_memzero(&s->login, sizeof s->login);
}

enum delivery sink_sftp_deliver(struct sink_batch *b, char words[256])
{
    struct sftp s;
    enum delivery d = begin(&s, b, words);

    for (unsigned i = 0; i < b->n_files && d == DELIVERY_DONE; i++)
        d = deliver_one(&s, &b->files[i], words);
    if (d == DELIVERY_DONE)
        sink_say_names(b, words);
    end(&s);
    return d;
}

enum put_there sink_sftp_check(struct sink_batch *b, unsigned i, char words[256])
{
    enum put_there there = THERE_UNKNOWN;
    struct sftp s;
    CURLcode rc;

    if (begin(&s, b, words) == DELIVERY_DONE) {
        there = look_for(&s, b->files[i].name, &b->files[i], &rc);
        if (there == THERE_UNKNOWN)
            failed(&s, rc, words);
    }
    end(&s);
    return there;
}
