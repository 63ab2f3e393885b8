#!/usr/bin/env python3
"""A branch of three real desks with a million records (or --records N): how fast they are taken, what they
cost on disk and in memory, how long a desk takes to start on them, to answer, to plan and make an upload, and
to get all of them back after its disk was wiped.

Rows of JSON on stdout, as bench.h; each step on stderr as it comes. Three of five records are loans, two are
discharges of what was lent before. Nothing is compared: what matters is how it grows."""
import argparse
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples"))
sys.path.insert(0, str(ROOT / "tests/e2e"))
import drive  # noqa: E402
import sample_day  # noqa: E402
from bench_scale import cpu_ms, metric, own_kib  # noqa: E402

POLICY = """[branch]
code = LARGE
zone = America/New_York
zone_rule = EST5EDT,M3.2.0,M11.1.0
[merge]
discharges = {discharges}
[upload]
sink = file:{sink}
format = symphony
quiet = 1s
[symphony]
library = MAIN
staff_login = MAINCIRC
registration = jy
[stations]
DESK-1 = 41
DESK-2 = 42
DESK-3 = 43
"""
HOUR = 3600


class Watch(threading.Thread):
    """The most of its own that a desk's node has while something goes on, looked at every 50 ms."""

    def __init__(self, desk):
        super().__init__(daemon=True)
        self.desk, self.kib, self.end = desk, 0, threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.join()

    def run(self):
        while not self.end.wait(0.05):
            try:
                self.kib = max(self.kib, own_kib(self.desk))
            except (OSError, AttributeError):
                pass


def disk_bytes(desk):
    return sum(f.stat().st_blocks * 512 for f in desk.state.rglob("*") if f.is_file())


def timed(f, *a, **k):
    began = time.monotonic()
    f(*a, **k)
    return time.monotonic() - began


def get(desk, path):
    token = (desk.state / "run/ctl.token").read_text().strip()
    ask = urllib.request.Request(f"http://127.0.0.1:{desk.web_port}{path}", headers={"Authorization": "Bearer " + token})
    with urllib.request.urlopen(ask, timeout=600) as r:
        return r.read()


class Large:
    def __init__(self, home, a):
        self.home, self.a, self.held = home, a, 0
        self.lead = home / "lead"
        self.sink = home / "sink"
        self.sink.mkdir()
        self.desks = []

    def row(self, what, unit, value, note=""):
        name = f"large-{self.a.records / 1e6:g}M-{what.split(':')[0].replace(' ', '-')}"
        print(f"{time.strftime('%H:%M:%S')} {what}: {value:.3g} {unit} {note}", file=sys.stderr, flush=True)
        print(json.dumps({"id": name, "what": what, "unit": unit, "ours": [value], "theirs": [], "note": note}), flush=True)

    def found(self):
        for n in range(1, 1 + self.a.desks):
            d = drive.Desk(self.home / f"d{n}", name=f"DESK-{n}", binary=self.a.tideover)
            if n == 1:
                d.init("LARGE", passphrase_file=self.lead)
            else:
                d.join(self.desks[0].invite(d.name, role="lead", passphrase_file=self.lead).out.strip())
            self.desks.append(d)
            d.start()
        text = POLICY.format(sink=self.sink, discharges=self.a.discharges)
        (self.home / "policy.ini").write_text(text)
        self.desks[0].cli("policy", "publish", self.home / "policy.ini", "--lead-passphrase-file", self.lead)

    def wait_all_hold(self, seconds):
        for d in self.desks:
            drive.wait_until(lambda d=d: metric(d, "records_held") == self.held, seconds, f"{d.name} to hold {self.held}")

    def batch(self, desk, first, count):
        """One `record --batch`, from one desk: until its last line is answered."""
        lines = subprocess.Popen([self.a.lines, str(first), str(count), "2"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        r = subprocess.run([desk.binary, "record", "--state", str(desk.state), "--batch", "-"], stdin=lines.stdout,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        lines.stdout.close()
        lines.wait()
        if r.returncode != 0:
            raise RuntimeError(f"record --batch: {r.stderr.strip()}")

    def record(self):
        share = self.a.records // len(self.desks)
        began, cpu = time.monotonic(), sum(cpu_ms(d) for d in self.desks)
        for i, d in enumerate(self.desks):
            self.batch(d, 1 + i * share, share)
            self.held += share
        taken = time.monotonic() - began
        self.wait_all_hold(HOUR)
        took = time.monotonic() - began
        cpu = sum(cpu_ms(d) for d in self.desks) - cpu
        self.row("recorded", "records/s", self.held / taken, "record --batch, one desk after the other; until the last was answered")
        self.row("everywhere", "records/s", self.held / took, f"until all desks hold them; CPU of a desk {1000 * cpu / self.held / len(self.desks):.1f} us a record")
        self.shape("after recording")

    def shape(self, when):
        d = self.desks[0]
        self.row(f"disk: of one desk, {when}", "B/record", disk_bytes(d) / self.held)
        self.row(f"memory: own, {when}", "MiB", max(own_kib(d) for d in self.desks) / 1024)

    def restarts(self, when):
        d = self.desks[0]
        d.stop()
        self.row(f"start: to ready, {when}", "s", timed(d.start, HOUR))
        self.row(f"memory: own after a start, {when}", "MiB", own_kib(d) / 1024)
        d.kill9()
        self.row(f"start after kill -9: to ready, {when}", "s", timed(d.start, HOUR))
        self.answers(when)

    def answers(self, when):
        d = self.desks[0]
        for what, f in (("status", d.status), ("peers", d.peers), ("/metrics", lambda: metric(d, "records_held")),
                        ("worklist", lambda: d.cli("worklist", "--json", deadline=HOUR)),
                        ("conflicts list", lambda: d.cli("conflicts", "list", "--json", deadline=HOUR)),
                        ("upload aside", lambda: d.cli("upload", "aside", "--json", deadline=HOUR)),
                        ("report", lambda: d.cli("report", "--json", deadline=HOUR)),
                        ("erase", lambda: d.cli("erase", "--json", deadline=HOUR))):
            try:
                with Watch(d) as w:
                    took = timed(f)
                self.row(f"{what}: answered, {when}", "s", took, f"most {w.kib / 1024:.1f} MiB")
            except drive.CliError as e:
                print(f"{what}: {e}", file=sys.stderr, flush=True)

    def while_scanning(self, f):
        """Runs f in a thread; meanwhile a desk scans: the slowest answer to one record, in ms."""
        d, slowest, n = self.desks[0], 0.0, 0
        failed = []

        def run():
            try:
                f()
            except Exception as e:  # to be told by the caller
                failed.append(e)
        t = threading.Thread(target=run)
        t.start()
        token = (d.state / "run/ctl.token").read_text().strip()
        while t.is_alive():
            n += 1
            body = json.dumps({"op": "inhouse", "item": sample_day.luhn(f"39999{90000000 + self.held % 9000000:08d}")}).encode()
            ask = urllib.request.Request(f"http://127.0.0.1:{d.web_port}/api/v1/records", data=body, headers={
                "Authorization": "Bearer " + token, "Content-Type": "application/json"})
            began = time.monotonic()
            with urllib.request.urlopen(ask, timeout=HOUR) as r:
                r.read()
            slowest = max(slowest, time.monotonic() - began)
            self.held += 1
            time.sleep(0.05)
        if failed:
            raise failed[0]
        return 1000 * slowest, n

    def plan(self):
        d = self.desks[0]
        with Watch(d) as w:
            began = time.monotonic()
            slow, n = self.while_scanning(lambda: d.cli("upload", "plan", "--json", deadline=HOUR))
            took = time.monotonic() - began
        self.row("plan: upload plan", "s", took, f"most of the node {w.kib / 1024:.1f} MiB; a scan meanwhile at most {slow:.0f} ms ({n})")

    def upload(self):
        d = self.desks[0]
        for x in self.desks:
            drive.wait_until(lambda x=x: x.status()["ledger"]["may_vote"], 60, f"{x.name} to vote")
        with Watch(d) as w, Watch(self.desks[1]) as v:
            began = time.monotonic()
            slow, n = self.while_scanning(lambda: d.cli("upload", "run", "--yes", "--lead-passphrase-file", self.lead,
                                                        "--json", deadline=HOUR))
            took = time.monotonic() - began
        size = sum(f.stat().st_size for f in self.sink.iterdir())
        self.row("upload: until delivered", "s", took, f"{size / 1e6:.0f} MB; most {w.kib / 1024:.1f} MiB, of another desk "
                 f"{v.kib / 1024:.1f} MiB; a scan meanwhile at most {slow:.0f} ms ({n})")
        self.row("report of the upload: answered", "s", timed(lambda: d.cli("upload", "report", deadline=HOUR)))

    def wipe(self):
        """The last desk's store is gone: all of it comes back from the others."""
        d = self.desks[-1]
        d.stop()
        for f in d.state.iterdir():
            if f.name in self.a.store_files:
                shutil.rmtree(f) if f.is_dir() else f.unlink()
        began = time.monotonic()
        with Watch(self.desks[0]) as w:
            d.start(HOUR)
            self.wait_all_hold(HOUR)
        took = time.monotonic() - began
        self.desks[0].cli("restore-seat", d.name, "--lead-passphrase-file", self.lead)
        self.row("catch-up: of a wiped desk", "records/s", self.held / took, f"{took:.1f} s; most of a desk that gives {w.kib / 1024:.1f} MiB, of "
                 f"the wiped one afterwards {own_kib(d) / 1024:.1f} MiB")

    def run(self):
        self.found()
        self.record()
        if not self.a.short:
            self.restarts("with all pending")
            self.wipe()
        self.plan()
        self.upload()
        self.shape("after the upload")
        if not self.a.short:
            self.restarts("with all uploaded")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--tideover", default=ROOT / "build/release/tideover", type=pathlib.Path)
    p.add_argument("--lines", default=ROOT / "build/bench/bench_lines", help="the program bench_lines")
    p.add_argument("--records", type=int, default=1000000)
    p.add_argument("--desks", type=int, default=3)
    p.add_argument("--discharges", default="export", choices=("hold", "export"))
    p.add_argument("--dir", help="where to make its directory")
    p.add_argument("--short", action="store_true", help="no restarts, no wiped desk")
    p.add_argument("--keep", action="store_true")
    p.add_argument("--store-files", nargs="*", default=["store"])
    a = p.parse_args()
    a.tideover = a.tideover.resolve()
    home = pathlib.Path(tempfile.mkdtemp(prefix="large-", dir=a.dir))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what we started ends with us
    b = Large(home, a)
    try:
        b.run()
    finally:
        for d in b.desks:
            d.kill9()
        if not a.keep:
            shutil.rmtree(home, ignore_errors=True)
        else:
            print(home, file=sys.stderr)


if __name__ == "__main__":
    main()
