// What all job pages share: state, buttons, announcements, connection status.

import { troubleOf } from "./answers.js";
import { all, byId, dialogById, readJson, setText, show, targetOf } from "./dom.js";
import { hasEnded, stateWord } from "./format.js";
import { JobSocket } from "./job-socket.js";
import { LEAVING } from "./stages.js";
import { failed } from "./toasts.js";
import { gettext } from "./words.js";

/** Follow the page's job: call `render(job, isLive)` after each change and `onEvent(event)` once per event. */
export function followJob({ render, onEvent, sentence }) {
  const snapshot = readJson("job-snapshot");
  let job = snapshot.job;
  let last = 0;
  for (const event of snapshot.events) {
    onEvent(event);
    last = event.sequence;
  }

  const update = (isLive) => {
    const badge = document.querySelector("[data-live-state]");
    setText(badge, stateWord(job.state));
    badge.className = `state ${job.state}`;
    const forms = all("form[data-job-action]");
    // A dialog with nothing left to ask closes, and focus returns to the button that opened it.
    if (!asksFirst(job)) for (const { dataset } of forms) if (dataset.asks) dialogById(dataset.asks).close();
    const focused = forms.find((form) => form.contains(document.activeElement));
    for (const form of forms) show(form, isPossible(form.dataset.jobAction, job));
    if (focused?.hidden) focusNear(focused);
    const deletes = byId("delete-job");
    show(deletes, hasEnded(job.state));
    if (deletes.hidden) deletes.querySelector("dialog").close();
    const failure = byId("failure");
    show(failure, job.state === "failed");
    setText(failure, job.state === "failed" ? (job.error?.message ?? gettext("Something went wrong.")) : "");
    render(job, isLive);
  };
  update(false);

  const ofLine = {
    down: byId("line").textContent.trim(),
    unreached: gettext("Can’t reach the server. Trying again…"),
    gone: gettext("This job was deleted, or you’ve been signed out. Reload the page."),
  };
  let spokenState = job.state;
  const socket = new JobSocket(job, last, {
    onJob: (newer) => (job = newer),
    onEvent,
    onLine: (line) => {
      const note = byId("line");
      show(note, line !== "up");
      if (line === "up") return;
      setText(note, ofLine[line]);
      announce(ofLine[line]);
    },
    onUpdate: () => {
      update(true);
      if (job.state !== spokenState) {
        spokenState = job.state;
        announce(sentence(job));
      }
    },
  });

  const following = new AbortController();
  document.addEventListener(
    LEAVING,
    () => {
      socket.close();
      following.abort();
    },
    { once: true },
  );
  const onSubmit = async (submission) => {
    const form = /** @type {HTMLFormElement | null} */ (targetOf(submission).closest("form[data-job-action]"));
    if (!form) return;
    submission.preventDefault();
    if (form.dataset.asks && asksFirst(job)) {
      dialogById(form.dataset.asks).showModal();
      return;
    }
    form.closest("dialog")?.close();
    const button = form.querySelector("button");
    if (button.getAttribute("aria-disabled")) return;
    // A disabled button loses the focus.
    button.setAttribute("aria-disabled", "true");
    try {
      await act(form, (newer) => socket.takeJob(newer));
    } finally {
      button.removeAttribute("aria-disabled");
    }
  };
  document.addEventListener("submit", onSubmit, { signal: following.signal });
}

/** Ask for what the button of a form says, and take the job as it is then. */
async function act(form, take) {
  const request = { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } };
  let said;
  try {
    const answer = await fetch(form.action, request);
    const isAnswer = answer.headers.get("Content-Type")?.startsWith("application/json");
    if (answer.redirected || !isAnswer) return failed(await troubleOf(answer));
    said = await answer.json();
  } catch {
    return failed(gettext("Can’t reach the server. Try again."));
  }
  take(said.job);
  if (said.error) failed(said.error.message);
}

/** Return whether a cancel would throw away progress. The form names the dialog that asks. */
const asksFirst = (job) => job.state === "running" && !job.stop_requested;

/** Move focus from a button that has just gone to the next possible action, or to the top of the page. */
function focusNear(form) {
  const next = [...form.closest(".actions").querySelectorAll("a:not([hidden]), form:not([hidden]) button")].find((node) => node.offsetParent);
  if (next) return next.focus();
  const title = document.querySelector("h1");
  title.tabIndex = -1;
  title.focus();
}

function isPossible(action, job) {
  if (action === "retry") return job.state === "failed" || job.state === "cancelled";
  // The bot is there, and only its report card is still being made.
  if (job.progress.model) return false;
  if (action === "stop") return job.state === "running" && !job.stop_requested;
  return !hasEnded(job.state) && job.state !== "cancelling";
}

/** Return the announcement of a new state: the status, then what happens next or why the job failed. */
export const stateSentence = (job, where, phase = "") =>
  `${where}. ${job.state === "failed" ? (job.error?.message ?? "") : phase}`.trim();

/** Announce a text to screen readers, politely. */
export function announce(text) {
  setText(byId("announcer"), text);
}
