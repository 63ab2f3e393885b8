#!/usr/bin/env python3
"""SIGSTOP for longer than lease and promise: what wakes up finds that the branch went on, and sends
nothing a second time."""
import collections
import os
import signal
import threading
import unittest

import fault
from branch import wait_until

ROUNDS = 12 if fault.LONG else 1


class Pause(fault.Case):
    def setUp(self):
        super().setUp()
        self.branch()
        self.stopped = set()
        self.addCleanup(lambda: [self.go_on(d) for d in list(self.stopped)])

    def pause(self, desk):
        os.kill(desk.node.pid, signal.SIGSTOP)
        self.stopped.add(desk)

    def go_on(self, desk):
        os.kill(desk.node.pid, signal.SIGCONT)
        self.stopped.discard(desk)

    def press(self):
        t = threading.Thread(target=self.upload, args=(self.desks[0], False), daemon=True)
        t.start()
        return t

    def slot(self, desk):
        return fault.once(desk, "upload/status")["slot"]

    def settled(self, desks, slot, deadline=60):
        for d in desks:
            wait_until(lambda d=d: self.slot(d) > slot, deadline, f"{d.name} to know of the receipt")

    def uploader_at_the_file(self):
        """Stopped between writing aside and naming, as near as inotify comes; others finish."""
        slot = self.slot(self.desks[0])
        with fault.FolderWatch(self.sink) as watch:
            self.press()
            self.assertTrue(watch.wait(lambda name: name.startswith("."), 40))
            self.pause(self.desks[0])
        self.settled(self.desks[1:], slot)
        self.go_on(self.desks[0])
        self.settled(self.desks, slot)

    def uploader_while_it_tries(self):
        """Stopped between two attempts; the successor delivers; it wakes up with an old lease."""
        slot, away = self.slot(self.desks[0]), self.home / "away"
        self.sink.rename(away)
        self.press()
        wait_until(lambda: "cannot write to" in (
            fault.once(self.desks[0], "upload/status")["message"] or ""), 40, "a failed delivery")
        self.pause(self.desks[0])
        away.rename(self.sink)
        self.settled(self.desks[1:], slot)
        self.go_on(self.desks[0])
        self.settled(self.desks, slot)

    def voter(self):
        """One of three seats sleeps: the others are a majority."""
        slot = self.slot(self.desks[0])
        self.pause(self.desks[1])
        self.press()
        self.settled([self.desks[0], self.desks[2]], slot)
        self.go_on(self.desks[1])
        self.settled(self.desks, slot)

    def both_voters(self):
        """Stopped with the vote given: nothing is decided until they are back."""
        slot = self.slot(self.desks[0])
        self.pause(self.desks[1])
        self.pause(self.desks[2])
        going = self.press()
        wait_until(lambda: "upload_waits" in {p["code"] for p in fault.once(
            self.desks[0], "status")["problems"]}, 40, "it to say that too few answer")
        self.assertEqual(slot, self.slot(self.desks[0]))
        self.go_on(self.desks[1])
        self.go_on(self.desks[2])
        going.join(60)
        self.settled(self.desks, slot)

    def test_paused_beyond_lease_and_promise(self):
        crowd = fault.Crowd(self.desks, at_each=((1, 0.05), (20, 0.05)))
        done = collections.Counter()
        try:
            for _ in range(ROUNDS):
                for way in (self.uploader_at_the_file, self.uploader_while_it_tries, self.voter,
                            self.both_voters):
                    self.all_may_vote(self.desks, 60)
                    way()
                    done[way.__name__] += 1
        finally:
            for d in list(self.stopped):
                self.go_on(d)
            acknowledged = crowd.stop()
        self.settle(self.desks)
        total = self.assert_kept(self.desks, acknowledged)
        self.upload_all(self.desks)
        e = self.assert_effects(acknowledged, total)
        fault.report(f"pauses {sum(done.values())} ({dict(done)}), acknowledged {len(acknowledged)}, "
                     f"uploads {len(e.files)}, all present, doubled {len(e.doubled())}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
