// What this browser keeps of bots, each in a cache of its own (forget.js says how it's called).

import { canKeep } from "./forget.js";

/**
 * Return the file at this address: the one that is kept, or a new one, which is kept then.
 * @param {string} name of the cache
 * @param {string} address
 * @param {(loaded: number, total: number) => void} [onProgress]
 * @returns {Promise<ArrayBuffer>}
 */
export async function kept(name, address, onProgress = () => {}) {
  const cache = canKeep() ? await caches.open(name) : null;
  const found = await cache?.match(address);
  if (found) return found.arrayBuffer();
  // What is kept here needn't be in the browser's other cache, too.
  const answer = await fetch(address, { cache: cache ? "no-store" : "default" });
  if (!answer.ok || answer.redirected) throw new Error(`the server answered ${answer.status}`);
  const buffer = await read(answer, onProgress);
  try {
    await cache?.put(address, new Response(buffer, { headers: { "Content-Type": "application/octet-stream" } }));
  } catch {
    // The disk is full, or the browser keeps nothing in private windows.
  }
  return buffer;
}

async function read(answer, onProgress) {
  const total = Number(answer.headers.get("Content-Length"));
  const parts = [];
  let loaded = 0;
  const reader = answer.body.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    parts.push(next.value);
    loaded += next.value.length;
    onProgress(loaded, total);
  }
  return new Blob(parts).arrayBuffer();
}

/** Delete the files of a bot that aren't these, such as those of an earlier version. */
export async function tidy(name, addresses) {
  if (!canKeep()) return;
  const cache = await caches.open(name);
  const wanted = addresses.map((address) => new URL(address, location.href).href);
  const isOld = ({ url }) => /\/(?:weights|guard)$/.test(new URL(url).pathname) && !wanted.includes(url);
  await Promise.all((await cache.keys()).filter(isOld).map((request) => cache.delete(request)));
}

/** Return whether the file is kept. Opening the cache would make it again after it was deleted. */
export async function isKept(name, address) {
  return canKeep() && Boolean(await caches.match(address, { cacheName: name }));
}
