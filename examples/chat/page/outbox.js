// What is to be sent, until the server has acknowledged it. It outlives lost connections and reloads of the page.
//
// One message is on its way at a time, so that they arrive in their order. Each has an id of its own: should its
// acknowledgement be lost, it is sent again, and the server, which knows the id, stores it once.

import { tab } from "./storage.js";

const PATIENCE = 15_000; // milliseconds for an acknowledgement, then the connection is taken for dead

export class Outbox {
  #key;
  #send;
  #giveUp;
  #waiting;
  #isRunning = false;
  #timer = 0;

  /** send(entry) puts one on its way; giveUp() is called if no acknowledgement comes. */
  constructor(room, send, giveUp) {
    this.#key = `outbox.${room}`;
    this.#send = send;
    this.#giveUp = giveUp;
    this.#waiting = tab.get(this.#key) ?? [];
  }

  get entries() {
    return [...this.#waiting];
  }

  add(text) {
    const entry = { id: randomId(), text, time: Date.now() };
    this.#keep([...this.#waiting, entry]);
    if (this.#waiting.length === 1) this.#sendFirst();
    return entry;
  }

  /** The connection is there: what waits may go. */
  start() {
    this.#isRunning = true;
    this.#sendFirst();
  }

  /** The connection is lost: what is not acknowledged waits. */
  stop() {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  /** An entry is acknowledged, or will never be: the next one may go. */
  remove(id) {
    const wasFirst = this.#waiting[0]?.id === id;
    this.#keep(this.#waiting.filter((entry) => entry.id !== id));
    if (wasFirst) this.#sendFirst();
  }

  /** The server asks to send the first one again, after some seconds. */
  postpone(seconds) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#sendFirst(), seconds * 1000);
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

/** 32 hexadecimal digits. crypto.randomUUID is not there on pages that come without TLS. */
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
