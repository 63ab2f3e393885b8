#!/usr/bin/env python3
"""A day at three desks of a build with a sanitizer (-DSANITIZE=thread, or ON): everything that runs
at the same time, at the same time, and no report in the end.

    TIDEOVER_BINARY=build/thread/tideover python3 tests/e2e/sanitized.py

Not a test_*.py: without a sanitizer it would show nothing that the other tests do not."""
import concurrent.futures
import http.client
import json
import os
import pathlib
import socket
import sys
import unittest

import branch
from branch import all_hold, checkout, checkouts, wait_until

SUPPRESSED = pathlib.Path(__file__).with_name("tsan.supp")
# The memory that the sanitizers themselves map is no leak of ours, and the desks end by SIGTERM.
OPTIONS = {"TSAN_OPTIONS": f"halt_on_error=0:exitcode=0:suppressions={SUPPRESSED}:history_size=4",
           "ASAN_OPTIONS": "exitcode=0:detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
os.environ.update(OPTIONS)  # for the template's desks too


def get(desk, path, body=None):
    """One request of a program on the desk's PC: 200, or what was said instead."""
    token = (desk.state / "run" / "ctl.token").read_text(encoding="utf-8").strip()
    c = http.client.HTTPConnection("127.0.0.1", desk.web_port, timeout=30)
    try:
        c.request("GET" if body is None else "POST", path, body,
                  {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        r = c.getresponse()
        said = r.read()
        return r.status if r.status == 200 else f"{path}: {r.status} {said[:300]}"
    finally:
        c.close()


def garbage(desk):
    """Strangers at both ports who speak neither ZMTP nor HTTP."""
    for port in (desk.port, desk.web_port):
        for bytes_ in (b"\xff" * 64, b"GET / HTTP/1.1\r\n\r\n", b"\0" * 4096, b"\xff\0\0\0\0\0\0\0\x01\x7f"):
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                s.settimeout(0.2)
                try:
                    s.sendall(bytes_)
                    s.recv(4096)
                except OSError:
                    pass  # it may hang up on us at any time


class Sanitized(branch.Case):
    def test_a_day_with_everything_at_once(self):
        desks = self.branch()
        for d in desks:
            wait_until(lambda d=d: d.status()["ledger"]["may_vote"], 60, f"{d.name} to vote")
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            work = [pool.submit(d.feed, checkouts(1000 * i, 300)) for i, d in enumerate(desks)]
            for d in desks:
                for path in ("/api/v1/status", "/api/v1/peers", "/api/v1/records", "/healthz"):
                    work += [pool.submit(get, d, path) for _ in range(6)]
                work += [pool.submit(get, d, "/api/v1/records", json.dumps(checkout(5000 + k, confirm=True)))
                         for k in range(6)]
                work.append(pool.submit(garbage, d))
            for w in work:
                said = w.result(120)
                if isinstance(said, list):
                    self.assertEqual([], [a for a in said if not a["ok"]])
                else:
                    self.assertIn(said, (None, 200))
        all_hold(desks, 3 * 306, 60)
        upload = concurrent.futures.ThreadPoolExecutor(1).submit(self.upload, desks[0], True, 120)
        while not upload.done():
            for d in desks:
                d.cli("export", "--format", "symphony", "--out", self.home / f"out-{d.name}",
                      check=False)
                (self.home / f"out-{d.name}").unlink(missing_ok=True)
        upload.result()
        self.assertEqual(1, len(self.files()))
        desks[1].cli("log", "verify")
        desks[2].stop()
        desks[2].start(60)
        self.feed(desks[2], checkouts(9000, 20))
        all_hold(desks, 3 * 306 + 20, 60)
        for d in desks:
            self.assertEqual(0, d.stop(), d.log()[-3000:])
        for d in desks:
            log = d.log()
            reports = [x for x in log.splitlines() if x.startswith("SUMMARY:") or "runtime error:" in x]
            self.assertEqual([], reports, log[:6000])


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
