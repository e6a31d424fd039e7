// The page of one room: what comes from the server, and what goes to it.

import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { element } from "./elements.js";
import { Identity } from "./identity.js";
import { Log } from "./log.js";
import { Outbox } from "./outbox.js";
import { People } from "./people.js";
import { showRooms } from "./side.js";

const SUBPROTOCOL = "perfectws-chat";
const TROUBLE_AFTER = 1_500; // milliseconds: a connection that is back sooner was hardly lost
const STORE_AGAIN_AFTER = 5; // seconds

const room = decodeURIComponent(location.pathname.split("/").at(-1));

let isJoined = false;
let wasJoined = false;
let unread = 0;
let troubleTimer = 0;

const log = new Log(() => showUnread(unread + 1));
const people = new People();
const connection = new Connection(chatAddress(), SUBPROTOCOL, { opened: sayHello, received, lost });
const outbox = new Outbox(room, ({ id, text }) => connection.send({ type: "say", id, text }), () => connection.restart());
const composer = new Composer(room, say, (typing) => { if (isJoined) connection.send({ type: "typing", typing }); });
const identity = new Identity(room, join);

// Beside this page, whatever its host, port, path or scheme.
function chatAddress() {
  const address = new URL(`../chat?room=${encodeURIComponent(room)}`, document.baseURI);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

// A name was given. Who had another one here comes anew.
function join() {
  if (isJoined) {
    isJoined = wasJoined = false;
    outbox.stop();
    connection.open();
  } else if (connection.isOpen) {
    sayHello();
  } else {
    connection.open();
  }
}

function sayHello() {
  const { name, session } = identity;
  connection.send({ type: "hello", name, session, back: wasJoined, after: log.lastId });
}

function say(text) {
  log.pending(outbox.add(text), identity.name);
  if (!isJoined) showDelivery();
}

function showDelivery() {
  for (const { id } of outbox.entries) log.delivery(id, "waiting", "Waits for the connection");
}

const RECEIVERS = {
  welcome({ name, people: names, messages, more, limits }) {
    connection.settle();
    identity.accept(name);
    composer.focusFirst();
    people.show(names, name);
    composer.longest = limits.text;
    log.catchUp(messages, more);
    for (const { own } of messages) if (own) outbox.remove(own);
    isJoined = wasJoined = true;
    showState("joined", "Connected");
    for (const { id } of outbox.entries) log.delivery(id, "pending", "Sending");
    outbox.start();
  },

  message({ message }) {
    people.typing(message.name, false);
    log.message(message);
  },

  stored({ id, message }) {
    log.message(message);
    outbox.remove(id);
  },

  joined({ name, back }) {
    const wasLost = people.add(name);
    if (wasLost) log.event("is back", name);
    else if (!back) log.event("joined", name);
  },

  left({ name, lost: isLost }) {
    people.remove(name, isLost);
    log.event(isLost ? "lost the connection" : "left", name);
  },

  typing({ name, typing }) {
    people.typing(name, typing);
  },

  error({ code, text, id, retry_after: seconds }) {
    if (code === "too-fast" && id) {
      log.delivery(id, "pending", text);
      outbox.postpone(seconds);
    } else if (code === "not-stored" && id) {
      log.delivery(id, "waiting", `${text} Trying again.`);
      outbox.postpone(STORE_AGAIN_AFTER);
    } else if (id) {
      log.delivery(id, "refused", `Not sent. ${text}`);
      outbox.remove(id);
    } else if (code.startsWith("name-")) {
      identity.ask(text);
    } else if (code === "too-fast" && !isJoined) {
      setTimeout(sayHello, seconds * 1000);
    }
  },
};

function received(message) {
  RECEIVERS[message.type]?.(message);
}

function lost(code, willRetry) {
  isJoined = false;
  outbox.stop();
  showDelivery();
  if (willRetry) {
    const what = navigator.onLine ? "The connection is lost." : "You are offline.";
    showState("lost", "Reconnecting", `${what} What you write is kept, and sent when it is back.`, "Try now");
  }
  else if (code === 4001) showState("away", "Opened elsewhere", "This chat was opened in another window.", "Use it here");
}

function showState(state, text, trouble = "", remedy = "") {
  element("state").dataset.state = state;
  element("state").textContent = text;
  element("trouble-text").textContent = trouble;
  element("retry").textContent = remedy;
  if (state !== "lost") {
    clearTimeout(troubleTimer);
    troubleTimer = 0;
    element("trouble").hidden = trouble === "";
  } else if (troubleTimer === 0) { // however often it is tried in the meantime
    troubleTimer = setTimeout(() => { element("trouble").hidden = false; }, TROUBLE_AFTER);
  }
}

function showUnread(count) {
  unread = count;
  document.title = `${count > 0 ? `(${count}) ` : ""}#${room} · Chat`;
  element("newer").hidden = count === 0 || log.isAtEnd;
  element("newer").textContent = count === 1 ? "1 new message" : `${count} new messages`;
}

function markRead() {
  if (!document.hidden && log.isAtEnd && unread > 0) showUnread(0);
}

element("scroller").addEventListener("scroll", markRead, { passive: true });
document.addEventListener("visibilitychange", markRead);
element("newer").addEventListener("click", () => {
  log.scrollToEnd();
  showUnread(0);
});
element("retry").addEventListener("click", () => connection.open());
element("rename").addEventListener("click", () => identity.ask());

element("room").textContent = room;
element("empty-room").textContent = room;
showUnread(0);
showRooms(room);
for (const entry of outbox.entries) log.pending(entry, identity.name ?? "");
if (identity.name) {
  showState("connecting", "Connecting");
  connection.open();
} else {
  identity.ask();
}
