#!/usr/bin/env python3
"""SFTP against OpenSSH's own server: pinned, written aside, read back, gone on with after a cut."""
import os
import random
import subprocess
import time
import unittest

import branch
import sinks
from branch import sha256
from sinks import LONG, Desk, Sshd, Wire

NAME = "MAIN-20260105-e0-s{:06d}-1a2b3c4d.log"


@unittest.skipUnless(os.path.exists(sinks.SSHD), "no sshd here: apt install openssh-server")
class Sftp(branch.Case):
    def setUp(self):
        super().setUp()
        self.folder = self.home / "incoming"
        self.folder.mkdir()
        self.sshd = Sshd(self.home / "ssh")
        self.addCleanup(self.sshd.kill)
        self.desk_ = Desk(self.home / "desk")
        self.slot = 0
        self.login("user")
        self.use()

    def login(self, key):
        self.desk_.credential("drop.key", (self.sshd.home / key).read_text())

    def use(self, folder=None, port=None, **more):
        self.desk_.use(f"sftp://{self.sshd.user}@127.0.0.1:{port or self.sshd.port}{folder or self.folder}",
                       **{"credential": "drop", "host_key_sha256": self.sshd.fingerprint(), **more})

    def payload(self, n=400):
        self.slot += 1
        path = self.home / f"payload-{self.slot}"
        path.write_bytes(b"".join(b"line %d of %d\n" % (i, self.slot) for i in range(n)))
        return NAME.format(self.slot), path

    def assert_there(self, name, path):
        """Whole, for its owner alone, and nothing of ours beside it."""
        self.assertEqual(sha256(path), sha256(self.folder / name))
        self.assertEqual(0o600, (self.folder / name).stat().st_mode & 0o777)
        self.assertEqual([], [p.name for p in self.folder.iterdir() if p.name.startswith("." + name)])

    def asides(self):
        return sorted(p for p in self.folder.iterdir() if p.name.startswith("."))

    # -- it arrives ----------------------------------------------------------------------------

    def test_it_arrives_once_and_a_repetition_changes_nothing(self):
        name, path = self.payload()
        self.assertEqual(("done", name), self.desk_.hand_over(name, path))
        self.assert_there(name, path)
        before = (self.folder / name).stat()
        self.assertEqual(("done", name), self.desk_.hand_over(name, path))
        after = (self.folder / name).stat()
        self.assertEqual((before.st_ino, before.st_mtime_ns), (after.st_ino, after.st_mtime_ns))
        name, path = self.payload(0)
        self.assertEqual(("done", name), self.desk_.hand_over(name, path), "an empty file is a file")
        self.assert_there(name, path)

    def test_what_stands_there_is_never_overwritten(self):
        name, path = self.payload()
        for other in ("x", path.read_text()[:-1], path.read_text() + "x"):
            (self.folder / name).write_text(other)
            said, words = self.desk_.hand_over(name, path)
            self.assertEqual("stop", said)
            self.assertIn("other content", words)
            self.assertEqual(other, (self.folder / name).read_text())

    # -- who and where -------------------------------------------------------------------------

    def test_another_host_key_gets_nothing(self):
        name, path = self.payload()
        right = self.sshd.fingerprint()
        self.use(host_key_sha256=right[:-1] + ("A" if right[-1] != "A" else "E"))
        said, words = self.desk_.hand_over(name, path)
        self.assertEqual("stop", said)
        self.assertIn(right, words)
        self.assertEqual([], list(self.folder.iterdir()))

    def test_a_wrong_key_or_folder_is_said_in_words(self):
        name, path = self.payload()
        self.sshd.let_in("other")
        said, words = self.desk_.hand_over(name, path)
        self.assertEqual("denied", said)
        self.assertIn("refuses the login", words)
        self.login("other")
        self.use(folder=self.home / "nowhere")
        said, words = self.desk_.hand_over(name, path)
        self.assertEqual("retry", said)
        self.assertIn("no folder", words)
        self.sshd.kill()
        said, words = self.desk_.hand_over(name, path)
        self.assertEqual("retry", said)
        self.assertIn("cannot be reached", words)

    @unittest.skipUnless(os.geteuid() == 0, "another /etc/shadow needs root")
    def test_a_password_where_there_is_no_key_and_a_wrong_one_is_not_tried_again(self):
        self.sshd = Sshd(self.home / "by_password", password="two words")
        self.addCleanup(self.sshd.kill)
        self.desk_ = Desk(self.home / "another")
        self.use()
        name, path = self.payload()
        said, words = self.desk_.hand_over(name, path)
        self.assertEqual("retry", said)
        self.assertIn("this desk has neither drop.key nor drop.password", words)
        self.desk_.credential("drop.password", "two words, wrong")
        said, words = self.desk_.hand_over(name, path)
        self.assertEqual("denied", said)
        self.assertIn("refuses the login: put the credential drop.password right", words)
        self.assertNotIn("two words", words)
        self.assertEqual(["password"], self.sshd.failed_logins())
        self.assertEqual([], list(self.folder.iterdir()))
        self.desk_.credential("drop.password", "two words")
        self.assertEqual(("done", name), self.desk_.hand_over(name, path))
        self.assert_there(name, path)
        self.assertEqual(["password"], self.sshd.failed_logins())

    # -- cut, full, killed ---------------------------------------------------------------------

    def test_after_a_cut_it_goes_on_where_it_was(self):
        wire = Wire(self.sshd.port)
        self.addCleanup(wire.close)
        self.use(port=wire.port)
        name, path = self.payload(200_000)
        size = path.stat().st_size
        wire.cut_after = 2 * size // 3
        self.assertEqual("retry", self.desk_.hand_over(name, path)[0])
        (aside,) = self.asides()
        arrived = aside.stat().st_size
        self.assertTrue(0 < arrived < size, arrived)
        self.assertEqual(path.read_bytes()[:arrived], aside.read_bytes())
        wire.cut_after = None
        self.assertEqual("done", self.desk_.hand_over(name, path)[0])
        self.assertLess(wire.passed, size - arrived + 100_000)
        self.assert_there(name, path)

    def test_a_beginning_that_is_not_ours_is_begun_anew(self):
        name, path = self.payload()
        aside = self.folder / f".{name}.{self.desk_.writer.split('-')[0]}.part"
        for wrong in (b"?" * 100, path.read_bytes() + b"more"):
            aside.write_bytes(wrong)
            said = self.desk_.until_done(name, path)
            self.assertEqual(["retry", "done"], [s for s, _ in said])
            self.assert_there(name, path)
            (self.folder / name).unlink()

    def test_a_full_disk_there_is_tried_again_and_leaves_no_half_file(self):
        small = self.home / "small"
        small.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tideover-test", small],
                          capture_output=True).returncode != 0:
            self.skipTest("no tmpfs")
        self.addCleanup(subprocess.run, ["umount", "-l", small], check=True)
        self.use(folder=small)
        name, path = self.payload(8_000)
        said, words = self.desk_.hand_over(name, path)
        self.assertEqual("retry", said, words)
        self.assertFalse((small / name).exists())
        subprocess.run(["mount", "-o", "remount,size=1m", small], check=True)
        self.desk_.until_done(name, path)
        self.folder = small
        self.assert_there(name, path)

    def test_killed_at_any_moment_it_is_there_once_and_whole(self):
        seed = random.randrange(1 << 30)
        dice = random.Random(seed)
        for n in range(50 if LONG else 8):
            with self.subTest(round=n, seed=seed):
                name, path = self.payload(100_000)
                for _ in range(dice.randrange(1, 3)):
                    run = self.desk_.begin("deliver", name, path)
                    time.sleep(dice.random() * 0.3)
                    run.kill()
                    run.communicate()
                    if (self.folder / name).exists():
                        self.assertEqual(sha256(path), sha256(self.folder / name))
                successor = Desk(self.home / "successor", 2)
                successor.policy.write_bytes(self.desk_.policy.read_bytes())
                successor.credential("drop.key", (self.sshd.home / "user").read_text())
                successor.until_done(name, path)
                self.assertEqual(sha256(path), sha256(self.folder / name))
                self.desk_.until_done(name, path)
                self.assert_there(name, path)

    def test_two_desks_at_once_give_the_name_once(self):
        for _ in range(5):
            name, path = self.payload(20_000)
            two = Desk(self.home / "two", 2)
            two.policy.write_bytes(self.desk_.policy.read_bytes())
            two.credential("drop.key", (self.sshd.home / "user").read_text())
            runs = [d.begin("deliver", name, path) for d in (self.desk_, two)]
            said = [r.communicate(timeout=60)[0].split(" ")[0] for r in runs]
            self.assertEqual(["done", "done"], said)
            self.assert_there(name, path)


if __name__ == "__main__":
    unittest.main(verbosity=2)
