// Text with its links made clickable. What is no link stays text: nothing here is ever read as markup.

// Neither white space, nor quotes, nor the signs that turn the direction of text and could disguise an address.
const ADDRESS = /\bhttps?:\/\/[^\s<>"“”\u200e\u200f\u202a-\u202e\u2066-\u2069]+/giu;
const TRAILING = /[.,:;!?'’…*_~]+$/u;

/** A fragment that says `text`. */
export function withLinks(text) {
  const fragment = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);
    if (!isWeb(address)) continue;
    fragment.append(text.slice(end, match.index), link(address));
    end = match.index + address.length;
  }
  fragment.append(text.slice(end));
  return fragment;
}

// A full stop that ends the sentence is not the address's, nor is a bracket that was opened before it.
function trimmed(address) {
  let shorter = address.replace(TRAILING, "");
  while (/[)\]]$/u.test(shorter) && !isBalanced(shorter)) shorter = shorter.slice(0, -1).replace(TRAILING, "");
  return shorter;
}

function isBalanced(address) {
  const count = (sign) => address.split(sign).length;
  return count("(") >= count(")") && count("[") >= count("]");
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
