"""docs.py - do the documents say what the program does? Numbers, tables, tags, domains, requests,
metrics and settings: what stands in the code stands in its document, and the reverse.

    docs.py [TOP]"""
import re
import sys
from pathlib import Path

TOP = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
wrong = []


def text(path):
    return (TOP / path).read_text(encoding="utf-8")


def section(document, title):
    """From a heading up to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", text(document), re.M | re.S)
    assert found, f"{document} has no section {title}"
    return found.group(1)


def rows(document, title):
    """The cells of every row of the tables of a section, without their heads."""
    for line in section(document, title).splitlines():
        if line.startswith("| ") and not line.startswith("|---"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def numbers(cell):
    """"36, 37" and "20 to 26", as numbers."""
    for part in cell.split(","):
        span = re.fullmatch(r"\s*(\d+)(?: to (\d+))?\s*", part)
        if span:
            yield from range(int(span.group(1)), int(span.group(2) or span.group(1)) + 1)


def numbered_rows(document, title):
    """{number: name} of the tables whose first cell is a number and whose second is a name."""
    out = {}
    for row in rows(document, title):
        names = re.sub(r"\(.*?\)", "", row[1]).split(",")
        for at, number in enumerate(numbers(row[0])):
            if number in out:
                wrong.append(f"{document}, {title}: {number} stands there twice")
            out[number] = names[min(at, len(names) - 1)].strip()
    return out


def constants(header, prefix):
    """{number: name without the prefix} of an enum."""
    return {int(n): name for name, n in re.findall(rf"\b{prefix}_(\w+)\s*=\s*(\d+)\b", text(header))}


def same(what, code, document):
    for number in sorted(set(code) | set(document)):
        if code.get(number) != document.get(number):
            wrong.append(f"{what} {number}: the code says {code.get(number)}, "
                         f"the document {document.get(number)}")


def all_there(what, names, document, where):
    for name in sorted(names):
        if name not in document:
            wrong.append(f"{where} lacks {what} {name}")


def sources(*folders):
    for folder in folders:
        for path in sorted((TOP / folder).rglob("*.[ch]")):
            yield path.read_text(encoding="utf-8")


def messages():
    wire = constants("include/wire.h", "WIRE")
    told = numbered_rows("proto/PROTOCOL.md", "Messages")
    joining = section("proto/PROTOCOL.md", "Joining")
    for number, name in wire.items():
        if told.get(number) == "" and name in joining:
            told[number] = name
    same("message", {n: name for n, name in wire.items()}, told)


def record_tags():
    table = text("proto/record.c")
    table = table[table.index("fields[] = {"):table.index("#define FIELDS")]
    code = [int(n) for n in re.findall(r"\{ (\d+), ", table)]
    told = [n for row in rows("proto/PROTOCOL.md", "Record") for n in numbers(row[0])]
    if code != sorted(told):
        wrong.append(f"tags of a record: the code has {code}, PROTOCOL.md {sorted(told)}")


def tables():
    code = {int(n): name for name, n in
            re.findall(r'\[TABLE_\w+\] = \{ "(\w+)", (\d+) \}', text("store/env.c"))}
    told = {}
    for row in rows("store/FORMAT.md", "Named databases and keys"):
        for number in numbers(row[1]):
            told[number] = row[0].strip("`")
    same("table", code, told)
    values = section("store/FORMAT.md", "Values")
    all_there("a value of table", {f"`{name}`" for name in code.values()}, values, "FORMAT.md")


def meta_keys():
    """What stands under one letter in the table meta."""
    code = set()
    for source in sources("proto"):
        if "TABLE_META" in source:
            code |= set(re.findall(r"(?:= \{ |meta_key\(|\[0\] = )'([A-Z])'", source))
    told = set(re.findall(r"^\| `meta` `([A-Z])`", section("store/FORMAT.md", "Values"), re.M))
    for letter in sorted(code ^ told):
        wrong.append(f"meta {letter}: only {'the code' if letter in code else 'FORMAT.md'} has it")


def domains():
    documents = text("proto/PROTOCOL.md") + text("store/FORMAT.md") + text("node/API.md")
    code = set()
    for source in sources("include", "proto", "store", "node"):
        code |= set(re.findall(r'"(tideover [a-z0-9 -]+ v\d)"', source))
    all_there("the domain", code, documents, "every document")
    told = {d for row in rows("proto/PROTOCOL.md", "Notation")
            for d in re.findall(r"`(tideover [a-z0-9 -]+ v\d)`", row[0])}
    for domain in sorted(told - code):
        wrong.append(f"PROTOCOL.md has the domain {domain}, which is in no code")


def requests():
    known = {path for source in (TOP / "node").glob("*.c")  # not the sinks: those ask others
             for path in re.findall(r'"(/api/v1/[a-z/-]+)"', source.read_text(encoding="utf-8"))}
    told = set()
    for line in text("node/API.md").splitlines():
        before = ""
        for path in re.findall(r"(/api/v1/[a-z/-]+|(?<=`)/[a-z-]+)", line):
            if path.startswith("/api/"):
                told.add(path)
                before = path
            else:  # "`/lock`": beside the one before it
                told |= {before.rsplit("/", 1)[0] + path} & known
    for path in sorted(known ^ told):
        wrong.append(f"{path}: only {'the node' if path in known else 'API.md'} has it")


def metrics():
    """Dashboards and alerts ask for what there is."""
    code = text("node/metrics.c")
    for path in sorted((TOP / "examples/monitoring").iterdir()):
        for name in set(re.findall(r"tideover_([a-z_]+)", path.read_text(encoding="utf-8"))):
            if f'"{name}"' not in code and f"tideover_{name}" not in code:
                wrong.append(f"{path.name} asks for tideover_{name}, which the node does not tell")


def settings():
    manual = text("node/MANUAL.md")
    for part, key in re.findall(r'^    \{ "([a-z]+)", "([a-z_0-9]+)",', text("node/conf.c"), re.M):
        if not re.search(rf"\b{key}\b", manual):
            wrong.append(f"MANUAL.md lacks {key} of [{part}]")
    part, shown = None, set()
    strings = re.findall(r'^ *"((?:[^"\\]|\\.)*)"', text("proto/policy_text.c"), re.M)
    for line in "".join(strings).replace("\\n", "\n").splitlines():
        if head := re.fullmatch(r"#?\[([a-z0-9]+)\]", line):
            part = head.group(1)
        elif key := re.match(r"#? ?([a-z_0-9]+) =", line):
            shown.add((part, key.group(1)))
    for part, key in re.findall(r'^    \{ "([a-z0-9]+)", "([a-z_0-9]+)",', text("proto/policy_keys.c"),
                                re.M):
        if (part, key) not in shown:
            wrong.append(f"the policy that a branch starts with does not show {key} of [{part}]")


def desk_rules():
    """Each numbered rule of the desk's headers has its row, with that header and tests that there are."""
    table = {row[0]: row for row in rows("proto/RULES.md", "The rules of a circulation desk, by number")}
    code = {}
    for header in ("desk", "due", "scan", "box", "session", "lately", "practice"):
        for rule in re.findall(r"^ \* ([BDLP]\d+) ", text(f"include/{header}.h"), re.M):
            code[rule] = f"`{header}.h`"
    table.pop("rule")
    for rule in sorted(set(code) | set(table)):
        if code.get(rule) != (table[rule][2] if rule in table else None):
            wrong.append(f"rule {rule}: the code has it in {code.get(rule)}, RULES.md in "
                         f"{table[rule][2] if rule in table else None}")
    for rule, row in table.items():
        for kind, name in re.findall(r"`(unit|e2e)\.(\w+)`", row[3]):
            path = f"tests/unit/test_{name}.c" if kind == "unit" else f"tests/e2e/test_{name}.py"
            if not (TOP / path).exists():
                wrong.append(f"RULES.md: {rule} is shown by {path}, which there is not")


def invariants():
    """What the simulator checks, and what PROTOCOL.md says that it does."""
    code = set()
    for path in (TOP / "tests/sim").glob("*.c"):
        source = path.read_text(encoding="utf-8")
        code |= set(re.findall(r'sim_fail\([a-z>-]+, "([A-Z]\d+|roster|quiet|payload)"', source))
        code |= set(re.findall(r'"([A-Z]\d+): ', source))
    told = set()
    for row in rows("proto/PROTOCOL.md", "Ledger"):
        if span := re.fullmatch(r"([A-Z])(\d+) to [A-Z](\d+)", row[0]):
            told |= {f"{span[1]}{n}" for n in range(int(span[2]), int(span[3]) + 1)}
        else:
            told |= set(re.split(", ", row[0]))
    rules = {f"L{n}" for n in range(1, 11)}  # rows of another table there; L3 and L4 are looked at, too
    words = {word for word in told if not re.fullmatch(r"[A-Z]\d+", word)} - {"roster", "quiet", "payload"}
    for name in sorted(code ^ (told - words)):
        if name not in rules:
            wrong.append(f"invariant {name}: only {'the simulator' if name in code else 'PROTOCOL.md'} has it")
    return code | rules


def promises(known):
    """Every test that a promise names is there, and every invariant."""
    folders = {"fault": "fault/test_{}.py", "e2e": "e2e/test_{}.py", "unit": "unit/test_{}.c",
               "fuzz": "fuzz/fuzz_{}.c"}
    for row in rows("README.md", "What Tideover promises"):
        if row[0] == "promise":
            continue
        tests = re.findall(r"`([a-z0-9]+)\.([a-z_0-9]+)`", row[1])
        if not tests and "`sim`" not in row[1]:
            wrong.append(f"README.md: no test shows \"{row[0]}\"")
        for kind, name in tests:
            if kind in folders and not (TOP / "tests" / folders[kind].format(name)).exists():
                wrong.append(f"README.md: there is no test {kind}.{name}")
        for name in re.findall(r"\b([A-Z]\d+)\b", " ".join(re.findall(r"`sim` \((.*?)\)", row[1]))):
            if name not in known:
                wrong.append(f"README.md: the simulator has no invariant {name}")


messages()
desk_rules()
same("operation of the roster", constants("include/roster.h", "OP"),
     numbered_rows("proto/PROTOCOL.md", "Roster"))
same("word", constants("include/word.h", "WORD"), numbered_rows("proto/PROTOCOL.md", "Words"))
record_tags()
tables()
meta_keys()
domains()
requests()
metrics()
settings()
promises(invariants())
if wrong:
    sys.exit("\n".join(wrong))
print("the documents say what the code says")
