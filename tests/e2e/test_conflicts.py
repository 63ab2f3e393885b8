#!/usr/bin/env python3
"""What desks disagree about is listed before the upload, and goes as a lead says."""
import contextlib
import http.client
import json
import pathlib
import resource
import unittest
import uuid

import branch
from branch import all_hold, item, user, wait_until


def loan(who, n):
    return {"key": uuid.uuid4().hex, "op": "checkout", "user": who, "item": item(n)}


def ask(desk, body=None, what="conflicts"):
    c = http.client.HTTPConnection("127.0.0.1", desk.web_port, timeout=30)
    token = (desk.state / "run/ctl.token").read_text(encoding="utf-8").strip()
    c.request("POST" if body else "GET", f"/api/v1/{what}", json.dumps(body) if body else None,
              {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    answer = c.getresponse()
    said = answer.status, answer.read()
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
            status, answer = ask(a, {**said, "passphrase": branch.PASSPHRASE})
            answer = json.loads(answer)
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

    def test_without_memory_for_all_of_them_there_is_no_shorter_list(self):
        (a,) = self.branch(branch.NAMES[:1])
        for first in 0, 500_000: # each item to two users
            self.feed(a, [loan(user(first + n), n) for n in range(1500)])
        self.feed(a, [{"key": uuid.uuid4().hex, "op": "discharge", "item": item(9000 + n)} for n in range(1500)])
        mapped = 4096 * int((pathlib.Path("/proc") / str(a.node.pid) / "statm").read_text(encoding="utf-8").split()[0])
        said, shelf = [], []
        for more in range(1 << 20, 5 << 20, 1 << 19):
            resource.prlimit(a.node.pid, resource.RLIMIT_AS, (mapped + more, resource.RLIM_INFINITY))
            with contextlib.suppress(http.client.RemoteDisconnected):  # no memory for a connection
                said.append(ask(a))
                shelf.append(ask(a, what="worklist"))
        resource.prlimit(a.node.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.assertIsNone(a.node.poll(), "the node lives")
        wait_until(lambda: ask(a)[0] == 200, 60, "the node to go on with its memory")
        said.append(ask(a))
        shelf.append(ask(a, what="worklist"))
        self.assertEqual({3000}, {text.count(b"\n") for status, text in said if status == 200})
        self.assertEqual({1500}, {text.count(b'"id"') for status, text in shelf if status == 200})
        self.assertTrue([status for status, _ in said if status != 200], "memory was short at least once")


if __name__ == "__main__":
    unittest.main()
