#!/bin/bash
# mutants.sh [DIR] - is the simulator worth anything? Breaks one rule at a time, in a copy, and
# expects the simulator to notice, by the invariant that the rule stands for. mutants.txt lists
# them. A mutation that does not change exactly one line fails: the code has moved on.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
dir=${1:-$(mktemp -d)}
cc="${CMAKE_C_COMPILER_LAUNCHER:-} ${CC:-cc}"
mkdir -p "$dir"
flags="-std=c11 -D_POSIX_C_SOURCE=200809L -O1 -w -I$top/include -I$top/proto"
flags="$flags $(pkg-config --cflags libsodium msgpack inih)"
libs="$(pkg-config --libs libsodium msgpack inih)"
export top dir cc flags libs

compile() { # source: only if it is newer than its object
    local o=$dir/$(basename "$(dirname "$1")")-$(basename "$1" .c).o
    [ "$o" -nt "$1" ] && [ -z "$(find "$top/include" "$top/proto" "$top/tests" -name '*.h' -newer "$o")" ] ||
        $cc $flags -c "$1" -o "$o"
}

mutant() { # "name | file of proto/ | invariants that may report it | seeds | sed script"
    local name file by seeds script said objects
    IFS='|' read -r name file by seeds script <<<"$1"
    name=${name// /} file=${file// /} seeds=${seeds// /}
    script=${script# }
    sed "$script" "$top/proto/$file.c" >"$dir/$name.c"
    if [ "$(diff "$top/proto/$file.c" "$dir/$name.c" | grep -c '^>')" -ne 1 ]; then
        echo "$name: FAILED: the mutation does not change exactly one line of $file.c"
        return 1
    fi
    $cc $flags -c "$dir/$name.c" -o "$dir/$name.o" || return 1
    objects=$(find "$dir" -name '*-*.o' | grep -E '/(proto|formats|sim)-[a-z0-9_]*\.o$' | grep -v "/proto-$file.o")
    $cc $objects "$dir/$name.o" -o "$dir/sim-$name" $libs || return 1
    said=$("$dir/sim-$name" --seeds "1-$seeds" | head -n 1)
    rm -f "$dir/sim-$name" "$dir/$name.o" "$dir/$name.c"
    case "$said" in
    seed*) ;;
    *) echo "$name: FAILED: not noticed in $seeds seeds" && return 1 ;;
    esac
    set -- $said
    case " $by " in
    *" $3 "*) printf '%-28s seed %-6s %s\n' "$name" "${2%:}" "${said#*: }" ;;
    *) echo "$name: FAILED: noticed, but not by $by: $said" && return 1 ;;
    esac
}
export -f compile mutant

find "$top/proto" "$top/tests/sim" -name '*.c' ${SIM_EXTRA:-} -print0 |
    xargs -0 -P 2 -I{} bash -c 'compile {}' || exit 1
grep -vE '^(#|$)' "$top/tests/sim/mutants.txt" | grep -E "${2:-.}" | tr '\n' '\0' |
    xargs -0 -P 2 -I{} bash -c 'mutant "$1"' _ {} || { echo "some rules can be broken unnoticed"; exit 1; }
