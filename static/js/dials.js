// The sliders of the form that makes a bot write: their values in words, and a length that drives a number field.

import { all, byId, inputById } from "./dom.js";
import { count } from "./format.js";
import { said, spoken } from "./temperatures.js";
import { interpolate, ngettext } from "./words.js";

for (const output of all("[data-says=temperature]")) {
  const slider = inputById(output.getAttribute("for"));
  const show = () => {
    const [temperature, usual] = [Number(slider.value), Number(slider.dataset.usual)];
    output.textContent = said(temperature, usual);
    slider.setAttribute("aria-valuetext", spoken(temperature, usual));
  };
  slider.addEventListener("input", show);
  show();
}

for (const slider of /** @type {HTMLInputElement[]} */ (all("[data-drives]"))) {
  const field = inputById(slider.dataset.drives);
  const stops = slider.dataset.stops.split(" ").map(Number);
  const output = byId(slider.id).parentElement.querySelector("output");
  const show = () => {
    const most = Number(field.value) || 0;
    const words = ngettext("up to %(most)s character", "up to %(most)s characters", most);
    const text = interpolate(words, { most: count(most) });
    output.textContent = text;
    slider.setAttribute("aria-valuetext", text);
  };
  slider.addEventListener("input", () => {
    field.value = String(stops[Number(slider.value)]);
    show();
  });
  field.addEventListener("input", () => {
    const next = stops.findIndex((stop) => stop >= Number(field.value));
    slider.value = String(next < 0 ? stops.length - 1 : next);
    show();
  });
  show();
}
