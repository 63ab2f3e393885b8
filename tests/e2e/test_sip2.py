"""The SIP2 sink against the sample server: what the ledger there says is what became of the records,
whatever gets lost, closed, late, foreign or killed."""
import os
import pathlib
import random
import subprocess
import tempfile
import unittest

import branch
import sip2
from ils import certificate
from sinks import Proxy
from sip2 import Drive, Server, compare, day, line

LONG = os.environ.get("TIDEOVER_LONG") == "1"


class Sip2(branch.Case):
    def server(self, *args, **more):
        s = Server(self.home, *args, **more)
        self.addCleanup(s.stop)
        return s

    def play(self, lines, *args, sip2="", seed=None, seconds=60):
        s = self.server(*args, seed=seed)
        d = Drive(self.home, lines, sip2=sip2)
        code, said = d.run(s.port, seconds=seconds)
        self.assertEqual(code, 0, said)
        return d.answers(), s.effects()

    # ---- nothing lost ----

    def test_a_day_is_told_record_by_record(self):
        lines = day(300, 60, 1)
        answers, effects = self.play(lines)
        self.assertEqual({a for a, _ in answers}, {"accepted"})
        self.assertEqual(compare(lines, answers, effects), 0)
        self.assertEqual(len(effects), 300)
        self.assertTrue(all(e["due"] in ("20261214", "20261221", "") for e in effects))

    def test_however_the_server_speaks(self):
        lines = day(40, 10, 2)
        for args in (["--crlf"], ["--plain"], ["--trickle"], ["--status-first", "0.3"], ["--stall"],
                     ["--ah", "iso"], ["--ah", "us"], ["--ah", "text"], ["--ah", "none"],
                     ["--af", "latin1", "--repeat", "yours"]):
            with self.subTest(args=args), tempfile.TemporaryDirectory(dir=self.home) as home:
                s = Server(pathlib.Path(home), *args)
                d = Drive(pathlib.Path(home), lines)
                try:
                    code, said = d.run(s.port)
                    self.assertEqual(code, 0, said)
                    self.assertEqual({a for a, _ in d.answers()}, {"accepted"})
                    compare(lines, d.answers(), s.effects())
                finally:
                    s.stop()

    def test_a_server_that_never_stops_talking_of_itself_is_left(self):
        lines = day(5, 5, 3)
        answers, effects = self.play(lines, "--flood", "--timeout", 50, seconds=30)
        self.assertEqual({a for a, _ in answers}, {"accepted"})
        self.assertEqual(compare(lines, answers, effects), 0)

    # ---- answers that say something ----

    def test_every_outcome_is_told_with_the_servers_words(self):
        seed = {"items": {sip2.item(n): {"title": f"T{n}"} for n in range(0, 12)},
                "users": {sip2.user(1): {"name": "Eva"}, sip2.user(2): {"blocked": True},
                          sip2.user(3): {"fee": "2.50"}}}
        seed["items"][sip2.item(9)]["out_to"] = sip2.user(7)
        lines = [line("checkout", 1, 1), line("checkout", 2, 2), line("checkout", 3, 3),
                 line("checkout", 4, 5), line("checkout", 77, 1), line("checkin", 5, 0),
                 line("checkin", 78, 0), line("renew", 6, 1), line("checkout", 9, 1),
                 line("checkout", 1, 1)]
        answers, effects = self.play(lines, "--af", "latin1", seed=seed)
        self.assertEqual([a for a, _ in answers],
                         ["accepted", "refused", "refused", "refused", "refused", "already",
                          "refused", "refused", "refused", "deviating"])
        words = [w for _, w in answers]
        self.assertIn("the patron is blocked, ask for a bl\u00fcberry", words[1])
        self.assertIn("a fee is open", words[2])
        self.assertIn("unknown user: unknown patron", words[3])
        self.assertIn("unknown item", words[4])
        self.assertIn("out to another patron", words[8])
        self.assertIn("renewal", words[9])
        compare(lines[:9], answers[:9], effects)

    def test_a_fee_is_acknowledged_where_the_policy_says_so(self):
        seed = {"items": {sip2.item(0): {}, sip2.item(1): {}}, "users": {sip2.user(3): {"fee": "1.00"}}}
        answers, effects = self.play([line("checkout", 1, 3)], sip2="fee_ack = yes", seed=seed)
        self.assertEqual(answers[0][0], "accepted")
        self.assertEqual(len(effects), 1)

    def test_a_server_that_ignores_no_block_deviates(self):
        answers, _ = self.play([line("checkout", 1, 1)], "--no-block", "ignore")
        self.assertEqual(answers[0][0], "deviating")
        self.assertIn("the user was told 2026-12-14", answers[0][1])

    def test_a_return_that_somebody_waits_for_is_accepted_with_its_alert(self):
        seed = {"items": {sip2.item(0): {}, sip2.item(1): {"out_to": sip2.user(1), "hold": True}},
                "users": {sip2.user(1): {}}}
        answers, effects = self.play([line("checkin", 1, 1)], seed=seed)
        self.assertEqual(answers, [("accepted", "on hold, keep it")])
        self.assertEqual(len(effects), 1)

    def test_a_return_of_what_another_user_had_deviates(self):
        """The message names no user; the loan before it in the same upload does."""
        seed = {"items": {sip2.item(0): {}, sip2.item(9): {"out_to": sip2.user(7)}, sip2.item(4): {}},
                "users": {sip2.user(1): {}}}
        answers, effects = self.play([line("checkout", 9, 1), line("checkout", 4, 1), line("checkin", 4, 0),
                                      line("checkin", 9, 0)], seed=seed)
        self.assertEqual(["refused", "accepted", "accepted", "deviating"], [a for a, _ in answers])
        self.assertIn("out to another user", answers[3][1])
        self.assertEqual(3, len(effects))

    def test_a_server_whose_clock_is_wrong_is_told_to_people(self):
        s = self.server("--clock", 720)
        d = Drive(self.home, [line("checkout", 1, 1)])
        p = d.start(s.port, trace=True)
        said = p.communicate(timeout=30)[1]
        self.assertRegex(said, r"whose clock is 1[12] min ahead of this desk's")

    # ---- lost answers ----

    def test_lost_answers_double_nothing(self):
        for args in (["--lose", "0.1"], ["--close-before", "0.1"], ["--text", "0.1"],
                     ["--spoil", "0.1"], ["--foreign", "0.1"],
                     ["--lose", "0.08", "--repeat", "yours", "--au", "title"],
                     ["--lose", "0.08", "--au", "id", "--ah", "text"]):
            with self.subTest(args=args), tempfile.TemporaryDirectory(dir=self.home) as home:
                lines = day(150, 25, 3)
                s = Server(pathlib.Path(home), *args)
                d = Drive(pathlib.Path(home), lines)
                try:
                    code, said = d.run(s.port)
                    self.assertEqual(code, 0, said)
                    doubts = compare(lines, d.answers(), s.effects())
                    self.assertLess(doubts, 40)
                finally:
                    s.stop()

    def test_killed_at_any_moment_the_ledger_is_the_model(self):
        records, items, kills = (12000, 400, 192) if LONG else (1500, 80, 20)
        lines = day(records, items, 4)
        s = self.server("--lose", "0.01", "--close-before", "0.005", "--foreign", "0.005")
        d = Drive(self.home, lines)
        d.run_killed(s.port, random.Random(5), kills)
        doubts = compare(lines, d.answers(), s.effects())
        print(f"{records} records, {kills} kills, {doubts} of which nobody can tell, none doubled")
        self.assertLess(doubts, kills + records // 50)

    def test_a_late_answer_meets_no_other_question(self):
        lines = day(12, 6, 6)
        answers, effects = self.play(lines, "--late", "0.2", "--late-by", "5.5", "--random", "3",
                                     seconds=60)
        compare(lines, answers, effects)

    def test_the_server_restarts_in_the_middle(self):
        lines = day(400, 50, 7)
        s = self.server("--slow", "0.003")
        d = Drive(self.home, lines)
        p = d.start(s.port)
        for _ in range(3):
            branch.wait_until(lambda n=len(s.effects()): len(s.effects()) > n + 20, 20, "effects")
            s.stop()
            s.start()
        said = p.communicate(timeout=60)[1]
        self.assertEqual(p.returncode, 0, said)
        compare(lines, d.answers(), s.effects())

    # ---- poison, stop ----

    def test_poison_is_set_aside_and_its_item_held(self):
        lines = [line("checkout", 1, 1), line("checkout", 7, 1), line("checkout", 2, 1),
                 line("checkin", 7, 1), line("checkin", 2, 1)]
        answers, effects = self.play(lines, "--poison", sip2.item(7)[-4:])
        self.assertEqual([a for a, _ in answers],
                         ["accepted", "quarantined", "accepted", "held", "accepted"])
        compare(lines, answers, effects)

    def test_a_server_that_closes_on_an_item_that_it_does_not_know_is_asked_and_gone_on_with(self):
        seed = {"items": {sip2.item(n): {} for n in (0, 1)}, "users": {sip2.user(1): {}}}
        answers, effects = self.play([line("checkin", 78, 0), line("checkout", 1, 1), line("checkin", 1, 0)],
                                     "--close-unknown", seed=seed)
        self.assertEqual([a for a, _ in answers], ["refused", "accepted", "accepted"])
        self.assertIn("does not know the item", answers[0][1])
        self.assertEqual(len(effects), 2)

    def test_twenty_refusals_stop_and_the_next_run_goes_on(self):
        seed = {"items": {sip2.item(0): {}}, "users": {}}
        s = self.server(seed=seed)
        d = Drive(self.home, [line("checkout", 1 + n, 1) for n in range(25)])
        code, said = d.run(s.port)
        self.assertEqual(code, 3)
        self.assertIn("refused the first 20 records", said)
        code, said = d.run(s.port)
        self.assertEqual(code, 0, said)
        self.assertEqual({a for a, _ in d.answers()}, {"refused"})

    def stops(self, because, *args, password="secret", **drive):
        s = self.server(*args)
        d = Drive(self.home, [line("checkout", 1, 1)], password=password, **drive)
        code, said = d.run(s.port)
        self.assertEqual(code, 3, said)
        self.assertIn(because, said)
        self.assertEqual(s.effects(), [])
        return s

    def test_a_wrong_password_is_tried_once(self):
        s = self.stops("refuses the login", password="wrong")
        self.assertEqual(s.refused_logins(), 1)

    def test_an_old_version_stops(self):
        self.stops("older version", "--version", "1.00")

    def test_what_98_does_not_support_stops(self):
        self.stops("item information (17)", "--bx", "YYYYYYYYYYNYYYYY")

    def waits(self, because, *args):
        s = self.server(*args)
        d = Drive(self.home, [line("checkout", 1, 1)])
        p = d.start(s.port)
        first = p.stderr.readline()
        self.assertIn(because, first)
        p.kill()
        p.communicate()
        self.assertEqual(s.effects(), [])
        self.assertNotIn("R 1", d.journal.read_text())

    def test_a_dead_library_system_behind_a_live_server_is_waited_for(self):
        self.waits("does not know the canary", "--dead-ils")

    def test_not_on_line_is_waited_for(self):
        self.waits("not on-line", "--offline")

    def test_a_full_server_that_takes_the_connection_and_says_nothing_is_waited_for(self):
        self.waits("does not answer the login", "--full")

    def test_a_connection_that_was_closed_while_nobody_looked_costs_nothing(self):
        lines = [line("checkout", n, 1) for n in range(1, 4)]
        s = self.server("--idle", "0.05")  # shorter than the driver's flushes may take
        d = Drive(self.home, lines)
        p = subprocess.Popen(
            [str(sip2.DRIVE), f"sip2://127.0.0.1:{s.port}", str(self.home / "policy.ini"),
             str(self.home / "payload"), str(d.journal), str(self.home)], stderr=subprocess.PIPE,
            text=True, env={**os.environ, "SIP2_DRIVE_PAUSE_MS": "200"})
        said = p.communicate(timeout=60)[1]
        self.assertEqual(p.returncode, 0, said)
        self.assertEqual({a for a, _ in d.answers()}, {"accepted"})
        self.assertEqual(len(s.effects()), 3)
        self.assertNotIn("retry", said)

    def test_nobody_there_is_waited_for(self):
        s = self.server()
        s.stop()
        d = Drive(self.home, [line("checkout", 1, 1)])
        p = d.start(s.port)
        self.assertIn("cannot be reached", p.stderr.readline())
        p.kill()
        p.communicate()

    # ---- TLS ----

    def test_tls_is_verified(self):
        def key(name):
            path = self.home / name
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                            "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                            "-keyout", path, "-out", self.home / f"{name}.crt"],
                           check=True, capture_output=True)
            path.write_text(path.read_text() + (self.home / f"{name}.crt").read_text())
            return path
        pem, other = key("right"), key("wrong")
        lines = day(30, 8, 9)
        s = self.server("--tls", pem)
        d = Drive(self.home, lines, upload="ca = ours")
        branch.write_secret(self.home / "credentials/ours.ca", (self.home / f"{other.name}.crt").read_text())
        code, said = d.run(s.port, "sip2s")
        self.assertEqual(code, 3, said)
        self.assertIn("no safe connection to the SIP2 server", said)
        self.assertEqual(s.effects(), [])
        (self.home / "credentials/ours.ca").write_text((self.home / "right.crt").read_text())
        code, said = d.run(s.port, "sip2s")
        self.assertEqual(code, 0, said)
        compare(lines, d.answers(), s.effects())

    def test_an_expired_certificate_stops_before_the_password(self):
        tls, both = certificate(self.home / "old", days=-1), self.home / "both"
        both.write_text((tls / "key.pem").read_text() + (tls / "cert.pem").read_text())
        s = self.server("--tls", both)
        d = Drive(self.home, [line("checkout", 1, 1)], upload="ca = ours", password="wrong")
        branch.write_secret(self.home / "credentials/ours.ca", (tls / "ca.pem").read_text())
        code, said = d.run(s.port, "sip2s")
        self.assertEqual(code, 3, said)
        self.assertIn("certificate has expired: no safe connection to the SIP2 server", said)
        self.assertEqual((0, []), (s.refused_logins(), s.effects()))

    def test_it_goes_through_the_policys_proxy(self):
        lines, proxy, s = day(10, 4, 10), Proxy(), self.server()
        self.addCleanup(proxy.close)
        d = Drive(self.home, lines, upload=f"proxy = http://127.0.0.1:{proxy.port}")
        code, said = d.run(s.port)
        self.assertEqual(code, 0, said)
        self.assertEqual(("CONNECT", f"127.0.0.1:{s.port}"), proxy.asked[0])
        compare(lines, d.answers(), s.effects())


if __name__ == "__main__":
    unittest.main()
