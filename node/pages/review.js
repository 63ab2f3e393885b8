// Step 3: what desks disagree about, and what the lead says of it.
import { api } from "./door.js";
import { byId, el, say } from "./dom.js";
import { t, has } from "./words.js";
import { keep, lastDigits, lines, moment, op, plural, signed, told, verdict } from "./lead_parts.js";

const VOIDS_MAX = 6; // more than that is no choice: `tideover conflicts void`

const PAGE = 50;     // matters drawn at once

let shownMost = PAGE;
const chosen = new Map(); // key of a conflict -> its choice, until it is signed

function when(r) {
    return r.time ?? r.at; // the library's time, corrected
}

// Records that speak of one thing stand together, oldest first: by the number that the node gave the
// matter, or else as they name each other.
export function groups(records) {
    const of = new Map();
    if (records.some((r) => r.matter)) {
        const matters = Map.groupBy ? Map.groupBy(records, (r) => r.matter) : records.reduce((m, r) => m.set(r.matter, [...(m.get(r.matter) ?? []), r]), new Map());
        return [...matters.values()].map(group);
    }
    for (const r of records) {
        const set = of.get(r.id) ?? new Set([r.id]), other = r.other ? of.get(r.other) ?? new Set([r.other]) : set;
        for (const id of other) set.add(id);
        for (const id of set) of.set(id, set);
    }
    const by = new Map(records.map((r) => [r.id, r]));
    return [...new Set(of.values())].map((set) => group([...set].map((id) => by.get(id)).filter(Boolean)));
}

function group(list) {
    list.sort((a, b) => (when(a) < when(b) ? -1 : 1));
    return { key: list.map((r) => r.id).join(" "), list, ruled: list.some((r) => r.rule === "lead" || r.decided) };
}

function goes(r) {
    return r.state === "pending";
}

// What kind of disagreement it is, by what stands in it.
function kind(list) {
    const rules = new Set(list.map((r) => r.rule));
    if (has("review.kind." + list[0].kind)) return list[0].kind;
    if (list.every((r) => r.op === "user")) return "user";
    if (list.length === 1 && list[0].rule === "lead") return "ruled";
    if (list.some((r) => r.late)) return "late";
    if (rules.has("R12")) return "typed";
    if (rules.has("R11") || list.some((r) => r.op === "renew")) return "renew";
    if (rules.has("R8")) return "returned";
    return new Set(list.filter((r) => r.op === "checkout").map((r) => r.user)).size > 1 ? "two" : "other";
}

function title({ list }) {
    const r = list[0];
    return plural("review.kind." + kind(list), list.length, { item: r.item ?? "", user: lastDigits(r.user), desk: r.desk });
}

// The ways out: key, words, and the records to send or to void.
function choices({ list, ruled }) {
    const able = list.filter((r) => r.op !== "void");
    if (able.every((r) => r.op === "user"))
        return able.map((r) => ({ key: "keep " + r.id, words: t("review.keep.user", { desk: r.desk, at: moment(when(r)) }),
            send: [], void: able.filter((x) => x !== r).map((x) => x.id) }));
    const rest = able.filter((r) => !goes(r) && r.op !== "user").map((r) => r.id);
    return [
        { key: "asis", words: t(ruled ? "review.asruled" : "review.asis"), send: [], void: [] },
        ...(rest.length > 0 ? [{ key: "all", words: t("review.all"), send: rest, void: [] }] : []),
        ...(able.length > VOIDS_MAX ? [] : able).map((r) => ({ key: "void " + r.id, words: t("review.void", { op: op(r.op).toLowerCase(), desk: r.desk, at: moment(when(r), when(list[0])) }),
            send: able.filter((x) => x !== r && !goes(x) && x.op !== "user").map((x) => x.id), void: [r.id] })),
    ];
}

function side(r, first) {
    return el("li", {}, el("span", { class: "number-text" }, moment(when(r), r === first ? undefined : when(first))), el("span", {}, r.desk),
        el("span", {}, op(r.op)), r.user ? el("span", {}, t("review.user", { user: lastDigits(r.user) })) : null,
        r.last ? el("span", {}, [r.first, r.last].filter(Boolean).join(" ")) : null,
        r.typed ? el("span", { class: "quiet" }, t("review.typed")) : null,
        r.clock && r.clock !== "ok" && has("review.clock." + r.clock) ? el("span", { class: "warn" }, t("review.clock." + r.clock)) : null,
        el("span", { class: "quiet code" }, r.id),
        el("span", { class: goes(r) ? "goes good" : "goes warn" }, goes(r) ? t("review.goes") : r.state === "voided" ? t("review.voided") : t("review.stays")));
}

function ruledWords(list) {
    const d = list.find((r) => r.decided)?.decided;
    return d?.at ? t("review.ruled.by", { at: moment(d.at), lead: d.lead || "?" }) : t("review.ruled");
}

// What an earlier upload took up stands in no row: its number, at least.
function uploadedSides(list) {
    const here = new Set(list.map((r) => r.id));
    return [...new Set(list.map((r) => r.other).filter((id) => id && !here.has(id)))];
}

function conflict(g) {
    const box = el("fieldset", { class: "conflict", "data-ruled": g.ruled }, el("legend", {}, title(g)),
        el("ol", {}, g.list.map((r) => side(r, g.list[0]))),
        uploadedSides(g.list).map((id) => el("p", { class: "quiet" }, t("review.other", { id }))),
        g.ruled ? el("p", { class: "good" }, ruledWords(g.list)) : null);
    const way = el("div", { class: "choices", role: "radiogroup", "aria-label": title(g) });
    choices(g).forEach((c, i) => way.append(el("label", {},
        el("input", { type: "radio", name: "c " + g.key, value: c.key, checked: c.key === "asis",
            onchange: () => choose(g, c) }), c.words)));
    box.append(way);
    return box;
}

function choose(g, c) {
    if (c.send.length + c.void.length === 0) chosen.delete(g.key);
    else chosen.set(g.key, { ...c, title: title(g) });
    count();
}

function count() {
    byId("review-sign").hidden = chosen.size === 0;
    say(byId("review-chosen"), plural("review.chosen", chosen.size));
    say(byId("review-do"), plural("review.sign", chosen.size));
}

// One passphrase for all that was chosen; the node signs one word for each kind.
async function sign(passphrase) {
    const all = [...chosen.values()];
    for (const say of ["send", "void"]) {
        const ids = [...new Set(all.flatMap((c) => c[say]))];
        for (let i = 0; i < ids.length; i += 256)
            await api("POST", "conflicts", { say, ids: ids.slice(i, i + 256), passphrase });
    }
    chosen.clear();
    return all.length;
}

export function begin(reload, now) {
    byId("review-more").addEventListener("click", () => ((shownMost += PAGE), show(now)));
    byId("review-do").addEventListener("click", async () => {
        const list = el("ul", {}, [...chosen.values()].map((c) => el("li", {}, `${c.title}: ${c.words}`)));
        const n = await signed({ title: t("review.dialog"), body: [list], button: plural("review.sign", chosen.size) }, sign);
        if (n !== undefined) (told(plural("review.signed", n)), await reload());
    });
}

// "BUS clock was 95 s fast: times corrected, 2 orders changed"
export function clockWords(c) {
    if (c.ahead_ms === null) return t("clock.doubt", { desk: c.desk });
    const s = Math.abs(c.ahead_ms) / 1000;
    return plural(c.ahead_ms > 0 ? "clock.fast" : "clock.slow", c.reordered, { desk: c.desk, off: s < 120 ? t("clock.s", { s: Math.round(s * 10) / 10 }) : t("clock.min", { min: Math.round(s / 60) }) });
}

export function show({ conflicts, plan }) {
    const all = groups(conflicts), open = all.filter((g) => !g.ruled);

    for (const key of chosen.keys()) if (!all.some((g) => g.key === key)) chosen.delete(key);
    byId("review-more").hidden = all.length <= shownMost;
    keep(byId("review-list"), all.slice(0, shownMost), (g) => g.list.map((r) => `${r.id} ${r.state} ${r.rule}`).join(" "), conflict);
    count();
    lines(byId("review-clocks"), (plan.clocks ?? []).map((c) => ({ state: "warn", text: clockWords(c) })));
    verdict(byId("review-verdict"), open.length === 0 ? "good" : "warn",
        all.length === 0 ? t("review.none") : open.length === 0 ? plural("review.allruled", all.length) : plural("review.open", open.length));
    return { state: open.length === 0 ? "good" : "warn", done: open.length === 0, tally: open.length === 0 ? "✔" : String(open.length) };
}
