#!/usr/bin/env python3
"""A peer is cut off for 7 s while 10,000 records come; then how long until it has them.

Two real desks, and a Redis master with one replica (nothing persisted), cut at the same moment by
dropping all packets of their connections, healed at the same moment: the same backing off of TCP meets both.
Needs root and a network namespace of its own (tests/bench/run makes it). Rows as bench.h."""
import argparse
import atexit
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import branch  # noqa: E402  (the path is set above)
from branch import wait_until  # noqa: E402

REDIS_PORT = 23300


def iptables(what, port):
    for side in ("--dport", "--sport"):
        subprocess.run(["iptables", "-w", what, "INPUT", "-p", "tcp", side, str(port), "-j", "DROP"], check=True)


def ports_between(listening, ours):
    """Ports of the connections to `listening`, but for the ones of this process."""
    found = set()
    for line in subprocess.run(["ss", "-tnH", "state", "established"], capture_output=True, text=True, check=True).stdout.splitlines():
        here, there = (int(a.rsplit(":", 1)[1]) for a in line.split()[2:4])
        if there == listening and here not in ours:
            found.add(here)
    return found


class Redis:
    def __init__(self, home):
        self.servers = [self.start(home, 0)]
        self.asks = [self.connect(0)]
        self.servers.append(self.start(home, 1, "--replicaof", "127.0.0.1", str(REDIS_PORT)))
        self.asks.append(self.connect(1))
        self.ask(0, "CONFIG", "SET", "repl-backlog-size", "67108864")
        wait_until(lambda: "state=online" in self.ask(0, "INFO", "replication"), 60, "the replica")
        self.keys, self.cut_ports = 0, set()

    @staticmethod
    def start(home, i, *more):
        place = home / f"redis-{i}"
        place.mkdir()
        p = subprocess.Popen(["redis-server", "--port", str(REDIS_PORT + i), "--bind", "127.0.0.1", "--dir", place, "--save", "",
                              "--repl-diskless-sync-delay", "0", "--loglevel", "warning", *more],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        atexit.register(p.kill)  # whatever becomes of the case: debug() runs no cleanups after a failure
        return p

    def connect(self, i):
        def once():
            try:
                return socket.create_connection(("127.0.0.1", REDIS_PORT + i), 5)
            except OSError:
                return None
        s = wait_until(once, 60, "redis-server")
        return s, s.makefile("rb")

    def ask(self, i, *words):
        s, f = self.asks[i]
        s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))
        head = f.readline()
        return f.read(int(head[1:]) + 2).decode() if head[:1] == b"$" else head[1:].strip().decode()

    def cut(self):
        mine = {s.getsockname()[1] for s, _ in self.asks}
        self.cut_ports = ports_between(REDIS_PORT, mine)
        for p in self.cut_ports:
            iptables("-A", p)

    def heal(self):
        for p in self.cut_ports:
            iptables("-D", p)

    def write(self, lines):
        s, f = self.asks[0]
        out = []
        for line in lines:
            out.append(b"*3\r\n$3\r\nSET\r\n$12\r\nrec:%08d\r\n$%d\r\n%s\r\n" % (self.keys, len(line), line))
            self.keys += 1
        s.sendall(b"".join(out))
        for _ in lines:
            f.readline()

    def has_all(self):
        return int(self.ask(1, "DBSIZE")) == self.keys

    def stop(self):
        for p in self.servers:
            p.kill()
            p.wait()


class Desks:
    def __init__(self, case):
        self.desks = case.branch(branch.NAMES[:2])
        self.held = 0

    def ask(self, i):
        d = self.desks[i]
        c = http.client.HTTPConnection("127.0.0.1", d.web_port, timeout=10)
        c.request("GET", "/api/v1/status", headers={"Authorization": "Bearer " + (d.state / "run/ctl.token").read_text().strip()})
        said = json.loads(c.getresponse().read())
        c.close()
        return said

    def cut(self):
        for d in self.desks:
            iptables("-A", d.port)

    def heal(self):
        for d in self.desks:
            iptables("-D", d.port)

    def write(self, path, count):
        d = self.desks[0]
        r = subprocess.run([d.binary, "record", "--state", str(d.state), "--batch", str(path)], stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True, check=False)
        if r.returncode:
            raise RuntimeError(r.stderr)
        self.held += count

    def has_all(self):
        return self.ask(1)["records"]["held"] == self.held


def one(a, home, desks, redis, n):
    """Seconds from the heal until each has all; Redis: None if it is not there."""
    path = home / "lines"
    with path.open("wb") as f:
        subprocess.run([a.lines, str(1 + n * a.records), str(a.records)], stdout=f, stderr=subprocess.DEVNULL, check=True)
    for x in (desks, redis):
        x.cut()
    began = time.monotonic()
    desks.write(path, a.records)
    redis.write(path.read_bytes().splitlines())
    time.sleep(max(0, a.seconds - (time.monotonic() - began)))  # what is measured is what such a time does
    if desks.has_all() or redis.has_all():
        raise RuntimeError("the cut did not hold")
    for x in (desks, redis):
        x.heal()
    began, took = time.monotonic(), {}

    def look():
        for name, x in (("ours", desks), ("theirs", redis)):
            if name not in took and x.has_all():
                took[name] = time.monotonic() - began
        return len(took) == 2
    wait_until(look, 120, "both to have all")
    return took


class Round(branch.Case):
    a, took, home_dir = None, None, None

    def runTest(self):
        redis = Redis(self.home)
        self.addCleanup(redis.stop)
        desks = Desks(self)
        self.took = [one(self.a, self.home, desks, redis, n) for n in range(self.a.rounds)]


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--lines", required=True, help="the program bench_lines")
    p.add_argument("--dir", required=True)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--records", type=int, default=10000)
    p.add_argument("--seconds", type=float, default=7)
    a = p.parse_args()
    what = {"id": "partition", "what": f"{a.seconds:g} s cut off, then {a.records:,} missed records everywhere", "unit": "s"}
    missing = [x for x in ("redis-server", "iptables", "ss") if not shutil.which(x)]
    if missing or not os.environ.get("TIDEOVER_BENCH_INSIDE"):
        print(json.dumps({**what, "ours": [], "theirs": [], "cannot": f"{', '.join(missing) or 'a network namespace'} is missing"}))
        return
    case = Round()
    case.a = a
    case.debug()
    print(json.dumps({**what, "ours": [t["ours"] for t in case.took], "theirs": [t["theirs"] for t in case.took],
                      "to_worst": True, "against": "Redis with one replica, cut at the same time; ratio to its worst",
                      "must": "<= 0.25", "aim": "<= 0.08", "note": "lower is better"}))


if __name__ == "__main__":
    main()
