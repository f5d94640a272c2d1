// The slider's number, and the estimated training time.

import { byId, inputById, setText } from "./dom.js";
import { about, count } from "./format.js";
import { gettext, interpolate, ngettext } from "./words.js";

const form = byId("train-form");
if (form && !form.querySelector("fieldset").disabled) {
  const slider = inputById("id_epochs");
  const update = () => {
    const seconds = Number(form.dataset.starting) + Number(slider.value) * Number(form.dataset.epoch);
    const epochs = Number(slider.value);
    const time = about(seconds);
    const spoken = ngettext("%(count)s epoch, about %(time)s", "%(count)s epochs, about %(time)s", epochs);
    const waits = Number(form.dataset.ahead) > 0;
    setText(byId("epochs-value"), slider.value);
    slider.setAttribute("aria-valuetext", interpolate(spoken, { count: count(epochs), time }));
    const estimate = waits ? gettext("About %(time)s on this machine, once it starts.") : gettext("About %(time)s on this machine.");
    setText(byId("estimate"), interpolate(estimate, { time }));
  };
  slider.addEventListener("input", update);
  update();
}
