#!/usr/bin/env python3
"""What the library's system loads later, by its own report: read in at one desk it closes what was not
confirmed yet, on all, and each refused line is an exception that can be sent again."""
import http.client
import json
import unittest

import branch
from branch import all_hold, checkouts, wait_until


class Loaded(branch.Case):
    def unconfirmed(self, d):
        (u,) = [u for u in d.cli("upload", "unconfirmed", json=True)["uploads"] if u["slot"] == self.slot]
        return u["unconfirmed"], u["refused"], u["settled"]

    def say(self, d, *args, **more):
        return d.cli("upload", "loaded", "--slot", self.slot, *args, "--lead-passphrase-file", self.lead, **more)

    def test_a_list_of_results_closes_what_was_open_and_makes_exceptions(self):
        a, b, c = desks = self.branch()
        ids = self.feed(a, checkouts(1, 6)) + self.feed(b, checkouts(11, 4))
        all_hold(desks, 10, 10)
        self.upload(a)
        self.slot = a.cli("upload", "status", json=True)["last"]["slot"]
        for d in desks:
            wait_until(lambda d=d: d.status()["records"]["pending"] == 0, 20, f"{d.name} to hear of it")
            self.assertEqual((10, 0, False), self.unconfirmed(d))
            self.assertEqual("delivered", d.upload_status()["state"])
        self.assertIn("10 of 10 records not confirmed yet", c.cli("upload", "unconfirmed").out)
        self.assertIn("has not confirmed 10 records yet: look for", c.cli("report").out)
        results = self.home / "results.csv"

        for noise in (b"\0" * 99, f"{ids[0]},ok\n".encode("utf-16"), f"{ids[0]},ok\n\0".encode(),
                      b"^NQ" * 9000, b",;\t" * 9000, b"x" * 99999, b"^NQ^MN,\xff\xfe\n" * 99, b"\r" * 99, b""):
            results.write_bytes(noise)
            said = self.say(a, results, check=False)
            self.assertEqual(65, said.rc, (noise[:20], said))
        self.assertEqual((10, 0, False), self.unconfirmed(a))
        results.write_text("nobody/1/0001,ok\nMAIN-1\n")
        said = self.say(a, results, check=False)
        self.assertEqual((65, 1), (said.rc, said.err.count("names no record of upload")), said)
        results.write_text(f"{ids[0]},ok\n{ids[1]};loaded;\n")  # a part of them
        self.assertIn("8 not confirmed yet", self.say(a, results).out)
        results.write_text(f"{ids[1]},ok\n" * 10)  # one record ten times is not ten records
        self.assertIn("8 not confirmed yet", self.say(a, results).out)
        for d in desks:
            wait_until(lambda d=d: self.unconfirmed(d) == (8, 0, False), 20, f"{d.name} to hear the first part")

        results.write_text(f"{ids[8]},ok\n{ids[8]},refused,user 21234000000011 is barred\r\n{ids[9]}\tfailed\n")
        self.assertIn("nothing waits", self.say(a, "--all", results).out)
        for d in desks:
            wait_until(lambda d=d: self.unconfirmed(d) == (0, 2, True), 20, f"{d.name} to hear the rest")
            self.assertEqual(("settled", "loaded"), (d.upload_status()["state"],
                                                     d.upload_status()["last"]["settled"]["how"]))
            wait_until(lambda d=d: d.status()["records"]["aside"]["not_loaded"] == 2, 20, "rows of them")
            got = d.cli("upload", "exceptions", "--slot", self.slot, json=True)
            self.assertEqual([(ids[8], "refused: user # is barred"), (ids[9], "failed")],
                             sorted((e["id"], e["words"]) for e in got["exceptions"] if e["open"]))
        self.assertIn("Nothing waits for the report", a.cli("upload", "unconfirmed").out)
        self.assertNotIn("Nothing is unsent", a.cli("report").out)
        facts = a.cli("report", json=True)  # the system's own words may name somebody
        self.assertEqual(["not_loaded"] * 2, [e["answer"] for e in facts["exceptions"]])
        self.assertNotIn("barred", json.dumps(facts))

        a.cli("upload", "done", ids[9], "--lead-passphrase-file", self.lead)
        a.cli("upload", "release", ids[8], "--yes", "--lead-passphrase-file", self.lead)
        wait_until(lambda: a.cli("upload", "plan", json=True)["released"] == 1, 20, "it to go again")
        self.upload(a)
        for d in desks:
            wait_until(lambda d=d: d.status()["records"]["aside"]["not_loaded"] == 0, 20, "nothing to be open")

    def test_a_long_list_goes_in_several_requests_and_of_other_uploads_nothing_is_taken(self):
        desks = self.branch()
        a = desks[0]
        first = self.feed(a, checkouts(1, 2))
        all_hold(desks, 2, 60)
        self.upload(a)
        ids = self.feed(a, checkouts(1000, 4000))
        all_hold(desks, 4002, 60)
        self.upload(a)
        self.slot = a.cli("upload", "status", json=True)["last"]["slot"]
        results = self.home / "results.csv"
        results.write_text("".join(f"{i},{'failed' if k % 2 else 'ok'},item 3{k:013}\n" for k, i in
                                   enumerate(ids[:-1])))
        self.assertIn("1 not confirmed yet", self.say(a, results).out)
        self.assertEqual((1, 1999, False), self.unconfirmed(a))
        got = a.cli("upload", "exceptions", "--slot", self.slot, json=True)
        self.assertEqual({"failed: item #"}, {e["words"] for e in got["exceptions"]})
        api = http.client.HTTPConnection("127.0.0.1", a.web_port, timeout=20)
        self.addCleanup(api.close)
        api.request("POST", "/api/v1/upload/loaded",
                    json.dumps({"slot": self.slot, "loaded": first, "passphrase": branch.PASSPHRASE}),
                    {"Authorization": f"Bearer {(a.state / 'run/ctl.token').read_text()}",
                     "Content-Type": "application/json"})
        r = api.getresponse()
        self.assertEqual((400, "other_upload"), (r.status, json.loads(r.read())["error"]["code"]))


if __name__ == "__main__":
    unittest.main()
