#!/usr/bin/env python3
"""The HOLD-CHECK worklist: every held discharge, before and after its upload, until it is done."""
import csv
import io
import unittest
import uuid

import branch
from branch import all_hold, checkout, item, user, wait_until


def discharge(n, **more):
    return {"op": "discharge", "item": item(n), "key": uuid.uuid4().hex, **more}


class Worklist(branch.Case):
    def states(self, desk):
        return {r["id"]: r["state"] for r in desk.cli("worklist", json=True)["records"]}

    def done(self, desk, *ids, check=True):
        return desk.cli("worklist", "done", *ids, "--lead-passphrase-file", self.lead, check=check)

    def test_held_discharges_are_listed_until_they_are_done(self):
        a, b, _ = self.branch()
        self.assertIn("No discharge is held.", a.cli("worklist").out)
        ids = self.feed(b, [checkout(1), discharge(1), discharge(2, staff="=1+1"), checkout(3),
                            discharge(3), {**checkout(3), "user": user(77)}, discharge(4)])
        self.feed(b, [{"op": "void", "id": ids[6], "key": uuid.uuid4().hex}])
        all_hold(self.desks, 8, 20)
        self.assertEqual({ids[1]: "waits", ids[2]: "waits", ids[4]: "goes"}, self.states(a))
        self.assert_refused(self.done(a, ids[1], check=False), 65, "waits for the upload")
        text = a.cli("worklist").out
        self.assertIn("its loan has to reach the ILS first", text)
        self.assertIn(item(2), text)
        rows = list(csv.DictReader(io.StringIO(a.cli("worklist", "--csv").out)))
        self.assertEqual(["", "'=1+1", ""], [r["staff"] for r in rows])
        self.assertRegex(rows[0]["at"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")

        self.upload(a)
        for d in (a, b):
            wait_until(lambda d=d: self.states(d) == {ids[1]: "due", ids[2]: "due"}, 60,
                       f"{d.name} to list what is due")
        self.assert_refused(self.done(a, ids[4], check=False), 1, "not on the worklist")
        self.assertIn("1 discharge is done", self.done(a, ids[1]).out)
        for d in (a, b):
            wait_until(lambda d=d: self.states(d) == {ids[2]: "due"}, 60, f"{d.name} to hear of it")
        a.cli("upload", "release", ids[2], "--yes", "--lead-passphrase-file", self.lead)
        for d in (a, b):
            wait_until(lambda d=d: self.states(d) == {}, 60, f"{d.name} to list nothing more")


if __name__ == "__main__":
    unittest.main(verbosity=2)
