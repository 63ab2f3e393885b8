/* bench_lines.c - lines for `tideover record --batch`, and how many bytes their records have.
 *
 *   bench_lines FIRST COUNT     lines to stdout; "lines BYTES records BYTES" to stderr */
#include "bench.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    uint64_t first, count, lines = 0;
    struct buf b = { 0 };

    if (argc != 3)
        bench_die("FIRST and COUNT are needed");
    first = strtoull(argv[1], NULL, 10);
    count = strtoull(argv[2], NULL, 10);
    for (uint64_t i = first; i < first + count; i++) {
        struct record r;
        char line[1024];
        size_t n = record_line(i, line, sizeof line);
        fwrite(line, 1, n, stdout);
        lines += n;
        record_fill(&r, i);
        r.at_ms = bench_moment().wall_ms;
        if (record_encode(&r, &b, NULL) != ERR_OK)
            bench_die("a record does not encode");
    }
    fprintf(stderr, "lines %llu records %zu\n", (unsigned long long)lines, b.len);
    buf_free(&b);
    return fflush(stdout) == 0 ? 0 : 1;
}
