#!/usr/bin/env python3
"""What an admin asks of one PC: doctor, config."""
import json
import subprocess
import unittest

import branch


class Care(branch.Case):
    def found(self, desk, rc=1):
        said = desk.cli("doctor", "--json", check=False)
        self.assertEqual(rc, said.rc, said)
        got = json.loads(said.out)["checks"]
        for c in got:  # a fault without a next step helps nobody
            self.assertTrue(c["result"] == "ok" or c["check"] == "status" or c["next"], c)
        return {(c["check"], c["result"]) for c in got}

    def test_doctor(self):
        one, two, _ = self.branch(start=False)
        self.assertIn(("node", "fault"), self.found(one))
        one.start()
        found = self.found(one)
        for fine in "disk", "space", "flush", "rights":
            self.assertIn((fine, "ok"), found)
        self.assertIn(("restart", "warning"), found)
        self.assertNotIn(("port", "fault"), found)
        (one.state / "doctor.boot").write_text("another boot\n")
        self.assertIn(("restart", "ok"), self.found(one))
        (one.state / "run/ctl.token").chmod(0o644)
        self.assertIn(("rights", "fault"), self.found(one))
        taken = branch.drive.LibraryServer()
        taken.port = two.port
        taken.open()
        self.addCleanup(taken.close)
        self.assertIn(("port", "fault"), self.found(two))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", two.state], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", two.state], check=False)
        subprocess.run(["cp", one.state / "tideover.conf", two.state], check=True)
        found = self.found(two)
        self.assertIn(("disk", "fault"), found)
        self.assertIn(("space", "warning"), found)

    def test_config(self):
        one = self.branch(start=False)[0]
        conf = one.state / "tideover.conf"
        self.assertEqual(f"{conf}\n", one.cli("config", "path").out)
        shown = {(s["section"], s["key"]): (s["value"], s["default"])
                 for s in one.cli("config", "show", json=True)["settings"]}
        self.assertEqual((one.name, False), shown["node", "name"])
        self.assertEqual(("30s", True), shown["peers", "away_after"])
        self.assertIn("well-formed", one.cli("config", "check").out)
        conf.write_text(conf.read_text() + "\n[peers]\nknwon = 10.0.0.1:7411\n")
        self.assert_refused(one.cli("config", "check", check=False), 78, r"tideover.conf:\d+",
                            'did you mean "known"')


if __name__ == "__main__":
    unittest.main(verbosity=2)
