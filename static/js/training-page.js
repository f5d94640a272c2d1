// What all training pages share: progress, the link to the result, and announcements of new measurements.

import { byId, show } from "./dom.js";
import { hasEnded, standing } from "./format.js";
import { announce, followJob, stateSentence } from "./job-page.js";
import { TellMe } from "./tell-me.js";
import { TrainingProgress } from "./training-progress.js";
import { gettext } from "./words.js";

/**
 * Follow a training.
 * @param {object} page
 * @param {string} page.ready says that the training has succeeded
 * @param {(job: any) => string} page.atWork says in a few words how far a running job is
 * @param {(job: any) => string} page.phase says what happens next
 * @param {(progress: any) => number} page.speed gives characters or bytes per second
 * @param {(event: any) => void} page.onEvent takes each event once
 * @param {(job: any, isLearning: boolean) => any[]} page.draw draws the measurements and returns them in order;
 *   `isLearning`: the job's progress has a loss
 * @param {(newest: any) => string} page.news describes the newest measurement
 * @param {string} page.placeholder id of the element shown before the first measurement
 * @param {string} page.wayOn id of the link to the result, shown once there is one
 */
export function followTraining(page) {
  const progress = new TrainingProgress();
  const tellMe = new TellMe();
  const title = document.querySelector("h1").textContent;
  const where = (job) => standing(job, { succeeded: () => page.ready, failed: gettext("The training failed"), running: page.atWork });
  let spoken = 0;
  followJob({
    onEvent: page.onEvent,
    sentence: (job) => stateSentence(job, where(job), page.phase(job)),
    render: (job, isLive) => {
      progress.show(job, where(job), page.phase(job), page.speed(job.progress));
      const { phase, loss } = job.progress;
      const rows = page.draw(job, job.state === "running" && phase === "training" && Number.isFinite(loss));
      show(byId(page.placeholder), rows.length === 0 && !hasEnded(job.state));
      const isReady = job.state === "succeeded" || Boolean(job.progress.model);
      show(byId(page.wayOn), isReady);
      tellMe.offer(!isReady && !hasEnded(job.state));
      if (isReady || hasEnded(job.state)) tellMe.tell(isReady ? page.ready : where(job), title);
      if (isLive && rows.length > spoken) announce(page.news(rows.at(-1)));
      spoken = rows.length;
    },
  });
}
