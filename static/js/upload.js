// The form that brings posts. Without this file it is a plain form; with it, hints, and a bar while a large file travels.

import { byId, setText, show } from "./dom.js";
import { count } from "./format.js";

const form = byId("new-corpus");
const file = byId("id_file");
const text = byId("id_text");
const READABLE = /\.(zip|js|txt|csv|json|jsonl|ndjson)(\.gz)?$/i;

function size(bytes) {
  if (bytes < 1024 * 1024) return `${count(Math.max(1, bytes / 1024))} KB`;
  return bytes < 10 * 1024 * 1024 ? `${(bytes / 1024 / 1024).toFixed(1)} MB` : `${count(bytes / 1024 / 1024)} MB`;
}

file.addEventListener("change", () => {
  const chosen = file.files[0];
  if (!chosen) return setText(byId("file-chosen"), "");
  const doubt = READABLE.test(chosen.name) ? "" : " We may not be able to read that kind of file.";
  setText(byId("file-chosen"), `${chosen.name}, ${size(chosen.size)}.${doubt}`);
});

const counter = byId("text-count");
const atFirst = counter.textContent;
const [least, few] = [Number(counter.dataset.least), Number(counter.dataset.few)];
function countText() {
  const characters = text.value.trim().length;
  if (!characters) return setText(counter, atFirst);
  const verdict =
    characters < least ? `${count(least)} are the least` : characters < few ? `it works; from ${count(few)} on it gets good` : "enough";
  setText(counter, `${count(characters)} characters: ${verdict}.`);
}
text.addEventListener("input", countText);
countText();

let request = null;

function failed(message) {
  const note = byId("upload-error");
  setText(note, message);
  show(note, true);
  note.scrollIntoView({ block: "nearest" });
}

function ended() {
  request = null;
  show(byId("uploading"), false);
  byId("bring").disabled = false;
}

function answered() {
  if (request.status < 400 && new URL(request.responseURL).pathname.startsWith("/jobs/")) {
    location.assign(request.responseURL);
    return;
  }
  const answer = new DOMParser().parseFromString(request.responseText, "text/html");
  const reason = answer.querySelector("[data-form-errors]")?.textContent.trim();
  failed(reason ?? "The server did not take the file. Reload the page and try once more.");
  ended();
}

form.addEventListener("submit", (submission) => {
  const way = new FormData(form).get("way");
  if (way !== "file" || !file.files.length || request) return;
  submission.preventDefault();
  show(byId("upload-error"), false);
  show(byId("uploading"), true);
  byId("bring").disabled = true;
  const bar = byId("uploading-bar");
  bar.value = 0;
  request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.upload.addEventListener("progress", ({ loaded, total, lengthComputable }) => {
    if (!lengthComputable) return;
    bar.value = loaded / total;
    setText(byId("uploading-text"), loaded < total ? `Sent ${size(loaded)} of ${size(total)}.` : "All sent. The server stores it…");
  });
  request.addEventListener("load", answered);
  request.addEventListener("error", () => {
    failed("The connection was lost while the file was on its way. Nothing was kept; try once more.");
    ended();
  });
  request.addEventListener("abort", ended);
  request.send(new FormData(form));
});

byId("uploading-cancel").addEventListener("click", () => request?.abort());
window.addEventListener("pageshow", (event) => event.persisted && ended());
