// All strings of all pages, in one table: key -> [English, Spanish]. Each page has its rows in a
// file of its own. {name} is replaced by a value; {n|record|records} picks by the number n.
import { rows as common } from "./words_common.js";
import { rows as desk } from "./words_desk.js";
import { rows as lead } from "./words_lead.js";
import { rows as admin } from "./words_admin.js";
import { rows as errors } from "./words_errors.js";

export const languages = ["en", "es"];
export const table = { ...errors, ...common, ...desk, ...lead, ...admin };

const kept = "tideover-language";

function choose() {
    const asked = [];
    try {
        asked.push(localStorage.getItem(kept));
    } catch {
        // storage is switched off: the browser's language stands
    }
    asked.push(...navigator.languages.map((l) => l.slice(0, 2)));
    return asked.find((l) => languages.includes(l)) ?? "en";
}

export let language = choose();

// "en-GB" writes days and times otherwise than "en-US".
const region = navigator.languages.find((l) => l.slice(0, 2) === language) ?? language;

function fillIn(text, values) {
    return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (whole, name, one, other) => {
        if (values === undefined || !(name in values)) return whole;
        if (one === undefined) return String(values[name]);
        return Number(values[name]) === 1 ? one : other;
    });
}

// The text of a key in the language of the page. A key that is missing shows itself.
export function t(key, values) {
    const row = table[key];
    return row ? fillIn(row[languages.indexOf(language)], values) : key;
}

// Is there such a key? For codes of the API: has("error." + code).
export function has(key) {
    return key in table;
}

// What the program says, {code, message, ..}, in the page's language; in its own for a code of which
// this page has not heard.
export function worded(kind, said) {
    const key = kind + "." + said.code;
    return has(key) ? t(key, said) : said.message;
}

// Fills data-t (text), data-t-label (aria-label) and data-t-hint (placeholder) under root.
export function translate(root = document) {
    document.documentElement.lang = language;
    for (const e of root.querySelectorAll("[data-t]")) e.textContent = t(e.dataset.t);
    for (const e of root.querySelectorAll("[data-t-label]")) e.setAttribute("aria-label", t(e.dataset.tLabel));
    for (const e of root.querySelectorAll("[data-t-hint]")) e.placeholder = t(e.dataset.tHint);
}

// The page is loaded anew: every text is made from the table once, at one place.
export function speak(code) {
    try {
        localStorage.setItem(kept, code);
    } catch {
        language = code;
        translate();
        return;
    }
    location.reload();
}

// ---- what people read: numbers, times ----

export function number(n) {
    return Number(n).toLocaleString(region);
}

export function time(text) {
    return new Date(text).toLocaleTimeString(region, { hour: "2-digit", minute: "2-digit" });
}

export function dayTime(text) {
    return new Date(text).toLocaleString(region, { dateStyle: "medium", timeStyle: "short" });
}

// "12 s ago", "3 min ago"; seconds below two: now.
export function ago(seconds) {
    if (seconds === null || seconds === undefined || seconds < 0) return t("ago.never");
    if (seconds < 2) return t("ago.now");
    if (seconds < 60) return t("ago.seconds", { n: Math.round(seconds) });
    if (seconds < 3600) return t("ago.minutes", { n: Math.round(seconds / 60) });
    if (seconds < 172800) return t("ago.hours", { n: Math.round(seconds / 3600) });
    return t("ago.days", { n: Math.round(seconds / 86400) });
}
