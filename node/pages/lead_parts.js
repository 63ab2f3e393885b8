// What the steps of the Lead page share: lists that keep their focus, the passphrase, files, paper.
import { el, byId, say } from "./dom.js";
import { t, number } from "./words.js";
import { sentence } from "./door.js";
import { elsewhere } from "./lead_key.js";

// ---- text ----

// "2026-11-23T09:12:04-05:00" as the library's clock showed it, whatever this PC's zone is.
export function clock(text, seconds = false) {
    return text ? text.slice(11, seconds ? 19 : 16) : "–";
}

export function day(text) {
    if (!text) return "–";
    const [y, m, d] = text.slice(0, 10).split("-").map(Number);
    return new Date(Date.UTC(y, m - 1, d)).toLocaleDateString(document.documentElement.lang, { dateStyle: "medium", timeZone: "UTC" });
}

// Today, by the same clock that `text` is of: this moment at its offset.
function today(text) {
    const [, sign, h, m] = /([+-])(\d\d):(\d\d)$/.exec(text) ?? ["", "+", "00", "00"];
    const off = (Number(h) * 60 + Number(m)) * (sign === "-" ? -60000 : 60000);
    return new Date(Date.now() + off).toISOString().slice(0, 10);
}

// With the day, unless it is today, or that of `than`.
export function moment(text, than) {
    if (!text) return "–";
    return [today(text), than?.slice(0, 10)].includes(text.slice(0, 10)) ? clock(text) : `${day(text)} ${clock(text)}`;
}

export function lastDigits(barcode) {
    return !barcode ? "–" : barcode.length > 4 ? "…" + barcode.slice(-4) : barcode;
}

// The item's number; of things that have none: how many of what.
export function thing(r) {
    return r.item ?? (r.label || r.kind ? [r.count > 1 ? r.count + " ×" : "", r.kind, r.label ? `“${r.label}”` : ""].filter(Boolean).join(" ") : "–");
}

export function op(name) {
    return t("op." + name);
}

export function plural(key, n, values = {}) {
    return t(key, { ...values, n, count: number(n) });
}

// ---- elements ----

export function verdict(e, state, text) {
    if (e.dataset.state !== state) e.dataset.state = state;
    say(e, text);
}

// One child per item, in their order. A child stays the same element while its key is there, so
// that focus, and what somebody ticked or typed in it, stay.
export function keep(parent, items, keyOf, make, update) {
    const old = new Map([...parent.children].map((e) => [e.dataset.key, e]));
    let before = parent.firstElementChild;
    for (const item of items) {
        const key = String(keyOf(item));
        let e = old.get(key);
        old.delete(key);
        if (!e) {
            e = make(item);
            e.dataset.key = key;
        }
        update?.(e, item);
        if (e === before) before = before.nextElementSibling;
        else parent.insertBefore(e, before);
    }
    for (const e of old.values()) e.remove();
}

export function lines(list, texts) {
    keep(list, texts.map((x, i) => [i, x]), ([i, x]) => `${i} ${x.state ?? ""} ${x.text ?? x}`,
        ([, x]) => el("li", { class: x.state }, x.text ?? x));
}

// The first `plain` columns never break.
export function table(heads, rows, plain = 0) {
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": heads.join(", ") },
        el("table", {}, el("thead", {}, el("tr", {}, heads.map((h) => el("th", { scope: "col" }, h)))),
            el("tbody", {}, rows.map((r) => el("tr", {}, r.map((c, i) => el("td", { class: i < plain ? "number-text" : false }, c)))))));
}

export function tick(label, attributes = {}) {
    return el("span", { class: "tick" }, el("label", {}, el("input", { type: "checkbox", ...attributes }), label));
}

export function opens(button, panel, fill) {
    button.addEventListener("click", async () => {
        const open = panel.hidden;
        panel.hidden = !open;
        button.setAttribute("aria-expanded", String(open));
        if (open) await tryTo(fill);
    });
}

// ---- saying ----

export function told(text) {
    const e = byId("said");
    e.textContent = "";
    setTimeout(() => (e.textContent = text), 50); // a repeated sentence is read again
}

export function alarm(text) {
    const e = byId("alarm");
    e.hidden = !text;
    say(e, text ?? "");
}

// What goes wrong outside of a dialog stands in the page until the next thing goes well.
export async function tryTo(work) {
    try {
        const got = await work();
        alarm();
        return got;
    } catch (e) {
        if (e.code === undefined) throw e;
        alarm(sentence(e));
        return undefined;
    }
}

// ---- the passphrase ----

function field(id, label, attributes) {
    return el("div", {}, el("label", { for: id }, label), el("input", { id, autocomplete: "off", ...attributes }));
}

// Asks, does, and stays open with the reason while it is refused; where nothing can be signed it says
// so instead. Gives what work(passphrase, words) gave, or undefined if it was called off. `more` are
// further fields: {id: {label, ..attributes}}.
export async function signed(what, work) {
    const why = await tryTo(elsewhere);
    if (why !== "") {
        if (why) alarm(why);
        return undefined;
    }
    return ask(what, work);
}

function ask({ title, body = [], button, danger = false, more = {}, ready = () => true }, work) {
    const wrong = el("p", { class: "bad", role: "alert" });
    const extra = Object.entries(more).map(([id, { label, ...rest }]) => field(id, label, { required: true, ...rest }));
    const pass = field("pass", t("pass.label"), { type: "password", maxlength: 200, required: true });
    const box = pass.lastChild;
    const go = el("button", { class: danger ? "danger" : "main" }, button);
    const off = el("button", { type: "button" }, t("cancel"));
    const form = el("form", { method: "dialog" }, el("h2", { id: "sign-title" }, title), body, extra, pass, wrong,
        el("div", { class: "row" }, off, go));
    const dialog = el("dialog", { "aria-labelledby": "sign-title" }, form);
    const back = document.activeElement;
    const check = () => (go.disabled = !ready(Object.fromEntries(Object.keys(more).map((id) => [id, form.querySelector("#" + id).value]))));

    document.body.append(dialog);
    dialog.showModal();
    form.addEventListener("input", check);
    check();
    return new Promise((done) => {
        const close = (got) => {
            box.value = "";
            dialog.remove();
            if (back?.isConnected) back.focus();
            done(got);
        };
        off.addEventListener("click", () => close(undefined));
        dialog.addEventListener("cancel", (e) => (e.preventDefault(), go.dataset.busy || close(undefined)));
        form.addEventListener("submit", async (e) => {
            const passphrase = box.value;
            e.preventDefault();
            if (go.dataset.busy) return;
            alarm();
            go.dataset.busy = "1";
            go.disabled = true;
            say(wrong, "");
            say(go, t("pass.busy"));
            try {
                const words = Object.fromEntries(Object.keys(more).map((id) => [id, form.querySelector("#" + id).value]));
                close(await work(passphrase, words));
            } catch (why) {
                if (why.code === undefined) throw why;
                say(wrong, sentence(why));
                box.value = "";
                box.focus();
            } finally {
                delete go.dataset.busy;
                say(go, button);
                check();
            }
        });
    });
}

// ---- files and paper ----

// A spreadsheet runs what begins with these.
function cell(value) {
    const text = String(value ?? "");
    return '"' + (/^[=+\-@\t\r]/.test(text) ? "'" : "") + text.replaceAll('"', '""') + '"';
}

export function csv(heads, rows) {
    return "\ufeff" + [heads, ...rows].map((r) => r.map(cell).join(",") + "\r\n").join("");
}

export function save(name, type, content) {
    const url = URL.createObjectURL(new Blob([content], { type }));
    el("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
}

// One part of the page alone: lead.css knows the names.
export function print(part) {
    document.body.dataset.print = part;
    window.print();
    delete document.body.dataset.print;
}
