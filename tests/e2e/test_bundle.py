#!/usr/bin/env python3
"""A desk whose network is dead: its records go on a stick to another one, and into the upload."""
import json
import signal
import unittest

import branch
from branch import all_hold, checkouts, held, wait_until


class Bundle(branch.Case):
    @staticmethod
    def parts(path):
        """The first line, then each part with its length."""
        whole = path.read_bytes()
        at = whole.index(b"\n") + 1
        found = [whole[:at]]
        while at < len(whole):
            end = at + 4 + int.from_bytes(whole[at:at + 4], "big")
            found.append(whole[at:end])
            at = end
        return found

    def test_a_desk_without_a_network_is_in_the_upload(self):
        one, two, three = self.branch()
        for d in one, two:  # nobody hears it, as with a dead switch
            d.node.send_signal(signal.SIGSTOP)
            self.addCleanup(d.node.send_signal, signal.SIGCONT)
        wait_until(lambda: three.status()["peers"]["online"] == 0, 20, "three to be alone")
        self.feed(three, checkouts(1, 30))
        stick = self.home / "kids.bundle"
        said = three.cli("bundle", "export", stick)
        self.assertIn("tideover bundle import", said.out)
        self.assertEqual(0o600, stick.stat().st_mode & 0o777)
        self.assertNotIn(b"29999000", stick.read_bytes())
        self.assert_refused(three.cli("bundle", "export", stick, check=False), 73, "there already")
        own = three.cli("bundle", "import", stick, check=False)
        self.assert_sentence(own.err, "wrote that file itself")
        three.stop()

        for d in one, two:
            d.node.send_signal(signal.SIGCONT)
        wait_until(lambda: one.status()["peers"]["online"] == 1, 20, "one and two to meet again")
        whole = stick.read_bytes()
        torn = self.home / "torn.bundle"
        torn.write_bytes(whole[:-1])
        self.assert_sentence(one.cli("bundle", "import", torn, check=False).err, "ends too early")
        bent = self.home / "bent.bundle"
        bent.write_bytes(whole[:-80] + bytes([whole[-80] ^ 1]) + whole[-79:])
        self.assert_sentence(one.cli("bundle", "import", bent, check=False).err, "damaged or forged")
        self.assertEqual(0, held(one))
        for new in (30, 0):  # twice is once
            got = one.cli("bundle", "import", stick, json=True)["files"][0]
            self.assertEqual((three.name, new, 0), (got["desk"], got["records"], got["refused"]))
        all_hold([one, two], 30, 20)
        self.upload(one)
        self.assertEqual(30, sum(1 for p in self.files() if p.suffix != ".flat"
                                 for _ in p.read_bytes().splitlines()))

        # What three sent last may be heard by the woken desks only now: then it counts as here.
        wait_until(lambda: ["KIDS-1"] == [d["desk"] for d in one.cli("upload", "plan", json=True)["desks"]
                                          if not d["complete"]], 60, "three alone to be missed")
        said = one.cli("report").out
        self.assertNotIn("Nothing is unsent", said)
        self.assertIn("As far as 2 of the 3 desks know, nothing is unsent", said)
        self.assertRegex(said, r"KIDS-1 (was last seen .*|has not been heard .*)may have more")
        page = self.home / "outage.html"
        facts = one.cli("report", json=True)
        one.cli("report", "--html", page)
        for said in page.read_text(encoding="utf-8"), json.dumps(facts):
            self.assertIn(facts["upload"]["parts"][0]["sha256"], said)
            self.assertNotRegex(said, r"[0-9]{14}")  # no barcode in full

        bus = self.desk("BUS")  # whom three knows by that file alone
        bus.join(one.invite(bus.name, passphrase_file=self.lead).out.strip())
        self.feed(one, checkouts(1000, 7000))
        all_hold([one, two], 7030, 60)
        self.upload(one)
        back = self.home / "back.bundle"  # and the way back: it learns that they are uploaded
        one.cli("bundle", "export", back)
        one.stop()
        two.stop()
        three.start()
        holed = self.home / "holed.bundle"  # a part cut out of its middle
        holed.write_bytes(b"".join(p for i, p in enumerate(self.parts(back)) if i != 2))
        self.assert_sentence(three.cli("bundle", "import", holed, check=False).err, "a part is missing before part 3.*or another file came in between")
        three.cli("bundle", "import", back)
        self.assertEqual(7030, held(three))
        self.assertEqual(0, three.status()["records"]["pending"])
        (row,) = [p for p in three.peers() if p["name"] == bus.name]
        self.assertEqual(("unreachable", "no_address"), (row["state"], row["last_error"]["code"]))
        self.assertIn("nobody has said yet where it is", three.cli("peers").out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
