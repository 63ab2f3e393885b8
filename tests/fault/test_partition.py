#!/usr/bin/env python3
"""Partitions in network namespaces under load: one way, both ways, flapping, and around an uploader
in the middle of its delivery. Healed: equal sets, one file a slot, nothing twice."""
import random
import threading
import time
import unittest

import fault
import netns
from branch import wait_until

FLAPS = 200 if fault.LONG else 12
ROUNDS = 8 if fault.LONG else 1


class Cut(netns.NetCase, fault.Case):
    def setUp(self):
        super().setUp()
        self.dice = random.Random(fault.SEED)
        self.counts = {"one way": 0, "both ways": 0, "flaps": 0, "uploaders cut off": 0}

    def heal(self):
        for d in self.desks:
            self.plug_back(d)
            for other in self.desks:
                if other is not d:
                    d.hears(other)

    def state(self, at, of):
        return next(p["state"] for p in fault.once(at, "peers")["peers"] if p["name"] == of.name)

    def online(self, at, of):
        return self.state(at, of) == "online"

    def slot(self, desk):
        return fault.once(desk, "upload/status")["slot"]

    def press(self):
        t = threading.Thread(target=self.upload, args=(self.desks[0], False), daemon=True)
        t.start()
        return t

    # -- the faults ----------------------------------------------------------------------------

    def one_way(self):
        """Two hears one no more, but is heard; what it records goes round, through three."""
        one, two, _ = self.desks
        two.deaf_to(one)
        wait_until(lambda: not self.online(two, one), 15, "two to miss one")
        self.counts["one way"] += 1
        self.heal()
        self.settle(self.desks)

    def both_ways(self):
        one, two, three = self.desks
        self.cut_off(three)
        for a, b in ((one, three), (three, one), (three, two)):
            wait_until(lambda a=a, b=b: not self.online(a, b), 15, f"{a.name} to miss {b.name}")
        self.assertTrue(self.online(one, two))
        self.counts["both ways"] += 1
        self.heal()
        self.settle(self.desks)

    def flap(self):
        """Links come and go faster than anybody notices, in either direction."""
        for _ in range(FLAPS):
            a, b = self.dice.sample(self.desks, 2)
            self.dice.choice((lambda: a.deaf_to(b), lambda: a.hears(b), lambda: self.cut_off(a),
                              lambda: self.plug_back(a)))()
            self.counts["flaps"] += 1
            time.sleep(self.dice.uniform(0, 0.3))  # the fault is a matter of moments
        self.heal()
        self.settle(self.desks)

    def uploader_cut_at_the_file(self):
        """The file is there, and nobody hears of it: a successor finds it, equal."""
        slot = self.slot(self.desks[0])
        with fault.FolderWatch(self.sink) as watch:
            self.press()
            self.assertTrue(watch.wait(lambda name: name.startswith("."), 40))
            self.cut_off(self.desks[0])
        self.settled(self.desks[1:], slot)
        self.counts["uploaders cut off"] += 1
        self.heal()
        self.settled(self.desks, slot)

    def uploader_cut_while_it_tries(self):
        """Both sides could deliver: the one that was cut off loses its lease, and must not."""
        slot, away = self.slot(self.desks[0]), self.home / "away"
        self.sink.rename(away)
        self.press()
        wait_until(lambda: "cannot write to" in (
            fault.once(self.desks[0], "upload/status")["message"] or ""), 40, "a failed delivery")
        self.cut_off(self.desks[0])
        away.rename(self.sink)
        self.settled(self.desks[1:], slot)
        self.counts["uploaders cut off"] += 1
        self.heal()
        self.settled(self.desks, slot)

    def settled(self, desks, slot):
        for d in desks:
            wait_until(lambda d=d: self.slot(d) > slot, 60, f"{d.name} to know of the receipt")

    def test_partitions_under_load(self):
        crowd = fault.Crowd(self.desks, at_each=((1, 0.05), (10, 0.05)))
        try:
            for _ in range(ROUNDS):
                self.one_way()
                self.both_ways()
                self.flap()
                for way in (self.uploader_cut_at_the_file, self.uploader_cut_while_it_tries):
                    self.all_may_vote(self.desks, 60)
                    way()
        finally:
            self.heal()
            acknowledged = crowd.stop()
        self.settle(self.desks)
        total = self.assert_kept(self.desks, acknowledged)
        self.upload_all(self.desks)
        e = self.assert_effects(acknowledged, total)
        counts = ", ".join(f"{k} {n}" for k, n in self.counts.items())
        fault.report(f"partitions: {counts}; acknowledged {len(acknowledged)}, uploads "
                     f"{len(e.files)}, all present, doubled {len(e.doubled())}; seed {fault.SEED}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
