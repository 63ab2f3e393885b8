#!/usr/bin/env python3
"""The override, whole: too few seats for good, both sides alive, and who comes back."""
import shutil
import unittest

import branch
from branch import Desk, all_hold, checkout, item, problem_codes, sha256, wait_until

NAMES = ("MAIN-1", "MAIN-2", "KIDS-1", "BUS", "OFFICE")
_template = None


class Template:
    """Five desks with five seats, two of them with the lead key, stopped."""

    def __init__(self):
        home = branch.work_dir() / "five"
        home.mkdir()
        self.sink = home / "sink"
        self.sink.mkdir()
        self.lead = branch.write_secret(home / "lead", branch.PASSPHRASE)
        policy = home / "policy.ini"
        policy.write_text(branch.policy_text(self.sink, NAMES), encoding="utf-8")
        self.desks = [Desk(home / n.lower(), name=n, binary=branch.BINARY) for n in NAMES]
        first = self.desks[0]
        try:
            first.init("MAIN", policy=policy, passphrase_file=self.lead)
            first.start()
            for d in self.desks[1:]:
                role = "lead" if d.name == "MAIN-2" else None
                d.join(first.invite(d.name, role=role, passphrase_file=self.lead).out.strip())
                d.start()
            for d in self.desks:
                wait_until(lambda d=d: len(d.status()["ledger"]["seats"]) == 5, 60,
                           f"{d.name} to know five seats")
        finally:
            for d in self.desks:
                d.stop()
        (first.state / "root-key-backup").unlink()


class Override(branch.Case):
    def five(self):
        global _template
        if _template is None:
            _template = Template()
        self.lead, self.sink = _template.lead, _template.sink
        shutil.rmtree(self.sink, ignore_errors=True)
        self.sink.mkdir()
        desks = []
        for d in _template.desks:
            state = self.home / d.state.name
            shutil.copytree(d.state, state)
            desks.append(self.own(Desk(state, d.port, d.web_port, d.name, branch.BINARY)))
        self.desks = desks
        self.start(desks)
        return desks

    def start(self, desks):
        for d in desks:
            d.start()
        self.all_online(desks)

    def plan(self, desk):
        return desk.cli("upload", "override", "--plan", json=True)

    def wait_allowed(self, desk):
        wait_until(lambda: self.plan(desk)["allowed"], 40, f"{desk.name} to be allowed to override")
        return self.plan(desk)

    def override(self, desk, check=True, passphrase=None):
        return desk.cli("upload", "override", "--reason", "two PCs were stolen", "--yes",
                        "--lead-passphrase-file", passphrase or self.lead, check=check)

    def epochs(self, desks):
        return {d.status()["ledger"]["epoch"] for d in desks}

    def test_while_enough_seats_are_on_it_is_refused_in_words(self):
        one = self.five()[0]
        wait_until(lambda: self.plan(one)["code"] == "not_needed", 30, "the seats to vote")
        self.assertFalse(self.plan(one)["allowed"])
        said = self.override(one, check=False)
        self.assert_refused(said, 65, r"\d of 5 seats.*upload run")
        said = one.cli("upload", "override", check=False)
        self.assertEqual(64, said.rc, said)
        self.assertEqual({0}, self.epochs(self.desks))

    def test_seats_gone_for_good_the_rest_goes_on_and_who_returns_joins_in(self):
        desks = self.five()
        one, two, three, bus, office = desks
        for k, d in enumerate(desks):
            self.feed(d, [checkout(10 * k + i) for i in range(2)])
        all_hold(desks, 10, 10)
        for d in (two, three, bus):
            d.kill9()
        plan = self.wait_allowed(one)
        self.assertEqual({"MAIN-1", "OFFICE"}, set(plan["reached"]))
        self.assertEqual({"MAIN-2", "KIDS-1", "BUS"}, {m["desk"] for m in plan["missing"]})
        self.assertEqual((1, 10, 1), (len(plan["new_seats"]), plan["may_double"], plan["epoch"]))
        words = one.cli("upload", "override", "--plan").out
        self.assertRegex(words, r"Up to 10 records may reach the server twice")
        self.assertRegex(words, r"NOT reached .*MAIN-2.*KIDS-1.*BUS")
        wrong = branch.write_secret(self.home / "wrong", "another passphrase entirely")
        self.assert_refused(self.override(one, check=False, passphrase=wrong), 77, "passphrase")
        self.assertEqual({0}, self.epochs([one, office]))
        self.override(one)
        wait_until(lambda: self.epochs([one, office]) == {1}, 10, "both to be in epoch 1")
        self.assertEqual(0, self.upload(one).rc)
        (log,) = self.files()
        self.assertIn("-e1-", log.name)
        one.kill9()  # the epoch outlives a restart
        one.start()
        self.assertEqual(1, one.status()["ledger"]["epoch"])
        for d in (two, three, bus):
            d.start()
        wait_until(lambda: self.epochs(desks) == {1}, 30, "all desks to be in epoch 1")
        for d in desks:
            wait_until(lambda d=d: d.upload_status()["pending"] == 0, 30, f"{d.name}: none pending")
            self.assertEqual(0, d.cli("upload", "overlaps", json=True)["total"])
        self.assertEqual([log], self.files())
        self.assertIn("No record was sent in two uploads", two.cli("upload", "overlaps").out)

    def test_both_sides_uploaded_the_overlaps_are_listed_and_nothing_goes_a_third_time(self):
        desks = self.five()
        one, two, three, bus, office = desks
        ids = self.feed(one, [checkout(i) for i in range(3)])
        ids += self.feed(two, [checkout(10 + i) for i in range(3)])
        all_hold(desks, 6, 10)
        for d in (one, office):
            d.stop()
        apart = self.feed(two, [checkout(20)])  # only the side that is given up has it
        all_hold([three, bus], 7, 10)
        self.assertEqual(0, self.upload(two).rc)
        (first,) = self.files()
        for d in (two, three, bus):
            d.stop()
        self.start([one, office])
        own = self.feed(office, [checkout(30)])
        all_hold([one, office], 7, 10)
        self.assertEqual(7, self.wait_allowed(one)["may_double"])
        self.override(one)
        self.assertEqual(0, self.upload(one).rc)
        (second,) = [p for p in self.files() if p != first]
        self.assertNotEqual(sha256(first), sha256(second))
        for d in (two, three, bus):
            d.start()
        for d in desks:
            wait_until(lambda d=d: d.status()["ledger"]["doubled"] == 6, 40,
                       f"{d.name} to count what was sent twice")
            wait_until(lambda d=d: d.upload_status()["pending"] == 0, 40,
                       f"{d.name} to know that nothing is left to send")
            said = d.cli("upload", "overlaps", json=True)
            self.assertEqual(sorted(ids), sorted(o["id"] for o in said["overlaps"]))
            self.assertEqual({0, 1}, {o[k]["epoch"] for o in said["overlaps"]
                                      for k in ("in", "again_in")})
            self.assertIn("sent_twice", problem_codes(d))
        self.assertIn("6 records stood in two uploads", bus.cli("upload", "overlaps").out)
        self.assertIn("Nothing to upload", self.upload(one).out)
        self.assertEqual(sorted([first, second]), self.files())
        text = first.read_text() + second.read_text()
        for rid, n in ((apart, 20), (own, 30)):
            self.assertEqual(1, text.count(item(n)), rid)
        self.feed(bus, [checkout(40)])
        all_hold(desks, 9, 10)
        self.assertEqual(0, self.upload(one).rc)
        (third,) = [p for p in self.files() if p not in (first, second)]
        self.assertIn(item(40), third.read_text())
        self.assertNotIn(item(20), third.read_text())
        for d in desks:
            self.assertEqual([], d.cli("log", "verify", json=True)["problems"])
        self.assertEqual(set(ids + apart + own), {r["id"] for r in branch.log_list(three)
                                                  if r["state"] == "delivered"} & set(ids + apart + own))


if __name__ == "__main__":
    unittest.main(verbosity=2)
