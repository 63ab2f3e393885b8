// duedate.js - the due date of what comes next: as usual, by days, none, or a day of the calendar.
import { el, put, byId, say } from "./dom.js";
import { t, worded } from "./words.js";
import { dayLong } from "./dates.js";

// What stands beside "Due". due: of GET session-settings.
export function dueWords(due) {
    if (due.by === "none")
        return t("desk.due.none");
    if (!due.date)
        return t("desk.due.system");
    return due.by === "rule" && due.varies ? t("desk.due.varies", { date: dayLong(due.date) })
        : dayLong(due.date);
}

// choose(job): {scan: "*DUE14"} or {due: "2026-12-24"}.
export function drawDue({ due, presets }, today, choose) {
    const warning = due.warning ? " – " + worded("problem", due.warning) : "";
    const button = (words, why, on, job) => el("button",
        { "aria-pressed": String(on), "aria-label": why, onclick: () => choose(job) }, words);

    say(byId("due"), dueWords(due) + warning);
    put(byId("presets"),
        button(t("desk.due.rule"), false, due.by === "rule", { scan: "*DUERULE" }),
        presets.map((n) => button(t("desk.due.days", { n }), t("desk.due.days.why", { n }),
            due.by === "days" && due.days === n, { scan: `*DUE${n}` })),
        button(t("desk.due.nodate"), false, due.by === "none", { scan: "*DUENONE" }),
        el("input", { type: "date", min: today, value: due.by === "date" ? due.date : "",
        "aria-label": t("desk.due.date"),
        onchange: (e) => e.target.value >= today && choose({ due: e.target.value }) }));
}
