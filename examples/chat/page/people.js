// Who is here, and who is writing.

import { draw } from "./avatars.js";
import { bdi, element, make } from "./elements.js";

const IN_THE_STACK = 3;

/** Show who is here. */
export function showPeople(names, me) {
  const others = names.filter((name) => name !== me).sort((a, b) => a.localeCompare(b));
  const all = names.includes(me) ? [me, ...others] : others;
  element("people").replaceChildren(...all.map((name) => person(name, me)));
  element("people-count").textContent = all.length;
  element("crowd-count").textContent = all.length;
  element("crowd").replaceChildren(...[...all.slice(1), ...all.slice(0, 1)].slice(0, IN_THE_STACK).map(avatar));
}

/** Show who is writing. */
export function showTyping(names) {
  element("typing").classList.toggle("active", names.length > 0);
  element("typing-text").replaceChildren(...whoIsTyping(names));
}

function person(name, me) {
  const you = name === me ? [make("span", "you", "you")] : [];
  return make("li", "", avatar(name), bdi(name), ...you);
}

function avatar(name) {
  const drawn = make("span", "avatar");
  drawn.ariaHidden = "true";
  return draw(drawn, name);
}

function whoIsTyping(names) {
  const [first, second] = names;
  switch (names.length) {
    case 0: return [];
    case 1: return [bdi(first), " is typing"];
    case 2: return [bdi(first), " and ", bdi(second), " are typing"];
    default: return [bdi(first), ` and ${names.length - 1} others are typing`];
  }
}
