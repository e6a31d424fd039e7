// Text with its links made clickable. What is no link stays text. Each sign is looked at a bounded number of times,
// whatever the text is: it comes from somebody else.

// Neither white space, nor quotes, nor the signs that turn the direction of text and could disguise an address.
const ADDRESS = /\bhttps?:\/\/[^\s<>"“”\u200e\u200f\u202a-\u202e\u2066-\u2069]{1,2000}/giu;
const MAX_LINKS = 200; // in one message
const CLOSES = { ")": "(", "]": "[" };
const ENDS_A_SENTENCE = new Set(".,:;!?'’…*_~");

/** A fragment that says `text`; of `budget` one is taken for each link. */
export function withLinks(text, budget = { left: MAX_LINKS }) {
  const fragment = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    if (budget.left <= 0) break;
    const address = trimmed(match[0]);
    if (!isWeb(address)) continue;
    fragment.append(text.slice(end, match.index), link(address));
    end = match.index + address.length;
    budget.left -= 1;
  }
  fragment.append(text.slice(end));
  return fragment;
}

// A full stop that ends the sentence is not the address's, nor is a bracket that was opened before it.
function trimmed(address) {
  const count = {};
  for (const sign of address) count[sign] = (count[sign] ?? 0) + 1;
  let end = address.length;
  for (; end > 0; end -= 1) {
    const sign = address[end - 1];
    const opening = CLOSES[sign];
    if (opening !== undefined && count[sign] > (count[opening] ?? 0)) count[sign] -= 1;
    else if (!ENDS_A_SENTENCE.has(sign)) break;
  }
  return address.slice(0, end);
}

function isWeb(address) {
  return URL.canParse(address) && /^https?:$/u.test(new URL(address).protocol);
}

function link(address) {
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.rel = "noopener noreferrer nofollow";
  anchor.target = "_blank";
  anchor.textContent = address;
  return anchor;
}
