#!/usr/bin/env python3
"""The Debian package on this machine: built, looked over by lintian, installed, used, upgraded with
live data and back, removed, purged. Only as root, and only where it is not installed already."""
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess
import sys
import unittest

import branch
from branch import wait_until

BUILD = pathlib.Path(branch.BINARY).resolve().parent
STATE = pathlib.Path("/var/lib/tideover")
SKIPPED = 77


def run(*words, check=True, **more):
    return subprocess.run([str(w) for w in words], check=check, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, **more)


def is_installed():
    return run("dpkg-query", "-W", "tideover", check=False).returncode == 0


class Package(branch.Case):
    def build(self, version):
        out = self.home / version
        shutil.rmtree(BUILD / "_CPack_Packages", ignore_errors=True)
        run("cpack", "-G", "DEB", "-B", out, "-D", "CPACK_CMAKE_GENERATOR=Ninja",  # all is built already
            "-D", f"CPACK_PACKAGE_VERSION={version}",
            "-D", f"CPACK_DEBIAN_PACKAGE_VERSION={version}", cwd=BUILD)
        return next(out.glob("*.deb"))

    def assert_links_hold(self, package):
        """Of every text that comes with it, to what comes with it. The licence is in Debian's `copyright`."""
        run("dpkg-deb", "-x", package, self.home / "unpacked")
        texts = list((self.home / "unpacked/usr/share/doc/tideover").rglob("*.md"))
        self.assertGreaterEqual(len(texts), 8)
        for text in texts:
            for link in re.findall(r"\]\((?!https?:)([^)#]+)", text.read_text()):
                self.assertTrue(link == "LICENSE" or (text.parent / link).exists(), f"{text.name}: {link}")

    def purge(self):
        self.end_service()
        run("dpkg", "--purge", "tideover", check=False)

    def start_service(self):
        """As the unit does: its command, as its user, with a socket to hear what it reports."""
        unit = pathlib.Path("/usr/lib/systemd/system/tideover.service").read_text()
        command = re.search(r"^ExecStart=(.*)$", unit, re.M)[1].split()
        path = self.home / "notify"
        path.unlink(missing_ok=True)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(path))
        self.notify.settimeout(30)
        for p in (path, self.home, self.home.parent):
            os.chmod(p, 0o777 if p == path else 0o711)
        self.service = subprocess.Popen(
            ["setpriv", "--reuid=tideover", "--regid=tideover", "--clear-groups", *command],
            env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "900000", "PATH": os.environ["PATH"]},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.heard = []
        wait_until(lambda: "READY=1" in self.hear(), 30, "READY")

    def hear(self):
        self.heard.append(self.notify.recv(1000).decode())
        return self.heard[-1]

    def end_service(self):
        if getattr(self, "service", None):
            self.service.terminate()
            self.assertEqual(0, self.service.wait(10))
            self.service = None
            wait_until(lambda: "STOPPING=1" in self.hear(), 10, "STOPPING")
            self.notify.close()

    def tideover(self, *words):
        return run("tideover", *words).stdout

    def test_a_life_of_the_package(self):
        first, second = self.build("0.1.0"), self.build("0.1.1")
        said = run("lintian", first, check=False)
        self.assertEqual("", said.stdout)
        self.assert_links_hold(first)
        self.addCleanup(self.purge)
        run("dpkg", "-i", first)
        self.assertEqual(str(STATE), pwd.getpwnam("tideover").pw_dir)
        for page in ("1/tideover.1", "5/tideover.conf.5", "5/tideover-policy.5"):
            self.assertTrue(pathlib.Path(f"/usr/share/man/man{page}.gz").exists(), page)
        run("desktop-file-validate", "/usr/share/applications/tideover.desktop")
        for shell, path in (("bash", "bash-completion/completions/tideover"),
                            ("zsh", "zsh/vendor-completions/_tideover"),
                            ("fish", "fish/vendor_completions.d/tideover.fish")):
            if shutil.which(shell):
                run(shell, "-n", f"/usr/share/{path}")

        ports = branch.drive.free_port(), branch.drive.free_port()
        lead = self.home / "lead"
        self.tideover("init", "--branch", "MAIN", "--desk", "MAIN-1", "--lead-passphrase-file", lead,
                      "--listen", f"127.0.0.1:{ports[0]}", "--web", f"127.0.0.1:{ports[1]}")
        for path in [STATE, *STATE.rglob("*")]:
            self.assertEqual("tideover", path.owner(), path)
        wrong = run("tideover", "node", check=False)
        self.assertEqual(77, wrong.returncode)
        self.assertIn("belongs to tideover", wrong.stderr)

        self.start_service()
        wait_until(lambda: "WATCHDOG=1\nSTATUS=server" in self.hear(), 30, "the watchdog's word")
        id_ = self.tideover("record", "checkout", "--user", branch.user(1), "--item",
                            branch.item(1)).split()[0]
        for package in (second, first):  # up, and down again, each with a restart
            self.end_service()
            run("dpkg", "-i", package)
            self.start_service()
            self.assertIn(id_, self.tideover("log", "list"))
        self.end_service()
        run("dpkg", "--remove", "tideover")
        self.assertFalse(pathlib.Path("/usr/bin/tideover").exists())
        self.assertTrue((STATE / "store").exists())  # records are not the package's to remove
        run("dpkg", "--purge", "tideover")
        self.assertFalse(STATE.exists())


if __name__ == "__main__":
    if os.geteuid() != 0 or is_installed() or STATE.exists():
        print("needs root, and no tideover on this machine")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
