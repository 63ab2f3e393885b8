#!/usr/bin/env python3
"""An upload to a SIP2 server by a branch of three desks, where "about to send" is on a majority of
disks before each record, against a bare loop that sends the same messages to the same server and
remembers nothing. Both by the effects that the server's ledger gets in a second; turn by turn, in one
run. Rows of JSON on stdout, as bench.h. At full speed the sample server shows what our bookkeeping
costs; with 20 ms for an answer, which is quick for a library system, what of it is felt."""
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


def bare(port, lines):
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer(s, "9300CNtideover|COsecret|")
        begun = time.monotonic()
        for x in lines:
            if answer(s, x.text)[2:3] != b"1":
                raise RuntimeError(f"refused: {x.text}")
        return len(lines) / (time.monotonic() - begun)


class Branch(branch.Case):
    """Uploads the same number of loans; the clock runs from the server's first effect to its last."""

    records, slow, rates, bare = 0, 0.0, None, None

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
        self.bare.append(bare(server.port, [sip2.line("checkout", 500000 + i, 1 + i % 97)
                                            for i in range(self.records)]))


def row(name, what, records, slow, rounds):
    ours, theirs = [], []
    for _ in range(rounds):
        case = Branch()
        case.records, case.slow, case.rates, case.bare = records, slow, ours, theirs
        case.debug()
    return {"id": name, "what": what, "unit": "records/s", "against": "a bare loop, one in flight",
            "ours": ours, "theirs": theirs, "must": ">= 0.5", "aim": ">= 0.9"}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-q", action="store_true", help="fewer, shorter rounds")
    quick = p.parse_args().q
    rounds, n = (1, 300) if quick else (3, 1000)
    for r in (row("sip2-fast", "SIP2 upload, the sample server at full speed", n, 0, rounds),
              row("sip2", "SIP2 upload, a server that takes 20 ms for an answer", n // 4, 0.02, rounds)):
        print(json.dumps(r), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("TIDEOVER_BINARY", str(branch.ROOT / "build/release/tideover"))
    main()
