#!/usr/bin/env python3
"""Real desks for a page test: commands as JSON lines on standard input, an answer line for each.

{"do": "found", "desks": 3}             -> {"desks": ["MAIN-1", ..], "lead": passphrase file, "sink": DIR}
                                           "small": true: desk 0 lies on a small disk of its own (null: needs root);
                                           "asleep": true: the PCs may be sent to sleep
{"do": "fill" | "free"}                 the small disk
{"do": "sleep", "seconds": 600}         every PC's wall clock and boot clock are ahead by so much more
{"do": "start" | "stop" | "kill9" | "freeze" | "thaw", "desk": 0}
{"do": "cli", "desk": 0, "args": [..], "input": TEXT}   -> {"rc", "out", "err"}
{"do": "feed", "desk": 0, "first": 1, "count": 20}      -> {"ids": [..]}: loans of items that only they have
{"do": "lines", "desk": 0, "lines": [{"op": ..}, ..]}   -> {"answers": [..]}
{"do": "publish", "desk": 0, "more": TEXT}              the branch's policy with these lines behind it
                                                        ("instead": [old, new] changes a line of it)
{"do": "pin", "desk": 0, "page": "lead", "pin": "1234"}
{"do": "files"}                                         -> {"files": [paths that arrived]}
{"do": "ils", "name": "koha", "sink": "koha:URL", "format": "koha", "args": [..], "more": TEXT}
                                                        a sample server, and a policy that uploads to it
                                                        (in args HOME is a folder of the test)
{"do": "show"}                                          how the desks stand, on standard error
{"do": "watch"}                                         the policy watches that server
{"do": "ils_stop" | "ils_start"}                        it goes, and comes back at the same port

An error: {"error": TEXT}. Everything ends with standard input."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import uuid

E2E = pathlib.Path(__file__).resolve().parents[1] / "e2e"
sys.path.insert(0, str(E2E))

import branch  # noqa: E402  (the path is set above)
import ils  # noqa: E402


class Stage(branch.Case):
    """A branch of the end-to-end tests without a test around it."""

    def runTest(self):
        pass

    def found(self, desks=1, start=True, small=False, asleep=False):
        self.setUp()
        self.branch(branch.NAMES[:desks], start=start and not small,
                    envs=[self.bed()] * desks if asleep else None)
        if small:
            small = self.small_disk(self.desks[0])
            for d in self.desks:
                d.start()
            self.all_online(self.desks)
        return {"small": small,"desks": [d.name for d in self.desks], "lead": str(self.lead), "sink": str(self.sink),
                "states": [str(d.state) for d in self.desks], "binary": str(branch.BINARY),
                "web": [d.web_port for d in self.desks], "root": str(self.root)}

    def bed(self):
        """The environment of a node that sleep() reaches."""
        lib, self.slept = self.home / "asleep.so", self.home / "slept"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", lib, E2E / "asleep.c"], check=True)
        self.slept.write_bytes(struct.pack("=q", 0))
        return {"LD_PRELOAD": str(lib), "ASLEEP": str(self.slept)}

    def sleep(self, seconds):
        with open(self.slept, "r+b") as f:  # in place: the nodes look at these very bytes
            now, = struct.unpack("=q", f.read(8))
            f.seek(0)
            f.write(struct.pack("=q", now + seconds))

    def small_disk(self, desk):
        small = self.home / "small"
        small.mkdir()
        said = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={24 << 20},mode=700", "tideover-test", small],
                              capture_output=True, text=True, check=False) if os.geteuid() == 0 else None
        if said is None or said.returncode != 0:
            return None
        self.mounted = small
        shutil.copytree(desk.state, small, dirs_exist_ok=True)
        shutil.rmtree(desk.state)
        desk.state = small
        return str(small)

    def fill(self):
        with open(self.mounted / "ballast", "ab", buffering=0) as f:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while f.write(bytes(size)):
                        pass
                except OSError:
                    pass

    def free(self):
        (self.mounted / "ballast").unlink()

    def start(self, desk):
        self.desks[desk].start()

    def stop(self, desk):
        return {"rc": self.desks[desk].stop()}

    def kill9(self, desk):
        self.desks[desk].kill9()

    def freeze(self, desk):
        self.desks[desk].node.send_signal(19)

    def thaw(self, desk):
        self.desks[desk].node.send_signal(18)

    def cli(self, desk, args, input=None, deadline=60):
        said = self.desks[desk].cli(*args, check=False, text=input or "", deadline=deadline)
        return {"rc": said.rc, "out": said.out, "err": said.err}

    def feed(self, desk, first, count):
        return {"ids": super().feed(self.desks[desk], branch.checkouts(first, count))}

    def lines(self, desk, lines):
        for line in lines:
            line.setdefault("key", uuid.uuid4().hex)
        return {"answers": self.desks[desk].feed(lines)}

    def publish(self, desk, more, instead=("", "")):
        super().publish(self.desks[desk], branch.policy_text(self.sink).replace(*instead) + more)

    def pin(self, desk, page, pin):
        path = branch.write_secret(self.home / "pin", pin)
        self.desks[desk].cli("pin", "set", page, "--pin-file", path)

    def ils(self, name, sink, format, args=(), more=""):
        if getattr(self, "server", None):
            self.server.stop()
        self.server_is = [name, *(a.replace("HOME", str(self.home)) for a in args)]
        self.server = ils.Server(self.home, *self.server_is)
        sink = sink.replace("URL", self.server.url)
        self.policy = branch.policy_text(self.sink).replace(
            f"file:{self.sink}", f"{sink}\ncredential = ils").replace(
            "format = symphony", f"format = {format}") + more
        for d in self.desks:
            d.cli("credential", "set", "ils", "user", text="tideover\n")
            d.cli("credential", "set", "ils", "password", text="secret\n")
        self.publish_text(self.policy)

    def publish_text(self, text):
        super().publish(self.desks[0], text)
        for d in self.desks:
            branch.wait_until(lambda d=d: text.split("[merge]")[1] in d.cli("policy", "show").out, 60, "the policy")

    def watch(self):
        self.publish_text(self.policy + f"[server]\nprobe = tcp:127.0.0.1:{self.server.port}\nevery = 1s\n"
                          "offline_after = 2\nback_after = 1\n")

    def ils_stop(self):
        self.server.stop()

    def ils_start(self):
        self.server = ils.Server(self.home, *self.server_is, port=self.server.port)

    def doCleanups(self):
        if getattr(self, "server", None):
            self.server.stop()
        for d in getattr(self, "desks", []):
            d.kill9()  # nothing is unmounted under a node
        if getattr(self, "mounted", None):
            subprocess.run(["umount", "-l", str(self.mounted)], check=False)
        super().doCleanups()

    def files(self):
        return {"files": [str(p) for p in super().files()]}


DO = ("found", "fill", "free", "sleep", "start", "stop", "kill9", "freeze", "thaw", "cli", "feed", "lines", "publish", "pin", "files",
      "ils", "watch", "ils_stop", "ils_start", "show")


def main():
    stage = Stage()
    try:
        for line in sys.stdin:
            command = json.loads(line)
            do = command.pop("do")
            try:
                if do not in DO:
                    raise ValueError(f"no such command: {do}")
                answer = getattr(stage, do)(**command) or {}
            except BaseException as e:  # the test shows it; the stage goes on
                if isinstance(e, (KeyboardInterrupt, SystemExit)):
                    raise
                answer = {"error": f"{do}: {type(e).__name__}: {e}"}
            print(json.dumps(answer), flush=True)
    finally:
        stage.doCleanups()


if __name__ == "__main__":
    main()
