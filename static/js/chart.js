// Training and validation loss by epoch, or by any continuous quantity, drawn with uPlot. Colours follow the page's variables.

import { decimal } from "./format.js";

// uPlot comes minified only as a classic script, which runs before this module.
const { uPlot } = /** @type {Window & { uPlot?: any }} */ (window);

const HEIGHT = 260;

const probe = document.createElement("i");
probe.hidden = true;
document.body.append(probe);

/** Return the colour of a token in the theme of now. The token itself may hold two, as light-dark(). */
function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/** Return the first epoch with the lowest validation loss, or null if there are no epochs. */
export function bestOf(epochs) {
  let best = null;
  for (const row of epochs) if (!best || row.validation_loss < best.validation_loss) best = row;
  return best;
}

/** Return axis labels with one to three decimals: the fewest that show each value exactly. */
export function lossLabels(splits) {
  const isExact = (decimals) => {
    const scale = 10 ** decimals;
    return splits.every((value) => Math.abs(value - Math.round(value * scale) / scale) < 1e-7);
  };
  const decimals = [1, 2].find(isExact) ?? 3;
  return splits.map((value) => decimal(value, decimals));
}

export class LossChart {
  /**
   * @param place
   * @param {object} options
   * @param {boolean} options.isLive whether an epoch may be running
   * @param {boolean} [options.isContinuous] the `epoch` of a row is any number, such as minutes
   * @param {((epoch: number) => void) | null} [options.onPick] gets the epoch under the pointer or the finger; 0 is before the training
   */
  constructor(place, { isLive, isContinuous = false, onPick = null }) {
    this.place = place;
    this.isLive = isLive;
    this.isContinuous = isContinuous;
    this.rows = [];
    this.now = null;
    /** A line for each epoch: points of epochs trained so far and the smoothed loss there. */
    this.trails = [];
    /** Whether every epoch has its trail, so that they are one line. */
    this.hasTrails = false;
    this.epochs = 1;
    this.marked = null;
    this.plot = new uPlot(this.#options(), [[], [], []], place);
    new ResizeObserver(() => this.plot.setSize({ width: this.#width(), height: HEIGHT })).observe(place);
    const redraw = () => this.plot.redraw(false, true);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    if (onPick) for (const kind of ["pointermove", "pointerdown"]) place.addEventListener(kind, (event) => onPick(this.#under(event)));
  }

  /** Mark an epoch by a vertical line; null marks none. */
  mark(epoch) {
    if (this.marked === epoch) return;
    this.marked = epoch;
    this.plot.redraw(false, true);
  }

  /** Return the epoch closest to the pointer, from 0. */
  #under(event) {
    const at = this.plot.posToVal(event.clientX - this.plot.over.getBoundingClientRect().left, "x");
    return Math.max(0, Math.min(this.rows.at(-1)?.epoch ?? 0, Math.round(at)));
  }

  /**
   * @param rows epochs in order, each with its `trail` if it is known
   * @param now `{at, loss, trail}` of the running epoch, or null
   */
  show(rows, now, epochs) {
    this.rows = rows;
    this.now = now;
    this.epochs = epochs;
    this.trails = rows.map((row) => row.trail ?? []);
    if (now?.trail) this.trails.push([...now.trail, [now.at, now.loss]]);
    this.hasTrails = rows.every((row) => row.trail?.length);
    this.plot.setData([
      rows.map((row) => row.epoch),
      rows.map((row) => this.#trainLoss(row)),
      rows.map((row) => row.validation_loss),
    ]);
  }

  /** Return the training loss at an epoch: where the line through the epochs is, or else the epoch's mean. */
  #trainLoss(row) {
    return this.hasTrails ? row.trail.at(-1)[1] : row.train_loss;
  }

  #width() {
    return Math.max(200, this.place.clientWidth);
  }

  #epochRange() {
    if (this.isContinuous) return [0, this.epochs * 1.02];
    // Starts at 0 while an epoch may be running, so that it has room to move.
    const first = this.isLive ? 0 : this.epochs > 1 ? 0.85 : 0.5;
    return [first, this.epochs > 1 ? this.epochs + 0.15 : 1.5];
  }

  #lossRange() {
    const losses = this.rows.flatMap((row) => [this.#trainLoss(row), row.validation_loss]);
    losses.push(...this.trails.flat().map(([, loss]) => loss));
    if (this.now) losses.push(this.now.loss);
    if (losses.length === 0) return [0, 4];
    const [low, high] = [Math.min(...losses), Math.max(...losses)];
    const room = Math.max(0.05, (high - low) * 0.18);
    return [Math.max(0, low - room), high + room];
  }

  #options() {
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const axis = {
      stroke: () => colour("--muted"),
      grid: { stroke: () => colour("--line"), width: 1 },
      ticks: { show: false },
      font,
    };
    const line = (label, name, dash) => ({
      label,
      stroke: () => colour(name),
      width: 2.5,
      dash,
      points: { show: true, size: 7, width: 0, stroke: () => colour(name), fill: () => colour(name) },
    });
    return {
      width: this.#width(),
      height: HEIGHT,
      padding: [18, 16, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: false, range: () => this.#epochRange() },
        y: { range: () => this.#lossRange() },
      },
      axes: [
        {
          ...axis,
          size: 34,
          ...(this.isContinuous
            ? {}
            : { splits: () => Array.from({ length: Math.max(this.epochs, 1) }, (_, index) => index + 1) }),
          values: (_, splits) => splits.map((value) => decimal(value, 3, 0)),
        },
        { ...axis, size: 46, values: (_, splits) => lossLabels(splits) },
      ],
      series: [
        {},
        // The line through all that was trained takes the place of one from epoch to epoch.
        { ...line("training", "--train"), paths: (...at) => (this.hasTrails ? null : uPlot.paths.linear()(...at)) },
        line("validation", "--validation", [7, 5]),
      ],
      hooks: { draw: [(plot) => this.#marks(plot)] },
    };
  }

  #marks(plot) {
    const { ctx } = plot;
    const scale = devicePixelRatio;
    const best = bestOf(this.rows);
    ctx.save();
    if (this.marked !== null) {
      const x = Math.max(plot.bbox.left, plot.valToPos(this.marked, "x", true));
      ctx.strokeStyle = colour("--edge");
      ctx.lineWidth = scale;
      ctx.beginPath();
      ctx.moveTo(x, plot.bbox.top);
      ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
      ctx.stroke();
      this.#tell(plot, x);
    }
    if (best) {
      const x = plot.valToPos(best.epoch, "x", true);
      const y = plot.valToPos(best.validation_loss, "y", true);
      ctx.strokeStyle = colour("--validation");
      ctx.lineWidth = 2 * scale;
      ctx.beginPath();
      ctx.arc(x, y, 8.5 * scale, 0, 2 * Math.PI);
      ctx.stroke();
    }
    this.#drawTrails(plot);
    if (this.now) {
      const x = plot.valToPos(this.now.at, "x", true);
      const y = plot.valToPos(this.now.loss, "y", true);
      const before = this.isContinuous && this.rows.at(-1);
      if (before) {
        ctx.strokeStyle = colour("--train");
        ctx.globalAlpha = 0.5;
        ctx.lineWidth = 2 * scale;
        ctx.beginPath();
        ctx.moveTo(plot.valToPos(before.epoch, "x", true), plot.valToPos(this.#trainLoss(before), "y", true));
        ctx.lineTo(x, y);
        ctx.stroke();
      }
      ctx.fillStyle = colour("--train");
      ctx.globalAlpha = 0.25;
      ctx.beginPath();
      ctx.arc(x, y, 9 * scale, 0, 2 * Math.PI);
      ctx.fill();
      ctx.globalAlpha = 1;
      ctx.beginPath();
      ctx.arc(x, y, 4 * scale, 0, 2 * Math.PI);
      ctx.fill();
    }
    ctx.restore();
  }

  /** Write the losses of the marked epoch beside its line. The table has them for those who can't point. */
  #tell(plot, x) {
    const row = this.rows.find(({ epoch }) => epoch === this.marked);
    if (!row) return;
    const { ctx } = plot;
    const scale = devicePixelRatio;
    const isLeft = x > plot.bbox.left + plot.bbox.width * 0.7;
    ctx.font = `600 ${12 * scale}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = isLeft ? "right" : "left";
    const lines = [
      { loss: this.#trainLoss(row), name: "--train" },
      { loss: row.validation_loss, name: "--validation" },
    ];
    for (const [index, { loss, name }] of lines.entries()) {
      ctx.fillStyle = colour(name);
      ctx.fillText(decimal(loss, 3), x + (isLeft ? -8 : 8) * scale, plot.bbox.top + (12 + 16 * index) * scale);
    }
  }

  /** Trainings of earlier versions have a gap between two epochs: there, the mean began again. */
  #drawTrails(plot) {
    const { ctx } = plot;
    ctx.save();
    ctx.strokeStyle = colour("--train");
    ctx.globalAlpha = this.hasTrails ? 1 : 0.5;
    ctx.lineWidth = (this.hasTrails ? 2.5 : 1.5) * devicePixelRatio;
    ctx.lineJoin = "round";
    ctx.beginPath();
    for (const trail of this.trails) {
      trail.forEach(([at, loss], index) => {
        const place = [plot.valToPos(at, "x", true), plot.valToPos(loss, "y", true)];
        if (index) ctx.lineTo(...place);
        else ctx.moveTo(...place);
      });
    }
    ctx.stroke();
    ctx.restore();
  }
}
