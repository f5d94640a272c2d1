// What this browser keeps of bots, each in a cache of its own. Its name is `bot:`, the person's key, `:` and the page's path,
// so that nobody else who uses this browser gets it.

const PREFIX = "bot:";
const PAGE = "/browser/";

/** Browsers have these only on secure addresses: HTTPS, or this machine. */
export const canKeep = () => "caches" in globalThis && globalThis.isSecureContext;

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

/** Return whether the file is kept. */
export async function isKept(name, address) {
  return canKeep() && Boolean(await (await caches.open(name)).match(address));
}

/**
 * Delete the bots that this browser keeps, except those of this person. Their service workers go, too.
 * @param {string | undefined} person whose to leave
 */
export async function forgetOthers(person) {
  if (!canKeep()) return;
  const names = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && !(person && name.startsWith(`${PREFIX}${person}:`)));
  if (names.length) await Promise.all([...names.map((name) => caches.delete(name)), ...names.map(unregister)]);
}

/** Delete one bot. @param {string} name of its cache */
export const forget = (name) => Promise.all([caches.delete(name), unregister(name)]);

async function unregister(name) {
  const path = name.slice(name.indexOf("/"));
  const registration = path.endsWith(PAGE) ? await navigator.serviceWorker?.getRegistration(path) : null;
  if (registration && new URL(registration.scope).pathname === path) await registration.unregister();
}
