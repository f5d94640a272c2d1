// The choice of a tier, its slider (minutes or epochs), and the estimated training time.

import { all, byId, inputById, readJson, setText } from "./dom.js";
import { about, count } from "./format.js";
import { gettext, interpolate, ngettext } from "./words.js";

const form = byId("train-form");
if (form && !form.querySelector("fieldset").disabled) {
  const courses = readJson("train-courses");
  const starts = /** @type {HTMLInputElement[]} */ (all("[name=start]"));
  const bots = /** @type {HTMLSelectElement | null} */ (byId("id_bot"));
  const epochs = inputById("id_epochs");
  const minutes = inputById("id_minutes");

  const tier = () => {
    const start = starts.find((input) => input.checked);
    return (start?.value === "own" ? bots.selectedOptions[0] : start)?.dataset.tier ?? "quick";
  };

  /** Return the seconds of a quick training, and say them beside its slider. */
  const quick = (course) => {
    const chosen = Number(epochs.value);
    const seconds = course.starting + chosen * course.epoch;
    const spoken = ngettext("%(count)s epoch, about %(time)s", "%(count)s epochs, about %(time)s", chosen);
    setText(byId("epochs-value"), epochs.value);
    epochs.setAttribute("aria-valuetext", interpolate(spoken, { count: count(chosen), time: about(seconds) }));
    return { seconds, reads: "" };
  };

  /** Return the sentence about what a fluent training reads: how many of all posts, and how often. */
  const whatItReads = (posts, all, times) => {
    if (posts < all)
      return interpolate(gettext("It reads about the newest %(some)s of %(all)s posts."), { some: count(posts), all: count(all) });
    return times > 1 ? gettext("It reads all your posts twice.") : gettext("It reads all your posts.");
  };

  /** Return the seconds of a fluent training and what it reads, and say them beside its slider. */
  const fluent = (course) => {
    const [posts, seconds, times] = course.plans[Number(minutes.value) - course.least_minutes];
    const spoken = interpolate(gettext("about %(time)s"), { time: about(seconds) });
    setText(byId("minutes-value"), spoken);
    // What it reads is in the estimate, which screen readers read as it changes.
    minutes.setAttribute("aria-valuetext", spoken);
    return { seconds, reads: whatItReads(posts, course.posts, times) };
  };

  const update = () => {
    const now = tier();
    const course = courses[now];
    for (const field of all("#train-form [data-for]")) field.hidden = field.dataset.for !== now;
    for (const name of ["learning_rate", "dropout", "batch_size", "sequence_length"]) {
      const field = inputById(`id_${name}`);
      field.placeholder = course.automatic[name] ?? "";
      field.disabled = !(name in course.automatic);
    }
    const { seconds, reads } = now === "fluent" ? fluent(course) : quick(course);
    const waits = Number(form.dataset.ahead) > 0;
    const estimate = waits ? gettext("About %(time)s on this machine, once it starts.") : gettext("About %(time)s on this machine.");
    setText(byId("estimate"), `${interpolate(estimate, { time: about(seconds) })} ${reads}`.trim());
  };

  for (const slider of [epochs, minutes]) slider.addEventListener("input", update);
  for (const start of starts) start.addEventListener("change", update);
  bots?.addEventListener("change", () => {
    inputById("start-own").checked = true;
    update();
  });
  update();
}
