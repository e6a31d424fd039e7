// The WebSocket, which opens itself again whenever it is lost.

const FIRST_DELAY = 400; // milliseconds
const LONGEST_DELAY = 15_000; // milliseconds

// Close codes after which it stays closed: this page's own, and the server's for "opened in another window".
const FINAL = new Set([1000, 4001]);

export class Connection {
  #address;
  #subprotocol;
  #listener;
  #socket = null;
  #timer = 0;
  #attempts = 0;

  /** The listener has opened(), received(message), and lost(code, willRetry). */
  constructor(address, subprotocol, listener) {
    this.#address = address;
    this.#subprotocol = subprotocol;
    this.#listener = listener;
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
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
    socket.addEventListener("message", ifCurrent((event) => this.#listener.received(JSON.parse(event.data))));
    socket.addEventListener("close", ifCurrent((event) => this.#lose(event.code)));
  }

  send(message) {
    if (this.isOpen) this.#socket.send(JSON.stringify(message));
    return this.isOpen;
  }

  /** Close it for good, until open(). */
  close() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  /** The server knows us: the next time that it is lost, the first attempt comes soon. */
  settle() {
    this.#attempts = 0;
  }

  /** Give up a socket that seems dead, and open another. */
  restart() {
    this.open();
    this.#listener.lost(1006, true);
  }

  retryNow() {
    if (this.#timer !== 0) this.open();
  }

  #lose(code) {
    const willRetry = !FINAL.has(code);
    this.#timer = willRetry ? setTimeout(() => this.open(), this.#delay()) : 0;
    this.#listener.lost(code, willRetry);
  }

  // Twice as long each time, and not the same for all, so that a thousand pages don't come back in one instant.
  #delay() {
    const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempts);
    this.#attempts += 1;
    return delay * (0.75 + Math.random() / 2);
  }
}
