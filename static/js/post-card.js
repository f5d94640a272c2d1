// The card of a post that a bot has just written, from the page's template.

import { byId } from "./dom.js";

/**
 * Return an empty card, whose buttons are named after its number.
 * @param {number} number from 1
 */
export function cardOf(number) {
  const template = /** @type {HTMLTemplateElement} */ (byId("post-card"));
  const card = /** @type {HTMLElement} */ (template.content.firstElementChild.cloneNode(true));
  for (const button of card.querySelectorAll("button[aria-label]")) {
    button.setAttribute("aria-label", button.getAttribute("aria-label").replace("0", String(number)));
  }
  return card;
}
