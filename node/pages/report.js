// The outage in one report: gathered from what the node says, shown, saved, printed. The same facts as
// `tideover report`; never names, nor the system's own words, which may name somebody; barcodes shortened.
import { api } from "./door.js";
import { byId, el, put } from "./dom.js";
import { t, has, ago, number } from "./words.js";
import { clockWords } from "./review.js";
import { settledWords } from "./result.js";
import { clock, day, lastDigits, opens, plural, print, save, table, tryTo } from "./lead_parts.js";

const factKeys = ["id", "desk", "slot", "op", "at", "answer", "means", "open"];
const LISTED_MAX = 1000; // of each kind, as the node lists them

async function gather() {
    const [outage, upload, plan] = [await api("GET", "outage"), await api("GET", "upload/status"), await api("GET", "upload/plan")];
    const facts = { schema: 1, branch: outage.branch, made: outage.now, server: outage.sightings, pending: upload.pending,
        set_aside: upload.set_aside, missing: plan.missing, desks: plan.desks, uploads: (await api("GET", "upload/loaded")).uploads };
    if (upload.last) {
        const e = await api("GET", "upload/exceptions?slot=" + upload.last.slot);
        facts.upload = await api("GET", "upload/report?slot=" + upload.last.slot);
        facts.exceptions = e.exceptions.map((x) => ({ ...Object.fromEntries(factKeys.filter((k) => k in x).map((k) => [k, x[k]])),
            item: lastDigits(x.item), user: lastDigits(x.user) }));
        facts.exceptions_open = e.open;
        facts.exceptions_more = e.more;
    }
    return facts;
}

function full(text) {
    return text ? `${day(text)} ${clock(text, true)} ${text.slice(-6)}` : "–";
}

// ---- sections: {title, lines, head, rows} ----

function short(f) {
    const lines = [], open = f.exceptions_open ?? 0;
    const heard = f.desks.filter((d) => d.complete).length, all = f.desks.length;
    if (f.pending + f.set_aside + open === 0)
        lines.push(heard === all ? `${t("paper.nothing")} ${t("paper.heard")}` : t("paper.asfaras", { heard, all }));
    if (f.pending > 0) lines.push(plural("paper.pending", f.pending));
    if (f.set_aside > 0) lines.push(plural("paper.aside", f.set_aside));
    if (open > 0) lines.push(plural("paper.open", open));
    for (const u of f.uploads.filter((x) => !x.settled && !x.told && x.unconfirmed > 0))
        lines.push(plural("paper.unloaded", u.unconfirmed, { slot: u.slot }));
    for (const d of f.desks.filter((x) => !x.complete))
        lines.push(d.known > d.held ? plural("paper.lacks", d.known - d.held, { desk: d.desk }) : d.last_seen_s === null ? t("paper.unheard", { desk: d.desk }) : t("paper.away", { desk: d.desk, ago: ago(d.last_seen_s) }));
    return { title: t("paper.short"), lines };
}

function server(f) {
    return f.server.length === 0 ? { title: t("paper.server"), lines: [t("paper.unwatched")] }
        : { title: t("paper.server"), head: [t("col.at"), t("col.desk"), t("col.state")],
            rows: f.server.map((s) => [full(s.at), s.desk, has("sees." + s.state) ? t("sees." + s.state) : s.state]) };
}

function uploads(f) {
    return f.uploads.length < 2 ? null : { title: t("paper.uploads"), lines: [t("paper.uploads.why")],
        head: [t("paper.slot"), t("col.at"), t("paper.many"), t("col.state")],
        rows: f.uploads.map((u) => [String(u.slot), full(u.at), number(u.lines), u.settled ? t("paper.settled") : t("paper.handed")]) };
}

function sent(u) {
    if (!u) return { title: t("paper.sent"), lines: [t("result.nothing")] };
    return { title: t("paper.sent"), lines: [
        plural("paper.upload", u.send_total, { slot: u.slot, desk: u.desk, at: full(u.at) }),
        t("paper.to", { sink: u.sink }), t("paper.said", { file: u.file }),
        ...u.parts.map((p) => t("paper.part", { part: p.part, lines: number(p.lines), bytes: number(p.bytes), sha: p.sha256 })),
        t("paper.agreed", { desks: u.accepted_by.join(", ") }),
        u.confirmed ? t("paper.confirmed", { by: u.confirmed.by, at: full(u.confirmed.at) }) : t("fact.unconfirmed"),
        settledWords(u.settled),
        ...(u.erased ? [t("paper.erased")] : []),
        ...(u.clocks ?? []).map(clockWords),
        ...(u.first ? [t("paper.span", { from: full(u.first), to: full(u.last) })] : []),
    ] };
}

const counted = ["total", "send_total", "duplicates", "voided", "superseded", "review", "held", "waits", "uncarried", "unwritable", "behind", "late_voids", "late", "never_sent"];

function counts(u) {
    const sentKinds = Object.entries(u.send ?? {}).filter(([, n]) => n > 0);
    return { title: t("paper.counts"), head: [t("paper.many"), t("paper.what")], rows: [
        ...counted.filter((k) => u[k] > 0).map((k) => [number(u[k]), t("count." + k)]),
        ...sentKinds.map(([k, n]) => [number(n), t("paper.sentkind", { op: t("op." + k) })]),
        ...(u.desks ?? []).map((d) => [number(d.records), t("paper.desk", { desk: d.desk })]),
    ] };
}

function lists(u) {
    const rows = Object.entries(u.lists ?? {}).flatMap(([name, list]) =>
        list.map((d) => [d.id, has("state." + name) ? t("state." + name) : name, d.rule ?? "", d.of ?? "", d.why ?? ""]));
    const cut = Object.entries(u.lists ?? {}).filter(([, list]) => list.length >= LISTED_MAX).map(([name]) => has("state." + name) ? t("state." + name) : name);
    return rows.length === 0 ? null : { title: t("paper.lists"), lines: cut.map((name) => t("paper.cut", { name, n: number(LISTED_MAX) })), head: [t("col.record"), t("paper.became"), t("paper.rule"), t("paper.because"), t("paper.why")], rows };
}

function decision(d) {
    const say = has("paper.say." + d.say) ? t("paper.say." + d.say) : d.say;
    return d.is ? t("paper.say." + d.is, { say }) : say;
}

function ruled(u) {
    return !u.decisions?.length ? null : { title: t("paper.ruled"), head: [t("col.record"), t("paper.say"), t("col.at"), t("paper.lead")],
        rows: u.decisions.map((d) => [d.id, decision(d), full(d.at), d.lead]) };
}

// What was booked, but otherwise, is no work that anybody could settle.
function exceptionIs(e) {
    return t(e.open ? "paper.isopen" : e.answer === "deviating" ? "paper.look" : e.answer === "already" ? "paper.booked" : "paper.settled");
}

function ruledLate(u) {
    return !u.late_decisions?.length ? null : { title: t("paper.ruledlate"), head: [t("col.record"), t("paper.say"), t("col.at"), t("paper.lead")],
        rows: u.late_decisions.map((d) => [d.id, t("paper.late." + d.say), full(d.at), d.lead]) };
}

function refused(f) {
    return !f.exceptions?.length ? null : { title: t("paper.refused"), lines: f.exceptions_more > 0 ? [plural("paper.more", f.exceptions_more)] : [], head: [t("col.record"), t("col.item"), t("col.user"), t("paper.answer"), t("paper.means"), t("col.state")],
        rows: f.exceptions.map((e) => [e.id, e.item, e.user, t("answer.name." + e.answer), t("means." + e.answer, { op: t("op." + e.op) }), exceptionIs(e)]) };
}

export function sections(f) {
    const u = f.upload;
    return [short(f), server(f), uploads(f), sent(u), ...(u && !u.erased ? [counts(u), lists(u), ruled(u), ruledLate(u)] : []), refused(f)].filter(Boolean);
}

// ---- forms ----

function title(f) {
    return t("paper.title", { branch: f.branch, at: full(f.made) });
}

function nodes(f) {
    return [el("h3", {}, title(f)), ...sections(f).flatMap((s) => [el("h4", {}, s.title), ...(s.lines ?? []).map((x) => el("p", {}, x)),
        s.rows ? table(s.head, s.rows) : null])];
}

function text(f) {
    return title(f) + "\n" + sections(f).map((s) => `\n${s.title}\n` + [...(s.lines ?? []), ...(s.rows ?? []).map((r) => r.filter(Boolean).join("  "))]
        .map((x) => `  ${x}\n`).join("")).join("");
}

const STYLE = "body{font:11pt/1.45 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}h1{font-size:1.4em}h2{font-size:1.1em;margin:1.4em 0 .3em}" +
    "p{margin:.2em 0;overflow-wrap:anywhere}table{border-collapse:collapse}th,td{text-align:left;vertical-align:top;padding:.15em 1em .15em 0;border-bottom:1px solid #999}" +
    "@media print{body{margin:0;max-width:none}tr,h2{break-inside:avoid}h2{break-after:avoid}}";

// A page that needs nothing from outside, and may not have it.
function html(f) {
    const d = document.implementation.createHTMLDocument(title(f));
    const make = (tag, content) => {
        const e = d.createElement(tag);
        e.append(...[content].flat());
        return e;
    };
    const meta = d.createElement("meta");
    const row = (tag, r) => make("tr", r.map((c) => make(tag, c)));
    d.documentElement.lang = document.documentElement.lang;
    meta.setAttribute("http-equiv", "Content-Security-Policy");
    meta.setAttribute("content", "default-src 'none'; style-src 'unsafe-inline'");
    d.head.prepend(meta);
    d.body.append(make("h1", title(f)), ...sections(f).flatMap((s) => [make("h2", s.title), ...(s.lines ?? []).map((x) => make("p", x)),
        ...(s.rows ? [make("table", [row("th", s.head), ...s.rows.map((r) => row("td", r))])] : [])]));
    // As text: a style element would be refused by this page's own policy.
    return "<!DOCTYPE html>\n" + d.documentElement.outerHTML.replace("<head>", '<head><meta charset="utf-8">').replace("</head>", `<style>${STYLE}</style></head>`) + "\n";
}

export function begin() {
    const name = (f, ending) => `outage-${f.branch}-${f.made.slice(0, 10)}.${ending}`;
    const saving = (id, type, ending, form) => byId(id).addEventListener("click", () => tryTo(async () => {
        const f = await gather();
        save(name(f, ending), type, form(f));
    }));

    opens(byId("report-show"), byId("report"), async () => put(byId("report"), nodes(await gather())));
    saving("report-html", "text/html", "html", html);
    saving("report-text", "text/plain", "txt", text);
    saving("report-json", "application/json", "json", (f) => JSON.stringify(f, null, 1) + "\n");
    byId("report-print").addEventListener("click", () => tryTo(async () => {
        put(byId("report"), nodes(await gather()));
        byId("report").hidden = false;
        byId("report-show").setAttribute("aria-expanded", "true");
        print("report");
    }));
}
