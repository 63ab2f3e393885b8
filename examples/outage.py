#!/usr/bin/env python3
"""One branch through one outage, on real parts: three desks, a library server that goes away, a
sample day, a desk killed in the middle, one upload, an independent check.

    examples/run [--sink KIND] [--seed N] [--records N] [--keep]     builds first, then calls this

Exit 0 only if what arrived is what was typed in, nothing missing and nothing doubled.
"""
import argparse
import json
import pathlib
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from datetime import datetime, timezone

import drive
import sample_day
import systems
from drive import Timeout, wait_until

HERE = pathlib.Path(__file__).resolve().parent
DESKS = ("MAIN-1", "MAIN-2", "KIDS-1")
VICTIM = "KIDS-1"  # killed with -9 in the middle of its day
BAR = 30


Wrong = systems.Wrong  # something is not as it has to be


def step(text):
    print(f"\n{text}", flush=True)


def say(text):
    print(f"  {text}", flush=True)


class Bar:
    """A bar on a terminal; elsewhere a line at each quarter."""

    def __init__(self, total, what):
        self.total, self.what, self.tty = total, what, sys.stdout.isatty()
        self.quarter = 0

    def show(self, n):
        if self.tty:
            full = BAR * n // self.total
            print(f"\r  [{'#' * full}{'.' * (BAR - full)}] {n:,} of {self.total:,} {self.what} ",
                  end="", flush=True)
        elif 4 * n // self.total > self.quarter:
            self.quarter = 4 * n // self.total
            say(f"{n:,} of {self.total:,} {self.what}")

    def say(self, text):
        """A line while the bar stands."""
        if self.tty:
            print(f"\r\033[K  {text}", flush=True)
        else:
            say(text)

    def end(self):
        if self.tty:
            print(flush=True)


class Outage:
    def __init__(self, a, home):
        self.a, self.home = a, home
        self.lead = home / "lead.passphrase"
        self.ils = systems.SYSTEMS[a.sink](home)
        self.desks = [drive.Desk(home / name.lower(), name=name, binary=a.binary)
                      for name in DESKS]
        self.first = self.desks[0]

    # -- the branch --------------------------------------------------------------------------

    def policy(self):
        """The sample policy, pointed at the library system of this run."""
        text = (HERE / "policy.ini").read_text(encoding="utf-8")
        text = re.sub(r"(?m)^probe\b.*", f"probe = tcp:127.0.0.1:{self.ils.port}", text)
        text = text.replace("sink   = file:@OUT@", f"sink   = {self.ils.sink()}\n{self.ils.more()}")
        text = text.replace("format = symphony", f"format = {self.ils.format}", 1)
        return text + "\n" + self.ils.profile()

    def found(self):
        step("Founding the branch")
        self.ils.open()
        path = self.home / "policy.ini"
        path.write_text(self.policy(), encoding="utf-8")
        words = set(re.findall(r'"([a-z]+)"', (HERE.parent / "proto/words.c").read_text()))
        said = self.first.init("MAIN", policy=path, passphrase_file=self.lead)
        shown = drive.four_words(said.out + said.err, words)
        if self.lead.stat().st_mode & 0o077:
            raise Wrong(f"{self.lead} is readable by others")
        say(f"{DESKS[0]} founded MAIN; the branch's words: {' / '.join(shown) or '?'}")
        self.first.start()
        for desk in self.desks[1:]: # two leads, so that one dead PC stops nobody
            code = self.first.invite(desk.name, role="lead" if desk is self.desks[1] else None,
                                     passphrase_file=self.lead).out.strip()
            said = desk.join(code)
            same = shown & drive.four_words(said.out + said.err, words)
            if not same:
                raise Wrong(f"{desk.name} does not show the branch's four words: {said.out}")
            say(f"{desk.name} joined with a one-time code; it shows the same words: {same.pop()}")
            desk.start()
        self.each(lambda s: s["peers"]["online"] == len(DESKS) - 1, 30, "see the other desks")
        self.each(lambda s: s["server"]["state"] == "online", 30, "see the library server")
        say("every desk sees the others and the library server")
        for desk in self.desks:
            for name, text in self.ils.secrets:
                desk.cli("credential", "set", name, text=text + "\n")

    def each(self, condition, deadline, what):
        """Every desk's status comes to fulfil the condition."""
        for desk in self.desks:
            wait_until(lambda d=desk: condition(d.status()), deadline, f"{desk.name} to {what}")

    # -- the day -----------------------------------------------------------------------------

    def record(self):
        step("The library server goes away")
        self.ils.close()
        self.each(lambda s: s["server"]["state"] == "offline", 60, "notice it")
        say("every desk says so")
        start = sample_day.last_whole_day(datetime.now(timezone.utc))
        lines, self.truth = sample_day.make_day(self.a.seed, start, self.a.records, DESKS)
        sample_day.write_day(self.home / "day", lines, self.truth)
        step(f"The desks record the day of {start:%A, %d %B %Y}, 09:00 to 13:58 "
             f"(seed {self.a.seed})")
        began = time.monotonic()
        self.type_in(lines)
        took = time.monotonic() - began
        total = self.truth["records"]
        say(f"{total:,} records, each durable before it was answered, in {took:.1f} s "
            f"({total / took:,.0f} a second)")

    def type_in(self, lines):
        total, failures = self.truth["records"], []

        def one(desk):
            try:
                refused = [a for a in desk.feed(lines[desk.name], restart=False) if not a["ok"]]
                if refused:
                    raise Wrong(f"{desk.name} refused {len(refused)} lines: {refused[0]['error']}")
            except Exception as why:  # told by the main thread
                failures.append(why)

        threads = [threading.Thread(target=one, args=(d,), daemon=True) for d in self.desks]
        bar = Bar(total, "recorded")
        for t in threads:
            t.start()
        victim = next(d for d in self.desks if d.name == VICTIM)
        half = len(lines[VICTIM]) // 2

        def watch(until, what):
            def look():
                bar.show(sum(d.recorded for d in self.desks))
                return failures or until()
            wait_until(look, 300, what)
            if failures:
                bar.end()
                raise failures[0]

        def alive():
            return any(t.is_alive() for t in threads)

        watch(lambda: victim.recorded >= half, f"{VICTIM} to record half of its day")
        victim.kill9()
        seen = victim.recorded
        bar.say(f"{VICTIM} is killed with -9 after {seen} of {len(lines[VICTIM])} records")
        others = [d for d in self.desks if d is not victim]
        goal = {d: min(d.recorded + 50, len(lines[d.name])) for d in others}
        watch(lambda: all(d.recorded >= goal[d] for d in others), "the other desks to go on")
        victim.start()
        if victim.status()["records"]["local"] < seen:
            raise Wrong(f"{VICTIM} lost records that it had answered")
        bar.say(f"{VICTIM} is back, nothing lost; it repeats what was not answered")
        watch(lambda: not alive(), "the day to end")
        bar.end()

    def share(self):
        step("The desks share what they have")
        total = self.truth["records"]

        def has_all(s):
            r = s["records"]
            if r["union"] > total:
                raise Wrong(f"{s['desk']} knows {r['union']} records, {total} were typed in")
            return r["union"] == r["held"] == total
        self.each(has_all, 60, f"hold all {total} records")
        self.local = {d.name: d.status()["records"]["local"] for d in self.desks}
        typed = {d: v["records"] for d, v in self.truth["desks"].items()}
        if self.local != typed:
            raise Wrong(f"recorded {self.local}, typed in {typed}")
        say(f"all {total:,} records are on all {len(self.desks)} desks")

    # -- the upload --------------------------------------------------------------------------

    def upload(self):
        step("The library server is back; the lead uploads")
        self.ils.open()
        self.each(lambda s: s["server"]["state"] == "back", 60, "see the library server again, with records to upload first")
        plan = self.first.cli("upload", "plan").out
        for line in plan.splitlines():
            say("| " + line)
        if "clock is in doubt" in plan:
            say("(KIDS-1 was killed before another desk had compared its clock: hence the doubt)")
        self.compare_plan(self.first.cli("upload", "plan", json=True))
        self.first.cli("upload", "run", "--yes", "--lead-passphrase-file", self.lead, deadline=120)
        for desk in self.desks:
            wait_until(lambda d=desk: self.is_delivered(d), 60, f"{desk.name} to say delivered")
        last = self.first.upload_status()["last"]
        say(f"{last['desk']} was elected and sent it; every desk knows that it was delivered")
        say(f"its receipt says: {last['file']}")
        self.again()
        self.compare()

    def compare_plan(self, plan):
        """The program's own counts are those of the truth."""
        counts = self.truth["counts"]["hold"]
        want = {"total": self.truth["records"],
                "send_total": len(self.ils.expected(self.truth)),
                "duplicates": counts.get("duplicate", 0), "voided": counts.get("voided", 0),
                "held": counts.get("held", 0), "superseded": counts.get("superseded", 0),
                "review": 0}
        for name, n in want.items():
            if plan.get(name, n) != n:
                raise Wrong(f"upload plan counts {plan[name]} for {name}, expected {n}")

    @staticmethod
    def is_delivered(desk):
        s = desk.upload_status()
        if s["state"] == "failed":
            raise Wrong(f"{desk.name}: the upload failed: {json.dumps(s)}")
        return s["state"] in ("delivered", "settled") and s["last"] is not None

    def again(self):
        slot, before = self.first.upload_status()["last"]["slot"], self.ils.state()
        said = self.first.cli("upload", "run", "--yes", "--lead-passphrase-file", self.lead,
                              check=False)
        if said.rc not in (0, 1):  # 1: nothing found to do
            raise drive.CliError(("upload", "run"), said.rc, said.err)
        if self.ils.state() != before or self.first.upload_status()["last"]["slot"] != slot:
            raise Wrong("a second upload run sent something")
        say("a second upload run sends nothing")

    def compare(self):
        self.sha = self.first.upload_status()["last"]["sha256"]
        for desk in self.desks:
            if (told := desk.upload_status()["last"]["sha256"]) != self.sha:
                raise Wrong(f"{desk.name} says SHA-256 {told}, {DESKS[0]} says {self.sha}")
        step("Checking what arrived against what was typed in")
        report = self.first.cli("upload", "report", json=True)
        for line in self.ils.compare(self.truth, report):
            say(line)
        if self.ils.by_record:
            for line in self.first.cli("upload", "exceptions").out.splitlines()[:6]:
                say("| " + line)

    def table(self, took):
        counts = self.truth["counts"]["hold"]
        width = max(map(len, DESKS))
        rows = [("desks", f"{len(self.desks)}")]
        rows += [("", f"{d:<{width}}  {n:>6,} recorded") for d, n in self.local.items()]
        rows += [("recorded", f"{sum(self.local.values()):,}"),
                 ("duplicates removed", f"{counts.get('duplicate', 0):,}"),
                 ("replaced", f"{counts.get('superseded', 0):,} renewals by a later one"),
                 ("voided", f"{counts.get('voided', 0):,} (and their {counts.get('void', 0):,} "
                            "voids)"),
                 ("held", f"{counts.get('held', 0):,} discharges"),
                 ("uploaded", f"{len(self.ils.expected(self.truth)):,} to {self.a.sink}"), ("SHA-256", self.sha), ("time", f"{took:.1f} s")]
        step("The outage in numbers")
        for name, value in rows:
            say(f"{name:<20}{value}")

    def addresses(self):
        """What to type to look at the pages: desk's, lead's and admin's, each on a PC that may do it."""
        step("The branch goes on running")
        pids = " ".join(str(d.leave_running()) for d in self.desks)
        say("each \"open\" prints an address for a browser on this PC, good once and for a minute;")
        say("\"pin set\" asks for a PIN of your choice, which the page asks for then")
        print()
        for d, page in zip(reversed(self.desks), ("desk", "lead", "admin")):
            if page != "desk":
                say(f"{d.binary} --state {d.state} pin set {page}")
            say(f"{d.binary} --state {d.state} open {page} --print")
        print()
        say(f"the lead's passphrase, for uploads and invites: cat {self.lead}")
        say("the library server ended with this command: the desks say OFFLINE")
        say(f"to end the branch: kill {pids}; rm -r {self.home}")

    def stop(self):
        for d in self.desks:
            try:
                d.stop()
            except Timeout as why:
                say(str(why))
        self.ils.close()


def explain(outage, why):
    print(f"\nNOT OK: {why}", flush=True)
    for desk in outage.desks:
        last = desk.log().strip().splitlines()[-3:]
        for line in last:
            print(f"  {desk.name} said: {line}")
    print(f"  everything is still in {outage.home}", flush=True)


def main():
    p = argparse.ArgumentParser(prog="examples/run", description="A three-desk outage, end to end.",
                                epilog="examples/run --desk-day [--keep] plays every situation of a desk and a "
                                "lead once instead, command by command.")
    p.add_argument("--seed", type=int, default=1, help="of the sample day (default 1)")
    p.add_argument("--records", type=int, default=2000, help="at least so many (default 2000)")
    p.add_argument("--sink", default="file", choices=systems.SYSTEMS,
                   help="the library system that it is uploaded to (default file)")
    p.add_argument("--keep", action="store_true", help="leave the branch running, to look at its pages")
    p.add_argument("--binary", default=HERE.parent / "build/release/tideover", type=pathlib.Path,
                   help="another program than the one that was built")
    a = p.parse_args()
    a.binary = a.binary.resolve()
    if not a.binary.exists():
        sys.exit(f"outage: there is no {a.binary}: run examples/run, which builds it")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    work = a.binary.parent
    home = pathlib.Path(tempfile.mkdtemp(prefix="outage-", dir=work))
    outage, ok = Outage(a, home), False
    try:
        outage.found()
        outage.record()
        outage.share()
        outage.upload()
        outage.table(time.monotonic() - began)
        ok = True
        if a.keep:
            outage.addresses()
    except KeyboardInterrupt:
        print("\nstopped", flush=True)
    except (Wrong, Timeout, drive.CliError, KeyError, ValueError, OSError) as why:
        explain(outage, f"{type(why).__name__}: {why}" if isinstance(why, (KeyError, ValueError))
                else why)
    finally:
        outage.stop()
    if ok and not a.keep:
        shutil.rmtree(home)
    if ok:
        print("\nOK: nothing missing, nothing doubled", flush=True)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
