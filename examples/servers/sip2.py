#!/usr/bin/env python3
"""A sample SIP2 server for Tideover: an honest imitation of what libraries run, with an effect
ledger and bad manners to switch on.

    examples/servers/sip2.py --ledger FILE [--seed FILE] [--lose 0.01] ...

Listens on 127.0.0.1, prints "listening PORT" and serves until it is stopped. Each effect (a loan
made, renewed, ended) is one JSON line in the ledger, written before the answer leaves, so that a
lost answer is an effect all the same. Without --seed every barcode is known; with it the file says
what there is:

    {"items": {"39999000005015": {"title": "T", "out_to": null}},
     "users": {"29999000001016": {"name": "Eva", "blocked": false, "fee": "0.00"}}}

An item may also have "due" (of "out_to") and "hold": its return is answered with an alert.

Standard library only. Every barcode in it is invented."""
import argparse
import datetime
import json
import random
import re
import socket
import socketserver
import ssl
import sys
import threading
import time

FIXED = {"93": 2, "99": 8, "11": 38, "09": 37, "29": 38, "63": 31, "17": 18, "97": 0}


def arguments():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a = p.add_argument
    a("--port", type=int, default=0)
    a("--ledger", required=True, help="effects as JSON lines; read first, if it is there")
    a("--seed", help="JSON of items and users; without it every barcode is known")
    a("--user", default="tideover")
    a("--password", default="secret")
    a("--institution", default="MAIN")
    a("--tls", metavar="CERT_AND_KEY", help="PEM with both")
    a("--random", type=int, default=1, metavar="SEED", help="of the chances below")
    g = p.add_argument_group("answers that get lost; each a chance from 0 to 1")
    a = g.add_argument
    a("--lose", type=float, default=0, help="does it, then closes without an answer")
    a("--close-before", type=float, default=0, help="closes without doing it")
    a("--late", type=float, default=0, help="does it, answers after --late-by seconds")
    a("--late-by", type=float, default=7)
    a("--foreign", type=float, default=0, help="does it, sends the answer of another question")
    a("--spoil", type=float, default=0, help="does it, answers with a wrong checksum")
    a("--text", type=float, default=0, help="does nothing, answers with a line that is no SIP2")
    g = p.add_argument_group("what it does")
    a = g.add_argument
    a("--no-block", choices=["honour", "ignore", "refuse"], default="honour")
    a("--repeat", choices=["renew", "yours"], default="renew",
      help="a second 11 of the same patron: ok=1 and renewal ok=Y, or ok=0 and renewal ok=Y")
    a("--not-out", choices=["0", "1"], default="0", help="ok of a check-in of what is not on loan")
    a("--loan-days", type=int, default=21)
    a("--poison", action="append", default=[], metavar="END", help="closes on items that end so")
    a("--close-unknown", action="store_true", help="closes on a 09 of an item that it does not know")
    g = p.add_argument_group("how it speaks")
    a = g.add_argument
    a("--crlf", action="store_true")
    a("--plain", action="store_true", help="answers without AY and AZ")
    a("--bad-sum", choices=["96", "ignore", "96-no-end"], default="96")
    a("--ah", choices=["d18", "iso", "us", "text", "none"], default="d18")
    a("--au", choices=["barcode", "title", "id"], default="barcode")
    a("--af", choices=["ascii", "latin1", "cp850"], default="ascii")
    a("--trickle", action="store_true", help="one byte per write")
    a("--slow", type=float, default=0, metavar="SECONDS", help="before each answer")
    a("--status-first", type=float, default=0, help="chance of a 98 that nobody asked for")
    a("--flood", action="store_true", help="answers the first change with 98s without end")
    a("--stall", action="store_true", help="never answers the second of two messages sent at once")
    g = p.add_argument_group("how it is")
    a = g.add_argument
    a("--offline", action="store_true", help="98 says that it is not on-line")
    a("--dead-ils", action="store_true", help="98 says on-line, every item is unknown")
    a("--full", action="store_true", help="accepts and never answers")
    a("--refuse-login", action="store_true", help="940, and closes at the third")
    a("--version", default="2.00")
    a("--timeout", type=int, default=600, metavar="TENTHS", help="of a second, that 98 allows an answer")
    a("--bx", default="YYYYYYYYYYYYYYYY")
    a("--idle", type=float, default=600, metavar="SECONDS", help="then it closes")
    a("--clock", type=int, default=0, metavar="SECONDS", help="its clock is so far off")
    return p.parse_args()


def checksum(text):
    return "%04X" % (-sum(text) & 0xFFFF)


class Library:
    """Items, users, loans; one lock, one ledger."""

    def __init__(self, args):
        self.args = args
        self.lock = threading.Lock()
        self.dice = random.Random(args.random)
        seed = json.load(open(args.seed)) if args.seed else {}
        self.items = seed.get("items") if args.seed else None
        self.users = seed.get("users") if args.seed else None
        self.out = {}  # item: [user, due]
        self.flooded = False
        for item, what in (self.items or {}).items():
            if what.get("out_to"):
                self.out[item] = [what["out_to"], what.get("due", "20300101")]
        try:
            for line in open(args.ledger, encoding="utf-8"):
                self.replay(json.loads(line))
        except FileNotFoundError:
            pass
        self.ledger = open(args.ledger, "a", encoding="utf-8")
        self.n = 0

    def replay(self, e):
        if e["op"] in ("checkout", "renew"):
            self.out[e["item"]] = [e["user"], e["due"]]
        elif e["op"] == "checkin":
            self.out.pop(e["item"], None)

    def refused_login(self):
        with self.lock:
            self.ledger.write(json.dumps({"op": "login", "refused": True}) + "\n")
            self.ledger.flush()

    def effect(self, op, item, user, due, again=False):
        self.n += 1
        e = {"op": op, "item": item, "user": user, "due": due, "again": again,
             "at": round(time.time(), 4)}
        self.ledger.write(json.dumps(e) + "\n")
        self.ledger.flush()
        self.replay(e)

    def now(self):
        return datetime.datetime.now() + datetime.timedelta(seconds=self.args.clock)

    def stamp(self):
        return self.now().strftime("%Y%m%d    %H%M%S")

    def knows_item(self, item):
        return not self.args.dead_ils and item and (self.items is None or item in self.items)

    def knows_user(self, user):
        return user and (self.users is None or user in self.users)

    def title(self, item):
        return (self.items or {}).get(item, {}).get("title", "Title of " + item[-4:])

    def chance(self, p):
        return p > 0 and self.dice.random() < p

    def due(self, no_block, asked):
        """Who ignores "no block" computes its own due date."""
        if self.args.no_block == "honour" and no_block == "Y" and asked.strip():
            return asked[:8]
        return (self.now() + datetime.timedelta(days=self.args.loan_days)).strftime("%Y%m%d")

    def ah(self, due):
        y, m, d = due[:4], due[4:6], due[6:]
        return {"d18": f"AH{due}    235959|", "iso": f"AH{y}-{m}-{d} 23:59:59|",
                "us": f"AH{m}/{d}/{y}|", "text": "AHin three weeks|", "none": ""}[self.args.ah]

    def af(self, text):
        letter = {"ascii": b"ue", "latin1": "\u00fc".encode("latin-1"),
                  "cp850": "\u00fc".encode("cp850")}[self.args.af]
        return b"AF" + text.encode().replace(b"ue", letter) + b"|"

    # ---- messages: (head, fields as bytes) ----

    def checkout(self, f, v):
        item, user, no_block, asked = v.get("AB", ""), v.get("AA", ""), f[1], f[20:38]
        head = f"AO{self.args.institution}|AA{user}|AB{item}|AJ{self.title(item)}|"

        def no(why, renewal="N", more=""):
            return f"120{renewal}NN{self.stamp()}", (head + "AH|" + more).encode() + self.af(why)
        if no_block == "Y" and self.args.no_block == "refuse":
            return no("no block is not allowed here")
        if not self.knows_user(user):
            return no("unknown patron", more="BLN|")
        if not self.knows_item(item):
            return no("unknown item")
        u = (self.users or {}).get(user, {})
        if u.get("blocked"):
            return no("the patron is blocked, ask for a blueberry")
        if float(u.get("fee", "0")) > 0 and v.get("BO") != "Y":
            return no("a fee is open", more=f"BT01|BV{u['fee']}|")
        held = self.out.get(item)
        if held and held[0] != user:
            return no("out to another patron")
        if held and self.args.repeat == "yours":
            return no("already yours", renewal="Y")
        due = self.due(no_block, asked)
        self.effect("checkout", item, user, due, again=bool(held))
        return (f"121{'Y' if held else 'N'}NY{self.stamp()}",
                (head + self.ah(due)).encode() + (self.af("renewed") if held else b""))

    def checkin(self, f, v):
        item = v.get("AB", "")
        head = f"AO{self.args.institution}|AB{item}|AQ{self.args.institution}|"
        if not self.knows_item(item):
            return f"100NUN{self.stamp()}", head.encode() + self.af("unknown item")
        if item not in self.out:
            return (f"10{self.args.not_out}NUN{self.stamp()}",
                    (head + f"AJ{self.title(item)}|").encode() + self.af("not checked out"))
        user = self.out[item][0]
        self.effect("checkin", item, user, "")
        head += f"AJ{self.title(item)}|AA{user}|"
        if (self.items or {}).get(item, {}).get("hold"):  # somebody waits for it
            return f"101YNY{self.stamp()}", (head + "CV01|").encode() + self.af("on hold, keep it")
        return f"101YNN{self.stamp()}", head.encode()

    def renew(self, f, v):
        item, user = v.get("AB", ""), v.get("AA", "")
        head = f"AO{self.args.institution}|AA{user}|AB{item}|AJ{self.title(item)}|"
        held = self.out.get(item)
        if not self.knows_user(user) or not held or held[0] != user:
            return (f"300NNN{self.stamp()}",
                    (head + ("" if self.knows_user(user) else "BLN|")).encode() +
                    self.af("not out to that patron"))
        due = self.due(f[1], f[20:38])
        self.effect("renew", item, user, due)
        return f"301YNN{self.stamp()}", (head + self.ah(due)).encode()

    def item(self, _f, v):
        item = v.get("AB", "")
        if not self.knows_item(item):
            return f"18010001{self.stamp()}", f"AB{item}|AJ|".encode()
        held = self.out.get(item)
        return (f"18{'04' if held else '03'}0001{self.stamp()}",
                (f"AB{item}|AJ{self.title(item)}|" + (self.ah(held[1]) if held else "")).encode())

    def patron(self, f, v):
        user = v.get("AA", "")
        mine = sorted(i for i, (u, _d) in self.out.items() if u == user)
        first = max(1, int(v.get("BP") or 1))
        last = int(v.get("BQ") or 1000000)
        name = (self.users or {}).get(user, {}).get("name", "Invented Name")
        shown = mine[first - 1:last] if f[21:].find("Y") == 2 else []
        form = {"barcode": lambda i: i, "title": self.title, "id": lambda i: str(hash(i) % 9999)}
        au = "".join(f"AU{form[self.args.au](i)}|" for i in shown)
        return (f"64{' ' * 14}000{self.stamp()}00000000{len(mine):04d}000000000000",
                (f"AO{self.args.institution}|AA{user}|AE{name}|"
                 f"BL{'Y' if self.knows_user(user) else 'N'}|CQY|" + au).encode())

    def status(self, _f, _v):
        online = "N" if self.args.offline else "Y"
        return (f"98{online}YYYNN{self.args.timeout:03d}003{self.stamp()}{self.args.version}",
                f"AO{self.args.institution}|BX{self.args.bx}|".encode())


class Session(socketserver.BaseRequestHandler):
    def setup(self):
        self.logged_in = False
        self.failed = 0
        self.last = b"941"

    def handle(self):
        args, data = self.server.args, b""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request.settimeout(args.idle)
        try:
            while True:
                while not re.search(rb"[\r\n]", data):
                    more = self.request.recv(65536)
                    if not more:
                        return
                    data += more
                line, data = re.split(rb"[\r\n]+", data.lstrip(b"\r\n"), maxsplit=1) \
                    if re.search(rb"[^\r\n][\r\n]", data) else (b"", b"")
                if args.full or (args.stall and data.strip()):
                    continue
                if line and not self.answer(line):
                    return
        except (OSError, TimeoutError):
            pass

    def say(self, raw):
        end = b"\r\n" if self.server.args.crlf else b"\r"
        if self.server.args.slow:
            time.sleep(self.server.args.slow)
        if self.server.args.trickle:
            for i in range(len(raw + end)):
                self.request.sendall((raw + end)[i:i + 1])
        else:
            self.request.sendall(raw + end)
        return True

    def seal(self, head, fields, seq, spoil=False):
        raw = head.encode() + fields
        if seq is None or self.server.args.plain:
            return raw
        raw += b"AY" + seq + b"AZ"
        right = checksum(raw).encode()
        return raw + (checksum(raw + b"x").encode() if spoil else right)

    def answer(self, line):
        args, lib = self.server.args, self.server.library
        m = re.fullmatch(rb"(.*?)\|?AY([0-9])AZ([0-9A-Fa-f]{4})\|?", line, re.S)
        seq, body = (m.group(2), m.group(1)) if m else (None, line)
        if m and checksum(line[:line.rindex(b"AZ") + 2]) != m.group(3).decode().upper():
            if args.bad_sum == "ignore":
                return True
            self.request.sendall(b"96AZFEF6" + (b"\r" if args.bad_sum == "96" else b""))
            return True
        text = body.decode("latin-1")
        code = text[:2]
        if code not in FIXED:
            return False  # as most do: closes
        fixed, fields = text[2:2 + FIXED[code]], text[2 + FIXED[code]:]
        if code == "99":  # some clients write the width " 80"
            fixed, fields = text[2:10], ""
        v = {x[:2]: x[2:] for x in fields.split("|") if len(x) >= 2}
        if code == "93":
            return self.log_in(v, seq)
        if not self.logged_in and args.user:
            return False
        with lib.lock:
            if not args.flood or lib.flooded or code not in ("11", "09", "29"):
                return self.do(code, fixed, v, seq)
            lib.flooded = True
            status = self.seal(*lib.status(fixed, v), None) + b"\r"
        while True:
            self.request.sendall(500 * status)

    def log_in(self, v, seq):
        args = self.server.args
        self.logged_in = (not args.refuse_login and v.get("CN") == args.user and
                          v.get("CO") == args.password)
        self.failed += not self.logged_in
        if not self.logged_in:
            self.server.library.refused_login()
        self.say(self.seal("941" if self.logged_in else "940", b"", seq))
        return self.logged_in or self.failed < 3

    def do(self, code, fixed, v, seq):
        args, lib = self.server.args, self.server.library
        changes = code in ("11", "09", "29")
        if any(v.get("AB", "").endswith(p) for p in args.poison) and changes:
            return False
        if changes and lib.chance(args.close_before):
            return False
        if code == "09" and args.close_unknown and not lib.knows_item(v.get("AB", "")):
            return False
        if changes and lib.chance(args.text):
            return self.say(b"java.lang.NullPointerException")
        if lib.chance(args.status_first):
            self.say(self.seal(*lib.status(fixed, v), None))
        head, rest = {"11": lib.checkout, "09": lib.checkin, "29": lib.renew, "17": lib.item,
                      "63": lib.patron, "99": lib.status}[code](fixed, v)
        if changes and lib.chance(args.lose):
            return False
        if changes and lib.chance(args.late):
            time.sleep(args.late_by)
        if changes and lib.chance(args.foreign):
            return self.say(self.last)
        self.say(self.seal(head, rest, seq, spoil=changes and lib.chance(args.spoil)))
        if changes:
            self.last = self.seal(head, rest, seq)
        return not (code == "99" and fixed[:1] == "2")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def get_request(self):
        request, address = super().get_request()
        if self.context:
            request.settimeout(10)
            request = self.context.wrap_socket(request, server_side=True)
        return request, address

    def handle_error(self, request, client_address):
        pass  # a client that went away


def main():
    args = arguments()
    server = Server(("127.0.0.1", args.port), Session)
    server.args, server.context = args, None
    server.library = Library(args)
    if args.tls:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(args.tls)
    print("listening", server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
