#!/usr/bin/env python3
"""What a desk finds out about a SIP2 server: the watch by its probe, and `tideover server test`."""
import json
import subprocess
import unittest

import branch
import sip2
from sip2 import Server


class Probe(branch.Case):
    """`[server] probe = sip2://`: the watch sees what a connection alone does not show."""

    def test_the_watch_asks_by_sip2(self):
        server = Server(self.home)
        self.addCleanup(lambda: server.stop())
        desk = self.branch(names=branch.NAMES[:1])[0]
        (desk.state / "credentials").mkdir(mode=0o700)
        secret = branch.write_secret(desk.state / "credentials/ils.password", "secret")
        text = branch.policy_text(self.sink, branch.NAMES[:1]).replace(
            "format = symphony", "format = symphony\ncredential = ils")
        self.publish(desk, text + f"[sip2]\nuser = tideover\ncanary = {sip2.item(0)}\n"
                     f"[server]\nprobe = sip2://127.0.0.1:{server.port}\nevery = 500ms\n"
                     "offline_after = 2\nback_after = 2\n")

        def see(state, why=""):
            branch.wait_until(lambda: desk.status()["server"]["state"] == state and
                              why in (desk.status()["server"].get("why") or ""), 20,
                              f"{state}, not {desk.status()['server']}")
        see("online")
        server.stop()
        see("offline", "cannot be reached")
        server.args.append("--dead-ils")
        server.start()
        see("offline", "does not know the canary")
        server.stop()
        server.args.remove("--dead-ils")
        server.start()
        see("online")
        secret.write_text("wrong\n")
        see("offline", "refuses the login")
        self.assertEqual(server.refused_logins(), 1)
        secret.write_text("secret\n")
        see("online")  # another secret lies there: the old one was tried once
        self.assertEqual(server.refused_logins(), 1)


class ServerTest(branch.Case):
    """`tideover server test`: what it says is what the server does, and the loan is undone."""

    def desk_with(self, *args, seed=None):
        self.server = Server(self.home, *args, seed=seed)
        self.addCleanup(self.server.stop)
        desk = self.branch(names=branch.NAMES[:1])[0]
        text = branch.policy_text(self.sink, branch.NAMES[:1]).replace(
            f"file:{self.sink}", f"sip2://127.0.0.1:{self.server.port}").replace(
            "format = symphony", "format = sip2\ncredential = ils")
        self.publish(desk, text + f"[sip2]\nuser = tideover\ncanary = {sip2.item(0)}\n")
        (desk.state / "credentials").mkdir(mode=0o700)
        branch.write_secret(desk.state / "credentials/ils.password", "secret")
        return desk

    def loan(self, desk, n=1, u=1):
        said = subprocess.run(
            [str(branch.BINARY), "server", "test", "--loan", "--yes", "--json", "--state",
             str(desk.state)], input=f"{sip2.item(n)}\n{sip2.user(u)}\n", capture_output=True,
            text=True, timeout=30)
        return said.returncode, json.loads(said.stdout), said.stderr

    def test_what_a_good_server_does(self):
        desk = self.desk_with("--repeat", "yours")
        plain = desk.cli("server", "test")
        self.assertIn("It speaks SIP 2.00", plain.out)
        self.assertIn("was not tried", plain.out)
        self.assertEqual(self.server.effects(), [])
        rc, facts, _ = self.loan(desk)
        self.assertEqual(rc, 0, facts)
        self.assertTrue(facts["loan_made"] and facts["undone"] and facts["no_block_honoured"] and
                        facts["au_usable"] and facts["due_dates_readable"], facts)
        self.assertIs(facts["second_checkout_renews"], False)
        self.assertIs(facts["check_in_of_returned_ok"], False)
        self.assertLess(abs(facts["clock_off_s"]) % 3600, 10)
        self.assertEqual([e["op"] for e in self.server.effects()], ["checkout", "checkin"])
        kept = list((desk.state / "servers").iterdir())
        self.assertEqual(len(kept), 1)
        text = kept[0].read_text()
        self.assertNotIn(sip2.item(1), text)
        self.assertNotIn(sip2.user(1), text)

    def test_what_another_server_does(self):
        desk = self.desk_with("--no-block", "ignore", "--au", "title", "--not-out", "1",
                              "--clock", "3600", "--ah", "iso")
        rc, facts, _ = self.loan(desk)
        self.assertEqual(rc, 0, facts)
        self.assertEqual([facts[k] for k in ("no_block_honoured", "au_usable",
                                             "second_checkout_renews", "check_in_of_returned_ok")],
                         [False, False, True, True])
        self.assertTrue(facts["undone"])

    def test_lost_answers_leave_no_loan_behind(self):
        desk = self.desk_with("--lose", "0.4", "--random", "11")
        rc, facts, _ = self.loan(desk)
        ops = [e["op"] for e in self.server.effects() if not e["again"]]
        self.assertEqual(ops, ["checkout", "checkin"][:len(ops)])
        self.assertEqual(facts["undone"], ops == ["checkout", "checkin"], facts)
        self.assertEqual(rc == 0, facts["problem"] is None)

    def test_nothing_is_lent_that_is_out_or_unknown(self):
        seed = {"items": {sip2.item(0): {}, sip2.item(1): {"out_to": sip2.user(9)}, sip2.item(2): {}},
                "users": {sip2.user(1): {}}}
        desk = self.desk_with(seed=seed)
        for n, u, because in ((1, 1, "not be on loan"), (5, 1, "not be on loan"),
                              (2, 7, "does not know the user")):
            rc, facts, _ = self.loan(desk, n, u)
            self.assertEqual(rc, 76)
            self.assertIn(because, facts["problem"])
            self.assertFalse(facts["loan_made"])
        self.assertEqual(self.server.effects(), [])

    def test_a_wrong_password_and_another_sink_are_said(self):
        desk = self.desk_with()
        (desk.state / "credentials/ils.password").write_text("wrong\n")
        self.assert_refused(desk.cli("server", "test", check=False), 77,
                            r"refuses the login: put the credential ils.password right")
        self.publish(desk, branch.policy_text(self.sink, branch.NAMES[:1]))
        self.assert_refused(desk.cli("server", "test", check=False), 78, "only sip2://")



if __name__ == "__main__":
    unittest.main()
