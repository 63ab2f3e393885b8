// Step 1: is the library's server there?
import { api } from "./door.js";
import { byId, say } from "./dom.js";
import { t, ago, has } from "./words.js";
import { lines, moment, signed, told, verdict } from "./lead_parts.js";

// How each state looks: colour, icon, and whether step 1 is done.
const looks = {
    online: ["good", "●", true], backup: ["good", "●", true], back: ["warn", "▲", true],
    offline: ["bad", "✖", false], unknown: ["busy", "?", true],
};

function seconds(since) {
    return since ? Math.max(0, (Date.now() - new Date(since)) / 1000) : null;
}

export function begin(reload) {
    byId("server-online").addEventListener("click", async () => {
        const done = await signed({ title: t("server.online"), body: [t("server.online.why")], button: t("server.online.do") },
            (passphrase) => api("POST", "server/online", { passphrase }));
        if (done) (told(t("server.online.done")), reload());
    });
}

export function show({ status, upload, gone }) {
    const state = gone ? "gone" : status.server.state;
    const [colour, icon, done] = looks[state] ?? ["bad", "✖", false];
    const running = !gone && ["gathering", "agreed", "sending", "paused", "deciding"].includes(upload?.state);

    byId("banner").dataset.state = running ? "busy" : colour;
    say(byId("banner-icon"), running ? "⬆" : icon);
    say(byId("banner-word"), gone ? t("gone.title") : running ? t("banner.uploading") : t("banner." + state));
    say(byId("banner-rest"), gone ? t("gone.why") : status.server.since ? t("banner.since", { at: moment(status.server.since) }) : "");
    say(byId("banner-uploader"), !gone && status.uploader
        ? t("banner.uploader", { desk: status.uploader.desk === status.desk ? t("desk.this", { desk: status.desk }) : status.uploader.desk }) : "");
    if (gone) return { state: "bad", tally: "✖", done: false };
    verdict(byId("server-verdict"), state === "unknown" ? "" : colour, t("server." + state));
    say(byId("server-more"), [
        status.server.checked ? t("server.checked", { ago: ago(seconds(status.server.checked)) }) : "",
        status.server.why && state === "offline" ? t("server.why", { why: status.server.why }) : "",
    ].filter(Boolean).join(" "));
    lines(byId("server-seen"), Object.entries(status.server.peers ?? {})
        .filter(([, sees]) => sees !== "unknown" && sees !== status.server.sees)
        .map(([desk, sees]) => ({ state: "warn", text: t("server.other", { desk, sees: has("sees." + sees) ? t("sees." + sees) : sees }) })));
    byId("server-release").hidden = state !== "back" || running;
    return { state: state === "unknown" ? "" : done ? "good" : colour, tally: state === "unknown" ? "–" : done ? "✔" : "✖", done };
}
