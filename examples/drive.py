"""Desks as real processes: for examples/outage.py and the end-to-end tests.

    with Desk(dir, port, web_port, "MAIN-1", "build/release/tideover") as d:
        d.init("MAIN", policy="policy.ini", passphrase_file="lead")
        d.start()
        answers = d.feed(lines)

Only processes that were started here are ended, each by its own id, also when the caller fails.
"""
import atexit
import collections
import json
import os
import pathlib
import random
import re
import select
import signal
import socket
import subprocess
import threading
import time

POLL = 0.02  # seconds between two looks at a condition
# No wait gives up sooner, so that a slow machine is only slow. A deadline in a call is what one
# hopes for, or a longer one; what is a promise about time is measured and printed.
PATIENCE = float(os.environ.get("TIDEOVER_PATIENCE", "60"))
# Answers that mean "not now": the node went away under the call. The line is repeated by its key.
AGAIN = {"offline", "busy", "unreachable", "closing", "stopping"}

_mine = set()  # processes that are still ours to end
_mine_lock = threading.Lock()


def _own(process):
    with _mine_lock:
        _mine.add(process)
    return process


def _disown(process):
    with _mine_lock:
        _mine.discard(process)


def _end_all():
    with _mine_lock:
        left = list(_mine)
    for p in left:
        if p.poll() is None:
            p.kill()
            p.wait()


atexit.register(_end_all)


class Timeout(Exception):
    """A condition did not come true in time; says which."""


class CliError(Exception):
    """A verb failed. rc is its exit code, text what it said on stderr."""

    def __init__(self, args, rc, text):
        super().__init__(f"tideover {' '.join(map(str, args))}: exit {rc}: {text.strip()}")
        self.rc, self.text = rc, text


Said = collections.namedtuple("Said", "rc out err")


def wait_until(condition, deadline, what):
    """Looks until condition() is true and returns its value; Timeout after `deadline` seconds, or
    PATIENCE if that is more."""
    deadline = max(deadline, PATIENCE)
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout(f"after {deadline:g} s still waiting: {what}")
        time.sleep(POLL)


PORTS = range(20000, 30000)  # below the ephemeral range, so that no outgoing connection takes one
BLOCK, APART = 200, 8        # ports that one driver claims; between two it gives out are an invite's
_blocks, _ports = [], []     # claimed, until this process ends; left to give out


def _claim_block():
    """Ports that no other driver gives out while this one lives: a desk that is stopped for a while
    finds its own again, and nobody else answers there. The claim is a name that the kernel forgets
    with the process, in the same network namespace as the ports."""
    first = list(PORTS[::BLOCK])
    random.shuffle(first)
    for port in first:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0tideover-drive-{port}")
        except OSError:
            claim.close()
            continue
        _blocks.append(claim)
        _ports.extend(range(port + BLOCK - APART, port - 1, -APART))
        return
    raise RuntimeError("other drivers have claimed all ports")


def free_port():
    """A loopback port that nobody has now, and no other driver will take."""
    while True:
        if not _ports:
            _claim_block()
        with socket.socket() as s:
            try:
                port = _ports.pop()
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Batch:
    """One open `tideover record --batch -`: lines in, one answer line out for each, in order."""

    def __init__(self, desk):
        self.errors = tempfile_beside(desk, "batch.err")
        self.p = _own(subprocess.Popen(
            [desk.binary, "record", "--state", str(desk.state), "--batch", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, env=desk.env,
            start_new_session=True))
        self.rest = b""

    def send(self, line):
        """False if the process is gone."""
        try:
            self.p.stdin.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
            self.p.stdin.flush()
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def answer(self, deadline):
        """The next answer, None if there will be none."""
        end = time.monotonic() + deadline
        fd = self.p.stdout.fileno()
        while b"\n" not in self.rest:
            if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
                raise Timeout(f"no answer from record --batch for {deadline:g} s")
            chunk = os.read(fd, 65536)
            if not chunk:
                return None
            self.rest += chunk
        line, _, self.rest = self.rest.partition(b"\n")
        return json.loads(line)

    def close(self):
        for pipe in (self.p.stdin, self.p.stdout):
            try:
                pipe.close()
            except OSError:
                pass
        try:
            self.p.wait(5)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        _disown(self.p)
        self.errors.close()


def tempfile_beside(desk, name):
    return open(f"{desk.state}.{name}", "ab")  # the state directory itself is the program's


class Desk:
    """One desk: a state directory, two ports, at most one running node."""

    def __init__(self, state_dir, port=None, web_port=None, name="", binary="tideover", env=None):
        self.state = pathlib.Path(state_dir)
        self.port, self.web_port = port or free_port(), web_port or free_port()
        self.name, self.binary = name, str(binary)
        self.env = {**os.environ, **(env or {})}
        self.env.pop("TIDEOVER_STATE", None)
        self.node = None
        self.up = threading.Event()  # somebody called start() and the node said "ready"
        self.recorded = 0            # lines answered by feed(), for whoever watches
        self._starting = threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def __repr__(self):
        return f"<desk {self.name} in {self.state}>"

    # -- verbs -------------------------------------------------------------------------------

    def cli(self, *args, json=False, check=True, deadline=60, text=""):
        """Runs a verb. json: returns its one object; else Said(rc, out, err)."""
        full = [self.binary, *map(str, args), "--state", str(self.state)]
        p = _own(subprocess.Popen(full + (["--json"] if json else []), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env,
                                  start_new_session=True))
        try:
            out, err = p.communicate(text.encode(), timeout=deadline)
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
            raise Timeout(f"tideover {' '.join(map(str, args))} ran for {deadline:g} s") from None
        finally:
            _disown(p)
        said = Said(p.returncode, out.decode(), err.decode())
        if check and p.returncode != 0:
            raise CliError(args, said.rc, said.err)
        return _object(args, said) if json else said

    def _addresses(self):
        return "--listen", f"127.0.0.1:{self.port}", "--web", f"127.0.0.1:{self.web_port}"

    def init(self, branch, policy=None, passphrase_file=None):
        more = [] if policy is None else ["--policy", policy]
        more += [] if passphrase_file is None else ["--lead-passphrase-file", passphrase_file]
        return self.cli("init", "--branch", branch, "--desk", self.name, *self._addresses(), *more)

    def invite(self, name, role=None, expires=None, passphrase_file=None):
        """Said; its `out`, stripped, is the code."""
        more = [] if role is None else ["--role", role]
        more += [] if expires is None else ["--expires", expires]
        more += [] if passphrase_file is None else ["--lead-passphrase-file", passphrase_file]
        return self.cli("invite", "--desk", name, *more)

    def join(self, code, at=None, check=True):
        more = [] if at is None else ["--at", at]
        return self.cli("join", code, *more, *self._addresses(), check=check)

    def status(self):
        return self.cli("status", json=True)

    def peers(self):
        return self.cli("peers", json=True)["peers"]

    def upload_status(self):
        return self.cli("upload", "status", json=True)

    # -- the node ----------------------------------------------------------------------------

    def start(self, deadline=20):
        """Starts the node unless it runs, and waits for its line that begins with "ready"."""
        with self._starting:
            if self.node and self.node.poll() is None:
                return
            self._gone()
            # Files, not pipes: nobody has to read them, and a node may outlive its driver.
            with open(f"{self.state}.out", "wb") as out, open(f"{self.state}.err", "ab") as err:
                self.node = _own(subprocess.Popen(
                    [self.binary, "node", "--state", str(self.state)], stdin=subprocess.DEVNULL,
                    stdout=out, stderr=err, env=self.env, start_new_session=True))
            try:
                wait_until(self._said_ready, deadline, f"{self.name} to be ready")
            except Timeout:
                self._end(signal.SIGKILL)
                raise
            self.up.set()

    def _said_ready(self):
        if self.node.poll() is not None:
            raise CliError(("node",), self.node.returncode, self.log()[-2000:])
        text = pathlib.Path(f"{self.state}.out").read_text(encoding="utf-8", errors="replace")
        return any(x.startswith("ready") for x in text.splitlines(True) if x.endswith("\n"))

    def log(self):
        """What the node said on stderr, over all its starts."""
        path = pathlib.Path(f"{self.state}.err")
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def _gone(self):
        self.up.clear()
        if self.node:
            _disown(self.node)
            self.node = None

    def _end(self, how):
        rc, deadline = None, max(20, PATIENCE)
        if self.node and self.node.poll() is None:
            self.up.clear()
            self.node.send_signal(how)
            try:
                rc = self.node.wait(deadline)
            except subprocess.TimeoutExpired:
                self.node.kill()
                self.node.wait()
                self._gone()
                raise Timeout(f"{self.name} did not stop within {deadline:g} s") from None
        elif self.node:
            rc = self.node.returncode
        self._gone()
        return rc

    def stop(self):
        """Asks the node to stop and waits; returns its exit code, None if none ran."""
        return self._end(signal.SIGTERM)

    def kill9(self):
        return self._end(signal.SIGKILL)

    def leave_running(self):
        """From here on the node is nobody's to end; returns its process id."""
        _disown(self.node)
        pid, self.node = self.node.pid, None
        return pid

    # -- recording ---------------------------------------------------------------------------

    def feed(self, lines, window=32, restart=True, deadline=60):
        """Types the lines (dicts, each with its "key") into the node; returns their answers.

        Up to `window` lines are on their way at once. A void's "ref", the key of an earlier line,
        becomes "id", as that line was answered. When the node dies, it is started again (restart)
        or awaited (somebody else calls start()), and every unanswered line is repeated: its key
        keeps it from being recorded twice."""
        todo, answers, ids = collections.deque(lines), {}, {}
        order = [x["key"] for x in todo]
        last, when = -1, time.monotonic()
        while todo:
            self._await_node(restart, deadline)
            todo = self._feed_once(todo, answers, ids, window, deadline)
            if len(todo) != last:
                last, when = len(todo), time.monotonic()
            elif time.monotonic() > when + deadline:
                raise Timeout(f"{self.name}: record --batch breaks off: {self.batch_error()}")
            if todo:
                self._settle()
        return [answers[k] for k in order]

    def _is_up(self):
        node = self.node
        return node is not None and node.poll() is None and self.up.is_set()

    def _await_node(self, restart, deadline):
        if restart and not self._is_up():
            self.start()
        wait_until(self._is_up, deadline, f"{self.name} to come back")

    def _feed_once(self, todo, answers, ids, window, deadline):
        """Until all is answered or the node is gone; returns what is unanswered, in order."""
        batch, flying = Batch(self), collections.deque()
        try:
            while todo or flying:
                line = todo[0] if todo else None
                if line is not None and len(flying) < window and (
                        line["op"] != "void" or "ref" not in line or line["ref"] in ids):
                    if not batch.send(resolved(line, ids)):
                        break
                    flying.append(todo.popleft())
                    continue
                if not flying:
                    raise ValueError(f"a void of {line['ref']}, which was not recorded")
                a = batch.answer(deadline)
                if a is None or (not a.get("ok") and a["error"].get("code") in AGAIN):
                    break
                line = flying.popleft()
                answers[line["key"]] = a
                if a.get("ok"):
                    ids[line["key"]] = a["id"]
                self.recorded += 1
        finally:
            batch.close()
        flying.extend(todo)
        return flying

    def _settle(self):
        """The batch broke off. A node that was killed under it takes a moment to be gone; one that
        is well is simply asked again."""
        node = self.node
        if node is not None:
            try:
                node.wait(0.1)
            except subprocess.TimeoutExpired:
                pass

    def batch_error(self):
        text = pathlib.Path(f"{self.state}.batch.err").read_text(encoding="utf-8", errors="replace")
        return text.strip().rpartition("\n")[2]


def resolved(line, ids):
    """The line as the node knows it: a void names the id of its target."""
    if line["op"] != "void" or "ref" not in line:
        return line
    return {"op": "void", "id": ids[line["ref"]],
            **{k: v for k, v in line.items() if k not in ("op", "ref")}}


def _object(args, said):
    try:
        value = json.loads(said.out)
    except ValueError:
        raise CliError(args, said.rc, f"no JSON on stdout: {said.out[:200]!r}") from None
    if not isinstance(value, dict) or value.get("schema") != 1:
        raise CliError(args, said.rc, f"no object with schema 1: {said.out[:200]!r}")
    return value


def four_words(text, words):
    """All runs of exactly four listed words in what a verb said: the key, as a person reads it."""
    found, run = set(), []
    for token in re.findall(r"[A-Za-z]+|[^A-Za-z\s]|\n", text) + ["\n"]:
        if token in words:
            run.append(token)
            continue
        if len(run) == 4:
            found.add(" ".join(run))
        run = []
    return found


class LibraryServer:
    """A TCP port that answers or does not, in the place of an ILS."""

    def __init__(self, host="127.0.0.1", port=None):
        self.host, self.port = host, port or free_port()
        self.socket = self.thread = None

    def open(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((self.host, self.port))
        self.socket.listen(64)
        self.thread = threading.Thread(target=self._serve, args=(self.socket,), daemon=True)
        self.thread.start()

    @staticmethod
    def _serve(listening):
        while True:
            try:
                listening.accept()[0].close()
            except OSError:
                return

    def close(self):
        if self.socket:
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes accept()
            self.socket.close()
            self.thread.join()
            self.socket = None
