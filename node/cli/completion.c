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

/* Arms of a shell's `case` over "VERB OBJECT"; what a word may be is set in objects and options. */
static void print_cases(void)
{
    for (unsigned i = 0; i < n_commands; i++) {
        const struct command *c = &commands[i];
        if (c->object == NULL)
            continue;
        printf("    '%s %s'*) options='", c->verb, c->object);
        print_options(c);
        puts("' ;;");
    }
    for (unsigned i = 0; i < n_commands; i++) {
        const struct command *plain = command_find(commands[i].verb, NULL);
        if (!first_of_verb(i))
            continue;
        printf("    '%s '*) objects='", commands[i].verb);
        print_objects(commands[i].verb);
        printf("' options='");
        if (plain != NULL)
            print_options(plain);
        puts("' ;;");
    }
}

static void print_bash(void)
{
    puts("# bash completion of tideover; made by: tideover completion bash\n"
         "_tideover() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} objects= options=\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then");
    printf("    COMPREPLY=($(compgen -W '");
    print_verbs();
    puts("' -- \"$word\"))\n    return\n  fi\n"
         "  case \"${COMP_WORDS[1]} ${COMP_WORDS[2]} \" in");
    print_cases();
    puts("  esac\n"
         "  [ \"$COMP_CWORD\" -eq 2 ] || objects=\n"
         "  case $word in\n"
         "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
         "    *) COMPREPLY=($(compgen -W \"$objects\" -- \"$word\"))\n"
         "       [ -n \"$objects\" ] || COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
         "  esac\n}\n"
         "complete -o filenames -F _tideover tideover");
}

static void print_zsh(void)
{
    puts("#compdef tideover\n# zsh completion of tideover; made by: tideover completion zsh\n"
         "_tideover() {\n"
         "  local objects= options=\n"
         "  if (( CURRENT == 2 )); then");
    printf("    compadd -- ");
    print_verbs();
    puts("\n    return\n  fi\n  case \"$words[2] $words[3] \" in");
    print_cases();
    puts("  esac\n"
         "  if [[ $words[CURRENT] == -* ]]; then\n"
         "    compadd -- ${=options}\n"
         "  elif (( CURRENT == 3 )) && [[ -n $objects ]]; then\n"
         "    compadd -- ${=objects}\n"
         "  else\n"
         "    _files\n"
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
    printf("' -l %s%s -d ", row->name, row->value != NULL ? " -r" : "");
    print_quoted(row->help);
    putchar('\n');
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
        if (c->object != NULL) {
            printf("complete -c tideover -f -n '__fish_seen_subcommand_from %s; and not "
                   "__fish_seen_subcommand_from ",
                   c->verb);
            print_objects(c->verb);
            printf("' -a %s -d ", c->object);
            print_quoted(c->help);
            putchar('\n');
        }
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
