// Step 2: is everything here?
import { api } from "./door.js";
import { byId, el, say } from "./dom.js";
import { t, ago, number, worded } from "./words.js";
import { keep, lines, plural, told, tryTo, verdict } from "./lead_parts.js";

const CLOCK_OFF_MS = 5000;
const PIECE = 45000; // bytes of a bundle's part in one request
const HEAD = "tideover bundle 1\n";

// What a desk is to whoever asks whether something is missing.
function standing(p) {
    if (p.this) return "this";
    if (p.state === "revoked" || p.state === "retired") return p.known > p.held ? "left" : "gone";
    if (p.state !== "online") return p.last_seen_s === null ? "unheard" : "away";
    return p.complete ? "complete" : "receiving";
}

const marks = { this: ["good", "✔"], complete: ["good", "✔"], receiving: ["busy", "…"], away: ["warn", "!"], unheard: ["warn", "!"], left: ["warn", "!"] };

function row() {
    return el("tr", {}, el("th", { scope: "row" }),
        el("td", { class: "wide" }, el("div", { class: "held" }, el("progress", {}), el("span", {}))),
        el("td", { class: "number-text" }), el("td", { class: "number number-text" }), el("td", {}));
}

function fill(tr, p) {
    const [name, held, seen, clock, state] = tr.children;
    const is = standing(p), [colour, mark] = marks[is];
    const bar = held.querySelector("progress");
    const unsure = is === "away" || is === "unheard";
    const count = p.known === 0 && !unsure ? t("desks.nothing") : t("desks.of", { held: number(p.held), known: number(p.known) }) + (unsure ? "?" : "");

    say(name, p.name + (p.seat ? " ★" : ""));
    bar.max = Math.max(1, p.known);
    bar.value = p.known === 0 ? (unsure ? 0 : 1) : p.held;
    bar.setAttribute("aria-label", `${p.name}: ${count}`);
    say(held.querySelector("span"), count);
    say(seen, p.this ? t("desks.here") : ago(p.last_seen_s));
    say(clock, p.this || p.clock_ms === null ? "–" : `${p.clock_ms < -50 ? "−" : "+"}${Math.abs(p.clock_ms / 1000).toFixed(1)} s${Math.abs(p.clock_ms) > CLOCK_OFF_MS ? " !" : ""}`);
    clock.className = "number number-text" + (p.clock_ms !== null && Math.abs(p.clock_ms) > CLOCK_OFF_MS ? " warn" : "");
    state.className = colour;
    say(state, `${mark} ${t("desks.is." + is)}`);
}

function missingWords(p) {
    const is = standing(p), lacks = p.known - p.held;
    if (is === "receiving") return plural("desks.receiving", Math.max(lacks, p.missing), { desk: p.name });
    if (lacks > 0) return plural("desks.lacks", lacks, { desk: p.name, ago: ago(p.last_seen_s) });
    return is === "unheard" ? t("desks.unheard", { desk: p.name })
        : plural("desks.away", p.known, { desk: p.name, ago: ago(p.last_seen_s) });
}

export function problemText(p) {
    const text = worded("problem", p);
    return p.desk && !text.includes(p.desk) ? p.desk + ": " + text : text;
}

export function show({ status, peers }) {
    const desks = peers.filter((p) => standing(p) !== "gone");
    const lacking = desks.filter((p) => !["this", "complete"].includes(standing(p)));
    const away = lacking.some((p) => ["away", "unheard", "left"].includes(standing(p)));

    keep(byId("desks-rows"), desks, (p) => p.id, row, fill);
    verdict(byId("desks-verdict"), lacking.length === 0 ? "good" : away ? "warn" : "busy",
        lacking.length === 0 ? (desks.length === 1 ? t("desks.alone") : t("desks.complete")) : lacking.map(missingWords).join(" "));
    byId("desks-advice").hidden = !away;
    lines(byId("problems"), status.problems.filter((p) => p.code !== "peer_away").map((p) => ({ state: "warn", text: problemText(p) })));
    return {
        state: lacking.length === 0 ? "good" : away ? "warn" : "busy", done: lacking.length === 0,
        tally: t("desks.of", { held: desks.length - lacking.length, known: desks.length }),
    };
}

// ---- a desk's file on a stick ----

function base64(bytes) {
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return btoa(text);
}

async function sendPart(part) {
    let answer;
    for (let at = 0; at < part.length; at += PIECE)
        answer = await api("POST", "bundle", { at, more: at + PIECE < part.length, piece: base64(part.subarray(at, at + PIECE)) });
    return answer;
}

// Part by part, as `tideover bundle import` does: each is whole, or it is not taken.
async function bringIn(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const view = new DataView(bytes.buffer);
    let at = HEAD.length, records = 0, last;

    if (new TextDecoder().decode(bytes.subarray(0, at)) !== HEAD) return t("bundle.other");
    while (at + 4 <= bytes.length) {
        const n = view.getUint32(at);
        if (n === 0 || at + 4 + n > bytes.length) break;
        last = await sendPart(bytes.subarray(at + 4, at + 4 + n));
        records += last.records;
        at += 4 + n;
    }
    return last?.last && at === bytes.length ? plural("bundle.done", records, { desk: last.desk }) : plural("bundle.torn", records);
}

export function begin(reload) {
    const box = byId("bundle-file");
    box.addEventListener("change", async () => {
        if (box.files.length === 0) return;
        say(byId("bundle-said"), t("bundle.busy"));
        const words = await tryTo(() => bringIn(box.files[0]));
        box.value = "";
        say(byId("bundle-said"), words ?? "");
        if (words) (told(words), reload());
    });
}
