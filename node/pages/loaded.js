// What the library's system reported of loading an upload's file, read in by a lead. How a list of
// results is read: as `tideover upload loaded` does (node/cli/loaded.c).
import { api } from "./door.js";
import { byId, say } from "./dom.js";
import { t, number } from "./words.js";
import { plural, signed, told, tryTo } from "./lead_parts.js";

const AT_ONCE = 768; // ids in one request, whose body has at most 64 KiB
const REASONS_MAX = 40; // each is a word that the branch keeps for ever
const BYTES_MAX = 4 << 20;
const good = ["ok", "loaded", "accepted", "success", "0", "yes"];

// What a line of the list says: {at, loaded, words}; null: it names nothing that was sent.
function readLine(line, by) {
    const item = /\^NQ([^^,]+)/.exec(line)?.[1];
    if (item !== undefined) {
        const at = by.item.get(item) ?? -1;
        return at < 0 ? null : { at, loaded: false, words: "message " + (/\^MN([^^,]+)/.exec(line)?.[1] ?? "unknown") };
    }
    const [, name, status = "", rest = ""] = /^([^,;\t]*)(?:[,;\t]([^,;\t]*)(?:[,;\t](.*))?)?$/s.exec(line).map((s) => s?.trim());
    const at = (name.includes("/") ? by.id : by.line).get(name);
    if (at === undefined || status === "") return null;
    return { at, loaded: good.includes(status.toLowerCase()), words: rest ? `${status.slice(0, 120)}: ${rest.slice(0, 60)}` : status.slice(0, 120) };
}

// lines: what was sent. A record counts once, and once refused it is not loaded.
export function readResults(lines, text) {
    const by = { id: new Map(), line: new Map(), item: new Map() }, said = new Map(), refused = new Map();
    let unknown = 0;
    lines.forEach((o, i) => {
        by.id.set(o.id, i);
        if (o.part > 0) by.line.set(String(o.line), i); // the users' file has lines of its own
        if (o.item) by.item.set(o.item, by.item.has(o.item) ? -1 : i);
    });
    for (const line of text.split(/[\r\n]+/).map((l) => l.trim()).filter((l) => l)) {
        const one = readLine(line, by);
        if (!one) unknown++;
        else if (!said.has(one.at) || said.get(one.at).loaded) said.set(one.at, one);
    }
    for (const { at, loaded, words } of said.values()) {
        if (loaded) continue;
        const key = refused.has(words) || refused.size < REASONS_MAX ? words : "refused";
        refused.set(key, [...(refused.get(key) ?? []), lines[at].id]);
    }
    const loaded = [...said.values()].filter((s) => s.loaded).map((s) => lines[s.at].id);
    return { loaded, refused, unknown, all: unknown === 0 && said.size === lines.length };
}

const inPieces = (ids) => Array.from({ length: Math.ceil(ids.length / AT_ONCE) }, (_, i) => ids.slice(i * AT_ONCE, (i + 1) * AT_ONCE));

// What was refused goes first: it is never all right in between.
function* requests(slot, results) {
    for (const [words, ids] of results.refused)
        for (const some of inPieces(ids)) yield { slot, all: false, loaded: [], refused: [{ words, ids: some }] };
    if (results.all) yield { slot, all: true, loaded: [], refused: [] };
    else for (const some of inPieces(results.loaded)) yield { slot, all: false, loaded: some, refused: [] };
}

let slot = 0, sent = null, results = null;

async function look(text) {
    results = null;
    byId("load-say").hidden = true;
    if (!text.trim()) return say(byId("load-read"), "");
    if (sent?.slot !== slot) sent = await tryTo(async () => ({ slot, lines: await api("GET", "upload/lines?slot=" + slot) }));
    if (!sent) return;
    results = readResults(sent.lines, text);
    const refused = [...results.refused.values()].reduce((n, ids) => n + ids.length, 0);
    const words = [plural("load.read", results.loaded.length), plural("load.refused", refused)];
    if (results.unknown) words.push(plural("load.unknown", results.unknown));
    say(byId("load-read"), results.loaded.length + refused === 0 ? t("load.nothing") : words.join(" · "));
    byId("load-say").hidden = results.loaded.length + refused === 0;
}

async function give(what, reload) {
    const said = await signed({ title: t("load.title"), body: [t("load.risk")], button: t("load.say") }, async (passphrase) => {
        let answer;
        for (const body of requests(slot, what)) answer = await api("POST", "upload/loaded", { ...body, passphrase });
        return answer;
    });
    if (!said) return;
    byId("load-text").value = byId("load-file").value = "";
    say(byId("load-read"), "");
    byId("load-say").hidden = true;
    told(said.settled ? t("load.settled") : plural("load.open", said.unconfirmed));
    await reload();
}

export function begin(reload) {
    byId("load-file").addEventListener("change", async () => {
        const file = byId("load-file").files[0];
        if (!file) return;
        if (file.size > BYTES_MAX) return say(byId("load-read"), t("load.large"));
        byId("load-text").value = await file.text();
        await look(byId("load-text").value);
    });
    byId("load-text").addEventListener("input", () => look(byId("load-text").value));
    byId("load-say").addEventListener("click", () => results && give(results, reload));
    byId("load-all").addEventListener("click", () => give({ loaded: [], refused: new Map(), all: true }, reload));
}

export function show(last) {
    const load = last?.loaded;
    byId("load-report").hidden = !load || load.settled || load.told;
    if (!load) return;
    slot = load.slot;
    say(byId("load-waits"), plural("load.waits", load.unconfirmed, { of: number(load.lines) }));
}
