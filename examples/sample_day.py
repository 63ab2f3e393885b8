#!/usr/bin/env python3
"""One library branch's day without its server, as the clerks would have typed it.

    examples/sample_day.py OUT [--seed 1] [--records 2000] [--now RFC3339 | --start RFC3339]

writes OUT/<desk>.jsonl, one `tideover record --batch` line per record, and OUT/truth.json: for
every line what a careful clerk would expect to happen to it at the upload. The expectation is set
down while each situation is planted; nothing here repeats the program's merge. The same seed, start
and options give the same bytes. All barcodes, names and addresses are invented.

Each item belongs to one story, so that stories never touch each other. Two events on one item never
share a second, except deliberate double scans.
"""
import argparse
import json
import pathlib
import random
from datetime import date, datetime, timedelta, timezone

DAY = 4 * 3600 + 58 * 60  # 09:00 to 13:58, in seconds
DOUBLE_SCAN = 4           # at most, and so inside the policy's 5 s (R3)
SAME_EVENT = 55           # inside its 60 s
APART = 90                # outside both
PACE = 3                  # seconds that a desk is busy with one scan
LINE_FIELDS = ("op", "user", "item", "due", "first", "last", "birth", "phone", "email", "street",
               "city", "postcode", "type", "at", "key")

FIRST = """Ada Amir Anouk Béla Carmen Chidi Dora Elif Emeka Fiona Gustav Hana Ingrid Ivo Jamal José
           Kaya Lena Lucía Malik Marta Nadia Noah Olga Priya Quentin Rosa Samir Tomás Uma Vera Wim
           Yara Zoë""".split()
LAST = """Abara Bauer Castillo Dvořák Eriksen Fontaine García Haddad Ibsen Jansen Kovács Lindqvist
          Müller Nakamura Nováková Okafor Pereira Quinn Rossi Sørensen Takeda Ueda Varga Walsh
          Yilmaz Zeller""".split()
STREETS = "Mill Lane|Canal Street|Orchard Road|Station Road|Harbor Street|Juniper Way".split("|")


def luhn(digits):
    """The 14-digit barcode of 13 digits: its last digit makes the mod-10 sum come out even."""
    total = 0
    for i, c in enumerate(reversed(digits)):
        d = int(c) * (2 if i % 2 == 0 else 1)
        total += d - 9 if d > 9 else d
    return digits + str(-total % 10)


def eastern(day):
    """Offset of America/New_York at noon of a day: EST5EDT,M3.2.0,M11.1.0."""
    second_sunday = date(day.year, 3, 14) - timedelta((date(day.year, 3, 14).weekday() + 1) % 7)
    first_sunday = date(day.year, 11, 7) - timedelta((date(day.year, 11, 7).weekday() + 1) % 7)
    return timezone(timedelta(hours=-4 if second_sunday <= day < first_sunday else -5))


def last_whole_day(now):
    """09:00 of the latest day whose 13:58 has passed."""
    day = now.astimezone(eastern(now.date())).date()
    while True:
        start = datetime(day.year, day.month, day.day, 9, tzinfo=eastern(day))
        if start + timedelta(seconds=DAY) < now:
            return start
        day -= timedelta(1)


class Day:
    """The day in the making. `events` holds one dict per line, in no order until finish()."""

    def __init__(self, seed, start, desks, records):
        self.rng = random.Random(seed)
        self.start, self.desks = start, list(desks)
        self.events, self.stories = [], 0
        self.items, self.cards = 0, 0
        self.patrons = [luhn(f"29999{n:08d}") for n in range(101, 101 + max(40, records // 6))]
        roomy = records * PACE < 0.4 * DAY * len(self.desks)
        self.busy = {d: set() for d in self.desks} if roomy else None

    # -- who, what, when ---------------------------------------------------------------------

    def item(self):
        self.items += 1
        return luhn(f"39999{self.items + 500:08d}")

    def card(self):
        self.cards += 1
        return luhn(f"29998{self.cards:08d}")

    def patron(self):
        return self.rng.choice(self.patrons)

    def two_patrons(self, n=2):
        return self.rng.sample(self.patrons, n)

    def desk(self, but=None):
        return self.rng.choice([d for d in self.desks if d != but])

    def begin(self, span):
        """A moment from which `span` seconds still fit into the day, with room for queues."""
        return self.rng.randrange(0, DAY - span - 600)

    def seat(self, desk, t):
        """The first second from t on at which the desk is free: one clerk, one scanner."""
        if self.busy is None:
            return t
        taken = self.busy[desk]
        while any(s in taken for s in range(t, t + PACE)):
            t += 1
        taken.update(range(t, t + PACE))
        return t

    def due(self, blank=0.5, weeks=(1, 2, 3, 4)):
        if self.rng.random() < blank:
            return ""
        return str(self.start.date() + timedelta(7 * self.rng.choice(weeks)))

    # -- lines -------------------------------------------------------------------------------

    def add(self, t, desk, op, verdict=None, **more):
        """One line. verdict: a word, or (with discharges held, with discharges exported)."""
        if verdict is None:
            verdict = {"discharge": ("held", "sent"), "void": "void",
                       "inhouse": "uncarried"}.get(op, "sent")
        hold, export = verdict if isinstance(verdict, tuple) else (verdict, verdict)
        e = {"key": f"{self.rng.getrandbits(128) | 1:032x}", "story": self.story, "desk": desk,
             "op": op, "t": t, "verdict": {"hold": hold, "export": export}, **more}
        if e.get("due") == "":
            del e["due"]
        self.events.append(e)
        return e

    def scan(self, t, desk, op, verdict=None, **more):
        return self.add(self.seat(desk, t), desk, op, verdict, **more)

    def again(self, e, t, desk, verdict="duplicate", **changed):
        """The same event typed once more, at exactly t."""
        same = {k: e[k] for k in LINE_FIELDS if k in e and k not in ("op", "key", "at")}
        extra = {k: e[k] for k in ("new_card", "profile") if k in e}
        twin = self.add(t, desk, e["op"], verdict, **{**same, **extra, **changed})
        if verdict == "duplicate":
            twin["of"] = e["key"]
        return twin

    def void(self, e, wait=None):
        e["verdict"] = {"hold": "voided", "export": "voided"}
        t = e["t"] + (wait or self.rng.randint(4, 120))
        return self.add(t, e["desk"], "void", ref=e["key"])

    # -- stories -----------------------------------------------------------------------------

    def visit(self):
        desk, user, t = self.desk(), self.patron(), self.begin(60)
        due = self.due()
        for _ in range(self.rng.choice((1, 1, 2, 2, 3, 4, 5, 6))):
            e = self.scan(t, desk, "checkout", user=user, item=self.item(), due=due)
            t = e["t"] + self.rng.randint(3, 8)

    def returns(self):
        desk, t = self.desk(), self.begin(60)
        for _ in range(self.rng.randint(2, 8)):
            t = self.scan(t, desk, "discharge", item=self.item())["t"] + self.rng.randint(3, 6)

    def out_and_in(self):
        item, t = self.item(), self.begin(7200)
        e = self.scan(t, self.desk(), "checkout", user=self.patron(), item=item, due=self.due())
        self.scan(e["t"] + self.rng.randint(APART, 6000), self.desk(), "discharge", item=item)

    def swap(self, users=None):
        """R4, R8: out, back, out to somebody else: that discharge is sent, whatever the policy."""
        item, t = self.item(), self.begin(7200)
        users = users or self.two_patrons(self.rng.choice((2, 2, 2, 3)))
        for i, user in enumerate(users):
            if i > 0:
                other = user != users[i - 1]
                e = self.scan(t, self.desk(), "discharge", "sent" if other else None, item=item)
                t = e["t"] + self.rng.randint(APART, 1500)
            e = self.scan(t, self.desk(), "checkout", user=user, item=item, due=self.due())
            t = e["t"] + self.rng.randint(APART, 1500)
        if self.rng.random() < 0.4:  # nobody borrows it after that: held
            self.scan(t, self.desk(), "discharge", item=item)

    def back_again(self):
        """R4: the same reader brings it back and takes it once more: two loans, discharge held."""
        user = self.patron()
        self.swap([user, user])

    def from_the_shelf(self):
        """Lent before the outage, returned and lent again: not between two loans of this log."""
        item, t = self.item(), self.begin(7200)
        e = self.scan(t, self.desk(), "discharge", item=item)
        t = e["t"] + self.rng.randint(APART, 6000)
        self.scan(t, self.desk(), "checkout", user=self.patron(), item=item, due=self.due())

    def renewals(self):
        desk, user, t = self.desk(), self.patron(), self.begin(60)
        for _ in range(self.rng.randint(1, 5)):
            e = self.scan(t, desk, "renew", user=user, item=self.item(), due=self.due(0.3))
            t = e["t"] + self.rng.randint(3, 6)

    def lent_and_renewed(self):
        item, user, t = self.item(), self.patron(), self.begin(7200)
        e = self.scan(t, self.desk(), "checkout", user=user, item=item, due=self.due(0, (1,)))
        t = e["t"] + self.rng.randint(APART, 6000)
        self.scan(t, self.desk(), "renew", user=user, item=item, due=self.due(0, (2, 3)))

    def renewed_again(self):
        """R11: several renewals of one loan; the latest due date is sent, wherever it stands."""
        item, user, t = self.item(), self.patron(), self.begin(9000)
        weeks = self.rng.sample((1, 2, 3, 4), self.rng.choice((2, 2, 3)))
        all_of_it = []
        for w in weeks:
            verdict = "sent" if w == max(weeks) else "superseded"
            e = self.scan(t, self.desk(), "renew", verdict, user=user, item=item,
                          due=self.due(0, (w,)))
            all_of_it.append(e)
            t = e["t"] + self.rng.randint(APART, 2500)
        sent = all_of_it[weeks.index(max(weeks))]
        for e in all_of_it:
            if e is not sent:
                e["of"] = sent["key"]

    def inhouse(self):
        desk, t = self.desk(), self.begin(60)
        for _ in range(self.rng.randint(1, 3)):
            t = self.scan(t, desk, "inhouse", item=self.item())["t"] + 4

    def form(self):
        """What a new reader fills in."""
        rng = self.rng
        first, last, kind = rng.choice(FIRST), rng.choice(LAST), rng.choice(("ADULT", "CHILD", ""))
        born = date(rng.randint(2012, 2018) if kind == "CHILD" else rng.randint(1940, 2005),
                    rng.randint(1, 12), rng.randint(1, 28))
        f = {"user": self.card(), "first": first, "last": last, "birth": str(born),
             "profile": kind or "ADULT", "new_card": True}
        if kind:
            f["type"] = kind
        if rng.random() < 0.8:
            f.update(street=f"{rng.randint(1, 99)} {rng.choice(STREETS)}", city="Rivermouth, OH",
                     postcode="44654")
        if rng.random() < 0.7:
            f["phone"] = f"330-555-01{rng.randint(0, 99):02d}"
        if rng.random() < 0.5:
            f["email"] = f"reader{self.cards}@example.org"
        return f

    def first_loans(self, form, desk, t, n):
        for _ in range(n):
            e = self.scan(t, desk, "checkout", user=form["user"], item=self.item(),
                          due=self.due(), new_card=True)
            t = e["t"] + self.rng.randint(3, 8)

    def registration(self):
        """R7: a new card, and its first loans, often carried to another desk."""
        desk, form = self.desk(), self.form()
        e = self.scan(self.begin(1500), desk, "user", **form)
        elsewhere = len(self.desks) > 1 and self.rng.random() < 0.5
        t = e["t"] + (self.rng.randint(40, 900) if elsewhere else self.rng.randint(5, 40))
        self.first_loans(form, self.desk(desk) if elsewhere else desk, t, self.rng.randint(1, 4))

    def used_before(self):
        """R7: the form lay at another desk and was typed after the first loan."""
        desk, form, t = self.desk(), self.form(), self.begin(600)
        self.first_loans(form, desk, t, 1)
        first = self.events[-1]
        self.scan(first["t"] + self.rng.randint(5, 120), self.desk(desk), "user", early=True,
                  place=first["t"], **form)
        self.first_loans(form, desk, first["t"] + 200, self.rng.randint(0, 2))

    def card_twice(self):
        """R6: one form, typed at two desks with the same content: one registration."""
        desk, form = self.desk(), self.form()
        e = self.scan(self.begin(1500), desk, "user", **form)
        self.again(e, e["t"] + self.rng.randint(20, 400), self.desk(desk))
        self.first_loans(form, desk, e["t"] + 500, 2)

    def card_retyped(self):
        """R2: a registration taken back and typed again with the name put right."""
        desk, form = self.desk(), self.form()
        e = self.scan(self.begin(900), desk, "user", **{**form, "last": form["last"] + "x"})
        v = self.void(e, 20)
        self.scan(v["t"] + 15, desk, "user", **form)
        self.first_loans(form, desk, v["t"] + 60, 1)

    def any_scan(self, desk, t, due=None):
        op = self.rng.choice(("checkout", "checkout", "discharge", "renew"))
        if op == "discharge":
            return self.scan(t, desk, op, item=self.item())
        return self.scan(t, desk, op, user=self.patron(), item=self.item(),
                         due=self.due() if due is None else due)

    def double_scan(self):
        """R3 at one desk: the scanner fired twice."""
        desk = self.desk()
        e = self.any_scan(desk, self.begin(60))
        self.again(e, e["t"] + self.rng.randint(0, DOUBLE_SCAN), desk)

    def two_desks(self):
        """R3 between desks: a pile was typed at both, or a slip was entered twice."""
        desk, t = self.desk(), self.begin(120)
        for _ in range(self.rng.randint(1, 3)):
            e = self.any_scan(desk, t)
            n = 2 if len(self.desks) > 2 and self.rng.random() < 0.2 else 1
            others = self.rng.sample([d for d in self.desks if d != desk], n)
            for d, wait in zip(others, self.rng.sample(range(1, SAME_EVENT), n)):
                self.again(e, e["t"] + wait, d)
            t = e["t"] + 5

    def two_dues(self):
        """R3: one event, two due dates: the later promise stands."""
        desk, far = self.desk(), len(self.desks) > 1 and self.rng.random() < 0.6
        dues = [self.due(0, (w,)) for w in self.rng.sample((1, 2, 3, 4), 2)]
        op = self.rng.choice(("checkout", "renew"))
        e = self.scan(self.begin(60), desk, op, user=self.patron(), item=self.item(), due=dues[0])
        wait = self.rng.randint(1, SAME_EVENT if far else DOUBLE_SCAN)
        self.again(e, e["t"] + wait, self.desk(desk) if far else desk, due=dues[1])
        e["sent_due"] = max(dues)

    def wrong_scan(self):
        """R2: taken back; then typed again with the right item, the right reader, or not at all."""
        desk = self.desk()
        e = self.scan(self.begin(600), desk, "checkout", user=self.patron(), item=self.item(),
                      due=self.due())
        v = self.void(e)
        how = self.rng.choice(("item", "user", "gone"))
        if how == "item":
            self.scan(v["t"] + 4, desk, "checkout", user=e["user"], item=self.item(),
                      due=self.due())
        elif how == "user":
            user = self.rng.choice([p for p in self.patrons if p != e["user"]])
            self.scan(v["t"] + 4, desk, "checkout", user=user, item=e["item"], due=self.due())

    def void_other(self):
        """R2: a discharge or a renewal taken back."""
        self.void(self.any_scan(self.desk(), self.begin(300)))

    def void_twin(self):
        """R2 before R3: of a double scan one is taken back, so the other stands."""
        desk = self.desk()
        e = self.scan(self.begin(300), desk, "checkout", user=self.patron(), item=self.item(),
                      due=self.due())
        twin = self.again(e, e["t"] + self.rng.randint(1, DOUBLE_SCAN), desk, verdict="sent")
        self.void(self.rng.choice((e, twin)), 30)

    # -- conflicts, only when asked for: a person decides, so nothing is expected of them --------

    def out_twice(self):
        """R5: out to two readers, nobody saw it come back."""
        item, t = self.item(), self.begin(3000)
        for user in self.two_patrons():
            e = self.scan(t, self.desk(), "checkout", "undecided", user=user, item=item)
            t = e["t"] + 900

    def two_forms(self):
        """R6: one card, two people."""
        one, two, t = self.form(), self.form(), self.begin(3000)
        self.cards -= 1
        self.scan(t, self.desk(), "user", "undecided", **one)
        self.scan(t + 900, self.desk(), "user", "undecided", **{**two, "user": one["user"]})

    def renewed_after(self):
        """R11: renewed after it came back."""
        item, t = self.item(), self.begin(3000)
        e = self.scan(t, self.desk(), "discharge", "undecided", item=item)
        self.scan(e["t"] + 600, self.desk(), "renew", "undecided", user=self.patron(), item=item)

    # -- the whole ---------------------------------------------------------------------------

    def tell(self, story):
        self.stories += 1
        self.story = f"{story.__name__}#{self.stories}"
        story()

    def fill(self, records, conflicts):
        weights = {
            self.visit: 38, self.returns: 22, self.out_and_in: 4, self.swap: 5, self.back_again: 1,
            self.from_the_shelf: 4, self.renewals: 8, self.lent_and_renewed: 1,
            self.renewed_again: 2, self.inhouse: 1, self.registration: 4, self.card_retyped: .4,
            self.double_scan: 6, self.two_dues: 2, self.wrong_scan: 4, self.void_other: 1.5,
            self.void_twin: .7,
        }
        if len(self.desks) > 1:
            weights.update({self.two_desks: 5, self.used_before: .6, self.card_twice: .4})
        for story in weights:  # every situation at least once, however short the day
            self.tell(story)
        while len(self.events) < records:
            self.tell(self.rng.choices(list(weights), list(weights.values()))[0])
        if conflicts:
            for story in 2 * [self.out_twice, self.two_forms, self.renewed_after]:
                self.tell(story)

    def finish(self, seed, stations):
        """Sorts, dates and counts; returns the truth."""
        self.events.sort(key=lambda e: (e["t"], self.desks.index(e["desk"]), len(e.get("ref", ""))))
        for e in self.events:
            t, place = e.pop("t"), e.pop("place", None)
            assert 0 <= t <= DAY, "a story ran past the end of the day"
            if e["op"] != "void":
                e["at"] = (self.start + timedelta(seconds=t)).isoformat()
                e["place"] = (self.start + timedelta(seconds=t if place is None else place)
                              ).isoformat()
        counts = {way: {} for way in ("hold", "export")}
        for e in self.events:
            for way, words in counts.items():
                words[e["verdict"][way]] = words.get(e["verdict"][way], 0) + 1
        return {
            "schema": 1, "seed": seed, "branch": "MAIN", "library": "MAIN",
            "start": self.start.isoformat(), "records": len(self.events), "counts": counts,
            "desks": {d: {"station": s, "file": f"{d}.jsonl",
                          "records": sum(e["desk"] == d for e in self.events)}
                      for d, s in zip(self.desks, stations)},
            "order": self.order(), "events": self.events,
        }

    def order(self):
        """Keys that must keep their order in the upload, as far as they are in it: per item and per
        card, and (registration, first use) for every new card. Merged order is that of `place`; a
        registration goes before what shares its second."""
        items, cards, registrations = {}, {}, []
        for e in sorted((e for e in self.events if e["op"] != "void"),
                        key=lambda e: (e["place"], e["op"] != "user")):
            if "item" in e:
                items.setdefault(e["item"], []).append(e["key"])
            if "user" in e:
                cards.setdefault(e["user"], []).append(e)
        for user, all_of_it in cards.items():
            live = [e for e in all_of_it if e["verdict"]["hold"] == "sent"]
            if len(live) > 1 and live[0]["op"] == "user":
                registrations.append([live[0]["key"], live[1]["key"]])
        return {"items": {i: k for i, k in items.items() if len(k) > 1},
                "cards": {u: [e["key"] for e in v] for u, v in cards.items() if len(v) > 1},
                "registrations": registrations}

    def lines(self, desk):
        """The desk's batch in the order in which it was typed."""
        for e in self.events:
            if e["desk"] == desk:
                fields = ("op", "ref", "key") if e["op"] == "void" else LINE_FIELDS
                yield {k: e[k] for k in fields if k in e}


def make_day(seed=1, start=None, records=2000, desks=("MAIN-1", "MAIN-2", "KIDS-1"),
             stations=None, conflicts=False):
    """Returns ({desk: [batch lines as dicts]}, truth)."""
    start = start or last_whole_day(datetime.now(timezone.utc))
    day = Day(seed, start.replace(microsecond=0), desks, records)
    day.fill(records, conflicts)
    truth = day.finish(seed, stations or range(42, 42 + len(desks)))
    return {d: list(day.lines(d)) for d in desks}, truth


def write_day(out, lines, truth):
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for desk, batch in lines.items():
        text = "".join(json.dumps(x, ensure_ascii=False) + "\n" for x in batch)
        (out / f"{desk}.jsonl").write_text(text, encoding="utf-8")
    (out / "truth.json").write_text(json.dumps(truth, ensure_ascii=False, indent=1) + "\n",
                                    encoding="utf-8")


def main():
    p = argparse.ArgumentParser(description="A sample day of one branch.")
    p.add_argument("out", help="directory for <desk>.jsonl and truth.json")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--records", type=int, default=2000, help="at least so many (default 2000)")
    p.add_argument("--desks", default="MAIN-1,MAIN-2,KIDS-1")
    p.add_argument("--stations", help="their station numbers (default 42,43,...)")
    when = p.add_mutually_exclusive_group()
    when.add_argument("--now", help="take the last whole day before this (default: the clock)")
    when.add_argument("--start", help="when the day begins, like 2026-11-23T09:00:00-05:00")
    p.add_argument("--with-conflicts", action="store_true", help="add what a lead must decide")
    a = p.parse_args()
    now = datetime.fromisoformat(a.now) if a.now else datetime.now(timezone.utc)
    if now.tzinfo is None or (a.start and datetime.fromisoformat(a.start).tzinfo is None):
        p.error("a time needs its offset, like 2026-11-23T09:00:00-05:00")
    start = datetime.fromisoformat(a.start) if a.start else last_whole_day(now)
    stations = [int(s) for s in a.stations.split(",")] if a.stations else None
    lines, truth = make_day(a.seed, start, a.records, a.desks.split(","), stations,
                            a.with_conflicts)
    write_day(a.out, lines, truth)
    print(f"{truth['records']} records of {len(lines)} desks from {truth['start']} in {a.out}")


if __name__ == "__main__":
    main()
