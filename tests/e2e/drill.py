"""PCs to type on, and the lines of a manual to type there, word for word.

A PC is a namespace of everything: its own name, network, processes, and a file system that lies over
this machine's and forgets what was written. Over a Debian that never saw another program:

    mmdebstrap --include=libzmq5,libsodium23,liblmdb0,liblz4-1,libmicrohttpd12,libjansson4,libcurl4,libinih1,systemd,man-db bookworm /tmp/clean
    TIDEOVER_CLEAN_ROOT=/tmp/clean TIDEOVER_TYPED=1 tests/e2e/test_first_day.py     shows every screen

A line is typed on a terminal, as a person would; what it asks there is answered as a person would."""
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import branch
import netns

BUILD = pathlib.Path(branch.BINARY).resolve().parent
LOWER = os.environ.get("TIDEOVER_CLEAN_ROOT", "/")
PATIENCE = 60
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROMPT = re.compile(r"(\d+) root@[\w-]+:\S* # $")

# Stands in for systemd, which does not run in here: reads the unit that the package installed.
SYSTEMCTL = r"""#!/bin/sh
unit=/usr/lib/systemd/system/tideover.service
log=/run/tideover.journal
start() {
    [ -e "$(sed -n 's/^ConditionPathExists=//p' $unit)" ] || exit 0
    user=$(sed -n 's/^User=//p' $unit)
    group=$(sed -n 's/^Group=//p' $unit)
    for d in $(sed -n 's/^RuntimeDirectory=//p' $unit); do
        install -d -m 0750 -o "$user" -g "$group" "/run/$d"
    done
    : >$log
    setsid setpriv --reuid="$user" --regid="$group" --init-groups \
        $(sed -n 's/^ExecStart=//p' $unit) >$log 2>&1 </dev/null &
    echo $! >/run/tideover.pid
    while ! grep -q '^ready' $log; do
        kill -0 "$(cat /run/tideover.pid)" 2>/dev/null || { cat $log >&2; exit 1; }
        sleep 0.05
    done
}
stop() {
    pid=$(cat /run/tideover.pid) && rm /run/tideover.pid && kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}
words=
for w in "$@"; do case $w in -*) ;; *) words="$words ${w%.service}" ;; esac; done
case "$words" in
" start tideover") [ -e /run/tideover.pid ] || start ;;
" stop tideover") [ ! -e /run/tideover.pid ] || stop ;;
" restart tideover") [ ! -e /run/tideover.pid ] || stop; start ;;
" is-active tideover") [ -e /run/tideover.pid ] ;;
" is-enabled tideover") echo enabled ;;
" daemon-reload" | " preset tideover") ;;
*) echo "systemctl of the drill: not $*" >&2; exit 1 ;;
esac
"""

BOOT = r"""
set -e
mount -t tmpfs -o size=400m,mode=755 tmpfs {top}
mkdir {top}/upper {top}/work {top}/root
mount -t overlay overlay -o lowerdir={lower},upperdir={top}/upper,workdir={top}/work {top}/root
cd {top}/root
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p run/systemd/system # so that the package's scripts see a service manager
rm -f usr/sbin/policy-rc.d
mkdir -p srv/tideover media/stick-1 media/stick-2
for d in srv/tideover media/stick-1 media/stick-2; do mount --bind {shared}/$(basename $d) $d; done
hostname {name}
cp -a {shared}/pc/. .
rm -rf var/lib/man-db/auto-update var/lib/dpkg/updates/* # what this machine's own dpkg may be at
rm -rf root/.bash_history
echo up >{top}/up
exec chroot . /bin/sh -c 'while :; do sleep 1000 & wait; done' # and buries whoever ends in here
"""


def why_not_new():
    """PCs that lie over this machine are new only if Tideover was never installed on it."""
    return "Tideover is installed here" if os.path.exists(f"{LOWER}/var/lib/tideover") else None


class Refused(Exception):
    """A line of the manual did not do what it promises."""


class PC(netns.NetDesk):
    """In a namespace of its own at 10.77.0.n; `home` holds what is shared with the others."""

    def __init__(self, home, n, name, prefix):  # pylint: disable=super-init-not-called
        self.space, self.host_end = f"{prefix}n{n}", f"{prefix}v{n}"
        self.address, self.name = f"10.77.0.{n}", name
        self.top = home / f"pc-{name}"
        self.shared = home
        self.holder = self.master = None
        self.screen = ""
        self.typed = None

    def switch_on(self):
        self.top.mkdir(exist_ok=True)
        script = BOOT.format(top=self.top, lower=LOWER, shared=self.shared, name=self.name)
        # pylint: disable-next=consider-using-with
        self.holder = subprocess.Popen(
            ["ip", "netns", "exec", self.space, "unshare", "-m", "-u", "-i", "-p", "-f",
             "--kill-child", "--propagation", "private", "sh", "-c", script], stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while not self._inner():
            if self.holder.poll() is not None or time.monotonic() > end:
                raise Refused(f"{self.name} does not boot")
            time.sleep(0.02)
        self._log_in()

    def _inner(self):
        """The first process in there, once it is the shell of a PC that is up."""
        for p in pathlib.Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().split():
            if os.readlink(f"/proc/{p}/root") == f"{self.top}/root":
                return p
        return None

    def enter(self):
        """The words before a command that is to run in there."""
        pid = self._inner()
        return ["nsenter", "-t", pid, "-m", "-u", "-i", "-p", "-n",
                f"--root=/proc/{pid}/root", f"--wd=/proc/{pid}/root/root"]

    def run(self, *words, check=True, text=""):
        """Not typed: for what the test itself looks at."""
        return subprocess.run([*self.enter(), *map(str, words)], check=check, text=True,
                              capture_output=True, input=text, env={"PATH": PATH})

    def _log_in(self):
        words = self.enter()
        pid, self.master = pty.fork()
        if pid == 0:
            env = {"PATH": PATH, "HOME": "/root", "TERM": "dumb", "PS1": r"$? root@\h:\w # ", "LANG": "C.UTF-8",
                   "DEBIAN_FRONTEND": "noninteractive"}
            os.execvpe(words[0], [*words, "/bin/bash", "--noprofile", "--norc"], env)
        self.typed = pid
        self._see({})

    def _log_out(self):
        if self.master is not None:
            os.close(self.master)
            os.waitpid(self.typed, 0)
            self.master = None

    def switch_off(self):
        """As by its switch: nothing in there is asked."""
        if self.holder:
            for child in pathlib.Path(
                    f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
            self.holder.wait()
            self.holder = None
        self._log_out()
        shutil.rmtree(self.top, ignore_errors=True)

    def _see(self, answers):
        """What comes up until the prompt; questions are answered. (exit code, text)"""
        seen, answered, end = "", 0, time.monotonic() + PATIENCE
        while True:
            if m := PROMPT.search(seen):
                return int(m[1]), seen[:m.start()]
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise Refused(f"{self.name} says nothing more after:\n{seen}")
            seen += os.read(self.master, 65536).decode(errors="replace").replace("\r", "")
            for question, answer in answers.items():
                if re.search(question + r" ?$", seen[answered:]):
                    answered = len(seen)
                    os.write(self.master, (answer() if callable(answer) else answer).encode() + b"\n")
                    break

    def give(self, file):
        """A file for root, as from a stick."""
        shutil.copy(file, f"/proc/{self._inner()}/root/root/")

    def type(self, line, answers=None, rc=0):
        """One line of the manual. Returns what the screen showed."""
        os.write(self.master, line.encode() + b"\n")
        began = time.monotonic()
        got, text = self._see(answers or {})
        if os.environ.get("TIDEOVER_TYPED"):
            print(f"{self.name} # {line}   ({time.monotonic() - began:.1f} s)\n{text}")
        text = text.partition("\n")[2]
        self.screen += text
        if rc is not None and got != rc:
            raise Refused(f"{self.name} # {line}\n{text}\nexit code {got}, not {rc}")
        return text


def package(home):
    """The Debian package of the build under test."""
    if given := os.environ.get("TIDEOVER_PACKAGE"):
        return pathlib.Path(given)
    shutil.rmtree(BUILD / "_CPack_Packages", ignore_errors=True)
    # As if by Ninja: all is built, and make would look at every test first.
    subprocess.run(["cpack", "-G", "DEB", "-B", home / "package", "-D", "CPACK_CMAKE_GENERATOR=Ninja"],
                   cwd=BUILD, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return next((home / "package").glob("*.deb"))


def next_package(home, first):
    """The same, with the program of the next version in it."""
    tree = home / "next"
    subprocess.run(["dpkg-deb", "-R", first, tree], check=True)
    subprocess.run(["strip", "-o", tree / "usr/bin/tideover", BUILD / "next_tideover"], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace("Version: 0.1.0", "Version: 0.2.0"))
    made = home / "tideover_0.2.0_amd64.deb"
    subprocess.run(["dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "-b", tree, made], check=True,
                   stdout=subprocess.DEVNULL)
    return made


def chapter(path, title):
    """Its code blocks: [(language, where, [lines])], in the order of the page."""
    text = path.read_text(encoding="utf-8")
    body = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    if not body:
        raise Refused(f"{path.name} has no chapter {title}")
    return [(m[1], m[2].strip(), m[3].splitlines())
            for m in re.finditer(r"^ *```(\w+) +([^\n]*)\n(.*?)^ *```$", body[1], re.M | re.S)]


def set_in_ini(text, lines):
    """As by hand in an editor: each key in its section gets that value."""
    section = None
    for line in filter(None, map(str.strip, lines)):
        if line.startswith("["):
            section = line
            if section not in text.splitlines():
                text += f"\n{section}\n"
            continue
        key = line.partition("=")[0].strip()
        before, found, after = text.partition(f"{section}\n")
        own, more = re.match(r"((?:(?!^\[).*\n?)*)", after, re.M)[0], ""
        more = after[len(own):]
        own, n = re.subn(rf"(?m)^#? *{re.escape(key)} *=.*$", line, own, count=1)
        text = before + found + (own if n else line + "\n" + own) + more
    return text
