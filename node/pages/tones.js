// tones.js - four tones, learned in a minute, each with a flash for whoever cannot hear it.
//   saved one high · user two rising · warning two low · stop three low

const TONES = { // [Hz, ms] one behind the other
    saved: [[1760, 80]],
    user: [[880, 80], [1320, 120]],
    warning: [[440, 140], [330, 220]],
    stop: [[300, 160], [300, 160], [220, 300]],
};
const GAP_MS = 40;
const VOLUME = 0.12; // a square wave is loud
const FLASH_MS = 350; // fewer than three in a second, however fast scans come

let audio = null;
let flashed = 0;

export const sound = {
    on: true,
    ready: false, // a browser lets a page sound after a first key or click only
};

// Call it from a key or a click.
export function unlock() {
    if (sound.ready)
        return;
    audio ??= "AudioContext" in window ? new AudioContext() : null;
    audio?.resume();
    sound.ready = true;
}

function sing(notes) {
    let at = audio.currentTime + 0.005;

    for (const [hz, ms] of notes) {
        const wave = audio.createOscillator();
        const loud = audio.createGain();
        wave.type = "square";
        wave.frequency.value = hz;
        loud.gain.value = VOLUME;
        wave.connect(loud).connect(audio.destination);
        wave.start(at);
        wave.stop(at + ms / 1000);
        at += (ms + GAP_MS) / 1000;
    }
}

export function tone(name) {
    const flash = document.getElementById("flash");
    const now = performance.now();

    document.documentElement.dataset.tone = name; // the last one, for tests and for style
    if (sound.on && sound.ready && audio)
        sing(TONES[name]);
    if (now - flashed < FLASH_MS && flash.className === `flash ${name}`)
        return;
    flashed = now;
    flash.className = `flash ${name}`;
    setTimeout(() => {
        if (performance.now() - flashed >= FLASH_MS - 20)
            flash.className = "flash";
    }, FLASH_MS);
}
