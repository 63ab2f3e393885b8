// The Admin page: readiness, desks, invites, events, settings, support.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Stage, until } from "./stage.mjs";

let stage, page;
const passphrase = () => readFileSync(stage.lead, "utf8").trim();

before(async () => {
    stage = await Stage.open({ desks: 2 });
    await stage.do("pin", { desk: 0, page: "admin", pin: "1357911" });
    page = await open();
});
after(async () => stage?.close());

async function open(options = {}) {
    const p = await stage.page("admin", options);
    await p.fill("#pin", "1357911");
    await p.keyboard.press("Enter");
    await p.waitForSelector("#peers tr");
    await p.waitForSelector("#events li");
    return p;
}

// What a scanner does with the bars: widths back to text, and the check symbol is right.
function decode(widths, table) {
    const values = [];
    for (let i = 0; i + 7 < widths.length; i += 6) values.push(table.indexOf(widths.slice(i, i + 6).join("")));
    assert.equal(widths.slice(-7).join(""), "2331112");
    const [start, ...rest] = values, check = rest.pop();
    assert.equal(start, 104);
    assert.equal(rest.reduce((s, v, i) => s + v * (i + 1), start) % 103, check);
    return rest.map((v) => String.fromCharCode(v + 32)).join("");
}

test("desks, readiness and events stand there and follow what happens", async () => {
    await page.locator("#peers tr", { hasText: "MAIN-2" }).getByText("online", { exact: true }).waitFor();
    assert.equal(await page.locator("#peers tr").count(), 3); // KIDS-1 is off
    await page.locator("#ready li", { hasText: "No block list" }).waitFor();
    await page.locator("#ready li[data-state=warn]", { hasText: "Nobody has practised" }).getByText("→ Five minutes").waitFor();
    await page.locator("#ready li[data-state=warn]", { hasText: "No scanner was tried" }).waitFor();
    await page.locator("#peers tr", { hasText: "MAIN-2" }).getByText("GiB").waitFor();
    await page.locator("#peers tr", { hasText: "KIDS-1" }).getByText("Tideover does not run there").waitFor();
    await page.locator("#ready li[data-state=good]", { hasText: "on the disk after" }).waitFor();
    await page.locator("#events li", { hasText: "MAIN-2 is here" }).waitFor();
    await stage.accessible(page);
    await stage.screen(page, "admin");
    await stage.do("stop", { desk: 1 });
    await page.locator("#events li", { hasText: "MAIN-2 is out of reach" }).waitFor({ timeout: 60000 });
    await page.locator("#peers tr", { hasText: "MAIN-2" }).getByText("out of reach").waitFor();
    await stage.do("start", { desk: 1 });
    await until(async () => (await page.locator("#events li", { hasText: "MAIN-2 is here" }).count()) === 2, "it to be back");
    const said = (await stage.cli(0, "events")).trim().split("\n");
    assert.ok(said.some((l) => l.includes("MAIN-2 is out of reach")), said.join("\n"));
});

test("an invite: code as text and as bars that say the same", async () => {
    await page.fill("#invite-desk", "KIDS-9");
    await page.fill("#invite-pass", "not this one");
    await page.click("#invite button");
    await page.getByRole("alert").filter({ hasText: /passphrase/i }).waitFor({ timeout: 60000 });
    assert.equal(await page.inputValue("#invite-pass"), "");
    await page.focus("#invite-desk"); // by the keyboard alone
    for (const id of ["invite-role", "invite-pass"]) {
        await page.keyboard.press("Tab");
        assert.equal(await page.evaluate(() => document.activeElement.id), id);
    }
    await page.keyboard.type(passphrase());
    await page.keyboard.press("Enter");
    const code = await page.locator("#code").textContent({ timeout: 60000 });
    const bars = await page.$$eval("svg.bars rect", (all) => all.map((r) => [r.getAttribute("x"), r.getAttribute("width"), r.getAttribute("fill")]));
    const widths = [];
    let at = 10;
    for (const [x, width] of bars.filter((b) => b[2] === "#000").map((b) => b.slice(0, 2).map(Number))) {
        if (x > at) widths.push(x - at);
        widths.push(width);
        at = x + width;
    }
    const table = await page.evaluate(async () => {
        const { widths } = await import("/pages/code128.js");
        // Each symbol's own widths, by way of a text of one character: the second symbol.
        return Array.from({ length: 95 }, (_, v) => widths(String.fromCharCode(v + 32)).slice(6, 12).join(""));
    });
    // The tables of the standard, as far as they are known by heart: "0", "A", "z".
    assert.deepEqual([table[16], table[33], table[90]], ["123122", "111323", "214121"]);
    for (const w of table) assert.equal([...w].reduce((a, b) => a + Number(b), 0), 11);
    assert.equal(new Set(table).size, 95);
    const check = await page.evaluate(async (c) => (await import("/pages/code128.js")).widths(c), code);
    assert.deepEqual(widths, check);
    const full = [...table, ...Array(8).fill(""), "", "211214"];
    full[104] = "211214";
    for (let v = 95; v < 103; v++) // the check symbol may be one of these
        full[v] = ["114113", "114311", "411113", "411311", "113141", "114131", "311141", "411131"][v - 95];
    assert.equal(decode(widths, full), code);
    const row = page.locator("#invites tr", { hasText: "KIDS-9" });
    await row.getByText("waits for its desk").waitFor();
    await stage.screen(page, "admin-invite");
    await stage.accessible(page);
    await page.getByRole("button", { name: "Withdraw the invite for KIDS-9" }).focus();
    await page.keyboard.press("Enter");
    await row.getByText("withdrawn").waitFor();
    assert.equal(await page.locator("#code").count(), 0);
});

test("settings are shown, and a file for whoever helps has nobody in it", async () => {
    await stage.do("feed", { desk: 0, first: 1, count: 3 });
    await page.locator("#settings tr", { hasText: "[web] listen" }).waitFor({ state: "attached" });
    assert.match(await page.locator("#policy").textContent(), /\[branch\]/);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#support")]);
    const text = readFileSync(await download.path(), "utf8");
    const o = JSON.parse(text);
    assert.equal(o.status.records.held, 3);
    assert.equal(o.peers.peers.length, 3);
    assert.ok(o.events.events.length > 0);
    const listed = await stage.cli(0, "log", "list", "--json");
    for (const line of listed.trim().split("\n").map((l) => JSON.parse(l)))
        for (const secret of [line.user, line.item]) assert.ok(!text.includes(secret), secret);
    assert.ok(!text.includes(passphrase()));
    const out = stage.states[0] + "/../support.json";
    await stage.cli(0, "support", out);
    assert.deepEqual(Object.keys(JSON.parse(readFileSync(out, "utf8"))).sort(), Object.keys(o).sort());
});

test("a desk without the lead key says where to go, before a passphrase is typed", async () => {
    for (const page of ["admin", "lead"]) await stage.do("pin", { desk: 1, page, pin: "1357911" });
    const admin = await stage.page("admin", { desk: 1 });
    await admin.fill("#pin", "1357911");
    await admin.keyboard.press("Enter");
    await admin.locator("#invite-said", { hasText: "Do this at: MAIN-1." }).waitFor();
    assert.ok(await admin.isDisabled("#invite-pass"));
    await stage.accessible(admin);
    await stage.screen(admin, "admin-no-key");
    await admin.close();
    await stage.do("feed", { desk: 1, first: 900, count: 1 });
    const lead = await stage.page("lead", { desk: 1 });
    await lead.fill("#pin", "1357911");
    await lead.keyboard.press("Enter");
    await lead.locator("#upload-wrong", { hasText: "Do this at: MAIN-1." }).waitFor();
    assert.ok(await lead.isDisabled("#upload-pass"));
    await stage.screen(lead, "lead-no-key");
    await lead.close();
});

test("a desk is revoked with the passphrase only, by keyboard", async () => {
    await page.getByRole("button", { name: "Revoke MAIN-2" }).focus();
    await page.keyboard.press("Enter");
    await page.locator("#revoke").waitFor();
    await stage.screen(page, "admin-revoke");
    await stage.accessible(page);
    await page.keyboard.press("Escape");
    await page.locator("#revoke").waitFor({ state: "hidden" });
    await page.keyboard.press("Enter");
    await page.fill("#revoke-pass", passphrase());
    await page.keyboard.press("Enter");
    await page.locator("#revoke").waitFor({ state: "hidden", timeout: 60000 });
    await page.locator("#peers tr", { hasText: "MAIN-2" }).getByText("revoked").waitFor();
    await page.locator("#events li", { hasText: "MAIN-2 was revoked" }).waitFor();
    stage.quiet(page);
});

// At 200 % a window of 1024x768 has 512x384 points of two pixels each: so a browser zooms.
test("dark, Spanish, at 200 %: nothing is cut off", async () => {
    const p = await open({ language: "es-ES", colorScheme: "dark", width: 512, height: 384, deviceScaleFactor: 2 });
    assert.equal(await p.evaluate(() => document.documentElement.lang), "es");
    await stage.screen(p, "admin-es-dark-200");
    // The program's own sentences, too: a problem, a refusal.
    await p.locator("#ready li", { hasText: "Nadie ha practicado" }).getByText("→ Cinco minutos").waitFor();
    await p.fill("#invite-desk", "KIDS-9 ?");
    await p.fill("#invite-pass", passphrase());
    await p.click("#invite button");
    await p.getByRole("alert").filter({ hasText: "Un nombre de mostrador tiene letras" }).waitFor();
    const wide = await p.evaluate(() => [...document.querySelectorAll("main *")].filter((e) => !e.closest(".scroll, pre") && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 80)));
    assert.deepEqual(wide, []);
    assert.equal(await p.evaluate(() => document.documentElement.scrollWidth), 512);
    await stage.accessible(p);
    const forced = await open({ forcedColors: "active" });
    const box = await forced.locator("#peers-table").evaluate((e) => [e.scrollWidth, e.parentElement.clientWidth]);
    assert.ok(box[0] <= box[1], `the table of desks is ${box[0]} wide in ${box[1]}`);
    await stage.screen(forced, "admin-forced");
    await stage.accessible(forced);
    await stage.do("kill9", { desk: 0 });
    await forced.locator("#banner", { hasText: "does not answer" }).waitFor();
    await stage.screen(forced, "admin-gone");
});
