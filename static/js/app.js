// What every page needs.

import "./copy.js";
import "./dialogs.js";
import "./spark.js";
import { setText } from "./dom.js";
import { duration } from "./format.js";

for (const node of document.querySelectorAll("[data-duration]")) setText(node, duration(Number(node.dataset.duration)));
for (const node of document.querySelectorAll("time[datetime]")) node.title = new Date(node.dateTime).toLocaleString();

document.addEventListener("htmx:sendError", () => note("The server could not be reached. Try once more."));
document.addEventListener("htmx:responseError", () => note("The server could not do that. Try once more, or reload the page."));

function note(text) {
  const line = document.createElement("p");
  line.className = "note error";
  line.textContent = text;
  document.getElementById("messages").replaceChildren(line);
}
