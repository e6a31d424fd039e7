// An image to send: chosen, pasted or dropped, shown before it goes, and on its way to the server meanwhile.

import { element, make } from "./elements.js";

const SHOWN = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const LARGEST = 1_600; // pixels on each side
const HEAVY = 1_000_000; // bytes

export class Attachment {
  #name = null; // that the server gave it
  #request = null;
  #onChange;

  /** onChange() is called when there is an image, or none, or when it is ready to go. */
  constructor(onChange) {
    this.#onChange = onChange;
    element("attach").addEventListener("click", () => element("file").click());
    element("file").addEventListener("change", (event) => {
      this.take(event.target.files);
      event.target.value = "";
    });
    element("detach").addEventListener("click", () => this.clear());
    element("message").addEventListener("paste", (event) => {
      if (this.take(event.clipboardData.files)) event.preventDefault();
    });
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      this.take(event.dataTransfer.files);
    });
  }

  /** Whether there is one, and it is with the server already. */
  get isThere() {
    return !element("attachment").hidden;
  }

  get name() {
    return this.#name;
  }

  /** Take the first image among some files; return whether there is one. */
  take(files) {
    const file = [...files].find(({ type }) => SHOWN.includes(type));
    if (file) this.#prepare(file);
    else if (files.length > 0) this.#say("Only PNG, JPEG, GIF and WebP images can be sent.");
    return file !== undefined;
  }

  /** It is sent, or is not to be. */
  clear() {
    this.#request?.abort();
    const shown = element("attachment").querySelector("img");
    if (shown) URL.revokeObjectURL(shown.src);
    shown?.remove();
    element("attachment").hidden = true;
    this.#name = this.#request = null;
    this.#say("");
    this.#onChange();
  }

  async #prepare(file) {
    this.clear();
    const image = await lighter(file);
    const shown = make("img");
    shown.alt = "The image that you are about to send";
    shown.src = URL.createObjectURL(image);
    element("attachment").prepend(shown);
    element("attachment").hidden = false;
    this.#send(image);
    this.#onChange();
  }

  #send(image) {
    const request = this.#request = new XMLHttpRequest(); // fetch does not tell how far it is
    request.open("POST", "../images");
    request.responseType = "json";
    request.upload.addEventListener("progress", ({ loaded, total }) => { element("progress").value = loaded / total; });
    request.addEventListener("load", () => this.#sent(request));
    request.addEventListener("error", () => this.#say("The image did not arrive. Remove it, and try again."));
    element("progress").value = 0;
    request.send(image);
  }

  #sent({ status, response }) {
    if (status === 201) this.#name = response.image;
    else this.#say(response?.text ?? "This image cannot be sent: it is too large.");
    this.#onChange();
  }

  #say(text) {
    element("attachment-wrong").textContent = text;
  }
}

// Photographs are drawn anew: so they weigh less, and do not tell where they were taken.
async function lighter(file) {
  if (file.type === "image/gif" || (file.type !== "image/jpeg" && file.size < HEAVY)) return file;
  try {
    const drawn = await createImageBitmap(file);
    const scale = Math.min(1, LARGEST / Math.max(drawn.width, drawn.height));
    const canvas = new OffscreenCanvas(Math.max(1, drawn.width * scale), Math.max(1, drawn.height * scale));
    canvas.getContext("2d").drawImage(drawn, 0, 0, canvas.width, canvas.height);
    return await canvas.convertToBlob({ type: file.type === "image/png" ? "image/webp" : file.type, quality: 0.85 });
  } catch {
    return file; // the server judges it
  }
}
