// Runs what a page runs, for tests/ml/test_in_browser.py: reads tasks as JSON, and writes their results.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { scripts, file, vectors, tasks } = JSON.parse(readFileSync(0, "utf8"));
const load = (name) => import(pathToFileURL(`${scripts}/${name}.js`).href);
const [networks, sampler, wire, simd, random, spelling, bans, guards, personal] = await Promise.all(
  ["networks", "sampler", "wire", "simd", "random", "spelling", "bans", "guard", "personal"].map(load),
);
const bytes = (path) => new Uint8Array(readFileSync(path)).buffer;
const make = vectors ? await simd.vectorMatrices() : undefined;
if (vectors && !make) throw new Error("no vectors");
const network = file && networks.networkOf(wire.unpack(bytes(file)), make);

function written({ sampling, guard, house }) {
  const drawing = new sampler.Sampler(network, { guard: guard ? guards.guardOf(bytes(guard)) : null, house: house ?? [] }).write(sampling);
  const ended = [];
  for (let next = drawing.next(); ; next = drawing.next()) {
    if (next.done) return { ...next.value, ended };
    if (next.value !== null) ended.push(next.value);
  }
}

/** The bits of each symbol of the text and of its end mark. */
function bitsOf({ text }) {
  const state = network.start();
  const { end } = network.vocabulary;
  const symbols = [end, ...network.vocabulary.encode(text), end];
  return symbols.slice(1).map((wanted, place) => {
    const logits = network.step([symbols[place]], [state]);
    const most = Math.max(...logits);
    const sum = logits.reduce((total, logit) => total + Math.exp(logit - most), 0);
    return (Math.log(sum) - (logits[wanted] - most)) / Math.LN2;
  });
}

const answers = {
  written,
  encoded: ({ texts }) => texts.map((text) => network.vocabulary.encode(text)),
  bits: bitsOf,
  numbers: ({ seed, count }) => {
    const numbers = new random.Random(BigInt(seed));
    return Array.from({ length: count }, () => numbers.next());
  },
  words: ({ texts }) => texts.map(spelling.wordsOf),
  mentions: ({ posts }) => posts.map(([post, prompt]) => spelling.addsMention(post, prompt)),
  banned: ({ phrases, texts }) => {
    const lists = [new bans.BanList(phrases), new bans.HouseBanList(phrases)];
    return texts.map((text) => lists.map((list) => list.finds(text) ?? null));
  },
  copies: ({ guard, texts }) => {
    const found = guards.guardOf(bytes(guard));
    return texts.map((text) => Boolean(found.isCopy(text)));
  },
  personal: ({ posts }) => posts.map(([post, prompt]) => personal.addsPersonal(post, prompt)),
};
process.stdout.write(JSON.stringify(tasks.map((task) => answers[task.what](task))));
