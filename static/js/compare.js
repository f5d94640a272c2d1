// The page that compares bots: each column streams from the address of its bot.

import { all, byId, inputById, targetOf } from "./dom.js";
import { sideBySide } from "./side-by-side.js";
import { gettext, interpolate } from "./words.js";

document.addEventListener("submit", async (submission) => {
  const form = /** @type {HTMLFormElement} */ (targetOf(submission));
  if (!form.matches("form[data-compare]")) return;
  submission.preventDefault();
  const button = form.querySelector("button[type=submit]");
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  const status = document.querySelector(".writing-status");
  status.textContent = gettext("Writing…");
  const common = new FormData(form);
  const columns = chosen(form);
  for (const name of ["bot", "temperature"]) common.delete(name);
  const place = byId("columns");
  status.textContent = outcome(place, await sideBySide(place, common, columns));
  button.removeAttribute("aria-disabled");
  remember(form);
});

/** Return what became of the columns. Those without posts say themselves why. */
function outcome(place, seed) {
  const columns = [...place.querySelectorAll(".column")];
  const written = columns.filter((column) => column.querySelector(".generation .post"));
  if (written.length === 0) return "";
  const sentence =
    written.length === columns.length
      ? gettext("Done. All columns have the seed %(seed)s.")
      : gettext("Done. The columns with posts have the seed %(seed)s.");
  return interpolate(sentence, { seed });
}

function chosen(form) {
  const bots = /** @type {HTMLSelectElement[]} */ ([...form.querySelectorAll("select[name=bot]")]);
  return bots
    .filter((bot) => bot.value)
    .map((bot) => {
      const { dataset, textContent } = bot.selectedOptions[0];
      const usual = Number(dataset.usual);
      const temperature = inputById(bot.id.replace("bot", "temperature")).value;
      return { action: dataset.action, temperature: Number(temperature || usual), usual, title: textContent.trim() };
    });
}

/** Keep the choice in the address, so that a reload or a link shows it again. */
function remember(form) {
  const values = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    // Each column has its temperature, and an empty one is the usual one.
    if (name !== "csrfmiddlewaretoken" && (value || name === "temperature")) values.append(name, String(value));
  }
  history.replaceState(null, "", `?${values}`);
}

for (const select of all("form[data-compare] select[name=bot]")) {
  const temperature = inputById(select.id.replace("bot", "temperature"));
  const dim = () => temperature.toggleAttribute("disabled", !(/** @type {HTMLSelectElement} */ (select).value));
  select.addEventListener("change", dim);
  dim();
}
