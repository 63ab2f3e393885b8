/* cli.h - the command line: every verb but the daemon itself.
 *
 * One table (node/cli/table.c) holds verbs, options, help and examples. All verbs but init, join
 * and node talk to the running node over its local API. */
#ifndef TIDEOVER_CLI_H
#define TIDEOVER_CLI_H

typedef int cli_node(const char *state_dir, int argc, char **argv);

/* The whole program: parses, runs the verb, returns the exit code (node/MANUAL.md, "Exit codes"). node is
 * called for the verb of that name. argv may be reordered and overwritten. */
int cli_main(int argc, char **argv, cli_node *node);

#endif
