#!/usr/bin/env python3
"""The k-th allocation, write or flush fails, for k = 1, 2, .. until a run never gets so far.

The store alone: every k. A whole desk that starts, records and uploads: a sample of k (each of them
with TIDEOVER_LONG=1), of allocations its own. Whatever the program does then,
it does not crash, says one sentence if it gives up, and nothing that it acknowledged is missing
when it is started again, nor sent twice."""
import collections
import concurrent.futures
import contextlib
import os
import pathlib
import queue
import random
import re
import shutil
import signal
import subprocess
import unittest

from fault import LONG, SEED, branch, report
from branch import item, log_list, wait_until
from drive import CliError, Desk, Timeout

TOOLS = pathlib.Path(os.environ.get("TIDEOVER_TOOLS", branch.BINARY.parent))
SAMPLE = 100_000 if LONG else 10
AT_ONCE = 6  # runs side by side; each waits for the ledger's grace most of the time
CALLS = ("alloc", "write", "flush")


def faulty(call, at, told, ours=False):
    more = {"FAULT_OURS": "1"} if ours else {}
    return {"LD_PRELOAD": str(TOOLS / "libfailing.so"), "FAULT_CALL": call, "FAULT_AT": str(at),
            "FAULT_TOLD": str(told), **more}


def reached(told):
    return told.exists() and "reached" in told.read_text()


def counts(runs):
    return ", ".join(f"{n} of {c}" for c, n in runs.items())


def crashed(rc):
    return rc is not None and rc < 0 and -rc != signal.SIGKILL


class Store(branch.Case):
    def run_tool(self, what, where, env):
        return subprocess.run([TOOLS / "power_store", what, where], capture_output=True, text=True,
                              env={**os.environ, **env}, timeout=60, check=False)

    def said(self, text):
        return {kind: int(n) for kind, n in (x.split() for x in text.splitlines())}

    def test_every_call_of_the_store(self):
        runs = collections.Counter()
        for call in CALLS:
            for k in range(1, 100_000):
                where, told = self.home / f"{call}{k}", self.home / f"told{call}{k}"
                where.mkdir()
                p = self.run_tool("few", where, faulty(call, k, told))
                with self.subTest(call=call, k=k):
                    self.assertIn(p.returncode, (0, 1), f"{call} {k}: {p.stderr}")
                    look = self.run_tool("check", where, {})
                    self.assertEqual(0, look.returncode, look.stderr)
                    found = self.said(look.stdout)
                    for kind, n in self.said(p.stdout).items():
                        self.assertGreaterEqual(found[kind], n, f"{call} {k}: {kind}")
                    if p.returncode:
                        self.assertEqual(1, len(p.stderr.splitlines()), p.stderr)
                shutil.rmtree(where)
                runs[call] += 1
                if not reached(told):
                    self.assertEqual(0, p.returncode, p.stderr)
                    break
        report("failing calls, store: " + counts(runs) +
               ", one after the other: nothing acknowledged lost")


class Whole(branch.Case):
    """One desk, which is a branch of its own."""

    def setUp(self):
        super().setUp()
        self.lead = branch.write_secret(self.home / "lead", branch.PASSPHRASE)
        self.places = queue.SimpleQueue()  # each with a desk that was founded and never started
        for i in range(AT_ONCE):
            home = self.home / str(i)
            (home / "sink").mkdir(parents=True)
            policy = home / "policy.ini"
            policy.write_text(branch.policy_text(home / "sink", ("MAIN-1",)), encoding="utf-8")
            founded = Desk(home / "founded", name="MAIN-1", binary=branch.BINARY)
            founded.init("MAIN", policy=policy, passphrase_file=self.lead)
            self.places.put((home, founded))

    @contextlib.contextmanager
    def fresh_desk(self):
        """A desk in its first hour, and the directory where its uploads arrive."""
        home, founded = self.places.get()
        state, sink = home / "desk", home / "sink"
        shutil.copytree(founded.state, state)
        desk = Desk(state, founded.port, founded.web_port, "MAIN-1", branch.BINARY)
        try:
            yield desk, sink
        finally:
            desk.kill9()
            for f in home.glob("desk*"):
                shutil.rmtree(f) if f.is_dir() else f.unlink()
            for f in sink.iterdir():
                f.unlink()
            self.places.put((home, founded))

    def day(self, desk, call, k, told):
        """Start, five loans, an upload, stop, with the node's k-th call failing. The ids that were
        acknowledged, with their items. A node that gives up ends the day; what it did and said then
        is looked at here."""
        acked, plain = {}, desk.env
        desk.env = {**plain, **faulty(call, k, told, ours=call == "alloc")}
        try:
            desk.start()
        except CliError:
            pass
        node, desk.env = desk.node, plain  # the command line is under no fault
        try:
            for n in range(1, 6):
                said = desk.cli("record", "checkout", "--user", branch.user(n), "--item", item(n),
                                "--json", check=False)
                if said.rc == 0:
                    acked[re.search(r'"id": ?"([^"]+)"', said.out)[1]] = item(n)
            wait_until(lambda: node.poll() is not None or desk.status()["ledger"]["may_vote"], 15,
                       "the vote")
            desk.cli("upload", "run", "--yes", "--lead-passphrase-file", self.lead, check=False,
                     deadline=30)
        except (CliError, Timeout):
            pass
        desk.stop()
        what, log = f"{call} {k}: ", desk.log()
        self.assertFalse(crashed(node.returncode), f"{what}{node.returncode}\n{log[-1500:]}")
        self.assertNotRegex(log, r"Assertion|Sanitizer|\(null\)", what)
        return acked

    def one(self, call, k):
        """A day with the k-th call failing, then one without. None if k was not reached, else what
        is wrong, or an empty text."""
        with self.fresh_desk() as (desk, sink):
            told = desk.state.with_name("desk.told")
            try:
                acked = self.day(desk, call, k, told)
                self.again(desk, sink, acked, f"{call} {k}: ")
            except (AssertionError, CliError, Timeout) as e:
                return f"{call} {k}: {e}"
            return "" if reached(told) else None

    def again(self, desk, sink, acked, what):
        desk.start()
        there = {r["id"] for r in log_list(desk)}
        self.assertEqual([], sorted(set(acked) - there), what + "acknowledged and gone")
        wait_until(lambda: desk.status()["ledger"]["may_vote"], 15, what + "the vote")
        wait_until(lambda: self.settled(desk), 40, what + "everything uploaded")
        sent = collections.Counter()
        for f in sink.iterdir():
            if not f.name.startswith("."):
                sent.update(re.findall(r"NQ(\d{14})", f.read_text(encoding="latin-1")))
        self.assertEqual([], [i for i, n in sent.items() if n > 1], what + "sent twice")
        self.assertEqual([], [c for c in acked.values() if sent[c] == 0], what + "not sent")

    def settled(self, desk):
        s = desk.upload_status()
        if s["pending"]:
            desk.cli("upload", "run", "--yes", "--lead-passphrase-file", self.lead, check=False)
        return s["pending"] == 0 and s["state"] in ("idle", "delivered", "settled")

    def count(self, call):
        """How many such calls a day has."""
        with self.fresh_desk() as (desk, _):
            told = desk.state.with_name("desk.told")
            self.day(desk, call, 0, told)
            return int(re.findall(r"count (\d+)", told.read_text())[-1])  # the node ends last

    def test_a_whole_day(self):
        dice, jobs, runs, bad = random.Random(SEED), [], collections.Counter(), []
        for call in CALLS:
            n = self.count(call)
            ks = range(1, n + 1) if n <= SAMPLE else sorted(dice.sample(range(1, n + 1), SAMPLE))
            jobs += [(call, k) for k in ks]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for (call, _), wrong in zip(jobs, pool.map(lambda j: self.one(*j), jobs)):
                runs[call] += wrong is not None
                bad += [wrong] if wrong else []
        self.assertEqual([], bad, "\n".join(bad))
        report(f"failing calls, a desk's day: {counts(runs)} (seed {SEED}): nothing acknowledged "
               "lost, nothing sent twice")
        self.assertEqual(set(CALLS), {c for c, n in runs.items() if n > 2}, runs)


if __name__ == "__main__":
    unittest.main()
