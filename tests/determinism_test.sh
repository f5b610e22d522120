#!/bin/sh
# One seed, one run: the hash of all events of a run is the same in a fresh process, with any number of workers, and
# from builds of gcc and clang with and without optimisation.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "determinism: $1" >&2
    exit 1
}

# hashes NAME COMMAND...: the hash lines of two protocols' runs.
hashes() {
    out=$work/$1
    shift
    "$@" raft --seeds 1..20 --time 10s --hash | grep '^seed' >"$out"
    "$@" two-phase-commit --seeds 1..5 --time 10s --hash | grep '^seed' >>"$out"
    [ "$(wc -l <"$out")" -ge 25 ] || fail "no hashes from $1"
}

same() {
    diff "$work/program" "$work/$1" || fail "$1 has other hashes"
}

hashes program "$LOCKSTEP_PROGRAM" sim
hashes again "$LOCKSTEP_PROGRAM" sim
same again
"$LOCKSTEP_PROGRAM" sim raft --seed 7 --time 10s --hash | grep '^seed 7:' >"$work/alone"
grep '^seed 7:' "$work/program" | head -1 | diff - "$work/alone" || fail "a seed's run depends on those before it"
"$LOCKSTEP_PROGRAM" sim raft --seeds 1..20 --time 10s --hash --jobs 3 | grep '^seed' >"$work/jobs"
head -20 "$work/program" | diff - "$work/jobs" || fail "workers change a run"

# Two seeds that have one hash would prove nothing.
[ "$(sed 's/.*hash \([0-9a-f]*\),.*/\1/' "$work/program" | sort | uniq -d | wc -l)" -eq 0 ] ||
    fail "different seeds have the same hash"

src=$LOCKSTEP_SOURCE/src
lua=$(pkg-config --cflags lua5.4)
files=$(find "$src/base" "$src/contract" "$src/protocol" "$src/service" "$src/storage" "$src/node" "$src/front" \
    "$src/host/world" "$src/host/replay" "$src/host/explore" "$src/lab" -name '*.c' ! -name '*_test.c')
for build in 'gcc -O0' 'gcc -O3' 'clang -O0' 'clang -O2'; do
    command -v "${build% *}" >/dev/null || continue
    name=$(echo "$build" | tr -d ' ')
    mkdir "$work/$name.d"
    # Files of one name in two folders: objects are named after their whole path.
    # shellcheck disable=SC2016
    echo "$files" "$src"/cli/sim*.c "$src/cli/build.c" "$src/cli/pictures.c" "$src/cli/words.c" "$LOCKSTEP_SOURCE/tests/sim_main.c" \
        "$LOCKSTEP_BUILD/viewer_page.c" |
        tr ' ' '\n' |
        xargs -P 2 -I '{}' sh -c \
            "$build"' -std=c17 -D_DEFAULT_SOURCE -DLOCKSTEP_VERSION=\"0\" '"$lua"' -ffp-contract=off -I"$1" \
                -c "$2" -o "$3/$(echo "$2" | tr / _).o"' \
            sh "$src" '{}' "$work/$name.d"
    # shellcheck disable=SC2046
    ${build% *} "$work/$name.d"/*.o -o "$work/$name.bin" $(pkg-config --libs libisal jansson lua5.4) -lm -ldl
    hashes "$name" "$work/$name.bin"
    same "$name"
    rm -r "$work/$name.d"
done
echo "all hashes agree"
