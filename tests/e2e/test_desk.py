#!/usr/bin/env python3
"""At the desk: raw scans through one box, questions, undo, and a session that survives a restart."""
import json
import unittest
import urllib.request

import branch
from branch import item, user


class Desk(branch.Case):
    def scan(self, desk, *lines, typed=False, rc=0):
        text = "".join(line + "\n" for line in lines)
        args = ["record", "scan"] + (["--typed"] if typed else [])
        got = desk.cli(*args, text=text, check=False)
        self.assertEqual(rc, got.rc, got)
        return [json.loads(line) for line in got.out.splitlines()]

    def test_a_queue_of_scans(self):
        desk = self.branch(names=branch.NAMES[:1])[0]
        got = self.scan(desk, "A%sB\r" % user(1), "]A0" + item(1), item(1), user(2), item(2),
                        "*DISCHARGE", item(3), "*UNDO")
        self.assertEqual([a["act"] for a in got], ["opened", "record", "nothing", "opened",
                                                   "record", "mode", "record", "undo"])
        self.assertEqual(got[3]["closed"], {"user": user(1), "count": 1})
        self.assertEqual(got[7]["voids"], got[6]["id"])
        self.assertEqual([r["op"] for r in branch.log_list(desk)],
                         ["checkout", "checkout", "discharge", "void"])

    def test_a_foreign_keyboard_is_understood_and_told_to_whoever_looks_after_the_pc(self):
        desk = self.branch(names=branch.NAMES[:1])[0]
        french = dict(zip("1234567890", "&é\"'(-è_çà"))
        got = self.scan(desk, "".join(french[c] for c in user(1)), "*NEXT")
        self.assertEqual(("French (AZERTY)", user(1)), (got[0]["keyboard"], got[0]["user"]))
        told, = [p for p in desk.status()["problems"] if p["code"] == "keyboard_layout"]
        self.assertEqual("French (AZERTY)", told["layout"])
        self.scan(desk, user(1), typed=True)  # says nothing of the scanner
        self.assertIn("keyboard_layout", branch.problem_codes(desk))
        self.scan(desk, user(1))
        self.assertNotIn("keyboard_layout", branch.problem_codes(desk))

    def test_what_is_wrong_is_refused_and_the_next_scan_goes_on(self):
        desk = self.branch(names=branch.NAMES[:1])[0]
        got = self.scan(desk, item(1), user(1)[:9], user(1) + item(1), user(1), item(1),
                        "*DISCHARGE", user(1), rc=65)
        self.assertEqual([a.get("act") or a["error"]["code"] for a in got],
                         ["wrong_slot", "too_short", "two_barcodes", "opened", "record", "mode",
                          "wrong_slot"])
        self.assertEqual(len(branch.log_list(desk)), 1)

    def test_a_question_holds_the_scans_after_it(self):
        desk = self.branch(names=branch.NAMES[:1])[0]
        got = self.scan(desk, user(1), item(1), user(2), item(1), item(2), "*OK")
        self.assertEqual([a["act"] for a in got],
                         ["opened", "record", "opened", "asks", "held", "record", "record"])
        self.assertEqual(got[3]["note"]["code"], "lent_to_another")
        got = self.scan(desk, user(3), item(1), "*CANCEL")
        self.assertEqual([a["act"] for a in got], ["opened", "asks", "nothing"])
        self.assertEqual([r["item"] for r in branch.log_list(desk)], [item(1), item(1), item(2)])

    def test_a_session_chooses_its_place_of_what_the_policy_allows(self):
        desk = self.branch(names=branch.NAMES[:1])[0]
        text = branch.policy_text(self.sink).replace("library = MAIN\n", "library = MAIN\nother_libraries = BUS\n")
        self.publish(desk, text)
        self.assert_refused(desk.cli("session", "set", "--library", "MALL", check=False), 65, "does not let")
        desk.cli("session", "set", "--library", "BUS", "--block-list", "off", "--staff", "Ana")
        desk.cli("session", "set", "--staff", "Ben")  # a change of staff touches nothing else
        desk.stop()
        desk.start()
        shown = desk.cli("session", "show", json=True)
        self.assertEqual(("Ben", False, "BUS", "MAIN", ["BUS"]),
                         (shown["staff"], shown["block_list"], shown["place"]["library"],
                          shown["branch"]["library"], shown["others"]["library"]))
        self.scan(desk, user(1), item(1))
        record = branch.log_list(desk)[0]
        self.assertEqual(("BUS", False), (record["library"], record["block_list"]))
        self.assertIn("^FEBUS^", desk.cli("export", "--format", "symphony", "--out", "-").out)

    def test_things_without_a_barcode_are_lent_by_kind(self):
        desk = self.branch(names=branch.NAMES[:1])[0]
        self.publish(desk, branch.policy_text(self.sink) + "[scan]\nno_barcode_kinds = paperback, toy\n")
        got = self.scan(desk, "*PIECETOY", user(1), "*PIECETOY", "*PIECETOY", "*UNDO", "*PIECES", rc=65)
        self.assertEqual([a.get("act") or a["error"]["code"] for a in got],
                         ["wrong_slot", "opened", "record", "record", "undo", "pieces"])
        desk.cli("record", "checkout", "--user", user(2), "--kind", "paperback", "--count", "3",
                 "--label", "thin ones")
        self.assert_refused(desk.cli("record", "checkout", "--user", user(2), "--kind", "dvd", check=False),
                            65, "no kind of this library")
        rows = [r for r in branch.log_list(desk) if r["op"] == "checkout" and r["state"] != "voided"]
        self.assertEqual([("toy", 1, None), ("paperback", 3, "thin ones")],
                         [(r["kind"], r["count"], r.get("label")) for r in rows])
        self.assertIn("3 paperback", desk.cli("log", "list").out)
        plan = desk.cli("upload", "plan", json=True)  # Symphony has no line for them
        self.assertEqual((2, 0), (plan["unwritable"], plan["behind"]))
        self.assertIn("pieces without a barcode (paperback)", plan["lists"]["unwritable"][1]["why"])
        sheet = desk.cli("export", "--format", "csv", "--out", "-").out
        self.assertIn(",3,paperback,thin ones,", sheet)

    def test_the_session_stands_in_records_and_survives_a_restart(self):
        desk = self.branch(names=branch.NAMES[:1])[0]
        desk.cli("session", "set", "--staff", "Ana", "--due", "10d")
        desk.kill9()
        desk.start()
        shown = desk.cli("session", "show", json=True)
        self.assertEqual((shown["staff"], shown["due"]["days"]), ("Ana", 10))
        got = self.scan(desk, user(1), item(1), "*DUENONE", item(2))
        self.assertEqual(got[1]["due"], shown["due"]["date"])
        self.assertNotIn("due", got[3])
        desk.cli("session", "set", "--staff", "Ben")
        self.scan(desk, user(1), item(3))
        records = branch.log_list(desk)
        self.assertEqual([r["staff"] for r in records], ["Ana", "Ana", "Ben"])
        self.assertEqual(["due" in r for r in records], [True, False, False])
        desk.cli("session", "end")
        self.scan(desk, "*DISCHARGE", item(4))
        self.assertNotIn("staff", branch.log_list(desk)[-1])

    def test_what_the_page_shows_beside_its_scans(self):
        one, two = self.branch(names=branch.NAMES[:2])
        got = self.scan(one, user(1), item(1), item(2), "*UNDO", "*DISCHARGE", item(3))
        self.scan(two, "*DISCHARGE", item(9))

        def shown():
            request = urllib.request.Request(f"http://127.0.0.1:{one.web_port}/api/v1/desk?rows=2")
            token = (one.state / "run" / "desk.token").read_text().strip()
            request.add_header("Authorization", "Bearer " + token)
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)

        branch.wait_until(lambda: shown()["rows"][0]["copies"] == 2, 60, "a copy at the other desk")
        page = shown()
        self.assertEqual(page["counts"], {"checkout": 1, "discharge": 1, "renew": 0, "user": 0,
                                          "inhouse": 0})
        self.assertEqual([(r["op"], r["item"], r["state"]) for r in page["rows"]],
                         [("discharge", item(3), "saved"), ("checkout", item(2), "voided")])
        self.assertEqual(page["rows"][1]["id"], got[2]["id"])
        self.assertEqual(page["rows"][1]["user_end"], user(1)[-4:])
        self.assertNotIn(user(1), json.dumps(page))
        self.assertTrue(0 < page["day_ends_s"] <= 86400)
        self.assertEqual(page["slip"], {"paper": "80mm", "auto": False, "title": "MAIN", "ask": ""})
        key = page["page_key"]
        one.stop()
        one.start()
        self.assertEqual(shown()["page_key"], key)  # what a page sealed it can open again


if __name__ == "__main__":
    unittest.main(verbosity=2)
