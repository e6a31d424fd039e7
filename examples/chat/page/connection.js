// The WebSocket, which opens itself again whenever it is lost, and finds out when it is.
//
// A network can fall silent without a word: a proxy forgets, a laptop sleeps, a phone walks out of reach. So the server
// is asked for a sign of life when nothing was heard for a while, and at once when there is a reason to doubt.

const FIRST_DELAY = 400; // milliseconds
const LONGEST_DELAY = 15_000; // milliseconds
const QUIET = 15_000; // milliseconds without a word
const PATIENCE = 5_000; // milliseconds for a sign of life, or for a connection
const HASTE = 2_500; // milliseconds for a sign of life when there is a reason to doubt
const TICK = 4_000; // milliseconds; a tick that comes much later was slept through

// Close codes after which it stays closed: this page's own, and the server's for who is sent away.
const FINAL = new Set([1000, 4003]);
const GIVEN_UP = 4002; // tells the server, should it hear it, that we did not mean to go

export class Connection {
  #address;
  #subprotocol;
  #listener;
  #socket = null;
  #retryTimer = 0;
  #doubtTimer = 0;
  #attempts = 0;
  #ticked = Date.now();

  /** The listener has opened(), received(message), and lost(code, willRetry). */
  constructor(address, subprotocol, listener) {
    this.#address = address;
    this.#subprotocol = subprotocol;
    this.#listener = listener;
    addEventListener("online", () => this.#doubt());
    addEventListener("offline", () => { if (this.#socket) this.#giveUp(); });
    addEventListener("pageshow", (event) => { if (event.persisted) this.#doubt(); });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.#doubt(); });
    setInterval(() => this.#tick(), TICK);
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  open() {
    this.close();
    const socket = new WebSocket(this.#address, this.#subprotocol);
    this.#socket = socket;
    // A socket that was given up for another has nothing to say any more.
    const ifCurrent = (action) => (event) => { if (socket === this.#socket) action(event); };
    socket.addEventListener("open", ifCurrent(() => this.#listener.opened()));
    socket.addEventListener("message", ifCurrent((event) => this.#hear(event.data)));
    socket.addEventListener("close", ifCurrent((event) => this.#lose(event.code)));
    this.#doubtTimer = setTimeout(() => this.#giveUp(), 2 * PATIENCE);
  }

  send(message) {
    if (this.isOpen) this.#socket.send(JSON.stringify(message));
    return this.isOpen;
  }

  /** Close it for good, until open(). */
  close(code = 1000) {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#doubtTimer);
    this.#retryTimer = 0;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(code);
  }

  /** The server knows us: the next time that it is lost, the first attempt comes soon. */
  settle() {
    this.#attempts = 0;
  }

  /** Give up a socket that seems dead, and open another. */
  restart() {
    this.close(GIVEN_UP);
    this.#listener.lost(1006, true);
    this.open();
  }

  #hear(data) {
    clearTimeout(this.#doubtTimer);
    this.#doubtTimer = setTimeout(() => this.#ask(PATIENCE), QUIET);
    this.#listener.received(JSON.parse(data));
  }

  #ask(patience) {
    this.send({ type: "beat" });
    clearTimeout(this.#doubtTimer);
    this.#doubtTimer = setTimeout(() => this.restart(), patience);
  }

  #doubt() {
    if (this.isOpen) this.#ask(HASTE);
    else if (this.#retryTimer !== 0) this.open();
  }

  #tick() {
    const slept = Date.now() - this.#ticked;
    this.#ticked = Date.now();
    if (slept > 3 * TICK) this.#doubt();
  }

  #giveUp() {
    this.close(GIVEN_UP);
    this.#lose(1006);
  }

  #lose(code) {
    const willRetry = !FINAL.has(code);
    clearTimeout(this.#doubtTimer);
    this.#retryTimer = willRetry ? setTimeout(() => this.open(), this.#delay()) : 0;
    this.#listener.lost(code, willRetry);
  }

  // Twice as long each time, and not the same for all, so that a thousand pages don't come back in one instant.
  #delay() {
    const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempts);
    this.#attempts += 1;
    return delay * (0.75 + Math.random() / 2);
  }
}
