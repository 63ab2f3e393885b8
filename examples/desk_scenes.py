"""The day of examples/run --desk-day at the desks: what staff meet, scene by scene."""
import json
import shlex
import signal
import subprocess
from datetime import datetime, timedelta, timezone

from drive import wait_until
from outage import say, step
from sample_day import eastern, luhn
from systems import Wrong

SHOWN = 8        # lines of an answer; more are counted
FAST = 95        # seconds: KIDS-1's clock
DAY = 24 * 3600


def user(n):
    return luhn(f"29999{n:08d}")


def item(n):
    return luhn(f"39999{n:08d}")


def short_loan(n):
    """What begins like this is lent for a week."""
    return luhn(f"39998{n:08d}")


def today():
    return datetime.now(eastern(datetime.now().date())).date()


def by_hand(line):
    """A line of an answer, cut to the width of a page."""
    return line if len(line) <= 116 else line[:113] + "..."


class DeskScenes:
    """Of a branch whose desks are self.desks; self.records counts what each of them comes to hold."""

    def do(self, desk, *words, want=(), rc=0, text="", secret=()):
        """Runs a verb as a person would, shows it, and checks what it says. `secret` words go with
        it unseen: the passphrase's file."""
        said = desk.cli(*words, *secret, check=False, text=text)
        line = " ".join(shlex.quote(str(w)) for w in words).replace(str(self.home) + "/", "")
        say(f"{desk.name}$ tideover {line}" + (f" <<< {text.strip()!r}" if text else ""))
        both = (said.out + said.err).rstrip()
        lines = both.splitlines()
        for shown in lines[:SHOWN]:
            say("    " + by_hand(shown))
        if len(lines) > SHOWN:
            say(f"    ... {len(lines) - SHOWN} more line{'s' * (len(lines) > SHOWN + 1)}")
        if said.rc != rc:
            raise Wrong(f"exit {said.rc}, not {rc}: {both}")
        for words_ in [want] if isinstance(want, str) else want:
            if words_ not in both:
                raise Wrong(f"it does not say {words_!r}: {both}")
        return said

    def lead_does(self, desk, *words, **more):
        return self.do(desk, *words, secret=("--lead-passphrase-file", self.lead), **more)

    def record(self, desk, *words, **more):
        """One more record; its id."""
        self.records += 1
        return self.do(desk, "record", *words, **more).out.split()[0]

    def scan(self, desk, *lines, want=(), rc=0, typed=False):
        """Scans through the box; `want`: the act or the error of each."""
        more = ("--typed",) if typed else ()
        said = desk.cli("record", "scan", *more, check=False, text="".join(x + "\n" for x in lines))
        got = [json.loads(x) for x in said.out.splitlines()]
        acts = [a.get("act") or a["error"]["code"] for a in got]
        for a, raw in zip(got, lines):
            e = a.get("error")
            due = f", due {a['due']}" if "due" in a else ""
            words = e["message"] if e else a.get("note", {}).get("message", a["act"] + due)
            say(f"{desk.name}{'⌨' if typed else '>'} {raw:<24} {by_hand(words)}")
        if acts != list(want) or said.rc != rc:
            raise Wrong(f"the box answered {acts} (exit {said.rc}), not {list(want)}: {said.out}{said.err}")
        self.records += sum(act in ("record", "undo") for act in acts)
        return got

    def all_have(self):
        self.each(lambda s: s["records"]["held"] == self.records, 30, f"hold {self.records} records")

    # -- an ordinary day -----------------------------------------------------------------------

    def practise(self):
        step("An ordinary day: five minutes of practice, which record nothing")
        kids = self.desks[2]
        self.do(kids, "practice", "on", "--staff", "Dora", want="Step 1 of 7")
        todo = kids.cli("practice", "reset", json=True)["next"]
        box = subprocess.Popen([kids.binary, "record", "scan", "--state", str(kids.state)], text=True,
                               env=kids.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        while not todo["done"]:
            say(f"{kids.name}> {todo['scan']:<24} {by_hand(todo['message'])}")
            box.stdin.write(todo["scan"] + "\n")
            box.stdin.flush()
            todo = json.loads(box.stdout.readline())["practice"]
        box.communicate()
        self.do(kids, "practice", "off")
        self.do(kids, "practice", "report", want="Dora")
        if kids.status()["records"]["held"] != 0:
            raise Wrong("practice recorded something")

    def block_lists(self):
        step("The lists of blocked users, as three systems write them: one for all desks, the newest wins")
        one, two, kids = self.desks
        plain, evergreen, symphony = (self.home / n for n in ("blocked.txt", "offline.list", "delinq"))
        plain.write_text(f"{user(902)}\n")
        evergreen.write_text(f"{user(903)} E\n{user(904)} D\n")
        symphony.write_text(f"{user(900)}|BARRED\n{user(901)}|DELINQUENT\n")
        ago = lambda days: (datetime.now(timezone.utc) - timedelta(days)).isoformat(timespec="seconds")
        self.do(one, "blocklist", "import", plain, "--date", ago(10), want="10 days ago")
        wait_until(lambda: any(p["code"] == "block_list_old" for p in kids.status()["problems"]), 30,
                   "KIDS-1 to warn of its age")
        self.do(kids, "status", want="the list of blocked users is 10 days old")
        self.do(two, "blocklist", "import", evergreen, "--format", "evergreen", "--date", ago(3), want="expired")
        self.do(one, "blocklist", "import", symphony, "--format", "symphony", want="barred")
        for d in self.desks:
            wait_until(lambda d=d: (d.cli("blocklist", "show", json=True)["list"] or {})
                       .get("by_status", {}).get("barred") == 1, 30, f"{d.name} to have the newest")
        self.do(two, "blocklist", "import", evergreen, "--format", "evergreen", "--date", ago(3), rc=65,
                want="newer block list already")
        self.do(kids, "blocklist", "show", want=("2 users", "0 days ago"))
        for path in (p for d in self.desks for p in d.state.rglob("*") if p.is_file()):
            if user(900).encode() in path.read_bytes():
                raise Wrong(f"{path} names a blocked user")
        say("no file on any desk has a number of that list")

    def sessions(self):
        step("The sessions: staff, and where they work; at midnight the chosen due date is forgotten")
        one, two, kids = self.desks
        self.do(one, "session", "set", "--staff", "Ana", want="Ana")
        self.do(two, "session", "set", "--staff", "Ben", "--library", "ANNEX", "--user-access", "ANNEXDESK",
                "--station", "77", want=("Ben", "as ANNEXDESK, library ANNEX, station 77"))
        self.do(kids, "session", "set", "--staff", "Dora", "--due", "7d", "--block-list", "off",
                want=("until midnight", "the block list is not asked"))
        self.clock(kids, FAST + DAY)
        self.do(kids, "session", "show", want=("Dora", "what was chosen before today is forgotten"))
        if kids.cli("session", "show", json=True)["block_list"] is not True:
            raise Wrong("the block list stays off after midnight")
        self.clock(kids, FAST)
        self.do(kids, "session", "set", "--due", "rule", "--block-list", "on")

    @staticmethod
    def clock(desk, ahead):
        """The same PC, its wall clock so many seconds ahead."""
        desk.stop()
        desk.env["CLOCK_SHIFT"] = str(ahead)
        desk.start()

    def fast_clock(self):
        step("KIDS-1's clock is 95 s fast: said before the first scan, corrected in the upload")
        self.each(lambda s: s["peers"]["online"] == 2 and s["clock"]["desks"] == 3, 60, "compare the clocks")
        self.do(self.desks[2], "session", "show", want="95 s fast")

    # -- the outage ----------------------------------------------------------------------------

    def wrong_scans(self):
        step("What is wrong is said in that second, and nothing is recorded")
        one, two, kids = self.desks
        wrong_digit = user(1)[:-1] + str((int(user(1)[-1]) + 1) % 10)
        self.scan(one, item(1), user(1)[:9], user(1) + item(1), wrong_digit, user(1), user(1)[:-1] + "x", rc=65,
                  want=("wrong_slot", "too_short", "two_barcodes", "check_digit", "opened", "bad_barcode"))
        self.scan(one, "*DISCHARGE", user(1), rc=65, want=("mode", "wrong_slot"))
        step("What scanners add is taken off, and what was typed has to be right; a French keyboard is understood")
        french = dict(zip("1234567890", "&é\"'(-è_çà"))
        self.scan(one, "A" + user(1) + "B", "]A0" + item(1), "".join(french[c] for c in item(2)),
                  want=("opened", "record", "record"))
        self.scan(kids, "A" + user(1) + "B", "]A0" + user(1), f"{user(1)[:5]} {user(1)[5:]}", typed=True, rc=65,
                  want=("bad_barcode", "keyboard", "opened"))
        step("A change of staff with a user open, and a due date for this session")
        self.do(one, "session", "set", "--staff", "Carla", want="Carla")
        self.scan(one, user(2), "*DUE21", item(3), "*DUENONE", item(4),
                  want=("opened", "due", "record", "due", "record"))
        self.do(one, "session", "set", "--due", "rule")

    def due_dates(self):
        step("Due dates: the rule, the rule of a kind of items, a closed day, never the past")
        one = self.desks[0]
        loan = ("record", "checkout", "--user", user(3), "--item", item(5), "--due")
        self.do(one, *loan, today() - timedelta(1), rc=65, want="past")
        self.record(one, *loan[1:], today() + timedelta(21), want="Staff day")
        self.record(one, "checkout", "--user", user(3), "--item", short_loan(1))
        self.due[short_loan(1)] = today() + timedelta(7)
        self.due[item(5)] = today() + timedelta(21)  # as it was given
        self.due[item(3)] = today() + timedelta(22)  # *DUE21 goes round the closed day
        self.due[item(4)] = None

    def blocked(self):
        step("A blocked user; a lead may let it pass, and a session may leave the list aside: the record says so")
        one, two, kids = self.desks
        loan = ("record", "checkout", "--user", user(900), "--item", item(6))
        self.do(two, *loan, rc=65, want=("barred", "days old"))
        self.lead_does(one, *loan, "--override")
        self.records += 1
        self.do(kids, "session", "set", "--block-list", "off", want="not asked, until midnight")
        self.record(kids, "checkout", "--user", user(901), "--item", item(20))
        self.do(kids, "session", "set", "--block-list", "on")

    def at_once(self):
        step("What another desk did a moment ago is told at the scan")
        one, two, kids = self.desks
        self.first_loan = self.record(one, "checkout", "--user", user(4), "--item", item(7))
        self.all_have()
        loan = ("record", "checkout", "--user", user(5), "--item", item(7))
        self.do(two, *loan, rc=65, want="went to another user at MAIN-1")
        self.second_loan = self.record(two, *loan[1:], "--keep")
        self.stays = self.record(one, "checkout", "--user", user(17), "--item", item(22))
        self.all_have()
        self.stands = self.record(two, "checkout", "--user", user(18), "--item", item(22), "--keep")
        self.record(kids, "discharge", "--item", item(8))
        self.record(kids, "renew", "--user", user(6), "--item", item(9))
        self.all_have()
        self.do(one, "record", "discharge", "--item", item(8), rc=65, want="was returned at KIDS-1")
        self.do(one, "record", "renew", "--user", user(6), "--item", item(9), rc=65, want="KIDS-1")
        step("Renewed once more elsewhere, and meant: one event (R3), and the later due date goes")
        self.record(one, "renew", "--user", user(6), "--item", item(9), "--due", today() + timedelta(40), "--keep")
        self.due[item(9)] = today() + timedelta(40)
        step("Renewed after its return: a lead has to look")
        self.late_renewal = self.record(two, "renew", "--user", user(6), "--item", item(8), "--keep")
        step("A card registered at one desk is known at all")
        self.ada = self.record(one, "user", "--user", user(800), "--last", "Lovelace", "--first", "Ada",
                               "--birth", "1990-12-10")
        self.all_have()
        self.record(kids, "checkout", "--user", user(800), "--item", item(10), want="registered")
        step("One form typed at two desks, with two spellings: a lead has to say which")
        card = ("user", "--user", user(801), "--first", "George", "--last")
        self.byron = self.record(one, *card, "Byron")
        self.all_have()
        self.do(two, "record", *card, "Biron", rc=65, want="registered")
        self.biron = self.record(two, *card, "Biron", "--keep")
        step("One person with two new cards: a lead alone can tell it from twins")
        self.record(two, "user", "--user", user(802), "--last", "Lovelace", "--first", "Ada", "--birth", "1990-12-10")

    def undone(self):
        step("Undo: the last one, any own one, and a lead's word on another desk's")
        one, two, kids = self.desks
        self.scan(kids, user(7), item(11), "*UNDO", want=("opened", "record", "undo"))
        wrong = self.record(two, "checkout", "--user", user(8), "--item", item(12))
        self.records += 1
        self.do(two, "void", wrong)
        theirs = self.record(kids, "checkout", "--user", user(8), "--item", item(13))
        self.all_have()
        self.lead_does(one, "conflicts", "void", theirs)

    def twice(self):
        step("Scanned at two desks within a minute, the same loan: one event")
        one, two, _ = self.desks
        loan = ("record", "checkout", "--user", user(14), "--item", item(18))
        self.record(one, *loan[1:])
        self.all_have()
        self.do(two, *loan, rc=65, want="MAIN-1")
        self.record(two, *loan[1:], "--keep")

    def without_barcode(self):
        step("Three paperbacks without a barcode")
        two = self.desks[1]
        loan = ("record", "checkout", "--user", user(9))
        self.do(two, *loan, "--kind", "novel", rc=65, want="no kind of this library")
        self.paperbacks = self.record(two, *loan[1:], "--kind", "paperback", "--count", "3", "--label", "swap shelf")

    def on_paper(self):
        step("Written on paper, typed in now: with its real time, and marked")
        one, two, _ = self.desks
        begin = (datetime.now(timezone.utc) - timedelta(minutes=50)).isoformat(timespec="seconds")
        self.record(two, "checkout", "--user", user(9), "--item", item(14), "--at", begin)
        step("Two renewals of one loan on the sheet: the later due date will go (R11)")
        for minutes, ahead in ((45, 20), (40, 35)):
            at = (datetime.now(timezone.utc) - timedelta(minutes=minutes)).isoformat(timespec="seconds")
            self.record(two, "renew", "--user", user(9), "--item", item(14), "--at", at, "--due", today() + timedelta(ahead),
                        "--keep")
        self.renewed = {item(14): today() + timedelta(35)}
        step("Another sheet, of an item that another desk lent since: a lead has to look (R12)")
        self.sheet = self.record(two, "checkout", "--user", user(9), "--item", item(3), "--at", begin)

    def between_two_loans(self):
        step("Discharges are held, but one between two loans goes with them")
        one, two, _ = self.desks
        self.held_discharge = self.record(one, "discharge", "--item", item(15))
        begin = datetime.now(timezone.utc) - timedelta(minutes=30)
        for minute, words in enumerate((("checkout", "--user", user(10), "--item", item(16)),
                                        ("discharge", "--item", item(16)),
                                        ("checkout", "--user", user(11), "--item", item(16)))):
            at = (begin + timedelta(minutes=3 * minute)).isoformat(timespec="seconds")
            self.record(two, *words, "--at", at)
        self.all_have()
        self.do(one, "worklist", want=("goes", "its loan has to reach the ILS first"))

    def dead_network(self):
        step("A desk whose switch is dead goes on; its records come on a stick")
        one, two, kids = self.desks
        self.all_have()
        for d in one, two:  # held still: nobody answers KIDS-1 any more
            d.node.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: kids.status()["peers"]["online"] == 0, 30, "KIDS-1 to be alone")
            self.record(kids, "checkout", "--user", user(12), "--item", item(17))
            say("its PC is restarted and its clock set; is it right now? Nobody can compare it:")
            self.clock(kids, 0)
            undone = self.record(kids, "checkout", "--user", user(15), "--item", item(19))
            stick = self.home / "kids.bundle"
            self.do(kids, "bundle", "export", stick)
            say("after that it goes on, and nobody has what it records now:")
            self.do(kids, "record", "checkout", "--user", user(13), "--item", item(17), "--keep")
            self.do(kids, "void", undone)
            kids.stop()
        finally:
            for d in one, two:
                d.node.send_signal(signal.SIGCONT)
        torn, bent = self.home / "torn.bundle", self.home / "bent.bundle"
        whole = stick.read_bytes()
        torn.write_bytes(whole[:-1])
        bent.write_bytes(whole[:-80] + bytes([whole[-80] ^ 1]) + whole[-79:])
        self.do(one, "bundle", "import", torn, rc=65, want="ends too early")
        self.do(one, "bundle", "import", bent, rc=77, want="damaged or forged")
        self.do(one, "bundle", "import", stick, want="KIDS-1; 2 records that this desk did not have")
        self.do(one, "bundle", "import", stick, want="this desk had all of it")
        for d in one, two:
            wait_until(lambda d=d: d.status()["records"]["held"] == self.records, 30,
                       f"{d.name} to hold {self.records} records")
        wait_until(lambda: one.status()["peers"]["online"] == 1, 60, "KIDS-1 to be missed")
