/* keyboard.c - what the keys of a US keyboard become under other layouts (D11).
 *
 * A keyboard-wedge scanner presses keys; the PC's layout makes characters of them. Rows are pairs
 * of what arrives and what was meant; characters without a row arrive as they are. */
#include "keyboard_int.h"

#include <string.h>

struct pair {
    const char *seen;
    char meant;
};

#define PAIRS_MAX 40

static const struct layout {
    const char *name;
    struct pair pairs[PAIRS_MAX]; /* ends with seen NULL */
} layouts[] = {
    { "French (AZERTY)",
      { { "&", '1' }, { "é", '2' }, { "\"", '3' }, { "'", '4' }, { "(", '5' }, { "-", '6' },
        { "è", '7' }, { "_", '8' }, { "ç", '9' },  { "à", '0' }, { "a", 'q' }, { "q", 'a' },
        { "z", 'w' }, { "w", 'z' }, { "A", 'Q' },  { "Q", 'A' }, { "Z", 'W' }, { "W", 'Z' },
        { ",", 'm' }, { "?", 'M' }, { ")", '-' },  { ":", '.' }, { "!", '/' }, { "$", ']' },
        { "8", '*' }, { "4", '$' }, { "5", '%' },  { NULL, 0 } } },
    { "Belgian (AZERTY)",
      { { "&", '1' }, { "é", '2' }, { "\"", '3' }, { "'", '4' }, { "(", '5' }, { "§", '6' },
        { "è", '7' }, { "!", '8' }, { "ç", '9' },  { "à", '0' }, { "a", 'q' }, { "q", 'a' },
        { "z", 'w' }, { "w", 'z' }, { "A", 'Q' },  { "Q", 'A' }, { "Z", 'W' }, { "W", 'Z' },
        { ",", 'm' }, { "?", 'M' }, { ")", '-' },  { ":", '.' }, { "=", '/' }, { "$", ']' },
        { "8", '*' }, { NULL, 0 } } },
    { "German (QWERTZ)",
      { { "y", 'z' },
        { "z", 'y' },
        { "Y", 'Z' },
        { "Z", 'Y' },
        { "ß", '-' },
        { "-", '/' },
        { "(", '*' },
        { "+", ']' },
        { NULL, 0 } } },
    { "Czech or Slovak",
      { { "+", '1' },
        { "ě", '2' },
        { "ľ", '2' },
        { "š", '3' },
        { "č", '4' },
        { "ř", '5' },
        { "ť", '5' },
        { "ž", '6' },
        { "ý", '7' },
        { "á", '8' },
        { "í", '9' },
        { "é", '0' },
        { "y", 'z' },
        { "z", 'y' },
        { "Y", 'Z' },
        { "Z", 'Y' },
        { "8", '*' },
        { NULL, 0 } } },
    { "US with the upper row shifted",
      { { "!", '1' },
        { "@", '2' },
        { "#", '3' },
        { "$", '4' },
        { "%", '5' },
        { "^", '6' },
        { "&", '7' },
        { "*", '8' },
        { "(", '9' },
        { ")", '0' },
        { "_", '-' },
        { NULL, 0 } } },
    { "German with the upper row shifted",
      { { "!", '1' },
        { "\"", '2' },
        { "§", '3' },
        { "$", '4' },
        { "%", '5' },
        { "&", '6' },
        { "/", '7' },
        { "(", '8' },
        { ")", '9' },
        { "=", '0' },
        { NULL, 0 } } },
};

#define LAYOUTS (sizeof layouts / sizeof layouts[0])

static const struct pair *pair_at(const struct layout *l, const char *s)
{
    for (const struct pair *p = l->pairs; p->seen; p++)
        if (strncmp(s, p->seen, strlen(p->seen)) == 0)
            return p;
    return NULL;
}

static bool translate(const struct layout *l, const char *s, char *out, size_t room)
{
    bool changed = false;
    size_t n = 0;

    while (*s != 0 && n + 1 < room) {
        const struct pair *p = pair_at(l, s);

        out[n++] = p ? p->meant : *s;
        s += p ? strlen(p->seen) : 1;
        changed |= p != NULL;
    }
    out[n] = 0;
    return changed;
}

/* Caps Lock: capitals arrive small, and the reverse. */
static bool swap_case(const char *s, char *out, size_t room)
{
    bool changed = false;
    size_t n = 0;

    for (; *s != 0 && n + 1 < room; s++) {
        bool letter = (*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z');

        out[n++] = letter ? (char)(*s ^ 0x20) : *s;
        changed |= letter;
    }
    out[n] = 0;
    return changed;
}

const char *keyboard_read(unsigned i, const char *s, char *out, size_t room)
{
    if (i < LAYOUTS)
        return translate(&layouts[i], s, out, room) ? layouts[i].name : "";
    if (i == LAYOUTS)
        return swap_case(s, out, room) ? "Caps Lock" : "";
    return NULL;
}
