#!/bin/sh
# The rules stay pure: proto/ may call memory, strings, number formatting, libsodium's pure
# functions, msgpack, jansson and libinih's parser, and nothing that reads a clock, a file, a socket
# or dice.
#   layering.sh LIBPROTO.A
set -eu
allowed='^(_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|__assert_fail|abort'
allowed="$allowed|(mem(cpy|set|move|cmp|chr)|str(len|cpy|cmp|ncmp|chr|rchr|str|spn|cspn|cat|pbrk|nlen))"
allowed="$allowed|__(mem|str|vs?n?|s?n?)[a-z]*_chk|v?snprintf|__isoc99_sscanf|sscanf|strto(ul|ull|l|ll)"
allowed="$allowed|free|qsort|bsearch|__ctype_[a-z_]*"
allowed="$allowed|crypto_[a-z0-9_]*|sodium_(memzero|memcmp|bin2hex|hex2bin|add|increment|is_zero)"
allowed="$allowed|msgpack_[a-z0-9_]*|ini_[a-z_]*|json_[a-z0-9_]*)$"
defined=$(nm -g --defined-only "$1" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u)
bad=$(nm -u "$1" 2>/dev/null | awk '$1 == "U" { print $2 }' | sort -u |
    grep -vxF "$defined" | grep -vE "$allowed" | grep -vxE 'malloc|calloc|realloc' | grep -vE '^__(asan|ubsan|sanitizer)_' || true)
# Memory comes from mem.c alone, which counts what was refused.
takers=$(nm -A -u "$1" 2>/dev/null | awk '$NF ~ /^(malloc|calloc|realloc|strdup)$/ { print $1, $NF }' |
    grep -v ':mem\.c\.o:' || true)
[ -z "$takers" ] || bad="$bad $takers (take memory from mem.h)"
if [ -n "$bad" ]; then
    printf 'proto/ reaches outside:\n%s\n' "$bad"
    exit 1
fi
echo "proto/ is pure: $(printf '%s\n' "$defined" | wc -l) functions, none of them touches the world"
