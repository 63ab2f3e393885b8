#!/usr/bin/env python3
"""Sharing: what one desk records is on all, whatever is off, cut, stopped, wiped or restored."""
import os
import shutil
import signal
import socket
import threading
import time
import unittest

import branch
from branch import NAMES, all_hold, held, problem_codes, wait_until
from netns import NetCase, ip
from stranger import Stranger, curve_secret, public_of


def pass_time(seconds):
    """A duration that is itself what is tested."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, seconds + 5, "time to pass")


def states(desk):
    return {p["name"]: p["state"] for p in desk.peers()}


class Sharing(branch.Case):
    def test_a_record_is_soon_on_every_desk(self):
        desks = self.branch()
        for i, d in enumerate(desks):
            self.feed(d, branch.checkouts(100 * i, 10))
            all_hold(desks, 10 * (i + 1), 1)
        lists = [[r["id"] for r in branch.log_list(d)] for d in desks]
        self.assertEqual(lists[0], lists[1])
        self.assertEqual(lists[0], lists[2])
        wait_until(lambda: desks[0].status()["records"]["replicated"] == 10, 3,
                   "the author to know of the copies")

    def of(self, at, desk):
        return next(p for p in at.peers() if p["name"] == desk.name)

    def test_a_desk_that_was_off_catches_up_from_a_third_while_the_author_is_off(self):
        one, two, three = self.branch()
        wait_until(lambda: self.of(one, three)["disk_free_bytes"], 60, "a desk to say how its disk is")
        self.assertIsNone(self.of(one, three)["last_error"])
        three.kill9()
        wait_until(lambda: (self.of(one, three)["last_error"] or {}).get("code") == "not_running", 60,
                   "the reason why a desk is away")
        ids = self.feed(one, branch.checkouts(0, 2500))
        all_hold([one, two], 2500, 5)
        one.kill9()
        three.start()
        all_hold([three], 2500, 5)
        self.assertEqual(set(ids), {r["id"] for r in branch.log_list(three)})
        self.assertEqual([], three.cli("log", "verify", json=True)["problems"])

    def test_a_wiped_desk_that_joins_again_gets_the_branchs_log_back(self):
        one, two, three = self.branch()
        self.feed(three, branch.checkouts(0, 40))
        self.feed(one, branch.checkouts(100, 40))
        all_hold([one, two, three], 80, 5)
        three.kill9()
        shutil.rmtree(three.state)
        one.cli("revoke", "KIDS-1", "--lead-passphrase-file", self.lead)
        three.join(one.invite("KIDS-1", passphrase_file=self.lead).out.strip())
        three.start()
        all_hold([three], 80, 10)
        (an_id,) = self.feed(three, branch.checkouts(300, 1))
        all_hold([one, two, three], 81, 5)
        ids = [r["id"] for r in branch.log_list(three)]
        self.assertEqual(81, len(set(ids)), "no id is given twice")
        self.assertIn(an_id, ids)
        for d in (one, two, three):
            self.assertEqual([], d.cli("log", "verify", json=True)["problems"])
            self.assertEqual(ids, [r["id"] for r in branch.log_list(d)])

    def test_a_log_can_be_listed_while_the_records_of_others_come_in(self):
        """A list reads a snapshot, which must hold all that was counted when it was asked for."""
        one, two, _ = self.branch()
        recording = [threading.Thread(target=self.feed, args=(one, branch.checkouts(1000 * k, 400)))
                     for k in range(6)]
        said = []

        def look():
            while any(t.is_alive() for t in recording):
                said.append(two.cli("log", "list", "--json", check=False))
        looking = [threading.Thread(target=look) for _ in range(4)]
        for t in recording + looking:
            t.start()
        for t in recording + looking:
            t.join()
        self.assertEqual([], [x.err for x in said if x.rc != 0])
        self.assertGreater(len(said), 0)

    def test_every_start_that_records_opens_a_new_feed(self):
        (d,) = self.branch(NAMES[:1])
        self.assertEqual(["MAIN-1/1/0001"], self.feed(d, branch.checkouts(0, 1)))
        d.stop()
        d.start()
        self.assertEqual(["MAIN-1/2/0001"], self.feed(d, branch.checkouts(1, 1)))
        d.kill9()
        d.start()
        self.assertEqual(["MAIN-1/3/0001", "MAIN-1/3/0002"], self.feed(d, branch.checkouts(2, 2)))

    def restored(self):
        """MAIN-2 runs from a copy of its state that is older than what the others know."""
        one, two, three = self.branch()
        self.feed(two, branch.checkouts(0, 5))
        all_hold([one, two, three], 5, 5)
        two.stop()
        old = self.home / "old-copy"
        shutil.copytree(two.state, old)
        two.start()
        self.feed(two, branch.checkouts(10, 5))
        all_hold([one, two, three], 10, 5)
        two.stop()
        shutil.rmtree(two.state)
        old.rename(two.state)
        two.start()
        wait_until(lambda: "memory_lost" in problem_codes(two), 5, "MAIN-2 to hear of its loss")
        return one, two, three

    def test_a_restored_old_copy_is_told_has_no_vote_and_still_records(self):
        one, two, three = self.restored()
        for d in (one, three):
            wait_until(lambda d=d: "peer_memory_lost" in problem_codes(d), 5, f"{d.name} to say so")
        self.assertRegex(two.cli("doctor", check=False).out, r"(?m)^warning +restart .*, as on a frozen PC, .*$\n"
                                                             r" +-> take the state directory out of the freeze")
        all_hold([two], 10, 5)
        pass_time(branch.GRACE)
        self.assertFalse(two.status()["ledger"]["may_vote"])
        ids = self.feed(two, branch.checkouts(20, 3))
        all_hold([one, two, three], 13, 5)
        self.assertEqual(13, len({r["id"] for r in branch.log_list(one)}), ids)

    def test_an_image_taken_in_the_middle_of_the_last_run_is_noticed(self):
        """Its start number is new to everybody: what gives it away is what the others still hold."""
        one, two, three = self.branch()
        self.feed(two, branch.checkouts(0, 5))
        all_hold([one, two, three], 5, 5)
        old = self.home / "old-image"
        os.kill(two.node.pid, signal.SIGSTOP)
        shutil.copytree(two.state, old)
        os.kill(two.node.pid, signal.SIGCONT)
        self.feed(two, branch.checkouts(10, 5))
        all_hold([one, two, three], 10, 5)
        two.stop()
        shutil.rmtree(two.state)
        old.rename(two.state)
        two.start()
        wait_until(lambda: "memory_lost" in problem_codes(two), 5, "MAIN-2 to hear of its loss")
        all_hold([two], 10, 5)
        pass_time(branch.GRACE)
        self.assertFalse(two.status()["ledger"]["may_vote"])

    def test_a_restored_old_copy_stays_without_a_vote_after_another_restart(self):
        one, two, _ = self.restored()
        two.stop()
        two.start()
        wait_until(lambda: two.status()["peers"]["online"] == 2, 5, "MAIN-2 to see the others")
        pass_time(branch.GRACE + 1)
        self.assertFalse(two.status()["ledger"]["may_vote"], "L7: its votes may be forgotten")
        self.assertIn("memory_lost", problem_codes(two))
        self.assertIn("peer_memory_lost", problem_codes(one))

    def test_a_desk_stopped_for_four_seconds_is_soon_back(self):
        one, two, three = self.branch()
        os.kill(three.node.pid, signal.SIGSTOP)
        self.addCleanup(self.resume, three)
        self.feed(one, branch.checkouts(0, 50))
        wait_until(lambda: states(one)["KIDS-1"] == "quiet", 6, "KIDS-1 to be missed")
        pass_time(1.0)
        self.feed(two, branch.checkouts(100, 50))
        began = time.monotonic()
        os.kill(three.node.pid, signal.SIGCONT)
        wait_until(lambda: held(three) == 100, 5, "KIDS-1 to hold all")
        took = time.monotonic() - began
        print(f"[{took * 1000:.0f} ms after SIGCONT; the aim: 1 s]", end=" ", flush=True)
        wait_until(lambda: states(one)["KIDS-1"] == "online", 3, "KIDS-1 to be online again")

    @staticmethod
    def resume(desk):
        if desk.node:
            os.kill(desk.node.pid, signal.SIGCONT)


class Strangers(branch.Case):
    def refused(self, desk):
        return desk.status()["refused"]

    def assert_goes_on(self, desks):
        n = held(desks[0])
        self.feed(desks[0], branch.checkouts(7000 + n, 5))
        all_hold(desks, n + 5, 3)

    def test_a_stranger_with_a_key_of_its_own_is_refused_and_counted(self):
        desks = self.branch(NAMES[:2])
        before = self.refused(desks[0])["handshakes"]
        s = Stranger(desks[0].port, public_of(curve_secret(desks[0])))
        try:
            wait_until(lambda: self.refused(desks[0])["handshakes"] > before, 5, "it to be counted")
            s.send(b"let me in")
            self.assertIsNone(s.receive())
        finally:
            s.close()
        self.assert_goes_on(desks)

    def test_a_stranger_who_does_not_know_the_desks_key_gets_nowhere(self):
        desks = self.branch(NAMES[:2])
        s = Stranger(desks[0].port, public_of(os.urandom(32)))
        try:
            s.send(b"let me in")
            self.assertIsNone(s.receive())
        finally:
            s.close()
        self.assert_goes_on(desks)

    def test_a_member_that_sends_rubbish_is_counted_and_the_node_goes_on(self):
        one, two = self.branch(NAMES[:2])
        two.stop()
        before = self.refused(one)["messages"]
        s = Stranger(one.port, public_of(curve_secret(one)), curve_secret(two))
        try:
            for rubbish in (b"", b"\x00", b"\xc1" * 50, b"\xdd\xff\xff\xff\xff", b"\x92\x01" * 400,
                            os.urandom(5000), b"\x93\x02\x01\x03", b"\x9f" * 3000):
                s.send(rubbish)
            wait_until(lambda: self.refused(one)["messages"] >= before + 6, 5, "it to be counted")
        finally:
            s.close()
        two.start()
        self.all_online([one, two])
        self.assert_goes_on([one, two])

    def test_plain_tcp_garbage_is_refused_and_counted(self):
        desks = self.branch(NAMES[:2])
        before = sum(self.refused(desks[0]).values())
        for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(4096), b"\xff" * 10,
                        b"\xff" + b"\x00" * 8 + b"\x7f\x03\x00NULL" + b"\x00" * 50):
            with socket.create_connection(("127.0.0.1", desks[0].port), 5) as c:
                try:
                    c.sendall(garbage)
                    c.shutdown(socket.SHUT_WR)
                    c.settimeout(3)
                    while c.recv(4096):
                        pass
                except OSError:
                    pass
        self.assert_goes_on(desks)
        wait_until(lambda: sum(self.refused(desks[0]).values()) > before, 3, "it to be counted")

    def test_many_silent_connections_do_not_keep_a_desk_out(self):
        one, two = self.branch(NAMES[:2])
        two.stop()
        idle = [socket.create_connection(("127.0.0.1", one.port), 5) for _ in range(300)]
        try:
            two.start()
            self.all_online([one, two])
            self.assert_goes_on([one, two])
        finally:
            for c in idle:
                c.close()

    def test_a_request_without_the_token_is_refused_and_counted(self):
        (one,) = self.branch(NAMES[:1])
        before = self.refused(one)["requests"]
        with socket.create_connection(("127.0.0.1", one.web_port), 5) as c:
            c.sendall(f"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1:{one.web_port}\r\n"
                      "Connection: close\r\n\r\n".encode())
            self.assertIn(b" 401 ", c.makefile("rb").readline())
        self.assertEqual(before + 1, self.refused(one)["requests"])


class Revoked(branch.Case):
    def test_a_revoked_desk_is_refused_everywhere_and_its_later_records_are_not_sent(self):
        one, two, three = self.branch()
        self.feed(three, branch.checkouts(0, 5))
        self.feed(one, branch.checkouts(100, 5))
        all_hold([one, two, three], 10, 5)
        three.stop()
        said = one.cli("revoke", "KIDS-1", "--lead-passphrase-file", self.lead)
        self.assertIn("5 records known so far still count", said.out)
        wait_until(lambda: states(two)["KIDS-1"] == "revoked", 5, "MAIN-2 to hear of it")
        one.stop()
        two.stop()
        three.start()  # alone, it does not know yet
        self.feed(three, branch.checkouts(200, 3))
        one.start()
        two.start()
        for d in (one, two):
            wait_until(lambda d=d: d.status()["refused"]["handshakes"] > 0, 10,
                       f"{d.name} to refuse it")
        self.assertEqual([10, 10], [held(d) for d in (one, two)])
        exported = self.home / "exported"
        one.cli("export", "--format", "symphony", "--out", exported)
        text = exported.read_text()
        for n in range(5):
            self.assertIn(branch.item(n), text)
            self.assertIn(branch.item(100 + n), text)
        for n in range(3):
            self.assertNotIn(branch.item(200 + n), text)
        self.assertEqual([10, 10], [held(d) for d in (one, two)])

    def test_a_desk_that_is_revoked_while_it_runs_is_cut_off(self):
        one, two, three = self.branch()
        one.cli("revoke", "KIDS-1", "--lead-passphrase-file", self.lead)
        for d in (one, two):
            wait_until(lambda d=d: states(d)["KIDS-1"] == "revoked", 5, f"{d.name} to know")
        three.feed(branch.checkouts(0, 5))  # recorded, or refused if it has heard: both are fine
        self.feed(two, branch.checkouts(100, 5))
        all_hold([one, two], 5, 3)
        pass_time(1.5)
        self.assertEqual([5, 5], [held(d) for d in (one, two)])
        self.assertNotIn(branch.item(100), "".join(r.get("item", "")
                                                   for r in branch.log_list(three)))


class Seats(branch.Case):
    """Two of three seats are a majority: the branch must go on voting without the third."""

    def assert_uploads(self, desk):
        try:
            self.upload(desk, deadline=20)
        except branch.drive.Timeout:
            self.fail(f"the upload waits for ever: {desk.upload_status()['message']}; "
                      f"{desk.status()['ledger']}")
        self.assertEqual(1, len(self.files()))

    def voting(self):
        desks = self.branch()
        self.feed(desks[0], branch.checkouts(0, 5))
        all_hold(desks, 5, 5)
        for d in desks:
            wait_until(lambda d=d: d.status()["ledger"]["may_vote"], 10, f"{d.name} to vote")
        return desks

    def test_a_branch_of_three_can_upload_after_one_is_revoked(self):
        one, _, _ = self.voting()
        one.cli("revoke", "KIDS-1", "--lead-passphrase-file", self.lead)
        self.assert_uploads(one)

    def test_a_branch_of_three_can_upload_when_one_has_lost_its_memory(self):
        one, two, three = self.voting()
        two.stop()
        old = self.home / "old-copy"
        shutil.copytree(two.state, old)
        two.start()
        wait_until(lambda: two.status()["ledger"]["start_confirmed"], 5, "the others to know this start")
        two.stop()
        shutil.rmtree(two.state)
        old.rename(two.state)
        two.start()
        wait_until(lambda: "peer_memory_lost" in problem_codes(one), 5, "MAIN-1 to say so")
        self.assert_uploads(one)

    def test_a_restarted_seat_keeps_silent_until_a_majority_of_the_others_remembers_it(self):
        """L7: with one seat dead, a restarted one has no vote until the dead one is back."""
        one, two, three = self.voting()
        three.kill9()
        two.stop()
        two.start()
        self.all_online([one, two])
        uploading = threading.Thread(target=self.upload, args=(one, False), daemon=True)
        uploading.start()
        wait_until(lambda: "upload_waits" in problem_codes(one), 20, "it to say that it waits")
        self.assertFalse(two.status()["ledger"]["may_vote"])
        self.assertEqual([], self.files())
        three.start()
        wait_until(lambda: one.upload_status()["state"] in ("delivered", "settled"), 30, "the upload")
        uploading.join(10)
        self.assertEqual(1, len(self.files()))


# ---- a real partition ------------------------------------------------------------------------

class Partition(NetCase):
    def heal_time(self, cut, heal):
        """Seconds from the partition's end until every desk holds every record."""
        one, two, three = self.desks
        base = held(one)
        self.feed(one, branch.checkouts(base, 20))
        all_hold(self.desks, base + 20, 3)
        began = time.monotonic()
        cut()
        self.feed(one, branch.checkouts(1000 + base, 50))
        self.feed(two, branch.checkouts(2000 + base, 50))
        self.feed(three, branch.checkouts(3000 + base, 50))
        all_hold([two, three], base + 120, 3)
        pass_time(max(0, began + 7 - time.monotonic()))
        self.assertEqual(base + 70, held(one), "the partition held")
        self.assertNotEqual("online", states(one)["MAIN-2"])
        healed = time.monotonic()
        heal()
        done = {}

        def watch(d):
            wait_until(lambda: held(d) == base + 170, 20, f"{d.name} to hold all")
            done[d.name] = time.monotonic() - healed
        threads = [threading.Thread(target=watch, args=(d,)) for d in self.desks]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(3, len(done), done)
        return max(done.values())

    def test_a_healed_partition_is_whole_again(self):
        """Frames vanish silently, as when a switch dies; then the link."""
        one = self.desks[0]
        silent = self.heal_time(lambda: self.cut_off(one), lambda: self.plug_back(one))
        link = self.heal_time(lambda: ip("link", "set", one.host_end, "down"),
                              lambda: ip("link", "set", one.host_end, "up"))
        print(f"[healed {silent:.2f} s after silent loss, {link:.2f} s after link down; the aim: 1 s]",
              end=" ", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
