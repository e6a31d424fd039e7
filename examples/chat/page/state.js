// What the page says by itself: how it stands with the connection, at once beside the room's name and in words once it
// lasts; and whether one means what one does.

import { element } from "./elements.js";

const TROUBLE_AFTER = 1_500; // milliseconds: a connection that is back sooner was hardly lost

let timer = 0;

/** Show a state, and what is wrong with it. */
export function showState(state, text, trouble = "") {
  element("state").dataset.state = state;
  element("state").textContent = text;
  element("trouble-text").textContent = trouble;
  if (state !== "lost") {
    clearTimeout(timer);
    timer = 0;
    element("trouble").hidden = trouble === "";
  } else if (timer === 0) { // however often it is tried in the meantime
    timer = setTimeout(() => { element("trouble").hidden = false; }, TROUBLE_AFTER);
  }
}

/** Ask whether one means it, and if so do it. */
export function ask(title, text, label, action) {
  const dialog = element("confirm");
  element("confirm-title").textContent = title;
  element("confirm-text").textContent = text.slice(0, 200);
  element("confirmed").textContent = label;
  dialog.onclose = () => { if (dialog.returnValue === "yes") action(); };
  dialog.returnValue = "";
  dialog.showModal();
}
