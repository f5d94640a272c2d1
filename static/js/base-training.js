// The page of a base model in training: the curve by minutes or megabytes, from the snapshot and the events.

import { LossChart, bestOf } from "./chart.js";
import { byId, element, show } from "./dom.js";
import { hasEnded, moment, plural, standing } from "./format.js";
import { announce, stateSentence, followJob } from "./job-page.js";
import { TrainingProgress } from "./training-progress.js";

const page = byId("training");
const { unit } = page.dataset;
const budget = Number(page.dataset.budget);
const progress = new TrainingProgress();
const chart = new LossChart(byId("chart"), { isLive: true, isContinuous: true });

/** The validations, in order. Where an attempt goes on from what the one before had saved, what came after comes again. */
let rows = [];
let drawn = "";

function onEvent({ kind, payload }) {
  if (kind !== "validation") return;
  rows = [...rows.filter((row) => row.megabytes < payload.megabytes), payload];
}

const whereSentence = (job) =>
  standing(job, { succeeded: () => "The model is ready", failed: "The training failed", running: atWork });

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

let spoken = 0;

function render(job, isLive) {
  progress.show(job, whereSentence(job), phaseSentence(job), job.progress.bytes_per_second);
  const { phase, loss } = job.progress;
  const isTraining = job.state === "running" && phase === "training";
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
  sentence: (job) => stateSentence(job, whereSentence(job), phaseSentence(job)),
});
