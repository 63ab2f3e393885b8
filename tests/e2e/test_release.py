#!/usr/bin/env python3
"""What an upload set aside goes again on a lead's word: released by name, and new cards that exist."""
import unittest
import uuid

import branch
from branch import all_hold, checkout, item, log_list, user, wait_until


def line(**fields):
    return {"key": uuid.uuid4().hex, **fields}


def discharge(n):
    return line(op="discharge", item=item(n))


def loan(who, n):
    return line(op="checkout", user=who, item=item(n))


def card(n):
    return line(op="user", user=user(n), last="Reader", first="Rosa")


class Release(branch.Case):
    def lead_says(self, desk, *args, check=True):
        return desk.cli("upload", *args, "--lead-passphrase-file", self.lead, check=check)

    def send(self, desk):
        """One more upload; returns its text, all files of it."""
        before = set(self.files())
        self.upload(desk)
        return "".join(p.read_text() for p in self.files() if p not in before)

    def records(self, desk, key):
        return desk.status()["records"][key]

    def test_held_discharges_go_once_by_name(self):
        desks = self.branch()
        a, b, c = desks
        ids = self.feed(a, [checkout(1), discharge(7), discharge(8)])
        all_hold(desks, 3, 5)
        self.assertNotIn(item(7), self.send(a))
        wait_until(lambda: self.records(c, "aside")["held"] == 2, 10, "the list on another desk")
        rows = c.cli("upload", "aside", json=True)["records"]
        self.assertEqual(set(ids[1:]), {r["id"] for r in rows})
        self.assertEqual({"held"}, {r["reason"] for r in rows})
        self.assertIn("upload release", rows[0]["next"])
        said = self.lead_says(a, "release", ids[1], check=False)
        self.assertEqual(1, said.rc, said)
        self.assertIn("Nothing was released", said.out)
        self.lead_says(a, "release", ids[1], "--yes")
        self.assert_refused(self.lead_says(a, "release", ids[0], "--yes", check=False), 1,
                            "not set aside")
        for d in desks:
            wait_until(lambda d=d: self.records(d, "released") == 1, 10, f"{d.name} to hear of it")
        plan = c.cli("upload", "plan", json=True)
        self.assertEqual((1, 1), (plan["released"], plan["total"]))
        sent = self.send(a)
        self.assertEqual(1, sent.count(item(7)))
        self.assertNotIn(item(8), sent)
        report = c.cli("upload", "report", json=True)
        self.assertEqual([ids[1]], [r["id"] for r in report["lists"]["released"]])
        self.assertEqual("held", report["lists"]["released"][0]["was"])
        listed = [r for r in log_list(c) if r["id"] == ids[1]]
        self.assertEqual([("delivered", "held")], [(r["state"], r["was"]) for r in listed])
        said = self.lead_says(a, "release", "--slot", str(rows[0]["slot"]), "--reason", "held",
                              "--yes")
        self.assertIn("1 record is released", said.out)
        self.assertEqual(1, self.send(a).count(item(8)))
        for d in desks:
            wait_until(lambda d=d: self.records(d, "set_aside") == 0, 10, f"{d.name} to settle it")
        self.assertIn("Nothing to upload", self.upload(a).out)

    def test_cards_that_exist_let_their_loans_go(self):
        desks = self.branch()
        a, b, c = desks
        text = a.cli("policy", "show").out
        self.publish(a, text.replace("registration = jy", "registration = none"))
        new = user(4711)
        ids = self.feed(a, [card(4711), loan(new, 1)])
        all_hold(desks, 2, 5)
        self.assertNotIn(new, self.send(a))
        wait_until(lambda: self.records(b, "set_aside") == 2, 10, "what was set aside")
        rows = b.cli("upload", "aside", "--reason", "by_hand", json=True)["records"]
        self.assertEqual([(ids[0], "Reader")], [(r["id"], r["last"]) for r in rows])
        self.assertNotIn("Reader", b.cli("upload", "aside").out)  # names only on demand
        self.assertIn("Reader", b.cli("upload", "aside", "--full").out)
        self.assertIn("1 by_hand", b.cli("status").out)
        self.lead_says(a, "done", ids[0])
        self.assertIn("1 record that waited goes", self.lead_says(a, "cards").out)
        self.feed(c, [loan(new, 2)])
        all_hold(desks, 3, 5)
        for d in desks:
            wait_until(lambda d=d: self.records(d, "released") == 1, 10, f"{d.name} to hear of it")
        self.assertEqual(2, self.send(a).count(new))
        for d in desks:
            wait_until(lambda d=d: self.records(d, "set_aside") == 0, 10, f"{d.name} to settle it")

    def test_reports_of_no_upload(self):
        desks = self.branch()
        self.assert_refused(desks[0].cli("upload", "report", check=False), 1, "nothing has been")
        self.assert_refused(desks[0].cli("upload", "report", "--slot", "99", check=False), 1,
                            "no upload 99")
        self.assert_refused(self.lead_says(desks[0], "cards", "--slot", "9", check=False), 1,
                            "no upload 9")


if __name__ == "__main__":
    unittest.main()
