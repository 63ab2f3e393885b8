#!/usr/bin/env python3
"""A drop for files over HTTP, to try Tideover against: PUT a file under its name, GET it back.

    httpdrop.py --dir DIR [--ledger FILE] [--token T | --user U --password P] [--tls DIR] [--bad MANNER ..]

Listens on 127.0.0.1 and prints its port as the first line. Every effect is a line of JSON in the
ledger, so that a test can count: {"effect": "stored", "name": .., "sha256": .., "key": ..}; "loaded" is
what the loader of --eats took, "again" tells that this name was stored before; "login refused" counts.

A good server keeps both promises: with If-None-Match: * it answers 412 to a name that is taken, and an
Idempotency-Key that it knows gets the first answer again. --bad MANNER[=CHANCE] takes them away or adds
a vice; CHANCE is 0 to 1 (1 if left out), or a count like 3x: the first three times.
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import pathlib
import random
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MANNERS = {
    "no-412": "takes a name that is taken, and overwrites it",
    "forgets-keys": "does not know an Idempotency-Key again",
    "no-answer": "stores, then closes without an answer",
    "resets": "stores, then resets the connection",
    "fails-after": "stores, then answers 500",
    "fails-before": "answers 503, and stores nothing",
    "gateway": "stores; the gateway before it answers 504",
    "lies": "answers 201, and stores nothing",
    "half": "stores half of it, then answers 500",
    "damages": "changes a byte, and answers 201",
    "cuts": "closes in the middle of the file",
    "hangs": "reads the file, and never answers; stores nothing",
    "hangs-after": "stores, and never answers",
    "full": "answers 507: its disk is full",
    "busy": "answers 429",
    "redirects": "answers 307 to another place",
    "write-only": "answers 405 to GET",
    "slow": "reads a little at a time",
    "drips": "gives a file back byte by byte, without end in sight",
    "loud": "answers with a megabyte of text",
}


class Manners:
    """Which vices come to light now."""

    def __init__(self, given, seed):
        self.lock, self.dice, self.chance, self.left = threading.Lock(), random.Random(seed), {}, {}
        for text in given:
            name, _, value = text.partition("=")
            if name not in MANNERS:
                sys.exit(f"httpdrop: no manner {name}; there are: {', '.join(MANNERS)}")
            if value.endswith("x"):
                self.left[name] = int(value[:-1])
            else:
                self.chance[name] = float(value or 1)

    def now(self, name):
        with self.lock:
            if self.left.get(name, 0) > 0:
                self.left[name] -= 1
                return True
            return self.dice.random() < self.chance.get(name, 0)


class Ledger:
    """What was done, for ever: also after this server was killed."""

    def __init__(self, path):
        self.path, self.lock = path, threading.RLock()
        self.names, self.keys = set(), {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._know(json.loads(line))

    def _know(self, row):
        if row["effect"] == "stored":
            self.names.add(row["name"])
            if row["key"]:
                self.keys[row["key"]] = row["sha256"]

    def write(self, row):
        with self.lock:
            row["again"] = row["effect"] == "stored" and row["name"] in self.names
            with self.path.open("a", encoding="utf-8") as out:
                out.write(json.dumps(row, sort_keys=True) + "\n")
                out.flush()
                os.fsync(out.fileno())
            self._know(row)


class Drop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "httpdrop"
    timeout = 60

    def log_message(self, *_):
        pass

    # -- answers -------------------------------------------------------------------------------

    def say(self, status, text="", **headers):
        body = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def hang_up(self, rudely=False):
        if rudely:  # a reset instead of an orderly end
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def hang(self):
        self.server.stopping.wait(120)
        self.close_connection = True

    # -- what is asked -------------------------------------------------------------------------

    def is_known(self):
        want = self.server.authorization
        if want and not hmac.compare_digest(want, self.headers.get("Authorization", "")):
            self.server.ledger.write({"effect": "login refused"})
            self.say(401, "who are you?\n", WWW_Authenticate='Basic realm="drop"')
            return False
        return True

    def file(self):
        name = self.path.rsplit("/", 1)[1]
        if not self.path.startswith(self.server.base) or not name or name.startswith("."):
            self.say(404, "no such place\n")
            return None
        return self.server.dir / name

    def body(self):
        """The whole body, or None once the connection is gone."""
        n, body, bad = int(self.headers.get("Content-Length", "0")), b"", self.server.bad
        cut, slow = bad.now("cuts"), bad.now("slow")
        want = n // 2 if cut else n
        while len(body) < want:
            part = self.rfile.read(min(n // 20 + 1 if slow else 65536, want - len(body)))
            if not part:
                return self.hang_up()
            body += part
            if slow:
                time.sleep(0.01)
        return self.hang_up() if cut else body

    def digest_is_right(self, body):
        given = self.headers.get("Content-Digest", "")
        is_ours = base64.b64encode(hashlib.sha256(body).digest()).decode()
        return not given or given == f"sha-256=:{is_ours}:"

    def do_GET(self):
        if not self.is_known() or (path := self.file()) is None:
            return
        if self.server.bad.now("write-only"):
            self.say(405, "only PUT\n", Allow="PUT")
        elif not path.exists():
            self.say(404, "no such file\n")
        else:
            data = path.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Connection", "close")
            self.close_connection = True
            self.end_headers()
            if self.command == "GET" and self.server.bad.now("drips"):
                for at in range(len(data)):
                    self.wfile.write(data[at:at + 1])
                    if self.server.stopping.wait(0.2):
                        break
            elif self.command == "GET":
                self.wfile.write(data)

    do_HEAD = do_GET

    def do_PUT(self):
        bad = self.server.bad
        if not self.is_known() or (path := self.file()) is None:
            return
        if bad.now("redirects"):
            self.say(307, Location="https://elsewhere.example.org/")
            return
        if (body := self.body()) is None:
            return
        for name, status in (("fails-before", 503), ("full", 507), ("busy", 429), ("lies", 201)):
            if bad.now(name):
                self.say(status, name + "\n")
                return
        if bad.now("hangs"):
            self.hang()
        elif not self.digest_is_right(body):
            self.say(400, "the file is not what its digest says\n")
        else:
            self.take(path, body)

    def take(self, path, body):
        bad, ledger = self.server.bad, self.server.ledger
        key, sha = self.headers.get("Idempotency-Key", ""), hashlib.sha256(body).hexdigest()
        with ledger.lock:
            if key in ledger.keys and not bad.now("forgets-keys"):
                known = ledger.keys[key] == sha
                self.say(201 if known else 422, "I know\n" if known else "another file had this key\n")
                return
            if (self.headers.get("If-None-Match") == "*" and path.exists()
                    and not bad.now("no-412")):
                self.say(412, "it is there already\n")
                return
            if bad.now("half"):
                self.store(path, body[:len(body) // 2], "")
                self.say(500, "oh\n")
                return
            self.store(path, body[:-1] + b"?" if bad.now("damages") else body, key)
        self.answer()

    def answer(self):
        bad = self.server.bad
        if bad.now("no-answer"):
            self.hang_up()
        elif bad.now("resets"):
            self.hang_up(rudely=True)
        elif bad.now("hangs-after"):
            self.hang()
        elif bad.now("fails-after"):
            self.say(500, "oh\n")
        elif bad.now("gateway"):
            self.say(504, "oh\n")
        else:
            self.say(201, "x" * 1000000 if bad.now("loud") else "thanks\n")

    def store(self, path, body, key):
        aside = path.with_name("." + path.name + f".{threading.get_ident()}")
        with aside.open("wb") as out:
            out.write(body)
            out.flush()
            os.fsync(out.fileno())
        aside.replace(path)
        row = {"name": path.name, "sha256": hashlib.sha256(body).hexdigest(), "key": key}
        self.server.ledger.write({"effect": "stored", **row})
        if self.server.eats:
            self.server.ledger.write({"effect": "loaded", **row})
            path.unlink()


def make_certificate(home):
    """A certificate authority of our own in ca.pem, and a certificate by it for 127.0.0.1."""
    home.mkdir(parents=True, exist_ok=True)
    if (home / "cert.pem").exists():
        return

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=home, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", "/CN=httpdrop test CA", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=127.0.0.1",
            "-keyout", "key.pem", "-out", "cert.csr")
    (home / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "cert.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "30", "-extfile", "names", "-out", "cert.pem")


def authorization(args):
    if args.token:
        return "Bearer " + args.token
    if args.user:
        return "Basic " + base64.b64encode(f"{args.user}:{args.password}".encode()).decode()
    return ""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # a client that went away, or was killed


def main():
    manners = "\n".join(f"  {name:14}{what}" for name, what in MANNERS.items())
    parser = argparse.ArgumentParser(description=__doc__, epilog="manners:\n" + manners,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=pathlib.Path, required=True, help="where the files go")
    parser.add_argument("--ledger", type=pathlib.Path, help="default: DIR/.ledger")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--base", default="/in/", help="path in front of each name")
    parser.add_argument("--token")
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--tls", type=pathlib.Path, help="folder of ca.pem, cert.pem, key.pem; made if missing")
    parser.add_argument("--eats", action="store_true", help="a loader takes each file away at once")
    parser.add_argument("--bad", action="append", default=[], metavar="MANNER[=CHANCE]")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.dir.mkdir(parents=True, exist_ok=True)
    server = Server(("127.0.0.1", args.port), Drop)
    server.dir, server.base, server.eats = args.dir, args.base, args.eats
    server.bad, server.stopping = Manners(args.bad, args.seed), threading.Event()
    server.ledger = Ledger(args.ledger or args.dir / ".ledger")
    server.authorization = authorization(args)
    if args.tls:
        make_certificate(args.tls)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.tls / "cert.pem", args.tls / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
