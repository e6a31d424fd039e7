// Who is here, and who is writing.

import { draw } from "./avatars.js";
import { bdi, element } from "./elements.js";

const TYPING_LASTS = 8_000; // milliseconds after its last sign
const IN_THE_STACK = 3;

export class People {
  #list = element("people");
  #names = new Set();
  #lost = new Set();
  #typing = new Map(); // from a name to the timer that ends it
  #me = "";

  /** These are here, and nobody else. */
  show(names, me) {
    this.#me = me;
    this.#names = new Set(names);
    for (const name of this.#typing.keys()) this.typing(name, false);
    this.#draw();
  }

  add(name) {
    this.#names.add(name);
    this.#draw();
    return this.#lost.delete(name);
  }

  remove(name, isLost) {
    this.#names.delete(name);
    if (isLost) this.#lost.add(name);
    this.typing(name, false);
    this.#draw();
  }

  typing(name, isTyping) {
    clearTimeout(this.#typing.get(name));
    this.#typing.delete(name);
    if (isTyping) this.#typing.set(name, setTimeout(() => this.typing(name, false), TYPING_LASTS));
    element("typing").classList.toggle("active", this.#typing.size > 0);
    element("typing-text").replaceChildren(...whoIsTyping([...this.#typing.keys()]));
  }

  #draw() {
    const others = [...this.#names].filter((name) => name !== this.#me).sort((a, b) => a.localeCompare(b));
    const all = this.#names.has(this.#me) ? [this.#me, ...others] : others;
    this.#list.replaceChildren(...all.map((name) => this.#person(name)));
    element("people-count").textContent = all.length;
    element("crowd-count").textContent = all.length;
    element("crowd").replaceChildren(...[...others, this.#me].slice(0, IN_THE_STACK).map(avatar));
  }

  #person(name) {
    const item = document.createElement("li");
    item.append(avatar(name), bdi(name));
    if (name === this.#me) {
      const you = document.createElement("span");
      you.className = "you";
      you.textContent = "you";
      item.append(you);
    }
    return item;
  }
}

function avatar(name) {
  const drawn = document.createElement("span");
  drawn.className = "avatar";
  drawn.ariaHidden = "true";
  return draw(drawn, name);
}

function whoIsTyping(names) {
  const [first, second] = names;
  switch (names.length) {
    case 0: return [];
    case 1: return [bdi(first), " is typing"];
    case 2: return [bdi(first), " and ", bdi(second), " are typing"];
    default: return [bdi(first), ` and ${names.length - 1} others are typing`];
  }
}
