// The Lead page: five steps on one page, each a file of its own; this one fetches what they show.
import { api, enter, follow, sentence } from "./door.js";
import { byId, el, put, say } from "./dom.js";
import { t } from "./words.js";
import { alarm, told } from "./lead_parts.js";
import { elsewhere } from "./lead_key.js";
import * as server from "./server.js";
import * as desks from "./desks.js";
import * as review from "./review.js";
import * as plan from "./plan.js";
import * as upload from "./upload.js";
import * as result from "./result.js";
import * as report from "./report.js";
import * as override from "./override.js";

const MERGE_SHARE = 10;      // the plan costs a merge of all that waits: a tenth of the time,
const MERGE_WAIT_MS = 10000; // but not so seldom that nobody believes it
const LOOK_EVERY_MS = 15000; // words of other leads change nothing else that we would see
const STEP_MS = 400;         // while an upload runs

const now = {}; // what the node said last: status, peers, upload, plan, conflicts, worklist, ..
let merged = "", mergedAt = -Infinity, mergeMs = 0, again = false, busy = null, timer = null, due = 0;

// What a plan depends on, as far as it shows without a merge.
function mark() {
    const r = now.status.records;
    return JSON.stringify([r.pending, r.set_aside, r.aside, r.released, r.held, now.upload.slot, now.upload.state, now.upload.last, now.peers.map((p) => p.state)]);
}

async function merge(force) {
    const key = mark(), begun = performance.now(), wait = mergedAt + Math.min(MERGE_SHARE * mergeMs, MERGE_WAIT_MS) - begun;

    if (!force && key === merged) return;
    if (!force && now.plan && wait > 0) {
        later(wait);
        return;
    }
    const last = now.upload.last;
    const [p, c, w, e, a, r] = await Promise.all([api("GET", "upload/plan"), api("GET", "conflicts"), api("GET", "worklist"),
        api("GET", "upload/exceptions"), api("GET", "upload/aside"), last ? api("GET", "upload/report?slot=" + last.slot) : null]);
    Object.assign(now, { plan: p, conflicts: c, worklist: w, exceptions: e, aside: a, report: r });
    merged = e.known && a.known ? key : ""; // answers are on their way to this desk: ask again
    mergedAt = performance.now();
    mergeMs = mergedAt - begun;
    if (merged === "") later(500);
}

// The earliest that anybody asked for.
function later(ms) {
    const at = performance.now() + ms;
    if (timer !== null && due <= at) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(() => {
        timer = null;
        reload(false);
    }, ms);
}

function step(id, { state, tally, done }) {
    const a = byId("step-" + id);
    a.dataset.state = state;
    a.dataset.done = String(done);
    const mark = tally === "✔" ? t("step.done") : tally === "✖" ? t("step.bad") : "";
    const e = a.querySelector(".tally");
    if (e.dataset.says === tally) return;
    e.dataset.says = tally;
    put(e, mark ? [el("span", { "aria-hidden": "true" }, tally), el("span", { class: "hidden-text" }, mark)] : [tally]);
}

function show() {
    step("server", server.show(now));
    step("desks", desks.show(now));
    step("review", review.show(now));
    plan.show(now, reload);
    step("upload", upload.show(now, reload));
    step("result", result.show(now, reload));
    const all = ["server", "desks", "review", "upload", "result"].map((id) => byId("step-" + id));
    const next = all.find((a) => a.dataset.done !== "true");
    for (const a of all) a === next ? a.setAttribute("aria-current", "step") : a.removeAttribute("aria-current");
}

async function round(force) {
    const before = now.upload?.last?.slot ?? 0;
    [now.status, now.peers, now.upload] = [await api("GET", "status"), (await api("GET", "peers")).peers, await api("GET", "upload/status")];
    now.elsewhere = await elsewhere();
    if (!now.plan || !upload.isRunning(now.upload)) await merge(force);
    show();
    if (now.upload.last && before > 0 && now.upload.last.slot > before) told(t("result.arrived"));
    later(upload.isRunning(now.upload) ? STEP_MS : now.started && now.upload.state === "idle" && now.upload.slot === now.started ? STEP_MS : LOOK_EVERY_MS);
}

// One at a time; what is asked for meanwhile makes one more. force: the plan anew, whatever changed.
export async function reload(force = true) {
    again ||= force ? "force" : "look";
    if (force) again = "force";
    busy ??= (async () => {
        while (again) {
            const how = again;
            again = false;
            try {
                await round(how === "force");
            } catch (e) {
                if (e.code === undefined) throw e;
                if (e.code !== "gone") alarm(sentence(e));
                later(2000);
            }
        }
    })().finally(() => (busy = null));
    return busy;
}

const session = await enter("lead");
say(byId("desk-name"), session.branch + " · " + session.desk);
for (const s of [server, desks, review, plan, upload, result, report, override]) s.begin(reload, now);
follow(({ status, gone }) => {
    document.body.classList.toggle("gone", Boolean(gone));
    if (gone) server.show({ gone });
    else ((now.status = status), reload(false));
});
