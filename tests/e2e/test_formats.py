#!/usr/bin/env python3
"""Formats through real desks: what a lead is told before anything leaves, and the files that do."""
import csv
import io
import json
import re
import unittest
import uuid

import branch
from branch import all_hold, checkout, item, log_list, policy_text, user, wait_until

DAY1, DAY2 = "2026-01-05T12:00:{:02d}-05:00", "2026-01-06T09:30:{:02d}-05:00"


class Formats(branch.Case):
    def ready(self):
        desks = self.branch()
        for d in desks:
            wait_until(lambda d=d: d.status()["ledger"]["may_vote"], 10, f"{d.name} to vote")
        return desks

    def policy(self, name, more=""):
        return (policy_text(self.sink).replace("format = symphony", f"format = {name}")
                .replace("discharges = hold", "discharges = export") + more)

    def remarks(self, desk, text):
        path = self.home / "policy.ini"
        path.write_text(text, encoding="utf-8")
        said = desk.cli("policy", "publish", path, "--lead-passphrase-file", self.lead, json=True)
        return {(r["code"], r["desk"]): r["message"] for r in said["remarks"]}

    def day(self, desk, first, day):
        """A loan with and one without a due date, of one item twice, a renewal, a return."""
        lines = [
            checkout(first, at=day.format(1), due="2099-12-07"),
            checkout(first + 1, at=day.format(2)),
            {"op": "discharge", "item": item(first), "at": day.format(20)},
            {"op": "renew", "user": user(9), "item": item(first + 2), "at": day.format(30)},
            {"op": "inhouse", "item": item(first + 3), "at": day.format(40)}]
        self.feed(desk, [{"key": uuid.uuid4().hex, **x} for x in lines])

    def uploaded(self, desk):
        before = set(self.files())
        self.upload(desk)
        return sorted(set(self.files()) - before)

    def losses(self, plan):
        return {x["loss"]: (x["records"], x["message"]) for x in plan["losses"]}

    def test_losses_are_shown_before_the_upload_and_stay_in_report_and_manifest(self):
        desks = self.ready()
        one = desks[0]
        # Sierra: refused without a rule for due dates, then remarks on desks, sink and names
        path = self.home / "sierra.ini"
        path.write_text(self.policy("sierra"), encoding="utf-8")
        said = one.cli("policy", "publish", path, "--lead-passphrase-file", self.lead, check=False)
        self.assert_refused(said, 78, "due_days.*sierra")
        rule = "[sierra]\ndue_days = 21\n[groups]\nMAIN-1 = 104\nBUSS = 7\n"
        said = self.remarks(one, self.policy("sierra", rule).replace(f"file:{self.sink}",
                                                                     "file:/nowhere/at/all"))
        self.assertEqual({("desk_lacks", d.name) for d in desks[1:]} | {
            ("no_such_desk", "BUSS"), ("folder", "")}, set(said))
        self.assertIn("/nowhere/at/all", said["folder", ""])
        self.assertIn(f"{desks[1].name} has no statistics group: add it to [groups]",
                      said["desk_lacks", desks[1].name])
        rule = "[sierra]\ndue_days = 21\ndefault_group = 9\n[groups]\nMAIN-1 = 104\n"
        self.assertEqual({}, self.remarks(one, self.policy("sierra", rule)))
        self.day(one, 100, DAY1)
        all_hold(desks, 5, 5)
        plan = one.cli("upload", "plan", json=True)
        self.assertEqual({"kind": 1, "due_rule": 2, "seconds": 4, "renew_as_out": 1, "moved": 2},
                         {k: n for k, (n, _) in self.losses(plan).items()})
        self.assertEqual("2026-01-05T12:00:01-05:00", plan["first"])
        words = one.cli("upload", "plan").out
        self.assertIn("5 records from 1 desk, 2026-01-05 12:00:01 to 12:00:40 -05:00", words)
        self.assertIn("sierra has no line for: in-house uses (1)", words)
        self.assertRegex(words, "sierra needs due dates; .*: 2 records")
        (rdy,) = self.uploaded(one)
        self.assertRegex(rdy.name, r"^rdy20260105MAINe0s\d{6}[0-9a-f]{8}$")
        u = [user(1 + n % 97) for n in (100, 101)]
        self.assertEqual(
            f"o:2601051200:b{item(100)}:b{u[0]}:9912072359:104\n"
            f"o:2601051200:b{item(101)}:b{u[1]}:2601262359:104\n"
            f"i:2601051201:b{item(100)}:::104\n"
            f"o:2601051201:b{item(102)}:b{user(9)}:2601262359:104\n", rdy.read_text())
        report = one.cli("upload", "report", json=True)
        self.assertEqual(plan["losses"], report["losses"])
        self.assertRegex(one.cli("upload", "report").out, r"sent by +\S+, 20\d\d-.* -0[45]:00\n")
        self.assertTrue(any("# loss due_rule\trecords 2\n" in m.read_text()
                            for d in desks for m in d.state.glob("uploads/*.manifest")))

    def test_destiny_has_a_file_for_each_day_and_a_guess_is_called_one(self):
        desks = self.ready()
        one = desks[0]
        self.remarks(one, self.policy("destiny"))
        self.day(one, 200, DAY2)
        self.day(one, 300, DAY1)
        self.feed(one, [checkout(500 + d, at=f"2025-12-{d:02d}T12:00:00-05:00") for d in range(27, 32)])
        card = self.feed(one, [{"op": "user", "user": user(901), "last": "Byron",
                                "key": uuid.uuid4().hex}])[0]
        all_hold(desks, 16, 5)
        self.assertEqual(["uncarried"], [x["state"] for x in log_list(one) if x["id"] == card])
        plan = one.cli("upload", "plan", json=True)
        self.assertEqual((5, 11, 2), tuple(self.losses(plan)[k][0] for k in ("kind", "day", "due")))
        old, *rest, new = self.uploaded(one)
        # its receipt has no room for the names of seven files; another desk finds them all the same
        last = wait_until(lambda: one.upload_status()["last"], 10, "the upload")
        self.assertRegex(last["file"], r"^MAIN-20251227-\S+ .* and [1-3] more$")
        other = next(d for d in desks if d.name != last["desk"])
        wait_until(lambda: (other.upload_status()["last"] or {}).get("slot") == last["slot"], 10,
                   "the others to know of it")
        whole = new.read_bytes()
        new.write_bytes(whole[:-1] + b"?")
        said = other.cli("upload", "confirm", "--slot", last["slot"], "--check", check=False)
        self.assert_refused(said, 65, "not what the branch agreed")
        new.write_bytes(whole)
        other.cli("upload", "confirm", "--slot", last["slot"], "--check")
        self.assertEqual(5, len(rest))
        self.assertRegex(old.name, r"^MAIN-20251227-e0-s\d{6}-[0-9a-f]{8}\.txt$")
        self.assertRegex(new.name, r"^MAIN-20260106-")
        u = [user(1 + n % 97) for n in (200, 201)]
        self.assertEqual(["%C123H", u[0], item(200), "%C123H", u[1], item(201), "%C127L", item(200),
                          ""], new.read_bytes().decode().split("\r\n"))
        # Symphony: nobody compared it with a real file yet
        said = self.remarks(one, self.policy("symphony"))
        self.assertEqual({("unverified", "")}, set(said))
        self.assertNotIn("unverified", self.remarks(one, self.policy("symphony").replace(
            "[symphony]", "[symphony]\nverified = yes")))
        self.publish(one, self.policy("symphony"))
        self.feed(one, [checkout(400)])
        all_hold(desks, 17, 5)
        self.assertIn("is unverified: compare a file", one.cli("upload", "plan", json=True)["unverified"])
        self.assertIn("symphony is unverified", one.cli("upload", "plan").out)
        self.uploaded(one)
        self.assertTrue(any(re.search(r"\tformat symphony\tunverified\n", m.read_text())
                            for d in desks for m in d.state.glob("uploads/*.manifest")))

    def exported(self, desk, name):
        path = self.home / f"export.{name}"
        desk.cli("export", "--format", name, "--out", path)
        return path.read_bytes()

    def test_what_is_pending_is_exported_in_every_format_whatever_the_policys_is(self):
        desks = self.ready()
        one = desks[0]
        numbers = "[evergreen]\nprofile = 2\nhome_ou = 4\nident_type = 3\ncountry = US\n"
        self.publish(one, self.policy("symphony"))
        self.day(one, 100, DAY1)
        new = {"op": "user", "user": user(500), "first": "Zo\u00eb", "last": "=Okafor",
               "street": "12 Mill Lane", "city": "Rivermouth, OH", "postcode": "44654",
               "pin": "7315", "key": uuid.uuid4().hex, "at": DAY1.format(50)}
        self.feed(one, [new, checkout(600, user=user(500), at=DAY1.format(51))])
        rows = list(csv.DictReader(io.StringIO(self.exported(one, "csv").decode(), newline="")))
        objects = [json.loads(x) for x in self.exported(one, "ndjson").decode().splitlines()]
        for all_of_it in (rows, objects):
            self.assertEqual(["checkout", "checkout", "discharge", "renew", "inhouse", "user",
                              "checkout"], [r["op"] for r in all_of_it])
            self.assertEqual(item(600), all_of_it[6]["item"])
            self.assertEqual("Zo\u00eb", all_of_it[5]["first"])
            self.assertEqual("", all_of_it[5].get("pin", ""))  # the policy does not send it
        self.assertEqual(("'=Okafor", "=Okafor"), (rows[5]["last"], objects[5]["last"]))
        # a format whose keys the policy lacks; one that makes several files of two days
        said = one.cli("export", "--format", "evergreen", "--out", self.home / "no", check=False)
        self.assert_refused(said, 78, 'needs "profile" in \\[evergreen\\]')
        self.publish(one, self.policy("symphony", numbers))
        lines = [json.loads(x) for x in self.exported(one, "evergreen").decode("ascii").splitlines()]
        self.assertEqual(["checkout", "checkout", "checkin", "renew", "in_house_use", "register",
                          "checkout"], [x["type"] for x in lines])
        self.assertEqual([r["id"] for r in rows], [x["tideover_id"] for x in lines])
        self.assertEqual("2026-01-05T12:00:01-05:00", lines[0]["checkout_time"])
        # Koha carries no registrations, so the card's loan waits
        koc = self.exported(one, "koha").decode("ascii").split("\n")
        self.assertEqual(["Version=1.0\tGenerator=tideover\tGeneratorVersion=1.0",
                          f"2026-01-05 12:00:01 000\tissue\t{rows[0]['user']}\t{item(100)}"], koc[:2])
        self.assertEqual(6, len(koc))
        batch = json.loads(self.exported(one, "koha-json"))
        self.assertEqual(("MAIN", True, 4), (batch["branchcode"], batch["pending"],
                                             len(batch["transactions"])))
        self.assertEqual("2026-01-05T17:00:01Z", batch["transactions"][0]["timestamp"])
        self.day(one, 200, DAY2)
        said = one.cli("export", "--format", "destiny", "--out", self.home / "no", check=False)
        self.assert_refused(said, 65, "destiny needs a file per day")
        said = one.cli("export", "--format", "koc", "--out", self.home / "no", check=False)
        self.assert_refused(said, 65, "no format|this version writes the formats symphony")
        self.assertFalse((self.home / "no").exists())
        # and uploaded: the policy says what is needed, or is not published
        path = self.home / "evergreen.ini"
        path.write_text(self.policy("evergreen"), encoding="utf-8")
        said = one.cli("policy", "publish", path, "--lead-passphrase-file", self.lead, check=False)
        self.assert_refused(said, 78, 'needs "profile" in \\[evergreen\\]')
        self.publish(one, self.policy("evergreen", numbers))
        all_hold(desks, 12, 5)
        (xacts,) = self.uploaded(one)
        self.assertRegex(xacts.name, r"^MAIN-20260106-e0-s\d{6}-[0-9a-f]{8}\.xacts$")
        self.assertEqual(lines, [json.loads(x) for x in xacts.read_text("ascii").splitlines()][:7])


if __name__ == "__main__":
    unittest.main()
