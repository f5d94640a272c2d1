// The sliders of the form that makes a bot write: their values in words, and a length that drives a number field.

import { all, byId, inputById } from "./dom.js";
import { gettext, interpolate, ngettext } from "./words.js";

/** @type {[number, string][]} Up to each of these temperatures, the word that describes the posts. */
const TEMPERATURES = [
  [0, gettext("always the same")],
  [0.55, gettext("careful")],
  [0.8, gettext("calm")],
  [1, gettext("natural")],
  [1.3, gettext("bold")],
  [2, gettext("wild")],
];

for (const output of all("[data-says=temperature]")) {
  const slider = inputById(output.getAttribute("for"));
  const show = () => {
    const [, word] = TEMPERATURES.find(([most]) => Number(slider.value) <= most) ?? TEMPERATURES.at(-1);
    output.textContent = `${Number(slider.value)} · ${word}`;
    slider.setAttribute("aria-valuetext", `${Number(slider.value)}, ${word}`);
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
    const text = interpolate(ngettext("up to %(most)s character", "up to %(most)s characters", most), { most });
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
