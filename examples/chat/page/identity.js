// Who one is here: a name that the others see, and a secret by which the server knows one's messages.
//
// Both belong to the browser, so that all its windows are one person, today and next week. A window may be somebody
// else's: then it has a name and a secret of its own for as long as it lives.

import { draw } from "./avatars.js";
import { bdi, element } from "./elements.js";
import { browser, tab } from "./storage.js";

export class Identity {
  #dialog = element("introduction");
  #field = element("name");
  #room;
  #chosen;
  #asked = null; // a name that the server has not agreed to yet

  /** chosen() is called when a name was given. */
  constructor(room, chosen) {
    this.#room = room;
    this.#chosen = chosen;
    if (this.#kept.get("session") === null) this.#kept.set("session", randomId());
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
    return this.#asked ?? this.#kept.get("name");
  }

  /** Told to nobody but the server. */
  get session() {
    return this.#kept.get("session");
  }

  get #kept() {
    return tab.get("session") === null ? browser : tab;
  }

  /** Ask for a name, and say what was wrong with the one before. */
  ask(wrong = "") {
    const isNew = this.#kept.get("name") === null;
    this.#field.value = this.name ?? "";
    element("name-wrong").textContent = wrong;
    element("join").disabled = false;
    element("introduction-title").replaceChildren(...(isNew ? ["Join #", bdi(this.#room)] : ["Change your name"]));
    element("join").textContent = isNew ? "Join the room" : "Take this name";
    element("cancel").hidden = isNew;
    element("apart-choice").hidden = isNew;
    element("apart").checked = false;
    this.#dialog.setAttribute("closedby", isNew ? "none" : "closerequest");
    this.#field.ariaInvalid = String(wrong !== "");
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#preview();
    this.#field.select();
  }

  /** The server knows one by a name. */
  accept(name) {
    this.#asked = null;
    this.#kept.set("name", name);
    if (this.#dialog.open) this.#dialog.close();
    this.show();
  }

  show() {
    element("my-name").textContent = this.#kept.get("name") ?? "–";
    draw(element("my-avatar"), this.#kept.get("name") ?? "–");
  }

  #submit() {
    const name = this.#field.value.trim();
    if (name === "") {
      element("name-wrong").textContent = "A name needs a letter, a digit or a sign that can be seen.";
    } else if (element("apart").checked) {
      tab.set("session", randomId());
      tab.set("name", name);
      location.reload();
    } else if (name === this.#kept.get("name") && this.#asked === null) {
      this.#dialog.close();
    } else {
      this.#asked = name;
      element("name-wrong").textContent = "";
      element("join").disabled = true;
      this.#chosen();
    }
  }

  // There is nothing behind it before one has a name; afterwards one keeps the one that one had.
  #cancel() {
    if (this.#kept.get("name") === null) return;
    const wasAsked = this.#asked !== null;
    this.#asked = null;
    this.#dialog.close();
    if (wasAsked) this.#chosen();
  }

  #preview() {
    draw(element("preview"), this.#field.value.trim() || "?");
  }
}

/** 32 hexadecimal digits. crypto.randomUUID is not there on pages that come without TLS. */
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
