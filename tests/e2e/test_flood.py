#!/usr/bin/env python3
"""A node under flood: a member, strangers and programs on its own PC, all at once. It goes on
recording and sharing, and its memory stays bounded; node/MANUAL.md, "Limits", quotes the figure."""
import contextlib
import http.client
import os
import re
import socket
import struct
import threading
import time
import unittest

import branch
from branch import all_hold, checkouts, held
from stranger import Stranger, curve_secret, desk_id, public_of

SECONDS = 8
MEMORY_MAX_MB = 200  # of the node; 20 MB were measured, but what waits depends on the machine


def memory_mb(desk, what):
    """VmRSS, or VmHWM: the most it ever was."""
    with open(f"/proc/{desk.node.pid}/status", encoding="ascii") as f:
        return int(re.search(rf"{what}:\s+(\d+) kB", f.read())[1]) / 1024


def vector(desk, feeds):
    """VECTOR: so many feeds of that desk, of which it never heard."""
    rows = b"".join(b"\x93\xc4\x18" + desk + os.urandom(8) + b"\xcd\xff\xff\xc4\x08" + bytes(8)
                    for _ in range(feeds))
    return b"\x93\x01\x03\xdc" + struct.pack(">H", feeds) + rows


class Flood(branch.Case):
    def setUp(self):
        super().setUp()
        self.over = threading.Event()
        self.sent = {}

    def until_over(self, name, send):
        """send() again and again on a thread of its own; what the other side does to it is no
        failure of ours."""
        def loop():
            while not self.over.is_set():
                try:
                    send()
                except (OSError, http.client.HTTPException):
                    time.sleep(0.01)
                else:
                    self.sent[name] = self.sent.get(name, 0) + 1
        t = threading.Thread(target=loop, daemon=True)
        t.start()
        return t

    def member(self, one, three):
        """Holds KIDS-1's key and asks small questions with large answers, or says nothing at length."""
        s = Stranger(one.port, public_of(curve_secret(one)), curve_secret(three))
        self.addCleanup(s.close)
        questions = [b"\x93\x01\x07\x90",             # ROSTER_HAVE: I have none of your operations
                     vector(desk_id(one), 2000),
                     b"\x93\x01\x18\x2a\x01",         # not well-formed
                     b"\x93\x01\x09\xc6\x00\x0f\xff\x00" + bytes(0xfff00)]  # BYE, a megabyte

        def send():
            for q in questions:
                s.send(q)  # full queue: lost, as it would be
        return send

    def stranger(self, port):
        def send():
            with socket.create_connection(("127.0.0.1", port), 5) as c:
                c.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + os.urandom(60000))
        return send

    def program(self, desk):
        """A program of this PC's user that has the token and no manners."""
        token = (desk.state / "run" / "desk.token").read_text(encoding="ascii").strip()
        head = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}

        def send():
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", desk.web_port,
                                                               timeout=5)) as c:
                c.request("POST", "/api/v1/records/batch", b"{\"op\":1}\n" * 7000, head)
                c.getresponse().read()
        return send

    def half_requests(self, desk):
        """More connections than there may be, each with half a body."""
        held_open = []
        self.addCleanup(lambda: [c.close() for c in held_open])

        def send():
            c = socket.create_connection(("127.0.0.1", desk.web_port), 5)
            c.sendall(b"POST /api/v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n"
                      + bytes(30000))
            held_open.append(c)
            while len(held_open) > 40:
                held_open.pop(0).close()
        return send

    def test_a_flooded_desk_goes_on_and_its_memory_is_bounded(self):
        one, two, three = self.branch()
        three.stop()
        before = memory_mb(one, "VmRSS")
        floods = [self.until_over("member", self.member(one, three)),
                  self.until_over("stranger", self.stranger(one.port)),
                  self.until_over("program", self.program(one)),
                  self.until_over("half", self.half_requests(one))]
        end = time.monotonic() + SECONDS
        n = 0
        while time.monotonic() < end:
            self.feed(two, checkouts(1000 * n, 20))
            n += 1
            all_hold([one, two], 20 * n, 20)
        self.over.set()
        for t in floods:
            t.join(20)
        most = memory_mb(one, "VmHWM")
        print(f"\nflooded for {SECONDS} s: {self.sent}; {n * 20} records came through; memory "
              f"{before:.0f} MB before, {most:.0f} MB at most, {memory_mb(one, 'VmRSS'):.0f} MB after")
        self.assertEqual({"member", "stranger", "program", "half"}, set(self.sent))
        self.assertLess(most, MEMORY_MAX_MB)
        self.assertGreater(one.status()["refused"]["messages"], 0)
        three.start()
        self.all_online([one, two, three])
        all_hold([one, two, three], held(one), 20)


if __name__ == "__main__":
    unittest.main()
