#!/usr/bin/python3
"""Runs each fuzz target for FUZZ_SECONDS (60) on its checked-in corpus, two at a time, and the canary, which must be
found. The targets are built by clang into a folder of their own; new inputs are kept there, not in the source."""

import concurrent.futures
import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(os.environ.get("LOCKSTEP_SOURCE") or pathlib.Path(__file__).resolve().parent.parent)
BUILD = pathlib.Path(os.environ.get("LOCKSTEP_BUILD") or SOURCE / "build-fuzz") / "fuzz-build"
SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))
TARGETS = ["resp", "peer", "peer_paxos", "wal", "kv"]
CANARY_SECONDS = 60


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def build():
    configure = run(["cmake", "--preset", "fuzz", "-B", str(BUILD)], cwd=SOURCE)
    if configure.returncode != 0:
        sys.exit(configure.stdout)
    names = [name + "_fuzz" for name in TARGETS + ["canary"]]
    made = run(["cmake", "--build", str(BUILD), "--target", *names])
    if made.returncode != 0:
        sys.exit(made.stdout[-8000:])


def fuzz(name, seconds):
    found = BUILD / "inputs" / name
    crashes = BUILD / "crashes"
    for folder in (found, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    corpus = SOURCE / "fuzz" / "corpus" / name
    command = [str(BUILD / "fuzz" / (name + "_fuzz")), str(found)]
    if corpus.is_dir():
        command.append(str(corpus))
    command += [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=1", "-seed=1",
                f"-artifact_prefix={crashes}/{name}-"]
    result = run(command, timeout=seconds + 240)
    runs = [line.split(":")[-1].strip() for line in result.stdout.splitlines() if "number_of_executed_units" in line]
    return name, result.returncode, runs[0] if runs else "?", result.stdout


def main():
    build()
    failed = False
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(lambda name: fuzz(name, SECONDS), TARGETS))
    for name, status, runs, output in results:
        print(f"{name}: {runs} inputs in {SECONDS} s: {'ok' if status == 0 else 'FAILED'}")
        if status != 0:
            failed = True
            print(output[-6000:])
    name, status, runs, _ = fuzz("canary", CANARY_SECONDS)
    print(f"{name}: {'found' if status != 0 else 'NOT FOUND: the fuzzer does not work'}")
    return 1 if failed or status == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
