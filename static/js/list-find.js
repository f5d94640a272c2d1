// The search of a list: htmx brings what matches while people type or choose (templates/includes/list_find.html). This
// keeps blank fields out of the address, and the address of the page up to date, so that a reload shows the same.

document.addEventListener("htmx:configRequest", (event) => {
  const { elt, parameters } = /** @type {CustomEvent} */ (event).detail;
  if (!elt.matches("[data-list-find]")) return;
  for (const name of Object.keys(parameters)) if (!parameters[name]) delete parameters[name];
});

document.addEventListener("htmx:afterSwap", (event) => {
  const { requestConfig, xhr } = /** @type {CustomEvent} */ (event).detail;
  if (requestConfig?.elt.matches("[data-list-find]")) history.replaceState(null, "", xhr.responseURL);
});
