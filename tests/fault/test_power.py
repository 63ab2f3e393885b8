#!/usr/bin/env python3
"""Power cuts under load: whatever was acknowledged, voted or settled is there afterwards.

Two programs are cut off: the store alone, hundreds of times, and whole desks of a branch that
records and uploads. A desk that forgot a vote or a term is caught by its peers, who remember what
they heard from it (proto/PROTOCOL.md, "Start marks"): it must never be found to have lost its
memory. The control removes the flushes (noflush.c) and must lose something, each time.

Prints its counts. TIDEOVER_LONG=1 for more rounds."""
import collections
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import threading
import time
import unittest

from fault import LONG, branch, report  # it finds the others
import power
from branch import checkout, item, log_list, wait_until
from drive import Batch, Desk, Timeout, _disown, _own

STORE_ROUNDS = 1000 if LONG else 200
BRANCH_ROUNDS = 200 if LONG else 25
CONTROL_ROUNDS = 6
TOOLS = pathlib.Path(os.environ.get("TIDEOVER_TOOLS", branch.BINARY.parent))
NOFLUSH = {"LD_PRELOAD": str(TOOLS / "libnoflush.so")}
KINDS = ("record", "vote", "receipt")


class Store(branch.Case):
    """The store alone, with a writer that never rests."""

    def round(self, disk, env):
        """Load, cut, look. What was said before the cut and what is there after it."""
        load = _own(subprocess.Popen([TOOLS / "power_store", "load", disk.path],
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                     env={**os.environ, **env}))
        said, rest = dict.fromkeys(KINDS, 0), b""
        os.set_blocking(load.stdout.fileno(), False)
        end = time.monotonic() + 0.8 * random.random() ** 3
        while time.monotonic() < end or not said["record"]:
            if load.poll() is not None:
                self.fail("the writer ended by itself")
            rest = self.take(load.stdout, rest, said)
        self.take(load.stdout, rest, said)  # said before the cut
        disk.cut()
        load.kill()
        load.wait()
        load.stdout.close()
        _disown(load)
        disk.restore()
        look = subprocess.run([TOOLS / "power_store", "check", disk.path], capture_output=True,
                              text=True, check=False)
        if look.returncode:
            return said, None, look.stderr.strip()
        return said, {k: int(n) for k, n in (x.split() for x in look.stdout.splitlines())}, ""

    @staticmethod
    def take(pipe, rest, said):
        chunk = pipe.read()
        if not chunk:
            time.sleep(0.0005)  # the writer is at its flush
            return rest
        *lines, rest = (rest + chunk).split(b"\n")
        for x in lines:
            kind, n = x.split()
            said[kind.decode()] = int(n)
        return rest

    def rounds(self, n, env):
        lost, total = 0, collections.Counter()
        disk = None
        for i in range(n):
            if i % 20 == 0 or lost:  # a fresh store from time to time, and after each loss
                if disk:
                    disk.close()
                disk = power.Disk(self.home / f"disk{i}")
            said, found, why = self.round(disk, env)
            total.update(said)
            if found is None or any(found[k] < said[k] for k in KINDS):
                lost += 1
                self.last = f"round {i}: said {said}, found {found} {why}"
        disk.close()
        return lost, total

    def test_everything_committed_is_there(self):
        lost, total = self.rounds(STORE_ROUNDS, {})
        self.assertEqual(0, lost, lost and self.last)
        report(f"power cuts, store: {STORE_ROUNDS} rounds, lost in 0")
        self.assertGreater(total["receipt"], STORE_ROUNDS)

    def test_without_flushes_it_is_not(self):
        lost, _ = self.rounds(CONTROL_ROUNDS, NOFLUSH)
        report(f"power cuts, store without flushes (control): {CONTROL_ROUNDS} rounds, "
               f"lost in {lost}")
        self.assertGreaterEqual(lost, CONTROL_ROUNDS // 2)


class Load:
    """A person who scans without a pause, and keeps the slips."""

    numbers = iter(range(1, 10**8))

    def __init__(self, desk):
        self.desk, self.acked, self.stop = desk, {}, False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        batch = Batch(self.desk)
        try:
            while not self.stop:
                n = next(Load.numbers)
                if not batch.send(checkout(n)):
                    break
                a = batch.answer(10)
                if a is None or self.stop:
                    break
                if a.get("ok"):
                    self.acked[a["id"]] = item(n)
        except Timeout:
            pass
        finally:
            batch.close()

    def freeze(self):
        """From now on no slip counts. Returns those that do."""
        self.stop = True
        return dict(self.acked)


class Branch(branch.Case):
    """Three desks, each with a disk of its own, which record and upload."""

    def branch_on_disks(self, env):
        self.branch(start=False)
        self.disks, desks = [], []
        for d in self.desks:
            disk = power.Disk(self.home / f"disk-{d.name.lower()}")
            subprocess.run(["cp", "-a", d.state, disk.path / "state"], check=True)
            os.sync()
            self.disks.append(disk)
            self.addCleanup(disk.close)
            desks.append(self.own(Desk(disk.path / "state", d.port, d.web_port, d.name,
                                       branch.BINARY, env)))
        self.desks = desks
        for d in desks:
            d.start()
        self.all_online(desks)

    def ready(self, voting):
        """All see each other again, and each one's start is confirmed by the others; voting: its
        grace is over too. Names those that were found to have lost their memory."""
        forgetful = set()

        def well():  # one that forgot keeps the others' starts unconfirmed: all are asked
            status = {d.name: d.status() for d in self.desks}
            forgetful.update(name for name, s in status.items()
                             if "memory_lost" in {p["code"] for p in s["problems"]})
            return forgetful or all(s["peers"]["online"] == 2 and s["ledger"]["start_confirmed"] and
                                    (s["ledger"]["may_vote"] or not voting) for s in status.values())

        wait_until(well, 30, "all desks to be well again")
        return forgetful

    def upload_in_background(self, desk):
        p = _own(subprocess.Popen(
            [desk.binary, "upload", "run", "--yes", "--lead-passphrase-file", str(self.lead),
             "--state", str(desk.state)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env={k: v for k, v in desk.env.items() if k != "LD_PRELOAD"},
            start_new_session=True))
        return p

    def cut(self, victims, loads, upload):
        """The power of these desks goes, all at one moment."""
        slips = {}
        for x in loads:
            slips.update(x.freeze())
        for v in victims:
            self.disks[v].cut()
        for v in victims:
            self.desks[v].kill9()
        for x in loads:
            x.thread.join(20)
        if upload:
            upload.kill()
            upload.wait()
            _disown(upload)
        for v in victims:
            self.disks[v].restore()
            self.desks[v].start()
        return slips

    def lost(self, victims, slips):
        """Slips whose record is not at the desk that gave it."""
        gone = []
        for v in victims:
            mine = {i for i in slips if i.startswith(self.desks[v].name + "/")}
            there = {r["id"] for r in log_list(self.desks[v])}
            gone += sorted(mine - there)
        return gone

    def round(self, i, victims):
        """Load, cut, look. The slips given, those lost, the desks found to be forgetful."""
        loads = [Load(d) for d in self.desks]
        upload = self.upload_in_background(self.desks[0]) if i % 3 == 1 else None
        time.sleep(random.random() * (2 if upload else 0.6))  # the moment is what is drawn
        slips = self.cut(victims, loads, upload)
        try:
            forgetful = self.ready(voting=i % 3 == 0)
        except Timeout as e:
            self.fail(f"round {i}: {e}")
        return slips, self.lost(victims, slips), forgetful

    def test_a_branch_that_loses_power(self):
        self.branch_on_disks({})
        slips, cuts = {}, 0
        for i in range(BRANCH_ROUNDS):
            victims = sorted(random.sample(range(3), random.choice((1, 1, 2, 3))))
            fresh, lost, forgetful = self.round(i, victims)
            self.assertEqual([], lost, f"round {i}, {victims} cut off")
            self.assertEqual(set(), forgetful, f"round {i}: forgot a vote, a term or a record")
            slips.update(fresh)
            cuts += len(victims)
        self.finish(slips)
        report(f"power cuts, branch: {BRANCH_ROUNDS} rounds, {cuts} desks cut off, {len(slips)} "
               f"acknowledged records: all there, each uploaded once, in {len(self.files())} slots")

    def finish(self, slips):
        """The last upload. Each slip's item stands in exactly one line of what arrived."""
        said = self.upload(self.desks[0], check=False, deadline=120)
        wait_until(lambda: self.desks[0].upload_status()["state"] in ("delivered", "settled", "idle"), 60,
                   "the last upload")
        self.upload(self.desks[0], check=False, deadline=120)
        sent = collections.Counter()
        for f in self.files():
            sent.update(re.findall(r"NQ(\d{14})", f.read_text(encoding="latin-1")))
        twice = [i for i, n in sent.items() if n > 1]
        missing = [i for i, code in slips.items() if sent[code] == 0]
        self.assertEqual([], twice)
        self.assertEqual([], missing, said)

    def test_without_flushes_it_forgets(self):
        """One desk cut off: its peers give the records back that they got before, and notice that it
        forgot. All three: the records are gone."""
        noticed, gone, i = 0, 0, 0
        while min(noticed, gone) < CONTROL_ROUNDS // 2:
            # What else runs here may write a round's pages out by itself: such a round proves nothing.
            self.assertLess(i, 3 * CONTROL_ROUNDS, f"records gone in {gone}, forgetful in {noticed}")
            self.branch_on_disks(NOFLUSH)
            _, lost, forgetful = self.round(0, [1] if i % 2 else [0, 1, 2])
            noticed += bool(forgetful)
            gone += bool(lost)
            for d, disk in zip(self.desks, self.disks):
                d.kill9()
                disk.close()
            shutil.rmtree(self.home)
            self.home.mkdir()
            i += 1
        report(f"power cuts, branch without flushes (control): {i} rounds, records "
               f"gone in {gone}, a desk found forgetful in {noticed}")


if __name__ == "__main__":
    reason = power.why_not()
    if reason:
        report(f"power cuts: skipped: {reason}")
        sys.exit(power.SKIPPED)
    unittest.main()
