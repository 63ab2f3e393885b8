/* main.c - one program: the daemon, and the command line that talks to it. */
#include <signal.h>

#include "cli.h"
#include "node.h"

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a caller that left is an error of its own write, not our end */
    signal(SIGXFSZ, SIG_IGN); /* and so is a file that may grow no further */
    return cli_main(argc, argv, node_main);
}
