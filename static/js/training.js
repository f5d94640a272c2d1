// The page of a training. Everything on it comes from the snapshot and the events, so that it is whole after a reload.

import { Curve } from "./curve.js";
import { byId, element, setBar, setText, show } from "./dom.js";
import { count, duration, hasEnded, waitingSentence } from "./format.js";
import { announce, followJob } from "./job-page.js";

const page = byId("training");
const planned = Number(page.dataset.epochs);
const title = document.title;
const curve = new Curve(planned, { isLive: true });

/** The epochs by number: a job that goes on after an interruption may report one twice, and it is still one. */
const epochs = new Map();
let lastState = "";
let shownSamples = "";
let deadline = null;

function onEvent({ kind, payload }) {
  if (kind === "epoch") {
    // An epoch that comes again replaces what came after it in the attempt before.
    for (const known of [...epochs.keys()]) if (known > payload.epoch) epochs.delete(known);
    epochs.set(payload.epoch, payload);
  } else if (kind === "state") {
    // A cancelled training has kept nothing: tried again, it begins anew.
    if (payload.state === "queued" && lastState === "cancelled") epochs.clear();
    lastState = payload.state;
  }
}

const inOrder = () => [...epochs.values()].sort((a, b) => a.epoch - b.epoch);

function whereSentence(job) {
  const { phase, epoch, epochs: of } = job.progress;
  switch (job.state) {
    case "queued":
      if (job.waits_for === "own_jobs") return "Waits for your running jobs";
      return job.queue_position > 1 ? `Number ${job.queue_position} in the queue` : "Next in the queue";
    case "interrupted":
      return "Starting again";
    case "cancelling":
      return "Stopping";
    case "succeeded":
      return "The bot is ready";
    case "failed":
      return "The training failed";
    case "cancelled":
      return "Cancelled";
    default:
      if (job.stop_requested) return "Stopping with the best epoch";
      if (phase === "reporting") return "Writing the report card";
      if (phase === "saving") return "Saving the bot";
      if (phase === "training") return `Epoch ${epoch} of ${of}`;
      return "Starting";
  }
}

function phaseSentence(job) {
  const waiting = waitingSentence(job);
  if (waiting) return waiting;
  if (job.state === "cancelled") return "Nothing was kept. Try again starts from the beginning.";
  if (job.state === "failed") return epochs.size ? "The epochs below are kept: Try again goes on from there." : "";
  if (job.state === "cancelling") return "The worker stops after the batch that it is in.";
  if (job.state === "succeeded") {
    const ran = epochs.size;
    return ran && ran < planned ? `Stopped after ${ran} of ${planned} epochs, with the best of them.` : "";
  }
  if (job.stop_requested) return "The best epoch so far becomes the bot.";
  if (job.progress.phase === "training") return "You can close this page: it goes on without you.";
  if (job.progress.phase === "saving") return "";
  if (job.progress.phase === "reporting") return "A hundred posts are written and measured. This takes a few seconds.";
  return "Loading the model. This takes some ten seconds.";
}

function renderFacts(job) {
  const { phase, seconds_left: left, characters_per_second: speed, loss } = job.progress;
  const isTraining = job.state === "running" && phase === "training";
  show(byId("facts"), job.state === "running");
  deadline = isTraining && left > 0 ? Date.now() + left * 1000 : null;
  tick();
  setText(byId("speed"), isTraining && speed > 0 ? count(speed) : "–");
  setText(byId("loss"), isTraining && Number.isFinite(loss) ? loss.toFixed(3) : "–");
}

function tick() {
  setText(byId("left"), deadline === null ? "–" : duration((deadline - Date.now()) / 1000));
}

function renderBar(job) {
  const bar = byId("bar");
  const fraction = job.progress.fraction ?? 0;
  const isStarting = job.state === "running" && !["training", "reporting", "saving"].includes(job.progress.phase);
  if (job.state === "succeeded") setBar(bar, 1);
  else if (isStarting && fraction === 0) setBar(bar, null);
  else setBar(bar, fraction);
  const percent = `${Math.floor((job.state === "succeeded" ? 1 : fraction) * 100)}%`;
  const isRunning = job.state === "running";
  setText(byId("percent"), isRunning && !isStarting ? percent : "");
  document.title = hasEnded(job.state) ? `${whereSentence(job)}: ${title}` : isRunning && !isStarting ? `${percent} ${title}` : title;
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

function render(job, isLive) {
  const rows = inOrder();
  setText(byId("where"), whereSentence(job));
  setText(byId("phase"), phaseSentence(job));
  renderBar(job);
  renderFacts(job);
  const { phase, epoch, step, steps, loss } = job.progress;
  const isLearning = job.state === "running" && phase === "training" && Number.isFinite(loss) && !epochs.has(epoch);
  curve.show(rows, isLearning ? { at: epoch - 1 + step / steps, loss } : null);
  show(byId("no-epochs"), rows.length === 0 && !hasEnded(job.state));
  renderSamples(rows);
  const open = byId("open-bot");
  show(open, job.state === "succeeded");
  if (job.result.model) open.href = `${page.dataset.models}${job.result.model}/`;
  if (isLive && rows.length > spoken) {
    const newest = rows[rows.length - 1];
    announce(`Epoch ${newest.epoch} of ${planned} is done. Validation loss ${newest.validation_loss.toFixed(2)}.`);
  }
  spoken = rows.length;
}

let spoken = 0;
followJob({
  render,
  onEvent,
  stateSentence: (job) =>
    job.state === "failed" ? `The training failed. ${job.error?.message ?? ""}` : `${whereSentence(job)}. ${phaseSentence(job)}`,
});
setInterval(tick, 1000);
