#!/usr/bin/env python3
"""Founding a branch and joining it, with every way in which that is refused."""
import threading
import time
import unittest

import branch
from branch import PASSPHRASE, wait_until


class Joining(branch.Case):
    """One desk that invites, founded once for all tests here."""

    @classmethod
    def setUpClass(cls):
        cls.place = branch.work_dir()
        cls.lead = branch.write_secret(cls.place / "lead", PASSPHRASE)
        cls.first = branch.Desk(cls.place / "main-1", name="MAIN-1", binary=branch.BINARY)
        cls.addClassCleanup(cls.first.kill9)
        cls.founded = cls.first.init("MAIN", passphrase_file=cls.lead)
        cls.first.start()
        cls.names = (f"D-{n}" for n in range(1, 1000))

    def invite(self, name=None, **more):
        return self.first.invite(name or next(self.names), passphrase_file=self.lead, **more)

    def desks(self):
        return {p["name"]: p["roles"] for p in self.first.peers()}

    def assert_no_trace(self, desk):
        """Neither the state directory nor one made aside."""
        self.assertFalse(desk.state.exists())
        self.assertEqual([], [p.name for p in desk.state.parent.iterdir() if p.is_dir()])

    def test_both_screens_and_the_founding_show_the_same_four_words(self):
        said = self.invite()
        desk = self.desk("X")
        joined = desk.join(said.out.strip())
        words = branch.four_words(self.founded)
        self.assertEqual(1, len(words), self.founded)
        self.assertEqual(words, branch.four_words(said))
        self.assertEqual(words, branch.four_words(joined))

    def test_the_code_stands_alone_on_stdout(self):
        said = self.invite()
        self.assertRegex(said.out, r"\A[0-9A-Z]{4}(-[0-9A-Z]{1,4})+\n\Z")

    def test_a_code_may_be_typed_in_small_letters_and_without_dashes(self):
        code = self.invite().out.strip().lower().replace("-", "")
        self.assertEqual(0, self.desk("X").join(code).rc)

    def test_a_mistyped_code_is_refused_at_once(self):
        code = self.invite().out.strip()
        wrong = ("1" if code[0] != "1" else "2") + code[1:]
        for bad, words in ((wrong, "mistyped"), (code[:-1], "37"), (code + "7", "one more"),
                           ("hello", "5"), ("", "0")):
            desk = self.desk("X")
            self.assert_refused(desk.join(bad, check=False), 65, words)
            self.assert_no_trace(desk)

    def test_a_used_code_is_refused(self):
        code = self.invite("USED").out.strip()
        self.desk("A", self.home / "in" / "a").join(code)
        late = self.desk("B", self.home / "out" / "b")
        before = self.desks()
        late.state.parent.mkdir()
        self.assert_refused(late.join(code, check=False), 77, "used already")
        self.assert_no_trace(late)
        self.assertEqual(before, self.desks())

    def test_an_expired_code_is_refused(self):
        code = self.invite("LATE", expires="1s").out.strip()
        end = time.monotonic() + 1.1
        wait_until(lambda: time.monotonic() > end, 3, "the code to expire")
        desk = self.desk("X")
        self.assert_refused(desk.join(code, check=False), 77, "expired")
        self.assert_no_trace(desk)
        self.assertNotIn("LATE", self.desks())

    def test_a_withdrawn_invite_is_refused_and_the_try_is_told(self):
        code = self.invite("TAKEN-BACK").out.strip()
        mine = [i for i in self.first.cli("invites", "list", json=True)["invites"] if i["desk"] == "TAKEN-BACK"]
        self.assertEqual("open", mine[0]["state"])
        self.assertNotIn(code, self.first.cli("invites", "list").out)
        self.first.cli("invites", "withdraw", str(mine[0]["number"]))
        desk = self.desk("G")
        self.assert_refused(desk.join(code, check=False), 77, "withdrawn")
        self.assert_no_trace(desk)
        mine = [i for i in self.first.cli("invites", "list", json=True)["invites"] if i["desk"] == "TAKEN-BACK"]
        self.assertEqual(("withdrawn", 1), (mine[0]["state"], mine[0]["late"]))
        self.assertEqual(1, self.first.cli("invites", "withdraw", str(mine[0]["number"]), check=False).rc)

    def test_an_invite_ends_with_the_node_and_a_code_of_another_branch_finds_nobody(self):
        """Two waits of fifteen seconds for an answer that never comes, at the same time."""
        other = self.desk("OTHER")
        other.init("OTHER", passphrase_file=self.lead)
        other.start()
        ended, strange = (other.invite(n, passphrase_file=self.lead).out.strip() for n in "XY")
        other.stop()
        other.start()
        desks = [self.desk(n, self.home / n / "state") for n in "XY"]
        said = [None, None]

        def go(i, code, at):
            desks[i].state.parent.mkdir()
            said[i] = desks[i].join(code, at=at, check=False)
        at_first = f"127.0.0.1:{self.first.port}"  # a real desk, but no such door
        threads = [threading.Thread(target=go, args=x) for x in ((0, ended, None),
                                                                 (1, strange, at_first))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for i in range(2):
            self.assert_refused(said[i], 69, "nobody answers.*restarted")
            self.assert_no_trace(desks[i])

    def test_a_name_that_is_in_the_branch_is_refused(self):
        self.assert_refused(self.first.cli("invite", "--desk", "MAIN-1", "--lead-passphrase-file",
                                           self.lead, check=False), 73, "in the branch already")

    def test_of_two_codes_for_one_name_only_one_is_good(self):
        codes = [self.invite("TWIN").out.strip() for _ in range(2)]
        self.desk("A", self.home / "in" / "a").join(codes[0])
        late = self.desk("B", self.home / "out" / "b")
        late.state.parent.mkdir()
        said = late.join(codes[1], check=False)
        # Two desks of one name would give the same id to two records.
        self.assertEqual(1, [p["name"] for p in self.first.peers()].count("TWIN"))
        self.assert_refused(said, 77, "TWIN|name|invite")
        self.assert_no_trace(late)

    def test_two_desks_race_for_one_code_and_one_gets_in(self):
        code = self.invite("RACE").out.strip()
        desks = [self.desk(n) for n in ("A", "B")]
        said = [None, None]

        def go(i):
            said[i] = desks[i].join(code, check=False)
        threads = [threading.Thread(target=go, args=(i,)) for i in range(2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual([0, 77], sorted(s.rc for s in said), said)
        self.assertEqual(1, sum(d.state.exists() for d in desks))

    def test_without_a_passphrase_nothing_is_signed(self):
        for args in (("invite", "--desk", "X"), ("revoke", "MAIN-1"),
                     ("policy", "publish", self.policy_file())):
            self.assert_refused(self.first.cli(*args, check=False), 77, "passphrase")

    def policy_file(self):
        path = self.home / "policy.ini"
        path.write_text(branch.policy_text(self.home), encoding="utf-8")
        return path

    def test_with_a_wrong_passphrase_nothing_is_signed(self):
        wrong = branch.write_secret(self.home / "wrong", "not the passphrase at all")
        before = self.first.cli("policy", "show").out
        for args in (("invite", "--desk", "X"), ("revoke", "MAIN-1"),
                     ("policy", "publish", self.policy_file())):
            self.assert_refused(self.first.cli(*args, "--lead-passphrase-file", wrong,
                                               check=False), 77, "passphrase")
        self.assertEqual(before, self.first.cli("policy", "show").out)

    def test_a_passphrase_file_that_is_missing_or_empty_is_told(self):
        empty = branch.write_secret(self.home / "empty", "")
        for path, rc, words in ((empty, 65, "no passphrase in its first line"),
                                (self.home / "none", 66, "cannot read")):
            self.assert_refused(self.first.cli("invite", "--desk", "X", "--lead-passphrase-file",
                                               path, check=False), rc, words)

    def test_bad_desk_names_and_roles_are_refused(self):
        for name, rc in (("A B", 65), ("", 65), ("X" * 40, 65), ("Ä", 65), ("a/b", 65)):
            self.assert_refused(self.first.cli("invite", "--desk", name, "--lead-passphrase-file",
                                               self.lead, check=False), rc, "desk")
        self.assertEqual(64, self.first.cli("invite", "--desk", "X", "--role", "king",
                                            "--lead-passphrase-file", self.lead, check=False).rc)
        self.assertEqual(64, self.first.cli("invite", "--desk", "X", "--expires", "2d",
                                            "--lead-passphrase-file", self.lead, check=False).rc)

    def test_a_directory_that_is_not_empty_is_left_alone(self):
        code = self.invite("FULL").out.strip()
        desk = self.desk("X")
        desk.state.mkdir()
        (desk.state / "thesis.txt").write_text("mine")
        self.assert_refused(desk.join(code, check=False), 73, "not empty")
        self.assertEqual(["thesis.txt"], [p.name for p in desk.state.iterdir()])
        self.assertEqual("mine", (desk.state / "thesis.txt").read_text())
        (desk.state / "thesis.txt").unlink()
        self.assertEqual(0, desk.join(code).rc, "the code is still good, an empty directory too")

    def test_a_desk_does_not_join_or_found_over_itself(self):
        code = self.invite().out.strip()
        conf = (self.first.state / "tideover.conf").read_bytes()
        self.assert_refused(self.first.join(code, check=False), 73, "not empty")
        said = self.first.cli("init", "--branch", "B", "--desk", "B", "--lead-passphrase-file",
                              self.lead, check=False)
        self.assert_refused(said, 73, "not empty")
        self.assertEqual(conf, (self.first.state / "tideover.conf").read_bytes())

    def test_a_plain_desk_cannot_invite(self):
        desk = self.desk("PLAIN")
        desk.join(self.invite("PLAIN").out.strip())
        desk.start()
        said = desk.cli("invite", "--desk", "X", "--lead-passphrase-file", self.lead, check=False)
        self.assert_refused(said, 77, "lead key is not on this desk: do this at MAIN-1")
        for words in ("passphrase",), ("retire", "PLAIN"):  # and no passphrase is asked for
            self.assert_refused(desk.cli(*words, check=False), 77, "do this at MAIN-1")
        self.assertFalse((desk.state / "lead.key").exists())

    def test_a_desk_with_the_role_lead_gets_the_lead_key_and_can_invite(self):
        office = self.desk("OFFICE")
        office.join(self.invite("OFFICE", role="lead").out.strip())
        self.assertEqual(0o600, (office.state / "lead.key").stat().st_mode & 0o777)
        self.assertFalse((office.state / "root-key-backup").exists())
        office.start()
        code = office.invite("BY-OFFICE", passphrase_file=self.lead).out.strip()
        self.desk("Y").join(code)
        wait_until(lambda: "BY-OFFICE" in self.desks(), 10, "the founder to hear of it")
        self.assertIn("lead", self.desks()["OFFICE"])

    def test_a_revoked_name_can_be_given_again_and_the_revocation_is_told_once(self):
        self.desk("GONE").join(self.invite("GONE").out.strip())
        self.first.cli("revoke", "GONE", "--lead-passphrase-file", self.lead)
        again = self.first.cli("revoke", "GONE", "--lead-passphrase-file", self.lead, check=False)
        self.assert_refused(again, 73, "revoked already")
        none = self.first.cli("revoke", "NOBODY", "--lead-passphrase-file", self.lead, check=False)
        self.assert_refused(none, 1, "no desk NOBODY")
        own = self.first.cli("revoke", "MAIN-1", "--lead-passphrase-file", self.lead, check=False)
        self.assert_refused(own, 65, "cannot revoke itself")
        self.desk("NEW", self.home / "gone-again").join(self.invite("GONE").out.strip())

    def test_keys_and_state_are_readable_by_their_owner_only(self):
        mode = self.first.state.stat().st_mode & 0o777
        self.assertEqual(0, mode & 0o022, oct(mode))
        for name in ("desk.key", "lead.key", "root-key-backup", "store/data.mdb", "store/journal",
                     "periods", "run/ctl.token"):
            self.assertEqual(0, (self.first.state / name).stat().st_mode & 0o077, name)


class ManyDesks(branch.Case):
    def test_used_codes_give_their_place_to_new_ones(self):
        one = self.branch(names=branch.NAMES[:1])[0]
        used = one.invite("USED", passphrase_file=self.lead).out.strip()
        self.desk("USED").join(used)
        for n in range(16):
            one.invite(f"D-{n}", passphrase_file=self.lead)
        full = one.cli("invite", "--desk", "D-16", "--lead-passphrase-file", self.lead, check=False)
        self.assert_refused(full, 74, "16 invites are open")


if __name__ == "__main__":
    unittest.main(verbosity=2)
