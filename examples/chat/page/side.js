// The side: the rooms that one was in, and on a narrow screen the drawer that it is.

import { bdi, element } from "./elements.js";
import { browser } from "./storage.js";

const MAX_ROOMS = 8;
const ROOM = /^[\p{L}\p{M}\p{N}_](?:[\p{L}\p{M}\p{N}_-]*[\p{L}\p{M}\p{N}_])?$/u;
const THEMES = { system: "as the system has them", light: "light", dark: "dark" };

const side = element("side");
const narrow = matchMedia("(max-width: 47.99rem)");

/** Show the rooms, this one among them, and remember it. */
export function showRooms(room) {
  const rooms = [room, ...(browser.get("rooms") ?? []).filter((other) => other !== room)].slice(0, MAX_ROOMS);
  browser.set("rooms", rooms);
  const shown = [...new Set([...rooms, "lobby"])].sort((a, b) => a.localeCompare(b));
  element("rooms").replaceChildren(...shown.map((name) => roomItem(name, name === room)));
}

function roomItem(name, isHere) {
  const link = document.createElement("a");
  link.href = encodeURIComponent(name);
  if (isHere) link.ariaCurrent = "page";
  link.append(bdi(name));
  const item = document.createElement("li");
  item.append(link);
  return item;
}

function goToRoom(event) {
  event.preventDefault();
  const name = element("room-name").value.trim().replace(/^#/u, "").replace(/\s+/gu, "-");
  if (ROOM.test(name)) location.href = encodeURIComponent(name);
  else element("room-wrong").textContent = "Letters and digits, please, with hyphens between them if you like.";
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

element("other-room").addEventListener("submit", goToRoom);
element("open-side").addEventListener("click", () => openDrawer(true));
element("close-side").addEventListener("click", () => openDrawer(false));
element("veil").addEventListener("click", () => openDrawer(false));
side.addEventListener("keydown", (event) => { if (event.key === "Escape" && narrow.matches) openDrawer(false); });
narrow.addEventListener("change", settleDrawer);
element("theme").addEventListener("click", nextTheme);
showTheme(browser.get("theme") ?? "system");
settleDrawer();
