/* pages.h - the files of node/pages/, compiled into the program by node/pages/embed.cmake. */
#ifndef TIDEOVER_PAGES_H
#define TIDEOVER_PAGES_H

#include <stddef.h>
#include <stdint.h>

struct page_file {
    const char *name; /* "desk.html" */
    const char *type; /* "text/html; charset=utf-8" */
    const uint8_t *bytes;
    size_t size;
};
extern const struct page_file page_files[];
extern const unsigned n_page_files;

/* What is served at a path ("/", "/desk", "/pages/base.css"), NULL if nothing is. */
const struct page_file *page_find(const char *path);

#endif
