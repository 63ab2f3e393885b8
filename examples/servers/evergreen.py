#!/usr/bin/env python3
"""A small server that answers as Evergreen does when an offline day is handed over.

It knows two addresses: /osrf-gateway-v1 (login) and /cgi-bin/offline/offline.pl (create, load,
execute, status). Lines are collected, sorted and booked as the real script does it, weaknesses
included: it removes no duplicates, one line that is no JSON kills the whole session at execute, and
a second file of one workstation is appended to the first if that one was cut off.

Prints its port. Each thing booked, and each refused login, becomes a line of JSON in the ledger. Manners are switches; those
with a number happen so many times.

    ./evergreen.py --ledger effects.jsonl --lose execute=1 --die-after 100"""
import argparse
import email.parser
import email.policy
import http.server
import json
import os
import pathlib
import random
import ssl
import threading
import time
import urllib.parse

EVENTS = {"SUCCESS": 0, "NO_CHANGE": 3, "LOGIN_FAILED": 1000, "NO_SESSION": 1001,
          "ACTOR_CARD_NOT_FOUND": 1589, "ACTOR_USER_EXISTS": 1200, "ASSET_COPY_NOT_FOUND": 1502,
          "OPEN_CIRCULATION_EXISTS": 1702, "INTERNAL_SERVER_ERROR": 2003, "PERM_FAILURE": 5000,
          "ROUTE_ITEM": 7000, "OFFLINE_SESSION_ACTIVE": 8000, "OFFLINE_SESSION_FILE_EXISTS": 8001,
          "OFFLINE_FILE_ERROR": 8002, "OFFLINE_INVALID_SESSION": 8008, "OFFLINE_NO_ORG": 8009,
          "OFFLINE_SESSION_COMPLETE": 8010, "SKIP_ASSET_CHANGED": 8011}
RESULT_BUFFER = 8192   # of Perl's file handle: lost when the script is killed


def event(name, **more):
    code = EVENTS[name]
    return {"ilsevent": str(code) if code % 2 == 0 else code, "textcode": name,
            "desc": name.replace("_", " ").capitalize(), "pid": os.getpid(), **more}


class Died(Exception):
    """The script died: HTTP 500, and no JSON."""


class Hangup(Exception):
    """The connection is closed without an answer."""


class Library:
    """Loans and cards, and the ledger of what was done to them."""

    def __init__(self, args):
        self.args, self.loans, self.cards = args, {}, set()
        self.ledger = open(args.ledger, "a", encoding="ascii") if args.ledger else None
        self.skipped = set()

    def note(self, effect):
        if self.ledger:
            self.ledger.write(json.dumps(effect) + "\n")
            self.ledger.flush()

    def book(self, what, command, session):
        self.note({"effect": what, "id": command.get("tideover_id"), "item": command.get("barcode"),
                   "user": command.get("patron_barcode"), "session": session,
                   "timestamp": command.get("timestamp")})
        return event("SUCCESS")

    def handle(self, c, session):
        kind, item, user = c.get("type"), c.get("barcode"), c.get("patron_barcode")
        if kind == "register":
            return self.register(c, session)
        if kind not in ("checkout", "renew", "checkin", "in_house_use"):
            return None     # a type that nobody handles leaves no event
        if kind == "checkout" and c.get("noncat"):
            if not c.get("noncat_type"):
                return event("INTERNAL_SERVER_ERROR", debug="noncat_type required")
            return self.book("noncat", c, session)
        if item in self.args.newer or item in self.skipped:
            self.skipped.add(item)
            return event("SKIP_ASSET_CHANGED")
        if item in self.args.unknown:
            return [event("ASSET_COPY_NOT_FOUND", payload=item)]
        if user in self.args.unknown:
            return event("ACTOR_CARD_NOT_FOUND", payload=user)
        if kind == "checkout":
            holder = self.loans.get(item)
            if holder not in (None, user):
                return [event("OPEN_CIRCULATION_EXISTS")]
            self.loans[item] = user
            return self.book("renew" if holder else "checkout", c, session)
        if kind == "renew":
            if item not in self.loans:
                return event("NO_CHANGE")
            return self.book("renew", c, session)
        if kind == "checkin":
            if self.loans.pop(item, None) is None:
                return event("NO_CHANGE")
            answer = self.book("checkin", c, session)
            return event("ROUTE_ITEM", org=9) if item in self.args.elsewhere else answer
        if not 1 <= int(c.get("count") or 1) <= 99:
            return event("INTERNAL_SERVER_ERROR", debug="TOO MANY IN HOUSE USE")
        return self.book("in_house_use", c, session)

    def register(self, c, session):
        # The card is taken out of the command, so that an exception no longer shows it.
        card = c["user"].pop("card")["barcode"]
        if not (c["user"].get("billing_address") or c["user"].get("mailing_address")):
            return event("INTERNAL_SERVER_ERROR", debug="No address")
        if card in self.cards:
            return event("ACTOR_USER_EXISTS")
        self.cards.add(card)
        return self.book("register", {**c, "patron_barcode": card}, session)


class Sessions:
    """The offline script and its folder."""

    def __init__(self, args):
        self.args, self.lib = args, Library(args)
        self.tokens, self.sessions, self.lock = {}, {}, threading.RLock()
        self.dice = random.Random(args.seed)

    def spend(self, switch, action):
        """Does this bad manner happen now? Counts down."""
        with self.lock:
            left = getattr(self.args, switch).get(action, 0)
            if left <= 0 or self.dice.random() >= self.args.chance:
                return False
            getattr(self.args, switch)[action] = left - 1
            return True

    def login(self, form):
        param = json.loads(form["param"])
        if (param.get("username"), param.get("password")) != (self.args.user, self.args.password):
            self.lib.note({"effect": "login refused"})
            return {"payload": [event("LOGIN_FAILED")], "status": 200}
        token = os.urandom(16).hex()
        self.tokens[token] = self.args.token_calls
        return {"payload": [event("SUCCESS", payload={"authtoken": token, "authtime": 420})],
                "status": 200}

    def call(self, form):
        action = form.get("action", "")
        if self.spend("drop", action):
            raise Hangup
        with self.lock:
            left = self.tokens.get(form.get("ses"))
            if not left:
                return event("NO_SESSION")
            self.tokens[form["ses"]] = left - 1
        if form.get("org") != str(self.args.org):
            return event("OFFLINE_NO_ORG")
        if "OFFLINE_" + action.upper() in self.args.lacks:
            return event("PERM_FAILURE", ilsperm="OFFLINE_" + action.upper())
        if self.spend("full", action):
            return event("OFFLINE_FILE_ERROR")
        answer = {"create": self.create, "load": self.load, "execute": self.execute,
                  "status": self.status}[action](form)
        if self.spend("lose", action):
            raise Hangup
        return answer

    def create(self, form):
        with self.lock:
            key = f"{int(time.time())}_{os.getpid()}_{len(self.sessions)}"
            self.sessions[key] = {
                "key": key, "org": self.args.org, "description": form.get("desc", ""),
                "creator": 1, "create_time": int(time.time()), "in_process": 0, "start_time": None,
                "end_time": None, "num_complete": 0, "scripts": [], "files": {}, "results": [],
                "written": 0, "archived": False}
        return event("SUCCESS", payload=key)

    def find(self, form):
        return self.sessions.get(form.get("seskey"))

    def load(self, form):
        s, ws = self.find(form), form.get("ws")
        if not s:
            return event("OFFLINE_INVALID_SESSION", payload=form.get("seskey"))
        with self.lock:
            if any(x["workstation"] == ws for x in s["scripts"]):
                return event("OFFLINE_SESSION_FILE_EXISTS")
            if s["in_process"]:
                return event("OFFLINE_SESSION_ACTIVE")
            if s["end_time"]:
                return event("OFFLINE_SESSION_COMPLETE")
            lines = form["file"].splitlines(keepends=True)
            s["files"].setdefault(ws, []).extend(lines)     # opened to append
            if self.spend("die_in", "load"):
                raise Died
            count = len(lines)
            if self.spend("miscount", "load"):
                count -= 1
            s["scripts"].append({"workstation": ws, "count": count, "time_delta":
                                 int(form.get("delta") or 0), "create_time": int(time.time()),
                                 "requestor": 1})
        return event("SUCCESS")

    def commands(self, s):
        all_ = []
        for script in s["scripts"]:
            for line in s["files"][script["workstation"]]:
                try:
                    c = json.loads(line)
                except ValueError:
                    raise Died from None
                if c and c.get("type"):
                    all_.append({**c, "_workstation": script["workstation"], "_realtime":
                                 script["time_delta"] + int(c.get("timestamp") or 0)})
        all_.sort(key=lambda c: c["_realtime"])
        return ([c for c in all_ if c["type"] == "register"] +
                [c for c in all_ if c["type"] != "register"])

    def execute(self, form):
        s = self.find(form)
        if not s:
            return event("OFFLINE_INVALID_SESSION", payload=form.get("seskey"))
        if s["in_process"]:
            return event("OFFLINE_SESSION_ACTIVE")
        if s["end_time"]:
            return event("OFFLINE_SESSION_COMPLETE")
        if self.spend("die_in", "execute"):
            raise Died
        commands = self.commands(s)
        if not self.args.never_start:       # a child; the answer goes out at once
            threading.Thread(target=self.child, args=(s, commands), daemon=True).start()
        return event("SUCCESS")

    def child(self, s, commands):
        time.sleep(self.args.start_delay)   # it connects anew; only then it sets its marks
        s["in_process"] = 1
        s["start_time"] = int(time.time())
        buffered = 0
        for n, c in enumerate(commands):
            if n == self.args.die_after:
                if self.args.die_booking:   # booked, but neither written nor counted
                    self.lib.handle(c, s["key"])
                return
            time.sleep(self.args.work)
            result = {"command": c, "event": self.lib.handle(c, s["key"])}
            s["results"].append(result)
            buffered += len(json.dumps(result)) + 1
            if buffered >= RESULT_BUFFER or n == len(commands) - 1:
                s["written"], buffered = len(s["results"]), 0
            s["num_complete"] += 1
        s["end_time"] = int(time.time())
        s["in_process"] = 0
        time.sleep(self.args.archive_delay)
        s["archived"] = True

    def status(self, form):
        kind = form.get("status_type") or "scripts"
        others = [k for k in self.sessions if k != form.get("seskey")]
        if others and self.spend("foreign", kind):
            form = {**form, "seskey": others[0]}
        if kind == "sessions":
            return [self.shown(s) for s in list(self.sessions.values())]
        s = self.find(form)
        if not s:
            return event("OFFLINE_INVALID_SESSION", payload=form.get("seskey"))
        if kind == "summary":
            return {"total": sum(x["count"] for x in s["scripts"]),
                    "num_complete": s["num_complete"]}
        if kind == "exceptions":
            # Looked for in the archive as soon as there is an end time, though it moves later.
            if (s["end_time"] and not s["archived"]) or not s["written"]:
                return event("OFFLINE_FILE_ERROR")
            return [r for r in s["results"][:s["written"]]
                    if not isinstance(r["event"], dict) or str(r["event"]["ilsevent"]) != "0"]
        return self.shown(s)

    @staticmethod
    def shown(s):
        hidden = ("files", "results", "written", "archived")
        return {k: v for k, v in s.items() if k not in hidden}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def form(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.headers.get("Content-Type", "")
        if not kind.startswith("multipart/"):
            return dict(urllib.parse.parse_qsl(body.decode("ascii"), keep_blank_values=True))
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
            b"Content-Type: " + kind.encode("ascii") + b"\r\n\r\n" + body)
        return {part.get_param("name", header="content-disposition"):
                part.get_payload(decode=True).decode("utf-8") for part in message.iter_parts()}

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        sessions = self.server.sessions
        try:
            form = self.form()
            if self.path == "/osrf-gateway-v1":
                said = sessions.login(form)
            elif self.path == "/cgi-bin/offline/offline.pl":
                said = sessions.call(form)
            else:
                return self.answer(404, "text/html", b"<h1>Not Found</h1>")
            self.answer(200, "text/plain", json.dumps(said).encode("ascii") + b"\n")
        except Died:
            self.answer(500, "text/html", b"<h1>Internal Server Error</h1>")
        except Hangup:
            self.close_connection = True
            self.connection.close()


def counted(text):
    """execute=2,load=1"""
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {action: int(n or 1) for action, _, n in pairs}


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
    p.add_argument("--org", type=int, default=4)
    p.add_argument("--token-calls", type=int, default=1 << 30, help="a login lasts so many calls")
    p.add_argument("--lacks", type=listed, default=set(), help="rights, as OFFLINE_EXECUTE")
    p.add_argument("--lose", type=counted, default={}, help="done, but no answer: ACTION=TIMES,..")
    p.add_argument("--drop", type=counted, default={}, help="neither done nor answered")
    p.add_argument("--die-in", type=counted, default={}, help="HTTP 500: load=1 (the file stays, "
                   "uncounted), execute=1 (nothing was started)")
    p.add_argument("--full", type=counted, default={}, help="create=1, load=1: no room in its folder")
    p.add_argument("--foreign", type=counted, default={}, help="exceptions=1, scripts=1: the status "
                   "of another session")
    p.add_argument("--chance", type=float, default=1, help="of --lose, --drop, --die-in and "
                   "--miscount, each time")
    p.add_argument("--seed", type=int, default=1, help="of that chance")
    p.add_argument("--miscount", type=counted, default={}, help="load=1: one line too few")
    p.add_argument("--start-delay", type=float, default=0, help="seconds until execute shows")
    p.add_argument("--never-start", action="store_true")
    p.add_argument("--work", type=float, default=0, help="seconds a line")
    p.add_argument("--die-after", type=int, default=-1, help="the child dies after so many lines")
    p.add_argument("--die-booking", action="store_true", help="and books one more, untold")
    p.add_argument("--archive-delay", type=float, default=0.3)
    p.add_argument("--unknown", type=listed, default=set(), help="barcodes")
    p.add_argument("--newer", type=listed, default=set(), help="items changed after the outage")
    p.add_argument("--elsewhere", type=listed, default=set(), help="items of another library")
    args = p.parse_args()
    server = Server(("127.0.0.1", args.port), Handler)
    server.sessions = Sessions(args)
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
