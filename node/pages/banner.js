// banner.js - what is, in colour, word and icon; and STOP over the whole page.
import { byId, say } from "./dom.js";
import { t, time, number } from "./words.js";

const UPLOADED_MS = 30 * 60000; // then it is an ordinary day again

const ICONS = { good: "✔", warn: "▲", bad: "✖", busy: "⬆", practice: "◆", calm: "●" };

function span(ms) {
    const minutes = Math.max(0, Math.floor(ms / 60000));

    return minutes < 60 ? t("desk.span.minutes", { n: minutes })
        : t("desk.span.hours", { h: Math.floor(minutes / 60), m: minutes % 60 });
}

function since(server) {
    return server.since === undefined ? ""
        : t("desk.banner.since", { time: time(server.since),
            ago: span(Date.now() - Date.parse(server.since)) });
}

function byServer(status) {
    switch (status.server.state) {
    case "online":
        return { state: "good", word: t("desk.banner.online"), rest: "" };
    case "backup":
        return { state: "good", word: t("desk.banner.backup"), rest: "" };
    case "back":
        return { state: "busy", word: t("desk.banner.back"), rest: since(status.server), icon: "⏳" };
    case "offline":
        return { state: "warn", word: t("desk.banner.offline"), rest: since(status.server) };
    default:
        return { state: "calm", word: t("desk.banner.unknown"), rest: t("desk.banner.unknown.rest") };
    }
}

// {state, word, rest, icon, done, total}: pure, of what the node says.
export function bannerOf({ status, upload, waiting, gone, practice }) {
    if (!status && !gone)
        return { state: "calm", word: "…", rest: "" };
    const sends = upload && ["gathering", "agreed", "sending", "deciding"].includes(upload.state);
    const sent = upload?.state === "delivered" &&
        Date.now() - Date.parse(upload.last.at) < UPLOADED_MS;

    if (gone)
        return { state: "bad", word: t("desk.banner.gone"),
            rest: waiting > 0 ? t("desk.banner.gone.rest", { n: waiting }) : t("desk.banner.gone.none") };
    if (practice)
        return { state: "practice", word: t("desk.banner.practice"), rest: "" };
    if (sends)
        return { state: "busy", word: t("desk.banner.uploading"), done: upload.done, total: upload.total,
            rest: upload.total > 0 ? t("desk.banner.uploading.n",
                { done: number(upload.done), total: number(upload.total) })
                : upload.uploader ? t("desk.banner.uploading.at", { desk: upload.uploader }) : "" };
    if (sent && status.server.state !== "offline")
        return { state: "good", word: t("desk.banner.uploaded"), rest: t("desk.banner.uploaded.rest"),
            icon: "⬆" };
    return byServer(status);
}

function counts(status) {
    const { local, replicated } = status.records;
    const values = { local: number(local), copies: number(replicated), way: number(local - replicated) };

    return t(status.peers.online > 0 || replicated === local && local > 0 ? "desk.banner.counts"
        : "desk.banner.alone", values);
}

export function drawBanner(is) {
    const b = bannerOf(is);
    const bar = byId("banner-bar");

    byId("banner").dataset.state = b.state;
    say(byId("banner-icon"), b.icon ?? ICONS[b.state]);
    say(byId("banner-word"), b.word);
    say(byId("banner-rest"), b.rest);
    say(byId("banner-counts"), is.status && !is.gone ? counts(is.status) : "");
    bar.hidden = b.total === undefined;
    if (b.total > 0) {
        bar.max = b.total;
        bar.value = b.done;
    } else {
        bar.removeAttribute("value"); // somewhere on its way
    }
}

// why: what the program says, "" before the status told; or null. True if it has just begun.
export function drawStop(why, waiting) {
    const stop = byId("stop");
    const began = why !== null && stop.hidden;

    stop.hidden = why === null;
    if (why !== null)
        say(byId("stop-why"), why ? t("desk.stop.why", { why }) : "");
    say(byId("stop-waits"), waiting > 0 ? t("desk.stop.waits", { n: waiting }) : "");
    return began;
}
