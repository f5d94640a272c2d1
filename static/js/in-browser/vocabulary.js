// The symbols of a network, as in models_app/ml/vocabulary: the bytes of UTF-8, or tokens of several bytes. Which symbol
// may follow, so that a bot writes only valid UTF-8, and how a prompt is read.

import { inSpacedWord } from "./spelling.js";

/** @typedef {{size: number, end: number, bytesOf: (symbol: number) => Uint8Array, encode: (text: string) => number[],
 *   heal: (symbols: number[], text: string) => number}} Vocabulary */

/** UTF-8 as an automaton: [state, first byte, last byte, next state]; state 0 is between characters. */
const TRANSITIONS = [
  [0, 0x20, 0x7e, 0],
  [0, 0x0a, 0x0a, 0],
  [0, 0xc2, 0xc2, 8],
  [0, 0xc3, 0xdf, 1],
  [0, 0xe0, 0xe0, 4],
  [0, 0xe1, 0xec, 2],
  [0, 0xed, 0xed, 5],
  [0, 0xee, 0xef, 2],
  [0, 0xf0, 0xf0, 6],
  [0, 0xf1, 0xf3, 3],
  [0, 0xf4, 0xf4, 7],
  [1, 0x80, 0xbf, 0],
  [2, 0x80, 0xbf, 1],
  [3, 0x80, 0xbf, 2],
  [4, 0xa0, 0xbf, 1],
  [5, 0x80, 0x9f, 1],
  [6, 0x90, 0xbf, 2],
  [7, 0x80, 0x8f, 2],
  [8, 0xa0, 0xbf, 0],
];
const STATES = 9;
/** Where a bot may not write the symbol: control characters, and what makes no valid UTF-8. */
export const BARRED = 255;
/** The state after each byte in each state, or BARRED. */
const NEXT = Array.from({ length: STATES }, () => new Uint8Array(256).fill(BARRED));
for (const [state, first, last, next] of TRANSITIONS) NEXT[state].fill(next, first, last + 1);

/** The most symbols of a prompt to draw again. */
const MAX_HEALED = 4;
const CONTROL = /(?!\n)\p{Cc}/gu;
const encoder = new TextEncoder();
const utf8 = (text) => encoder.encode(text);

/** Return the vocabulary in a tokenizer.json, or that of bytes for null. Throws for one that isn't known. */
export function vocabularyOf(tokenizer) {
  return tokenizer === null ? BYTES : new Tokens(tokenizer);
}

/** A symbol is a byte; 0xff, which UTF-8 never uses, is the end mark. @type {Vocabulary} */
const BYTES = {
  size: 256,
  end: 0xff,
  bytesOf: (symbol) => (symbol === 0xff ? new Uint8Array() : Uint8Array.of(symbol)),
  encode: (text) => [...utf8(text)],
  heal: (symbols) => symbols.length,
};

/** A symbol is a token of a byte-level BPE, as models_app/ml/vocabulary/learning.py learns it. */
class Tokens {
  constructor({ model, added_tokens, pre_tokenizer, post_processor }) {
    const [split, last] = pre_tokenizer?.pretokenizers ?? [];
    const isKnown = split?.pattern?.Regex && split.behavior === "Isolated" && last?.type === "ByteLevel" && !last.use_regex;
    if (model.type !== "BPE" || model.ignore_merges || !isKnown) throw new Error("unknown vocabulary");
    this.words = new RegExp(split.pattern.Regex, "gu");
    const ids = { ...model.vocab };
    for (const { id, content } of added_tokens) ids[content] = id;
    this.size = Object.keys(ids).length;
    this.end = ids[post_processor.single[1].SpecialToken.id];
    const special = new Set(added_tokens.map(({ id }) => id));
    this.symbols = Array.from({ length: this.size }, () => new Uint8Array());
    this.byteSymbols = new Map();
    for (const [name, id] of Object.entries(ids)) {
      if (special.has(id)) continue;
      this.symbols[id] = Uint8Array.from(name, (character) => byteOf(character.codePointAt(0)));
      if (this.symbols[id].length === 1) this.byteSymbols.set(this.symbols[id][0], id);
    }
    /** By a number for each pair: the rank of the merge, the first the most important, and what it makes. */
    this.merges = new Map();
    for (const [rank, merge] of model.merges.entries()) {
      const [one, other] = typeof merge === "string" ? merge.split(" ") : merge;
      this.merges.set(ids[one] * this.size + ids[other], [rank, ids[one + other]]);
    }
  }

  bytesOf(symbol) {
    return this.symbols[symbol];
  }

  encode(text) {
    return this.#split(text).flatMap((word) => this.#merged(word));
  }

  /** Return how many symbols of a prompt to read: without those of its last word, up to four, which can be others. */
  heal(symbols, text) {
    if (!text) return symbols.length;
    const size = utf8(text).length;
    const lastWord = this.#split(text).at(-1);
    // A character that a bot may not write is never dropped, because nothing could be drawn for it.
    const control = [...text.matchAll(CONTROL)].at(-1);
    const kept = control ? utf8(text.slice(0, control.index + 1)).length : 0;
    const least = Math.max(size - utf8(lastWord).length, kept);
    let count = symbols.length;
    for (let left = size; count && symbols.length - count < MAX_HEALED; count -= 1) {
      left -= this.symbols[symbols[count - 1]].length;
      if (left < least) break;
    }
    return count;
  }

  #split(text) {
    const parts = [];
    let at = 0;
    for (const { 0: word, index } of text.matchAll(this.words)) {
      if (index > at) parts.push(text.slice(at, index));
      parts.push(word);
      at = index + word.length;
    }
    if (at < text.length) parts.push(text.slice(at));
    return parts;
  }

  #merged(word) {
    const symbols = Array.from(utf8(word), (byte) => this.byteSymbols.get(byte));
    for (;;) {
      let best = Number.POSITIVE_INFINITY;
      let place = -1;
      let made = 0;
      for (let at = 0; at + 1 < symbols.length; at += 1) {
        const [rank, symbol] = this.merges.get(symbols[at] * this.size + symbols[at + 1]) ?? [best, 0];
        if (rank < best) [best, place, made] = [rank, at, symbol];
      }
      if (place < 0) return symbols;
      symbols.splice(place, 2, made);
    }
  }
}

const isSeen = (code) => (code > 0x20 && code < 0x7f) || (code > 0xa0 && code !== 0xad && code < 0x100);
const HIDDEN = Array.from({ length: 256 }, (_, code) => code).filter((code) => !isSeen(code));
/** A token's name has a character for each byte: that of Latin-1, or one from U+0100 on if that can't be seen. */
const byteOf = (code) => (code < 0x100 ? code : HIDDEN[code - 0x100]);

/** What each symbol of a vocabulary does in each state. */
export class Automaton {
  /** @param {Vocabulary} vocabulary */
  constructor(vocabulary) {
    const { size, end } = vocabulary;
    /** The state after each symbol, or BARRED. */
    this.next = Array.from({ length: STATES }, () => new Uint8Array(size).fill(BARRED));
    /** How many characters each symbol completes. */
    this.completed = Array.from({ length: STATES }, () => new Uint16Array(size));
    for (let symbol = 0; symbol < size; symbol += 1) {
      const bytes = vocabulary.bytesOf(symbol);
      if (!bytes.length) continue;
      for (let state = 0; state < STATES; state += 1) {
        let now = state;
        let characters = 0;
        for (const byte of bytes) {
          now = NEXT[now][byte];
          if (now === BARRED) break;
          if (now === 0) characters += 1;
        }
        this.next[state][symbol] = now;
        this.completed[state][symbol] = characters;
      }
    }
    this.next[0][end] = 0;
  }
}

const endsInWord = (text) => text !== "" && inSpacedWord([...text].at(-1));

/** Return the text of a prompt, and whether its last word goes on, null if it doesn't end in one. */
function read(typed) {
  for (const dots of ["…", "..."]) {
    const text = typed.endsWith(dots) ? typed.slice(0, -dots.length) : "";
    if (endsInWord(text)) return { text, goesOn: true };
  }
  if (typed.endsWith("-") && endsInWord(typed.slice(0, -1))) return { text: typed, goesOn: true };
  return { text: typed, goesOn: endsInWord(typed) ? false : null };
}

/**
 * How posts begin. text: the beginning of the posts; goesOn: see `read`; begun: the bytes that the network reads, as
 * `symbols`; characters: the complete ones in them; state: of the automaton after them. The rest of `whole` is drawn, from
 * the symbols that continue it.
 * @param {string} typed
 * @param {Vocabulary} vocabulary
 */
export function promptOf(typed, vocabulary) {
  const { text, goesOn } = read(typed);
  const all = vocabulary.encode(text);
  // Behind a whole word and behind a hyphen, another symbol begins.
  const heals = goesOn === null || text !== typed;
  const symbols = heals ? all.slice(0, vocabulary.heal(all, text)) : all;
  const bytes = symbols.flatMap((symbol) => [...vocabulary.bytesOf(symbol)]);
  let state = 0;
  let characters = 0;
  for (const byte of bytes) {
    // A person may write control characters, which a bot may not.
    state = NEXT[state][byte] === BARRED ? 0 : NEXT[state][byte];
    if (state === 0) characters += 1;
  }
  return { text, goesOn, whole: [...utf8(text)], begun: bytes, symbols, characters, state };
}

const WHITE = new Set([0x20, 0x0a]);

/** Rule out the symbols that don't continue these bytes. @param {Vocabulary} vocabulary */
export function holdTo(pending, logits, vocabulary) {
  // How many of the bytes each symbol has, if it can be written.
  const sizes = Array.from(logits, (logit, symbol) => {
    const bytes = vocabulary.bytesOf(symbol);
    const fits = logit > -Infinity && bytes.every((byte, place) => place >= pending.length || byte === pending[place]);
    return fits ? Math.min(bytes.length, pending.length) : 0;
  });
  // White space can also be written in parts.
  const least = pending.every((byte) => WHITE.has(byte)) ? 1 : Math.max(...sizes);
  for (let symbol = 0; symbol < logits.length; symbol += 1) if (sizes[symbol] < least) logits[symbol] = -Infinity;
}

/** How many bytes the character has that begins with this one. */
const lengthFrom = (lead) => (lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4);
/** Above, there are no words and no signs. */
const BEYOND = 0x40000;
/** By bytes and what is wanted. */
const known = new Map();

/** Return whether a character that is or begins with these bytes is in a word that spaces separate, or isn't. */
function canBe(bytes, isInWord) {
  const key = `${bytes} ${isInWord}`;
  let found = known.get(key);
  if (found === undefined) {
    const length = lengthFrom(bytes[0]);
    const code = bytes.slice(1).reduce((sum, byte) => sum * 64 + (byte & 0x3f), length === 1 ? bytes[0] : bytes[0] & (0x7f >> length));
    const many = 64 ** (length - bytes.length);
    found = false;
    for (let each = code * many; each < Math.min((code + 1) * many, BEYOND) && !found; each += 1)
      found = inSpacedWord(String.fromCodePoint(each)) === isInWord;
    known.set(key, found);
  }
  return found;
}

/** Return whether these are fewer bytes than a character has. */
export const isIncomplete = (bytes) => !bytes.length || bytes.length < lengthFrom(bytes[0]);

/** Rule out the symbols that make no character in a word of these bytes, or make one. @param {Vocabulary} vocabulary */
export function holdToWord(begun, isInWord, logits, vocabulary) {
  for (let symbol = 0; symbol < logits.length; symbol += 1) {
    if (logits[symbol] === -Infinity) continue;
    const bytes = [...begun, ...vocabulary.bytesOf(symbol)];
    if (symbol === vocabulary.end || !canBe(bytes.slice(0, lengthFrom(bytes[0])), isInWord)) logits[symbol] = -Infinity;
  }
}
