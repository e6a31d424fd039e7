// One of the rooms that one is in: what was said there, who is there, and how much of it one has not seen.

import { mentions } from "./entry.js";
import { Log } from "./log.js";
import { Outbox } from "./outbox.js";

const TYPING_LASTS = 8_000; // milliseconds after its last sign
const STORE_AGAIN_AFTER = 5; // seconds
const KEPT_UNSEEN = 100; // entries of a room that nobody looks at

export class Room {
  name;
  log;
  outbox;
  people = [];
  typing = new Map(); // from a name to the timer that ends it
  unread = 0;
  mentions = 0;
  isEntered = false;
  isSeen = false; // whether it is the one that is looked at
  #chat;
  #lost = new Set();
  #wasEntered = false;
  #position = null;
  #isLoading = false;

  /** chat has me, name, send(message), restart(), and is told changed(room), unseen(room, message, isToMe) and wanted(action, message). */
  constructor(name, chat) {
    this.name = name;
    this.#chat = chat;
    const isToMe = ({ text }) => mentions(text, chat.name ?? "");
    this.log = new Log((message) => message.by === chat.me, isToMe, (action, message) => chat.wanted(action, message));
    this.outbox = new Outbox(name, (entry) => this.#send("say", entry), () => chat.restart());
    for (const entry of this.outbox.entries) this.#showPending(entry);
  }

  enter() {
    this.#send("enter", { after: this.#position, back: this.#wasEntered });
  }

  say(text, image) {
    this.#showPending(this.outbox.add(text, image));
    if (!this.isEntered) this.#showWaiting();
  }

  edit(id, text) {
    this.#send("edit", { id, text });
  }

  delete(id) {
    this.#send("delete", { id });
  }

  tellTyping(typing) {
    if (this.isEntered) this.#send("typing", { typing });
  }

  /** Ask for what was said before. */
  loadOlder() {
    if (!this.isEntered || !this.log.more || this.#isLoading) return;
    this.#isLoading = true;
    this.#send("older", { before: this.log.oldestId });
  }

  /** The connection is lost. */
  lose() {
    this.isEntered = this.#isLoading = false;
    this.outbox.stop();
    this.#showWaiting();
  }

  markSeen() {
    this.unread = this.mentions = 0;
  }

  /** It is looked at no longer. */
  leaveFromSight() {
    this.isSeen = false;
    this.log.prune(KEPT_UNSEEN);
  }

  // What the server tells, by its types

  entered({ people, messages, more, goes_on: goesOn, position }) {
    const isFirst = !this.#wasEntered;
    const unheard = messages.filter((message) => message.by !== this.#chat.me && !message.state);
    for (const { key, by } of messages) if (by === this.#chat.me) this.outbox.remove(key);
    this.log.catchUp(messages, goesOn);
    if (!goesOn) this.log.more = more;
    this.#position = position ?? this.#position;
    this.people = people;
    this.isEntered = this.#wasEntered = true;
    this.#isLoading = false;
    for (const name of this.typing.keys()) this.#endTyping(name);
    if (!isFirst && goesOn) for (const message of unheard) this.#notice(message);
    for (const { key } of this.outbox.entries) this.log.delivery(key, "pending", "Sending");
    this.outbox.start();
  }

  message({ message, position }) {
    this.#position = position ?? this.#position;
    this.#endTyping(message.name);
    const isNew = this.log.add(message);
    if (message.by === this.#chat.me) this.outbox.remove(message.key, this.#chat.isShared);
    else if (isNew) this.#notice(message);
  }

  changed({ message, position }) {
    this.#position = position ?? this.#position;
    this.log.changed(message);
  }

  older({ messages, more }) {
    this.#isLoading = false;
    this.log.more = more;
    this.log.prepend(messages);
  }

  joined({ name, back }) {
    if (!this.people.includes(name)) this.people.push(name);
    const wasLost = this.#lost.delete(name);
    if (wasLost) this.log.event("is back", name);
    else if (!back) this.log.event("joined", name);
  }

  left({ name, lost: isLost }) {
    this.people = this.people.filter((other) => other !== name);
    if (isLost) this.#lost.add(name);
    this.#endTyping(name);
    this.log.event(isLost ? "lost the connection" : "left", name);
  }

  renamed({ from, to }) {
    this.people = this.people.filter((name) => name !== from && name !== to);
    this.people.push(to);
    this.#endTyping(from);
    this.log.event(`is now called ${to}`, from);
  }

  tellsTyping({ name, typing }) {
    this.#endTyping(name);
    if (typing) this.typing.set(name, setTimeout(() => { this.#endTyping(name); this.#chat.changed(this); }, TYPING_LASTS));
  }

  error({ about, code, text, key, retry_after: seconds }) {
    if (about === "older") this.#isLoading = false;
    if (about === "enter" && code === "too-fast") setTimeout(() => this.enter(), seconds * 1000);
    if (key === undefined) return;
    if (code === "too-fast") {
      this.log.delivery(key, "pending", text);
      this.outbox.postpone(seconds);
    } else if (code === "not-stored") {
      this.log.delivery(key, "waiting", `${text} Trying again.`);
      this.outbox.postpone(STORE_AGAIN_AFTER);
    } else {
      this.log.delivery(key, "refused", `Not sent. ${text}`);
      this.outbox.remove(key);
    }
  }

  #send(type, more) {
    this.#chat.send({ type, room: this.name, ...more });
  }

  #showPending({ key, text, image, time }) {
    this.log.pending({ key, text, image, time, by: this.#chat.me, name: this.#chat.name ?? "" });
  }

  #showWaiting() {
    for (const { key } of this.outbox.entries) this.log.delivery(key, "waiting", "Waits for the connection");
  }

  #endTyping(name) {
    clearTimeout(this.typing.get(name));
    this.typing.delete(name);
  }

  #notice(message) {
    if (this.isSeen && this.#chat.sees(this)) return;
    this.unread += 1;
    const isToMe = mentions(message.text, this.#chat.name ?? "");
    if (isToMe) this.mentions += 1;
    this.#chat.unseen(this, message, isToMe);
  }
}
