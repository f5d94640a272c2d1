// “Tell me when it's done”: a notification of the browser, for as long as the page stays open in some tab.

import { buttonById, byId, setText, show } from "./dom.js";
import { gettext } from "./words.js";

export class TellMe {
  #button = buttonById("tell-me");
  #isAsked = false;

  constructor() {
    // Browsers offer notifications only to pages that they consider secure.
    if (!this.#button || !("Notification" in globalThis) || Notification.permission === "denied") return;
    this.#button.addEventListener("click", () => this.#ask());
  }

  /** Offer it while there is something to wait for. */
  offer(isUnderWay) {
    const isPossible = "Notification" in globalThis && Notification.permission !== "denied";
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
    const isGranted = (await Notification.requestPermission()) === "granted";
    this.#isAsked = isGranted;
    show(this.#button, false);
    show(byId("told"), true);
    setText(
      byId("told"),
      isGranted
        ? gettext("You’ll get a notification. Keep this page open in a tab.")
        : gettext("Your browser blocks notifications from this page. Its settings can allow them."),
    );
  }
}
