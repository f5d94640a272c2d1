// The page of an evaluation: a row for each model as soon as it is measured, the best first.

import { byId, element, setBar, setText } from "./dom.js";
import { count, duration, hasEnded } from "./format.js";
import { announce, followJob } from "./job-page.js";

const rows = new Map();

function onEvent({ kind, payload }) {
  if (kind === "measured") rows.set(payload.model, payload);
}

function whereSentence(job) {
  if (job.state === "queued") return job.queue_position > 1 ? `Number ${job.queue_position} in the queue` : "Next in the queue";
  if (job.state === "succeeded") return "All are measured";
  if (job.state === "failed") return "The evaluation failed";
  if (job.state === "cancelled") return "Cancelled";
  if (job.progress.phase === "measuring") return `${job.progress.model}: ${count(job.progress.total)} posts`;
  return job.state === "cancelling" ? "Stopping" : "Starting";
}

function render(job, isLive) {
  setText(byId("where"), whereSentence(job));
  setBar(byId("bar"), job.state === "succeeded" ? 1 : (job.progress.fraction ?? 0));
  const sorted = [...rows.values()].sort((a, b) => a.bits_per_character - b.bits_per_character);
  const body = byId("measured").tBodies[0];
  if (body.rows.length !== sorted.length) {
    body.replaceChildren(
      ...sorted.map((row, place) =>
        element(
          "tr",
          { className: place === 0 ? "best" : "" },
          element("th", { scope: "row" }, row.name),
          element("td", { className: "num" }, row.bits_per_character.toFixed(4)),
          ...[count(row.posts), count(row.characters), duration(row.seconds)].map((text) => element("td", { className: "num" }, text)),
        ),
      ),
    );
    if (isLive && !hasEnded(job.state)) announce(`${sorted.length} measured.`);
  }
}

followJob({
  render,
  onEvent,
  stateSentence: (job) => (job.state === "failed" ? `The evaluation failed. ${job.error?.message ?? ""}` : whereSentence(job)),
});
