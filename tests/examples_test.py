#!/usr/bin/env python3
"""The sample day and its checker: a perfect log passes, every kind of damaged one is refused.

The perfect log is written here, straight from truth.json, so that the checker is tried without the
program. Run: python3 tests/examples_test.py
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
from datetime import datetime, timedelta

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples"))
import check_upload  # noqa: E402
import drive  # noqa: E402
import sample_day  # noqa: E402

START = datetime.fromisoformat("2026-11-23T09:00:00-05:00")
STATION = "FFOFFLINE^FEMAIN^FcNONE^FWMAINCIRC"


def us(day):
    return f"{day.month}/{day.day}/{day.year}"


def request(e, stamp, due):
    cf = f"^CF{due[5:7]}/{due[8:]}/{due[:4]},23:59" if due else ""
    if e["op"] == "checkout":
        return f"CV{STATION}^NQ{e['item']}^UO{e['user']}{cf}^dC3"
    if e["op"] == "renew":
        return f"RV{STATION}^NQ{e['item']}^UO{e['user']}{cf}^dC3"
    if e["op"] == "discharge":
        return f"EV{STATION}^NQ{e['item']}^CO{us(stamp)},{stamp.hour}:{stamp.minute:02}^dC3"
    return (f"JY{STATION}^UO{e['user']}^uF{check_upload.latin1(e['first'])}"
            f"^uL{check_upload.latin1(e['last'])}^uV0^UMMAIN^PE{e['profile']}"
            f"^UZ{us(datetime.fromisoformat(e['birth']))}^UD{us(stamp)}"
            f"^UQ{us(stamp.replace(year=stamp.year + 2))}^IbENGLISH^UVPUBLIC^UXPUBLIC^P7CIRCRULE")


def frame(stamp, station, seq, body):
    body = f"^S{seq:02}{body}^^O"
    return f"E{stamp:%Y%m%d%H%M%S}{station:04}R {body}{len(body):05}"


def perfect_log(truth, way="hold", flat=False):
    """Lines of the upload as they should be, without line ends."""
    sent = [e for e in truth["events"] if e["verdict"][way] == "sent" and
            not (flat and e.get("new_card"))]
    sent.sort(key=lambda e: (e["place"], e["op"] != "user"))
    lines, seqs, last, in_tick = [], {}, datetime.min, set()
    for e in sent:
        stamp = max(datetime.fromisoformat(e["place"]).replace(tzinfo=None), last)
        if stamp != last:
            in_tick = set()
        if {e.get("item"), e["user"] if e["op"] in ("checkout", "renew") else None} & in_tick:
            stamp, in_tick = stamp + timedelta(seconds=1), set()
        in_tick.add(e.get("item") or e["user"])
        last = stamp
        station = truth["desks"][e["desk"]]["station"]
        seqs[station] = seqs.get(station, 0) % 99 + 1
        due = e.get("sent_due", e.get("due", ""))
        lines.append(frame(stamp, station, seqs[station], request(e, stamp, due)))
    return lines


def joined(lines):
    return "".join(x + "\n" for x in lines).encode("latin-1")


def renumbered(lines):
    """After lines were added or taken: counters right again, so that only the damage shows."""
    seqs, out = {}, []
    for x in lines:
        station = x[15:19]
        seqs[station] = seqs.get(station, 0) % 99 + 1
        out.append(re.sub(r"\^S\d\d", f"^S{seqs[station]:02}", x, count=1))
    return out


def changed(line, old, new):
    """A line with one piece of its request changed and its trailer counted again."""
    assert old in line, line
    head, body = line[:21], line[21:-5].replace(old, new, 1)
    return f"{head}{body}{len(body):05}"


class SampleDay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lines, cls.truth = sample_day.make_day(1, START)

    def test_a_seed_and_a_start_give_the_same_bytes(self):
        self.assertEqual((self.lines, self.truth), sample_day.make_day(1, START))
        self.assertNotEqual(self.lines, sample_day.make_day(2, START)[0])

    def test_the_default_day_is_large_and_has_every_situation(self):
        self.assertGreaterEqual(self.truth["records"], 2000)
        self.assertEqual(set(self.truth["counts"]["hold"]),
                         {"sent", "duplicate", "voided", "void", "held", "superseded", "uncarried"})
        stories = {e["story"].split("#")[0] for e in self.truth["events"]}
        self.assertEqual(len(stories), 20)

    def test_barcodes_carry_a_right_check_digit(self):
        self.assertEqual(sample_day.luhn("2999900000101"), "29999000001016")
        self.assertEqual(sample_day.luhn("3999900000501"), "39999000005015")
        for e in self.truth["events"]:
            for field, first in (("user", "2"), ("item", "3")):
                if field in e:
                    self.assertEqual(sample_day.luhn(e[field][:13]), e[field])
                    self.assertEqual(e[field][0], first)

    def test_keys_are_unique_and_voids_name_an_earlier_line_of_their_desk(self):
        keys = [x["key"] for batch in self.lines.values() for x in batch]
        self.assertEqual(len(keys), len(set(keys)))
        for batch in self.lines.values():
            before = set()
            for x in batch:
                self.assertRegex(x["key"], "^[0-9a-f]{32}$")
                if x["op"] == "void":
                    self.assertIn(x["ref"], before)
                before.add(x["key"])

    def test_time_never_runs_back_at_a_desk(self):
        for batch in self.lines.values():
            at = [x["at"] for x in batch if "at" in x]
            self.assertEqual(at, sorted(at))

    def test_two_events_on_one_item_share_a_second_only_as_a_double_scan(self):
        seen = {}
        for e in self.truth["events"]:
            if "item" in e:
                twin = seen.setdefault((e["item"], e["at"]), e)
                if twin is not e:
                    self.assertEqual((twin["op"], twin["desk"]), (e["op"], e["desk"]))

    def test_the_default_day_has_no_conflict(self):
        """R5, R6, R11: told from the lines, with no look at the verdicts but for the voided."""
        out, loans = {}, [e for e in self.truth["events"] if "item" in e and
                          e["verdict"]["hold"] not in ("voided", "void")]
        back, cards = set(), {}
        for e in loans:
            if e["op"] == "checkout":
                self.assertIn(out.get(e["item"], e["user"]), (e["user"],), e)
                out[e["item"]] = e["user"]
                back.discard(e["item"])
            elif e["op"] == "discharge":
                out.pop(e["item"], None)
                back.add(e["item"])
            elif e["op"] == "renew":
                self.assertNotIn(e["item"], back)
        for e in self.truth["events"]:
            if e["op"] == "user" and e["verdict"]["hold"] != "voided":
                form = {k: v for k, v in e.items() if k in sample_day.LINE_FIELDS
                        and k not in ("key", "at")}
                self.assertEqual(cards.setdefault(e["user"], form), form)

    def test_the_day_is_over_before_now(self):
        now = datetime.fromisoformat("2026-11-24T03:00:00+00:00")
        self.assertEqual(sample_day.last_whole_day(now), START)
        summer = datetime.fromisoformat("2026-07-02T17:58:01+00:00")
        self.assertEqual(sample_day.last_whole_day(summer).isoformat(), "2026-07-02T09:00:00-04:00")

    def test_any_number_of_desks(self):
        for n in (1, 2, 5):
            desks = [f"D-{i}" for i in range(n)]
            lines, truth = sample_day.make_day(7, START, 300, desks)
            self.assertEqual(sorted(lines), desks)
            log = joined(perfect_log(truth))
            self.assertEqual(check_upload.check(truth, log)["problems"], [])

    def test_conflicts_only_when_asked_for(self):
        _, truth = sample_day.make_day(3, START, 300, conflicts=True)
        self.assertEqual(truth["counts"]["hold"]["undecided"], 12)
        self.assertTrue(check_upload.check(truth, joined(perfect_log(truth)))["ok"])


class Checker(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        _, cls.truth = sample_day.make_day(5, START)
        cls.log = perfect_log(cls.truth)

    def verdict(self, lines, **how):
        return check_upload.check(self.truth, joined(lines), **how)

    def refused(self, lines, *codes):
        r = self.verdict(lines)
        self.assertFalse(r["ok"])
        self.assertEqual({p["code"] for p in r["problems"]}, set(codes), r["problems"][:5])

    def find(self, cmd, with_due=None):
        return next(i for i, x in enumerate(self.log) if x[25:27] == cmd and i > 50 and
                    (with_due is None or ("^CF" in x) == with_due))

    def event(self, verdict, op=None):
        return next(e for e in self.truth["events"] if e["verdict"]["hold"] == verdict and
                    op in (None, e["op"]))

    def inserted(self, e):
        """The log with one more line, where it would stand by its time."""
        stamp = datetime.fromisoformat(e["at"]).replace(tzinfo=None)
        line = frame(stamp, self.truth["desks"][e["desk"]]["station"], 1,
                     request(e, stamp, e.get("due", "")))
        return renumbered(sorted([*self.log, line], key=lambda x: x[1:15]))

    def test_the_perfect_log_passes_under_both_policies(self):
        for way in ("hold", "export"):
            r = self.verdict(perfect_log(self.truth, way), way=way)
            self.assertEqual(r["problems"], [])
            self.assertEqual(r["lines"], self.truth["counts"][way]["sent"])

    def test_the_other_policy_is_told_apart(self):
        r = self.verdict(perfect_log(self.truth, "export"))
        self.assertEqual({p["code"] for p in r["problems"]}, {"not_wanted"})
        self.assertFalse(self.verdict(self.log, way="export")["ok"])

    def test_golden_lines_parse(self):
        for raw in (ROOT / "tests/golden/symphony_a_to_h.log").read_bytes().splitlines():
            check_upload.parse_line(raw)

    def test_an_empty_log_is_refused(self):
        self.assertFalse(check_upload.check(self.truth, b"")["ok"])

    def test_a_missing_line(self):
        i = self.find("CV")
        self.refused(renumbered(self.log[:i] + self.log[i + 1:]), "missing")

    def test_a_doubled_line(self):
        i = next(i for i, x in enumerate(self.log) if x[25:27] == "RV" and
                 re.search(r"NQ(\d+)", x)[1] not in self.truth["order"]["items"])
        r = self.verdict(renumbered(self.log[:i] + [self.log[i]] + self.log[i:]))
        self.assertIn("doubled", {p["code"] for p in r["problems"]})

    def test_the_whole_log_twice(self):
        self.assertFalse(self.verdict(renumbered(self.log + self.log))["ok"])

    def test_what_should_stay_at_home(self):
        for verdict in ("voided", "held", "superseded"):
            r = self.verdict(self.inserted(self.event(verdict)))
            self.assertIn("not_wanted", {p["code"] for p in r["problems"]}, verdict)
        r = self.verdict(self.inserted(self.event("duplicate", "checkout")))
        self.assertTrue({"doubled", "not_wanted"} & {p["code"] for p in r["problems"]})

    def test_a_wrong_due_date(self):
        i = self.find("CV", with_due=True)
        wrong = re.sub(r"CF\d\d/\d\d", "CF12/30", self.log[i])
        self.refused(self.log[:i] + [wrong] + self.log[i + 1:], "due")

    def test_the_earlier_of_two_due_dates(self):
        e = next(e for e in self.truth["events"] if e.get("sent_due", "") > e.get("due", "")
                 and e["verdict"]["hold"] == "sent")
        i = next(i for i, x in enumerate(self.log) if e["item"] in x)
        due = e["due"]
        wrong = re.sub(r"CF\d\d/\d\d/\d{4}", f"CF{due[5:7]}/{due[8:]}/{due[:4]}", self.log[i])
        self.refused(self.log[:i] + [wrong] + self.log[i + 1:], "due")

    def test_a_due_date_left_out(self):
        i = self.find("RV", with_due=True)
        cf = re.search(r"\^CF[^^]*", self.log[i])[0]
        self.refused(self.log[:i] + [changed(self.log[i], cf, "")] + self.log[i + 1:], "due")

    def test_another_reader(self):
        i = self.find("CV")
        user = re.search(r"UO(\d+)", self.log[i])[1]
        line = changed(self.log[i], user, "29999099999999")
        self.refused(self.log[:i] + [line] + self.log[i + 1:], "missing", "unknown")

    def test_another_station(self):
        i = self.find("CV")
        other = {"0042": "0043", "0043": "0044", "0044": "0042"}[self.log[i][15:19]]
        line = self.log[i][:15] + other + self.log[i][19:]
        self.refused(renumbered(self.log[:i] + [line] + self.log[i + 1:]), "station")

    def test_a_wrong_trailer(self):
        i = self.find("EV")
        line = self.log[i][:-5] + f"{int(self.log[i][-5:]) + 1:05}"
        self.refused(self.log[:i] + [line] + self.log[i + 1:], "format", "missing", "sequence")

    def test_broken_lines(self):
        i = self.find("CV")
        good = self.log[i]
        for bad in (good[1:], "D" + good[1:], good[:-1], good.replace("R ^S", "R  ^S"),
                    good.replace("^^O", "^O"), good + "\r", changed(good, "CV", "XX"),
                    changed(good, "^FEMAIN", ""), changed(good, "^dC3", "^dC3^dC3"),
                    changed(good, "NQ3", "NQ"), good[:15] + "0000" + good[19:],
                    good[:5] + "13" + good[7:], ""):
            r = self.verdict(self.log[:i] + [bad] + self.log[i + 1:])
            self.assertIn("format", {p["code"] for p in r["problems"]}, bad)

    def test_a_missing_line_end(self):
        r = check_upload.check(self.truth, joined(self.log)[:-1])
        self.assertEqual([p["code"] for p in r["problems"]], ["format"])

    def test_a_counter_that_jumps(self):
        i = self.find("CV")
        line = re.sub(r"\^S(\d\d)", lambda m: f"^S{int(m[1]) % 99 + 1:02}", self.log[i], count=1)
        self.refused(self.log[:i] + [line] + self.log[i + 1:], "sequence")

    def test_stamps_running_back(self):
        i = self.find("CV")
        stamp = datetime.strptime(self.log[i][1:15], "%Y%m%d%H%M%S") - timedelta(hours=1)
        line = f"E{stamp:%Y%m%d%H%M%S}" + self.log[i][15:]
        self.refused(self.log[:i] + [line] + self.log[i + 1:], "stamp")

    def test_stamps_of_another_time(self):
        late = []
        for x in self.log:
            stamp = datetime.strptime(x[1:15], "%Y%m%d%H%M%S") + timedelta(minutes=60)
            body = x[21:-5]
            if x[25:27] == "EV":
                body = re.sub(r",(\d+)(?=:\d\d\^dC)", lambda m: f",{int(m[1]) + 1}", body)
            late.append(f"E{stamp:%Y%m%d%H%M%S}{x[15:21]}{body}{len(body):05}")
        self.refused(late, "stamp")

    def swapped(self, i, j):
        """Lines i and j with their contents exchanged: stamps and counters stay in order."""
        a, b = self.log[i], self.log[j]
        lines = list(self.log)
        lines[i] = a[:15] + b[15:]
        lines[j] = b[:15] + a[15:]
        return renumbered(lines)

    def test_two_events_of_one_item_in_the_wrong_order(self):
        keys = next(k for k in self.truth["order"]["items"].values() if len(
            [1 for e in self.truth["events"] if e["key"] in k and e["op"] == "checkout"
             and e["verdict"]["hold"] == "sent"]) > 1)
        item = next(e["item"] for e in self.truth["events"] if e["key"] == keys[0])
        i, j = [i for i, x in enumerate(self.log) if item in x and x[25:27] == "CV"][:2]
        r = self.verdict(self.swapped(i, j))
        self.assertTrue(any(p["message"].startswith(f"item {item}") for p in r["problems"]))

    def test_a_registration_after_its_first_use(self):
        reg, use = self.truth["order"]["registrations"][0]
        e = {x["key"]: x for x in self.truth["events"]}
        i = next(i for i, x in enumerate(self.log) if x[25:27] == "JY" and e[reg]["user"] in x)
        j = next(i for i, x in enumerate(self.log) if e[use]["item"] in x)
        codes = [p["message"] for p in self.verdict(self.swapped(i, j))["problems"]]
        self.assertTrue(any("its card is registered only in" in m for m in codes), codes)

    def test_a_registration_in_the_same_second(self):
        e = next(x for x in self.truth["events"] if x.get("early"))
        i = next(i for i, x in enumerate(self.log) if x[25:27] == "JY" and e["user"] in x)
        line = self.log[i][:1] + self.log[i + 1][1:15] + self.log[i][15:]
        self.refused(self.log[:i] + [line] + self.log[i + 1:], "order")

    def test_a_wrong_name_and_a_pin(self):
        i = self.find("JY")
        for old, new in (("^uL", "^uLX"), ("^UZ", "^Uf1234^UZ"), ("^PE", "^PEX")):
            self.refused(self.log[:i] + [changed(self.log[i], old, new)] + self.log[i + 1:],
                         "registration")

    def test_another_library(self):
        i = self.find("CV")
        line = changed(self.log[i], "FEMAIN", "FEEAST")
        self.refused(self.log[:i] + [line] + self.log[i + 1:], "library")

    def test_in_the_flat_form_new_cards_wait(self):
        log = joined(perfect_log(self.truth, flat=True))
        flat = flat_file(self.truth)
        r = check_upload.check(self.truth, log, flat)
        self.assertEqual(r["problems"], [])
        self.assertFalse(check_upload.check(self.truth, joined(self.log), flat)["ok"])
        self.assertFalse(check_upload.check(self.truth, log)["ok"])
        for bad in (flat + flat, flat[flat.index(b"*** D", 9):], flat.replace(b".STREET.", b".X."),
                    flat.replace(b".USER_ADDR1_END.\n", b"", 1), flat[:-1]):
            self.assertFalse(check_upload.check(self.truth, log, bad)["ok"])

    def test_the_command_line(self):
        with tempfile.TemporaryDirectory() as tmp:
            truth, log = pathlib.Path(tmp, "truth.json"), pathlib.Path(tmp, "x.log")
            truth.write_text(json.dumps(self.truth), encoding="utf-8")
            for lines, code in ((self.log, 0), (self.log[:-1], 1)):
                log.write_bytes(joined(lines))
                run = [sys.executable, str(ROOT / "examples/check_upload.py"), str(truth), str(log)]
                said = subprocess.run(run, capture_output=True, text=True, check=False)
                self.assertEqual(said.returncode, code, said.stderr)
                self.assertIn("NOT OK" if code else "nothing missing", said.stdout)
                said = subprocess.run([*run, "--json"], capture_output=True, text=True, check=False)
                self.assertEqual(json.loads(said.stdout)["ok"], code == 0)


def flat_file(truth):
    out = ""
    for e in truth["events"]:
        if e["op"] != "user" or e["verdict"]["hold"] != "sent":
            continue
        tag = [("USER_ID", "user"), ("USER_FIRST_NAME", "first"), ("USER_LAST_NAME", "last"),
               ("USER_PROFILE", "profile")]
        out += "*** DOCUMENT BOUNDARY ***\nFORM=LDUSER\n"
        out += "".join(f".{t}.   |a{check_upload.latin1(e[f])}\n" for t, f in tag)
        out += ".USER_PREF_LANG.   |aENGLISH\n"
        out += f".USER_BIRTH_DATE.   |a{e['birth'].replace('-', '')}\n.USER_ADDR1_BEGIN.\n"
        tag = [("STREET", "street"), ("ZIP", "postcode"), ("PHONE", "phone"), ("EMAIL", "email")]
        out += "".join(f".{t}.   |a{e[f]}\n" for t, f in tag if f in e)
        out += ".USER_ADDR1_END.\n"
    return out.encode("latin-1")


if __name__ == "__main__":
    unittest.main()
