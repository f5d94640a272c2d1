// Complains when what had the focus goes away and the page puts it nowhere: then a keyboard starts again at the top.
(() => {
  const PATIENCE = 8; // looks, a tenth of a second apart: a page may take a moment to put the focus elsewhere
  let last = null;
  let lost = 0;
  const isThere = (node) => node.isConnected && !node.matches(":disabled") && node.getClientRects().length > 0;
  setInterval(() => {
    const now = document.activeElement;
    if (now && now !== document.body && now !== document.documentElement) {
      last = now;
      lost = 0;
    } else if (last && !isThere(last)) {
      lost += 1;
      if (lost < PATIENCE) return;
      console.error(`The focus is lost: it was on ${last.cloneNode(false).outerHTML} “${(last.textContent ?? "").trim().slice(0, 40)}”`);
      last = null;
      lost = 0;
    } else {
      // Whoever clicks beside everything takes the focus away on purpose.
      lost = 0;
    }
  }, 100);
})();
