// What other pages of the same browser try: node/API.md, "Pages", is what holds against them.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import http from "node:http";
import { Stage, until } from "./stage.mjs";

let stage, evil, evilPort, hits;

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
