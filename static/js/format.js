// Numbers, durations and states as words.

import { gettext, interpolate, ngettext } from "./words.js";

/** The language of the page. */
const language = document.documentElement.lang || "en";

export const count = (number) => Math.round(number).toLocaleString(language);

/** Return a number with so many digits after the point, as people write it: "1.250", "1,250" in German. */
export const decimal = (number, digits, least = digits) =>
  number.toLocaleString(language, { minimumFractionDigits: least, maximumFractionDigits: digits });

/** Return a fraction as a whole percentage that isn't reached too early: "42%", and with a space in German. */
export const percent = (fraction) => (Math.floor(fraction * 100) / 100).toLocaleString(language, { style: "percent" });

/** Return minutes, megabytes and the like with one decimal, or more where it would be 0: "12.0", "0.052". */
export const amount = (number) =>
  number >= 1 || number === 0
    ? decimal(number, 1)
    : number.toLocaleString(language, { minimumSignificantDigits: 2, maximumSignificantDigits: 2 });

/** The same without zeros at the end, and whole from 100 on: "0.052", "2.5", "90", "1,200". */
export function shortest(number) {
  if (number >= 100) return count(number);
  return number >= 1 ? decimal(number, 1, 0) : number.toLocaleString(language, { maximumSignificantDigits: 2 });
}

/** "1 post", "2,000 posts". */
export const posts = (number) => interpolate(ngettext("%(count)s post", "%(count)s posts", number), { count: count(number) });

/** "45 s", "1 min 20 s", "2 h 5 min". */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return interpolate(gettext("%(seconds)s s"), { seconds: whole });
  const [minutes, rest] = whole < 3600 ? [Math.floor(whole / 60), whole % 60] : [Math.round(whole / 60), 0];
  if (rest) return interpolate(gettext("%(minutes)s min %(seconds)s s"), { minutes, seconds: rest });
  if (minutes < 60) return interpolate(gettext("%(minutes)s min"), { minutes });
  const parts = { hours: Math.floor(minutes / 60), minutes: minutes % 60 };
  return interpolate(parts.minutes ? gettext("%(hours)s h %(minutes)s min") : gettext("%(hours)s h"), parts);
}

/** Round an estimate to 5 s, to 10 s from one minute on, and to whole minutes from ten minutes on. */
export function about(seconds) {
  const step = seconds < 60 ? 5 : seconds < 600 ? 10 : 60;
  return duration(Math.max(step, Math.round(seconds / step) * step));
}

const TIME = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** Return the local time of day, such as 14:05. */
export const clock = (iso) => new Date(iso).toLocaleTimeString(language, TIME);

/** Return the local day and time, such as "Tue 14:05". */
export const moment = (iso) => new Date(iso).toLocaleString(language, { weekday: "short", ...TIME });

const STATES = {
  queued: gettext("Waiting"),
  running: gettext("Running"),
  cancelling: gettext("Stopping"),
  interrupted: gettext("Starting again"),
  succeeded: gettext("Done"),
  failed: gettext("Failed"),
  cancelled: gettext("Cancelled"),
};

export const stateWord = (state) => STATES[state] ?? state;
export const hasEnded = (state) => state === "succeeded" || state === "failed" || state === "cancelled";

/** Return whether a queued job is paused: a source asked for it, or the machine had an error. */
const isPaused = (job) =>
  job.state === "queued" && job.progress.phase === "waiting" && Boolean(job.progress.until) && new Date(job.progress.until) > new Date();

const inQueue = (job) =>
  job.queue_position > 1
    ? interpolate(gettext("Number %(position)s in the queue"), { position: count(job.queue_position) })
    : gettext("Next in the queue");

function behind(job) {
  const people = job.people_ahead;
  if (!people) return inQueue(job);
  const sentence = ngettext("%(place)s, behind %(people)s other person", "%(place)s, behind %(people)s other people", people);
  return interpolate(sentence, { place: inQueue(job), people: count(people) });
}

/** Return a sentence on a job's place in the queue, or on what holds it up. */
export function waitingSentence(job) {
  if (job.state === "interrupted") return gettext("The job was interrupted. It continues in a few seconds.");
  if (job.state !== "queued") return "";
  if (isPaused(job)) return pauseSentence(job.progress);
  if (job.waits_for === "own_jobs") return gettext("You’re already running as many jobs as you’re allowed to. This one starts when one of them ends.");
  if (job.queue_position > 1) {
    const ahead = job.queue_position - 1;
    const sentence = ngettext(
      "%(place)s: %(ahead)s job is ahead of yours.",
      "%(place)s: %(ahead)s jobs are ahead of yours.",
      ahead,
    );
    return `${interpolate(sentence, { place: behind(job), ahead: count(ahead) })} ${gettext("You can close this page. The job continues without it.")}`;
  }
  return gettext("Next in the queue. It starts as soon as the server is free.");
}

/** Return a job's status in a few words. `running` gives them while it runs. */
export function standing(job, { succeeded, failed, running }) {
  switch (job.state) {
    case "queued":
      if (isPaused(job)) {
        if (job.progress.cause === "disk") return gettext("The disk is full");
        return interpolate(gettext("Trying again at %(time)s"), { time: clock(job.progress.until) });
      }
      return job.waits_for === "own_jobs" ? gettext("Waiting for your running jobs") : inQueue(job);
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
  const time = clock(until);
  const local = message.replace(/\d\d:\d\d UTC/, time);
  // A full disk has no time: the job continues when there is room, as the message says.
  if (cause === "disk" || local !== message) return local;
  return interpolate(gettext("%(message)s Trying again at %(time)s."), { message, time });
}
