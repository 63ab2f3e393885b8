// Is the lead key on this PC? Whoever is about to sign hears it before a passphrase is typed.
import { api } from "./door.js";
import { t } from "./words.js";

// A sentence that says where to go; "": it is here.
export async function elsewhere() {
    const { here, desks } = await api("GET", "leads");
    if (here) return "";
    return desks.length ? t("key.elsewhere", { desks: desks.join(", ") }) : t("key.nowhere");
}
