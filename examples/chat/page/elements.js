// Elements: those of the page, and those that are made.

/** The element with this id. */
export function element(id) {
  return document.getElementById(id);
}

/** A new element with some text or elements in it. */
export function make(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** A copy of what is in a template. */
export function copyOf(template) {
  return element(template).content.firstElementChild.cloneNode(true);
}

/** An element that says a name, whose direction does not turn that of the words around it. */
export function bdi(name) {
  return make("bdi", "", name);
}
