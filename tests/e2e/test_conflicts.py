#!/usr/bin/env python3
"""What desks disagree about is listed before the upload, and goes as a lead says."""
import http.client
import json
import unittest
import uuid

import branch
from branch import all_hold, item, user, wait_until


def loan(who, n):
    return {"key": uuid.uuid4().hex, "op": "checkout", "user": who, "item": item(n)}


def post(desk, body):
    c = http.client.HTTPConnection("127.0.0.1", desk.web_port, timeout=30)
    token = (desk.state / "run/ctl.token").read_text(encoding="utf-8").strip()
    c.request("POST", "/api/v1/conflicts", json.dumps(body),
              {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    answer = c.getresponse()
    said = answer.status, json.loads(answer.read())
    c.close()
    return said


class Conflicts(branch.Case):
    def test_an_item_out_twice_is_listed_and_goes_as_the_lead_says(self):
        a, b, c = desks = self.branch()
        first = self.feed(a, [loan(user(5), 1)])[0]
        second = self.feed(b, [loan(user(6), 1)])[0]
        all_hold(desks, 2, 5)
        listed = c.cli("conflicts", "list").out
        self.assertIn(first, listed)
        self.assertIn(second, listed)
        self.assertRegex(listed, r"(?s)^1  an item out to two users, with no return between \(R5\)\n.*"
                                 + first + ".*no, unless a lead says so.*" + second + ".*yes")
        self.assertIn("no, unless a lead says so", listed)
        self.assertRegex(a.cli("upload", "plan").out, r"(?m)^  look at    1 of these, sent as they stand unless .*"
                         r"\n  review     1 not sent until a lead decides: tideover conflicts list$")
        self.rule(a, "void", first, second)
        self.assertRegex(a.cli("conflicts", "list").out,
                         r"(?s)^1 .*nothing of this will be sent: every side was voided\n(?!2 )")
        self.assertIn("1 record will be sent", self.rule(a, "send", first))
        listed = a.cli("conflicts", "list").out
        self.assertRegex(listed, first + r": voided by the lead .*, and overruled since\n")
        self.assertRegex(listed, first + r": sent by the lead .*\d\n")
        self.assertRegex(a.cli("upload", "plan").out, first + " was to be taken back, a lead said .*overruled")
        for d in desks:
            wait_until(lambda d=d: "no, a lead voided it" in d.cli("conflicts", "list").out, 10,
                       f"{d.name} to hear of it")
        rows = [json.loads(line) for line in c.cli("conflicts", "list", "--json").out.splitlines()]
        self.assertEqual({"send", "void"}, {r["decided"]["say"] for r in rows})
        self.assertEqual([["void"]], [[o["say"] for o in r["overruled"]] for r in rows if "overruled" in r])
        self.assertIn(f"{first} is sent, a lead said", a.cli("upload", "plan").out)
        self.upload(a)
        sent = "".join(p.read_text() for p in self.files())
        self.assertIn(user(5), sent)
        self.assertNotIn(user(6), sent)
        late = a.cli("conflicts", "void", first, "--lead-passphrase-file", self.lead, check=False)
        self.assert_refused(late, 65, "in an upload already")
        self.assertIn("No conflicts", a.cli("conflicts", "list").out)
        again = self.feed(b, [loan(user(6), 1)])[0] # the lead took his first loan back: this is no twin
        all_hold(desks, 3, 5)
        listed = a.cli("conflicts", "list").out
        self.assertIn(again, listed)
        self.assertIn(f"the other side, {first}, is of an earlier upload", listed)
        self.assertIn("1 checkout", a.cli("upload", "plan").out)
        for n, (desk, line) in enumerate((
                (a, loan(user(5), 2)), (b, {"key": uuid.uuid4().hex, "op": "discharge", "item": item(2)}),
                (c, loan(user(6), 2)))):  # a return between two loans goes, though returns are held
            self.feed(desk, [line])
            all_hold(desks, 4 + n, 5)
        plan = a.cli("upload", "plan").out
        self.assertNotIn("  review ", plan)
        self.assertRegex(plan, r"(?m)^  look at    [1-4] of these, sent as they stand")
        self.feed(a, [loan(user(8), 8)]) # an upload's word on an earlier one is not told again
        self.assertNotIn("a lead said", a.cli("upload", "plan").out)


    def rule(self, desk, say, *ids):
        return desk.cli("conflicts", say, *ids, "--lead-passphrase-file", self.lead).out

    def test_the_wrong_registration_was_voided_and_that_is_taken_back(self):
        a, b, _ = desks = self.branch()
        card = {"op": "user", "user": user(9), "first": "George"}
        byron = self.feed(a, [{**card, "last": "Byron", "key": uuid.uuid4().hex}])[0]
        biron = self.feed(b, [{**card, "last": "Biron", "key": uuid.uuid4().hex}])[0]
        all_hold(desks, 2, 5)
        self.assert_refused(a.cli("conflicts", "send", biron, "--lead-passphrase-file", self.lead, check=False),
                            65, "is a registration: void the other one")
        for said in {"void": [byron], "send": [byron]}, {"send": [biron], "void": [byron, biron]}:
            status, answer = post(a, {**said, "passphrase": branch.PASSPHRASE})
            self.assertEqual((400, "cannot_rule"), (status, answer["error"]["code"]))
            self.assertIn("both lists", answer["error"]["message"])
        self.assertIn("1 record ", self.rule(a, "void", byron, byron)) # twice is once
        self.rule(a, "void", biron)
        self.assertIn("every side was voided", a.cli("conflicts", "list").out)
        self.rule(a, "send", biron)
        self.assertIn("1 new user", a.cli("upload", "plan").out)
        self.upload(a)
        sent = "".join(p.read_text() for p in self.files())
        self.assertIn("Biron", sent)
        self.assertNotIn("Byron", sent)


if __name__ == "__main__":
    unittest.main()
