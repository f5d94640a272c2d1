// Knows whether what had the focus went away, and the page put it nowhere: then a keyboard starts again at the top.
(() => {
  let last = null;
  const isThere = (node) => node.isConnected && !node.matches(":disabled") && node.getClientRects().length > 0;
  const isNowhere = () => [null, document.body, document.documentElement].includes(document.activeElement);
  document.addEventListener("focusin", () => {
    last = document.activeElement;
  });
  // Whoever clicks beside everything takes the focus away on purpose: then the last one is still there.
  window.lostFocus = () => (last && isNowhere() && !isThere(last) ? last.cloneNode(false).outerHTML : "");
})();
