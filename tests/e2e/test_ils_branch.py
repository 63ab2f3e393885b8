#!/usr/bin/env python3
"""Whole branches that upload to Evergreen and Koha; what the sinks do by themselves is in
test_evergreen_sink.py and test_koha_sink.py."""
import collections
import random
import subprocess
import time
import unittest

import branch
from branch import checkout, wait_until
from ils import LONG, Server

ROUNDS = 50 if LONG else 1
SECTIONS = {
    "evergreen": "[evergreen]\norg = 4\nregistration = none\npatience = 2s\n",
    "koha": "[koha]\npending = no\n",
}


class Ils(branch.Case):
    def serve(self, name, *args):
        self.server = Server(self.home, name, *args)
        self.addCleanup(self.server.stop)

    def ready(self, scheme, fmt, per_desk=4):
        """Three desks, each with some loans, that can upload to the server."""
        desks = self.branch()
        sink = f"{scheme}:{self.server.url}"
        text = branch.policy_text(self.sink).replace(f"file:{self.sink}", f"{sink}\ncredential = ils")
        self.publish(desks[0], text.replace("format = symphony", f"format = {fmt}") + SECTIONS[fmt])
        for d in desks:
            wait_until(lambda d=d: sink in d.cli("policy", "show").out, 10, "the policy")
            d.cli("credential", "set", "ils", "user", text="tideover\n")
            d.cli("credential", "set", "ils", "password", text="secret\n")
            wait_until(lambda d=d: d.status()["ledger"]["may_vote"], 10, f"{d.name} to vote")
        self.records = []
        for i, d in enumerate(desks):
            lines = [checkout(100 + 50 * i + k) for k in range(per_desk)]
            self.records += [(id_, line["item"]) for id_, line in zip(self.feed(d, lines), lines)]
        branch.all_hold(desks, len(self.records), 10)
        return desks

    def stop(self):
        for d in self.desks:
            d.kill9()
        self.server.stop()

    def press(self, desk):
        run = subprocess.Popen(
            [str(branch.BINARY), "upload", "run", "--state", str(desk.state), "--yes",
             "--lead-passphrase-file", str(self.lead)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (run.kill(), run.wait()))

    def booked(self):
        """How often each item was booked."""
        return collections.Counter(e["item"] for e in self.server.effects())

    def kill_the_uploader(self, desks, dice):
        """Somewhere on its way, which the server makes long enough to be met; the desks that are left."""
        self.press(desks[0])
        sending = wait_until(lambda: next((d for d in desks if branch.is_sending(d)), None), 30,
                             "a desk to send")
        time.sleep(dice.uniform(0, 1))
        sending.kill9()
        return [d for d in desks if d is not sending]

    def refused(self, desk, words):
        """The one record of an item that the server does not know, as any desk shows it."""
        def shown():
            return desk.cli("upload", "exceptions", json=True)["exceptions"]
        (one,) = wait_until(shown, 10, "the answers to come here")
        want = next(id_ for id_, item in self.records if item == branch.item(101))
        self.assertEqual((want, "refused", branch.item(101)), (one["id"], one["answer"], one["item"]))
        self.assertIn(words, one["words"])

    def finished(self, desks):
        """Delivered; a lead who is asked looks at the server, and tells the truth."""
        def done():
            status = desks[0].upload_status()
            if status.get("doubt"):
                desks[0].cli("upload", "decide", "--slot", str(status["doubt"]["slot"]), "--arrived",
                             "yes" if self.server.effects() else "no", "--yes",
                             "--lead-passphrase-file", self.lead, check=False)
            return status["state"] in ("delivered", "settled") and status["last"]
        return wait_until(done, 90, "it to be delivered")


class Evergreen(Ils):
    def test_a_day_is_booked_and_what_was_refused_is_known(self):
        self.serve("evergreen", "--unknown", branch.item(101))
        desks = self.ready("evergreen", "evergreen")
        self.assertEqual(0, self.upload(desks[0]).rc)
        want = {item: 1 for _, item in self.records if item != branch.item(101)}
        self.assertEqual(want, dict(self.booked()))
        self.assertEqual({id_ for id_, item in self.records if item != branch.item(101)},
                         {e["id"] for e in self.server.effects()})
        self.assertIn("12 lines, 1 of them answered apart", self.finished(desks[1:])["file"])
        self.refused(desks[2], "ASSET_COPY_NOT_FOUND")
        self.assertIn("Nothing to upload", self.upload(desks[2]).out)
        self.assertEqual(want, dict(self.booked()))

    def test_whoever_dies_each_record_is_booked_once(self):
        for round_ in range(ROUNDS):
            with self.subTest(round=round_):
                self.home, dice = branch.work_dir(), random.Random(round_)
                self.serve("evergreen", "--work", dice.choice(["0.1", "0.3"]), "--start-delay",
                           dice.choice(["0", "0.5"]), "--lose", dice.choice(["load=1", "execute=1"]))
                desks = self.ready("evergreen", "evergreen")
                self.finished(self.kill_the_uploader(desks, dice))
                wait_until(lambda: len(self.server.effects()) == len(self.records), 10, "the last one")
                self.assertEqual({item: 1 for _, item in self.records}, dict(self.booked()))
                self.stop()


class Koha(Ils):
    def test_a_day_is_booked_and_what_was_refused_is_known(self):
        self.serve("koha", "--csrf", "--unknown", branch.item(101))
        desks = self.ready("koha", "koha", 2)
        self.assertEqual(0, self.upload(desks[0]).rc)
        want = {item: 1 for _, item in self.records if item != branch.item(101)}
        self.assertEqual(want, dict(self.booked()))
        self.assertIn("6 rows told to Koha", self.finished(desks[1:])["file"])
        self.refused(desks[2], "Barcode not found.")

    def test_whoever_dies_no_row_is_booked_twice_and_one_at_most_is_in_doubt(self):
        for round_ in range(ROUNDS):
            scheme = ("koha", "koha-plugin")[round_ % 2]
            with self.subTest(round=round_, scheme=scheme):
                self.home, dice = branch.work_dir(), random.Random(round_)
                self.serve("koha", "--slow", dice.choice(["0.2", "0.5"]))
                desks = self.ready(scheme, "koha")
                left = self.kill_the_uploader(desks, dice)
                self.finished(left)
                booked = self.booked()
                self.assertEqual({1}, set(booked.values()))
                missing = {item for _, item in self.records} - set(booked)
                doubts = wait_until(lambda: left[0].cli("upload", "exceptions", json=True)["known"] and
                                    left[0].cli("upload", "exceptions", json=True), 10, "the answers")
                doubts = {e["item"] for e in doubts["exceptions"] if e["answer"] == "in_doubt"}
                self.assertLessEqual(len(doubts), 1)
                self.assertLessEqual(missing, doubts)
                self.stop()


if __name__ == "__main__":
    unittest.main()
