#!/usr/bin/python3
"""Makes docs/commands.md from the command table.

    gen_commands.py            writes docs/commands.md
    gen_commands.py --check    fails when it is not what would be written

The table is src/service/commands.def; the words around it are tools/commands.md.in, with @TABLE@ where it goes.
"""
import os
import re
import sys

SOURCE = os.environ.get("LOCKSTEP_SOURCE") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEFINITION = os.path.join(SOURCE, "src/service/commands.def")
TEMPLATE = os.path.join(SOURCE, "tools/commands.md.in")
DOCUMENT = os.path.join(SOURCE, "docs/commands.md")
COLUMNS = ["op", "kind", "arity", "flags", "first", "last", "step", "acl", "tips", "key_flags", "group", "since",
           "complexity", "summary"]
TITLES = {"connection": "Connections", "server": "Server", "string": "Strings", "generic": "Keys",
          "transactions": "Transactions", "groups": "Groups"}


def entries(text):
    """Each entry as a dictionary. Arguments are split at commas outside of string literals."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    literal = r'"(?:[^"\\]|\\.)*"'
    for match in re.finditer(r"^(COMMAND|SUBCOMMAND|DOTTED)\(((?:%s|[^\")])*)\)" % literal, text, flags=re.M):
        words = [word.strip() for word in re.findall(r"(?:%s|[^,\"])+" % literal, match.group(2))]
        fixed = 2 if match.group(1) == "COMMAND" else 3
        if len(words) != fixed + len(COLUMNS):
            raise SystemExit("%s: %s has %d columns" % (DEFINITION, words[0], len(words)))
        entry = dict(zip(COLUMNS, words[fixed:]))
        if match.group(1) == "DOTTED":
            entry["name"] = words[1].strip('"')
        else:
            entry["name"] = words[0] if fixed == 2 else words[2].strip('"').upper().replace("|", " ")
        yield entry


def bits(column, prefix):
    return [word.strip()[len(prefix):].lower() for word in column.split("|") if word.strip() != "0"]


def text_of(literal):
    return literal.strip('"').replace("|", "\\|")


def arguments(entry):
    """The arity in words: how many arguments follow the name."""
    words = len(entry["name"].split())
    arity = int(entry["arity"])
    if arity >= 0:
        return str(arity - words)
    return "%d or more" % (-arity - words)


def keys(entry):
    first, last, step = int(entry["first"]), int(entry["last"]), int(entry["step"])
    if first == 0:
        return ""
    if first == last:
        return str(first)
    return "%d to %s%s" % (first, "the last" if last < 0 else last, "" if step == 1 else ", every %dnd" % step)


def table(listed):
    head = ["command", "what it does", "kind", "arguments", "keys", "flags", "complexity", "since"]
    out = []
    for group in TITLES:
        out += ["## " + TITLES[group], "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
        for entry in listed:
            if entry["group"] == "GROUP_" + group.upper():
                out.append("| `%s` | %s | %s | %s | %s | %s | %s | %s |" % (
                    entry["name"], text_of(entry["summary"]), entry["kind"].lower(), arguments(entry), keys(entry),
                    " ".join(bits(entry["flags"], "CMD_")), text_of(entry["complexity"]), text_of(entry["since"])))
        out.append("")
    return "\n".join(out).rstrip()


def document():
    with open(DEFINITION, encoding="utf-8") as file:
        text = file.read()
    listed = list(entries(text))
    declared = len(re.findall(r"^(?:COMMAND|SUBCOMMAND|DOTTED)\(", re.sub(r"/\*.*?\*/", "", text, flags=re.S), flags=re.M))
    if len(listed) != declared or len({entry["op"] for entry in listed}) != declared:
        raise SystemExit("%s: %d entries, of which %d are understood" % (DEFINITION, declared, len(listed)))
    with open(TEMPLATE, encoding="utf-8") as file:
        return file.read().replace("@TABLE@", table(listed))


def main():
    wanted = document()
    if "--check" not in sys.argv[1:]:
        with open(DOCUMENT, "w", encoding="utf-8") as file:
            file.write(wanted)
        return 0
    try:
        with open(DOCUMENT, encoding="utf-8") as file:
            present = file.read()
    except FileNotFoundError:
        present = ""
    if present == wanted:
        return 0
    print("docs/commands.md is not what tools/gen_commands.py makes of the command table: run it")
    return 1


if __name__ == "__main__":
    sys.exit(main())
