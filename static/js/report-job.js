// The page of a new report card for an existing bot.

import { byId, setBar, setText } from "./dom.js";
import { decimal, standing } from "./format.js";
import { stateSentence, followJob } from "./job-page.js";
import { gettext, interpolate } from "./words.js";

const whereSentence = (job) =>
  standing(job, {
    succeeded: ({ result }) => interpolate(gettext("%(bits)s bits per character"), { bits: decimal(result.after, 3) }),
    failed: gettext("The report card couldn’t be created"),
    running: () => gettext("Writing and checking a hundred posts"),
  });

followJob({
  render: (job) => {
    setText(byId("where"), whereSentence(job));
    setBar(byId("bar"), job.state === "succeeded" ? 1 : job.state === "running" ? null : 0);
  },
  onEvent: () => {},
  sentence: (job) => stateSentence(job, whereSentence(job)),
});
