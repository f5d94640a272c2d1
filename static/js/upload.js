// The import form. It works without this script, which adds hints and an upload bar.

import { onlyPosts, ownerOf } from "./archive-posts.js";
import { buttonById, byId, inputById, setText, show } from "./dom.js";
import { count, decimal } from "./format.js";
import { take } from "./stages.js";
import { gettext, interpolate, ngettext } from "./words.js";

const form = /** @type {HTMLFormElement} */ (byId("new-corpus"));
const file = inputById("id_file");
const text = inputById("id_text");
const READABLE = file.accept.split(",");

function size(bytes) {
  const megabytes = bytes / 1024 / 1024;
  if (megabytes < 1) return interpolate(gettext("%(size)s KB"), { size: count(Math.max(1, bytes / 1024)) });
  return interpolate(gettext("%(size)s MB"), { size: megabytes < 10 ? decimal(megabytes, 1) : count(megabytes) });
}

/** What to send for each chosen file, computed once. */
const toSend = new WeakMap();

/** Return an archive's post files as a small ZIP, and any other file as it is. */
function sentOf(chosen) {
  if (!toSend.has(chosen)) toSend.set(chosen, onlyPosts(chosen).then((posts) => posts ?? chosen, () => chosen));
  return toSend.get(chosen);
}

/** The name that the last chosen archive gave. The next archive replaces it. */
let named = "";
function nameOwner(chosen, name) {
  if (file.files[0] !== chosen) return;
  const field = inputById("id_account");
  if (name || field.value === named) field.value = name;
  named = name;
}

file.addEventListener("change", async () => {
  const chosen = file.files[0];
  if (!chosen) return setText(byId("file-chosen"), "");
  const about = `${chosen.name}, ${size(chosen.size)}.`;
  const isReadable = READABLE.some((ending) => chosen.name.toLowerCase().endsWith(ending));
  setText(byId("file-chosen"), isReadable ? about : `${about} ${gettext("We may not be able to read this kind of file.")}`);
  const owner = await ownerOf(chosen);
  nameOwner(chosen, owner);
  const sent = await sentOf(chosen);
  if (sent === chosen || file.files[0] !== chosen) return;
  const only = owner
    ? gettext("Only its posts and the name %(owner)s are sent: %(size)s.")
    : gettext("Only its posts are sent: %(size)s.");
  setText(byId("file-chosen"), `${about} ${interpolate(only, { owner, size: size(sent.size) })}`);
});

// A file that is dropped anywhere on the page is meant for the box.
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => {
    const drag = /** @type {DragEvent} */ (event);
    if (!form.isConnected || isBusy || drag.target === file || !drag.dataTransfer?.types.includes("Files")) return;
    drag.preventDefault();
    if (kind !== "drop" || !drag.dataTransfer.files.length) return;
    inputById("way-file").checked = true;
    file.files = drag.dataTransfer.files;
    file.dispatchEvent(new Event("change", { bubbles: true }));
    file.scrollIntoView({ block: "center" });
  });
}

const counter = byId("text-count");
const atFirst = counter.textContent;
const [least, few] = [Number(counter.dataset.least), Number(counter.dataset.few)];
function countText() {
  const characters = text.value.trim().length;
  if (!characters) return setText(counter, atFirst);
  setText(counter, interpolate(verdict(characters), { count: count(characters), least: count(least), few: count(few) }));
}
function verdict(characters) {
  if (characters < least) {
    return ngettext("%(count)s character. You need at least %(least)s.", "%(count)s characters. You need at least %(least)s.", characters);
  }
  if (characters < few) {
    return ngettext("%(count)s character. %(few)s make a good bot.", "%(count)s characters. %(few)s make a good bot.", characters);
  }
  return ngettext("%(count)s character. That’s enough.", "%(count)s characters. That’s enough.", characters);
}
text.addEventListener("input", countText);
countText();

let request = null;
let isBusy = false;
let attempt = 0;

function failed(message) {
  const note = byId("upload-error");
  setText(note, message);
  show(note, true);
  note.scrollIntoView({ block: "nearest" });
}

function ended() {
  request = null;
  isBusy = false;
  if (!form.isConnected) return;
  const button = buttonById("bring");
  button.removeAttribute("aria-disabled");
  if (byId("uploading").contains(document.activeElement)) button.focus();
  show(byId("uploading"), false);
}

async function answered() {
  const { status, responseURL, responseText } = request;
  await take(form, responseURL, responseText, status < 400);
  ended();
}

form.addEventListener("submit", async (submission) => {
  if (isBusy) return submission.preventDefault();
  const data = new FormData(form);
  const chosen = file.files[0];
  if (data.get("way") !== "file" || !chosen) return;
  submission.preventDefault();
  isBusy = true;
  attempt += 1;
  const mine = attempt;
  show(byId("upload-error"), false);
  show(byId("uploading"), true);
  setText(byId("uploading-text"), gettext("Sending the file…"));
  // A disabled button would lose the focus.
  buttonById("bring").setAttribute("aria-disabled", "true");
  const bar = /** @type {HTMLProgressElement} */ (byId("uploading-bar"));
  bar.value = 0;
  data.set("file", await sentOf(chosen), chosen.name);
  // The reduced archive no longer names its account.
  data.set("account", (await ownerOf(chosen)) || data.get("account"));
  if (!isBusy || mine !== attempt) return; // cancelled in the meantime
  request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.upload.addEventListener("progress", ({ loaded, total, lengthComputable }) => {
    if (!lengthComputable) return;
    bar.value = loaded / total;
    const sent = interpolate(gettext("Sent %(sent)s of %(total)s."), { sent: size(loaded), total: size(total) });
    setText(byId("uploading-text"), loaded < total ? sent : gettext("Sent. The server is storing it…"));
  });
  request.addEventListener("load", answered);
  request.addEventListener("error", () => {
    failed(gettext("The connection was lost during the upload. Nothing was saved. Try again."));
    ended();
  });
  request.addEventListener("abort", ended);
  request.send(data);
});

byId("uploading-cancel").addEventListener("click", () => (request ? request.abort() : ended()));
window.addEventListener("pageshow", (event) => event.persisted && ended());
// A click on a link would drop the upload.
window.addEventListener("beforeunload", (leaving) => {
  if (isBusy && form.isConnected && request?.readyState !== XMLHttpRequest.DONE) leaving.preventDefault();
});
