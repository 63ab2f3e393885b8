#!/usr/bin/env python3
"""A day at three desks of a build with a sanitizer (-DSANITIZE=thread, or ON): everything that runs
at the same time, at the same time, and no report in the end.

    TIDEOVER_BINARY=build/thread/tideover python3 tests/e2e/sanitized.py

Not a test_*.py: without a sanitizer it would show nothing that the other tests do not."""
import collections
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
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


# What a program with the token may say to any route, and a page in any browser may try to.
SOURCES = sorted((pathlib.Path(__file__).parents[2] / "node").glob("*.c"))
ROUTE = re.compile(r'\{ "(GET|POST)", "(/[^"]+)", HTTP_')
FIELD = re.compile(r'"([a-z_]{2,16})"\)')
TEXTS = ("", "x", "\u0000", "\u00e9" * 300, "%s%n/../..", "-1", "18446744073709551616")
VALUES = (None, True, -1, 2**63 - 1, 1.5, [], [[1]], [{}], [None, "x", 7], {}, {"ids": 3}) + TEXTS
BODIES = (b"", b"{", b"[]", b"{}", b'{"a":1,"a":2}', b'{"a":"\xff"}', b"\0" * 64, b"[" * 5000,
          b'{"op":"checkout","item":"' + b"9" * 20000 + b'"}')
QUERIES = ("", "?slot=18446744073709551616&after=-1&limit=x", "?slot=0&format=%00&page=%ff",
           "?" + "a=b&" * 70)


def routes_and_bodies():
    """Every route of the program, and bodies that give each field it knows of a wrong value."""
    text = "".join(p.read_text(encoding="utf-8") for p in SOURCES)
    fields = sorted(set(FIELD.findall(text)) - {"passphrase", "root"})  # half a second each
    return ROUTE.findall(text), BODIES + tuple(
        json.dumps(dict.fromkeys(fields, v)).encode()[:60000] for v in VALUES)


class Api:
    """One connection, opened again when the node closed it."""

    def __init__(self, desk):
        self.desk, self.c = desk, None
        self.token = (desk.state / "run" / "ctl.token").read_text(encoding="utf-8").strip()

    def status(self, method, path, body=None):
        """What was answered: JSON, or lines of it, whatever was asked."""
        for last in (False, True):
            try:
                self.c = self.c or http.client.HTTPConnection("127.0.0.1", self.desk.web_port, timeout=60)
                self.c.request(method, path, body, {"Authorization": f"Bearer {self.token}",
                                                    "Content-Type": "application/json"})
                r = self.c.getresponse()
                said = r.read()
                if r.getheader("Content-Type", "").startswith("application/json") and said:
                    json.loads(said)
                if r.status >= 500 and r.status != 503:  # 503: not now
                    raise AssertionError(f"{method} {path}: {r.status} {said[:200]}")
                return r.status
            except (http.client.HTTPException, OSError):
                self.c.close()
                self.c = None
                if last:
                    raise AssertionError(f"{method} {path[:80]} {(body or b'')[:200]}: no answer; node "
                                         f"{self.desk.node.poll()}\n{self.desk.log()[-3000:]}") from None


@unittest.skipIf("thread" in str(branch.BINARY.parent), "one request after the other")
class Hostile(branch.Case):
    def test_whatever_is_sent_to_any_route_is_answered(self):
        one, = self.branch(branch.NAMES[:1])
        api, told = Api(one), collections.Counter()
        routes, bodies = routes_and_bodies()
        self.assertGreater(len(routes), 70)
        for method, path in routes:
            if path.endswith(("/changes", "/export", "/bundle")) and method == "GET":
                continue  # one waits for news, two have no end in JSON
            for x in QUERIES if method == "GET" else bodies:
                told[api.status(method, path + (x if method == "GET" else ""),
                                None if method == "GET" else x) // 100] += 1
        for _, path in (r for r in routes if r[0] == "POST"):  # half a second each
            body = {**json.loads(bodies[-1]), "passphrase": branch.PASSPHRASE, "ids": [{}, "x"]}
            told[api.status("POST", path, json.dumps(body)) // 100] += 1
        branch.report(f"hostile requests {sum(told.values())} to {len(routes)} routes, each answered "
                      f"({', '.join(f'{n} x {k}xx' for k, n in sorted(told.items()))})")
        self.assertGreater(told[4], 500)
        self.feed(one, [checkout(1)])
        self.assertEqual(0, one.stop(), one.log()[-3000:])
        reports = [x for x in one.log().splitlines() if x.startswith("SUMMARY:") or "runtime error:" in x]
        self.assertEqual([], reports, one.log()[:6000])


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
