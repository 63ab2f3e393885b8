/* test_policy.c - the INI reader, the policy's keys, patterns and the check digit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "ini_int.h"
#include "policy.h"

#define BRANCH                                                                                     \
    "[branch]\ncode = MAIN\nzone = America/New_York\nzone_rule = EST5EDT,M3.2.0,M11.1.0\n"

static void parses(const char *text, struct policy *p)
{
    struct errmsg m = { .text = "" };

    if (policy_parse(text, strlen(text), p, &m) != ERR_OK)
        fail_msg("%s", m.text);
}

static void refuses(const char *text, const char *because)
{
    static struct policy p, before;
    struct errmsg m = { .text = "" };

    memset(&p, 0x5a, sizeof p);
    before = p;
    assert_int_equal(policy_parse(text, strlen(text), &p, &m), ERR_CONFIG);
    if (strstr(m.text, because) == NULL)
        fail_msg("said: %s; wanted: %s", m.text, because);
    assert_memory_equal(&p, &before, sizeof p);
}

static void three_keys_are_enough_and_the_rest_has_defaults(void **state)
{
    static struct policy p;

    (void)state;
    parses(BRANCH, &p);
    assert_string_equal(p.code, "MAIN");
    assert_int_equal(p.rules, 1);
    assert_int_equal(p.zone.std_off_s, -5 * 3600);
    assert_string_equal(p.user_pattern, "2[0-9]{13}");
    assert_int_equal(p.user_digit, DIGIT_MOD10);
    assert_int_equal(p.item_digit, DIGIT_MOD10);
    assert_int_equal(p.double_scan_ms, 5000);
    assert_int_equal(p.same_event_ms, 60000);
    assert_int_equal(p.discharges, DISCHARGES_HOLD);
    assert_string_equal(p.probe, "none");
    assert_int_equal(p.offline_after, 3);
    assert_int_equal(p.back_after, 5);
    assert_string_equal(p.sink, "none");
    assert_string_equal(p.format, "symphony");
    assert_int_equal(p.quiet_ms, QUIET_BY_CLASS);
    assert_string_equal(p.symphony.library, "MAIN");
    assert_string_equal(p.symphony.staff_login, "MAINCIRC");
    assert_string_equal(p.symphony.user_access, "OFFLINE");
    assert_true(p.symphony.header && p.symphony.trailer && !p.symphony.crlf);
    assert_string_equal(p.symphony.due_time, "23:59");
    assert_int_equal(p.symphony.registration, REGISTRATION_FLAT);
    assert_int_equal(p.symphony.user_years, 2);
    assert_false(p.symphony.write_pin);
    assert_int_equal(policy_station(&p, "MAIN-1"), 0);
}

static void every_key_is_stored_in_its_place(void **state)
{
    static struct policy p;

    (void)state;
    parses(
        "\xef\xbb\xbf# with a BOM, CRLF and tabs\r\n"
        "[policy]\r\nrules=1\r\n" BRANCH
        "[scan]\nuser_pattern : U[0-9]{4}\nitem_pattern\t=\tI[0-9]{2,6}\ncheck_digit = none\n"
        "[merge]\ndouble_scan = 500ms\nsame_event = 2m\ndischarges = export\n"
        "[server]\nprobe = https://ils.example.org/health?a=1#b\nbackup = tcp:10.0.0.1:6001\n"
        "offline_after = 1\nback_after = 9\n"
        "[upload]\nsink = file:/srv/tideover/out dir\nformat = symphony\nquiet = 1h\n"
        "[symphony]\nlibrary = RVR\nuser_access = STANDALONE\nstaff_login = DESK ONE\n"
        "clearance = ALL\nclient = 6\nheader = none\ntrailer = no\neol = crlf\ndue_code = WH\n"
        "due_time =\nregistration = jy\nuser_profile = CHILD\nuser_language = SPANISH\n"
        "user_environment = STAFF\nuser_hist_rule = ALLCHARGES\nuser_years = 0\nwrite_pin = yes\n"
        "default_station = 7\ncity_tag = CITY/PROV\npostcode_tag = POSTALCODE\n"
        "email_tag = EMAIL2\nuser_clearance = NONE\n"
        "[stations]\nMAIN-1 = 42\nKids Desk = 0043\n",
        &p);
    assert_int_equal(p.user_digit, DIGIT_NONE);
    assert_int_equal(p.item_digit, DIGIT_NONE);
    assert_string_equal(p.user_pattern, "U[0-9]{4}");
    assert_string_equal(p.item_pattern, "I[0-9]{2,6}");
    assert_int_equal(p.double_scan_ms, 500);
    assert_int_equal(p.same_event_ms, 120000);
    assert_int_equal(p.discharges, DISCHARGES_EXPORT);
    assert_string_equal(p.probe, "https://ils.example.org/health?a=1#b");
    assert_string_equal(p.probe_backup, "tcp:10.0.0.1:6001");
    assert_int_equal(p.offline_after, 1);
    assert_int_equal(p.back_after, 9);
    assert_string_equal(p.sink, "file:/srv/tideover/out dir");
    assert_int_equal(p.quiet_ms, 3600000);
    assert_string_equal(p.symphony.library, "RVR");
    assert_string_equal(p.symphony.staff_login, "DESK ONE");
    assert_string_equal(p.symphony.clearance, "ALL");
    assert_string_equal(p.symphony.client, "6");
    assert_true(!p.symphony.header && !p.symphony.trailer && p.symphony.crlf);
    assert_string_equal(p.symphony.due_code, "WH");
    assert_string_equal(p.symphony.due_time, "");
    assert_int_equal(p.symphony.registration, REGISTRATION_JY);
    assert_string_equal(p.symphony.user_profile, "CHILD");
    assert_string_equal(p.symphony.user_language, "SPANISH");
    assert_string_equal(p.symphony.user_environment, "STAFF");
    assert_string_equal(p.symphony.user_hist_rule, "ALLCHARGES");
    assert_int_equal(p.symphony.user_years, 0);
    assert_string_equal(p.symphony.address_tag[TAG_STREET], "STREET");
    assert_string_equal(p.symphony.address_tag[TAG_CITY], "CITY/PROV");
    assert_string_equal(p.symphony.address_tag[TAG_POSTCODE], "POSTALCODE");
    assert_string_equal(p.symphony.address_tag[TAG_EMAIL], "EMAIL2");
    assert_string_equal(p.symphony.user_clearance, "NONE");
    assert_true(p.symphony.write_pin);
    assert_int_equal(policy_station(&p, "MAIN-1"), 42);
    assert_int_equal(policy_station(&p, "Kids Desk"), 43);
    assert_int_equal(policy_station(&p, "BUS"), 7);
}

/* What only some sinks need, and what none may do. */
static void a_sink_that_cannot_be_reached_so_is_refused(void **state)
{
#define XACTS    "[evergreen]\nregistration = none\n"
#define UPLOAD   BRANCH "[upload]\n"
#define HOST_KEY "host_key_sha256 = SHA256:Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYm/\n"
#define PIN      "[symphony]\nwrite_pin = yes\n"
    static const struct {
        const char *text, *complaint;
    } bad[] = {
        { UPLOAD "credential = ../upload\n", "name of a credential" },
        { UPLOAD "credential = .hidden\n", "name of a credential" },
        { UPLOAD "credential = ils.password\n", "name of a credential" },
        { UPLOAD "ca = /etc/ca.pem\n", "name of a credential" },
        { UPLOAD "host_key_sha256 = SHA256:short\n", "must be SHA256:" },
        { UPLOAD "host_key_sha256 = MD5:0123456789012345678901234567890123456789abc\n",
          "must be SHA256:" },
        { UPLOAD "proxy = https://proxy:1\n", "must be http://HOST:PORT" },
        { UPLOAD "proxy = http://proxy\n", "must be http://HOST:PORT" },
        { UPLOAD "proxy = http://me:secret@proxy:1\n", "must be http://HOST:PORT" },
        { UPLOAD "sink = https:/srv\n", "form like https://" },
        { UPLOAD "sink = put:/srv\n", "form like https://" },
        { UPLOAD "sink = put:sftp://a@h/x\n", "https:// behind the word" },
        { UPLOAD "sink = koha:sip2://h:1\n", "https:// behind the word" },
        { UPLOAD "sink = ftp://h/x\n", "this version knows" },
        { UPLOAD "sink = https://me@h/x\n", "others must not have one" },
        { UPLOAD "sink = https://me:pw@h/x\n", "password may not stand in it" },
        { UPLOAD "sink = sftp://h/in\n", "needs the user's name" },
        { UPLOAD "sink = sftp://u@h/\n", "needs a directory" },
        { UPLOAD "sink = sftp://u@h/a%20b\n", "needs a directory" },
        { UPLOAD "sink = sftp://u@h/in\n", "needs host_key_sha256" },
        { UPLOAD "sink = sftp://u@h/in\n" HOST_KEY, "needs a credential" },
        { UPLOAD "sink = http://h/in/\n", "not encrypted" },
        { UPLOAD "sink = put:http://127.evil.example/in/\n", "not encrypted" },
        { UPLOAD "sink = http://h/in/\ninsecure = yes\n" PIN, "PINs never leave" },
        { UPLOAD "sink = sip2://h:6001\n", "use sip2s://" },
        { UPLOAD "sink = sip2s://h:6001\n", "needs format = sip2" },
        { UPLOAD "sink = sip2s://h:6001\nformat = sip2\n", "needs a credential" },
        { UPLOAD "sink = sip2://h:6001\ninsecure = yes\n" PIN, "PINs never leave" },
        { UPLOAD "sink = http://h/in/\ninsecure = yes\n[csv]\nwrite_pin = yes\n", "in [csv], but" },
        { UPLOAD "sink = http://h/in/\ninsecure = yes\n[ndjson]\nwrite_pin = yes\n",
          "in [ndjson], but" },
        { UPLOAD "sink = http://h/in/\ninsecure = yes\n[evergreen]\nwrite_pin = yes\n",
          "in [evergreen], but" },
        { UPLOAD "insecure = maybe\n", "no or yes" },
        { UPLOAD "sink = evergreen:https://h\n", "needs format = evergreen" },
        { UPLOAD "sink = evergreen:https://h\nformat = evergreen\n" XACTS, "needs a credential" },
        { UPLOAD "sink = evergreen:https://h\nformat = evergreen\ncredential = c\n" XACTS,
          "needs org" },
        { UPLOAD "sink = koha:https://h\n", "needs format = koha" },
        { UPLOAD "sink = koha-plugin:https://h\nformat = koha-json\n", "needs format = koha" },
        { UPLOAD "sink = koha:https://h\nformat = koha\n", "needs a credential" },
        { BRANCH XACTS "org = 0\n", "1 to" },
        { BRANCH XACTS "patience = 10ms\n", "from 1000ms" },
        { BRANCH "[koha]\nservice_time = zulu\n", "utc or local" },
        { BRANCH "[koha]\nlogin = kerberos\n", "basic or oauth" },
        { BRANCH "[koha]\nbranchcode = a b\n", "only A-Z" },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refuses(bad[i].text, bad[i].complaint);
}

static void what_a_sink_needs_is_read(void **state)
{
    static struct policy p;

    (void)state;
    parses(BRANCH, &p);
    assert_string_equal(p.access.proxy, "none");
    assert_string_equal(p.access.credential, "");
    parses(UPLOAD "credential = upload\nca = my\nproxy = http://p:3128\ninsecure = yes\n"
                  "host_key_sha256 = SHA256:Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYm/\n",
           &p);
    assert_string_equal(p.access.credential, "upload");
    assert_string_equal(p.access.ca, "my");
    assert_true(p.access.insecure);
    parses(UPLOAD "sink = http://127.0.0.1:8080/in/\n" PIN, &p);
    parses(UPLOAD "sink = put:http://[::1]/in/\n", &p);
    parses(UPLOAD "sink = http://h/in/\ninsecure = yes\n", &p);
    parses(UPLOAD "sink = key:https://h/in/\n" PIN, &p);
    parses(UPLOAD "sink = sftp://u@h:22/~/in\ncredential = drop\n" HOST_KEY, &p);
    assert_string_equal(p.sink, "sftp://u@h:22/~/in");
}

static void the_default_text_is_a_whole_policy(void **state)
{
    static struct policy p, plain;
    struct buf b = { 0 };

    (void)state;
    policy_default_text("MAIN", "America/New_York", "EST5EDT,M3.2.0,M11.1.0", &b);
    assert_false(b.failed);
    assert_true(b.len < POLICY_TEXT_MAX);
    assert_int_equal(strlen((char *)b.p), b.len);
    memset(&p, 0, sizeof p);
    parses((char *)b.p, &p);
    parses(BRANCH, &plain);
    assert_memory_equal(&p.symphony, &plain.symphony, sizeof p.symphony);
    assert_string_equal(p.sink, "none");
    buf_free(&b);
}

static void an_unknown_name_is_refused_with_its_line_and_the_nearest(void **state)
{
    (void)state;
    refuses(BRANCH "[merge]\ndouble_scam = 5s\n",
            "line 6: unknown key \"double_scam\" in [merge]; did you mean \"double_scan\"?");
    refuses(BRANCH "[merge]\nquiet = 5s\n", "in [merge]; it belongs in [upload]");
    refuses(BRANCH "[merge]\nfrobnicate = 5s\n", "unknown key \"frobnicate\" in [merge]");
    refuses(BRANCH "[symphony]\ncity_tag = ZIP\n", "has the tag ZIP for two fields");
    refuses(BRANCH "[symphony]\ncity_tag = USER_ID\n", "must be a tag like CITY/PROV");
    refuses(BRANCH "[symphony]\ncity_tag = city\n", "must be a tag like CITY/PROV");
    refuses(BRANCH "[scann]\n", "line 5: unknown section [scann]; did you mean [scan]?");
    refuses(BRANCH "[nonsense]\nx = 1\n", "line 5: unknown section [nonsense]");
    refuses("code = MAIN\n", "line 1: a key before the first [section]");
    refuses(BRANCH "[Scan]\n", "unknown section [Scan]; did you mean [scan]?");
    refuses(BRANCH "[retention]\nuploaded = 30d\n", "unknown section"); /* not known yet */
}

static void what_libinih_would_misread_is_refused(void **state)
{
    static char text[8192];
    struct policy p;

    (void)state;
    refuses(BRANCH "[merge]\ndouble_scan = 5s # five\n", "line 6");
    refuses(BRANCH "[merge]\ndouble_scan = 5s\n  6s\n", "line 7: this is neither");
    refuses(BRANCH "code = MAIN\n", "line 5: \"code\" in [branch] is there twice");
    refuses(BRANCH "[merge] # comment\n", "line 5: a section looks like");
    refuses(BRANCH "[merge\n", "line 5: a section looks like");
    refuses(BRANCH "[server]\nprobe = http://a/\x01\n", "line 6: there is a control byte");
    refuses(BRANCH "# \xe9t\xe9\n",
            "line 5: there is a control byte in the line, or it is not UTF-8");
    refuses(BRANCH "# a\rb\n", "line 5: there is a control byte");
    sprintf(text, "%s[server]\nprobe = http://", BRANCH);
    memset(text + strlen(text), 'a', 4100);
    refuses(text, "line 6: the line is longer than 4000 bytes");
    memset(text, 0, sizeof text);
    sprintf(text, "%s#", BRANCH);
    memset(text + strlen(text), ' ', 3999);
    parses(text, &p); /* exactly 4000, without LF */
    memcpy(text, "[branch]\ncode = A\0B\n", 20);
    assert_int_equal(policy_parse(text, 20, &p, NULL), ERR_CONFIG); /* a NUL */
    memset(text, 0, sizeof text);
    sprintf(text, "%s[server]\nprobe = http://", BRANCH);
    memset(text + strlen(text), 'a', 240);
    parses(text, &p); /* longer than libinih's own 199 */
    assert_int_equal(strlen(p.probe), 247);
    strcat(text, "aaaaaaaaa");
    refuses(text, "line 6: \"probe\" in [server]: is longer than 255 bytes");
}

static void a_value_that_cannot_be_is_refused_in_words(void **state)
{
    static const char *const rows[][2] = {
        { "[policy]\nrules = 2\n", "must be a number from 1 to 1" },
        { "[policy]\nrules = -1\n", "must be a number" },
        { "[policy]\nrules = 99999999999999999999\n", "must be a number" },
        { "[symphony]\nfile_name = ../x\n", "is the name of one file" },
        { "[upload]\nsink = file:/srv/out\n[symphony]\nfile_name = standlog.901\n",
          "needs a sink that a loader empties" },
        { "[upload]\nsink = drop:MAIN-1:/srv/in\n[symphony]\nfile_name = standlog.901\n",
          "registration must be jy or none" },
        { "[scan]\nuser_pattern = \\d+\n", "a pattern is made of" },
        { "[scan]\nuser_pattern =\n", "a pattern is made of" },
        { "[scan]\ncheck_digit = luhn\n", "must be none or mod10" },
        { "[merge]\ndouble_scan = 5\n", "must be a time with its unit" },
        { "[merge]\ndouble_scan = 5 s\n", "must be a time with its unit" },
        { "[merge]\ndouble_scan = 2h\n", "must be from 0ms to 3600s" },
        { "[merge]\ndischarges = drop\n", "must be hold or export" },
        { "[server]\nprobe = sip2://ils\n", "must be tcp:HOST:PORT" },
        { "[server]\nprobe = sip2://ils:6001\n", "send its password for everybody" },
        { "[server]\nprobe = tcp:ils\n", "must be tcp:HOST:PORT" },
        { "[server]\nprobe = tcp:ils:0\n", "must be tcp:HOST:PORT" },
        { "[server]\nprobe = tcp:ils:65536\n", "must be tcp:HOST:PORT" },
        { "[server]\nprobe = http://\n", "must be tcp:HOST:PORT" },
        { "[server]\noffline_after = 0\n", "must be a number from 1" },
        { "[upload]\nsink = ftp://x/\n", "this version knows file:DIR" },
        { "[upload]\nsink = file:out\n", "needs an absolute directory" },
        { "[upload]\nsink = none of them\n", "this version knows file:DIR" },
        { "[upload]\nformat = koc\n", "this version knows symphony" },
        { "[upload]\nformat = ldflat\n", "ldflat does not carry loans" },
        { "[upload]\nformat = ldflat\n", "ldflat does not carry loans" },
        { "[symphony]\nlibrary = ../x\n", "only A-Z" },
        { "[symphony]\nlibrary = ABCDEFGHIJKLMNOP\n", "is longer than 15 bytes" },
        { "[symphony]\nstaff_login = A^B\n", "only plain ASCII" },
        { "[symphony]\nstaff_login =\n", "needs a value" },
        { "[symphony]\nheader = yes\n", "must be none or E" },
        { "[symphony]\ntrailer = true\n", "must be no or yes" },
        { "[symphony]\ndue_code = CX\n", "must be CF or WH" },
        { "[symphony]\ndue_time = 24:00\n", "must be a time like 23:59" },
        { "[symphony]\ndue_time = 9:30\n", "must be a time like 23:59" },
        { "[symphony]\nregistration = yes\n", "must be flat or jy or none" },
        { "[stations]\nA = 0\n", "\"A\" in [stations]: must be a number from 1 to 9999" },
        { "[stations]\nA = 10000\n", "must be a number from 1 to 9999" },
        { "[stations]\nA = 1\nA = 2\n", "line 7: \"A\" in [stations]: the desk is there twice" },
        { "[stations]\nABCDEFGHIJKLMNOPQRSTUVWXY = 1\n", "at most 24 bytes" },
    };
    char text[512];

    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sprintf(text, "%s%s", BRANCH, rows[i][0]);
        refuses(text, rows[i][1]);
    }
    refuses("[branch]\ncode = main\n", "only A-Z");
    refuses("[branch]\ncode = MAIN\nzone_rule = EST\n", "line 3: \"zone_rule\" in [branch]: zone");
    refuses("[branch]\ncode = MAIN\nzone = X\n", "the policy needs \"zone_rule\"");
    refuses("[branch]\nzone = X\nzone_rule = UTC0\n", "the policy needs \"code\"");
    refuses("[branch]\ncode = A\nzone_rule = UTC0\n", "the policy needs \"zone\"");
    refuses("", "the policy needs");
}

static void the_stations_table_is_bounded(void **state)
{
    struct buf b = { 0 };
    static struct policy p;
    struct errmsg m;

    (void)state;
    buf_text(&b, BRANCH "[stations]\n");
    for (unsigned i = 0; i < POLICY_STATIONS; i++)
        buf_printf(&b, "DESK-%u = %u\n", i, i + 1);
    assert_int_equal(policy_parse((char *)b.p, b.len, &p, &m), ERR_OK);
    assert_int_equal(policy_station(&p, "DESK-255"), 256);
    buf_text(&b, "ONE-MORE = 1\n");
    assert_int_equal(policy_parse((char *)b.p, b.len, &p, &m), ERR_CONFIG);
    assert_non_null(strstr(m.text, "the table holds 256 desks"));
    while (b.len <= POLICY_TEXT_MAX)
        buf_text(&b, "#\n");
    assert_int_equal(policy_parse((char *)b.p, b.len, &p, &m), ERR_CONFIG);
    assert_non_null(strstr(m.text, "at most 16384 bytes"));
    buf_free(&b);
}

static void truncated_or_random_text_never_crashes(void **state)
{
    static struct policy p;
    struct buf b = { 0 };
    uint32_t seed = 3;

    (void)state;
    policy_default_text("MAIN", "Etc/UTC", "UTC0", &b);
    for (size_t n = 0; n < b.len; n++) {
        char *cut = malloc(n + 1); /* exact size, for the sanitizer; +1 because malloc(0) */

        memcpy(cut, b.p, n);
        (void)policy_parse(cut, n, &p, NULL);
        free(cut);
    }
    for (unsigned round = 0; round < 3000; round++) {
        size_t at;
        uint8_t old;

        seed = seed * 1664525 + 1013904223;
        at = (seed >> 8) % b.len;
        old = b.p[at];
        b.p[at] = (uint8_t)seed;
        (void)policy_parse((char *)b.p, b.len, &p, NULL);
        b.p[at] = old;
    }
    buf_free(&b);
}

struct sample {
    uint32_t ms;
    char name[8];
};

static void the_reader_names_the_file_and_reads_times(void **state)
{
    static const struct ini_key rows[] = {
        { "node", "wait", ini_ms, offsetof(struct sample, ms), 4, 1, 0, NULL },
        { "desk", "due_buttons", ini_text, offsetof(struct sample, name), 8, 0, 0, NULL },
    };
    static const char bad[] = "\n\n[desk]\n# x\n;y\ndue_button = 7\n";
    static const char good[] = "[node]\nwait = 30d\n[node]\n[desk]\n";
    struct sample s = { 0 };
    struct errmsg m;

    (void)state;
    assert_int_equal(ini_read("tideover.conf", bad, sizeof bad - 1, rows, 2, &s, &m), ERR_CONFIG);
    assert_string_equal(m.text, "tideover.conf:6: unknown key \"due_button\" in [desk]; "
                                "did you mean \"due_buttons\"?");
    assert_int_equal(ini_read("tideover.conf", good, sizeof good - 1, rows, 2, &s, &m), ERR_OK);
    assert_int_equal(s.ms, 2592000000u);
    assert_int_equal(ini_read(NULL, "[node]\nwait = 50\n", 17, rows, 2, &s, &m), ERR_CONFIG);
    assert_string_equal(m.text, "line 2: \"wait\" in [node]: must be a time with its unit, "
                                "like 500ms, 5s, 30m or 2h");
    assert_int_equal(ini_read(NULL, "[node]\nwait = 50d\n", 18, rows, 2, &s, NULL), ERR_CONFIG);
    assert_int_equal(
        ini_read(NULL, "[node]\nwait = 18446744073709551615d\n", 36, rows, 2, &s, NULL),
        ERR_CONFIG);
    assert_int_equal(edit_distance("kitten", "sitting"), 3);
}

static void a_pattern_matches_the_whole_barcode(void **state)
{
    (void)state;
    assert_true(pattern_matches("2[0-9]{13}", "29999000001016"));
    assert_false(pattern_matches("2[0-9]{13}", "2999900000101"));
    assert_false(pattern_matches("2[0-9]{13}", "299990000010160"));
    assert_false(pattern_matches("2[0-9]{13}", "39999000005015"));
    assert_true(pattern_matches("AB[0-9A-F]{2,4}Z", "ABFFZ"));
    assert_true(pattern_matches("AB[0-9A-F]{2,4}Z", "AB01FFZ"));
    assert_false(pattern_matches("AB[0-9A-F]{2,4}Z", "AB01FF0Z"));
    assert_true(pattern_matches("a{0,1}b", "b"));
    assert_true(pattern_matches("[+-][.$]", "-$"));
    assert_false(pattern_matches("A", ""));
    assert_false(pattern_matches("A", "\xc3\x81"));
    assert_false(pattern_matches("[", "["));
}

static void an_ambiguous_pattern_costs_no_more(void **state)
{
    (void)state;
    assert_true(pattern_matches("a{0,32}a{0,32}a{0,32}a{0,32}a{0,32}a{0,32}",
                                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    assert_false(pattern_matches("a{0,32}a{0,32}a{0,32}a{0,32}a{0,32}a{0,32}",
                                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
    assert_false(pattern_matches("a{0,99}", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")); /* 33 */
}

static void what_a_browser_would_read_otherwise_is_no_pattern(void **state)
{
    static const char *const bad[] = { "",      "\\d",    "a*",     "a+",    "a?",    ".",
                                       "(a)",   "a|b",    "^a",     "a$",    "[^a]",  "[]",
                                       "[a",    "[z-a]",  "a{",     "a{}",   "a{2",   "a{2,",
                                       "a{2,}", "a{3,2}", "a{100}", "a{0}",  "{2}",   "a{1}{2}",
                                       "]",     "a}",     "[a-]-]", "[\\]]", "[--a]", "\xc3\xa9" };

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (pattern_is_valid(bad[i]))
            fail_msg("%s is valid", bad[i]);
    assert_true(pattern_is_valid("[a-]"));
    assert_true(pattern_is_valid("[-a]"));
    assert_true(pattern_is_valid("A 1/%-"));
}

static void the_check_digit_is_luhns(void **state)
{
    (void)state;
    assert_true(mod10_is_valid("39999000005015"));
    assert_true(mod10_is_valid("29999000001016"));
    assert_false(mod10_is_valid("29999000001017"));
    assert_false(mod10_is_valid("29999000010016"));
    assert_false(mod10_is_valid("2999900000101X"));
    assert_false(mod10_is_valid(""));
    assert_false(mod10_is_valid("0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_keys_are_enough_and_the_rest_has_defaults),
        cmocka_unit_test(every_key_is_stored_in_its_place),
        cmocka_unit_test(a_sink_that_cannot_be_reached_so_is_refused),
        cmocka_unit_test(what_a_sink_needs_is_read),
        cmocka_unit_test(the_default_text_is_a_whole_policy),
        cmocka_unit_test(an_unknown_name_is_refused_with_its_line_and_the_nearest),
        cmocka_unit_test(what_libinih_would_misread_is_refused),
        cmocka_unit_test(a_value_that_cannot_be_is_refused_in_words),
        cmocka_unit_test(the_stations_table_is_bounded),
        cmocka_unit_test(truncated_or_random_text_never_crashes),
        cmocka_unit_test(the_reader_names_the_file_and_reads_times),
        cmocka_unit_test(a_pattern_matches_the_whole_barcode),
        cmocka_unit_test(an_ambiguous_pattern_costs_no_more),
        cmocka_unit_test(what_a_browser_would_read_otherwise_is_no_pattern),
        cmocka_unit_test(the_check_digit_is_luhns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
