"""PCs that are not as they should be: environments for a desk, made by libraries that are loaded before others."""
import os
import subprocess

import branch


def _built(source):
    lib = branch._home() / f"{source.stem}.so"
    if not lib.exists():
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", lib, source], check=True)
    return str(lib)


def shifted(seconds):
    """Its wall clock is so far ahead."""
    return {"LD_PRELOAD": _built(branch.ROOT / "examples/clock_shift.c"), "CLOCK_SHIFT": str(seconds)}


def disk(flush_ms):
    """Its disk takes so long for a flush; 0: it lies."""
    return {"LD_PRELOAD": _built(branch.ROOT / "tests/e2e/pretend.c"), "FLUSH_MS": str(flush_ms)}


def failing_disk(sign):
    """No flush succeeds while there is a file of that name."""
    return {"LD_PRELOAD": _built(branch.ROOT / "tests/e2e/pretend.c"), "FLUSH_FAILS": str(sign)}


def clock(kept):
    """A time service says that it keeps its clock, or none does."""
    return {"LD_PRELOAD": _built(branch.ROOT / "tests/e2e/pretend.c"), "CLOCK_KEPT": str(int(kept))}


def sanitized():
    """Nothing is loaded before the address sanitizer."""
    return b"libasan" in subprocess.run(["ldd", branch.BINARY], stdout=subprocess.PIPE, check=True).stdout
