// The Lead page: a whole upload with conflicts, by mouse and by the keyboard alone; what the library's
// system refused, settled; a pause; desks and servers that are away; an override.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Stage, until } from "./stage.mjs";

const PIN = "4711";
const PASS = "canary passphrase of four words"; // of branch.py
let stage, page;

// ---- barcodes of the branch's patterns ----

function luhn(digits) {
    let total = 0;
    [...digits].reverse().forEach((c, i) => {
        const d = Number(c) * (i % 2 === 0 ? 2 : 1);
        total += d > 9 ? d - 9 : d;
    });
    return digits + ((10 - (total % 10)) % 10);
}
const user = (n) => luhn("29999" + String(n).padStart(8, "0"));
const item = (n) => luhn("39999" + String(n).padStart(8, "0"));

async function feed(desk, ...lines) {
    const { answers } = await stage.do("lines", { desk, lines });
    for (const a of answers) assert.ok(a.ok, JSON.stringify(a));
    return answers.map((a) => a.id);
}

async function openLead(options = {}) {
    const all = { acceptDownloads: true, ...options };
    const p = page ? await stage.again(page, all) : await stage.page("lead", all);
    if (!page) {
        await p.fill("#pin", PIN);
        await p.keyboard.press("Enter");
    }
    await p.waitForSelector("#banner[data-state]");
    await p.waitForSelector("#step-result[data-state]");
    return p;
}

const text = (selector, p = page) => p.locator(selector).innerText();
const sees = (selector, words, p = page) => until(async () => (await text(selector, p)).includes(words) || null, `${words} in ${selector}`).catch(async (e) => {
    throw new Error(`${selector} says “${await text(selector, p)}”, not “${words}”`, { cause: e });
});

// Tab until the focus is where it is wanted.
async function tabTo(selector, key = "Tab") {
    for (let i = 0; i < 120; i++) {
        if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
        await page.keyboard.press(key);
    }
    throw new Error(`no Tab leads to ${selector}`);
}

async function download(button) {
    const [file] = await Promise.all([page.waitForEvent("download"), button.click()]);
    return { name: file.suggestedFilename(), text: readFileSync(await file.path(), "utf8") };
}

// An item out to two users at two desks, and a duplicate, and a discharge that is held.
async function aDay(n) {
    await stage.do("feed", { desk: 1, first: n + 100, count: 6 });
    await feed(0, { op: "checkout", user: user(1), item: item(n) }, { op: "checkout", user: user(3), item: item(n + 1) });
    await feed(1, { op: "checkout", user: user(2), item: item(n) });
    await feed(2, { op: "checkout", user: user(3), item: item(n + 1) }, { op: "discharge", item: item(n + 2) });
    await sees("#step-review .tally", "1");
}

before(async () => {
    stage = await Stage.open({ desks: 3 });
    await stage.do("pin", { desk: 0, page: "lead", pin: PIN });
    page = await openLead();
});
after(async () => stage?.close());

test("the day is shown: desks, what they disagree about, the plan", async () => {
    await sees("#step-desks .tally", "3 of 3");
    await sees("#plan-verdict", "Nothing waits");
    await stage.screen(page, "lead-empty");
    await aDay(1000);
    await sees("#desks-verdict", "Nothing is missing");
    await sees("#plan-verdict", "8 to upload: 8 checkouts.");
    await sees("#plan-lines", "1 discharge held");
    await sees("#plan-lines", "1 duplicate");
    assert.match(await text("#review-list"), new RegExp(item(1000)));
    await page.click("#plan-preview");
    await sees("#preview", "1 to 11");
    await page.click("#plan-hold");
    await sees("#hold", item(1002));
    const file = await download(page.locator("#plan-save"));
    assert.match(file.name, /^MAIN-symphony-/);
    assert.ok(file.text.includes(item(1000)));
    await stage.screen(page, "lead-plan");
    await stage.accessible(page);
    await page.click("#plan-preview");
    await page.click("#plan-hold");
});

test("a wrong passphrase sends nothing", async () => {
    await page.fill("#upload-pass", "not the words");
    await page.click("#upload-go");
    await sees("#upload-wrong", "not the lead");
    assert.equal(await page.inputValue("#upload-pass"), "");
    assert.deepEqual((await stage.do("files")).files, []);
    await stage.screen(page, "lead-wrong-passphrase");
});

test("a whole upload by mouse: a decision, signed; one press; one file", async () => {
    await page.getByLabel("Send all").check();
    await page.click("#review-do");
    await stage.screen(page, "lead-sign");
    await page.fill("dialog #pass", "wrong");
    await page.click("dialog .main");
    await sees("dialog [role=alert]", "not the lead");
    await page.fill("dialog #pass", PASS);
    await page.click("dialog .main");
    await sees("#review-verdict", "All is decided");
    await sees("#plan-verdict", "9 to upload");
    await stage.screen(page, "lead-decided");
    await page.fill("#upload-pass", PASS);
    assert.equal(await text("#upload-go"), "UPLOAD 9 RECORDS");
    await page.click("#upload-go");
    await sees("#step-upload .tally", "✔");
    const { files } = await stage.do("files");
    assert.equal(files.length, 1);
    assert.ok(readFileSync(files[0], "latin1").includes(item(1000)));
    await sees("#result-facts", "9 records");
    await sees("#result-facts", "Agreed by");
    await stage.screen(page, "lead-uploaded");
});

test("held discharges are ticked off, the upload is confirmed, the report saved", async () => {
    await page.click("#plan-hold");
    await sees("#hold", "discharge it in the system");
    await page.getByLabel(`Item ${item(1002)} is discharged`).check();
    await page.locator("#hold").getByRole("button", { name: "Tick off" }).click();
    await page.fill("dialog #pass", PASS);
    await page.click("dialog .main");
    await sees("#said", "1 ticked off");
    await page.click("#confirm-word");
    await page.fill("dialog #pass", PASS);
    await page.click("dialog .main");
    await until(async () => !(await page.isVisible("#result-confirm")), "the confirmation");
    await page.click("#report-show");
    await sees("#report", "Nothing is unsent");
    await sees("#result-verdict", "Nothing is unsent");
    await stage.screen(page, "lead-report");
    const html = await download(page.locator("#report-html"));
    assert.match(html.name, /^outage-MAIN-\d{4}-\d\d-\d\d\.html$/);
    assert.match(html.text, /Nothing is unsent/);
    assert.match(html.text, /default-src 'none'/);
    assert.ok(!html.text.includes(user(1)), "no whole user number");
    const facts = JSON.parse((await download(page.locator("#report-json"))).text);
    assert.equal(facts.upload.send_total, 9);
    assert.match((await download(page.locator("#report-text"))).text, /SHA-256/);
    await page.click("#report-show");
    await stage.accessible(page);
});

test("the report of the load is read in: pasted, then as a file", async () => {
    await stage.do("feed", { desk: 1, first: 1500, count: 5 });
    await sees("#plan-verdict", "5 to upload");
    await stage.cli(0, "upload", "run", "--yes", "--lead-passphrase-file", stage.lead);
    await page.waitForSelector("#load-report summary");
    const { slot } = (await stage.json(0, "upload", "status")).last;
    const sent = await page.evaluate(async (n) => (await import("/pages/door.js")).api("GET", "upload/lines?slot=" + n), slot);
    assert.equal(sent.length, 5);
    await page.click("#load-report summary");
    await page.fill("#load-text", "nobody/1/0001,ok");
    await sees("#load-read", "names no record");
    assert.ok(!(await page.isVisible("#load-say")));
    await page.fill("#load-text", `${sent[0].id},ok\n${sent[1].id};loaded;\n${sent[1].id},ok\nrubbish`);
    await sees("#load-read", "2 loaded · 0 refused · 1 line names nothing");
    await stage.screen(page, "lead-load");
    await stage.accessible(page);
    await page.click("#load-say");
    await page.fill("dialog #pass", PASS);
    await page.click("dialog .main");
    await sees("#said", `${sent.length - 2} records wait yet`);
    const rest = sent.slice(2);
    const file = [`${rest[0].id},refused,user ${user(1)} is barred`, ...rest.slice(1).map((o) => o.part > 0 ? `${o.line}\tOK` : `${o.id}\tOK`)];
    await page.setInputFiles("#load-file", { name: "results.csv", mimeType: "text/csv", buffer: Buffer.from(file.join("\r\n")) });
    await sees("#load-read", `${rest.length - 1} loaded · 1 refused`);
    await page.click("#load-say");
    await page.fill("dialog #pass", PASS);
    await page.click("dialog .main");
    await sees("#said", "Nothing waits for this load");
    await sees("#exceptions", "refused: user # is barred");
    assert.ok(!(await page.isVisible("#load-report")));
    await page.locator("#exceptions").getByRole("checkbox").first().check();
    await page.locator("#exceptions").getByRole("button", { name: "Mark as done" }).click();
    await page.fill("dialog #pass", PASS);
    await page.click("dialog .main");
    await sees("#said", "1 marked as done");
});

test("another PC looks whether the file is there", async () => {
    const other = await stage.page("lead", { desk: 1 });
    await stage.do("pin", { desk: 1, page: "lead", pin: PIN }); // it had none
    await other.getByRole("button", { name: "Try again" }).click();
    await other.fill("#pin", PIN);
    await other.keyboard.press("Enter");
    await other.click("#confirm-look");
    await sees("#said", "Confirmed.", other);
    await until(async () => !(await other.isVisible("#result-confirm")), "the confirmation there");
    await until(async () => !(await page.isVisible("#result-confirm")), "the confirmation here");
    await other.context().close();
});

test("new cards exist in the library's system: what waited for them goes", async () => {
    await stage.do("publish", { desk: 0, more: "", instead: ["registration = jy", "registration = none"] });
    await feed(0, { op: "user", user: user(4711), last: "Canary", first: "Bird", birth: "1988-07-14" }, { op: "checkout", user: user(4711), item: item(1600) });
    await sees("#plan-verdict", "upload");
    await stage.cli(0, "upload", "run", "--yes", "--lead-passphrase-file", stage.lead);
    await page.click("#aside-cards");
    await page.fill("dialog #pass", PASS);
    await page.click("dialog .main");
    await sees("#said", "1 record");
    await sees("#plan-verdict", "1 to upload");
    await stage.cli(0, "upload", "run", "--yes", "--lead-passphrase-file", stage.lead);
    const { files } = await stage.do("files");
    assert.ok(files.some((f) => readFileSync(f, "latin1").includes(item(1600))));
});

test("by the keyboard alone, to a system that answers each record; paused on the way", async () => {
    await stage.do("ils", { name: "koha", format: "koha", sink: "koha:URL", args: ["--unknown", `${item(2101)},${item(2102)}`, "--slow", "0.7"], more: "[koha]\npending = no\n" });
    await aDay(2000);
    await page.reload();
    await page.waitForSelector("#step-result[data-state]");
    await sees("#step-review .tally", "1");
    await page.evaluate(() => document.activeElement?.blur());
    await tabTo("#step-review");
    await page.keyboard.press("Enter");
    await tabTo("#review input[type=radio]");
    await page.keyboard.press("ArrowDown");
    await sees("#review-chosen", "1 decision");
    await tabTo("#review-do");
    await page.keyboard.press("Enter");
    await tabTo("dialog #pass");
    await page.keyboard.type(PASS);
    await page.keyboard.press("Enter");
    await sees("#review-verdict", "All is decided");
    await tabTo("#upload-pass");
    await page.keyboard.type(PASS);
    await page.keyboard.press("Enter");
    await sees("#banner-word", "UPLOADING");
    await page.waitForSelector("#running-pause:not([hidden])");
    await until(async () => Number(await page.getAttribute("#running-bar", "value")) > 1, "some progress");
    await tabTo("#running-pause");
    await page.keyboard.press("Enter");
    await sees("#running-word", "Paused by MAIN-1");
    const done = await text("#running-count");
    await stage.screen(page, "lead-paused");
    await stage.accessible(page);
    const other = await stage.page("lead", { desk: 1 }); // another desk shows who uploads
    await other.fill("#pin", PIN);
    await other.keyboard.press("Enter");
    await sees("#running-word", "Paused by MAIN-1", other);
    assert.equal(await text("#running-count"), done); // nothing moved
    await page.keyboard.press("Enter");
    await sees("#running-word", "is uploading");
    await sees("#running-word", "is uploading", other);
    await stage.screen(other, "lead-elsewhere");
    await other.context().close();
    const said = await stage.do("cli", { desk: 1, args: ["upload", "pause"] });
    assert.equal(said.rc, 77); // no lead's desk
    assert.match(said.err, /at the desk of a lead/);
    await sees("#running-left", "left");
    await stage.screen(page, "lead-uploading");
    await sees("#result-verdict", "2 records need attention");
});

test("what was refused has words and a next step; CSV, print, done", async () => {
    await sees("#exceptions", "Barcode not found");
    await sees("#exceptions", "Fetch the item");
    await stage.screen(page, "lead-exceptions");
    const { text: csv } = await download(page.locator("#exceptions").getByRole("button", { name: "CSV" }));
    assert.ok(csv.includes(item(2101)));
    const guarded = await page.evaluate(async () => {
        const { csv } = await import("/pages/lead_parts.js");
        return csv(["a"], [["=1+1"], ["+1"], ["-1"], ["@x"], ['say "x"']]);
    });
    assert.equal(guarded, '\ufeff"a"\r\n"\'=1+1"\r\n"\'+1"\r\n"\'-1"\r\n"\'@x"\r\n"say ""x"""\r\n');
    await page.evaluate(() => (window.print = () => (globalThis.printed = document.body.dataset.print)));
    await page.locator("#exceptions").getByRole("button", { name: "Print" }).click();
    assert.equal(await page.evaluate(() => globalThis.printed), "exceptions");
    await page.evaluate(() => (document.body.dataset.print = "exceptions"));
    await page.emulateMedia({ media: "print" });
    assert.deepEqual([await page.isVisible("#exceptions"), await page.isVisible("#upload"), await page.isVisible("header.top")], [true, false, false]);
    await page.emulateMedia({ media: "screen" });
    await page.evaluate(() => delete document.body.dataset.print);
    const settle = async (number, button) => {
        await page.locator(".exception", { hasText: number }).getByRole("checkbox").check();
        await page.locator("#exceptions").getByRole("button", { name: button }).click();
        await page.fill("dialog #pass", PASS);
        await page.click("dialog .main");
    };
    await settle(item(2101), "Mark as done");
    await sees("#exceptions-title", "1 record that");
    await settle(item(2102), "Send again");
    await sees("#exceptions", "It goes again with the next upload");
    await sees("#plan-verdict", "1 to upload: 1 checkout");
    await sees("#plan-lines", "1 of these was set aside before");
    await stage.accessible(page);
});

test("a refused login stops the upload, in words; with the right one it goes on", async () => {
    const password = async (input) => {
        for (const desk of [0, 1, 2]) await stage.do("cli", { desk, args: ["credential", "set", "ils", "password"], input });
    };
    const press = async () => {
        await page.fill("#upload-pass", PASS);
        await page.click("#upload-go");
    };
    await password("not it\n");
    await press();
    await sees("#upload-failed", "The upload stopped");
    await stage.screen(page, "lead-failed");
    await password("secret\n");
    await until(async () => {
        if ((await text("#step-upload .tally")).includes("✔")) return true;
        // It goes on by itself, or a lead presses once more; who comes first is nobody's business. But
        // the press is over before anything new is recorded, or it would ask for that as well.
        if (await page.isVisible("#upload-failed") && await page.isEnabled("#upload-go")) {
            const over = page.waitForResponse(/upload\/run/, { timeout: 10000 });
            await page.fill("#upload-pass", PASS, { timeout: 1000 }).then(() => page.click("#upload-go", { timeout: 1000 })).then(() => over).catch(() => {});
            await over.catch(() => {});
        }
        return null;
    }, "the upload to go on");
    assert.ok(!(await page.isVisible("#upload-failed")));
    await stage.do("feed", { desk: 1, first: 2900, count: 2 });
    await sees("#plan-verdict", "2 to upload");
});

test("nobody can tell whether a file arrived: the lead looks, and says", async () => {
    await stage.do("ils", { name: "httpdrop", format: "symphony", sink: "URL/in/", args: ["--dir", "HOME/in", "--eats", "--bad", "no-answer=1x"] });
    await page.fill("#upload-pass", PASS);
    await page.click("#upload-go");
    await sees("#upload-doubt", "Nobody can tell");
    await sees("#upload-doubt", ".log");
    await stage.screen(page, "lead-doubt");
    await page.getByRole("button", { name: "It arrived", exact: true }).click();
    await sees("dialog", "never sent again");
    await page.fill("dialog #pass", PASS);
    await page.click("dialog .danger");
    await sees("#step-upload .tally", "✔");
    assert.ok(!(await page.isVisible("#upload-doubt")));
});

test("the other language, dark, high contrast, 200 %, narrow: nothing is cut off", async () => {
    await aDay(3000);
    const looks = { "spanish": { language: "es-ES" }, "dark": { colorScheme: "dark" }, "contrast": { forcedColors: "active" }, "zoom-200": { width: 512, height: 384, deviceScaleFactor: 2 } };
    for (const [name, options] of Object.entries(looks)) {
        const p = await openLead(options);
        await until(async () => (await p.innerText("#step-review .tally")) === "1", "the day");
        assert.ok(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name + ": wider than the window");
        await stage.screen(p, "lead-" + name);
        if (name !== "contrast") await stage.accessible(p);
        if (name === "spanish") {
            assert.equal(await p.innerText("#upload-go"), "CARGAR 8 REGISTROS");
            assert.ok(!/\{\w+[|}]/.test(await p.innerText("main")), "a placeholder shows");
        }
        stage.quiet(p);
        await p.context().close();
    }
});

test("let the later loan stand: signed, and nothing of the matter is left to anybody", async () => {
    await page.getByLabel("Let the later one stand").check();
    await page.click("#review-do");
    await page.fill("dialog #pass", PASS);
    await page.click("dialog .main");
    await sees("#review-verdict", "All is decided");
    await sees("#review-list", "A lead decided this");
    await sees("#plan-verdict", "8 to upload");
    assert.doesNotMatch(await text("#plan-lines"), /decides/);
});

test("the server goes and comes back", async () => {
    await stage.do("ils_stop");
    await stage.do("watch");
    await sees("#banner-word", "OFFLINE");
    await stage.screen(page, "lead-offline");
    await stage.do("ils_start");
    await sees("#banner-word", "SERVER BACK");
    await page.click("#server-online");
    await stage.screen(page, "lead-server-back");
    await page.keyboard.press("Escape");
});

test("desks are away: said in words; too few are left: an override, with its risk", async () => {
    await stage.do("kill9", { desk: 2 });
    await sees("#desks-verdict", "KIDS-1 was last heard");
    await stage.screen(page, "lead-away");
    await stage.do("kill9", { desk: 1 });
    await page.click("#override summary");
    await until(async () => {
        if (await page.isVisible("#override-do")) return true;
        await page.click("#override summary");
        await page.click("#override summary");
        return null;
    }, "the override to be allowed");
    await page.click("#override-do");
    await sees("#override-risk", "may reach the server twice");
    await page.fill("dialog #reason", "two PCs were stolen");
    await page.fill("dialog #pass", PASS);
    assert.ok(await page.isDisabled("dialog .danger"), "not before it is typed");
    await page.fill("dialog #typed", "MAIN");
    await stage.screen(page, "lead-override");
    await stage.accessible(page);
    await page.click("dialog .danger");
    await sees("#override-body", "Not needed");
    stage.quiet(page);
});

test("the node stops: the page says so", async () => {
    await stage.do("kill9", { desk: 0 });
    await sees("#banner-word", "does not answer");
    await stage.screen(page, "lead-gone");
});

test("a desk that reaches nobody: its file is brought in", async () => {
    await stage.do("kill9", { desk: 1 }); // if it runs yet
    await stage.do("start", { desk: 2 });
    await stage.do("feed", { desk: 2, first: 1700, count: 3 });
    const file = stage.states[2] + "/../kids.bundle";
    await stage.cli(2, "bundle", "export", file);
    await stage.do("kill9", { desk: 2 });
    await stage.do("start", { desk: 0 });
    const said = (words) => until(async () => { // a node that crashed knows the session, not the PIN: it asks
        if (await page.isVisible("#pin")) await page.fill("#pin", PIN, { timeout: 2000 }).then(() => page.keyboard.press("Enter"));
        return (await page.locator("#bundle-said").textContent()).includes(words);
    }, words);
    await page.setInputFiles("#bundle-file", stage.lead);
    await said("not a desk’s bundle");
    await page.setInputFiles("#bundle-file", file);
    await said("KIDS-1: 3 new records");
    assert.equal((await stage.json(0, "status")).records.held, (await stage.json(0, "status")).records.union);
});
