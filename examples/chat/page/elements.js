// The elements of the page, and the one that holds a name.

/** The element with this id. */
export function element(id) {
  return document.getElementById(id);
}

/** An element that says a name, whose direction does not turn that of the words around it. */
export function bdi(name) {
  const said = document.createElement("bdi");
  said.textContent = name;
  return said;
}
