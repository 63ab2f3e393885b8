// keep.js - what a reload of the page must not lose: scans that are not answered yet, the open
// user, the rows on the screen. It lies in sessionStorage, which ends with the tab; and because a
// browser writes that into its profile, it is sealed under a key that only a session here is told.

const PLACE = "tideover-desk";

export class Keep {
    #key;
    #next = null;
    #running = null;
    #empty = false;

    static async open(hex) {
        const bytes = Uint8Array.from(hex.match(/../g), (b) => parseInt(b, 16));
        const keep = new Keep();
        keep.#key = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false,
            ["encrypt", "decrypt"]);
        return keep;
    }

    // The newest state wins; resolves once it is written. null: nothing is to be kept.
    save(state) {
        if (state === null && this.#empty)
            return this.#running;
        this.#empty = state === null;
        this.#next = { text: state === null ? null : JSON.stringify(state) };
        this.#running ??= this.#write();
        return this.#running;
    }

    async #write() {
        while (this.#next) {
            const { text } = this.#next;
            this.#next = null;
            try {
                if (text === null)
                    sessionStorage.removeItem(PLACE);
                else
                    sessionStorage.setItem(PLACE, await this.#seal(text));
            } catch {
                // Full or forbidden: the page goes on, only a reload would lose what waits.
            }
        }
        this.#running = null;
    }

    async #seal(text) {
        const iv = crypto.getRandomValues(new Uint8Array(12));
        const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, this.#key,
            new TextEncoder().encode(text));
        return btoa(String.fromCharCode(...iv)) + btoa(
            Array.from(new Uint8Array(sealed), (b) => String.fromCharCode(b)).join(""));
    }

    // What was saved last; null: nothing, or nothing that this desk's key opens.
    async load() {
        const kept = sessionStorage.getItem(PLACE);
        try {
            const bytes = (s) => Uint8Array.from(atob(s), (c) => c.charCodeAt(0));
            const open = await crypto.subtle.decrypt(
                { name: "AES-GCM", iv: bytes(kept.slice(0, 16)) }, this.#key, bytes(kept.slice(16)));
            return JSON.parse(new TextDecoder().decode(open));
        } catch {
            sessionStorage.removeItem(PLACE);
            this.#empty = true;
            return null;
        }
    }
}
