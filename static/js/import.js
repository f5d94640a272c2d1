import { byId, element, linkById, setBar, setText, show } from "./dom.js";
import { count, hasEnded, pauseSentence, posts, waitingSentence } from "./format.js";
import { followJob, stateSentence } from "./job-page.js";
import { goOn, hasMoved } from "./stages.js";
import { gettext, interpolate, ngettext } from "./words.js";

const LINES = 8;
/** A short import ends before its page opens. Coming from the form, the page still moves on by itself for this long. */
const JUST_ENDED_MS = 10_000;

const page = byId("import");
const log = byId("pages");
let total = 0;
let isGoing = false;
let wasAtWork = false;

function onEvent({ kind, payload }) {
  if (kind === "page") {
    total = payload.total;
    const told = ngettext("%(new)s new post. Total: %(total)s.", "%(new)s new posts. Total: %(total)s.", payload.new);
    log.prepend(element("li", {}, interpolate(told, { new: count(payload.new), total: count(payload.total) })));
  } else if (kind === "note") {
    log.prepend(element("li", {}, payload.message));
  } else if (kind === "waiting") {
    log.prepend(element("li", {}, pauseSentence(payload)));
  }
  while (log.children.length > LINES) log.lastElementChild.remove();
  show(byId("pages-section"), log.children.length > 0);
}

function phaseSentence(job) {
  const { phase } = job.progress;
  if (job.state === "succeeded") return gettext("All posts are here. Opening them…");
  if (job.state === "failed") return "";
  if (job.state === "cancelled") return gettext("Cancelled. The posts imported so far are kept. “Try again” continues from there.");
  if (job.state === "cancelling") return gettext("Stopping…");
  const waiting = waitingSentence(job);
  if (waiting) return waiting;
  if (phase === "cleaning") return gettext("Cleaning: removing what isn’t in the person’s own words…");
  return gettext("Reading the posts…");
}

/** Ask which column has the posts. Trying again without an answer would only ask again. */
function renderQuestion(job) {
  const asks = job.state === "failed" && job.error?.code === "which_column";
  show(byId("which-column"), asks);
  if (asks) show(document.querySelector('form[data-job-action="retry"]'), false);
}

/** Errors of the file itself, which another try would hit again. */
const OF_THE_FILE = ["bad_file", "no_posts", "file_too_large", "upload_gone"];

/** Offer other posts, or giving up, after an import that did not succeed. */
function renderWaysOn(job) {
  const isOver = job.state === "failed" || job.state === "cancelled";
  const isReplaceable = isOver && "replaceable" in page.dataset;
  const another = byId("another");
  show(another, isReplaceable);
  // Answering a question comes first.
  another?.classList.toggle("outline", job.error?.code === "which_column");
  show(byId("give-up"), isOver);
  const isHopeless = isReplaceable && "ofFile" in page.dataset && OF_THE_FILE.includes(job.error?.code);
  const again = document.querySelector('form[data-job-action="retry"]');
  if (isHopeless) show(again, false);
  again.querySelector("button").classList.toggle("outline", isReplaceable);
}

function countSentence(job, found) {
  if (job.state !== "succeeded") return found ? posts(found) : gettext("No posts yet");
  const told = ngettext("%(found)s post, %(kept)s kept", "%(found)s posts, %(kept)s kept", found);
  return interpolate(told, { found: count(found), kept: count(job.result.kept) });
}

function render(job) {
  renderQuestion(job);
  renderWaysOn(job);
  const found = Math.max(total, job.progress.total ?? 0, job.result.posts ?? 0);
  setText(byId("count"), countSentence(job, found));
  setText(byId("phase"), phaseSentence(job));
  const bar = byId("bar");
  if (hasEnded(job.state)) setBar(bar, job.state === "succeeded" ? 1 : 0);
  else if (job.state === "running") setBar(bar, job.progress.fraction ?? null);
  else setBar(bar, job.progress.fraction ?? 0);
  const open = linkById("go-on");
  show(open, job.state === "succeeded");
  if (job.state !== "succeeded") {
    wasAtWork = true;
    return;
  }
  open.href = `${page.dataset.corpora}${job.result.corpus}/`;
  const ago = Date.parse(page.dataset.now) - Date.parse(job.finished_at);
  const justEnded = ago < JUST_ENDED_MS && (hasMoved() || document.referrer.includes(page.dataset.corpora));
  if (!wasAtWork && !justEnded) setText(byId("phase"), gettext("All posts are here."));
  else if (!isGoing) {
    isGoing = true;
    // Replaces this page, so that Back leads to where the person came from.
    setTimeout(() => goOn(open.href, { instead: true }), wasAtWork ? 700 : 300);
  }
}

followJob({
  render,
  onEvent,
  sentence: (job) => (job.state === "failed" ? stateSentence(job, gettext("The import failed")) : phaseSentence(job)),
});
