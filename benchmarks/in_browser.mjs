// What benchmarks/in_browser.py measures in JavaScript: posts by a packed bot, and the milliseconds of a symbol.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { scripts, file, vectors, sampling, side_by_side: counts, rounds } = JSON.parse(readFileSync(0, "utf8"));
const load = (name) => import(pathToFileURL(`${scripts}/${name}.js`).href);
const [{ networkOf }, { Sampler }, { unpack }, { vectorMatrices }] = await Promise.all(["networks", "sampler", "wire", "simd"].map(load));
const STEPS = 60;

const make = vectors ? await vectorMatrices() : undefined;
if (vectors && !make) throw new Error("This Node.js has no vectors.");
const network = networkOf(unpack(new Uint8Array(readFileSync(file)).buffer), make);

function written(one) {
  const drawing = new Sampler(network).write(one);
  for (;;) {
    const { value, done } = drawing.next();
    if (done) return value.posts;
  }
}

/** Return the fewest milliseconds of a symbol, of some rounds of this many posts side by side. */
function milliseconds(count) {
  const states = Array.from({ length: count }, () => network.start());
  const steps = Math.max(1, Math.floor(STEPS / count));
  const round = (number) => {
    const began = performance.now();
    for (let step = 0; step < steps; step += 1) network.step(Array(count).fill(97 + ((step + number) % 26)), states);
    return (performance.now() - began) / steps / count;
  };
  return Math.min(...Array.from({ length: rounds + 1 }, (_, number) => round(number)).slice(1));
}

process.stdout.write(JSON.stringify({ posts: sampling.map(written), milliseconds: counts.map(milliseconds) }));
