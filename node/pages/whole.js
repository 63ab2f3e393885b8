// whole.js - a page whose parts did not all arrive is loaded again. When the network of this PC
// changes (a cable, the wireless), browsers break off what they are just fetching, even from this
// very PC; and a page that lacks one script of thirty would do nothing, for ever.
(() => {
    let broken = false;

    async function again() {
        for (;;) {
            await new Promise((r) => setTimeout(r, 500));
            const answers = await fetch("/healthz", { cache: "no-store" }).then((r) => r.ok, () => false);
            if (answers)
                return location.reload();
        }
    }

    addEventListener("error", (e) => {
        if (broken || !e.target.matches?.("script, link[rel=stylesheet]"))
            return;
        broken = true;
        again();
    }, true);
})();
