// A post as a picture: drawn in the browser with its face, its name and the label, to download or to share.

import { element, targetOf } from "./dom.js";
import { failed } from "./toasts.js";
import { gettext, interpolate } from "./words.js";

const WIDTH = 1080;
const EDGE = 48;
const INNER = 64;
const FACE = 108;
const ROOM = WIDTH - 2 * (EDGE + INNER);
/** Up to so many characters, the size of the letters. */
const SIZES = [[90, 60], [200, 50], [420, 42], [1200, 34], [Number.POSITIVE_INFINITY, 28]];
const RIGHT_TO_LEFT = /^[^\p{L}]*[\p{Script=Arabic}\p{Script=Hebrew}]/u;

document.addEventListener("click", async (click) => {
  const button = /** @type {HTMLElement | null} */ (targetOf(click).closest("[data-picture]"));
  if (!button) return;
  const post = button.closest(".post");
  const words = {
    name: post.querySelector(".post-head strong").textContent,
    text: post.querySelector(".post-body > p").textContent,
    label: button.dataset.label,
  };
  try {
    await document.fonts.ready;
    const canvas = draw(words, await faceOf(post));
    show(canvas, await fileOf(canvas, words.name), words);
  } catch {
    failed(gettext("The picture couldn’t be drawn. Try again, or use another browser."));
  }
});

/** Return the face of the card as an image. */
async function faceOf(post) {
  const face = /** @type {SVGElement} */ (post.querySelector("svg.avatar").cloneNode(true));
  face.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  face.setAttribute("width", "256");
  face.setAttribute("height", "256");
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(face))}`;
  await image.decode();
  return image;
}

/** Return a function from tokens to their colours in the theme of the page. A canvas doesn't know light-dark(). */
function colours() {
  const probe = element("span", { hidden: true });
  document.body.append(probe);
  const names = ["--paper", "--surface", "--line", "--ink", "--muted", "--warm", "--warm-soft", "--accent"];
  const found = new Map(
    names.map((name) => {
      probe.style.color = `var(${name})`;
      return [name, getComputedStyle(probe).color];
    }),
  );
  probe.remove();
  return (name) => found.get(name);
}

function draw({ name, text, label }, face) {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const family = getComputedStyle(document.body).fontFamily;
  const font = (size, weight = 400) => `${weight} ${size}px ${family}`;
  const [, size] = SIZES.find(([most]) => text.length <= most);
  context.font = font(size);
  const lines = wrapped(context, text.trim(), ROOM);
  context.font = font(30, 560);
  const labels = wrapped(context, label, ROOM - 48);
  const pitch = Math.round(size * 1.42);
  const head = EDGE + INNER + FACE + 44;
  const foot = labels.length * 42 + 32;
  // Short posts get a square.
  const height = Math.max(head + lines.length * pitch + 48 + foot + INNER + EDGE, WIDTH * 0.62);
  canvas.width = WIDTH;
  canvas.height = height;

  const colour = colours();
  const fill = (name) => (context.fillStyle = colour(name));
  fill("--paper");
  context.fillRect(0, 0, WIDTH, height);
  fill("--accent");
  context.fillRect(0, 0, WIDTH, 12);
  box(context, EDGE, EDGE, WIDTH - 2 * EDGE, height - 2 * EDGE, 36);
  fill("--surface");
  context.fill();
  context.strokeStyle = colour("--line");
  context.lineWidth = 2;
  context.stroke();

  const left = EDGE + INNER;
  context.save();
  context.beginPath();
  context.arc(left + FACE / 2, left + FACE / 2, FACE / 2, 0, 2 * Math.PI);
  context.clip();
  context.drawImage(face, left, left, FACE, FACE);
  context.restore();

  context.textBaseline = "middle";
  fill("--ink");
  context.font = font(42, 620);
  const [shortName] = wrapped(context, name, ROOM - FACE - 150);
  const nameLeft = left + FACE + 28;
  context.fillText(shortName, nameLeft, left + FACE / 2);
  badge(context, gettext("AI"), nameLeft + context.measureText(shortName).width + 20, left + FACE / 2, font(28, 600), colour);

  context.textBaseline = "alphabetic";
  fill("--ink");
  context.font = font(size);
  const isFromRight = RIGHT_TO_LEFT.test(text);
  context.direction = isFromRight ? "rtl" : "ltr";
  lines.forEach((line, index) => {
    context.fillText(line, isFromRight ? WIDTH - left : left, head + size + index * pitch);
  });
  context.direction = "ltr";

  const top = height - EDGE - INNER - foot;
  box(context, left, top, ROOM, foot, 20);
  fill("--warm-soft");
  context.fill();
  fill("--warm");
  context.font = font(30, 560);
  labels.forEach((line, index) => {
    context.fillText(line, left + 24, top + 48 + index * 42);
  });
  return canvas;
}

function badge(context, text, left, middle, font, colour) {
  context.font = font;
  const width = context.measureText(text).width + 36;
  box(context, left, middle - 24, width, 48, 24);
  context.fillStyle = colour("--warm-soft");
  context.fill();
  context.fillStyle = colour("--warm");
  context.fillText(text, left + 18, middle + 2);
}

function box(context, left, top, width, height, radius) {
  context.beginPath();
  context.roundRect(left, top, width, height, radius);
}

/** Return the lines of a text that fit into the width. Words that are too long for a line are broken. */
function wrapped(context, text, width) {
  const fits = (line) => context.measureText(line).width <= width;
  const lines = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(/(?<=\s)/)) {
      if (fits((line + word).trimEnd())) {
        line += word;
        continue;
      }
      if (line) lines.push(line.trimEnd());
      line = "";
      for (const letter of letters(word)) {
        if (!fits((line + letter).trimEnd())) {
          lines.push(line);
          line = "";
        }
        line += letter;
      }
    }
    lines.push(line.trimEnd());
  }
  return lines;
}

/** Return what people take for the letters of a word, such as an emoji of several code points. */
function letters(word) {
  if (!("Segmenter" in Intl)) return [...word];
  return [...new Intl.Segmenter().segment(word)].map(({ segment }) => segment);
}

/** @returns {Promise<File>} */
function fileOf(canvas, name) {
  const stem = name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "") || "bot";
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => {
      if (blob) resolve(new File([blob], `${stem}.png`, { type: "image/png" }));
      else reject(new Error());
    }, "image/png");
  });
}

function show(canvas, file, { text, label }) {
  const address = URL.createObjectURL(file);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", interpolate(gettext("Picture of the post “%(text)s” with the label “%(label)s”"), { text, label }));
  const acts = element("div", { className: "actions" });
  const close = element("button", { type: "button", className: "outline" }, gettext("Close"));
  acts.append(close);
  if (navigator.canShare?.({ files: [file] })) {
    const share = element("button", { type: "button", className: "outline" }, gettext("Share"));
    // Whoever closes the choice of apps hasn't failed.
    share.addEventListener("click", () => navigator.share({ files: [file], text: label }).catch(() => {}));
    acts.append(share);
  }
  const save = element("a", { className: "button", href: address, download: file.name }, gettext("Download"));
  acts.append(save);
  const title = element("h2", { id: "picture-title" }, gettext("Picture of this post"));
  const dialog = /** @type {HTMLDialogElement} */ (element("dialog", { className: "picture-dialog" }));
  dialog.setAttribute("aria-labelledby", "picture-title");
  dialog.append(element("article", { className: "wide" }, title, canvas, acts));
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    URL.revokeObjectURL(address);
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  save.focus();
}
