// Step 4, the button: one upload, its progress, its pause, and what a lead is asked on the way.
import { api, sentence } from "./door.js";
import { byId, el, put, say } from "./dom.js";
import { t, has, number } from "./words.js";
import { plural, signed, told, tryTo, verdict } from "./lead_parts.js";

const RUNNING = ["gathering", "agreed", "sending", "paused", "deciding", "waiting"];
const seen = []; // {at, done} of the last quarter of a minute

export function isRunning(upload) {
    return RUNNING.includes(upload.state);
}

function secondsLeft(upload) {
    const now = performance.now(), last = seen.at(-1);

    if (last && upload.done < last.done) seen.length = 0;
    if (upload.state === "paused") seen.length = 0;
    seen.push({ at: now, done: upload.done });
    while (seen.length > 1 && now - seen[0].at > 15000) seen.shift();
    const done = upload.done - seen[0].done, ms = now - seen[0].at;
    return done > 0 && ms > 1500 ? Math.ceil(((upload.total - upload.done) * ms) / done / 1000) : null;
}

function leftWords(s) {
    return s === null ? "" : s < 90 ? t("left.seconds", { n: s }) : t("left.minutes", { n: Math.round(s / 60) });
}

function runningWords(upload, status) {
    const here = upload.uploader === status.desk, by = upload.paused_by ?? [];

    if (upload.state === "paused") return t("run.paused", { desks: by.join(", ") });
    if (by.length > 0) return t("run.pausing");
    if (upload.state === "sending") return here ? t("run.here") : t("run.elsewhere", { desk: upload.uploader ?? "?" });
    return t("run." + upload.state, { n: upload.next_try_s ?? "?" });
}

function showRunning(upload, status) {
    const bar = byId("running-bar"), counts = upload.state !== "deciding" && upload.total > 1, by = upload.paused_by ?? [];

    verdict(byId("running-word"), upload.state === "paused" ? "warn" : "busy", runningWords(upload, status) + (upload.message && upload.state !== "deciding" ? ` (${upload.message})` : ""));
    if (counts) {
        bar.max = upload.total;
        bar.value = upload.done;
    } else {
        bar.removeAttribute("value");
    }
    say(byId("running-count"), counts ? t("run.count", { done: number(upload.done), total: number(upload.total) }) : "");
    say(byId("running-left"), counts ? leftWords(secondsLeft(upload)) : "");
    byId("running-pause").hidden = upload.state === "deciding";
    byId("running-pause").dataset.pause = String(!by.includes(status.desk) && by.length === 0);
    say(byId("running-pause"), by.length === 0 ? t("run.pause") : t("run.resume"));
    byId("running-pause").disabled = by.length > 0 && !by.includes(status.desk);
}

// ---- nobody can tell whether it arrived ----

async function decide(doubt, arrived, reload) {
    const done = await signed({
        title: t("doubt.title"), button: t(arrived ? "doubt.yes" : "doubt.no"), danger: true,
        body: [el("p", { class: "warn-box" }, t(arrived ? "doubt.yes.risk" : "doubt.no.risk"))],
    }, (passphrase) => api("POST", "upload/decide", { slot: doubt.slot, arrived, passphrase }));
    if (done) (told(t("doubt.done")), await reload());
}

function showDoubt(doubt, reload) {
    const box = byId("upload-doubt"), key = doubt ? `${doubt.slot} ${doubt.step}` : "";

    box.hidden = !doubt;
    if (box.dataset.key === key) return;
    box.dataset.key = key;
    put(box, doubt ? [el("h3", {}, t("doubt.title")), el("p", {}, t("doubt.why")),
        el("dl", { class: "facts" }, el("dt", {}, t("doubt.file")), el("dd", { class: "code" }, doubt.file || "–"),
            el("dt", {}, t("fact.lines")), el("dd", {}, number(doubt.lines)), el("dt", {}, "SHA-256"), el("dd", { class: "code" }, doubt.sha256)),
        el("div", { class: "row" }, el("button", { onclick: () => decide(doubt, true, reload) }, t("doubt.yes")),
            el("button", { onclick: () => decide(doubt, false, reload) }, t("doubt.no")))] : []);
}

// ---- the step ----

// Beside the box that it is about; gone with the next letter.
function wrong(words) {
    byId("upload-wrong").hidden = !words;
    say(byId("upload-wrong"), words);
    words ? byId("upload-pass").setAttribute("aria-invalid", "true") : byId("upload-pass").removeAttribute("aria-invalid");
}

function failedWords(upload) {
    const known = "upload.failed." + upload.error?.code;
    return has(known) ? t(known) : t("upload.failed", { why: upload.message ?? "" });
}

export function begin(reload, now) {
    const pass = byId("upload-pass"), go = byId("upload-go");

    pass.addEventListener("input", () => wrong(""));
    byId("upload-form").addEventListener("submit", async (e) => {
        const passphrase = pass.value;
        e.preventDefault();
        if (go.disabled) return;
        if (now.elsewhere) return wrong(now.elsewhere);
        if (!passphrase) {
            wrong(t("error.no_passphrase"));
            pass.focus();
            return;
        }
        pass.value = "";
        go.disabled = true;
        say(go, t("pass.busy"));
        try {
            const answer = await api("POST", "upload/run", { passphrase });
            wrong("");
            told(answer.nothing ? t("plan.nothing") : t("upload.started"));
            now.started = answer.nothing ? 0 : answer.slot;
        } catch (why) {
            if (why.code === undefined) throw why;
            wrong(sentence(why));
            pass.focus();
        } finally {
            go.disabled = false;
            await reload();
        }
    });
    byId("running-pause").addEventListener("click", () => tryTo(async () => {
        await api("POST", "upload/pause", { pause: byId("running-pause").dataset.pause === "true" });
        await reload();
    }));
}

export function show({ upload, plan, status, elsewhere }, reload) {
    const running = isRunning(upload), n = plan.send_total, failed = upload.state === "failed";

    for (const id of ["plan-verdict", "plan-lines", "plan-tools", "upload-form"]) byId(id).hidden = running;
    byId("upload-form").hidden = running || plan.total === 0;
    byId("upload-running").hidden = !running;
    showDoubt(upload.doubt, reload);
    if (running) showRunning(upload, status);
    else seen.length = 0;
    if (elsewhere) wrong(elsewhere);
    else if (byId("upload-pass").disabled) wrong("");
    byId("upload-pass").disabled = Boolean(elsewhere);
    if (!byId("upload-go").disabled) say(byId("upload-go"), n > 0 ? plural("upload.go", n) : t("upload.settle"));
    byId("upload-failed").hidden = !failed;
    say(byId("upload-failed"), failed ? failedWords(upload) : "");
    if (running)
        return { state: "busy", done: false, tally: upload.total > 1 ? `${number(upload.done)} / ${number(upload.total)}` : "…" };
    if (failed) return { state: "bad", done: false, tally: "✖" };
    return plan.total === 0 ? { state: "good", done: true, tally: "✔" } : { state: "", done: false, tally: number(n) };
}
