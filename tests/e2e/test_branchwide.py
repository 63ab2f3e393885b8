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
        self.assertEqual("lent_already", answers[0]["note"]["code"])

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


class BlockList(branch.Case):
    def write(self, name, text):
        path = self.home / name
        path.write_text(text, encoding="utf-8")
        return path

    def shown(self, desk):
        return desk.cli("blocklist", "show", json=True)["list"]

    def everywhere(self, desks, users, status):
        for d in desks:
            wait_until(lambda d=d: (self.shown(d) or {}).get("by_status") == status, 15,
                       f"{d.name} to have the list")
            self.assertEqual(users, self.shown(d)["users"])

    def test_one_list_for_all_desks_and_the_newest_wins(self):
        desks = one, two, three = self.branch()
        self.assertIsNone(self.shown(one))
        three.kill9()
        numbers = [user(n) for n in range(1, 16001)]
        lists = self.write("delinq", "".join(f"{u}|BARRED\r\n" for u in numbers))
        one.cli("blocklist", "import", lists, "--format", "symphony", "--date", "2026-01-02T00:00:00Z")
        self.everywhere((one, two), 16000, {"barred": 16000})
        self.assertIn("block_list_old", branch.problem_codes(two))
        loan = ("record", "checkout", "--user", user(7), "--item", item(1))
        self.assert_refused(two.cli(*loan, check=False), 65, "this user is barred", "days old")
        self.assertEqual("user_blocked", json.loads(
            two.cli(*loan, "--json", check=False).out)["error"]["code"])
        self.assert_refused(one.cli(*loan, "--override", "--lead-passphrase-file", self.lead,
                                    check=False), 65, "allows nobody to override")
        # A newer one at another desk, while the third is off: it gets that one, and no other.
        two.cli("blocklist", "import", self.write("list.txt", f"{user(3)} E\n{user(4)} D\n"),
                "--format", "evergreen")
        three.start()
        self.everywhere(desks, 2, {"expired": 1, "penalties": 1})
        self.assertNotIn("block_list_old", branch.problem_codes(three))
        self.assertEqual("this card has expired\n",
                         three.cli("blocklist", "test", "--user", user(3)).out)
        three.cli(*loan)
        for bad, code in ((lists, "older_list"), (self.write("page", "<html>\n<p>Log in\n"), "no_block_list"),
                          (self.write("empty", ""), "empty_list")):
            date = ("--date", "2026-01-03T00:00:00Z") if code == "older_list" else ()
            said = two.cli("blocklist", "import", bad, *date, "--json", check=False)
            self.assertEqual(code, json.loads(said.out)["error"]["code"])
        self.everywhere(desks, 2, {"expired": 1, "penalties": 1})
        # What lies on the disk, or was logged, names nobody.
        for d in desks:
            for p in d.state.rglob("*"):
                if p.is_file():
                    self.assertNotIn(user(3).encode(), p.read_bytes(), p)

    def test_a_lead_overrides_where_the_policy_says_so(self):
        one, two, _ = self.branch()
        self.publish(one, branch.policy_text(self.sink) + "[blocklist]\noverride = lead\nimport = lead\n")
        wait_until(lambda: "override = lead" in two.cli("policy", "show").out, 15, "the policy")
        plain = self.write("list", f"{user(3)}\n")
        self.assert_refused(two.cli("blocklist", "import", plain, check=False), 77, "lead's or an admin's")
        one.cli("blocklist", "import", plain)
        loan = ("record", "checkout", "--user", user(3), "--item", item(2))
        self.assert_refused(one.cli(*loan, check=False), 65, "this user is blocked", "unless a lead")
        one.cli("session", "set", "--staff", "Ana", "--due", "9d")
        said = one.cli(*loan, "--override", "--lead-passphrase-file", self.lead, json=True)
        self.assertEqual([(True, "Ana", said["due"])],  # a loan like any other of this session
                         [(r.get("override"), r["staff"], r["due"]) for r in branch.log_list(one)])
        self.assertIn("a lead overrode the block list", one.cli("log", "list").out)


if __name__ == "__main__":
    unittest.main()
