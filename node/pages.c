/* pages.c - which of the built-in files is served where. */
#include "pages.h"

#include <string.h>

static const struct page_file *file_named(const char *name)
{
    for (unsigned i = 0; i < n_page_files; i++)
        if (strcmp(page_files[i].name, name) == 0)
            return &page_files[i];
    return NULL;
}

static const struct {
    const char *path, *name;
} places[] = {
    { "/", "desk.html" },       { "/desk", "desk.html" },   { "/lead", "lead.html" },
    { "/admin", "admin.html" }, { "/login", "login.html" },
};

const struct page_file *page_find(const char *path)
{
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++)
        if (strcmp(places[i].path, path) == 0)
            return file_named(places[i].name);
    return strncmp(path, "/pages/", 7) == 0 ? file_named(path + 7) : NULL;
}
