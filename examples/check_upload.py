#!/usr/bin/env python3
"""Is what was uploaded what the clerks would expect? An independent reading of a Symphony log.

    examples/check_upload.py TRUTH LOG [--flat FILE] [--discharges hold|export] [--json]

Reads the lines by its own parser, written from the description of the format alone, and compares
them with truth.json of examples/sample_day.py: nothing missing, nothing doubled, what was voided,
doubled or held stays at home, due dates right, order kept. Exit 0 if all is well, 1 if not.
With --flat, registrations are expected in that LDUSER file and the first uses of new cards in
neither: they wait until the library has loaded it.
"""
import argparse
import collections
import json
import pathlib
import re
import sys
import unicodedata
from datetime import datetime, timedelta

LINE = re.compile(rb"E(\d{14})(\d{4})R (\^S(\d\d)([0-9A-Za-z]{2})([^\r\n]*)\^\^O)(\d{5})")
# Fields in their order; those marked with "?" may be left out.
FIELDS = {
    "CV": "FF FE Fc FW NQ UO CF? dC",
    "EV": "FF FE Fc FW NQ CO dC",
    "RV": "FF FE Fc FW NQ UO? CF? dC",
    "JY": "FF FE Fc FW UO uF uM? uL uV UM PE Uf? UZ? UD UQ Ib UV UX P7",
}
COMMAND = {"checkout": "CV", "discharge": "EV", "renew": "RV", "user": "JY"}
MOVED_MAX = timedelta(seconds=5)  # how far a stamp may be moved so that two events do not share one


class Bad(Exception):
    """A line or file that the library's server would choke on."""


def parse_line(raw):
    """One line without its LF: {stamp, station, seq, cmd, codes, <code>: value}."""
    m = LINE.fullmatch(raw)
    if not m:
        raise Bad("is no line of header form E with request and length")
    stamp, station, request, seq, cmd, body, length = m.groups()
    if len(request) != int(length):
        raise Bad(f"has {len(request)} bytes of request, its trailer says {int(length)}")
    line = {"station": int(station), "seq": int(seq), "cmd": cmd.decode()}
    try:
        line["stamp"] = datetime.strptime(stamp.decode(), "%Y%m%d%H%M%S")
    except ValueError:
        raise Bad(f"has no moment for a stamp: {stamp.decode()}") from None
    line["codes"] = []
    for field in body.split(b"^"):
        if not re.fullmatch(rb"[0-9A-Za-z]{2}[^\x00-\x1f\x7f]*", field):
            raise Bad(f"has a broken field: {field!r}")
        code = field[:2].decode()
        if code in line["codes"]:
            raise Bad(f"has field {code} twice")
        line["codes"].append(code)
        line[code] = field[2:].decode("latin-1")
    check_fields(line)
    return line


def check_fields(line):
    if line["cmd"] not in FIELDS:
        raise Bad(f"has the unknown command {line['cmd']}")
    if not 1 <= line["station"] <= 9999:
        raise Bad("has station 0000")
    pattern = "".join(f"(?:{c[:2]} )?" if c.endswith("?") else f"{c} "
                      for c in FIELDS[line["cmd"]].split())
    if not re.fullmatch(pattern, "".join(c + " " for c in line["codes"])):
        raise Bad(f"has the fields {' '.join(line['codes'])}; {line['cmd']} takes "
                  f"{FIELDS[line['cmd']]}")
    for code in ("NQ", "UO"):
        if code in line and not re.fullmatch(r"\d{14}", line[code]):
            raise Bad(f"has {line[code]!r} for a barcode in {code}")
    line["due"] = ""
    if "CF" in line:
        line["due"] = day_of(line["CF"], r"(\d\d)/(\d\d)/(\d{4}),23:59", "CF")
        if line["due"] < f"{line['stamp']:%Y-%m-%d}":
            raise Bad("is due before it was lent")
    if "CO" in line:
        day, _, time = line["CO"].partition(",")
        day_of(day, r"(\d\d?)/(\d\d?)/(\d{4})", "CO")
        s = line["stamp"]
        if day != short(s) or (time and time != f"{s.hour}:{s.minute:02}"):
            raise Bad(f"was discharged {line['CO']}, stamped {s}")


def day_of(text, pattern, code):
    m = re.fullmatch(pattern, text)
    try:
        return datetime(int(m[3]), int(m[1]), int(m[2])).strftime("%Y-%m-%d")
    except (TypeError, ValueError):
        raise Bad(f"has {text!r} for a date in {code}") from None


def short(day):
    return f"{day.month}/{day.day}/{day.year}"


def latin1(text):
    """As the log can hold it: what Latin-1 lacks becomes its base letter, else '?'."""
    out = ""
    for c in unicodedata.normalize("NFC", text):
        if ord(c) > 255:
            c = unicodedata.normalize("NFKD", c)[0]
        out += c if ord(c) < 256 else "?"
    return out


def parse_log(raw, problems):
    """All lines that parse, with their numbers; what a whole log must keep is checked here."""
    lines, last, seqs = [], None, {}
    if not raw.endswith(b"\n"):
        problems.add("format", "the log does not end with a line end")
    for n, text in enumerate(raw.split(b"\n")[:-1] if raw.endswith(b"\n") else raw.split(b"\n"), 1):
        try:
            line = parse_line(text)
        except Bad as why:
            problems.add("format", f"line {n} {why}", n)
            continue
        line["n"] = n
        if last and line["stamp"] < last:
            problems.add("stamp", f"line {n}: the stamp runs back from {last}", n)
        last = line["stamp"]
        want = seqs.get(line["station"], 0) % 99 + 1
        if line["seq"] != want:
            problems.add("sequence", f"line {n}: station {line['station']:04} counts "
                                     f"{line['seq']:02}, expected {want:02}", n)
        seqs[line["station"]] = line["seq"]
        lines.append(line)
    return lines


def parse_flat(raw, problems):
    """LDUSER records as dicts from tag to value."""
    users, user, open_block = [], None, None
    rows = raw.decode("latin-1").split("\n")
    if rows.pop() != "":
        problems.add("format", "the user file does not end with a line end")
    for n, row in enumerate(rows, 1):
        m = re.fullmatch(r"\.([A-Z0-9_/]+)\.(?: {3}\|a([^|\x00-\x1f]*))?", row)
        if row == "*** DOCUMENT BOUNDARY ***":
            user = {"n": n}
            users.append(user)
        elif user is None:
            problems.add("format", f"user file, line {n}: no record has begun", n)
        elif row == "FORM=LDUSER":
            user["form"] = True
        elif not m:
            problems.add("format", f"user file, line {n} is no tag with a value", n)
        elif m[2] is None:
            name, _, what = m[1].rpartition("_")
            if (what, open_block) not in (("BEGIN", None), ("END", name)):
                problems.add("format", f"user file, line {n}: BEGIN and END do not match", n)
            open_block = name if what == "BEGIN" else None
        elif m[1] in user:
            problems.add("format", f"user file, line {n}: {m[1]} stands there twice", n)
        else:
            user[m[1]] = m[2]
    for user in users:
        missing = [t for t in ("form", "USER_ID", "USER_LAST_NAME", "USER_PROFILE",
                               "USER_PREF_LANG") if t not in user]
        if missing:
            problems.add("format", f"user file, record at line {user['n']} lacks {missing[0]}")
    return users


class Problems(list):
    def add(self, code, message, line=None):
        self.append({"code": code, "message": message, **({"line": line} if line else {})})


def describe(e):
    bits = [e["op"], e.get("item") or e.get("user")]
    if e.get("item") and e.get("user"):
        bits.append("to " + e["user"])
    return " ".join(bits) + f" at {e['desk']} {e['at'][11:19]}" if "at" in e else " ".join(bits)


class Expectation:
    """What of the truth has to be in the log, under one discharge policy and registration form."""

    def __init__(self, truth, way, flat):
        self.truth = truth
        self.home, self.aside, self.sent, self.users = {}, set(), [], []
        stations = {d: v["station"] for d, v in truth["desks"].items()}
        for e in truth["events"]:
            verdict = e["verdict"][way]
            if verdict == "undecided":  # a lead decides: nothing of that item or card is judged
                self.aside.add(e.get("item") or e["user"])
                continue
            if verdict == "sent" and flat and e["op"] == "user":
                self.users.append(e)
                continue
            if verdict == "sent" and flat and e.get("new_card"):
                verdict = "waits"
            due = e.get("sent_due", e.get("due", ""))
            e["sign"] = (COMMAND.get(e["op"]), e.get("item", ""), e.get("user", ""), due,
                         stations[e["desk"]])
            if verdict == "sent":
                self.sent.append(e)
            elif e["op"] != "void":
                self.home.setdefault(e["sign"][:3], []).append((verdict, e))
        self.sent.sort(key=lambda e: (e["place"], e["op"] != "user"))

    def is_aside(self, line):
        return bool({line.get("NQ"), line.get("UO") if line["cmd"] == "JY" else None} & self.aside)


def sign(line):
    return (line["cmd"], line.get("NQ", ""), line.get("UO", ""), line["due"], line["station"])


def pair(expect, lines, problems):
    """Joins lines and events of equal content, in order; the rest is missing or too much."""
    waiting = collections.defaultdict(collections.deque)
    for e in expect.sent:
        waiting[e["sign"]].append(e)
    pairs, extra = [], []
    for line in lines:
        if expect.is_aside(line):
            continue
        queue = waiting.get(sign(line))
        if queue:
            pairs.append((line, queue.popleft()))
        else:
            extra.append(line)
    missing = [e for queue in waiting.values() for e in queue]
    for line in extra:
        explain_extra(expect, line, missing, pairs, problems)
    for e in missing:
        problems.add("missing", f"missing: {describe(e)}")
    return pairs


def explain_extra(expect, line, missing, pairs, problems):
    """Says what is wrong with a line that nobody expects; takes its event off `missing`."""
    n, cmd = line["n"], line["cmd"]
    what = f"line {n}: {cmd} {line.get('NQ') or line.get('UO', '')}"
    for e in missing:
        if e["sign"][:3] == sign(line)[:3]:
            missing.remove(e)
            if e["sign"][3] != line["due"]:
                problems.add("due", f"{what} is due {line['due'] or 'by the server'}, expected "
                                    f"{e['sign'][3] or 'by the server'}: {describe(e)}", n)
            else:
                problems.add("station", f"{what} comes from station {line['station']:04}, expected "
                                        f"{e['sign'][4]:04}: {describe(e)}", n)
            return
    for verdict, e in expect.home.get(sign(line)[:3], []):
        problems.add("not_wanted", f"{what} should have stayed at home ({verdict}): "
                                   f"{describe(e)}", n)
        return
    if any(e["sign"][:3] == sign(line)[:3] for _, e in pairs):
        problems.add("doubled", f"{what} is there once too often", n)
    else:
        problems.add("unknown", f"{what} was typed by nobody", n)


def check_order(truth, pairs, problems):
    """Items and cards one by one, then the whole; registrations before the first use."""
    place = {e["key"]: i for i, (_, e) in enumerate(pairs)}
    line_of = {e["key"]: line for line, e in pairs}
    when = {e["key"]: e["place"] for _, e in pairs}
    for what in ("items", "cards"):
        for name, keys in truth["order"][what].items():
            keys = [k for k in keys if k in place]
            for a, b in zip(keys, keys[1:]):
                if place[a] > place[b] and when[a] != when[b]:
                    problems.add("order", f"{what[:-1]} {name}: line {line_of[b]['n']} stands "
                                          f"before line {line_of[a]['n']}, it happened after it")
    for a, b in truth["order"]["registrations"]:
        if a in line_of and b in line_of and (place[a] > place[b] or
                                              line_of[a]["stamp"] >= line_of[b]["stamp"]):
            problems.add("order", f"line {line_of[b]['n']}: its card is registered only in line "
                                  f"{line_of[a]['n']}, or in the same second")
    latest, stamps = "", {}
    for line, e in pairs:
        at = datetime.fromisoformat(e["place"]).replace(tzinfo=None)
        if e["place"] < latest:
            problems.add("order", f"line {line['n']} stands after a later one: {describe(e)}")
        latest = max(latest, e["place"])
        if not at <= line["stamp"] <= at + MOVED_MAX:
            problems.add("stamp", f"line {line['n']} is stamped {line['stamp']:%H:%M:%S}: "
                                  f"{describe(e)}", line["n"])
        if "NQ" in line and stamps.setdefault((line["NQ"], line["stamp"]), line["n"]) != line["n"]:
            problems.add("stamp", f"line {line['n']}: item {line['NQ']} twice in one second")


def check_registrations(truth, pairs, problems):
    for line, e in pairs:
        if line["FE"] != truth["library"]:
            problems.add("library", f"line {line['n']} is of library {line['FE']}")
        if line["cmd"] != "JY":
            continue
        born = datetime.fromisoformat(e["birth"])
        want = {"uF": latin1(e["first"]), "uL": latin1(e["last"]), "PE": e["profile"],
                "UM": truth["library"], "UZ": short(born), "UD": short(line["stamp"])}
        for code, value in want.items():
            if line.get(code) != value:
                problems.add("registration", f"line {line['n']}: {code} is {line.get(code)!r}, "
                                             f"expected {value!r}", line["n"])
        if "Uf" in line:
            problems.add("registration", f"line {line['n']} carries a PIN", line["n"])


def check_flat(expect, users, problems):
    tags = {"USER_FIRST_NAME": "first", "USER_LAST_NAME": "last", "USER_PROFILE": "profile",
            "STREET": "street", "ZIP": "postcode", "PHONE": "phone", "EMAIL": "email"}
    want = {e["user"]: e for e in expect.users}
    for user in users:
        e = want.pop(user.get("USER_ID"), None)
        if e is None:
            problems.add("doubled", f"user file, line {user['n']}: a card too much")
            continue
        for tag, field in tags.items():
            if user.get(tag, "") != latin1(e.get(field, "")):
                problems.add("registration", f"user file, line {user['n']}: {tag} is "
                                             f"{user.get(tag, '')!r}, not {e.get(field, '')!r}")
        if user.get("USER_BIRTH_DATE") != e["birth"].replace("-", ""):
            problems.add("registration", f"user file, line {user['n']}: wrong birth date")
    for e in want.values():
        problems.add("missing", f"missing in the user file: {describe(e)}")


def check(truth, log, flat=None, way="hold"):
    """The verdict on the bytes of an upload: {"ok", "lines", "expected", "problems", ...}."""
    truth = json.loads(json.dumps(truth))  # marked up below
    problems = Problems()
    expect = Expectation(truth, way, flat is not None)
    lines = parse_log(log, problems)
    pairs = pair(expect, lines, problems)
    check_order(truth, pairs, problems)
    check_registrations(truth, pairs, problems)
    users = parse_flat(flat, problems) if flat is not None else []
    if flat is not None:
        check_flat(expect, users, problems)
    return {"schema": 1, "ok": not problems, "lines": log.count(b"\n"), "users": len(users),
            "expected": len(expect.sent) + len(expect.users), "matched": len(pairs),
            "kinds": dict(sorted(collections.Counter(line["cmd"] for line in lines).items())),
            "first": str(min((x["stamp"] for x in lines), default="")),
            "last": str(max((x["stamp"] for x in lines), default="")),
            "at_home": dict(sorted(truth["counts"][way].items())), "problems": list(problems)}


def report(r, name, most=20):
    """The verdict in readable lines."""
    kinds = {"CV": "checkouts", "EV": "discharges", "RV": "renewals", "JY": "registrations"}
    yield f"{name}: {r['lines']} lines, {r['first']} to {r['last'][11:]}"
    yield "  " + ", ".join(f"{n} {kinds[c]}" for c, n in r["kinds"].items())
    yield f"  {r['matched'] + r['users']} of {r['expected']} expected records are there"
    stayed = [f"{n} {w}" for w, n in r["at_home"].items() if w not in ("sent", "undecided")]
    if r["ok"]:
        yield f"  at home, as they should: {', '.join(stayed) or 'none'}"
        yield "OK: nothing missing, nothing doubled, the order kept"
        return
    for p in r["problems"][:most]:
        yield f"  {p['code']}: {p['message']}"
    if len(r["problems"]) > most:
        yield f"  and {len(r['problems']) - most} more"
    yield f"NOT OK: {len(r['problems'])} problems"


def main():
    p = argparse.ArgumentParser(description="Compare an uploaded log with the sample day's truth.")
    p.add_argument("truth")
    p.add_argument("log")
    p.add_argument("--flat", help="the LDUSER file of the same upload")
    p.add_argument("--discharges", choices=("hold", "export"), default="hold")
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    try:
        truth = json.loads(pathlib.Path(a.truth).read_text(encoding="utf-8"))
        log = pathlib.Path(a.log).read_bytes()
        flat = pathlib.Path(a.flat).read_bytes() if a.flat else None
    except (OSError, ValueError) as why:
        sys.exit(f"check_upload: {why}")
    r = check(truth, log, flat, a.discharges)
    if a.json:
        print(json.dumps(r, ensure_ascii=False))
    else:
        print("\n".join(report(r, pathlib.Path(a.log).name)))
    sys.exit(0 if r["ok"] else 1)


if __name__ == "__main__":
    main()
