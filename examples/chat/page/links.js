// Addresses in text.

const CLOSES = { ")": "(", "]": "[" };
const ENDS_A_SENTENCE = new Set(".,:;!?'’…*_~`");

/** The web address that some text begins with, or null. A full stop that ends the sentence is not the address's. */
export function addressIn(text) {
  const address = trimmed(text);
  return URL.canParse(address) && /^https?:$/u.test(new URL(address).protocol) ? address : null;
}

// Nor is a bracket that was opened before it.
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

export function link(address) {
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.rel = "noopener noreferrer nofollow";
  anchor.target = "_blank";
  anchor.textContent = address;
  return anchor;
}
