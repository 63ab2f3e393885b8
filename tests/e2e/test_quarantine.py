#!/usr/bin/env python3
"""Quarantine: what a revoked desk wrote beyond what was trusted waits for a lead."""
import unittest

import branch
from branch import NAMES, all_hold, held, problem_codes, wait_until


class Quarantine(branch.Case):
    def test_records_of_a_revoked_desk_wait_for_a_lead_and_go_when_admitted(self):
        one, two, three = self.branch()
        self.feed(three, branch.checkouts(0, 4))
        all_hold([one, two, three], 4, 10)
        one.kill9()
        self.feed(three, branch.checkouts(10, 3))  # the lead's desk never hears of these
        all_hold([two, three], 7, 10)
        two.kill9()
        three.kill9()
        one.start()
        one.cli("revoke", NAMES[2], "--lead-passphrase-file", self.lead)
        self.assertEqual("Nothing waits for a lead.", one.cli("quarantine", "list").out.strip())
        two.start()  # brings what the revoked desk wrote
        all_hold([one, two], 7, 15)
        waiting = one.cli("quarantine", "list", json=True)["quarantine"]
        self.assertEqual([("revoked", 5, 7, 3, True)],
                         [(q["why"], q["from"], q["to"], q["records"], q["here"])
                          for q in waiting])
        self.assertIn("quarantined", problem_codes(one))
        wait_until(lambda: two.status()["records"]["quarantined"] == 3, 20, "MAIN-2 to hear the word")
        self.assertEqual(4, one.status()["records"]["pending"])
        one.cli("quarantine", "admit", waiting[0]["feed"], "--to", "7",
                "--lead-passphrase-file", self.lead)
        for desk in (one, two):
            wait_until(lambda: desk.status()["records"]["quarantined"] == 0, 10, "the word")
            self.assertEqual(7, desk.status()["records"]["pending"])
        self.assertEqual("Nothing waits for a lead.", two.cli("quarantine", "list").out.strip())

    def test_what_cannot_be_admitted_is_refused_in_a_sentence(self):
        one, = self.branch(NAMES[:1])
        self.feed(one, branch.checkouts(0, 2))
        for args, code in ((("NOBODY/1", "--to", "1"), "no_such_feed"),
                           ((NAMES[0] + "/1", "--to", "9"), "no_such_record"),
                           ((NAMES[0] + "/1", "--to", "1", "--history", "xy"), "bad_history")):
            said = one.cli("quarantine", "admit", *args, "--lead-passphrase-file", self.lead,
                           check=False)
            self.assertNotEqual(0, said.rc, code)
            self.assertIn("quarantine list", said.err)


if __name__ == "__main__":
    unittest.main()
