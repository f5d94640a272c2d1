// The page of a new report card for an existing bot.

import { byId, setBar, setText } from "./dom.js";
import { standing } from "./format.js";
import { stateSentence, followJob } from "./job-page.js";

const whereSentence = (job) =>
  standing(job, {
    succeeded: ({ result }) => `${result.after.toFixed(3)} bits a character`,
    failed: "There is no new report card",
    running: () => "A hundred posts are written and measured",
  });

followJob({
  render: (job) => {
    setText(byId("where"), whereSentence(job));
    setBar(byId("bar"), job.state === "succeeded" ? 1 : job.state === "running" ? null : 0);
  },
  onEvent: () => {},
  sentence: (job) => stateSentence(job, whereSentence(job)),
});
