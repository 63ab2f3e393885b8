"""What the SIP2 tests share: a sample server, a payload of loans, the driver of the sink, and the
comparison of the server's ledger with what the sink says became of each record."""
import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys

import branch

SERVER = branch.ROOT / "examples/servers/sip2.py"
DRIVE = pathlib.Path(os.environ.get("TIDEOVER_TOOLS", branch.BINARY.parent)) / "sip2_drive"

POLICY = """[branch]
code = MAIN
zone = UTC
zone_rule = UTC0
[upload]
format = sip2
credential = ils
{upload}
[sip2]
user = tideover
canary = 39999000000000
{sip2}
"""

OUT = "11NY20261123    {at}20261214    235959AOMAIN|AA{user}|AB{item}|AC|BON|BIN|"
IN = "09Y20261123    {at}20261123    {at}AP|AOMAIN|AB{item}|AC|BIN|"
RENEW = "29NY20261123    {at}20261221    235959AOMAIN|AA{user}|AB{item}|AC|BON|"

Line = collections.namedtuple("Line", "op item user text")


def item(n):
    return f"39999{n:09d}"


def user(n):
    return f"29999{n:09d}"


def line(op, n, u):
    form = {"checkout": OUT, "checkin": IN, "renew": RENEW}[op]
    return Line(op, item(n), user(u), form.format(at="090500", user=user(u), item=item(n)))


def day(records, items, seed):
    """A busy day: loans, renewals and returns of few items among many users, in an order that can
    have happened; of several renewals of a loan the merge leaves one (R11)."""
    dice, out, renewed, lines = random.Random(seed), {}, set(), []
    while len(lines) < records:
        n = 1 + dice.randrange(items)
        if n not in out:
            out[n] = 1 + dice.randrange(40)
            lines.append(line("checkout", n, out[n]))
        elif n not in renewed and dice.random() < 0.4:
            renewed.add(n)
            lines.append(line("renew", n, out[n]))
        else:
            renewed.discard(n)
            lines.append(line("checkin", n, out.pop(n)))
    return lines


class Server:
    def __init__(self, home, *args, name="sip2", seed=None):
        self.ledger_path = home / f"{name}.ledger"
        self.args = [*map(str, args)]
        if seed is not None:
            path = home / f"{name}.seed"
            path.write_text(json.dumps(seed))
            self.args += ["--seed", str(path)]
        self.port = 0
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, str(SERVER), "--ledger", str(self.ledger_path), "--port",
             str(self.port), *self.args], stdout=subprocess.PIPE, text=True)
        said = self.process.stdout.readline().split()
        assert said[:1] == ["listening"], said
        self.port = int(said[1])

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def effects(self):
        if not self.ledger_path.exists():
            return []
        lines = [json.loads(x) for x in self.ledger_path.read_text().splitlines()]
        return [x for x in lines if x["op"] != "login"]

    def refused_logins(self):
        return self.ledger_path.read_text().count('"login"') if self.ledger_path.exists() else 0


class Drive:
    """The sink with a journal in a file; may be killed and started again."""

    def __init__(self, home, lines, sip2="", upload="", password="secret"):
        self.home, self.lines = home, lines
        (home / "policy.ini").write_text(POLICY.format(sip2=sip2, upload=upload))
        (home / "payload").write_text("".join(x.text + "\n" for x in lines))
        (home / "credentials").mkdir(exist_ok=True)
        branch.write_secret(home / "credentials/ils.password", password)
        self.journal = home / "journal"

    def start(self, port, scheme="sip2", trace=False):
        return subprocess.Popen(
            [str(DRIVE), f"{scheme}://127.0.0.1:{port}", str(self.home / "policy.ini"),
             str(self.home / "payload"), str(self.journal), str(self.home)],
            stderr=subprocess.PIPE, text=True,
            env={**os.environ, **({"SIP2_DRIVE_TRACE": "1"} if trace else {})})

    def run(self, port, scheme="sip2", seconds=60):
        """Returns (exit code, what it said)."""
        p = self.start(port, scheme)
        try:
            said = p.communicate(timeout=seconds)[1]
        except subprocess.TimeoutExpired:
            p.kill()
            said = p.communicate()[1]
            raise AssertionError(f"did not end: {said[-500:]}") from None
        return p.returncode, said

    def run_killed(self, port, dice, kills):
        """Kills it so often, each time after a moment of work, then lets it end by itself."""
        for _ in range(kills):
            p = self.start(port)
            try:
                p.communicate(timeout=dice.uniform(0.02, 0.1))
            except subprocess.TimeoutExpired:
                p.send_signal(signal.SIGKILL)
                p.communicate()
        code, said = self.run(port, seconds=200)
        assert code == 0, said

    def answers(self):
        """(answer, words) of each line, in order."""
        told = {}
        for x in self.journal.read_text().splitlines():
            what, k, *rest = x.split(" ", 3)
            if what == "R":
                assert k not in told, f"line {k} was told twice"
                told[k] = (rest[0], rest[1] if len(rest) > 1 else "")
        return [told[str(k)] for k in range(1, len(self.lines) + 1)]


def compare(lines, answers, effects):
    """Every effect stands in the ledger exactly once, in the order of its item, and none without its
    record. Returns the number of records of which nobody could tell."""
    booked = ("accepted", "deviating")
    by_item = collections.defaultdict(list)
    for e in effects:
        if not e["again"]:  # a second checkout of what that patron had already: no second loan
            by_item[e["item"]].append((e["op"], e["user"]))
    want = collections.defaultdict(list)
    for x, (answer, _words) in zip(lines, answers):
        want[x.item].append((x, answer))
    doubts = 0
    for number, wanted in want.items():
        got = by_item.pop(number, [])
        places = {0}  # how many effects are explained so far; what is in doubt explains one or none
        for x, answer in wanted:
            if x.op == "checkout":  # the loan is there from before: an exception left it
                mine = {n for n in places if n > 0 and got[n - 1] in (("checkout", x.user),
                                                                      ("renew", x.user))}
            else:
                mine = set()
            # A check-in ends whatever loan is there: an exception before it may have left another.
            after = {n + 1 for n in places if n < len(got) and got[n][0] == x.op and
                     (x.op == "checkin" or got[n][1] == x.user)}
            if answer == "in_doubt":
                doubts += 1
                places |= after
            elif answer in booked:
                assert after | mine, f"{x.op} of {number} is said to be booked, and is not: {got}"
                places = after | mine
        assert len(got) in places, f"{number}: effects without a record, or twice: {got}"
    assert not by_item, f"effects on items that nobody touched: {list(by_item)[:3]}"
    return doubts
