// Menus: the account's, and the filters of the administration's lists. A click elsewhere or Escape closes them.

import { targetOf } from "./dom.js";

const openMenus = () => /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll("details[data-menu][open]"));

document.addEventListener("click", (click) => {
  const target = targetOf(click);
  for (const menu of openMenus()) {
    if (!menu.contains(target)) menu.open = false;
  }
});

document.addEventListener("keydown", (key) => {
  if (key.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
