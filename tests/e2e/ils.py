"""For the tests of sinks that are answered: a sample server with its ledger, and one upload driven
without a branch (sink_drive.c)."""
import collections
import json
import os
import pathlib
import random
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
DRIVE = pathlib.Path(os.environ.get("TIDEOVER_BINARY", ROOT / "build/release/tideover")).with_name(
    "sink_drive")
LONG = os.environ.get("TIDEOVER_LONG") == "1"
ROUNDS = 50 if LONG else 5
POLICY = """[branch]
code = MAIN
zone = America/New_York
zone_rule = EST5EDT,M3.2.0,M11.1.0
[upload]
sink = {sink}
credential = ils
format = {format}
{more}
"""


class Server:
    """One of examples/servers, with its ledger of effects."""

    def __init__(self, home, name, *args, port=0):
        self.ledger = home / f"{name}.effects"
        self.process = subprocess.Popen(
            ["python3", str(ROOT / "examples/servers" / f"{name}.py"), "--port", str(port),
             "--ledger", str(self.ledger), *map(str, args)], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.url = f"http{'s' if '--tls' in args else ''}://127.0.0.1:{self.port}"

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def _noted(self):
        if not self.ledger.exists():
            return []
        return [json.loads(line) for line in self.ledger.read_text().splitlines()]

    def effects(self):
        return [e for e in self._noted() if e["effect"] != "login refused"]

    def refused_logins(self):
        return len(self._noted()) - len(self.effects())


def certificate(home, days=3, host="127.0.0.1"):
    """An authority of our own, ca.pem, and a certificate by it for that host; days -1: it expired."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=home, check=True, capture_output=True)
    home.mkdir()
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-days", "3", "-subj", "/CN=CA", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *key, "-subj", "/CN=127.0.0.1", "-keyout", "key.pem", "-out", "csr.pem")
    (home / "names").write_text(f"subjectAltName=IP:{host}\n")
    openssl("x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", str(days), "-extfile", "names", "-out", "cert.pem")
    return home


class Drive:
    """One upload, from its journal on."""

    def __init__(self, home, sink, lines, more="", password="secret", user="tideover",
                 format="symphony"):
        home.mkdir(exist_ok=True)
        self.journal, self.policy, self.payload = home / "journal", home / "policy", home / "lines"
        self.home, self.lines = home, lines
        self.policy.write_text(POLICY.format(sink=sink, more=more, format=format))
        self.payload.write_text("".join(lines))
        (home / "credentials").mkdir(mode=0o700, exist_ok=True)
        for kind, text in (("user", user), ("password", password)):
            file = home / "credentials" / f"ils.{kind}"
            file.write_text(text + "\n")
            file.chmod(0o600)

    def trust(self, ca):
        """Only this authority; named in the policy."""
        file = self.home / "credentials" / "own.ca"
        file.write_bytes(ca.read_bytes())
        file.chmod(0o600)
        self.policy.write_text(self.policy.read_text().replace("credential = ils",
                                                               "credential = ils\nca = own"))

    def begin(self, **env):
        return subprocess.Popen([str(DRIVE), str(self.home), str(self.policy), str(self.payload),
                                 str(self.journal)], stderr=subprocess.PIPE, text=True,
                                env={**os.environ, **env})

    def run(self, seconds=60, **env):
        """Its exit code, and what it said."""
        p = self.begin(**env)
        try:
            said = p.communicate(timeout=seconds)[1]
        except subprocess.TimeoutExpired:
            p.kill()
            raise AssertionError("it hangs: " + p.communicate()[1]) from None
        return p.returncode, said

    def run_killed(self, within_ms, arrived=None, dice=random, **env):
        """Killed at random moments until it comes through. arrived(): what a lead would say."""
        for _ in range(400):
            p = self.begin(QUIET_MS="20", **env)
            try:
                said = p.communicate(timeout=dice.uniform(0.001, within_ms / 1000))[1]
            except subprocess.TimeoutExpired:
                p.kill()
                p.communicate()
                env.pop("ARRIVED", None)
                within_ms *= 1.06   # else some would never come through
                continue
            env.pop("ARRIVED", None)
            if p.returncode == 0:
                return
            if p.returncode != 4 or not arrived:
                raise AssertionError(f"exit {p.returncode}: {said}")
            env["ARRIVED"] = "yes" if arrived() else "no"
        raise AssertionError("it never comes through")

    def answers(self):
        """line: (answer, words); lines that are not there were accepted."""
        told, pending = {}, {}
        for line in self.journal.read_text().splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "A":
                k, answer, *words = rest.split(" ", 2)
                pending[int(k)] = (answer, words[0] if words else "")
            elif kind == "P":
                told.update(pending)
                pending = {}
        return told

    def names(self):
        return collections.Counter(answer for answer, _ in self.answers().values())

    def done(self):
        return self.journal.exists() and self.journal.read_text().endswith("F\n")
