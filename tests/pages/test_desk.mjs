// The Desk page, as a scanner and a librarian use it, against three real desks.
import { test, before, after, beforeEach, afterEach } from "node:test";
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Stage, until } from "./stage.mjs";
import * as shared from "./scanner.mjs";
import { fresh, someone } from "./scanner.mjs";

let stage, page, first;

async function open(options = {}) {
    const opened = first ? await stage.again(first, options) : await stage.page("desk", options);
    await opened.waitForSelector("html[data-ready=yes]");
    return opened;
}

const scan = (number, where = page) => shared.scan(number, where);
const text = (selector, where = page) => shared.text(selector, where);
const settled = (where = page) => shared.settled(where);
const waiting = (where = page) => where.locator(".row-waiting").count();
const records = (desk = 0) => shared.records(stage, desk);
const lent = (to) => shared.lent(stage, to);

// What a screen reader is told: these lines are in it, in this order; numbers do not matter.
async function tells(lines, where = page) {
    const tree = (await where.locator("body").ariaSnapshot()).replace(/[0-9]+/g, "0").replaceAll("'", "");
    let at = 0;
    for (const line of lines) {
        const found = tree.indexOf(line, at);
        assert.ok(found >= 0, `${line}\nis not there, or not in its place:\n${tree}`);
        at = found + line.length;
    }
}

async function publish(policy) {
    const path = join(stage.states[0], "..", "next.ini");
    writeFileSync(path, policy);
    await stage.cli(0, "policy", "publish", path, "--lead-passphrase-file", stage.lead);
}

before(async () => {
    stage = await Stage.open({ desks: 3 });
    first = await open(); // its session is every test's; each has a window of its own
    await first.goto("about:blank");
});
after(async () => stage?.close());
beforeEach(async () => (page = await open()));
afterEach(async () => {
    stage.quiet(page);
    await page.context().close();
});

test("thirty scans at 5 ms a key: none lost, in order", async () => {
    const who = someone(), items = fresh(30);
    await stage.screen(page, "desk-start", { fullPage: false });
    await tells(["- banner:", "- navigation \"Pages\":", "- link \"Desk\"", "- button \"♪ Sound on\" [pressed]", "- main:",
        "- heading \"Desk\" [level=0]", "- status:", "- group \"What a scan does\":", "- button \"F0 Checkout\" [pressed]", "- button \"F0 Discharge\"",
        "- textbox \"Scan the user’s card\"", "- log \"Last at this desk\"", "listitem: Nothing yet.", "Today here: 0 checkouts", "- alert"]);
    await scan(who);
    for (const one of items) await scan(one);
    await settled();
    assert.deepEqual(await lent(who), items);
    assert.equal(await page.locator("#rows li.mine").count(), 30);
    assert.match(await text("#log-title"), /30 items/);
    await page.locator("#rows li .row-mark", { hasText: "✔✔ 2" }).first().waitFor();
    await tells(["- group \"Choose the due date\":", "- textbox \"Scan an item\"", "- heading \"This user: 0 items\" [level=0]",
        "- log \"This user: 0 items\"", "- list:", "- listitem:", "saved here and on 0 other", "- button \"Undo 0 0 0 0\""]);
    await stage.screen(page, "desk-checkout", { fullPage: false });
    await stage.accessible(page);
});

test("the program is killed in the middle of a burst: all is saved, once", async () => {
    const who = someone(), items = fresh(24);
    await scan(who);
    for (const one of items.slice(0, 8)) await scan(one);
    const dead = stage.do("kill9", { desk: 0 });
    for (const one of items.slice(8, 16)) await scan(one);
    await dead;
    await until(async () => (await text("#banner-word")) === "NOT SAVING NOW", "the page to say so");
    assert.ok((await waiting()) > 0); // nothing pretends to be saved
    await stage.screen(page, "desk-gone", { fullPage: false });
    for (const one of items.slice(16)) await scan(one);
    await stage.do("start", { desk: 0 });
    await settled();
    assert.deepEqual(await lent(who), items);
    await until(async () => (await text("#banner-word")) !== "NOT SAVING NOW", "the page to be well");
});

test("a reload loses nothing that waits", async () => {
    const who = someone(), items = fresh(4);
    await scan(who);
    await scan(items[0]);
    await settled();
    await page.route("**/api/v1/scan", (route) => route.abort());
    for (const one of items.slice(1)) await scan(one);
    await until(async () => (await text("#banner-word")) === "NOT SAVING NOW", "the page to say so");
    await page.waitForSelector('html[data-kept="3"]');
    await page.unroute("**/api/v1/scan");
    await page.reload();
    await page.waitForSelector("html[data-ready=yes]");
    await settled();
    assert.equal((await text("#user")).replaceAll(" ", ""), who);
    await scan(fresh(1)[0]);
    await settled();
    assert.deepEqual((await lent(who)).slice(0, 4), items);
    assert.equal((await lent(who)).length, 5);
    await page.keyboard.press("Escape");
    await until(async () => (await text("#user")) === "–", "no user");
});

test("a question waits for a person; scans meanwhile are held", async () => {
    const [a, b] = [someone(), someone()], [one, two] = fresh(2);
    await scan(a);
    await scan(one);
    await settled();
    await scan(b);
    await page.evaluate(() => { // no half second passes, however slow this machine is
        const at = performance.now();
        performance.now = () => at;
    });
    await page.keyboard.type(one, { delay: 5 });
    await page.keyboard.press("Enter");
    await page.waitForSelector("#question:not([hidden])");
    await page.keyboard.press("F10"); // nobody has read it yet
    await page.keyboard.press("Enter");
    await scan(two);
    await scan("*OK"); // a code that came along with the scans
    assert.ok(await page.isVisible("#question"));
    assert.equal(await page.evaluate(() => document.documentElement.dataset.tone), "warning");
    assert.deepEqual(await lent(b), []);
    await page.getByText("1 scan waits for your answer.").waitFor();
    await tells(["- textbox \"Scan an item\"", "- alertdialog \"This item went to another user at desk MAIN-0", "- button \"F0 Record it all the same\"",
        "- button \"F0 Leave it\"", "- paragraph: 0 scan waits for your answer.", "- paragraph: \"Answer first: F0 or F0.", "- alert: \"Answer first"]);
    await stage.accessible(page);
    await stage.screen(page, "desk-question", { fullPage: false });
    await page.evaluate(() => delete performance.now);
    await page.waitForTimeout(500); // the half second is the rule that is tested
    await page.keyboard.press("F10");
    await settled();
    assert.deepEqual(await lent(b), [one, two]);

    await scan(a); // and a no
    await scan(two);
    await page.waitForSelector("#question:not([hidden])");
    await page.waitForTimeout(500);
    await page.keyboard.press("F9");
    await page.waitForSelector("#question", { state: "hidden" });
    await settled();
    assert.deepEqual(await lent(a), [one]);

    await scan(two); // Esc is a no, too; F1 helps and answers nothing
    await page.waitForSelector("#question:not([hidden])");
    await page.keyboard.press("F1");
    await page.waitForSelector("#help[open]");
    await page.keyboard.press("Escape");
    await page.waitForSelector("#help:not([open])", { state: "attached" });
    assert.ok(await page.isVisible("#question"));
    await page.waitForTimeout(500);
    await page.keyboard.press("Escape");
    await page.waitForSelector("#question", { state: "hidden" });
    await settled();
    assert.deepEqual(await lent(a), [one]);
    assert.equal((await text("#user")).replaceAll(" ", ""), a); // the user stays open
});

test("what is refused says why, at once, and stays to be read", async () => {
    await scan(fresh(1)[0]);
    await page.getByText("Nothing was recorded: scan the user’s card first.").first().waitFor();
    await page.keyboard.press("F3");
    await scan(someone());
    await page.locator("#refusal", { hasText: "That is a user card" }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.tone), "stop");
    assert.ok((await page.locator(".row-refused").count()) >= 2);
    await tells(["- button \"F0 Discharge\" [pressed]", "- paragraph: \"That is a user card.", "- listitem", "not recorded", "- alert: \"That is a user card."]);
    await scan(fresh(1)[0]);
    await settled();
    assert.ok(await page.isVisible("#refusal")); // a good scan behind it does not wipe it away
    await stage.screen(page, "desk-discharge", { fullPage: false });
    assert.equal((await page.locator("#remark").innerText()).includes("HOLD-CHECK"), false);
    await page.evaluate(() => (window.print = () => (globalThis.printed = true)));
    await page.getByRole("button", { name: "Print the HOLD-CHECK list" }).click();
    await until(() => page.evaluate(() => globalThis.printed), "the list on paper");
    const listed = await page.locator("#sheet tbody tr").allInnerTexts();
    const returned = (await records()).filter((r) => r.op === "discharge").map((r) => r.item);
    assert.deepEqual(listed.map((l) => l.match(/\d \d{4} \d{8} \d/)[0].replaceAll(" ", "")), returned);
    await page.emulateMedia({ media: "print" });
    assert.deepEqual([await page.isVisible("#sheet"), await page.isVisible("#box")], [true, false]);
    await stage.screen(page, "desk-hold-check");
    await page.emulateMedia({ media: null });
    assert.equal(mediaBox(await page.pdf({ format: "A4" })).pages, 1);
});

test("what is wrong with this PC is said above the box, before the first scan, until it is mended", async () => {
    const file = join(stage.states[0], "..", "blocked.txt"), day = 86400e3, now = Date.now();
    const isoDay = (ms) => new Date(ms).toISOString().slice(0, 19) + "Z";
    const keys = { 1: "&", 2: "é", 3: "\"", 4: "'", 5: "(", 6: "-", 7: "è", 8: "_", 9: "ç", 0: "à" };

    assert.equal(await page.isVisible("#concerns"), false);
    writeFileSync(file, someone() + "\n");
    await stage.cli(0, "blocklist", "import", file, "--date", isoDay(now - 30 * day));
    await page.locator("#concerns", { hasText: "30 days old" }).waitFor();
    await stage.cli(0, "blocklist", "import", file, "--date", isoDay(now - day / 2));
    await page.waitForSelector("#concerns", { state: "hidden" });
    await scan([...someone()].map((c) => keys[c]).join(""));
    await page.locator("#concerns", { hasText: "French (AZERTY)" }).waitFor();
    await stage.screen(page, "desk-concerns", { fullPage: false });
    await stage.accessible(page);
    await scan(someone());
    await page.waitForSelector("#concerns", { state: "hidden" });
});

test("undo takes back the last one, or any own row; both stay, struck through", async () => {
    const who = someone(), items = fresh(3);
    await scan(who);
    for (const one of items) await scan(one);
    await settled();
    await page.keyboard.press("F9");
    await until(async () => (await page.locator(".row-voided").count()) === 1, "one taken back");
    await page.locator("#rows li", { hasText: items[0].slice(5, 13) }).getByRole("button").click();
    await until(async () => (await page.locator(".row-voided").count()) === 2, "two taken back");
    await page.waitForTimeout(500); // a key that bounces takes back one record only
    await page.keyboard.press("F9"); // only the last record: that is a void already
    await page.getByText("There is nothing to undo here.").first().waitFor();
    assert.equal((await records()).filter((r) => r.op === "void").length, 2);
    await scan(items[2]); // it may be scanned again
    await settled();
    assert.equal((await lent(who)).filter((i) => i === items[2]).length, 2);
});

test("focus lost and regained; keys outside any field go to the box", async () => {
    const who = someone();
    await page.evaluate(() => window.dispatchEvent(new Event("blur")));
    await page.getByText("The scanner is typing somewhere else – click here").waitFor();
    assert.equal(await page.title(), "⚠ click here");
    await stage.screen(page, "desk-blur", { fullPage: false });
    await page.mouse.click(500, 600);
    await page.waitForSelector("#veil", { state: "hidden" });
    assert.match(await page.title(), /MAIN-1/);
    await page.evaluate(() => document.activeElement.blur());
    await scan(who);
    await until(async () => (await text("#user")).replaceAll(" ", "") === who, "the user");
    // A button has the focus, and a scanner types: its Enter presses nothing.
    await page.locator("button[data-mode=discharge]").focus();
    await scan(fresh(1)[0]);
    await settled();
    assert.equal((await lent(who)).length, 1);
    assert.equal(await page.getAttribute("button[data-mode=checkout]", "aria-pressed"), "true");
});

test("a second tab says so, and can take over", async () => {
    const who = someone();
    const other = await page.context().newPage();
    await other.goto(new URL("/desk", page.url()).href);
    await other.getByText("The desk is open in another tab").waitFor();
    await stage.screen(other, "desk-second-tab", { fullPage: false });
    await other.bringToFront();
    await other.keyboard.type(who);
    assert.equal(await other.inputValue("#box"), "");
    await other.getByRole("button", { name: "Use it here" }).click();
    await page.getByText("The desk is open in another tab").waitFor();
    await scan(who, other);
    await until(async () => (await text("#user", other)).replaceAll(" ", "") === who, "the user there");
    await other.close();
});

test("a new user, by keyboard alone; what is missing is said in words", async () => {
    const card = someone();
    await page.keyboard.press("F6");
    await scan(card);
    await page.waitForSelector("#newuser[open]");
    await page.waitForTimeout(200); // an Enter right behind a scan would be the scanner's
    await page.locator("#newuser-save").press("Enter");
    await page.getByText("Family name is missing.").waitFor();
    await page.keyboard.type("Ångström");
    await page.keyboard.press("Enter");
    await page.keyboard.type("Ada");
    await page.waitForTimeout(200);
    assert.equal(await page.evaluate(() => document.activeElement.id), "new-first");
    await page.fill("#new-birth", "2020-02-29");
    await page.locator("#newuser-save").press("Enter");
    await page.getByText("Under 18: write down the guardian.").waitFor();
    await stage.screen(page, "desk-newuser", { fullPage: false });
    await tells(["- dialog \"New user – Card 0 0 0 0\":", "- textbox \"Family name\"", "- textbox \"Birth date\"", "- textbox \"Guardian\"",
        "- alert: \"Under 0: write down the guardian.\"", "- button \"Save the card\""]);
    await stage.accessible(page);
    await page.keyboard.press("Escape"); // nothing of it is lost
    await page.waitForSelector("#newuser", { state: "hidden" });
    await page.keyboard.press("F6");
    await scan(card);
    await page.waitForSelector("#newuser[open]");
    assert.equal(await page.inputValue("#new-last"), "Ångström");
    await page.fill("#new-guardian", "Lord Byron");
    await page.waitForTimeout(200); // not the scanner's Enter
    await page.locator("#newuser-save").press("Enter");
    await until(async () => (await text("#user")).replaceAll(" ", "") === card, "Checkout for the new user");
    const made = (await records()).find((r) => r.op === "user" && r.user === card);
    assert.equal(made.last, "Ångström");
    assert.equal(made.guardian, "Lord Byron");
    await scan(fresh(1)[0]);
    await settled();
    assert.equal((await lent(card)).length, 1);
});

function mediaBox(pdf) {
    const raw = pdf.toString("latin1");
    const [, width, height] = raw.match(/\/MediaBox\s*\[\s*0 0 ([0-9.]+) ([0-9.]+)\s*\]/);
    return { width: width * 25.4 / 72, height: height * 25.4 / 72,
        pages: raw.match(/\/Type\s*\/Page\b/g).length };
}

test("the slip is as long as what stands on it: 1, 12 and 60 items", async () => {
    const heights = [];
    await page.evaluate(() => {
        globalThis.printed = 0;
        window.print = () => globalThis.printed++;
    });
    await scan("*DUE14");
    for (const n of [1, 12, 60]) {
        const who = someone();
        await scan(who);
        for (const one of fresh(n)) await page.keyboard.insertText(one), await page.keyboard.press("Enter");
        await settled();
        const before = await page.evaluate(() => globalThis.printed);
        await page.keyboard.press("F8");
        await until(() => page.evaluate((b) => globalThis.printed > b, before), "the slip");
        const slip = await page.locator("#slip").evaluate((e) => e.textContent);
        assert.ok(slip.includes("User …" + who.slice(-4)) && !slip.includes(who));
        assert.equal(await page.locator("#slip li").count(), n);
        const pdf = mediaBox(await page.pdf({ preferCSSPageSize: true }));
        assert.equal(pdf.pages, 1);
        assert.ok(Math.abs(pdf.width - 80) < 0.5, `${pdf.width} mm wide`);
        heights.push(pdf.height);
    }
    const each = (heights[2] - heights[1]) / 48;
    assert.ok(each > 8 && each < 25, `${each} mm for an item`);
    assert.ok(Math.abs((heights[1] - heights[0]) / 11 - each) < 1, `${heights}`);
    await page.emulateMedia({ media: "print" });
    await stage.screen(page, "desk-slip");
    await page.emulateMedia({ media: null });
    await page.keyboard.press("Escape");
    const printed = await page.evaluate(() => globalThis.printed);
    await page.keyboard.press("F8"); // the user is gone: the last one again
    await until(() => page.evaluate((b) => globalThis.printed > b, printed), "the slip again");
    assert.equal(await page.locator("#slip li").count(), 60);
    await page.evaluate(() => (window.print = () => { // a dialog holds the page, and takes the keys
        for (const end = performance.now() + 1600; performance.now() < end;);
    }));
    await page.keyboard.press("F8");
    await page.getByText("What was scanned meanwhile went into its dialog").first().waitFor();
    await page.evaluate(() => (window.print = () => {}));
    const papers = { "58mm": [58, null, 1], a4: [210, 297, 4] };
    for (const [paper, [width, height, pages]] of Object.entries(papers)) { // a PC may have either
        await page.evaluate(async (paper) => {
            const { printSlip } = await import("/pages/slip.js"); // the page's own
            const rows = Array.from({ length: 60 }, (_, i) => ({ id: `MAIN-1/1/${1000 + i}`, op: "checkout",
                item: "39999000000024", due: i % 2 ? "2026-12-24" : undefined }));
            printSlip({ rows, at: new Date(), today: "2026-11-26", user: "29999000000018", desk: "MAIN-1" },
                { paper, title: "The Library of a Town with a Long Name", ask: "Tel. 01234 567 890" });
        }, paper);
        const pdf = mediaBox(await page.pdf({ preferCSSPageSize: true }));
        assert.ok(Math.abs(pdf.width - width) < 0.5, `${paper}: ${pdf.width} mm wide`);
        assert.ok(height ? Math.abs(pdf.height - height) < 0.5 : pdf.height > heights[2], `${paper}: ${pdf.height} mm`);
        assert.ok(pdf.pages >= 1 && pdf.pages <= pages, `${paper}: ${pdf.pages} pages`);
        await page.emulateMedia({ media: "print" });
        assert.ok(await page.evaluate(() => [...document.querySelectorAll("#slip *")].every((e) =>
            e.scrollWidth <= e.clientWidth + 1 || e.clientWidth === 0)), `${paper}: cut off`);
        await stage.screen(page, "desk-slip-" + paper);
        await page.emulateMedia({ media: null });
    }
    await scan("*DUERULE");
    await settled();
});

test("keyboard alone: every control is reached, and the box has the focus again", async () => {
    await page.keyboard.press("Tab");
    const seen = new Set();
    for (let i = 0; i < 40 && !seen.has("box"); i++) {
        seen.add(await page.evaluate(() => {
            const e = document.activeElement;
            return e.dataset.mode ?? e.dataset.do ?? e.id ?? e.tagName;
        }));
        await page.keyboard.press("Tab");
    }
    for (const name of ["checkout", "discharge", "renew", "user", "inhouse", "slip", "undo", "help",
        "paper", "sound", "larger", "language"]) assert.ok(seen.has(name), `${name} of ${[...seen]}`);
    await page.locator("button[data-mode=renew]").focus();
    await page.keyboard.press("Enter");
    await page.locator("button[data-mode=renew][aria-pressed=true]").waitFor();
    await until(() => page.evaluate(() => document.activeElement.id === "box"), "the focus in the box");
    await page.keyboard.press("F1");
    await page.waitForSelector("#help[open]");
    await stage.screen(page, "desk-help", { fullPage: false });
    await stage.accessible(page);
    await page.keyboard.press("Escape");
    await until(() => page.evaluate(() => document.activeElement.id === "box"), "the focus in the box");
    await page.keyboard.type("12", { delay: 5 });
    assert.equal(await page.inputValue("#box"), "12"); // the focus alone would not prove it
});

test("the control barcodes on paper: each is a code that the box knows", async () => {
    await page.evaluate(() => (window.print = () => {}));
    await page.keyboard.press("F1");
    await page.getByRole("button", { name: "Print the control barcodes" }).click();
    await page.locator("body[data-print=sheet]").waitFor();
    const codes = await page.locator("#sheet code").allTextContents();
    assert.ok(codes.includes("*DUE14") && codes.includes("*NEXT"), codes.join());
    assert.equal(await page.locator("#sheet svg.bars").count(), codes.length);
    await page.emulateMedia({ media: "print" });
    assert.deepEqual([await page.isVisible("#sheet"), await page.isVisible("#box"), await page.isVisible("#help")],
        [true, false, false]);
    await stage.screen(page, "desk-sheet");
    await page.emulateMedia({ media: null });
    const pdf = mediaBox(await page.pdf({ format: "A4" })); // this one says afterprint as well
    assert.ok(pdf.pages <= 2, `${pdf.pages} pages`);
    assert.equal(await page.evaluate(() => document.body.dataset.print), undefined);
    await page.keyboard.press("Escape");
    for (const code of codes.filter((c) => c !== "*UNDO")) await scan(code);
    await settled();
    assert.equal(await page.isVisible("#refusal"), false);
    await scan("*CHECKOUT");
    await scan("*DUERULE");
    await settled();
});

test("at midnight of the branch a chosen due date is as usual again", async () => {
    const own = await stage.cli(0, "policy", "show");
    // A zone in which the day ends in a few seconds: nobody's clock is touched.
    const endsIn = (left) => {
        const now = Math.floor(Date.now() / 1000);
        const east = (2 * 86400 - left - (now % 86400)) % 86400; // local time is UTC + east
        const west = east > 43200 ? 86400 - east : -east;
        const w = Math.abs(west);
        return `<TST>${west < 0 ? "-" : ""}${Math.floor(w / 3600)}:${Math.floor(w / 60) % 60}:${w % 60}`;
    };
    const dayEnds = () => page.evaluate(async () =>
        (await (await import("/pages/door.js")).api("GET", "desk")).day_ends_s);
    for (const left of [5, 20, 120]) { // a slow machine needs longer until here
        await publish(own.replace(/zone = .*/, "zone = Test/Midnight")
            .replace(/zone_rule = .*/, "zone_rule = " + endsIn(left)));
        await page.reload();
        await page.waitForSelector("html[data-ready=yes]");
        await page.getByRole("button", { name: "Due in 21 days" }).click();
        const chosen = page.locator("#presets [aria-pressed=true]", { hasText: "+21" });
        const over = page.locator("#remark", { hasText: "A new day" }); // before anybody saw the choice
        await until(async () => await chosen.count() || await over.count(), "the choice, or midnight");
        if (await chosen.count() && await dayEnds() <= left) break;
    }
    await page.locator("#remark", { hasText: "A new day" }).waitFor({ timeout: 150000 });
    await page.locator("#presets [aria-pressed=true]", { hasText: "As usual" }).waitFor();
    await publish(own);
});

test("what has no barcode: a button of its kind, or a form; who works here, and as which library", async () => {
    const who = someone(), [one, two] = fresh(2);
    const own = await stage.cli(0, "policy", "show");
    await publish(own.replace(/^library = .*$/m, "$&\nother_libraries = NORTH, SOUTH") +
        "\n[scan]\nno_barcode_kinds = paperback, magazine\n");
    await page.reload();
    await page.waitForSelector("html[data-ready=yes]");
    await scan(who);
    await page.getByRole("button", { name: "magazine" }).click();
    await page.locator("#rows li.mine", { hasText: "magazine" }).waitFor();
    await scan("*PIECES"); // the code of the sheet
    await page.waitForSelector("#piecesform[open]");
    await page.selectOption("#piecesform-kind", "paperback");
    await page.fill("#piecesform-count", "100");
    await page.getByRole("button", { name: "Check out" }).click();
    await page.getByText("From 1 to 99 at a time.").waitFor();
    await page.fill("#piecesform-count", "3");
    await page.locator("#piecesform-label").pressSequentially(one, { delay: 5 });
    await page.keyboard.press("Enter"); // a scanner's: nothing is sent
    assert.ok(await page.isVisible("#piecesform"));
    await page.fill("#piecesform-label", "thin ones");
    await stage.accessible(page);
    await stage.screen(page, "desk-piecesform", { fullPage: false });
    await page.getByRole("button", { name: "Check out" }).click();
    await page.locator("#rows li.mine", { hasText: "3 × paperback, thin ones" }).waitFor();
    await stage.screen(page, "desk-pieces", { fullPage: false });

    await scan(one); // the focus is in the box again
    await page.locator("#staff").click();
    await page.fill("#session-staff", "Ana Ångström");
    await page.selectOption("#session-library", "NORTH");
    await page.locator("#session-block_list").check();
    await stage.accessible(page);
    await stage.screen(page, "desk-session", { fullPage: false });
    await page.getByRole("button", { name: "Take it" }).click();
    await page.getByText("Ana Ångström works at this desk now.").first().waitFor();
    await page.getByText("Block list is not asked today").waitFor();
    await scan(two); // the user is still open
    await settled();
    await stage.screen(page, "desk-staff", { fullPage: false });
    const made = (await records()).filter((r) => r.user === who);
    assert.deepEqual(made.map((r) => [r.kind, r.count, r.label, r.item, r.staff, r.library, r.block_list]), [
        ["magazine", 1, undefined, undefined, undefined, undefined, undefined],
        ["paperback", 3, "thin ones", undefined, undefined, undefined, undefined],
        [undefined, undefined, undefined, one, undefined, undefined, undefined],
        [undefined, undefined, undefined, two, "Ana Ångström", "NORTH", false],
    ]);
    await page.keyboard.press("F8");
    await until(async () => (await page.locator("#slip li").count()) === 4, "all four on the slip");
    await page.locator("#staff").click();
    await page.selectOption("#session-library", "");
    await page.locator("#session-block_list").uncheck();
    await page.fill("#session-staff", "");
    await page.getByRole("button", { name: "Take it" }).click();
    await page.getByText("Staff: –").waitFor();
    await publish(own);
});

test("from paper: typed in with its own time, marked, and never without a word", async () => {
    const who = someone(), other = someone(), [one, two, three, four, five] = fresh(5);
    const strip = page.locator("#paper-strip");
    const made = async (...items) => (await records()).filter((r) => items.includes(r.item)).map((r) => [r.item, r.from_paper, r.at.slice(0, 16)]);
    const press = async (where) => { // a person's Enter: one right behind a character is a scanner's
        await page.waitForTimeout(200);
        await page.locator(where).press("Enter");
    };
    const take = async (time, date) => {
        await page.fill("#paperform-time", time);
        await page.fill("#paperform-date", date);
        await press("#paperform-save");
    };
    const today = await page.evaluate(async () => (await (await import("/pages/door.js")).api("GET", "desk")).today);
    const day = (n) => new Date(Date.parse(today) + n * 86400e3).toISOString().slice(0, 10);

    await press("#paper");
    await page.waitForSelector("#paperform[open]");
    assert.deepEqual([await page.evaluate(() => document.activeElement.id), await page.inputValue("#paperform-date")], ["paperform-time", today]);
    await scan(one); // a scanner's Enter takes nothing
    await scan(one);
    await scan(one);
    assert.ok(await page.isVisible("#paperform"));
    await stage.screen(page, "desk-paperform", { fullPage: false });
    await stage.accessible(page);
    for (const [time, date, words] of [["25:61", day(-1), "a time looks like 09:12"], ["", day(-1), "a time looks like 09:12"],
        ["14:05", day(1), "the typed time is in the future"], ["14:05", "1999-12-31", "the typed time is in the future"]]) {
        await take(time, date);
        await page.locator("#paperform-why", { hasText: words }).waitFor();
        await page.waitForSelector("#paperform[open]");
        assert.equal(await strip.isVisible(), false);
    }
    await page.fill("#paperform-date", day(-1));
    await page.fill("#paperform-time", "1405");
    await page.locator("#paperform-time").press("Enter"); // by keyboard alone: on, on, take it
    await page.keyboard.press("Enter");
    await press(":focus");
    await strip.getByText("From paper: what you type counts as of 14:05 on").waitFor();
    await scan(who);
    await scan(one);
    await settled();
    await press("#paper-strip [data-do=paper]");
    await take("14:20", day(-1));
    await strip.getByText("as of 14:20 on").waitFor();
    await scan(two); // the user is still open
    await settled();
    assert.deepEqual((await page.locator("#rows .row-paper").allInnerTexts()).map((s) => s.replace(/, .* /, " ")),
        ["✎ paper 14:20", "✎ paper 14:05"]);
    await tells(["- group \"From paper\":", "counts as of 0:0 on", "- button \"Change the time\"", "- button \"End\"", "- textbox \"Scan an item\"", "paper, 0"]);
    await stage.screen(page, "desk-paper", { fullPage: false });
    await stage.accessible(page);
    await page.emulateMedia({ colorScheme: "dark" });
    await stage.screen(page, "desk-paper-dark", { fullPage: false });
    await stage.accessible(page);
    await page.emulateMedia({ colorScheme: "light" });
    assert.deepEqual(await made(one, two), [[one, true, day(-1) + "T14:05"], [two, true, day(-1) + "T14:20"]]);

    const card = someone(); // what a form records, too
    await page.keyboard.press("F6");
    await scan(card);
    await page.waitForSelector("#newuser[open]");
    await page.fill("#new-last", "Lovelace");
    await press("#newuser-save");
    await shared.opened(card, page);
    assert.deepEqual((await records()).filter((r) => r.op === "user" && r.user === card).map((r) => [r.from_paper, r.at.slice(0, 16)]),
        [[true, day(-1) + "T14:20"]]);
    await page.locator("#rows li", { hasText: "new user" }).locator(".row-paper").first().waitFor();

    await scan(other); // what was asked about paper is answered about paper, also when that is over
    await scan(two);
    await page.waitForSelector("#question:not([hidden])");
    await page.locator("#paper-strip [data-do=paperend]").click(); // a question has the keys
    await page.waitForSelector("#paper-strip", { state: "hidden" });
    await page.waitForTimeout(500); // the half second of a question
    await page.keyboard.press("F10");
    await page.getByText("From paper is over: what is scanned now counts now.").first().waitFor();
    await settled();
    assert.deepEqual((await made(two)).at(-1), [two, true, day(-1) + "T14:20"]);
    assert.equal((await lent(other)).length, 1);
    assert.equal(await text("#user"), "–"); // nothing of now is lent to somebody of then
    await scan(who);
    assert.equal(await page.evaluate(async (at) => (await import("/pages/door.js")).api("POST", "scan", { scan: "*NEXT", at })
        .catch((e) => e.code), day(1) + " 09:00"), "bad_at");
    await scan(three);
    await settled();
    assert.equal(await page.locator("#rows li", { hasText: three.slice(5, 13) }).locator(".row-paper").count(), 0);

    const ends = async (how, words) => {
        await page.keyboard.press("Escape"); // offered while no user is open
        await press("#paper");
        await take("09:00", day(-1));
        await page.getByText("Now type what stands on the paper at 09:00").first().waitFor();
        await how();
        await page.locator("#remark", { hasText: words }).waitFor();
        assert.equal(await strip.isVisible(), false);
    };
    await ends(async () => { // forgotten for ten minutes
        await page.evaluate(() => {
            const now = Date.now;
            Date.now = () => now() + 600000;
        });
        await scan(who);
    }, "nothing was typed for ten minutes");
    await ends(async () => {
        await page.locator("#staff").click();
        await press("#session-save");
    }, "From paper is over, for the session is another one.");
    await ends(async () => {
        await page.reload();
        await page.waitForSelector("html[data-ready=yes]");
    }, "From paper was on and is over");
    await scan(who);
    for (const one of [four, five]) await scan(one);
    await settled();
    assert.deepEqual((await made(three, four, five)).map((r) => [r[0], r[1], r[2].slice(0, 10)]),
        [three, four, five].map((i) => [i, undefined, today]));
});

test("practice: seven guided scans, violet, and nothing of it is recorded", async () => {
    const held = (await records()).length;
    await page.getByRole("button", { name: "Practice" }).click();
    await page.locator("#banner-word", { hasText: "PRACTICE – nothing is real" }).waitFor();
    for (let step = 1; step <= 7; step++) {
        await page.locator("#guide-text", { hasText: `${step} of 7` }).waitFor();
        const number = (await text("#guide-number")).replaceAll(" ", "");
        if (step === 4) await page.keyboard.press("F9");
        else if (step === 5) await page.keyboard.press("F3");
        else await scan(number);
        if (step === 3) await stage.screen(page, "desk-practice", { fullPage: false });
    }
    await page.getByText("You are ready.").waitFor();
    await page.getByText("0 mistakes").waitFor();
    await tells(["- status: PRACTICE – nothing is real", "- paragraph: You are ready.", "practice only"]);
    await stage.accessible(page);
    await page.getByRole("button", { name: "End practice" }).click();
    await page.getByText("Now scans are real.").first().waitFor();
    assert.equal(await page.locator(".row-practised").count(), 0);
    assert.equal((await records()).length, held);
    const who = someone();
    await scan(who);
    await scan(fresh(1)[0]);
    await settled();
    assert.equal((await lent(who)).length, 1);
});

test("at 200 % nothing is cut; dark, forced colours, Spanish", async () => {
    const small = await open({ width: 512, height: 384, deviceScaleFactor: 2, language: "es-ES" });
    await scan(someone(), small);
    await scan(fresh(1)[0], small);
    await settled(small);
    assert.ok(await small.evaluate(() => document.scrollingElement.scrollWidth <= 512));
    assert.doesNotMatch(await small.evaluate(() => document.body.innerText), /\b(desk|nav|page|ago)\.[a-z]/);
    assert.match(await text(".modes", small), /Préstamo/);
    assert.ok(await small.evaluate(() => document.scrollingElement.scrollHeight < 2000)); // rows scroll, not the page
    const box = await small.locator("#box").boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 512);
    assert.ok(box.y >= 0 && box.y + box.height <= 384, `the box is where it can be seen: ${JSON.stringify(box)}`);
    await stage.accessible(small);
    await stage.screen(small, "desk-200-percent-es");
    stage.quiet(small);
    await small.context().close();

    await scan(someone());
    await scan(fresh(1)[0]);
    await settled();
    await page.emulateMedia({ colorScheme: "dark" });
    await stage.screen(page, "desk-dark", { fullPage: false });
    await stage.accessible(page);
    await page.emulateMedia({ colorScheme: "light", forcedColors: "active" });
    await stage.screen(page, "desk-forced-colours", { fullPage: false });
    await page.emulateMedia({ forcedColors: "none" });
    await page.getByRole("button", { name: "A+" }).click();
    assert.ok(await page.evaluate(() => document.scrollingElement.scrollWidth <= 1024));
    await stage.screen(page, "desk-larger", { fullPage: false });
});

test("the longest names, in Spanish: the keys stand in one line, the head and the foot do not grow", async () => {
    const wide = await open({ language: "es-ES" });
    await scan(someone(), wide);
    await scan(fresh(1)[0], wide);
    await wide.locator("#rows li .row-mark", { hasText: "✔✔ 2" }).first().waitFor();
    const tall = await wide.evaluate(() => {
        const top = (e) => Math.round(e.getBoundingClientRect().top);
        const say = (id, text) => (document.getElementById(id).textContent = text);
        say("desk-name", "SANSEBASTIAN-12 · CHILDRENS-DEPARTMENT-012"); // as long as a policy and an invite allow
        say("staff", "Personal: " + "Wolfeschlegelsteinhausenbergerdorff-Ortega".slice(0, 40));
        say("lists", "Lista de bloqueos: de hace 17 días");
        return { keys: new Set([...document.querySelectorAll(".modes button")].map(top)).size,
            head: document.querySelector("header").offsetHeight, foot: document.querySelector("footer").offsetHeight,
            number: document.querySelector(".row-item").getClientRects()[0].height, wide: document.scrollingElement.scrollWidth };
    });
    assert.ok(tall.keys === 1 && tall.number < 40 && tall.head < 90 && tall.foot < 70 && tall.wide <= 1024, JSON.stringify(tall));
    await stage.screen(wide, "desk-long-names-es", { fullPage: false });
    await wide.context().close();
});

test("an upload is seen: bar, UPLOADED, arrows in the rows", async () => {
    await scan(someone());
    await scan(fresh(1)[0]);
    await settled();
    const done = stage.cli(0, "upload", "run", "--yes", "--lead-passphrase-file", stage.lead);
    await page.locator("#banner-word", { hasText: "UPLOADED" }).waitFor({ timeout: 60000 });
    await done;
    await page.locator("#rows li.row-uploaded").first().waitFor();
    await tells(["- status: UPLOADED", "- listitem:", "uploaded"]);
    await stage.screen(page, "desk-uploaded", { fullPage: false });
});
