// panel.js - the small forms of the Desk page: who works here now, and things without a barcode.
// Enter moves on, as in the form of a new card: a scanner's Enter sends nothing.
import { el, put, byId, say } from "./dom.js";
import { t } from "./words.js";
import { groups } from "./rows.js";

const STAFF_MAX = 40;
const LABEL_MAX = 60;

function choice(id, options, chosen) {
    return el("select", { id }, options.map(([value, words]) =>
        el("option", { value, selected: value === chosen }, words)));
}

// A dialog that is built anew each time it opens; what was typed stays when the node refuses it.
export class Panel {
    #dialog;
    #name;
    #does;

    // name: of the dialog and its words; does: save(value), closed(), typed()
    constructor(name, does) {
        this.#dialog = byId(name);
        this.#name = name;
        this.#does = does;
        this.#dialog.addEventListener("close", () => does.closed());
    }

    get isOpen() {
        return this.#dialog.open;
    }

    // fields: [name, element | null]; the words of a field: desk.PANEL.NAME
    show(subtitle, fields, take) {
        const shown = fields.filter(([, e]) => e);
        const save = el("button", { class: "main", id: this.#name + "-save", type: "submit" },
            t(`desk.${this.#name}.save`));

        shown.forEach(([, e], i) => e.addEventListener("keydown", (k) => {
            if (k.key !== "Enter")
                return;
            k.preventDefault();
            (shown[i + 1]?.[1] ?? save).focus();
        }));
        put(this.#dialog, el("form", { method: "dialog", novalidate: true,
            oninput: () => this.#does.typed?.(),
            onsubmit: (e) => {
                const value = take();

                e.preventDefault();
                if (!value)
                    return;
                this.#dialog.close();
                this.#does.save(value);
            } },
        el("h2", { id: this.#name + "-title" }, t(`desk.${this.#name}.title`)),
        subtitle ? el("p", { class: "quiet" }, subtitle) : null,
        shown.map(([name, e]) => el("div", { class: e.type === "checkbox" ? "field tick" : "field" },
            el("label", { for: e.id }, t(`desk.${this.#name}.${name}`)), e)),
        el("p", { class: "bad", id: this.#name + "-why", role: "alert" }),
        el("p", { class: "row" }, save,
            el("button", { type: "button", onclick: () => this.#dialog.close() },
                el("kbd", {}, "Esc"), " " + t("desk.newuser.back")))));
        if (!this.#dialog.open)
            this.#dialog.showModal();
        shown[0][1].focus();
        shown[0][1].select?.();
    }

    // False: the page was loaded anew since, the form is gone.
    refused(sentence) {
        const why = byId(this.#name + "-why");

        if (!why)
            return false;
        if (!this.#dialog.open)
            this.#dialog.showModal();
        say(why, sentence);
        return true;
    }
}

// Staff, and where the policy leaves a choice: library, user access, station.
export class SessionPanel extends Panel {
    open(now) {
        const own = (name) => [["", t("desk.session.own", { name: now.branch[name] })],
            ...now.others[name].map((x) => [String(x), String(x)])];
        const place = (name) => now.others[name].length === 0 ? null
            : choice("session-" + name, own(name), now.place[name] === now.branch[name] ? ""
                : String(now.place[name]));
        const fields = {
            staff: el("input", { id: "session-staff", type: "text", maxlength: STAFF_MAX,
                value: now.staff, autocomplete: "off" }),
            library: place("library"), user_access: place("user_access"), station: place("station"),
            block_list: el("input", { id: "session-block_list", type: "checkbox",
                checked: !now.block_list }),
        };

        this.show(t("desk.session.what"), Object.entries(fields), () => {
            const to = { staff: fields.staff.value.trim() };

            for (const name of ["library", "user_access", "station"])
                if (fields[name])
                    to[name] = fields[name].value;
            if (fields.block_list.checked === now.block_list)
                to.block_list = !now.block_list;
            return to;
        });
    }
}

// What has no number of its own: kind, how many, and perhaps a label.
export class PiecesPanel extends Panel {
    draft = null; // {user, kind, count, label} while it is being filled in: kept over a reload
    #user = "";

    // does: save(record), closed(), changed(): the draft is another one
    constructor(name, does) {
        super(name, {
            save: does.save,
            closed: () => {
                this.draft = null; // given up; or saved: then it waits as a job
                does.changed();
                does.closed();
            },
            typed: () => {
                const value = (field) => byId(`piecesform-${field}`).value;

                this.draft = { user: this.#user, kind: value("kind"), count: value("count"), label: value("label") };
                does.changed();
            },
        });
    }

    open(user, kinds) {
        const was = this.draft?.user === user ? this.draft : { user, kind: kinds[0], count: 1, label: "" };
        const kind = choice("piecesform-kind", kinds.map((k) => [k, k]), was.kind);
        const count = el("input", { id: "piecesform-count", type: "number", min: 1, max: 99, value: was.count });
        const label = el("input", { id: "piecesform-label", type: "text", maxlength: LABEL_MAX,
            autocomplete: "off", value: was.label });

        this.#user = user;
        this.draft = was;
        this.show(t("desk.newuser.card", { shown: groups(user) }),
            [["kind", kind], ["count", count], ["label", label]], () => {
                const n = Number(count.value);

                if (!Number.isInteger(n) || n < 1 || n > 99) {
                    this.refused(t("desk.piecesform.many"));
                    count.focus();
                    return null;
                }
                return { op: "checkout", user, kind: kind.value, count: n,
                    ...(label.value.trim() ? { label: label.value.trim() } : {}) };
            });
    }
}
