// Buttons that copy a post, or all of them.

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // A page that came over plain http, from another machine: the older way.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

document.addEventListener("click", async (click) => {
  const button = click.target.closest("[data-copy], [data-copy-all]");
  if (!button) return;
  const place = button.hasAttribute("data-copy") ? button.closest(".post") : button.closest(".generation");
  const texts = [...place.querySelectorAll(".post p, p")].filter((node) => node.closest(".post")).map((node) => node.textContent);
  const before = button.dataset.word ?? button.textContent;
  button.dataset.word = before;
  button.textContent = (await copy(texts.join("\n"))) ? "Copied" : "Not copied";
  setTimeout(() => (button.textContent = before), 1500);
});
