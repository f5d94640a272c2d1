// The service worker of the page on which a bot writes: it answers for that page alone, and keeps only what the page needs.
// The server puts the name of its cache before this (models_app/downloads/in_browser/views.py).

const { cacheName } = /** @type {any} */ (self);
const worker = /** @type {any} */ (self);
const HASHED = /\.[0-9a-f]{12}\.\w+$/;
/** Milliseconds to wait for the server before the page, or a part of it, comes from the cache. */
const PATIENCE = 4000;
/** Answers that say that the person may no longer have the bot. */
const GONE = [401, 403, 404, 410];

const page = new URL("./", location.href).pathname;
const parts = ["worker.js", "manifest.webmanifest"].map((name) => page + name);
const isAsset = (path) => path.startsWith("/static/") || path.startsWith("/words/") || parts.includes(path);

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate" && pathname === page) event.respondWith(openPage(event));
  else if (isAsset(pathname)) event.respondWith(asset(request, pathname));
});

worker.addEventListener("message", (event) => {
  if (event.data.keep) event.waitUntil(keep(event.data.keep).then((isKept) => event.source?.postMessage({ isKept })));
});

/** Return what is kept of this address. Opening the cache would make it again after it was deleted. */
const keptAs = (address) => caches.match(address, { cacheName });

/** Return the page: from the server if it answers in time, else the last one. A late answer counts for the next time. */
async function openPage(event) {
  const known = await keptAs(page);
  const asked = fetch(event.request).then(noted);
  event.waitUntil(asked.catch(() => null));
  return known ? inTime(asked, known) : asked;
}

/** Return the server's answer, or what is known if the server fails or takes too long. */
async function inTime(asked, known) {
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
  const answer = await Promise.race([asked.catch(() => null), late]);
  return answer && answer.status < 500 ? answer : known;
}

/** Keep the page that the server answers with, or forget all if the person may no longer have the bot. */
async function noted(answer) {
  // A redirect leads to the sign-in page.
  if (answer.type === "opaqueredirect" || GONE.includes(answer.status)) await forget();
  else if (answer.ok) await (await caches.open(cacheName)).put(page, answer.clone());
  return answer;
}

/** Return a part of the page. Names with a hash never change. */
async function asset(request, pathname) {
  const known = await keptAs(request.url);
  if (known && HASHED.test(pathname)) return known;
  return known ? inTime(fetch(request), known) : fetch(request);
}

/** Keep these parts of the page, and no others. Returns whether all are here. */
async function keep(addresses) {
  const cache = await caches.open(cacheName);
  const wanted = [page, ...addresses].map((address) => new URL(address, location.href)).filter((url) => url.pathname === page || isAsset(url.pathname));
  const missing = [];
  for (const url of wanted) if (!HASHED.test(url.pathname) || !(await cache.match(url.href))) missing.push(url);
  const found = await Promise.all(
    missing.map(async ({ href }) => {
      // Without the server, what was kept before stays.
      const answer = await fetch(href, { redirect: "error" }).catch(() => null);
      if (answer?.ok) await cache.put(href, answer);
      return Boolean(await cache.match(href));
    }),
  );
  const known = new Set(wanted.map(({ href }) => href));
  for (const { url } of await cache.keys()) if (!known.has(url) && new URL(url).pathname.startsWith("/static/")) await cache.delete(url);
  return found.every(Boolean);
}

async function forget() {
  await caches.delete(cacheName);
  await worker.registration.unregister();
}
