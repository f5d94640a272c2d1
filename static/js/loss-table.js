// The table of losses beside a chart, one row for each validation.

import { bestOf } from "./chart.js";
import { byId, element, show, tableById } from "./dom.js";
import { gettext } from "./words.js";

export class LossTable {
  #cellsOf;
  #labelOf;
  #drawn = "";

  /**
   * @param {(row: any) => string[]} cellsOf the texts of a row; the first one is its heading
   * @param {(best: any) => string} labelOf describes the chart for screen readers
   */
  constructor(cellsOf, labelOf) {
    this.#cellsOf = cellsOf;
    this.#labelOf = labelOf;
  }

  /** @param rows in order */
  show(rows) {
    const best = bestOf(rows);
    const texts = rows.map(this.#cellsOf);
    const key = JSON.stringify([texts, rows.indexOf(best)]);
    if (key === this.#drawn) return;
    this.#drawn = key;
    tableById("losses").tBodies[0].replaceChildren(...texts.map((cells, index) => this.#row(cells, rows[index] === best)));
    show(byId("losses"), rows.length > 0);
    if (best) byId("chart").setAttribute("aria-label", `${this.#labelOf(best)} ${gettext("The table below has the same numbers.")}`);
  }

  #row([head, ...cells], isBest) {
    const mark = isBest ? [" ", element("span", { className: "best-mark" }, gettext("best"))] : [];
    return element(
      "tr",
      { className: isBest ? "best" : "" },
      element("th", { scope: "row" }, head, ...mark),
      ...cells.map((text) => element("td", { className: "num" }, text)),
    );
  }
}
