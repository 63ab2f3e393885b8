#!/usr/bin/env python3
"""Keys and desks over the years: names, roles, desks that leave."""
import signal
import unittest

import branch
from branch import wait_until


class Desks(branch.Case):
    """What a lead says about one desk."""

    def lead_says(self, *args, check=True):
        return self.desks[0].cli(*args, "--lead-passphrase-file", self.lead, check=check)

    def peer(self, at, name):
        return {p["name"]: p for p in at.peers()}.get(name)

    def test_a_renamed_desk_keeps_its_numbers_and_its_station(self):
        first, second, third = self.branch()
        ids = self.feed(second, branch.checkouts(1, 2))
        self.lead_says("rename", "MAIN-2", "CHILDREN")
        wait_until(lambda: self.peer(third, "CHILDREN"), 10, "KIDS-1 to hear the new name")
        self.assertEqual("MAIN-2", self.peer(third, "CHILDREN")["joined"])
        wait_until(lambda: second.status()["desk"] == "CHILDREN", 20, "MAIN-2 to hear its new name")
        self.assertEqual(0, second.cli("void", ids[0]).rc)
        self.assertTrue(self.feed(second, branch.checkouts(3, 1))[0].startswith("MAIN-2/"))
        self.assertEqual(0, self.upload(first).rc)  # [stations] says MAIN-2
        self.assertEqual(1, len(self.files()))
        for name, rc, words in (("MAIN-1", 73, "already"), ("A B", 65, "letters")):
            self.assert_refused(self.lead_says("rename", "CHILDREN", name, check=False), rc, words)
        self.assert_refused(self.lead_says("rename", "MAIN-2", "X", check=False), 1, "no desk")

    def test_a_retired_desk_hands_over_what_it_has_and_records_no_more(self):
        first, second, third = self.branch()
        self.feed(third, branch.checkouts(1, 5))
        branch.all_hold([first, second], 5, 10)
        self.assertIn("That stays empty", self.lead_says("retire", "KIDS-1").out)
        wait_until(lambda: "retired" in branch.problem_codes(third), 10, "KIDS-1 to hear of it")
        answer = third.feed(branch.checkouts(6, 1))[0]
        self.assertEqual("retired", answer["error"]["code"], answer)
        self.assertEqual("retired", self.peer(first, "KIDS-1")["state"])
        self.assertEqual(0, self.upload(first).rc)
        self.assertEqual(5, first.upload_status()["last"]["records"])
        self.assert_refused(self.lead_says("retire", "KIDS-1", check=False), 65, "retired before")

    def test_the_last_desk_with_the_lead_key_stays(self):
        self.branch(("MAIN-1", "MAIN-2"))
        for args in (("retire", "MAIN-1"), ("role", "MAIN-1", "desk")):
            self.assert_refused(self.lead_says(*args, check=False), 65, "only desk with the lead")
        self.assert_refused(self.lead_says("role", "MAIN-2", "king", check=False), 65, "roles are")
        self.lead_says("role", "MAIN-2", "lead")
        self.assertEqual(["desk", "lead"], self.peer(self.desks[0], "MAIN-2")["roles"])
        self.assertEqual(0, self.desks[1].cli("roster", "conflicts", json=True)["total"])


class Stolen(branch.Case):
    """A desk that is revoked in mid-outage."""

    def revoke(self, name):
        return self.desks[0].cli("revoke", name, "--lead-passphrase-file", self.lead)

    def test_a_stolen_desk_is_told_and_what_it_says_later_is_set_aside(self):
        first, second, third = self.branch()
        self.feed(third, branch.checkouts(1, 3))
        branch.all_hold([first, second], 3, 10)
        self.revoke("KIDS-1")
        wait_until(lambda: "revoked" in branch.problem_codes(third), 10, "KIDS-1 to be told")
        self.assertIn("no longer part of the branch", third.cli("status").out)
        answer = third.feed(branch.checkouts(4, 1))[0]
        self.assertEqual("revoked", answer["error"]["code"], answer)
        self.assertEqual(0, self.upload(first).rc)
        self.assertEqual(3, first.upload_status()["last"]["records"])

    def test_one_that_was_off_records_until_it_meets_somebody_and_nothing_of_that_counts(self):
        first, second, third = self.branch()
        self.feed(third, branch.checkouts(1, 3))
        branch.all_hold([first, second], 3, 10)
        third.stop()
        self.revoke("KIDS-1")
        wait_until(lambda: {p["name"]: p for p in second.peers()}["KIDS-1"]["state"] == "revoked",
                   10, "MAIN-2 to hear")
        for d in (first, second):
            d.node.send_signal(signal.SIGSTOP)
        third.start()
        self.feed(third, branch.checkouts(4, 5))  # nobody is there to tell it
        second.node.send_signal(signal.SIGCONT)
        wait_until(lambda: "revoked" in branch.problem_codes(third), 20, "KIDS-1 to be told")
        first.node.send_signal(signal.SIGCONT)
        self.all_online([first, second])
        self.assertEqual(0, self.upload(first).rc)
        self.assertEqual(3, first.upload_status()["last"]["records"])
        self.assertEqual([3, 3], [branch.held(d) for d in (first, second)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
