#!/usr/bin/env python3
"""The package under a real systemd, hardened as it is shipped: an outage and its upload, staff and
strangers, reload, watchdog, a kill, a stop within a second."""
import pathlib
import re
import shutil
import subprocess
import sys
import time
import unittest

import branch
import machine
from branch import wait_until

BUILD = pathlib.Path(branch.BINARY).resolve().parent
CONF = "/var/lib/tideover/tideover.conf"
ASK = """import sys, urllib.request as u
q = u.Request("http://127.0.0.1:7412/api/v1/readiness", headers={"Authorization": "Bearer " + sys.argv[1]})
print(u.urlopen(q).read().decode())"""


class Service(branch.Case):
    def setUp(self):
        super().setUp()
        self.m = machine.Machine(self.home)
        self.addCleanup(self.m.end)
        self.m.boot()
        self.run_, self.path = self.m.run, self.m.path
        self.install()

    def install(self):
        out = self.home / "deb"
        shutil.rmtree(BUILD / "_CPack_Packages", ignore_errors=True)
        subprocess.run(["cpack", "-G", "DEB", "-B", out], cwd=BUILD, check=True,
                       stdout=subprocess.DEVNULL)
        (deb,) = out.glob("*.deb")
        shutil.copy(deb, self.path("/root/tideover.deb"))
        self.run_("dpkg", "-i", "/root/tideover.deb")

    def prop(self, name):
        return self.run_("systemctl", "show", "-P", name, "tideover").stdout.strip()

    def journal(self, *more):
        return self.run_("journalctl", "-u", "tideover", "-o", "cat", "--no-pager", *more).stdout

    def tideover(self, *words, who="root", check=True, text=None):
        return self.run_("runuser", "-u", who, "--", "tideover", *words, check=check, text=text)

    def record(self, n, who="ana"):
        return self.tideover("record", "checkout", "--user", branch.user(n), "--item",
                             branch.item(n), who=who).stdout.split()[0]

    def set_conf(self, old, new):
        file = self.path(CONF)
        text = file.read_text()
        self.assertIn(old, text)
        file.write_text(text.replace(old, new))

    def test_a_life_of_the_service(self):
        self.found()
        self.staff_and_strangers()
        self.readiness()
        self.reload()
        self.an_outage()
        self.killed_and_hung()
        self.port_was_taken()
        self.stopped_under_load()
        self.run_("dpkg", "--purge", "tideover")
        self.assertFalse(self.path("/var/lib/tideover").exists())
        self.assertEqual("inactive", self.prop("ActiveState"))

    def found(self):
        self.assertEqual("inactive", self.prop("ActiveState"))  # no desk yet, and no failure
        (self.path("/root") / "main.ini").write_text(branch.policy_text("/srv/out", ["MAIN-1"]))
        self.tideover("init", "--branch", "MAIN", "--desk", "MAIN-1", "--policy", "/root/main.ini",
                      "--lead-passphrase-file", "/root/lead")
        self.run_("systemctl", "start", "tideover")  # returns at READY
        self.assertEqual("active", self.prop("ActiveState"))
        wait_until(lambda: "server" in self.prop("StatusText"), 60, "the status in a line")
        exposure = self.run_("systemd-analyze", "security", "tideover", "--no-pager").stdout
        self.assertLess(float(re.search(r"Overall exposure level[^\d]*([\d.]+)", exposure)[1]), 2.0)

    def staff_and_strangers(self):
        for name in "ana", "bob":
            self.run_("useradd", name)
        self.run_("usermod", "-a", "-G", "tideover-desk", "ana")
        self.assertIn("MAIN-1", self.tideover("status", who="ana").stdout)
        self.assertRegex(self.tideover("open", "desk", "--print", who="ana").stdout,
                         r"^http://127.0.0.1:7412/desk#")
        self.assertEqual("MAIN-1/1/0001", self.record(1))
        for page in "lead", "admin":  # they ask for a PIN
            self.tideover("open", page, "--print", who="ana")
        for words in ("config", "reload"), ("log", "list"), ("support", "/tmp/x"):
            said = self.tideover(*words, who="ana", check=False)
            self.assertEqual(77, said.returncode, said)
        said = self.tideover("status", who="bob", check=False)
        self.assertEqual(77, said.returncode)
        self.assertIn("adduser USER tideover-desk", said.stderr)
        self.assertEqual(3, self.tideover("check", who="bob", check=False).returncode)  # UNKNOWN
        for file in self.path("/var/lib/tideover"), self.path("/var/lib/tideover/run/ctl.token"):
            self.assertEqual(0, file.stat().st_mode & 0o077, file)
        self.assertEqual({"desk.token", "web"},
                         {p.name for p in self.path("/run/tideover").iterdir()})

    def readiness(self):
        """What it looks at for the Admin page, the unit allows."""
        said = branch.json.loads(self.tideover("doctor", "--json", check=False).stdout)
        self.assertIn("drill", {c["check"] for c in said["checks"]})  # it is the node that says so
        self.assertEqual("0", self.prop("NRestarts"))
        boot = self.path("/var/lib/tideover/doctor.boot")
        boot.write_text("another boot\n")
        boot.chmod(0o644)
        token = self.path("/var/lib/tideover/run/ctl.token").read_text()
        said = self.run_("python3", "-c", ASK, token).stdout
        codes = {c["code"] for c in branch.json.loads(said)["checks"]}
        self.assertIn("restart", codes)

    def reload(self):
        self.set_conf("#level = info", "level = debug")
        self.run_("systemctl", "reload", "tideover")
        self.assertIn("[log] level is in force now", self.journal())
        self.tideover("status")
        wait_until(lambda: "GET /api/v1/status" in self.journal("-p", "debug"), 60, "debug")
        self.assertNotIn("GET", self.journal("-p", "info"))
        self.set_conf("level = debug", "level = loud")
        self.assertNotEqual(0, self.run_("systemctl", "reload", "tideover", check=False).returncode)
        wait_until(lambda: "the settings stay" in self.journal("-p", "warning"), 60, "the refusal")
        self.assertEqual("active", self.prop("ActiveState"))
        self.set_conf("level = loud", "level = info")
        self.run_("systemctl", "reload", "tideover")

    def an_outage(self):
        """Under every restriction of the unit, into a folder that the admin allowed it."""
        out = self.path("/srv/out")
        out.mkdir()
        self.run_("chown", "tideover", "/srv/out")
        lines = "".join(branch.json.dumps(x) + "\n" for x in branch.checkouts(100, 200))
        self.assertEqual(200, len(self.tideover("record", "--batch", "-", who="ana",
                                                text=lines).stdout.splitlines()))
        self.run_("mkdir", "-p", "/etc/systemd/system/tideover.service.d")
        self.path("/etc/systemd/system/tideover.service.d/sink.conf").write_text(
            "[Service]\nReadWritePaths=/srv/out\nWatchdogSec=2\n")
        self.run_("systemctl", "daemon-reload")
        self.run_("systemctl", "restart", "tideover")
        self.tideover("upload", "run", "--yes", "--lead-passphrase-file", "/root/lead")
        (log,) = out.glob("*.log")
        self.assertEqual(201, log.read_text().count(branch.item(1)[:5]))
        self.assertEqual("", self.run_("journalctl", "-k", "-g", "audit.*SECCOMP", "-o", "cat",
                                       check=False).stdout)

    def killed_and_hung(self):
        id_ = self.record(2)
        for n, how in enumerate(("KILL", "STOP"), 1):  # a hung one is found by the watchdog
            self.run_("systemctl", "kill", "--kill-whom=main", "-s", how, "tideover")
            wait_until(lambda n=n: self.prop("NRestarts") == str(n) and
                       self.prop("ActiveState") == "active", 60, f"a start after {how}")
            self.assertIn(id_, self.tideover("log", "list").stdout)
        self.assertEqual("MAIN-1", self.tideover("status", "--json", who="ana").stdout
                         .split('"desk":"')[1].split('"')[0])

    def port_was_taken(self):
        """It is tried until the port is free, however long that takes: nobody is there to say start."""
        self.run_("systemctl", "stop", "tideover")
        self.run_("systemd-run", "--unit=squatter", "python3", "-m", "http.server", "-b", "127.0.0.1", "7412")
        wait_until(lambda: "7412" in self.run_("ss", "-ltn").stdout, 60, "the port to be taken")
        self.run_("systemctl", "start", "--no-block", "tideover")
        wait_until(lambda: int(self.prop("NRestarts")) > 5, 60, "six starts in vain")
        self.run_("systemctl", "stop", "squatter")
        wait_until(lambda: self.prop("ActiveState") == "active", 60, "a start by itself")

    def stopped_under_load(self):
        many = "".join(branch.json.dumps(x) + "\n" for x in branch.checkouts(1000, 20000))
        (self.path("/root") / "many").write_text(many)
        self.run_("systemd-run", "--unit=load", "sh", "-c",
                  "tideover record --batch - < /root/many > /root/answers")
        answers = self.path("/root/answers")
        wait_until(lambda: answers.exists() and answers.stat().st_size > 10000, 60, "the load")
        began = time.monotonic()
        self.run_("systemctl", "stop", "tideover")
        took = time.monotonic() - began
        print(f"stopped under load in {took:.2f} s", file=sys.stderr)
        self.assertEqual(("inactive", "success"), (self.prop("ActiveState"), self.prop("Result")))
        self.assertLess(took, 3)  # a second, and what a loaded machine needs to say so
        self.assertFalse(self.path("/run/tideover").exists())
        answered = len(re.findall(r'"id"', answers.read_text()))
        self.assertLess(answered, 20000)  # it was in the middle
        self.run_("systemctl", "start", "tideover")
        held = branch.json.loads(self.tideover("status", "--json").stdout)["records"]["held"]
        self.assertGreaterEqual(held, 202 + answered)


if __name__ == "__main__":
    if machine.why_not():
        print(machine.why_not())
        sys.exit(77)
    unittest.main(verbosity=2)
