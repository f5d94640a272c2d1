// The sentences about the epochs of a quick training, and about the parts of a fluent one, which stand for its epochs.

import { gettext } from "./words.js";

const OF_EPOCHS = {
  stopping: gettext("Stopping with the best epoch"),
  current: gettext("Epoch %(epoch)s of %(epochs)s"),
  stopped: gettext("Stopped after %(done)s of %(planned)s epochs. The bot is from the best one."),
  best: gettext("The best epoch so far becomes the bot."),
  nothing: gettext("No epoch was finished, so nothing is saved. “Try again” starts from the beginning."),
  gone: gettext("The epochs below are no longer saved. “Try again” starts from the beginning."),
  before: gettext("Before the training"),
  after: gettext("After epoch %(epoch)s"),
  column: gettext("Epoch %(epoch)s"),
  done: gettext("Epoch %(epoch)s of %(epochs)s is done. Validation loss %(loss)s."),
};

const OF_PARTS = {
  stopping: gettext("Stopping with the best part"),
  current: gettext("Part %(epoch)s of %(epochs)s"),
  stopped: gettext("Stopped after %(done)s of %(planned)s parts. The bot is from the best one."),
  best: gettext("The best part so far becomes the bot."),
  nothing: gettext("No part was finished. “Try again” continues from what is saved, if anything is."),
  gone: gettext("The parts below are no longer saved. “Try again” starts from the beginning."),
  before: gettext("Before the training, with some of your posts as examples"),
  after: gettext("After part %(epoch)s"),
  column: gettext("Part %(epoch)s"),
  done: gettext("Part %(epoch)s of %(epochs)s is done. Validation loss %(loss)s."),
};

/** @param {string | undefined} unit "epoch" or "part" */
export const sentencesOf = (unit) => (unit === "part" ? OF_PARTS : OF_EPOCHS);
