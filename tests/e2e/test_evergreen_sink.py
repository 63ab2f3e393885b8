#!/usr/bin/env python3
"""The Evergreen sink against a server with an Evergreen's manners: each line is booked once, whatever
gets lost and whoever is killed, and what was not booked is known line by line."""
import collections
import json
import random
import time
import unittest

import branch
from ils import ROUNDS, Drive, Server, certificate
from sinks import Wire

DESKS = ("MAIN-1", "MAIN-2", "Kids")
START = 1795442700


def line(n, kind="checkout", item=None, user=None, desk=None, **more):
    """Line n of a day, at a desk of its own."""
    desk = desk or DESKS[n % len(DESKS)]
    c = {"timestamp": START + n, "type": kind, "delta": 0}
    if kind in ("checkout", "renew"):
        c["patron_barcode"] = user or f"29999{n:09d}"
    if kind == "register":
        c["user"] = {"card": {"barcode": user}, "family_name": "Okafor", "billing_address": {"id": -1}}
    else:
        c["barcode"] = item or f"39999{n:09d}"
    return json.dumps({**c, **more, "tideover_id": f"{desk}/7/{n:04d}"}) + "\n"


def day(n, dice):
    """Loans, and some of them back."""
    lines = []
    for k in range(n):
        if k > 3 and dice.random() < 0.3:
            lines.append(line(k, "checkin", item=f"39999{dice.randrange(k):09d}"))
        else:
            lines.append(line(k))
    return lines


class Evergreen(branch.Case):
    def server(self, *args):
        s = Server(self.home, "evergreen", *args)
        self.addCleanup(s.stop)
        return s

    def drive(self, server, lines, patience="1s", **more):
        return Drive(self.home / "desk", f"evergreen:{server.url}", lines,
                     f"[evergreen]\norg = 4\nregistration = none\npatience = {patience}",
                     format="evergreen", **more)

    def booked_once(self, server, drive, known=()):
        """Every line has one effect, unless it was answered otherwise."""
        told = drive.answers()
        effects = collections.Counter(e["id"] for e in server.effects())
        for k, text in enumerate(drive.lines, 1):
            id_ = json.loads(text)["tideover_id"]
            answer = told.get(k, ("accepted",))[0]
            want = {"accepted": (1,), "deviating": (1,), "in_doubt": (0, 1)}.get(answer, (0,))
            self.assertIn(effects.pop(id_, 0), want, f"{id_} {answer}")
        self.assertEqual({}, dict(effects))

    def play(self, lines, *args, **more):
        s = self.server(*args)
        d = self.drive(s, lines, **more)
        self.assertEqual((0, ""), d.run())
        self.booked_once(s, d)
        return s, d

    def test_a_day_of_three_desks_is_booked_in_order(self):
        lines = day(200, random.Random(1))
        s, d = self.play(lines)
        self.assertEqual(set(), set(d.names()) - {"already"})
        times = [e["timestamp"] for e in s.effects()]
        self.assertEqual(sorted(times), times)
        self.assertEqual(1, len({e["session"] for e in s.effects()}))

    def test_what_was_not_booked_is_told_line_by_line(self):
        lines = [line(0, item="bad"), line(1, item="new"), line(2, item="new", user="u"),
                 line(3, "checkin"), line(4), line(5, "checkin", item=f"39999{4:09d}"),
                 line(6, user="nobody"), line(7, "register", user="card"),
                 line(8, "register", user="card"), line(9, "odd")]
        _, d = self.play(lines, "--unknown", "bad,nobody", "--newer", "new", "--elsewhere",
                         f"39999{4:09d}")
        told = d.answers()
        self.assertEqual({1: "refused", 2: "refused", 3: "refused", 4: "already", 6: "deviating",
                          7: "refused", 9: "refused", 10: "refused"},
                         {k: a for k, (a, _) in told.items()})
        self.assertIn("ASSET_COPY_NOT_FOUND", told[1][1])
        self.assertIn("SKIP_ASSET_CHANGED", told[3][1])
        self.assertIn("ROUTE_ITEM", told[6][1])
        self.assertIn("ACTOR_USER_EXISTS", told[9][1])
        self.assertIn("no reason", told[10][1])

    def test_lost_answers_change_nothing(self):
        lines = day(40, random.Random(2))
        for args in (["--lose", "create=1"], ["--lose", "load=2"], ["--lose", "execute=1"],
                     ["--drop", "create=1,load=1,status=2"], ["--die-in", "load=1"],
                     ["--miscount", "load=1"], ["--die-in", "execute=1"], ["--token-calls", "2"],
                     ["--lose", "status=1", "--archive-delay", "0.6"],
                     ["--lose", "execute=1", "--start-delay", "0.5"]):
            with self.subTest(args=args):
                self.home = branch.work_dir()
                self.play(lines, *args)

    def test_a_load_that_broke_off_is_never_appended_to(self):
        s, d = self.play(day(30, random.Random(3)), "--die-in", "load=3")
        self.assertEqual(30, sum(e["effect"] is not None for e in s.effects()) +
                         d.names()["already"])

    def test_an_execute_that_was_not_heard_asks_a_lead(self):
        s = self.server("--drop", "execute=1")
        d = self.drive(s, day(20, random.Random(4)))
        code, said = d.run()
        self.assertEqual(4, code, said)
        self.assertIn("execution of session", said)
        self.assertEqual([], s.effects())
        self.assertEqual((0, ""), d.run(ARRIVED="no"))
        self.booked_once(s, d)

    def test_a_session_that_was_cleared_away_asks_a_lead_and_can_be_ended(self):
        s = self.server("--drop", "execute=1")
        d = self.drive(s, day(20, random.Random(13)))
        self.assertEqual(4, d.run()[0])
        s.stop()
        again = Server(self.home, "evergreen", port=s.port)  # it remembers none
        self.addCleanup(again.stop)
        self.assertEqual(4, d.run(ARRIVED="no")[0])
        self.assertEqual((0, ""), d.run(ARRIVED="yes"))
        self.assertEqual({"in_doubt": 20}, dict(d.names()))
        self.assertEqual([], again.effects())

    def test_one_that_was_executed_by_whom_nobody_here_knows_is_not_executed_again(self):
        lines = day(30, random.Random(12))
        s, d = self.play(lines)
        d.journal.unlink()
        self.assertEqual((0, ""), d.run())
        self.booked_once(s, d)

    def test_a_child_that_dies_leaves_one_in_doubt_and_the_later_ones_unsent(self):
        lines = day(400, random.Random(5))
        s, d = self.play(lines, "--die-after", "300", "--die-booking")
        names = d.names()
        self.assertEqual(99, names["held"])
        self.assertLess(names["in_doubt"], 60)
        self.assertEqual("in_doubt", d.answers()[301][0])
        self.assertNotIn(200, {k for k, (a, _) in d.answers().items() if a == "in_doubt"})

    def test_one_that_never_begins_ends_with_all_in_doubt(self):
        s, d = self.play(day(10, random.Random(6)), "--never-start")
        self.assertEqual({"in_doubt": 10}, dict(d.names()))

    def test_a_session_that_breaks_again_stops_and_nothing_is_booked(self):
        s = self.server("--die-in", "execute=9")
        code, said = self.drive(s, day(5, random.Random(7))).run()
        self.assertEqual(3, code)
        self.assertIn("breaks when it is to execute", said)
        self.assertEqual([], s.effects())

    def test_a_slow_line_takes_its_time_as_long_as_something_moves(self):
        lines = [line(n, desk="MAIN-1", note="x" * 200) for n in range(900)]
        s = self.server()
        wire = Wire(s.port, slow=0.08)
        self.addCleanup(wire.close)
        d = Drive(self.home / "desk", f"evergreen:http://127.0.0.1:{wire.port}", lines,
                  "quiet = 1s\n[evergreen]\norg = 4\nregistration = none", format="evergreen")
        begun = time.monotonic()
        self.assertEqual((0, ""), d.run())
        self.assertGreater(time.monotonic() - begun, 3)  # three times what the server has for an answer
        self.booked_once(s, d)
        self.assertEqual(1, len({e["session"] for e in s.effects()}))

    def test_a_full_disk_there_stops_with_its_words_and_nothing_is_booked(self):
        for action in ("create", "load"):
            with self.subTest(action=action):
                self.home = branch.work_dir()
                s = self.server("--full", f"{action}=1")
                d = self.drive(s, day(9, random.Random(21)))
                code, said = d.run()
                self.assertEqual(3, code, said)
                self.assertIn("OFFLINE_FILE_ERROR", said)
                self.assertEqual([], s.effects())
                self.assertEqual((0, ""), d.run())  # there is room again, and a lead says so
                self.booked_once(s, d)

    def test_an_answer_about_another_session_is_none(self):
        """Whoever mixed it up, a proxy or the server: no line of ours is booked because it is not in the
        list of somebody else's refusals."""
        lines = [line(0), line(1, item="bad"), line(2)]
        for foreign in ("exceptions=1", "scripts=1", "scripts=4", "exceptions=1,scripts=6"):
            with self.subTest(foreign=foreign):
                self.home = branch.work_dir()
                s = self.server("--unknown", "bad", "--foreign", foreign)
                earlier = Drive(self.home / "before", f"evergreen:{s.url}",
                                [line(100 + n, item="bad") for n in range(3)],
                                "[evergreen]\norg = 4\nregistration = none", format="evergreen")
                self.assertEqual((0, ""), earlier.run(BATCH="MAIN/e0/s1/00000000"))
                self.assertEqual({"refused": 3}, dict(earlier.names()))
                d = self.drive(s, lines)
                self.assertEqual((0, ""), d.run())
                self.assertEqual({2: "refused"}, {k: a for k, (a, _) in d.answers().items()})
                self.assertEqual([0, 2], [e["timestamp"] - START for e in s.effects()])

    def test_a_wrong_password_or_right_stops_with_a_sentence(self):
        s = self.server("--lacks", "OFFLINE_EXECUTE")
        lines = day(5, random.Random(8))
        d = self.drive(s, lines, password="wrong")
        code, said = d.run()
        self.assertEqual(3, code)
        self.assertIn("refuses the login (LOGIN_FAILED)", said)
        self.assertNotIn("wrong", said)
        self.assertEqual(1, s.refused_logins())
        code, said = self.drive(s, lines).run()
        self.assertEqual(3, code)
        self.assertIn("PERM_FAILURE OFFLINE_EXECUTE", said)
        self.assertEqual([], s.effects())

    def test_a_certificate_that_nobody_vouches_for_stops_before_the_password(self):
        tls = certificate(self.home / "tls")
        s = self.server("--tls", tls)
        d = self.drive(s, day(4, random.Random(20)))
        code, said = d.run()
        self.assertEqual(3, code)
        self.assertIn("no safe connection", said)
        d.trust(tls / "ca.pem")
        self.assertEqual((0, ""), d.run())
        self.booked_once(s, d)

    def test_another_service_at_that_address_stops(self):
        s = Server(self.home, "koha")
        self.addCleanup(s.stop)
        code, said = self.drive(s, day(3, random.Random(9))).run()
        self.assertEqual(3, code)
        self.assertIn("there is no such service", said)

    def test_killed_at_any_moment_each_line_is_booked_once(self):
        for round_ in range(ROUNDS):
            with self.subTest(round=round_):
                dice = random.Random(round_)
                self.home = branch.work_dir()
                s = self.server("--work", "0.002", "--archive-delay", "0.05", "--start-delay",
                                dice.choice(["0", "0.1"]), "--token-calls", "5", "--lose",
                                dice.choice(["load=1", "execute=1", "create=1"]))
                d = self.drive(s, day(60, dice))
                d.run_killed(dice.choice([30, 90, 400]), lambda: bool(s.effects()), dice)
                self.booked_once(s, d)
                self.assertEqual(0, d.names()["in_doubt"] + d.names()["held"])
                s.stop()


if __name__ == "__main__":
    unittest.main()
