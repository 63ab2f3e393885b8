// queue.js - what staff did, one job after the other, in order, each with a key of its own.
//
// A job leaves the queue when the node has answered it, and only then: an answer means that it is
// on the disk, or was refused. No answer: the same job goes again with the same key, and the node
// records it once. While a question is open nothing goes but its answer.

import { Refused } from "./door.js";

const WAIT_MS = 250;
const WAIT_MOST_MS = 2000;

export function newKey() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)),
        (b) => b.toString(16).padStart(2, "0")).join("");
}

// May the same job have another answer later? A refusal by the rules may not. exit: as the command
// line's: 69 nobody there, 70 bug, 71 no memory, 74 disk, 75 later.
function isPassing(e) {
    return e.code === "gone" || [69, 70, 71, 74, 75].includes(e.answer?.error?.exit);
}

export class Queue {
    #jobs = [];
    #running = false;
    #wake = null;
    #does;

    // does: async perform(job), settled(job, answer), refused(job, error), failing(error | null),
    // isOpen(job): may this one go now; changed(): the queue is another one.
    constructor(does) {
        this.#does = does;
    }

    get jobs() {
        return this.#jobs;
    }

    restore(jobs) {
        this.#jobs = jobs;
        this.#run();
    }

    add(job, first = false) {
        if (first)
            this.#jobs.unshift(job);
        else
            this.#jobs.push(job);
        this.#does.changed();
        this.#run();
    }

    // The node is back, or a question was answered: do not wait any longer.
    kick() {
        this.#wake?.();
        this.#run();
    }

    async #run() {
        let wait = WAIT_MS;

        if (this.#running)
            return;
        this.#running = true;
        while (this.#jobs.length > 0 && this.#does.isOpen(this.#jobs[0])) {
            const job = this.#jobs[0];
            try {
                const answer = await this.#does.perform(job);
                wait = WAIT_MS;
                this.#does.failing(null);
                this.#drop(job);
                this.#does.settled(job, answer);
            } catch (e) {
                if (!(e instanceof Refused))
                    throw e; // a mistake of this page
                if (isPassing(e)) {
                    this.#does.failing(e);
                    await this.#pause(e.code === "too_fast" ? 100 : wait);
                    wait = Math.min(2 * wait, WAIT_MOST_MS);
                    continue;
                }
                this.#does.failing(null);
                this.#drop(job);
                this.#does.refused(job, e);
            }
            this.#does.changed();
        }
        this.#running = false;
    }

    #drop(job) {
        this.#jobs = this.#jobs.filter((j) => j !== job); // another tab may have taken it over
    }

    #pause(ms) {
        return new Promise((done) => {
            const timer = setTimeout(done, ms);
            this.#wake = () => {
                clearTimeout(timer);
                done();
            };
        });
    }
}
