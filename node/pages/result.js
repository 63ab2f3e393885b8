// Step 5: what the last upload came to, what needs a person, and the ways to settle it.
import { api } from "./door.js";
import { byId, el, put, say } from "./dom.js";
import { t, has, number } from "./words.js";
import { csv, keep, lastDigits, moment, op, plural, print, save, signed, thing, told, tryTo, verdict } from "./lead_parts.js";

import { isRunning } from "./upload.js";
import { openHold } from "./plan.js";
import * as loaded from "./loaded.js";

const PAGE = 100; // exceptions drawn at once

let shownMost = PAGE;

// ---- what was handed over ----

function answersOf(report) {
    const rest = Object.entries(report.answers ?? {}).map(([name, n]) => plural("answer." + name, n));
    return rest.length > 0 ? rest.join(" · ") : null;
}

// Delivered is handed over; settled is what somebody knows the end of.
export function settledWords(s) {
    return s ? t("settled." + s.how, { by: s.by ?? "?", at: moment(s.at) }) : t("settled.not");
}

function facts(report) {
    const by = report.confirmed;
    return [
        ["fact.sent", plural("fact.records", report.send_total)],
        ["fact.when", `${moment(report.at)}, ${report.desk}`],
        ["fact.file", el("span", { class: "code" }, report.file || "–")],
        ["fact.sink", el("span", { class: "code" }, report.sink)],
        ["fact.sha", el("span", { class: "code" }, report.sha256 || "–")],
        ["fact.agreed", report.accepted_by.join(", ")],
        ...(answersOf(report) ? [["fact.answers", answersOf(report)]] : []),
        ["fact.settled", settledWords(report.settled)],
        ...(report.late_decisions ?? []).filter((d) => d.say === "void").map((d) => ["fact.too_late", el("span", { class: "warn" }, t("result.too_late", { id: d.id }))]),
        ["fact.confirmed", by ? `${by.by}, ${moment(by.at)}` : t("fact.unconfirmed")],
    ];
}

// ---- what the library's system did not book ----

function means(e) {
    return t("means." + e.answer, { op: op(e.op) });
}

function what(e) {
    return [op(e.op), e.item || e.label || e.kind ? t("exception.item", { item: thing(e) }) : null, e.user ? t("exception.user", { user: lastDigits(e.user) }) : null].filter(Boolean).join(" · ");
}

function who(e) {
    return [t(e.typed ? "exception.typed" : "exception.at", { desk: e.desk, at: moment(e.at) }), e.staff, e.id].filter(Boolean).join(" · ");
}

function exception(e) {
    return el("div", { class: "exception", "data-settled": !e.open || e.released },
        e.open && !e.released ? el("input", { type: "checkbox", value: e.id, "aria-label": t("exception.pick", { what: what(e) }) }) : el("span", { "aria-hidden": "true" }, "✔"),
        el("div", {}, el("h4", {}, what(e)), el("p", {}, means(e), e.words ? el("span", {}, ` “${e.words}”`) : null),
            el("p", { class: "quiet" }, who(e)),
            el("p", { class: "next" }, e.released ? t("exception.released") : e.open ? t("next." + e.answer) : e.answer === "deviating" ? t("next.deviating") : t("exception.settled"))));
}

function picked(box) {
    return [...box.querySelectorAll("input[type=checkbox]:checked")].map((i) => i.value);
}

async function settle(box, title, path, key, reload) {
    const ids = picked(box);
    if (ids.length === 0) return told(t("tick.none"));
    const n = await signed({ title: t(title), body: [el("p", {}, t(title + ".why"))], button: plural(title + ".do", ids.length) },
        async (passphrase) => (await api("POST", path, { ids, passphrase })).records);
    if (n !== undefined) (told(plural(key, n)), await reload());
}

const csvHeads = ["upload", "open", "id", "at", "desk", "staff", "op", "item", "user", "due", "answer", "words", "means", "next"];

function exceptionsCsv(list) {
    return csv(csvHeads, list.map((e) => [e.slot, e.open ? "yes" : "no", e.id, e.at, e.desk, e.staff, e.op, e.item, e.user, e.due, e.answer, e.words, means(e), has("next." + e.answer) ? t("next." + e.answer) : ""]));
}

function drawExceptions(box, answer, reload) {
    box.append(el("h3", { id: "exceptions-title" }), el("div", { id: "exceptions-list" }), el("div", { class: "row", id: "exceptions-tools" },
        el("button", { class: "main", "data-open": true, onclick: () => settle(box, "done", "upload/done", "done.done", reload) }, t("done")),
        el("button", { "data-open": true, onclick: () => settle(box, "again", "upload/release", "again.done", reload) }, t("again")),
        el("button", { onclick: () => print("exceptions") }, t("print")),
        el("button", { onclick: () => save("exceptions.csv", "text/csv", exceptionsCsv(box.answer.exceptions)) }, t("csv")),
        el("button", { id: "exceptions-more", onclick: () => ((shownMost += PAGE), showExceptions(box.answer, reload)) }, t("more"))));
}

// What nobody has settled or sent again: "open" counts what goes again, too, until it went.
function unsettled({ open, exceptions }) {
    return open - exceptions.filter((e) => e.open && e.released).length;
}

function showExceptions(answer, reload) {
    const box = byId("exceptions"), list = answer.exceptions;

    if (list.length === 0 && answer.known) return put(box);
    if (!byId("exceptions-list")) drawExceptions(box, answer, reload);
    box.answer = answer;
    const left = unsettled(answer);
    say(byId("exceptions-title"), !answer.known ? t("exception.coming") : left > 0 ? plural("exception.open", left) : t("exception.none"));
    keep(byId("exceptions-list"), list.slice(0, shownMost), (e) => `${e.slot} ${e.id} ${e.open} ${e.released}`, exception);
    byId("exceptions-more").hidden = list.length <= shownMost;
    byId("exceptions-tools").hidden = list.length === 0;
    for (const b of byId("exceptions-tools").querySelectorAll("[data-open]")) b.hidden = left === 0;
}

// ---- what uploads set aside for other reasons ----

const asideShown = ["waits", "review", "late_void", "unwritable", "behind", "by_hand"];

function asideRow(r) {
    return el("div", { class: "exception" },
        el("input", { type: "checkbox", value: r.id, disabled: r.released, "aria-label": t("exception.pick", { what: what(r) }) }),
        el("div", {}, el("h4", {}, what(r)), el("p", { class: "quiet" }, who(r)), el("p", { class: "next" }, r.released ? t("exception.released") : t("aside.next." + r.reason))));
}

async function cards(reload) {
    const done = await signed({ title: t("cards"), body: [el("p", {}, t("cards.why"))], button: t("cards.do") }, (passphrase) => api("POST", "upload/cards", { passphrase }));
    if (done) (told(plural("cards.done", done.records)), await reload());
}

function showAside(aside, reload) {
    const box = byId("aside"), list = aside.records.filter((r) => asideShown.includes(r.reason));

    if (list.length === 0) return put(box);
    if (!byId("aside-list"))
        box.append(el("h3", { id: "aside-title" }), el("div", { id: "aside-list" }), el("div", { class: "row" },
            el("button", { class: "main", onclick: () => settle(box, "done", "upload/done", "done.done", reload) }, t("done")),
            el("button", { onclick: () => settle(box, "again", "upload/release", "again.done", reload) }, t("again")),
            el("button", { id: "aside-cards", onclick: () => cards(reload) }, t("cards"))));
    say(byId("aside-title"), plural("aside.title", list.length));
    keep(byId("aside-list"), list.slice(0, 2 * PAGE), (r) => `${r.id} ${r.reason} ${r.released}`, asideRow);
    byId("aside-cards").hidden = !list.some((r) => r.reason === "waits" && !r.released);
}

// ---- the step ----

async function confirm(check, reload, now) {
    const slot = now.upload.last.slot;
    if (check) {
        const done = await tryTo(() => api("POST", "upload/confirm", { slot, check: true }));
        if (done) told(t("result.confirmed"));
    } else {
        const done = await signed({ title: t("result.confirm"), body: [el("p", {}, t("result.confirm.risk"))], button: t("result.confirm.do") },
            (passphrase) => api("POST", "upload/confirm", { slot, passphrase }));
        if (done) told(t("result.confirmed"));
    }
    await reload();
}

export function begin(reload, now) {
    loaded.begin(reload);
    byId("held-show").addEventListener("click", openHold);
    byId("confirm-word").addEventListener("click", () => confirm(false, reload, now));
    byId("confirm-look").addEventListener("click", () => confirm(true, reload, now));
}

export function show({ status, upload, report, exceptions, aside, plan }, reload) {
    const last = upload.last, open = unsettled(exceptions), rest = aside.total - aside.released, held = aside.reasons.held ?? 0;

    byId("result-confirm").hidden = !last || !report || report.confirmed !== null || isRunning(upload);
    byId("result-held").hidden = held === 0;
    say(byId("held-show"), t("held.show"));
    byId("confirm-look").hidden = !last || last.desk === status.desk;
    keep(byId("result-facts"), report && !isRunning(upload) ? facts(report).flatMap(([k, v]) => [["dt", k, t(k)], ["dd", k, v]]) : [],
        ([tag, k, v]) => `${tag} ${k} ${typeof v === "string" ? v : v.textContent}`, ([tag, , v]) => el(tag, {}, v));
    loaded.show(isRunning(upload) ? null : last);
    showExceptions(exceptions, reload);
    showAside(aside, reload);
    if (!last) {
        verdict(byId("result-verdict"), "", t("result.nothing"));
        return { state: "", done: false, tally: "" };
    }
    if (isRunning(upload)) verdict(byId("result-verdict"), "busy", t("result.running"));
    else if (open > 0) verdict(byId("result-verdict"), "warn", plural("result.open", open));
    else if (plan.total > 0) verdict(byId("result-verdict"), "", plural("result.new", plan.total));
    else if (rest > held) verdict(byId("result-verdict"), "warn", plural("result.aside", rest));
    else if (held > 0) verdict(byId("result-verdict"), "warn", plural("result.held", held));
    else verdict(byId("result-verdict"), "good", t("result.all"));
    return { state: open + rest > 0 ? "warn" : "good", done: open + rest === 0, tally: open + rest > 0 ? number(open > 0 ? open : rest) : "✔" };
}
