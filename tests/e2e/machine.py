"""A small machine with a real systemd: namespaces over this machine's own /usr, /etc and /var.

What it writes lies in memory and is gone with it; it has its own processes, network and cgroup.
Needs root, systemd, overlayfs and a cgroup2 hierarchy that may be written."""
import os
import pathlib
import shutil
import subprocess

import drive

BOOT = """
set -e
mount -t tmpfs -o size=700m,mode=755 tmpfs "$1"
cd "$1"
mkdir -p .up .work usr etc var proc sys run tmp dev root home srv opt mnt
for d in usr etc var; do
  mkdir .up/$d .work/$d
  mount -t overlay overlay -o lowerdir=/$d,upperdir=.up/$d,workdir=.work/$d $d
done
for l in bin sbin lib lib32 lib64 libx32; do [ ! -L /$l ] || cp -P /$l $l; done
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs tmpfs sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
for d in run tmp dev; do mount -t tmpfs -o mode=$([ $d = tmp ] && echo 1777 || echo 755) tmpfs $d; done
mkdir dev/pts dev/shm run/old
for f in null zero full random urandom tty; do cp -a /dev/$f dev/; done
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
touch dev/console etc/machine-id
rm -f var/lib/man-db/auto-update # which would go through all manual pages at each dpkg -i
rm -f usr/sbin/policy-rc.d # containers have one, against services
rm -rf var/lib/tideover # of a desk that this machine is, or of a test that installs the package there
ip link set lo up
pivot_root . run/old
umount -l /run/old
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=sysinit.target
"""


def why_not():
    """Why there can be none here; empty: there can."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [x for x in ("unshare", "nsenter", "ip", "setpriv") if not shutil.which(x)]
    if missing or not pathlib.Path("/lib/systemd/systemd").exists():
        return f"needs systemd {' '.join(missing)}"
    if _cgroups() is None or "overlay" not in pathlib.Path("/proc/filesystems").read_text():
        return "needs cgroup2 and overlayfs"
    return ""


def _cgroups():
    for path in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        if pathlib.Path(path, "cgroup.procs").exists() and os.access(path, os.W_OK):
            return pathlib.Path(path)
    return None


class Machine:
    def __init__(self, home):
        self.home = home / "machine"
        self.home.mkdir()
        self.cgroup = _cgroups() / f"tideover-test-{os.getpid()}"
        self.outer = self.pid = None

    def boot(self):
        self.cgroup.mkdir()
        with open(self.home.parent / "machine.log", "wb") as log:
            self.outer = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL",  # it does not outlive who booted it
                 "sh", "-c", 'echo $$ > "$0/cgroup.procs"; exec "$@"', str(self.cgroup), "unshare",
                 "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--fork",
                 "--kill-child", "sh", "-c", BOOT, "sh", str(self.home)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        drive.wait_until(self._is_up, 60, "systemd to be up")

    def _is_up(self):
        if self.outer.poll() is not None:
            raise RuntimeError((self.home.parent / "machine.log").read_text())
        children = pathlib.Path(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children").read_text()
        self.pid = int(children.split()[0]) if children else None
        if self.pid is None or "systemd" not in pathlib.Path(f"/proc/{self.pid}/comm").read_text():
            return False
        said = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return said in ("running", "degraded")

    def run(self, *words, check=True, text=None):
        p = subprocess.run(
            ["nsenter", "-t", str(self.pid), "-m", "-p", "-n", "-u", "-i", "-C", "--wd=/",
             *map(str, words)], capture_output=True, text=True, input=text or "", timeout=120,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"})
        if check and p.returncode != 0:
            raise RuntimeError(f"{words}: exit {p.returncode}: {p.stdout}{p.stderr}")
        return p

    def path(self, inside):
        """Of a file in it, from here."""
        return pathlib.Path(f"/proc/{self.pid}/root{inside}")

    def end(self):
        if self.outer:
            if self.pid and self.outer.poll() is None:
                os.kill(self.pid, 9)  # its first process: all others end with it
            self.outer.wait(30)
        if self.cgroup.exists():
            drive.wait_until(self._cgroup_gone, 30, "its cgroup to be empty")

    def _cgroup_gone(self):
        folders = sorted(self.cgroup.rglob("*/"), reverse=True) + [self.cgroup]
        try:
            for f in folders:
                f.rmdir()
        except OSError:
            return False
        return True
