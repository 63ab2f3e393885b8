#!/usr/bin/env python3
"""What an admin asks of one PC: doctor, config."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request

import branch
import pretend
from branch import wait_until


class Care(branch.Case):
    def found(self, desk, rc=1):
        said = desk.cli("doctor", "--json", check=False)
        self.assertEqual(rc, said.rc, said)
        got = json.loads(said.out)["checks"]
        for c in got:  # a fault without a next step helps nobody
            self.assertTrue(c["result"] == "ok" or c["check"] == "status" or c["next"], c)
        return {(c["check"], c["result"]) for c in got}

    def test_doctor(self):
        one, two, _ = self.branch(start=False)
        self.assertIn(("node", "fault"), self.found(one))
        one.start()
        found = self.found(one)
        for fine in "disk", "space", "flush", "rights":
            self.assertIn((fine, "ok"), found)
        self.assertIn(("restart", "warning"), found)
        self.assertNotIn(("port", "fault"), found)
        for lack in "block_list", "drill", "scan", "backup", "server", "copies":
            self.assertIn((lack, "warning"), found)
        one.cli("record", "scan", text=branch.user(1) + "\n")  # somebody tries the scanner
        one.cli("backup", self.home / "drawer", "--backup-passphrase-file",
                branch.write_secret(self.home / "words", "canary words for a drawer"))
        found = self.found(one)
        for done in "scan", "backup":
            self.assertIn((done, "ok"), found)
        one.stop()
        one.start()  # both outlive a restart
        self.assertTrue({("scan", "ok"), ("backup", "ok"), ("copies", "warning")} <= self.found(one))
        (one.state / "doctor.boot").write_text("another boot\n")
        self.assertIn(("restart", "ok"), self.found(one))
        (self.home / "libcurl.so.4").write_text("no library")
        env, one.env = one.env, {**one.env, "LD_LIBRARY_PATH": str(self.home)}
        self.assertIn(("libcurl", "fault"), self.found(one))
        one.env = env
        (one.state / "run/ctl.token").chmod(0o644)
        self.assertIn(("rights", "fault"), self.found(one))
        taken = branch.drive.LibraryServer()
        taken.port = two.port
        taken.open()
        self.addCleanup(taken.close)
        self.assertIn(("port", "fault"), self.found(two))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", two.state], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", two.state], check=False)
        subprocess.run(["cp", one.state / "tideover.conf", two.state], check=True)
        found = self.found(two)
        self.assertIn(("disk", "fault"), found)
        self.assertIn(("space", "warning"), found)

    def faults(self, desk, **env):
        """What doctor says but ok, by what it looked at; env: of a PC that has a fault."""
        was, desk.env = desk.env, {**desk.env, **env}
        said = json.loads(desk.cli("doctor", "--json", check=False).out)["checks"]
        desk.env = was
        return {c["check"]: (c["message"], c["next"]) for c in said if c["result"] != "ok"}

    def assert_found(self, faults, check, message, next_step):
        self.assertIn(check, faults)
        self.assertRegex(faults[check][0], message)
        self.assertIn(next_step, faults[check][1])

    def over(self, desk, kind, *options):
        """Something else is mounted where its state directory is, for as long as the test goes."""
        subprocess.run(["mount", *options, kind, desk.state], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", desk.state], check=False)

    @unittest.skipIf(pretend.sanitized(), "nothing is loaded before the address sanitizer")
    def test_doctor_finds_what_ails_a_pc(self):
        """The flush, the clock, the network, the file system: each by its own fault."""
        one, two, three = self.branch(start=False)
        self.assert_found(self.faults(one, **pretend.disk(0)), "flush", "does not wait for its platter", "hdparm")
        self.assert_found(self.faults(one, **pretend.disk(60)), "flush", r"a flush takes 6\d ms", "what else writes")
        self.assert_found(self.faults(one, **pretend.clock(False)), "clock", "no time service", "timedatectl set-ntp")
        found = self.faults(one, **pretend.clock(True))
        self.assertNotIn("clock", found)
        self.assertNotIn("flush", found)
        self.assert_found(found, "network", "is this PC alone", "0.0.0.0:7411")
        conf = one.state / "tideover.conf"
        conf.write_text(conf.read_text().replace(f"127.0.0.1:{one.port}", f"0.0.0.0:{one.port}"))
        self.assertNotIn("network", self.faults(one))
        said = one.cli("doctor", check=False).out
        self.assertRegex(said, rf"(?m)^ok +network .*firewall, it has to let in TCP {one.port}, .*$\n(?! +->)")
        one.start()  # its file says another port than it has
        conf.write_text(conf.read_text().replace(str(one.web_port), str(branch.drive.free_port())))
        self.assert_found(self.faults(one), "port", "the node runs, and nobody listens there", "start the node again")
        self.over(two, two.state, "--bind")
        subprocess.run(["mount", "-o", "remount,bind,ro", two.state], check=True)
        self.assert_found(self.faults(two), "flush", "cannot write in the state directory: Read-only", "mend the disk")
        layers = self.home / "layers"
        for d in "lower", "upper", "work":
            (layers / d).mkdir(parents=True)
        (layers / "lower/tideover.conf").write_bytes((three.state / "tideover.conf").read_bytes())
        self.over(three, "overlay", "-t", "overlay", "-o",
                  f"lowerdir={layers}/lower,upperdir={layers}/upper,workdir={layers}/work")
        self.assert_found(self.faults(three), "disk", "layered file system", "take it out of the freeze")

    @unittest.skipIf(pretend.sanitized(), "nothing is loaded before the address sanitizer")
    def test_doctor_finds_what_was_not_done_for_a_year(self):
        one = self.branch(branch.NAMES[:1], start=False)[0]
        one.start()
        one.cli("record", "scan", text=branch.user(1) + "\n")
        one.cli("backup", self.home / "drawer", "--backup-passphrase-file", self.home / "words")
        numbers = self.home / "list"
        numbers.write_text(branch.user(9) + "\n")
        one.cli("blocklist", "import", numbers)
        found = self.faults(one)
        for fine in "scan", "backup", "block_list", "write":
            self.assertNotIn(fine, found)
        one.stop()
        one.env |= pretend.shifted(401 * 86400)
        one.start()
        found = self.faults(one)
        self.assert_found(found, "scan", "for 401 days", "practice on")
        self.assert_found(found, "backup", "backed up 401 days ago", "tideover backup FILE")
        self.assert_found(found, "block_list", "is 401 days old", "nightly job")
        one.stop()
        one.env = {k: v for k, v in one.env.items() if k != "CLOCK_SHIFT"} | pretend.disk(80)
        one.start()
        self.feed(one, branch.checkouts(1, 1))
        self.assert_found(self.faults(one), "write", r"a record takes \d+ ms", "what else writes")

    def test_config(self):
        one = self.branch(start=False)[0]
        conf = one.state / "tideover.conf"
        self.assertEqual(f"{conf}\n", one.cli("config", "path").out)
        shown = {(s["section"], s["key"]): (s["value"], s["default"])
                 for s in one.cli("config", "show", json=True)["settings"]}
        self.assertEqual((one.name, False), shown["node", "name"])
        self.assertEqual(("30s", True), shown["peers", "away_after"])
        self.assertIn("well-formed", one.cli("config", "check").out)
        conf.write_text(conf.read_text() + "\n[peers]\nknwon = 10.0.0.1:7411\n")
        self.assert_refused(one.cli("config", "check", check=False), 78, r"tideover.conf:\d+",
                            'did you mean "known"')

    def listen_to(self, desk):
        """As a service manager hears it."""
        path = self.home / "notify"
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(str(path))
        desk.env["NOTIFY_SOCKET"] = str(path)
        log = pathlib.Path(f"{desk.state}.err")
        log.touch()
        desk.env["JOURNAL_STREAM"] = f"{log.stat().st_dev}:{log.stat().st_ino}"

        def hear(patience=60):
            manager.settimeout(patience)
            return manager.recv(1000).decode()
        return hear

    def test_a_changed_file_is_taken_by_a_node_that_runs(self):
        """And what needs a restart is said; a wrong file changes nothing."""
        one = self.branch(branch.NAMES[:1], start=False)[0]
        hear = self.listen_to(one)
        one.start()
        wait_until(lambda: hear() == "READY=1", 60, "READY")
        conf = one.state / "tideover.conf"
        first = conf.read_text()
        metrics = f"http://127.0.0.1:{one.web_port}/metrics"
        urllib.request.urlopen(metrics).close()
        conf.write_text(first.replace("#metrics = yes", "metrics = no")
                        .replace("#level = info", "level = debug")
                        .replace(f"127.0.0.1:{one.web_port}", "127.0.0.1:1"))
        checked = one.cli("config", "check").out
        self.assertIn("[web] metrics: not in force yet: tideover config reload", checked)
        self.assertIn("[web] listen: needs a restart", checked)
        urllib.request.urlopen(metrics).close()  # looking changed nothing
        said = one.cli("config", "reload", json=True)
        self.assertEqual((["[web] metrics", "[log] level"], ["[web] listen"]),
                         (said["taken"], said["restart"]))
        wait_until(lambda: hear().startswith("RELOADING=1\nMONOTONIC_USEC="), 60, "RELOADING")
        wait_until(lambda: hear() == "READY=1", 60, "READY again")
        with self.assertRaises(urllib.error.HTTPError):
            urllib.request.urlopen(metrics)
        self.assertIn("[web] listen needs a restart", one.log())
        one.status()
        wait_until(lambda: "<7>GET /api/v1/status" in one.log(), 60, "the new level")

        conf.write_text(first.replace("#metrics = yes", "metrics = maybe"))
        self.assert_refused(one.cli("config", "reload", check=False), 78, r"tideover.conf:\d+")
        one.node.send_signal(signal.SIGHUP)
        wait_until(lambda: one.log().count("the settings stay as they were") == 2, 60, "the refusal")
        self.assertRegex(one.log(), r"(?m)^<4>tideover.conf:\d+: ")
        with self.assertRaises(urllib.error.HTTPError):
            urllib.request.urlopen(metrics)
        conf.write_text(first)
        one.node.send_signal(signal.SIGHUP)
        wait_until(lambda: "[log] level is in force now" in one.log().split("were")[-1], 60, "SIGHUP")
        urllib.request.urlopen(metrics).close()
        self.assertEqual(0, one.stop())

    def test_a_stop_does_not_wait_for_a_silent_server(self):
        desks = self.branch()
        one = desks[0]
        silent = socket.socket()
        self.addCleanup(silent.close)
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.settimeout(60)
        port = silent.getsockname()[1]
        policy = branch.policy_text(self.sink).replace("quiet = 1s", "quiet = 1m")
        self.publish(one, policy.replace(f"file:{self.sink}", f"put:http://127.0.0.1:{port}/in"))
        self.feed(one, branch.checkouts(1, 20))
        threading.Thread(target=self.upload, args=(one, False), daemon=True).start()
        asked, _ = silent.accept()
        self.addCleanup(asked.close)
        asked.settimeout(60)
        self.assertRegex(asked.recv(65536), rb"^(PUT|GET|HEAD) /in")
        one = next(d for d in desks if branch.is_sending(d))
        began = time.monotonic()
        self.assertEqual(0, one.stop())
        self.assertLess(time.monotonic() - began, 5)  # a second, on a machine with nothing else
        self.assertIn("not waiting for work", one.log())
        self.assertEqual([], list(one.state.glob("uploads/*.part*")))  # in plain text
        self.assertEqual([], list(one.state.glob("run/*")))
        one.start()
        self.assertEqual(20, branch.held(one))
        self.assertEqual(0, one.stop())

    def looking(self, one):
        """The pid of what looks through its store, which is stopped; None: nothing does."""
        def end(held):
            with contextlib.suppress(ProcessLookupError):  # as after a test that went well
                signal.pidfd_send_signal(held, signal.SIGKILL)
            os.close(held)

        try:
            for task in pathlib.Path(f"/proc/{one.node.pid}/task").iterdir():
                for pid in (task / "children").read_text().split():
                    if b"--look" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                        held = os.pidfd_open(int(pid))  # nobody else may get its number
                        os.kill(int(pid), signal.SIGSTOP)
                        self.addCleanup(end, held)
                        return int(pid)
        except (OSError, AttributeError):  # it has ended, or not begun
            pass
        return None

    def catch_looking(self, one):
        """A start after a crash, stopped while it looks through the store: its thread, and the pid that looks."""
        def start():
            with contextlib.suppress(branch.drive.CliError):  # where the test ends it
                one.start()

        child = None
        while child is None:  # a small store is looked through in a moment
            one.kill9()
            starting = threading.Thread(target=start)
            starting.start()
            while child is None and starting.is_alive():
                child = self.looking(one)
        return starting, child

    def test_a_stop_while_a_start_looks_through_the_store(self):
        """It was not heard for up to ten minutes, and Ctrl-C, which both processes get, failed the start."""
        one = self.branch(branch.NAMES[:1], start=False)[0]
        hear = self.listen_to(one)
        one.start()
        self.feed(one, branch.checkouts(1, 5))
        for sig, both in ((signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGINT, True)):
            starting, child = self.catch_looking(one)
            node = one.node
            wait_until(lambda: "looks through the store" in hear(), 60, "the manager to be told")
            with contextlib.suppress(BlockingIOError):  # room for more
                while hear(0):
                    pass
            began = time.monotonic()
            if both:  # a terminal, and a service manager
                os.kill(child, sig)
                os.kill(child, signal.SIGCONT)
            node.send_signal(sig)
            self.assertEqual(0, node.wait(60))
            took = time.monotonic() - began
            print(f"{sig.name} while it looks: ended after {took:.2f} s")
            self.assertLess(took, 5)  # a second, on a machine with nothing else
            wait_until(lambda: hear() == "STOPPING=1", 60, "the manager to hear of the stop")
            starting.join()
            self.assertFalse(os.path.exists(f"/proc/{child}"))
            self.assertIn("the next start looks again", one.log().splitlines()[-1])
        starting, child = self.catch_looking(one)  # it does
        os.kill(child, signal.SIGCONT)
        starting.join()
        self.assertEqual(5, branch.held(one))
        self.assertEqual([], list(one.state.glob("*.damaged*")))
        self.assertEqual(0, one.stop())

    @unittest.skipIf(pretend.sanitized(), "nothing is loaded before the address sanitizer")
    def test_a_stop_while_a_store_in_doubt_is_looked_through(self):
        """The next start looks as after a crash; after an end in order it takes ten seconds for it, no more."""
        one = self.branch(branch.NAMES[:1], start=False)[0]
        bad = self.home / "bad"
        one.env |= pretend.failing_disk(bad)
        one.start()
        self.feed(one, branch.checkouts(1, 5))
        child = None
        while child is None:  # a second after the failure; a small store is looked through in a moment
            bad.touch()
            self.assertNotEqual(0, one.cli("record", "inhouse", "--item", branch.item(9), check=False).rc)
            end = time.monotonic() + 3
            while child is None and time.monotonic() < end:
                child = self.looking(one)
            bad.unlink()
            if child is None:
                wait_until(lambda: "not_saving" not in branch.problem_codes(one), 60, "it to save again")
        self.assertEqual(0, one.stop())
        self.assertTrue((one.state / "run/web").exists(), "as after a crash")
        one.start()
        self.assertIn(branch.held(one), (5, 6))  # what was refused may have reached the disk
        self.assertEqual(0, one.stop())
        self.assertFalse((one.state / "run/web").exists())

    def test_a_signal_while_a_start_looks_through_the_store(self):
        """It is no damage: it was waited for ten minutes after a crash, at full load, and moved the store aside."""
        one = self.branch(start=False)[0]
        one.start()
        self.feed(one, branch.checkouts(1, 5))
        starting, child = self.catch_looking(one)
        time.sleep(0.3)  # the node waits for it
        one.node.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        os.kill(child, signal.SIGCONT)
        starting.join()
        self.assertEqual(5, branch.held(one))
        self.assertEqual([], list(one.state.glob("store.damaged*")))

    def test_a_start_makes_a_loose_store_smaller_and_only_one_node_has_it(self):
        one = self.branch(branch.NAMES[:1])[0]
        for day, n in (1, 200_000), (2, 1):  # the second list leaves the pages of the first free
            numbers = self.home / "list"
            numbers.write_text("".join(f"{29999 * 10 ** 9 + i}\n" for i in range(n)))
            one.cli("blocklist", "import", numbers, "--date", f"2026-11-0{day}T00:00:00Z")
        self.feed(one, branch.checkouts(1, 30))
        self.assert_refused(one.cli("node", check=False), 75, "another tideover node")
        for end in one.kill9, one.stop:  # a killed one leaves locks and tokens behind
            end()
            one.start()
            self.assertEqual(30, branch.held(one))
        self.assertRegex(one.log(), r"made smaller: 0 MiB instead of [1-9]")
        self.assertLess((one.state / "store/data.mdb").stat().st_size, 1 << 20)
        self.assertEqual(1, one.log().count("made smaller"))  # and not again
        one.cli("log", "verify")


if __name__ == "__main__":
    unittest.main(verbosity=2)
