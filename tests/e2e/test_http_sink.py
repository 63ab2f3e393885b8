#!/usr/bin/env python3
"""HTTP(S) sinks against a server with bad manners: what it stored equals what a careful person would
have sent, whatever got lost between."""
import hashlib
import random
import time
import unittest

import branch
from ils import certificate
from sinks import LONG, Desk, Proxy, Wire, read_ledger, sample

NAME = "MAIN-20260105-e0-s{:06d}-1a2b3c4d.log"


class Http(branch.Case):
    def setUp(self):
        super().setUp()
        self.drop, self.tls = self.home / "in", self.home / "tls"
        self.desk_ = Desk(self.home / "desk")
        self.server, self.slot = None, 0
        self.addCleanup(lambda: self.server and self.server.kill())

    def serve(self, *words, promise="put:", tls=False, **policy):
        """A new server, and a policy that says where it is."""
        if self.server:
            self.server.kill()
        self.server = sample("httpdrop.py", "--dir", self.drop, *(["--tls", self.tls] if tls else []), *words)
        scheme = "https" if tls else "http"
        self.desk_.use(f"{promise}{scheme}://127.0.0.1:{self.server.port}/in/", **policy)

    def payload(self, n=400):
        """A new file under a new name, as of a new upload."""
        self.slot += 1
        path = self.home / f"payload-{self.slot}"
        path.write_bytes(b"".join(b"line %d of %d\n" % (i, self.slot) for i in range(n)))
        return NAME.format(self.slot), path

    def stored(self, name):
        return [r for r in read_ledger(self.drop / ".ledger")
                if r.get("name") == name and r.get("effect") == "stored"]

    def assert_once(self, name, path):
        """Stored once, and these bytes."""
        rows = self.stored(name)
        self.assertEqual([hashlib.sha256(path.read_bytes()).hexdigest()], [r["sha256"] for r in rows])

    def try_(self, *manners, promise, **policy):
        """One hand-over to a server with these manners; (delivery, words, name, path)"""
        self.serve(*(x for m in manners for x in ("--bad", m)), promise=promise, **policy)
        name, path = self.payload()
        return (*self.desk_.hand_over(name, path), name, path)

    # -- what an answer means ------------------------------------------------------------------

    def test_it_arrives_with_its_key_its_digest_and_nothing_else_in_the_way(self):
        self.desk_.credential("upload", "a token")
        self.desk_.env.update(http_proxy="http://127.0.0.1:9", https_proxy="http://127.0.0.1:9",
                              ALL_PROXY="http://127.0.0.1:9")
        for promise in ("", "put:", "key:"):
            self.serve("--token", "a token", promise=promise, credential="upload")
            name, path = self.payload()
            self.assertEqual(("done", name), self.desk_.hand_over(name, path))
            self.assert_once(name, path)
            (row,) = self.stored(name)
            self.assertEqual(f'"{name}.{row["sha256"]}"', row["key"])
            self.assertEqual(("done", name), self.desk_.hand_over(name, path))
            self.assert_once(name, path)

    def test_basic_login_where_a_user_is_named(self):
        self.desk_.credential("ils.user", "tide")
        self.desk_.credential("ils.password", "över:all")
        self.serve("--user", "tide", "--password", "över:all", credential="ils")
        name, path = self.payload()
        self.assertEqual(("done", name), self.desk_.hand_over(name, path))

    def test_each_vice_of_a_server_ends_as_it_should(self):
        """After the first answer the server is itself again; then the same name goes once more until it is
        done, or a look says what a lead will be told."""
        vices = {  # vice: (what a server without promises leaves, and one with), is it stored at once?
            "no-answer": ("doubt", "retry", True), "resets": ("doubt", "retry", True),
            "fails-after": ("doubt", "retry", True), "gateway": ("doubt", "retry", True),
            "hangs-after": ("doubt", "retry", True), "hangs": ("doubt", "retry", False),
            "cuts": ("doubt", "retry", False), "fails-before": ("doubt", "retry", False),
            "full": ("retry", "retry", False), "busy": ("retry", "retry", False),
            "redirects": ("stop", "stop", False), "loud": ("done", "done", True),
        }
        for promise in ("", "put:", "key:"):
            for vice, (plain, promised, at_once) in vices.items():
                with self.subTest(promise=promise, vice=vice):
                    self.check_vice(promise, vice, promised if promise else plain, at_once)

    def check_vice(self, promise, vice, expected, at_once):
        said, words, name, path = self.try_(vice + "=1x", promise=promise)
        self.assertEqual(expected, said, words)
        self.assertEqual(at_once, bool(self.stored(name)))
        if said == "doubt":
            looked, what = self.desk_.hand_over(name, path, "look")
            self.assertEqual(("done" if at_once else "unproven", name), (looked, what))
            if not at_once:  # the lead looked there, and said no
                self.assertEqual("done", self.desk_.hand_over(name, path)[0])
        elif said != "done":
            self.desk_.until_done(name, path)
        self.assert_once(name, path)

    def test_a_look_that_is_answered_byte_by_byte_ends(self):
        self.serve("--bad", "no-answer=1x", "--bad", "drips=1x", promise="")
        name, path = self.payload()
        self.assertEqual("doubt", self.desk_.hand_over(name, path)[0])
        begun = time.monotonic()
        self.assertEqual("retry", self.desk_.hand_over(name, path, "look")[0])
        self.assertLess(time.monotonic() - begun, 60)  # byte by byte it would take many minutes
        self.assertEqual(("done", name), self.desk_.hand_over(name, path, "look"))

    def test_what_a_loader_took_away_is_a_persons_business(self):
        self.serve("--eats", "--bad", "no-answer=1x", promise="")
        name, path = self.payload()
        self.assertEqual("doubt", self.desk_.hand_over(name, path)[0])
        self.assertEqual(("unproven", name), self.desk_.hand_over(name, path, "look"))
        self.assertEqual(1, len(self.stored(name)))

    def test_other_content_under_the_name_and_lies_stop_it(self):
        for promise in ("", "put:", "key:"):
            self.serve("--bad", "forgets-keys", promise=promise)
            name, path = self.payload()
            (self.drop / name).write_text("something else\n")
            said, words = self.desk_.hand_over(name, path)
            self.assertEqual("stop", said)
            self.assertIn("other content", words)
            self.assertEqual("something else\n", (self.drop / name).read_text())
        for vice in ("lies", "damages", "write-only"):
            said, words, *_ = self.try_(vice, promise="put:")
            self.assertEqual("stop", said, words)
        said, words, name, path = self.try_("half=1x", promise="put:")
        self.assertEqual("retry", said)
        self.assertEqual("stop", self.desk_.hand_over(name, path)[0])

    def test_over_a_slow_line_what_is_on_its_way_is_not_taken_for_a_silent_server(self):
        self.serve(promise="put:")
        wire = Wire(self.server.port, slow=0.04)
        self.addCleanup(wire.close)
        self.desk_.use(f"put:http://127.0.0.1:{wire.port}/in/")  # quiet is a second
        name, path = self.payload(25_000)
        begun = time.monotonic()
        self.assertEqual(("done", name), self.desk_.hand_over(name, path))
        self.assertGreater(time.monotonic() - begun, 1.5)
        self.assert_once(name, path)

    def test_a_lease_that_ended_sends_nothing(self):
        self.serve()
        name, path = self.payload()
        self.desk_.env["TOO_LATE"] = "1"
        self.assertEqual("retry", self.desk_.hand_over(name, path)[0])
        self.assertEqual([], self.stored(name))

    # -- who answers ---------------------------------------------------------------------------

    def test_no_byte_goes_to_a_server_that_cannot_prove_who_it_is(self):
        self.serve(tls=True)
        name, path = self.payload()
        said, words = self.desk_.hand_over(name, path)
        self.assertEqual("stop", said, words)
        self.assertIn("no safe connection", words)
        self.desk_.credential("my.ca", (self.tls / "ca.pem").read_text())
        here = f"127.0.0.1:{self.server.port}/in/"
        self.desk_.use(f"put:https://localhost:{self.server.port}/in/", ca="my")
        self.assertEqual("stop", self.desk_.hand_over(name, path)[0], "another name than the certificate's")
        self.assertEqual([], self.stored(name))
        self.desk_.use(f"put:https://{here}", ca="my")
        self.assertEqual("done", self.desk_.hand_over(name, path)[0])
        self.assert_once(name, path)
        self.desk_.use(f"put:http://{here}")  # plain text to a TLS server
        name, path = self.payload()
        self.assertEqual("retry", self.desk_.hand_over(name, path)[0])

    def test_an_expired_certificate_stops_before_a_byte(self):
        certificate(self.tls, days=-1)
        for promise in ("", "put:", "key:"):
            self.serve(tls=True, promise=promise)
            self.desk_.credential("my.ca", (self.tls / "ca.pem").read_text())
            self.desk_.use(f"{promise}https://127.0.0.1:{self.server.port}/in/", ca="my")
            name, path = self.payload()
            said, words = self.desk_.hand_over(name, path)
            self.assertEqual("stop", said, words)
            self.assertIn("no safe connection to the server: SSL certificate problem: certificate has expired", words)
            self.assertEqual([], self.stored(name))

    def test_through_the_policys_proxy_and_a_proxy_that_refuses_took_nothing(self):
        for promise in ("", "put:"):
            self.serve(tls=True, promise=promise)
            self.desk_.credential("my.ca", (self.tls / "ca.pem").read_text())
            at = f"{promise}https://127.0.0.1:{self.server.port}/in/"
            for status, expected in ((407, "retry"), (200, "done")):
                proxy = Proxy(status)
                self.addCleanup(proxy.close)
                self.desk_.use(at, ca="my", proxy=f"http://127.0.0.1:{proxy.port}")
                name, path = self.payload()
                said, words = self.desk_.hand_over(name, path)
                self.assertEqual(expected, said, words)
                self.assertEqual(("CONNECT", f"127.0.0.1:{self.server.port}"), proxy.asked[0])
                self.assertEqual(status == 200, bool(self.stored(name)))

    def test_a_wrong_login_stops_at_once_and_shows_no_secret(self):
        self.desk_.credential("upload", "canary-secret")
        self.serve("--token", "another", credential="upload")
        name, path = self.payload()
        said, words = self.desk_.hand_over(name, path)
        self.assertEqual("denied", said)
        self.assertIn("refuses the login (HTTP 401): put the credential upload right", words)
        self.assertNotIn("canary-secret", words)
        (self.desk_.home / "credentials/upload").chmod(0o644)
        said, words = self.desk_.hand_over(name, path)
        self.assertEqual("retry", said)
        self.assertIn("others on this PC", words)
        self.assertEqual([], self.stored(name))

    # -- killed --------------------------------------------------------------------------------

    def test_killed_at_any_moment_it_is_stored_once(self):
        seed = random.randrange(1 << 30)
        dice = random.Random(seed)
        for promise in ("put:", "key:", ""):
            self.serve("--bad", "slow=0.3", "--bad", "no-answer=0.2", "--bad", "fails-after=0.1",
                       "--bad", "cuts=0.1", promise=promise)
            for n in range(50 if LONG else 10):
                with self.subTest(promise=promise, round=n, seed=seed):
                    self.one_killed(promise, dice)

    def one_killed(self, promise, dice):
        name, path = self.payload(4000)
        run = self.desk_.begin("deliver", name, path)
        time.sleep(dice.random() * 0.06)
        run.kill()
        run.communicate()
        if promise:
            self.desk_.until_done(name, path)
        else:
            self.play_the_lead(name, path)
        self.assert_once(name, path)

    def play_the_lead(self, name, path):
        """What the ledger's rules do with a sink without promises (delivery.h)."""
        said = "doubt"  # the uploader died
        for _ in range(20):
            if said == "doubt":
                time.sleep(0.15)  # quiet: what was on its way has arrived
                said = self.desk_.hand_over(name, path, "look")[0]
            if said == "unproven":
                said = "done" if self.stored(name) else "retry"
            if said == "done":
                return
            said = self.desk_.hand_over(name, path)[0]
        self.fail("no end")


if __name__ == "__main__":
    unittest.main(verbosity=2)
