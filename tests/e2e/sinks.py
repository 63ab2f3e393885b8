"""What tests of sinks over a network share: a sample server as a child, a wire that can be cut, and one
hand-over without a branch around it (hand_over.c)."""
import atexit
import json
import os
import pathlib
import pwd
import re
import socket
import subprocess
import sys
import threading
import time

import branch
from branch import wait_until  # noqa: F401

SERVERS = branch.ROOT / "examples/servers"
TOOL = pathlib.Path(os.environ.get("TIDEOVER_TOOLS") or branch.BINARY.parent) / "hand_over"
LONG = os.environ.get("TIDEOVER_LONG", "") not in ("", "0")
POLICY = """[branch]
code = MAIN
zone = Etc/UTC
zone_rule = UTC0
[upload]
sink = {sink}
{more}
"""


class Child:
    """A server of this test, gone when it ends."""

    def __init__(self, *words, env=None):
        self.words, self.env = [str(w) for w in words], env
        self.process, self.port = None, 0
        self.start()
        atexit.register(self.kill)

    def start(self):
        """Prints its port first; the second start is at the same one."""
        more = ["--port", str(self.port)] if self.port else []
        self.process = subprocess.Popen(self.words + more, stdout=subprocess.PIPE, env=self.env)
        line = self.process.stdout.readline()
        if not line.strip().isdigit():
            raise AssertionError(f"{self.words[1]} did not start: {line}")
        self.port = int(line)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def sample(name, *words):
    return Child(sys.executable, SERVERS / name, *words)


def read_ledger(path):
    return [json.loads(x) for x in path.read_text().splitlines()] if path.exists() else []


SSHD = "/usr/sbin/sshd"
SSHD_CONFIG = """Port {port}
ListenAddress 127.0.0.1
HostKey {home}/host_ecdsa
HostKey {home}/host_ed25519
AuthorizedKeysFile {home}/authorized
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication {passwords}
MaxStartups 100
Subsystem sftp internal-sftp
"""


class Sshd:
    """Debian's sshd with keys of its own, on loopback, for the user who runs the test. With a password:
    it alone sees another /etc/shadow, in which that user has it; needs root."""

    def __init__(self, home, password=None):
        self.home, self.process, self.log = home, None, home / "log"
        self.words = [SSHD, "-D", "-e", "-f", home / "config"]
        home.mkdir()
        for name, kind in (("host_ecdsa", "ecdsa"), ("host_ed25519", "ed25519"), ("user", "ed25519"),
                           ("other", "ed25519")):
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", home / name], check=True)
        self.let_in("user")
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        if password:
            self.words = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/shadow && exec "$@"',
                          self.shadow(password), *self.words]
        self.passwords = "yes" if password else "no"
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)  # it insists
        self.start()
        atexit.register(self.kill)

    def shadow(self, password):
        said = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password, check=True,
                              capture_output=True, text=True)
        path = self.home / "shadow"
        path.write_text(f"{self.user}:{said.stdout.strip()}:20000:0:99999:7:::\n")
        path.chmod(0o600)
        return path

    def failed_logins(self):
        """By method, each time that a secret was wrong."""
        return re.findall(r"Failed (\S+) for ", self.log.read_text())

    def let_in(self, key):
        (self.home / "authorized").write_bytes((self.home / f"{key}.pub").read_bytes())

    def fingerprint(self, key="host_ecdsa"):
        said = subprocess.run(["ssh-keygen", "-lf", self.home / f"{key}.pub"], check=True,
                              capture_output=True, text=True)
        return said.stdout.split()[1]

    def start(self):
        for _ in range(5):  # the port may be taken between the question and the use
            with socket.create_server(("127.0.0.1", 0)) as s:
                self.port = s.getsockname()[1]
            (self.home / "config").write_text(
                SSHD_CONFIG.format(port=self.port, home=self.home, passwords=self.passwords))
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(self.words, stderr=log)
            if branch.drive.wait_until(self._answers_or_ended, 10, "sshd") == "answers":
                return
        raise AssertionError("sshd does not start")

    def _answers_or_ended(self):
        if self.process.poll() is not None:
            return "ended"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return "answers"
        except OSError:
            return None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Wire:
    """A TCP relay that counts the bytes towards the server and breaks after so many of them. Slow: it
    takes so long for every 8 KiB."""

    def __init__(self, port, slow=0):
        self.to, self.cut_after, self.passed, self.slow = port, None, 0, slow
        self.door = socket.create_server(("127.0.0.1", 0))
        if slow:  # what waits here has not arrived
            self.door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                here, _ = self.door.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self.to))
            self.passed = 0
            for a, b, counts in ((here, there, True), (there, here, False)):
                threading.Thread(target=self._pass, args=(a, b, counts), daemon=True).start()

    def _pass(self, a, b, counts):
        try:
            while data := a.recv(8192):
                if counts:
                    self.passed += len(data)
                    if self.cut_after is not None and self.passed > self.cut_after:
                        break
                    time.sleep(self.slow)
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):  # wakes the other direction; closed once both threads let go of it
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.door.close()


class Proxy:
    """An HTTP proxy for CONNECT; refuses with this status unless it is 200, the first ones as told."""

    def __init__(self, status=200, first=()):
        self.status, self.first, self.asked = status, list(first), []
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                here, _ = self.door.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(here,), daemon=True).start()

    def _serve(self, here):
        head = b""
        while b"\r\n\r\n" not in head and (more := here.recv(4096)):
            head += more
        verb, where, _ = head.decode().split(" ", 2)
        self.asked.append((verb, where))
        status = self.first.pop(0) if self.first else self.status
        here.sendall(f"HTTP/1.1 {status} as I like\r\nContent-Length: 0\r\n\r\n".encode()
                     if status != 200 else b"HTTP/1.1 200 go on\r\n\r\n")
        if status == 200:
            there = socket.create_connection(("127.0.0.1", int(where.rsplit(":", 1)[1])))
            threading.Thread(target=self._copy, args=(there, here), daemon=True).start()
            self._copy(here, there)
        here.close()

    @staticmethod
    def _copy(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.door.close()


class Desk:
    """As much of a desk as a sink needs: its secrets, a policy, a payload, the tool that hands over."""

    def __init__(self, home, number=1):
        self.home, self.writer, self.env = home, f"{number:016x}-1-1", dict(os.environ)
        self.home.mkdir(parents=True, exist_ok=True)
        self.policy = self.home / "policy.ini"

    def credential(self, name, content):
        subprocess.run([branch.BINARY, "--state", self.home, "credential", "set", name], check=True,
                       input=content.encode(), capture_output=True)

    def use(self, sink, **more):
        self.policy.write_text(POLICY.format(sink=sink, more="\n".join(
            f"{k} = {v}" for k, v in {"quiet": "1s", **more}.items())))

    def begin(self, what, name, payload):
        return subprocess.Popen([TOOL, self.home, self.policy, what, self.writer, name, payload],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.env)

    def hand_over(self, name, payload, what="deliver"):
        """(delivery, words)"""
        run = self.begin(what, name, payload)
        out, err = run.communicate(timeout=60)
        if run.returncode != 0:
            raise AssertionError(f"{run.returncode} {err}")
        return tuple(out.rstrip("\n").split(" ", 1))

    def until_done(self, name, payload, tries=20):
        said = []
        for _ in range(tries):
            said.append(self.hand_over(name, payload))
            if said[-1][0] == "done":
                return said
            if said[-1][0] == "stop":
                break
        raise AssertionError(said)
