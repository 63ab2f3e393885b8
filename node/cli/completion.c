/* completion.c - `tideover completion SHELL`: what the Tab key offers, out of the command table. */
#include "cli_int.h"

#include <string.h>

static bool first_of_verb(unsigned i)
{
    for (unsigned k = 0; k < i; k++)
        if (strcmp(commands[k].verb, commands[i].verb) == 0)
            return false;
    return true;
}

static void print_verbs(void)
{
    for (unsigned i = 0; i < n_commands; i++)
        if (first_of_verb(i))
            printf("%s%s", i > 0 ? " " : "", commands[i].verb);
}

static void print_objects(const char *verb)
{
    bool any = false;

    for (unsigned i = 0; i < n_commands; i++)
        if (strcmp(commands[i].verb, verb) == 0 && commands[i].object != NULL) {
            printf("%s%s", any ? " " : "", commands[i].object);
            any = true;
        }
}

static void print_options(const struct command *c)
{
    fputs("--state --quiet --no-color --help", stdout);
    for (unsigned i = 0; i < NEEDS_MAX && c->needs[i] != OPT_NONE; i++)
        printf(" --%s", option_row(c->needs[i])->name);
    for (unsigned i = 0; i < TAKES_MAX && c->takes[i] != OPT_NONE; i++)
        printf(" --%s", option_row(c->takes[i])->name);
}

static bool is_help(const struct command *c)
{
    return strcmp(c->verb, "help") == 0;
}

/* The place of the word that command_words() speaks of, the verb's being 1. */
static unsigned place_of_words(const struct command *c)
{
    unsigned at = c->object != NULL ? 3 : 2;

    for (const char *s = c->args != NULL && !is_help(c) ? c->args : ""; *s != '\0'; s++)
        at += *s == ' ';
    return at;
}

static bool has_words(const struct command *c)
{
    return is_help(c) || command_words(c) != NULL;
}

static void print_words(const struct command *c)
{
    if (is_help(c)) {
        fputs("outage ", stdout);
        print_verbs();
    } else {
        fputs(command_words(c), stdout);
    }
}

static void print_arm(const struct command *c)
{
    printf(" options='");
    print_options(c);
    putchar('\'');
    if (has_words(c)) {
        printf(" from=%u fixed='", place_of_words(c));
        print_words(c);
        putchar('\'');
    }
    if (c->args != NULL && strstr(c->args, "FILE") != NULL)
        fputs(" files=1", stdout);
}

/* Arms of a shell's `case` over "VERB OBJECT"; what a word may be is set in objects, options, fixed
 * and files. */
static void print_cases(void)
{
    for (unsigned i = 0; i < n_commands; i++) {
        const struct command *c = &commands[i];
        if (c->object == NULL)
            continue;
        printf("    '%s %s '*)", c->verb, c->object);
        print_arm(c);
        puts(" ;;");
    }
    for (unsigned i = 0; i < n_commands; i++) {
        const struct command *plain = command_find(commands[i].verb, NULL);
        if (!first_of_verb(i))
            continue;
        printf("    '%s '*) objects='", commands[i].verb);
        print_objects(commands[i].verb);
        putchar('\'');
        if (plain != NULL)
            print_arm(plain);
        puts(" ;;");
    }
}

static void print_value_arm(const struct command *c, enum cli_opt o)
{
    const struct option_row *row = option_row(o);

    if (row->value == NULL)
        return;
    printf("    '%s '%s%s%s' --%s') ", c->verb, c->object != NULL ? "'" : "",
           c->object != NULL ? c->object : "*", c->object != NULL ? "'" : "", row->name);
    if (row->words != NULL)
        printf("objects= from=0 files= fixed='%s' ;;\n", row->words);
    else
        puts("objects= fixed= files=1 ;;");
}

/* The same over "VERB OBJECT OPTION", where the option stands before the word; those of a verb
 * alone come last, for their pattern takes every object. */
static void print_value_cases(void)
{
    for (int alone = 0; alone < 2; alone++)
        for (unsigned i = 0; i < n_commands; i++) {
            const struct command *c = &commands[i];
            if ((c->object == NULL) != alone)
                continue;
            for (unsigned k = 0; k < NEEDS_MAX && c->needs[k] != OPT_NONE; k++)
                print_value_arm(c, c->needs[k]);
            for (unsigned k = 0; k < TAKES_MAX && c->takes[k] != OPT_NONE; k++)
                print_value_arm(c, c->takes[k]);
        }
}

static void print_bash(void)
{
    puts("# bash completion of tideover; made by: tideover completion bash\n"
         "_tideover() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} second=\n"
         "  local objects= options= fixed= from=0 files=\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then");
    printf("    COMPREPLY=($(compgen -W '");
    print_verbs();
    puts("' -- \"$word\"))\n    return\n  fi\n"
         "  [ \"$COMP_CWORD\" -eq 2 ] || second=${COMP_WORDS[2]}\n"
         "  case \"${COMP_WORDS[1]} $second \" in");
    print_cases();
    puts("  esac\n"
         "  case \"${COMP_WORDS[1]} $second $before\" in");
    print_value_cases();
    puts("  esac\n"
         "  [ \"$COMP_CWORD\" -eq 2 ] || objects=\n"
         "  [ \"$COMP_CWORD\" -ge \"$from\" ] || fixed=\n"
         "  case $word in\n"
         "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
         "    *) COMPREPLY=($(compgen -W \"$objects $fixed\" -- \"$word\"))\n"
         "       [ -z \"$files\" ] || COMPREPLY+=($(compgen -f -- \"$word\")) ;;\n"
         "  esac\n}\n"
         "complete -o filenames -F _tideover tideover");
}

static void print_zsh(void)
{
    puts("#compdef tideover\n# zsh completion of tideover; made by: tideover completion zsh\n"
         "_tideover() {\n"
         "  local second= before=$words[CURRENT-1] word=$words[CURRENT] verb=$words[2]\n"
         "  local at=$(( CURRENT - 1 )) objects= options= fixed= from=0 files=\n"
         "  (( at == 2 )) || second=$words[3]\n"
         "  if (( at == 1 )); then");
    printf("    compadd -- ");
    print_verbs();
    puts("\n    return\n  fi\n  case \"$verb $second \" in");
    print_cases();
    puts("  esac\n"
         "  case \"$verb $second $before\" in");
    print_value_cases();
    puts("  esac\n"
         "  (( at == 2 )) || objects=\n"
         "  (( at >= from )) || fixed=\n"
         "  if [[ $word == -* ]]; then\n"
         "    compadd -- ${=options}\n"
         "  else\n"
         "    [[ -z $objects$fixed ]] || compadd -- ${=objects} ${=fixed}\n"
         "    [[ -z $files ]] || _files\n"
         "  fi\n}\n"
         "_tideover \"$@\"");
}

/* In single quotes, as fish reads them. */
static void print_quoted(const char *s)
{
    putchar('\'');
    for (; *s != '\0' && *s != '\n'; s++) {
        if (*s == '\'' || *s == '\\')
            putchar('\\');
        putchar(*s);
    }
    putchar('\'');
}

static void fish_option(const struct command *c, enum cli_opt o)
{
    const struct option_row *row = option_row(o);

    printf("complete -c tideover -n '__fish_seen_subcommand_from %s", c->verb);
    if (c->object != NULL)
        printf("; and __fish_seen_subcommand_from %s", c->object);
    printf("' -l %s%s", row->name, row->value != NULL ? " -r" : "");
    if (row->words != NULL)
        printf(" -f -a '%s'", row->words);
    printf(" -d ");
    print_quoted(row->help);
    putchar('\n');
}

static void fish_words(const struct command *c)
{
    printf("complete -c tideover -f -n '__fish_seen_subcommand_from %s%s%s; and test (count "
           "(commandline -opc)) -ge %u' -a '",
           c->verb, c->object != NULL ? "; and __fish_seen_subcommand_from " : "",
           c->object != NULL ? c->object : "", place_of_words(c));
    print_words(c);
    puts("'");
}

static void print_fish(void)
{
    puts("# fish completion of tideover; made by: tideover completion fish");
    for (unsigned i = 0; i < n_commands; i++) {
        const struct command *c = &commands[i];
        if (first_of_verb(i)) {
            printf("complete -c tideover -f -n __fish_use_subcommand -a %s -d ", c->verb);
            print_quoted(c->help);
            putchar('\n');
        }
        if (c->object == NULL && (c->args == NULL || strstr(c->args, "FILE") == NULL))
            printf("complete -c tideover -f -n '__fish_seen_subcommand_from %s'\n", c->verb);
        if (c->object != NULL) {
            printf("complete -c tideover -f -n '__fish_seen_subcommand_from %s; and not "
                   "__fish_seen_subcommand_from ",
                   c->verb);
            print_objects(c->verb);
            printf("' -a %s -d ", c->object);
            print_quoted(c->help);
            putchar('\n');
        }
        if (has_words(c))
            fish_words(c);
        for (unsigned k = 0; k < NEEDS_MAX && c->needs[k] != OPT_NONE; k++)
            fish_option(c, c->needs[k]);
        for (unsigned k = 0; k < TAKES_MAX && c->takes[k] != OPT_NONE; k++)
            fish_option(c, c->takes[k]);
    }
}

int cmd_completion(struct cli *c)
{
    static const struct {
        const char *shell;
        void (*print)(void);
    } shells[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };

    for (unsigned i = 0; i < sizeof shells / sizeof shells[0]; i++)
        if (strcmp(c->argv[0], shells[i].shell) == 0) {
            shells[i].print();
            return 0;
        }
    return cli_usage(c, "the shells are bash, zsh and fish");
}
