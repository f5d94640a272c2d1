// The form that makes a bot write. Its button keeps focus, which a disabled button would lose. A status line announces
// the outcome once, so that screen readers don't read every post.

document.addEventListener("htmx:beforeRequest", (event) => during(event, (form, button) => {
  button.setAttribute("aria-disabled", "true");
  say(form, "Writing…");
}));

document.addEventListener("htmx:afterRequest", (event) => during(event, (form, button) => {
  button.removeAttribute("aria-disabled");
  // Errors are alerts, so screen readers announce them already.
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
