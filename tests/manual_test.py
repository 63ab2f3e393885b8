#!/usr/bin/env python3
"""The pages for people hold together: each problem that the status can name has its row of what to do,
each alert its next step, and no link leads nowhere."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
OPERATIONS = (ROOT / "node/OPERATIONS.md").read_text(encoding="utf-8")


class Manual(unittest.TestCase):
    def test_each_problem_of_the_status_has_its_row(self):
        told = set()
        for call in re.findall(r'\badd_problem\(\s*all,((?:[^,"]|"[^"]*")*),',
                               (ROOT / "node/status_problems.c").read_text()):
            told |= set(re.findall(r'"([a-z_]+)"', call))
        self.assertGreater(len(told), 20)
        table = OPERATIONS[OPERATIONS.index("## When something breaks"):]
        rows = set()
        for cell in re.findall(r"^\| (`[^|]*`) \|", table, re.M):
            rows |= set(re.findall(r"`([a-z_]+)`", cell))
        self.assertEqual(told, rows)

    def test_no_link_leads_nowhere(self):
        pages = [ROOT / "README.md"]
        for folder in ("node", "proto", "store"):
            pages += (ROOT / folder).rglob("*.md")
        for page in pages:
            for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
                self.assertTrue((page.parent / link).exists(), f"{page}: {link}")

    def test_each_alert_has_a_next_step_and_a_trial(self):
        rules = (ROOT / "examples/monitoring/alerts.yml").read_text()
        trials = (ROOT / "tests/e2e/test_monitoring.py").read_text()
        for name, body in re.findall(r"- alert: (\w+)\n(.*?)(?=- alert|\Z)", rules, re.S):
            self.assertIn(" next: ", body, name)
            self.assertIn(f'"{name}"', trials, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
