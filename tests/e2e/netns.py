"""Desks in network namespaces of their own, on one bridge: partitions that are real.

One way is cut in the sender's neighbour table: its frames to that desk get an address that nobody
has. Nobody is told, as with a switch that forgets; and it needs no packet filter."""
import ctypes
import os
import subprocess
import threading

import branch

CLONE_NEWNET = 0x40000000
NOBODY = "02:00:00:00:00:99"
_libc = ctypes.CDLL(None, use_errno=True)


def ip(*args, check=True):
    return subprocess.run(["ip", *args], check=check, capture_output=True, text=True)


def why_none():
    """Why there can be no namespaces here; None: there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"tide{os.getpid()}x"
    try:
        for args in (("netns", "add", name), ("netns", "exec", name, "true"),
                     ("link", "add", f"b{name[4:]}", "type", "bridge")):
            if (p := ip(*args, check=False)).returncode != 0:
                return f"ip {' '.join(args)}: {p.stderr.strip()}"
    except FileNotFoundError:
        return "there is no ip command"
    finally:
        ip("netns", "del", name, check=False)
        ip("link", "del", f"b{name[4:]}", check=False)
    return None


class inside:  # pylint: disable=invalid-name  (used as a word: with inside(space))
    """This thread's new sockets belong to that namespace, and stay there."""

    def __init__(self, space):
        self.space = space

    @staticmethod
    def _enter(path):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _libc.setns(fd, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns {path}")
        finally:
            os.close(fd)

    def __enter__(self):
        self.home = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        self._enter(f"/run/netns/{self.space}")

    def __exit__(self, *_):
        _libc.setns(self.home, CLONE_NEWNET)
        os.close(self.home)


class NetDesk(branch.Desk):
    """A desk in a namespace of its own, at 10.77.0.n."""

    def __init__(self, home, n, name, prefix):
        self.space, self.host_end = f"{prefix}n{n}", f"{prefix}v{n}"
        self.address = f"10.77.0.{n}"
        wrapper = home / f"in-{self.space}"
        wrapper.write_text(f'#!/bin/sh\nexec ip netns exec {self.space} {branch.BINARY} "$@"\n')
        wrapper.chmod(0o700)
        super().__init__(home / name.lower(), 7411, 7412, name, wrapper)

    def _addresses(self):
        return "--listen", f"{self.address}:7411", "--web", "127.0.0.1:7412"

    def deaf_to(self, other):
        """What `other` sends here is lost, from now on."""
        ip("-n", other.space, "neigh", "replace", self.address, "lladdr", NOBODY, "nud", "permanent",
           "dev", "eth0")

    def hears(self, other):
        ip("-n", other.space, "neigh", "del", self.address, "dev", "eth0", check=False)


class NetCase(branch.Case):
    """Three desks on one bridge: self.desks, self.lead, self.sink."""

    def setUp(self):
        super().setUp()
        if why := why_none():
            self.skipTest(why)
        prefix = f"t{os.getpid() % 100000}"
        self.bridge = f"{prefix}b"
        ip("link", "add", self.bridge, "type", "bridge", "forward_delay", "0")
        self.addCleanup(ip, "link", "del", self.bridge, check=False)
        ip("link", "set", self.bridge, "up")
        self.desks = [NetDesk(self.home, i + 1, name, prefix)
                      for i, name in enumerate(branch.NAMES)]
        for d in self.desks:
            self.plug_in(d)
            self.own(d)
        self.lead = branch.write_secret(self.home / "lead", branch.PASSPHRASE)
        self.sink = self.home / "sink"
        self.sink.mkdir()
        policy = self.home / "policy.ini"
        policy.write_text(branch.policy_text(self.sink), encoding="utf-8")
        first = self.desks[0]
        first.init("MAIN", policy=policy, passphrase_file=self.lead)
        first.start()
        for d in self.desks[1:]:
            d.join(first.invite(d.name, passphrase_file=self.lead).out.strip())
            d.start()
        self.all_online(self.desks)

    def plug_in(self, d):
        ip("netns", "add", d.space)
        self.addCleanup(ip, "netns", "del", d.space, check=False)
        ip("link", "add", d.host_end, "type", "veth", "peer", "name", "eth0", "netns", d.space)
        self.addCleanup(ip, "link", "del", d.host_end, check=False)
        ip("link", "set", d.host_end, "master", self.bridge)
        ip("link", "set", d.host_end, "up")
        for args in (("addr", "add", f"{d.address}/24", "dev", "eth0"),
                     ("link", "set", "eth0", "up"), ("link", "set", "lo", "up")):
            ip("-n", d.space, *args)

    def cut_off(self, d):
        """Silently, from everybody."""
        ip("link", "set", d.host_end, "nomaster")

    def plug_back(self, d):
        ip("link", "set", d.host_end, "master", self.bridge)
