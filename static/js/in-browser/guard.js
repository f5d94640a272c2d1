// The copy guard: refuses posts that are too close to a learned one. The bot's owner has the fingerprints of the posts, as
// the server has (models_app/ml/sampling/copy_guard.py). Others have only a filter that doesn't tell what the posts were
// (models_app/ml/sampling/copy_filter.py).

import { digestOf } from "./blake2b.js";
import { signsOf, wordsOf } from "./spelling.js";

const LONGEST_RUN = 15;
const MIN_WORDS = 4;
const GRAM = 3;
const MASK_64 = (1n << 64n) - 1n;
const MULTIPLIER = 0x9e3779b97f4a7c15n;
const FINALIZER = 0xbf58476d1ce4e5b9n;

/** Return the smallest number of words above 70 % of `count`. */
const moreThanShare = (count) => Math.floor((count * 7) / 10) + 1;

const encoder = new TextEncoder();

class Fingerprints {
  constructor(key) {
    this.key = key;
    this.known = new Map();
  }

  of(text) {
    let found = this.known.get(text);
    if (found === undefined) {
      found = digestOf(encoder.encode(text), this.key);
      this.known.set(text, found);
    }
    return found;
  }
}

/** Knows the words of each post, in order. */
class CopyGuard {
  constructor(key, vocabulary, text, ends, wordless) {
    this.fingerprints = new Fingerprints(key);
    this.numbers = new Map(Array.from(vocabulary, (fingerprint, place) => [fingerprint, place]));
    this.text = text;
    this.ends = ends;
    this.wordless = new Set(wordless);
    /** The posts that have each word, once for each time. */
    this.posts = Array.from({ length: vocabulary.length }, () => []);
    for (let post = 0, at = 0; post < ends.length; post += 1) for (; at < ends[post]; at += 1) this.posts[text[at]].push(post);
  }

  isCopy(text) {
    const words = wordsOf(text);
    if (!words.length) {
      const signs = signsOf(text);
      return Boolean(signs) && this.wordless.has(this.fingerprints.of(signs));
    }
    const query = words.map((word) => this.numbers.get(this.fingerprints.of(word)) ?? -1);
    const least = query.length < MIN_WORDS ? query.length : moreThanShare(query.length);
    return this.#sharing(query, Math.min(least, LONGEST_RUN + 1)).some((post) => this.#copies(query, post));
  }

  /** Return the posts with so many words in common with the text, in any order. */
  #sharing(query, least) {
    const times = new Map();
    for (const word of query) if (word >= 0) times.set(word, (times.get(word) ?? 0) + 1);
    const common = new Map();
    for (const [word, most] of times) {
      let before = -1;
      let count = 0;
      for (const post of this.posts[word]) {
        count = post === before ? count + 1 : 1;
        before = post;
        if (count <= most) common.set(post, (common.get(post) ?? 0) + 1);
      }
    }
    return [...common].filter(([, count]) => count >= least).map(([post]) => post);
  }

  #copies(query, number) {
    const post = this.text.subarray(number ? this.ends[number - 1] : 0, this.ends[number]);
    const count = query.length;
    const { run, common } = compared(query, post);
    if (count < MIN_WORDS) return run === count && count === post.length;
    const least = moreThanShare(count);
    return run > LONGEST_RUN || run >= least || (common >= least && 2 * post.length <= 3 * count);
  }
}

/** Return the longest run of common words, and the number of words in the same order. */
function compared(query, post) {
  let runs = new Uint16Array(query.length + 1);
  let orders = new Uint16Array(query.length + 1);
  let run = 0;
  for (const word of post) {
    const nextRuns = new Uint16Array(query.length + 1);
    const nextOrders = new Uint16Array(query.length + 1);
    for (let place = 0; place < query.length; place += 1) {
      if (query[place] === word) {
        nextRuns[place + 1] = runs[place] + 1;
        nextOrders[place + 1] = orders[place] + 1;
        run = Math.max(run, nextRuns[place + 1]);
      } else nextOrders[place + 1] = Math.max(orders[place + 1], nextOrders[place]);
    }
    runs = nextRuns;
    orders = nextOrders;
  }
  return { run, common: orders[query.length] };
}

/** Tells whether three words in a row may be in a post. It's wrong for about one in eight that aren't. */
class CopyFilter {
  constructor(key, bits) {
    this.fingerprints = new Fingerprints(key);
    this.bits = bits;
    this.shift = 64n - BigInt(Math.log2(8 * bits.length));
  }

  #has(parts) {
    let hash = BigInt(parts.length);
    for (const part of parts) hash = (hash * MULTIPLIER + part) & MASK_64;
    hash = ((hash ^ (hash >> 29n)) * FINALIZER) & MASK_64;
    const place = Number(hash >> this.shift);
    return Boolean((this.bits[place >> 3] >> (place & 7)) & 1);
  }

  isCopy(text) {
    const words = wordsOf(text).map((word) => this.fingerprints.of(word));
    if (!words.length) {
      const signs = signsOf(text);
      return Boolean(signs) && this.#has([0n, this.fingerprints.of(signs)]);
    }
    if (words.length < MIN_WORDS) return this.#has([1n, ...words]);
    let run = 0;
    let longest = 0;
    let hits = 0;
    const grams = words.length - GRAM + 1;
    for (let at = 0; at < grams; at += 1) {
      run = this.#has(words.slice(at, at + GRAM)) ? run + 1 : 0;
      hits += Number(run > 0);
      longest = Math.max(longest, run);
    }
    const least = Math.min(moreThanShare(words.length), LONGEST_RUN + 1);
    return (longest && longest + GRAM - 1 >= least) || 2 * hits > grams;
  }
}

/**
 * Return the guard in what the server sends (models_app/downloads/in_browser/files.py), or null if the bot needs none.
 * @param {ArrayBuffer} buffer
 */
export function guardOf(buffer) {
  if (!buffer.byteLength) return null;
  const view = new DataView(buffer);
  const [kind, ...sizes] = Array.from({ length: 6 }, (_, place) => view.getUint32(4 * place, true));
  const key = new Uint8Array(buffer, 24, 16);
  if (kind === 2) return new CopyFilter(key, new Uint8Array(buffer, 40, sizes[0]));
  const [words, length, posts, wordless] = sizes;
  let at = 40;
  const take = (type, size) => {
    const found = new type(buffer, at, size);
    at += found.byteLength;
    return found;
  };
  const vocabulary = take(BigUint64Array, words);
  const signs = take(BigUint64Array, wordless);
  return new CopyGuard(key, vocabulary, take(Uint32Array, length), take(Uint32Array, posts), signs);
}
