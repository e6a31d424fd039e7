// Avatars: a name's initials on a colour of its own, drawn right here, without any outside service.

const segmenter = new Intl.Segmenter();

function firstSign(word) {
  return segmenter.segment(word)[Symbol.iterator]().next().value?.segment ?? "";
}

/** The first sign of the first word, and of the last: "Ana María Ruiz" has "AR". */
export function initials(name) {
  const words = name.split(/\s+/u).filter((word) => /[\p{L}\p{N}\p{S}]/u.test(word));
  const ends = words.length > 1 ? [words[0], words.at(-1)] : [words[0] ?? name];
  return ends.map((word) => firstSign(word.replace(/^[^\p{L}\p{N}\p{S}]+/u, ""))).join("").toUpperCase();
}

// Degrees that the eye tells apart.
const HUES = [20, 50, 80, 115, 150, 185, 225, 260, 295, 330];

/** A hue, always the same for a name (FNV-1a). */
export function hue(name) {
  let hash = 0x811c9dc5;
  for (const sign of name.toLowerCase()) {
    hash = Math.imul(hash ^ sign.codePointAt(0), 0x01000193) >>> 0;
  }
  return HUES[((hash ^ (hash >>> 15)) >>> 0) % HUES.length];
}

/** Make an element show the avatar of a name. */
export function draw(element, name) {
  element.textContent = initials(name);
  paint(element, name);
  return element;
}

/** Give an element the colour of a name. Set through the object model, which the page's policy allows. */
export function paint(element, name) {
  element.style.setProperty("--hue", hue(name));
}
