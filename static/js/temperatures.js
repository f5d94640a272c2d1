// What temperatures mean, in words. models_app/comparing/services.py has the same.

import { decimal } from "./format.js";
import { gettext } from "./words.js";

/** @type {[number, string][]} Up to each of these temperatures, the word that describes the posts. */
const WORDS = [
  [0, gettext("always the same")],
  [0.55, gettext("careful")],
  [0.8, gettext("calm")],
  [1, gettext("natural")],
  [1.3, gettext("bold")],
  [2, gettext("wild")],
];

function word(temperature) {
  const [, found] = WORDS.find(([most]) => temperature <= most) ?? WORDS.at(-1);
  return found;
}

const number = (temperature) => decimal(temperature, 2, 0);

/** The same as screen readers and as people read it. */
export const spoken = (temperature) => `${number(temperature)}, ${word(temperature)}`;
export const said = (temperature) => `${number(temperature)} · ${word(temperature)}`;
