// The table of losses and the chart beside it, drawn from the same rows.

import { LossChart, bestOf } from "./chart.js";
import { byId, element } from "./dom.js";
import { duration } from "./format.js";

export class Curve {
  /** @param epochs how many epochs are planned; @param isLive whether one may be under way */
  constructor(epochs, { isLive = false } = {}) {
    this.planned = epochs;
    this.chart = new LossChart(byId("chart"), { isLive });
    this.body = byId("losses").tBodies[0];
    this.drawn = "";
  }

  /** @param rows epochs in order; @param now `{at, loss, trail}` of the epoch under way, or null */
  show(rows, now = null) {
    const key = JSON.stringify(rows.map((row) => [row.epoch, row.train_loss, row.validation_loss]));
    if (key !== this.drawn) {
      this.drawn = key;
      const best = bestOf(rows);
      this.body.replaceChildren(
        ...rows.map((row) => {
          const isBest = row === best;
          const cells = [row.train_loss.toFixed(3), row.validation_loss.toFixed(3), row.bits_per_character.toFixed(3)];
          return element(
            "tr",
            { className: isBest ? "best" : "" },
            element("th", { scope: "row" }, String(row.epoch), ...(isBest ? [" ", element("span", { className: "best-mark" }, "best")] : [])),
            ...cells.map((text) => element("td", { className: "num" }, text)),
            element("td", { className: "num" }, duration(row.seconds)),
          );
        }),
      );
      byId("losses").hidden = rows.length === 0;
      if (best) {
        byId("chart").setAttribute(
          "aria-label",
          `Training and validation loss by epoch. Best so far: epoch ${best.epoch} with a validation loss of ` +
            `${best.validation_loss.toFixed(3)}. The same numbers are in the table below.`,
        );
      }
    }
    this.chart.show(rows, now, Math.max(this.planned, rows.length));
  }
}
