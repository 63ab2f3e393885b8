#!/usr/bin/env python3
"""A real Prometheus asks a branch of three: every metric arrives, every alert fires on its fault."""
import json
import pathlib
import re
import subprocess
import unittest
import urllib.parse
import urllib.request

import branch
import drive
from branch import all_hold, checkouts, item, user, wait_until
from test_clocks import shifted
from test_hostile import Liar

MONITORING = branch.ROOT / "examples/monitoring"
ALERTS = set(re.findall(r"- alert: (\w+)", (MONITORING / "alerts.yml").read_text()))


def fetch(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as r:
        return r.read().decode()


class Prometheus:
    """One on loopback, with its data in `home`; asks every second, and alerts as soon as it can."""

    def __init__(self, home, config, desks=(), code="MAIN"):
        self.home, self.port = home, drive.free_port()
        home.mkdir()
        rules = (MONITORING / "alerts.yml").read_text()
        rules = re.sub(r"for: \d+m", "for: 1s", rules).replace("> 1800", "> 2")
        (home / "alerts.yml").write_text(rules)
        text = (MONITORING / config).read_text()
        (home / config).write_text(re.sub(r"_interval: \d+s", "_interval: 1s", text))
        for d in desks:
            self.ask("desks", d.name, [f"127.0.0.1:{d.web_port}"], branch=code, desk=d.name)
        self.process = None
        self.config = config

    def ask(self, folder, name, targets, **labels):
        (self.home / folder).mkdir(exist_ok=True)
        (self.home / folder / f"{name}.json").write_text(
            json.dumps([{"targets": targets, "labels": labels}]))

    def start(self):
        with open(self.home / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={self.home / self.config}",
                 f"--storage.tsdb.path={self.home / 'data'}",
                 f"--web.listen-address=127.0.0.1:{self.port}"], stdout=log, stderr=log)
        wait_until(self.ready, 60, "Prometheus to be ready")

    def ready(self):
        try:
            return bool(fetch(self.port, "/-/ready"))
        except OSError:
            return False

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()

    def query(self, text):
        got = json.loads(fetch(self.port, "/api/v1/query?" + urllib.parse.urlencode({"query": text})))
        return got["data"]["result"]

    def firing(self):
        """(alert, desk or branch) of each."""
        return {(r["metric"]["alertname"], r["metric"].get("desk", r["metric"].get("branch")))
                for r in self.query('ALERTS{alertstate="firing"}')}


class Monitoring(branch.Case):
    fired = frozenset()

    def prometheus(self, name, config, *desks_and_code):
        p = Prometheus(self.home / name, config, *desks_and_code)
        self.addCleanup(p.stop)
        return p

    def small_disk(self, desk):
        """Its state on a disk of its own that is nearly full."""
        keep = self.home / "keep"
        desk.state.rename(keep)
        desk.state.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", desk.state], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", desk.state], check=False)
        subprocess.run(["cp", "-a", f"{keep}/.", desk.state], check=True)

    def test_rules_and_dashboard(self):
        subprocess.run(["promtool", "check", "rules", MONITORING / "alerts.yml"], check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run(["promtool", "test", "rules", pathlib.Path(__file__).with_name("alerts_test.yml")],
                       check=True, stdout=subprocess.DEVNULL)
        one, _, _ = self.branch(start=False)
        one.start()
        text = fetch(one.web_port, "/metrics")
        said = subprocess.run(["promtool", "check", "metrics"], input=text.encode(),
                              capture_output=True, check=False)
        self.assertEqual((0, b""), (said.returncode, said.stderr))
        self.assertNotRegex(text, r"[0-9]{14}")
        old = self.home / "list"
        old.write_text(user(1) + "\n")
        one.cli("blocklist", "import", old, "--date", "2026-01-02T00:00:00Z")
        warned = one.cli("check", check=False)
        self.assertEqual(1, warned.rc, warned)
        self.assertRegex(warned.out, r"^WARNING - .* \| behind=0;100;1000;0 pending=0 .*peers_total=2")
        self.assertIn("\ntideover_replication_lag_seconds 0\n", text)
        self.feed(one, checkouts(1, 3))
        wait_until(lambda: re.search(r"(?m)^tideover_replication_lag_seconds (0\.\d*[1-9]|[1-9])",
                                     fetch(one.web_port, "/metrics")), 60, "the records to wait for another desk")
        self.assertEqual(2, one.cli("check", "--crit-behind", "3", check=False).rc)
        self.assertEqual(3, one.cli("check", "--crit-behind", "x", check=False).rc)
        one.stop()
        down = one.cli("check", check=False)
        self.assertEqual((2, "CRITICAL - "), (down.rc, down.out[:11]))

    def stop_upload(self, desk):
        """Somebody else's file lies where the upload is to go."""
        out = self.home / "export"
        desk.cli("export", "--format", "symphony", "--out", out)
        day = desk.cli("upload", "plan", json=True)["last"][:10].replace("-", "")
        slot = desk.upload_status()["slot"]
        there = self.sink / f"MAIN-{day}-e0-s{slot:06d}-{branch.sha256(out)[:8]}.log"
        there.write_bytes(b"somebody else's bytes\n")
        self.assertNotEqual(0, self.upload(desk, check=False).rc)

    def test_a_branch_and_its_faults(self):
        """Each alert by its fault. Two uploaders cannot be made: that is what the ledger is for. Nor a
        desk that is heard and gets nothing: a full one hears nobody (alerts_test.yml has both)."""
        one, two, kids = desks = self.branch(start=False, envs=[None, None, shifted(95)])
        server = drive.LibraryServer()
        server.open()
        self.addCleanup(server.close)
        self.small_disk(two)
        for d in desks:
            d.start()
        self.all_online(desks)
        self.publish(one, branch.policy_text(self.sink) +
                     f"[server]\nprobe = tcp:127.0.0.1:{server.port}\nevery = 1s\nback_after = 2\n")
        self.assertRegex(one.cli("check").out, r"^OK - nothing needs a look \| .*peers_online=2")
        own = self.prometheus("prometheus", "prometheus.yml", desks)
        own.start()
        wait_until(lambda: len(own.query("up == 1")) == 3, 60, "three desks to be asked")
        self.assertLessEqual(own.firing(), {("TideoverDiskLow", two.name)} |
                             {("TideoverClockOff", d.name) for d in desks})

        self.feed(one, checkouts(1, 20))
        one.cli("record", "checkout", "--user", item(1), "--item", item(2), check=False)
        all_hold(desks, 20, 60)
        made = f'tideover_records_total{{desk="{one.name}",operation="checkout"}} == 20'
        wait_until(lambda: own.query(made), 60, "the count of records")
        self.assertTrue(own.query('tideover_records_rejected_total{reason="wrong_slot"} == 1'))

        old = self.home / "list"
        old.write_text(user(200) + "\n")  # who borrows nothing here
        one.cli("blocklist", "import", old, "--date", "2026-01-02T00:00:00Z")
        self.stop_upload(one)
        (two.state / "filler").write_bytes(bytes(16 << 20)[:self.free(two) - 40960])
        refused = two.cli("record", "--batch", "-", check=False, text="".join(
            json.dumps(x) + "\n" for x in checkouts(100, 2000)))
        self.assertNotEqual(0, refused.rc)
        kids.kill9()
        (one.state / "root-key-backup").write_bytes(self.root.read_bytes())
        want = {("TideoverProblem", one.name),
                ("TideoverDiskLow", two.name), ("TideoverNotSaving", two.name),
                ("TideoverClockOff", one.name),
                ("TideoverDeskDown", kids.name), ("TideoverBlockListOld", "MAIN"),
                ("TideoverUploadForgotten", "MAIN"), ("TideoverUploadStands", one.name)}
        self.fire(own, want)
        liar = Liar(kids.state, kids.port, [one])  # the same keys, and another program
        self.addCleanup(liar.close)
        for _ in range(20):
            liar.tell("altered", 0)
        self.fire(own, {("TideoverPeerRefused", one.name)})
        self.assertEqual(ALERTS, self.fired | {"TideoverTwoUploaders", "TideoverRecordsMissing"})

    def test_three_branches_and_one_above(self):
        """As MANUAL tells an admin of many: a Prometheus for each branch, and one that asks these."""
        branches = {"MAIN": self.branch()}
        for code in ("EAST", "WEST"):
            branches[code] = self.found(code)
        own = {code: self.prometheus(code, "prometheus.yml", desks, code)
               for code, desks in branches.items()}
        above = self.prometheus("above", "federation.yml")
        above.ask("branches", "all", [f"127.0.0.1:{p.port}" for p in own.values()])
        for p in (*own.values(), above):
            p.start()
        wait_until(lambda: len(above.query('up{job="tideover"} == 1')) == 7, 60, "seven desks to be seen")
        self.assertEqual({"MAIN", "EAST", "WEST"}, {r["metric"]["branch"] for r in above.query(
            "count by (branch) (tideover_records_pending_upload)")})
        branches["MAIN"][0].cli("record", "checkout", "--user", item(1), "--item", item(2), check=False)
        panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
        for t in (t for p in panels for t in p["targets"]):
            wait_until(lambda t=t: above.query(t["expr"].replace("$branch", ".*")), 60, t["expr"])
            self.assertLessEqual({r["metric"].get("branch", "EAST") for r in above.query(
                t["expr"].replace("$branch", "EAST"))}, {"EAST"}, t["expr"])

        branches["EAST"][1].kill9()
        self.fire(above, {("TideoverDeskDown", "EAST-2")})
        self.assertEqual({"EAST-2"}, {d for a, d in above.firing() if a == "TideoverDeskDown"})
        codes = {code: desks[0].cli("check", check=False) for code, desks in branches.items()}
        self.assertEqual((0, 0), (codes["MAIN"].rc, codes["WEST"].rc), codes)

    def found(self, code):
        """Two desks of another branch."""
        one, two = desks = [self.desk(f"{code}-{i}") for i in (1, 2)]
        policy = self.home / f"{code}.ini"
        policy.write_text(branch.policy_text(self.sink, [d.name for d in desks]).replace(
            "code = MAIN", f"code = {code}"))
        one.init(code, policy=policy, passphrase_file=self.lead)
        (one.state / "root-key-backup").unlink()
        one.start()
        two.join(one.invite(two.name, passphrase_file=self.lead).out.strip())
        two.start()
        self.all_online(desks, 60)
        return desks

    def fire(self, prometheus, want):
        try:
            wait_until(lambda: prometheus.firing() >= want, 60, "alerts")
        except drive.Timeout:
            self.assertEqual(set(), want - prometheus.firing(), "these do not fire")
        self.fired |= {a for a, _ in want}

    @staticmethod
    def free(desk):
        said = subprocess.run(["df", "-B1", "--output=avail", desk.state], check=True,
                              capture_output=True, text=True)
        return int(said.stdout.split()[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
