#!/usr/bin/env python3
"""A full disk: the desk says STOP, keeps what it acknowledged, and goes on by itself when there is
room again. Its state lies on a small tmpfs of our own."""
import json
import os
import shutil
import subprocess
import unittest
import uuid

import fault
import branch
from branch import wait_until

ROUNDS = 20 if fault.LONG else 4
SIZE = 24 << 20


def mount_tmpfs(at):
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tideover-test",
                           str(at)], capture_output=True, text=True, check=False)


@unittest.skipIf(os.geteuid() != 0, "a mount needs root")
class DiskFull(fault.Case):
    def setUp(self):
        super().setUp()
        small = self.home / "small"
        small.mkdir()
        said = mount_tmpfs(small)
        if said.returncode != 0:
            self.skipTest(f"no tmpfs: {said.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(small)], check=False)
        self.branch(start=False)  # registers the ends of the nodes: they come before the unmount
        self.full = self.desks[2]
        shutil.copytree(self.full.state, small, dirs_exist_ok=True)
        shutil.rmtree(self.full.state)
        self.full.state = small  # its log lies beside it, where there is room
        self.ballast = small / "ballast"
        for d in self.desks:
            d.start()
        self.all_online(self.desks)

    def fill(self):
        with open(self.ballast, "ab", buffering=0) as f:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while f.write(bytes(size)):
                        pass
                except OSError:
                    pass

    def says_stop(self):
        return "not_saving" in branch.problem_codes(self.full)

    def test_full_and_free_again_under_load(self):
        crowd = fault.Crowd([self.desks[0], self.full], at_each=((1, 0.0), (5, 0.01)))
        try:
            for _ in range(ROUNDS):
                before = crowd.v[2].acknowledged.copy()
                wait_until(lambda b=len(before): len(crowd.v[2].acknowledged) > b + 20, 20,
                           "scans at the desk")
                self.fill()
                wait_until(self.says_stop, 20, "the desk to say STOP")
                self.assert_stop_is_plain()
                self.ballast.unlink()
                wait_until(lambda: not self.says_stop(), 20, "the desk to go on by itself")
        finally:
            acknowledged = crowd.stop()
        stops = self.full.log().count("STOP, not saving")
        self.assertGreaterEqual(stops, ROUNDS)
        self.settle(self.desks)
        total = self.assert_kept(self.desks, acknowledged)
        self.all_may_vote(self.desks)
        self.upload_all(self.desks)
        e = self.assert_effects(acknowledged, total)
        not_now = sum((s.not_now for s in crowd.v[2:]), crowd.v[0].not_now)
        self.assertGreater(not_now["not_saving"], 0)
        fault.report(f"full disks {stops}, scans told to wait {not_now['not_saving']}, acknowledged "
                     f"{len(acknowledged)}, all present, doubled {len(e.doubled())}")

    def assert_stop_is_plain(self):
        """For a person at the desk, and for a script."""
        line = {"op": "checkout", "user": branch.user(1), "item": branch.item(9_999_999),
                "key": uuid.uuid4().hex}
        api = fault.Api(self.full)
        status, text = api.call("POST", "records", json.dumps(line))
        api.close()
        error = json.loads(text)["error"]
        self.assertEqual((503, "not_saving"), (status, error["code"]), text)
        self.assertRegex(error["message"], "^STOP: this PC cannot save .*[Ww]rite on paper")
        said = self.full.cli("record", "checkout", "--user", line["user"], "--item", line["item"],
                             check=False)
        self.assert_refused(said, 74, "stop", "cannot save", "paper")

    def test_killed_and_started_on_a_full_disk(self):
        """It does not start, says why, touches nothing; with room again all is there."""
        ids = self.feed(self.full, branch.checkouts(0, 50))
        branch.all_hold(self.desks, 50, 5)
        self.fill()
        self.full.kill9()
        with self.assertRaises(branch.drive.CliError) as caught:
            self.full.start()
        self.assertEqual(74, caught.exception.rc, caught.exception.text)
        self.assertRegex(caught.exception.text, "space|full")
        self.ballast.unlink()
        self.full.start()
        self.settle(self.desks)
        self.assertEqual(set(ids), {r["id"] for r in fault.listed(self.full)})
        self.assertFalse([p for p in self.full.state.iterdir() if "damaged" in p.name])


if __name__ == "__main__":
    unittest.main(verbosity=2)
