#!/usr/bin/env python3
"""A day at the desks: every situation that staff and lead meet in an outage, once, with what the
program says to each. Real nodes, real commands; each line that begins with a desk's name and "$" can be
typed by hand, after ">" something is scanned, after "⌨" typed into the scan box.

    examples/run --desk-day [--keep]        builds first, then calls this

Exit 0 only if each command said what it should, and what arrived is what the day should give.
"""
import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
from datetime import timedelta

import drive
import outage
from desk_scenes import FAST, DeskScenes, today
from drive import Timeout
from lead_scenes import LeadScenes
from outage import say, step
from systems import Wrong


class DeskDay(DeskScenes, LeadScenes, outage.Outage):
    """The branch of examples/run; its day is played by hand. KIDS-1's clock is fast."""

    def __init__(self, a, home):
        super().__init__(a, home)
        lib = home / "clock_shift.so"
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", lib,
                        outage.HERE / "clock_shift.c"], check=True)
        self.desks[2].env.update({"LD_PRELOAD": str(lib), "CLOCK_SHIFT": str(FAST)})
        self.records = 0
        self.due = {}  # item: what its slip said, None for no date
        self.sip2 = None

    def policy(self):
        text = super().policy().replace("check_digit  = mod10",
                                        "check_digit  = mod10\nno_barcode_kinds = paperback")
        text = text.replace("format = symphony\n", "format = symphony\nload_at = 20:00\n", 1)
        text = text.replace("[stations]", "other_libraries = ANNEX\nother_user_accesses = ANNEXDESK\n"
                            "other_stations = 77\n\n[stations]")
        return (text + "\n[due]\ndefault = 14d\n39998 = 7d\n"
                f"[closed]\n{today() + timedelta(21)} = Staff day\n[blocklist]\noverride = lead\n")

    def play(self):
        self.found()
        (self.first.state / "root-key-backup").rename(self.home / "root-key-backup")
        say("the root key goes on a stick, off every PC")
        for scene in (self.practise, self.block_lists, self.sessions, self.fast_clock):
            scene()
        step("The library's server goes away")
        self.ils.close()
        self.each(lambda s: s["server"]["state"] == "offline", 60, "notice it")
        self.do(self.first, "check", want="OK - the library's server is away since")
        for scene in (self.wrong_scans, self.due_dates, self.blocked, self.at_once, self.undone, self.twice,
                      self.without_barcode, self.on_paper, self.between_two_loans, self.dead_network,
                      self.review, self.hand_over, self.comes_back, self.load_report, self.worklist,
                      self.another_system, self.director):
            scene()

    def stop(self):
        super().stop()
        if self.sip2:
            self.sip2.close()


def main():
    p = argparse.ArgumentParser(prog="examples/run --desk-day",
                                description="Every situation of an outage once, by hand.")
    p.add_argument("--keep", action="store_true", help="leave the branch running, to look at its pages")
    p.add_argument("--binary", default=outage.HERE.parent / "build/release/tideover",
                   type=pathlib.Path, help="another program than the one that was built")
    a = p.parse_args()
    a.binary, a.sink = a.binary.resolve(), "file"
    if not a.binary.exists():
        sys.exit(f"desk_day: there is no {a.binary}: run examples/run, which builds it")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    home = pathlib.Path(tempfile.mkdtemp(prefix="day-", dir=a.binary.parent))
    day, ok = DeskDay(a, home), False
    try:
        day.play()
        ok = True
        if a.keep:
            day.addresses()
    except KeyboardInterrupt:
        print("\nstopped", flush=True)
    except (Wrong, Timeout, drive.CliError, KeyError, ValueError, OSError) as why:
        outage.explain(day, f"{type(why).__name__}: {why}")
    finally:
        day.stop()
    if ok and not a.keep:
        shutil.rmtree(home)
    if ok:
        print("\nOK: every situation was answered as it should be", flush=True)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
