#!/usr/bin/env python3
"""Rows of JSON on stdin: a table on stdout, everything with medians and ratios to the file named.

The ratio of a row is ours over theirs, taken inside each round, so that a drift of the machine falls
on both; of it and of both figures the median, with min and max, is shown."""
import json
import os
import subprocess
import sys
import time


def spread(v):
    s = sorted(v)
    return {"median": (s[(len(s) - 1) // 2] + s[len(s) // 2]) / 2, "min": s[0], "max": s[-1]} if s else None


def short(x):
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}"


def cell(s):
    return f"{short(s['median'])} ({short(s['min'])} to {short(s['max'])})" if s else "-"


def machine():
    with open("/proc/cpuinfo") as f:
        model = next((l.split(":", 1)[1].strip() for l in f if l.startswith("model name")), "?")
    versions = subprocess.run(["dpkg-query", "-W", "-f=${Package} ${Version};", "liblmdb0", "libsodium23", "libzmq5",
                               "redis-server", "etcd-server"], capture_output=True, text=True).stdout.rstrip(";").split(";")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": os.uname().release, "packages": versions,
            "load": os.getloadavg()[0]}


def main():
    check = sys.argv[1] == "--check"
    rows = [json.loads(line) for line in sys.stdin if line.strip()]
    for r in rows:
        theirs = r.get("theirs", [])
        if r.get("to_worst") and theirs:
            theirs = [max(theirs)] * len(theirs)
        pairs = [a / b for a, b in zip(r.get("ours", []), theirs) if b]
        r["summary"] = {"ours": spread(r.get("ours", [])), "theirs": spread(r.get("theirs", [])),
                        "ratio": spread(pairs)}
    all = {"schema": 1, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine(), "rows": rows}
    with open(sys.argv[-1] + ".new", "w") as f:
        json.dump(all, f, indent=1)
        f.write("\n")
    os.rename(sys.argv[-1] + ".new", sys.argv[-1])
    m = all["machine"]
    print(f"{m['cores']} cores {m['cpu']}, load {m['load']:.1f}; {', '.join(m['packages'])}")
    print("median (min to max) of the rounds; ratio = ours / theirs inside each round")
    head = ["row", "ours", "theirs", "ratio", "must", "aim"]
    table = [head]
    for r in rows:
        if "cannot" not in r:
            s = r["summary"]
            table.append([r["id"], cell(s["ours"]), cell(s["theirs"]), cell(s["ratio"]), r.get("must", "-"),
                          r.get("aim", "-")])
    widths = [max(len(line[i]) for line in table) for i in range(len(head))]
    for line in table:
        print("  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip())
    print()
    for r in rows:
        what = f"{r['id']}: {r['what']}"
        if "cannot" in r:
            print(f"{what}: cannot run here: {r['cannot']}")
            continue
        print(f"{what}, {r['unit']}" + (f"; against {r['against']}" if r.get("against") else "") +
              (f" [{r['note']}]" if r.get("note") else ""))
    bad = [r["id"] for r in rows if "failed: " in r.get("cannot", "") or ("cannot" not in r and not r["ours"])]
    return check and (not rows or bad) and f"did not run: {', '.join(bad) or 'any row'}"


if __name__ == "__main__":
    sys.exit(main() or 0)
