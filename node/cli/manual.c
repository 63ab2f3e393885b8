/* manual.c - `tideover manual PAGE`: the manual pages, in man(7), out of the same tables that
 * parse and help. The package makes its files with it. */
#include "cli_int.h"

#include <string.h>

#include "conf.h"
#include "policy.h"

/* One line of text, so that roff takes no part of it for a request or an escape. */
static void roff(const char *s, size_t n)
{
    if (n > 0 && (*s == '.' || *s == '\''))
        fputs("\\&", stdout);
    for (; n > 0; s++, n--) {
        if (*s == '\\')
            fputs("\\e", stdout);
        else if (*s == '-')
            fputs("\\-", stdout);
        else
            putchar(*s);
    }
}

static void line(const char *s)
{
    roff(s, strlen(s));
    putchar('\n');
}

/* As it stands, line by line. */
static void verbatim(const char *s, size_t n)
{
    puts(".nf");
    while (n > 0) {
        const char *end = memchr(s, '\n', n);
        size_t len = end != NULL ? (size_t)(end - s) : n;
        roff(s, len);
        putchar('\n');
        s += len + (end != NULL);
        n -= len + (end != NULL);
    }
    puts(".fi");
}

static void title(const char *name, const char *section, const char *what)
{
    printf(".TH %s %s \"\" \"tideover %s\"\n.SH NAME\n", name, section, TIDEOVER_VERSION);
    line(what);
}

static void option(enum cli_opt o)
{
    const struct option_row *row = option_row(o);
    const char *s = row->help;

    printf(".TP\n.B \\-\\-");
    roff(row->name, strlen(row->name));
    printf("%s%s\n", row->value != NULL ? " " : "", row->value != NULL ? row->value : "");
    while (*s != '\0') { /* the help's own line ends are of the screen's width */
        size_t n = strcspn(s, "\n");
        roff(s, n);
        putchar('\n');
        s += n + (s[n] == '\n');
        s += strspn(s, " ");
    }
}

static void one_command(const struct command *c)
{
    printf(".SS ");
    roff(c->verb, strlen(c->verb));
    printf("%s%s%s%s\n", c->object != NULL ? " " : "", c->object != NULL ? c->object : "",
           c->args != NULL ? " " : "", c->args != NULL ? c->args : "");
    printf("%c", c->help[0] >= 'a' && c->help[0] <= 'z' ? c->help[0] - 'a' + 'A' : c->help[0]);
    roff(c->help + 1, strlen(c->help + 1));
    puts(".");
    for (unsigned i = 0; i < NEEDS_MAX && c->needs[i] != OPT_NONE; i++)
        option(c->needs[i]);
    for (unsigned i = 0; i < TAKES_MAX && c->takes[i] != OPT_NONE; i++)
        if (c->takes[i] != OPT_JSON)
            option(c->takes[i]);
    puts(".PP");
    verbatim(c->examples, strlen(c->examples));
}

static void exit_codes(void)
{
#define NAME(name, text, exit_code) { exit_code, text },
    static const struct {
        int code;
        const char *text;
    } rows[] = { ERR_MAP(NAME) };
#undef NAME
    bool said[128] = { false };

    puts(".SH \"EXIT STATUS\"\n.TP\n.B 0\ndone\n.TP\n.B 2\nmerge: done, and its report names "
         "something to look at");
    for (int code = 1; code < 128; code++)
        for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            if (rows[i].code != code)
                continue;
            if (!said[code])
                printf(".TP\n.B %d\n", code);
            else
                puts(".br");
            said[code] = true;
            line(rows[i].text);
        }
    puts(".PP\nOf\n.BR check :\n0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.");
}

static void page_program(void)
{
    static const enum cli_opt always[] = { OPT_STATE, OPT_QUIET, OPT_NO_COLOR, OPT_HELP,
                                           OPT_VERSION };

    title("TIDEOVER", "1", "tideover - carries a library branch over an outage of its server");
    puts(".SH SYNOPSIS\n.B tideover\n[\\fB\\-\\-state\\fR \\fIDIR\\fR] \\fIVERB\\fR "
         "[\\fIOBJECT\\fR] "
         "[\\fIOPTIONS\\fR]\n.SH DESCRIPTION");
    line("Each circulation desk of a branch runs a node (tideover node). It records checkouts, "
         "discharges, renewals and new users durably while the library's server is away, and "
         "shares them, encrypted, with the other desks of the branch. Once the server is back, one "
         "elected desk uploads one merged log. Without a verb: status.");
    puts(".PP");
    line("Most verbs take --json, for scripts: one object with \"schema\":1.");
    puts(".SH OPTIONS");
    for (unsigned i = 0; i < sizeof always / sizeof always[0]; i++)
        option(always[i]);
    puts(".SH COMMANDS");
    for (unsigned i = 0; i < n_commands; i++)
        one_command(&commands[i]);
    exit_codes();
    puts(".SH ENVIRONMENT\n.TP\n.B TIDEOVER_STATE\nthe state directory, where \\-\\-state is not "
         "given; else \\fI/var/lib/tideover\\fR, if the package made it, else "
         "\\fI$XDG_STATE_HOME/tideover\\fR, else \\fI~/.local/state/tideover\\fR\n"
         ".TP\n.B CREDENTIALS_DIRECTORY\nwhere secrets of sinks are looked up first "
         "(systemd.exec(5))\n.TP\n.B NO_COLOR\nno colours on a terminal");
    puts(".SH FILES\n.TP\n.I tideover.conf\nin the state directory: this PC; "
         "tideover.conf(5)\n.TP\n.I run/\ntokens of the node that runs; as a service also\n.IR "
         "/run/tideover/ ,\nwhat desk staff may read\n.TP\n.I credentials/\n"
         "secrets, mode 0600\n.SH \"SEE ALSO\"\n.BR tideover.conf (5),\n.BR tideover\\-policy (5)");
}

static void page_conf(void)
{
    struct buf b = { 0 };

    title("TIDEOVER.CONF", "5", "tideover.conf - settings of one desk's PC");
    puts(".SH DESCRIPTION");
    line("Lies in the state directory; init and join write it. INI in UTF-8: lines that begin with "
         "# are comments, times and sizes carry their unit. A key or section that is not known, or "
         "stands twice, is an error that names the line. What follows is the file with every key "
         "and its default. What decides the upload is the same on every desk, and stands in the "
         "branch's policy: tideover-policy(5).");
    puts(".SH KEYS");
    conf_default_text("MAIN-1", NULL, NULL, &b);
    verbatim((const char *)b.p, b.len);
    puts(".SH \"SEE ALSO\"\n.BR tideover (1),\n.BR tideover\\-policy (5)");
    buf_free(&b);
}

static void page_policy(void)
{
    struct buf b = { 0 };

    title("TIDEOVER-POLICY", "5", "tideover-policy - what decides the upload, for a whole branch");
    puts(".SH DESCRIPTION");
    line("A lead signs and publishes it (tideover policy publish FILE); every desk then has it "
         "(tideover policy show). INI in UTF-8, as tideover.conf(5). What follows is the policy "
         "with "
         "which a branch begins: every key, its default, and what it is for.");
    puts(".SH KEYS");
    policy_default_text("MAIN", "America/New_York", "EST5EDT,M3.2.0,M11.1.0", &b);
    verbatim((const char *)b.p, b.len);
    puts(".SH \"SEE ALSO\"\n.BR tideover (1),\n.BR tideover.conf (5)");
    buf_free(&b);
}

int cmd_manual(struct cli *c)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } pages[] = { { "tideover", page_program },
                  { "tideover.conf", page_conf },
                  { "tideover-policy", page_policy } };
    const char *asked = c->argc > 0 ? c->argv[0] : "tideover";

    for (unsigned i = 0; i < sizeof pages / sizeof pages[0]; i++)
        if (strcmp(pages[i].name, asked) == 0) {
            pages[i].print();
            return 0;
        }
    return cli_usage(c, "the pages are tideover, tideover.conf and tideover-policy");
}
