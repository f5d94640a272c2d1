// Opens a TensorFlow.js download with TensorFlow.js and prints the logits after each symbol of each text.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);
const core = require("@tensorflow/tfjs-core");
require("@tensorflow/tfjs-backend-cpu");
const { loadGraphModel } = require("@tensorflow/tfjs-converter");

const { folder, texts } = JSON.parse(readFileSync(0, "utf8"));
const bot = await import(pathToFileURL(`${folder}/bot.mjs`));
const described = JSON.parse(readFileSync(`${folder}/model.json`, "utf8"));
const manifest = described.weightsManifest[0];
const data = readFileSync(`${folder}/${manifest.paths[0]}`);
const model = await loadGraphModel(
  core.io.fromMemory({
    modelTopology: described.modelTopology,
    signature: described.signature,
    userDefinedMetadata: described.userDefinedMetadata,
    weightSpecs: manifest.weights,
    weightData: data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength),
  }),
);
const found = [];
// Each text is its symbols, the start mark first.
for (const [start, ...symbols] of texts) {
  const logits = [];
  const post = [];
  let states = bot.start();
  for (const symbol of [start, ...symbols]) {
    if (logits.length) post.push(symbol);
    let last;
    [last, states] = await bot.step(core, model, symbol, post, states);
    logits.push(Array.from(last));
  }
  found.push(logits);
}
const left = core.memory().numTensors;
const file = `${folder}/tokenizer.json`;
const tokens = existsSync(file) ? bot.bytesOf(JSON.parse(readFileSync(file, "utf8"))) : undefined;
const post = await bot.write(core, model, 0.9, 40, tokens);
const grown = core.memory().numTensors - left;
console.log(JSON.stringify({ found, post, grown, tokens, metadata: model.metadata }));
