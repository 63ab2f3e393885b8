// The Admin page: is this branch ready for an outage, who belongs to it, what happened.
import { api, enter, follow, sentence } from "./door.js";
import { byId, el, put, say } from "./dom.js";
import { ago, dayTime, has, number, t, time, worded } from "./words.js";
import { code128 } from "./code128.js";

const CLOCK_OFF_MS = 5000, LIST_OLD_DAYS = 7, DRILL_OLD_MS = 31 * 86400000, GIB = 2 ** 30;
const WRITE_SLOW_MS = 50; // from here on staff wait at each scan

// ---- readiness: one row each, from what the node says ----

function clockCheck(peers) {
    const off = peers.filter((p) => p.state === "online" && Math.abs(p.clock_ms ?? 0) > CLOCK_OFF_MS)[0];
    return off ? ["warn", t("ready.clock.off", { desk: off.name, s: Math.round(Math.abs(off.clock_ms) / 1000) })] : ["good", t("ready.clock")];
}

function diskCheck(store) {
    return store.disk_free_bytes < GIB
        ? ["warn", t("ready.disk.low", { mib: Math.floor(store.disk_free_bytes / 2 ** 20) })]
        : ["good", t("ready.disk", { gib: number(Math.floor(store.disk_free_bytes / GIB)) })];
}

function listCheck(list) {
    if (!list) return ["warn", t("ready.list.none")];
    return [list.age_days > LIST_OLD_DAYS ? "warn" : "good", t("ready.list", { n: list.age_days })];
}

function drillCheck(drill) {
    if (!drill) return ["warn", t("ready.drill.none")];
    return [Date.now() - new Date(drill) > DRILL_OLD_MS ? "warn" : "good", t("ready.drill", { when: dayTime(drill) })];
}

function leadCheck(peers) {
    const n = peers.filter((p) => p.roles.some((r) => r !== "desk") && !["revoked", "retired"].includes(p.state)).length;
    return n > 1 ? ["good", t("ready.leads", { n })] : ["warn", t("ready.leads.one")];
}

function writeCheck(store) {
    if (!store.commit_ms) return ["good", t("ready.write.none")];
    return [store.commit_ms > WRITE_SLOW_MS ? "warn" : "good", t("ready.write", { ms: store.commit_ms.toFixed(1) })];
}

function serverCheck(server) {
    return server.state === "unknown"
        ? ["warn", t("ready.server.none")] : ["good", t("ready.server", { state: t("server.word." + server.state) })];
}

const marks = { good: ["✔", "ready.ok"], warn: ["!", "ready.warn"], bad: ["✖", "ready.bad"] };

function drawReady(status, peers) {
    const rows = [writeCheck(status.store), diskCheck(status.store), clockCheck(peers), serverCheck(status.server),
        listCheck(status.block_list), drillCheck(status.last_drill), leadCheck(peers)];
    // Sentences of the node have their next step in them.
    for (const p of status.problems) rows.push([p.code === "not_saving" ? "bad" : "warn", p.message]);
    put(byId("ready"), rows.map(([state, text]) => el("li", { "data-state": state },
        el("span", { class: "mark", "aria-hidden": "true" }, marks[state][0]),
        el("span", { class: "hidden-text" }, t(marks[state][1]) + ": "), el("span", {}, text[0].toUpperCase() + text.slice(1)))));
    return rows;
}

function banner(state, icon, word, rest) {
    byId("banner").dataset.state = state;
    say(byId("banner-icon"), icon);
    say(byId("banner-word"), word);
    say(byId("banner-rest"), rest);
}

function drawBanner(status, rows) {
    const { online, total } = status.peers, n = rows.filter(([state]) => state !== "good").length;
    const here = total ? t("admin.here", { online, total }) : t("admin.alone");
    if (rows.some(([state]) => state === "bad")) banner("bad", "✖", t("admin.stop"), here);
    else if (n) banner("warn", "!", t("admin.look"), t("admin.matters", { n }) + " · " + here);
    else banner("good", "✔", t("admin.ready"), here);
}

// ---- desks ----

// What a desk said of itself: a code, in a word or two.
function brief(code) {
    return has("brief." + code) ? t("brief." + code) : code.replaceAll("_", " ");
}

function diskCell(bytes) {
    if (bytes === null) return el("td", { class: "number" }, "–");
    return bytes < GIB ? el("td", { class: "number warn" }, `${Math.floor(bytes / 2 ** 20)} MiB !`)
        : el("td", { class: "number" }, `${number(Math.floor(bytes / GIB))} GiB`);
}

function peerRow(p) {
    const seconds = p.clock_ms === null ? "–" : (p.clock_ms >= 0 ? "+" : "−") + Math.abs(p.clock_ms / 1000).toFixed(1) + " s";
    const state = t("peer.state." + p.state);
    const may = !p.this && p.state !== "revoked";
    return el("tr", {},
        el("th", { scope: "row" }, p.name, p.seat ? [" ", el("span", { "aria-hidden": "true" }, "★"), el("span", { class: "hidden-text" }, t("peer.seat.word"))] : null,
            el("br"), el("span", { class: "quiet" }, p.id)),
        el("td", { class: p.state === "online" ? "good" : p.state === "unreachable" ? "bad" : "quiet" }, p.this ? t("peer.this") : state,
            p.refused > 0 ? [el("br"), el("span", { class: "bad" }, t("peer.refused", { n: p.refused }))] : null,
            p.this ? null : p.problems.flatMap((code) => [el("br"), el("span", { class: "warn" }, brief(code))])),
        el("td", {}, p.this ? "–" : ago(p.last_seen_s)),
        el("td", { class: "number" }, p.this ? "–" : number(p.behind)),
        el("td", { class: "number" }, p.this ? "–" : number(p.missing)),
        el("td", { class: "number" + (Math.abs(p.clock_ms ?? 0) > CLOCK_OFF_MS ? " warn" : "") }, p.this ? "–" : seconds),
        diskCell(p.disk_free_bytes),
        el("td", { class: "address" }, p.version || "–", el("br"), p.address || "–",
            p.last_error ? [el("br"), el("span", { class: "bad" }, worded("reach", p.last_error))] : null),
        el("td", {}, may ? el("button", { class: "danger", "aria-label": t("peer.revoke.of", { desk: p.name }), onclick: () => revoke(p.name) }, t("peer.revoke")) : null));
}

let drawnPeers = "";

function drawPeers(peers) {
    const key = JSON.stringify(peers);
    // Nobody's focus goes: neither what has it, nor what gets it back from the dialog.
    if (key === drawnPeers || byId("revoke").open || byId("peers").contains(document.activeElement)) return;
    drawnPeers = key;
    put(byId("peers"), peers.map(peerRow));
}

let doomed = null;

function revoke(desk) {
    doomed = desk;
    say(byId("revoke-title"), t("revoke.title", { desk }));
    say(byId("revoke-said"), "");
    byId("revoke-pass").value = "";
    byId("revoke").showModal();
}

byId("revoke-not").addEventListener("click", () => byId("revoke").close());
byId("revoke").querySelector("form").addEventListener("submit", async (e) => {
    e.preventDefault();
    const passphrase = byId("revoke-pass").value;
    byId("revoke-pass").value = "";
    try {
        await api("POST", "revoke", { desk: doomed, passphrase });
        byId("revoke").close();
        document.activeElement?.blur();
        await load();
    } catch (why) {
        say(byId("revoke-said"), sentence(why));
        byId("revoke-pass").focus();
    }
});

// ---- invites ----

byId("invite").addEventListener("submit", async (e) => {
    e.preventDefault();
    const passphrase = byId("invite-pass").value, button = byId("invite").querySelector("button");
    byId("invite-pass").value = "";
    say(byId("invite-said"), "");
    put(byId("invite-code"));
    button.disabled = true;
    try {
        const a = await api("POST", "invites", { desk: byId("invite-desk").value.trim(), role: byId("invite-role").value, passphrase });
        put(byId("invite-code"), el("p", {}, t("invite.code", { until: time(a.expires) })), el("p", { class: "code", id: "code" }, a.code),
            code128(a.code, t("invite.bars")), el("p", {}, t("invite.words", { words: a.words })));
    } catch (why) {
        say(byId("invite-said"), sentence(why));
    } finally {
        button.disabled = false;
    }
});

// ---- events, settings, support ----

let run = 0, lastEvent = 0;

function eventText(v) {
    const word = v.code === "server" ? t("server.word." + v.word) : v.word;
    return has("event." + v.code) ? t("event." + v.code, { ...v, word }) : v.message;
}

async function drawEvents() {
    let a = await api("GET", `events?since=${lastEvent}&limit=512`);
    if (run && a.run !== run) {
        put(byId("events"));
        a = await api("GET", "events?limit=512");
    }
    run = a.run;
    lastEvent = a.last;
    byId("events").prepend(...a.events.reverse().map((v) =>
        el("li", {}, el("time", { datetime: v.at }, dayTime(v.at)), el("span", {}, eventText(v)))));
}

async function drawSettings() {
    const [{ settings }, policy] = await Promise.all([api("GET", "settings"), api("GET", "policy")]);
    put(byId("settings"), settings.map((s) => el("tr", {}, el("th", { scope: "row" }, `[${s.section}] ${s.key}`),
        el("td", {}, s.value || "–"), el("td", { class: "quiet" }, s.default ? t("settings.default") : ""))));
    say(byId("policy"), policy.text);
}

byId("support").addEventListener("click", async () => {
    const text = JSON.stringify(await api("GET", "support"), null, 1);
    const link = el("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: `tideover-support-${session.desk}.json` });
    link.click();
    URL.revokeObjectURL(link.href);
});

// ---- the page ----

async function load(status) {
    const now = status ?? (await api("GET", "status"));
    const { peers } = await api("GET", "peers");
    drawBanner(now, drawReady(now, peers));
    drawPeers(peers);
    await drawEvents();
}

const session = await enter("admin");
say(byId("desk-name"), session.branch + " · " + session.desk);
await drawSettings();
follow(({ status, gone }) => {
    if (gone) banner("bad", "✖", t("gone.title"), t("gone.why"));
    else load(status).catch(() => {});
});
