#!/usr/bin/env python3
"""What the ILS did not book is named on every desk, with its words and the next step, until a lead
settles it or sends it again."""
import csv
import io
import json
import unittest
import uuid

import branch
import sip2
from branch import all_hold, item, user, wait_until, write_secret


def line(**fields):
    return {"key": uuid.uuid4().hex, **fields}


def loan(who, n):
    return line(op="checkout", user=user(who), item=item(n), due="2030-06-01", staff="Ann")


class Exceptions(branch.Case):
    def ready(self, known_items, known_users):
        """Three desks whose uploads go to a SIP2 server that knows so much."""
        desks = self.branch(envs=[{"TZ": "Asia/Tokyo"}, {"TZ": "UTC"}, {"TZ": "Asia/Tokyo"}])
        self.seed = {"items": {item(n): {} for n in known_items}, "users": {user(n): {} for n in known_users}}
        self.server = sip2.Server(self.home, seed=self.seed)
        self.addCleanup(self.server.stop)
        text = branch.policy_text(self.sink).replace("= hold", "= export")
        text = text.replace(f"sink = file:{self.sink}", f"sink = sip2://127.0.0.1:{self.server.port}")
        text = text.replace("format = symphony", "format = sip2\ncredential = ils")
        for d in desks:
            (d.state / "credentials").mkdir(mode=0o700, exist_ok=True)
            write_secret(d.state / "credentials/ils.password", "secret")
        self.publish(desks[0], text + f"[sip2]\nuser = tideover\ncanary = {item(known_items[0])}\n")
        for d in desks:
            wait_until(lambda d=d: "sip2:" in d.cli("policy", "show").out, 20, "the policy")
            wait_until(lambda d=d: d.status()["ledger"]["may_vote"], 20, f"{d.name} to vote")
        return desks

    def exceptions(self, desk, *args):
        return desk.cli("upload", "exceptions", *args, json=True)

    def lead_says(self, desk, *args):
        return desk.cli("upload", *args, "--lead-passphrase-file", self.lead)

    def test_refused_records_are_named_on_every_desk_until_a_lead_settles_them(self):
        desks = self.ready(range(1, 40), range(1, 10))
        a, b, c = desks
        ids = self.feed(b, [loan(n % 9 + 1, n) for n in range(1, 31)] + [loan(2, 50), loan(50, 31)])
        all_hold(desks, 32, 10)
        said = self.upload(a).out
        self.assertIn("2 refused: tideover upload exceptions --slot", said)
        self.assertEqual(30, len(self.server.effects()))
        lists = []
        for d in desks:
            wait_until(lambda d=d: self.exceptions(d)["known"] and self.exceptions(d)["open"] == 2, 10,
                       f"{d.name} to have the answers")
            lists.append(self.exceptions(d)["exceptions"])
        self.assertEqual(lists[0], lists[1])
        self.assertEqual(lists[0], lists[2])
        self.assertEqual(ids[30:], [e["id"] for e in lists[0]])
        for e in lists[0]:
            self.assertEqual(("refused", "checkout", True, "Ann", b.name),
                             (e["answer"], e["op"], e["open"], e["staff"], e["desk"]))
            self.assertIn("is not booked", e["means"])
            self.assertIn("check the item out in the ILS", e["next"])
            self.assertTrue(e["words"], "the ILS's own words")
        self.as_people_see_it(c, lists[0])
        self.assertEqual({"refused": 2}, a.cli("upload", "report", json=True)["answers"])
        self.assertEqual(2, c.status()["records"]["aside"]["refused"])
        self.assertEqual(("settled", "answers"), (c.upload_status()["state"],
                                                  c.upload_status()["last"]["settled"]["how"]))
        self.one_is_settled_and_one_goes_again(desks, ids[30], ids[31])

    def as_people_see_it(self, desk, rows):
        text = desk.cli("upload", "exceptions").out
        self.assertIn("the ILS refused it: the loan is not booked", text)
        self.assertIn("2 open.", text)
        at = rows[0]["at"]  # the library's time, whatever zone this PC and the recording one are set to
        self.assertRegex(at, r"-0[45]:00$")
        self.assertIn(f"{at[:10]} {at[11:19]}", text)
        self.assertEqual(at[-6:], desk.upload_status()["last"]["at"][-6:])
        self.assertNotIn(rows[0]["user"], text)
        sheet = list(csv.DictReader(io.StringIO(desk.cli("upload", "exceptions", "--csv").out)))
        self.assertEqual([e["id"] for e in rows], [r["id"] for r in sheet])
        self.assertEqual([e["user"] for e in rows], [r["user"] for r in sheet])
        log = "".join(p.read_text(errors="replace") for p in desk.state.glob("*.log"))
        self.assertNotIn(rows[0]["item"], log)

    def one_is_settled_and_one_goes_again(self, desks, by_hand, again):
        a, _, c = desks
        self.lead_says(a, "done", by_hand)
        for d in desks:
            wait_until(lambda d=d: [e["id"] for e in self.exceptions(d)["exceptions"] if e["open"]] == [again],
                       10, f"{d.name} to hear that it is settled")
        self.server.stop()  # the card is registered there by hand
        self.seed["users"][user(50)] = {}
        (self.home / "sip2.seed").write_text(json.dumps(self.seed))
        self.server.start()
        self.lead_says(a, "release", again, "--yes")
        for d in desks:
            wait_until(lambda d=d: d.status()["records"]["released"] == 1, 10, f"{d.name} to hear of it")
        self.upload(a)
        self.assertEqual(31, len(self.server.effects()))
        for d in desks:
            wait_until(lambda d=d: self.exceptions(d)["open"] == 0, 10, f"nothing open at {d.name}")
        self.assertIn("No exception is open.", c.cli("upload", "exceptions").out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
