// Who gets in at the pages, and how.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Stage, until } from "./stage.mjs";

let stage;
before(async () => (stage = await Stage.open()));
after(async () => stage?.close());

test("an address opens a page once, and is gone from the address bar", async () => {
    const address = await stage.address("desk");
    const page = await stage.page(null);
    await page.goto(address);
    await page.waitForSelector("#banner[data-state]");
    assert.equal(await page.evaluate(() => location.hash), "");
    assert.ok(!page.url().includes("#"));
    const [cookie] = await page.context().cookies();
    assert.match(cookie.name, /^tideover_[0-9A-Z-]+$/);
    assert.equal(cookie.httpOnly, true);
    assert.equal(cookie.sameSite, "Strict");
    assert.equal(cookie.path, "/");
    assert.equal(cookie.value.length, 64);
    await page.reload(); // the session is found again
    await page.waitForSelector("#banner[data-state]");
    stage.quiet(page);

    const other = await stage.page(null);
    await other.goto(address); // the same code, in another browser
    await other.waitForURL("**/login*");
    assert.ok(await other.isVisible("#used"));
    await stage.screen(other, "login");
    await stage.accessible(other);
    const log = readFileSync(stage.states[0] + ".err", "utf8") + readFileSync(stage.states[0] + ".out", "utf8");
    for (const secret of [new URL(address).hash.slice(1), cookie.value]) assert.ok(!log.includes(secret));
    await page.context().close();
    await other.context().close();
});

test("without a code there is the login page only", async () => {
    const page = await stage.page(null);
    for (const path of ["/", "/desk", "/lead", "/admin"]) {
        await page.goto(`http://127.0.0.1:${stage.web[0]}${path}`);
        await page.waitForURL("**/login");
    }
    const answer = await page.evaluate(async () => (await fetch("/api/v1/status")).status);
    assert.equal(answer, 401);
    await page.context().close();
});

test("a page of which a script or a sheet was broken off on its way loads again", async () => {
    const page = await stage.page(null);
    const address = await stage.address("desk");
    const broken = [];
    for (const part of ["words_desk.js", "desk.js", "base.css"])
        await page.route("**/pages/" + part, (route) => {
            broken.push(part);
            return route.abort("internetdisconnected");
        }, { times: 1 }); // as a browser does when the network of the PC changes
    await page.goto(address);
    await page.waitForSelector("html[data-ready=yes]");
    assert.deepEqual(broken.sort(), ["base.css", "desk.js", "words_desk.js"]);
    assert.equal(await page.evaluate(() => document.styleSheets.length), 2);
    assert.equal(new URL(page.url()).pathname, "/desk");
    await page.context().close();
});

test("a page follows what happens, and goes on after a crash of the program", async () => {
    const page = await stage.page("desk");
    await page.waitForSelector("#banner[data-state]");
    const seen = () => page.evaluate(() => globalThis.seen);
    await page.evaluate(async () => {
        const { follow } = await import("/pages/door.js");
        globalThis.seen = [];
        follow((what) => globalThis.seen.push(what.gone ? "gone" : what.status.records.held));
    });
    await until(async () => (await seen()).at(-1) === 0, "the first status");
    await stage.do("feed", { desk: 0, first: 1, count: 3 });
    await until(async () => (await seen()).at(-1) === 3, "three records");
    await stage.do("kill9", { desk: 0 });
    await until(async () => (await seen()).at(-1) === "gone", "the page to say so");
    await stage.do("start", { desk: 0 });
    await until(async () => (await seen()).at(-1) === 3, "the page to go on");
    await stage.do("feed", { desk: 0, first: 4, count: 2 });
    await until(async () => (await seen()).at(-1) === 5, "five records");

    for (let i = 0; i < 6; i++) await page.reload(); // each leaves a request behind
    await page.waitForSelector("#banner[data-state]");
    await stage.do("stop", { desk: 0 });
    await stage.do("start", { desk: 0 });
    await page.waitForURL("**/login"); // stopped, not crashed: nobody is in any more
    await page.context().close();
});

test("the lead's page opens with its PIN only", async () => {
    await stage.do("pin", { desk: 0, page: "lead", pin: "246813" });
    const page = await stage.page("lead");
    await page.waitForSelector("dialog #pin");
    await stage.accessible(page);
    await stage.screen(page, "pin");
    assert.equal(await page.getByRole("link", { name: "Back to the desk" }).getAttribute("href"), "/desk");
    const api = (path) => page.evaluate(async (p) => (await fetch(p)).status, path);
    assert.equal(await api("/api/v1/upload/plan"), 401);
    await page.fill("#pin", "246814");
    await page.keyboard.press("Enter");
    await page.getByText("That is not the PIN.").waitFor();
    await page.fill("#pin", "246813");
    await page.keyboard.press("Enter");
    await page.waitForSelector("dialog", { state: "detached" });
    await page.waitForSelector("#banner[data-state]");
    const plan = await page.evaluate(async () =>
        (await (await import("/pages/door.js")).api("GET", "upload/plan")).schema);
    assert.equal(plan, 1);
    stage.quiet(page);
    await page.context().close();
});

test("every text is there in both languages, with the same values", async () => {
    const page = await stage.page(null);
    await page.goto(`http://127.0.0.1:${stage.web[0]}/login`);
    const rows = await page.evaluate(async () => (await import("/pages/words.js")).table);
    // Where a language needs a plural is its own affair: {n|one|many} is not compared.
    const values = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();
    for (const [key, row] of Object.entries(rows)) {
        assert.equal(row.length, 2, key);
        assert.ok(row.every((text) => text.trim()), key);
        if (row[0] === "{message}") continue; // in English the program's own sentence stands
        assert.deepEqual([...new Set(values(row[0]))], [...new Set(values(row[1]))], key);
    }
    await page.context().close();
});
