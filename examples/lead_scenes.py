"""The day of examples/run --desk-day for the lead: review, upload, what comes after, the report."""
import json
import re

import systems
from desk_scenes import item, short_loan, today, user
from drive import wait_until
from outage import say, step
from systems import Wrong

ITEMS = 22  # lent or returned before the first upload
ARRIVED = [1, 2, 3, 4, 5, 6, 7, 9, 10, 14, 16, 17, 18, 19, 20, 22]  # with it


class LeadScenes:
    def reviewed(self, desk):
        """What a desk shows of matters, decisions and counts; times are as it measured KIDS-1's clock itself."""
        rows = [json.loads(x) for x in desk.cli("conflicts", "list", "--json").out.splitlines()]
        plan = desk.cli("upload", "plan", json=True)
        return (sorted((r["id"], r["kind"], r["state"], str(r.get("decided")), str(r.get("overruled"))) for r in rows),
                {k: plan[k] for k in ("total", "send", "held", "review", "duplicates", "voided", "superseded", "decisions")})

    def review(self):
        step("The lead reviews what desks disagree about, and what is missing")
        one, two, _ = self.desks
        self.do(one, "conflicts", "list", want=(
            "R5", self.first_loan, self.second_loan, "R6", self.byron, "one person", "R11", self.late_renewal,
            "R8", "typed from paper", self.sheet))
        step("Keep both; void one of two; let the later stand; one of two spellings, and a change of mind")
        self.lead_does(one, "conflicts", "send", self.first_loan, want="1 record will be sent")
        self.lead_does(one, "conflicts", "void", self.late_renewal, self.sheet)
        self.lead_does(one, "conflicts", "send", self.stands)
        self.lead_does(one, "conflicts", "void", self.byron)
        self.lead_does(two, "conflicts", "send", self.byron)
        self.lead_does(two, "conflicts", "void", self.biron)
        wait_until(lambda: self.reviewed(one) == self.reviewed(two), 30, "both lead desks to show the same")
        say("MAIN-1 and MAIN-2 show the same matters, decisions and counts")
        self.do(two, "conflicts", "list", want=("voided by the lead", "and overruled since"))
        step("What will happen, and what is missing, desk by desk")
        self.do(one, "upload", "plan", want=(
            "KIDS-1 was last seen", "it may have more", "KIDS-1 clock was 95 s fast: times corrected",
            "KIDS-1 clock is in doubt", "3 new users", "2 duplicates", "replaced   1 by a later due date", "of the records, with the time as it was typed",
            "MAIN-2 is here with all its"))

    def hand_over(self):
        step("The library's server is back: one desk uploads for all")
        one, two, _ = self.desks
        self.ils.open()
        for d in one, two:
            wait_until(lambda d=d: d.status()["server"]["state"] == "back", 60, f"{d.name} to see it")
        self.do(one, "check", want="the library's server is back since")
        self.lead_does(one, "upload", "run", "--yes")
        self.log = "".join(p.read_text(encoding="latin-1") for p in self.ils.files())
        self.look_at_log()

    def look_at_log(self):
        there = [n for n in range(1, ITEMS + 1) if item(n) in self.log]
        if there != ARRIVED:
            raise Wrong(f"items {there} arrived")
        for who, n in ((user(4), 7), (user(5), 7), (user(10), 16), (user(11), 16)):
            if not re.search(rf"{item(n)}\^UO{who}", self.log):
                raise Wrong(f"the loan of item {n} is missing in {self.log}")
        if user(17) in self.log or not re.search(rf"{item(22)}\^UO{user(18)}", self.log):
            raise Wrong("of two loans not the later one alone went")
        if f"NQ{item(16)}^CO" not in self.log:
            raise Wrong("the discharge between two loans is missing")
        for it, day in self.due.items():
            (line,) = [x for x in self.log.splitlines() if it in x]
            want = f"^CF{day:%m/%d/%Y}" if day else ""
            if (want not in line) if day else ("^CF" in line):
                raise Wrong(f"the slip said {day}, and the upload says {line}")
        for it, day in self.renewed.items():
            renewals = [x for x in self.log.splitlines() if it in x and re.search(r"\^S\d\dRV", x)]
            if len(renewals) != 1 or f"^CF{day:%m/%d/%Y}" not in renewals[0]:
                raise Wrong(f"of two renewals {renewals} arrived")
        if not re.search(rf"0077R .*CVFFANNEXDESK\^FEANNEX\^.*{item(14)}", self.log):
            raise Wrong("the loan at MAIN-2 does not say for which library")
        if "^uLByron" not in self.log or "Biron" in self.log:
            raise Wrong("the wrong spelling went")
        say(f"what arrived: {len(ARRIVED)} items, each due as its slip says; three were undone, discharges are held")

    def comes_back(self):
        step("The desk that was away comes back; what came late is marked, judged and goes next")
        one, two, kids = self.desks
        kids.start()
        self.records += 2
        self.each(lambda s: s["peers"]["online"] == 2, 30, "see the other desks")
        self.all_have()
        self.do(one, "conflicts", "list", want="out to two users")
        wait_until(lambda: one.cli("upload", "plan", json=True)["complete"], 30, "KIDS-1 to say that this is all")
        self.do(one, "upload", "plan", want=("missing    nothing: every desk of the branch was heard just now",
                                             "void of a record sent before: to be undone in the ILS", "late       1 of these"))
        say("what is uploaded can be undone there alone; nor does a lead's word come in time")
        self.do(two, "void", self.second_loan, rc=65, want="undo it in the library's system")
        self.lead_does(one, "conflicts", "void", self.second_loan, rc=65, want="it is in an upload already")
        self.lead_does(one, "upload", "run", "--yes")
        wait_until(lambda: one.cli("worklist", json=True)["known"], 30, "what it set aside to be counted")

    def load_report(self):
        step("The library's system loads the files at night; its report closes what nobody confirmed")
        one = self.desks[0]
        self.do(one, "upload", "unconfirmed", want=("not confirmed yet", "its load is expected"))
        self.do(one, "report", want="look for the report of its load")
        last = one.upload_status()["last"]["slot"]
        first, one_id = last - 1, self.first_loan
        results = self.home / "results.csv"
        results.write_text(f"{one_id},refused,user is barred\n")
        self.lead_does(one, "upload", "loaded", "--slot", first, "--all", results)
        self.lead_does(one, "upload", "loaded", "--slot", last, "--all", want="nothing waits")
        self.do(one, "upload", "unconfirmed", want="Nothing waits for the report of a load.")
        step("One was refused: it is an exception, with its next step, until somebody settles it")
        self.do(one, "upload", "exceptions", "--slot", first, want=(one_id, "user is barred"))
        self.lead_does(one, "upload", "done", one_id)

    def worklist(self):
        step("The HOLD-CHECK list, ticked off; and what else was set aside")
        one = self.desks[0]
        self.do(one, "worklist", want=item(15))
        due = [r["id"] for r in one.cli("worklist", json=True)["records"]]
        self.lead_does(one, "worklist", "done", self.held_discharge)
        self.lead_does(one, "worklist", "done", *(i for i in due if i != self.held_discharge))
        self.do(one, "upload", "aside", want=self.paperbacks)
        rest = [r["id"] for r in one.cli("upload", "aside", json=True)["records"]]
        self.lead_does(one, "upload", "done", *rest)

    def another_system(self):
        step("The next month the library has another system, which answers each record, and takes discharges")
        one, two, _ = self.desks
        self.sip2 = systems.Server(self.home, "sip2.py", "--no-block", "ignore", "--loan-days", "7")
        self.sip2.open()
        text = self.policy().replace("discharges  = hold", "discharges  = export")
        text = text.replace(f"sink   = {self.ils.sink()}", f"sink   = sip2://127.0.0.1:{self.sip2.port}\ncredential = ils")
        text = text.replace("format = symphony", "format = sip2", 1).replace("load_at = 20:00\n", "")
        text += f"\n[sip2]\nuser = tideover\ncanary = {item(999)}\n"
        path = self.home / "next.ini"
        path.write_text(text, encoding="utf-8")
        for d in self.desks:
            for name, secret in (("ils.user", "tideover"), ("ils.password", "secret")):
                d.cli("credential", "set", name, text=secret + "\n")
        self.lead_does(one, "policy", "publish", path)
        for d in self.desks:
            wait_until(lambda d=d: "discharges = export" in re.sub(" +", " ", d.cli("policy", "show").out), 30,
                       f"{d.name} to have the policy")
        self.record(one, "checkout", "--user", user(16), "--item", item(30))
        self.record(two, "discharge", "--item", item(30), "--keep")
        self.all_have()
        self.do(one, "upload", "plan", want=("1 checkout, 1 discharge", "sip2://"))
        self.lead_does(one, "upload", "run", "--yes")
        booked = [(x["op"], x["item"]) for x in self.sip2.ledger() if x["op"] != "login"]
        if booked != [("checkout", item(30)), ("checkin", item(30))]:
            raise Wrong(f"the system booked {booked}")
        say("it lends for a week, whatever the slip said: accepted, and otherwise than it was sent")
        self.do(one, "upload", "exceptions", "--slot", one.upload_status()["last"]["slot"], want="deviating")

    def director(self):
        step("The report for the director")
        one = self.desks[0]
        page = self.home / "outage.html"
        slots = [u["slot"] for u in one.cli("upload", "unconfirmed", json=True)["uploads"]]
        self.do(one, "report", "--slot", min(slots), want=(
            "Outage report of MAIN", "Nothing is unsent", "offline", "SHA-256", "R3", "R5", self.sheet,
            "What a lead decided before it was sent", "not_loaded", "settled"))
        self.do(one, "report", "--html", page)
        facts = one.cli("report", json=True)
        html = page.read_text(encoding="utf-8")
        for name in "Lovelace", "Byron", "Carla", user(4), item(7):
            if name in html or name in json.dumps(facts):
                raise Wrong(f"the report names {name}")
        if facts["upload"]["parts"][0]["sha256"] not in html or len(facts["uploads"]) != 3:
            raise Wrong(f"the page and the facts differ: {facts}")
        say("text, page and JSON say the same; no name and no whole number is in them")
