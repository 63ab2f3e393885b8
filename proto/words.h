/* words.h - words that people read to each other.
 *
 * Four of them compare the branch's key on two screens, six make a passphrase. Common English nouns
 * in the main, three to seven letters, each easily spelled. No two differ by a single letter, and
 * words that sound like another were left out, so that one misheard over a telephone is noticed. */
#ifndef TIDEOVER_WORDS_H
#define TIDEOVER_WORDS_H

#define WORDS_COUNT 1024 /* ten bits a word */

extern const char *const words_list[WORDS_COUNT];

#endif
