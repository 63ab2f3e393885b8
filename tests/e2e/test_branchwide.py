#!/usr/bin/env python3
"""The branch at once: what another desk did a moment ago is told at the scan."""
import json
import unittest

import branch
from branch import all_hold, item, user, wait_until


class Lately(branch.Case):
    def test_another_desks_loan_is_told_and_recorded_only_if_meant(self):
        one, two, three = self.branch()
        lent = one.cli("record", "checkout", "--user", user(1), "--item", item(1), json=True)
        all_hold([one, two, three], 1, 5)
        scan = ("record", "checkout", "--user", user(2), "--item", item(1))
        self.assert_refused(two.cli(*scan, check=False), 65, f"went to another user at {one.name}")
        said = json.loads(two.cli(*scan, "--json", check=False).out)
        self.assertEqual(("lent_to_another", True, lent["id"], one.name), (
            said["error"]["code"], said["confirm"], said["note"]["id"], said["note"]["desk"]))
        self.assertNotIn(user(1), json.dumps(said))
        self.assertNotIn(user(2), json.dumps(said))
        self.assertEqual(1, branch.held(two))
        meant = two.cli(*scan, "--keep", json=True)
        self.assertEqual("lent_to_another", meant["note"]["code"])
        all_hold([one, two, three], 2, 5)
        # A batch is a list of what was done: it is told, never asked.
        answers = three.feed([branch.checkout(1)])
        self.assertTrue(answers[0]["ok"])
        self.assertIn(answers[0]["note"]["code"], ("lent_already", "double_scan"))

    def test_after_a_restart_it_is_told_from_the_disk(self):
        one, two, _ = self.branch()
        self.feed(one, [{"op": "discharge", "item": item(5), "key": "01" * 16},
                        {"op": "user", "user": user(7), "last": "Byron", "key": "02" * 16}])
        all_hold([two], 2, 5)
        two.kill9()
        two.start()
        wait_until(lambda: two.status()["peers"]["online"] >= 1, 15, "another desk")
        self.assert_refused(two.cli("record", "discharge", "--item", item(5), check=False), 65,
                            "was returned at " + one.name)
        known = two.cli("record", "checkout", "--user", user(7), "--item", item(6), json=True)
        self.assertEqual("card_is_new", known["note"]["code"])


if __name__ == "__main__":
    unittest.main()
