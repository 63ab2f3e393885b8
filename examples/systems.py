"""Where the sample outage may be uploaded to: `examples/run --sink KIND`.

Each system is one of examples/servers (or OpenSSH's sshd) with what the policy says of it, what a desk
must know to log in, and a comparison of what it booked with what was typed in. The comparison reads
the system's own ledger; it knows nothing of how Tideover works.
"""
import collections
import json
import os
import pathlib
import pwd
import re
import subprocess
import sys

import check_upload
import drive

SERVERS = pathlib.Path(__file__).resolve().parent / "servers"
SSHD = "/usr/sbin/sshd"
SSHD_CONFIG = """Port {port}
ListenAddress 127.0.0.1
HostKey {home}/host
AuthorizedKeysFile {home}/user.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
Subsystem sftp internal-sftp
"""


class Wrong(Exception):
    """What arrived is not what was typed in."""


class Server:
    """One sample server as a child; away while it is closed, back at the same port."""

    def __init__(self, home, name, *words):
        self.words = [sys.executable, str(SERVERS / name), "--ledger", str(home / "ledger"), *words]
        self.path, self.port, self.process = home / "ledger", drive.free_port(), None

    def open(self):
        self.process = subprocess.Popen(self.words + ["--port", str(self.port)],
                                        stdout=subprocess.PIPE, text=True)
        if not re.search(r"\d+", self.process.stdout.readline()):
            raise Wrong(f"{self.words[1]} does not start")

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def ledger(self):
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]


class Sshd:
    """Debian's sshd with keys of its own, on loopback, for the user who runs this."""

    def __init__(self, home):
        self.home, self.port, self.process = home, drive.free_port(), None
        for name in ("host", "user"):
            kind = "ecdsa" if name == "host" else "ed25519"
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", home / name], check=True)
        (home / "config").write_text(SSHD_CONFIG.format(port=self.port, home=home))
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)  # it insists

    def open(self):
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", self.home / "config"],
                                        stderr=subprocess.DEVNULL)

    def close(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def fingerprint(self):
        said = subprocess.run(["ssh-keygen", "-lf", self.home / "host.pub"], check=True,
                              capture_output=True, text=True)
        return said.stdout.split()[1]


# ---- systems that take a file ------------------------------------------------------------------

class File:
    """A folder; the library server is a TCP port that answers or does not."""
    format, by_record = "symphony", False
    secrets = ()

    def __init__(self, home):
        self.out = home / "out"
        self.out.mkdir()
        self.server = drive.LibraryServer()

    def sink(self):
        return f"file:{self.out}"

    def more(self):
        return ""

    def profile(self):
        return ""

    def open(self):
        self.server.open()

    def close(self):
        self.server.close()

    @property
    def port(self):
        return self.server.port

    def files(self):
        return sorted(p for p in self.out.iterdir() if not p.name.startswith("."))

    def state(self):
        """Changes if anything more is sent."""
        return [(p.name, p.read_bytes()) for p in self.files()]

    def expected(self, truth):
        return [e for e in truth["events"] if e["verdict"]["hold"] == "sent"]

    def compare(self, truth, _report):
        files = self.files()
        if len(files) != 1:
            raise Wrong(f"one file was to be in {self.out}, there are {[p.name for p in files]}")
        r = check_upload.check(truth, files[0].read_bytes())
        if not r["ok"]:
            raise Wrong("\n  ".join(check_upload.report(r, files[0].name)))
        return check_upload.report(r, files[0].name)


class Http(File):
    secrets = (("drop", "a token"),)

    def __init__(self, home):
        super().__init__(home)
        self.server = Server(home, "httpdrop.py", "--dir", str(self.out), "--token", "a token")

    def sink(self):
        return f"put:http://127.0.0.1:{self.port}/in/"

    def more(self):
        return "credential = drop\n"


class Sftp(File):
    def __init__(self, home):
        super().__init__(home)
        (home / "ssh").mkdir()
        self.server = Sshd(home / "ssh")
        self.secrets = (("drop.key", (home / "ssh/user").read_text()),)

    def sink(self):
        return f"sftp://{pwd.getpwuid(os.geteuid()).pw_name}@127.0.0.1:{self.port}{self.out}"

    def more(self):
        return f"credential = drop\nhost_key_sha256 = {self.server.fingerprint()}\n"


# ---- systems that are told record by record ----------------------------------------------------

OUT = {"checkout", "renew", "issue"}  # a server may call a loan to whoever has the item a renewal
IN = {"discharge", "checkin", "return"}


def sign(op, item, user):
    if op in OUT:
        return "out", item, user
    return ("in", item, "") if op in IN else (op, item or "", user or "")


class ByRecord:
    """What the server booked is compared, record by record, with what was typed in."""
    by_record = True
    secrets = (("ils.user", "tideover"), ("ils.password", "secret"))
    script, kinds, users_inside = "", {"checkout", "discharge", "renew"}, False

    def __init__(self, home):
        self.server = Server(home, self.script, *self.words())

    def words(self):
        return ()

    def more(self):
        return "credential = ils\n"

    def profile(self):
        return ""

    def open(self):
        self.server.open()

    def close(self):
        self.server.close()

    @property
    def port(self):
        return self.server.port

    def state(self):
        return self.server.ledger()

    def booked(self):
        return [sign(x["effect"], x.get("item"), x.get("user")) for x in self.server.ledger()]

    def goes(self, e):
        """Is it sent? New cards whose registration goes another way wait, with all that is theirs."""
        verdict = e["verdict"]["hold"]
        if e["op"] == "inhouse":
            return "inhouse" in self.kinds and verdict in ("sent", "uncarried")
        if verdict != "sent":
            return False
        return self.users_inside or (e["op"] != "user" and not e.get("new_card"))

    def expected(self, truth):
        return [e for e in truth["events"] if self.goes(e)]

    def compare(self, truth, report):
        want = collections.Counter(sign(e["op"], e.get("item"), e.get("user"))
                                   for e in self.expected(truth))
        got = collections.Counter(self.booked())
        if too_much := got - want:
            raise Wrong(f"booked and not typed in, or twice: {dict(too_much)}")
        missing = sum((want - got).values())
        answers = report.get("answers", {})
        named = sum(answers.get(k, 0)
                    for k in ("refused", "quarantined", "held", "in_doubt", "already"))
        if missing > named:
            raise Wrong(f"{missing} records were not booked, and only {named} are named")
        said = [f"{sum(got.values()):,} records booked, each once, none that nobody typed in"]
        if missing:
            said.append(f"{missing:,} not booked, each with the server's own answer: "
                        + ", ".join(f"{n:,} {k}" for k, n in answers.items() if n))
        return said


class Sip2(ByRecord):
    format, script = "sip2", "sip2.py"

    def sink(self):
        return f"sip2://127.0.0.1:{self.port}"

    def profile(self):
        return "[sip2]\nuser = tideover\ncanary = 39999000000000\n"

    def booked(self):
        return [sign(x["op"], x["item"], x["user"]) for x in self.server.ledger()
                if x["op"] != "login"]


class Koha(ByRecord):
    format, script = "koha", "koha.py"

    def words(self):
        return ("--csrf",)

    def sink(self):
        return f"koha:http://127.0.0.1:{self.port}"

    def profile(self):
        return "[koha]\nbranchcode = MAIN\npending = no\n"


class KohaPlugin(Koha):
    def words(self):
        return ()

    def sink(self):
        return f"koha-plugin:http://127.0.0.1:{self.port}"


class Evergreen(ByRecord):
    format, script, users_inside = "evergreen", "evergreen.py", True
    kinds = ByRecord.kinds | {"user", "inhouse"}

    def sink(self):
        return f"evergreen:http://127.0.0.1:{self.port}"

    def profile(self):
        return "[evergreen]\norg = 4\nprofile = 2\nhome_ou = 4\nident_type = 3\ncountry = US\n"

    def expected(self, truth):
        """Evergreen wants an address with every card: one without is an exception, and so is what
        was lent to it."""
        sent = super().expected(truth)
        stays = {e["user"] for e in sent if e["op"] == "user"
                 and not (e.get("street") and e.get("city") and e.get("postcode"))}
        return [e for e in sent if e.get("user") not in stays]

    def booked(self):
        names = {"register": "user", "in_house_use": "inhouse"}
        return [sign(names.get(x["effect"], x["effect"]), x.get("item"), x.get("user"))
                for x in self.server.ledger()]


SYSTEMS = {"file": File, "http": Http, "sftp": Sftp, "sip2": Sip2, "koha": Koha,
           "koha-plugin": KohaPlugin, "evergreen": Evergreen}
