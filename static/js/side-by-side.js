// Several bots, or one at several temperatures, write into columns at the same time, with the same seed.

import { element } from "./dom.js";
import { fail, writeInto } from "./streams.js";
import { said } from "./temperatures.js";
import { gettext } from "./words.js";

/** The most posts in a column. */
const MAX_POSTS = 5;

/**
 * Write into a column for each entry.
 * @param {HTMLElement} place
 * @param {FormData} common what all columns have in common
 * @param {{action: string, temperature: number, usual: number, title: string}[]} columns
 */
export async function sideBySide(place, common, columns) {
  const seed = String(common.get("seed") || Math.floor(Math.random() * 2 ** 31));
  const grid = element("div", { className: "side-by-side" });
  place.replaceChildren(grid);
  await Promise.all(
    columns.map(({ action, temperature, usual, title }) => {
      const body = copyOf(common);
      body.set("seed", seed);
      body.set("count", String(Math.min(Number(common.get("count")) || 3, MAX_POSTS)));
      body.set("temperature", String(temperature));
      const name = element("h3", {}, `${title} `, element("span", { className: "badge" }, gettext("AI")));
      const head = element("div", {}, name, element("p", { className: "quiet" }, said(temperature, usual)));
      const posts = element("div");
      const label = `${title}, ${said(temperature, usual)}`;
      const column = element("section", { className: "column" }, element("div", { className: "column-head" }, head), posts);
      column.setAttribute("aria-label", label);
      grid.append(column);
      return writeInto(posts, { action, body }).catch(() => fail(posts, gettext("Can’t reach the server. Try again.")));
    }),
  );
  return seed;
}

/** Return the three columns of one bot. `three`: its temperatures, separated by spaces; the second is the usual one. */
export function threeTemperatures(action, three) {
  const titles = [gettext("Careful"), gettext("Natural"), gettext("Wild")];
  const [careful, usual, wild] = three.trim().split(" ").map(Number);
  return [careful, usual, wild].map((temperature, place) => ({ action, temperature, usual, title: titles[place] }));
}

function copyOf(values) {
  const copy = new FormData();
  for (const [name, value] of values) copy.append(name, value);
  return copy;
}

