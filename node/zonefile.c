/* zonefile.c - reading the footer of a TZif file. */
#include "zonefile.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "day.h"

#define ZONE_DIR "/usr/share/zoneinfo/"

static bool footer(const char *path, char *rule, size_t room)
{
    char tail[256] = "", *end, *start;
    struct zone z;
    FILE *f = fopen(path, "rb");
    size_t n;

    if (!f)
        return false;
    if (fseek(f, -(long)(sizeof tail - 1), SEEK_END) != 0)
        rewind(f);
    n = fread(tail, 1, sizeof tail - 1, f);
    fclose(f);
    if (n < 3 || tail[n - 1] != '\n')
        return false;
    end = &tail[n - 1];
    for (start = end; start > tail && start[-1] != '\n'; start--)
        ;
    if (start == tail || (size_t)(end - start) >= room)
        return false;
    memcpy(rule, start, (size_t)(end - start));
    rule[end - start] = '\0';
    return zone_parse(rule, &z, NULL) == ERR_OK;
}

bool zonefile_rule(const char *name, char *rule, size_t room)
{
    char path[256];

    if (name[0] == '/' || strstr(name, "..") ||
        (size_t)snprintf(path, sizeof path, ZONE_DIR "%s", name) >= sizeof path)
        return false;
    return footer(path, rule, room);
}

void zonefile_local(char *name, size_t name_room, char *rule, size_t rule_room)
{
    char target[256];
    ssize_t n = readlink("/etc/localtime", target, sizeof target - 1);
    char *at;

    snprintf(name, name_room, "UTC");
    snprintf(rule, rule_room, "UTC0");
    if (n <= 0)
        return;
    target[n] = '\0';
    if ((at = strstr(target, "zoneinfo/")) == NULL)
        return;
    at += strlen("zoneinfo/");
    if (strlen(at) < name_room && zonefile_rule(at, rule, rule_room))
        snprintf(name, name_room, "%s", at);
}
