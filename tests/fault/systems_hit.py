"""The systems that test_sinks.py uploads to while desks are killed: each with manners that lose
answers, what the policy says of it, and what it booked, told by its own ledger."""
import collections
import hashlib
import json
import pathlib
import threading

import fault  # noqa: F401  (finds the other folders)
import systems

Effect = collections.namedtuple("Effect", "way item id")  # way: "out" or "in"; id: "" if not told


def way(op):
    return "out" if op in systems.OUT else "in"


def effects_of(text):
    """The records of one file of ours."""
    return [Effect(way(x["op"]), x["item"], x["id"]) for x in map(json.loads, text.splitlines())
            if "op" in x]


# ---- whole files -------------------------------------------------------------------------------

class File(systems.File):
    """Takes files of our own lossless format; what is in a file is booked each time it comes."""
    format, renews, anywhere = "ndjson", True, True

    def manners(self, _dice, _uploads):
        """Switches of its server."""

    def names(self):
        """Of what arrived, as often as it did."""
        return [p.name for p in self.files()]

    def folder(self):
        return self.out

    def effects(self):
        return [e for name in self.names()
                for e in effects_of((self.folder() / name).read_text(encoding="utf-8"))]

    def progress(self):
        """Grows when something of an upload is there; a file that is being written counts."""
        return sum(1 for _ in self.out.iterdir())

    def arrived(self, doubt):
        """What a lead answers who knows."""
        return doubt["file"] in self.names()


class Drop(File):
    """MAIN-2's folder, which a loader empties."""
    anywhere = False

    def __init__(self, home):
        super().__init__(home)
        self.eaten, self.ending = home / "eaten", threading.Event()
        self.eaten.mkdir()
        self.loader = threading.Thread(target=self._load, daemon=True)

    def sink(self):
        return f"drop:MAIN-2:{self.out}"

    def open(self):
        super().open()
        self.loader.start()

    def close(self):
        self.ending.set()
        self.loader.join()
        super().close()

    def _load(self):
        n = 0
        while not self.ending.wait(0.002):
            for path in self.files():
                n += 1
                path.rename(self.eaten / f"{n}={path.name}")

    def names(self):
        return [p.name for p in self.eaten.iterdir()] + super().names()

    def effects(self):
        return [e for p in self.eaten.iterdir() for e in effects_of(p.read_text(encoding="utf-8"))]

    def progress(self):
        return super().progress() + sum(1 for _ in self.eaten.iterdir())

    def arrived(self, doubt):
        return any(name.rpartition("=")[2] == doubt["file"] for name in self.names())


class Sftp(systems.Sftp, File):
    format = "ndjson"


class Http(systems.Http, File):
    """Stores a name again if told so: what it promises is in the manners."""
    format, scheme, bad = "ndjson", "", ("no-answer=0.1", "write-only", "no-412", "forgets-keys")

    def manners(self, dice, _uploads):
        self.server.words += ["--seed", str(dice.randrange(1 << 30)), "--bad", "slow"]
        for b in self.bad:
            self.server.words += ["--bad", b]

    def sink(self):
        return f"{self.scheme}http://127.0.0.1:{self.port}/in/"

    def names(self):
        return [r["name"] for r in self.server.ledger() if r["effect"] == "stored"]

    def effects(self):
        for r in self.server.ledger():  # nothing of it was overwritten
            assert hashlib.sha256((self.out / r["name"]).read_bytes()).hexdigest() == r["sha256"]
        return super().effects()


class Put(Http):
    scheme, bad = "put:", ("no-answer=0.1", "resets=0.1", "gateway=0.1", "forgets-keys")


class Key(Http):
    scheme, bad = "key:", ("no-answer=0.1", "resets=0.1", "fails-after=0.1", "no-412")


# ---- told record by record ---------------------------------------------------------------------

class ByRecord(systems.ByRecord):
    renews = anywhere = True

    def effects(self):
        return [Effect(way(x["effect"]), x["item"], x.get("id", "")) for x in self.server.ledger()]

    def progress(self):
        return len(self.server.ledger())

    def arrived(self, _doubt):
        raise AssertionError("this system asks nobody")


class Koha(ByRecord, systems.Koha):
    renews = False  # a second loan of the same second to the same card is the same row

    def manners(self, dice, uploads):
        lost = sorted(dice.sample(range(1, 90 * uploads), 2 * uploads))
        self.server.words += ["--csrf-rows", "40", "--lose", ",".join(map(str, lost))]


class KohaPlugin(ByRecord, systems.KohaPlugin):
    renews = False

    def manners(self, dice, uploads):
        bad = dice.sample(range(1, 3 * uploads), uploads)
        self.server.words += ["--slow", "0.005", "--lose", ",".join(map(str, bad[::2])),
                              "--half", ",".join(map(str, bad[1::2]))]


class Sip2(ByRecord, systems.Sip2):
    def manners(self, dice, _uploads):
        self.server.words += ["--random", str(dice.randrange(1 << 30)), "--lose", "0.01",
                              "--close-before", "0.003", "--slow", "0.002"]

    def effects(self):  # the same loan to the same card, said once more after a look, is none
        return [Effect("in" if x["op"] == "checkin" else "out", x["item"], "")
                for x in self.server.ledger() if x["op"] != "login" and not x["again"]]


class Evergreen(ByRecord, systems.Evergreen):
    def manners(self, dice, uploads):
        self.server.words += ["--work", "0.003", "--start-delay", "0.05", "--archive-delay", "0.1",
                              "--seed", str(dice.randrange(1 << 30)), "--chance", "0.1", "--die-in",
                              f"load={uploads}", "--lose", f"create={uploads},load={uploads},"
                              f"execute={uploads}"]

    def profile(self):
        return super().profile() + "patience = 2s\n"

    def arrived(self, doubt):
        return any(x["session"] in doubt["file"] for x in self.server.ledger())


HIT = {"file": File, "drop": Drop, "sftp": Sftp, "http": Http, "put": Put, "key": Key, "koha": Koha,
       "koha_plugin": KohaPlugin, "sip2": Sip2, "evergreen": Evergreen}
