/* cli.c - from argv to a verb and its options. */
#include "cli_int.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ini_int.h"

#ifndef TIDEOVER_VERSION
#define TIDEOVER_VERSION "unversioned"
#endif

#define NEAR_OPTION 3

static const enum cli_opt globals[] = { OPT_STATE,    OPT_JSON, OPT_QUIET,
                                        OPT_NO_COLOR, OPT_HELP, OPT_VERSION };
#define N_GLOBALS (sizeof globals / sizeof globals[0])

static bool command_takes(const struct command *c, enum cli_opt o)
{
    for (unsigned i = 0; i < NEEDS_MAX && c->needs[i] != OPT_NONE; i++)
        if (c->needs[i] == o)
            return true;
    for (unsigned i = 0; i < TAKES_MAX && c->takes[i] != OPT_NONE; i++)
        if (c->takes[i] == o)
            return true;
    return false;
}

static unsigned put_long(struct option *v, unsigned n, enum cli_opt o)
{
    const struct option_row *row = option_row(o);

    v[n] = (struct option){ row->name, row->value != NULL ? required_argument : no_argument, NULL,
                            (int)o + 256 };
    return n + 1;
}

/* getopt's table: what every verb takes, and, if a command is given, what it takes. */
static void long_options(const struct command *c, struct option v[OPT_COUNT + 1])
{
    unsigned n = 0;

    for (unsigned i = 0; i < N_GLOBALS; i++)
        n = put_long(v, n, globals[i]);
    for (unsigned o = OPT_VERSION + 1; c != NULL && o < OPT_COUNT; o++)
        if (command_takes(c, (enum cli_opt)o))
            n = put_long(v, n, (enum cli_opt)o);
    v[n] = (struct option){ NULL, 0, NULL, 0 };
}

static int unknown_option(const struct cli *c, const struct option *v, const char *given)
{
    const char *near = NULL;
    unsigned best = NEAR_OPTION;
    char name[64];

    snprintf(name, sizeof name, "%.*s", (int)strcspn(given, "="), given);
    for (; strncmp(name, "--", 2) == 0 && v->name != NULL; v++) {
        unsigned d = edit_distance(name + 2, v->name);
        if (d < best) {
            best = d;
            near = v->name;
        }
    }
    if (near != NULL)
        return cli_usage(c, "unknown option %s; did you mean --%s?", name, near);
    return cli_usage(c, "unknown option %s", name);
}

static int take_option(struct cli *c, enum cli_opt o, const char *value)
{
    free(c->value[o]);
    c->value[o] = strdup(value != NULL ? value : "");
    if (c->value[o] == NULL)
        return cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    c->json = c->value[OPT_JSON] != NULL;
    c->quiet = c->value[OPT_QUIET] != NULL;
    return 0;
}

/* Names and numbers of people do not stay where `ps` shows them. */
static void hide_argument(char *s)
{
    if (s != NULL)
        memset(s, '*', strlen(s));
}

static bool is_personal(enum cli_opt o)
{
    return o == OPT_USER || o == OPT_LABEL || (o >= OPT_FIRST && o <= OPT_TYPE);
}

/* Reads options until the verb (stop_early) or all of them; optind tells how far. */
static int read_options(struct cli *c, int argc, char **argv, bool stop_early)
{
    struct option v[OPT_COUNT + 1];
    int got, rc = 0;

    long_options(c->command, v);
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    while (rc == 0 && (got = getopt_long(argc, argv, stop_early ? "+:h" : ":h", v, NULL)) != -1) {
        if (got == 'h') {
            rc = take_option(c, OPT_HELP, NULL);
        } else if (got == ':') {
            rc = cli_usage(c, "option %s needs a value", argv[optind - 1]);
        } else if (got == '?' && optopt > 256) {
            rc = cli_usage(c, "option --%s takes no value",
                           option_row((enum cli_opt)(optopt - 256))->name);
        } else if (got == '?') {
            rc = unknown_option(c, v, argv[optind - 1]);
        } else {
            rc = take_option(c, (enum cli_opt)(got - 256), optarg);
            if (is_personal((enum cli_opt)(got - 256)))
                hide_argument(optarg);
        }
    }
    return rc;
}

static int find_command(struct cli *c, const char *verb, const char *object)
{
    bool word = object != NULL && *object != '-';
    const char *near;

    if (!verb_exists(verb)) {
        near = verb_near(verb);
        if (near != NULL)
            return cli_usage(c, "there is no verb \"%s\"; did you mean \"%s\"?", verb, near);
        return cli_usage(c, "there is no verb \"%s\"", verb);
    }
    c->command = command_find(verb, object);
    if (c->command != NULL && c->command->object == NULL && word && verb_has_objects(verb))
        c->command = NULL; /* "record chekout", which is no batch */
    if (c->command != NULL)
        return 0;
    near = word ? object_near(verb, object) : NULL;
    if (near != NULL)
        return cli_usage(c, "there is no \"%s %s\"; did you mean \"%s %s\"?", verb, object, verb,
                         near);
    if (word)
        return cli_usage(c, "there is no \"%s %s\"; see: tideover %s --help", verb, object, verb);
    return cli_usage(c, "%s what? See: tideover %s --help", verb, verb);
}

static int count_words(const char *s)
{
    int n = *s != 0;

    for (; *s != 0; s++)
        n += *s == ' ';
    return n;
}

/* Words in brackets may be left out; they stand last. */
static int words_needed(const char *s)
{
    int n = count_words(s);

    for (; (s = strchr(s, '[')) != NULL; s++)
        n--;
    return n;
}

static const char *word_at(const char *s, int i)
{
    while (i-- > 0)
        s = strchr(s, ' ') + 1;
    return s;
}

static int check_complete(const struct cli *c)
{
    const struct command *k = c->command;
    const char *args = k->args != NULL ? k->args : "";
    int most = count_words(args), least = words_needed(args);

    if (c->json && !command_takes(k, OPT_JSON))
        return cli_usage(c, "\"%s\" has no --json", k->verb);
    for (unsigned i = 0; i < NEEDS_MAX && k->needs[i] != OPT_NONE; i++)
        if (c->value[k->needs[i]] == NULL && k->object == NULL && verb_has_objects(k->verb))
            return cli_usage(c, "%s what? See: tideover %s --help", k->verb, k->verb);
        else if (c->value[k->needs[i]] == NULL)
            return cli_usage(c, "--%s is missing", option_row(k->needs[i])->name);
    if (c->argc < least)
        return cli_usage(c, "%s is missing", word_at(args, c->argc));
    if (c->argc > most && strstr(args, "...") == NULL)
        return cli_usage(c, "\"%s\" is one argument too many", c->argv[most]);
    return 0;
}

static int find_state(struct cli *c)
{
    static char dir[4096]; /* the process's own answer, the same for ever */
    const char *env = getenv("TIDEOVER_STATE"), *xdg = getenv("XDG_STATE_HOME"),
               *home = getenv("HOME");
    int n;

    if (c->value[OPT_STATE] != NULL || (env != NULL && *env != 0)) {
        c->state = c->value[OPT_STATE] != NULL ? c->value[OPT_STATE] : env;
        if (*c->state == 0)
            return cli_usage(c, "--state needs a directory");
        return 0;
    }
    if (access(SYSTEM_STATE, F_OK) == 0) {
        c->state = SYSTEM_STATE;
        return 0;
    }
    if (xdg != NULL && *xdg == '/')
        n = snprintf(dir, sizeof dir, "%s/tideover", xdg);
    else
        n = snprintf(dir, sizeof dir, "%s/.local/state/tideover", home != NULL ? home : "");
    if (n < 0 || (size_t)n >= sizeof dir)
        return cli_usage(c, "the state directory's name is too long");
    c->state = dir;
    return 0;
}

/* Options of the daemon's own stay; the state directory may stand among them. */
static int pass_on(struct cli *c, int argc, char **argv)
{
    int kept = 0, rc = 0;

    for (int i = 0; i < argc && rc == 0; i++) {
        if (strcmp(argv[i], "--state") == 0 && i + 1 < argc)
            rc = take_option(c, OPT_STATE, argv[++i]);
        else if (strncmp(argv[i], "--state=", 8) == 0)
            rc = take_option(c, OPT_STATE, argv[i] + 8);
        else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            rc = take_option(c, OPT_HELP, NULL);
        else
            argv[kept++] = argv[i];
    }
    c->argc = kept;
    c->argv = argv;
    return rc;
}

static int parse_verb(int argc, char **argv, struct cli *c)
{
    int rc, skip;

    if (argc == 0) {
        c->command = command_find("status", NULL);
        return 0;
    }
    rc = find_command(c, argv[0], argc > 1 ? argv[1] : NULL);
    if (rc != 0)
        return rc;
    skip = c->command->object != NULL ? 2 : 1;
    if (c->command->passes_on)
        return pass_on(c, argc - skip, argv + skip);
    rc = read_options(c, argc - skip + 1, argv + skip - 1, false);
    c->argc = argc - skip + 1 - optind;
    c->argv = argv + skip - 1 + optind;
    return rc;
}

/* --help wins over everything that is wrong behind the verb. */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int cli_parse(int argc, char **argv, struct cli *c, bool *done)
{
    int rc, at;

    *done = true;
    rc = read_options(c, argc, argv, true);
    if (rc != 0)
        return rc;
    at = optind;
    if (c->value[OPT_VERSION] != NULL) {
        puts("tideover " TIDEOVER_VERSION);
        return 0;
    }
    if (c->value[OPT_HELP] != NULL && (at >= argc || !verb_exists(argv[at]))) {
        help_all(stdout);
        return 0;
    }
    if (at < argc && verb_exists(argv[at]) &&
        (c->value[OPT_HELP] != NULL || asks_for_help(argc - at, argv + at))) {
        help_verb(argv[at], at + 1 < argc ? argv[at + 1] : NULL, stdout);
        return 0;
    }
    rc = parse_verb(argc - at, argv + at, c);
    if (rc == 0 && !c->command->passes_on)
        rc = check_complete(c);
    if (rc == 0)
        rc = find_state(c);
    c->color = term_has_color() && c->value[OPT_NO_COLOR] == NULL;
    *done = rc != 0;
    return rc;
}

void cli_free(struct cli *c)
{
    for (unsigned o = 0; o < OPT_COUNT; o++)
        free(c->value[o]);
    *c = (struct cli){ 0 };
}

int cmd_node(struct cli *c)
{
    char **v = calloc((size_t)c->argc + 2, sizeof *v);
    int rc;

    if (v == NULL)
        return cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    v[0] = (char *)"node";
    for (int i = 0; i < c->argc; i++)
        v[i + 1] = c->argv[i];
    rc = c->node(c->state, c->argc + 1, v);
    free(v);
    return rc;
}

int cli_main(int argc, char **argv, cli_node *node)
{
    struct cli c = { .node = node };
    bool done;
    int rc = cli_parse(argc, argv, &c, &done);

    if (!done)
        rc = c.command->run(&c);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (errno != EPIPE) /* `tideover log list | head` is no mistake */
            fprintf(stderr, "tideover: cannot write the answer: %s\n", strerror(errno));
        if (rc == 0)
            rc = err_exit(ERR_DISK);
    }
    cli_free(&c);
    return rc;
}
