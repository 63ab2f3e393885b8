// Step 4, before anything leaves: what would go, what stays, in words; the records one by one; the file.
import { api, bytes } from "./door.js";
import { byId, el, put, say } from "./dom.js";
import { t, has, number } from "./words.js";
import { csv, lastDigits, lines, moment, op, opens, plural, print, save, signed, table, thing, tick, told, tryTo, verdict } from "./lead_parts.js";

const PAGE = 50;
const kinds = ["user", "checkout", "renew", "discharge", "inhouse"];
const fates = ["released", "late", "held", "waits", "behind", "late_voids", "never_sent", "review", "duplicates", "voided", "superseded", "by_hand", "unwritable"];

// "2 new cards (first), 401 loans, 18 renewals"
export function kindsOf(send) {
    return kinds.filter((k) => send[k] > 0).map((k) => plural("plan.kind." + k, send[k])).join(", ");
}

function planLines(plan) {
    const left = plan.uncarried - plan.by_hand;
    return [
        ...fates.filter((f) => plan[f] > 0).map((f) => ({ text: plural("plan." + f, plan[f]) })),
        ...(left > 0 ? [{ text: plural("plan.uncarried", left) }] : []),
        ...plan.losses.map((l) => ({ state: "warn", text: has("loss." + l.loss) ? plural("loss." + l.loss, l.records) : l.message })),
        ...(plan.unverified ? [{ state: "warn", text: t("plan.unverified") }] : []),
        ...(plan.old ? [{ state: "warn", text: t("plan.old") }] : []),
        { text: t("plan.sink", { sink: plan.sink, format: plan.format }) },
    ];
}

// ---- the records, a page at a time ----

let from = 0;

async function preview(status) {
    const rows = await api("GET", `records?pending=1&after=${from}&limit=${PAGE + 1}`);
    const more = rows.length > PAGE, shown = rows.slice(0, PAGE);
    const step = (by, label, off) => el("button", { disabled: off, onclick: () => { from = Math.max(0, from + by); tryTo(preview); } }, label);

    put(byId("preview"), shown.length === 0 ? el("p", {}, t("plan.empty")) : [
        table([t("col.at"), t("col.desk"), t("col.what"), t("col.item"), t("col.user"), t("col.due"), t("col.state")],
            shown.map((r) => [moment(r.time ?? r.at), r.desk, op(r.op), thing(r), lastDigits(r.user), r.due ?? "–",
                (has("state." + r.state) ? t("state." + r.state) : r.state) + (r.rule && r.rule !== "lead" ? ` (${r.rule})` : "")]), 6),
        el("div", { class: "row" }, step(-PAGE, t("page.before"), from === 0), el("span", { role: "status" },
            t("page.range", { from: number(from + 1), to: number(from + shown.length) })), step(PAGE, t("page.after"), !more))]);
}

// ---- the discharges to check by hand ----

let work = { records: [] };

async function tickOff(reload) {
    const ids = [...byId("hold").querySelectorAll("input:checked")].map((i) => i.value);
    if (ids.length === 0) return alert_none();
    const n = await signed({ title: t("hold.tick"), body: [t("hold.tick.why")], button: plural("hold.do", ids.length) },
        async (passphrase) => (await api("POST", "worklist/done", { ids, passphrase })).records);
    if (n !== undefined) (told(plural("hold.done", n)), await reload());
}

function alert_none() {
    told(t("tick.none"));
}

function holdRow(r) {
    return [r.state === "due" ? tick("", { value: r.id, "aria-label": t("hold.one", { item: r.item ?? r.id }) }) : "",
        moment(r.at), r.desk, el("span", { class: "code" }, r.item ?? "–"), t("hold.state." + r.state)];
}

function fillHold(reload) {
    const records = work.records, due = records.some((r) => r.state === "due");
    if (records.length === 0) return put(byId("hold"), el("p", {}, t("hold.none")));
    put(byId("hold"), el("h3", {}, t("hold.title")), el("p", {}, t("hold.why")),
        table([t("hold.col"), t("col.at"), t("col.desk"), t("col.item"), t("col.next")], records.map(holdRow), 4),
        el("div", { class: "row" },
            due ? el("button", { class: "main", onclick: () => tickOff(reload) }, t("hold.tick")) : null,
            el("button", { onclick: () => print("hold") }, t("print")),
            el("button", { onclick: () => save("hold-check.csv", "text/csv", csv(
                [t("col.at"), t("col.desk"), t("col.item"), t("col.next"), t("col.record")],
                records.map((r) => [r.at, r.desk, r.item, t("hold.state." + r.state), r.id]))) }, t("csv"))));
}

// ---- the step ----

// From step 5: the same list, up here.
export function openHold() {
    if (byId("hold").hidden) byId("plan-hold").click();
    byId("plan-hold").focus();
    byId("hold").scrollIntoView({ block: "center" });
}

export function begin(reload, now) {
    opens(byId("plan-preview"), byId("preview"), () => ((from = 0), preview()));
    opens(byId("plan-hold"), byId("hold"), () => fillHold(reload));
    byId("plan-save").addEventListener("click", () => tryTo(async () => {
        const plan = now.plan, got = await bytes("export?format=" + plan.format);
        save(`${now.status.branch}-${plan.format}-${plan.last.slice(0, 10)}`, "application/octet-stream", got);
        told(t("plan.saved"));
    }));
}

export function show({ plan, worklist, status }, reload) {
    const n = plan.send_total, held = worklist.total;

    if (n === 0) verdict(byId("plan-verdict"), plan.total === 0 ? "good" : "warn", plan.total === 0 ? t("plan.nothing") : plural("plan.onlyheld", plan.total));
    else verdict(byId("plan-verdict"), "", `${plural("plan.send", n)} ${kindsOf(plan.send)}. ${t("plan.span", { from: moment(plan.first), to: moment(plan.last, plan.first) })}`);
    lines(byId("plan-lines"), plan.total === 0 ? [] : planLines(plan));
    byId("plan-preview").hidden = plan.total === 0 && byId("preview").hidden;
    byId("plan-save").hidden = n === 0;
    byId("plan-hold").hidden = held === 0 && byId("hold").hidden;
    say(byId("plan-hold"), plural("hold.button", held));
    if (JSON.stringify(work) !== JSON.stringify(worklist)) {
        work = worklist;
        if (!byId("hold").hidden) fillHold(reload);
    }
    if (!byId("preview").hidden && !byId("preview").contains(document.activeElement)) tryTo(preview);
}
