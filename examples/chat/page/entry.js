// One entry of the log: a message, as it is shown.

import { draw, paint } from "./avatars.js";
import { copyOf, make } from "./elements.js";
import { withParts } from "./text.js";
import { tell } from "./times.js";

const LONG_TEXT = 1_500; // characters, and
const LONG_LINES = 18; // lines: what is longer is shown in part
const ONLY_EMOJI = /^(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}|\p{Emoji_Component}|\s){1,12}$/u;
const IMAGE = /^[0-9a-f]{32}-(\d{1,5})x(\d{1,5})\.(?:png|jpg|gif|webp)$/u;

/** An <li> that shows a message. act(action, entry) is called when somebody wants to edit or delete it. */
export function makeEntry(message, isOwn, act) {
  const entry = copyOf("entry");
  entry.classList.toggle("own", isOwn);
  const name = part(entry, ".name");
  name.textContent = isOwn ? "You" : message.name;
  paint(name, message.name);
  draw(part(entry, ".avatar"), message.name);
  for (const button of entry.querySelectorAll("[data-action]")) {
    button.addEventListener("click", () => act(button.dataset.action, entry));
    // One's own are found by the arrow up in the message field.
    if (!isOwn && "admin" in document.body.dataset) button.tabIndex = 0;
  }
  update(entry, message);
  return entry;
}

/** Make an entry show a message as it is now. */
export function update(entry, message) {
  tell(part(entry, "time"), message.time);
  part(entry, ".edited").hidden = message.state !== "edited";
  const text = part(entry, ".text");
  text.replaceChildren(withParts(message.text));
  text.hidden = message.text === "";
  text.classList.toggle("emoji", ONLY_EMOJI.test(message.text) && !/^[\d\s#*]+$/u.test(message.text));
  showImage(entry, message);
  shorten(entry, message.text);
}

/** Tell how it stands with a message that is not stored; without a state, that it is. */
export function showDelivery(entry, state = "", text = "") {
  const line = part(entry, ".delivery");
  line.textContent = text;
  line.hidden = text === "";
  if (state === "") delete entry.dataset.delivery;
  else entry.dataset.delivery = state;
}

/** Whether a text speaks to somebody: "@Ana", and not "@Anabel". */
export function mentions(text, name) {
  const [where, whom] = [text.toLowerCase(), `@${name.toLowerCase()}`];
  for (let at = where.indexOf(whom); at >= 0; at = where.indexOf(whom, at + 1)) {
    if (!/^[\p{L}\p{N}_]/u.test(where.slice(at + whom.length, at + whom.length + 2))) return true;
  }
  return false;
}

function part(entry, selector) {
  return entry.querySelector(selector);
}

function showImage(entry, { image, text }) {
  const frame = part(entry, ".image");
  const match = IMAGE.exec(image ?? "");
  frame.hidden = match === null;
  if (match === null || frame.firstElementChild) return;
  const shown = make("img");
  [shown.width, shown.height] = [match[1], match[2]];
  shown.loading = "lazy";
  shown.alt = text === "" ? "An image without a description" : `Image: ${text.slice(0, 100)}`;
  shown.src = `../images/${image}`;
  frame.href = shown.src;
  frame.append(shown);
}

function shorten(entry, text) {
  const button = part(entry, ".whole");
  const isLong = text.length > LONG_TEXT || text.split("\n", LONG_LINES + 1).length > LONG_LINES;
  const say = (isShort) => {
    entry.classList.toggle("short", isShort);
    button.ariaExpanded = String(!isShort);
    button.textContent = isShort ? `Show all ${text.length.toLocaleString()} characters` : "Show less";
  };
  button.hidden = !isLong;
  button.onclick = () => say(!entry.classList.contains("short"));
  if (isLong) say(true);
  else entry.classList.remove("short");
}
