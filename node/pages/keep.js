// keep.js - what a reload, or a crash of the browser, must not lose: scans that are not answered yet,
// the open user, half-filled forms, the rows on the screen. It lies in IndexedDB, which survives the
// browser; and because that writes it into its profile, it is sealed under a key that only a
// session at this desk is told.

const NAME = "tideover-desk";
const STORE = "kept";

function done(request) {
    return new Promise((good, bad) => {
        request.onsuccess = () => good(request.result);
        request.onerror = () => bad(request.error);
    });
}

function openBase() {
    const request = indexedDB.open(NAME, 1);

    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    return done(request);
}

export class Keep {
    #key;
    #base;
    #next = null;
    #running = null;
    #empty = false;
    #written;

    // written(state): it is on the disk. A browser without storage keeps nothing: the page works.
    static async open(hex, written) {
        const bytes = Uint8Array.from(hex.match(/../g), (b) => parseInt(b, 16));
        const keep = new Keep();
        keep.#key = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false,
            ["encrypt", "decrypt"]);
        keep.#base = await openBase().catch(() => null);
        keep.#written = written;
        return keep;
    }

    // The newest state wins; resolves once it is written. null: nothing is to be kept.
    save(state) {
        if (!this.#base || (state === null && this.#empty))
            return this.#running;
        this.#empty = state === null;
        this.#next = { state, text: JSON.stringify(state) };
        this.#running ??= this.#write();
        return this.#running;
    }

    async #write() {
        while (this.#next) {
            const { state, text } = this.#next;
            this.#next = null;
            try {
                const sealed = state && await this.#seal(text);
                await this.#commit((store) => sealed ? store.put(sealed, STORE) : store.delete(STORE));
                this.#written(state);
            } catch {
                // Full or forbidden: the page goes on, only a reload would lose what waits.
            }
        }
        this.#running = null;
    }

    // On the disk when it resolves, not in the browser's memory.
    #commit(change) {
        const tx = this.#base.transaction(STORE, "readwrite", { durability: "strict" });

        change(tx.objectStore(STORE));
        return new Promise((good, bad) => {
            tx.oncomplete = good;
            tx.onerror = tx.onabort = () => bad(tx.error);
        });
    }

    async #seal(text) {
        const iv = crypto.getRandomValues(new Uint8Array(12));

        return { iv, bytes: new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv },
            this.#key, new TextEncoder().encode(text))) };
    }

    // What was saved last; null: nothing, or nothing that this desk's key opens.
    async load() {
        try {
            const { iv, bytes } = await done(this.#base.transaction(STORE).objectStore(STORE).get(STORE));
            return JSON.parse(new TextDecoder().decode(
                await crypto.subtle.decrypt({ name: "AES-GCM", iv }, this.#key, bytes)));
        } catch {
            return null;
        }
    }
}
