// What temperatures mean, in words. models_app/comparing/services.py has the same.

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

export function word(temperature) {
  const [, found] = WORDS.find(([most]) => temperature <= most) ?? WORDS.at(-1);
  return found;
}

export const said = (temperature) => `${temperature} · ${word(temperature)}`;
