#!/usr/bin/env python3
"""An upload to a SIP2 server by a branch of three desks, where "about to send" is on a majority of
disks before each record, against a bare loop that sends the same messages to the same server and
remembers nothing. Both by the effects that the server's ledger gets in a second; turn by turn, in one
run. Rows of JSON on stdout, as bench.h. With 20 ms for an answer, which is quick for a library system,
it shows what is felt of our bookkeeping; the sample server at full speed what it costs, against a loop
that writes each record into a file, and flushes it, before it sends it, for nobody's disk is faster
than that."""
import argparse
import json
import os
import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import branch  # noqa: E402  (the path is set above)
import sip2  # noqa: E402
from branch import wait_until  # noqa: E402


def answer(s, message):
    """Sends one message with its checksum, returns the answer."""
    raw = message.encode() + b"AY0AZ"
    s.sendall(raw + b"%04X\r" % (-sum(raw) & 0xFFFF))
    got = b""
    while not got.endswith(b"\r"):
        more = s.recv(4096)
        if not more:
            raise ConnectionError("closed")
        got += more
    return got


def bare(port, lines, journal=None):
    with open(journal or os.devnull, "ab", 0) as notes, socket.create_connection(("127.0.0.1", port)) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer(s, "9300CNtideover|COsecret|")
        begun = time.monotonic()
        for x in lines:
            if journal:
                notes.write(x.text.encode() + b"\n")
                os.fdatasync(notes.fileno())
            if answer(s, x.text)[2:3] != b"1":
                raise RuntimeError(f"refused: {x.text}")
        return len(lines) / (time.monotonic() - begun)


class Branch(branch.Case):
    """Uploads the same number of loans; the clock runs from the server's first effect to its last."""

    records, slow, rates, bare, flushed = 0, 0.0, None, None, None

    def runTest(self):
        server = sip2.Server(self.home, "--slow", self.slow)
        self.addCleanup(server.stop)
        self.branch()
        text = branch.policy_text(self.sink).replace(
            f"file:{self.sink}", f"sip2://127.0.0.1:{server.port}").replace(
            "format = symphony", "format = sip2\ncredential = ils")
        for d in self.desks:
            (d.state / "credentials").mkdir(mode=0o700)
            branch.write_secret(d.state / "credentials/ils.password", "secret")
        self.publish(self.desks[0], text + f"[sip2]\nuser = tideover\ncanary = {branch.item(1)}\n")
        self.feed(self.desks[0], branch.checkouts(1000, self.records))
        branch.all_hold(self.desks, self.records, 30)
        for d in self.desks:
            wait_until(lambda d=d: "sip2:" in d.cli("policy", "show").out, 20, "the policy")
            wait_until(lambda d=d: d.status()["ledger"]["may_vote"], 20, "votes")
        self.upload(self.desks[0], deadline=300)
        times = [e["at"] for e in server.effects()]
        if len(times) != self.records:
            raise RuntimeError(f"{len(times)} effects of {self.records}")
        self.rates.append((self.records - 1) / (times[-1] - times[0]))
        # The bare loop meets the same server, as it stands, with other items.
        others = [sip2.line("checkout", 500000 + i, 1 + i % 97) for i in range(2 * self.records)]
        self.bare.append(bare(server.port, others[:self.records]))
        if not self.slow:
            self.flushed.append(bare(server.port, others[self.records:], self.home / "notes"))


def rates(records, slow, rounds):
    """Ours, the bare loop's, and those of the loop that flushes."""
    ours, theirs, flushed = [], [], []
    for _ in range(rounds):
        case = Branch()
        case.records, case.slow, case.rates, case.bare, case.flushed = records, slow, ours, theirs, flushed
        case.debug()
    return ours, theirs, flushed


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-q", action="store_true", help="fewer, shorter rounds")
    quick = p.parse_args().q
    rounds, n = (1, 300) if quick else (2, 1000)
    ours, theirs, _ = rates(n // 4, 0.02, rounds)
    row = {"unit": "records/s", "ours": ours, "theirs": theirs}
    print(json.dumps({**row, "id": "sip2", "what": "SIP2 upload, a server that takes 20 ms for an answer",
                      "against": "a bare loop, one in flight", "must": ">= 0.5", "aim": ">= 0.9"}), flush=True)
    ours, theirs, flushed = rates(n, 0, rounds)
    row = {"unit": "records/s", "ours": ours, "theirs": flushed}
    print(json.dumps({**row, "id": "sip2-fast", "what": "the same, a server that answers at once: each record is on two disks first",
                      "against": "a bare loop that flushes each record to its disk first",
                      "note": f"a loop that flushes nothing: {max(theirs):.0f}"}), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("TIDEOVER_BINARY", str(branch.ROOT / "build/release/tideover"))
    main()
