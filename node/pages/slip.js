// slip.js - the paper that a user takes along, as long as what stands on it.
//
// A page size without a height is ignored by the browser (a whole sheet comes out), so the slip is
// measured first and its height put into @page. A slip that is wider than long would be turned by
// the printer: it is at least as long as it is wide.
import { el, put, byId } from "./dom.js";
import { t, language } from "./words.js";
import { dayInWords } from "./dates.js";
import { groups, pieces } from "./rows.js";

const PAPERS = { "80mm": { width: 80 }, "58mm": { width: 58 }, a4: { sheet: true } };
const FEED_MM = 6; // blank at the end, for the cutter

let sheet = null;

// slip: {title, ask, desk, at: Date, today, user, rows[oldest first]}
function content(slip) {
    const items = slip.rows.map((r) => el("li", {},
        el("span", { class: "slip-item" }, r.item ? groups(r.item) : pieces(r), r.op === "renew"
            ? ` (${t("desk.slip.renewed")})` : ""),
        el("span", { class: "slip-due" }, r.due ? dayInWords(r.due, slip.today) : t("desk.slip.nodue"))));

    return [
        el("p", { class: "slip-title" }, slip.title),
        el("p", {}, t("desk.slip.desk", { desk: slip.desk }) + " · " +
            slip.at.toLocaleString(language, { dateStyle: "medium", timeStyle: "short" })),
        slip.user ? el("p", {}, t("desk.slip.user", { end: slip.user.slice(-4) })) : null,
        el("ol", {}, items),
        el("p", { class: "slip-count" }, t("desk.slip.count", { n: slip.rows.length })),
        el("p", {}, t("desk.slip.while")),
        slip.ask ? el("p", {}, slip.ask) : null,
        el("p", { class: "slip-code" }, t("desk.slip.code", { code: codeOf(slip.rows) })),
    ];
}

// Finds the records again: "MAIN-2/14/0301 – 0303".
export function codeOf(rows) {
    const first = rows[0].id;
    const last = rows[rows.length - 1].id;
    const feed = (id) => id.slice(0, id.lastIndexOf("/") + 1);

    return first === last ? first
        : feed(first) === feed(last) ? `${first} – ${last.slice(feed(last).length)}`
            : `${first} – ${last}`;
}

function setPaper(paper, height) {
    const size = paper.sheet ? "A4; margin: 15mm"
        : `${paper.width}mm ${Math.max(paper.width + 1, height)}mm; margin: 0`;

    sheet ??= new CSSStyleSheet();
    sheet.replaceSync(`@page { size: ${size} }`);
    if (!document.adoptedStyleSheets.includes(sheet))
        document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}

// False: this PC prints none.
export function printSlip(slip, form) {
    const paper = PAPERS[form.paper];
    const box = byId("slip");

    if (!paper)
        return false;
    box.className = "slip paper-" + form.paper;
    put(box, content({ ...slip, title: form.title, ask: form.ask }));
    setPaper(paper, Math.ceil(box.getBoundingClientRect().height * 25.4 / 96) + FEED_MM);
    window.print();
    return true;
}
