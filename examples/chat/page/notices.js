// What one has not seen, where one looks although one is elsewhere: in the title, in the icon, in a notification.

import { element } from "./elements.js";
import { browser } from "./storage.js";

const icon = document.querySelector("link[rel=icon]");
const canNotify = "Notification" in window && isSecureContext;

/** Show in the title and in the icon how much was not seen. */
export function showUnread(room, count) {
  document.title = `${count > 0 ? `(${count}) ` : ""}#${room} · Chat`;
  const address = count > 0 ? `../icon/${Math.min(count, 100)}` : "../page/favicon.svg";
  if (icon.getAttribute("href") !== address) icon.setAttribute("href", address);
}

/** Tell somebody who looks elsewhere of a message, if they asked for it. */
export function notify(room, { name, text }, isMention, onClick) {
  if (!isWanted() || (!document.hidden && !isMention)) return;
  try {
    const notice = new Notification(`${name} in #${room}`, { body: text.slice(0, 200), tag: room, icon: "../page/favicon.svg" });
    notice.addEventListener("click", () => {
      window.focus();
      onClick();
      notice.close();
    });
  } catch {
    // A browser on a phone wants a service worker for it.
  }
}

function isWanted() {
  return canNotify && Notification.permission === "granted" && browser.get("notify") === true;
}

async function toggle() {
  const isOn = !isWanted();
  if (isOn && (await Notification.requestPermission()) !== "granted") return;
  browser.set("notify", isOn);
  showChoice();
}

function showChoice() {
  element("notify").ariaPressed = String(isWanted());
}

element("notify").hidden = !canNotify;
element("notify").addEventListener("click", toggle);
showChoice();
