#!/usr/bin/env python3
"""A desk whose clock is 95 s fast, and one that nobody could compare: what they are told, and what
the upload makes of their times."""
import re
import unittest

import branch
from branch import all_hold, checkout, item, problem_codes, wait_until
from pretend import sanitized, shifted

FAST_S = 95


@unittest.skipIf(sanitized(), "nothing is loaded before the address sanitizer")
class Clocks(branch.Case):
    def plan(self, desk):
        return desk.cli("upload", "plan", json=True)

    def clock(self, desk):
        return desk.status()["clock"]

    def test_a_fast_clock_is_told_and_its_times_are_corrected(self):
        a, b, fast = self.branch(envs=[None, None, shifted(FAST_S)])
        for d in self.desks:
            wait_until(lambda d=d: self.clock(d)["desks"] == 3, 60, f"{d.name} to compare all")
        self.assertIn("clock_off", problem_codes(fast))
        self.assertAlmostEqual(FAST_S * 1000, self.clock(fast)["ahead_ms"], delta=2000)
        self.assertIn("Clock    the clock of this PC is 95 s fast", fast.cli("session", "show").out)
        said = fast.cli("record", "scan", text="*NEXT\n*NEXT\n")  # before anything is recorded
        self.assertEqual(1, said.err.count("the clock of this PC is 95 s fast"))
        for d in (a, b):
            self.assertIsNone(self.clock(d)["warning"])
        self.assertNotIn("clock_off", problem_codes(a))

        self.feed(fast, [checkout(1)])
        all_hold(self.desks, 1, 60)
        self.feed(a, [{**checkout(1), "op": "renew"}])
        all_hold(self.desks, 2, 60)
        for d in (a, fast):
            wait_until(lambda d=d: [k["class"] for k in self.plan(d)["clocks"]] == ["corrected"],
                       60, f"{d.name} to measure all clocks")
            one, = self.plan(d)["clocks"]
            self.assertEqual(("KIDS-1", "corrected", 1), (one["desk"], one["class"],
                                                         one["reordered"]))
            self.assertEqual("KIDS-1 clock was 95 s fast: times corrected, 1 order changed",
                             one["words"])
        self.upload(a)
        self.assertIn("KIDS-1 clock was 95 s fast", a.cli("upload", "report").out)
        log, = [p.read_text() for p in self.files()]
        self.assertEqual(["CV", "RV"], re.findall(r"\^S\d\d(CV|RV).*" + item(1), log))

    def test_a_clock_that_nobody_compared_is_in_doubt(self):
        a, b, alone = self.branch(start=False, envs=[None, None, shifted(-3600)])
        alone.start()
        self.feed(alone, [checkout(1)])
        alone.stop()
        for d in self.desks:
            d.start()
        self.all_online(self.desks)
        all_hold(self.desks, 1, 60)
        one, = self.plan(a)["clocks"]
        self.assertEqual(("suspect", None), (one["class"], one["corrected"]))
        self.assertIn("in doubt", one["words"])
        self.assertIn("KIDS-1 clock is in doubt", a.cli("upload", "plan").out)
        self.upload(a)
        self.assertIn("KIDS-1 clock is in doubt", b.cli("upload", "report").out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
