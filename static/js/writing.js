// The form that lets a bot write. The focus stays on its button, which a disabled button would lose; what came of it is
// said once, in a status line, instead of every post being read aloud.

document.addEventListener("htmx:beforeRequest", (event) => during(event, (form, button) => {
  button.setAttribute("aria-disabled", "true");
  say(form, "Writing…");
}));

document.addEventListener("htmx:afterRequest", (event) => during(event, (form, button) => {
  button.removeAttribute("aria-disabled");
  // Errors are alerts and speak for themselves.
  const heading = /** @type {CustomEvent} */ (event).detail.successful ? document.querySelector("#generation h2") : null;
  say(form, heading ? `${heading.textContent.trim()}.` : "");
}));

function during(event, change) {
  const form = event.target;
  if (!(form instanceof Element) || !form.matches("form[data-writes]")) return;
  change(form, form.querySelector("button[type=submit]"));
}

function say(form, text) {
  form.querySelector("[role=status]").textContent = text;
}
