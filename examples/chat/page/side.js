// The side: the rooms that one is in, with what one has not seen in them, and on a narrow screen the drawer that it is.

import { bdi, element, make } from "./elements.js";
import { browser } from "./storage.js";

const THEMES = { system: "as the system has them", light: "light", dark: "dark" };

const side = element("side");
const narrow = matchMedia("(max-width: 47.99rem)");

/** Show the rooms, and which one is looked at. go(name) and leave(name) are called when one is chosen or left. */
export function showRooms(rooms, current, go, leave) {
  const names = [...rooms].sort((a, b) => a.name.localeCompare(b.name));
  const focused = document.activeElement?.closest?.("#rooms li")?.dataset.room;
  element("rooms").replaceChildren(...names.map((room) => roomItem(room, room === current, go, leave)));
  if (focused !== undefined) element("rooms").querySelector(`[data-room="${CSS.escape(focused)}"] a`)?.focus();
}

/** Show all rooms that somebody is in: { room, people }. go(room) is called when one is chosen. */
export function showDirectory(rooms, go) {
  element("directory-rooms").replaceChildren(...rooms.map(({ room, people }) => {
    const button = make("button", "", make("b", "", bdi(room)), make("span", "", people.join(", ")));
    button.type = "button";
    button.addEventListener("click", () => {
      element("directory").close();
      go(room);
    });
    return make("li", "", button);
  }));
  if (!element("directory").open) element("directory").showModal();
}

function roomItem(room, isHere, go, leave) {
  const { name, unread, mentions } = room;
  const anchor = make("a", "", bdi(name));
  anchor.href = encodeURIComponent(name);
  if (isHere) anchor.ariaCurrent = "page";
  anchor.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    openDrawer(false);
    go(name);
  });
  const item = make("li", unread > 0 ? "unread" : "", anchor);
  item.dataset.room = name;
  if (unread > 0) anchor.append(" ", badge(unread, mentions));
  if (!isHere) item.append(leaveButton(name, leave));
  return item;
}

function badge(unread, mentions) {
  const count = make("span", mentions > 0 ? "badge mention" : "badge", `${mentions > 0 ? "@" : ""}${Math.min(unread, 999)}`);
  count.ariaHidden = "true";
  const words = `${unread} not seen${mentions > 0 ? `, ${mentions} to you` : ""}`;
  return make("span", "", count, make("span", "unseen", words));
}

function leaveButton(name, leave) {
  const button = make("button", "leave", "×");
  button.type = "button";
  button.ariaLabel = `Leave ${name}`;
  button.title = button.ariaLabel;
  button.addEventListener("click", () => leave(name));
  return button;
}

function openDrawer(isOpen) {
  side.classList.toggle("open", isOpen);
  element("veil").classList.toggle("open", isOpen);
  element("open-side").ariaExpanded = String(isOpen);
  settleDrawer();
  if (narrow.matches) element(isOpen ? "close-side" : "open-side").focus();
}

// What can't be seen can't be reached: on a narrow screen either the drawer or the room.
function settleDrawer() {
  const isOpen = side.classList.contains("open");
  side.inert = narrow.matches && !isOpen;
  element("main").inert = narrow.matches && isOpen;
}

function nextTheme() {
  const names = Object.keys(THEMES);
  const theme = names[(names.indexOf(browser.get("theme") ?? "system") + 1) % names.length];
  browser.set("theme", theme);
  showTheme(theme);
}

function showTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  element("theme").ariaLabel = `Colours: ${THEMES[theme]}`;
  element("theme").title = element("theme").ariaLabel;
}

element("open-side").addEventListener("click", () => openDrawer(true));
element("close-side").addEventListener("click", () => openDrawer(false));
element("veil").addEventListener("click", () => openDrawer(false));
side.addEventListener("keydown", (event) => { if (event.key === "Escape" && narrow.matches) openDrawer(false); });
narrow.addEventListener("change", settleDrawer);
element("theme").addEventListener("click", nextTheme);
showTheme(browser.get("theme") ?? "system");
settleDrawer();
