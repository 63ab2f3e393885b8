#!/usr/bin/env python3
"""The first day of a branch, typed from node/OPERATIONS.md on three new PCs, word for word."""
import concurrent.futures
import json
import os
import re
import shutil
import time
import types
import unittest

import branch
import drill
import drive
import netns
from branch import wait_until

MANUAL = branch.ROOT / "node/OPERATIONS.md"
SITE = "10.77.0.99"  # the library's server on the same network
LENT = ("39999000005015", "39999000005031")  # as the page has them
HELD = "39999000005023"
HURRY = ["[server]", "every = 1s"]  # the one thing that the page does not say


class FirstDay(branch.Case):
    def setUp(self):
        super().setUp()
        if why := netns.why_none() or drill.why_not_new():
            self.skipTest(why)
        self.secrets, self.before = {}, {}
        self.make_shared()
        prefix = f"d{os.getpid() % 100000}"
        self.bridge = f"{prefix}b"
        netns.ip("link", "add", self.bridge, "type", "bridge", "forward_delay", "0")
        self.addCleanup(netns.ip, "link", "del", self.bridge, check=False)
        netns.ip("link", "set", self.bridge, "up")
        self.prefix, self.pcs, self.bought = prefix, {}, 0
        for name in branch.NAMES:
            self.buy(name)
        self.site = types.SimpleNamespace(space=f"{prefix}s", host_end=f"{prefix}vs", address=SITE)
        netns.NetCase.plug_in(self, self.site)
        self.server = drive.LibraryServer(SITE, 6001)
        self.addCleanup(self.server.close)
        self.open_server()

    def buy(self, name):
        """One more PC, at an address that nobody had; one of that name goes to the cellar."""
        if name in self.pcs:
            self.pcs[name].switch_off()
        self.bought += 1
        pc = self.pcs[name] = drill.PC(self.home, self.bought, name, self.prefix)
        netns.NetCase.plug_in(self, pc)
        self.addCleanup(pc.switch_off)
        pc.switch_on()

    def make_shared(self):
        """What every PC finds: the package beside it, two sticks, the site's folder and names."""
        for d in ("tideover", "stick-1", "stick-2", "pc/root", "pc/usr/bin", "pc/etc"):
            (self.home / d).mkdir(parents=True)
        (self.home / "tideover").chmod(0o777)
        systemctl = self.home / "pc/usr/bin/systemctl"
        systemctl.write_text(drill.SYSTEMCTL)
        systemctl.chmod(0o755)
        (self.home / "pc/etc/hosts").write_text(f"127.0.0.1 localhost\n{SITE} ils.example.org\n")
        (self.home / "pc/etc/localtime").symlink_to("/usr/share/zoneinfo/America/New_York")
        (self.home / "pc/root/delinq").write_text(branch.user(7) + "\n")
        first = drill.package(self.home)
        shutil.copy(first, self.home / "pc/root")
        self.next = drill.next_package(self.home, first)

    # ---- the person at the keyboard ----

    def answers(self):
        return {r"Lead's passphrase:": lambda: self.secrets["lead"],
                r"backup's passphrase:": lambda: self.secrets["new"], r"New PIN \(.*\):": "246810",
                r"Once more:": "246810", r"\[[yY]/[nN]\]": "y"}

    def type(self, pc, line):
        if line in self.before:
            self.before[line](pc)
        rc = {"tideover doctor": 1, "tideover check": None}.get(line, 0)  # while there are remarks
        said = pc.type(line.replace(" CODE", f" {self.secrets.get('code')}"), self.answers(), rc)
        for name, words in (("lead", r"The lead's passphrase: (.*)"), ("code", r"(?m)^((?:\w{4}-){5}[-\w]+)$"),
                            ("new", r"The new passphrase: (.*)")):
            if m := re.search(words, said):
                self.secrets[name] = m[1]
        if line.startswith(("tideover passphrase", "tideover lead new")):
            self.secrets["lead"] = self.secrets["new"]
        if m := re.search(r"Branch key   (.*)", said):
            self.assertEqual(self.secrets.setdefault("key", m[1]), m[1])
        return said

    def follow(self, title):
        """Does what that chapter says; returns what each line showed, at the last PC."""
        shown = {}
        for language, where, lines in drill.chapter(MANUAL, title):
            name, _, more = where.partition(" ")
            if where != "every PC" and (name not in self.pcs or more == "anew"):
                self.buy(name)
            pcs = list(self.pcs.values()) if where == "every PC" else [self.pcs[name]]
            if language == "ini":
                text = drill.set_in_ini(pcs[0].run("cat", more).stdout,
                                        lines + (HURRY if more == "main.ini" else []))
                pcs[0].run("sh", "-c", f"cat >{more}", text=text)
                continue
            with concurrent.futures.ThreadPoolExecutor(len(pcs)) as everybody:
                for said in everybody.map(lambda pc, lines=lines: [self.type(pc, x) for x in lines], pcs):
                    shown.update(zip(lines, said))
        return shown

    # ---- the library's server ----

    def open_server(self):
        with netns.inside(self.site.space):
            self.server.open()

    @staticmethod
    def status(pc):
        return json.loads(pc.run("tideover", "status", "--json").stdout)

    def await_status(self, holds, what):
        for pc in self.pcs.values():
            wait_until(lambda pc=pc: holds(self.status(pc)), 60, f"{pc.name} {what}")

    def see_server(self, state):
        self.await_status(lambda s: s["server"]["state"] == state, f"to see that the server is {state}")

    # ---- the chapters ----

    def first_day(self):
        began = time.monotonic()
        shown = self.follow("The first day")
        print(f"{len(self.pcs)} new PCs were a branch after {time.monotonic() - began:.0f} s of typing")
        self.assertRegex(shown["tideover open desk --print"], r"^http://127\.0\.0\.1:7412/desk#[0-9a-f]{32}\n$")
        self.await_status(lambda s: s["peers"]["online"] == 2, "to see the other two")
        self.see_server("online")
        for pc in self.pcs.values():
            wait_until(lambda pc=pc: "1 users" in pc.run("tideover", "blocklist", "show").stdout, 60,
                       f"the block list at {pc.name}")

    def first_outage(self):
        self.server.close()
        self.see_server("offline")
        self.follow("The first outage")
        self.open_server()
        self.see_server("back")
        shown = self.follow("When the server is back")
        self.assertRegex(shown["tideover upload run"], r"to upload  2: 2 checkouts[^$]*\nDelivered")
        self.assertRegex(shown["tideover upload confirm"], r"Upload \d+ is confirmed")
        self.assertIn(HELD, shown["tideover worklist"])
        self.assertIn("1 discharge is done", shown["tideover worklist done KIDS-1/1/0002"])
        self.await_status(lambda s: s["records"]["set_aside"] == 0, "to know that nothing is open")
        self.assertIn("Nothing is unsent", self.pcs["MAIN-1"].run("tideover", "report").stdout)
        arrived = [p.read_text() for p in (self.home / "tideover").iterdir() if p.suffix == ".log"]
        self.assertEqual(1, len(arrived))
        for number in LENT:
            self.assertIn(number, arrived[0])
        self.assertNotIn(HELD, arrived[0])

    def operations(self):
        self.assertRegex(self.follow("Every day, every week")["tideover check"], r"^(OK|WARNING) - ")
        self.before["tideover restore-seat KIDS-1"] = lambda _: wait_until(
            lambda: any(p["code"] == "vote_restorable" for p in self.status(self.pcs["KIDS-1"])["problems"]),
            60, "KIDS-1 to have its own records again")
        self.before["tideover invite --desk KIDS-2"] = lambda _: self.pcs.pop("KIDS-1").switch_off()
        shown = self.follow("A PC is dead")
        self.assertIn("KIDS-1 gets its vote back", shown["tideover restore-seat KIDS-1"])
        self.assertNotIn("KIDS-1", shown["tideover policy publish main.ini"])  # its line is still needed
        self.await_status(lambda s: s["peers"]["online"] == 2, "to see the other two")
        self.follow("A secret is lost or known to the wrong people")
        self.follow("The branch moves, or the network does")
        self.await_status(lambda s: s["peers"]["online"] == 2, "to see the other two")

    def upgrade(self):
        """The package restarts the service; what it recorded and who it is stay."""
        for pc in self.pcs.values():
            pc.give(self.next)
        wanted = {name: ["0.2.0", "0.1.0"] for name in self.pcs}

        def others(pc):
            peers = json.loads(pc.run("tideover", "peers", "--json").stdout)["peers"]
            return {p["version"] for p in peers if p["state"] == "online" and not p["this"]}

        def look(pc):
            version = wanted[pc.name].pop(0)
            wait_until(lambda: others(pc) == {version}, 60, f"{pc.name} to see the others run {version}")

        self.before["tideover peers"] = look
        shown = self.follow("Upgrade, and back")
        self.assertTrue(all(not x for x in wanted.values()))
        self.assertIn(LENT[0], shown["tideover log list"])

    def test_a_branch_as_the_page_says(self):
        self.first_day()
        self.first_outage()
        self.operations()
        self.upgrade()


if __name__ == "__main__":
    unittest.main(verbosity=2)
