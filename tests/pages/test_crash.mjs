// The Desk page when things break: a full disk, a killed browser, a reload in the middle of a form, a
// node that was stopped, a PC that slept. What was scanned is saved once, and never seems saved before.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Stage, until } from "./stage.mjs";
import { fresh, item, lent, opened, ready, records, scan, settled, someone, text } from "./scanner.mjs";

let stage, profile;

before(async () => {
    stage = await Stage.open({ desks: 2, small: true, asleep: true });
    profile = mkdtempSync(join(tmpdir(), "tideover-profile-"));
});
after(async () => {
    await stage?.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
});

const atLogin = (page) => until(() => new URL(page.url()).pathname === "/login", "the page to be closed");
const kept = (page, jobs) => page.waitForSelector(`html[data-kept="${jobs}"]`);
const notSaving = (page) => until(async () => (await text("#banner-word", page)) === "NOT SAVING NOW", "the page to say so");

// The status of a batch of discharges, typed in by a script at desk 0.
async function feed(items) {
    const token = readFileSync(`${stage.states[0]}/run/desk.token`, "utf8").trim();
    const answer = await fetch(`http://127.0.0.1:${stage.web[0]}/api/v1/records/batch`, { method: "POST",
        headers: { Authorization: "Bearer " + token, "Content-Type": "application/x-ndjson" },
        body: items.map((i) => JSON.stringify({ op: "discharge", item: i }) + "\n").join("") });
    await answer.text();
    return answer.status;
}

test("the disk is full: STOP over the whole page; with room again all is saved, once", async (t) => {
    if (!stage.small) return t.skip("no small disk: a mount needs root");
    const page = await stage.page("desk");
    await ready(page);
    const who = someone(), items = [];
    const one = async () => {
        items.push(...fresh(1));
        await scan(items.at(-1), page);
    };
    const waiting = () => page.locator(".row-waiting").count();
    await scan(who, page);
    await one();
    await settled(page);
    await stage.do("fill");
    const stop = page.getByText("STOP – not saving! Write on paper");
    let more = 500000; // what the store has room for inside goes on for a while: others' records fill it
    await until(async () => (await feed(Array.from({ length: 400 }, () => item(more++)))) === 503, "the disk to be met");
    await one();
    await stop.waitFor();
    await page.locator("#stop-why", { hasText: "This PC cannot write the store: the disk is full." }).waitFor();
    const covers = await page.locator("#stop").boundingBox();
    assert.deepEqual([covers.x, covers.y, covers.width, covers.height], [0, 0, 1024, 768]);
    assert.match(await page.locator("#stop").ariaSnapshot(), /- alert:[^]*STOP – not saving! Write on paper[^]*the disk is full/);
    await stage.screen(page, "desk-stop-disk", { fullPage: false });
    await stage.accessible(page);
    await one(); // whoever does not look up
    await one();
    await page.getByText("3 scans wait here.").waitFor();
    assert.equal(await waiting(), 3); // no row pretends
    await page.reload(); // nor does a reload lose them
    await page.getByText("3 scans wait here.").waitFor();
    assert.ok(await stop.isVisible());
    await stage.do("free");
    await page.waitForSelector("#stop", { state: "hidden" });
    await settled(page);
    assert.deepEqual(await lent(stage, who), items);
    stage.quiet(page);
    await page.context().close();
});

test("the browser is killed with scans that wait: opened again, all is saved, once", async () => {
    const who = someone(), items = fresh(9);
    let chromium = await stage.mortal(profile);
    await ready(chromium.page);
    await scan(who, chromium.page);
    for (const one of items.slice(0, 3)) await scan(one, chromium.page);
    await settled(chromium.page);
    await stage.do("freeze", { desk: 0 }); // the node takes scans and does not answer
    for (const one of items.slice(3, 8)) await scan(one, chromium.page);
    await kept(chromium.page, 5);
    await chromium.kill();
    await stage.do("thaw", { desk: 0 });
    chromium = await stage.mortal(profile);
    await opened(who, chromium.page);
    await until(async () => (await chromium.page.evaluate(() => window.remarks))
        .includes("the open user and what waited are still here"), "the page to say so");
    await settled(chromium.page);
    await scan(items[8], chromium.page);
    await settled(chromium.page);
    assert.deepEqual(await lent(stage, who), items);
    await chromium.kill();
});

test("what waited since yesterday goes to its user, who is closed then", async () => {
    const who = someone(), items = fresh(3);
    const page = await stage.page("desk");
    await ready(page);
    await scan(who, page);
    await scan(items[0], page);
    await settled(page);
    await page.context().route("**/api/v1/scan", (route) => route.abort());
    await scan(items[1], page);
    await kept(page, 1);
    await page.addInitScript(() => {
        const now = Date.now;
        Date.now = () => now() + 11 * 60000;
    });
    await page.context().unroute("**/api/v1/scan");
    await page.reload();
    await ready(page);
    await scan(items[2], page); // whose it is, nobody said today
    await settled(page);
    assert.deepEqual(await lent(stage, who), items.slice(0, 2));
    await page.context().close();
});

// How many bytes are kept, of which none can be read.
const sealed = (page) => page.evaluate(async () => {
    const base = await new Promise((r) => (indexedDB.open("tideover-desk").onsuccess = (e) => r(e.target.result)));
    const get = base.transaction("kept").objectStore("kept").get("kept");
    const it = await new Promise((r) => (get.onsuccess = () => r(get.result)));
    const all = new TextDecoder("latin1").decode(it.bytes) + JSON.stringify({ ...localStorage, ...sessionStorage });
    base.close();
    if (/Canary|ngstr|summer/.test(all)) throw new Error("it can be read");
    return it.bytes.length;
});

test("half-filled forms come back after a reload, and nothing of them can be read in the browser", async () => {
    const card = someone(), who = someone();
    const own = await stage.cli(0, "policy", "show");
    await stage.do("publish", { desk: 0, more: "[scan]\nno_barcode_kinds = paperback, magazine\n" });
    await until(async () => (await stage.cli(0, "policy", "show")) !== own, "the policy");
    const page = await stage.page("desk");
    await ready(page);
    await page.keyboard.press("F6");
    await scan(card, page);
    await page.waitForSelector("#newuser[open]");
    await page.fill("#new-last", "Ångström");
    await page.fill("#new-street", "Canary Lane 7");
    await kept(page, 0);
    await until(async () => (await sealed(page)) > 250, "the form to be kept"); // its last letter, too
    await page.reload();
    await page.waitForSelector("#newuser[open]");
    assert.deepEqual([await page.inputValue("#new-last"), await page.inputValue("#new-street")], ["Ångström", "Canary Lane 7"]);
    await page.keyboard.press("Escape");
    await page.waitForSelector("#newuser", { state: "hidden" });
    await scan(who, page);
    await opened(who, page);
    await page.getByRole("button", { name: "Several …" }).click();
    const label = "the whole summer", before = await sealed(page);
    await page.selectOption("#piecesform-kind", "magazine");
    await page.fill("#piecesform-count", "12");
    await page.fill("#piecesform-label", label);
    await until(async () => (await sealed(page)) >= before + label.length, "the form to be kept");
    await page.reload();
    await page.waitForSelector("#piecesform[open]");
    assert.equal(await page.inputValue("#piecesform-label"), label);
    assert.deepEqual([await page.inputValue("#piecesform-kind"), await page.inputValue("#piecesform-count")], ["magazine", "12"]);
    await page.getByRole("button", { name: "Check out" }).click();
    await settled(page);
    assert.deepEqual((await records(stage)).filter((r) => r.user === who).map((r) => [r.kind, r.count, r.label]),
        [["magazine", 12, "the whole summer"]]);
    await page.reload(); // what was saved, or given up, does not come back
    await ready(page);
    assert.equal(await page.isVisible("#piecesform"), false);
    stage.quiet(page);
    await page.context().close();
});

test("another tab takes over: the open user and what waits go with it", async () => {
    const who = someone(), items = fresh(4);
    const page = await stage.page("desk");
    await ready(page);
    await scan(who, page);
    await scan(items[0], page);
    await settled(page);
    await page.context().route("**/api/v1/scan", (route) => route.abort());
    await scan(items[1], page);
    await scan(items[2], page);
    await notSaving(page);
    await kept(page, 2);
    const other = await page.context().newPage();
    await other.goto(page.home);
    await ready(other);
    await other.getByRole("button", { name: "Use it here" }).click();
    await opened(who, other);
    await page.context().unroute("**/api/v1/scan");
    await settled(other);
    await scan(items[3], other);
    await settled(other);
    assert.deepEqual(await lent(stage, who), items);
    await page.bringToFront();
    await page.getByRole("button", { name: "Use it here" }).click(); // and back
    await until(async () => (await page.locator("#rows li.mine").count()) === 4, "all four there");
    assert.equal(await page.locator(".row-waiting").count(), 0);
    stage.quiet(page);
    await page.context().close();
});

test("two desks of one PC in one browser: each its own cookie, user and scans", async () => {
    const [a, b] = [someone(), someone()], [one, two] = fresh(2);
    const page = await stage.page("desk"), other = await page.context().newPage();
    await ready(page);
    await other.goto(await stage.address("desk", 1));
    await ready(other); // each is the desk at its own address: no "another tab"
    await scan(a, page);
    await scan(b, other);
    await scan(one, page);
    await scan(two, other);
    await settled(page);
    await settled(other);
    await page.reload();
    await other.reload();
    await opened(a, page);
    await opened(b, other);
    const names = (await page.context().cookies()).map((c) => c.name);
    assert.equal(new Set(names).size, 2, names.join());
    const of = async (n) => (await records(stage)).filter((r) => r.item === n).map((r) => [r.user, r.id.split("/")[0]]);
    await until(async () => (await of(two)).length === 1, "the other desk's record");
    assert.deepEqual([await of(one), await of(two)], [[[a, "MAIN-1"]], [[b, "MAIN-2"]]]);
    await page.context().close();
});

test("the node is stopped and started: the page says how to come in again, and goes on where it was", async () => {
    const who = someone(), items = fresh(3);
    const page = await stage.page("desk");
    await ready(page);
    await scan(who, page);
    await scan(items[0], page);
    await settled(page);
    await stage.do("stop", { desk: 0 });
    await scan(items[1], page);
    await notSaving(page);
    await kept(page, 1);
    await stage.do("start", { desk: 0 });
    await atLogin(page); // stopped, not crashed: its sessions ended
    await page.goto(await stage.address("desk"));
    await opened(who, page);
    await settled(page);
    await scan(items[2], page);
    await settled(page);
    assert.deepEqual(await lent(stage, who), items);
    await page.context().close();
});

test("ten idle minutes lock the lead's page, twelve hours end every session", async () => {
    await stage.do("pin", { desk: 0, page: "lead", pin: "246813" });
    const lead = await stage.page("lead");
    const desk = await stage.page("desk");
    await lead.fill("#pin", "246813");
    await lead.keyboard.press("Enter");
    await lead.waitForSelector("dialog", { state: "detached" });
    const plan = () => lead.evaluate(async () => {
        const { api } = await import("/pages/door.js");
        return (await api("GET", "upload/plan")).schema;
    });
    await stage.do("sleep", { seconds: 580 });
    assert.equal(await plan(), 1);
    await stage.do("sleep", { seconds: 21 }); // 601 s since the PIN: reading was no touch
    plan().catch(() => {}); // waits for the PIN
    await lead.waitForSelector("dialog #pin");
    assert.equal(await lead.isVisible("main"), false);
    await ready(desk);
    await scan(someone(), desk); // the Desk page has no PIN
    await settled(desk);
    await stage.do("sleep", { seconds: 12 * 3600 - 601 });
    await atLogin(desk);
    await atLogin(lead);
    await lead.context().close();
    await desk.context().close();
});
