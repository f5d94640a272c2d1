// The worker in which a bot writes. It gets a bot to load, then what to write; each answer is a message to the page.

import { guardOf } from "./guard.js";
import { networkOf } from "./networks.js";
import { Sampler, troubleWith } from "./sampler.js";
import { vectorMatrices } from "./simd.js";
import { kept, tidy } from "./store.js";
import { unpack } from "./wire.js";

/** Milliseconds of writing between two looks for messages. */
const SLICE = 40;

/** @type {Sampler | null} */
let sampler = null;
let house = [];
/** The newest load and the addresses of its files. What an older one brings is out of date. */
let newest = { load: 0, addresses: [] };
/** The request that is being written; a newer one ends it. */
let current = 0;

/** Let messages in. */
const pause = () =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = resolve;
    port2.postMessage(null);
  });

async function load({ load: own, cache, weights, guard, house: phrases }) {
  newest = { load: own, addresses: [weights, guard] };
  const [file, guarded] = await Promise.all([
    kept(cache, weights, (loaded, total) => postMessage({ kind: "loading", load: own, loaded, total })),
    kept(cache, guard),
  ]);
  await tidy(cache, newest.addresses);
  const make = await vectorMatrices();
  if (newest.load !== own) return;
  house = phrases;
  sampler = new Sampler(networkOf(unpack(file), make ?? undefined), { guard: guardOf(guarded), house });
  postMessage({ kind: "ready", load: own, usesVectors: Boolean(make) });
}

async function write({ request, sampling }) {
  current = request;
  const trouble = troubleWith(sampling, house);
  if (trouble) return postMessage({ kind: "refused", request, trouble });
  const began = performance.now();
  let looked = began;
  const writing = sampler.write(sampling);
  for (;;) {
    const { value, done } = writing.next();
    if (done) return postMessage({ kind: "done", request, ...value, ms: performance.now() - began });
    if (value !== null) postMessage({ kind: "post", request, post: value });
    if (performance.now() - looked > SLICE) {
      await pause();
      if (current !== request) return;
      looked = performance.now();
    }
  }
}

const actions = {
  load,
  write,
  stop: async () => {
    current = 0;
  },
};

addEventListener("message", ({ data }) => {
  actions[data.kind](data).catch((error) => postMessage({ kind: "failed", load: data.load, message: String(error) }));
});
