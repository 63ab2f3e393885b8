// newuser.js - the form of a new card. Enter moves on; what is missing is said in words; what was
// typed stays until it is saved, whatever happens in between.
import { el, put, byId, say } from "./dom.js";
import { t } from "./words.js";
import { age } from "./dates.js";
import { groups } from "./rows.js";

const FIELDS = [ // name, most characters, type, autocomplete is never wanted: many people sit here
    ["last", 80, "text"], ["first", 80, "text"], ["birth", 10, "date"], ["guardian", 100, "text"],
    ["phone", 40, "tel"], ["email", 100, "email"], ["street", 100, "text"], ["postcode", 20, "text"],
    ["city", 100, "text"], ["type", 40, "text"], ["note", 100, "text"],
];
const GROWN = 18;

// save(record), closed(), changed(): the draft is another one.
export class NewUser {
    #dialog = byId("newuser");
    #does;
    #types = [];
    #sure = false;
    draft = null; // {user, last, ..}: kept over a reload

    constructor(does) {
        this.#does = does;
        this.#dialog.addEventListener("cancel", (e) => {
            e.preventDefault();
            this.close();
        });
    }

    get isOpen() {
        return this.#dialog.open;
    }

    open(user, types, today) {
        this.#types = types;
        this.today = today;
        if (this.draft?.user !== user)
            this.draft = { user };
        this.#sure = false;
        this.#draw();
        if (!this.#dialog.open)
            this.#dialog.showModal();
        this.#input("last").focus();
        this.#does.changed();
    }

    close() {
        this.#dialog.close();
        this.#does.closed();
    }

    // The node took it, or did not: {code, message, field}, with sure: it may be said once more.
    saved() {
        this.draft = null;
        this.#dialog.close();
        this.#does.changed();
    }

    refused(sentence, field, sure) {
        this.#sure = sure;
        this.#draw();
        this.#say(sentence, field);
    }

    #input(name) {
        return byId("new-" + name);
    }

    #say(text, field) {
        say(byId("newuser-why"), text);
        (this.#input(field) ?? byId("newuser-save")).focus();
    }

    #field([name, max, type]) {
        const input = el("input", { id: "new-" + name, type, maxlength: type === "date" ? false : max,
            max: type === "date" ? this.today : false, value: this.draft[name] ?? "", autocomplete: "off",
            list: name === "type" && this.#types.length > 0 ? "new-types" : false,
            required: name === "last",
            oninput: (e) => {
                this.draft[name] = e.target.value;
                this.#sure = false;
                this.#does.changed();
            } });

        input.addEventListener("keydown", (e) => {
            if (e.key !== "Enter")
                return;
            e.preventDefault();
            const at = FIELDS.findIndex(([n]) => n === name);
            (at + 1 < FIELDS.length ? this.#input(FIELDS[at + 1][0]) : byId("newuser-save")).focus();
        });
        return el("div", { class: "field field-" + name },
            el("label", { for: "new-" + name }, t("desk.newuser." + name)), input);
    }

    #draw() {
        put(this.#dialog, el("form", { method: "dialog", novalidate: true,
            onsubmit: (e) => {
                e.preventDefault();
                this.#save();
            } },
            el("h2", { id: "newuser-title" }, t("desk.newuser.title") + " – " +
                t("desk.newuser.card", { shown: groups(this.draft.user) })),
            el("div", { class: "fields" }, FIELDS.map((f) => this.#field(f))),
            el("datalist", { id: "new-types" }, this.#types.map((x) => el("option", { value: x }))),
            el("p", { class: "bad", id: "newuser-why", role: "alert" }),
            el("p", { class: "row" },
                el("button", { class: "main", id: "newuser-save", type: "submit" },
                    t(this.#sure ? "desk.newuser.sure" : "desk.newuser.save")),
                el("button", { type: "button", onclick: () => this.close() },
                    el("kbd", {}, "Esc"), " " + t("desk.newuser.back")))));
    }

    #save() {
        const d = this.draft;
        const birth = this.#input("birth").value;

        if (!d.last?.trim())
            return this.#say(t("desk.newuser.missing", { field: t("desk.newuser.last") }), "last");
        if (birth > this.today)
            return this.#say(t("desk.newuser.future"), "birth");
        if (birth && age(birth, this.today) < GROWN && !d.guardian?.trim())
            return this.#say(t("desk.newuser.guardianmissing"), "guardian");
        say(byId("newuser-why"), t("desk.newuser.waits"));
        const record = { op: "user", user: d.user };
        for (const [name] of FIELDS)
            if (d[name]?.trim())
                record[name] = d[name].trim().normalize("NFC"); // as the library's system has it
        if (this.#sure)
            record.confirm = true;
        this.#does.save(record);
    }
}
