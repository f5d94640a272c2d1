// The slider's number, and the estimated training time.

import { byId, inputById, setText } from "./dom.js";
import { about } from "./format.js";

const form = byId("train-form");
if (form && !form.querySelector("fieldset").disabled) {
  const slider = inputById("id_epochs");
  const update = () => {
    const seconds = Number(form.dataset.starting) + Number(slider.value) * Number(form.dataset.epoch);
    const ahead = Number(form.dataset.ahead) ? ", once it is its turn" : "";
    setText(byId("epochs-value"), slider.value);
    slider.setAttribute("aria-valuetext", `${slider.value} epoch${slider.value === "1" ? "" : "s"}, about ${about(seconds)}`);
    setText(byId("estimate"), `Takes about ${about(seconds)} on this machine${ahead}.`);
  };
  slider.addEventListener("input", update);
  update();
}
