// Words and phrases that no post may contain, as in models_app/ml/sampling/banned_words.py.

import { folded, inWord, LETTER, UNSPACED, withoutSpace } from "./spelling.js";

const MARK = /\p{M}/u;
/** Characters used in place of a letter. */
const LETTERS = { 0: "o", 1: "i", 3: "e", 4: "a", 5: "s", 7: "t", "@": "a", $: "s" };
const LOOKALIKE = new RegExp(`[013457]|(?<=[${LETTER}_])[@$](?=[${LETTER}_])`, "gu");
const INVISIBLE = /\p{Cf}/gu;
/** Scripts in which a mark after a letter, such as a vowel sign, makes another word: those of India and Southeast Asia. */
const SIGNED = "[\u0900-\u1aaf\u1b00-\u1cff\ua800-\uabff]";
const OTHER_MARK = new RegExp(`(?!${SIGNED})\\p{M}`, "gu");
/** Such marks after anything else. */
const STRAY_MARKS = new RegExp(`(?<!${SIGNED})(?:(?=${SIGNED})\\p{M})+`, "gu");
/** Separators allowed between two letters of a phrase. Longer ones split it. */
const GAP = /(?<=[^ \n])[ \n]{1,10}(?=[^ \n])/g;
const RIFT = /[ \n]{2,}|\n/g;
const SIGN = new RegExp(`[^${LETTER}\\p{M} ]`, "gu");
const MIN_STRETCHED = 3;
const MAX_STRETCHED = 120;

const plain = (text) => folded(text).replace(/[’ʼ]/g, "'");

/** Return the folded letters, digits and vowel signs, with a space for a few other characters and a line feed for more. */
function bare(text) {
  return folded(text)
    .normalize("NFKD")
    .replace(INVISIBLE, "")
    .replace(OTHER_MARK, "")
    .replace(STRAY_MARKS, "")
    .replace(LOOKALIKE, (found) => LETTERS[found])
    .replace(SIGN, "\n")
    .replace(GAP, " ")
    .replace(RIFT, "\n");
}

const joins = (character) => character === "_" || inWord(character);

/** Return whether a word can end between these characters. Either can be missing, at the edge of the text. */
function parted(left, right) {
  if (!left || !right || withoutSpace(left) || withoutSpace(right)) return true;
  // A combining mark, such as a vowel sign, belongs to the letter before it.
  if (UNSPACED.test(left) || UNSPACED.test(right)) return !MARK.test(right);
  return !(joins(left) && joins(right));
}

/** Return whether the phrase is in the text, from the start of a word to the end of one. */
function holds(text, phrase) {
  for (let at = text.indexOf(phrase); at >= 0; at = text.indexOf(phrase, at + 1)) {
    const before = [...text.slice(Math.max(0, at - 2), at)].pop();
    const [after] = text.slice(at + phrase.length);
    if (parted(before, [...phrase][0]) && parted([...phrase].pop(), after)) return true;
  }
  return false;
}

/** Return a pattern for the phrase's letters and digits in a bare text, or null if it has none. */
function patternOf(phrase) {
  const letters = [...bare(phrase)].filter(inWord);
  if (!letters.length) return null;
  const parts = [];
  for (let at = 0; at < letters.length; ) {
    const one = letters[at];
    let count = 1;
    while (letters[at + count] === one) count += 1;
    const minimum = Math.max(MIN_STRETCHED, count + 1) - 1;
    // Either as often as in the phrase, or stretched.
    parts.push(`${one}(?:(?: ?${one}){${minimum},${MAX_STRETCHED}}|(?: ?${one}){${count - 1}})`);
    at += count;
  }
  return new RegExp(`(?<![^ \\n])${parts.join(" ?")}(?![^ \\n])`, "u");
}

const different = (phrases) => [...new Set(phrases.map(plain))].filter(Boolean);

/** The words that a person bans: whole words, in any case. */
export class BanList {
  constructor(banned) {
    this.phrases = different(banned);
  }

  /** Return the first entry in the text, or undefined. */
  finds(text) {
    if (!this.phrases.length) return undefined;
    const found = plain(text);
    return this.phrases.find((phrase) => holds(found, phrase));
  }
}

/** The phrases of this installation, which match in any spelling. */
export class HouseBanList {
  constructor(banned) {
    this.patterns = different(banned).map((phrase) => ({ phrase, pattern: patternOf(phrase) }));
  }

  /** Return the first phrase in the text, or undefined. */
  finds(text) {
    if (!this.patterns.length) return undefined;
    const words = bare(text);
    const whole = plain(text);
    return this.patterns.find(({ phrase, pattern }) => pattern?.test(words) || holds(whole, phrase))?.phrase;
  }
}
