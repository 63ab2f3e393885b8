"""A disk whose power can be cut: ext4 on a loop device, and the shutdown ioctl that forgets
everything not flushed (EXT4_IOC_SHUTDOWN with NOLOGFLUSH, Linux fs/ext4/ioctl.c).

kill -9 never finds a missing flush, because the kernel still writes what it was given."""
import atexit
import fcntl
import os
import pathlib
import shutil
import struct
import subprocess
import time

EXT4_IOC_SHUTDOWN, NOLOGFLUSH = 0x8004587D, 2
SKIPPED = 77  # ctest: SKIP_RETURN_CODE


def _run(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout.strip()


class Disk:
    """An ext4 file system of its own at `path`, gone when the process ends."""

    def __init__(self, path, mib=512):
        self.path, self.image = pathlib.Path(path), pathlib.Path(f"{path}.img")
        self.loop, self.mounted = None, False
        self.path.mkdir(parents=True)
        atexit.register(self.close)
        with open(self.image, "wb") as f:
            f.truncate(mib << 20)
        _run("mkfs.ext4", "-q", "-F", str(self.image))
        self.loop = _run("losetup", "-f", "--show", str(self.image))
        self._mount()

    def _mount(self):
        _run("mount", "-t", "ext4", self.loop, str(self.path))
        self.mounted = True

    def cut(self):
        """The power goes. Until restore() every write and flush fails."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            here, below = os.fstat(fd).st_dev, os.stat(self.path.parent).st_dev
            if here == below or not self.mounted:  # never the machine's own disk
                raise RuntimeError(f"{self.path} is no disk of its own")
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(fd)

    def _unmount(self):
        for _ in range(100):  # a process that was killed lets go of its files a moment later
            try:
                _run("umount", str(self.path))
                self.mounted = False
                return
            except subprocess.CalledProcessError as e:
                last = e
                time.sleep(0.02)
        raise last

    def _lives(self):
        probe = self.path / ".alive"
        try:
            probe.touch()
            probe.unlink()
            return True
        except OSError:
            return False

    def restore(self):
        """The power is back: what was flushed is there. Nobody may have a file open. Another mount
        namespace (each `ip netns exec` copies all mounts) may hold the file system that was cut off
        longer, and a mount shows that one again: then once more."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            self._unmount()
            self._mount()
            if self._lives():
                return
            time.sleep(0.1)
        raise RuntimeError(f"{self.path} stays cut off")

    def close(self):
        atexit.unregister(self.close)
        if self.mounted:
            self._unmount()
        if self.loop:
            _run("losetup", "-d", self.loop)
            self.loop = None
        self.image.unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)


def why_not():
    """None, or why this machine cannot cut the power of a disk."""
    if os.geteuid() != 0:
        return "only root may mount a loop device"
    for tool in ("mkfs.ext4", "losetup", "mount"):
        if shutil.which(tool) is None:
            return f"there is no {tool}"
    if not os.path.exists("/dev/loop-control"):
        return "there are no loop devices"
    return None
