// dates.js - days without a clock: "2026-12-07" is a day of the library's calendar, wherever this
// PC believes to be.
import { language } from "./words.js";

function day(ymd, how) {
    return new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { timeZone: "UTC", ...how })
        .format(new Date(ymd + "T00:00:00Z"));
}

export const dayShort = (ymd) => day(ymd, { day: "numeric", month: "short" });
export const dayLong = (ymd) => day(ymd, { weekday: "short", day: "numeric", month: "short",
    year: "numeric" });
// As on a slip; the year where it is another one than today's.
export const dayInWords = (ymd, today) => day(ymd, { weekday: "long", day: "numeric", month: "long",
    ...(ymd.slice(0, 4) === today.slice(0, 4) ? {} : { year: "numeric" }) });

// Whole years from a birth date to today.
export function age(birth, today) {
    return Number(today.slice(0, 4)) - Number(birth.slice(0, 4)) -
        (today.slice(5) < birth.slice(5) ? 1 : 0);
}
