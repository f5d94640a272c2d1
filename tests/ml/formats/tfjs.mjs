// Opens a TensorFlow.js download with TensorFlow.js and prints the logits after each byte of each text.
import { readFileSync } from "node:fs";
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
for (const text of texts) {
  const logits = [];
  const post = [];
  let states = bot.start();
  for (const byte of [255, ...new TextEncoder().encode(text)]) {
    if (byte !== 255) post.push(byte);
    let last;
    [last, states] = await bot.step(core, model, byte, post, states);
    logits.push(Array.from(last));
  }
  found.push(logits);
}
const left = core.memory().numTensors;
const post = await bot.write(core, model, 0.9, 40);
console.log(JSON.stringify({ found, post, grown: core.memory().numTensors - left, metadata: model.metadata }));
