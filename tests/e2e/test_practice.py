#!/usr/bin/env python3
"""Practice: the desk's own scan box, guided; nothing of it is ever recorded, shared or uploaded."""
import http.client
import json
import socket
import threading
import unittest
import uuid

import branch
import pretend
from branch import item, user, wait_until


class Server:
    """The library's server, as far as a probe by connection can see."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                self.socket.accept()[0].close()
        except OSError:
            pass

    def go(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Practice(branch.Case):
    def api(self, desk, path, body=None):
        """Status and JSON of one call with the desk's token."""
        token = (desk.state / "run/desk.token").read_text()
        c = http.client.HTTPConnection("127.0.0.1", desk.web_port, timeout=20)
        try:
            c.request("GET" if body is None else "POST", path,
                      None if body is None else json.dumps(body),
                      {"Authorization": f"Bearer {token}",
                       **({} if body is None else {"Content-Type": "application/json"})})
            r = c.getresponse()
            return r.status, json.loads(r.read())
        finally:
            c.close()

    def scan(self, desk, box, text):
        """The answer and the box after it."""
        status, said = self.api(desk, "/api/v1/scan", {"scan": text, **({"box": box} if box else {})})
        self.assertEqual(200, status, said)
        return said["answers"][0], said["box"]

    def test_a_drill_from_its_first_step_to_its_report(self):
        desk = self.branch(names=branch.NAMES[:1])[0]
        self.assertIn("Nobody has finished a drill", desk.cli("practice", "report").out)
        said = desk.cli("practice", "on", "--staff", "Ana")
        self.assertIn("this desk records nothing", said.out)
        self.assertIn("Step 1 of 7: scan the user card.", said.out)
        said = desk.cli("practice", "on", json=True, check=False)
        self.assertEqual("practice", said["error"]["code"])
        self.assertTrue(desk.status()["practice"]["on"])

        box, ids = None, []
        _, shown = self.api(desk, "/api/v1/practice")
        step = shown["next"]
        answer, box = self.scan(desk, None, shown["numbers"]["item"]["scan"])  # too early
        self.assertEqual("wrong_slot", answer["error"]["code"])
        self.assertEqual((0, 1), (answer["practice"]["step"], answer["practice"]["mistakes"]))
        while not step["done"]:
            answer, box = self.scan(desk, box, step["scan"])
            step = answer["practice"]
            ids += [answer["id"]] if "id" in answer else []
        self.assertEqual(["PRACTICE/1", "PRACTICE/2", "PRACTICE/3", "PRACTICE/4"], ids)
        self.assertEqual("practice_ready", step["key"])

        # Meanwhile no other way in is open, and nothing has come in.
        for path, body in (("/api/v1/records", {"op": "discharge", "item": item(1)}),
                           ("/api/v1/scan", {"scan": user(1), "box": {"mode": "checkout"}})):
            status, said = self.api(desk, path, body)
            self.assertEqual((409, "practice"), (status, said["error"]["code"]))
        self.assertFalse(desk.feed([{"op": "discharge", "item": item(1), "key": uuid.uuid4().hex}])[0]["ok"])
        self.assertEqual((0, []), (desk.status()["records"]["held"], branch.log_list(desk)))

        desk.cli("practice", "off")
        status, said = self.api(desk, "/api/v1/scan", {"scan": user(1), "box": box})
        self.assertEqual((409, "practice_over"), (status, said["error"]["code"]))
        for body in ({"op": "discharge", "item": shown["numbers"]["item"]["scan"]},
                     {"op": "checkout", "item": item(1), "user": shown["numbers"]["user"]["scan"]}):
            status, said = self.api(desk, "/api/v1/records", body)
            self.assertEqual((409, "practice_number"), (status, said["error"]["code"]))
        desk.stop()
        desk.start()
        self.assertEqual((0, []), (desk.status()["records"]["held"], branch.log_list(desk)))
        report = desk.cli("practice", "report", json=True)
        drill = report["drills"][0]
        self.assertEqual(("Ana", True, 1, {"card": 1}),
                         (drill["staff"], drill["done"], drill["mistakes"], drill["by_step"]))
        self.assertEqual(report["last_drill"], desk.status()["last_drill"])
        self.assertIn("ready", desk.cli("practice", "report").out)
        self.assertEqual("ok", self.doctor(desk, "drill")["result"])
        self.assertTrue(desk.feed([{"op": "discharge", "item": item(1), "key": uuid.uuid4().hex}])[0]["ok"])

    @unittest.skipIf(pretend.sanitized(), "nothing is loaded before the address sanitizer")
    def test_a_drill_is_old_after_a_month(self):
        desk = self.branch(names=branch.NAMES[:1])[0]
        desk.cli("practice", "on")
        box, step = None, self.api(desk, "/api/v1/practice")[1]["next"]
        while not step["done"]:
            answer, box = self.scan(desk, box, step["scan"])
            step = answer["practice"]
        desk.cli("practice", "off")
        desk.stop()
        desk.env |= pretend.shifted(40 * 86400)
        desk.start()
        found = self.doctor(desk, "drill")
        self.assertEqual(("warning", "nobody has practised here for 40 days"), (found["result"], found["message"]))
        self.assertIn("tideover practice on", found["next"])

    @staticmethod
    def doctor(desk, check):
        said = json.loads(desk.cli("doctor", "--json", check=False).out)
        return next(c for c in said["checks"] if c["check"] == check)

    def test_a_real_outage_ends_it_and_the_next_scan_is_refused_not_recorded(self):
        desk = self.branch(names=branch.NAMES[:1])[0]
        server = Server()
        self.publish(desk, branch.policy_text(self.sink) +
                     f"[server]\nprobe = tcp:127.0.0.1:{server.port}\nevery = 500ms\n"
                     "offline_after = 2\n")
        wait_until(lambda: desk.status()["server"]["state"] == "online", 60, "the server to answer")
        desk.cli("practice", "on")
        numbers = self.api(desk, "/api/v1/practice")[1]["numbers"]
        _, box = self.scan(desk, None, numbers["user"]["scan"])
        server.go()
        ended = wait_until(lambda: desk.status()["practice"].get("ended"), 60, "practice to end")
        self.assertEqual("outage", ended)
        status, said = self.api(desk, "/api/v1/scan", {"scan": numbers["item"]["scan"], "box": box})
        self.assertEqual((409, "practice_over"), (status, said["error"]["code"]))
        self.assertEqual([], branch.log_list(desk))
        self.assert_refused(desk.cli("practice", "on", check=False), 65, "record for real")
        said = desk.cli("record", "scan", text=f"{user(1)}\n{item(1)}\n")
        self.assertEqual(["checkout"], [r["op"] for r in branch.log_list(desk)], said)
        drill = desk.cli("practice", "report", json=True)["drills"][0]
        self.assertEqual((False, 1), (drill["done"], drill["step"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
