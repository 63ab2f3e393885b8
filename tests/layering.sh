#!/bin/sh
# The rules stay pure: proto/ may call memory, strings, number formatting, libsodium's pure
# functions, msgpack, LZ4, jansson and libinih's parser, and nothing that reads a clock, a file, a socket
# or dice.
#   layering.sh LIBPROTO.A [LIBNODE.A]
set -eu
allowed='^(_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|__assert_fail|abort'
allowed="$allowed|(mem(cpy|set|move|cmp|chr)|str(len|cpy|cmp|ncmp|chr|rchr|str|spn|cspn|cat|pbrk|nlen))"
allowed="$allowed|__(mem|str|vs?n?|s?n?)[a-z]*_chk|v?snprintf|__isoc99_sscanf|sscanf|strto(ul|ull|l|ll)"
allowed="$allowed|free|qsort|bsearch|__ctype_[a-z_]*"
allowed="$allowed|crypto_[a-z0-9_]*|sodium_(memzero|memcmp|bin2hex|hex2bin|add|increment|is_zero)"
allowed="$allowed|msgpack_[a-z0-9_]*|ini_[a-z_]*|LZ4_(de)?compress_[a-z]*|json_[a-z0-9_]*)$"
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
# What a person records comes through one gate, which practice shuts.
if [ $# -gt 1 ]; then
    around=$(nm -A -u "$2" 2>/dev/null | awk '$NF ~ /^core_record(_telling)?$/ { print $1, $NF }' |
        grep -v ':gate\.c\.o:' || true)
    if [ -n "$around" ]; then
        printf 'node/ records past the gate:\n%s\n' "$around"
        exit 1
    fi
    # And practice itself has no way into the core.
    ways=$(nm -A -u "$1" 2>/dev/null | grep -E ':(practice|drills|box|scan)\.c\.o:' |
        awk '$NF ~ /^(core|feeds|sync|ledger)_/ { print $1, $NF }' || true)
    if [ -n "$ways" ]; then
        printf 'practice reaches the core:\n%s\n' "$ways"
        exit 1
    fi
    echo "node/ records through its gate alone; practice cannot reach the core"
fi
