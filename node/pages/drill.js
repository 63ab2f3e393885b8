// drill.js - practice: the node guides through seven scans; what is practised is in no record, and
// nothing of it stays on the page.
import { api } from "./door.js";
import { byId, say } from "./dom.js";
import { t, has } from "./words.js";

export class Drill {
    on = false;
    #does;

    // changed(ended | null): practice began, or is over: "off", "outage", "hour"; failed(error)
    constructor(does) {
        this.#does = does;
        byId("practice").addEventListener("click", () => this.#press());
    }

    // practice: of GET status.
    async learn(practice) {
        if (practice.on === this.on)
            return;
        this.on = practice.on;
        this.#does.changed(practice.on ? null : practice.ended);
        if (practice.on)
            this.show((await api("GET", "practice")).next);
        this.draw();
    }

    // The next step; not given: as before.
    show(next) {
        if (!next)
            return;
        const words = has("desk." + next.key) ? t("desk." + next.key) : next.message;

        say(byId("guide-text"), next.done ? words
            : t("desk.practice.step", { step: next.step + 1, steps: next.steps, words }));
        say(byId("guide-number"), next.done ? t("desk.practice.mistakes", { n: next.mistakes })
            : next.shown ?? "");
    }

    draw() {
        byId("guide").hidden = !this.on;
        say(byId("practice"), t(this.on ? "desk.practice.end" : "desk.practice.begin"));
    }

    async #press() {
        try {
            await this.learn(await api("POST", "practice", { say: this.on ? "off" : "on" }));
        } catch (e) {
            this.#does.failed(e);
        }
    }
}
