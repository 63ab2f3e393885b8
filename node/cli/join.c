/* join.c - `tideover join CODE`: become a desk of the branch that made the code. */
#include "cli_int.h"

#include "setup.h"

#define JOIN_TIMEOUT_MS 15000

int cmd_join(struct cli *c)
{
    char branch[16] = "", desk[DESK_NAME_MAX + 1] = "", words[SETUP_WORDS] = "";
    struct errmsg msg = { .text = "" };
    struct setup_join in = { .state_dir = c->state,
                             .code = c->argv[0],
                             .at = c->value[OPT_AT_ADDRESS],
                             .listen = c->value[OPT_LISTEN],
                             .web = c->value[OPT_WEB],
                             .timeout_ms = JOIN_TIMEOUT_MS };
    enum err e = setup_join(&in, branch, desk, words, &msg);

    if (e != ERR_OK)
        return cli_err(c, e, &msg);
    printf("Joined branch %s; this desk is %s, in %s\n", branch, desk, c->state);
    printf("Branch key   %s\n", words);
    printf("             The inviting desk must show the same four words; if not, do not go on.\n");
    say_next_start(c);
    return 0;
}
