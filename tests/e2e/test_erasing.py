#!/usr/bin/env python3
"""Erasing: what is uploaded, confirmed and kept long enough is gone from every desk, also from
copies made before; what is held or not uploaded lives on."""
import shutil
import unittest

import branch
import thief
from branch import Desk, all_hold, checkout, held, item, user, wait_until

KEEP_NOTHING = "[keep]\nafter_upload = 0\n"


def packed(barcode):
    return barcode.encode()


class Erasing(branch.Case):
    def ready(self):
        desks = self.branch()
        policy = branch.policy_text(self.sink) + KEEP_NOTHING
        self.publish(desks[0], policy)
        self.sent = [checkout(100 + k) for k in range(9)]
        for i, d in enumerate(desks):
            self.feed(d, self.sent[3 * i:3 * i + 3])
        self.kept = {"op": "discharge", "item": item(700), "key": f"{1:032x}"}  # held by the policy
        (self.kept_id,) = self.feed(desks[1], [self.kept])
        all_hold(desks, 10, 10)
        for d in desks:
            wait_until(lambda d=d: d.status()["ledger"]["may_vote"], 10, f"{d.name} to vote")
        return desks

    def slot_of_upload(self, desk):
        return desk.upload_status()["last"]["slot"]

    def erasing(self, desk):
        return desk.cli("erase", json=True)

    def all_erased(self, desks, slot):
        for d in desks:
            def gone(d=d):
                e = self.erasing(d)
                return e["readable_from"] > slot and not e["dropping_keys"]
            wait_until(gone, 40, f"{d.name} to erase upload {slot}")

    def copy(self, desk):
        to = self.home / f"copy-of-{desk.name}"
        shutil.copytree(desk.state, to)
        return to

    def assert_loot(self, text, there, gone):
        """What a thief read: these numbers, and none of those."""
        self.assertEqual([], [x for x in there if x not in text])
        self.assertEqual([], [x for x in gone if x in text])

    def test_nothing_goes_without_a_second_voice_and_then_old_copies_do_not_open(self):
        one, two, three = desks = self.ready()
        self.upload(one)
        slot = self.slot_of_upload(one)
        for d in desks:
            wait_until(lambda d=d: d.upload_status()["state"] in ("delivered", "settled"), 15, "all to know")
        self.assertIsNone(self.erasing(two)["uploads"][-1]["due"], "nobody confirmed it")
        for d in desks:
            self.assertEqual(10, held(d))
        three.kill9()  # what it saved last stands in its journal alone
        copy = self.copy(three)
        then = thief.desk_key(copy)
        everything = [packed(x["item"]) for x in self.sent + [self.kept]]
        self.assert_loot(thief.loot(then, copy), everything, [])
        three.start()
        self.all_online(desks)
        said = one.cli("upload", "confirm", "--slot", slot, "--check", check=False)
        self.assertNotEqual(0, said.rc)
        self.assert_sentence(said.err, "second voice")
        two.cli("upload", "confirm", "--slot", slot, "--check")
        self.all_erased(desks, slot)
        for d in desks:
            self.assertEqual(0, held(d))
            self.assertEqual(1, d.status()["records"]["set_aside"], "the held discharge lives on")
            self.assertTrue(d.cli("log", "verify", json=True)["ok"])
            self.assertEqual([], list(d.state.glob("uploads/*")), "digests of its lines")
        report = one.cli("upload", "report", "--slot", slot, check=False)
        self.assertIn("erased", report.out + report.err)

        for d in desks:
            d.stop()
        for x in self.sent + [self.kept]:
            for path in list(three.state.rglob("*")) + list(copy.rglob("*")):
                if path.is_file():
                    self.assertNotIn(packed(x["item"]), path.read_bytes(), path)
        today = thief.desk_key(three.state)
        self.assert_loot(thief.loot(today, three.state, copy), [packed(self.kept["item"])],
                         [packed(x[k]) for x in self.sent for k in ("item", "user")])
        shutil.copy(three.state / "desk.key", copy / "desk.key")  # and with the program
        other = self.own(Desk(copy, name="THIEF", binary=branch.BINARY))
        other.start()
        self.assertEqual(0, held(other))
        self.assertEqual([], branch.log_list(other))
        other.kill9()
        self.assertIn("another desk key", (copy.parent / f"{copy.name}.err").read_text())
        for d in desks:
            d.start()
        self.all_online(desks)
        self.feed(one, [checkout(800)])  # and the branch goes on
        for d in desks:
            wait_until(lambda d=d: held(d) == 1, 10, f"{d.name} to hold the new record")

    def test_a_desk_back_after_months_takes_floors_and_offers_its_own(self):
        one, two, three = desks = self.ready()
        three.stop()
        self.feed(one, [checkout(300 + k) for k in range(5)])
        self.upload(one)
        slot = self.slot_of_upload(one)
        one.cli("upload", "confirm", "--slot", slot, "--lead-passphrase-file", self.lead)
        self.all_erased([one, two], slot)
        three.start()
        self.feed(three, [checkout(900, user=user(5))])
        self.all_online(desks)
        for d in desks:
            wait_until(lambda d=d: d.status()["records"]["pending"] == 1, 20, f"{d.name} to see it")
            wait_until(lambda d=d: held(d) == 1, 20, f"{d.name} to hold just that")
        wait_until(lambda: three.status()["ledger"]["may_vote"], 15, "the desk to vote again")
        self.upload(one)

    def test_what_a_lead_settled_by_hand_is_kept_no_longer(self):
        one, two, three = desks = self.ready()
        self.upload(one)
        slot = self.slot_of_upload(one)
        two.cli("upload", "confirm", "--slot", slot, "--check")
        self.all_erased(desks, slot)
        two.cli("upload", "done", "--slot", slot, "--lead-passphrase-file", self.lead, check=False)
        one.cli("upload", "done", "--slot", slot, "--lead-passphrase-file", self.lead)
        for d in desks:
            wait_until(lambda d=d: d.status()["records"]["set_aside"] == 0, 15, "it to be settled")


if __name__ == "__main__":
    unittest.main()
