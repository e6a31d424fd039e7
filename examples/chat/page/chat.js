// The page: what comes from the server goes to the rooms, and what one does to the server.

import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { element } from "./elements.js";
import { Identity } from "./identity.js";
import { notify, showUnread } from "./notices.js";
import { Room } from "./room.js";
import { showDirectory, showRooms } from "./side.js";
import { ask, showState } from "./state.js";
import { browser, tab } from "./storage.js";
import { View } from "./view.js";

const SUBPROTOCOL = "perfectws-rooms";
const MAX_ROOMS = 12;

const rooms = new Map(); // by their names
let wanted = null; // the name, as it was typed, of a room that one wants to go to
let isKnown = false; // whether the server knows who we are

// What rooms know of the rest of the page.
const chat = {
  me: null, // by which the server tells our messages
  isShared: false, // whether several processes are one chat
  get name() { return identity.name; },
  send: (message) => connection.send(message),
  restart: () => connection.restart(),
  sees: (room) => room === view.room && view.isWatched,
  changed: (room) => refresh(room),
  unseen: (room, message, isToMe) => notify(room.name, message, isToMe, () => go(room.name)),
  wanted: (action, message) => ACTIONS[action](message),
};

const view = new View(() => {
  if (view.room.unread === 0) return;
  view.room.markSeen();
  refresh(view.room);
});
const composer = new Composer({
  say(text, image) {
    view.room.say(text, image);
    view.refresh(identity.name);
    view.scrollToEnd();
  },
  edit: (id, text) => view.room.edit(id, text),
  delete: (message) => ACTIONS.delete(message),
  ownBefore: (id) => view.room.log.ownBefore(id),
  typing: (isTyping) => view.room.tellTyping(isTyping),
});
const identity = new Identity(roomOfAddress(), introduce);
const connection = new Connection(chatAddress(), SUBPROTOCOL, { opened: sayHello, received, lost });

// Beside this page, whatever its host, port, path or scheme.
function chatAddress() {
  const address = new URL("../chat", document.baseURI);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

function roomOfAddress() {
  return decodeURIComponent(location.pathname.split("/").at(-1));
}

function introduce() {
  if (connection.isOpen) sayHello();
  else connection.open();
}

function sayHello() {
  connection.send({ type: "hello", name: identity.name, session: identity.session });
}

const RECEIVERS = {
  // Under this name one is known from now on, in each room once it is entered.
  hello({ me, limits, shared }) {
    chat.me = me;
    chat.isShared = shared;
    composer.longest = limits.text;
    if (tab.get("admin") !== null) connection.send({ type: "admin", token: tab.get("admin") });
    for (const room of inOrder()) room.enter();
  },

  admin() {
    document.body.dataset.admin = "";
  },

  entered(message) {
    const { room: name } = message;
    if (!rooms.has(name) && wanted === null) return; // it was left meanwhile
    const room = openRoom(name);
    room.entered(message);
    if (wanted !== null && room.name !== view.room.name) {
      document.activeElement?.blur();
      go(name);
    }
    if (room === view.room) {
      if (location.hash === "#all-rooms") askForRooms();
      wanted = null;
      connection.settle();
      identity.accept(identity.name);
      composer.focusFirst();
      isKnown = true;
      showState("joined", "Connected");
    }
  },

  rooms: (message) => showDirectory(message.rooms, go),
  message: (message) => rooms.get(message.room)?.message(message),
  changed: (message) => rooms.get(message.room)?.changed(message),
  older: (message) => rooms.get(message.room)?.older(message),
  joined: (message) => rooms.get(message.room)?.joined(message),
  left: (message) => rooms.get(message.room)?.left(message),
  typing: (message) => rooms.get(message.room)?.tellsTyping(message),

  renamed(message) {
    rooms.get(message.room)?.renamed(message);
    // In another window one took another name.
    if (message.by === chat.me && message.to !== identity.name) {
      identity.accept(message.to);
      sayHello();
    }
  },

  error(message) {
    const { code, text, about, room, retry_after: seconds } = message;
    rooms.get(room)?.error(message);
    if (code.startsWith("name-")) identity.ask(text);
    else if (code === "removed") {
      connection.close();
      showState("away", "Removed", text);
    } else if (code === "not-admin") tab.set("admin", null);
    else if (code === "too-fast" && about === "hello") setTimeout(sayHello, seconds * 1000);
    else if (about === "enter" && code !== "too-fast") {
      wanted = null;
      element("room-wrong").textContent = text;
    }
  },
};

const IS_READ_OUT = new Set(["message", "joined", "left", "renamed"]);

function received(message) {
  const receive = () => RECEIVERS[message.type]?.(message);
  if (message.room === view.room.name && !IS_READ_OUT.has(message.type)) view.quietly(receive);
  else receive();
  const room = rooms.get(message.room);
  if (room) refresh(room);
}

function lost(code, willRetry) {
  isKnown = false;
  for (const room of rooms.values()) room.lose();
  if (!willRetry) {
    showState("away", "Removed", "You were removed for a while.");
    return;
  }
  const what = navigator.onLine ? "The connection is lost." : "You are offline.";
  showState("lost", "Reconnecting", `${what} What you write is kept, and sent when it is back.`);
}

// The rooms

function openRoom(name) {
  if (!rooms.has(name)) {
    rooms.set(name, new Room(name, chat));
    keepRooms();
  }
  return rooms.get(name);
}

// The one that is looked at is the first to be entered.
function inOrder() {
  return [...rooms.values()].sort((a, b) => (b === view.room) - (a === view.room));
}

function keepRooms() {
  browser.set("rooms", inOrder().map((room) => room.name).slice(0, MAX_ROOMS));
}

/** Look at a room that one is in. */
function go(name, isNew = true) {
  const room = openRoom(name);
  if (isNew && name !== roomOfAddress()) history.pushState(null, "", encodeURIComponent(name));
  composer.show(name);
  view.show(room, identity.name);
  if (isKnown && !room.isEntered) room.enter();
  refresh(room);
}

function leave(name) {
  rooms.delete(name);
  keepRooms();
  connection.send({ type: "leave", room: name });
  refresh(view.room);
}

function goToOther(event) {
  event.preventDefault();
  const name = element("room-name").value.trim().replace(/^#/u, "").replace(/\s+/gu, "-");
  element("room-wrong").textContent = "";
  // How a room's name is written the server knows.
  if (!isKnown) location.href = encodeURIComponent(name);
  wanted = name;
  connection.send({ type: "enter", room: name });
  element("room-name").value = "";
}

function askForRooms() {
  if (location.hash !== "") history.replaceState(null, "", location.pathname);
  connection.send({ type: "rooms" });
}

// What is shown

function refresh(room) {
  if (room === view.room) view.refresh(identity.name);
  showRooms(rooms.values(), view.room, go, leave);
  showUnread(view.room.name, [...rooms.values()].reduce((sum, { unread }) => sum + unread, 0));
}

// What can be done with a message
const ACTIONS = {
  edit: (message) => composer.edit(message),
  delete: (message) => ask("Delete this message?", message.text, "Delete", () => view.room.delete(message.id)),
  remove: ({ by, name }) => ask(`Remove ${name} for an hour?`, "", "Remove", () => {
    connection.send({ type: "remove", by, name, minutes: 60 });
  }),
};

element("retry").addEventListener("click", () => connection.open());
element("rename").addEventListener("click", () => identity.ask());
element("all-rooms").addEventListener("click", askForRooms);
element("other-room").addEventListener("submit", goToOther);
addEventListener("popstate", () => go(roomOfAddress(), false));

if (location.hash.startsWith("#admin=")) {
  tab.set("admin", decodeURIComponent(location.hash.slice(7)));
  history.replaceState(null, "", location.pathname);
}
for (const name of [roomOfAddress(), ...(browser.get("rooms") ?? []), "lobby"].slice(0, MAX_ROOMS)) openRoom(name);
go(roomOfAddress(), false);
if (identity.name) {
  showState("connecting", "Connecting");
  connection.open();
} else {
  identity.ask();
}
