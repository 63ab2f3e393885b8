#!/usr/bin/env python3
"""A damaged store: found before LMDB dies of it, moved aside, made anew from the other desks."""
import collections
import mmap
import os
import random
import shutil
import unittest

import fault
import branch
from branch import wait_until

FLIPS = 400 if fault.LONG else 26
PAGE = mmap.PAGESIZE


def flip(path, at, mask=None):
    with open(path, "r+b") as f:
        f.seek(at)
        old = f.read(1)[0]
        f.seek(at)
        f.write(bytes([old ^ (mask or 0x10)]))


def overwrite(path, at, data):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(data)


def swap_pages(path, a, b):
    with open(path, "r+b") as f:
        pages = []
        for n in (a, b):
            f.seek(n * PAGE)
            pages.append(f.read(PAGE))
        for n, page in zip((b, a), pages):
            f.seek(n * PAGE)
            f.write(page)


class Damage(fault.Case):
    def setUp(self):
        super().setUp()
        self.dice = random.Random(fault.SEED)
        self.branch()
        self.victim = self.desks[2]
        self.counts = collections.Counter()

    @property
    def data(self):
        return self.victim.state / "store" / "data.mdb"

    def aside(self):
        return sorted(p.name for p in self.victim.state.iterdir() if ".damaged-" in p.name)

    def begun_anew(self):
        return self.victim.log().count("begins with an empty store")

    def fill(self):
        """Records of every desk, a few feeds, an upload: every table has something in it."""
        n = 0
        for round_ in range(2):
            for d in self.desks:
                lines = branch.checkouts(n, 120)
                lines[5]["at"] = "2026-01-05T12:00:05-05:00"
                lines.append({"op": "user", "user": branch.user(9000 + n), "last": "Novak",
                              "key": f"{n + 1:032x}"})
                ids = self.feed(d, lines)
                self.feed(d, [{"op": "void", "id": ids[0], "key": f"{n + 2:032x}"}])
                n += 122
            branch.all_hold(self.desks, n, 10)
            if round_ == 0:
                self.all_may_vote(self.desks)
                self.upload(self.desks[0])
                self.victim.stop()
                self.victim.start()
        self.expected = fault.listed(self.desks[0])

    def whole_again(self):
        """The victim shows what the others show, seals and signatures are right, and it takes
        records."""
        def shows_all():
            try:
                return fault.listed(self.victim) == self.expected
            except fault.NOT_NOW:
                self.assertIsNone(self.victim.node.poll(), "the node ended")
                return False  # it is beginning anew
        wait_until(shows_all, 20, "the victim to show what the others show")
        self.assertEqual([], self.victim.cli("log", "verify", json=True)["problems"])

    def damaged(self, name, do, orderly):
        """Stops the desk, does it, starts it."""
        before = self.begun_anew()
        if orderly:
            self.victim.stop()
        else:
            self.victim.kill9()
        do()
        self.victim.start()
        self.whole_again()
        noticed = self.begun_anew() > before
        self.counts["noticed" if noticed else "harmless"] += 1
        if noticed:
            codes = branch.problem_codes(self.victim)
            self.assertIn("memory_lost", codes, name)
        return noticed

    def size(self):
        return self.data.stat().st_size

    def whole_file_damages(self):
        pages = self.size() // PAGE
        yield from ((f"cut to {n}", lambda n=n: os.truncate(self.data, min(n, self.size())))
                    for n in (0, 1, 100, PAGE, 2 * PAGE, 5 * PAGE + 17))
        yield "cut in half", lambda: os.truncate(self.data, self.size() // 2)
        yield "cut by a page", lambda: os.truncate(self.data, self.size() - PAGE)
        yield "no data.mdb", self.data.unlink
        yield "no folder", lambda: shutil.rmtree(self.data.parent)
        yield "both meta pages empty", lambda: overwrite(self.data, 0, bytes(2 * PAGE))
        yield "noise in all pages", lambda: overwrite(
            self.data, 2 * PAGE, self.dice.randbytes((pages - 2) * PAGE))
        yield "half a page torn everywhere", lambda: [
            overwrite(self.data, p * PAGE + PAGE // 2, bytes(PAGE // 2)) for p in range(2, pages)]
        yield "pages in each other's place", lambda: [
            swap_pages(self.data, p, p + 1) for p in range(2, pages - 2, 2)]
        yield "no journal", (self.data.parent / "journal").unlink
        yield "journal cut", lambda: os.truncate(self.data.parent / "journal", PAGE)
        yield "periods bent", lambda: flip(self.victim.state / "periods", 60)
        yield "no periods", (self.victim.state / "periods").unlink
        yield "periods and data bent", lambda: (flip(self.victim.state / "periods", 40),
                                                os.truncate(self.data, PAGE))

    def test_every_damage_is_survived(self):
        self.fill()
        for i, (name, do) in enumerate(self.whole_file_damages()):
            with self.subTest(name):
                noticed = self.damaged(name, do, i % 2 == 0)
                if name != "cut by a page":  # the last one may be free
                    self.assertTrue(noticed, f"{name}: not noticed")
        for i in range(FLIPS):
            pages = self.size() // PAGE
            meta = i % 4 == 0  # a meta page is a hundred bytes
            at = (self.dice.randrange(2) * PAGE + self.dice.randrange(16, 152) if meta else
                  self.dice.randrange(2 * PAGE, pages * PAGE))
            mask = 1 << self.dice.randrange(8)
            with self.subTest(f"bit {mask:#x} of byte {at}"):
                self.damaged("flip", lambda at=at, mask=mask: flip(self.data, at, mask), i % 2 == 0)
        self.assertIn("store_damaged", branch.problem_codes(self.victim))
        new = self.feed(self.victim, branch.checkouts(50_000, 3))
        self.expected = fault.listed(self.victim)
        self.whole_again()
        wait_until(lambda: set(new) <= {r["id"] for r in fault.listed(self.desks[0])}, 15,
                   "what was recorded last to reach MAIN-1")
        fault.report(f"damages {sum(self.counts.values())}, noticed and made anew "
                     f"{self.counts['noticed']}, without effect {self.counts['harmless']}, "
                     f"acknowledged {len(self.expected)}, all present; seed {fault.SEED}")

    def test_damage_under_a_running_node(self):
        """Bits turn while it runs. It notices what it reads, by itself or by dying of it."""
        self.fill()
        for p in range(2, self.size() // PAGE):
            flip(self.data, p * PAGE + PAGE - 200)
        try:
            fault.listed(self.victim)
        except (AssertionError, ValueError, *fault.NOT_NOW):
            pass  # it may say that it cannot read, or be gone
        wait_until(lambda: self.aside() or self.victim.node.poll() is not None, 20,
                   "it to notice, or to die")
        self.victim.start()
        self.assertTrue(self.aside())
        self.whole_again()

    def test_alone_with_a_damaged_store_a_desk_goes_on_recording(self):
        """Nobody is there to ask. It says so, takes records, and gets the rest back later."""
        self.fill()
        for d in self.desks:
            d.kill9()
        overwrite(self.data, 0, bytes(2 * PAGE))
        self.victim.start()
        self.assertIn("store_damaged", branch.problem_codes(self.victim))
        new = self.feed(self.victim, branch.checkouts(60_000, 5))
        self.assertFalse(self.victim.status()["ledger"]["may_vote"])
        self.settle(self.desks)
        for d in self.desks:
            ids = [r["id"] for r in fault.listed(d)]
            self.assertEqual(len(ids), len(set(ids)))
            self.assertEqual(len(self.expected) + 5, len(ids))
            self.assertEqual(5, sum(r.get("item") in {branch.item(60_000 + k) for k in range(5)}
                                    for r in fault.listed(d)), new)

    def test_the_only_desk_of_a_branch_begins_anew_and_may_upload(self):
        """Nobody else remembers anything; what it had is in the store that was moved aside."""
        home = self.home / "alone"
        home.mkdir()
        one = self.desk("ONLY-1", home / "only-1")
        policy = home / "policy.ini"
        policy.write_text(branch.policy_text(self.sink, ["ONLY-1"]), encoding="utf-8")
        lead = branch.write_secret(home / "lead", branch.PASSPHRASE)
        one.init("MAIN", policy=policy, passphrase_file=lead)
        one.start()
        self.feed(one, branch.checkouts(0, 3))
        wait_until((one.state / "roster").exists, 5, "the spare roster")
        one.kill9()
        os.truncate(one.state / "store" / "data.mdb", PAGE)
        one.start()
        self.assertEqual({"store_damaged", "root_key_here"}, branch.problem_codes(one))
        self.feed(one, branch.checkouts(10, 2))
        wait_until(lambda: one.status()["ledger"]["may_vote"], 20, "its vote")
        one.cli("upload", "run", "--yes", "--lead-passphrase-file", lead)
        self.assertEqual({branch.item(10), branch.item(11)}, set(fault.Effects(self.sink).loans))

    def test_a_bent_spare_roster_is_written_anew(self):
        (self.victim.state / "roster").write_bytes(b"noise")
        self.victim.stop()
        self.victim.start()
        wait_until(lambda: (self.victim.state / "roster").stat().st_size > 100, 5, "a new one")
        self.assertEqual([], self.aside())

    def test_store_and_spare_roster_both_gone_is_said(self):
        self.victim.stop()
        os.truncate(self.data, 2 * PAGE)
        flip(self.victim.state / "roster", 50)
        with self.assertRaises(branch.drive.CliError) as caught:
            self.victim.start()
        self.assertIn("let this desk join again", caught.exception.text)
        self.assertEqual([], self.aside(), "nothing was moved")
        flip(self.victim.state / "roster", 50)
        self.victim.start()
        self.assertEqual(1, len(self.aside()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
