// paper.js - "From paper": what was written down while this PC could not save is typed in with its
// own time. As long as it is on, a strip above the box says so, and whatever is recorded goes with
// that time. It is off after a reload, and ends by itself: nobody's next loan counts as of another
// hour because somebody forgot.
import { el, byId, say } from "./dom.js";
import { t } from "./words.js";
import { dayShort, dayLong } from "./dates.js";
import { Panel } from "./panel.js";
import { newKey } from "./queue.js";

const IDLE_MS = 600000;
const STAMPED = ["scan", "user", "pieces"]; // jobs that record; what is taken back, is so now

// "1405", "9.12": as hands write it. What is no time goes to the node, which says so.
function tidy(text) {
    const [, h, m] = text.match(/^(\d\d?)[:.h ]?(\d\d)$/) ?? [];

    return m ? `${h.padStart(2, "0")}:${m}` : text;
}

class PaperPanel extends Panel {
    open(now, today) {
        const [day, hour] = now?.split(" ") ?? [today, ""];
        const time = el("input", { id: "paperform-time", type: "text", inputmode: "numeric", maxlength: 8,
            autocomplete: "off", value: hour });
        const date = el("input", { id: "paperform-date", type: "date", value: day });

        this.show(t(now ? "desk.paperform.next" : "desk.paperform.what"), [["time", time], ["date", date]],
            () => `${date.value || today} ${tidy(time.value.trim())}`);
    }
}

function spoken(at) {
    const [day, hour] = at.split(" ");

    return { time: hour, date: day.startsWith(`${new Date().getFullYear()}-`) ? dayShort(day) : dayLong(day) };
}

export class Paper {
    at = null; // "2026-11-26 14:05" by the library's clock; null: off
    #used = 0;
    #does;
    #panel;

    // does: send(job): a scan that is answered as one (without a scan: the code of the mode that is on,
    // which changes nothing), then job.say is shown; closed(): the form; changed(): on, off, or
    // another time; isBusy(): a form is being filled in
    constructor(does) {
        this.#does = does;
        this.#panel = new PaperPanel("paperform", { save: (at) => this.#begin(at), closed: does.closed });
    }

    get isOpen() {
        return this.#panel.isOpen;
    }

    open(today) {
        this.#panel.open(this.at, today);
    }

    // The node judges the time by what goes first: at the beginning the user is closed, later not.
    // What is scanned before the answer came has the time already, and is refused as it is.
    #begin(at) {
        const was = this.at;

        this.#set(at);
        this.#does.send({ scan: was ? undefined : "*NEXT", at, was, say: t("desk.paper.began", spoken(at)) });
    }

    // The form again, with the node's words. False: the page was loaded anew since.
    refused(words, job) {
        if (this.at === job.at)
            this.#set(job.was);
        return this.#panel.refused(words);
    }

    // Each job is stamped once, when it is made: what waits keeps its time.
    stamp(job) {
        if (job.kind === "scan")
            this.tick();
        if (!this.at || "at" in job || !STAMPED.includes(job.kind))
            return;
        job.at = this.at;
        this.#used = Date.now();
    }

    // why: end, idle, session. The user is closed: nothing of now is lent to somebody of then.
    end(why) {
        if (!this.at)
            return;
        this.#set(null);
        this.#does.send(this.over(why));
    }

    over(why) {
        return { kind: "paper", scan: "*NEXT", key: newKey(), say: t("desk.paper.over." + why),
            loud: why !== "end" };
    }

    // Without a word: practice begins, or another tab is the desk now.
    stop() {
        if (this.at)
            this.#set(null);
    }

    tick() {
        if (this.at && !this.#does.isBusy() && Math.abs(Date.now() - this.#used) >= IDLE_MS)
            this.end("idle");
    }

    #set(at) {
        this.at = at;
        this.#used = Date.now();
        byId("paper-strip").hidden = !at;
        say(byId("paper-words"), at ? t("desk.paper.on", spoken(at)) : "");
        this.#does.changed();
    }
}
