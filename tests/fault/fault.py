"""What the tests of faults share: a quick way to the local API, scanning clients, and the library's
server as an effect ledger that knows nothing of the program's code."""
import collections
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import re
import select
import socket
import struct
import sys
import threading
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import branch  # noqa: E402  (the path is set above)
import netns  # noqa: E402
from branch import report, wait_until  # noqa: E402,F401  (tests report by it)

LONG = os.environ.get("TIDEOVER_LONG", "") not in ("", "0")
SEED = int(os.environ.get("TIDEOVER_SEED", "0")) or int.from_bytes(os.urandom(4), "big")

# Answers and errors that mean: not now. The line is repeated with its key.
NOT_NOW = (OSError, http.client.HTTPException)


# ---- the local API ---------------------------------------------------------------------------

class Api:
    """One connection to a desk's node, opened again whenever the node was. Not for two threads."""

    def __init__(self, desk, timeout=20):
        self.desk, self.timeout, self.http, self.token = desk, timeout, None, ""

    def _open(self):
        self.token = (self.desk.state / "run/ctl.token").read_text()
        self.http = http.client.HTTPConnection("127.0.0.1", self.desk.web_port,
                                               timeout=self.timeout)
        space = getattr(self.desk, "space", None)
        with netns.inside(space) if space else contextlib.nullcontext():
            self.http.connect()
        self.http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        if self.http:
            self.http.close()
        self.http = None

    def call(self, method, path, body=None, kind="application/json"):
        """(status, text). Raises one of NOT_NOW when the node is away."""
        try:
            if self.http is None:
                self._open()
            head = {"Authorization": f"Bearer {self.token}"}
            if body is not None:
                head["Content-Type"] = kind
            self.http.request(method, f"/api/v1/{path}", body, head)
            r = self.http.getresponse()
            text = r.read().decode()
            if r.status == 401:
                raise ConnectionError("the token was that of the start before")
            return r.status, text
        except NOT_NOW:
            self.close()
            raise

    def get(self, path):
        status, text = self.call("GET", path)
        if status != 200:
            raise ConnectionError(f"{path}: {status} {text[:200]}")
        return json.loads(text)


def once(desk, path, timeout=20):
    api = Api(desk, timeout)
    try:
        return api.get(path)
    finally:
        api.close()


def listed(desk):
    """Every record that the desk shows, as dicts."""
    api = Api(desk, 60)
    try:
        status, text = api.call("GET", "records")
        assert status == 200, text
        return [json.loads(x) for x in text.splitlines()]
    finally:
        api.close()


# ---- scanning clients ------------------------------------------------------------------------

class Scanner(threading.Thread):
    """Somebody at a desk: scans one item after the other, each of them once in the whole test, and
    repeats what was not answered, with its key, until it is. Alone or in small batches."""

    def __init__(self, desk, items, batch=1, pause=0.0):
        super().__init__(daemon=True)
        self.desk, self.items, self.batch, self.pause = desk, items, batch, pause
        self.acknowledged = {}  # item -> id
        self.refused, self.failure, self.not_now = [], None, collections.Counter()
        self.ending = threading.Event()

    def _answers(self, api, lines):
        """Their answers, or None: ask again."""
        if self.batch == 1:
            status, text = api.call("POST", "records", json.dumps(lines[0]))
            texts = [text]
        else:
            body = "".join(json.dumps(x) + "\n" for x in lines)
            status, text = api.call("POST", "records/batch", body, "application/x-ndjson")
            texts = text.splitlines()
        if status >= 500:
            self.not_now[json.loads(text)["error"]["code"] if text else "closing"] += 1
            return None
        return [json.loads(x) for x in texts]

    def _scan(self, api):
        lines = [{"op": "checkout", "user": branch.user(n % 97), "item": branch.item(n),
                  "key": uuid.uuid4().hex} for n in (next(self.items) for _ in range(self.batch))]
        while True:
            try:
                answers = self._answers(api, lines)
            except NOT_NOW as e:
                self.not_now[type(e).__name__] += 1
                answers = None
            if answers is not None:
                break
            if self.ending.wait(0.01):  # nobody repeats it: it may be there or not
                return
        assert len(answers) == len(lines), answers
        for line, a in zip(lines, answers):
            if a.get("ok"):
                self.acknowledged[line["item"]] = a["id"]
            else:
                self.refused.append((line, a))

    def run(self):
        api = Api(self.desk)
        try:
            while not self.ending.is_set():
                self._scan(api)
                if self.pause:
                    self.ending.wait(self.pause)
        except Exception as e:  # pylint: disable=broad-except  (shown by stop())
            self.failure = e
        finally:
            api.close()


class Crowd:
    """Several clients at each of several desks."""

    def __init__(self, desks, first=0, at_each=((1, 0.0), (5, 0.0)), room=1_000_000):
        self.v = []
        for d in desks:
            for batch, pause in at_each:
                begin = first + len(self.v) * room
                self.v.append(Scanner(d, iter(range(begin, begin + room)), batch, pause))
        for s in self.v:
            s.start()

    def stop(self):
        """{item: id} of all that was acknowledged."""
        for s in self.v:
            s.ending.set()
        for s in self.v:
            s.join(60)
        for s in self.v:
            if s.failure:
                raise s.failure
            assert not s.is_alive() and not s.refused, (s.refused[:2], s.is_alive())
        return {item: x for s in self.v for item, x in s.acknowledged.items()}

    def count(self):
        return sum(len(s.acknowledged) for s in self.v)


# ---- the library's server --------------------------------------------------------------------

LINE = re.compile(r"^E\d{14}(\d{4})R \^S\d\d(CV|EV|RV|JY)FFOFFLINE\^.*\^NQ(\d{14})(?:\^UO(\d{14}))?")


class Effects:
    """What a server that loads every file of the folder has done: loans per item."""

    def __init__(self, folder):
        self.loans, self.slots, self.files = collections.Counter(), collections.Counter(), []
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                continue  # not for the loader, by its name
            self.files.append(path)
            self.slots[re.search(r"-s(\d{6})-", path.name).group(1)] += 1
            for text in path.read_text("latin-1").splitlines():
                if text.startswith("E") and (m := LINE.match(text)) and m.group(2) == "CV":
                    self.loans[m.group(3)] += 1

    def doubled(self):
        return {item: n for item, n in self.loans.items() if n > 1}

    def slots_with_two_files(self):
        return [s for s, n in self.slots.items() if n > 1]


class FolderWatch:
    """Says at once when a name appears in a folder (inotify(7), by its system calls)."""

    IN_CREATE = 0x100
    _libc = ctypes.CDLL(None, use_errno=True)

    def __init__(self, folder):
        self.fd = self._libc.inotify_init1(os.O_CLOEXEC)
        if self._libc.inotify_add_watch(self.fd, os.fsencode(folder), self.IN_CREATE) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def wait(self, matches, deadline):
        """The first new name that matches; None after the deadline."""
        end = time.monotonic() + deadline
        while select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
            data, at = os.read(self.fd, 65536), 0
            while at < len(data):
                size = struct.unpack_from("I", data, at + 12)[0]
                name = data[at + 16:at + 16 + size].rstrip(b"\0").decode()
                at += 16 + size
                if matches(name):
                    return name
        return None


# ---- what must hold in the end ---------------------------------------------------------------

def vectors_agree(desks):
    """All desks online to each other, and holding the same number of records."""
    try:
        all_status = [once(d, "status") for d in desks]
    except NOT_NOW:
        return False
    held = {s["records"]["held"] for s in all_status}
    known = {s["records"]["union"] for s in all_status}
    return (len(held) == 1 and held == known and
            all(s["peers"]["online"] >= len(desks) - 1 for s in all_status))


class Case(branch.Case):
    """A branch under faults, and the promises in the end."""

    def settle(self, desks, deadline=30):
        """Everybody up, everybody with the same set."""
        for d in desks:
            d.start()
        wait_until(lambda: vectors_agree(desks), deadline, "the desks to hold the same records")

    def all_may_vote(self, desks, deadline=20):
        def may():
            try:
                return all(once(d, "status")["ledger"]["may_vote"] for d in desks)
            except NOT_NOW:
                return False
        wait_until(may, deadline, "the seats to have their votes")

    def upload_to(self, system):
        """From now on to one of systems_hit.py, of which every desk knows."""
        system.open()
        self.addCleanup(system.close)
        text = branch.policy_text(self.sink).replace("= hold", "= export")
        text = text.replace(f"sink = file:{self.sink}", f"sink = {system.sink()}\n{system.more()}")
        text = text.replace("format = symphony", f"format = {system.format}")
        self.publish(self.desks[0], text + system.profile())
        for d in self.desks:
            wait_until(lambda d=d: system.sink() in d.cli("policy", "show").out, 20, "the policy")
            for name, secret in system.secrets:
                d.cli("credential", "set", name, text=secret + "\n")

    def uploader(self):
        """The desk that sends now, if one does."""
        for d in self.desks:
            try:
                said = once(d, "upload/status", 2)  # other seats say "sending", too, and name it
                if said["state"] in ("sending", "waiting") and said["uploader"] == d.name:
                    return d
            except NOT_NOW:
                pass
        return None

    def is_settled(self, slot):
        """Does every desk know its receipt?"""
        try:
            return all(once(d, "upload/status")["slot"] > slot for d in self.desks)
        except NOT_NOW:
            return False

    def is_over(self, slot):
        """Settled; or a "go" that died with its desk (or was not given yet): nothing is agreed on."""
        try:
            said = [(once(d, "upload/status"), once(d, "status")["ledger"]) for d in self.desks]
        except NOT_NOW:
            return False
        return self.is_settled(slot) or all(
            u["state"] in ("idle", "delivered", "settled") and not x["open"] and not x["triggered"]
            for u, x in said)

    def exceptions(self, desks):
        """What the desks tell people: the same on all of them."""
        def one(desk):
            rows, more = [], 1
            while more:
                page = once(desk, f"upload/exceptions?after={len(rows)}")
                rows, more = rows + page["exceptions"], page["more"]
            return page["known"], rows
        wait_until(lambda: all(one(d)[0] for d in desks), 30, "the answers on every desk")
        first, *others = [one(d)[1] for d in desks]
        for rows in others:
            self.assertEqual(first, rows)
        return first

    def assert_kept(self, desks, acknowledged):
        """Every acknowledged record is on every desk, once, under the id that was told; all seals,
        chains and signatures are right. Returns how many records there are."""
        first = None
        for d in desks:
            records = listed(d)
            ids = {r["item"]: r["id"] for r in records}
            self.assertEqual(len(records), len(ids), f"{d.name}: an item was recorded twice")
            lost = {i: x for i, x in acknowledged.items() if ids.get(i) != x}
            self.assertFalse(lost, f"{d.name}: {len(lost)} acknowledged and not there as told")
            verified = d.cli("log", "verify", json=True)
            self.assertEqual([], verified["problems"], d.name)
            first = first or ids
            self.assertTrue(first == ids, f"{d.name} holds another set")
        return len(first)

    def upload_all(self, desks, deadline=90):
        """Until nothing is pending."""
        def nothing_pending():
            if not any(once(d, "status")["records"]["pending"] for d in desks):
                return True
            self.upload(self.desks[0], check=False, deadline=deadline)
            return False
        wait_until(nothing_pending, deadline, "everything to be uploaded")

    def assert_effects(self, acknowledged, total):
        """At the server: each record once, one file a slot, nothing left aside."""
        e = Effects(self.sink)
        self.assertEqual({}, e.doubled(), "sent twice")
        self.assertEqual([], e.slots_with_two_files())
        unsent = set(acknowledged) - set(e.loans)
        self.assertFalse(unsent, f"{len(unsent)} acknowledged and never sent")
        self.assertEqual(total, sum(e.loans.values()))
        return e
