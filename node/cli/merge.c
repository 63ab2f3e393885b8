/* merge.c - `tideover merge`: one log out of files that desks wrote with other tools. No node, no
 * state directory, no network. */
#include "merging.h"

#include <stdlib.h>
#include <string.h>

/* The loader goes by it. */
static int check_name(const struct merging *m)
{
    const char *out = m->c->value[OPT_OUT], *slash = strrchr(out, '/');
    const char *wanted = m->to->misnamed ? m->to->misnamed(slash ? slash + 1 : out) : NULL;

    return wanted == NULL ? 0
                          : cli_usage(m->c, "%s reads only files of certain names; --out needs %s",
                                      m->to->name, wanted);
}

static int check_words(struct merging *m)
{
    const struct cli *c = m->c;
    const char *to = c->value[OPT_TO_FORMAT];
    char names[FORMAT_NAMES_MAX];

    if (c->value[OPT_MEASURE] != NULL) {
        if (c->argc < 2)
            return cli_usage(c, "clocks are compared between two files at least");
        return 0;
    }
    if (to == NULL)
        return cli_usage(c, "--to is missing; there are %s", format_names(false, names));
    if ((m->to = format_by_name(to)) == NULL)
        return cli_usage(c, "there is no format \"%s\"; there are %s", to,
                         format_names(false, names));
    if (c->value[OPT_OUT] == NULL)
        return cli_usage(c, "--out is missing");
    return check_name(m);
}

/* Beside the log, where there is room for it, too. */
static char *directory_of(const char *path)
{
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    size_t n = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    char *dir = malloc(n + 2);

    if (dir == NULL)
        return NULL;
    memcpy(dir, n == 0 ? "." : path, n == 0 ? 1 : n);
    dir[n == 0 ? 1 : n] = 0;
    return dir;
}

static int take_events(struct merging *m)
{
    struct pool_job job = { .policy = &m->policy,
                            .n_files = m->n_in,
                            .offset_ms = m->offsets,
                            .yield = merge_go_on,
                            .yield_ctx = m };
    struct errmsg msg = { .text = "" };
    enum err e;
    int rc;

    merge_tmp_lend(m, job.spill);
    if ((e = pool_new(&job, &m->pool, &msg)) != ERR_OK)
        return cli_err(m->c, e, &msg);
    if ((rc = merge_inputs_read(m)) != 0)
        return rc;
    if (m->to != NULL && (rc = merge_stations(m)) != 0)
        return rc;
    e = pool_judge(m->pool, &msg);
    return e == ERR_OK ? 0 : merge_stopped(m, e, &msg);
}

static int make_log(struct merging *m)
{
    int rc = merge_out_write(m);

    if (rc == 0)
        rc = merge_report(m);
    return rc != 0 ? rc : merge_out_keep(m);
}

static int run(struct merging *m)
{
    int rc = check_words(m);

    if (rc == 0)
        rc = merge_policy(m);
    if (rc == 0)
        rc = merge_inputs_open(m);
    if (rc == 0 && m->to != NULL)
        rc = merge_out_open(m);
    if (rc == 0)
        rc = take_events(m);
    if (rc == 0 && m->to != NULL)
        rc = make_log(m);
    progress_end(&m->progress);
    if (rc != 0)
        return rc;
    merge_say(m);
    if (m->to != NULL && m->result.n_parts == 0)
        return err_exit(ERR_INVALID);
    return m->to == NULL || merge_is_clean(m) ? 0 : MERGE_LOOK;
}

int cmd_merge(struct cli *c)
{
    struct merging *m = calloc(1, sizeof *m);
    char *dir = directory_of(c->value[OPT_OUT]);
    int rc;

    if (m == NULL || dir == NULL) {
        free(m);
        free(dir);
        return cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    }
    m->c = c;
    m->tmp_dir = c->value[OPT_TMP] != NULL ? c->value[OPT_TMP] : dir;
    interrupt_catch();
    progress_begin(c, &m->progress);
    rc = run(m);
    merge_out_close(m);
    pool_free(m->pool);
    merge_tmp_close(m);
    merge_inputs_close(m);
    free(m);
    free(dir);
    interrupt_release();
    return rc;
}
