// scanbox.js - the one box: it has the focus whenever nothing else needs it, takes what a scanner
// or a person types, and says how fast that was.
//
// A scanner is a keyboard that ends with Enter or Tab. That Enter must press no button: whatever
// has the focus, the first character of a scan moves it into the box, and an Enter that follows a
// character within HAND_MS is a scanner"s.

const HAND_MS = 150;

function isText(e) {
    return e.key.length === 1 && !e.ctrlKey && !e.altKey && !e.metaKey;
}

function isField(el) {
    return el instanceof HTMLInputElement || el instanceof HTMLTextAreaElement ||
        el instanceof HTMLSelectElement;
}

export class ScanBox {
    #input;
    #does;
    #times = [];
    #textAt = -Infinity;

    // does: scan(text, how), key(name) -> taken?, isBusy(): a dialog has the keys, typed(text)
    constructor(input, does) {
        this.#input = input;
        this.#does = does;
        window.addEventListener("keydown", (e) => this.#keydown(e), true);
        input.addEventListener("input", () => does.typed(input.value));
        input.addEventListener("paste", () => { this.#times = []; });
        // A dialog that closes gives the focus back to the box while the box is still inert:
        // Chromium then says that it has the focus, and throws away what is typed.
        document.addEventListener("close", () => {
            input.blur();
            this.focus();
        }, true);
        document.addEventListener("click", (e) => {
            if (!isField(e.target) || e.target === input)
                this.focus();
        });
    }

    // Nothing jumps where the box can be seen; at 200 % it is looked for.
    focus() {
        const at = this.#input.getBoundingClientRect();

        if (this.#does.isBusy())
            return;
        this.#input.focus({ preventScroll: true });
        if (at.top < 0 || at.bottom > innerHeight)
            this.#input.scrollIntoView({ block: "center" });
    }

    #keydown(e) {
        const inBox = e.target === this.#input;

        if (isText(e)) {
            this.#textAt = e.timeStamp;
            if (this.#does.isBusy())
                return;
            if (!inBox && isField(e.target))
                return;
            if (!inBox && e.key === " " && e.target instanceof HTMLButtonElement)
                return; // a person presses the button
            if (!inBox)
                this.#input.focus({ preventScroll: true }); // and the character lands there
            this.#times.push(e.timeStamp);
            return;
        }
        if (e.key === "Enter" && !inBox && e.target instanceof HTMLButtonElement &&
            e.timeStamp - this.#textAt < HAND_MS) {
            e.preventDefault();
            return;
        }
        if (inBox && (e.key === "Enter" || (e.key === "Tab" && !e.shiftKey))) {
            if (this.#input.value.trim() !== "") {
                e.preventDefault();
                this.#take();
            } else if (e.key === "Enter") {
                e.preventDefault();
            }
            return;
        }
        if (!e.repeat && this.#does.key(e.key))
            e.preventDefault();
        else if (/^F(1|2|3|4|6|7|8|9|10)$/.test(e.key))
            e.preventDefault(); // the browser means something else by them
    }

    #take() {
        const text = this.#input.value;
        const n = this.#times.length;
        const how = n < 2 ? { typed: n < text.trim().length }
            : { key_ms: Math.round((this.#times[n - 1] - this.#times[0]) / (n - 1)) };

        this.#input.value = "";
        this.#times = [];
        this.#does.typed("");
        this.#does.scan(text, how);
    }
}
