#!/usr/bin/env python3
"""What a desk costs that does nothing: one of a mesh of five, beside a redis-server that nobody asks.

Both stand side by side for the same time. CPU is counted in nanoseconds by the scheduler. Rows as bench.h."""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples"))
from bench_scale import Branch, metric  # noqa: E402

DESKS, REDIS_PORT, SETTLE_S = 5, 23600, 10


def rss_mib(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {k: int(v) / 1024 for k, v in (line.split()[:2] for line in text.splitlines()[1:])}


def cpu_ns(pid):
    return sum(int((t / "schedstat").read_text().split()[0]) for t in pathlib.Path(f"/proc/{pid}/task").iterdir())


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--tideover", default=ROOT / "build/release/tideover", type=pathlib.Path)
    p.add_argument("--dir", required=True, type=pathlib.Path)
    p.add_argument("--seconds", type=float, default=60)
    a = p.parse_args()
    b, redis = Branch(a.dir, a.tideover.resolve()), None
    try:
        b.grow(DESKS)
        b.restart()
        if shutil.which("redis-server"):
            redis = subprocess.Popen(["redis-server", "--port", str(REDIS_PORT), "--bind", "127.0.0.1", "--dir", a.dir, "--save", ""],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(min(SETTLE_S, a.seconds))  # what is measured is rest
        pids = [d.node.pid for d in b.desks]
        theirs = [redis.pid] if redis else []
        before, sent = {x: cpu_ns(x) for x in pids + theirs}, sum(metric(d, "peer_sent_bytes_total") for d in b.desks)
        began = time.monotonic()
        time.sleep(a.seconds)
        took = time.monotonic() - began
        load = {x: (cpu_ns(x) - before[x]) / took / 1e7 for x in pids + theirs}  # % of a core
        sent = (sum(metric(d, "peer_sent_bytes_total") for d in b.desks) - sent) / took / DESKS
        memory = {x: rss_mib(x) for x in pids + theirs}
    finally:
        for d in b.desks:
            d.kill9()
        if redis:
            redis.kill()
            redis.wait()
    own = max(memory[x]["Anonymous:"] for x in pids)
    minutes = f"{took / 60:.0f} min" if took >= 60 else f"{took:.0f} s"
    for row in ({"id": "idle-rss", "what": f"resident memory of an idle desk in a mesh of {DESKS}", "unit": "MiB",
                 "ours": [memory[x]["Rss:"] for x in pids], "theirs": [memory[x]["Rss:"] for x in theirs] * DESKS, "must": "<= 1.0",
                 "aim": "<= 0.65", "note": f"lower is better; {own:.1f} MiB of it its own, the rest programs and libraries"},
                {"id": "idle-cpu", "what": f"CPU of it over {minutes}", "unit": "% of a core", "ours": [load[x] for x in pids],
                 "theirs": [load[x] for x in theirs] * DESKS, "must": "<= 1.5", "aim": "<= 0.8",
                 "note": f"lower is better; it sends {sent:.0f} bytes a second"}):
        print(json.dumps({**row, "against": "redis-server that nobody asks"}))


if __name__ == "__main__":
    main()
