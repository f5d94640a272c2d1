// The page of a training. It is built from the snapshot and the events only, so a reload loses nothing.

import { Curve } from "./curve.js";
import { byId, element, linkById, show } from "./dom.js";
import { moment, plural, waitingSentence } from "./format.js";
import { followTraining } from "./training-page.js";

const page = byId("training");
const planned = Number(page.dataset.epochs);
const curve = new Curve(planned, { isLive: true });

/** The epochs by number. A job that resumes after an interruption may report one twice. */
const epochs = new Map();
let shownSamples = "";

function onEvent({ kind, payload }) {
  if (kind === "epoch") {
    // A repeated epoch replaces the later ones of the attempt before.
    for (const known of [...epochs.keys()]) if (known > payload.epoch) epochs.delete(known);
    epochs.set(payload.epoch, payload);
  } else if (kind === "resumed") {
    // It resumes from fewer epochs than the page shows: the saved state is gone, or came from other posts.
    for (const known of [...epochs.keys()]) if (known > payload.epochs) epochs.delete(known);
  }
}

const inOrder = () => [...epochs.values()].sort((a, b) => a.epoch - b.epoch);

function atWork(job) {
  const { phase, epoch, epochs: of } = job.progress;
  if (job.stop_requested) return "Stopping with the best epoch";
  if (phase === "reporting") return "Writing the report card";
  if (phase === "saving") return "Saving the bot";
  return phase === "training" ? `Epoch ${epoch} of ${of}` : "Starting";
}

function phaseSentence(job) {
  const waiting = waitingSentence(job);
  if (waiting) return waiting;
  if (job.state === "cancelled" || job.state === "failed") return keptSentence(job);
  if (job.state === "cancelling") return "The worker stops after the batch that it is in.";
  if (job.state === "succeeded") {
    const ran = epochs.size;
    return ran && ran < planned ? `Stopped after ${ran} of ${plural(planned, "epoch")}, with the best of them.` : "";
  }
  if (job.stop_requested) return "The best epoch so far becomes the bot.";
  if (job.progress.phase === "training") return "You can close this page: it goes on without you.";
  if (job.progress.phase === "saving") return "";
  if (job.progress.phase === "reporting") return "A hundred posts are written and measured. This takes a few seconds.";
  return "Loading the model. This takes a few seconds.";
}

/** Return what a retry resumes from, and until when. */
function keptSentence(job) {
  if (!epochs.size) return "No epoch was finished, so nothing is kept. Try again starts from the beginning.";
  const done = plural(epochs.size, "epoch");
  return new Date(job.kept_until) > new Date()
    ? `${done} of ${planned} kept until ${moment(job.kept_until)}. Try again goes on from there.`
    : `The ${done} below ${epochs.size === 1 ? "is" : "are"} no longer kept. Try again starts from the beginning.`;
}

function renderSamples(rows) {
  const newestFirst = rows.filter((row) => row.samples.length).reverse();
  const key = JSON.stringify(newestFirst.map((row) => [row.epoch, row.samples]));
  if (key === shownSamples) return;
  shownSamples = key;
  show(byId("no-samples"), newestFirst.length === 0);
  byId("samples").replaceChildren(
    ...newestFirst.map((row) =>
      element(
        "section",
        { className: "epoch-samples", "data-epoch": String(row.epoch) },
        element("h3", {}, `After epoch ${row.epoch}`),
        element(
          "ul",
          { className: "posts" },
          ...row.samples.map((text) => element("li", { className: "post" }, element("p", { dir: "auto" }, text))),
        ),
      ),
    ),
  );
}

function draw(job, isLearning) {
  const rows = inOrder();
  const { epoch, step, steps, loss, trail } = job.progress;
  curve.show(rows, isLearning && !epochs.has(epoch) ? { at: epoch - 1 + step / steps, loss, trail } : null);
  renderSamples(rows);
  if (job.result.model) linkById("open-bot").href = `${page.dataset.models}${job.result.model}/`;
  return rows;
}

followTraining({
  ready: "The bot is ready",
  atWork,
  phase: phaseSentence,
  speed: (progress) => progress.characters_per_second,
  onEvent,
  draw,
  news: (newest) => `Epoch ${newest.epoch} of ${planned} is done. Validation loss ${newest.validation_loss.toFixed(2)}.`,
  placeholder: "no-epochs",
  wayOn: "open-bot",
});
