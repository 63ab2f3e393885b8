// sheet.js - the control codes as barcodes, on paper beside the scanner: the whole desk without a
// keyboard.
import { el, put, byId } from "./dom.js";
import { t } from "./words.js";
import { code128 } from "./code128.js";

const DAYS_WHEN_NONE = [14, 21];

// Codes with what they do. presets: days that the policy offers; kinds: things without a barcode.
function codes({ presets, kinds }) {
    return [
        ["*CHECKOUT", t("desk.mode.checkout")], ["*DISCHARGE", t("desk.mode.discharge")],
        ["*RENEW", t("desk.mode.renew")], ["*NEWUSER", t("desk.mode.user")],
        ["*INHOUSE", t("desk.mode.inhouse")], ["*NEXT", t("desk.help.esc")],
        ["*UNDO", t("desk.help.undo")], ["*DUERULE", t("desk.sheet.due.rule")],
        ...presets.map((n) => ["*DUE" + n, t("desk.due.days.why", { n })]),
        ["*DUENONE", t("desk.sheet.due.none")],
        ...kinds.map((k) => ["*PIECE" + k.toUpperCase(), t("desk.sheet.piece", { kind: k })]),
        ...(kinds.length > 0 ? [["*PIECES", t("desk.sheet.pieces")]] : []),
    ];
}

let paper = null;

// Prints this alone, on whatever paper the printer has.
export function printAlone(...content) {
    put(byId("sheet"), content);
    paper ??= new CSSStyleSheet();
    paper.replaceSync("@page { size: auto; margin: 12mm }");
    document.adoptedStyleSheets = [...document.adoptedStyleSheets.filter((s) => s !== paper), paper];
    document.body.dataset.print = "sheet";
    addEventListener("afterprint", () => {
        delete document.body.dataset.print;
        document.adoptedStyleSheets = document.adoptedStyleSheets.filter((s) => s !== paper);
    }, { once: true });
    window.print();
}

export function printSheet(what) {
    const presets = what.presets.length > 0 ? what.presets : DAYS_WHEN_NONE;

    printAlone(
        el("h1", {}, t("desk.sheet.title", { branch: what.branch })),
        el("p", {}, t("desk.sheet.how")),
        el("ul", {}, codes({ ...what, presets }).map(([code, words]) =>
            el("li", {}, el("strong", {}, words), code128(code, code), el("code", {}, code)))));
}
