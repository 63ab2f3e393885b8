#!/usr/bin/env python3
"""A branch of three desks uploads again and again, to each kind of system; the uploader is killed at
random moments, some of the system's answers get lost. In the end the system booked every record once,
in the order of its item, or all desks name it. Branches stand side by side: most of it is waiting.

    test_sinks.py [KIND..]      TIDEOVER_SEED repeats the choices, not the scheduler's"""
import collections
import concurrent.futures
import os
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

import fault
from branch import drive, item, user, wait_until
from systems_hit import HIT, way

HITS = int(os.environ.get("TIDEOVER_HITS", "0")) or (50 if fault.LONG else 2)
PAUSES = int(os.environ.get("TIDEOVER_PAUSES", "0")) or (5 if fault.LONG else 0)
SIDE_BY_SIDE = 3 if fault.LONG else len(HIT)
PAUSE_S = 8   # lease 5 s, quiet 1 s, and what clocks may differ
ITEMS = 10  # at each desk, in each upload


class Lead(threading.Thread):
    """Answers what the desks ask, from the system's own ledger."""

    def __init__(self, case):
        super().__init__(daemon=True)
        self.case, self.ending, self.answered, self.failure = case, threading.Event(), 0, None

    def run(self):
        while not self.ending.wait(0.2):
            for desk in self.case.desks:
                try:
                    self.answer(desk)
                except (*fault.NOT_NOW, drive.Timeout):
                    pass  # killed or stopped
                except Exception as e:  # pylint: disable=broad-except  (shown by stop())
                    self.failure = e
                    return

    def answer(self, desk):
        doubt = fault.once(desk, "upload/status", 2).get("doubt")
        if not doubt:
            return
        word = "yes" if self.case.system.arrived(doubt) else "no"
        said = desk.cli("upload", "decide", "--slot", str(doubt["slot"]), "--arrived", word, "--yes",
                        "--lead-passphrase-file", self.case.lead, check=False, deadline=10)
        self.answered += said.rc == 0

    def stop(self):
        self.ending.set()
        self.join(90)
        if self.failure:
            raise self.failure
        return self.answered


class Sinks(fault.Case):
    def setUp(self):
        super().setUp()
        self.dice = random.Random(fault.SEED)
        self.branch()
        self.said = collections.defaultdict(list)  # item: (op, id) that were recorded of it
        self.days, self.sending, self.others = 0, 0, 0  # hits that met one that was sending; successors

    def ready(self, kind):
        self.system = HIT[kind](self.home)
        self.system.manners(self.dice, HITS + PAUSES + 1)
        self.upload_to(self.system)
        self.all_may_vote(self.desks, 60)

    def day(self):
        """Lent, perhaps renewed, and brought back, at every desk."""
        self.days += 1
        for i, d in enumerate(self.desks):
            lines = []
            for k in range(ITEMS):
                number, who = item(10000 * self.days + 100 * i + k), user(1 + (k + self.days) % 97)
                ops = [("checkout", {"user": who, "due": "2030-06-01"})]
                if self.system.renews:
                    ops.append(("renew", {"user": who, "due": "2030-07-01"}))
                ops.append(("discharge", {}))
                lines += [{"op": op, "item": number, "key": os.urandom(16).hex(), **more}
                          for op, more in ops]
            for line, name in zip(lines, self.feed(d, lines)):
                self.said[line["item"]].append((line["op"], name))
        self.settle(self.desks)

    # -- one upload ------------------------------------------------------------------------------

    def press(self):
        going = threading.Thread(target=self.upload, args=(self.desks[0], False), daemon=True)
        going.start()
        return going

    def begun(self, slot, going):
        """The lead's passphrase is right, and the desks know of the "go"."""
        wait_until(lambda: any(fault.once(d, "status")["ledger"][x] for d in self.desks
                               for x in ("open", "triggered")) or self.slot() > slot
                   or not going.is_alive(), 30, "it to begin")

    def slot(self):
        return max(fault.once(d, "upload/status")["slot"] for d in self.desks)

    def at_a_moment(self, slot, again):
        """Waits for some random moment of the upload; which desk sends, if any does."""
        if self.dice.random() < 0.4:  # something more has arrived, or is just arriving
            goal = self.system.progress() + self.dice.randint(1, 30 if self.system.by_record else 1)
            self.until(lambda: self.system.progress() >= goal, slot)
        else:
            if again:
                self.until(self.uploader, slot)
            time.sleep(self.dice.uniform(0, self.length))  # the fault itself is at a random moment
        if desk := self.uploader():
            self.sending += 1
            return desk
        return None if self.is_over(slot) else self.elected()

    def elected(self):
        """Who gathers, is quiet, waits; else the desk where the lead pressed."""
        for d in self.desks:
            try:
                name = fault.once(d, "upload/status", 2)["uploader"]
                return next((x for x in self.desks if x.name == name), self.desks[0])
            except fault.NOT_NOW:
                pass
        return self.desks[0]

    def until(self, condition, slot):
        end, look = time.monotonic() + 90, 0.0
        while not condition():
            if time.monotonic() >= look:
                if self.is_over(slot):
                    return
                look = time.monotonic() + 0.5
            if time.monotonic() > end:
                self.fail("the upload does not go on: " + self.how_it_stands())
            time.sleep(0.001)

    def how_it_stands(self):
        return "; ".join(f"{d.name}: {fault.once(d, 'upload/status')} {d.log()[-300:]}"
                         for d in self.desks if d.node)

    def hit(self, how, most):
        """One upload, hit at up to so many moments. Returns how often."""
        self.all_may_vote(self.desks, 60)
        self.day()
        slot, hits = self.slot(), 0
        going = self.press()
        self.begun(slot, going)
        while hits < most and (victim := self.at_a_moment(slot, hits > 0)):
            how(victim, slot)
            hits += 1
        self.until(lambda: False, slot)
        going.join(90)
        # How long an upload takes changes with what else the machine does: too late, so sooner next time.
        self.length = min(3.0, self.length * 1.1) if hits else max(0.05, self.length * 0.7)
        return hits

    def kill(self, victim, slot):
        """It is back at once, and often goes on itself; or only when another desk has gone on."""
        victim.kill9()
        if self.system.anywhere and self.dice.random() < 0.5 and self.others_can_go_on(victim):
            self.until(lambda: self.another_goes_on(victim, slot), slot)
        victim.start()

    def others_can_go_on(self, victim):
        """Of three seats, one that was killed a moment ago and is not confirmed by both others has no
        vote (README, "Known limits")."""
        return all(fault.once(d, "status")["ledger"]["start_confirmed"]
                   for d in self.desks if d is not victim)

    def another_goes_on(self, victim, slot):
        """Elected, or done; or nobody left alive knows of the "go"."""
        alive = [d for d in self.desks if d is not victim]
        said = [fault.once(d, "upload/status") for d in alive]
        if any(x["slot"] > slot or x["uploader"] == d.name for d, x in zip(alive, said)):
            self.others += 1
            return True
        ledgers = [fault.once(d, "status")["ledger"] for d in alive]
        return not any(x["open"] or x["triggered"] for x in ledgers)

    def pause(self, victim, slot):
        """Stopped for longer than its lease and the quiet time; it wakes up late."""
        others = [d for d in self.desks if d is not victim]
        end = time.monotonic() + PAUSE_S
        os.kill(victim.node.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: time.monotonic() > end and not self.may_end_soon(others, slot, end), 90,
                       "the others to go on")
        finally:
            os.kill(victim.node.pid, signal.SIGCONT)

    def may_end_soon(self, others, slot, end):
        """The others are at it: what they send meets what the sleeper sends in the end."""
        return time.monotonic() < end + PAUSE_S and any(
            fault.once(d, "upload/status")["slot"] <= slot for d in others)

    def measure(self):
        """How long does an upload send, undisturbed?"""
        self.day()
        slot = self.slot()
        going = self.press()
        self.begun(slot, going)
        began = time.monotonic()
        wait_until(lambda: self.is_over(slot), 60, "the first upload")
        self.length = min(0.1 + time.monotonic() - began, 3.0)
        going.join(60)

    def play(self, kind):
        self.ready(kind)
        lead = Lead(self)
        lead.start()
        self.measure()
        hits = 0
        while hits < HITS:
            hits += self.hit(self.kill, min(self.dice.choice((1, 2, 3)), HITS - hits))
            self.assertLess(self.days, 20 + 4 * HITS, "hardly ever hit")
        pauses = 0
        while pauses < PAUSES:
            pauses += self.hit(self.pause, 1)
        self.settle(self.desks)
        self.all_may_vote(self.desks, 60)
        self.upload_all(self.desks)
        asked = lead.stop()
        named = self.compare()
        fault.report(f"{kind}: {hits} kills, {pauses} pauses ({self.sending} of one that was sending), "
                     f"{self.others} successors, records {sum(map(len, self.said.values()))}, none "
                     f"booked twice, {named} named on every desk, {asked} asked; seed {fault.SEED}")

    # -- what must hold in the end ---------------------------------------------------------------

    def compare(self):
        """Each record once and in the order of its item; or there, or before it, is an exception.
        Returns how many exceptions there are."""
        told = self.exceptions(self.desks)
        self.assert_same_receipts()
        named = collections.Counter(x["item"] for x in told)
        got, ids = collections.defaultdict(list), collections.Counter()
        for e in self.system.effects():
            got[e.item].append(e.way)
            ids[e.id] += e.id != ""
        self.assertEqual([], [x for x, n in ids.items() if n > 1], "booked twice")
        for number, records in self.said.items():
            want, have = [way(op) for op, _ in records], got.pop(number, [])
            rest = iter(want)
            self.assertTrue(all(w in rest for w in have), f"{number}: {have}, recorded {want}")
            if have != want:
                self.assertTrue(named[number], f"{number}: {have} of {want}, and nobody is told")
        self.assertFalse(got, "effects on items that nobody recorded")
        return len(told)

    def assert_same_receipts(self):
        last = {fault.once(d, "upload/status")["last"]["slot"] for d in self.desks}
        self.assertEqual(1, len(last), "the desks know different receipts")
        for slot in range(1, last.pop() + 1):
            said = [d.cli("upload", "report", "--slot", str(slot), check=False, json=False)
                    for d in self.desks]
            self.assertEqual(1, len({self.what_was_sent(s.out) for s in said}), said)

    @staticmethod
    def what_was_sent(report):
        """Not by whom and when: a desk that was hit before anybody had its receipt keeps its own beside
        that of its successor (PROTOCOL.md, "Ledger", 5)."""
        return "".join(x for x in report.splitlines(True) if x.split()[:1] not in (["sent"], ["accepted"]))


for _kind in HIT:
    setattr(Sinks, f"test_{_kind}", lambda self, kind=_kind: self.play(kind))


def side_by_side(kinds):
    """Each branch in a process of its own. Returns how many failed."""
    def one(kind):
        done = subprocess.run([sys.executable, __file__, "-", kind], text=True, capture_output=True,
                              env={**os.environ, "TIDEOVER_SEED": str(fault.SEED)}, check=False)
        print(done.stdout + (done.stderr if done.returncode else ""), end="", flush=True)
        return done.returncode != 0
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return sum(pool.map(one, kinds))


if __name__ == "__main__":
    if sys.argv[1:2] == ["-"]:
        unittest.main(argv=["test_sinks.py", f"Sinks.test_{sys.argv[2]}"])
    sys.exit(side_by_side(sys.argv[1:] or HIT))
