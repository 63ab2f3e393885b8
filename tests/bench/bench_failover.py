#!/usr/bin/env python3
"""The uploader is killed in the middle of an upload: how long until another desk has delivered it.

Three desks, a server over HTTP that knows an Idempotency-Key again (F3), takes the file and never
answers; kill -9 of the uploader at that moment. Against etcd with three members and its default timings:
kill -9 of the leader until a write to another member succeeds. Turn by turn. Rows as bench.h."""
import argparse
import base64
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import branch  # noqa: E402  (the path is set above)
import sinks  # noqa: E402
from branch import wait_until  # noqa: E402

ETCD_PORT = 23400


class Branch(branch.Case):
    """One round: seconds from the kill until another desk has delivered."""

    took = None

    def runTest(self):
        desks = self.branch()
        drop = self.home / "in"
        server = sinks.sample("httpdrop.py", "--dir", drop, "--token", "a token", "--bad", "hangs-after=1x")
        self.addCleanup(server.kill)
        sink = f"key:http://127.0.0.1:{server.port}/in/"
        text = branch.policy_text(self.sink).replace(f"sink = file:{self.sink}", f"sink = {sink}\ncredential = upload")
        self.publish(desks[0], text.replace("quiet = 1s\n", ""))
        self.feed(desks[1], branch.checkouts(300, 100))
        branch.all_hold(desks, 100, 60)
        for d in desks:
            wait_until(lambda d=d: sink in d.cli("policy", "show").out, 60, "the policy")
            d.cli("credential", "set", "upload", text="a token")
            wait_until(lambda d=d: d.status()["ledger"]["may_vote"], 60, f"{d.name} to vote")
        threading.Thread(target=self.upload, args=(desks[0],), kwargs={"check": False}, daemon=True).start()
        wait_until(lambda: [r for r in sinks.read_ledger(drop / ".ledger") if r["effect"] == "stored"], 60, "the file")
        killed = next(d for d in desks if branch.is_sending(d))
        killed.kill9()
        began = time.monotonic()
        other = next(d for d in desks if d is not killed)
        wait_until(lambda: other.upload_status()["state"] in ("delivered", "settled"), 120, "another desk to deliver")
        self.took = time.monotonic() - began


class Etcd:
    def __init__(self, home):
        self.home = home
        self.members = [self.start(i) for i in range(3)]
        wait_until(self.leader_known, 60, "etcd to elect")

    def start(self, i):
        peers = ",".join(f"e{k}=http://127.0.0.1:{ETCD_PORT + 10 + k}" for k in range(3))
        client, peer = f"http://127.0.0.1:{ETCD_PORT + i}", f"http://127.0.0.1:{ETCD_PORT + 10 + i}"
        return subprocess.Popen(
            ["etcd", "--name", f"e{i}", "--data-dir", self.home / f"e{i}", "--listen-client-urls", client,
             "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
             "--initial-cluster", peers, "--log-level", "error"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @staticmethod
    def post(i, path, body, timeout):
        c = http.client.HTTPConnection("127.0.0.1", ETCD_PORT + i, timeout=timeout)
        try:
            c.request("POST", path, json.dumps(body))
            r = c.getresponse()
            said = json.loads(r.read())
            return said if r.status == 200 else None
        except (OSError, ValueError, http.client.HTTPException):
            return None
        finally:
            c.close()

    def leader(self):
        for i in range(3):
            said = self.post(i, "/v3/maintenance/status", {}, 1)
            if said and said.get("leader", "0") == said["header"]["member_id"]:
                return i
        return None

    def leader_known(self):
        said = [self.post(i, "/v3/maintenance/status", {}, 1) for i in range(3)]
        return all(s and s.get("leader", "0") != "0" for s in said)

    def put(self, i):
        text = base64.b64encode(b"x").decode()
        return self.post(i, "/v3/kv/put", {"key": text, "value": text}, 0.5)

    def one(self):
        """Seconds from the leader's end until another member takes a write."""
        old = wait_until(lambda: self.leader() is not None, 60, "a leader") and self.leader()
        other = (old + 1) % 3
        self.members[old].kill()
        began = time.monotonic()
        wait_until(lambda: self.put(other), 60, "etcd to take a write")
        took = time.monotonic() - began
        self.members[old].wait()
        self.members[old] = self.start(old)
        wait_until(self.leader_known, 60, "etcd to be whole again")
        return took

    def stop(self):
        for m in self.members:
            m.kill()
            m.wait()


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--dir", required=True, type=pathlib.Path)
    p.add_argument("--rounds", type=int, default=3)
    a = p.parse_args()
    etcd = Etcd(a.dir) if shutil.which("etcd") else None
    ours, theirs = [], []
    try:
        for _ in range(a.rounds):
            case = Branch()
            case.debug()
            ours.append(case.took)
            if etcd:
                theirs.append(etcd.one())
    finally:
        if etcd:
            etcd.stop()
    print(json.dumps({"id": "failover", "what": "uploader killed in mid-upload, another delivers (F3)", "unit": "s",
                      "ours": ours, "theirs": theirs, "against": "etcd, default timings, leader killed, first write",
                      "must": "<= 6", "aim": "<= 2",
                      "note": "lower is better; lease 5 s" + ("" if etcd else "; etcd-server is missing")}))


if __name__ == "__main__":
    os.environ.setdefault("TIDEOVER_BINARY", str(branch.ROOT / "build/release/tideover"))
    main()
