// The table of words against the program: every code that a request can be refused with, every
// problem and every finding of readiness has a row, and every row both languages. No browser.
import { test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { dirname, join } from "node:path";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const pages = join(root, "node/pages");
const files = readdirSync(pages).filter((f) => /^words_\w+\.js$/.test(f));
const parts = await Promise.all(files.map(async (f) => [f, (await import(join(pages, f))).rows]));
const table = Object.assign({}, ...parts.map(([, rows]) => rows));

// Founding, joining, restoring, starting, the command line: no page shows them.
const before = /^node\/(setup|site|knock|restore|net|credential_check|sip2_test)\.c$|^store\/|^proto\/(invite|join|backup|err)\.c$/;

function sources() {
    const all = ["node", "node/sinks", "proto", "proto/formats", "store"].flatMap((d) =>
        readdirSync(join(root, d)).filter((f) => f.endsWith(".c")).map((f) => d + "/" + f));
    return all.filter((f) => !before.test(f)).map((f) => [f, readFileSync(join(root, f), "utf8")]);
}

// pattern: one group, the code.
function codes(pattern, only = () => true) {
    const found = new Set();
    for (const [file, text] of sources().filter(([f]) => only(f)))
        for (const m of text.matchAll(pattern)) found.add(m[1]);
    assert.ok(found.size > 0, String(pattern));
    return [...found].sort();
}

test("each row says it in both languages, with the same holes", () => {
    const holes = (s) => [...new Set([...s.matchAll(/\{(\w+)/g)].map((m) => m[1]).filter((h) => h !== "n"))].sort();
    for (const [key, row] of Object.entries(table)) {
        assert.equal(row.length, 2, key);
        for (const text of row) assert.ok(text.length > 0, key);
        // {n} chooses between one and many, which a language may not need. Else Spanish may leave out
        // what English has, never the other way round; {message} has all the program's values in it.
        const english = holes(row[0]);
        if (english.join() !== "message") for (const hole of holes(row[1])) assert.ok(english.includes(hole), `${key}: {${hole}}`);
    }
});

test("no key stands in two files", () => {
    const seen = new Map();
    for (const [file, rows] of parts)
        for (const key of Object.keys(rows)) {
            assert.ok(!seen.has(key), `${key} is in ${seen.get(key)} and ${file}`);
            seen.set(key, file);
        }
});

// The plain words of the exit codes stand before proto/err.c is left out: read apart.
function plainCodes() {
    const text = readFileSync(join(root, "proto/err.c"), "utf8");
    return [...text.matchAll(/\[ERR_\w+\] = "(\w+)"/g)].map((m) => m[1]).filter((c) => c !== "ok");
}

test("every code of an error has its words, and no words are of a code that is none", () => {
    const said = codes(/err_why\(\s*[^;]*?\bERR_\w+,\s*"(\w+)"/g);
    const doors = codes(/\{ [45]\d\d, \d+, "(\w+)"/g, (f) => f === "node/http_check.c");
    assert.ok(said.length > 100 && plainCodes().length === 16, `${said.length} ${plainCodes().length}`);
    const all = new Set([...said, ...doors, ...plainCodes(), "gone"]); // gone: the page's own
    assert.deepEqual([...all].filter((c) => !("error." + c in table)), []);
    // Rows of a code and a field (wrong_slot.item) are of that code.
    const rows = Object.keys(table).filter((k) => k.startsWith("error.")).map((k) => k.split(".")[1]);
    assert.deepEqual(rows.filter((c) => !all.has(c) && !known.has(c)), []);
});

// Said elsewhere than by err_why() in the files above.
const known = new Set(["outage", "damaged", "wrong_key"]);

test("every problem, every finding of readiness and every event has its words", () => {
    const problems = codes(/add_problem\(\s*all,\s*"(\w+)"/g, (f) => f === "node/status_problems.c");
    problems.push("login_refused", "upload_stopped", "upload_waits", "closed_day");
    assert.deepEqual(problems.filter((c) => !("problem." + c in table)), []);
    const ready = codes(/^    \{ "(\w+)",/gm, (f) => f === "node/readiness.c");
    assert.ok(ready.length > 30);
    assert.deepEqual(ready.filter((c) => !("ready." + c in table)), []);
    const judged = codes(/"(\w+)"/g, (f) => f === "proto/readiness.c").filter((c) => !["good", "warn", "bad"].includes(c));
    const checks = ["write", "disk", "restart", "clock", "server", "upload", "copies", "block_list", "scan", "drill", "backup", "leads"];
    assert.deepEqual(judged.filter((c) => !ready.includes(c) && !checks.includes(c)), []);
});

test("what an upload does is told in both languages on the admin's page, too", () => {
    const said = codes(/return "(\w+)";/g, (f) => f === "proto/ledger_view.c");
    for (const word of [...said, "delivered"]) assert.ok(table["upload.word." + word], word);
});
