// What somebody wrote, as elements: links, `code`, **bold** and lists. Nothing here is ever read as markup, and each
// sign is looked at a bounded number of times, whatever the text is: it comes from somebody else.

import { make } from "./elements.js";
import { withLinks } from "./links.js";

const PART = /`([^`\n]{1,2000})`|\*\*([^*\n]{1,2000})\*\*/gu;
const ITEM = /^(?:[-*•]|(\d{1,3})[.)]) +(?=\S)/u;
const FENCE = /^```\w{0,20}$/u;
const MAX_PARTS = 400; // in one message: what comes behind them is plain text

/** A fragment that says `text`. */
export function withParts(text) {
  const fragment = document.createDocumentFragment();
  const budget = { left: MAX_PARTS };
  let plain = []; // lines that are neither code nor a list
  const flush = () => {
    if (plain.length > 0) inline(plain.join("\n"), fragment, budget);
    plain = [];
  };
  for (const block of blocks(text)) {
    if (block.kind === "line") {
      if (block.text !== "" || plain.length > 0 || !fragment.hasChildNodes()) plain.push(block.text);
      continue;
    }
    budget.left -= block.lines.length;
    while (plain.at(-1) === "") plain.pop(); // a block stands apart by itself
    flush();
    fragment.append(block.kind === "code" ? make("pre", "", make("code", "", block.lines.join("\n"))) : list(block, budget));
  }
  flush();
  return fragment;
}

function* blocks(text) {
  const lines = text.split("\n");
  let parts = 0;
  for (let at = 0; at < lines.length; at += 1) {
    if (parts > MAX_PARTS) {
      yield { kind: "line", text: lines.slice(at).join("\n") };
      return;
    }
    const end = FENCE.test(lines[at]) ? lines.indexOf("```", at + 1) : -1;
    const count = end > at ? end - at + 1 : itemsFrom(lines, at);
    if (end > at) yield { kind: "code", lines: lines.slice(at + 1, end) };
    else if (count > 0) yield { kind: "list", lines: lines.slice(at, at + count) };
    else yield { kind: "line", text: lines[at] };
    // A fence without an end is looked for once.
    if (end < 0 && FENCE.test(lines[at])) parts += MAX_PARTS / 8;
    parts += count;
    at += Math.max(0, count - 1);
  }
}

// How many lines from here on are a list: two at least, all with numbers or all without.
function itemsFrom(lines, from) {
  const isNumbered = ITEM.exec(lines[from])?.[1] !== undefined;
  let at = from;
  while (at < lines.length && at - from < MAX_PARTS) {
    const item = ITEM.exec(lines[at]);
    if (item === null || (item[1] !== undefined) !== isNumbered) break;
    at += 1;
  }
  return at - from >= 2 ? at - from : 0;
}

function list({ lines }, budget) {
  const first = ITEM.exec(lines[0])[1];
  const made = make(first === undefined ? "ul" : "ol", "");
  if (first !== undefined) made.start = Number(first);
  for (const line of lines) {
    const item = make("li", "");
    inline(line.replace(ITEM, ""), item, budget);
    made.append(item);
  }
  return made;
}

function inline(text, parent, budget) {
  let end = 0;
  for (const match of text.matchAll(PART)) {
    const [whole, code, bold] = match;
    if (budget.left <= 0) break;
    if (bold !== undefined && bold.trim() !== bold) continue;
    parent.append(withLinks(text.slice(end, match.index), budget), code === undefined ? strong(bold, budget) : make("code", "", code));
    end = match.index + whole.length;
    budget.left -= 1;
  }
  parent.append(withLinks(text.slice(end), budget));
}

function strong(text, budget) {
  return make("strong", "", withLinks(text, budget));
}
