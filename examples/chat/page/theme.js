"use strict";

// Runs before the page is drawn, so that nobody who chose the dark face is dazzled by the light one.
{
  let chosen = null;
  try {
    chosen = JSON.parse(localStorage.getItem("chat.theme"));
  } catch {
    // The browser keeps nothing for this page: then it is as the system has it.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
