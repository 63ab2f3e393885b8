#!/usr/bin/env python3
"""`tideover merge` of five Symphony logs against `sort -m -u` of the same files, turn by turn in one run.

sort knows no rules, reads no fields and writes no report: it is the floor, not a rival. Prints rows for bench_table.py:
wall time of both, and the greatest resident and private memory of ours."""
import argparse
import json
import os
import subprocess
import threading
import time

DESKS = 5


def stamp(second):
    """Local time of 9 March 2026 and the days after, without a module in the way."""
    day, s = divmod(second, 86400)
    return f"202603{9 + day:02d}{s // 3600:02d}{s // 60 % 60:02d}{s % 60:02d}"


def write_logs(folder, lines):
    """Sorted, as desks write them; one line in fifty is at two desks (a copy of a neighbour's log)."""
    logs = [open(os.path.join(folder, f"LOG-{d + 1}"), "w", buffering=1 << 20) for d in range(DESKS)]
    per_second = max(1, lines // (10 * 86400) + 1)
    for i in range(lines):
        desk = i * 7 % DESKS
        item, user = 39999000000000 + i % (lines // 2 + 1), 29999000000000 + i * 31 % 50000
        head = f"E{stamp(i // per_second)}{41 + desk:04d}R "
        if i < lines // 2 or i % 4 == 0:
            body = f"^S{i % 99 + 1:02d}CVFFOFFLINE^FERVR^FcNONE^FWRVRCIRC^NQ{item}^UO{user}^dC3^^O"
        else:
            body = f"^S{i % 99 + 1:02d}EVFFOFFLINE^FERVR^FcNONE^FWRVRCIRC^NQ{item}^dC3^^O"
        line = f"{head}{body}{len(body):05d}\n"
        logs[desk].write(line)
        if i % 50 == 0:
            logs[(desk + 1) % DESKS].write(line)
    for f in logs:
        f.close()
    return [f.name for f in logs]


class Memory(threading.Thread):
    """Greatest private memory of a process, looked at every 20 ms."""

    def __init__(self, pid):
        super().__init__()
        self.pid, self.private, self.end = pid, 0, threading.Event()

    def run(self):
        while not self.end.wait(0.02):
            try:
                with open(f"/proc/{self.pid}/smaps_rollup") as f:
                    kib = sum(int(l.split()[1]) for l in f if l.startswith(("Private_Dirty", "Private_Clean")))
                self.private = max(self.private, kib)
            except OSError:
                return


def timed(argv, env=None, watch=False):
    began = time.monotonic()
    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, env=env)
    memory = Memory(p.pid)
    if watch:
        memory.start()
    _, status, usage = os.wait4(p.pid, 0)
    took = time.monotonic() - began
    memory.end.set()
    return took, os.waitstatus_to_exitcode(status), usage.ru_maxrss, memory.private


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--tideover", required=True)
    a.add_argument("--dir", required=True)
    a.add_argument("--lines", type=int, default=1000000)
    a.add_argument("--rounds", type=int, default=3)
    a = a.parse_args()
    logs = write_logs(a.dir, a.lines)
    out = os.path.join(a.dir, "merged.log")
    ours, theirs, private, resident = [], [], [], []
    for _ in range(a.rounds):
        took, code, rss, own = timed([a.tideover, "merge", "--from", "symphony", "--to", "symphony", "--zone",
                                      "America/New_York", "--quiet", "--out", out, *logs], watch=True)
        if code not in (0, 2):
            raise SystemExit(f"tideover merge: exit code {code}")
        ours.append(took)
        private.append(own / 1024)
        resident.append(rss / 1024)
        for end in ("", ".report"):
            os.unlink(out + end)
        theirs.append(timed(["sort", "-m", "-u", "-o", out, *logs], env={**os.environ, "LC_ALL": "C"})[0])
        os.unlink(out)
    million = f"{a.lines / 1e6:g} M"
    print(json.dumps({"id": f"merge-{million.replace(' ', '')}", "what": f"five Symphony logs, {million} lines, as one", "unit": "s",
                      "ours": ours, "theirs": theirs, "against": "sort -m -u, the same files",
                      "note": f"most memory: {max(private):.1f} MiB private, {max(resident):.1f} MiB resident"}))


if __name__ == "__main__":
    main()
