#!/usr/bin/env python3
"""Every desk's address changed overnight: they find each other by beacons, and only by them."""
import re
import unittest

import branch
import netns


class Beacon(netns.NetCase):
    def move(self, discovery):
        """All PCs get other addresses; nobody was on to hear of it."""
        for d in self.desks:
            d.stop()
        for d in self.desks:
            was, d.address = d.address, d.address.replace("10.77.0.", "10.77.0.5")
            netns.ip("-n", d.space, "addr", "del", f"{was}/24", "dev", "eth0")
            netns.ip("-n", d.space, "addr", "add", f"{d.address}/24", "broadcast", "10.77.0.255",
                     "dev", "eth0")
            conf = d.state / "tideover.conf"
            text = re.sub(r"(?m)^listen = 10\..*", "listen = 0.0.0.0:7411", conf.read_text())
            text = re.sub(r"(?m)^#?discovery.*", f"discovery = {discovery}", text)
            conf.write_text(text)
        for d in self.desks:
            d.start()

    def test_desks_find_each_other(self):
        one = self.desks[0]
        self.move("off")
        for i, d in enumerate(self.desks):  # at the old addresses is nobody
            self.assertIn("saved on 1 desk", d.cli("record", "discharge", "--item", branch.item(i)).out)
        for d in self.desks:
            d.stop()
            conf = d.state / "tideover.conf"
            conf.write_text(conf.read_text().replace("discovery = off", "discovery = lan"))
            d.start()
        self.all_online(self.desks, 30)
        self.feed(one, branch.checkouts(1, 5))
        branch.all_hold(self.desks, 5 + len(self.desks), 20)


if __name__ == "__main__":
    unittest.main(verbosity=2)
