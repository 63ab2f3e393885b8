/* term.c - what depends on a terminal: colours, progress, questions, tables, Ctrl-C. */
#include "cli_int.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 1000 /* what takes longer shows that it lives */
#define REDRAW_MS   100
#define BAR_CELLS   24

static volatile sig_atomic_t signal_came;

bool term_out(void)
{
    return isatty(STDOUT_FILENO) == 1;
}

bool term_err(void)
{
    return isatty(STDERR_FILENO) == 1;
}

/* A teletype prints what others take as commands. */
static bool is_dumb(void)
{
    const char *kind = getenv("TERM");

    return kind != NULL && strcmp(kind, "dumb") == 0;
}

bool term_has_color(void)
{
    const char *no = getenv("NO_COLOR");

    return term_out() && !is_dumb() && (no == NULL || *no == 0);
}

bool term_can_ask(void)
{
    return isatty(STDIN_FILENO) == 1 && term_err();
}

uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void sleep_ms(unsigned ms)
{
    struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

    nanosleep(&t, NULL); /* Ctrl-C cuts it short, which is what we want */
}

/* ---- Ctrl-C ---- */

static void on_signal(int number)
{
    signal_came = number;
}

static void set_handler(void (*handler)(int))
{
    struct sigaction a = { .sa_handler = handler }; /* no SA_RESTART: a read must end */

    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

void interrupt_catch(void)
{
    signal_came = 0;
    set_handler(on_signal);
}

void interrupt_release(void)
{
    set_handler(SIG_DFL);
}

bool interrupted(void)
{
    return signal_came != 0;
}

/* ---- questions ---- */

/* One line from stdin, byte by byte, so that nothing of it stays in a stdio buffer. */
static bool read_line(char *out, size_t room)
{
    size_t n = 0;
    char ch;

    for (;;) {
        ssize_t got = read(STDIN_FILENO, &ch, 1);
        if (got < 0 && errno == EINTR && !interrupted())
            continue;
        if (got != 1)
            break;
        if (ch == '\n') {
            out[n] = 0;
            return true;
        }
        if (n + 1 < room)
            out[n++] = ch;
    }
    out[n] = 0;
    return false;
}

/* A passphrase that comes too early is no answer, though it may begin with a y. */
bool term_ask_yes(const char *question)
{
    char line[16];

    for (;;) {
        sodium_memzero(line, sizeof line);
        fprintf(stderr, "%s [y/N] ", question);
        fflush(stderr);
        if (!read_line(line, sizeof line) || line[0] == '\0' || strcasecmp(line, "n") == 0 ||
            strcasecmp(line, "no") == 0)
            return false;
        if (strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0)
            return true;
        fputs("Answer y for yes or n for no. ", stderr);
    }
}

bool term_ask_secret(const char *question, char *out, size_t room)
{
    struct termios before, silent;
    bool got;
    int came;

    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return false;
    interrupt_catch(); /* or Ctrl-C would leave the terminal without echo */
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent); /* before it asks: who is quick must not be seen */
    fprintf(stderr, "%s: ", question);
    fflush(stderr);
    got = read_line(out, room);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    came = signal_came;
    interrupt_release();
    if (came != 0) {
        sodium_memzero(out, room);
        raise(came);
    }
    return got;
}

/* ---- colour ---- */

const char *hue(const struct cli *c, enum hue h)
{
    static const char *const sequences[] = { [HUE_OFF] = "\033[0m",
                                             [HUE_BAD] = "\033[1;31m",
                                             [HUE_WARN] = "\033[33m",
                                             [HUE_GOOD] = "\033[32m",
                                             [HUE_DIM] = "\033[2m" };

    return c->color ? sequences[h] : "";
}

/* ---- progress ---- */

void progress_begin(const struct cli *c, struct progress *p)
{
    *p = (struct progress){ .on = term_err() && !is_dumb() && !c->quiet, .began_ms = now_ms() };
}

void progress_show(struct progress *p, const char *what, uint64_t done, uint64_t total)
{
    uint64_t now = now_ms();
    char bar[BAR_CELLS + 1];
    unsigned full;

    if (!p->on || now - p->began_ms < PATIENCE_MS || (p->shown && now - p->drawn_ms < REDRAW_MS))
        return;
    p->shown = true;
    p->drawn_ms = now;
    if (total == 0) {
        fprintf(stderr, "\r\033[K%s, %llu s", what, (unsigned long long)(now - p->began_ms) / 1000);
        if (done > 0)
            fprintf(stderr, ", %llu", (unsigned long long)done);
    } else {
        full = (unsigned)(done >= total ? BAR_CELLS : done * BAR_CELLS / total);
        memset(bar, '#', full);
        memset(bar + full, '-', BAR_CELLS - full);
        bar[BAR_CELLS] = 0;
        fprintf(stderr, "\r\033[K[%s] %llu / %llu  %s", bar, (unsigned long long)done,
                (unsigned long long)total, what);
    }
    fflush(stderr);
}

void progress_end(struct progress *p)
{
    if (p->shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    p->shown = false;
}

/* ---- tables ---- */

/* Columns, not bytes; every letter counts one, which holds for all but CJK and emoji. */
static size_t letters(const char *s)
{
    size_t n = 0;

    for (; *s != 0; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

void table_begin(struct table *t, const char *const *heading, unsigned columns)
{
    *t = (struct table){ .columns = columns, .aligned = term_out() };
    for (unsigned i = 0; t->aligned && i < columns; i++)
        table_cell(t, "%s", heading[i]);
}

void table_cell(struct table *t, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    size_t width;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    width = letters(text);
    if (width > t->width[t->n_cells % t->columns])
        t->width[t->n_cells % t->columns] = width;
    buf_add(&t->cells, text, strlen(text) + 1);
    t->n_cells++;
}

void table_print(struct table *t)
{
    const char *s = (const char *)t->cells.p;

    for (size_t i = 0; i < t->n_cells && !t->cells.failed; i++) {
        bool last = (i + 1) % t->columns == 0;

        fputs(s, stdout);
        if (last)
            putchar('\n');
        else if (!t->aligned)
            putchar('\t');
        else
            printf("%*s", (int)(t->width[i % t->columns] - letters(s)) + 2, "");
        s += strlen(s) + 1;
    }
    buf_reset(&t->cells);
    t->n_cells = 0;
}

void table_end(struct table *t)
{
    table_print(t);
    buf_free(&t->cells);
}
