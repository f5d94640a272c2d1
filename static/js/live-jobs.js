// The cards of running jobs, on the dashboard and in the list of jobs.

import { all, setBar, setText } from "./dom.js";
import { count, duration, hasEnded, posts, stateWord, waitingSentence } from "./format.js";
import { JobSocket } from "./job-socket.js";
import { gettext, interpolate, ngettext } from "./words.js";

/** Browsers limit the sockets per host. Further cards don't update until a reload. */
const MOST = 12;

/** How far the whole would be says nothing about a stop. */
const endsEarly = (job) => job.state === "cancelling" || (job.state === "running" && job.stop_requested && job.progress.phase === "training");

function line(job) {
  const { phase, unit = "epoch", epoch, epochs, total, message, seconds_left: left } = job.progress;
  if (hasEnded(job.state)) return job.error?.message ?? "";
  const waiting = waitingSentence(job);
  if (waiting) return waiting;
  if (endsEarly(job)) return gettext("Stopping");
  // A kind of job without its own line here sends one.
  if (message && phase !== "waiting") return message;
  if (phase === "training" && !epochs) return interpolate(gettext("%(time)s left"), { time: duration(left) });
  if (phase === "training") {
    if (unit === "part") {
      return interpolate(gettext("Part %(part)s of %(parts)s, %(time)s left"), { part: epoch, parts: epochs, time: duration(left) });
    }
    return interpolate(gettext("Epoch %(epoch)s of %(epochs)s, %(time)s left"), { epoch, epochs, time: duration(left) });
  }
  if (phase === "validating") return gettext("Measuring on all validation posts");
  if (phase === "reporting") return gettext("Writing the report card");
  if (phase === "saving") return gettext("Saving");
  if (phase === "measuring") return `${job.progress.model}: ${posts(total)}`;
  if (phase === "reading") return ofPosts(ngettext("%(count)s post so far", "%(count)s posts so far", total ?? 0), total ?? 0);
  if (phase === "cleaning") return ofPosts(ngettext("Cleaning %(count)s post", "Cleaning %(count)s posts", total), total);
  return gettext("Starting");
}

const ofPosts = (text, number) => interpolate(text, { count: count(number) });

/** Cards that are followed, with their sockets. */
const followed = new Map();

function follow(card) {
  const bar = card.querySelector("[data-live-progress]");
  const state = card.querySelector("[data-live-state]");
  const job = { id: card.dataset.liveJob, last_sequence: 0, state: "", progress: {} };
  const socket = new JobSocket(job, Number(card.dataset.sequence), {
    onJob: (newer) => {
      setText(state, stateWord(newer.state));
      state.className = `state ${newer.state}`;
      setText(card.querySelector("[data-live-text]"), line(newer));
      setBar(bar, newer.state === "succeeded" ? 1 : endsEarly(newer) ? null : (newer.progress.fraction ?? 0));
      if (hasEnded(newer.state)) socket.close();
    },
  });
  followed.set(card, socket);
}

/** Follow the first cards of the page, and let go of those that are no longer there. */
function followAll() {
  for (const [card, socket] of followed) {
    if (card.isConnected) continue;
    socket.close();
    followed.delete(card);
  }
  for (const card of all("[data-live-job]").slice(0, MOST)) if (!followed.has(card)) follow(card);
}

followAll();
document.addEventListener("htmx:afterSettle", followAll);
