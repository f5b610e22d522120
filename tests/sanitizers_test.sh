#!/bin/sh
# The unit tests once more, and a short campaign, under the address and undefined-behaviour sanitizers: a build of its
# own, without the tests that are scripts.
set -eu

build=$LOCKSTEP_BUILD/sanitized
cd "$LOCKSTEP_SOURCE"
cmake --preset asan -B "$build" >/dev/null
cmake --build "$build" >"$build/build.log" 2>&1 || {
    tail -40 "$build/build.log"
    exit 1
}
ctest --test-dir "$build" --output-on-failure -LE scripts
"$build/lockstep" sim raft --nodes 5 --seeds 1..20 --time 20s
