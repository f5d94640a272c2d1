// The API reference: sends requests by the person's session, and shows what the server answers.

import { all, show } from "./dom.js";
import { count } from "./format.js";
import { gettext, interpolate } from "./words.js";

/** More of an answer than this makes a page slow. */
const LONGEST = 20000;

const { csrfToken } = /** @type {HTMLElement} */ (document.querySelector("[data-csrf-token]")).dataset;

for (const form of /** @type {HTMLFormElement[]} */ (all("[data-try]"))) {
  form.addEventListener("submit", async (submission) => {
    submission.preventDefault();
    const status = form.querySelector("[role=status]");
    const answer = form.querySelector("pre");
    status.textContent = gettext("Waiting for the answer…");
    try {
      const response = await send(form);
      const text = await body(response);
      status.textContent = interpolate(gettext("Answer: %(status)s"), { status: `${response.status} ${response.statusText}`.trim() });
      answer.querySelector("code").textContent = text;
      show(answer, text !== "");
    } catch {
      status.textContent = gettext("Can’t reach the server. Try again.");
      show(answer, false);
    }
  });
}

// A link to an operation from elsewhere opens its group in the contents.
function openContents() {
  const link = document.querySelector(`.api-contents a[href="${CSS.escape(location.hash).replace(/^\\/, "")}"]`);
  const group = link?.closest("details");
  if (group) group.open = true;
}
addEventListener("hashchange", openContents);
openContents();

/** @param {HTMLFormElement} form */
function send(form) {
  const { method, path } = form.dataset;
  const headers = new Headers({ "X-CSRFToken": csrfToken });
  const query = new URLSearchParams();
  let address = path;
  for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (form.querySelectorAll("[data-place]"))) {
    if (input.value === "") continue;
    if (input.dataset.place === "path") address = address.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.dataset.place === "query") query.set(input.name, input.value);
    else headers.set(input.name, input.value);
  }
  const written = /** @type {HTMLTextAreaElement | null} */ (form.querySelector("[data-body]"));
  if (written) headers.set("Content-Type", "application/json");
  if (query.size) address += `?${query}`;
  return fetch(address, { method, headers, body: written?.value });
}

/** @param {Response} response */
async function body(response) {
  const type = response.headers.get("Content-Type") ?? "";
  if (type !== "" && !type.startsWith("text/") && !type.includes("json")) {
    const { size } = await response.blob();
    return interpolate(gettext("A file of %(size)s bytes."), { size: count(size) });
  }
  const text = await response.text();
  const shown = type.includes("/json") ? JSON.stringify(JSON.parse(text), null, 2) : text;
  return shown.length > LONGEST ? `${shown.slice(0, LONGEST)}…` : shown;
}
