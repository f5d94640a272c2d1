// Turns a list of links to sections (.tablist) into tabs: one section is shown, arrow keys move, the address keeps the
// choice. Without this script, the links jump to the sections. A link from elsewhere to anything in a section opens it.

import { all, byId } from "./dom.js";

for (const list of all(".tablist")) makeTabs(list);

function makeTabs(list) {
  const links = /** @type {HTMLAnchorElement[]} */ ([...list.querySelectorAll("a")]);
  const panels = links.map((link) => byId(link.hash.slice(1)));

  const pick = (index) => {
    links.forEach((link, place) => {
      link.setAttribute("aria-selected", String(place === index));
      link.tabIndex = place === index ? 0 : -1;
      panels[place].hidden = place !== index;
    });
    // On a phone, the list may be wider than the screen.
    list.scrollLeft = links[index].offsetLeft - list.offsetLeft - list.clientWidth / 3;
    // Charts drawn while their section was hidden measure themselves again.
    window.dispatchEvent(new Event("resize"));
  };

  const ofHash = () => {
    const target = location.hash.length > 1 ? byId(decodeURIComponent(location.hash.slice(1))) : null;
    return target ? panels.findIndex((panel) => panel.contains(target)) : -1;
  };

  list.setAttribute("role", "tablist");
  links.forEach((link, index) => {
    link.setAttribute("role", "tab");
    link.setAttribute("aria-controls", panels[index].id);
    link.id = `tab-${panels[index].id}`;
    panels[index].setAttribute("role", "tabpanel");
    panels[index].setAttribute("aria-labelledby", link.id);
    link.addEventListener("click", (click) => {
      click.preventDefault();
      history.replaceState(null, "", link.hash);
      pick(index);
    });
  });
  list.addEventListener("keydown", (key) => {
    const from = links.indexOf(/** @type {HTMLAnchorElement} */ (document.activeElement));
    const to = { ArrowRight: from + 1, ArrowLeft: from - 1, Home: 0, End: links.length - 1 }[key.key];
    if (to === undefined) return;
    key.preventDefault();
    const index = (to + links.length) % links.length;
    pick(index);
    links[index].focus();
    history.replaceState(null, "", links[index].hash);
  });
  window.addEventListener("hashchange", () => {
    const index = ofHash();
    if (index < 0) return;
    pick(index);
    byId(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  });
  pick(Math.max(0, ofHash()));
  if (ofHash() >= 0) byId(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}
