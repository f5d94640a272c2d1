// The progress of a training: status, bar, time left, speed and loss.

import { byId, setBar, setText, show } from "./dom.js";
import { showIcon } from "./favicon.js";
import { count, decimal, duration, hasEnded, percent } from "./format.js";

/** Fills in templates/includes/training_progress.html. */
export class TrainingProgress {
  #title = document.title;
  #deadline = null;

  constructor() {
    setInterval(() => this.#tick(), 1000);
  }

  /** Show a job: `where` is its status in a few words, `phase` says what happens next, `perSecond` is its speed. */
  show(job, where, phase, perSecond) {
    const { fraction = 0, seconds_left: left, loss } = job.progress;
    const isRunning = job.state === "running";
    const isTraining = isRunning && job.progress.phase === "training";
    const isMeasuring = isRunning && job.progress.phase === "validating";
    const isStarting = isRunning && !["training", "validating", "reporting", "saving"].includes(job.progress.phase);
    // How long the whole training would take says nothing about a stop.
    const isStopping = (isTraining || isStarting) && job.stop_requested;
    setText(byId("where"), where);
    setText(byId("phase"), phase);
    setBar(byId("bar"), job.state === "succeeded" ? 1 : isStopping || (isStarting && fraction === 0) ? null : fraction);
    const done = isRunning && !isStarting && !isStopping ? percent(fraction) : "";
    setText(byId("percent"), done);
    document.title = hasEnded(job.state) ? `${where}: ${this.#title}` : done ? `${done} ${this.#title}` : this.#title;
    showIcon(job.state === "succeeded" ? 1 : done ? fraction : null);
    show(byId("facts"), isRunning);
    this.#deadline = (isTraining || isMeasuring) && !isStopping && left > 0 ? Date.now() + left * 1000 : null;
    this.#tick();
    setText(byId("speed"), isTraining && perSecond > 0 ? count(perSecond) : "–");
    setText(byId("loss"), isTraining && Number.isFinite(loss) ? decimal(loss, 3) : "–");
  }

  #tick() {
    setText(byId("left"), this.#deadline === null ? "–" : duration((this.#deadline - Date.now()) / 1000));
  }
}
