#!/usr/bin/env python3
"""100,000 records from one desk to four peers, durable and encrypted at every one.

Five real nodes on loopback; one `tideover record --batch FILE`; the clock stops when the recording
desk has the acknowledgement of all four, which they send after their commit. Against Redis with four
replicas: TLS replication and appendfsync always on all five, and plain with nothing persisted; a
pipelined SET of the same lines, then WAIT 4. The three take turns in every round, and keep what they
got in earlier rounds. Rows of JSON on stdout, as bench.h."""
import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time

PEERS = 4
DEADLINE_S = 60  # of one measurement
NODE_PORT, WEB_PORT, REDIS_PORT, PLAIN_PORT = 21100, 22100, 23000, 23200

running = []


def start(*argv, **more):
    p = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, **more)
    running.append(p)
    return p


def stop_all():
    for p in running:
        if p.poll() is None:
            p.terminate()
    for p in running:
        try:
            p.wait(10)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()


def wait_for(what, ready, step=0.05, seconds=DEADLINE_S):
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(step)


def cpu_seconds(processes):
    ticks = 0
    for p in processes:
        with open(f"/proc/{p.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def sent_bytes(ports):
    """TCP payload that both ends of the connections to these ports have sent so far."""
    total = 0
    lines = subprocess.run(["ss", "-tinH"], capture_output=True, text=True, check=True).stdout.splitlines()
    for head, info in zip(lines[0::2], lines[1::2]):
        ends = {int(a.rsplit(":", 1)[1]) for a in head.split()[3:5]}
        if ends & ports:
            total += sum(int(w.split(":")[1]) for w in info.split() if w.startswith("bytes_sent:"))
    return total


class Nodes:
    """Five desks of one branch."""

    def __init__(self, tideover, folder):
        self.tideover, self.folder = tideover, folder
        self.ports = {NODE_PORT + 100 * i for i in range(PEERS + 1)}
        self.processes = []
        self.lead = os.path.join(folder, "lead")
        with open(os.open(self.lead, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
            f.write("a passphrase for the benchmark\n")
        self.call("init", 0, "--branch", "BENCH", "--desk", "DESK-1", *self.addresses(0),
                  "--lead-passphrase-file", self.lead)
        self.node(0)
        for i in range(1, PEERS + 1):
            code = self.call("invite", 0, "--desk", f"DESK-{i + 1}", "--lead-passphrase-file", self.lead)
            self.call("join", i, code.strip(), *self.addresses(i))
            self.node(i)
        self.recorded = 0
        wait_for("the mesh", self.meshed)

    def state(self, i):
        return os.path.join(self.folder, f"desk-{i + 1}")

    @staticmethod
    def addresses(i):
        return "--listen", f"127.0.0.1:{NODE_PORT + 100 * i}", "--web", f"127.0.0.1:{WEB_PORT + i}"

    def call(self, verb, i, *argv):
        r = subprocess.run([self.tideover, "--state", self.state(i), verb, *argv], capture_output=True,
                           text=True, stdin=subprocess.DEVNULL)
        if r.returncode != 0:
            raise RuntimeError(f"tideover {verb}: {r.stderr.strip()}")
        return r.stdout

    def node(self, i):
        log = open(os.path.join(self.folder, f"desk-{i + 1}.log"), "w")
        p = start(self.tideover, "--state", self.state(i), "node", stdout=subprocess.PIPE, stderr=log)
        if not p.stdout.readline().startswith(b"ready"):
            raise RuntimeError(f"desk {i + 1} does not start: see {log.name}")
        self.processes.append(p)

    def ask(self, i, path):
        with open(os.path.join(self.state(i), "run", "ctl.token")) as f:
            token = f.read().strip()
        c = http.client.HTTPConnection("127.0.0.1", WEB_PORT + i, timeout=10)
        c.request("GET", path, headers={"Authorization": "Bearer " + token})
        body = json.loads(c.getresponse().read())
        c.close()
        return body

    def meshed(self):
        return all(self.ask(i, "/api/v1/status")["peers"]["online"] == PEERS for i in range(PEERS + 1))

    def everywhere(self):
        peers = [p for p in self.ask(0, "/api/v1/peers")["peers"] if not p["this"]]
        return len(peers) == PEERS and all(p["behind"] == 0 for p in peers)

    def run(self, lines, count):
        sent, cpu, t = sent_bytes(self.ports), cpu_seconds(self.processes), time.monotonic()
        with open(os.path.join(self.folder, "answers"), "w") as out:
            r = subprocess.run([self.tideover, "--state", self.state(0), "record", "--batch", lines],
                               stdout=out, stderr=subprocess.PIPE, text=True)
        if r.returncode != 0:
            raise RuntimeError(f"record --batch: {r.stderr.strip()}")
        taken = time.monotonic() - t
        wait_for("all peers", self.everywhere, 0.003)
        took = time.monotonic() - t
        self.recorded += count
        held = [self.ask(i, "/api/v1/status")["records"]["held"] for i in range(PEERS + 1)]
        if held != [self.recorded] * (PEERS + 1):
            raise RuntimeError(f"held {held}, recorded {self.recorded}")
        return {"s": took, "taken": taken, "cpu": cpu_seconds(self.processes) - cpu,
                "wire": sent_bytes(self.ports) - sent}


class Redis:
    """A master and four replicas."""

    def __init__(self, folder, port, tls):
        self.folder, self.port, self.tls = folder, port, tls
        self.source = port + 50 if tls else port
        self.ports, self.keys = {self.source}, 0
        more = ["--save", "", "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0", "--loglevel", "warning"]
        if tls:
            more += [*self.certificate(), "--appendonly", "yes", "--appendfsync", "always",
                     "--auto-aof-rewrite-percentage", "0"]
        self.processes = [self.server(i, more) for i in range(PEERS + 1)]
        for i in range(PEERS + 1):
            wait_for("redis-server", lambda i=i: self.answers(port + i))
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        self.socket.settimeout(DEADLINE_S)
        self.reader = self.socket.makefile("rb")
        wait_for("the replicas", lambda: self.info().count("state=online") == PEERS)

    def certificate(self):
        cert, key = os.path.join(self.folder, "cert.pem"), os.path.join(self.folder, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-days", "2", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", key, "-out", cert], check=True, capture_output=True)
        return ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert,
                "--tls-replication", "yes"]

    def server(self, i, more):
        place = os.path.join(self.folder, f"{'tls' if self.tls else 'plain'}-{i}")
        os.mkdir(place)
        role = ["--replicaof", f"127.0.0.1 {self.source}"] if i else ["--tls-port", self.source] if self.tls else []
        return start("redis-server", "--port", self.port + i, "--dir", place, *more, *role,
                     stdout=open(os.path.join(place, "log"), "w"))

    @staticmethod
    def answers(port):
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as s:
                s.sendall(b"PING\r\n")
                return s.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def info(self):
        self.socket.sendall(b"INFO replication\r\n")
        size = int(self.reader.readline()[1:])
        return self.reader.read(size + 2).decode()

    def payload(self, lines):
        out = []
        with open(lines, "rb") as f:
            for line in f:
                line = line.rstrip(b"\n")
                out.append(b"*3\r\n$3\r\nSET\r\n$12\r\nrec:%08d\r\n$%d\r\n%s\r\n" % (self.keys, len(line), line))
                self.keys += 1
        return b"".join(out)

    def run(self, lines, count):
        payload = self.payload(lines)
        sent, cpu, t = sent_bytes(self.ports), cpu_seconds(self.processes), time.monotonic()
        feeder = threading.Thread(target=self.socket.sendall, args=(payload,))
        feeder.start()
        left = 5 * count  # "+OK\r\n" each
        while left:
            got = self.reader.read1(min(left, 1 << 16))
            if not got:
                raise RuntimeError("redis-server went away")
            left -= len(got)
        feeder.join()
        taken = time.monotonic() - t
        self.socket.sendall(b"WAIT %d %d\r\n" % (PEERS, 1000 * DEADLINE_S))
        reached = int(self.reader.readline()[1:])
        if reached != PEERS:
            raise RuntimeError(f"only {reached} replicas have it all")
        return {"s": time.monotonic() - t, "taken": taken, "cpu": cpu_seconds(self.processes) - cpu,
                "wire": sent_bytes(self.ports) - sent}


def lines_of(tool, path, first, count):
    with open(path, "w") as f:
        r = subprocess.run([tool, str(first), str(count)], stdout=f, stderr=subprocess.PIPE, text=True, check=True)
    words = r.stderr.split()
    return int(words[1]), int(words[3])


def row(id, what, unit, ours, theirs=(), **more):
    print(json.dumps({"id": id, "what": what, "unit": unit, "ours": list(ours), "theirs": list(theirs), **more}),
          flush=True)


def median(v):
    v = sorted(v)
    return (v[(len(v) - 1) // 2] + v[len(v) // 2]) / 2


def measure(a):
    nodes = Nodes(a.tideover, a.dir)
    tls = Redis(a.dir, REDIS_PORT, True)
    plain = Redis(a.dir, PLAIN_PORT, False)
    took = {"ours": [], "tls": [], "plain": []}
    lines = os.path.join(a.dir, "lines")
    end = time.monotonic() + a.seconds
    for r in range(a.rounds):
        if r >= 3 and time.monotonic() + (time.monotonic() - end + a.seconds) / r > end:
            break
        line_bytes, record_bytes = lines_of(a.lines, lines, 1 + r * a.records, a.records)
        turn = [("ours", nodes), ("tls", tls), ("plain", plain)]
        for name, group in turn if r % 2 == 0 else turn[::-1]:
            took[name].append(group.run(lines, a.records))
    report(a.records, line_bytes, record_bytes, took)


def report(n, line_bytes, record_bytes, took):
    of = lambda name, key: [x[key] for x in took[name]]
    rate = lambda name: [n / s for s in of(name, "s")]
    what = f"{n:,} records to {PEERS} peers, durable, encrypted"
    row("repl-tls", what, "records/s", rate("ours"), rate("tls"), must=">= 2", aim=">= 3.5",
        against="Redis TLS + AOF always, SET and WAIT 4",
        note=f"ours {median(of('ours', 's')):.2f} s, of that {median(of('ours', 'taken')):.2f} s until the last line "
             f"was answered (record --batch, HTTP, JSON); Redis {median(of('tls', 's')):.2f} s")
    row("repl-plain", "the same, time taken", "s", of("ours", "s"), of("plain", "s"), must="<= 3", aim="<= 1.5",
        against="Redis plain, nothing persisted", note="lower is better")
    row("repl-cpu", "the same, CPU of all five", "us/record", [x / n * 1e6 for x in of("ours", "cpu")],
        [x / n * 1e6 for x in of("tls", "cpu")], against="Redis TLS + AOF always", note="lower is better")
    whole = PEERS * record_bytes
    row("repl-wire", "bytes on the wire / bytes of the records", "x", [x / whole for x in of("ours", "wire")],
        [x / (PEERS * line_bytes) for x in of("tls", "wire")], must="ours <= 1.10", aim="ours <= 0.6",
        against="Redis TLS (bytes of its lines)",
        note=f"a record {record_bytes / n:.0f} B, as a line {line_bytes / n:.0f} B; TCP payload of all mesh connections")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--tideover", required=True)
    p.add_argument("--lines", required=True, help="the program bench_lines")
    p.add_argument("--dir", required=True, help="an empty directory")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--records", type=int, default=100000)
    p.add_argument("--seconds", type=float, default=60, help="no further round past this, once there are three")
    a = p.parse_args()
    try:
        measure(a)
    except RuntimeError as e:
        row("repl-tls", f"{a.records:,} records to {PEERS} peers", "records/s", [], cannot=str(e))
        return 0
    finally:
        stop_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
