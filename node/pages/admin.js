// The Admin page: is this branch ready for an outage, who belongs to it, what happened.
import { api, enter, follow, sentence } from "./door.js";
import { byId, el, put, say } from "./dom.js";
import { ago, dayTime, has, number, t, time, worded } from "./words.js";
import { elsewhere } from "./lead_key.js";
import { code128 } from "./code128.js";

const CLOCK_OFF_MS = 5000, GIB = 2 ** 30;

// ---- readiness: a row each, as the program judges them ----

const marks = { good: ["✔", "ready.ok"], warn: ["!", "ready.warn"], bad: ["✖", "ready.bad"] };

function drawReady(rows) {
    put(byId("ready"), rows.map((row) => {
        const values = { ...row, at: row.at ? dayTime(row.at) : "", gib: number(Math.floor(row.n / 1024)) };
        const found = worded(row.check === "status" ? "problem" : "ready", values);
        const next = has("ready." + row.code + ".next") ? t("ready." + row.code + ".next") : row.next;
        return el("li", { "data-state": row.state },
            el("span", { class: "mark", "aria-hidden": "true" }, marks[row.state][0]),
            el("span", { class: "hidden-text" }, t(marks[row.state][1]) + ": "),
            el("span", {}, found[0].toUpperCase() + found.slice(1), next ? el("span", { class: "next" }, "→ " + next) : null));
    }));
}

function banner(state, icon, word, rest) {
    byId("banner").dataset.state = state;
    say(byId("banner-icon"), icon);
    say(byId("banner-word"), word);
    say(byId("banner-rest"), rest);
}

function drawBanner(status, rows) {
    const { online, total } = status.peers, n = rows.filter((r) => r.state !== "good").length;
    const here = total ? t("admin.here", { online, total }) : t("admin.alone");
    if (status.problems.some((p) => p.code === "not_saving")) banner("bad", "✖", t("admin.stop"), here);
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

async function revoke(desk) {
    const why = await elsewhere();
    doomed = desk;
    say(byId("revoke-title"), t("revoke.title", { desk }));
    say(byId("revoke-said"), why);
    byId("revoke-pass").value = "";
    byId("revoke-pass").disabled = why !== "";
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

// Where nobody can sign, it is said before a passphrase is typed.
async function drawKey() {
    const why = await elsewhere();
    if (why || byId("invite-pass").disabled) say(byId("invite-said"), why);
    byId("invite-pass").disabled = byId("invite").querySelector("button").disabled = why !== "";
}

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
        await drawInvites();
    } catch (why) {
        say(byId("invite-said"), sentence(why));
    } finally {
        button.disabled = false;
    }
});

function inviteRow(i) {
    const tries = ["wrong", "late", "again", "taken"].filter((k) => i[k] > 0).map((k) => t("invites." + k, { n: i[k] }));
    const role = i.roles.includes("admin") ? "admin" : i.roles.includes("lead") ? "lead" : "desk";
    return el("tr", {}, el("th", { scope: "row" }, i.desk), el("td", {}, t("role." + role)),
        el("td", { class: i.state === "used" ? "good" : i.state === "open" ? "" : "quiet" }, t("invites." + i.state, i)),
        el("td", {}, time(i.expires)), el("td", { class: tries.length ? "warn" : "quiet" }, tries.join(", ") || "–"),
        el("td", {}, i.state !== "open" ? null : el("button", { class: "danger", "aria-label": t("invites.withdraw.of", i),
            onclick: () => withdraw(i.number) }, t("invites.withdraw"))));
}

let drawnInvites = "";

async function drawInvites() {
    const { invites } = await api("GET", "invites");
    const key = JSON.stringify(invites);
    if (key === drawnInvites) return;
    drawnInvites = key;
    byId("invites-table").hidden = invites.length === 0;
    byId("invites-none").hidden = invites.length > 0;
    put(byId("invites"), invites.map(inviteRow));
}

async function withdraw(number) {
    try {
        await api("POST", "invites/withdraw", { number });
        put(byId("invite-code")); // the code that stands there may be that one
    } catch (why) {
        say(byId("invite-said"), sentence(why));
    }
    await drawInvites();
    byId("invites-title").focus();
}

// ---- events, settings, support ----

let run = 0, lastEvent = 0;

function eventText(v) {
    const words = `${v.code}.word.${v.word}`;
    const word = has(words) ? t(words) : v.word;
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

async function loadOnce(status) {
    const now = status ?? (await api("GET", "status"));
    const [{ peers }, { checks }] = await Promise.all([api("GET", "peers"), api("GET", "readiness")]);
    drawReady(checks);
    drawBanner(now, checks);
    drawPeers(peers);
    await drawKey();
    await drawInvites();
    await drawEvents();
}

// One after the other: two at once would tell an event twice.
let loading = Promise.resolve();

function load(status) {
    return (loading = loading.catch(() => {}).then(() => loadOnce(status)));
}

let nextTry;

// What was missed is asked for again: nothing may change for a long time.
function keepUp(status) {
    load(status).catch(() => {
        clearTimeout(nextTry);
        nextTry = setTimeout(keepUp, 2000);
    });
}

const session = await enter("admin");
setInterval(() => document.body.classList.contains("locked") || drawInvites().catch(() => {}), 5000); // a refused try changes nothing else
say(byId("desk-name"), session.branch + " · " + session.desk);
await drawSettings();
follow(({ status, gone }) => {
    if (gone) banner("bad", "✖", t("gone.title"), t("gone.why"));
    else keepUp(status);
});
