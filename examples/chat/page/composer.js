// The field that messages are written in. What is written is kept through lost connections and reloads.

import { element } from "./elements.js";
import { tab } from "./storage.js";

const TYPING_EVERY = 3_000; // milliseconds between two signs of life
const TYPING_ENDS = 6_000; // milliseconds after the last key
const NEARLY = 0.9; // of the longest message: from there on it is told how much is left

export class Composer {
  #field = element("message");
  #key;
  #send;
  #tellTyping;
  #saidTyping = 0;
  #timer = 0;
  #longest = Infinity;

  /** send(text) sends a message; tellTyping(isTyping) tells the others. */
  constructor(room, send, tellTyping) {
    this.#key = `draft.${room}`;
    this.#send = send;
    this.#tellTyping = tellTyping;
    this.#field.placeholder = `Message #${room}`;
    this.#field.value = tab.get(this.#key) ?? "";
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("keydown", (event) => this.#pressed(event));
    element("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#fit();
  }

  set longest(characters) {
    this.#longest = characters;
    this.#judge();
  }

  /** One begins in the field; but where somebody is elsewhere already, nothing is taken from under their hands. */
  focusFirst() {
    const active = document.activeElement ?? document.body;
    const isNowhere = active === document.body || !active.checkVisibility();
    // On a phone that would open the keyboard over what was said.
    if (isNowhere && matchMedia("(hover: hover)").matches) this.#field.focus();
  }

  #pressed(event) {
    // An Enter that ends the choice of a character in an input method is not meant for us.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#submit();
  }

  #submit() {
    const text = this.#field.value.trim();
    if (text === "" || !this.#judge()) return;
    this.#field.value = "";
    this.#saidTyping = 0; // the message itself tells that it is written
    this.#changed();
    this.#send(text);
    this.#field.focus();
  }

  #changed() {
    tab.set(this.#key, this.#field.value);
    this.#fit();
    this.#judge();
    this.#showLife(this.#field.value.trim() !== "");
  }

  // The server counts characters, not halves of them.
  #judge() {
    const text = this.#field.value;
    const length = text.length < this.#longest * NEARLY ? text.length : [...text].length;
    const left = this.#longest - length;
    const isNear = length > this.#longest * NEARLY;
    element("wrong").textContent = left < 0
      ? `${(-left).toLocaleString()} characters too long`
      : isNear ? `${left.toLocaleString()} characters left` : "";
    element("wrong").classList.toggle("over", left < 0);
    return left >= 0;
  }

  #fit() {
    // Where CSS can't do it (field-sizing).
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }

  #showLife(isTyping) {
    clearTimeout(this.#timer);
    if (isTyping) {
      this.#timer = setTimeout(() => this.#showLife(false), TYPING_ENDS);
      if (Date.now() - this.#saidTyping < TYPING_EVERY) return;
      this.#saidTyping = Date.now();
      this.#tellTyping(true);
    } else if (this.#saidTyping !== 0) {
      this.#saidTyping = 0;
      this.#tellTyping(false);
    }
  }
}
