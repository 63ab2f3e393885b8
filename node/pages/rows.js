// rows.js - what was done at this desk, newest first, and how safe each of it is:
//   · sending   ✔ saved here   ✔✔ n on n other desks   ⬆ uploaded   ✖ taken back, or not recorded
import { el, put } from "./dom.js";
import { t } from "./words.js";
import { dayShort } from "./dates.js";

const ROWS_MAX = 200;
const DRAWN_MAX = 80;

export function groups(n) {
    return n.length === 14 ? `${n[0]} ${n.slice(1, 5)} ${n.slice(5, 13)} ${n[13]}`
        : n.replace(/(.{4})(?=.)/g, "$1 ");
}

// Without a barcode: "paperback", "3 × magazine, Vogue".
export function pieces(r) {
    return (r.count > 1 ? `${r.count} × ` : "") + r.kind + (r.label ? ", " + r.label : "");
}

// Its time by the library's clock, as the node says it.
function fromPaper(r) {
    return el("span", { class: "row-paper" }, el("span", { "aria-hidden": "true" }, "✎ "),
        t("desk.row.paper", { time: r.at.slice(11, 16), date: dayShort(r.at.slice(0, 10)) }));
}

const MARKS = {
    waiting: () => ["·", t("desk.row.waiting")],
    saved: (r) => r.copies > 1 ? [`✔✔ ${r.copies - 1}`, t("desk.row.copies", { n: r.copies - 1 })]
        : ["✔", t("desk.row.saved")],
    sending: () => ["⬆ …", t("desk.row.sending")],
    uploaded: () => ["⬆", t("desk.row.uploaded")],
    aside: () => ["⬆ !", t("desk.row.aside")],
    voided: () => ["✖", t("desk.row.voided")],
    voided_late: () => ["⬆ !", t("desk.row.voided_late")],
    practised: () => ["◆", t("desk.row.practised")],
    refused: () => ["✖", t("desk.row.refused")],
};

export class Rows {
    #list;
    #undo;
    all = []; // newest first: {key, id, op, item, user, due, typed, state, copies, visit, why}

    constructor(list, undo) {
        this.#list = list;
        this.#undo = undo;
        list.addEventListener("keydown", (e) => {
            if (e.key !== "ArrowDown" && e.key !== "ArrowUp")
                return;
            e.preventDefault();
            this.move(e.key);
        });
    }

    add(row) {
        this.all.unshift(row);
        this.#cut();
    }

    // The row that waited under this key became a record; the node may have told of it before.
    settle(key, row) {
        const twin = this.all.find((r) => r.id === row.id);
        const at = this.all.findIndex((r) => r.key === key);

        if (twin)
            Object.assign(twin, row, { state: twin.state, copies: twin.copies });
        else if (at >= 0)
            this.all[at] = row;
        else
            this.add(row);
    }

    #cut() {
        this.all.length = Math.min(this.all.length, ROWS_MAX);
    }

    // Nothing of a practice stays.
    forgetPractice() {
        this.all = this.all.filter((r) => !r.practice);
    }

    drop(key) {
        this.all = this.all.filter((r) => r.key !== key);
    }

    // What the node says of the newest records, oldest of them last: states, and rows that were made
    // elsewhere (before a reload, on the command line).
    learn(theirs) {
        for (const r of [...theirs].reverse()) {
            const mine = this.all.find((m) => m.id === r.id);
            if (mine)
                Object.assign(mine, { state: r.state, copies: r.copies, due: mine.due ?? r.due,
                    at: r.at, from_paper: r.from_paper });
            else
                this.all.splice(this.#newest(), 0, { id: r.id, op: r.op, item: r.item,
                    kind: r.kind, count: r.count, label: r.label, user_end: r.user_end, due: r.due, typed: r.typed, state: r.state,
                    copies: r.copies, at: r.at, from_paper: r.from_paper });
        }
        this.#cut();
    }

    // Behind what still waits for its answer.
    #newest() {
        const at = this.all.findIndex((r) => r.state !== "waiting");

        return at < 0 ? this.all.length : at;
    }

    draw(visit) {
        const old = new Map([...this.#list.children].map((li) => [li.dataset.of, li]));

        const at = this.#list.contains(document.activeElement) &&
            document.activeElement.closest("li").dataset.of;

        put(this.#list, this.all.length === 0 ? el("li", { class: "empty" }, t("desk.log.empty"))
            : this.all.slice(0, DRAWN_MAX).map((r) => this.#row(r, visit, old)));
        this.#stop(at);
    }

    #buttons() {
        return [...this.#list.querySelectorAll("button")];
    }

    // One stop for Tab in the whole list, then arrows: the newest, or where the focus was.
    #stop(at) {
        const all = this.#buttons();
        const stop = all.find((b) => b.closest("li").dataset.of === at) ?? all[0];

        for (const b of all)
            b.tabIndex = b === stop ? 0 : -1;
        if (at && stop && document.activeElement !== stop)
            stop.focus();
    }

    move(key) {
        const all = this.#buttons();
        const to = all[all.indexOf(document.activeElement) + (key === "ArrowDown" ? 1 : -1)];

        to?.focus();
    }

    // A row that looks as before stays the same element: focus and reading are not disturbed.
    #row(r, visit, old) {
        const looks = JSON.stringify([r.state, r.copies, r.due, r.id, r.why, r.visit === visit, r.from_paper && r.at]);
        const of = r.key ?? r.id;
        const before = old.get(of);

        if (before?.dataset.looks === looks)
            return before;
        const [mark, words] = MARKS[r.state](r);
        const shown = r.item ? groups(r.item) : r.kind ? pieces(r) : r.op === "user" ? t("desk.user.newcard") : /^[0-9]+$/.test(r.raw) ? groups(r.raw) : r.raw ?? "";
        const more = [r.op === "checkout" || r.op === "renew" || r.op === "refused" || r.op === undefined
            ? null : t("desk.mode." + r.op),
            r.op === "renew" ? t("desk.mode.renew") : null,
            r.due ? t("desk.row.due", { date: dayShort(r.due) }) : null,
            r.visit === visit || !r.user_end ? null : t("desk.row.user", { end: r.user_end }),
            r.typed ? t("desk.row.typed") : null, r.why ?? null];
        return el("li", { class: `row-${r.state}` + (r.visit === visit && visit ? " mine" : ""),
            "data-of": of, "data-looks": looks },
            el("span", { class: "row-item" }, shown),
            el("span", { class: "row-more" }, r.from_paper ? fromPaper(r) : null,
                more.filter((x) => x !== null).join(" · ")),
            el("span", { class: "row-mark", title: words }, el("span", { "aria-hidden": "true" }, mark),
                el("span", { class: "hidden-text" }, words)),
            r.state === "saved" && r.id ? el("button", { class: "plain row-undo",
                "aria-label": t("desk.row.undo.which", { item: shown }), onclick: () => this.#undo(r) },
                t("desk.row.undo")) : el("span", { class: "row-undo" }));
    }
}
