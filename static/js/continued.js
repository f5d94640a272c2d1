// The same openings, continued before the training and after each epoch: a row for each opening, a column for each epoch.

import { all, byId, element, show, tableById } from "./dom.js";
import { gettext, interpolate } from "./words.js";

export class Continued {
  #words;
  #onMark;
  #drawn = "";
  #marked = null;

  /**
   * @param words the sentences of the unit (units.js)
   * @param {(epoch: number) => void} onMark gets the epoch of a column that is marked; 0 is before the training
   */
  constructor(words, onMark) {
    this.#words = words;
    this.#onMark = onMark;
  }

  /**
   * @param {Record<string, string>} before
   * @param rows epochs in order; those of earlier versions continue nothing
   */
  show(before, rows) {
    const columns = [{ epoch: 0, continued: before }, ...rows].filter(({ continued }) => Object.keys(continued ?? {}).length);
    const key = JSON.stringify(columns.map(({ epoch, continued }) => [epoch, continued]));
    if (key === this.#drawn) return;
    this.#drawn = key;
    const openings = [...new Set(columns.flatMap(({ continued }) => Object.keys(continued)))];
    const table = tableById("continued");
    const place = table.parentElement;
    // The newest column stays in view, unless somebody has scrolled back.
    const isAtEnd = place.scrollLeft + place.clientWidth >= place.scrollWidth - 4;
    const focused = /** @type {HTMLElement | null} */ (document.activeElement?.closest("#continued button"))?.dataset.epoch;
    table.tHead.rows[0].replaceChildren(table.tHead.rows[0].cells[0], ...columns.map(({ epoch }) => this.#head(epoch)));
    table.tBodies[0].replaceChildren(
      ...openings.map((opening) =>
        element("tr", {}, element("th", { scope: "row", dir: "auto" }, `${opening}…`), ...columns.map((column) => cell(opening, column))),
      ),
    );
    show(byId("continued-card"), columns.length > 0);
    if (isAtEnd) place.scrollLeft = place.scrollWidth;
    if (focused) /** @type {HTMLElement | null} */ (table.querySelector(`button[data-epoch="${focused}"]`))?.focus();
    this.#paint();
  }

  /** Mark an epoch's column, and its sample posts where the page has them; scroll the column into view. */
  mark(epoch) {
    if (epoch === this.#marked) return;
    this.#marked = epoch;
    this.#paint();
    this.#onMark(epoch);
    const head = tableById("continued").querySelector(`th[data-epoch="${epoch}"]`);
    if (!head) return;
    const place = head.closest(".scroll");
    const [column, frame] = [head.getBoundingClientRect(), place.getBoundingClientRect()];
    const first = place.querySelector("th").getBoundingClientRect().width;
    if (column.right > frame.right) place.scrollLeft += column.right - frame.right;
    else if (column.left < frame.left + first) place.scrollLeft -= frame.left + first - column.left;
  }

  #head(epoch) {
    const text = epoch ? interpolate(this.#words.column, { epoch }) : gettext("Before");
    const button = element("button", { type: "button", className: "ghost small", "data-epoch": String(epoch) }, text);
    for (const kind of ["focus", "pointerenter", "click"]) button.addEventListener(kind, () => this.mark(epoch));
    return element("th", { scope: "col", "data-epoch": String(epoch) }, button);
  }

  #paint() {
    const marked = String(this.#marked);
    for (const node of all("#continued :is(th, td)[data-epoch], .epoch-samples")) {
      node.classList.toggle("marked", node.dataset.epoch === marked);
    }
    for (const button of all("#continued button")) button.setAttribute("aria-pressed", String(button.dataset.epoch === marked));
  }
}

/** Return the cell of an opening: the opening itself, dimmed, then what the model made of it. */
function cell(opening, { epoch, continued }) {
  const post = continued[opening];
  const parts = post?.startsWith(opening)
    ? [element("span", { className: "opening" }, opening), post.slice(opening.length)]
    : [post ?? "–"];
  return element("td", { "data-epoch": String(epoch), dir: "auto" }, ...parts);
}
