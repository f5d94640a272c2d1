// The page of a base model in training: the curve by minutes or megabytes, from the snapshot and the events.

import { LossChart } from "./chart.js";
import { byId } from "./dom.js";
import { amount, decimal, moment, shortest } from "./format.js";
import { LossTable } from "./loss-table.js";
import { followTraining } from "./training-page.js";
import { gettext, interpolate, ngettext } from "./words.js";

const page = byId("training");
const { unit } = page.dataset;
const inMinutes = unit === "minutes";
const budget = Number(page.dataset.budget);
const chart = new LossChart(byId("chart"), { isLive: true, isContinuous: true });
const table = new LossTable(
  (row) => [
    amount(row.minutes),
    amount(row.megabytes),
    ...[row.train_loss, row.validation_loss, row.bits_per_character].map((value) => decimal(value, 3)),
  ],
  (best) =>
    interpolate(
      inMinutes
        ? gettext("Training and validation loss by minutes. Lowest validation loss so far: %(loss)s after %(amount)s minutes.")
        : gettext("Training and validation loss by megabytes. Lowest validation loss so far: %(loss)s after %(amount)s megabytes."),
      { loss: decimal(best.validation_loss, 3), amount: amount(best[unit]) },
    ),
);

/** The validations, in order. An attempt that resumes from a saved state repeats those after it. */
let rows = [];

function onEvent({ kind, payload }) {
  if (kind !== "validation") return;
  rows = [...rows.filter((row) => row.megabytes < payload.megabytes), payload];
}

function atWork(job) {
  const { phase, minutes, megabytes } = job.progress;
  if (phase === "saving") return gettext("Saving");
  if (phase === "validating") return gettext("Measuring on all validation posts");
  if (job.stop_requested) return gettext("Stopping with the best so far");
  if (phase !== "training") return gettext("Starting");
  if (!inMinutes) return interpolate(gettext("%(done)s of %(budget)s MB"), { done: amount(megabytes), budget: shortest(budget) });
  return interpolate(ngettext("%(done)s of %(budget)s minute", "%(done)s of %(budget)s minutes", budget), {
    done: amount(minutes),
    budget: shortest(budget),
  });
}

function phaseSentence(job) {
  if (job.state === "cancelled" || job.state === "failed") {
    if (new Date(job.kept_until) <= new Date()) return gettext("The saved state is gone. “Continue” starts from the beginning.");
    return interpolate(gettext("The last saved state is kept until %(time)s. “Continue” resumes from there."), {
      time: moment(job.kept_until),
    });
  }
  if (job.state === "succeeded") return gettext("New bots use it once you promote it.");
  if (job.state !== "running") return "";
  if (["training", "validating"].includes(job.progress.phase)) {
    return gettext("You can close this page. The training continues without it.");
  }
  return job.progress.phase === "saving" ? "" : gettext("Reading the posts and building the network.");
}

function draw(job, isLearning) {
  const points = rows.map((row) => ({ ...row, epoch: row[unit] }));
  const now = isLearning ? { at: job.progress[unit], loss: job.progress.loss } : null;
  chart.show(points, now, Math.max(budget, ...points.map((row) => row.epoch)));
  table.show(rows);
  return rows;
}

followTraining({
  ready: gettext("The model is ready"),
  atWork,
  phase: phaseSentence,
  speed: (progress) => progress.bytes_per_second,
  onEvent,
  draw,
  news: (newest) =>
    interpolate(
      inMinutes ? gettext("%(amount)s minutes: validation loss %(loss)s.") : gettext("%(amount)s megabytes: validation loss %(loss)s."),
      { amount: amount(newest[unit]), loss: decimal(newest.validation_loss, 3) },
    ),
  placeholder: "no-points",
  wayOn: "open-bases",
});
