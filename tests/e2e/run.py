#!/usr/bin/env python3
"""All end-to-end tests, two files at a time, the longest first:  run.py [JOBS]

Each file also runs alone: python3 tests/e2e/test_upload.py [Class.test]"""
import concurrent.futures
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
LONGEST_FIRST = ("test_sharing.py", "test_upload.py", "test_leadkey.py", "test_backup.py", "test_lifecycle.py",
                 "test_recording.py", "test_joining.py", "test_privacy.py")


def run(path):
    began = time.monotonic()
    p = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False)
    return path.name, p.returncode, p.stdout + p.stderr, time.monotonic() - began


def main():
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    files = sorted(HERE.glob("test_*.py"), key=lambda p: (
        LONGEST_FIRST.index(p.name) if p.name in LONGEST_FIRST else -1, p.name))
    began, failed = time.monotonic(), []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run, f) for f in files]):
            name, rc, text, took = done.result()
            print(f"==== {name}: {'ok' if rc == 0 else 'FAILED'}, {took:.1f} s\n{text}", flush=True)
            failed += [name] if rc else []
    print(f"==== {len(files)} files in {time.monotonic() - began:.1f} s; "
          f"{'failed: ' + ', '.join(sorted(failed)) if failed else 'all ok'}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
