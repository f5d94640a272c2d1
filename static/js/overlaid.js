// The curves of several bots in one chart. The table below is its legend.

import { lossLabels } from "./chart.js";
import { byId, readJson } from "./dom.js";

// uPlot comes minified only as a classic script, which runs before this module.
const { uPlot } = /** @type {Window & { uPlot?: any }} */ (window);
const HEIGHT = 320;

const lines = readJson("overlaid-lines");
const place = byId("overlaid");
if (lines && place) draw();

function draw() {
  const numbers = [...new Set(lines.flatMap(({ points }) => points.map(([number]) => number)))].sort((a, b) => a - b);
  const columns = lines.map(({ points }) => {
    const found = new Map(points);
    return numbers.map((number) => found.get(number) ?? null);
  });
  const last = numbers.at(-1);
  const axis = { stroke: () => colour("--muted"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, font: `12px ${getComputedStyle(document.body).fontFamily}` };
  const plot = new uPlot(
    {
      width: width(),
      height: HEIGHT,
      padding: [18, 16, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: () => (last > 1 ? [0.85, last + 0.15] : [0.5, 1.5]) } },
      axes: [
        { ...axis, size: 34, splits: () => numbers, values: (_, splits) => splits.map(String) },
        { ...axis, size: 46, values: (_, splits) => lossLabels(splits) },
      ],
      series: [{}, ...lines.map(({ name }, index) => line(name, index))],
    },
    [numbers, ...columns],
    place,
  );
  new ResizeObserver(() => plot.setSize({ width: width(), height: HEIGHT })).observe(place);
  const redraw = () => plot.redraw(false, true);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}

function line(label, index) {
  const stroke = () => colour(`--line-${index}`);
  // Every other line is dashed, so colour isn't all that tells them apart.
  return { label, stroke, width: 2.5, dash: index % 2 ? [7, 5] : undefined, spanGaps: true, points: { show: true, size: 7, width: 0, stroke, fill: stroke } };
}

/** Return the colour of a token in the theme of now, as the swatch of the table has it. */
function colour(name) {
  const probe = document.createElement("i");
  probe.hidden = true;
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function width() {
  return Math.max(200, place.clientWidth);
}
