// Who one is here: a name that the others see, and a secret by which the server knows one's messages.

import { draw } from "./avatars.js";
import { element } from "./elements.js";
import { randomId } from "./outbox.js";
import { browser, tab } from "./storage.js";

export class Identity {
  #dialog = element("introduction");
  #field = element("name");
  #chosen;
  #asked = null; // a name that the server has not agreed to yet

  /** chosen() is called when a name was given. */
  constructor(room, chosen) {
    this.#chosen = chosen;
    element("introduction-room").textContent = room;
    if (tab.get("session") === null) tab.set("session", randomId());
    this.#field.addEventListener("input", () => this.#preview());
    element("introduction-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    element("cancel").addEventListener("click", () => this.#cancel());
    this.#dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.#cancel();
    });
    this.show();
  }

  /** The name that the server knows, or that it is asked for. */
  get name() {
    return this.#asked ?? tab.get("name");
  }

  /** Kept as long as this tab, and told to nobody but the server. */
  get session() {
    return tab.get("session");
  }

  /** Ask for a name, and say what was wrong with the one before. */
  ask(wrong = "") {
    this.#field.value = this.name ?? browser.get("name") ?? "";
    element("name-wrong").textContent = wrong;
    element("join").disabled = false;
    const isNew = tab.get("name") === null;
    element("cancel").hidden = isNew;
    this.#dialog.setAttribute("closedby", isNew ? "none" : "closerequest");
    this.#field.ariaInvalid = String(wrong !== "");
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#preview();
    this.#field.select();
  }

  /** The server has agreed to a name. */
  accept(name) {
    this.#asked = null;
    tab.set("name", name);
    browser.set("name", name);
    if (this.#dialog.open) this.#dialog.close();
    this.show();
  }

  show() {
    element("my-name").textContent = this.name ?? "–";
    draw(element("my-avatar"), this.name ?? "–");
  }

  #submit() {
    const name = this.#field.value.trim();
    if (name === "") {
      element("name-wrong").textContent = "A name needs a letter, a digit or a sign that can be seen.";
      return;
    }
    if (name === tab.get("name") && this.#asked === null) {
      this.#dialog.close();
      return;
    }
    this.#asked = name;
    element("name-wrong").textContent = "";
    element("join").disabled = true;
    this.#chosen();
  }

  // There is nothing behind it before one has a name; afterwards one keeps the one that one had.
  #cancel() {
    if (tab.get("name") === null) return;
    const wasAsked = this.#asked !== null;
    this.#asked = null;
    this.#dialog.close();
    if (wasAsked) this.#chosen();
  }

  #preview() {
    draw(element("preview"), this.#field.value.trim() || "?");
  }
}
