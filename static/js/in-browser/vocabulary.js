// The symbols of a network, as in models_app/ml/vocabulary: the bytes of UTF-8, or tokens of several bytes. Which symbol
// may follow, so that a bot writes only valid UTF-8, and how a prompt is read that may end in the middle of a word.

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

/**
 * How posts begin. text: the bytes that the network reads, as `symbols`; characters: the complete ones in them; state: of
 * the automaton after them. The rest of `whole` is drawn, from the symbols that continue it.
 * @param {string} text
 * @param {Vocabulary} vocabulary
 */
export function promptOf(text, vocabulary) {
  const all = vocabulary.encode(text);
  const symbols = all.slice(0, vocabulary.heal(all, text));
  const bytes = symbols.flatMap((symbol) => [...vocabulary.bytesOf(symbol)]);
  let state = 0;
  let characters = 0;
  for (const byte of bytes) {
    // A person may write control characters, which a bot may not.
    state = NEXT[state][byte] === BARRED ? 0 : NEXT[state][byte];
    if (state === 0) characters += 1;
  }
  return { whole: [...utf8(text)], text: bytes, symbols, characters, state };
}

/** Rule out the symbols that don't continue these bytes. @param {Vocabulary} vocabulary */
export function holdTo(pending, logits, vocabulary) {
  for (let symbol = 0; symbol < logits.length; symbol += 1) {
    const bytes = vocabulary.bytesOf(symbol);
    const fits = bytes.length > 0 && bytes.every((byte, place) => place >= pending.length || byte === pending[place]);
    if (!fits) logits[symbol] = Number.NEGATIVE_INFINITY;
  }
}
