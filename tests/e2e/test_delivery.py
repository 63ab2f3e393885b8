#!/usr/bin/env python3
"""A drop whose files a loader takes away: nothing is dropped twice, whoever dies at the worst moment.

The moment between "about to link" and "linked" is hit exactly: a small library loaded into the node
(LD_PRELOAD) kills it just before, or just after, its link()."""
import os
import subprocess
import unittest

import branch
from branch import all_hold, checkout, sha256, wait_until

KILLER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* At the first link of a file into the drop: die before it, or after it. */
int link(const char *from, const char *to)
{
    int (*real)(const char *, const char *) = (int (*)(const char *, const char *))
        dlsym(RTLD_NEXT, "link");
    const char *when = getenv("KILL_LINK"), *drop = getenv("KILL_DROP");
    int rc;

    if (!when || !drop || strncmp(to, drop, strlen(drop)) != 0)
        return real(from, to);
    if (strcmp(when, "before") == 0)
        kill(getpid(), SIGKILL);
    rc = real(from, to);
    kill(getpid(), SIGKILL);
    return rc;
}
"""


def killer():
    if not hasattr(killer, "path"):
        home = branch.work_dir()
        source = home / "killer.c"
        source.write_text(KILLER)
        killer.path = home / "killer.so"
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", str(killer.path),
                        str(source), "-ldl"], check=True)
    return killer.path


class Loader:
    """Takes away whatever lies in the drop, as the server's loader does, and counts what it loads."""

    def __init__(self, drop):
        self.drop, self.loaded = drop, []

    def eat(self):
        for p in sorted(self.drop.iterdir()):
            if not p.name.startswith("."):
                self.loaded.append((p.name, sha256(p)))
                p.unlink()


class Drop(branch.Case):
    def ready(self, kill=None):
        """Three desks with six records; the lead is at MAIN-1, the drop at MAIN-2, which may die at its
        first link."""
        drop = branch.template().sink
        env = {"LD_PRELOAD": str(killer()), "KILL_LINK": kill, "KILL_DROP": str(drop)}
        self.branch(envs=[{}, env if kill else {}, {}])
        self.loader = Loader(self.sink)
        one, two, three = self.desks
        text = branch.policy_text(self.sink).replace("file:", "drop:MAIN-2:")
        self.publish(one, text)
        for i, d in enumerate(self.desks):
            self.feed(d, [checkout(900 + 10 * i + k) for k in range(2)])
        all_hold(self.desks, 6, 5)
        for d in self.desks:
            wait_until(lambda d=d: d.status()["ledger"]["may_vote"], 10, f"{d.name} to vote")
            wait_until(lambda d=d: "drop:" in d.cli("policy", "show").out, 10, "the policy")
        return one, two, three

    def press(self, desk):
        """`upload run` elsewhere; it ends with a sentence when a lead must decide."""
        run = subprocess.Popen(
            [str(branch.BINARY), "upload", "run", "--state", str(desk.state), "--yes",
             "--lead-passphrase-file", str(self.lead)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (run.kill(), run.communicate()))
        return run

    def killed_and_back(self, kill):
        one, two, three = self.ready(kill)
        run = self.press(one)
        wait_until(lambda: two.node.poll() is not None, 30, "MAIN-2 to die at its link")
        two.kill9()
        two.env = {k: v for k, v in os.environ.items() if k != "TIDEOVER_STATE"}
        return one, two, three, run

    def in_doubt(self, desk):
        return wait_until(lambda: desk.upload_status().get("doubt"), 60, "a lead to be asked")

    def decide(self, desk, arrived, slot, check=True):
        return desk.cli("upload", "decide", "--slot", str(slot), "--arrived", arrived, "--yes",
                        "--lead-passphrase-file", self.lead, check=check)

    def delivered(self, desk):
        return wait_until(lambda: desk.upload_status()["state"] in ("delivered", "settled") and
                          desk.upload_status()["last"], 60, "it to be delivered")

    def test_a_drop_is_handed_over_at_its_desk_and_nothing_is_dropped_again_when_it_is_eaten(self):
        one, two, three = self.ready()
        self.assertEqual(0, self.upload(one).rc)
        self.loader.eat()
        self.assertEqual(1, len(self.loader.loaded))
        last = self.delivered(three)
        self.assertEqual(("MAIN-2",) + self.loader.loaded[0],
                         (last["desk"], last["file"], last["sha256"]))
        for d in self.desks:
            d.kill9()
        for d in self.desks:
            d.start()
        self.all_online(self.desks)
        self.assertIn("Nothing to upload", self.upload(one).out)
        self.assertEqual([], list(self.sink.iterdir()))

    def test_killed_after_the_link_with_the_file_there_it_counts_as_delivered(self):
        one, two, three, _ = self.killed_and_back("after")
        (there,) = self.files()
        inode = there.stat().st_ino
        two.start()
        last = self.delivered(three)
        self.assertEqual((there.name, sha256(there)), (last["file"], last["sha256"]))
        self.assertEqual(inode, there.stat().st_ino, "it was not written anew")
        self.assertEqual([there], list(self.sink.iterdir()), "nothing is left aside")

    def test_killed_after_the_link_and_eaten_a_lead_says_yes(self):
        one, two, three, run = self.killed_and_back("after")
        self.loader.eat()
        self.assertEqual(1, len(self.loader.loaded))
        two.start()
        doubt = self.in_doubt(one)
        self.assertEqual(self.loader.loaded[0], (doubt["file"], doubt["sha256"]))
        self.in_doubt(three)  # every desk knows
        self.assertEqual("deciding", three.upload_status()["state"])
        self.assertIn("nobody can tell", three.upload_status()["message"])
        self.assertIn("upload_waits", branch.problem_codes(three))
        self.assertRegex(run.communicate(timeout=30)[1], "upload decide --slot|may go on")
        self.assert_refused(self.decide(one, "yes", doubt["slot"] + 1, check=False),
                            branch_refused(), "that waits")
        wrong = branch.write_secret(self.home / "wrong", "another passphrase entirely")
        said = one.cli("upload", "decide", "--slot", str(doubt["slot"]), "--arrived", "yes",
                         "--yes", "--lead-passphrase-file", wrong, check=False)
        self.assert_refused(said, 77, "passphrase")
        self.decide(one, "yes", doubt["slot"])
        last = self.delivered(three)
        self.assertEqual(self.loader.loaded[0], (last["file"], last["sha256"]))
        self.loader.eat()
        self.assertEqual(1, len(self.loader.loaded), "it was never dropped again")

    def test_killed_before_the_link_a_lead_says_no_and_it_is_dropped_once(self):
        one, two, three, _ = self.killed_and_back("before")
        self.assertEqual([], self.files())
        two.start()
        doubt = self.in_doubt(one)
        self.assertEqual([], list(self.sink.iterdir()), "nothing is left aside")
        self.decide(one, "no", doubt["slot"])
        last = self.delivered(two)
        self.loader.eat()
        self.assertEqual([(last["file"], last["sha256"])], self.loader.loaded)
        self.assertEqual(doubt["sha256"], last["sha256"])
        said = self.decide(one, "no", doubt["slot"], check=False)
        self.assert_refused(said, 1, "nothing waits")
        self.assertEqual([], self.files())

    def test_other_content_under_the_name_stops_and_is_not_touched(self):
        one, two, three, _ = self.killed_and_back("after")
        (there,) = self.files()
        good = there.read_bytes()
        there.write_bytes(b"somebody else's\n")
        two.start()
        wait_until(lambda: "other content" in (two.upload_status()["message"] or ""), 60,
                   "it to stop")
        self.assertEqual(b"somebody else's\n", there.read_bytes())
        there.write_bytes(good)
        self.assertEqual(0, self.upload(one).rc)
        self.assertEqual(there.name, self.delivered(three)["file"])

    def test_no_other_desk_hands_over_in_its_place(self):
        one, two, three = self.ready()
        two.kill9()
        self.press(one)
        wait_until(lambda: "MAIN-2 alone can hand over" in (one.upload_status()["message"] or ""),
                   30, "it to say who must be on")
        self.assertEqual([], list(self.sink.iterdir()))
        two.start()
        self.assertEqual("MAIN-2", self.delivered(three)["desk"])
        self.assertEqual(1, len(self.files()))

    def test_a_drop_at_an_unknown_desk_and_a_sink_without_a_program_are_refused(self):
        one = self.branch(branch.NAMES[:1])[0]
        for sink, words in (("drop:NOBODY:" + str(self.sink), "NOBODY"), ("ask:https://server/dir/", "no program stands"),
                            ("drop:MAIN-1:relative", "absolute")):
            path = self.home / "bad.ini"
            path.write_text(branch.policy_text(self.sink).replace("file:" + str(self.sink), sink))
            said = one.cli("policy", "publish", path, "--lead-passphrase-file", self.lead,
                           check=False)
            self.assert_refused(said, 78, words)


def branch_refused():
    return 65


if __name__ == "__main__":
    unittest.main(verbosity=2)
