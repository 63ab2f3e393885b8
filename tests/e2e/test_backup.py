#!/usr/bin/env python3
"""A desk's keys in a drawer: backup, restore on a new PC, and an old PC that still runs."""
import shutil
import unittest

import branch
from branch import wait_until


class Backup(branch.Case):
    """A PC is replaced by another one."""

    def backup(self, desk):
        """The file, and the file with its passphrase."""
        out, words = self.home / "desk.backup", self.home / "words"
        said = desk.cli("backup", out, "--backup-passphrase-file", words)
        self.assertIn("no records", said.out)
        self.assertEqual([0o600, 0o600], [p.stat().st_mode & 0o777 for p in (out, words)])
        return out, words

    def restored(self, name, out, words, check=True):
        new = self.desk(name, self.home / "new-pc" / name.lower())
        new.state.parent.mkdir(exist_ok=True)
        self.said = new.cli("restore", out, "--backup-passphrase-file", words, "--listen",
                            f"127.0.0.1:{new.port}", "--web", f"127.0.0.1:{new.web_port}",
                            check=check)
        return new

    def test_a_dead_pc_comes_back_on_a_new_one_with_its_records_and_without_a_vote(self):
        first, second, third = self.branch()
        first.cli("role", "MAIN-2", "lead", "--lead-passphrase-file", self.lead)
        self.feed(first, branch.checkouts(1, 4))
        out, words = self.backup(first)
        self.feed(first, branch.checkouts(5, 2))
        branch.all_hold([second, third], 6, 10)
        first.kill9()  # and its disk is gone
        new = self.restored("MAIN-1", out, words)
        self.assertEqual(1, len(branch.four_words(self.said)))
        self.assertIn("no vote", self.said.out)
        new.start()
        self.all_online([new, second, third])
        branch.all_hold([new], 6, 20)
        self.assertIn("memory_lost", branch.problem_codes(new))
        ids = self.feed(new, branch.checkouts(7, 1))
        branch.all_hold([second, third], 7, 10)
        self.assertTrue(ids[0].startswith("MAIN-1/"))
        wait_until(lambda: "peer_memory_lost" in branch.problem_codes(second), 10,
                   "MAIN-2 to know that it lost its memory")
        self.assertTrue((new.state / "lead.key").exists())
        self.assert_refused(self.upload(new, check=False), 65, "lost its memory")
        wait_until(lambda: (second.state / "lead.key").exists(), 15, "MAIN-2 to get the lead key")
        self.assertEqual(0, self.upload(second).rc)
        self.assertEqual(7, second.upload_status()["last"]["records"])
        self.assertNotIn("peer_cloned", branch.problem_codes(second))

    def test_a_branchs_only_pc_is_lost_and_its_key_signs_again(self):
        one = self.branch(("MAIN-1",))[0]
        shown = one.cli("key", "show").out
        self.assertRegex(shown, r"(?s)Branch     MAIN, branch key (\w+[ -]){3}\w+\n.*Backup     never made")
        out = self.home / "stick"
        words = self.home / "words"
        one.cli("key", "backup", out, "--backup-passphrase-file", words)
        was = one.cli("key", "show", json=True)
        self.assertIsNotNone(was["backup"])
        one.kill9()
        shutil.rmtree(one.state)
        new = self.restored("MAIN-1", out, words)
        new.start()
        now = new.cli("key", "show", json=True)
        for same in "branch", "branch_key", "desk", "id", "desk_key", "lead_key":
            self.assertEqual(was[same], now[same])
        self.assertTrue(now["lead_key"])
        before = new.cli("roster", "log").out.count("\n")
        self.publish(new, branch.policy_text(self.sink))
        self.assertEqual(before + 1, new.cli("roster", "log").out.count("\n"))
        self.feed(new, branch.checkouts(1, 2))
        new.cli("log", "verify")

    def test_a_lead_gives_a_restored_desk_its_vote_back(self):
        first, second, third = self.branch()
        first.cli("role", "MAIN-2", "lead", "--lead-passphrase-file", self.lead)
        self.feed(first, branch.checkouts(1, 4))
        self.assertEqual(0, self.upload(first).rc)  # three seats are decided before it
        out, words = self.backup(first)
        wait_until(lambda: (second.state / "lead.key").exists(), 15, "MAIN-2 to get the lead key")
        self.assert_refused(self.give_back(second, "KIDS-1", check=False), 65, "has not lost")
        first.kill9()
        new = self.restored("MAIN-1", out, words)
        new.start()
        wait_until(lambda: "vote_restorable" in branch.problem_codes(new), 20,
                   "the new PC to have the records of the old one")
        wait_until(lambda: self.give_back(second, "MAIN-1", check=False).rc == 0, 20,
                   "MAIN-2 to know that")
        wait_until(lambda: not {"memory_lost", "vote_waits"} & branch.problem_codes(new), 20,
                   "MAIN-1 to have its vote back")
        wait_until(lambda: "peer_memory_lost" not in branch.problem_codes(second), 10,
                   "MAIN-2 to know that it has")
        third.stop()
        self.feed(new, branch.checkouts(5, 1))
        branch.all_hold([second], 5, 10)
        self.assertEqual(0, self.upload(second).rc)  # with MAIN-1's vote, or not at all
        self.assertEqual(1, second.upload_status()["last"]["records"])

    def give_back(self, desk, name, check=True):
        return desk.cli("restore-seat", name, "--lead-passphrase-file", self.lead, check=check)

    def test_when_the_old_pc_still_runs_the_others_say_so(self):
        first, second, third = self.branch()
        out, words = self.backup(third)
        new = self.restored("KIDS-1", out, words)
        new.start()
        wait_until(lambda: "peer_cloned" in branch.problem_codes(first), 60,
                   "MAIN-1 to notice two PCs")
        wait_until(lambda: "memory_lost" in branch.problem_codes(third), 20,
                   "the old PC to give its vote up")
        third.stop()
        wait_until(lambda: "peer_cloned" not in branch.problem_codes(first), 60, "one PC again")

    def test_wrong_passphrases_and_damaged_files_restore_nothing(self):
        first = self.branch(("MAIN-1",))[0]
        out, words = self.backup(first)
        wrong = branch.write_secret(self.home / "wrong", "not the passphrase at all")
        new = self.restored("A", out, wrong, check=False)
        self.assert_refused(self.said, 77, "not this backup's passphrase")
        bent = self.home / "bent"
        bent.write_bytes(out.read_bytes()[:-1] + b"x")
        self.restored("A", bent, words, check=False)
        self.assert_refused(self.said, 77, "file was changed")
        self.restored("A", self.lead, words, check=False)
        self.assert_refused(self.said, 65, "no backup")
        self.assertEqual([], list(new.state.parent.iterdir()))
        self.assert_refused(first.cli("restore", out, "--backup-passphrase-file", words,
                                      check=False), 73, "not empty")
        self.assert_refused(first.cli("backup", out, "--backup-passphrase-file", words,
                                      check=False), 73, "already")


if __name__ == "__main__":
    unittest.main(verbosity=2)
