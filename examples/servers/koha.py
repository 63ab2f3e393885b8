#!/usr/bin/env python3
"""A small server that answers as Koha's offline circulation does: the service, one row a request,
and the plugin, a batch a request.

It knows /cgi-bin/koha/offline_circ/service.pl, /cgi-bin/koha/svc/authentication,
/api/v1/oauth/token and /api/v1/contrib/offlinecirc/transactions. As the real ones do it, the
service answers HTTP 200 to nearly everything, removes no duplicates, and makes a renewal of a
second issue to the same patron.

Prints its port. Each thing booked, each row queued and each refused login becomes a line of JSON in the ledger.
Manners are switches; those with a list of numbers happen at these rows, counted from 1.

    ./koha.py --ledger effects.jsonl --csrf --lose 3,7"""
import argparse
import base64
import http.server
import json
import os
import pathlib
import ssl
import threading
import time
import urllib.parse

SERVICE = "/cgi-bin/koha/offline_circ/service.pl"
LOGIN = "/cgi-bin/koha/svc/authentication"
TOKEN = "/api/v1/oauth/token"
BATCH = "/api/v1/contrib/offlinecirc/transactions"
MAINTENANCE = b"<html><body><h1>System maintenance</h1></body></html>"


class Koha:
    def __init__(self, args):
        self.args, self.loans, self.lock = args, {}, threading.Lock()
        self.ledger = open(args.ledger, "a", encoding="ascii") if args.ledger else None
        self.rows = self.batches = 0
        self.sessions = {}      # cookie: (token, rows it is still good for)
        self.known = set()      # the plugin's memory
        self.bearers = set()

    def note(self, effect):
        if self.ledger:
            self.ledger.write(json.dumps(effect) + "\n")
            self.ledger.flush()

    def book(self, effect, row):
        self.note({"effect": effect, "item": row.get("barcode"), "user": row.get("cardnumber"),
                   "timestamp": row.get("timestamp"), "branch": row.get("branchcode")})

    def process(self, row):
        """The words of ProcessOfflineOperation."""
        item, card, action = row.get("barcode"), row.get("cardnumber"), row.get("action")
        if action not in ("issue", "return"):
            return ""
        if item in self.args.unknown:
            return "Barcode not found." if action == "issue" else "Item not found."
        if action == "issue":
            if card in self.args.unknown:
                return "Borrower not found."
            self.book("renew" if self.loans.get(item) == card else "issue", row)
            self.loans[item] = card
            return "Success."
        if self.loans.pop(item, None) is None:
            return "Item not issued."
        self.book("return", row)
        return "Success."

    def row(self, row):
        if row.get("pending") == "true":
            self.book("queued " + row.get("action", ""), row)
            return "Added."
        return self.process(row)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="text/plain", **headers):
        body = body if isinstance(body, bytes) else body.encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self):
        self.close_connection = True
        self.connection.close()

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def form(self):
        return dict(urllib.parse.parse_qsl(self.body().decode("ascii"), keep_blank_values=True))

    # ---- the service ----

    def cookie(self):
        for part in self.headers.get("Cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == "CGISESSID":
                return value
        return None

    def session_headers(self, **more):
        """A new session, and its token, from 24.05 on."""
        if not self.server.koha.args.csrf:
            return more
        cookie, token = os.urandom(8).hex(), os.urandom(16).hex()
        self.server.koha.sessions[cookie] = [token, self.server.koha.args.csrf_rows]
        return {"Set_Cookie": f"CGISESSID={cookie}; path=/; HttpOnly", "Csrf_Token": token, **more}

    def csrf_is_right(self):
        koha = self.server.koha
        known = koha.sessions.get(self.cookie())
        if not koha.args.csrf:
            return True
        if not known or known[0] != self.headers.get("CSRF-TOKEN") or known[1] <= 0:
            self.answer(403, "Wrong CSRF token")
            return False
        known[1] -= 1
        return True

    def login_is_right(self, form):
        args = self.server.koha.args
        pair = ("login_userid", "login_password") if args.csrf else ("userid", "password")
        return self.noted(tuple(form.get(k) for k in pair) == (args.user, args.password))

    def noted(self, right):
        """A login, which stands in the ledger if it is refused."""
        if not right:
            self.server.koha.note({"effect": "login refused"})
        return right

    def do_GET(self):
        koha = self.server.koha
        if self.path != LOGIN:
            return self.answer(404, "Not Found")
        if koha.args.down:
            return self.answer(503, "Service Unavailable")
        status = "<?xml version='1.0' standalone='yes'?>\n<response><status>failed</status>" \
                 "</response>\n"
        self.answer(200, status, "text/xml", **self.session_headers())

    def do_POST(self):
        {LOGIN: self.log_in, SERVICE: self.service, TOKEN: self.token,
         BATCH: self.batch}.get(self.path, lambda: self.answer(404, "Not Found"))()

    def log_in(self):
        form = self.form()
        if self.csrf_is_right():
            word = "ok" if self.login_is_right(form) else "failed"
            self.answer(200, f"<response><status>{word}</status></response>", "text/xml",
                        **self.session_headers())

    def service(self):
        koha, form = self.server.koha, self.form()
        args = koha.args
        if not self.csrf_is_right():
            return None
        if not self.login_is_right(form):
            return self.answer(200, "Authentication failed.")
        with koha.lock:
            koha.rows += 1
            n = koha.rows
            if n in args.drop:
                return self.hang_up()
            if n in args.maintenance:
                return self.answer(200, MAINTENANCE, "text/html")
            time.sleep(args.slow)
            said = koha.row(form)
        if n in args.lose:
            return self.hang_up()
        if n in args.error:
            return self.answer(500, "Internal Server Error")
        return self.answer(200, said)

    # ---- the plugin ----

    def token(self):
        form, args = self.form(), self.server.koha.args
        if not self.noted((form.get("client_id"), form.get("client_secret")) == (args.user, args.password)):
            return self.answer(403, '{"error":"Unauthorized client"}', "application/json")
        token = os.urandom(16).hex()
        self.server.koha.bearers = {token}
        return self.answer(200, json.dumps({"access_token": token, "token_type": "Bearer",
                                            "expires_in": 3600}), "application/json")

    def may_post(self):
        args = self.server.koha.args
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if args.oauth:
            return self.noted(scheme == "Bearer" and value in self.server.koha.bearers)
        want = base64.b64encode(f"{args.user}:{args.password}".encode()).decode()
        return self.noted((scheme, value) == ("Basic", want))

    def batch(self):
        koha, body = self.server.koha, self.body()
        args = koha.args
        if args.no_plugin:
            return self.answer(404, '{"errors":[{"message":"Not Found."}]}', "application/json")
        if not self.may_post():
            return self.answer(401, '{"error":"Authentication failure."}', "application/json")
        with koha.lock:
            koha.batches += 1
            n = koha.batches
            if n in args.expire:
                koha.bearers = set()
                return self.answer(401, '{"error":"Token expired"}', "application/json")
            batch = json.loads(body)
            rows = batch["transactions"]
            if n in args.half:      # dies in the middle
                rows = rows[:len(rows) // 2]
            time.sleep(args.slow * len(rows))
            results = [self.one(batch, row) for row in rows]
        if n in args.lose or n in args.half:
            return self.hang_up()
        if n in args.shorter:
            results = results[:-1]
        return self.answer(200, json.dumps({"results": results}), "application/json")

    def one(self, batch, row):
        koha = self.server.koha
        key = json.dumps(row, sort_keys=True)
        if key in koha.known and not koha.args.forgets:
            return {"status": "skipped", "message": "Already processed"}
        if batch["pending"]:
            koha.known.add(key)
            koha.book("queued " + row["action"], {**row, "branchcode": batch["branchcode"]})
            return {"status": "queued", "message": "Added."}
        said = koha.process({**row, "branchcode": batch["branchcode"]})
        if said in ("Success.", "Item not issued."):
            koha.known.add(key)
            return {"status": "processed" if said == "Success." else "skipped", "message": said}
        return {"status": "error", "message": said}


def numbers(text):
    return {int(n) for n in text.split(",") if n}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Clients that are killed hang up; that is their business."""


def listed(text):
    return set(filter(None, text.split(",")))


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--tls", type=pathlib.Path, help="folder with cert.pem and key.pem: https")
    p.add_argument("--ledger", help="file of effects, one JSON object a line")
    p.add_argument("--user", default="tideover")
    p.add_argument("--password", default="secret")
    p.add_argument("--csrf", action="store_true", help="as from 24.05 on: tokens, and login_userid")
    p.add_argument("--csrf-rows", type=int, default=1 << 30, help="a token lasts so many requests")
    p.add_argument("--unknown", type=listed, default=set(), help="barcodes of items and patrons")
    p.add_argument("--lose", type=numbers, default=set(), help="booked, but no answer")
    p.add_argument("--drop", type=numbers, default=set(), help="neither booked nor answered")
    p.add_argument("--error", type=numbers, default=set(), help="booked, and answered 500")
    p.add_argument("--maintenance", type=numbers, default=set(), help="a page with status 200")
    p.add_argument("--slow", type=float, default=0, help="seconds that a row takes")
    p.add_argument("--down", action="store_true", help="nothing but 503")
    p.add_argument("--oauth", action="store_true", help="the plugin wants a token, not a password")
    p.add_argument("--expire", type=numbers, default=set(), help="batches at which it expires")
    p.add_argument("--half", type=numbers, default=set(), help="batches that die in the middle")
    p.add_argument("--shorter", type=numbers, default=set(), help="batches with a result too few")
    p.add_argument("--forgets", action="store_true", help="the plugin's memory is lost")
    p.add_argument("--no-plugin", action="store_true")
    args = p.parse_args()
    server = Server(("127.0.0.1", args.port), Handler)
    server.koha = Koha(args)
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.tls / "cert.pem", args.tls / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
