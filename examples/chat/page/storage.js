// What the browser keeps for this page. Where it keeps nothing, the page works all the same, until it is left.

class Storage {
  #kept;
  #memory = new Map();

  constructor(open) {
    try {
      this.#kept = open();
    } catch {
      this.#kept = null;
    }
  }

  get(key) {
    if (this.#memory.has(key)) return this.#memory.get(key);
    try {
      return JSON.parse(this.#kept?.getItem(`chat.${key}`) ?? "null");
    } catch {
      return null;
    }
  }

  set(key, value) {
    this.#memory.set(key, value);
    try {
      this.#kept?.setItem(`chat.${key}`, JSON.stringify(value));
    } catch {
      // It is full, or refuses: the value lives as long as the page.
    }
  }
}

/** Kept for as long as this tab lives, through reloads. */
export const tab = new Storage(() => sessionStorage);

/** Kept for this browser. */
export const browser = new Storage(() => localStorage);
