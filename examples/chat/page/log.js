// The log of one room: what was said, each message once, and who came and went. The newest is at the end.

import { bdi, element, make } from "./elements.js";
import { makeEntry, showDelivery, update } from "./entry.js";
import { dayName, isSameDay } from "./times.js";

const MAX_ENTRIES = 1_000;
const MAX_HAPPENINGS = 6; // in one line
const GROUPED = 5 * 60 * 1000; // milliseconds: what one person says within them stands together

export class Log {
  list = make("ol", "");
  /** Whether there are older messages than those that are here. */
  more = false;
  #messages = new WeakMap(); // of each <li>: the message, or { time } for what happened
  #stored = new Map(); // the entries that are stored, by who said them and their keys
  #pending = new Map(); // the own entries that are not, by their keys
  #act;
  #isOwn;
  #isToMe;

  /** isOwn(message) and isToMe(message) tell whose it is; act(action, message) is called for what is done with it. */
  constructor(isOwn, isToMe, act) {
    this.#isOwn = isOwn;
    this.#isToMe = isToMe;
    this.#act = act;
  }

  get isEmpty() {
    return this.#stored.size === 0 && this.#pending.size === 0;
  }

  get oldestId() {
    return this.#messages.get(this.#stored.values().next().value)?.id ?? 0;
  }

  /** One's own message that was said last, or last before another one. */
  ownBefore(id = Infinity) {
    const own = [...this.#stored.values()].map((entry) => this.#messages.get(entry)).filter(this.#isOwn);
    return own.findLast((message) => message.id < id);
  }

  /** Show what was said: in place of all that is here, or what it goes on with. */
  catchUp(messages, goesOn) {
    if (!goesOn) this.#clear();
    for (const message of messages) {
      const isOlder = message.state === "edited" && message.id < this.oldestId;
      if (message.state === "deleted" || (this.#stored.has(nameOf(message)) && message.state)) this.changed(message);
      else if (!isOlder) this.add(message);
    }
  }

  /** Show what was said before all that is here. */
  prepend(messages) {
    const known = new Map(this.#stored);
    this.#stored.clear();
    const first = this.list.firstElementChild;
    for (const message of messages) {
      if (known.has(nameOf(message))) continue;
      const entry = this.#make(message);
      this.#stored.set(nameOf(message), entry);
      this.list.insertBefore(entry, first);
      this.#tidy(entry);
    }
    for (const [name, entry] of known) this.#stored.set(name, entry);
    this.#tidy(this.#entryFrom(first));
  }

  /** Show a message that is stored; return whether it was not here yet. */
  add(message) {
    if (this.#stored.has(nameOf(message))) return false;
    const waiting = this.#isOwn(message) ? this.#pending.get(message.key) : undefined;
    const entry = waiting ?? this.#make(message);
    this.#stored.set(nameOf(message), entry);
    this.#messages.set(entry, message);
    this.#pending.delete(message.key);
    if (waiting) {
      showDelivery(entry);
      update(entry, message);
    }
    this.#place(entry);
    return !waiting;
  }

  /** A message was edited or deleted. */
  changed(message) {
    const entry = this.#stored.get(nameOf(message));
    if (!entry) return;
    if (message.state === "deleted") {
      this.#stored.delete(nameOf(message));
      const next = this.#entryFrom(entry.nextElementSibling);
      entry.remove();
      this.#tidy(next);
    } else {
      this.#messages.set(entry, message);
      update(entry, message);
    }
  }

  /** Show a message of one's own that is not stored yet. */
  pending(message) {
    const entry = this.#make(message);
    showDelivery(entry, "pending");
    this.#pending.set(message.key, entry);
    this.list.append(entry);
    this.#tidy(entry);
  }

  /** Tell how it stands with one that is not stored. */
  delivery(key, state, text) {
    const entry = this.#pending.get(key);
    if (!entry) return;
    showDelivery(entry, state, text);
    if (state === "refused") this.#pending.delete(key);
  }

  /** Tell what happened, to somebody whose name it is. */
  event(happened, name) {
    const last = this.#lastStored();
    const line = last?.matches(".event") ? last : make("li", "event");
    if (line !== last) {
      this.#messages.set(line, { time: Date.now() });
      this.#place(line);
    }
    // One line for all who come and go between two messages; where it grows long, for the newest of them.
    line.append(...(line.childElementCount > 0 ? [" · "] : []), make("span", "", bdi(name), ` ${happened}`));
    while (line.childElementCount > MAX_HAPPENINGS) line.replaceChildren(...[...line.childNodes].slice(2));
  }

  /** Forget the oldest where there are many. */
  prune(kept = MAX_ENTRIES) {
    if (this.list.childElementCount <= kept) return;
    while (this.list.childElementCount > kept) this.list.firstElementChild.remove();
    for (const [name, entry] of this.#stored) if (entry.parentNode !== this.list) this.#stored.delete(name);
    this.more = true;
    this.#tidy(this.#entryFrom(this.list.firstElementChild));
  }

  #make(message) {
    const entry = makeEntry(message, this.#isOwn(message), (action, acted) => this.#act(action, this.#messages.get(acted)));
    entry.classList.toggle("to-me", !this.#isOwn(message) && this.#isToMe(message));
    this.#messages.set(entry, message);
    return entry;
  }

  #clear() {
    this.list.replaceChildren(...[...this.#pending.values()]);
    this.#stored.clear();
  }

  // New ones come at the end, but before those that wait for their number.
  #place(item) {
    const before = this.#lastStored(item);
    const next = before ? before.nextElementSibling : this.list.firstElementChild;
    if (next !== item) this.list.insertBefore(item, next);
    this.#tidy(item);
    this.#tidy(this.#entryFrom(item.nextElementSibling));
  }

  #lastStored(except = null) {
    let item = this.list.lastElementChild;
    while (item && (item === except || item.matches("[data-delivery]"))) item = item.previousElementSibling;
    return item;
  }

  #entryFrom(item) {
    while (item && !item.matches(".entry")) item = item.nextElementSibling;
    return item;
  }

  #tidy(entry) {
    if (!entry?.matches(".entry")) return;
    let previous = entry.previousElementSibling;
    while (previous && !previous.matches(".entry")) previous = previous.previousElementSibling;
    const [message, before] = [this.#messages.get(entry), this.#messages.get(previous)];
    const isNewDay = !before || !isSameDay(before.time, message.time);
    const day = entry.querySelector(".day");
    day.hidden = !isNewDay;
    day.textContent = isNewDay ? dayName(message.time) : "";
    const isNext = previous !== null && entry.previousElementSibling === previous;
    const isSame = isNext && before.by === message.by && before.name === message.name;
    entry.classList.toggle("goes-on", isSame && !isNewDay && message.time - before.time < GROUPED);
  }
}

// By this a message is known again, also one that comes twice.
function nameOf({ by, key }) {
  return `${by} ${key}`;
}
