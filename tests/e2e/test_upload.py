#!/usr/bin/env python3
"""The upload: same bytes everywhere, one file a slot, whoever dies in between."""
import json
import os
import pty
import re
import threading
import unittest

import branch
from branch import all_hold, checkout, item, sha256, user, wait_until

NOON = "2026-01-05T12:00:{:02d}-05:00"  # one day in every zone that the tests use


def settled(desk):
    """Delivered, and nothing pending."""
    s = desk.upload_status()
    return s["state"] in ("delivered", "settled") and s["last"]


class Upload(branch.Case):
    def ready(self, n=6, **more):
        """Three desks that hold n records, and may vote."""
        desks = self.branch(**more)
        self.ids = []
        for i, d in enumerate(desks):
            lines = [checkout(100 * i + k, at=NOON.format(10 * i + k)) for k in range(n // 3)]
            self.ids += self.feed(d, lines)
        all_hold(desks, n, 5)
        for d in desks:
            wait_until(lambda d=d: d.status()["ledger"]["may_vote"], 10, f"{d.name} to vote")
        return desks

    def export(self, desk, name="export"):
        path = self.home / f"{name}-{desk.name}"
        desk.cli("export", "--format", "symphony", "--out", path)
        return path

    def in_background(self, desk):
        """`upload run` on a thread; call the result to wait for what it said."""
        said = []
        t = threading.Thread(target=lambda: said.append(self.upload(desk, check=False)),
                             daemon=True)
        t.start()

        def result():
            t.join(60)
            self.assertTrue(said, "upload run did not end")
            return said[0]
        return result

    def stuck(self, desk):
        """The upload is agreed on, and its delivery fails: the sink's directory is missing."""
        self.sink.rmdir()
        result = self.in_background(desk)
        wait_until(lambda: any("cannot write to" in (d.upload_status()["message"] or "")
                               for d in self.desks), 20, "the delivery to fail")
        return result

    def uploader(self):
        return wait_until(lambda: next((d for d in self.desks if branch.is_sending(d)), None), 30,
                          "one to send")

    def expected_name(self, desk, export):
        plan = desk.cli("upload", "plan", json=True)
        self.assertTrue(plan["last"].startswith("2026-01-05"), plan["last"])
        slot = desk.upload_status()["slot"]
        return f"MAIN-20260105-e0-s{slot:06d}-{sha256(export)[:8]}.log"

    def assert_all_agree(self, desks, log):
        for d in desks:
            last = wait_until(lambda d=d: settled(d), 15, f"{d.name} to know of it")
            self.assertEqual((log.name, sha256(log)), (last["file"], last["sha256"]), d.name)
        reports = []
        for d in desks:
            wait_until(lambda d=d: d.cli("upload", "report", json=True)["open"] is not None, 15,
                       f"{d.name} to have counted what is open")
            reports.append(d.cli("upload", "report", json=True))
        for r in reports:
            self.assertEqual(reports[0], r)
        return reports[0]

    # -- same bytes ----------------------------------------------------------------------------

    def test_the_same_cut_gives_the_same_bytes_whatever_zone_and_locale(self):
        envs = [{"TZ": "Asia/Tokyo", "LC_ALL": "C"},
                {"TZ": "America/New_York", "LC_ALL": "en_US.UTF-8"},
                {"TZ": "UTC", "LC_ALL": "tr_TR.UTF-8"}]
        desks = self.ready(envs=envs)
        more = [{"op": "user", "user": user(601), "first": "Işıl", "last": "Nováková-Iğdır",
                 "birth": "1988-07-14", "street": "Mill Lane 2", "city": "İzmir"},
                checkout(601, user=user(601), due="2099-12-07"),
                {"op": "renew", "user": user(601), "item": item(601), "due": "2099-12-21"},
                {"op": "discharge", "item": item(602)}, {"op": "inhouse", "item": item(603)},
                checkout(604), checkout(604), checkout(605, at="2026-03-08T02:30:00-05:00"),
                checkout(606, at="2025-12-31T23:59:59-05:00")]
        for d in desks:
            path = self.home / f"more-{d.name}"
            path.write_text("".join(json.dumps(x) + "\n" for x in more if "key" not in x
                                    or d is desks[1]))
            d.cli("record", "--batch", path)
        n = 6 + len(more) + 2 * sum("key" not in x for x in more)
        all_hold(desks, n, 5)
        exports = [self.export(d) for d in desks]
        first = exports[0].read_bytes()
        self.assertGreater(len(first), 500)
        for e in exports[1:]:
            self.assertEqual(first, e.read_bytes())
        self.assertEqual([], self.files(), "an export sends nothing")
        self.upload(desks[0])
        (log,) = self.files()
        self.assertEqual(first, log.read_bytes())
        self.assert_all_agree(desks, log)

    def test_another_desk_confirms_an_upload_of_two_files(self):
        one, two, _ = self.ready()
        self.publish(one, branch.policy_text(self.sink).replace("registration = jy",
                                                                "registration = flat"))
        self.feed(one, [{"op": "user", "user": user(601), "first": "Ada", "last": "Byron",
                         "key": f"{7:032x}"}])
        all_hold(self.desks, 7, 5)
        self.upload(one)
        files = self.files()
        self.assertEqual(2, len(files), files)
        wait_until(lambda: settled(two), 15, "MAIN-2 to know of it")
        whole = files[0].read_bytes()
        files[0].write_bytes(whole[:-1] + b"?")
        slot = two.upload_status()["last"]["slot"]
        uploader = two.upload_status()["last"]["desk"]
        other = next(d for d in self.desks if d.name != uploader)
        said = other.cli("upload", "confirm", "--slot", slot, "--check", check=False)
        self.assert_refused(said, 65, "not what the branch agreed")
        files[0].write_bytes(whole)
        self.assertEqual("delivered", other.upload_status()["state"])
        self.assertIsNone(other.upload_status()["last"]["settled"])
        other.cli("upload", "confirm", "--slot", slot, "--check")
        self.assertEqual("settled", other.upload_status()["state"])
        self.assertEqual("word", other.cli("upload", "report", json=True)["settled"]["how"])

    def test_plan_and_report_add_up_and_a_second_run_sends_nothing(self):
        one, two, three = desks = self.ready()
        self.feed(one, [checkout(700)])
        one.cli("void", self.feed(one, [checkout(701)])[0])
        self.feed(one, [{"op": "discharge", "item": item(702), "key": f"{1:032x}"},
                        {"op": "inhouse", "item": item(703), "key": f"{2:032x}"}])
        double = [checkout(704, user=user(1), key=f"{k:032x}") for k in (3, 4)]
        self.feed(two, double)
        all_hold(desks, 13, 5)
        plan = three.cli("upload", "plan", json=True)
        self.assertEqual(1, plan["schema"])
        fates = ("send_total", "held", "waits", "duplicates", "voided", "voids", "late_voids",
                 "superseded", "review", "uncarried", "unwritable", "behind")
        self.assertEqual(13, plan["total"])
        self.assertEqual(plan["total"], sum(plan[k] for k in fates), plan)
        self.assertEqual({"send_total": 8, "held": 1, "duplicates": 1, "voided": 1, "voids": 1,
                          "uncarried": 1}, {k: plan[k] for k in fates if plan[k]})
        self.assertEqual(plan["send_total"], sum(plan["send"].values()))
        self.assertEqual(13, sum(d["records"] for d in plan["desks"]))
        self.assertEqual([], plan["missing"])
        self.assertEqual([], self.files())
        self.assertEqual(0, self.upload(one).rc)
        (log,) = self.files()
        report = self.assert_all_agree(desks, log)
        for k in fates:
            if k != "duplicates":
                self.assertEqual(plan[k], report[k], k)
        self.assertGreaterEqual(len(report["accepted_by"]), 2)
        self.assertIn(report["desk"], branch.NAMES)
        lists = report["lists"]
        self.assertEqual([1, 1], [len(lists[k]) for k in ("duplicate", "voided")], lists)
        self.assertRegex(lists["duplicate"][0]["of"], r"^MAIN-2/1/\d{4}$")
        before = (log.name, log.read_bytes())
        for d in desks:
            said = self.upload(d)
            self.assertIn("Nothing to upload", said.out)
        self.assertEqual([before], [(p.name, p.read_bytes()) for p in self.files()])
        for d in desks:
            self.assertEqual({"delivered"}, {r["state"] for r in branch.log_list(d)
                                             if r["id"] in self.ids})
            self.assertEqual([], d.cli("log", "verify", json=True)["problems"])

    def test_without_a_passphrase_or_with_a_wrong_one_nothing_is_sent(self):
        one = self.ready(n=3)[0]
        said = one.cli("upload", "run", "--yes", check=False)
        self.assert_refused(said, 77, "passphrase")
        wrong = branch.write_secret(self.home / "wrong", "another passphrase entirely")
        said = one.cli("upload", "run", "--yes", "--lead-passphrase-file", wrong, check=False)
        self.assert_refused(said, 77, "passphrase")
        said = one.cli("upload", "report", check=False)
        self.assert_refused(said, 1, "nothing has been uploaded")
        self.assertEqual([], self.files())
        self.assertEqual(3, one.upload_status()["pending"])

    def test_without_yes_and_without_a_terminal_nothing_is_sent(self):
        one = self.ready(n=3)[0]
        said = one.cli("upload", "run", "--lead-passphrase-file", self.lead, check=False)
        self.assertEqual(1, said.rc, said)
        self.assertIn("Nothing was sent", said.out)
        self.assertEqual([], self.files())

    def test_a_passphrase_that_comes_too_early_is_no_yes(self):
        one = self.ready(n=3)[0]
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(branch.BINARY, [branch.BINARY, "--state", str(one.state), "upload", "run"])
        shown = ""

        def shows(text):
            nonlocal shown
            shown += os.read(terminal, 4096).decode()
            return text in shown

        wait_until(lambda: shows("Upload this? [y/N]"), 20, "the question")
        os.write(terminal, b"yellow viola banana furnace calcium queen\n")
        wait_until(lambda: shows("Answer y for yes"), 20, "it to ask again")
        os.write(terminal, b"no\n")
        wait_until(lambda: shows("Nothing was sent"), 20, "the end")
        self.assertEqual(1, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os.close(terminal)
        self.assertEqual([], self.files())

    # -- deaths --------------------------------------------------------------------------------

    def test_a_successor_finishes_what_a_killed_uploader_began_and_sends_one_file(self):
        desks = self.ready()
        agreed = sha256(self.export(desks[0]))
        slot = desks[0].upload_status()["slot"]
        result = self.stuck(desks[0])
        dead = self.uploader()
        alive = [d for d in desks if d is not dead]
        dead.kill9()
        self.sink.mkdir()
        for d in alive:
            wait_until(lambda d=d: settled(d), 30, f"{d.name} to say delivered")
        (log,) = self.files()
        self.assertEqual([log], list(self.sink.iterdir()), "no half file is left aside")
        self.assertEqual(agreed, sha256(log))
        report = self.assert_all_agree(alive, log)
        self.assertEqual(slot, report["slot"])
        self.assertNotEqual(dead.name, report["desk"])
        said = result()
        if dead is desks[0]:
            self.assertEqual(69, said.rc, said)
            self.assertIn("may go on at another desk", said.err)
        dead.start()
        self.assert_all_agree(desks, log)
        self.assertIn("Nothing to upload", self.upload(dead).out)
        self.assertEqual([log], self.files())

    def test_records_after_the_cut_go_into_the_next_slot_and_a_late_void_is_refused(self):
        desks = self.ready()
        first = self.ids[0]
        result = self.stuck(desks[0])
        self.assert_refused(desks[0].cli("void", first, check=False), 65, "uploaded already")
        late = [x for i, d in enumerate(desks) for x in self.feed(d, [checkout(800 + i)])]
        all_hold(desks, 9, 5)
        self.sink.mkdir()
        self.assertEqual(0, result().rc)
        (log,) = self.files()
        slot = desks[0].upload_status()["last"]["slot"]
        text = log.read_text()
        for i in range(3):
            self.assertNotIn(item(800 + i), text)
        self.assert_refused(desks[0].cli("void", first, check=False), 65, "uploaded already")
        for d in desks:
            wait_until(lambda d=d: d.upload_status()["pending"] == 3, 5, f"{d.name}: three pending")
        self.upload(desks[0])
        (second,) = [p for p in self.files() if p != log]
        self.assertEqual(slot + 1, desks[0].upload_status()["last"]["slot"])
        wait_until(lambda: desks[2].upload_status()["pending"] == 0, 5, "KIDS-1 to know")
        self.assertEqual(3, len(re.findall(r"(?m)^.*39999\d{9}.*$", second.read_text())))
        slots = {r["id"]: r["slot"] for r in branch.log_list(desks[2])}
        self.assertEqual([slot + 1] * 3, [slots[x] for x in late])
        self.assertEqual(slot, slots[first])

    # -- the sink ------------------------------------------------------------------------------

    def test_an_equal_file_that_is_there_already_counts_as_delivered(self):
        desks = self.ready()
        export = self.export(desks[0])
        there = self.sink / self.expected_name(desks[0], export)
        there.write_bytes(export.read_bytes())
        inode = there.stat().st_ino
        self.assertEqual(0, self.upload(desks[0]).rc)
        self.assertEqual([there], self.files())
        self.assertEqual(inode, there.stat().st_ino)
        self.assert_all_agree(desks, there)

    def test_an_unequal_file_stops_the_upload_and_is_not_overwritten(self):
        desks = self.ready()
        export = self.export(desks[0])
        there = self.sink / self.expected_name(desks[0], export)
        there.write_bytes(b"somebody else's bytes\n")
        said = self.upload(desks[0], check=False)
        self.assertNotEqual(0, said.rc)
        self.assertRegex(said.err, "other content: nothing was overwritten.*move it away")
        self.assertEqual(b"somebody else's bytes\n", there.read_bytes())
        self.assertEqual([there], list(self.sink.iterdir()))
        self.assertTrue(any("upload_stopped" in branch.problem_codes(d) for d in desks))
        there.rename(self.home / "moved-away")
        self.assertEqual(0, self.upload(desks[0]).rc)
        self.assertEqual([there], self.files())
        self.assertEqual(export.read_bytes(), there.read_bytes())
        self.assert_all_agree(desks, there)
        self.assertFalse(any("upload_stopped" in branch.problem_codes(d) for d in desks))

    # -- who is missing ------------------------------------------------------------------------

    def test_with_two_of_three_seats_off_nothing_is_sent_until_one_is_back(self):
        one, two, three = self.ready()
        two.kill9()
        three.kill9()
        result = self.in_background(one)
        wait_until(lambda: "too few seats" in (one.upload_status()["message"] or ""), 20,
                   "it to say that too few seats answer")
        self.assertEqual([], list(self.sink.iterdir()))
        self.assertIn("upload_waits", branch.problem_codes(one))
        self.assertEqual(6, one.upload_status()["pending"])
        two.start()
        three.start()
        said = result()
        self.assertEqual((0, 1), (said.rc, len(self.files())), said)
        self.assertIn("too few seats", said.err, "whoever waits at the terminal is told why")

    def test_with_one_seat_off_the_rest_uploads_and_the_plan_names_the_missing_desk(self):
        one, two, three = self.ready()
        three.kill9()
        wait_until(lambda: one.cli("upload", "plan", json=True)["missing"], 20, "it to be missed")
        missing = one.cli("upload", "plan", json=True)["missing"]
        self.assertEqual(["KIDS-1"], [m["desk"] for m in missing])
        self.assertEqual(0, self.upload(one).rc)
        (log,) = self.files()
        self.assert_all_agree([one, two], log)
        three.start()
        self.assert_all_agree([one, two, three], log)

    def test_a_desk_without_a_station_is_named_and_nothing_is_consumed_until_it_has_one(self):
        desks = self.ready()
        one = desks[0]
        self.publish(one, branch.policy_text(self.sink, branch.NAMES[:2]))
        said = self.upload(one, check=False)
        self.assertEqual(78, said.rc, said)
        self.assertRegex(said.err, "KIDS-1 has no station number")
        self.assertEqual([], list(self.sink.iterdir()))
        self.assertEqual(6, one.upload_status()["pending"])
        self.publish(one, branch.policy_text(self.sink))
        self.assertEqual(0, self.upload(one).rc)
        (log,) = self.files()
        text = log.read_text()
        for i in range(3):
            self.assertIn(item(100 * i), text)

    def test_the_log_can_be_listed_although_a_desk_has_no_station(self):
        desks = self.ready()
        self.publish(desks[0], branch.policy_text(self.sink, branch.NAMES[:2]))
        self.assertEqual(set(self.ids), {r["id"] for r in branch.log_list(desks[0])})

    def test_a_policy_with_an_unknown_key_or_of_another_branch_is_refused(self):
        one = self.branch(branch.NAMES[:1])[0]
        before = one.cli("policy", "show").out
        for text, words in ((branch.policy_text(self.sink) + "[upload]\ncolour = blue\n", "colour"),
                            (branch.policy_text(self.sink).replace("code = MAIN", "code = EAST"),
                             "EAST"),
                            ("", "code"), ("[branch", ".")):
            path = self.home / "bad.ini"
            path.write_text(text)
            said = one.cli("policy", "publish", path, "--lead-passphrase-file", self.lead,
                           check=False)
            self.assert_refused(said, 78, words)
        self.assertEqual(before, one.cli("policy", "show").out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
