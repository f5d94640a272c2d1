// Opens the page on which a bot writes and its worker, without a browser, for tests/ml/test_in_browser.py: switches to
// the exact weights while the usual ones load, lets the files come in the given order, and writes.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { scripts, files, order, seed } = JSON.parse(readFileSync(0, "utf8"));
const address = (name) => `http://here/${name}/${name === "guard" ? name : "weights"}`;
const [weights, exact, guard] = ["usual", "exact", "guard"].map(address);
const bot = { cache: "bot:", weights, exact, guard, house: [], scripts: [] };

class Part {
  textContent = "";
  hidden = false;
  checked = false;
  dataset = {};
  attributes = new Map();
  listeners = {};
  parts = new Map();

  addEventListener = (kind, listener) => Object.assign(this.listeners, { [kind]: listener });
  getAttribute = (name) => this.attributes.get(name) ?? null;
  setAttribute = (name, value) => this.attributes.set(name, value);
  removeAttribute = (name) => this.attributes.delete(name);
  querySelector = (selector) => this.part(selector);
  querySelectorAll = () => [];
  cloneNode = () => new Part();
  append = () => {};
  replaceChildren = () => {};
  content = { firstElementChild: { cloneNode: () => new Part() } };

  part(name) {
    if (!this.parts.has(name)) this.parts.set(name, new Part());
    return this.parts.get(name);
  }
}

const page = new Part();
const byId = (id) => page.part(id);
const button = byId("in-browser-form").querySelector("button[type=submit]");
byId("bot").textContent = JSON.stringify(bot);
const written = [];
const kept = new Map();
/** The addresses that were kept at any time. */
const came = new Set();
/** What waits for the files, by address. */
const waiting = new Map();
const settings = { count: "6", seed: String(seed), temperature: "0.9", prompt: "", max_characters: "60", banned: "" };
let readMessage;

class FakeWorker extends Part {
  postMessage = (data) => queueMicrotask(() => readMessage({ data: structuredClone(data) }));
}
let worker;

Object.assign(globalThis, {
  window: {},
  location: { href: "http://here/browser/" },
  document: { getElementById: byId, createElement: () => new Part(), documentElement: { lang: "en" } },
  isSecureContext: true,
  FormData: class {
    get = (name) => settings[name];
  },
  Worker: function () {
    worker = new FakeWorker();
    return worker;
  },
  addEventListener: (_, listener) => {
    readMessage = listener;
  },
  postMessage: (data) => {
    if (data.kind === "done") written.push(...data.posts);
    worker.listeners.message({ data });
  },
  caches: {
    match: async (url) => kept.get(url),
    open: async () => ({
      match: async (url) => kept.get(url),
      put: async (url, answer) => {
        kept.set(url, answer);
        came.add(url);
      },
      keys: async () => [...kept.keys()].map((url) => ({ url })),
      delete: async ({ url }) => kept.delete(url),
    }),
  },
  fetch: (url) => new Promise((resolve) => waiting.set(url, [...(waiting.get(url) ?? []), resolve])),
});

/** Wait until this is so. */
async function until(isSo) {
  for (let tries = 0; !isSo(); tries += 1) {
    if (tries > 500) throw new Error(`never: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function send(name) {
  for (const resolve of waiting.get(address(name))) resolve(new Response(readFileSync(files[name])));
}

const isHeld = () => button.getAttribute("aria-disabled") !== null;
const load = (name) => import(pathToFileURL(`${scripts}/${name}.js`).href);
await load("worker");
await load("page");
await until(() => waiting.has(bot.weights));
byId("id_exact").checked = true;
byId("id_exact").listeners.change();
await until(() => waiting.has(bot.exact));
send("guard");
// The answer of a load that was ready just as the person switched.
worker.listeners.message({ data: { kind: "ready", load: 1, usesVectors: true } });
const held = [isHeld()];
for (const name of order) {
  send(name);
  await until(() => came.has(address(name)));
  await new Promise((resolve) => setTimeout(resolve, 100));
  held.push(isHeld());
}
byId("in-browser-form").listeners.submit({ preventDefault() {} });
await until(() => !isHeld());
// The worker's channels would keep the process.
process.stdout.write(JSON.stringify({ held, written, kept: [...kept.keys()].sort() }), () => process.exit());
