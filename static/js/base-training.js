// The page of a base model in training: the curve by minutes or megabytes, from the snapshot and the events.

import { LossChart } from "./chart.js";
import { byId } from "./dom.js";
import { moment, plural } from "./format.js";
import { LossTable } from "./loss-table.js";
import { followTraining } from "./training-page.js";

const page = byId("training");
const { unit } = page.dataset;
const budget = Number(page.dataset.budget);
const chart = new LossChart(byId("chart"), { isLive: true, isContinuous: true });
const table = new LossTable(
  (row) => [
    row.minutes.toFixed(1),
    row.megabytes.toFixed(1),
    ...[row.train_loss, row.validation_loss, row.bits_per_character].map((value) => value.toFixed(3)),
  ],
  (best) =>
    `Training and validation loss by ${unit}. Best so far: ${best.validation_loss.toFixed(3)} after ${best[unit].toFixed(1)} ${unit}.`,
);

/** The validations, in order. An attempt that resumes from a saved state repeats those after it. */
let rows = [];

function onEvent({ kind, payload }) {
  if (kind !== "validation") return;
  rows = [...rows.filter((row) => row.megabytes < payload.megabytes), payload];
}

function atWork(job) {
  const { phase, minutes, megabytes } = job.progress;
  if (job.stop_requested) return "Stopping with the best so far";
  if (phase === "saving") return "Saving";
  if (phase !== "training") return "Starting";
  return unit === "minutes" ? `${minutes.toFixed(1)} of ${plural(budget, "minute")}` : `${megabytes.toFixed(1)} of ${budget} MB`;
}

function phaseSentence(job) {
  if (job.state === "cancelled" || job.state === "failed") {
    return new Date(job.kept_until) > new Date()
      ? `Its last saved state is kept until ${moment(job.kept_until)}. Go on continues from there.`
      : "What it learned is no longer kept. Go on starts from the beginning.";
  }
  if (job.state === "succeeded") return "Nobody starts from it before you promote it.";
  if (job.state !== "running") return "";
  if (job.progress.phase === "training") return "You can close this page: it goes on without you.";
  return job.progress.phase === "saving" ? "" : "Reading the posts and building the network.";
}

function draw(job, isLearning) {
  const points = rows.map((row) => ({ ...row, epoch: row[unit] }));
  const now = isLearning ? { at: job.progress[unit], loss: job.progress.loss } : null;
  chart.show(points, now, Math.max(budget, ...points.map((row) => row.epoch)));
  table.show(rows);
  return rows;
}

followTraining({
  ready: "The model is ready",
  atWork,
  phase: phaseSentence,
  speed: (progress) => progress.bytes_per_second,
  onEvent,
  draw,
  news: (newest) => `${newest[unit].toFixed(1)} ${unit}: validation loss ${newest.validation_loss.toFixed(3)}.`,
  placeholder: "no-points",
  wayOn: "open-bases",
});
