// tabs.js - one tab of this browser is the desk; another one says so, and can take over.

const NAME = "tideover-desk";

// is(active): called at once, and whenever it changes. Returns what makes this tab the desk.
export function oneTab(is) {
    if (!navigator.locks) {
        is(true);
        return () => {};
    }
    const hold = (options) => navigator.locks.request(NAME, options, (lock) => {
        is(lock !== null);
        return lock ? new Promise(() => {}) : null; // held until the tab ends, or it is stolen
    }).catch(() => is(false));

    hold({ ifAvailable: true });
    return () => hold({ steal: true });
}
