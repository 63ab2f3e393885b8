#!/usr/bin/env python3
"""A day at the desks: every situation that staff and lead meet in an outage, once, with what the
program says to each. Real nodes, real commands; each line that begins with a desk's name and "$" can be
typed by hand.

    examples/run --desk-day [--keep]        builds first, then calls this

Exit 0 only if each command said what it should, and what arrived is what the day should give.
"""
import argparse
import json
import pathlib
import re
import shlex
import shutil
import os
import signal
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone

import drive
import outage
from drive import Timeout, wait_until
from outage import say, step
from sample_day import eastern, luhn
from systems import Wrong

SHOWN = 8  # lines of an answer; more are counted


def user(n):
    return luhn(f"29999{n:08d}")


def item(n):
    return luhn(f"39999{n:08d}")


def by_hand(line):
    """A line of an answer, cut to the width of a page."""
    return line if len(line) <= 116 else line[:113] + "..."


class DeskDay(outage.Outage):
    """The branch of examples/run; its day is played by hand. KIDS-1's clock is fast."""

    def __init__(self, a, home):
        super().__init__(a, home)
        lib = home / "clock_shift.so"
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", lib,
                        outage.HERE / "clock_shift.c"], check=True)
        self.desks[2].env.update({"LD_PRELOAD": str(lib), "CLOCK_SHIFT": "95"})

    def policy(self):
        today = datetime.now(eastern(datetime.now().date())).date()
        closed = today + timedelta(21)
        text = super().policy().replace("check_digit  = mod10",
                                        "check_digit  = mod10\nno_barcode_kinds = paperback")
        return (text + "\n[due]\ndefault = 14d\n3999 = 14d\n"
                f"[closed]\n{closed} = Staff day\n[blocklist]\noverride = lead\n")

    def do(self, desk, *words, want=(), rc=0, text="", secret=()):
        """Runs a verb as a person would, shows it, and checks what it says. `secret` words go with
        it unseen: the passphrase's file."""
        said = desk.cli(*words, *secret, check=False, text=text)
        line = " ".join(shlex.quote(str(w)) for w in words).replace(str(self.home) + "/", "")
        say(f"{desk.name}$ tideover {line}" + (f" <<< {text.strip()!r}" if text else ""))
        both = (said.out + said.err).rstrip()
        lines = both.splitlines()
        for shown in lines[:SHOWN]:
            say("    " + by_hand(shown))
        if len(lines) > SHOWN:
            say(f"    ... {len(lines) - SHOWN} more line{'s' * (len(lines) > SHOWN + 1)}")
        if said.rc != rc:
            raise Wrong(f"exit {said.rc}, not {rc}: {both}")
        for words_ in [want] if isinstance(want, str) else want:
            if words_ not in both:
                raise Wrong(f"it does not say {words_!r}: {both}")
        return said

    def lead_does(self, desk, *words, **more):
        return self.do(desk, *words, secret=("--lead-passphrase-file", self.lead), **more)

    def scan(self, desk, *lines, want=(), rc=0, typed=False):
        """Scans through the box; `want`: the act or the error of each."""
        more = ("--typed",) if typed else ()
        said = desk.cli("record", "scan", *more, check=False, text="".join(x + "\n" for x in lines))
        got = [json.loads(x) for x in said.out.splitlines()]
        acts = [a.get("act") or a["error"]["code"] for a in got]
        for a, raw in zip(got, lines):
            e = a.get("error")
            due = f", due {a['due']}" if "due" in a else ""
            words = e["message"] if e else a.get("note", {}).get("message", a["act"] + due)
            say(f"{desk.name}> {raw:<24} {by_hand(words)}")
        if acts != list(want) or said.rc != rc:
            raise Wrong(f"the box answered {acts} (exit {said.rc}), not {list(want)}: {said.out}{said.err}")
        return got

    @staticmethod
    def day(ahead):
        return datetime.now(eastern(datetime.now().date())).date() + timedelta(ahead)

    def all_have(self, n):
        self.each(lambda s: s["records"]["held"] == n, 30, f"hold {n} records")

    # -- the day, scene by scene ---------------------------------------------------------------

    def practise(self):
        step("An ordinary day: five minutes of practice, which record nothing")
        kids = self.desks[2]
        self.do(kids, "practice", "on", "--staff", "Dora", want="Step 1 of 7")
        todo = kids.cli("practice", "reset", json=True)["next"]
        box = subprocess.Popen([kids.binary, "record", "scan", "--state", str(kids.state)], text=True,
                               env=kids.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        while not todo["done"]:
            say(f"{kids.name}> {todo['scan']:<24} {by_hand(todo['message'])}")
            box.stdin.write(todo["scan"] + "\n")
            box.stdin.flush()
            todo = json.loads(box.stdout.readline())["practice"]
        box.communicate()
        self.do(kids, "practice", "off")
        self.do(kids, "practice", "report", want="Dora")
        if kids.status()["records"]["held"] != 0:
            raise Wrong("practice recorded something")

    def fast_clock(self):
        step("KIDS-1's clock is 95 s fast: said before the first scan, corrected in the upload")
        self.each(lambda s: s["clock"]["desks"] == 3, 60, "compare the clocks")
        self.do(self.desks[2], "session", "show", want="95 s fast")

    def morning(self):
        step("Before the outage: the block list, the sessions")
        one, two, kids = self.desks
        path = self.home / "delinq"
        path.write_text(f"{user(900)}|BARRED\n{user(901)}|DELINQUENT\n")
        self.do(one, "blocklist", "import", path, "--format", "symphony", want="2 ")
        wait_until(lambda: (kids.cli("blocklist", "show", json=True)["list"] or {}).get("users") == 2,
                   30, "KIDS-1 to have the block list")
        self.do(kids, "blocklist", "show", want="2")
        self.do(one, "session", "set", "--staff", "Ana", want="Ana")
        self.do(two, "session", "set", "--staff", "Ben", "--due", "7d", want="Ben")

    def wrong_scans(self):
        step("What is wrong is said in that second, and nothing is recorded")
        one = self.desks[0]
        self.scan(one, item(1), user(1)[:9], user(1) + item(1), user(1), user(1)[:-1] + "x",
                  rc=65, want=("wrong_slot", "too_short", "two_barcodes", "opened", "bad_barcode"))
        self.scan(one, "*DISCHARGE", user(1), rc=65, want=("mode", "wrong_slot"))
        step("What scanners add is taken off; a French keyboard is understood")
        french = dict(zip("1234567890", "&é\"'(-è_çà"))
        self.scan(one, "A" + user(1) + "B", "]A0" + item(1),
                  "".join(french[c] for c in item(2)), want=("opened", "record", "record"))
        step("A change of staff, and a due date for this session")
        self.do(one, "session", "set", "--staff", "Carla", want="Carla")
        self.scan(one, user(2), "*DUE21", item(3), "*DUENONE", item(4),
                  want=("opened", "due", "record", "due", "record"))
        self.records = 4

    def due_dates(self):
        step("Due dates: the rule, a closed day, never the past")
        one = self.desks[0]
        today = datetime.now(eastern(datetime.now().date())).date()
        self.do(one, "record", "checkout", "--user", user(3), "--item", item(5), "--due",
                today - timedelta(1), rc=65, want="past")
        closed = today + timedelta(21)
        self.do(one, "record", "checkout", "--user", user(3), "--item", item(5), "--due", closed,
                want="Staff day")
        self.records += 1

    def blocked(self):
        step("A blocked user; a lead may let it pass, and the record says so")
        one, two, _ = self.desks
        loan = ("record", "checkout", "--user", user(900), "--item", item(6))
        self.do(two, *loan, rc=65, want="barred")
        self.lead_does(one, *loan, "--override")
        self.records += 1

    def at_once(self):
        step("What another desk did a moment ago is told at the scan")
        one, two, kids = self.desks
        self.first_loan = self.do(one, "record", "checkout", "--user", user(4), "--item", item(7))
        self.all_have(self.records + 1)
        loan = ("record", "checkout", "--user", user(5), "--item", item(7))
        self.do(two, *loan, rc=65, want="went to another user at MAIN-1")
        self.do(two, *loan, "--keep")
        self.do(kids, "record", "discharge", "--item", item(8))
        self.do(kids, "record", "renew", "--user", user(6), "--item", item(9))
        self.all_have(self.records + 4)
        self.do(one, "record", "discharge", "--item", item(8), rc=65, want="was returned at KIDS-1")
        self.do(one, "record", "renew", "--user", user(6), "--item", item(9), rc=65, want="KIDS-1")
        self.records += 4
        step("Renewed once more elsewhere, and meant: of two renewals the later due date will go")
        self.do(one, "record", "renew", "--user", user(6), "--item", item(9), "--due", self.day(40),
                "--keep")
        self.records += 1
        step("A card registered at one desk is known at all")
        self.do(one, "record", "user", "--user", user(800), "--last", "Lovelace", "--first", "Ada",
                "--birth", "1990-12-10")
        self.all_have(self.records + 1)
        self.do(kids, "record", "checkout", "--user", user(800), "--item", item(10),
                want="registered")
        self.records += 2
        step("One form typed at two desks, with two spellings: a lead has to say which")
        card = ("record", "user", "--user", user(801), "--first", "George", "--last")
        self.do(one, *card, "Byron")
        self.all_have(self.records + 1)
        self.do(two, *card, "Biron", rc=65, want="registered")
        self.biron = self.do(two, *card, "Biron", "--keep").out.split()[0]
        self.records += 2

    def undone(self):
        step("Undo: the last one, any own one, and a lead's word on another desk's")
        one, two, kids = self.desks
        self.scan(kids, user(7), item(11), "*UNDO", want=("opened", "record", "undo"))
        wrong = self.do(two, "record", "checkout", "--user", user(8), "--item", item(12))
        self.do(two, "void", wrong.out.split()[0])
        theirs = self.do(kids, "record", "checkout", "--user", user(8), "--item", item(13))
        self.all_have(self.records + 5)
        self.lead_does(one, "conflicts", "void", theirs.out.split()[0])
        self.records += 5

    def without_barcode(self):
        step("Three paperbacks without a barcode")
        two = self.desks[1]
        loan = ("record", "checkout", "--user", user(9))
        self.do(two, *loan, "--kind", "novel", rc=65, want="no kind of this library")
        self.do(two, *loan, "--kind", "paperback", "--count", "3", "--label", "from the swap shelf")
        self.records += 1

    def on_paper(self):
        step("Written on paper at nine, typed in now: with its real time, and marked")
        two = self.desks[1]
        nine = datetime.now(timezone.utc) - timedelta(minutes=50)
        self.do(two, "record", "checkout", "--user", user(9), "--item", item(14), "--at",
                nine.isoformat(timespec="seconds"))
        self.records += 1

    def between_two_loans(self):
        step("Discharges are held, but one between two loans goes with them")
        one, two, _ = self.desks
        self.held_discharge = self.do(one, "record", "discharge", "--item", item(15))
        day = datetime.now(timezone.utc) - timedelta(minutes=30)
        for minute, words in enumerate((("checkout", "--user", user(10), "--item", item(16)),
                                        ("discharge", "--item", item(16)),
                                        ("checkout", "--user", user(11), "--item", item(16)))):
            at = (day + timedelta(minutes=3 * minute)).isoformat(timespec="seconds")
            self.do(two, "record", *words, "--at", at)
        self.records += 4

    def dead_network(self):
        step("A desk whose switch is dead goes on; its records come on a stick")
        one, two, kids = self.desks
        self.all_have(self.records)
        for d in one, two:  # held still: nobody answers KIDS-1 any more
            d.node.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: kids.status()["peers"]["online"] == 0, 30, "KIDS-1 to be alone")
            self.do(kids, "record", "checkout", "--user", user(12), "--item", item(17))
            stick = self.home / "kids.bundle"
            self.do(kids, "bundle", "export", stick)
            say("after that it goes on, and nobody has what it records now:")
            self.do(kids, "record", "checkout", "--user", user(13), "--item", item(17), "--keep")
            kids.stop()
        finally:
            for d in one, two:
                d.node.send_signal(signal.SIGCONT)
        self.do(one, "bundle", "import", stick, want="KIDS-1")
        self.records += 1
        for d in one, two:
            wait_until(lambda d=d: d.status()["records"]["held"] == self.records, 30,
                       f"{d.name} to hold {self.records} records")
        wait_until(lambda: one.status()["peers"]["online"] == 1, 60, "KIDS-1 to be missed")

    # -- the lead ------------------------------------------------------------------------------

    def review(self):
        step("The lead reviews what desks disagree about, and what is missing")
        one = self.desks[0]
        first = self.first_loan.out.split()[0]
        self.do(one, "conflicts", "list", want=("R5", first))
        self.lead_does(one, "conflicts", "send", first, want="1 record will be sent")
        self.lead_does(one, "conflicts", "void", self.biron)
        self.do(one, "upload", "plan", want=("KIDS-1", "2 new users"))

    def hand_over(self):
        step("The library's server is back: one desk uploads for all")
        one, two, _ = self.desks
        self.ils.open()
        for d in one, two:
            wait_until(lambda d=d: d.status()["server"]["state"] == "back", 60, f"{d.name} to see it")
        self.lead_does(one, "upload", "run", "--yes")
        log = "".join(p.read_text(encoding="latin-1") for p in self.ils.out.iterdir()
                      if not p.name.startswith("."))
        there = [n for n in range(1, 18) if item(n) in log]
        if there != [1, 2, 3, 4, 5, 6, 7, 9, 10, 14, 16, 17]:
            raise Wrong(f"items {there} arrived")
        for who, n in ((user(4), 7), (user(5), 7), (user(10), 16), (user(11), 16)):
            if not re.search(rf"{item(n)}\^UO{who}", log):
                raise Wrong(f"the loan of item {n} is missing in {log}")
        if f"NQ{item(16)}^CO" not in log:
            raise Wrong("the discharge between two loans is missing")
        say("what arrived: 12 items of 17; two undone by the desks, one by the lead, two discharges held")

    def afterwards(self):
        step("The desk that was away comes back; what came late is marked, judged and goes next")
        one, two, kids = self.desks
        kids.start()
        self.each(lambda s: s["peers"]["online"] == 2, 30, "see the other desks")
        self.all_have(self.records + 1)
        self.do(one, "conflicts", "list", want="out to two users")
        self.lead_does(one, "upload", "run", "--yes")
        step("The library's system loads the files at night; its report closes what nobody confirmed")
        self.do(one, "upload", "unconfirmed", want="not confirmed yet")
        slot = one.upload_status()["last"]["slot"]
        results = self.home / "results.csv"
        results.write_text(f"{self.first_loan.out.split()[0]},refused,user is barred\n")
        self.lead_does(one, "upload", "loaded", "--slot", slot - 1, "--all", results)
        self.lead_does(one, "upload", "loaded", "--slot", slot, "--all", want="nothing waits")
        step("One was refused: it is an exception, with its next step, until somebody settles it")
        first = self.first_loan.out.split()[0]
        self.do(one, "upload", "exceptions", "--slot", slot - 1, want=(first, "user is barred"))
        self.lead_does(one, "upload", "done", first)
        step("What was set aside, and the report for the director")
        self.do(one, "upload", "aside", want=item(15)[-4:])
        self.do(one, "worklist", want=item(15))
        done = self.held_discharge.out.split()[0]
        self.lead_does(one, "worklist", "done", done)
        page = self.home / "outage.html"
        self.do(one, "report", "--html", page)
        self.do(one, "report", want=("Outage report of MAIN", "SHA-256"))

    def play(self):
        self.found()
        self.practise()
        self.morning()
        self.fast_clock()
        step("The library's server goes away")
        self.ils.close()
        self.each(lambda s: s["server"]["state"] == "offline", 60, "notice it")
        say("every desk says so")
        for scene in (self.wrong_scans, self.due_dates, self.blocked, self.at_once, self.undone,
                      self.without_barcode, self.on_paper, self.between_two_loans, self.dead_network, self.review,
                      self.hand_over, self.afterwards):
            scene()


def main():
    p = argparse.ArgumentParser(prog="examples/run --desk-day",
                                description="Every situation of an outage once, by hand.")
    p.add_argument("--keep", action="store_true", help="leave the branch running, to look at its pages")
    p.add_argument("--binary", default=outage.HERE.parent / "build/release/tideover",
                   type=pathlib.Path, help="another program than the one that was built")
    a = p.parse_args()
    a.binary, a.sink, a.seed, a.records = a.binary.resolve(), "file", 1, 0
    if not a.binary.exists():
        sys.exit(f"desk_day: there is no {a.binary}: run examples/run, which builds it")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    home = pathlib.Path(tempfile.mkdtemp(prefix="day-", dir=a.binary.parent))
    day, ok = DeskDay(a, home), False
    try:
        day.play()
        ok = True
        if a.keep:
            day.addresses()
    except KeyboardInterrupt:
        print("\nstopped", flush=True)
    except (Wrong, Timeout, drive.CliError, KeyError, ValueError, OSError) as why:
        outage.explain(day, f"{type(why).__name__}: {why}")
    finally:
        day.stop()
    if ok and not a.keep:
        shutil.rmtree(home)
    if ok:
        print("\nOK: every situation was answered as it should be", flush=True)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
