#!/bin/bash
# mutants.sh [DIR] - is the simulator worth anything? Breaks one rule at a time, in a copy, and
# expects the simulator to notice, by the invariant that the rule stands for: seeds that break another
# one are passed over. mutants.txt lists them; a word in place of the number of seeds is a script. A mutation that does not change one line
# for each of its commands fails: the code has moved on.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
dir=${1:-$(mktemp -d)}
cc="${CMAKE_C_COMPILER_LAUNCHER:-} ${CC:-cc}"
mkdir -p "$dir"
flags="-std=c11 -D_POSIX_C_SOURCE=200809L -O1 -w -I$top/include -I$top/proto"
flags="$flags $(pkg-config --cflags libsodium msgpack inih jansson liblz4)"
libs="$(pkg-config --libs libsodium msgpack inih jansson liblz4)"
export top dir cc flags libs

compile() { # source: only if it is newer than its object
    local o=$dir/$(basename "$(dirname "$1")")-$(basename "$1" .c).o
    [ "$o" -nt "$1" ] && [ -z "$(find "$top/include" "$top/proto" "$top/tests" -name '*.h' -newer "$o")" ] ||
        $cc $flags -c "$1" -o "$o"
}

mutant() { # "name | file of proto/ | invariants that may report it | seeds | sed script"
    local name file by seeds script said objects wanted
    IFS='|' read -r name file by seeds script <<<"$1"
    name=${name// /} file=${file// /} seeds=${seeds// /}
    script=${script# }
    sed "$script" "$top/proto/$file.c" >"$dir/$name.c"
    wanted=$(($(grep -o '; s/' <<<"$script" | wc -l) + 1))
    if [ "$(diff "$top/proto/$file.c" "$dir/$name.c" | grep -c '^>')" -ne "$wanted" ]; then
        echo "$name: FAILED: the mutation does not change $wanted line(s) of $file.c"
        return 1
    fi
    $cc $flags -c "$dir/$name.c" -o "$dir/mutant-$name.o" || return 1
    objects=$(ls "$dir"/proto-*.o "$dir"/formats-*.o "$dir"/sim-*.o | grep -vxF "$dir/proto-$file.o")
    $cc $objects "$dir/mutant-$name.o" -o "$dir/mutant-$name" $libs || return 1
    case $seeds in
    *[!0-9]*) said=$("$dir/mutant-$name" --script "$top/tests/sim/scripts/$seeds.sim" | sed "s/^[^:]*:/script $seeds:/") ;;
    *) said=$("$dir/mutant-$name" --seeds "1-$seeds" --want "$by" | head -n 1) ;;
    esac
    rm -f "$dir/mutant-$name" "$dir/mutant-$name.o" "$dir/$name.c"
    case "$said" in
    *"as it should be"* | [0-9]*) echo "$name: FAILED: not noticed ($seeds)" && return 1 ;;
    *) ;;
    esac
    set -- $said
    case " $by " in
    *" $3 "*) printf '%-24s %-22s %s\n' "$name" "$1 ${2%:}" "${said#*: }" ;;
    *) echo "$name: FAILED: noticed, but not by $by: $said" && return 1 ;;
    esac
}
export -f compile mutant

find "$top/proto" "$top/tests/sim" -name '*.c' ${SIM_EXTRA:-} -print0 |
    xargs -0 -P 2 -I{} bash -c 'compile {}' || exit 1
list=$(grep -vE '^(#|$)' "$top/tests/sim/mutants.txt" | grep -E "${2:-.}")
tr '\n' '\0' <<<"$list" |
    xargs -0 -P 2 -I{} bash -c 'mutant "$1"' _ {} || { echo "some rules can be broken unnoticed"; exit 1; }
echo "$(wc -l <<<"$list") rules broken one at a time, each noticed by the invariant that it stands for"
