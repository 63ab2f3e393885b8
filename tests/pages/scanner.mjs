// What the Desk page's tests share: numbers that scan, and the scanner.
import { until } from "./stage.mjs";

function luhn(digits) {
    let sum = 0;
    [...digits].reverse().forEach((c, i) => {
        const d = Number(c) * (i % 2 ? 1 : 2);
        sum += d > 9 ? d - 9 : d;
    });
    return digits + ((10 - (sum % 10)) % 10);
}

let next = 1; // every test has users and items of its own
export const user = (n) => luhn("29999" + String(n).padStart(8, "0"));
export const item = (n) => luhn("39999" + String(n).padStart(8, "0"));
export const someone = () => user(next++);
export const fresh = (n) => Array.from({ length: n }, () => item(next++));

// 5 ms a key, then Enter.
export async function scan(number, page) {
    await page.keyboard.type(number, { delay: 5 });
    await page.keyboard.press("Enter");
}

export const ready = (page) => page.waitForSelector("html[data-ready=yes]");
export const text = (selector, page) => page.locator(selector).innerText();
export const settled = (page) => until(async () => (await page.locator(".row-waiting").count()) === 0, "all scans answered");
export const opened = (who, page) => until(async () => (await text("#user", page)).replaceAll(" ", "") === who, `user ${who}`);

// What the command line lists: the records, and the items lent to somebody.
export const records = async (stage, desk = 0) => (await stage.cli(desk, "log", "list", "--full", "--json")).trim()
    .split("\n").filter((l) => l).map((l) => JSON.parse(l));
export const lent = async (stage, to, desk = 0) => (await records(stage, desk))
    .filter((r) => r.op === "checkout" && r.user === to).map((r) => r.item);
