// The choice of a tier, the slider's number, and the estimated training time.

import { all, byId, inputById, readJson, setText } from "./dom.js";
import { about, count } from "./format.js";
import { gettext, interpolate, ngettext } from "./words.js";

const form = byId("train-form");
if (form && !form.querySelector("fieldset").disabled) {
  const slider = inputById("id_epochs");
  const courses = readJson("train-courses");
  const starts = /** @type {HTMLInputElement[]} */ (all("[name=start]"));
  const bots = /** @type {HTMLSelectElement | null} */ (byId("id_bot"));
  /** The chosen epochs by tier, so that a look at the other tier loses nothing. */
  const chosen = {};
  let shown = "";

  const tier = () => {
    const start = starts.find((input) => input.checked);
    return (start?.value === "own" ? bots.selectedOptions[0] : start)?.dataset.tier ?? "quick";
  };

  const update = () => {
    const now = tier();
    const course = courses[now];
    if (now !== shown) {
      if (shown) {
        slider.max = course.max_epochs;
        slider.value = chosen[now] ?? course.epochs;
      }
      for (const name of ["learning_rate", "dropout", "batch_size", "sequence_length"]) {
        const field = inputById(`id_${name}`);
        field.placeholder = course.automatic[name] ?? "";
        field.disabled = !(name in course.automatic);
      }
      shown = now;
    }
    chosen[now] = slider.value;
    const epochs = Number(slider.value);
    const time = about(course.starting + epochs * course.epoch);
    const spoken = ngettext("%(count)s epoch, about %(time)s", "%(count)s epochs, about %(time)s", epochs);
    const waits = Number(form.dataset.ahead) > 0;
    setText(byId("epochs-value"), slider.value);
    slider.setAttribute("aria-valuetext", interpolate(spoken, { count: count(epochs), time }));
    const estimate = waits ? gettext("About %(time)s on this machine, once it starts.") : gettext("About %(time)s on this machine.");
    setText(byId("estimate"), interpolate(estimate, { time }));
  };

  slider.addEventListener("input", update);
  for (const start of starts) start.addEventListener("change", update);
  bots?.addEventListener("change", () => {
    inputById("start-own").checked = true;
    update();
  });
  update();
}
