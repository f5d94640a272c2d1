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

/** As exact as an estimate can be: steps of 5 s, 10 s and, from ten minutes on, whole minutes. */
export function about(seconds) {
  const step = seconds < 60 ? 5 : seconds < 600 ? 10 : 60;
  return duration(Math.max(step, Math.round(seconds / step) * step));
}

/** The time of day here, such as 14:05. */
export function clock(iso) {
  const date = new Date(iso);
  return date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

/** Day and time of day here, such as "Tue 14:05". */
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

/** Whether a waiting job waits for its time: a source asked for a pause, or the machine let it down. */
const isPaused = (job) =>
  job.state === "queued" && job.progress.phase === "waiting" && Boolean(job.progress.until) && new Date(job.progress.until) > new Date();

/** Where a job stands in the queue, or what holds it up, as a sentence. */
export function waitingSentence(job) {
  if (job.state === "interrupted") return "The worker stopped. The job goes on by itself in a few seconds.";
  if (job.state !== "queued") return "";
  if (isPaused(job)) return pauseSentence(job.progress);
  if (job.waits_for === "own_jobs") return "As many of your jobs run as may run at once: it starts when one of them has ended.";
  if (job.queue_position > 1) return `Number ${job.queue_position} in the queue. You can close this page; it goes on without you.`;
  return "Next in the queue: it starts as soon as a worker is free.";
}

/** Where a job stands, in a few words. `running` is what it says while it runs. */
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

/** Why a job waits for its time, with the time of day here instead of the server's. */
export function pauseSentence({ message, until, cause }) {
  const asked = /^(\S+) asks us to wait/.exec(message);
  if (asked) return `${asked[1]} asked us to wait until ${clock(until)}. The import goes on by itself.`;
  // A full disk has no time: the job goes on once there is room, and the message says so.
  return cause === "disk" ? message : `${message} Trying again at ${clock(until)}.`;
}
