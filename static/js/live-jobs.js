// The cards of running jobs, on the dashboard and in the list of jobs.

import { all, setBar, setText } from "./dom.js";
import { duration, hasEnded, plural, stateWord, waitingSentence } from "./format.js";
import { JobSocket } from "./job-socket.js";

/** Browsers limit the sockets per host. Further cards don't update until a reload. */
const MOST = 12;

function line(job) {
  const { phase, epoch, epochs, total, message, seconds_left: left } = job.progress;
  if (hasEnded(job.state)) return job.error?.message ?? "";
  const waiting = waitingSentence(job);
  if (waiting) return waiting;
  // A kind of job that has no line of its own here sends one.
  if (message && phase !== "waiting") return message;
  if (phase === "training" && !epochs) return `${duration(left)} left`;
  if (phase === "training") return `Epoch ${epoch} of ${epochs}, ${duration(left)} left`;
  if (phase === "reporting") return "Writing the report card";
  if (phase === "saving") return "Saving";
  if (phase === "measuring") return `${job.progress.model}: ${plural(total, "post")}`;
  if (phase === "reading") return `${plural(total ?? 0, "post")} so far`;
  if (phase === "cleaning") return `Cleaning ${plural(total, "post")}`;
  return "Starting";
}

function follow(card) {
  const bar = card.querySelector("[data-live-progress]");
  const state = card.querySelector("[data-live-state]");
  const job = { id: card.dataset.liveJob, last_sequence: 0, state: "", progress: {} };
  const socket = new JobSocket(job, Number(card.dataset.sequence), {
    onJob: (newer) => {
      setText(state, stateWord(newer.state));
      state.className = `state ${newer.state}`;
      setText(card.querySelector("[data-live-text]"), line(newer));
      setBar(bar, newer.state === "succeeded" ? 1 : (newer.progress.fraction ?? 0));
      if (hasEnded(newer.state)) socket.close();
    },
  });
}

all("[data-live-job]").slice(0, MOST).forEach(follow);
