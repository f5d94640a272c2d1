// The page of a preparation of a corpus: what it does now, and about how long the rest takes.

import { byId, setBar, setText } from "./dom.js";
import { duration, standing } from "./format.js";
import { followJob, stateSentence } from "./job-page.js";
import { gettext, interpolate } from "./words.js";

const PHASES = {
  reading: gettext("Reading and cleaning the posts"),
  comparing: gettext("Looking for posts that are nearly the same"),
  writing: gettext("Writing the corpus"),
};

const atWork = ({ progress }) => PHASES[progress.phase] ?? gettext("Starting");

const whereSentence = (job) =>
  standing(job, { succeeded: () => gettext("Done"), failed: gettext("Failed"), running: atWork });

function render(job) {
  const left = job.state === "running" ? job.progress.seconds_left : null;
  const where = whereSentence(job);
  const sentence = gettext("%(where)s, about %(time)s left");
  setText(byId("where"), left == null ? where : interpolate(sentence, { where, time: duration(left) }));
  if (job.state === "succeeded" && byId("reload-when-done")) location.reload();
  setBar(byId("bar"), job.state === "succeeded" ? 1 : job.state === "running" ? (job.progress.fraction ?? null) : 0);
}

followJob({ render, onEvent: () => {}, sentence: (job) => stateSentence(job, whereSentence(job)) });
