#!/bin/sh
# mutants.sh [DIR] - is the simulator worth anything? Breaks one rule of the ledger at a time, in a
# copy, and expects the simulator to notice, by the invariant that the rule stands for.
# A mutation that does not change exactly one line fails the script: the code has moved on.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
dir=${1:-$(mktemp -d)}
cc=${CC:-cc}
mkdir -p "$dir"
flags="-std=c11 -D_POSIX_C_SOURCE=200809L -O1 -I$top/include -I$top/proto ${SIM_CFLAGS:-}"
flags="$flags $(pkg-config --cflags libsodium msgpack inih)"
libs="$(pkg-config --libs libsodium msgpack inih)"

objects=
for c in "$top"/proto/*.c "$top"/proto/formats/*.c "$top"/tests/sim/*.c ${SIM_EXTRA:-}; do
    o=$dir/$(basename "$(dirname "$c")")-$(basename "$c" .c).o
    $cc $flags -c "$c" -o "$o"
    objects="$objects $o"
done

failed=0
mutant() { # name, file of proto/, invariants that may report it, seeds, sed script
    sed "$5" "$top/proto/$2.c" > "$dir/$1.c"
    changed=$(diff "$top/proto/$2.c" "$dir/$1.c" | grep -c '^>' || true)
    if [ "$changed" -ne 1 ]; then
        echo "$1: the mutation changed $changed lines instead of one"
        failed=1
        return
    fi
    $cc $flags -c "$dir/$1.c" -o "$dir/$1.o"
    others=$(echo "$objects" | sed "s# $dir/proto-$2\.o##")
    $cc $others "$dir/$1.o" -o "$dir/sim-$1" $libs
    if said=$("$dir/sim-$1" --seeds "1-$4"); then
        echo "$1: NOT noticed in $4 seeds"
        failed=1
        return
    fi
    said=$(echo "$said" | head -n 1)
    by=$(echo "$said" | sed 's/^seed [0-9]*: \([A-Za-z0-9]*\) .*/\1/')
    case " $3 " in
    *" $by "*) echo "$1: noticed, $said" ;;
    *) echo "$1: noticed, but not by $3: $said" && failed=1 ;;
    esac
}

mutant vote-not-persisted election "I1 settle" 1000 '/^void election_enter_term/,/^}/s/    ledger_persist(l);/    (void)l;/'
mutant term-forgotten ledger "I1 I2" 1000 's/    l->term = mp_get_u64(&m);/    (void)mp_get_u64(\&m);/'
mutant sent-before-majority uploader "I3" 300 's/ledger_is_majority(l, l->acc_yes)/l->acc_yes != 0/'
mutant accepted-ignored uploader "I2" 1000 's/l->adopt.len > 0) { .. L5 ../l->adopt.len > SIZE_MAX - 1) {/'
mutant no-restart-grace ledger "I7" 5000 's/\(l->grace_until = now->boot_ms\) + LEASE_PROMISE_MS/\1/'
mutant no-promise election "I7" 1000 '/^void election_promise/,/^}/s/\(l->promise_until = now->boot_ms\) + LEASE_PROMISE_MS/\1/'
mutant records-not-held seat "L3" 300 's/return l->ask->holds(.*/return ERR_OK;/'
exit $failed
