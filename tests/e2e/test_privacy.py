#!/usr/bin/env python3
"""What must be readable nowhere: barcodes, names, the passphrase, a one-time code."""
import contextlib
import os
import pathlib
import socket
import struct
import sys
import threading
import unittest

import branch
from branch import all_hold, checkout, item, user, wait_until

CARD, THING, FAMILY = user(31337), item(31337), "Qanarywicz"
MAIL, STREET = "canary@qanary.example", "Canaryweg 17"


def canaries(code=""):
    texts = [CARD, THING, CARD[:-1], THING[:-1], FAMILY, FAMILY.upper(), MAIL, STREET,
             branch.PASSPHRASE] + ([code, code.replace("-", "")] if code else [])
    return [t.encode() for t in texts] + [FAMILY.encode("utf-16-le")]


class Wire:
    """All packets on the loopback, but those of the local pages: HTTP there is for this PC alone."""

    def __init__(self, without):
        self.without, self.seen, self.packets, self.found = set(without), 0, 0, set()
        self.ports = set()
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self.sock.bind(("lo", 0))
        self.sock.settimeout(0.05)
        self.open = True
        self.thread = threading.Thread(target=self.listen, daemon=True)

    def listen(self):
        looked_for = canaries()
        while self.open:
            try:
                frame = self.sock.recv(1 << 17)
            except TimeoutError:
                continue
            if frame[12:14] != b"\x08\x00" or frame[23] != 6:
                continue
            at = 14 + 4 * (frame[14] & 15)
            ports = set(struct.unpack("!HH", frame[at:at + 4]))
            if ports & self.without:
                continue
            self.packets += 1
            self.seen += len(frame)
            self.ports |= ports
            for c in looked_for:
                if c in frame:
                    self.found.add((c, tuple(ports)))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.open = False
        self.thread.join()
        self.sock.close()


class Privacy(branch.Case):
    def branch(self, names=branch.NAMES, start=True):
        """At the level that says most."""
        desks = super().branch(names, start=False)
        for d in desks:
            conf = d.state / "tideover.conf"
            conf.write_text(conf.read_text().replace("#level = info", "level = debug"))
            if start:
                d.start()
        if start:
            self.all_online(desks)
        return desks

    def type_canaries(self, desk):
        """By a pipe, as the manual says: arguments can be seen by others."""
        ids = self.feed(desk, [
            {"op": "user", "user": CARD, "first": "Zoë", "last": FAMILY, "email": MAIL,
             "street": STREET, "city": "Town", "key": f"{1:032x}"},
            checkout(1, user=CARD, item=THING),
            *({"op": "discharge", "item": THING, "key": f"{k:032x}"} for k in range(2, 6)),
            *branch.checkouts(1000, 60)])
        return ids

    def assert_clean_file(self, path, looked_for):
        data = path.read_bytes()
        for c in looked_for:
            self.assertNotIn(c, data, path)

    def assert_clean(self, code=""):
        """Everything under the state directories, and what the nodes said."""
        looked_for, files = canaries(code), 0
        for d in self.desks:
            for path in d.state.rglob("*"):
                if path.is_file():
                    with contextlib.suppress(FileNotFoundError):
                        self.assert_clean_file(path, looked_for)
                        files += 1
            for ending in ("out", "err", "batch.err"):
                path = pathlib.Path(f"{d.state}.{ending}")
                if path.exists():
                    self.assert_clean_file(path, looked_for)
        self.assertGreater(files, 4 * len(self.desks))
        for d in self.desks:
            for path in d.state.rglob("*"):
                for c in looked_for:
                    self.assertNotIn(c, str(path).encode())

    def assert_clean_processes(self):
        for d in self.desks:
            for name in ("cmdline", "environ"):
                try:
                    data = pathlib.Path(f"/proc/{d.node.pid}/{name}").read_bytes()
                except PermissionError:  # not dumpable, and we are not root: nobody else is either
                    continue
                for c in canaries():
                    self.assertNotIn(c, data, name)

    def test_state_log_and_process_list_hold_no_barcode_no_name_no_passphrase(self):
        desks = self.branch()
        code = desks[0].invite("NEW", passphrase_file=self.lead).out.strip()
        self.type_canaries(desks[0])
        all_hold(desks, 66, 5)
        branch.log_list(desks[0])
        desks[0].cli("upload", "plan")
        for bad in ({"op": "checkout", "user": CARD, "item": CARD}, {"op": "user", "user": CARD,
                                                                      "last": FAMILY + "\x01"}):
            path = self.home / "bad"
            path.write_text(branch.json.dumps(bad) + "\n")
            self.assertEqual(65, desks[0].cli("record", "--batch", path, check=False).rc)
        self.assert_clean(code)
        self.assert_clean_processes()
        desks[0].kill9()
        desks[1].stop()
        self.assert_clean(code)
        desks[0].start()
        desks[1].start()
        self.assert_clean(code)

    def test_the_log_holds_no_pin_no_code_no_token(self):
        (d,) = self.branch(branch.NAMES[:1])
        d.cli("pin", "set", "lead", "--pin-file", branch.write_secret(self.home / "pin", "739154"))
        secrets = ["739154", d.cli("open", "--print").out.split("#")[1].strip()]
        secrets += [(d.state / "run" / f"{x}.token").read_text() for x in ("ctl", "desk")]
        d.stop()
        self.assertIn("debug: POST /api/v1/login-code", d.log())
        for s in secrets:
            self.assertGreater(len(s), 5)
            self.assertNotIn(s, d.log())

    def test_after_an_upload_only_the_sinks_file_holds_barcodes(self):
        desks = self.branch()
        self.type_canaries(desks[0])
        all_hold(desks, 66, 5)
        self.assertEqual(0, self.upload(desks[0]).rc)
        (log,) = self.files()
        self.assertIn(THING.encode(), log.read_bytes())
        self.assertEqual(0, log.stat().st_mode & 0o077, "others on the PC cannot read it")
        for d in desks:
            wait_until(lambda d=d: d.upload_status()["state"] in ("delivered", "settled"), 10, f"{d.name}")
            d.cli("upload", "report")
        self.assert_clean()
        left = [p.name for d in desks for p in d.state.glob("uploads/*")]
        self.assertEqual(1, len(left), left)
        self.assertRegex(left[0], r"^slot-\d{6}\.manifest$")
        (manifest,) = (p for d in desks for p in d.state.glob("uploads/*.manifest"))
        text = manifest.read_text()
        self.assertNotRegex(text, r"\b[23]9999\d{9}\b")
        self.assertEqual(66, sum(not x.startswith("#") for x in text.splitlines()))
        self.assertEqual(0, manifest.stat().st_mode & 0o077)

    def test_a_failed_delivery_leaves_no_part_files(self):
        desks = self.branch()
        self.type_canaries(desks[0])
        all_hold(desks, 66, 5)
        self.sink.rmdir()
        threading.Thread(target=self.upload, args=(desks[0], False), daemon=True).start()
        wait_until(lambda: any("cannot write to" in (d.upload_status()["message"] or "")
                               for d in desks), 20, "the delivery to fail")
        self.assert_clean()
        self.sink.mkdir()
        for d in desks:
            wait_until(lambda d=d: d.upload_status()["state"] in ("delivered", "settled"), 30, f"{d.name}")
        self.assert_clean()

    def test_what_is_being_handed_over_stands_in_no_file_with_a_name(self):
        """Whoever copies the state directory in the middle of an upload has no plain text, and none is
        left of an uploader that is killed then."""
        one, *_ = desks = self.branch()
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(40)
            sink = f"key:http://127.0.0.1:{server.getsockname()[1]}/in/"
            self.publish(one, branch.policy_text(self.sink).replace(f"file:{self.sink}", sink))
            self.type_canaries(one)
            threading.Thread(target=self.upload, args=(one, False), daemon=True).start()
            came = b""
            with server.accept()[0] as c:
                c.settimeout(20)
                while THING.encode() not in came:
                    came += c.recv(65536)
                self.assertTrue([p for d in desks for p in d.state.glob("uploads/*.manifest")])
                self.assert_clean()
                for d in desks:
                    d.kill9()
        self.assert_clean()

    def test_packets_between_desks_hold_no_barcode_no_name(self):
        if os.geteuid() != 0:
            self.skipTest("a raw packet socket needs root")
        desks = self.branch(start=False)
        with Wire(d.web_port for d in desks) as wire:
            for d in desks:
                d.start()
            self.all_online(desks)
            self.type_canaries(desks[0])
            all_hold(desks, 66, 5)
            desks[2].stop()  # and by catch-up
            self.feed(desks[1], [checkout(2, user=CARD, item=THING)])
            desks[2].start()
            all_hold(desks, 67, 5)
        self.assertTrue({d.port for d in desks} <= wire.ports, "the desks' traffic was seen")
        self.assertGreater(wire.seen, 10_000)
        self.assertEqual(set(), wire.found)

    def test_the_capture_would_have_seen_a_canary(self):
        if os.geteuid() != 0:
            self.skipTest("a raw packet socket needs root")
        (d,) = self.branch(branch.NAMES[:1])
        with Wire([]) as wire:
            self.type_canaries(d)  # over the local API, which is plain HTTP
            wait_until(lambda: wire.found, 5, "the canary on the loopback")

    def test_a_refusal_repeats_to_the_typist_but_the_log_stays_silent(self):
        (d,) = self.branch(branch.NAMES[:1])
        said = d.cli("record", "discharge", "--item", CARD, check=False)
        self.assertIn(CARD, said.err)
        self.assertNotIn(CARD, d.log())

    def test_the_list_for_people_shortens_user_numbers(self):
        (d,) = self.branch(branch.NAMES[:1])
        self.type_canaries(d)
        self.assertNotIn(CARD, d.cli("log", "list").out)
        self.assertIn(CARD, d.cli("log", "list", "--full").out)


def alone():
    """Into a network of its own: it reads every packet on loopback, and would find another test's."""
    if os.geteuid() == 0 and "TIDEOVER_ALONE" not in os.environ:
        os.environ["TIDEOVER_ALONE"] = "1"
        os.execvp("unshare", ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh",
                              sys.executable, *sys.argv])


if __name__ == "__main__":
    alone()
    unittest.main(verbosity=2)
