// The page of a job whose kind has no page of its own: its status, how far it is, the message that it sends, and about
// how long the rest takes.

import { byId, setBar, setText } from "./dom.js";
import { duration, standing } from "./format.js";
import { followJob, stateSentence } from "./job-page.js";
import { gettext, interpolate } from "./words.js";

const whereSentence = (job) =>
  standing(job, {
    succeeded: () => gettext("Done"),
    failed: gettext("Failed"),
    // The message of an earlier pause says nothing about a job that runs again.
    running: ({ progress }) => (progress.phase === "waiting" ? null : progress.message) ?? gettext("Running"),
  });

followJob({
  render: (job) => {
    const left = job.state === "running" && job.progress.phase !== "waiting" ? job.progress.seconds_left : null;
    const where = whereSentence(job);
    const sentence = gettext("%(where)s, about %(time)s left");
    setText(byId("where"), left == null ? where : interpolate(sentence, { where, time: duration(left) }));
    // What the job has made is on the page that the server makes when it has ended.
    if (job.state === "succeeded" && byId("reload-when-done")) location.reload();
    setBar(byId("bar"), job.state === "succeeded" ? 1 : job.state === "running" ? (job.progress.fraction ?? null) : 0);
  },
  onEvent: () => {},
  sentence: (job) => stateSentence(job, whereSentence(job)),
});
