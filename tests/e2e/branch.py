"""What the end-to-end tests share: branches of real desks, barcodes, conditions with a deadline.

A branch of three desks is founded once per test file and stopped; each test that wants one gets its
own copy of the three state directories (same ports, so one test at a time, as unittest runs them).
Founding itself is what test_joining.py tests."""
import atexit
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import sys
import tempfile
import unittest
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples"))

import drive  # noqa: E402  (the path is set above)
from drive import Desk, wait_until  # noqa: E402,F401

NAMES = ("MAIN-1", "MAIN-2", "KIDS-1")
PASSPHRASE = "canary passphrase of four words"
GRACE = 5.2  # seconds that a seat keeps silent after its start (ledger.h, L7)


def find_binary():
    given = os.environ.get("TIDEOVER_BINARY")
    tried = [pathlib.Path(given)] if given else [ROOT / "build/release/tideover", ROOT / "build/tideover"]
    for path in tried:
        if path.exists():
            return path.resolve()
    sys.exit(f"tests/e2e: there is no {tried[0]}: build it, or set TIDEOVER_BINARY")


BINARY = find_binary()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what we started ends with us


def work_dir():
    """A directory of this process, gone when it ends."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="tideover-e2e-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


# ---- barcodes and lines ----------------------------------------------------------------------

def luhn(digits):
    total = 0
    for i, c in enumerate(reversed(digits)):
        d = int(c) * (2 if i % 2 == 0 else 1)
        total += d - 9 if d > 9 else d
    return digits + str(-total % 10)


def user(n):
    return luhn(f"29999{n:08d}")


def item(n):
    return luhn(f"39999{n:08d}")


def report(text):
    """The one line of counts of a test; tests/run shows them all in the end."""
    print(f"\n  {text}", flush=True)
    if path := os.environ.get("TIDEOVER_COUNTS"):
        with open(path, "a", encoding="utf-8") as f:
            f.write(text + "\n")


def checkout(n, **more):
    """The n-th loan; each n has its own item."""
    return {"op": "checkout", "user": user(1 + n % 97), "item": item(n), "key": uuid.uuid4().hex,
            **more}


def checkouts(first, count):
    return [checkout(first + i) for i in range(count)]


POLICY = """[branch]
code = MAIN
zone = America/New_York
zone_rule = EST5EDT,M3.2.0,M11.1.0
[merge]
discharges = hold
[upload]
sink = file:{sink}
format = symphony
quiet = 1s
[symphony]
library = MAIN
staff_login = MAINCIRC
registration = jy
[stations]
{stations}
"""


def policy_text(sink, stations=NAMES):
    lines = "\n".join(f"{name} = {42 + i}" for i, name in enumerate(stations))
    return POLICY.format(sink=sink, stations=lines)


def write_secret(path, text):
    path.touch(mode=0o600)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_sending(desk):
    """Is it the uploader, at work or between two tries? Other seats say the same, and name it."""
    status = desk.upload_status()
    return status["state"] in ("sending", "waiting") and status["uploader"] == desk.name


def log_list(desk):
    said = desk.cli("log", "list", "--json")
    return [json.loads(x) for x in said.out.splitlines()]


def held(desk):
    return desk.status()["records"]["held"]


def all_hold(desks, n, deadline):
    for d in desks:
        wait_until(lambda d=d: held(d) == n, deadline, f"{d.name} to hold {n} records")


def problem_codes(desk):
    return {p["code"] for p in desk.status()["problems"]}


def standing(desk):
    """What differs from desk to desk and from minute to minute."""
    s, u, all_peers = (desk.cli(*words, json=True, deadline=10)
                       for words in (("status",), ("upload", "status"), ("peers",)))
    r, l = s["records"], s["ledger"]
    peers = [p["name"] + " " + (p["last_error"] or {"code": p["state"]})["code"]
             for p in all_peers["peers"] if not p["this"]]
    return (f"start {s['start']}{'' if l['start_confirmed'] else ' unconfirmed'}, held {r['held']} of {r['union']}, "
            f"pending {r['pending']}, aside {r['set_aside']}; slot {l['slot']}{' open' if l['open'] else ''}, "
            f"{'votes' if l['may_vote'] else 'no vote'}, upload {u['state']} by {u['uploader']} term {u['term']}"
            f"{' ' + u['error']['code'] if u['error'] else ''}; server {s['server']['state']}; {', '.join(peers)}; "
            f"problems {' '.join(p['code'] for p in s['problems']) or 'none'}")


def four_words(said):
    words = set(re.findall(r'"([a-z]+)"', (ROOT / "proto/words.c").read_text()))
    return drive.four_words(said.out + said.err, words)


# ---- tests -----------------------------------------------------------------------------------

class Case(unittest.TestCase):
    """A temporary directory, and desks that end with the test."""

    maxDiff = None

    def setUp(self):
        self.home, self.owned = pathlib.Path(tempfile.mkdtemp(prefix="t-", dir=_home())), []
        self.addCleanup(self._clean)

    def _clean(self):
        try:
            os.chmod(self.home, 0o700)
        finally:
            shutil.rmtree(self.home, ignore_errors=True)

    def tearDown(self):
        said = getattr(self._outcome, "result", None)  # debug(), as the benches run it, has none
        if said and any(self in (test, getattr(test, "test_case", None))
                        for test, _ in said.errors + said.failures):
            self.show()

    def show(self, to=sys.stderr):
        """How each desk stands, in a line or two, for whoever has to find out why the test failed;
        the error itself comes after it."""
        for d in self.owned:
            try:
                how = "does not run" if d.node is None or d.node.poll() is not None else standing(d)
            except Exception as why:  # the test's own error is the one that counts
                how = str(why)
            print(f"\n---- {d.name}: {how[:400]}", *(x[:160] for x in d.log().splitlines()[-4:]),
                  sep="\n  ", end="", file=to)
        print(file=to)

    def own(self, desk):
        self.owned.append(desk)
        self.addCleanup(desk.kill9)
        return desk

    def desk(self, name, state=None, **more):
        return self.own(Desk(state or self.home / name.lower(), name=name, binary=BINARY, **more))

    def assert_sentence(self, text, *words):
        """One plain sentence for people on stderr, with these words in it."""
        lines = [x for x in text.strip().splitlines() if not x.startswith("info:")]
        self.assertEqual(1, len(lines), text)
        self.assertNotRegex(lines[0], r"0x[0-9a-f]{4}|Assertion|\(null\)|errno|Sanitizer")
        for w in words:
            self.assertRegex(lines[0].lower(), w.lower())

    def assert_refused(self, said, rc, *words):
        self.assertEqual(rc, said.rc, said)
        self.assert_sentence(said.err, *words)

    def branch(self, names=NAMES, start=True, envs=None):
        """Copies of the founded branch's first desks: self.desks, self.lead, self.root, self.sink."""
        t = template()
        self.lead, self.root, self.sink = t.lead, t.root, t.sink
        shutil.rmtree(t.sink, ignore_errors=True)
        t.sink.mkdir()
        self.desks = []
        for i, d in enumerate(t.desks[:len(names)]):
            state = self.home / d.state.name
            shutil.copytree(d.state, state)
            self.desks.append(self.own(Desk(state, d.port, d.web_port, d.name, BINARY,
                                            envs[i] if envs else None)))
        if start:
            for d in self.desks:
                d.start()
            self.all_online(self.desks)
            if len(self.desks) == len(NAMES):  # a desk that dies now leaves nobody without a vote (L7)
                for d in self.desks:
                    wait_until(lambda d=d: d.status()["ledger"]["start_confirmed"], 15,
                               f"the start of {d.name} to be confirmed")
        return self.desks

    def all_online(self, desks, deadline=15):
        for d in desks:
            wait_until(lambda d=d: d.status()["peers"]["online"] >= len(desks) - 1, deadline,
                       f"{d.name} to see the others")

    def feed(self, desk, lines):
        answers = desk.feed(lines)
        refused = [a for a in answers if not a["ok"]]
        self.assertEqual([], refused)
        return [a["id"] for a in answers]

    def upload(self, desk, check=True, deadline=120):
        return desk.cli("upload", "run", "--yes", "--lead-passphrase-file", self.lead, check=check,
                        deadline=deadline)

    def publish(self, desk, text):
        path = self.home / "next-policy.ini"
        path.write_text(text, encoding="utf-8")
        return desk.cli("policy", "publish", path, "--lead-passphrase-file", self.lead)

    def files(self):
        """What arrived: names that do not begin with a dot."""
        return sorted(p for p in self.sink.iterdir() if not p.name.startswith("."))


_dir = None


def _home():
    global _dir
    if _dir is None:
        _dir = work_dir()
    return _dir


class Template:
    """Three desks with three seats, stopped."""

    def __init__(self):
        home = _home() / "template"
        home.mkdir()
        self.sink = home / "sink"
        self.sink.mkdir()
        self.lead = write_secret(home / "lead", PASSPHRASE)
        policy = home / "policy.ini"
        policy.write_text(policy_text(self.sink), encoding="utf-8")
        self.desks = [Desk(home / n.lower(), name=n, binary=BINARY) for n in NAMES]
        first = self.desks[0]
        try:
            first.init("MAIN", policy=policy, passphrase_file=self.lead)
            first.start()
            for d in self.desks[1:]:
                d.join(first.invite(d.name, passphrase_file=self.lead).out.strip())
                d.start()
            for d in self.desks:
                wait_until(lambda d=d: len(d.status()["ledger"]["seats"]) == len(NAMES), 60,
                           f"{d.name} to know three seats")
                # or a desk that stays off has no address at a copy, which then cannot say why it is not reached
                wait_until(lambda d=d: all(p["address"] for p in d.cli("peers", json=True)["peers"]), 60,
                           f"{d.name} to know where the others are")
        finally:
            for d in self.desks:
                d.stop()
        self.root = home / "root-key-backup"  # the stick in the drawer
        (first.state / "root-key-backup").rename(self.root)


_template = None


def template():
    global _template
    if _template is None:
        _template = Template()
    return _template
