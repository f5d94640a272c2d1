// Deletes what this browser keeps of bots. The cache of each is called `bot:`, the person's key, `:` and the page's path, so that
// nobody else who uses this browser gets it. Every page loads this, so it's a module of its own.

const PREFIX = "bot:";
const PAGE = "/browser/";

/** Browsers have these only on secure addresses: HTTPS, or this machine. */
export const canKeep = () => "caches" in globalThis && globalThis.isSecureContext;

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
