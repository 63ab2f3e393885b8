#!/usr/bin/env python3
"""The lead key over the years: its passphrase changes, its desk is lost, it ends."""
import random
import threading
import time
import unittest

import branch
from branch import wait_until


class LeadKey(branch.Case):
    """The passphrase, the lead key and the root key."""

    def opens(self, desk, passphrase_file):
        """Whether this passphrase signs anything there."""
        said = desk.cli("rename", "MAIN-1", "MAIN-1", "--lead-passphrase-file", passphrase_file,
                        check=False)
        if said.rc != 0:
            self.assert_refused(said, 77, "passphrase")
        return said.rc == 0

    def two_leads(self):
        self.branch()
        first, second, _ = self.desks
        first.cli("role", "MAIN-2", "lead", "--lead-passphrase-file", self.lead)
        wait_until(lambda: (second.state / "lead.key").exists(), 15, "MAIN-2 to get the lead key")
        return first, second

    def test_a_changed_passphrase_reaches_every_lead_desk_and_the_old_one_opens_nothing(self):
        first, second = self.two_leads()
        new = self.home / "new"
        second.stop()
        said = first.cli("passphrase", "--lead-passphrase-file", self.lead,
                         "--new-passphrase-file", new)
        self.assertIn("MAIN-2", said.out)
        self.assertEqual(0o600, new.stat().st_mode & 0o777)
        self.assertEqual(6, len(new.read_text().split()))
        self.assertFalse(self.opens(first, self.lead))
        second.start()
        wait_until(lambda: (second.state / "lead.key").read_bytes() ==
                   (first.state / "lead.key").read_bytes(), 20, "MAIN-2 to get the new key")
        self.assertFalse(self.opens(second, self.lead))
        self.assertTrue(self.opens(second, new))
        self.assertFalse((self.desks[2].state / "lead.key").exists())
        self.assertEqual([], [p for d in self.desks for p in d.state.glob("lead.key.*")])

    def test_a_desk_that_heard_of_the_change_refuses_the_old_passphrase_without_the_new_key(self):
        first, second = self.two_leads()
        second.stop()
        first.cli("passphrase", "--lead-passphrase-file", self.lead, "--new-passphrase-file",
                  self.home / "new")
        wait_until(lambda: len(self.desks[2].cli("roster", "log", json=True)["operations"]) ==
                   len(first.cli("roster", "log", json=True)["operations"]), 10, "KIDS-1 to hear")
        first.stop()
        second.start()
        wait_until(lambda: "lead_key_old" in branch.problem_codes(second), 15, "MAIN-2 to hear")
        said = second.cli("rename", "KIDS-1", "X", "--lead-passphrase-file", self.lead, check=False)
        self.assert_refused(said, 77, "changed at another desk")

    def test_weak_and_wrong_passphrases_change_nothing(self):
        first = self.branch(("MAIN-1",))[0]
        before = (first.state / "lead.key").read_bytes()
        short, wrong = (branch.write_secret(self.home / n, t) for n, t in
                        (("short", "too short"), ("wrong", "not the passphrase at all")))
        new = self.home / "new"
        self.assert_refused(first.cli("passphrase", "--lead-passphrase-file", self.lead,
                                      "--new-passphrase-file", short, check=False), 65, "12 char")
        self.assert_refused(first.cli("passphrase", "--lead-passphrase-file", wrong,
                                      "--new-passphrase-file", new, check=False), 77, "not the lead")
        self.assertFalse(new.exists())
        self.assertEqual(before, (first.state / "lead.key").read_bytes())

    def test_killed_in_the_midst_of_a_change_either_the_old_or_the_new_one_opens(self):
        first = self.branch(("MAIN-1",))[0]
        now, seed = self.lead, random.randrange(1 << 32)
        dice = random.Random(seed)
        print(f"kill times from seed {seed}", flush=True)
        for i in range(6):
            new = branch.write_secret(self.home / f"new-{i}", f"another passphrase, number {i}")
            t = threading.Thread(target=first.cli, args=(
                "passphrase", "--lead-passphrase-file", now, "--new-passphrase-file", new),
                kwargs={"check": False})
            end = time.monotonic() + dice.uniform(0.2, 3.0)
            t.start()
            wait_until(lambda: time.monotonic() > end or not t.is_alive(), 10, "the moment to kill")
            first.kill9()
            t.join()
            first.start()
            good = [p for p in (now, new) if self.opens(first, p)]
            self.assertEqual(1, len(good), f"round {i}")
            now = good[0]
            self.assertFalse((first.state / "lead.key.next").exists())

    def test_the_lost_lead_desk_is_replaced_with_the_root_key(self):
        first, second, third = self.branch()
        self.feed(first, branch.checkouts(1, 3))
        branch.all_hold([second, third], 3, 10)
        first.kill9()  # and never seen again
        new = self.home / "new"
        said = third.cli("revoke", "MAIN-1", "--root-key-file", self.root, "--new-passphrase-file",
                         new)
        self.assertIn("new lead key", said.out)
        self.assertIn("lead", {p["name"]: p for p in third.peers()}["KIDS-1"]["roles"])
        self.feed(third, branch.checkouts(4, 2))
        wait_until(lambda: second.status()["ledger"]["may_vote"], 30, "MAIN-2 to have its vote")
        said = third.cli("upload", "run", "--yes", "--lead-passphrase-file", new)
        self.assertEqual(5, third.upload_status()["last"]["records"])
        keys = third.cli("lead", "list", json=True)["leads"]
        self.assertEqual([(True, False), (False, True)],
                         [(k["dropped"], k["in_use"]) for k in keys])
        self.assertEqual([], [o for o in third.cli("roster", "log", json=True)["operations"]
                              if not o["counts"]])

    def test_a_further_lead_key_and_the_end_of_the_first(self):
        first = self.branch(("MAIN-1",))[0]
        old = first.cli("lead", "list", json=True)["leads"][0]["key"]
        root = ("--root-key-file", self.root)
        self.assert_refused(first.cli("lead", "drop", old, *root, check=False), 65, "key in use")
        new = self.home / "new"
        first.cli("lead", "new", *root, "--new-passphrase-file", new)
        self.assertFalse(self.opens(first, self.lead))
        self.assertTrue(self.opens(first, new))
        log = first.cli("roster", "log", json=True)["operations"]
        added = [o for o in log if o["what"] == "add"][0]["operation"]
        said = first.cli("lead", "drop", old, *root, "--last", added)
        self.assertIn("of its operations are void", said.out)
        self.assert_refused(first.cli("lead", "drop", old, *root, check=False), 73, "before")
        self.assertTrue(self.opens(first, new))
        self.assert_refused(first.cli("lead", "new", "--root-key-file", self.lead, check=False), 65,
                            "no backup of a branch's root key")


if __name__ == "__main__":
    unittest.main(verbosity=2)
