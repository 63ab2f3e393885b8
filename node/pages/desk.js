// desk.js - the Desk page: what a scan meant is decided by the node (POST /api/v1/scan); this page
// sends scans in order, shows what came of each, and never says "saved" before the node did.
import { enter, api, follow, sentence, Refused } from "./door.js";
import { byId, el, put, say } from "./dom.js";
import { t, has, time, number, worded } from "./words.js";
import { Queue, newKey } from "./queue.js";
import { Keep } from "./keep.js";
import { ScanBox } from "./scanbox.js";
import { Question } from "./question.js";
import { NewUser } from "./newuser.js";
import { SessionPanel, PiecesPanel } from "./panel.js";
import { Rows, groups, pieces } from "./rows.js";
import { drawBanner, drawStop } from "./banner.js";
import { drawDue } from "./duedate.js";
import { printSlip } from "./slip.js";
import { Drill } from "./drill.js";
import { drawHelp } from "./help.js";
import { printSheet } from "./sheet.js";
import { printHoldList } from "./holdlist.js";
import { Paper } from "./paper.js";
import { oneTab } from "./tabs.js";
import { tone, unlock, sound } from "./tones.js";

const COPIES_MS = 800; // a slip waits so long for copies on other desks
const DIALOG_MS = 1500; // nobody answers a dialog faster, and no browser prints slower
const POLITE_MS = 2000;
const UNDO_MS = 500; // a key that bounces takes back one record, not two

const session = await enter("desk");
const is = { status: null, upload: null, gone: false, waiting: 0, stopped: null };
let page = null; // GET desk
let settings = null; // GET session-settings
let box = null; // as the node gave it
let visit = 0; // counts users: a slip's rows are those of one visit
let slip = null; // the last one: {user, rows, at}
let active = false; // this tab is the desk
let keep = null;
let began = false; // what was kept is here again
let undone = 0;

const question = new Question({ answer: (scan) => sendAnswer(scan), soon: () => tone("warning") });
const rows = new Rows(byId("rows"), (r) => add({ kind: "void", id: r.id }));
const form = new NewUser({
    save: (record) => add({ kind: "user", record }),
    closed: () => command("*CHECKOUT"),
    changed: () => remember(),
});
const sessionPanel = new SessionPanel("session", {
    save: (to) => add({ kind: "session", to }),
    closed: () => scanBox.focus(),
});
const piecesPanel = new PiecesPanel("piecesform", {
    save: (record) => add({ kind: "pieces", record, visit }),
    closed: () => scanBox.focus(),
    changed: () => remember(),
});
const paper = new Paper({
    send: (job) => add({ kind: "paper", ...job }),
    closed: () => scanBox.focus(),
    changed() {
        remember();
        draw();
    },
    isBusy: () => isAsking(),
});
const drill = new Drill({
    changed(ended) {
        paper.stop();
        box = slip = null;
        question.close();
        rows.forgetPractice();
        visit++;
        remark(ended ? t("desk.practice." + ended) : "");
        draw();
    },
    failed: (e) => refuse(sentence(e), "stop"),
});
const queue = new Queue({
    perform, settled, refused, failing,
    isOpen: (job) => active && began && (!question.isOpen || job.answer === true),
    changed: () => {
        remember();
        draw();
    },
});

// ---- jobs: scans, and what buttons do ----

function add(job, first = false) {
    job.key ??= newKey();
    paper.stamp(job);
    queue.add(job, first);
}

function scan(text, how) {
    const code = text.trim().toUpperCase();
    const job = { kind: "scan", scan: text, ...how, key: newKey() };

    if (code === "*OK" || code === "*CANCEL") {
        if (question.isReady)
            sendAnswer(code);
        else
            refuse(t(question.isOpen ? "desk.question.scan" : "desk.question.soon"), "warning");
        return;
    }
    if (question.isOpen) {
        tone("warning");
        assertive(t("desk.question.scan"));
    }
    if (!code.startsWith("*"))
        rows.add({ key: job.key, raw: text.trim(), state: "waiting", visit });
    add(job);
}

function command(code) {
    add({ kind: "scan", scan: code });
}

function sendAnswer(code) {
    const { at } = question.now; // of the scan that was asked about

    question.close();
    add({ kind: "scan", scan: code, answer: true, at }, true);
}

async function perform(job) {
    const at = job.at ? { at: job.at } : {};

    switch (job.kind) {
    case "scan":
    case "paper":
        return api("POST", "scan", { scan: job.scan ?? CODES[box?.mode ?? "checkout"], typed: job.typed ?? false, key_ms: job.key_ms ?? 0,
            key: job.key, ...at, ...(box ? { box } : {}) });
    case "due":
        return api("POST", "session-settings", { due: job.due });
    case "session":
        return api("POST", "session-settings", job.to);
    case "void":
        return api("POST", "records/void", { id: job.id, key: job.key });
    case "pieces":
    case "user":
        return api("POST", "records", { ...job.record, ...at, key: job.key });
    }
    throw new Error("no such job");
}

function settled(job, answer) {
    switch (job.kind) {
    case "scan":
    case "paper":
        box = answer.box;
        answer.answers.forEach((a, i) => took(a, i === 0 ? job : { scan: "", at: job.at }));
        rows.drop(job.key);
        if (job.kind === "paper")
            remark(job.say);
        if (job.loud)
            tone("warning");
        break;
    case "due":
        settings = answer;
        break;
    case "session":
        settings = answer;
        tone("user");
        remark(settings.staff ? t("desk.session.now", { name: settings.staff }) : t("desk.session.nobody"));
        paper.end("session");
        break;
    case "void":
        voided(job.id);
        break;
    case "pieces":
        rows.settle(job.key, { ...job.record, id: answer.id, user: undefined,
            user_end: job.record.user.slice(-4), state: "saved", copies: answer.copies, visit: job.visit });
        tone("saved");
        polite(t("desk.said.saved", { shown: pieces(job.record) }));
        remark("");
        break;
    case "user":
        form.saved();
        tone("saved");
        remark(t("desk.newuser.saved", { shown: groups(job.record.user) }));
        rows.add({ id: answer.id, op: "user", user_end: job.record.user.slice(-4), state: "saved",
            copies: answer.copies });
        command("*CHECKOUT");
        add({ kind: "scan", scan: job.record.user });
        break;
    }
    refresh();
}

function refused(job, e) {
    const words = sentence(e);

    rows.drop(job.key);
    if (job.kind === "user" && form.draft) {
        form.open(job.record.user, page?.user_types ?? [], page?.today ?? "");
        form.refused(words, e.field, e.answer?.confirm === true);
        tone(e.answer?.confirm ? "warning" : "stop");
        return;
    }
    if (job.kind === "session" || job.kind === "pieces" || (job.kind === "paper" && e.code === "bad_at")) {
        const panel = { session: sessionPanel, pieces: piecesPanel, paper }[job.kind];

        if (!panel.refused(words, job))
            refuse(words, "stop");
        tone("stop");
        return;
    }
    if (e.code === "bad_box" || e.code === "practice" || e.code === "practice_over")
        box = null; // the next scan begins anew
    refuse(words, "stop", job.scan);
}

// ---- what came of a scan ----

const ACTS = {
    opened(a) {
        closed(a);
        visit++;
        tone("user");
        polite(t("desk.said.opened", { shown: a.shown }));
        byId("refusal").hidden = true;
    },
    next(a) {
        tone("user");
        remark(a.closed ? t("desk.said.closed", { n: a.closed.count }) : t("desk.said.next"));
        byId("refusal").hidden = true;
        closed(a);
    },
    mode(a) {
        closed(a);
        tone("user");
        remark(box.mode === "discharge" && page?.discharges === "hold" ? t("desk.shelf") : "");
    },
    record(a, job) {
        rows.settle(job.key, { id: a.id, at: a.at, from_paper: a.from_paper, op: a.op, item: a.item, kind: a.kind, user_end: a.user?.slice(-4), due: a.due,
            typed: a.typed, state: a.practice ? "practised" : "saved", copies: 1,
            practice: a.practice !== undefined, visit: a.user ? visit : undefined });
        tone("saved");
        polite(t("desk.said.saved", { shown: a.shown ?? a.kind ?? "" }));
        remark([a.note ? noteWords(a.note) : null, a.warning ? worded("problem", a.warning) : null].filter((x) => x).join(" "));
    },
    nothing(a) {
        if (a.item || a.user) {
            tone(a.item ? "saved" : "user");
            remark(t(a.item ? "desk.said.again" : "desk.said.same"));
        }
    },
    undo(a) {
        voided(a.voids);
    },
    form(a) {
        tone("user");
        form.open(a.user, page?.user_types ?? [], page?.today ?? "");
    },
    pieces(a) {
        tone("user");
        piecesPanel.open(a.user, page?.kinds ?? []);
    },
    due() {
        tone("user");
        loadSettings();
    },
    asks(a, job) {
        tone("warning");
        question.open({ at: job.at, ...(a.note ? { text: noteWords(a.note), yes: t("desk.question.yes"),
            no: t("desk.question.no") } : { text: t("desk.question.typed", { shown: a.shown }),
            yes: t("desk.question.right"), no: t("desk.question.wrong") }) });
        assertive(byId("question-text").textContent);
    },
    held() {},
};

function took(a, job) {
    drill.show(a.practice);
    if (!a.ok) {
        refuse(errorWords(a.error), "stop", job.scan);
        return;
    }
    ACTS[a.act]?.(a, job); // of a later version: the node did it, this page shows the rows
    if (a.keyboard)
        remark(t("desk.said.keyboard", { layout: a.keyboard }));
}

function voided(id) {
    const row = rows.all.find((r) => r.id === id);

    if (row)
        row.state = "voided";
    if (box && box.last === id)
        box = { ...box, last: "", item: "" };
    tone("user");
    remark(t("desk.said.voided", { item: row?.item ? groups(row.item) : id }));
}

// A user was closed: what was lent is the slip that can be printed again.
function closed(a) {
    if (!a.closed)
        return;
    takeSlip(a.closed.user);
    if (page?.slip.auto && slip?.visit === visit && !slip.printed && slip.rows.some((r) => !r.from_paper))
        print();
    visit++;
}

// ---- slips ----

function takeSlip(user) {
    const mine = rows.all.filter((r) => r.visit === visit && r.id && r.state !== "voided" &&
        !r.practice && (r.op === "checkout" || r.op === "renew")).reverse();

    if (mine.length > 0)
        slip = { visit, user, rows: mine, at: Date.now(), printed: slip?.visit === visit && slip.printed };
}

function print() {
    const began = performance.now();

    slip.printed = true;
    if (!printSlip({ ...slip, at: new Date(slip.at), today: page.today,
        desk: session.desk }, page.slip))
        remark(t("desk.slip.off"));
    else if (performance.now() - began > DIALOG_MS)
        remark(t("desk.slip.dialog"));
    remember();
}

async function printNow() {
    if (box?.user)
        takeSlip(box.user);
    if (!slip || !page) {
        remark(t("desk.slip.none"));
        return;
    }
    const until = Date.now() + (is.status?.peers.online > 0 ? COPIES_MS : 0);
    while (Date.now() < until && slip.rows.some((r) => r.copies < 2 && r.state === "saved")) {
        await new Promise((r) => setTimeout(r, 100));
        await refresh();
    }
    print();
    draw();
}

// ---- saying ----

function errorWords(e) {
    const own = `error.${e.code}.${e.field}`;

    return has(own) ? t(own) : sentence(e);
}

function noteWords(note) {
    const key = "desk.note." + note.code;
    const seconds = Math.max(0, Math.round((Date.now() - Date.parse(note.at)) / 1000));

    return has(key) ? t(key, { desk: note.desk, ago: seconds < 60 ? t("desk.note.now")
        : seconds < 3600 ? t("ago.minutes", { n: Math.round(seconds / 60) })
            : t("ago.hours", { n: Math.round(seconds / 3600) }) }) : note.message;
}

// Nothing that was refused vanishes: it stands under the box until the next user, and in the list.
function refuse(words, how, raw) {
    tone(how);
    say(byId("refusal-text"), words);
    byId("refusal").hidden = false;
    assertive(words);
    if (raw && !raw.startsWith("*"))
        rows.add({ key: newKey(), raw: raw.trim(), state: "refused", op: "refused", why: words,
            practice: drill.on });
}

function remark(words) {
    say(byId("remark-text"), words);
    byId("remark").hidden = words === "";
    if (words)
        polite(words);
}

let politeNext = null;
let politeTimer = null;

// At most one sentence in two seconds is read out, the newest.
function polite(words) {
    politeNext = words;
    if (politeTimer !== null)
        return;
    const tell = () => {
        if (politeNext === null) {
            politeTimer = null;
            return;
        }
        byId("polite").textContent = politeNext;
        politeNext = null;
        politeTimer = setTimeout(tell, POLITE_MS);
    };
    tell();
}

function assertive(words) {
    byId("assertive").textContent = words;
}

// ---- keys and buttons ----

const MODES = { F2: "checkout", F3: "discharge", F4: "renew", F6: "user", F7: "inhouse" };
const CODES = { checkout: "*CHECKOUT", discharge: "*DISCHARGE", renew: "*RENEW", user: "*NEWUSER",
    inhouse: "*INHOUSE" };

const DOES = {
    slip: printNow,
    undo() {
        if (Date.now() - undone > UNDO_MS) {
            undone = Date.now();
            command("*UNDO");
        }
    },
    help: () => byId("help").showModal(),
    next: () => command("*NEXT"),
    session: () => settings && sessionPanel.open(settings),
    paper: () => page && paper.open(page.today),
    paperend: () => paper.end("end"),
    async hold() {
        try {
            remark(await printHoldList(session.branch) ? "" : t("hold.none"));
        } catch (e) {
            passing(e);
            refuse(sentence(e), "stop");
        }
    },
};

// A dialog has the keys.
function isAsking() {
    return form.isOpen || sessionPanel.isOpen || piecesPanel.isOpen || paper.isOpen || byId("help").open;
}

function key(name) {
    unlock();
    if (!active || isAsking())
        return false;
    if (question.isOpen) {
        if (name === "F10")
            question.yes();
        else if (name === "F9" || name === "Escape")
            question.no();
        else if (name === "F1")
            DOES.help();
        return true;
    }
    if (MODES[name])
        command(CODES[MODES[name]]);
    else if (name === "F8")
        DOES.slip();
    else if (name === "F9")
        DOES.undo();
    else if (name === "F1")
        DOES.help();
    else if (name === "Escape")
        DOES.next();
    else
        return false;
    return true;
}

const scanBox = new ScanBox(byId("box"), {
    scan,
    key,
    isBusy: () => !active || isAsking(),
    typed: (text) => say(byId("shown"), /^[0-9 ]{5,}$/.test(text) ? groups(text.replaceAll(" ", "")) : ""),
});

function wire() {
    for (const b of document.querySelectorAll("button[data-mode]"))
        b.addEventListener("click", () => command(CODES[b.dataset.mode]));
    for (const b of document.querySelectorAll("[data-do]"))
        if (DOES[b.dataset.do])
            b.addEventListener("click", () => DOES[b.dataset.do]());
    byId("sound").addEventListener("click", () => {
        sound.on = !sound.on;
        drawSound();
        tone("saved");
    });
    byId("larger").addEventListener("click", () => {
        const size = (Number(document.documentElement.dataset.size ?? 0) + 1) % 3;
        document.documentElement.dataset.size = size;
        localStorage.setItem("tideover-size", size);
    });
    document.documentElement.dataset.size = localStorage.getItem("tideover-size") ?? 0;
    addEventListener("pointerdown", unlock);
    byId("help").addEventListener("close", () => scanBox.focus());
    drawHelp(byId("help"), () => printSheet({ branch: session.branch,
        presets: settings?.presets ?? [], kinds: page?.kinds ?? [] }));
    drill.draw();
}

function drawSound() {
    byId("sound").setAttribute("aria-pressed", String(sound.on));
    say(byId("sound"), t(sound.on ? "desk.sound.on" : "desk.sound.off"));
}

// ---- veil: the keys go somewhere else ----

let away = false;

function drawVeil() {
    const why = !active ? "tab" : away ? "blur" : !sound.ready ? "start" : null;
    const button = byId("veil-do");

    byId("box").disabled = !active;
    byId("veil").hidden = why === null;
    byId("veil").dataset.why = why ?? "";
    say(byId("veil-text"), why ? t("desk.veil." + why) : "");
    button.hidden = why !== "tab";
    say(button, t("desk.veil.take"));
    document.title = why === "blur" ? t("desk.veil.title") : `${session.desk} – ${t("page.desk")}`;
}

function watchFocus() {
    addEventListener("blur", () => {
        away = true;
        drawVeil();
    });
    addEventListener("focus", () => {
        away = false;
        drawVeil();
        scanBox.focus();
    });
    byId("veil").addEventListener("click", () => {
        unlock();
        away = false;
        drawVeil();
    });
    addEventListener("keydown", () => {
        unlock();
        drawVeil();
    });
    const take = oneTab(async (yes) => {
        active = yes;
        if (!yes)
            paper.stop();
        drawVeil();
        if (yes && keep)
            await restore(); // the other tab's user and what waits there go on here
        scanBox.focus();
    });
    byId("veil-do").addEventListener("click", take);
}

// ---- showing ----

function asks() {
    if (!box || box.mode === "checkout")
        return box?.user ? "item" : "card";
    return box.mode;
}

function draw() {
    const mode = box?.mode ?? "checkout";
    const mine = box?.user ? rows.all.filter((r) => r.visit === visit && r.id && r.state !== "voided") : [];

    is.practice = drill.on;
    is.waiting = queue.jobs.filter((j) => j.kind !== "paper" && !j.scan?.startsWith("*")).length;
    for (const b of document.querySelectorAll("button[data-mode]"))
        b.setAttribute("aria-pressed", String(b.dataset.mode === mode));
    document.body.dataset.now = mode;
    say(byId("ask"), t("desk.ask." + asks()));
    say(byId("user"), box?.user ? groups(box.user) : t("desk.user.none"));
    byId("next").hidden = !box?.user;
    byId("due-row").hidden = mode !== "checkout" && mode !== "renew";
    byId("paper").hidden = drill.on || paper.at !== null || Boolean(box?.user);
    byId("hold-row").hidden = mode !== "discharge" || page?.discharges !== "hold" || drill.on;
    say(byId("log-title"), box?.user ? t("desk.log.user", { n: mine.length }) : t("desk.log.all"));
    rows.draw(box?.user ? visit : undefined);
    question.draw(is.waiting);
    drawBanner(is);
    if (drawStop(is.stopped, is.waiting))
        tone("stop");
    if (settings && page)
        drawDueOnce();
    drawPieces();
    drawConcerns();
    drawFoot();
}

let dueDrawn = "";

// Drawn anew only when it is another one: a date box that is being filled in stays.
function drawDueOnce() {
    const looks = JSON.stringify([settings.due, settings.presets, page.today]);

    if (looks === dueDrawn)
        return;
    dueDrawn = looks;
    drawDue(settings, page.today, (job) => {
        add(job.scan ? { kind: "scan", scan: job.scan } : { kind: "due", due: job.due });
        scanBox.focus();
    });
}

// What has no barcode is lent by a button of its kind, one for each press.
function drawPieces() {
    const bar = byId("pieces"), kinds = page?.kinds ?? [];

    bar.hidden = kinds.length === 0 || !box?.user || box.mode !== "checkout";
    if (bar.dataset.of === kinds.join())
        return;
    bar.dataset.of = kinds.join();
    put(bar, el("span", { class: "quiet" }, t("desk.pieces")), kinds.map((kind) =>
        el("button", { onclick: () => command("*PIECE" + kind.toUpperCase()) }, kind)),
    el("button", { class: "plain", onclick: () => command("*PIECES") }, t("desk.pieces.more")));
}

// What is wrong with this PC and concerns whoever scans here: before the first scan, and while it lasts.
const CONCERNS = ["clock_off", "block_list_old", "keyboard_layout"];

function drawConcerns() {
    const all = (is.status?.problems ?? []).filter((p) => CONCERNS.includes(p.code) && !p.desk)
        .map((p) => worded("problem", p)).map((words) => words[0].toUpperCase() + words.slice(1));
    const box = byId("concerns");

    if (box.dataset.of === all.join())
        return;
    box.dataset.of = all.join();
    box.hidden = all.length === 0;
    put(box, all.map((words) => el("p", {}, words)));
}

function drawFoot() {
    const list = is.status?.block_list;

    if (page)
        say(byId("today"), t("desk.today", page.counts));
    say(byId("last-slip"), slip?.printed ? t("desk.slip.last", { time: time(slip.at) }) : "");
    if (settings)
        say(byId("staff"), byId("staff").title = t("desk.staff", { name: settings.staff || "–" }));
    if (settings && !settings.block_list)
        say(byId("lists"), t("desk.list.off"));
    else if (is.status)
        say(byId("lists"), !list ? t("desk.list.none")
            : list.age_days > 0 ? t("desk.list.age", { n: number(list.age_days) }) : t("desk.list.today"));
}

function drawClock() {
    say(byId("clock"), time(Date.now()));
    paper.tick();
    drawBanner(is);
}

// ---- news ----

let refreshing = null;

async function load() {
    const before = page?.today;

    page = await api("GET", "desk?rows=30");
    rows.learn(page.rows);
    if (before !== undefined && before !== page.today) {
        await loadSettings();
        remark(t("desk.due.forgotten"));
    }
    draw();
}

// What only shows something may fail: the next news bring it. A mistake of this page does not hide.
function passing(e) {
    if (!(e instanceof Refused))
        throw e;
    return null;
}

// Many answers in a row are one look.
function refresh() {
    refreshing ??= new Promise((r) => setTimeout(r, 150)).then(load).catch(passing)
        .finally(() => { refreshing = null; });
    return refreshing;
}

async function loadSettings() {
    settings = await api("GET", "session-settings").catch(passing) ?? settings;
    draw();
}

// Why no answer came to what staff did; null: one came.
function failing(e) {
    if (e?.code === "too_fast")
        return;
    show(e !== null && e.code !== "not_saving", e?.code === "not_saving" ? is.stopped ?? "" : null);
}

function show(gone, stopped) {
    if (gone === is.gone && stopped === is.stopped)
        return;
    if (gone && !is.gone)
        tone("stop");
    is.gone = gone;
    is.stopped = stopped;
    draw();
}

async function news({ status, gone }) {
    if (gone) {
        show(true, is.stopped);
        return;
    }
    is.status = status;
    show(false, status.problems.find((p) => p.code === "not_saving")?.message ?? null);
    queue.kick();
    await drill.learn(status.practice);
    is.upload = await api("GET", "upload/status").catch(passing);
    await load().catch(passing);
}

// At midnight of the branch the due date is as usual again: it is asked for a second later.
function awaitMidnight() {
    const wait = Math.min((page?.day_ends_s ?? 3600) + 1, 3600);

    setTimeout(() => load().catch(passing).finally(awaitMidnight), wait * 1000);
}

// ---- a reload, or a crash of the browser, loses nothing ----

const AGE_MS = 600000; // an open user of yesterday would get today's loans

function remember() {
    if (!began || !active)
        return;
    const jobs = queue.jobs;
    const idle = jobs.length === 0 && !box?.user && !form.draft && !piecesPanel.draft && !slip && !paper.at &&
        (box?.mode ?? "checkout") === "checkout";
    keep.save(idle ? null : { at: Date.now(), box, jobs, visit, slip, rows: rows.all, asks: question.now, paper: paper.at,
        draft: form.draft, open: form.isOpen, pieces: piecesPanel.draft, piecesOpen: piecesPanel.isOpen });
}

// What waits is sent whenever the page is opened again, for the user for whom it was scanned; whatever
// else was on the screen only for a while: then that user is closed once it is sent.
async function restore() {
    const kept = await keep.load();
    const isOld = Math.abs(Date.now() - kept?.at) >= AGE_MS;
    const was = kept && !(isOld && kept.jobs.length === 0) ? kept
        : { box: null, jobs: [], visit, slip: null, rows: [], draft: null, pieces: null };
    if (isOld && was === kept)
        Object.assign(was, { slip: null, draft: null, open: false, pieces: null, piecesOpen: false,
            jobs: [...was.jobs, { kind: "scan", scan: "*NEXT", key: newKey() }] });

    if (was.paper)
        Object.assign(was, { open: false, piecesOpen: false, jobs: [...was.jobs, paper.over("reload")] });

    // Before this page began somebody may have scanned already; after that it is what another tab left.
    const early = began ? { jobs: [], rows: [] } : { jobs: queue.jobs, rows: rows.all.filter((r) => !r.id) };

    ({ box, visit, slip } = was);
    rows.all = [...early.rows, ...was.rows];
    form.draft = was.draft;
    piecesPanel.draft = was.pieces;
    question.close();
    if (was.asks)
        question.open(was.asks);
    began = true;
    queue.restore([...was.jobs, ...early.jobs]);
    if (was.open && was.draft)
        form.open(was.draft.user, page.user_types, page.today);
    if (was.piecesOpen && was.pieces)
        piecesPanel.open(was.pieces.user, page.kinds);
    if (was.jobs.length > 0 || box?.user)
        remark(t("desk.said.restored"));
    rows.learn(page.rows);
    draw();
}

// ---- begin ----

say(byId("desk-name"), `${session.branch} · ${session.desk}`);
wire();
watchFocus();
drawVeil();
for (;;) {
    try {
        await load();
        break;
    } catch (e) {
        passing(e);
        await new Promise((r) => setTimeout(r, 500));
    }
}
sound.on = page.sounds;
drawSound();
await loadSettings();
keep = await Keep.open(page.page_key, (kept) => {
    document.documentElement.dataset.kept = kept?.jobs.length ?? "";
});
if (active)
    await restore();
draw();
drawClock();
setInterval(drawClock, 10000);
awaitMidnight();
scanBox.focus();
document.documentElement.dataset.ready = "yes";
follow(news);
