// The page of a report card that is made anew.

import { byId, setBar, setText } from "./dom.js";
import { followJob } from "./job-page.js";

function whereSentence(job) {
  if (job.state === "queued") return job.queue_position > 1 ? `Number ${job.queue_position} in the queue` : "Next in the queue";
  if (job.state === "succeeded") return `${job.result.after.toFixed(3)} bits a character`;
  if (job.state === "failed") return "There is no new report card";
  if (job.state === "cancelled") return "Cancelled";
  return job.state === "cancelling" ? "Stopping" : "A hundred posts are written and measured";
}

followJob({
  render: (job) => {
    setText(byId("where"), whereSentence(job));
    setBar(byId("bar"), job.state === "succeeded" ? 1 : job.state === "running" ? null : 0);
  },
  onEvent: () => {},
  stateSentence: (job) => (job.state === "failed" ? `${whereSentence(job)}. ${job.error?.message ?? ""}` : whereSentence(job)),
});
