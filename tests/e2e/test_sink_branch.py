#!/usr/bin/env python3
"""Whole branches that upload over HTTP and SSH; what a sink does by itself is in test_http_sink.py and
test_sftp_sink.py."""
import os
import threading
import time
import unittest

import branch
import sinks
from branch import checkout, sha256, wait_until
from sinks import Sshd, read_ledger, sample


class SinkBranch(branch.Case):
    def ready(self, sink, quiet="1s", secret=("upload", "a token\n"), more=""):
        """Three desks with five records that can wait to be uploaded to this sink."""
        desks = self.branch()
        at = f"sink = {sink}\ncredential = {secret[0].split('.')[0]}\n{more}"
        self.publish(desks[0], branch.policy_text(self.sink).replace(f"sink = file:{self.sink}", at)
                     .replace("quiet = 1s", f"quiet = {quiet}"))
        self.feed(desks[1], [checkout(300 + k) for k in range(5)])
        branch.all_hold(desks, 5, 10)
        for d in desks:
            wait_until(lambda d=d: at in d.cli("policy", "show").out, 10, "the policy")
            self.assertIn("credential_missing", branch.problem_codes(d))
            d.cli("credential", "set", secret[0], text=secret[1])
            self.assertNotIn("credential_missing", branch.problem_codes(d))
            wait_until(lambda d=d: d.status()["ledger"]["may_vote"], 10, f"{d.name} to vote")
        return desks

    def serve(self, *words):
        self.drop = self.home / "in"
        self.server = sample("httpdrop.py", "--dir", self.drop, "--token", "a token", *words)
        self.addCleanup(self.server.kill)
        return f"http://127.0.0.1:{self.server.port}/in/"

    def stored(self):
        return [r for r in read_ledger(self.drop / ".ledger") if r["effect"] == "stored"]

    def press(self, desk):
        """`upload run`, whatever becomes of that desk."""
        threading.Thread(target=self.upload, args=(desk,), kwargs={"check": False}, daemon=True).start()

    def delivered(self, desk):
        return wait_until(lambda: desk.upload_status()["state"] in ("delivered", "settled") and
                          desk.upload_status()["last"], 60, "it to be delivered")

    def test_a_lead_is_asked_what_a_silent_server_may_have_taken(self):
        desks = self.ready(self.serve("--eats", "--bad", "no-answer=1x"))
        self.press(desks[0])
        doubt = wait_until(lambda: desks[1].upload_status().get("doubt"), 30, "a lead to be asked")
        (row,) = self.stored()
        self.assertEqual((row["name"], row["sha256"]), (doubt["file"], doubt["sha256"]))
        slot = desks[0].upload_status()["slot"]
        desks[0].cli("upload", "decide", "--slot", str(slot), "--arrived", "yes", "--yes",
                     "--lead-passphrase-file", self.lead)
        self.assertEqual(row["name"], self.delivered(desks[1])["file"])
        self.assertEqual([row], self.stored())

    def test_the_uploader_is_killed_and_another_desk_sends_the_same_name(self):
        desks = self.ready("put:" + self.serve("--bad", "hangs-after=1x"), quiet="5s")
        self.press(desks[0])
        (row,) = wait_until(self.stored, 30, "the first file to be stored")
        sending = next((d for d in desks if branch.is_sending(d)), None)
        self.assertIsNotNone(sending)
        sending.kill9()
        other = next(d for d in desks if d is not sending)
        last = self.delivered(other)
        self.assertNotEqual(sending.name, last["desk"])
        self.assertEqual((row["name"], row["sha256"]), (last["file"], last["sha256"]))
        self.assertEqual([row], self.stored())
        self.another_desk_confirms([d for d in desks if d is not sending], self.drop / row["name"])

    def another_desk_confirms(self, desks, path):
        """A second voice looks over the network for itself, and sees what is there."""
        last = desks[0].upload_status()["last"]
        second = next(d for d in desks if d.name != last["desk"])
        words = ("upload", "confirm", "--slot", last["slot"], "--check")
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + b"?")
        self.assert_refused(second.cli(*words, check=False), 65, "not what the branch agreed")
        path.unlink()
        self.assert_refused(second.cli(*words, check=False), 1, "does not find")
        path.write_bytes(whole)
        second.cli(*words)
        self.assertEqual(second.name, second.cli("upload", "report", json=True)["confirmed"]["by"])

    def logins_refused(self):
        return [r for r in read_ledger(self.drop / ".ledger") if r["effect"] == "login refused"]

    def test_a_refused_login_stops_every_desk_until_the_secret_is_another(self):
        desks = self.ready("put:" + self.serve(), secret=("upload", "wrong"))
        refused = self.upload(desks[0], check=False)
        self.assertEqual(77, refused.rc, refused)
        self.assert_sentence(refused.err.splitlines()[-1],
                             r"refuses the login \(http 401\): put the credential upload right")
        for d in desks:
            said = wait_until(lambda d=d: d.upload_status()["error"] and d.upload_status(), 30, "all to know")
            self.assertEqual(("failed", "login_refused", 77),
                             (said["state"], said["error"]["code"], said["error"]["exit"]))
            self.assertIn("login_refused", branch.problem_codes(d))
        self.assertEqual(1, len(self.logins_refused()))
        desks[1].cli("credential", "set", "upload", text="a token")
        self.delivered(desks[2])
        self.assertEqual(1, len(self.stored()))
        self.assertEqual(1, len(self.logins_refused()))

    def test_a_server_that_is_not_there_is_waited_for_in_one_word(self):
        at = self.serve()
        port = at.split(":")[2].split("/")[0]
        self.server.kill()
        desks = self.ready("put:" + at)
        self.press(desks[0])
        waiting = [wait_until(lambda d=d: d.upload_status()["state"] == "waiting" and d, 60, "to wait")
                   for d in desks[:1]]
        said = waiting[0].cli("upload", "status").out
        self.assertRegex(said, r"waiting \(slot \d+\).*\n  why        the server cannot be reached")
        seen = set()
        for _ in range(40):  # six seconds: a try in vain is among them
            seen.add(desks[0].upload_status()["state"])
            time.sleep(0.15)
        self.assertEqual({"waiting"}, seen)
        self.server.port = int(port)
        self.server.start()
        self.delivered(desks[0])
        self.assertEqual(1, len(self.stored()))

    @unittest.skipUnless(os.path.exists(sinks.SSHD), "no sshd here: apt install openssh-server")
    def test_an_upload_over_ssh(self):
        sshd, folder = Sshd(self.home / "ssh"), self.home / "incoming"
        self.addCleanup(sshd.kill)
        folder.mkdir()
        desks = self.ready(f"sftp://{sshd.user}@127.0.0.1:{sshd.port}{folder}",
                           secret=("drop.key", (sshd.home / "user").read_text()),
                           more=f"host_key_sha256 = {sshd.fingerprint()}")
        self.assertEqual(0, self.upload(desks[0]).rc)
        last = desks[0].upload_status()["last"]
        (there,) = folder.iterdir()
        self.assertEqual((last["file"], last["sha256"]), (there.name, sha256(there)))
        self.publish(desks[0], branch.policy_text(self.sink))  # the next one goes elsewhere
        for d in desks:
            wait_until(lambda d=d: f"sink = file:{self.sink}" in d.cli("policy", "show").out, 10,
                       "the policy")
        self.another_desk_confirms(desks, there)


if __name__ == "__main__":
    unittest.main(verbosity=2)
