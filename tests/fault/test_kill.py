#!/usr/bin/env python3
"""kill -9 at random moments, in a loop, under load: nothing acknowledged is lost, nothing is sent
twice. TIDEOVER_SEED repeats the choice of moments (not the scheduler's)."""
import collections
import random
import threading
import time
import unittest

import fault
from branch import wait_until
from systems_hit import Key

KILLS = 2000 if fault.LONG else 200
UPLOADS = 40 if fault.LONG else 3


class Kill(fault.Case):
    def setUp(self):
        super().setUp()
        self.dice = random.Random(fault.SEED)
        self.branch()

    def kill_in_a_loop(self, kills):
        """Seconds that each start took."""
        starts = []
        while len(starts) < kills:
            time.sleep(self.dice.uniform(0, 0.12))  # the fault itself is at a random moment
            victims = self.dice.sample(self.desks, self.dice.choice((1, 1, 1, 2, 3)))
            for d in victims:
                d.kill9()
            if self.dice.random() < 0.3:
                time.sleep(self.dice.uniform(0, 0.3))
            for d in victims:
                began = time.monotonic()
                d.start()
                starts.append(time.monotonic() - began)
        return starts

    def assert_booked_once(self, server, acknowledged, total):
        """By the server's own ledger. How many it booked twice: none."""
        booked = collections.Counter(x.item for x in server.effects())
        doubled = [item for item, n in booked.items() if n > 1]
        self.assertEqual([], doubled[:5], f"{len(doubled)} booked twice")
        unsent = set(acknowledged) - set(booked)
        self.assertFalse(unsent, f"{len(unsent)} acknowledged and never sent")
        self.assertEqual(total, len(booked))
        return len(doubled)

    def test_killed_at_random_under_load(self):
        server = Key(self.home)  # one that loses answers
        server.manners(self.dice, 1)
        self.upload_to(server)
        crowd = fault.Crowd(self.desks)
        try:
            starts = self.kill_in_a_loop(KILLS)
        finally:
            acknowledged = crowd.stop()
        self.settle(self.desks)
        total = self.assert_kept(self.desks, acknowledged)
        self.all_may_vote(self.desks)
        self.upload_all(self.desks)
        doubled = self.assert_booked_once(server, acknowledged, total)
        starts.sort()
        self.assertGreater(len(acknowledged), 2 * len(starts), "the desks were hardly used")
        fault.report(f"kills {len(starts)}, acknowledged {len(acknowledged)}, all present, doubled "
                     f"{doubled} at a server with a ledger; a start took {1000 * starts[len(starts) // 2]:.0f} ms "
                     f"(median), {1000 * starts[-1]:.0f} ms (longest); seed {fault.SEED}")

    # -- in the middle of an upload ------------------------------------------------------------

    def go(self, desk):
        """`upload run` on a thread."""
        t = threading.Thread(target=self.upload, args=(desk, False), daemon=True)
        t.start()
        return t

    def kill_while_sending(self, origin):
        """The folder is away, so that the delivery is tried again and again."""
        away = self.home / "away"
        self.sink.rename(away)
        going = self.go(origin)
        try:
            wait_until(lambda: any("cannot write to" in (fault.once(d, "upload/status")["message"]
                                                         or "") for d in self.desks), 30,
                       "a delivery that fails")
            wait_until(self.uploader, 30, "an uploader").kill9()
        finally:
            away.rename(self.sink)
        return going

    def kill_when_there(self, origin, dot):
        """The moment a file of the batch appears: aside (dot), or under its own name. The desk
        where the lead pressed stands first; the other two give it their votes."""
        with fault.FolderWatch(self.sink) as watch:
            going = self.go(origin)
            self.assertTrue(watch.wait(lambda name: name.startswith(".") == dot, 40))
            origin.kill9()
        return going

    def kill_somewhere(self, origin):
        going = self.go(origin)
        time.sleep(self.dice.uniform(0.2, 1.2))  # the passphrase alone takes half a second
        origin.kill9()
        return going

    def evidence(self, slot):
        """How far the dead uploader came, as the folder tells."""
        names = [p.name for p in self.sink.iterdir() if f"-s{slot:06d}-" in p.name]
        return ("linked" if any(not n.startswith(".") for n in names) else
                "aside" if names else "before")

    def test_uploader_killed_in_mid_upload_under_load(self):
        crowd = fault.Crowd(self.desks, at_each=((1, 0.02), (20, 0.02)))
        at = collections.Counter()
        ways = (self.kill_while_sending, lambda o: self.kill_when_there(o, True),
                lambda o: self.kill_when_there(o, False), self.kill_somewhere)
        try:
            for i in range(UPLOADS):
                self.all_may_vote(self.desks, 60)
                origin = self.desks[0]  # the lead's
                slot = max(fault.once(d, "upload/status")["slot"] for d in self.desks)
                going = ways[i % len(ways)](origin)
                at[self.evidence(slot)] += 1
                for d in self.desks:
                    d.start()
                going.join(60)
                wait_until(lambda s=slot: self.is_over(s), 60, "a successor to finish")
        finally:
            acknowledged = crowd.stop()
        self.settle(self.desks)
        total = self.assert_kept(self.desks, acknowledged)
        self.all_may_vote(self.desks, 60)
        self.upload_all(self.desks)
        e = self.assert_effects(acknowledged, total)
        fault.report(f"uploaders killed {sum(at.values())} ({dict(at)}), acknowledged "
                     f"{len(acknowledged)}, uploads {len(e.files)}, all present, doubled "
                     f"{len(e.doubled())}; seed {fault.SEED}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
