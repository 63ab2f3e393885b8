// Real desks and a real Chromium for the page tests.
//
//   const stage = await Stage.open({ desks: 2 });
//   const page = await stage.page("desk");          // as `tideover open` would show it, on desk 0
//   await stage.do("feed", { desk: 1, first: 1, count: 20 });
//   await stage.screen(page, "desk-online");         // build/screens/desk-online.png
//   await stage.close();
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { dirname, join } from "node:path";
import { createRequire } from "node:module";
import assert from "node:assert/strict";
import { afterEach } from "node:test";
import { chromium } from "playwright-core";

const home = dirname(fileURLToPath(import.meta.url));
const screens = process.env.TIDEOVER_SCREENS ?? join(home, "../../build/screens");

export const browserArguments = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

// A test failed: how the desks stand, and what the pages show.
const open = new Set();
afterEach(async (t) => {
    for (const stage of t.passed ? [] : open) await stage.show();
});

// Tries until f returns something true, or its last error is the test's.
export async function until(f, what, deadline = 60000) {
    const end = Date.now() + deadline;
    for (;;) {
        let value, why;
        try {
            value = await f();
            if (value) return value;
        } catch (e) {
            why = e;
        }
        if (Date.now() > end) throw why ?? new Error(`waited ${deadline} ms in vain for ${what}`);
        await new Promise((r) => setTimeout(r, 50));
    }
}

export class Stage {
    mortals = new Set(); // how to end those that a test that failed left behind

    // desks: how many; more: arguments for Chromium; what else there is goes to stage.py's "found"
    static async open({ desks = 1, more = [], ...found } = {}) {
        const s = new Stage();
        open.add(s);
        s.python = spawn("python3", [join(home, "stage.py")], { stdio: ["pipe", "pipe", "inherit"] });
        s.lines = createInterface({ input: s.python.stdout })[Symbol.asyncIterator]();
        s.last = Promise.resolve();
        s.browser = await chromium.launch({
            executablePath: process.env.TIDEOVER_CHROMIUM ?? "/usr/bin/chromium",
            args: [...browserArguments, ...more],
        });
        Object.assign(s, await s.do("found", { desks, ...found }));
        return s;
    }

    // One command to stage.py; they go one after the other.
    do(what, more = {}) {
        const mine = this.last.then(async () => {
            this.python.stdin.write(JSON.stringify({ do: what, ...more }) + "\n");
            const line = await this.lines.next();
            if (line.done) throw new Error(`stage.py ended at ${what}`);
            const answer = JSON.parse(line.value);
            if (answer.error) throw new Error(answer.error);
            return answer;
        });
        this.last = mine.catch(() => {});
        return mine;
    }

    // What the command line says; fails unless it went well.
    async cli(desk, ...args) {
        const said = await this.do("cli", { desk, args });
        assert.equal(said.rc, 0, `tideover ${args.join(" ")}: ${said.err}`);
        return said.out;
    }

    async json(desk, ...args) {
        return JSON.parse(await this.cli(desk, ...args, "--json"));
    }

    // An address that opens a page of this desk once.
    async address(page = "desk", desk = 0) {
        return (await this.cli(desk, "open", page, "--print")).trim();
    }

    // A window of its own (its own cookies) at a page. options: of playwright's newContext().
    async page(name = "desk", { desk = 0, language = "en-GB", width = 1024, height = 768, ...options } = {}) {
        const context = await this.browser.newContext({
            locale: language, viewport: { width, height }, serviceWorkers: "block", ...options,
        });
        context.setDefaultTimeout(60000); // as until(): a loaded machine is slow
        context.setDefaultNavigationTimeout(60000);
        const page = await context.newPage();
        page.said = [];
        page.on("pageerror", (e) => page.said.push(String(e)));
        page.on("console", (m) => {
            if (m.type() === "error" && !/Failed to load resource/.test(m.text())) page.said.push(m.text());
        });
        if (name) {
            const address = await this.address(name, desk);
            page.home = new URL("/" + name, address).href;
            await page.goto(address);
        }
        return page;
    }

    // A Chromium that can be killed: {browser, page, kill()}; its profile is in `folder`. It opens the
    // Desk page as `tideover open` would.
    async mortal(folder) {
        const child = spawn(process.env.TIDEOVER_CHROMIUM ?? "/usr/bin/chromium", [...browserArguments,
            "--remote-debugging-port=0", `--user-data-dir=${folder}`, "--lang=en-GB", "about:blank"],
        { detached: true, stdio: ["ignore", "ignore", "pipe"] });
        const ended = new Promise((r) => child.on("exit", r));
        const where = await new Promise((found, never) => {
            createInterface({ input: child.stderr }).on("line", (l) => {
                const at = l.match(/DevTools listening on (ws:\S+)/);
                if (at) found(at[1]);
            });
            ended.then(() => never(new Error("chromium ended")));
        });
        const browser = await chromium.connectOverCDP(where);
        const page = await browser.contexts()[0].newPage();
        page.setDefaultTimeout(60000);
        await page.addInitScript(() => { // every remark, also one that the next replaced before anybody looked
            window.remarks = "";
            new MutationObserver(() => (window.remarks += document.querySelector("#remark-text")?.textContent + "\n"))
                .observe(document, { subtree: true, childList: true, characterData: true });
        });
        const kill = async () => {
            this.mortals.delete(kill);
            process.kill(-child.pid, "SIGKILL"); // with all its processes: they are a group
            await ended;
            await browser.close().catch(() => {});
        };
        this.mortals.add(kill);
        await page.goto(await this.address("desk"));
        return { browser, page, kill };
    }

    // One more window with the session (and the PIN) of that page, and nothing else of it: no login.
    async again(page, options = {}) {
        const { cookies } = await page.context().storageState();
        const next = await this.page(null, { storageState: { cookies, origins: [] }, ...options });
        next.home = page.home;
        await next.goto(page.home);
        return next;
    }

    async screen(page, name, options = {}) {
        mkdirSync(screens, { recursive: true });
        await page.screenshot({ path: join(screens, name + ".png"), fullPage: true, ...options });
    }

    // No error in the page's console, and nothing that axe-core finds wrong.
    async accessible(page) {
        await page.evaluate(() => scrollTo(0, 0)); // what stays at the top covers nothing there
        await page.evaluate(axeSource); // not as a script of the page: its CSP forbids that
        const found = await page.evaluate(() => globalThis.axe.run(document, {
            runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
        }));
        assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.help}: ` +
            v.nodes.map((n) => n.target.join(" ") + " " + (n.any[0]?.message ?? "")).join("; ")), []);
    }

    quiet(page) {
        assert.deepEqual(page.said, []);
    }

    // On standard error. A page: its rows and sentences that are in sight, the errors of its console.
    async show() {
        await this.do("show").catch((e) => console.error(e.message));
        for (const page of this.browser.contexts().flatMap((c) => c.pages())) {
            const text = await page.innerText("body", { timeout: 5000 }).catch((e) => e.message);
            console.error(`---- ${page.url()}: ${text.replace(/\s+/g, " ").slice(0, 1500)}`, page.said ?? "");
        }
    }

    async close() {
        open.delete(this);
        for (const kill of this.mortals) await kill();
        await this.browser?.close();
        this.python.stdin.end();
        await new Promise((r) => (this.python.exitCode === null ? this.python.on("exit", r) : r()));
    }
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
