#!/usr/bin/python3
"""Traces and pictures from outside: --trace, --diagram, --html, --shiviz and `lockstep diagram`.

What a picture shows is counted again here from the stored trace, by other code than the program's.

usage: diagram_cli_test.py
"""

import collections
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

PROGRAM = os.environ["LOCKSTEP_PROGRAM"]
SVG = "{http://www.w3.org/2000/svg}"
RUN = ["sim", "raft", "--nodes", "3", "--seed", "3", "--time", "2s"]


def lockstep(*arguments, status=0, input_bytes=None):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, input=input_bytes, timeout=60)
    if done.returncode != status:
        sys.exit(f"diagram_test: {arguments}: status {done.returncode}, not {status}\n{done.stderr.decode()}")
    return done.stdout, done.stderr.decode()


def check(holds, what):
    if not holds:
        sys.exit(f"diagram_test: {what}")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def arrows_of(path):
    """(sendings, receptions of what was sent, receptions once more) of a stored trace, all by one walk."""
    waiting = collections.Counter()
    known = set()
    sent = received = again = 0
    for line in open(path, encoding="utf-8"):
        item = json.loads(line)
        if item.get("event") == "MESSAGE":
            key = (item["from"], item["node"], item["key"])
            if waiting[key] > 0:
                waiting[key] -= 1
                received += 1
            elif key in known:
                again += 1
        for effect in item.get("effects", []):
            for to in effect.get("to", []):
                waiting[(item["node"], to, effect["key"])] += 1
                known.add((item["node"], to, effect["key"]))
                sent += 1
    return sent, received, again


def check_svg(path, sent, again):
    root = ElementTree.parse(path).getroot()
    messages = [group for group in root.iter(SVG + "g") if group.get("class", "").startswith("message")]
    check(len(messages) == sent + again, f"{path} shows {len(messages)} messages of {sent + again}")
    check(sum("again" in group.get("class") for group in messages) == again, "doubled messages are not marked")
    heads = [text.text for text in root.iter(SVG + "text") if text.get("class") == "head"]
    check(heads == ["n1", "n2", "n3"], f"{path} has the members {heads}")
    check(not list(root.iter(SVG + "script")), f"{path} has scripts")
    legend = {text.text for text in root.iter(SVG + "text")}
    check({"APPEND", "VOTE", "LEADER"} <= legend, f"{path} has no legend")


def check_shiviz(path, stored):
    """Each host's own component counts by one, and no clock knows what has not happened yet."""
    text = read(path).decode()
    parser = re.compile(r"(?P<host>\S*) (?P<clock>{.*})\n(?P<event>.*)")
    check(text.startswith("(?<host>\\S*) (?<clock>{.*})\\n(?<event>.*)\n\n"), f"{path} has no parser in its first line")
    events = list(parser.finditer(text.split("\n\n", 1)[1]))
    steps = sum("event" in json.loads(line) for line in open(stored, encoding="utf-8"))
    check(len(events) == steps, f"{path} has {len(events)} events of {steps}")
    counts = collections.Counter()
    for event in events:
        clock = json.loads(event["clock"])
        counts[event["host"]] += 1
        check(clock[event["host"]] == counts[event["host"]], f"{path}: {event[0]} does not count by one")
        for host, seen in clock.items():
            check(seen <= counts[host], f"{path}: {event[0]} knows the future of {host}")


def check_stored(folder):
    paths = {ending: os.path.join(folder, "run." + ending) for ending in ("jsonl", "svg", "html", "shiviz", "txt")}
    plain, _ = lockstep(*RUN, "--hash")
    traced, _ = lockstep(*RUN, "--hash", "--trace", paths["jsonl"], "--diagram", paths["svg"], "--html", paths["html"],
                         "--shiviz", paths["shiviz"], "--rows", "2000")
    check(plain.split(b"\n")[0] == traced.split(b"\n")[0], "to be watched changes the run")
    sent, received, again = arrows_of(paths["jsonl"])
    check(sent > 100 and received > 0.5 * sent, f"only {received} of {sent} messages are found again")
    check_svg(paths["svg"], sent, again)
    check_shiviz(paths["shiviz"], paths["jsonl"])
    check(b"\"arrows\":{\"count\":%d," % (sent + again) in read(paths["html"]), "the page has other messages")

    copies = {ending: os.path.join(folder, "copy." + ending) for ending in ("jsonl", "svg", "shiviz")}
    for ending, path in copies.items():
        lockstep("diagram", paths["jsonl"], "-o", path, "--rows", "2000")
        check(read(path) == read(paths[ending]), f"the stored trace gives another {ending}")
    drawn, _ = lockstep("diagram", "-", "--rows", "2000", input_bytes=read(paths["jsonl"]))
    check(drawn == read(paths["svg"]), "the standard input gives another picture")
    lockstep(*RUN, "--trace", paths["txt"])
    text = read(paths["txt"]).decode()
    check(" MESSAGE VOTE " in text and "  SEND to n" in text and "** CLIENT client" in text, "the text lacks something")
    lockstep("diagram", paths["jsonl"], "-o", copies["svg"], "--from", "1.0", "--to", "1.2", "--vectors")
    window = ElementTree.parse(copies["svg"]).getroot()
    times = [float(at.text) for at in window.iter(SVG + "text") if at.get("class") == "time"]
    check(times and min(times) >= 1.0 and max(times) <= 1.2, f"the window shows {min(times)} to {max(times)}")
    check(any(at.get("class") == "vector" for at in window.iter(SVG + "text")), "there are no vector timestamps")


def check_violation(folder):
    """By default the picture ends at the step where the property broke."""
    path = os.path.join(folder, "broken.svg")
    for seed in range(1, 60):
        done = subprocess.run([PROGRAM, "sim", "raft", "--nodes", "3", "--seed", str(seed), "--diagram", path,
                               "--break", "vote-not-stored"], capture_output=True, timeout=60)
        if done.returncode == 1:
            break
    check(done.returncode == 1, "no seed of 1..59 finds the ablation")
    groups = [group for group in ElementTree.parse(path).getroot().iter(SVG + "g") if group.get("class")]
    check(sum(group.get("class") == "violation" for group in groups) == 1, "the broken property is not marked")


def check_errors(folder):
    bad = os.path.join(folder, "bad.jsonl")
    with open(bad, "w", encoding="utf-8") as file:
        file.write('{"trace":1}\n{"at":3,"node":1,"event":"DANCE"}\n')
    _, error = lockstep("diagram", bad, status=1)
    check("bad.jsonl: line 2" in error and "DANCE" in error, f"a bad line is told as {error}")
    _, error = lockstep("diagram", os.path.join(folder, "none.jsonl"), status=1)
    check("cannot read" in error, f"a missing file is told as {error}")
    _, error = lockstep(*RUN, "--diagram", "/nowhere/at/all.svg", status=1)
    check("cannot write /nowhere/at/all.svg" in error, f"an unwritable file is told as {error}")
    for arguments in (["diagram"], ["diagram", bad, "-o", "x.png"], ["diagram", bad, bad], ["diagram", bad, "--odd"],
                      ["diagram", bad, "--from", "soon"], ["diagram", bad, "--rows", "0"], ["diagram", bad, "-o"],
                      ["sim", "raft", "--seeds", "1..3", "--html", "x.html"]):
        _, error = lockstep(*arguments, status=2)
        check(error or arguments == ["diagram"], f"{arguments} is refused without a word")


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_stored(folder)
        check_violation(folder)
        check_errors(folder)
    print("diagram_test: stored traces, pictures and logs agree")


if __name__ == "__main__":
    main()
