// “Tell me when it's done”: a notification of the browser, for as long as the page stays open in some tab.

import { buttonById, byId, setText, show } from "./dom.js";
import { gettext } from "./words.js";

export class TellMe {
  #button = buttonById("tell-me");
  #isAsked = false;
  #isPossible = "Notification" in globalThis;

  constructor() {
    // Browsers offer notifications only to pages that they consider secure.
    if (!this.#button || !this.#isPossible || Notification.permission === "denied") return;
    this.#button.addEventListener("click", () => this.#ask());
  }

  /** Offer it while there is something to wait for. */
  offer(isUnderWay) {
    const isPossible = this.#isPossible && Notification.permission !== "denied";
    show(this.#button, isUnderWay && isPossible && !this.#isAsked);
    if (!isUnderWay) show(byId("told"), false);
  }

  /** Tell what has happened to whoever asked. */
  tell(title, body) {
    if (!this.#isAsked) return;
    this.#isAsked = false;
    const told = new Notification(title, { body });
    told.addEventListener("click", () => {
      window.focus();
      told.close();
    });
  }

  async #ask() {
    this.#isPossible = canNotify();
    this.#isAsked = this.#isPossible && (await Notification.requestPermission()) === "granted";
    show(this.#button, false);
    show(byId("told"), true);
    setText(byId("told"), this.#outcome());
  }

  #outcome() {
    if (this.#isAsked) return gettext("You’ll get a notification. Keep this page open in a tab.");
    if (this.#isPossible) return gettext("Your browser blocks notifications from this page. Its settings can allow them.");
    return gettext("Your browser can’t show notifications from a page.");
  }
}

/** Return whether a page can notify by itself. In Chrome for Android, only a service worker can; without permission, nothing is shown. */
function canNotify() {
  try {
    new Notification(document.title, { silent: true }).close();
    return true;
  } catch {
    return false;
  }
}
