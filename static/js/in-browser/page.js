// The page on which a bot writes in this browser, without the server. The writing itself is in a worker (worker.js).

import { byId, element, inputById, readJson, setBar, setText, show } from "../dom.js";
import { decimal } from "../format.js";
import { cardOf } from "../post-card.js";
import { failed, toast } from "../toasts.js";
import { gettext, interpolate, ngettext } from "../words.js";
import { canKeep, forget } from "./forget.js";
import { isKept } from "./store.js";

const bot = readJson("bot");
const form = /** @type {HTMLFormElement} */ (byId("in-browser-form"));
const button = /** @type {HTMLButtonElement} */ (form?.querySelector("button[type=submit]"));
const status = byId("in-browser-status");
const place = byId("in-browser-posts");
const exact = inputById("id_exact");
const bar = /** @type {HTMLProgressElement} */ (byId("in-browser-progress"));

/** The number of the newest load, and whether it's under way. */
let loads = 0;
let isLoading = false;
/** The weights that are loading, and the ones that the bot writes with. */
let wanted = "";
let current = "";
let isPageKept = false;
let request = 0;
/** @type {{asked: number, posts: number, request: number} | null} */
let writing = null;
/** @type {Worker} */
let worker;

if (bot) start();

async function start() {
  worker = new Worker(new URL("worker.js", location.href), { type: "module" });
  // A load that a newer one has replaced has nothing to say.
  worker.addEventListener("message", ({ data }) => (data.load ?? loads) === loads && answers[data.kind]?.(data));
  worker.addEventListener("error", () => fail(gettext("This browser can’t run the bot. Update it, or try another one.")));
  form.addEventListener("submit", submit);
  exact?.addEventListener("change", load);
  byId("in-browser-stop").addEventListener("click", stop);
  byId("in-browser-forget").addEventListener("click", remove);
  if (exact) exact.checked = await isKept(bot.cache, bot.exact);
  load();
  keepPage();
}

function load() {
  loads += 1;
  isLoading = true;
  hold();
  show(bar, true);
  setBar(bar, null);
  setText(status, gettext("Loading the bot…"));
  wanted = exact?.checked ? bot.exact : bot.weights;
  worker.postMessage({ ...bot, kind: "load", load: loads, weights: wanted });
}

/** Let the service worker keep the page, so that it opens without the server. */
async function keepPage() {
  const { serviceWorker } = navigator;
  if (!serviceWorker || !canKeep()) return setText(byId("in-browser-kept"), gettext("Your browser can’t keep the bot at this address. It needs HTTPS."));
  try {
    serviceWorker.addEventListener("message", ({ data }) => {
      isPageKept = data.isKept;
      tellKept();
    });
    // Without the server, the one that runs already stays.
    await serviceWorker.register("service.js", { scope: "./" }).catch(() => {});
    const { active } = await serviceWorker.ready;
    const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
    active.postMessage({ keep: [...loaded, ...bot.scripts, "worker.js", "manifest.webmanifest"] });
  } catch {
    // Some browsers have no service workers in private windows. The bot writes all the same.
  }
}

/** Once the page and the bot are here, say whether they stay. */
async function tellKept() {
  if (!isPageKept || isLoading) return;
  byId("in-browser-forget").hidden = false;
  const files = await Promise.all([current, bot.guard].map((address) => isKept(bot.cache, address)));
  setText(
    byId("in-browser-kept"),
    files.every(Boolean)
      ? gettext("This browser keeps the bot. The page opens without the server, too.")
      : gettext("This browser has no room for the bot, so it downloads the bot again each time."),
  );
}

const answers = {
  loading({ loaded, total }) {
    setBar(bar, total ? loaded / total : null);
  },
  ready({ usesVectors }) {
    form.dataset.vectors = String(usesVectors);
    current = wanted;
    settle();
    tellKept();
  },
  post({ post, request: of }) {
    if (writing?.request !== of) return;
    writing.posts += 1;
    setText(status, interpolate(gettext("Writing… %(number)s of %(count)s"), { number: writing.posts, count: writing.asked }));
    const card = cardOf(writing.posts);
    card.querySelector(".post-body > p").textContent = post;
    place.querySelector("ul").append(card);
  },
  refused({ trouble: [kind, word], request: of }) {
    if (writing?.request !== of) return;
    end();
    const sentences = {
      room: gettext("“Begins with” is as long as the longest post. Shorten it, or raise the limit."),
      banned: gettext("“Begins with” contains “%(word)s”, which you banned."),
      house: gettext("“Begins with” contains “%(word)s”, which no bot here may write."),
    };
    fail(interpolate(sentences[kind], { word }));
  },
  done({ posts, refused, ms, request: of }) {
    if (writing?.request !== of) return;
    const { asked } = writing;
    end();
    const written = interpolate(ngettext("%(count)s post in %(seconds)s s.", "%(count)s posts in %(seconds)s s.", posts.length), {
      count: posts.length,
      seconds: decimal(ms / 1000, 1),
    });
    const rejected = Object.values(refused).reduce((sum, count) => sum + count, 0);
    const more = interpolate(ngettext("%(count)s draft was rejected.", "%(count)s drafts were rejected.", rejected), { count: rejected });
    const none = gettext("No post could be written: every draft was rejected. Try a higher temperature or a longer limit.");
    const others = posts.length < asked ? gettext("The others couldn’t be written: every draft was rejected.") : "";
    setText(status, [posts.length ? written : none, rejected ? more : "", posts.length ? others : ""].filter(Boolean).join(" "));
  },
  failed({ message, load: of }) {
    if (of && keepOther()) return;
    if (of) isLoading = false;
    end();
    const isOffline = !navigator.onLine;
    fail(isOffline ? gettext("You’re offline, and this browser doesn’t have the bot yet.") : gettext("The bot can’t be loaded. Reload the page."));
    // For whoever looks why.
    console.info(message);
  },
};

function settle() {
  show(bar, false);
  isLoading = false;
  hold();
  if (!writing) setText(status, gettext("Ready. It writes in this browser."));
}

/** If the bot can write with the other weights, choose these again. Returns whether it can. */
function keepOther() {
  if (!exact || wanted === (current || bot.weights)) return false;
  failed(gettext("This file can’t be loaded right now. The bot writes with the other one."));
  exact.checked = current === bot.exact;
  if (current) settle();
  else load();
  return true;
}

/** @param {SubmitEvent} submission */
function submit(submission) {
  submission.preventDefault();
  if (button.getAttribute("aria-disabled")) return;
  const data = new FormData(form);
  const number = (name, otherwise) => Number(data.get(name) || otherwise);
  request += 1;
  const count = number("count", 10);
  const seed = data.get("seed") ? number("seed", 0) : Math.floor(Math.random() * 2 ** 31);
  const sampling = {
    count,
    seed,
    temperature: number("temperature", 0),
    top_k: number("top_k", 0),
    top_p: number("top_p", 1),
    prompt: String(data.get("prompt")),
    max_characters: number("max_characters", 280),
    banned: [...new Set(String(data.get("banned")).split(/[,\n]/).map((entry) => entry.split(/\s+/).filter(Boolean).join(" ")))].filter(Boolean),
  };
  writing = { asked: sampling.temperature === 0 || sampling.top_k === 1 ? 1 : count, posts: 0, request };
  place.replaceChildren(element("ul", { className: "posts timeline" }));
  setText(status, gettext("Writing…"));
  hold();
  show(byId("in-browser-stop"), true);
  worker.postMessage({ kind: "write", request, sampling });
}

function stop() {
  worker.postMessage({ kind: "stop" });
  end();
  setText(status, gettext("Stopped."));
}

function end() {
  writing = null;
  hide(byId("in-browser-stop"));
  hold();
}

/** Hide a button. If it had the focus, "Write" gets it. */
function hide(gone) {
  if (gone === document.activeElement) button.focus();
  show(gone, false);
}

async function remove() {
  await forget(bot.cache);
  hide(byId("in-browser-forget"));
  isPageKept = false;
  setText(byId("in-browser-kept"), "");
  toast(gettext("Removed from this browser"));
}

/** Hold the button while the bot loads or writes. It keeps focus, which a disabled button would lose. */
function hold() {
  if (isLoading || writing) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
}

function fail(text) {
  show(bar, false);
  setText(status, "");
  place.replaceChildren(element("div", { className: "note error", role: "alert" }, element("p", {}, text)));
}
