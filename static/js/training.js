// The page of a training. It is built from the snapshot and the events only, so a reload loses nothing.

import { Curve } from "./curve.js";
import { byId, element, linkById, show } from "./dom.js";
import { count, decimal, moment, waitingSentence } from "./format.js";
import { followTraining } from "./training-page.js";
import { sentencesOf } from "./units.js";
import { gettext, interpolate, ngettext } from "./words.js";

/** Long enough to see that it's done, and to press “Stay here”. */
const OPENING_MS = 2500;

const page = byId("training");
const planned = Number(page.dataset.epochs);
const { unit } = byId("chart").dataset;
const words = sentencesOf(unit);
const curve = new Curve(planned, { isLive: true });

/** The epochs by number. A job that resumes after an interruption may report one twice. */
const epochs = new Map();
let shownSamples = "";
let wasAtWork = false;
/** Posts that a fluent base wrote before it learned anything, as a row without a number. */
let before = { epoch: 0, samples: [] };
/** What the starting model wrote after the openings that each epoch continues. */
let continuedBefore = {};

function onEvent({ kind, payload }) {
  if (kind === "epoch") {
    // A repeated epoch replaces the later ones of the attempt before.
    for (const known of [...epochs.keys()]) if (known > payload.epoch) epochs.delete(known);
    epochs.set(payload.epoch, payload);
  } else if (kind === "before") {
    before = { epoch: 0, samples: payload.samples };
  } else if (kind === "openings") {
    continuedBefore = payload.continued;
  } else if (kind === "resumed") {
    // It resumes from fewer epochs than the page shows: the saved state is gone, or came from other posts.
    for (const known of [...epochs.keys()]) if (known > payload.epochs) epochs.delete(known);
  }
}

const inOrder = () => [...epochs.values()].sort((a, b) => a.epoch - b.epoch);

function atWork(job) {
  const { phase, epoch, epochs: of } = job.progress;
  if (phase === "reporting") return gettext("Writing the report card");
  if (phase === "saving") return gettext("Saving the bot");
  if (job.stop_requested) return epochs.size ? words.stopping : gettext("Stopping");
  return phase === "training" ? interpolate(words.current, { epoch, epochs: of }) : gettext("Starting");
}

function phaseSentence(job) {
  const waiting = waitingSentence(job);
  if (waiting) return waiting;
  if (job.state === "cancelled" || job.state === "failed") return keptSentence(job);
  if (job.state === "cancelling") return gettext("Stopping after the current batch.");
  if (job.state === "succeeded") {
    const done = epochs.size;
    // A training of few steps has fewer parts than planned. It ends early only if somebody stops it.
    const isStopped = done < planned && (unit !== "part" || job.stop_requested);
    if (!done || !isStopped) return "";
    return interpolate(words.stopped, {
      done: count(done),
      planned: count(planned),
    });
  }
  if (job.progress.phase === "saving") return "";
  if (job.progress.phase === "reporting") return gettext("The bot is ready. It’s writing a hundred posts for its report card.");
  // Before the first epoch is done, a stop measures and keeps what there is.
  if (job.stop_requested) return epochs.size ? words.best : gettext("What it has learned so far becomes the bot.");
  if (job.progress.phase === "training") return gettext("You can close this page. The training continues without it.");
  if (before.samples.length || Object.keys(continuedBefore).length)
    return gettext("Measuring how well the base model knows posts like these, and preparing the network. This takes up to a minute, longer on a busy machine.");
  return gettext("Loading the model. This takes a few seconds.");
}

/** Return what a retry resumes from, and until when. */
function keptSentence(job) {
  if (!epochs.size) return words.nothing;
  if (new Date(job.kept_until) <= new Date()) return words.gone;
  const kept =
    unit === "part"
      ? ngettext(
          "Saved until %(time)s: %(done)s of %(planned)s part. “Try again” continues from there.",
          "Saved until %(time)s: %(done)s of %(planned)s parts. “Try again” continues from there.",
          planned,
        )
      : ngettext(
          "Saved until %(time)s: %(done)s of %(planned)s epoch. “Try again” continues from there.",
          "Saved until %(time)s: %(done)s of %(planned)s epochs. “Try again” continues from there.",
          planned,
        );
  return interpolate(kept, { done: count(epochs.size), planned: count(planned), time: moment(job.kept_until) });
}

function renderSamples(rows) {
  const newestFirst = [before, ...rows].filter((row) => row.samples.length).reverse();
  const key = JSON.stringify(newestFirst.map((row) => [row.epoch, row.samples]));
  if (key === shownSamples) return;
  shownSamples = key;
  show(byId("no-samples"), newestFirst.length === 0);
  byId("samples").replaceChildren(
    ...newestFirst.map((row) =>
      element(
        "section",
        { className: "epoch-samples", "data-epoch": String(row.epoch) },
        element("h3", {}, row.epoch ? interpolate(words.after, { epoch: row.epoch }) : words.before),
        element(
          "ul",
          { className: "posts" },
          ...row.samples.map((text) => element("li", { className: "post" }, element("p", { dir: "auto" }, text))),
        ),
      ),
    ),
  );
}

/** Whoever watched the training gets the bot, unless they stay. Whoever comes back to this page later stays on it. */
function openSoon() {
  wasAtWork = false;
  const soon = setTimeout(() => location.replace(linkById("open-bot").href), OPENING_MS);
  show(byId("opening"), true);
  byId("stay").addEventListener("click", () => {
    clearTimeout(soon);
    show(byId("opening"), false);
    linkById("open-bot").focus();
  });
}

function draw(job, isLearning) {
  const rows = inOrder();
  const { epoch, step, steps, loss, trail } = job.progress;
  curve.show(rows, isLearning && !epochs.has(epoch) ? { at: epoch - 1 + step / steps, loss, trail } : null, continuedBefore);
  renderSamples(rows);
  // The bot writes already while its report card is made.
  const model = job.result.model ?? job.progress.model;
  if (model) {
    linkById("open-bot").href = `${page.dataset.models}${model}/`;
    if (wasAtWork) openSoon();
  } else {
    wasAtWork = true;
  }
  return rows;
}

followTraining({
  ready: gettext("The bot is ready"),
  atWork,
  phase: phaseSentence,
  speed: (progress) => progress.characters_per_second,
  onEvent,
  draw,
  news: (newest) =>
    interpolate(words.done, {
      epoch: newest.epoch,
      epochs: planned,
      loss: decimal(newest.validation_loss, 2),
    }),
  placeholder: "no-epochs",
  wayOn: "open-bot",
});
