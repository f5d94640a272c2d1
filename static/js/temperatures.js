// What temperatures mean, in words. models_app/writing/comparing/services.py has the same.

import { decimal } from "./format.js";
import { gettext } from "./words.js";

/** @type {[number, string][]} Up to each of these multiples of a bot's usual temperature, the word for its posts. */
const WORDS = [
  [0, gettext("always the same")],
  [0.62, gettext("careful")],
  [0.89, gettext("calm")],
  [1.12, gettext("natural")],
  [1.45, gettext("bold")],
  [Infinity, gettext("wild")],
];

const word = (temperature, usual) => WORDS.find(([most]) => temperature / usual <= most)[1];

const number = (temperature) => decimal(temperature, 2, 0);

/** The same as screen readers and as people read it. */
export const spoken = (temperature, usual) => `${number(temperature)}, ${word(temperature, usual)}`;
export const said = (temperature, usual) => `${number(temperature)} · ${word(temperature, usual)}`;
