// The page that everybody on this PC may see: how to open the others.
import { translate, speak } from "./words.js";
import { byId } from "./dom.js";

translate();
byId("used").hidden = location.hash !== "#used";
document.querySelector("[data-do=language]").addEventListener("click", () =>
    speak(document.documentElement.lang === "en" ? "es" : "en"));
