// What other pages of the same browser try: node/API.md, "Pages", is what holds against them.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";
import { appendFileSync, readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Stage, until } from "./stage.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
let stage, evil, evilPort, hits, idle;

const hostile = `<!doctype html><title>a recipe</title><body><h1>hello</h1></body>`;

before(async () => {
    stage = await Stage.open({ more: ["--host-resolver-rules=MAP evil.test 127.0.0.1"] });
    evil = http.createServer((q, a) => {
        hits.push(q.url);
        a.setHeader("Content-Type", "text/html");
        a.end(hostile);
    });
    hits = [];
    await new Promise((r) => evil.listen(0, "127.0.0.1", r));
    evilPort = evil.address().port;
    idle = ["", "GET /healthz HTTP/1.1\r\nHost: 127", `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${stage.web[0]}\r\n\r\n`]
        .map(silent);
});
after(async () => {
    evil?.close();
    await stage?.close();
});

const node = () => `http://127.0.0.1:${stage.web[0]}`;
const held = async () => (await stage.json(0, "status")).records.held;

// A browser in which the desk's page is open, and beside it a page of somebody else.
async function victim() {
    const desk = await stage.page("desk");
    await desk.waitForSelector("#banner[data-state]");
    const other = await desk.context().newPage();
    await other.goto(`http://127.0.0.1:${evilPort}/`);
    return { desk, other };
}

// A connection that says this and then nothing; resolves with the seconds until it is closed.
function silent(said) {
    const began = Date.now();
    return new Promise((done) => {
        const c = net.connect(stage.web[0], "127.0.0.1", () => c.write(said));
        c.resume();
        c.on("error", () => {});
        c.on("close", () => done((Date.now() - began) / 1000));
    });
}

// {status, code} of a request by a token of run/.
function byToken(name, method, path, body) {
    const token = readFileSync(`${stage.states[0]}/run/${name}.token`, "utf8").trim();
    return new Promise((done, failed) => {
        const q = http.request(node() + path, { method, headers: { Authorization: "Bearer " + token,
            ...(body === undefined ? {} : { "Content-Type": "application/json" }) } }, async (a) => {
            let text = "";
            for await (const piece of a) text += piece;
            done({ status: a.statusCode, code: JSON.parse(text).error?.code });
        });
        q.on("error", failed);
        q.end(body);
    });
}

// What the program answers to: {method, path, right} of each row of node/api.c.
const routes = [...readFileSync(root + "node/api.c", "utf8")
    .matchAll(/\{ "(GET|POST)", "(\/[^"]+)", HTTP_(\w+),/g)].map(([, method, path, right]) => ({ method, path, right }));

async function stillIn(desk) {
    await desk.reload();
    await desk.waitForSelector("#banner[data-state]");
}

test("a page on another port of this PC: image, script, frame, form, fetch", async () => {
    const { desk, other } = await victim();
    const refused = (await stage.json(0, "status")).refused.requests;
    const tried = await other.evaluate(async (node) => {
        const load = (tag, attribute, path) => new Promise((done) => {
            const e = document.createElement(tag);
            e.onload = () => done("loaded");
            e.onerror = () => done("refused");
            e[attribute] = node + path;
            document.body.append(e);
        });
        const ask = async (path, options) => {
            try {
                const r = await fetch(node + path, { credentials: "include", ...options });
                return r.type === "opaque" ? "opaque" : `${r.status} ${await r.text()}`;
            } catch {
                return "refused";
            }
        };
        const body = JSON.stringify({ op: "discharge", item: "39999000000012" });
        return {
            image: await load("img", "src", "/pages/icon.svg"),
            script: await load("script", "src", "/pages/words.js"),
            read: await ask("/api/v1/status", {}),
            session: await ask("/api/v1/session", {}),
            page: await ask("/desk", {}),
            json: await ask("/api/v1/records", { method: "POST", body, headers: { "Content-Type": "application/json" } }),
            put: await ask("/api/v1/records", { method: "PUT", body }),
            blind: await ask("/api/v1/records", { method: "POST", body, mode: "no-cors" }),
            end: await ask("/api/v1/session/end", { method: "POST", body: "{}", mode: "no-cors" }),
            code: await ask("/api/v1/login-code", { method: "POST", body: "{}", mode: "no-cors" }),
            enter: await ask("/api/v1/session", { method: "POST", body: "{}", mode: "no-cors" }),
        };
    }, node());
    for (const what of ["image", "script", "read", "session", "page", "json", "put"])
        assert.equal(tried[what], "refused", what);
    for (const what of ["blind", "end", "code", "enter"]) // sent, but what became of it is not told
        assert.ok(["opaque", "refused"].includes(tried[what]), `${what}: ${tried[what]}`);

    await other.evaluate((node) => {
        for (const [path, type] of [["/api/v1/records", "text/plain"], ["/api/v1/session/end", "text/plain"]]) {
            const frame = document.createElement("iframe");
            frame.name = "f" + path.length;
            const form = document.createElement("form");
            Object.assign(form, { action: node + path, method: "post", enctype: type, target: frame.name });
            const field = document.createElement("input");
            Object.assign(field, { name: '{"op":"discharge","item":"39999000000012","note":"', value: '"}' });
            form.append(field);
            document.body.append(frame, form);
            form.submit();
        }
        const framed = document.createElement("iframe");
        framed.src = node + "/desk";
        framed.name = "framed";
        document.body.append(framed);
    }, node());
    await until(async () => (await stage.json(0, "status")).refused.requests >= refused + 13,
        "every one of them to be refused");
    const framed = await (await other.waitForSelector("iframe[name=framed]", { state: "attached" })).contentFrame();
    assert.ok(framed, "the frame is there");
    assert.equal(await framed.locator("#banner").count(), 0);
    assert.equal(await held(), 0);
    await stillIn(desk);
    await desk.context().close();
});

test("the session's cookie is sent for another port, and is not enough", async () => {
    const { desk, other } = await victim();
    await other.evaluate(async () => fetch("/cookie", { credentials: "include" }));
    const [cookie] = await desk.context().cookies();
    const with_ = (headers, method = "GET", path = "/api/v1/status") => new Promise((done) => {
        const q = http.request(node() + path, { method, headers: { Cookie: `${cookie.name}=${cookie.value}`, ...headers } },
            (a) => (a.resume(), done(a.statusCode)));
        q.end(method === "POST" ? "{}" : undefined);
    });
    assert.equal(await with_({}), 401);
    assert.equal(await with_({ "Sec-Fetch-Site": "same-origin" }), 401);
    assert.equal(await with_({ "X-Tideover-Token": "0".repeat(64), "Sec-Fetch-Site": "same-origin" }), 401);
    assert.equal(await with_({}, "GET", "/api/v1/session"), 403);
    assert.equal(await with_({ "Sec-Fetch-Site": "same-site" }, "GET", "/api/v1/session"), 403);
    assert.equal(await with_({ "Sec-Fetch-Site": "none" }, "GET", "/api/v1/session"), 403);
    assert.equal(await with_({ "Sec-Fetch-Site": "same-origin" }, "GET", "/api/v1/session"), 200);
    await desk.context().close();
});

test("a name that turns into this PC's address (DNS rebinding)", async () => {
    const { desk, other } = await victim();
    const answer = await other.goto(`http://evil.test:${stage.web[0]}/desk`);
    assert.equal(answer.status(), 421);
    const again = await other.evaluate(async () => {
        const status = await fetch("/api/v1/status");
        const post = await fetch("/api/v1/records", { method: "POST", body: "{}", headers: { "Content-Type": "application/json" } });
        return [status.status, post.status];
    });
    assert.deepEqual(again, [421, 421]);
    assert.equal(await held(), 0);
    await desk.context().close();
});

test("no page can run what is not ours, and none is shown in another's frame", async () => {
    const page = await stage.page("desk");
    await page.waitForSelector("#banner[data-state]");
    const ran = await page.evaluate(async () => {
        globalThis.ran = [];
        const inline = document.createElement("script");
        inline.textContent = "globalThis.ran.push('inline')";
        document.body.append(inline);
        const style = document.createElement("style");
        style.textContent = "body { outline: 9px solid red }";
        document.body.append(style);
        const image = document.createElement("img");
        image.setAttribute("onerror", "globalThis.ran.push('handler')");
        image.src = "/pages/none.svg";
        document.body.append(image);
        await new Promise((r) => setTimeout(r, 300));
        let sent = "blocked";
        try {
            await fetch("http://127.0.0.1:1/");
            sent = "sent";
        } catch { /* the policy of the page */ }
        return { ran: globalThis.ran, outline: getComputedStyle(document.body).outlineStyle, sent };
    });
    assert.deepEqual(ran, { ran: [], outline: "none", sent: "blocked" });
    await page.context().close();
});

test("wrong PINs: five, then a wait that holds for every window", async () => {
    await stage.do("pin", { desk: 0, page: "admin", pin: "1357911" });
    const page = await stage.page("admin");
    for (let i = 0; i < 5; i++) {
        await page.fill("#pin", "00000" + i);
        await page.keyboard.press("Enter");
        await page.getByRole("alert").filter({ hasText: "That is not the PIN." }).waitFor();
    }
    await page.fill("#pin", "1357911"); // the right one
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: /again in (30|29) s/ }).waitFor();
    const other = await stage.page("admin");
    await other.fill("#pin", "1357911");
    await other.keyboard.press("Enter");
    await other.getByRole("alert").filter({ hasText: /again in \d+ s/ }).waitFor();
    await page.context().close();
    await other.context().close();
});

test("a page that goes wild is slowed down, and harms nobody else", async () => {
    const page = await stage.page("desk");
    await page.waitForSelector("#banner[data-state]");
    const codes = await page.evaluate(async () => {
        const { api } = await import("/pages/door.js");
        const all = await Promise.allSettled(Array.from({ length: 60 }, () => api("POST", "session/touch")));
        return all.map((a) => a.reason?.code ?? "ok");
    });
    assert.ok(codes.includes("too_fast"));
    assert.ok(codes.filter((c) => c === "ok").length >= 20);
    await stillIn(page);
    const deep = await page.evaluate(async () => {
        const { api } = await import("/pages/door.js");
        await new Promise((r) => setTimeout(r, 1100));
        const nest = (n) => (n ? { a: nest(n - 1) } : 1);
        return api("POST", "records", nest(17)).catch((e) => e.code);
    });
    assert.equal(deep, "bad_json");
    await page.context().close();
});

test("what needs the PIN is locked for a page without it, row by row; what changes is no GET", async () => {
    const page = await stage.page("desk");
    await page.waitForSelector("#banner[data-state]");
    assert.ok(routes.length > 60);
    const got = await page.evaluate(async (rows) => {
        const { api } = await import("/pages/door.js");
        const code = async ({ method, path }) => {
            for (;;) {
                const why = await api(method, path).then(() => "answered", (e) => e.code);
                if (why !== "too_fast") return why;
                await new Promise((r) => setTimeout(r, 100));
            }
        };
        const all = [];
        for (const row of rows) all.push(await code(row));
        return all;
    }, routes.filter((r) => r.right === "CTL"));
    assert.deepEqual([...new Set(got)], ["locked"]);
    for (const r of routes.filter((r) => r.right === "CTL"))
        assert.deepEqual(await byToken("desk", r.method, r.path, r.method === "POST" ? "{}" : undefined),
            { status: 403, code: "not_allowed" }, r.path);
    for (const r of routes.filter((r) => r.method === "POST" && !routes.some((x) => x.method === "GET" && x.path === r.path)))
        assert.deepEqual(await byToken("ctl", "GET", r.path), { status: 404, code: "no_such_page" }, r.path);
    const nobody = await page.evaluate((rows) => Promise.all(rows.map(async (r) => (await fetch(r.path, {
        method: r.method, ...(r.method === "POST" ? { body: "{}", headers: { "Content-Type": "application/json" } } : {}),
    })).status)), routes.filter((r) => r.right !== "NOBODY"));
    assert.deepEqual([...new Set(nobody)], [401]); // the cookie alone
    assert.equal(await held(), 0);
    await page.context().close();
});

test("every request is in node/API.md, with the right that it needs", () => {
    const rows = new Map(); // "GET /api/v1/x" -> "D" or ""
    for (const line of readFileSync(root + "node/API.md", "utf8").split("\n").filter((l) => l.startsWith("| ") || /^GET /.test(l))) {
        const said = line.startsWith("|") ? line.split(" | ")[0].slice(2) : line;
        for (const [, methods, paths, d] of said.matchAll(/((?:GET|POST)(?:, (?:GET|POST))*) ((?:`\/[^`]+`(?:, )?)+)( D\b)?/g)) {
            const names = [...paths.matchAll(/`([^`?]+)/g)].map((m) => m[1]);
            const base = names[0].slice(0, names[0].lastIndexOf("/"));
            for (const method of methods.split(", "))
                for (const n of names) rows.set(`${method} ${n.startsWith("/api/") || n === "/metrics" ? n : base + n}`, d ? "D" : "");
        }
    }
    for (const { method, path, right } of routes) {
        const said = rows.get(`${method} ${path}`);
        assert.notEqual(said, undefined, `${method} ${path} is not there`);
        if (right !== "NOBODY" && !path.startsWith("/api/v1/session") && !path.startsWith("/api/v1/pin"))
            assert.equal(said, right === "DESK" ? "D" : "", `${method} ${path}`);
    }
});

test("text that is no text, numbers that are no numbers: refused by name, nothing recorded", async () => {
    const record = (more) => byToken("desk", "POST", "/api/v1/records", JSON.stringify({ op: "user", user: "29999000000018", last: "A", ...more }));
    const bad = [
        ["bad_text", { last: "a\u0007b" }], ["bad_text", { note: "line\nline" }], ["bad_json", { last: "a\u0000b" }],
        ["too_long", { last: "x".repeat(201) }], ["too_long", { user: "2".repeat(33) }],
        ["bad_barcode", { user: "<script>" }], ["bad_barcode", { user: "2999\u0661" }],
        ["unknown_field", { admin: "yes" }], ["bad_type", { last: 7 }],
    ];
    for (const [code, more] of bad) assert.deepEqual((await record(more)).code, code, JSON.stringify(more));
    for (const body of ['{"a":"\ud800"}', '{"a":"\xff"}', '{"op":"user","op":"void"}', "[".repeat(70), "{", "", "null", "7"])
        assert.equal((await byToken("desk", "POST", "/api/v1/records", Buffer.from(body, "latin1"))).status, 400, body);
    assert.equal(await held(), 0);
});

test("a fifth request that waits makes the oldest of its page go", async () => {
    const page = await stage.page("desk");
    await page.waitForSelector("#banner[data-state]");
    const came = await page.evaluate(async () => {
        const { api } = await import("/pages/door.js");
        const { now } = await api("GET", "changes?since=0");
        const order = [];
        const all = [];
        for (let i = 0; i < 6; i++) {
            all.push(api("GET", "changes?since=" + now).then((a) => order.push([i, a.now === now])));
            await api("GET", "session"); // it is with the program before the next one
        }
        await Promise.race(all.slice(0, 2));
        return order[0];
    });
    assert.deepEqual(came, [0, true]); // and nothing had changed: it had to make room
    await page.context().close();
});

test("pages hold no script, style or handler of their own, write no HTML, and fetch nothing from outside", () => {
    const bad = /innerHTML|outerHTML\s*=|insertAdjacentHTML|document\.write|\beval\(|new Function|<style|<script>|\sstyle="|\son[a-z]+="|javascript:|(src|href)="(?!\/|#|data:)|@import|url\((?!#)/;
    for (const name of readdirSync(root + "node/pages").filter((n) => /\.(html|js|css)$/.test(n)))
        readFileSync(root + "node/pages/" + name, "utf8").split("\n").forEach((line, i) => {
            if (!line.startsWith("//") && !/`<style>\$\{STYLE\}/.test(line)) // of the file that the lead saves
                assert.doesNotMatch(line, bad, `${name}:${i + 1}`);
        });
});

test("a connection that says nothing is closed: in the middle of a request soon, after one in half a minute", async () => {
    const [none, half, whole] = await Promise.all(idle);
    for (const seconds of [none, half]) assert.ok(seconds > 3 && seconds < 25, `${seconds} s`);
    assert.ok(whole > 25 && whole < 90, `${whole} s`);
});

test("/healthz says one word, /metrics no user's, and it can be switched off", async () => {
    const card = "29999000000018", thing = "39999000000024";
    const said = await byToken("desk", "POST", "/api/v1/records", JSON.stringify({ op: "checkout", user: card, item: thing }));
    assert.equal(said.status, 200);
    const get = async (path) => { // without a token
        const a = await fetch(node() + path);
        return { status: a.status, text: await a.text() };
    };
    assert.deepEqual(await get("/healthz"), { status: 200, text: '{"status":"ok"}' });
    const { text } = await get("/metrics");
    assert.match(text, /^tideover_records/m);
    for (const number of [card, thing, card.slice(1, 13)]) assert.ok(!text.includes(number));
    await stage.do("stop", { desk: 0 });
    appendFileSync(stage.states[0] + "/tideover.conf", "\n[web]\nmetrics = no\n");
    await stage.do("start", { desk: 0 });
    assert.equal((await get("/metrics")).status, 404);
    assert.deepEqual(await get("/healthz"), { status: 200, text: '{"status":"ok"}' });
});
