// help.js - F1: keys, control barcodes, marks.
import { el, put } from "./dom.js";
import { t } from "./words.js";

const KEYS = [
    ["F2", "desk.mode.checkout", "*CHECKOUT"], ["F3", "desk.mode.discharge", "*DISCHARGE"],
    ["F4", "desk.mode.renew", "*RENEW"], ["F6", "desk.mode.user", "*NEWUSER"],
    ["F7", "desk.mode.inhouse", "*INHOUSE"], ["Esc", "desk.help.esc", "*NEXT"],
    ["F8", "desk.help.slip", ""], ["F9", "desk.help.undo", "*UNDO"],
    ["F10", "desk.help.yes", ""], ["F9", "desk.help.no", ""], // no scan answers a question here
];
const MARKS = [["·", "desk.row.waiting"], ["✔", "desk.row.saved"], ["✔✔ 2", "desk.row.copies"],
    ["⬆", "desk.row.uploaded"], ["⬆ !", "desk.row.aside"], ["✖", "desk.row.voided"],
    ["✎", "desk.help.paper"]];

export function drawHelp(dialog, printSheet) {
    put(dialog, el("form", { method: "dialog" },
        el("h2", { id: "help-title", tabindex: -1, autofocus: true }, t("desk.help.title")),
        el("p", {}, t("desk.help.scan")),
        el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, t("desk.help.key")),
            el("th", {}, t("desk.help.does")), el("th", {}, t("desk.help.code")))),
        el("tbody", {}, KEYS.map(([key, does, code]) => el("tr", {}, el("td", {}, el("kbd", {}, key)),
            el("td", {}, t(does)), el("td", {}, code ? el("code", {}, code) : ""))))),
        el("h3", {}, t("desk.help.marks")),
        el("dl", { class: "marks" }, MARKS.flatMap(([mark, words]) => [el("dt", {}, mark),
            el("dd", {}, t(words, { n: 2 }))])),
        el("p", {}, t("desk.help.stop")),
        el("p", { class: "row" }, el("button", { class: "main" }, t("desk.help.close")),
            el("button", { type: "button", id: "sheet-print", onclick: printSheet }, t("desk.sheet.print")))));
}
