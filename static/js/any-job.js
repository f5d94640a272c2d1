// The page of a job whose kind has no page of its own: its status, how far it is, and the message that it sends.

import { byId, setBar, setText } from "./dom.js";
import { standing } from "./format.js";
import { followJob, stateSentence } from "./job-page.js";
import { gettext } from "./words.js";

const whereSentence = (job) =>
  standing(job, {
    succeeded: () => gettext("Done"),
    failed: gettext("Failed"),
    // The message of an earlier pause says nothing about a job that runs again.
    running: ({ progress }) => (progress.phase === "waiting" ? null : progress.message) ?? gettext("Running"),
  });

followJob({
  render: (job) => {
    setText(byId("where"), whereSentence(job));
    // What the job has made is on the page that the server makes when it has ended.
    if (job.state === "succeeded" && byId("reload-when-done")) location.reload();
    setBar(byId("bar"), job.state === "succeeded" ? 1 : job.state === "running" ? (job.progress.fraction ?? null) : 0);
  },
  onEvent: () => {},
  sentence: (job) => stateSentence(job, whereSentence(job)),
});
