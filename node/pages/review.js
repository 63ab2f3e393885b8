// Step 3: what desks disagree about, and what the lead says of it.
import { api } from "./door.js";
import { byId, el, say } from "./dom.js";
import { t, has } from "./words.js";
import { keep, lastDigits, lines, moment, op, plural, signed, told, verdict } from "./lead_parts.js";

const SIDES_MAX = 6; // more than that is no choice: `tideover conflicts void`

const WORD_MAX = 256; // records that one word may name
const PAGE = 50;      // matters drawn at once

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

// The ways out: key, words, and the records to send or to void. A decision says something of every
// side: so of two leads who decide apart from each other, all of the later decision stands.
function choices({ list, ruled }) {
    const able = list.filter((r) => r.op !== "void"), few = able.length <= SIDES_MAX;
    const ids = (records) => records.map((r) => r.id);
    if (able.every((r) => r.op === "user"))
        return able.map((r) => ({ key: "keep " + r.id, words: t("review.keep.user", { desk: r.desk, at: moment(when(r)) }),
            send: able.length > 1 || r.state === "voided" ? [r.id] : [], void: ids(able.filter((x) => x !== r)) }));
    const loans = able.filter((r) => r.op !== "user"), stays = loans.filter((r) => !goes(r));
    const stand = few && !ruled && goes(loans.at(-1)); // it closes the matter: nothing of it waits for anybody
    return [
        { key: "asis", words: t(ruled ? "review.asruled" : "review.asis"), send: [], void: [] },
        ...(stays.length > 0 ? [{ key: "all", words: t("review.all"), send: ids(few ? loans : stays), void: [] }] : []),
        ...(stand ? [{ key: "stand", words: t(loans.length > 1 ? "review.later" : "review.looked"), send: ids(loans.filter(goes)), void: ids(stays) }] : []),
        ...(few ? able : []).filter((r) => !(stand && loans.length === 2 && able.length === 2 && !goes(r))).map((r) => ({ key: "void " + r.id, words: t("review.void", { op: op(r.op).toLowerCase(), desk: r.desk, at: moment(when(r), when(list[0])) }),
            send: ids(loans.filter((x) => x !== r)), void: [r.id] })),
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

function saidWords(d, key) {
    return d.at ? t(key, { at: moment(d.at), lead: d.lead || "?" }) : t("review.ruled");
}

// Who decided: the last word, and each that does not stand beside it.
function ruledWords(list) {
    const said = list.flatMap((r) => (r.decided ? [r.decided] : [])).sort((a, b) => (a.at < b.at ? 1 : -1));
    const beaten = new Set(list.flatMap((r) => r.overruled ?? []).map((d) => saidWords(d, "review.overruled")));
    return [el("p", { class: "good" }, said.length > 0 ? saidWords(said[0], "review.ruled.by") : t("review.ruled")),
        ...[...beaten].map((words) => el("p", { class: "quiet" }, words)),
        nothingGoes(list) ? el("p", { class: "warn" }, t("review.nothing")) : null];
}

// Two leads apart from each other may have voided one side each.
function nothingGoes(list) {
    return list.length > 1 && list.every((r) => r.state === "voided");
}

// What is undisputed, or uploaded, stands in no row of its own.
function otherSides(list) {
    return [...new Map(list.filter((r) => r.other_side).map((r) => [r.other_side.id, r.other_side])).values()]
        .map((r) => t(r.uploaded ? "review.other" : "review.beside", { id: r.id, op: op(r.op).toLowerCase(), desk: r.desk, at: moment(when(r)), user: lastDigits(r.user) || "–" }));
}

function conflict(g) {
    const box = el("fieldset", { class: "conflict", "data-ruled": g.ruled }, el("legend", {}, title(g)),
        el("ol", {}, g.list.map((r) => side(r, g.list[0]))),
        otherSides(g.list).map((words) => el("p", { class: "quiet" }, words)),
        g.ruled ? ruledWords(g.list) : null);
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

// One passphrase for all that was chosen; what one decision is made of is signed together.
async function sign(passphrase) {
    const all = [...chosen.values()], parts = [];
    for (const c of all) {
        const last = parts.at(-1);
        if (!last || last.send.length + c.send.length > WORD_MAX || last.void.length + c.void.length > WORD_MAX)
            parts.push({ send: [...c.send], void: [...c.void] });
        else last.send.push(...c.send), last.void.push(...c.void);
    }
    for (const part of parts) await api("POST", "conflicts", { send: [...new Set(part.send)], void: [...new Set(part.void)], passphrase });
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
    const all = groups(conflicts), open = all.filter((g) => !g.ruled || nothingGoes(g.list));

    for (const key of chosen.keys()) if (!all.some((g) => g.key === key)) chosen.delete(key);
    byId("review-more").hidden = all.length <= shownMost;
    keep(byId("review-list"), all.slice(0, shownMost), (g) => g.list.map((r) => `${r.id} ${r.state} ${r.rule} ${r.decided?.at} ${r.overruled?.length}`).join(" "), conflict);
    count();
    lines(byId("review-clocks"), (plan.clocks ?? []).map((c) => ({ state: "warn", text: clockWords(c) })));
    verdict(byId("review-verdict"), open.length === 0 ? "good" : "warn",
        all.length === 0 ? t("review.none") : open.length === 0 ? plural("review.allruled", all.length) : plural("review.open", open.length));
    return { state: open.length === 0 ? "good" : "warn", done: open.length === 0, tally: open.length === 0 ? "✔" : String(open.length) };
}
