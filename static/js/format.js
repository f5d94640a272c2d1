// Numbers, durations and states as words.

export const count = (number) => Math.round(number).toLocaleString("en");

export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** "45 s", "1 min 20 s", "2 h 5 min". */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return whole % 60 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${whole / 60} min`;
  const minutes = Math.round(whole / 60);
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

/** Round an estimate to 5 s, to 10 s from one minute on, and to whole minutes from ten minutes on. */
export function about(seconds) {
  const step = seconds < 60 ? 5 : seconds < 600 ? 10 : 60;
  return duration(Math.max(step, Math.round(seconds / step) * step));
}

/** Return the local time of day, such as 14:05. */
export function clock(iso) {
  const date = new Date(iso);
  return date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

/** Return the local day and time, such as "Tue 14:05". */
export function moment(iso) {
  return `${new Date(iso).toLocaleDateString("en-GB", { weekday: "short" })} ${clock(iso)}`;
}

const STATES = {
  queued: "Waiting",
  running: "Running",
  cancelling: "Stopping",
  interrupted: "Starting again",
  succeeded: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
};

export const stateWord = (state) => STATES[state] ?? state;
export const hasEnded = (state) => state === "succeeded" || state === "failed" || state === "cancelled";

/** Return whether a queued job is paused: a source asked for it, or the machine had an error. */
const isPaused = (job) =>
  job.state === "queued" && job.progress.phase === "waiting" && Boolean(job.progress.until) && new Date(job.progress.until) > new Date();

/** Return a sentence on a job's place in the queue, or on what holds it up. */
export function waitingSentence(job) {
  if (job.state === "interrupted") return "The worker stopped. The job goes on by itself in a few seconds.";
  if (job.state !== "queued") return "";
  if (isPaused(job)) return pauseSentence(job.progress);
  if (job.waits_for === "own_jobs") return "As many of your jobs run as may run at once: it starts when one of them has ended.";
  if (job.queue_position > 1) return `Number ${job.queue_position} in the queue. You can close this page; it goes on without you.`;
  return "Next in the queue: it starts as soon as a worker is free.";
}

/** Return a job's status in a few words. `running` gives them while it runs. */
export function standing(job, { succeeded, failed, running }) {
  switch (job.state) {
    case "queued":
      if (isPaused(job)) return job.progress.cause === "disk" ? "The disk is full" : `Trying again at ${clock(job.progress.until)}`;
      if (job.waits_for === "own_jobs") return "Waits for your running jobs";
      return job.queue_position > 1 ? `Number ${job.queue_position} in the queue` : "Next in the queue";
    case "succeeded":
      return succeeded(job);
    case "failed":
      return failed;
    case "running":
      return running(job);
    default:
      return stateWord(job.state);
  }
}

/** Return why a job is paused, with the local time instead of the server's. */
export function pauseSentence({ message, until, cause }) {
  const asked = /^(\S+) asks us to wait/.exec(message);
  if (asked) return `${asked[1]} asked us to wait until ${clock(until)}. The import goes on by itself.`;
  // A full disk has no time: the job goes on when there is room, as the message says.
  return cause === "disk" ? message : `${message} Trying again at ${clock(until)}.`;
}
