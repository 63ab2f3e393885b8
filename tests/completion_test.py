#!/usr/bin/env python3
"""What the Tab key offers, in each shell that is here: the words of the command table, and files where files are meant."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("TIDEOVER_BINARY", ROOT / "build/release/tideover")
FILE = "some.file"
ASK = {  # each prints what it would offer for the last of the words
    "bash": """source {script}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tideover; printf '%s\\n' "${{COMPREPLY[@]}}" """,
    "fish": """source {script}; complete -C (string join ' ' -- $argv) | string replace -r '\\t.*' ''""",
    "zsh": """compadd() {{ shift; print -l -- ${{(M)@:#$PREFIX*}} }}; _files() {{ print -l -- *(N) }}
words=("$@"); CURRENT=$#; PREFIX=$words[-1]; set --; source {script}""",
}
CASES = (  # typed up to here; must be offered; must not
    ("", {"upload", "open", "doctor"}, {FILE}),
    ("upl", {"upload"}, {"open"}),
    ("upload ", {"plan", "run", "confirm"}, {"open", FILE}),
    ("upload conf", {"confirm"}, {"plan"}),
    ("upload run --", {"--yes", "--lead-passphrase-file"}, {"--out"}),
    ("open ", {"desk", "lead", "admin"}, {FILE}),
    ("open --print ", {"desk", "lead", "admin"}, {FILE}),
    ("pin set ", {"lead", "admin"}, {"desk", FILE}),
    ("role KIDS-1 ", {"desk", "lead", "admin"}, {FILE}),
    ("role ", set(), {"admin", FILE}),
    ("completion ", {"bash", "zsh", "fish"}, {FILE}),
    ("manual ", {"tideover.conf", "tideover-policy"}, {FILE}),
    ("credential set upload ", {"user", "password", "key", "ca"}, {FILE}),
    ("help ", {"outage", "upload"}, {FILE}),
    ("invite --role ", {"desk", "lead", "admin"}, {FILE}),
    ("session set --block-list ", {"on", "off"}, {FILE}),
    ("export --format ", {"symphony", "koha-json"}, {"plain", FILE}),
    ("blocklist import list --format ", {"plain", "symphony"}, {"koha", FILE}),
    ("merge x.koc --from ", {"symphony", "koha"}, {FILE}),
    ("upload release --reason ", {"held", "in_doubt"}, {FILE}),
    ("restore ", {FILE}, set()),
    ("policy publish ", {FILE}, {"show"}),
    ("invite --lead-passphrase-file ", {FILE}, set()),
    ("peers ", set(), {FILE}),
)


class Completion(unittest.TestCase):
    def offered(self, shell, typed):
        with tempfile.TemporaryDirectory() as where:
            (pathlib.Path(where) / FILE).touch()
            (pathlib.Path(where) / "tideover.script").touch()
            script = pathlib.Path(where).parent / f"tideover-{os.getpid()}.{shell}"
            script.write_bytes(subprocess.run([BINARY, "completion", shell], check=True, capture_output=True).stdout)
            self.addCleanup(script.unlink, missing_ok=True)
            words = ["tideover", *typed.split(" ")]
            options = {"bash": ["--norc", "-c"], "fish": ["--no-config", "-c"], "zsh": ["-f", "-c"]}[shell]
            more = words if shell == "fish" else [shell, *words]  # $0 of the others
            said = subprocess.run([shell, *options, ASK[shell].format(script=script), *more], check=False,
                                  capture_output=True, text=True, cwd=where, timeout=60,
                                  env={"PATH": os.environ["PATH"], "HOME": where})
            self.assertEqual("", said.stderr)
            return set(said.stdout.split())

    def test_each_shell(self):
        tried = [s for s in ASK if shutil.which(s)]
        for shell in tried:
            for typed, wanted, unwanted in CASES:
                with self.subTest(shell=shell, typed=typed):
                    got = self.offered(shell, typed)
                    self.assertLessEqual(wanted, got)
                    self.assertFalse(unwanted & got, got)
        print(f"{len(CASES)} words each in {', '.join(tried)}", file=sys.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
