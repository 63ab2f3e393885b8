#!/usr/bin/env python3
"""A branch in the middle of an upgrade: this version and the next one side by side, each uploads what
the other recorded; desks go up and down on live data; a newer store is refused unharmed."""
import pathlib
import unittest

import branch
from branch import all_hold, checkouts, wait_until

NEXT = str(pathlib.Path(branch.BINARY).resolve().parent / "next_tideover")


class Versions(branch.Case):
    def run_as(self, desk, binary):
        desk.stop()
        desk.binary = binary
        desk.start()

    def versions(self, at):
        return {p["name"]: p["version"] for p in at.peers()}

    def test_next_and_this_in_one_branch(self):
        one, two, kids = desks = self.branch(start=False)
        ours = one.binary
        one.binary = NEXT
        for d in desks:
            d.start()
        self.all_online(desks)
        wait_until(lambda: self.versions(two)[one.name] == "0.2.0", 20, "the next version to say so")
        for i, d in enumerate(desks):
            self.feed(d, checkouts(100 * i, 20))
        all_hold(desks, 60, 20)
        self.upload(one)
        wait_until(lambda: kids.status()["records"]["pending"] == 0, 20, "it to be known")
        for first, last in ((ours, NEXT), (NEXT, ours)):  # each desk up and down, on live data
            self.run_as(one, first)
            self.run_as(two, last)
            self.all_online(desks)
            n = kids.status()["records"]["union"]
            self.feed(two, checkouts(1000 + n, 10))
            self.feed(one, checkouts(2000 + n, 10))
            all_hold(desks, n + 20, 20)
        self.upload(one)
        for d in desks:
            wait_until(lambda d=d: d.status()["records"]["pending"] == 0, 20, f"{d.name} to know")
            self.assertEqual(0, sum(p["refused"] for p in d.peers() if not p["this"]))
            wait_until(lambda d=d: all(p["disk_free_bytes"] for p in d.peers()), 20, "each to say how it fares")
        sent = [line for p in self.files() for line in p.read_bytes().splitlines()]
        self.assertEqual((100, 100), (len(sent), len(set(sent))))

    def test_a_newer_store_is_refused_unharmed(self):
        one = self.branch(names=branch.NAMES[:1])[0]
        self.feed(one, checkouts(1, 5))
        one.stop()
        periods = one.state / "periods"
        before = periods.read_bytes()
        periods.write_bytes(before[:8] + bytes([before[8] + 1]) + before[9:])
        data = (one.state / "store/data.mdb").read_bytes()
        with self.assertRaises(branch.drive.CliError) as refused:
            one.start()
        self.assertIn("newer tideover", refused.exception.text)
        self.assertEqual(data, (one.state / "store/data.mdb").read_bytes())
        periods.write_bytes(before)
        one.start()
        self.assertEqual(5, branch.held(one))


if __name__ == "__main__":
    unittest.main(verbosity=2)
