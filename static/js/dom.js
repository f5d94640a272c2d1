// Small helpers. Texts go in through textContent only: posts are somebody else's.

/** @param {string} id */
export const byId = (id) => document.getElementById(id);
/** @param {string} id */
export const tableById = (id) => /** @type {HTMLTableElement} */ (byId(id));
/** @param {string} id */
export const linkById = (id) => /** @type {HTMLAnchorElement} */ (byId(id));
/** @param {string} id */
export const inputById = (id) => /** @type {HTMLInputElement} */ (byId(id));
/** @param {string} id */
export const buttonById = (id) => /** @type {HTMLButtonElement} */ (byId(id));
/** @param {string} id */
export const dialogById = (id) => /** @type {HTMLDialogElement} */ (byId(id));

/**
 * All elements that match.
 * @param {string} selector
 */
export const all = (selector) => [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(selector))];

/**
 * The element that an event happened to.
 * @param {Event} event
 */
export const targetOf = (event) => /** @type {HTMLElement} */ (event.target);

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** The text is in the element, and the page is not touched when it was there already. */
export function setText(node, text) {
  if (node && node.textContent !== text) node.textContent = text;
}

export function show(node, visible) {
  if (node && node.hidden === visible) node.hidden = !visible;
}

/** What json_script has put on the page. */
export function readJson(id) {
  const node = byId(id);
  return node ? JSON.parse(node.textContent) : null;
}

/** A bar at a fraction of 0 to 1; null is a bar that only says that something goes on. */
export function setBar(bar, fraction) {
  if (fraction === null || fraction === undefined) bar.removeAttribute("value");
  else bar.value = Math.min(1, Math.max(0, fraction));
}
