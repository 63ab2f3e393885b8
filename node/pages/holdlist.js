// holdlist.js - the HOLD-CHECK list on paper: what was returned while the system was away and lies on
// the shelf, to be discharged there again. The lead ticks it off; here it is only printed.
import { api } from "./door.js";
import { el } from "./dom.js";
import { t } from "./words.js";
import { groups } from "./rows.js";
import { printAlone } from "./sheet.js";
import { moment } from "./lead_parts.js";

const TRIES = 20; // right after an upload its answers take a moment

async function worklist() {
    let list = await api("GET", "worklist");

    for (let i = 0; i < TRIES && list.known === false; i++) {
        await new Promise((r) => setTimeout(r, 250));
        list = await api("GET", "worklist");
    }
    return list.records;
}

function row(r) {
    return el("tr", {}, el("td", { class: "tick-box" }, "☐"), el("td", {}, moment(r.at)), el("td", {}, r.desk),
        el("td", { class: "number-text" }, r.item ? groups(r.item) : r.id), el("td", {}, t("hold.state." + r.state)));
}

// False: the shelf is empty, nothing was printed.
export async function printHoldList(branch) {
    const records = await worklist();

    if (records.length === 0)
        return false;
    printAlone(
        el("h1", {}, t("desk.hold.title", { branch })),
        el("p", {}, t("hold.why")),
        el("table", {},
            el("thead", {}, el("tr", {}, ["hold.col", "col.at", "col.desk", "col.item", "col.next"]
                .map((key) => el("th", { scope: "col" }, t(key))))),
            el("tbody", {}, records.map(row))),
        el("p", {}, t("desk.hold.count", { n: records.length })));
    return true;
}
