// question.js - a question waits for a person. The Enter of a scanner answers nothing: there is no
// button with the focus, and F10, F9, Esc and clicks count only once it has stood for half a second.
import { byId, say } from "./dom.js";
import { t } from "./words.js";

const SOON_MS = 500;

export class Question {
    #does;
    #since = 0;
    now = null; // {text, yes, no}

    // answer(scan): "*OK" or "*CANCEL"; soon(): pressed before it can have been read
    constructor(does) {
        this.#does = does;
        byId("question-yes").addEventListener("click", (e) => this.#clicked(e, () => this.yes()));
        byId("question-no").addEventListener("click", (e) => this.#clicked(e, () => this.no()));
    }

    get isOpen() {
        return this.now !== null;
    }

    get isReady() {
        return this.isOpen && performance.now() - this.#since >= SOON_MS;
    }

    open(now) {
        this.now = now;
        this.#since = performance.now();
        say(byId("question-text"), now.text);
        say(byId("question-yes-text"), now.yes);
        say(byId("question-no-text"), now.no);
        byId("question").hidden = false;
    }

    close() {
        this.now = null;
        byId("question").hidden = true;
    }

    yes() {
        this.#say("*OK");
    }

    no() {
        this.#say("*CANCEL");
    }

    draw(waiting) {
        say(byId("question-held"), this.isOpen && waiting > 0 ? t("desk.question.held", { n: waiting }) : "");
    }

    #say(scan) {
        if (this.isReady)
            this.#does.answer(scan);
        else if (this.isOpen)
            this.#does.soon();
    }

    // Enter and Space press a focused button, too: a person's, for the box takes a scanner's.
    #clicked(e, does) {
        e.stopPropagation();
        does();
        byId("box").focus();
    }
}
