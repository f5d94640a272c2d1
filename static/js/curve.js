// The table of losses and the chart beside it, drawn from the same epochs.

import { LossChart } from "./chart.js";
import { Continued } from "./continued.js";
import { byId } from "./dom.js";
import { decimal, duration } from "./format.js";
import { LossTable } from "./loss-table.js";
import { sentencesOf } from "./units.js";
import { gettext, interpolate } from "./words.js";

const cellsOf = (row) => [
  String(row.epoch),
  ...[row.train_loss, row.validation_loss, row.bits_per_character].map((value) => decimal(value, 3)),
  duration(row.seconds),
];

const labelOf = (unit) => (best) => {
  const text =
    unit === "part"
      ? gettext("Training and validation loss by part. Lowest validation loss so far: %(loss)s after part %(epoch)s.")
      : gettext("Training and validation loss by epoch. Lowest validation loss so far: %(loss)s after epoch %(epoch)s.");
  return interpolate(text, { epoch: best.epoch, loss: decimal(best.validation_loss, 3) });
};

export class Curve {
  /** @param epochs the number of planned epochs; @param isLive whether an epoch may be running */
  constructor(epochs, { isLive = false } = {}) {
    this.planned = epochs;
    const { unit } = byId("chart").dataset;
    this.chart = new LossChart(byId("chart"), { isLive, onPick: (epoch) => this.continued.mark(epoch) });
    this.continued = new Continued(sentencesOf(unit), (epoch) => this.chart.mark(epoch));
    this.table = new LossTable(cellsOf, labelOf(unit));
  }

  /**
   * @param rows epochs in order
   * @param now `{at, loss, trail}` of the running epoch, or null
   * @param {Record<string, string>} before what the starting model wrote after the openings
   */
  show(rows, now = null, before = {}) {
    this.table.show(rows);
    this.continued.show(before, rows);
    this.chart.show(rows, now, Math.max(this.planned, rows.length));
  }
}
