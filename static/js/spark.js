// The small curve on a bot's card.

import { all } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

for (const spark of all("svg[data-losses]")) {
  const width = Math.max(60, spark.clientWidth);
  spark.setAttribute("viewBox", `0 0 ${width} 40`);
  const losses = spark.dataset.losses.trim().split(/\s+/).map(Number);
  const [low, high] = [Math.min(...losses), Math.max(...losses)];
  const points = losses.map((loss, index) => [
    4 + (index / (losses.length - 1)) * (width - 8),
    high > low ? 5 + ((high - loss) / (high - low)) * 30 : 20,
  ]);
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("points", points.map((point) => point.map((value) => value.toFixed(1)).join(",")).join(" "));
  const best = points[losses.indexOf(low)];
  const dot = document.createElementNS(SVG, "circle");
  dot.setAttribute("cx", best[0].toFixed(1));
  dot.setAttribute("cy", best[1].toFixed(1));
  dot.setAttribute("r", "4");
  spark.append(line, dot);
}
