// The page of a base model in training: the curve by minutes or megabytes, from the snapshot and the events.

import { LossChart, bestOf } from "./chart.js";
import { byId, element, setBar, setText, show } from "./dom.js";
import { count, duration, hasEnded } from "./format.js";
import { announce, followJob } from "./job-page.js";

const page = byId("training");
const { unit } = page.dataset;
const budget = Number(page.dataset.budget);
const title = document.title;
const chart = new LossChart(byId("chart"), { isLive: true, isContinuous: true });

/** The validations, in order. Where an attempt goes on from what the one before had saved, what came after comes again. */
let rows = [];
let drawn = "";
let deadline = null;

function onEvent({ kind, payload }) {
  if (kind !== "validation") return;
  rows = [...rows.filter((row) => row.megabytes < payload.megabytes), payload];
}

function whereSentence(job) {
  const { phase, minutes, megabytes } = job.progress;
  switch (job.state) {
    case "queued":
      if (job.waits_for === "own_jobs") return "Waits for your running jobs";
      return job.queue_position > 1 ? `Number ${job.queue_position} in the queue` : "Next in the queue";
    case "interrupted":
      return "Starting again";
    case "cancelling":
      return "Stopping";
    case "succeeded":
      return "The model is ready";
    case "failed":
      return "The training failed";
    case "cancelled":
      return "Cancelled";
    default:
      if (job.stop_requested) return "Stopping with the best so far";
      if (phase === "saving") return "Saving";
      if (phase !== "training") return "Starting";
      return unit === "minutes" ? `${minutes.toFixed(1)} of ${budget} minutes` : `${megabytes.toFixed(1)} of ${budget} MB`;
  }
}

function phaseSentence(job) {
  if (job.state === "cancelled") return "What it has learned is kept for a while: it can go on from there.";
  if (job.state === "succeeded") return "Nobody starts from it before you promote it.";
  if (job.state !== "running") return "";
  if (job.progress.phase === "training") return "You can close this page: it goes on without you.";
  return job.progress.phase === "saving" ? "" : "Reading the posts and building the network.";
}

function renderTable() {
  const key = JSON.stringify(rows);
  if (key === drawn) return;
  drawn = key;
  const best = bestOf(rows);
  byId("losses").tBodies[0].replaceChildren(
    ...rows.map((row) =>
      element(
        "tr",
        { className: row === best ? "best" : "" },
        element("th", { scope: "row" }, row.minutes.toFixed(1), ...(row === best ? [" ", element("span", { className: "best-mark" }, "best")] : [])),
        ...[row.megabytes.toFixed(1), ...[row.train_loss, row.validation_loss, row.bits_per_character].map((value) => value.toFixed(3))].map((text) =>
          element("td", { className: "num" }, text),
        ),
      ),
    ),
  );
  show(byId("losses"), rows.length > 0);
  if (best) {
    byId("chart").setAttribute(
      "aria-label",
      `Training and validation loss by ${unit}. Best so far: ${best.validation_loss.toFixed(3)} after ${best[unit].toFixed(1)} ${unit}. ` +
        "The same numbers are in the table below.",
    );
  }
}

function tick() {
  setText(byId("left"), deadline === null ? "–" : duration((deadline - Date.now()) / 1000));
}

let spoken = 0;

function render(job, isLive) {
  const { phase, fraction = 0, seconds_left: left, bytes_per_second: speed, loss } = job.progress;
  const isTraining = job.state === "running" && phase === "training";
  setText(byId("where"), whereSentence(job));
  setText(byId("phase"), phaseSentence(job));
  setBar(byId("bar"), job.state === "succeeded" ? 1 : job.state === "running" && !isTraining && fraction === 0 ? null : fraction);
  const percent = isTraining ? `${Math.floor(fraction * 100)}%` : "";
  setText(byId("percent"), percent);
  document.title = hasEnded(job.state) ? `${whereSentence(job)}: ${title}` : percent ? `${percent} ${title}` : title;
  show(byId("facts"), job.state === "running");
  deadline = isTraining && left > 0 ? Date.now() + left * 1000 : null;
  tick();
  setText(byId("speed"), isTraining && speed > 0 ? count(speed) : "–");
  setText(byId("loss"), isTraining && Number.isFinite(loss) ? loss.toFixed(3) : "–");
  const points = rows.map((row) => ({ ...row, epoch: row[unit] }));
  const now = isTraining && Number.isFinite(loss) ? { at: job.progress[unit], loss } : null;
  chart.show(points, now, Math.max(budget, ...points.map((row) => row.epoch)));
  renderTable();
  show(byId("no-points"), rows.length === 0 && !hasEnded(job.state));
  show(byId("open-bases"), job.state === "succeeded");
  if (isLive && rows.length > spoken) {
    const newest = rows[rows.length - 1];
    announce(`${newest[unit].toFixed(1)} ${unit}: validation loss ${newest.validation_loss.toFixed(3)}.`);
  }
  spoken = rows.length;
}

followJob({
  render,
  onEvent,
  stateSentence: (job) =>
    job.state === "failed" ? `The training failed. ${job.error?.message ?? ""}` : `${whereSentence(job)}. ${phaseSentence(job)}`,
});
setInterval(tick, 1000);
