#!/usr/bin/env python3
"""Rows of JSON on stdin: a table on stdout, everything with medians and ratios to the file named, and the
tables of README.md and FIGURES.md beside it (.md).

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


def met(r):
    """Does the median keep what was asked for? "" where nothing was, or it is no number."""
    words = {}
    for goal in ("must", "aim"):
        w = r.get(goal, "").replace("ours ", "").split()
        value = r["summary"]["ours" if r.get(goal, "").startswith("ours") else "ratio"]
        if len(w) == 2 and w[0] in ("<=", ">=") and value:
            v, limit = value["median"], float(w[1])
            words[goal] = v <= limit if w[0] == "<=" else v >= limit
    return "aim" if words.get("aim") else "must" if words.get("must") else "missed" if words else ""


def compared(rows):
    lines = ["| what | ours | against | theirs | ratio | must | aim | met |", "|---|---|---|---|---|---|---|---|"]
    for r in rows:
        s = r["summary"]
        one = lambda k: short(s[k]["median"]) if s[k] else ""
        spread_of = f" ({short(s['ratio']['min'])} to {short(s['ratio']['max'])})" if s["ratio"] else ""
        lines.append(f"| {r['what']} | {one('ours')} {r['unit']} | {r.get('against', '')} | {one('theirs')} | "
                     f"{one('ratio')}{spread_of} | {r.get('must', '')} | {r.get('aim', '')} | {met(r)} |")
    return lines


def grown(rows, key, value):
    """One line for each key, one column for each size."""
    sizes, lines = {}, {}
    for r in rows:
        size, what = key(r)
        sizes[size] = True
        lines.setdefault(what, {})[size] = value(r)
    return [f"| | {' | '.join(sizes)} |", "|---" * (len(sizes) + 1) + "|",
            *(f"| {what} | {' | '.join(cells.get(x, '') for x in sizes)} |" for what, cells in lines.items())]


PLACES = {"compared": "README.md", "scale": "tests/bench/FIGURES.md", "large": "tests/bench/FIGURES.md"}
END = "<!-- end of what it made -->\n"


def into_place(name, text):
    """The table replaces that of the run before."""
    path, begin = PLACES[name], f"<!-- {name}: made by tests/bench/run --readme -->\n"
    with open(path) as f:
        before, rest = f.read().split(begin)
    _, after = rest.split(END, 1)
    with open(path + ".new", "w") as f:
        f.write(f"{before}{begin}{text}{END}{after}")
    os.rename(path + ".new", path)


def markdown(rows, m):
    """The tables of what ran, by the names of PLACES."""
    ran = [r for r in rows if "cannot" not in r]
    of = lambda prefix: [r for r in ran if r["id"].startswith(prefix)]
    figure = lambda r: f"{short(r['summary']['ours']['median'])} {r['unit']}"
    missing = [f"{r['what']}: {r['cannot']}" for r in rows if "cannot" in r]
    where = f"{time.strftime('%Y-%m-%d')}, {m['cores']} cores of an {m['cpu']}, Linux {m['kernel']}, load {m['load']:.1f} at the end."
    tables = {}
    if beside := [r for r in ran if not r["id"].startswith(("scale-", "large-"))]:
        tables["compared"] = [f"{where} Median of the rounds; the ratio is taken inside each round (least to most).", "", *compared(beside)]
        tables["compared"] += [f"\nDid not run: {'; '.join(missing)}."] if missing else []
    if of("scale-"):
        tables["scale"] = [where]
        for kind in (lambda r: "simulated" not in r["what"]), (lambda r: "simulated" in r["what"]):
            tables["scale"] += ["", *grown([r for r in of("scale-") if kind(r)],
                                           lambda r: (r["what"].split(":")[0], r["what"].split(": ")[1]), figure)]
    if of("large-"):
        tables["large"] = [where, "", *grown(of("large-"), lambda r: (r["id"].split("-")[1], r["what"]), figure)]
    return {name: "\n".join(lines) + "\n" for name, lines in tables.items()}


def main():
    check, readme = "--check" in sys.argv, "--readme" in sys.argv
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
    tables = markdown(rows, all["machine"])
    with open(os.path.splitext(sys.argv[-1])[0] + ".md", "w") as f:
        f.write("\n".join(tables.values()))
    for name in tables if readme else ():
        into_place(name, tables[name])
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
