// The field that messages are written in, and changed. What is written is kept through lost connections and reloads.

import { element } from "./elements.js";
import { Attachment } from "./images.js";
import { tab } from "./storage.js";

const TYPING_EVERY = 3_000; // milliseconds between two signs of life
const TYPING_ENDS = 6_000; // milliseconds after the last key
const NEARLY = 0.9; // of the longest message: from there on it is told how much is left

export class Composer {
  #field = element("message");
  #actions;
  #room = null;
  #edited = null; // the message that is being changed
  #saidTyping = 0;
  #timer = 0;
  #longest = Infinity;
  #isWaiting = false; // to send, until the image has arrived
  #image = new Attachment(() => this.#imageChanged());

  /** actions has say(text, image), edit(id, text), delete(message), ownBefore(id) and typing(isTyping). */
  constructor(actions) {
    this.#actions = actions;
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("keydown", (event) => this.#pressed(event));
    element("end-edit").addEventListener("click", () => this.#endEdit());
    element("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  set longest(characters) {
    this.#longest = characters;
    this.#judge();
  }

  /** Write to a room from now on. */
  show(room) {
    this.#endTyping();
    this.#edited = null;
    this.#room = room;
    this.#field.placeholder = `Message #${room}`;
    this.#restoreDraft();
  }

  /** Change a message. */
  edit(message) {
    this.#edited = message;
    this.#field.value = message.text;
    element("editing").hidden = false;
    this.#fit();
    this.#judge();
    this.#field.focus();
    this.#field.setSelectionRange(0, 0);
  }

  /** One begins in the field; but where somebody is elsewhere already, nothing is taken from under their hands. */
  focusFirst() {
    const active = document.activeElement ?? document.body;
    const isNowhere = active === document.body || !active.checkVisibility();
    // On a phone that would open the keyboard over what was said.
    if (isNowhere && matchMedia("(hover: hover)").matches) this.#field.focus();
  }

  #pressed(event) {
    const { key } = event;
    // An Enter that ends the choice of a character in an input method is not meant for us.
    if (event.isComposing) return;
    if (key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#submit();
    } else if (key === "Escape" && this.#edited) {
      this.#endEdit();
    } else if (key === "ArrowUp" && this.#field.selectionEnd === 0 && (this.#edited || this.#field.value === "")) {
      const before = this.#actions.ownBefore(this.#edited?.id);
      if (!before) return;
      event.preventDefault();
      this.edit(before);
    }
  }

  #submit() {
    const text = this.#field.value.trim();
    if (this.#edited) {
      this.#submitEdit(text);
      return;
    }
    this.#isWaiting = this.#image.isThere && this.#image.name === null;
    if (this.#isWaiting || (text === "" && !this.#image.isThere) || !this.#judge()) return;
    const image = this.#image.name ?? undefined;
    this.#image.clear();
    this.#field.value = "";
    this.#saidTyping = 0; // the message itself tells that it is written
    this.#changed();
    this.#actions.say(text, image);
    this.#field.focus();
  }

  #imageChanged() {
    this.#field.toggleAttribute("data-has-image", this.#image.isThere);
    if (this.#isWaiting && this.#image.name !== null) this.#submit();
    this.#isWaiting &&= this.#image.isThere;
  }

  #submitEdit(text) {
    const message = this.#edited;
    if (!this.#judge()) return;
    this.#endEdit();
    if (text === "") this.#actions.delete(message);
    else if (text !== message.text) this.#actions.edit(message.id, text);
  }

  #endEdit() {
    this.#edited = null;
    this.#restoreDraft();
    this.#field.focus();
  }

  #restoreDraft() {
    element("editing").hidden = true;
    this.#field.value = tab.get(`draft.${this.#room}`) ?? "";
    this.#fit();
    this.#judge();
  }

  #changed() {
    this.#fit();
    this.#judge();
    if (this.#edited) return;
    tab.set(`draft.${this.#room}`, this.#field.value);
    if (this.#field.value.trim() === "") this.#endTyping();
    else this.#showLife();
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

  #showLife() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#endTyping(), TYPING_ENDS);
    if (Date.now() - this.#saidTyping < TYPING_EVERY) return;
    this.#saidTyping = Date.now();
    this.#actions.typing(true);
  }

  #endTyping() {
    clearTimeout(this.#timer);
    if (this.#saidTyping === 0) return;
    this.#saidTyping = 0;
    this.#actions.typing(false);
  }
}
