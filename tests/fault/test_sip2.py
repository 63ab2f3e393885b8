#!/usr/bin/env python3
"""Three desks tell a SIP2 server record by record, and the uploader is killed again and again while
some answers get lost: the server's ledger holds every record at most once and in the order of its
item, and what is missing there is an exception that the desks name."""
import collections
import os
import random
import threading
import unittest

import fault
import sip2
from branch import POLICY, item, user, wait_until, write_secret

ROUNDS = 50 if fault.LONG else 3
ITEMS = 15  # each is lent, renewed and brought back, in each round
OPS = {"checkout": "checkout", "renew": "renew", "checkin": "discharge"}


class Sip2(fault.Case):
    def setUp(self):
        super().setUp()
        self.dice = random.Random(fault.SEED)
        self.branch()
        self.server = sip2.Server(self.home, "--lose", "0.01", "--close-before", "0.003",
                                  "--slow", "0.002", "--random", fault.SEED % 10000)
        self.addCleanup(self.server.stop)
        text = POLICY.format(sink="", stations="").replace("= hold", "= export")
        text = text.replace("sink = file:", f"sink = sip2://127.0.0.1:{self.server.port}")
        text = text.replace("format = symphony", "format = sip2\ncredential = ils")
        for d in self.desks:
            (d.state / "credentials").mkdir(mode=0o700)
            write_secret(d.state / "credentials/ils.password", "secret")
        self.publish(self.desks[0], text + f"[sip2]\nuser = tideover\ncanary = {item(1)}\n")
        for d in self.desks:
            wait_until(lambda d=d: "sip2:" in d.cli("policy", "show").out, 20, "the policy")
        self.said = collections.defaultdict(list)  # item: what was recorded of it

    def day(self, n):
        """Lent, renewed and brought back at the same desk, at every desk."""
        for i, d in enumerate(self.desks):
            lines = []
            for k in range(ITEMS):
                number, who = item(10000 * n + 100 * i + k + 10), user(1 + (k + n) % 97)
                for op, more in (("checkout", {"user": who, "due": "2030-06-01"}),
                                 ("renew", {"user": who, "due": "2030-07-01"}),
                                 ("discharge", {})):
                    lines.append({"op": op, "item": number, "key": os.urandom(16).hex(), **more})
                    self.said[number].append((op, who))
            self.feed(d, lines)
        self.settle(self.desks)

    def kill_in_the_middle(self, records):
        """After some of the records, once or twice in one upload. Returns how often."""
        slot = max(fault.once(d, "upload/status")["slot"] for d in self.desks)
        before, kills = len(self.server.effects()), 0
        going = threading.Thread(target=self.upload, args=(self.desks[0], False), daemon=True)
        going.start()
        for _ in range(self.dice.choice((1, 1, 2))):
            goal = before + self.dice.randrange(1, records)
            wait_until(lambda g=goal: len(self.server.effects()) >= g or self.is_settled(slot), 60,
                       "effects at the server")
            victim = self.uploader()
            if victim:
                victim.kill9()
                kills += 1
            for d in self.desks:
                d.start()
            self.all_may_vote(self.desks, 60)
        going.join(90)
        wait_until(lambda: self.is_settled(slot), 90, "a successor to finish")
        return kills

    def test_the_uploader_is_killed_at_random_records(self):
        kills = 0
        for n in range(ROUNDS):
            self.all_may_vote(self.desks, 60)
            self.day(n)
            kills += self.kill_in_the_middle(3 * ITEMS * len(self.desks))
        self.settle(self.desks)
        told = self.compare()
        fault.report(f"SIP2: uploaders killed {kills}, records {sum(map(len, self.said.values()))}, "
                     f"none doubled, {told} exceptions, the same on every desk; seed {fault.SEED}")
        self.assertGreater(kills, 0)

    def compare(self):
        """Each effect belongs to one record of its item, in their order, and no record has two. A
        record without one is told to people, or stands behind one that is. Returns how many are."""
        told = {(x["item"], x["op"]) for x in self.exceptions(self.desks)}
        effects = collections.defaultdict(list)
        for e in self.server.effects():
            if not e["again"]:  # the same loan to the same user, said once more after a look
                effects[e["item"]].append(OPS[e["op"]])
        for number, records in self.said.items():
            got = effects.pop(number, [])
            ops = [op for op, _ in records]
            self.assertEqual(got, [op for op in ops if op in got], f"{number}: doubled or disordered")
            if got != ops:
                self.assertTrue([k for k in told if k[0] == number], f"{number}: missing in silence")
        self.assertFalse(effects, "effects on items that nobody recorded")
        return len(told)


if __name__ == "__main__":
    unittest.main(verbosity=2)
