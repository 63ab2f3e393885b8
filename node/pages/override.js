// When too few desks are left: a lead's decision to go on without the others, and its risk.
import { api } from "./door.js";
import { byId, el, put } from "./dom.js";
import { t, ago, worded } from "./words.js";
import { plural, signed, told, tryTo } from "./lead_parts.js";

function names(list) {
    return list.length === 0 ? t("none") : list.map((d) => (typeof d === "string" ? d : `${d.desk} (${ago(d.last_seen_s)})`)).join(", ");
}

function facts(p) {
    return el("dl", { class: "facts" }, el("dt", {}, t("override.reached")), el("dd", {}, names(p.reached)),
        el("dt", {}, t("override.missing")), el("dd", {}, names(p.missing)),
        el("dt", {}, t("override.seats")), el("dd", {}, names(p.seats)),
        p.allowed ? [el("dt", {}, t("override.new")), el("dd", {}, names(p.new_seats))] : []);
}

async function override(p, branch, reload) {
    const word = branch;
    const done = await signed({
        title: t("override.title"), danger: true, button: t("override.sign"),
        body: [facts(p), el("p", { class: "warn-box", id: "override-risk" }, plural("override.risk", p.may_double)),
            p.behind > 0 ? el("p", { class: "warn-box" }, plural("override.behind", p.behind, { unlisted: p.unlisted })) : null, el("p", {}, t("override.look"))],
        more: { reason: { label: t("override.reason"), maxlength: 200 }, typed: { label: t("override.typed", { word }), maxlength: 40 } },
        ready: ({ reason, typed }) => reason.trim() !== "" && typed.trim() === word,
    }, (passphrase, { reason }) => api("POST", "upload/override", { reason, passphrase }));
    if (done) (told(t("override.done")), await look(branch, reload), await reload());
}

async function look(branch, reload) {
    const p = await api("GET", "upload/override");
    put(byId("override-body"), el("p", {}, p.allowed ? t("override.allowed") : t("override.not", { why: worded("error", p) })), facts(p),
        p.allowed ? el("div", { class: "row" }, el("button", { class: "danger", id: "override-do", onclick: () => override(p, branch, reload) }, t("override.do"))) : null);
}

export function begin(reload, now) {
    const box = byId("override");
    box.addEventListener("toggle", () => box.open && tryTo(() => look(now.status.branch, reload)));
}
