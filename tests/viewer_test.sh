#!/bin/sh
# The page of --html in a headless chromium, with more than a hundred thousand events, and with a broken property.
#
# playwright-core (tests/viewer/package.json and its lock file) is installed into the build directory at the first run.
# Leaves screenshots there. Exit status 77: it cannot run here, and why.
set -eu

program=${LOCKSTEP_PROGRAM:?}
here="$LOCKSTEP_SOURCE/tests/viewer"
work="$LOCKSTEP_BUILD/viewer-test"
browser=${LOCKSTEP_CHROMIUM:-$(command -v chromium || true)}

skip() {
    echo "viewer_test: skipped: $1"
    exit 77
}
command -v node >/dev/null 2>&1 || skip "there is no node"
[ -n "$browser" ] || skip "there is no chromium"
mkdir -p "$work"
if ! cmp -s "$here/package-lock.json" "$work/package-lock.json" || [ ! -d "$work/node_modules/playwright-core" ]; then
    command -v npm >/dev/null 2>&1 || skip "there is no npm to install playwright-core with"
    cp "$here/package.json" "$here/package-lock.json" "$work/"
    npm ci --prefix "$work" --no-audit --no-fund --ignore-scripts >"$work/npm.log" 2>&1 ||
        { rm -f "$work/package-lock.json"; skip "npm cannot install playwright-core: $(tail -1 "$work/npm.log")"; }
fi
export LOCKSTEP_VIEWER_MODULES="$work" LOCKSTEP_CHROMIUM="$browser"

# Counted from the stored trace, by other code than the program's.
count() {
    python3 - "$1" "$2" <<'END'
import json, sys
items = sent = violations = 0
lines = set()
for line in open(sys.argv[1], encoding="utf-8"):
    item = json.loads(line)
    if "at" not in item:
        continue
    items += 1
    violations += item.get("mark") == "violation"
    if "event" in item:
        lines.add(item["node"])
        sent += sum(len(effect.get("to", [])) for effect in item.get("effects", []))
print(json.dumps({"items": items, "arrows": sent, "lines": len(lines), "violations": violations,
                  "fast": sys.argv[2] == "fast"}))
END
}

"$program" sim raft --nodes 5 --seed 7 --time 200s --html "$work/large.html" --trace "$work/large.jsonl" >/dev/null
count "$work/large.jsonl" fast >"$work/large.json"
python3 -c 'import json, sys; sys.exit(json.load(open(sys.argv[1]))["items"] < 100000)' "$work/large.json" ||
    { echo "viewer_test: the run has fewer than 100,000 events: $(cat "$work/large.json")"; exit 1; }
node "$here/viewer_test.mjs" "$work/large.html" "$work/large.json" "$work/large.png"

seed=1
while "$program" sim raft --nodes 3 --seed $seed --break vote-not-stored --html "$work/broken.html" \
    --trace "$work/broken.jsonl" >/dev/null; do
    seed=$((seed + 1))
    [ $seed -lt 60 ] || { echo "viewer_test: no seed of 1..59 finds the ablation"; exit 1; }
done
count "$work/broken.jsonl" slow >"$work/broken.json"
node "$here/viewer_test.mjs" "$work/broken.html" "$work/broken.json" "$work/broken.png"
rm -f "$work/large.jsonl" "$work/broken.jsonl"
