/* node.h - the daemon: everything behind `tideover node`. */
#ifndef TIDEOVER_NODE_H
#define TIDEOVER_NODE_H

/* Runs the desk of state_dir in the foreground until a signal ends it; prints one line beginning
 * "ready" on stdout once it takes records. argv[0] is "node", then what the command line did not
 * understand itself. Returns the exit code. */
int node_main(const char *state_dir, int argc, char **argv);

#endif
