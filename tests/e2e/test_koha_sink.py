#!/usr/bin/env python3
"""The Koha sinks against a server with a Koha's manners: no row is booked twice, and a row of which
nobody can tell is one exception and no repeat."""
import collections
import random
import unittest

import branch
from ils import ROUNDS, Drive, Server, certificate
from sinks import Proxy

HEADER = "Version=1.0\tGenerator=tideover\tGeneratorVersion=1.0\n"


def row(n, action="issue", item=None, card=None):
    at = f"2026-11-23 09:{n // 60:02d}:{n % 60:02d} 000"
    item = item or f"39999{n:09d}"
    if action == "issue":
        return f"{at}\tissue\t{card or f'29999{n:09d}'}\t{item}\n"
    return f"{at}\treturn\t{item}\n"


def day(n, dice):
    rows = [row(k, "return", f"39999{dice.randrange(k):09d}") if k > 3 and dice.random() < 0.3
            else row(k) for k in range(n)]
    return [HEADER, *rows]


def utc(text):
    """9 in the morning in winter is 14 in Greenwich."""
    stamp = text.split("\t")[0]
    return f"{stamp[:10]}T{int(stamp[11:13]) + 5:02d}{stamp[13:19]}Z"


class Koha(branch.Case):
    def server(self, *args):
        s = Server(self.home, "koha", *args)
        self.addCleanup(s.stop)
        return s

    def drive(self, server, lines, scheme="koha", more="pending = no", **rest):
        return Drive(self.home / "desk", f"{scheme}:{server.url}", lines, f"[koha]\n{more}",
                     format="koha", **rest)

    def booked_once(self, server, drive, doubled=()):
        told = drive.answers()
        effects = collections.Counter(e["timestamp"] for e in server.effects())
        for k, text in enumerate(drive.lines[1:], 1):
            answer = told.get(k, ("accepted",))[0]
            want = {"accepted": (1,), "deviating": (1,), "in_doubt": (0, 1),
                    "already": (0, 1)}.get(answer, (0,))
            self.assertIn(effects.pop(utc(text), 0), want, f"row {k} {answer}")
        self.assertEqual({}, dict(effects))

    def play(self, lines, *args, **more):
        s = self.server(*args)
        d = self.drive(s, lines, **more)
        self.assertEqual((0, ""), d.run(QUIET_MS="0"))
        self.booked_once(s, d)
        return s, d


class Service(Koha):
    def test_rows_are_booked_in_order_by_old_and_new_servers(self):
        for args in ([], ["--csrf"], ["--csrf", "--csrf-rows", "3"]):
            with self.subTest(args=args):
                self.home = branch.work_dir()
                s, d = self.play(day(60, random.Random(1)), *args)
                times = [e["timestamp"] for e in s.effects()]
                self.assertEqual(sorted(times), times)
                self.assertEqual({"MAIN"}, {e["branch"] for e in s.effects()})
                self.assertEqual(set(), set(d.names()) - {"already"})

    def test_rows_wait_in_the_queue_where_the_policy_says_so(self):
        s, d = self.play(day(10, random.Random(2)), more="pending = yes\nbranchcode = EAST")
        self.assertEqual({}, d.answers())
        self.assertEqual({"EAST"}, {e["branch"] for e in s.effects()})
        self.assertTrue(all(e["effect"].startswith("queued ") for e in s.effects()))

    def test_local_time_where_the_server_stores_it_as_it_stands(self):
        s = self.server()
        self.assertEqual((0, ""), self.drive(s, [HEADER, row(5)],
                                             more="pending = no\nservice_time = local").run())
        self.assertEqual(["2026-11-23 09:00:05"], [e["timestamp"] for e in s.effects()])

    def test_refusals_are_told_in_koha_s_words(self):
        rows = [HEADER, row(0, item="bad"), row(1, card="nobody"), row(2, "return", "bad"),
                row(3, "return"), row(4)]
        _, d = self.play(rows, "--unknown", "bad,nobody")
        self.assertEqual({1: ("refused", "Barcode not found."),
                          2: ("refused", "Borrower not found."),
                          3: ("refused", "Item not found."), 4: ("already", "Item not issued.")},
                         d.answers())

    def test_a_row_whose_answer_is_lost_is_in_doubt_and_never_sent_again(self):
        for args in (["--lose", "3,9"], ["--drop", "3,9"], ["--error", "3,9"],
                     ["--maintenance", "3,9"], ["--csrf", "--lose", "3,9"]):
            with self.subTest(args=args):
                self.home = branch.work_dir()
                _, d = self.play(day(20, random.Random(3)), *args)
                self.assertEqual({3, 9}, {k for k, (a, _) in d.answers().items()
                                          if a == "in_doubt"})

    def test_a_page_of_another_service_stops_after_three_rows(self):
        s = self.server("--maintenance", ",".join(map(str, range(1, 100))))
        d = self.drive(s, day(20, random.Random(4)))
        code, said = d.run()
        self.assertEqual(3, code)
        self.assertIn("never gives", said)
        self.assertEqual({1, 2, 3}, set(d.answers()))

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

    def test_a_certificate_that_expired_or_is_another_hosts_stops_every_sink_before_a_byte(self):
        """Whatever the sink is, the way there is one: node/reach.c."""
        loan = ('{"timestamp":1795442700,"type":"checkout","delta":0,"patron_barcode":"29999000000001",'
                '"barcode":"39999000000001","tideover_id":"MAIN-1/7/0001"}\n')
        sinks = (("koha", "koha", "[koha]", [HEADER, row(1)]), ("koha", "koha-plugin", "[koha]", [HEADER, row(1)]),
                 ("evergreen", "evergreen", "[evergreen]\norg = 4\nregistration = none", [loan]))
        for what, made in (("expired", {"days": -1}), ("another host's", {"host": "127.0.0.2"})):
            tls = certificate(self.home / what, **made)
            for name, scheme, more, lines in sinks:
                with self.subTest(certificate=what, sink=scheme):
                    home = branch.work_dir()
                    s = Server(home, name, "--tls", tls)
                    self.addCleanup(s.stop)
                    d = Drive(home / "desk", f"{scheme}:{s.url}", lines, more, format=name)
                    d.trust(tls / "ca.pem")
                    code, said = d.run()
                    self.assertEqual(3, code, said)
                    self.assertIn("no safe connection", said)
                    self.assertEqual([], s.effects())

    def test_a_proxy_that_refuses_the_tunnel_leaves_no_row_in_doubt(self):
        tls = certificate(self.home / "tls")
        s = self.server("--tls", tls)
        d = self.drive(s, day(4, random.Random(21)))
        d.trust(tls / "ca.pem")
        proxy = Proxy(first=[502, 200, 502, 200, 200, 502, 502])
        self.addCleanup(proxy.close)
        d.policy.write_text(d.policy.read_text().replace(
            "[upload]", f"[upload]\nproxy = http://127.0.0.1:{proxy.port}"))
        self.assertEqual((0, ""), d.run())
        self.assertEqual([], proxy.first)
        self.assertEqual({}, d.answers())
        self.booked_once(s, d)

    def test_a_wrong_password_stops_at_the_first_row(self):
        for args in ([], ["--csrf"]):
            with self.subTest(args=args):
                self.home = branch.work_dir()
                s = self.server(*args)
                d = self.drive(s, day(5, random.Random(5)), password="wrong")
                code, said = d.run()
                self.assertEqual(3, code)
                self.assertIn("refuses the login", said)
                self.assertEqual([], s.effects())
                self.assertEqual({}, d.answers())
                # Where there is a login page it is tried there, and with the row, and no more: an account
                # without the right to that page may still send rows.
                self.assertEqual(1 + bool(args), s.refused_logins())

    def test_killed_at_any_moment_no_row_is_booked_twice(self):
        for round_ in range(ROUNDS):
            with self.subTest(round=round_):
                dice = random.Random(round_)
                self.home = branch.work_dir()
                s = self.server(*dice.choice([[], ["--csrf"]]), "--lose",
                                ",".join(str(dice.randrange(1, 60)) for _ in range(3)))
                d = self.drive(s, day(60, dice))
                d.run_killed(dice.choice([40, 100, 300]), dice=dice)
                self.booked_once(s, d)
                s.stop()


class Plugin(Koha):
    def play(self, lines, *args, **more):
        return super().play(lines, *args, scheme="koha-plugin", **more)

    def test_each_row_has_its_result(self):
        for args, more in ((["--oauth"], "pending = no\nlogin = oauth"), ([], "pending = no"),
                           (["--oauth", "--expire", "2"], "pending = no\nlogin = oauth")):
            with self.subTest(args=args):
                self.home = branch.work_dir()
                rows = day(500, random.Random(1))
                rows[1:3] = [row(0, item="bad"), row(1, card="nobody")]
                _, d = self.play(rows, *args, "--unknown", "bad,nobody", more=more)
                self.assertEqual(("refused", "Barcode not found."), d.answers()[1])
                self.assertEqual(("refused", "Borrower not found."), d.answers()[2])
                self.assertEqual(2, d.names()["refused"])

    def test_sent_again_after_whatever_went_wrong_nothing_doubles(self):
        for args in (["--lose", "1,3"], ["--half", "1,2"], ["--shorter", "2"]):
            with self.subTest(args=args):
                self.home = branch.work_dir()
                _, d = self.play(day(450, random.Random(2)), *args)
                self.assertEqual({"already"}, set(d.names()))

    def test_what_cannot_work_stops_with_a_sentence(self):
        for args, more, words in ((["--no-plugin"], {}, "is no such service"),
                                  ([], {"password": "wrong"}, "refuses the login"),
                                  (["--oauth"], {}, "refuses the login")):
            with self.subTest(args=args):
                self.home = branch.work_dir()
                s = self.server(*args)
                code, said = self.drive(s, day(5, random.Random(3)), "koha-plugin", **more).run()
                self.assertEqual(3, code)
                self.assertIn(words, said)
                self.assertEqual([], s.effects())
                self.assertEqual("login" in words, s.refused_logins() == 1)

    def test_killed_at_any_moment_nothing_doubles(self):
        for round_ in range(ROUNDS):
            with self.subTest(round=round_):
                dice = random.Random(round_)
                self.home = branch.work_dir()
                s = self.server("--lose", str(dice.randrange(1, 4)))
                d = self.drive(s, day(700, dice), "koha-plugin")
                d.run_killed(dice.choice([30, 60, 200]), dice=dice)
                self.booked_once(s, d)
                s.stop()


if __name__ == "__main__":
    unittest.main()
