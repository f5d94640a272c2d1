// The page of an evaluation: a row for each measured model, best first.

import { byId, element, setBar, setText, tableById } from "./dom.js";
import { count, decimal, duration, hasEnded, posts, standing } from "./format.js";
import { announce, stateSentence, followJob } from "./job-page.js";
import { gettext, interpolate, ngettext } from "./words.js";

const rows = new Map();

function onEvent({ kind, payload }) {
  if (kind === "measured") rows.set(payload.model, payload);
}

const whereSentence = (job) =>
  standing(job, { succeeded: () => gettext("All models evaluated"), failed: gettext("The evaluation failed"), running: atWork });

const atWork = ({ progress }) => (progress.phase === "measuring" ? `${progress.model}: ${posts(progress.total)}` : gettext("Starting"));

function render(job, isLive) {
  setText(byId("where"), whereSentence(job));
  setBar(byId("bar"), job.state === "succeeded" ? 1 : (job.progress.fraction ?? 0));
  const sorted = [...rows.values()].sort((a, b) => a.bits_per_character - b.bits_per_character);
  const body = tableById("measured").tBodies[0];
  if (body.rows.length !== sorted.length) {
    body.replaceChildren(
      ...sorted.map((row, place) =>
        element(
          "tr",
          { className: place === 0 ? "best" : "" },
          element("th", { scope: "row" }, row.name),
          element("td", { className: "num" }, decimal(row.bits_per_character, 4)),
          ...[count(row.posts), count(row.characters), duration(row.seconds)].map((text) => element("td", { className: "num" }, text)),
        ),
      ),
    );
    if (isLive && !hasEnded(job.state)) announce(measured(sorted.length));
  }
}

const measured = (number) =>
  interpolate(ngettext("%(count)s model evaluated.", "%(count)s models evaluated.", number), { count: count(number) });

followJob({
  render,
  onEvent,
  sentence: (job) => stateSentence(job, whereSentence(job)),
});
