#!/usr/bin/env python3
"""The store outgrows its map while it records and while others read it for long."""
import json
import threading
import unittest

import fault
import branch
from branch import wait_until

FIRST_MAP = 64 << 20  # store.h
DOUBLINGS = 3 if fault.LONG else 1


def card(n):
    """A registration as large as they come."""
    wide = f"{n:08d} " + "Nováková " * 17
    return {"op": "user", "user": branch.user(n), "last": wide, "first": wide, "street": wide,
            "city": wide, "note": wide, "guardian": wide, "key": f"{n:032x}"}


class MapGrowth(fault.Case):
    def write(self, desk, first, ids, ending):
        """Batches of cards, until told to end; repeated by their keys when refused."""
        api, n = fault.Api(desk, 60), first
        while not ending.is_set() and not self.refused:
            lines = [card(n + k) for k in range(30)]
            body = "".join(json.dumps(x, ensure_ascii=False) + "\n" for x in lines).encode()
            status, text = api.call("POST", "records/batch", body, "application/x-ndjson")
            if status != 200:
                self.refused.append(text)
                continue
            for line, a in zip(lines, (json.loads(x) for x in text.splitlines())):
                if a["ok"]:
                    ids[line["user"]] = a["id"]
                else:
                    self.refused.append(a)
            n += 30
        api.close()

    def read(self, desk, ending):
        """What holds snapshots: the whole list, and every seal and signature."""
        while not ending.is_set():
            fault.listed(desk)
            self.assertEqual([], desk.cli("log", "verify", json=True, deadline=120)["problems"])
            self.reads += 1

    def test_map_grows_while_recording_and_reading(self):
        one, two = self.branch(branch.NAMES[:2])
        ids, ending, self.refused, self.reads = {}, threading.Event(), [], 0
        goal = FIRST_MAP << DOUBLINGS
        threads = [threading.Thread(target=self.write, args=(one, 1, ids, ending), daemon=True),
                   threading.Thread(target=self.read, args=(one, ending), daemon=True),
                   threading.Thread(target=self.read, args=(two, ending), daemon=True)]
        for t in threads:
            t.start()
        try:
            wait_until(lambda: self.refused or all(
                fault.once(d, "status")["store"]["map_bytes"] >= goal for d in self.desks),
                240, "the maps to grow")
        finally:
            ending.set()
            for t in threads:
                t.join(120)
        self.assertEqual([], self.refused[:1])
        self.assertFalse([t for t in threads if t.is_alive()])
        self.settle(self.desks)
        for d in self.desks:
            self.assertEqual(0, fault.once(d, "status")["store"]["commit_failures"])
            there = {r["user"]: r["id"] for r in fault.listed(d)}
            self.assertTrue(ids.items() <= there.items(), d.name)
            self.assertEqual([], d.cli("log", "verify", json=True, deadline=120)["problems"])
        grown = [fault.once(d, "status")["store"]["map_bytes"] >> 20 for d in self.desks]
        fault.report(f"maps grew from {FIRST_MAP >> 20} MiB to {grown} MiB under {self.reads} long "
                     f"reads, acknowledged {len(ids)}, all present, refused 0")


if __name__ == "__main__":
    unittest.main(verbosity=2)
