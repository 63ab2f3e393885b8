/* driver.c - runs one target without libFuzzer: seeds, corpus, then mutations of both.
 *
 *   fuzz_TARGET [--mutations N] [--seconds S] [--seed S] [--write-seeds DIR] [FILE or DIR]..
 *
 * Mutations end after N, or S seconds of this process's time (10).
 * Every run draws a new seed and prints it, so that every run of the tests sees new inputs; --seed
 * repeats one. An input that kills the target, takes too long or too much memory is written to
 * crash-TARGET-SEED-NUMBER in the working directory. */
#include "fuzz.h"

struct input {
    uint8_t *p;
    size_t n;
};

static struct input *inputs;
static size_t n_inputs, inputs_room;

void fuzz_seed(const void *p, size_t n)
{
    if (n_inputs == inputs_room) {
        inputs_room = inputs_room > 0 ? 2 * inputs_room : 64;
        inputs = realloc(inputs, inputs_room * sizeof *inputs);
        must_hold(inputs != NULL);
    }
    inputs[n_inputs++] = (struct input){ fuzz_copy(p, n), n };
}

#ifndef FUZZ_LIBFUZZER
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX   (1u << 20)
#define MUTANT_MAX  4096 /* longer ones are no better at finding things, only slower */
#define SLOW_S      10   /* for one input: a thousand times what they take */
#define HEAP_MAX    (64u << 20)
#define CRASH_BYTES 128

static const char *target;
static struct input now; /* the input under way, for the handler */
static uint64_t seed, number;

/* ---- memory: no input may make us take more than HEAP_MAX at a time ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* One allocation; the sanitizer ends the run. Its own bookkeeping would confuse ours. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "max_allocation_size_mb=64:allocator_may_return_null=0:detect_leaks=1:"
           "handle_abort=0";
}
#else
static atomic_size_t heap, heap_peak;

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t m);
extern void *__libc_realloc(void *p, size_t n);
extern void __libc_free(void *p);

static void *count(void *p)
{
    size_t all;

    if (p == NULL)
        return NULL;
    all = atomic_fetch_add(&heap, malloc_usable_size(p)) + malloc_usable_size(p);
    if (all > atomic_load(&heap_peak))
        atomic_store(&heap_peak, all);
    return p;
}

static void too_much(size_t n)
{
    static const char text[] = "an input asked for more memory than any may\n";

    if (n <= HEAP_MAX && atomic_load(&heap) + n <= 2 * (size_t)HEAP_MAX)
        return;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(1);
    abort();
}

void *malloc(size_t n)
{
    too_much(n);
    return count(__libc_malloc(n));
}

void *calloc(size_t n, size_t m)
{
    too_much(m != 0 && n > SIZE_MAX / m ? SIZE_MAX : n * m);
    return count(__libc_calloc(n, m));
}

void free(void *p)
{
    if (p != NULL)
        atomic_fetch_sub(&heap, malloc_usable_size(p));
    __libc_free(p);
}

void *realloc(void *p, size_t n)
{
    size_t before = p != NULL ? malloc_usable_size(p) : 0;
    void *q;

    too_much(n);
    q = __libc_realloc(p, n);
    if (q != NULL || n == 0)
        atomic_fetch_sub(&heap, before);
    return count(q);
}
#endif

/* ---- what is left of an input that ended badly ---- */

static void say(const char *s)
{
    if (write(STDERR_FILENO, s, strlen(s)) < 0)
        _exit(1);
}

static void on_signal(int sig)
{
    char name[CRASH_BYTES];
    int fd;

    snprintf(name, sizeof name, "crash-%s-%llu-%llu", target, (unsigned long long)seed,
             (unsigned long long)number);
    say(sig == SIGALRM ? "\nan input took too long: " : "\nan input ended the target: ");
    say(name);
    say("\n");
    fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, now.p, now.n) != (ssize_t)now.n)
        say("(which could not be written)\n");
    signal(SIGABRT, SIG_DFL);
    abort();
}

#if defined(__SANITIZE_ADDRESS__)
void __sanitizer_set_death_callback(void (*f)(void));
static void on_death(void)
{
    on_signal(0);
}
#endif

static void watch(void)
{
    static const int signals[] = {
        SIGABRT,
        SIGALRM,
#if !defined(__SANITIZE_ADDRESS__)
        SIGSEGV,
        SIGBUS,
        SIGFPE,
        SIGILL
#endif
    };

    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], on_signal);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_set_death_callback(on_death);
#endif
}

static void run(const struct input *in)
{
    struct itimerval limit = { .it_value = { .tv_sec = SLOW_S } }, none = { { 0 }, { 0 } };

    now = *in;
    setitimer(ITIMER_REAL, &limit, NULL);
    LLVMFuzzerTestOneInput(in->p, in->n);
    setitimer(ITIMER_REAL, &none, NULL);
    number++;
}

/* ---- mutations ---- */

static uint64_t dice_state;

static uint64_t dice(void) /* splitmix64, public domain, Sebastiano Vigna */
{
    uint64_t z = dice_state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static size_t below(size_t n)
{
    return n > 0 ? (size_t)(dice() % n) : 0;
}

/* Bytes that begin or end something in msgpack, text or numbers. */
static const uint8_t telling[] = { 0x00, 0xff, 0x7f, 0x80, 0x90, 0xc4, 0xc6, 0xcf, 0xd3, 0xdb, 0xdd,
                                   0xdf, '"',  '\\', '\n', '\r', '[',  ']',  '{',  '}',  '=',  '%',
                                   '^',  ',',  '-',  '+',  '0',  '9',  ' ',  ':',  '/',  'A' };

static void cut_out(struct input *m)
{
    size_t at = below(m->n), len = 1 + below(m->n - at < 16 ? m->n - at : 16);

    memmove(m->p + at, m->p + at + len, m->n - at - len);
    m->n -= len;
}

static void put_in(struct input *m, const uint8_t *p, size_t len)
{
    size_t at = below(m->n + 1);

    if (len > MUTANT_MAX - m->n)
        len = MUTANT_MAX - m->n;
    memmove(m->p + at + len, m->p + at, m->n - at);
    memcpy(m->p + at, p, len);
    m->n += len;
}

static void change(struct input *m)
{
    const struct input *other = &inputs[below(n_inputs)];
    uint8_t bytes[8];
    size_t len;

    switch (m->n > 0 ? dice() % 8 : 7) {
    case 0:
        m->p[below(m->n)] ^= (uint8_t)(1u << below(8));
        break;
    case 1:
        m->p[below(m->n)] = telling[below(sizeof telling)];
        break;
    case 2:
        m->p[below(m->n)] = (uint8_t)dice();
        break;
    case 3:
        cut_out(m);
        break;
    case 4: /* a piece of itself again */
        len = 1 + below(m->n < 8 ? m->n : 8);
        memcpy(bytes, m->p + below(m->n - len + 1), len);
        put_in(m, bytes, len);
        break;
    case 5: /* a number at its edge */
        memset(bytes, dice() & 1 ? 0xff : 0x00, sizeof bytes);
        bytes[0] = dice() & 1 ? 0x7f : bytes[0];
        len = (size_t)1 << below(4);
        put_in(m, bytes, len);
        break;
    case 6: /* ends early */
        m->n = below(m->n);
        break;
    default: /* a piece of another */
        len = below(other->n + 1);
        if (len > 256)
            len = 256;
        put_in(m, other->p + below(other->n - len + 1), len);
    }
}

/* Mutant k depends on the seed, k and the inputs alone. */
static void mutate(uint64_t k, struct input *m)
{
    const struct input *from;

    dice_state = seed * UINT64_C(0x2545f4914f6cdd1d) + k;
    from = &inputs[below(n_inputs)];
    m->n = from->n < MUTANT_MAX ? from->n : MUTANT_MAX;
    if (m->n > 0)
        memcpy(m->p, from->p, m->n);
    for (uint64_t i = 1 + below(4); i > 0; i--)
        change(m);
}

/* ---- files ---- */

static void read_file(const char *path)
{
    uint8_t *p = malloc(INPUT_MAX);
    FILE *f = fopen(path, "rb");
    size_t n;

    must_hold(p != NULL);
    if (f == NULL) {
        fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
        exit(66);
    }
    n = fread(p, 1, INPUT_MAX, f);
    fclose(f);
    fuzz_seed(p, n);
    free(p);
}

static void read_path(const char *path)
{
    struct stat st;
    DIR *d = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    const struct dirent *e;

    if (d == NULL) {
        read_file(path);
        return;
    }
    while ((e = readdir(d)) != NULL) {
        char inside[4096];
        snprintf(inside, sizeof inside, "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.')
            read_file(inside);
    }
    closedir(d);
}

static int write_seeds(const char *dir)
{
    for (size_t i = 0; i < n_inputs; i++) {
        char path[4096];
        FILE *f;
        snprintf(path, sizeof path, "%s/seed-%03zu", dir, i);
        f = fopen(path, "wb");
        if (f == NULL || fwrite(inputs[i].p, 1, inputs[i].n, f) != inputs[i].n || fclose(f) != 0) {
            fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
            return 74;
        }
    }
    printf("%zu seeds\n", n_inputs);
    return 0;
}

static int usage(void)
{
    fprintf(
        stderr,
        "fuzz_%s [--mutations N] [--seconds S] [--seed S] [--write-seeds DIR] [FILE or DIR]..\n",
        target);
    return 64;
}

int main(int argc, char **argv)
{
    struct input mutant = { malloc(MUTANT_MAX), 0 };
    uint64_t mutations = 0, seconds = 10;
    size_t seeds;

    target = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    target += strncmp(target, "fuzz_", 5) == 0 ? 5 : 0;
    must_hold(mutant.p != NULL && getrandom(&seed, sizeof seed, 0) == sizeof seed);
    seed %= 1000000000; /* for people */
    fuzz_seeds();
    seeds = n_inputs;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--mutations") == 0 && more)
            mutations = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0 && more)
            seconds = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && more)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--write-seeds") == 0 && more)
            return write_seeds(argv[++i]);
        else if (argv[i][0] == '-')
            return usage();
        else
            read_path(argv[i]);
    }
    printf("%s: %zu seeds, %zu of the corpus, up to %llu mutations (--seed %llu)\n", target, seeds,
           n_inputs - seeds, (unsigned long long)mutations, (unsigned long long)seed);
    fflush(stdout);
    watch();
    for (size_t i = 0; i < n_inputs; i++)
        run(&inputs[i]);
    for (uint64_t k = 0; k < mutations && clock() / CLOCKS_PER_SEC < (clock_t)seconds; k++) {
        mutate(k, &mutant);
        run(&mutant);
    }
    printf("%s: %llu inputs, none ended it", target, (unsigned long long)number);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    printf("; at most %zu KiB of memory", atomic_load(&heap_peak) / 1024);
#endif
    printf("\n");
    for (size_t i = 0; i < n_inputs; i++)
        free(inputs[i].p);
    free(inputs);
    free(mutant.p);
    return 0;
}
#endif
