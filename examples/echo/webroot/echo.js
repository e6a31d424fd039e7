"use strict";

const SUBPROTOCOL = "echo";
const MAX_ENTRIES = 500;
const AT_THE_END = 48; // pixels: whoever is this near to the log's end wants to stay there

// RFC 6455 §7.4.1, and the IANA registry of close codes.
const CLOSE_CODES = {
  1000: "normal closure",
  1001: "the server is going away",
  1002: "protocol error",
  1003: "unsupported data",
  1005: "no code was given",
  1006: "the connection was lost",
  1007: "invalid text",
  1008: "policy violation",
  1009: "message too big",
  1011: "the server made an error",
  1012: "the server restarts",
  1013: "try again later",
};

const KINDS = {
  sent: { arrow: "↑", label: "Sent" },
  returned: { arrow: "↓", label: "Came back" },
  event: { arrow: "", label: "" },
};

const element = (id) => document.getElementById(id);
const connection = element("connection");
const toggle = element("toggle");
const send = element("send");
const message = element("message");
const log = element("log");
const scroller = element("scroller");

let socket = null;
let sentAt = []; // when each message left that has not come back: an echo keeps their order

// Where the echo is: beside this page, whatever its host, port, path or scheme.
function echoAddress() {
  const address = new URL("echo", document.baseURI);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

function connect() {
  const opening = new WebSocket(echoAddress(), SUBPROTOCOL);
  socket = opening;
  sentAt = [];
  show("connecting", "Connecting…");
  opening.addEventListener("open", () => {
    show("open", "Open");
    element("subprotocol").textContent = opening.protocol || "none";
    record("event", "Connected");
  });
  opening.addEventListener("message", (event) => {
    record("returned", event.data, `${size(event.data)} after ${elapsed(sentAt.shift())}`);
  });
  opening.addEventListener("close", (event) => {
    show(event.code === 1000 ? "closed" : "broken", "Closed", closing(event));
    record("event", `Closed with ${closing(event)}`);
  });
}

function closing({ code, reason }) {
  const meaning = CLOSE_CODES[code];
  return `${code}${meaning ? `, ${meaning}` : ""}${reason ? `: “${reason}”` : ""}`;
}

function show(name, words, reason = "") {
  connection.dataset.state = name;
  element("state").textContent = words;
  element("reason").textContent = reason;
  toggle.textContent = words === "Closed" ? "Reconnect" : "Close";
  send.disabled = name !== "open";
}

function size(text) {
  const bytes = new TextEncoder().encode(text).length;
  return bytes === 1 ? "1 byte" : `${bytes.toLocaleString("en")} bytes`;
}

function elapsed(since) {
  const milliseconds = performance.now() - since;
  return milliseconds < 10 ? `${milliseconds.toFixed(1)} ms` : `${Math.round(milliseconds)} ms`;
}

function record(kind, text, detail = "") {
  const entry = element("entry").content.firstElementChild.cloneNode(true);
  const part = (name) => entry.querySelector(name);
  const now = new Date();
  entry.dataset.kind = kind;
  part(".arrow").textContent = KINDS[kind].arrow;
  part(".label").textContent = KINDS[kind].label;
  part(".text").textContent = text === "" ? "empty message" : text;
  part(".text").classList.toggle("empty", text === "");
  part("time").dateTime = now.toISOString();
  part("time").textContent = now.toLocaleTimeString("en-GB");
  part(".detail").textContent = detail;
  append(entry);
}

function append(entry) {
  const follow = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < AT_THE_END;
  log.append(entry);
  while (log.childElementCount > MAX_ENTRIES) log.firstElementChild.remove();
  if (follow) scroller.scrollTop = scroller.scrollHeight;
}

function sendMessage() {
  if (socket.readyState !== WebSocket.OPEN) return;
  const text = message.value;
  sentAt.push(performance.now());
  socket.send(text);
  record("sent", text, size(text));
  scroller.scrollTop = scroller.scrollHeight;
  message.value = "";
  message.focus();
}

element("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  sendMessage();
});

message.addEventListener("keydown", (event) => {
  // An Enter that ends the choice of a character in an input method is not meant for us.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  sendMessage();
});

toggle.addEventListener("click", () => {
  if (socket.readyState === WebSocket.CLOSED) {
    connect();
  } else {
    show("closing", "Closing…");
    socket.close(1000);
  }
});

element("address").textContent = echoAddress();
connect();
