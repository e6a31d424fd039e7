// The page: says the token, then shows each second what it is told.

import { draw } from "./plot.js";

const KEPT = 120; // samples
const FIRST_WAIT = 500; // milliseconds
const LONGEST_WAIT = 10_000; // milliseconds
const POLICY_VIOLATION = 1008;

const element = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });

/** What is shown, in this order: a title, a unit, and the number in a sample. */
const FIGURES = [
  ["Connections", "", ({ connections }) => connections],
  ["WebSockets", "", ({ web_sockets: sockets }) => sockets],
  ["Messages in", "/ s", (sample) => sample.messages_received],
  ["Messages out", "/ s", (sample) => sample.messages_sent],
  ["Bytes in", "/ s", (sample) => sample.bytes_received, bytes],
  ["Bytes out", "/ s", (sample) => sample.bytes_sent, bytes],
  ["Requests", "/ s", ({ requests }) => requests],
  ["Loop delay", "ms", (sample) => sample.loop_delay],
];

const cards = FIGURES.map(([title, unit, value, text = number]) => {
  const card = element("figure").content.firstElementChild.cloneNode(true);
  card.querySelector("figcaption").textContent = title;
  card.querySelector(".unit").textContent = unit;
  element("figures").append(card);
  return { card, title, value, text };
});

let samples = [];
let wait = FIRST_WAIT;

function number(value) {
  return (value >= 100 ? whole : precise).format(value);
}

function bytes(value) {
  const power = value < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(value) / 3));
  return `${number(value / 1000 ** power)} ${["B", "kB", "MB", "GB"][power]}`;
}

function show() {
  const last = samples.at(-1);
  if (!last) return;
  for (const { card, title, value, text } of cards) {
    const values = samples.map(value);
    const [least, most] = [Math.min(...values), Math.max(...values)];
    card.querySelector(".number").textContent = text(values.at(-1));
    card.querySelector(".range").textContent = `${text(least)} to ${text(most)}`;
    const plot = card.querySelector("svg");
    plot.setAttribute("aria-label", `${title} in the last ${values.length} seconds: ${text(least)} to ${text(most)}`);
    draw(plot, values, KEPT);
  }
  element("since").textContent = `${last.workers > 1 ? `${last.workers} workers, ` : ""}up for ${duration(last.uptime)}`;
  showRooms(last.by_room.filter(({ members }) => members > 0));
}

function showRooms(rooms) {
  element("rooms").hidden = rooms.length === 0;
  element("no-rooms").hidden = rooms.length > 0;
  element("rooms").tBodies[0].replaceChildren(...rooms.map(({ name, members, slow, messages, drops }) => {
    const row = document.createElement("tr");
    const title = Object.assign(document.createElement("th"), { scope: "row", textContent: name });
    row.append(title, ...[members, slow, messages, drops].map((value, at) => {
      const cell = Object.assign(document.createElement("td"), { textContent: whole.format(value) });
      cell.classList.toggle("alarming", value > 0 && (at === 1 || at === 3));
      return cell;
    }));
    return row;
  }));
}

function duration(seconds) {
  const [days, hours, minutes] = [seconds / 86400, (seconds / 3600) % 24, (seconds / 60) % 60].map(Math.floor);
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

function tell(state, text) {
  element("state").dataset.state = state;
  element("state").textContent = text;
}

function connect(token) {
  const address = new URL("figures", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  address.hash = "";
  const socket = new WebSocket(address, "perfectws-monitor");
  socket.addEventListener("open", () => socket.send(JSON.stringify({ token })));
  socket.addEventListener("message", ({ data }) => receive(JSON.parse(data), token));
  socket.addEventListener("close", ({ code }) => lose(code, token));
}

function receive(message, token) {
  if (message.type === "history") {
    samples = message.samples;
    sessionStorage.setItem("monitor.token", token);
    wait = FIRST_WAIT;
    element("entrance").hidden = true;
    element("shown").hidden = false;
    tell("open", "Connected");
  } else {
    samples = [...samples, message.sample].slice(-KEPT);
  }
  show();
}

function lose(code, token) {
  if (code === POLICY_VIOLATION) {
    sessionStorage.removeItem("monitor.token");
    ask("That is not the token.");
    return;
  }
  tell("closed", "Reconnecting");
  setTimeout(() => connect(token), wait * (0.75 + Math.random() / 2));
  wait = Math.min(2 * wait, LONGEST_WAIT);
}

function ask(wrong = "") {
  tell("closed", "Not connected");
  element("shown").hidden = true;
  element("entrance").hidden = false;
  element("wrong").textContent = wrong;
  element("token").value = "";
  element("token").focus();
}

element("entrance").addEventListener("submit", (event) => {
  event.preventDefault();
  connect(element("token").value);
});

const given = location.hash.startsWith("#token=") ? decodeURIComponent(location.hash.slice(7)) : null;
if (given !== null) history.replaceState(null, "", location.pathname);
const known = given ?? sessionStorage.getItem("monitor.token");
if (known === null) ask();
else connect(known);
