// The page of an instant bot in the making: it's there within seconds, then the page goes on to it.

import { byId, linkById, setBar, setText } from "./dom.js";
import { standing } from "./format.js";
import { followJob, stateSentence } from "./job-page.js";
import { gettext } from "./words.js";

const models = linkById("open-bot").href;
let wasWaited = false;

const whereSentence = (job) =>
  standing(job, {
    succeeded: () => gettext("Done"),
    failed: gettext("Failed"),
    running: () => gettext("Reading your newest posts"),
  });

followJob({
  render: (job) => {
    const isDone = job.state === "succeeded";
    setText(byId("where"), whereSentence(job));
    setBar(byId("bar"), isDone ? 1 : job.state === "running" ? null : 0);
    byId("done").hidden = !isDone;
    if (isDone) {
      linkById("open-bot").href = `${models}${job.result.model}/`;
      // Only who has waited for it: who comes back to this page later stays on it.
      if (wasWaited) window.location.assign(linkById("open-bot").href);
    } else {
      wasWaited = true;
    }
  },
  onEvent: () => {},
  sentence: (job) => stateSentence(job, whereSentence(job)),
});
