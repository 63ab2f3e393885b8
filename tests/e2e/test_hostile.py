#!/usr/bin/env python3
"""A member that lies. KIDS-1's key is right and its certificate valid, but what speaks with it is
`liar` (liar.c, lies.c): real sockets, real CURVE, signatures of its own, and nothing that it says is
so. The two honest desks stay up, go on recording and sharing, name it, and upload every honest
record once."""
import collections
import contextlib
import re
import subprocess
import threading
import unittest

import branch
import drive
from branch import BINARY, NAMES, checkouts, held, problem_codes, wait_until
from stranger import curve_secret, desk_id, public_of

LIAR = BINARY.parent / "liar"
MEMORY_MAX_MB = 100  # 17 MB were measured
LIE_ITEM = r"3666\d{10}"  # lies.c
LOG_LINES_MAX = 20  # one in ten seconds for each desk, and for the ledger
FLOOD = 20  # rounds to each desk
LIES = ("broken-chain", "old-signature", "altered", "counts", "ranges", "vectors", "proofs",
        "points", "garbage", "ledger", "packed", "words", "blocklists", "overrides", "claims", "flood")
HARMLESS = ("ranges", "ledger")  # anybody may ask for what nobody has, and stand in an election


def memory_mb(desk, what):
    """VmRSS, or VmHWM: the most it ever was."""
    with open(f"/proc/{desk.node.pid}/status", encoding="ascii") as f:
        return int(re.search(rf"{what}:\s+(\d+) kB", f.read())[1]) / 1024


class Liar:
    """The process that lies: one lie a line, and a line back when it is said."""

    def __init__(self, state, port, honest):
        peers = [f"{desk_id(d).hex()}:{public_of(curve_secret(d)).hex()}@127.0.0.1:{d.port}"
                 for d in honest]
        self.honest, self.said = honest, collections.Counter()
        self.p = subprocess.Popen([LIAR, state, f"127.0.0.1:{port}", *peers], text=True, bufsize=1,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _tell(self, lie, to, *numbers):
        print(lie, to, *numbers, file=self.p.stdin)
        answer = self.p.stdout.readline().split()
        if not answer:
            raise AssertionError(f"the liar ended: {self.p.wait(5)}")
        if answer[1:] == ["not", "yet"]:
            return False
        self.said[lie] += int(answer[1]) - int(answer[2])
        return True

    def tell(self, lie, to, *numbers):
        """Waits until it has heard enough to lie about."""
        wait_until(lambda: self._tell(lie, to, *numbers), 15, f"{lie} to be possible")

    def close(self):
        if self.p.poll() is None:
            self.p.stdin.close()
            try:
                self.p.wait(10)
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait()
        self.p.stdout.close()


class Hostile(branch.Case):
    def setUp(self):
        super().setUp()
        self.one, self.two, self.three = self.branch()
        self.honest = [self.one, self.two]
        self.items = []
        self.n = 0
        for d in self.honest + [self.three]:
            self.record(d, 3)  # KIDS-1 was honest once: these count
        for d in self.desks:
            wait_until(lambda d=d: d.status()["ledger"]["may_vote"] and
                       d.status()["records"]["held"] == 9, 20, f"{d.name} to hold all and to vote")
        self.three.stop()
        self.pids = [d.node.pid for d in self.honest]
        self.liar = Liar(self.three.state, self.three.port, self.honest)
        self.addCleanup(self.liar.close)

    def record(self, desk, n):
        lines = checkouts(1000 + self.n, n)
        self.n += n
        self.items += [x["item"] for x in lines]
        return self.feed(desk, lines)

    def shared(self, deadline=20):
        """Each honest desk holds all that the other recorded."""
        def behind(d):
            return [p for p in d.peers() if not p["this"] and p["name"] != "KIDS-1"
                    and (p["state"] != "online" or p["behind"] or p["missing"])]
        for d in self.honest:
            wait_until(lambda d=d: not behind(d), deadline, f"{d.name} to share all")

    def liar_as_seen_by(self, desk):
        return next(p for p in desk.peers() if p["name"] == "KIDS-1")

    @contextlib.contextmanager
    def telling(self, lie, number):
        """Both honest desks hear it meanwhile."""
        failed = []

        def tell():
            try:
                for to in range(len(self.honest)):
                    self.liar.tell(lie, to, number)
            except (AssertionError, OSError, drive.Timeout) as e:
                failed.append(e)
        t = threading.Thread(target=tell, daemon=True)
        t.start()
        yield
        t.join(60)
        self.assertEqual(([], False), (failed, t.is_alive()))

    def blamed(self, lie, to, before):
        """Some lies may be mistakes in good faith once: then it is asked what it means by them."""
        self.liar.tell(lie, to, 7)
        return self.liar_as_seen_by(self.honest[to])["refused"] > before

    def assert_up_and_small(self):
        self.assertEqual(self.pids, [d.node.pid for d in self.honest])
        for d in self.honest:
            self.assertIsNone(d.node.poll(), f"{d.name} ended: {d.log()[-2000:]}")
            self.assertLess(memory_mb(d, "VmHWM"), MEMORY_MAX_MB)

    def assert_uploaded_once(self):
        """Every honest record, KIDS-1's of its honest days too; nothing that it signed twice."""
        self.liar.close()
        self.upload(self.one)
        text = "".join(f.read_text(encoding="utf-8") for f in self.files())
        for x in self.items:
            self.assertEqual(1, text.count(x), x)
        self.assertEqual([], re.findall(LIE_ITEM, text))
        for d in self.honest:
            wait_until(lambda d=d: d.status()["records"]["pending"] == 0, 10, f"{d.name} to know")

    def test_what_a_member_says_is_refused_and_it_is_named(self):
        memory = [memory_mb(d, "VmRSS") for d in self.honest]
        for lie in LIES:
            before = [self.liar_as_seen_by(d)["refused"] for d in self.honest]
            with self.telling(lie, FLOOD if lie == "flood" else 7):
                for d in self.honest:
                    self.record(d, 5)
                self.shared()
            self.assert_up_and_small()
            for to, n in enumerate(before):
                if lie not in HARMLESS:
                    wait_until(lambda to=to, n=n: self.blamed(lie, to, n), 20, f"{lie} to be blamed")
        branch.report(f"lies said {sum(self.liar.said.values())} ({dict(self.liar.said)})")
        for d, m in zip(self.honest, memory):
            print(f"{d.name}: refused {self.liar_as_seen_by(d)['refused']}; memory {m:.0f} MB before, "
                  f"{memory_mb(d, 'VmHWM'):.0f} MB at most, {memory_mb(d, 'VmRSS'):.0f} MB after")
            self.assertEqual(len(self.items), held(d))  # nothing of it was taken
            self.assertIn(("peer_refused", "KIDS-1"),
                          {(p["code"], p.get("desk")) for p in d.status()["problems"]})
            self.assertRegex(d.log(), "refused what KIDS-1 sent, number [0-9]+: ")
            refusals = [x for x in d.log().splitlines() if "refused" in x]
            self.assertLess(len(refusals), LOG_LINES_MAX)  # of thousands
            # What it claims to have more is bounded, so that no sum of claims is nonsense.
            self.assertLess(d.status()["records"]["union"], 1 << 50)
            self.assertEqual(0, next(p["refused"] for p in d.peers() if p["name"] in NAMES[:2]
                                     and not p["this"]), "an honest desk is not blamed")
        self.one.cli("revoke", "KIDS-1", "--lead-passphrase-file", self.lead)
        for d in self.honest:
            wait_until(lambda d=d: self.liar_as_seen_by(d)["state"] == "revoked", 10, "the word")
            self.assertNotIn("peer_refused", problem_codes(d))
        self.assert_uploaded_once()

    def test_two_histories_are_proven_and_neither_counts(self):
        for to, history in ((0, 0), (1, 1)):
            self.liar.tell("fork", to, history, 4)
        for d in self.honest:
            self.record(d, 5)
            wait_until(lambda d=d: d.cli("quarantine", "list", json=True)["quarantine"], 20,
                       f"{d.name} to have the proof")
        for to, history in ((0, 1), (1, 0), (0, 0), (1, 1)):  # and goes on
            self.liar.tell("fork", to, history, 50)
            self.liar.tell("flood", to, 1)
        for d in self.honest:
            self.record(d, 5)
        self.shared()
        self.assert_up_and_small()
        self.two.kill9()  # and comes back among the lies, with more to fetch than was pushed
        self.record(self.one, 40)
        self.two.start()
        self.pids[1] = self.two.node.pid
        with self.telling("altered", 7):
            self.shared()
        for d in self.honest:
            wait_until(lambda d=d: d.status()["ledger"]["may_vote"], 20, f"{d.name} to vote")
            waiting = d.cli("quarantine", "list", json=True)["quarantine"]
            self.assertEqual({("KIDS-1/1", "forked", 4)},
                             {(q["feed"], q["why"], q["from"]) for q in waiting}, d.name)
            self.assertEqual(2, len({q["history"] for q in waiting}), "both histories are shown")
            self.assertIn("quarantined", problem_codes(d))
            wait_until(lambda d=d: d.status()["records"]["pending"] == len(self.items), 10,
                       f"{d.name} to count what is honest")
        self.assert_uploaded_once()


if __name__ == "__main__":
    unittest.main()
