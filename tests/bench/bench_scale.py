#!/usr/bin/env python3
"""One branch of 2, 5, 10, 20, 40 real desks on this machine: how long until all have met, how long until
1,000 records of one desk are on every disk, what a desk sends for them, and what it holds in memory.

Rows of JSON on stdout, as bench.h; a table of its own on stderr. Nothing is compared: it shows how the
cost of a desk grows with the number of its peers."""
import argparse
import concurrent.futures
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples"))
import drive  # noqa: E402
import sample_day  # noqa: E402

RECORDS = 1000
ROWS = {"met": "from the start of all until all have met", "spread": "until all have 1,000 records of one desk",
        "sent": "sent for one of them by the average desk", "cpu": "CPU for all of them of the average desk",
        "memory": "own memory of a desk", "idle-cpu": "idle, CPU of a desk", "idle-sent": "idle, sent by a desk"}


def metric(desk, name):
    """The sum of a metric over its labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{desk.web_port}/metrics", timeout=30) as r:
        text = r.read().decode()
    return sum(float(v) for v in re.findall(rf"(?m)^tideover_{name}(?:\{{[^}}]*\}})? (\S+)$", text))


def own_kib(desk):
    """Memory of its own. Not the mapped pages of its store, which the kernel takes back when it likes."""
    return int(re.search(r"(?m)^RssAnon:\s+(\d+)", pathlib.Path(f"/proc/{desk.node.pid}/status").read_text())[1])


def cpu_ms(desk):
    fields = pathlib.Path(f"/proc/{desk.node.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return 10 * (int(fields[11]) + int(fields[12]))


class Branch:
    """Grown desk by desk, so that the larger one costs only what it is larger."""

    def __init__(self, home, binary):
        self.home, self.binary, self.desks = home, binary, []
        self.lead = home / "lead"

    def grow(self, size):
        while len(self.desks) < size:
            n = len(self.desks) + 1
            d = drive.Desk(self.home / f"d{n}", name=f"DESK-{n}", binary=self.binary)
            if n == 1:
                d.init("SCALE", passphrase_file=self.lead)
            else:
                d.join(self.desks[0].invite(d.name, passphrase_file=self.lead).out.strip())
            self.desks.append(d)
            d.start()

    def is_met(self, d):
        return d.status()["peers"]["online"] == len(self.desks) - 1

    def restart(self):
        """Seconds from the moment at which all are started until each desk sees all others."""
        for d in self.desks:
            d.stop()
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(len(self.desks)) as starts:
            list(starts.map(lambda d: d.start(60), self.desks))
        for d in self.desks:
            drive.wait_until(lambda d=d: self.is_met(d), 300, f"{d.name} to see the others")
        return time.monotonic() - began

    def spread(self, first):
        """Records at one desk, until all hold them: seconds, bytes that the average desk sent for a
        record, CPU milliseconds of the average desk."""
        at = self.desks[0]
        have = at.status()["records"]["union"]
        sent = sum(metric(d, "peer_sent_bytes_total") for d in self.desks)
        cpu = sum(cpu_ms(d) for d in self.desks)
        began = time.monotonic()
        at.feed([{"op": "checkout", "user": sample_day.luhn(f"29999{n % 97:08d}"), "key": f"{n + 1:032x}",
                  "item": sample_day.luhn(f"39999{n:08d}")} for n in range(first, first + RECORDS)], window=512)
        for d in self.desks:
            drive.wait_until(lambda d=d: metric(d, "records_held") == have + RECORDS, 300, f"{d.name} to hold them")
        took = time.monotonic() - began
        sent = sum(metric(d, "peer_sent_bytes_total") for d in self.desks) - sent
        cpu = sum(cpu_ms(d) for d in self.desks) - cpu
        return took, sent / RECORDS / len(self.desks), cpu / len(self.desks)

    def idle(self, seconds=10):
        """CPU milliseconds and bytes a second of the average desk, left alone."""
        sent = sum(metric(d, "peer_sent_bytes_total") for d in self.desks)
        cpu = sum(cpu_ms(d) for d in self.desks)
        time.sleep(seconds)  # what is measured is this time itself
        sent = sum(metric(d, "peer_sent_bytes_total") for d in self.desks) - sent
        return (sum(cpu_ms(d) for d in self.desks) - cpu) / seconds / len(self.desks), sent / seconds / len(self.desks)


def simulated(program, sizes):
    """Of the simulator: virtual seconds, messages and bytes that the average desk sends."""
    said = subprocess.run([program, "--figures", sizes], capture_output=True, text=True, check=True).stdout
    print(said, file=sys.stderr, end="")
    names = {"met": "all met", "spread": "250 records everywhere", "idle": "30 s idle, server not known"}
    for desks, what, took, messages, sent in re.findall(
            r"(?m)^ *(\d+) desks +(\w+) +([\d.]+) s +a desk: +([\d.]+) messages, +([\d.]+) bytes$", said):
        for column, unit, v in (("virtual time", "s", took), ("messages of a desk", "", messages), ("bytes of a desk", "B", sent)):
            if what != "idle" or unit != "s":
                print(json.dumps({"id": f"scale-sim-{desks}-{what}-{column.split()[0]}", "unit": unit, "ours": [float(v)], "theirs": [],
                                  "what": f"{desks} desks, simulated: {names[what]}, {column}"}), flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tideover", default=ROOT / "build/release/tideover", type=pathlib.Path)
    p.add_argument("--desks", default="2,5,10,20,40")
    p.add_argument("--sim", help="the simulator, for more desks than a PC carries")
    p.add_argument("--simulated", default="40,80,120,200")
    a = p.parse_args()
    home = pathlib.Path(tempfile.mkdtemp(prefix="scale-"))
    b = Branch(home, a.tideover.resolve())
    head = ("desks", "all met", "1,000 records everywhere", "sent a record", "CPU for them", "own memory", "idle CPU", "idle sends")
    print(" | ".join(head), file=sys.stderr)
    try:
        for i, size in enumerate(int(n) for n in a.desks.split(",")):
            b.grow(size)
            met = b.restart()
            took, sent, cpu = b.spread(i * RECORDS)
            memory = sorted(own_kib(d) for d in b.desks)[size // 2]
            idle_cpu, idle_sent = b.idle()
            print(f"{size} | {met:.1f} s | {took:.2f} s | {sent:.0f} B | {cpu:.0f} ms | {memory / 1024:.1f} MiB | "
                  f"{idle_cpu:.1f} ms/s | {idle_sent:.0f} B/s", file=sys.stderr, flush=True)
            for what, unit, v in zip(ROWS, ("s", "s", "B", "ms", "KiB", "ms/s", "B/s"),
                                     (met, took, sent, cpu, memory, idle_cpu, idle_sent)):
                print(json.dumps({"id": f"scale-{size}-{what}", "what": f"{size} desks: {ROWS[what]}", "unit": unit,
                                  "ours": [v], "theirs": []}), flush=True)
    finally:
        for d in b.desks:
            d.kill9()
        shutil.rmtree(home, ignore_errors=True)
    if a.sim:
        simulated(a.sim, a.simulated)


if __name__ == "__main__":
    main()
