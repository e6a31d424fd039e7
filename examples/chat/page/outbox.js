// What is to be sent to a room, until it has come back as everybody's. It outlives lost connections and reloads.
//
// One message is on its way at a time, so that they arrive in their order. Each has a key of its own: should it be lost
// on the way back, it is sent again, and the server, which knows the key, keeps it once.

import { randomId } from "./identity.js";
import { tab } from "./storage.js";

const DOUBT = 10_000; // milliseconds after a message came back, in which it may be lost still, with the process it was in
const PATIENCE = 15_000; // milliseconds for a message to come back, then the connection is taken for dead

export class Outbox {
  #key;
  #send;
  #giveUp;
  #waiting;
  #done = []; // what came back, and when: where several processes are one chat, each tells first and keeps then
  #isRunning = false;
  #timer = 0;

  /** send(entry) puts one on its way; giveUp() is called if it does not come back. */
  constructor(room, send, giveUp) {
    this.#key = `outbox.${room}`;
    this.#send = send;
    this.#giveUp = giveUp;
    this.#waiting = tab.get(this.#key) ?? [];
  }

  get entries() {
    return [...this.#waiting];
  }

  add(text, image) {
    const entry = { key: randomId(), text, image, time: Date.now() };
    this.#keep([...this.#waiting, entry]);
    if (this.#waiting.length === 1) this.#sendFirst();
    return entry;
  }

  /** The room is there: what waits may go. */
  start() {
    this.#isRunning = true;
    this.#sendFirst();
  }

  /** The connection is lost: what has not come back waits. */
  stop() {
    if (this.#isRunning) this.#keep([...this.#recent(), ...this.#waiting]);
    this.#done = [];
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  /** An entry has come back, or never will: the next one may go. */
  remove(key, mayBeLost = false) {
    const wasFirst = this.#waiting[0]?.key === key;
    const entry = this.#waiting.find((waiting) => waiting.key === key);
    if (!entry) return;
    if (mayBeLost) this.#done = [...this.#recent(), { ...entry, came: Date.now() }];
    this.#keep(this.#waiting.filter((entry) => entry.key !== key));
    if (wasFirst) this.#sendFirst();
  }

  /** The server asks to send the first one again, after some seconds. */
  postpone(seconds) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#sendFirst(), seconds * 1000);
  }

  #recent() {
    return this.#done.filter(({ came }) => Date.now() - came < DOUBT).slice(-5);
  }

  #sendFirst() {
    clearTimeout(this.#timer);
    if (!this.#isRunning || this.#waiting.length === 0) return;
    this.#send(this.#waiting[0]);
    this.#timer = setTimeout(this.#giveUp, PATIENCE);
  }

  #keep(waiting) {
    this.#waiting = waiting;
    tab.set(this.#key, waiting);
  }
}
