#!/usr/bin/python3
"""Checks that docs/commands.md is what tools/gen_commands.py makes of the command table, and that a change would be
noticed. usage: commands_doc_test.py"""
import os
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("LOCKSTEP_SOURCE") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILES = ["src/service/commands.def", "tools/commands.md.in", "tools/gen_commands.py", "docs/commands.md"]


def check(root, output=None):
    environment = dict(os.environ, LOCKSTEP_SOURCE=root)
    command = [sys.executable, os.path.join(root, FILES[2]), "--check"]
    return subprocess.call(command, env=environment, stdout=output)


def changed(change):
    """The outcome of the check on a copy in which `change` was made to the table."""
    with tempfile.TemporaryDirectory() as root:
        for name in FILES:
            os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
            shutil.copy(os.path.join(SOURCE, name), os.path.join(root, name))
        with open(os.path.join(root, FILES[0]), "r+", encoding="utf-8") as file:
            text = file.read()
            file.seek(0)
            file.write(change(text))
            file.truncate()
        return check(root, subprocess.DEVNULL)


def main():
    if check(SOURCE) != 0:
        return 1
    if changed(lambda text: text) != 0 or changed(lambda text: text.replace('"O(1)"', '"O(2)"', 1)) == 0:
        print("the check does not notice a changed table")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
