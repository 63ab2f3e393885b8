#!/usr/bin/env python3
"""Recording: what a desk takes, what it refuses and how, and what survives a kill -9."""
import json
import os
import re
import resource
import shutil
import socket
import threading
import unittest
from datetime import datetime, timedelta

import branch
from branch import checkout, item, user, wait_until

HALF = "3999900000"
LATER = (datetime.now() + timedelta(days=20)).strftime("%Y-%m-%d")


def wrong_digit(code):
    return code[:-1] + str((int(code[-1]) + 1) % 10)


def loan(**more):
    line = {"op": "checkout", "user": user(7), "item": item(7)}
    line.update(more)
    return {k: v for k, v in line.items() if v is not None}


# name, line, error code, field
REFUSED = [
    ("half an item barcode", loan(item=HALF), "bad_barcode", "item"),
    ("half a user barcode", loan(user="2999"), "bad_barcode", "user"),
    ("a wrong check digit in the item", loan(item=wrong_digit(item(7))), "check_digit", "item"),
    ("a wrong check digit in the card", loan(user=wrong_digit(user(7))), "check_digit", "user"),
    ("a user card where an item belongs", loan(item=user(8)), "wrong_slot", "item"),
    ("an item where a user card belongs", loan(user=item(8)), "wrong_slot", "user"),
    ("no user", loan(user=None), "missing_field", "user"),
    ("no item", loan(item=None), "missing_field", "item"),
    ("no op", loan(op=None), "missing_field", "op"),
    ("an unknown op", loan(op="lend"), "unknown_op", "op"),
    ("an unknown field", loan(colour="blue"), "unknown_field", None),
    ("a number in place of a text", loan(item=39999000005015), "bad_type", None),
    ("a due date in the past", loan(due="2020-01-01"), "due_in_past", "due"),
    ("a due date that is no day", loan(due="2099-02-30"), "bad_due", "due"),
    ("a due date that is no date", loan(due="tomorrow"), "bad_due", "due"),
    ("a time in the future", loan(at="2099-01-01T09:00:00-05:00"), "bad_at", "at"),
    ("a time of long ago", loan(at="1970-01-01T00:00:00Z"), "bad_at", "at"),
    ("a time that is none", loan(at="noon"), "bad_at", "at"),
    ("a time without an offset", loan(at="2026-11-20T09:00:00"), "bad_at", "at"),
    ("an over-long item", loan(item="3" * 60), "too_long", "item"),
    ("a control character in a barcode", loan(item=item(7)[:-1] + "\x1b"), None, "item"),
    ("a key that is none", loan(key="123"), "bad_key", "key"),
    ("a discharge with a due date", loan(op="discharge", user=None, due=LATER), "extra_field",
     "due"),
    ("a registration without a family name", {"op": "user", "user": user(9), "first": "Ada"},
     "missing_field", "last"),
    ("a registration with an over-long name", {"op": "user", "user": user(9), "last": "x" * 2000},
     "too_long", "last"),
    ("a registration with a control character", {"op": "user", "user": user(9), "last": "A\nB"},
     "bad_text", None),
    ("a birth date that is no day", {"op": "user", "user": user(9), "last": "A",
                                     "birth": "1988-13-01"}, "bad_birth", "birth"),
    ("a void without an id", {"op": "void"}, "missing_field", "id"),
    ("a void of an unknown record", {"op": "void", "id": "MAIN-1/9/0042"}, None, None),
    ("a void of an unknown desk", {"op": "void", "id": "NOBODY/1/0001"}, None, None),
    ("a void of something that is no id", {"op": "void", "id": "42"}, None, None),
    ("an id on a loan", loan(id="MAIN-1/1/0001"), None, None),
]

# name, raw line, error code
MALFORMED = [
    ("broken JSON", '{"op":"checkout",', "bad_json"),
    ("two objects", "{}{}", "bad_json"),
    ("an array", "[1,2]", "bad_json"),
    ("a bare word", "checkout", "bad_json"),
    ("a nested bomb", '{"op":' + "[" * 4000 + "]" * 4000 + "}", "bad_json"),
    ("a nested bomb of objects", '{"a":' * 1000 + "1" + "}" * 1000, "bad_json"),
    ("a key twice", '{"op":"checkout","op":"discharge"}', "bad_json"),
    ("a line over 8 KiB", json.dumps(loan(note="x" * 9000)), "too_long"),
    ("a line over 100 KiB", json.dumps(loan(note="x" * 100_000)), "too_long"),
    ("broken UTF-8", b'{"op":"user","user":"' + user(9).encode() + b'","last":"\xff\xfe"}', None),
    ("a zero byte", b'{"op":"checkout"\x00}', "malformed"),
]


def as_bytes(line):
    return line if isinstance(line, bytes) else line.encode()


class OneDesk(branch.Case):
    """One desk, founded once; every test counts its records before and after."""

    @classmethod
    def setUpClass(cls):
        place = branch.work_dir()
        cls.sink = place / "sink"
        cls.sink.mkdir()
        cls.lead = branch.write_secret(place / "lead", branch.PASSPHRASE)
        policy = place / "policy.ini"
        policy.write_text(branch.policy_text(cls.sink), encoding="utf-8")
        cls.d = branch.Desk(place / "main-1", name="MAIN-1", binary=branch.BINARY)
        cls.addClassCleanup(cls.d.kill9)
        cls.d.init("MAIN", policy=policy, passphrase_file=cls.lead)
        cls.d.start()

    def batch_bytes(self, data):
        """Answers, exit code and stderr of `record --batch FILE`."""
        path = self.home / "lines"
        path.write_bytes(data)
        said = self.d.cli("record", "--batch", path, check=False)
        return [json.loads(x) for x in said.out.splitlines()], said

    def batch(self, *lines):
        return self.batch_bytes(b"\n".join(as_bytes(x if isinstance(x, (str, bytes))
                                                    else json.dumps(x)) for x in lines) + b"\n")

    def assert_error(self, answer, code, field):
        self.assertIs(False, answer["ok"])
        error = answer["error"]
        if code:
            self.assertEqual(code, error["code"], error)
        if field:
            self.assertEqual(field, error.get("field"), error)
        self.assertGreater(len(error["message"]), 10)
        self.assertNotIn("\n", error["message"])

    def test_every_bad_line_gets_one_sentence_its_code_and_changes_nothing(self):
        before = branch.held(self.d)
        for name, line, code, field in REFUSED:
            with self.subTest(name):
                answers, said = self.batch(line)
                self.assertEqual(1, len(answers), said)
                self.assert_error(answers[0], code, field)
                self.assertEqual(65, said.rc, said)
        self.assertEqual(before, branch.held(self.d))
        self.assertEqual([], self.d.status()["problems"][1:], "only the root key's reminder")

    def test_every_malformed_line_gets_one_sentence_its_code_and_changes_nothing(self):
        before = branch.held(self.d)
        for name, line, code in MALFORMED:
            with self.subTest(name):
                answers, said = self.batch(line)
                self.assertEqual(1, len(answers), (said.rc, said.err))
                self.assert_error(answers[0], code, None)
                self.assertEqual(65, said.rc)
        self.assertEqual(before, branch.held(self.d))

    def test_the_same_on_the_command_line_ends_with_65(self):
        before = branch.held(self.d)
        for args, words in (
                (("checkout", "--user", user(7), "--item", HALF), "not a whole item number"),
                (("checkout", "--user", user(7), "--item", wrong_digit(item(7))), "check digit"),
                (("checkout", "--user", item(8), "--item", item(7)), "that is an item number"),
                (("discharge", "--item", user(7)), "that is a user card"),
                (("checkout", "--user", user(7), "--item", item(7), "--due", "2020-01-01"),
                 "in the past"),
                (("user", "--user", user(7), "--last", "y" * 3000), "longer than")):
            with self.subTest(args[0]):
                self.assert_refused(self.d.cli("record", *args, check=False), 65, words)
        for args, rc in ((("record", "lend", "--item", item(7)), 64),
                         (("record", "checkout", "--user", user(7)), 64),
                         (("record", "--batch", self.home / "none"), 66),
                         (("frobnicate",), 64)):
            said = self.d.cli(*args, check=False)
            self.assertEqual((rc, ""), (said.rc, said.out), said)
        self.assertEqual(before, branch.held(self.d))

    def test_a_refusal_in_json_is_one_object_with_schema_and_error(self):
        said = self.d.cli("record", "checkout", "--user", user(7), "--item", HALF, "--json",
                          check=False)
        o = json.loads(said.out)
        self.assertEqual((1, "bad_barcode", "item"),
                         (o["schema"], o["error"]["code"], o["error"]["field"]))
        self.assertEqual(65, said.rc)

    def test_each_operation_is_recorded_and_listed_as_typed(self):
        day = "2026-01-05T09:12:04-05:00"
        lines = [
            {"op": "user", "user": user(501), "first": "Zoë", "last": "Nováková",
             "birth": "1988-07-14", "email": "zoe@example.org"},
            {"op": "checkout", "user": user(501), "item": item(501), "due": LATER, "at": day},
            {"op": "renew", "user": user(501), "item": item(501), "due": LATER},
            {"op": "discharge", "item": item(502)},
            {"op": "inhouse", "item": item(503)}]
        answers, said = self.batch(*lines)
        self.assertEqual(0, said.rc, said)
        listed = {r["id"]: r for r in branch.log_list(self.d)}
        for line, a in zip(lines, answers):
            self.assertTrue(a["ok"], a)
            self.assertGreaterEqual(a["copies"], 1)
            r = listed[a["id"]]
            for k, v in line.items():
                if k == "at":
                    self.assertEqual(datetime.fromisoformat(v), datetime.fromisoformat(r["at"]))
                else:
                    self.assertEqual(v, r[k])

    def test_batch_answers_come_in_the_order_of_the_lines(self):
        good = branch.checkouts(2000, 300)
        lines = []
        for i, line in enumerate(good):
            lines.append(line)
            if i % 7 == 0:
                lines.append(REFUSED[i % len(REFUSED)][1])
            if i % 31 == 0:
                lines.append("x" * 9000)
            if i % 13 == 0:
                lines.append('{"op":')
        answers, said = self.batch(*lines)
        self.assertEqual(len(lines), len(answers))
        self.assertEqual(65, said.rc)
        good_keys = {id(x) for x in good}
        self.assertEqual([id(x) in good_keys for x in lines], [a["ok"] for a in answers])
        ids = [a["id"] for a in answers if a["ok"]]
        numbers = [int(x.rpartition("/")[2]) for x in ids]
        self.assertEqual(sorted(numbers), numbers)
        listed = {r["id"]: r["item"] for r in branch.log_list(self.d)}
        self.assertEqual([x["item"] for x in good], [listed[i] for i in ids])

    def test_empty_lines_get_no_answer_and_the_last_needs_no_newline(self):
        line = json.dumps(checkout(3000)).encode()
        answers, said = self.batch_bytes(b"\n  \n\r\n" + line + b"\r\n\n" + line)
        self.assertEqual((0, 2), (said.rc, len(answers)), said)
        self.assertEqual(answers[0]["id"], answers[1]["id"])

    def test_a_key_repeated_gives_the_same_id_and_no_second_record(self):
        line = checkout(3100)
        first = self.feed(self.d, [line])
        before = branch.held(self.d)
        self.assertEqual(first, self.feed(self.d, [line]))
        self.assertEqual(before, branch.held(self.d))

    def test_a_key_repeated_across_a_restart_gives_the_same_id(self):
        line = checkout(3200)
        first = self.feed(self.d, [line])
        before = branch.held(self.d)
        self.d.kill9()
        self.d.start()
        self.assertEqual(first, self.feed(self.d, [line]))
        self.assertEqual(before, branch.held(self.d))

    def test_void_takes_back_once_and_only_what_can_be(self):
        (an_id,) = self.feed(self.d, [checkout(3300)])
        said = self.d.cli("void", an_id, "--json")
        void_id = json.loads(said.out)["id"]
        states = {r["id"]: r["state"] for r in branch.log_list(self.d)}
        self.assertEqual("voided", states[an_id])
        before = branch.held(self.d)
        self.assert_refused(self.d.cli("void", an_id, check=False), 65, "voided already")
        self.assert_refused(self.d.cli("void", void_id, check=False), 65, "itself a void")
        for bad, rc in (("MAIN-1/1/999999", 1), ("MAIN-1/77/0001", 1), ("NOBODY/1/0001", 1),
                        ("rubbish", 65), ("MAIN-1/1/0", 65), ("", 65),
                        ("MAIN-1/1/99999999999999999999999", 65)):
            with self.subTest(bad):
                said = self.d.cli("void", bad, check=False)
                self.assertIn(said.rc, (rc, 65, 1), said)
                self.assert_sentence(said.err)
        self.assertEqual(before, branch.held(self.d))

    def test_thirty_two_clients_at_once_get_ids_of_their_own(self):
        ids, failed = [], []

        def one(k):
            try:
                ids.extend(self.feed(self.d, branch.checkouts(10_000 + 100 * k, 25)))
            except Exception as why:  # told below
                failed.append(why)
        threads = [threading.Thread(target=one, args=(k,)) for k in range(32)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual([], failed)
        self.assertEqual(800, len(set(ids)))

    def test_a_refused_line_shows_on_no_log(self):
        log = self.d.log()
        self.assertNotRegex(log, r"\b[23]9999\d{9}\b")


class Killed(branch.Case):
    def test_every_acknowledged_record_survives_kill_9_and_none_is_doubled(self):
        (d,) = self.branch(branch.NAMES[:1])
        lines = branch.checkouts(0, 3000)
        acknowledged = {}
        for round_ in range(4):  # kills at four places of the stream
            batch = branch.drive.Batch(d)
            todo = [x for x in lines if x["key"] not in acknowledged]
            goal, sent, answered = len(acknowledged) + 150 + 170 * round_, 0, 0
            while True:
                if sent < answered + 64 and batch.send(todo[sent]):
                    sent += 1
                    continue
                if (a := batch.answer(20)) is None:
                    break
                self.assertTrue(a["ok"], a)
                acknowledged[todo[answered]["key"]] = (a["id"], todo[answered]["item"])
                answered += 1
                if len(acknowledged) == goal:
                    d.kill9()
            self.assertNotEqual(0, batch.p.wait(20))
            batch.close()
            d.start()
            self.assert_holds(d, acknowledged)
        answers = d.feed(lines)  # all of it once more: only what was lost is new
        self.assertEqual({x["key"]: a["id"] for x, a in zip(lines, answers)},
                         {**{x["key"]: a["id"] for x, a in zip(lines, answers)},
                          **{k: v[0] for k, v in acknowledged.items()}})
        listed = branch.log_list(d)
        self.assertEqual(sorted(x["item"] for x in lines), sorted(r["item"] for r in listed))
        self.assertEqual(len(lines), len({r["id"] for r in listed}))
        verified = d.cli("log", "verify", json=True)
        self.assertEqual((True, len(lines), []),
                         (verified["ok"], verified["records"], verified["problems"]))
        self.assertEqual(5, d.status()["start"] - self.first_start + 1)

    def assert_holds(self, d, acknowledged):
        listed = {r["id"]: r["item"] for r in branch.log_list(d)}
        for an_id, code in acknowledged.values():
            self.assertEqual(code, listed.get(an_id), an_id)
        items = list(listed.values())
        self.assertEqual(len(items), len(set(items)), "a record twice")

    def branch(self, *args, **more):
        desks = super().branch(*args, **more)
        self.first_start = desks[0].status()["start"]
        return desks


class State(branch.Case):
    """State directories and ports that cannot be used."""

    def test_a_second_node_on_one_state_directory_is_refused_and_the_first_goes_on(self):
        (d,) = self.branch(branch.NAMES[:1])
        self.assert_refused(d.cli("node", check=False), 75, "another.*node.*is using")
        self.assertEqual("MAIN-1", d.status()["desk"], "the running node still answers")
        self.feed(d, branch.checkouts(0, 3))

    def test_a_limit_on_the_size_of_files_is_a_disk_that_refuses_and_no_end(self):
        (d,) = self.branch(branch.NAMES[:1])
        self.feed(d, branch.checkouts(0, 3))
        node, hard = d.node, resource.prlimit(d.node.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (4096, hard))
        line = ("record", "checkout", "--user", branch.user(9), "--item", branch.item(9))
        self.assert_refused(d.cli(*line, check=False), 74, "stop", "cannot save", "paper")
        self.assertIsNone(node.poll(), "the node lives")
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (hard, hard))
        wait_until(lambda: d.cli(*line, check=False).rc == 0, 60, "the desk to go on by itself")
        self.assertEqual(4, branch.held(d))

    def test_a_taken_port_is_named(self):
        (d,) = self.branch(branch.NAMES[:1], start=False)
        for port in (d.port, d.web_port):
            with self.subTest(port), socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
                s.listen()
                self.assert_refused(d.cli("node", check=False), 73, str(port))
        d.start()
        self.feed(d, branch.checkouts(0, 1))

    def moved_aside(self, desk, *words):
        """The desk begins anew, says so, and the store that it cannot read lies beside, untouched."""
        before = (desk.state / "store/data.mdb").read_bytes()
        desk.start()
        self.assertLessEqual({"store_damaged", "memory_lost"}, branch.problem_codes(desk))
        for w in words:
            self.assertRegex(desk.log(), w)
        (aside,) = desk.state.glob("store.damaged-*")
        self.assertEqual(before, (aside / "data.mdb").read_bytes())
        return aside

    def test_another_desks_store_under_this_key_is_moved_aside_as_it_is(self):
        one, two = self.branch(branch.NAMES[:2], start=False)
        shutil.rmtree(one.state / "store")
        (one.state / "periods").unlink()
        shutil.copytree(two.state / "store", one.state / "store")
        shutil.copy(two.state / "periods", one.state / "periods")
        self.moved_aside(one, "belongs to another desk key", "moved to store.damaged")

    def test_a_store_without_its_period_keys_is_moved_aside_and_can_be_put_back(self):
        (one,) = self.branch(branch.NAMES[:1], start=False)
        (one.state / "periods").rename(one.state / "periods.away")
        aside = self.moved_aside(one, "the file periods is gone")
        one.stop()
        shutil.rmtree(one.state / "store")
        aside.rename(one.state / "store")
        (one.state / "periods.away").rename(one.state / "periods")
        one.start()
        self.assertNotIn("memory_lost", branch.problem_codes(one))

    def test_a_damaged_desk_key_or_configuration_is_told(self):
        (one,) = self.branch(branch.NAMES[:1], start=False)
        key = (one.state / "desk.key").read_bytes()
        (one.state / "desk.key").write_bytes(key[:20])
        self.assert_refused(one.cli("node", check=False), 65, "desk.key")
        (one.state / "desk.key").write_bytes(key)
        conf = one.state / "tideover.conf"
        text = conf.read_text()
        conf.write_text(re.sub(r"(?m)^(\[web\]\n(?:#.*\n)*listen = ).*", r"\g<1>0.0.0.0:80", text))
        self.assert_refused(one.cli("node", check=False), 78, "this PC only")
        conf.write_text(text.replace("[node]", "[node]\ncolour = blue"))
        self.assert_refused(one.cli("node", check=False), 78, "colour")
        conf.write_text(text)
        one.start()

    def test_no_state_directory_means_one_sentence_for_every_verb(self):
        d = self.desk("NOBODY")
        for args, rc in ((("node",), 66), (("status",), 66), (("peers",), 66), (("log", "list"), 66),
                         (("record", "discharge", "--item", item(1)), 66),
                         (("upload", "plan"), 66), (("void", "MAIN-1/1/0001"), 66)):
            with self.subTest(args):
                said = d.cli(*args, check=False)
                self.assertIn(said.rc, (66, 69), said)
                self.assert_sentence(said.err)
        self.assertFalse(d.state.exists())

    def test_a_desk_whose_node_does_not_run_says_so(self):
        (d,) = self.branch(branch.NAMES[:1], start=False)
        for args in (("status",), ("record", "discharge", "--item", item(1)), ("upload", "plan")):
            self.assert_refused(d.cli(*args, check=False), 69, "node")

    def test_an_unreadable_state_directory_is_told(self):
        (d,) = self.branch(branch.NAMES[:1], start=False)
        if os.geteuid() == 0:
            self.skipTest("root reads everything")
        d.state.chmod(0)
        self.addCleanup(d.state.chmod, 0o700)
        self.assert_refused(d.cli("node", check=False), 77, "cannot read|permission")

    def test_a_file_in_place_of_the_state_directory_is_told(self):
        d = self.desk("X")
        d.state.write_text("a file")
        self.assertIn(d.cli("node", check=False).rc, (66, 73, 77))
        self.assertEqual("a file", d.state.read_text())

    def test_the_log_can_be_listed_under_the_default_policy(self):
        """Which knows no station: nothing can be uploaded, all can be looked at."""
        d = self.desk("MAIN-1")
        lead = branch.write_secret(self.home / "lead", branch.PASSPHRASE)
        d.init("MAIN", passphrase_file=lead)
        d.start()
        ids = self.feed(d, branch.checkouts(0, 5))
        self.assertEqual(ids, [r["id"] for r in branch.log_list(d)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
