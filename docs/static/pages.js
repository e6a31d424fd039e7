// What scrolls sideways can be scrolled by the keyboard too: code, wide tables, and the picture of the measurements.
function look() {
  for (const each of document.querySelectorAll("pre, .table-wrapper, p:has(> img)")) {
    if (each.scrollWidth > each.clientWidth) each.tabIndex = 0;
    else each.removeAttribute("tabindex");
  }
}
addEventListener("load", look);
addEventListener("resize", look);

// The two columns beside the page, by name.
document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "All pages");
document.querySelector(".toc-drawer")?.setAttribute("aria-label", "On this page");
