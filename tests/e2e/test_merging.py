#!/usr/bin/env python3
"""`tideover merge`: real files in, one log out, nothing dropped; no node runs here."""
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
BINARY = os.environ.get("TIDEOVER_BINARY", str(GOLDEN.parent.parent / "build/release/tideover"))
ZONE = ("--zone", "America/New_York")
POLICY = """[branch]
code = RVR
zone = America/New_York
[merge]
discharges = export
[symphony]
registration = jy
default_station = 42
[sierra]
due_days = 21
default_group = 1
[evergreen]
profile = 2
home_ou = 4
ident_type = 3
[csv]
write_pin = yes
[ndjson]
write_pin = yes
"""
WRITTEN = 1830000000  # end of 2027: when the test's own files were written
NAMES = {"sierra": "rdy{}", "destiny": "{}.txt"}  # what their loaders go by


class Merging(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="merging-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)
        self.env = {k: v for k, v in os.environ.items() if k not in ("TIDEOVER_STATE", "TZ")}

    def run_merge(self, *args, code=0):
        p = subprocess.run([BINARY, "merge", *map(str, args)], capture_output=True, cwd=self.dir, env=self.env,
                           text=True, timeout=60, check=False)
        self.assertEqual(code, p.returncode, p.stdout + p.stderr)
        return p

    def merged(self, *args, code=0):
        return json.loads(self.run_merge(*args, "--json", code=code).stdout)

    def put(self, name, data):
        path = self.dir / name
        path.write_bytes(data.encode("latin-1") if isinstance(data, str) else data)
        os.utime(path, (WRITTEN, WRITTEN))
        return path

    def formats(self):
        """All that can be written, by the program's own word."""
        said = self.run_merge("x", "--to", "nothing", "--out", "y", code=64).stderr
        return re.search(r"there are (.*)", said).group(1).split(", ")

    def name_for(self, to, what):
        return NAMES.get(to, "{}." + to).format(what)

    def nothing_else(self, *names):
        self.assertEqual(sorted(names), sorted(os.listdir(self.dir)))

    def test_two_workflows_logs_become_the_golden_one(self):
        logs = [GOLDEN / "merge/LOG-A", GOLDEN / "merge/LOG-B"]
        said = self.merged(*logs, "--to", "symphony", "--out", "M.log", *ZONE, code=2)
        self.assertEqual((GOLDEN / "merge/two.log").read_bytes(), (self.dir / "M.log").read_bytes())
        self.assertEqual({"send": 8, "duplicate": 2, "superseded": 1}, said["verdicts"])
        self.assertEqual([(8, 7, 1, 0, 1), (5, 4, 0, 1, 1)],
                         [(f["lines"], f["events"], f["unknown"], f["skipped"], f["conflicts"]) for f in said["files"]])
        self.assertEqual(1, said["twice_out"])
        self.assertEqual([hashlib.sha256((self.dir / "M.log").read_bytes()).hexdigest()],
                         [w["sha256"] for w in said["written"]])
        self.assertEqual(logs[0].read_bytes().splitlines(True)[3], (self.dir / "M.log.unknown").read_bytes())
        report = (self.dir / "M.log.report").read_text()
        for words in ("LOG-A:4: no transaction that is known here", "LOG-A:2: the same event again, see",
                      "LOG-A:5: a renewal; a later due date", "both are written: look the item up (R5)"):
            self.assertIn(words, report)
        self.nothing_else("M.log", "M.log.report", "M.log.unknown")
        for name in os.listdir(self.dir):
            self.assertEqual(0o600, (self.dir / name).stat().st_mode & 0o777, name)

    def test_a_koha_file_joins_them_under_the_station_that_is_given(self):
        files = [GOLDEN / "merge" / n for n in ("LOG-A", "LOG-B", "bus.koc")]
        said = self.run_merge(*files, "--to", "symphony", "--out", "M.log", *ZONE, code=78).stderr
        self.assertIn("--station", said)
        self.nothing_else()
        self.merged(*files, "--to", "symphony", "--station", "44", "--out", "M.log", *ZONE, code=2)
        self.assertEqual((GOLDEN / "merge/three.log").read_bytes(), (self.dir / "M.log").read_bytes())

    def test_every_format_goes_over_into_every_other(self):
        policy = self.put("policy.ini", POLICY)
        self.put("A", (GOLDEN / "symphony_a_to_h.log").read_bytes())
        sources, known = {"symphony": "A"}, self.formats()
        for to in known:
            p = subprocess.run([BINARY, "merge", "A", "--from", "symphony", "--to", to, "--out", self.name_for(to, "fromA"),
                                "--policy", str(policy), "--json"], capture_output=True, text=True, cwd=self.dir,
                               env=self.env, timeout=60, check=False)
            if p.returncode == 78:
                self.assertIn("[", p.stderr)  # names the section of the policy that it needs
                continue
            self.assertIn(p.returncode, (0, 2), to + p.stdout + p.stderr)
            said = json.loads(p.stdout)
            self.assertEqual(8, sum(said["outcomes"].values()), to)
            self.assertTrue((self.dir / self.name_for(to, "fromA")).exists() or to == "ldflat", to)
            sources.setdefault(to, self.name_for(to, "fromA"))
        pairs = 0
        for source, path in sources.items():
            for to in known:
                p = subprocess.run([BINARY, "merge", path, "--from", source, "--to", to, "--out",
                                    self.name_for(to, re.sub(r"\W", "", source) + "To"), "--policy", str(policy), "--json"], capture_output=True,
                                   text=True, cwd=self.dir, env=self.env, timeout=60, check=False)
                if p.returncode == 64 or "no times" in p.stderr or p.returncode == 78:
                    continue  # written only; without times; more is needed of the policy
                said = json.loads(p.stdout)
                self.assertIn(p.returncode, (0, 2) if said["written"] else (65,), f"{source} to {to}: {p.stderr}")
                self.assertEqual(0, sum(f["unknown"] for f in said["files"]), f"{source} to {to}")
                self.assertEqual(said["files"][0]["events"], sum(said["outcomes"].values()), f"{source} to {to}")
                self.assertEqual(said["outcomes"].get("sent", 0), sum(w["records"] for w in said["written"]))
                pairs += 1
        self.assertGreaterEqual(pairs, 20)

    def test_a_copy_adds_nothing_and_the_same_file_is_named(self):
        log = (GOLDEN / "symphony_a_to_h.log").read_bytes()
        self.put("A", log)
        self.put("B", log)
        self.put("C", b"".join(log.splitlines(True)[:5]))
        said = self.merged("A", "B", "C", "--to", "symphony", "--out", "M", *ZONE)
        self.assertEqual("A", said["files"][1]["same_as"])
        self.assertEqual({"send": 8, "duplicate": 5}, said["verdicts"])
        again = self.merged("A", "B", "--again", "--to", "symphony", "--out", "N", *ZONE)
        self.assertEqual({"send": 8, "duplicate": 8}, again["verdicts"])
        self.assertEqual((self.dir / "M").read_bytes(), (self.dir / "N").read_bytes())
        self.assertIn("--again", self.run_merge("A", "B", "--to", "symphony", "--out", "P", *ZONE).stderr)

    def test_a_slow_clock_is_measured_said_and_moved_only_on_demand(self):
        def log(station, shift):
            lines = []
            for i in range(8):
                s = 36000 + 100 * i + shift
                r = f"^S{i + 1:02d}CVFERVR^NQ{39999000005000 + i}^UO29999000001016^^O"
                lines.append(f"E20260309{s // 3600:02d}{s // 60 % 60:02d}{s % 60:02d}{station}R {r}{len(r):05d}\n")
            return "".join(lines)

        self.put("A", log("0042", 0))
        self.put("B", log("0043", -605))
        said = self.run_merge("A", "B", "--measure", *ZONE).stdout
        self.assertIn("B is 10m5s behind A, by 8 events that both have: consider B@+10m5s", said)
        self.nothing_else("A", "B")
        self.assertEqual({"send": 16}, self.merged("A", "B", "--to", "symphony", "--out", "M", *ZONE, code=2)["verdicts"])
        moved = self.merged("A", "B@+10m5s", "--to", "symphony", "--out", "N", *ZONE)
        self.assertEqual({"send": 8, "duplicate": 8}, moved["verdicts"])
        self.assertEqual(605, moved["files"][1]["offset_s"])

    def test_what_cannot_be_done_is_refused_and_leaves_nothing(self):
        self.put("A", (GOLDEN / "symphony_a_to_h.log").read_bytes())
        self.put("NEW", (GOLDEN / "symphony_a_to_h.log").read_bytes().replace(b"RVR", b"NEW"))
        self.put("text", "a shopping list\n")
        self.put("empty", "")
        self.put("old", "kept")
        before = os.listdir(self.dir)
        for args, code, words in (
                (("A", "--to", "symphony"), 64, "--out"), (("A", "--out", "M"), 64, "--to"),
                (("A", "--to", "marc", "--out", "M"), 64, "there are"),
                (("A", "--from", "marc", "--to", "symphony", "--out", "M"), 64, "there are"),
                (("nowhere", "--to", "symphony", "--out", "M"), 66, "nowhere"),
                ((".", "--to", "symphony", "--out", "M"), 65, "no file"),
                (("text", "--to", "symphony", "--out", "M"), 65, "no format"),
                (("empty", "--to", "symphony", "--out", "M"), 65, "it is empty"),
                (("A", "--to", "symphony", "--out", "old"), 73, "there already"),
                (("A@+9x", "--to", "symphony", "--out", "M"), 64, "offset"),
                (("A", "NEW", "--to", "symphony", "--out", "M"), 65, "merge each by itself"),
                (("A", "--to", "symphony", "--out", "M", "--zone", "Mars/Olympus"), 78, "Mars/Olympus"),
                (("A", "--to", "symphony", "--out", "M", "--tmp", "nowhere"), 74, "nowhere"),
                (("A", "--to", "evergreen", "--out", "M"), 78, "--policy"),
                (("A", "--to", "symphony", "--out", "M", "--station", "0"), 64, "1 to 9999")):
            said = self.run_merge(*args, code=code).stderr
            self.assertIn(words, said)
            self.nothing_else(*before)
        self.assertEqual("kept", (self.dir / "old").read_text())

    def test_our_own_formats_lose_nothing_on_the_way_there_and_back(self):
        policy = self.put("policy.ini", POLICY)

        def rows(path):
            return [{k: v for k, v in json.loads(r).items() if k != "id"} for r in path.read_text("utf-8").splitlines()]

        self.put("own.ndjson", (GOLDEN / "own.ndjson").read_bytes())
        self.merged("own.ndjson", "--to", "csv", "--out", "A.csv", "--policy", policy)
        self.merged("A.csv", "--to", "ndjson", "--out", "B.ndjson", "--policy", policy)
        self.assertEqual(7, len(rows(GOLDEN / "own.ndjson")))
        self.assertEqual(rows(GOLDEN / "own.ndjson"), rows(self.dir / "B.ndjson"))

    def test_one_bad_line_costs_one_line(self):
        """A line of 24 MB, one of 1970, one in another alphabet, one cut: each named, the others merged."""
        good = (GOLDEN / "symphony_a_to_h.log").read_bytes().splitlines(True)
        long = b"E20260309" + bytes(range(32, 127)) * 250000
        in_1970 = good[0].replace(b"E20260309101532", b"E19700101000000")
        utf8 = re.sub(rb"\d{5}\n$", b"\n", good[6].replace(b"OKAFOR", "OKÁFOR".encode()))
        cut = good[7][:60]
        self.put("A", good[0] + long + b"\n" + in_1970 + good[1] + utf8 + good[2] + cut)
        said = self.merged("A", "--to", "symphony", "--out", "M", *ZONE, code=2)
        self.assertEqual((7, 3, 4), tuple(said["files"][0][k] for k in ("lines", "events", "unknown")))
        self.assertEqual(b"".join(good[:3]), (self.dir / "M").read_bytes())
        self.assertEqual(long + b"\n" + in_1970 + utf8 + cut + b"\n", (self.dir / "M.unknown").read_bytes())
        report = (self.dir / "M.report").read_text()
        for words in ("A:2: longer than any line", "A:3: a time before 1971", "A:5: its letters are UTF-8",
                      "A:7: "):
            self.assertEqual(1, report.count(words), report)
        self.put("X", '{"type":"checkin","barcode":"3","timestamp":0}\n'
                      '{"type":"checkin","barcode":"4","timestamp":1795442700}\n')
        said = self.merged("X", "--from", "evergreen", "--to", "koha", "--out", "N", *ZONE, code=2)
        self.assertEqual({"sent": 1}, said["outcomes"])

    def test_what_has_no_place_is_counted(self):
        line = "^S01CVFERVR^NQ3999900000501%d^UO29999000001016^CF%s^^O\n"
        self.put("A", "".join("E2026030910153%d0042R " % i + line % (i, due) for i, due in enumerate(
            ("3/16/2026,23:59", "3/9/2026,14:00", "3/10/2026,9:00"))))
        said = self.merged("A", "--to", "symphony", "--out", "M", *ZONE, code=2)
        (odd,) = said["files"][0]["oddities"]
        self.assertEqual(("due_time", 2, 2), (odd["odd"], odd["lines"], odd["first_line"]))
        self.assertIn("2 due dates end at other times than their day's end, which are not kept: line 2 is the first",
                      (self.dir / "M.report").read_text())

    def test_a_date_that_cannot_be_is_named(self):
        """One from after the file was written, one from months before the line above it."""
        times = ("2026-03-09T10:00:00", "2029-03-09T10:00:00", "2026-03-09T10:00:01", "2026-03-09T08:30:00")
        path = self.put("A", "".join('{"op":"discharge","item":"%d","at":"%s-05:00"}\n' % (i, at)
                                     for i, at in enumerate(times)))
        said = self.merged("A", "--to", "csv", "--out", "M", *ZONE, code=2)
        self.assertEqual([("future", 1, 2), ("back", 1, 3)],
                         [(o["odd"], o["lines"], o["first_line"]) for o in said["files"][0]["oddities"]])
        self.assertIn("is later than its file was written: a wrong clock or date: line 2\n",
                      (self.dir / "M.report").read_text())
        self.put("B", path.read_bytes().splitlines(True)[0])
        self.assertEqual([], self.merged("B", "--to", "csv", "--out", "N", *ZONE)["files"][0]["oddities"])

    def test_what_the_report_of_sirsi_may_leave_out_is_told(self):
        log = (GOLDEN / "symphony_a_to_h.log").read_bytes()
        self.put("A", log.replace(b"E2026", b"E2001"))
        words = "days old: the report that loads symphony files may leave out what is older than 6"
        self.assertIn(words, self.run_merge("A", "--to", "symphony", "--out", "M", *ZONE).stdout)
        self.assertNotIn("days old", self.run_merge("A", "--to", "koha", "--out", "N", *ZONE, code=2).stdout)

    def test_names_fit_their_loaders(self):
        lines = "".join(f"202611{day}0905R3999900000501{day % 10}{'':66}\r\n" for day in (23, 24, 25))
        self.put("A", lines)
        for to, out in (("destiny", "week.dat"), ("destiny", ".txt"), ("sierra", "rdy-1"), ("sierra", "rdy"),
                        ("sierra", "week/monday")):
            self.assertIn("certain names", self.run_merge("A", "--to", to, "--out", out, code=64).stderr)
        self.merged("A", "--from", "alma", "--to", "destiny", "--out", "week.txt", *ZONE)
        self.nothing_else("A", "week.txt", "week.2.txt", "week.3.txt", "week.txt.report")
        self.assertEqual(["%C127L", "39999000005014", ""], (self.dir / "week.2.txt").read_bytes().decode().split("\r\n"))

    def test_the_hour_that_comes_twice_is_told(self):
        self.put("A", "".join('{"op":"discharge","item":"%d","at":"2026-11-01T01:%02d:00-%s"}\n' % (i, m, off)
                              for i, (m, off) in enumerate(((10, "04:00"), (50, "04:00"), (20, "05:00"), (59, "05:00")))))
        said = self.merged("A", "--to", "symphony", "--station", 7, "--out", "M", "--policy",
                           self.put("policy.ini", POLICY))
        self.assertEqual([("hour", 1)], [(x["loss"], x["records"]) for x in said["losses"]])
        self.assertEqual([], self.merged("A", "--to", "csv", "--out", "N", *ZONE)["losses"])

    def test_ctrl_c_stops_at_once_and_leaves_nothing(self):
        line = (GOLDEN / "symphony_a_to_h.log").read_bytes().splitlines(True)[0]
        with open(self.dir / "A", "wb") as f:
            f.write(line * 400000)
        p = subprocess.Popen([BINARY, "merge", "A", "--from", "symphony", "--to", "symphony", "--out", "M", *ZONE],
                             cwd=self.dir, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not any(n.endswith(".part") for n in os.listdir(self.dir)) and p.poll() is None:
            time.sleep(0.001)
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=30)
        self.assertEqual((75, ""), (p.returncode, out), err)
        self.assertIn("stopped; nothing was written", err)
        self.nothing_else("A")

    def test_ctrl_c_while_it_writes_leaves_nothing(self):
        line = (GOLDEN / "symphony_a_to_h.log").read_bytes().splitlines(True)[0]
        self.put("A", b"".join(line.replace(b"39999000005015", b"%014d" % i) for i in range(150000)))
        p = subprocess.Popen([BINARY, "merge", "A", "--from", "symphony", "--to", "symphony", "--out", "M", *ZONE],
                             cwd=self.dir, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        part = self.dir / f"M.{p.pid}.part"
        while not (part.exists() and part.stat().st_size > 0) and p.poll() is None:
            time.sleep(0.001)
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=30)
        self.assertEqual((75, ""), (p.returncode, out), err)
        self.nothing_else("A")


if __name__ == "__main__":
    unittest.main()
