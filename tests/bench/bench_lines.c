/* bench_lines.c - lines for `tideover record --batch`, and how many bytes their records have.
 *
 *   bench_lines FIRST COUNT     loans, lines to stdout; "lines BYTES records BYTES" to stderr
 *   bench_lines FIRST COUNT 2   of five records two are discharges of what was lent before */
#include "bench.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    uint64_t first, count, lines = 0;
    struct buf b = { 0 };
    size_t records = 0;
    unsigned back = 0;

    if (argc != 3 && argc != 4)
        bench_die("FIRST and COUNT are needed");
    first = strtoull(argv[1], NULL, 10);
    count = strtoull(argv[2], NULL, 10);
    if (argc == 4)
        back = (unsigned)strtoul(argv[3], NULL, 10);
    for (uint64_t i = first; i < first + count; i++) {
        struct record r;
        char line[1024];
        size_t n;
        record_fill(&r, i, back);
        n = record_line(&r, line, sizeof line);
        fwrite(line, 1, n, stdout);
        lines += n;
        r.at_ms = bench_moment().wall_ms;
        if (record_encode(&r, &b, NULL) != ERR_OK)
            bench_die("a record does not encode");
        records += b.len;
        b.len = 0;
    }
    fprintf(stderr, "lines %llu records %zu\n", (unsigned long long)lines, records);
    buf_free(&b);
    return fflush(stdout) == 0 ? 0 : 1;
}
