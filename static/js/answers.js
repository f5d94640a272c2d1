// What an answer says that isn't what a script asked for.

import { FAILED, SIGNED_OUT } from "./words.js";

/**
 * Return the sentence of a page that says what's wrong, such as the one for too many requests.
 * @param {Document} page
 */
export const sentenceOf = (page) => page.querySelector("[data-form-errors]")?.textContent.trim() || FAILED;

/**
 * Return the sentence of an answer that isn't OK.
 * @param {Response} answer
 */
export async function troubleOf(answer) {
  if (answer.redirected) return SIGNED_OUT;
  const isPage = answer.headers.get("Content-Type")?.startsWith("text/html");
  return isPage ? sentenceOf(new DOMParser().parseFromString(await answer.text(), "text/html")) : FAILED;
}
