// The log: what was said, in the order of the messages' numbers, each message once, and who came and went.

import { draw, paint } from "./avatars.js";
import { bdi, element } from "./elements.js";
import { withLinks } from "./links.js";
import { dayName, isSameDay, tell } from "./times.js";

const MAX_ENTRIES = 1_000;
const MAX_HAPPENINGS = 6; // in one line
const AT_THE_END = 64; // pixels: whoever is this near to the end wants to stay there
const GROUPED = 5 * 60 * 1000; // milliseconds: what one person says within them stands together
const LONG_TEXT = 1_500; // characters, and
const LONG_LINES = 18; // lines: what is longer is shown in part
const ONLY_EMOJI = /^(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}|\p{Emoji_Component}|\s){1,12}$/u;

export class Log {
  #list = element("log");
  #scroller = element("scroller");
  #empty = element("empty");
  #facts = new WeakMap(); // of each <li>: { order, time, author }
  #byId = new Map(); // the entries that are stored
  #pending = new Map(); // the own entries that are not, by the ids they have here
  #onUnread;
  #lastId = 0;

  /** onUnread() is called when something comes that the reader can't see. */
  constructor(onUnread) {
    this.#onUnread = onUnread;
    // The keyboard of a phone, or a field that grows, must not push the last message out of sight.
    let wasAtEnd = true;
    this.#scroller.addEventListener("scroll", () => { wasAtEnd = this.isAtEnd; }, { passive: true });
    new ResizeObserver(() => { if (wasAtEnd) this.scrollToEnd(); }).observe(this.#scroller);
  }

  /** The number of the newest message that is here. */
  get lastId() {
    return this.#lastId;
  }

  get isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < AT_THE_END;
  }

  scrollToEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** Show what was said before, or while the connection was lost; nobody wants all of it read out. */
  async catchUp(messages, more) {
    this.#list.ariaBusy = "true";
    if (more) this.event(this.#lastId === 0 ? "Only the newest messages are shown" : "More was said while you were away");
    for (const message of messages) this.message(message);
    this.#showEmptiness();
    await new Promise(requestAnimationFrame);
    this.#list.ariaBusy = "false";
  }

  /** Show a message that is stored. One that is here already is left as it is. */
  message(message) {
    const { id, own } = message;
    if (this.#byId.has(id)) return;
    const waiting = this.#pending.get(own);
    const entry = waiting ?? this.#makeEntry(message, own !== undefined);
    if (waiting) this.#confirm(entry, message);
    this.#byId.set(id, entry);
    this.#lastId = Math.max(this.#lastId, id);
    this.#place(entry, { order: id, time: message.time, author: authorOf(message.name, own !== undefined) });
    if (own === undefined) this.#notice();
  }

  /** Show a message of one's own that is not stored yet. */
  pending({ id, text, time }, name) {
    const entry = this.#makeEntry({ name, text, time }, true);
    entry.dataset.delivery = "pending";
    this.#pending.set(id, entry);
    this.#place(entry, { order: Infinity, time, author: authorOf(name, true) });
    this.scrollToEnd();
  }

  /** Tell how it stands with a message of one's own. */
  delivery(id, state, text) {
    const entry = this.#pending.get(id);
    if (!entry) return;
    entry.dataset.delivery = state;
    const line = entry.querySelector(".delivery");
    line.textContent = text;
    line.hidden = false;
    if (state === "refused") this.#pending.delete(id);
  }

  /** Tell what happened, to somebody whose name it is if there is one. */
  event(happened, name = "") {
    const follow = this.isAtEnd;
    const last = this.#lastPlaced();
    const line = last?.matches(".event") ? last : this.#makeEvent();
    const part = document.createElement("span");
    part.append(...(name === "" ? [] : [bdi(name), " "]), happened);
    // One line for all who come and go between two messages; where it grows long, for the newest of them.
    line.append(...(line.childElementCount > 0 ? [" · "] : []), part);
    while (line.childElementCount > MAX_HAPPENINGS) line.replaceChildren(...[...line.childNodes].slice(2));
    if (follow) this.scrollToEnd();
  }

  #makeEvent() {
    const line = document.createElement("li");
    line.className = "event";
    this.#place(line, { order: this.#lastId, time: Date.now(), author: "" });
    return line;
  }

  #makeEntry({ name, text, time }, isOwn) {
    const entry = element("entry").content.firstElementChild.cloneNode(true);
    const part = (selector) => entry.querySelector(selector);
    entry.classList.toggle("own", isOwn);
    part(".name").textContent = isOwn ? "You" : name;
    paint(part(".name"), name);
    draw(part(".avatar"), name);
    tell(part("time"), time);
    part(".text").append(withLinks(text));
    part(".text").classList.toggle("emoji", ONLY_EMOJI.test(text) && !/^[\d\s#*]+$/u.test(text));
    if (isLong(text)) this.#shorten(entry, text.length);
    return entry;
  }

  #shorten(entry, length) {
    const button = entry.querySelector(".whole");
    const say = (isShort) => {
      entry.classList.toggle("short", isShort);
      button.ariaExpanded = String(!isShort);
      button.textContent = isShort ? `Show all ${length.toLocaleString()} characters` : "Show less";
    };
    button.hidden = false;
    button.addEventListener("click", () => say(!entry.classList.contains("short")));
    say(true);
  }

  #confirm(entry, { own, time }) {
    this.#pending.delete(own);
    delete entry.dataset.delivery;
    entry.querySelector(".delivery").hidden = true;
    tell(entry.querySelector("time"), time);
  }

  #place(item, facts) {
    const follow = this.isAtEnd;
    this.#facts.set(item, facts);
    const before = this.#lastPlaced(facts.order, item);
    const next = before ? before.nextElementSibling : this.#list.firstElementChild;
    if (next !== item) this.#list.insertBefore(item, next);
    this.#tidy(item);
    this.#tidy(nextEntry(item));
    this.#showEmptiness();
    if (follow) {
      this.#forgetOldest();
      this.scrollToEnd();
    }
  }

  // The last one whose order is not above: new ones come at the end, but before those that wait for their number.
  #lastPlaced(order = this.#lastId, except = null) {
    let item = this.#list.lastElementChild;
    while (item && (item === except || this.#facts.get(item).order > order)) item = item.previousElementSibling;
    return item;
  }

  #tidy(entry) {
    if (!entry?.matches(".entry")) return;
    const facts = this.#facts.get(entry);
    const before = this.#facts.get(previousEntry(entry));
    const isNewDay = !before || !isSameDay(before.time, facts.time);
    const day = entry.querySelector(".day");
    day.hidden = !isNewDay;
    day.textContent = isNewDay ? dayName(facts.time) : "";
    const isNext = entry.previousElementSibling === previousEntry(entry);
    const goesOn = isNext && !isNewDay && before.author === facts.author && facts.time - before.time < GROUPED;
    entry.classList.toggle("goes-on", goesOn);
  }

  #notice() {
    if (document.hidden || !this.isAtEnd) this.#onUnread();
  }

  #showEmptiness() {
    this.#empty.hidden = this.#list.querySelector(".entry") !== null;
  }

  #forgetOldest() {
    while (this.#list.childElementCount > MAX_ENTRIES) {
      const oldest = this.#list.firstElementChild;
      oldest.remove();
      this.#tidy(this.#list.firstElementChild);
    }
  }
}

function authorOf(name, isOwn) {
  return isOwn ? "own" : `other ${name}`;
}

function isLong(text) {
  return text.length > LONG_TEXT || text.split("\n", LONG_LINES + 1).length > LONG_LINES;
}

function previousEntry(item) {
  let entry = item.previousElementSibling;
  while (entry && !entry.matches(".entry")) entry = entry.previousElementSibling;
  return entry;
}

function nextEntry(item) {
  let entry = item.nextElementSibling;
  while (entry && !entry.matches(".entry")) entry = entry.nextElementSibling;
  return entry;
}
