// Small DOM helpers. Text is set through textContent only, because posts are untrusted.

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
 * Return all elements that match.
 * @param {string} selector
 */
export const all = (selector) => [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(selector))];

/**
 * Return the element that received the event.
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

/** Set an element's text, unless it already has that text. */
export function setText(node, text) {
  if (node && node.textContent !== text) node.textContent = text;
}

export function show(node, visible) {
  if (node && node.hidden === visible) node.hidden = !visible;
}

/** Return the data that json_script put on the page. */
export function readJson(id) {
  const node = byId(id);
  return node ? JSON.parse(node.textContent) : null;
}

/** Set a progress bar to a fraction from 0 to 1; null makes it indeterminate. */
export function setBar(bar, fraction) {
  if (fraction === null || fraction === undefined) bar.removeAttribute("value");
  else bar.value = Math.min(1, Math.max(0, fraction));
}
