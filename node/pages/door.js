// How a page gets in and talks to the program on this PC.
import { el } from "./dom.js";
import { t, translate, speak, worded } from "./words.js";

let token = null; // second half of the session; lives as long as the page
let here = "desk"; // this page's name
let lifted = false;
let asking = null; // the PIN is being asked for: a promise

export class Refused extends Error {
    constructor(code, message, field, answer) {
        super(message);
        this.code = code;
        this.field = field;
        this.answer = answer; // the whole body: `note`, `confirm`
    }
}

// An error's sentence in the page's language where there is one, else as the program says it.
export function sentence(e) {
    return worded("error", e);
}

async function ask(method, path, body) {
    const headers = {};
    let response, answer;
    if (token) headers["X-Tideover-Token"] = token;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    try {
        response = await fetch(path, {
            method,
            headers,
            body: body === undefined ? undefined : JSON.stringify(body),
            cache: "no-store",
            credentials: "same-origin",
            redirect: "error",
        });
        answer = await response.text();
    } catch {
        throw new Refused("gone", t("error.gone"));
    }
    if (response.headers.get("Content-Type")?.includes("ndjson") && response.ok)
        return answer.split("\n").filter((l) => l).map((l) => JSON.parse(l));
    try {
        answer = JSON.parse(answer);
    } catch {
        throw new Refused("gone", t("error.gone"));
    }
    if (response.ok) return answer;
    throw new Refused(answer.error.code, answer.error.message, answer.error.field, answer);
}

let leaving = false; // several requests may learn at once that the session ended

function toLogin(why) {
    if (!leaving) location.replace("/login" + (why ? "#" + why : ""));
    leaving = true;
    return new Promise(() => {}); // nothing more happens on this page
}

// One request. Lines (application/x-ndjson) come back as an array. Throws Refused: code "gone" when
// nobody answers. A page whose PIN ran out asks for it and goes on; one whose session ended goes.
export async function api(method, path, body) {
    if (!path.startsWith("/")) path = "/api/v1/" + path;
    for (;;) {
        try {
            return await ask(method, path, method === "POST" ? (body ?? {}) : body);
        } catch (e) {
            if (e.code === "no_token" || e.code === "no_session") return toLogin();
            if (e.code !== "locked" || here === "desk") throw e;
            await unlock();
        }
    }
}

// What a GET answers, as it is: a file to save.
export async function bytes(path) {
    const response = await fetch("/api/v1/" + path, {
        headers: token ? { "X-Tideover-Token": token } : {},
        cache: "no-store",
        credentials: "same-origin",
        redirect: "error",
    }).catch(() => {
        throw new Refused("gone", t("error.gone"));
    });
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
    const { error } = await response.json();
    throw new Refused(error.code, error.message, error.field);
}

// ---- the PIN ----

function pinDialog(pins) {
    const wrong = el("p", { class: "bad", role: "alert" });
    const box = el("input", {
        type: "password", id: "pin", autocomplete: "off", maxlength: 64, required: true,
        "aria-describedby": "pin-why",
    });
    const form = el("form", { method: "dialog" },
        el("h2", { id: "pin-title" }, t("pin.title." + here)),
        pins[here]
            ? [el("label", { for: "pin" }, t("pin.label")), box, wrong,
               el("button", { class: "main" }, t("pin.open")),
               el("p", { class: "quiet", id: "pin-why" }, t("pin.why"))]
            : [el("p", {}, t("pin.none")), el("pre", {}, "tideover pin set " + here),
               wrong, el("button", { class: "main" }, t("pin.again"))],
        el("p", {}, el("a", { href: "/desk" }, t("pin.desk"))));
    const dialog = el("dialog", { class: "cover", "aria-labelledby": "pin-title" }, form);
    dialog.addEventListener("cancel", (e) => e.preventDefault());
    return { dialog, form, box, wrong, has: pins[here] };
}

// True once the PIN is right; false: ask anew (it was set meanwhile).
function askOnce(pins) {
    const d = pinDialog(pins);
    let trying = false;
    document.body.append(d.dialog);
    d.dialog.showModal();
    return new Promise((done) => {
        d.form.addEventListener("submit", async (e) => {
            e.preventDefault();
            const pin = d.box.value;
            if (trying) return;
            trying = true;
            d.box.value = d.wrong.textContent = "";
            try {
                if (d.has) await ask("POST", "/api/v1/pin", { page: here, pin });
                d.dialog.remove();
                done(d.has);
            } catch (why) {
                if (why.code === "no_token" || why.code === "no_session") toLogin();
                d.wrong.textContent = sentence(why);
                d.box.focus();
            } finally {
                trying = false;
            }
        });
    });
}

async function askUntilRight() {
    const focus = document.activeElement;
    let right = false;
    document.body.classList.add("locked");
    while (!right) right = await askOnce((await ask("GET", "/api/v1/session")).pins);
    document.body.classList.remove("locked");
    lifted = true;
    touched = Date.now();
    focus?.focus?.();
}

function unlock() {
    asking ??= askUntilRight().finally(() => (asking = null));
    return asking;
}

// Hides the page until the PIN is given again.
export async function lock() {
    if (here === "desk") return;
    lifted = false;
    await ask("POST", "/api/v1/session/lock", {}).catch(() => {});
    await unlock();
}

const IDLE_MS = 600000;
let touched = Date.now(), told = 0;

// The program counts the idle minutes; it hears of a person's touch once in half a minute.
function watchHands() {
    const touch = () => {
        touched = Date.now();
        if (!lifted || touched - told < 30000) return;
        told = touched;
        ask("POST", "/api/v1/session/touch", {}).catch(() => {});
    };
    for (const kind of ["pointerdown", "keydown", "wheel"])
        addEventListener(kind, touch, { capture: true, passive: true });
    setInterval(() => {
        if (lifted && Date.now() - touched >= IDLE_MS) lock();
    }, 5000);
}

// ---- coming in ----

function drawFrame() {
    translate();
    for (const b of document.querySelectorAll("[data-do=language]"))
        b.addEventListener("click", () => speak(document.documentElement.lang === "en" ? "es" : "en"));
    for (const b of document.querySelectorAll("[data-do=lock]")) b.addEventListener("click", lock);
}

// Trades the address's code for a session, or finds the one that a reload left; asks for the PIN on
// the lead and admin pages. Returns {desk, branch, pins, lifted}.
export async function enter(page) {
    const code = location.hash.slice(1);
    let session;
    here = page;
    drawFrame();
    if (code) history.replaceState(null, "", location.pathname);
    for (;;) {
        try {
            session = /^[0-9a-f]{32}$/.test(code)
                ? await ask("POST", "/api/v1/session", { code })
                : await ask("GET", "/api/v1/session");
            break;
        } catch (e) {
            if (e.code !== "gone") return toLogin(e.code === "bad_code" ? "used" : "");
            await new Promise((r) => setTimeout(r, 1000));
        }
    }
    token = session.token;
    lifted = session.lifted;
    if (page !== "desk" && !lifted) await unlock();
    if (page !== "desk") watchHands();
    return session;
}

// ---- following ----

// Calls back with {status} now and whenever something changed, with {gone: true} when nobody
// answers, and with {status} again once somebody does. Returns a function that ends it.
export function follow(callback) {
    let going = true;
    (async () => {
        let since = 0, wait = 250;
        while (going) {
            const asked = Date.now();
            try {
                const { now } = await ask("GET", "/api/v1/changes?since=" + since);
                const status = await ask("GET", "/api/v1/status");
                // Answered at once and nothing is new: too many windows wait, each a while then.
                if (now === since && Date.now() - asked < 15000)
                    await new Promise((r) => setTimeout(r, 2000));
                since = now;
                wait = 250;
                if (going) callback({ status });
            } catch (e) {
                if (e.code === "no_token" || e.code === "no_session") return toLogin();
                since = 0;
                if (going && e.code === "gone") callback({ gone: true });
                await new Promise((r) => setTimeout(r, wait));
                wait = Math.min(2 * wait, 2000);
            }
        }
    })();
    return () => (going = false);
}
