// Writes posts as models_app/ml/sampling/sampler.py does: the same rules, in the same order, with the same random numbers.
// All posts of a request are drawn side by side, a byte of each at a time.

import { BanList, HouseBanList } from "./bans.js";
import { copyOf, END } from "./networks.js";
import { addsPersonal } from "./personal.js";
import { Random } from "./random.js";
import { lengthOf, masked, stripped } from "./spelling.js";

const SIZE = 256;
/** Tries for each post, and the characters to spend on those that don't end. */
const TRIES = 10;
const MIN_TRIES = 3;
const WASTE = 280 * TRIES;
const MAX_WASTE = 100 * WASTE;
const HOPELESS = 5 * WASTE;
const SIDE_BY_SIDE = 100;

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
  [0, END, END, 0],
];
const BARRED = 255;
/** The state after each byte in each state, or BARRED where a bot may not write it. */
const NEXT = Array.from({ length: 9 }, () => new Uint8Array(SIZE).fill(BARRED));
for (const [state, first, last, next] of TRANSITIONS) NEXT[state].fill(next, first, last + 1);

/**
 * @typedef {{
 *   count: number, temperature: number, top_k: number, top_p: number, prompt: string, seed: number,
 *   max_characters: number, banned: string[],
 * }} Sampling
 * @typedef {{text: number[], characters: number, automaton: number, isEnded: boolean, bestEnd: number, bestChance: number,
 *   post: string, refused: string | null}} Row
 */

/** Return why nothing can be written with these settings: ["room", …], ["banned", …], ["house", …], or null. */
export function troubleWith({ prompt, max_characters, banned }, house) {
  if (lengthOf(prompt) >= max_characters) return ["room", String(lengthOf(prompt))];
  const found = new BanList(banned).finds(prompt);
  if (found) return ["banned", found];
  const held = new HouseBanList(house).finds(prompt);
  return held ? ["house", held] : null;
}

/** Writes posts with a network. `house`: phrases that no bot here may write; `guard`: see guard.js, null without one. */
export class Sampler {
  constructor(network, { guard = null, house = [] } = {}) {
    this.network = network;
    this.guard = guard;
    this.house = new HouseBanList(house);
  }

  /**
   * Yield each post as it ends, and null after each other step, so that whoever runs it can pause or stop.
   * Returns all posts, and the number of refused ones by reason.
   * @param {Sampling} sampling
   */
  *write(sampling) {
    const isGreedy = sampling.temperature === 0 || sampling.top_k === 1;
    const random = new Random(sampling.seed);
    const posts = [];
    const refused = { copies: 0, banned: 0, unfinished: 0, empty: 0, house: 0, personal: 0 };
    const unfinished = Math.max(MIN_TRIES, Math.floor(WASTE / sampling.max_characters));
    const missing = Array.from({ length: isGreedy ? 1 : sampling.count }, () => ({ unfinished: 0, others: 0 }));
    while (missing.length && refused.unfinished * sampling.max_characters < MAX_WASTE) {
      if (!posts.length && refused.unfinished * sampling.max_characters >= HOPELESS) break;
      const open = missing.splice(0, SIDE_BY_SIDE);
      const rows = yield* this.#draw(sampling, open.length, random, isGreedy);
      rows.forEach((row, place) => {
        const tries = open[place];
        if (row.refused === null) posts.push(row.post);
        else {
          refused[row.refused] += 1;
          tries[row.refused === "unfinished" ? "unfinished" : "others"] += 1;
          // The likeliest post would be the same again.
          if (!isGreedy && tries.unfinished < unfinished && tries.others < TRIES) missing.push(tries);
        }
      });
    }
    return { posts, refused };
  }

  /** Draw so many posts side by side. @returns {Generator<string | null, Row[], void>} */
  *#draw(sampling, count, random, isGreedy) {
    const banned = new BanList(sampling.banned);
    const prompt = [...new TextEncoder().encode(sampling.prompt)];
    const { logits: first, state } = this.#primed(prompt);
    const characters = lengthOf(sampling.prompt);
    const rows = Array.from({ length: count }, () => begun(prompt, characters));
    let running = rows.map((row) => ({ row, state: copyOf(state) }));
    let logits = new Float32Array(count * SIZE);
    for (let place = 0; place < count; place += 1) logits.set(first, place * SIZE);
    while (running.length) {
      for (const [place, { row }] of running.entries()) {
        const own = logits.subarray(place * SIZE, (place + 1) * SIZE);
        bar(own, row.automaton, row.text.length === prompt.length);
        if (isGreedy) noteChanceToEnd(row, own, characters);
      }
      const symbols = running.map((_, place) => {
        const own = logits.subarray(place * SIZE, (place + 1) * SIZE);
        return isGreedy ? likeliest(own) : choose(own, sampling, random.next());
      });
      const going = [];
      for (const [place, one] of running.entries()) {
        if (extend(one.row, symbols[place], sampling)) going.push({ ...one, symbol: symbols[place] });
        else {
          if (isGreedy && !one.row.isEnded && one.row.bestEnd) {
            one.row.text.length = one.row.bestEnd;
            one.row.isEnded = true;
          }
          this.#judge(one.row, sampling, banned);
          if (one.row.refused === null) yield one.row.post;
        }
      }
      running = going;
      if (!running.length) break;
      logits = this.network.step(
        going.map(({ symbol }) => symbol),
        going.map((one) => one.state),
      );
      yield null;
    }
    return rows;
  }

  #primed(prompt) {
    const state = this.network.start();
    let logits = this.network.step([END], [state]);
    for (const byte of prompt) logits = this.network.step([byte], [state]);
    return { logits, state };
  }

  /** Set the post, or the reason to refuse it. @param {Row} row */
  #judge(row, { prompt }, banned) {
    if (!row.isEnded) return;
    row.post = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(new Uint8Array(row.text));
    if (stripped(row.post) === stripped(prompt)) row.refused = "empty";
    else if (this.guard?.isCopy(row.post)) row.refused = "copies";
    else {
      // Masked after the copy check, so that a mask can't hide a copy.
      row.post = masked(row.post, prompt);
      row.refused = banned.finds(row.post) === undefined ? null : "banned";
      if (row.refused === null && this.house.finds(row.post) !== undefined) row.refused = "house";
      if (row.refused === null && addsPersonal(row.post, prompt)) row.refused = "personal";
    }
  }
}

/** @returns {Row} */
function begun(prompt, characters) {
  return { text: [...prompt], characters, automaton: 0, isEnded: false, bestEnd: 0, bestChance: -Infinity, post: "", refused: "unfinished" };
}

/** Rule out what may not follow. The prompt alone isn't a post. */
function bar(logits, automaton, isPromptAlone) {
  const next = NEXT[automaton];
  for (let symbol = 0; symbol < SIZE; symbol += 1) if (next[symbol] === BARRED) logits[symbol] = -Infinity;
  if (isPromptAlone) logits[END] = -Infinity;
}

/** Append a byte; return whether the post goes on. @param {Row} row */
function extend(row, symbol, { max_characters }) {
  const next = NEXT[row.automaton][symbol];
  const characters = symbol !== END && next === 0 ? 1 : 0;
  const room = max_characters - row.characters;
  // At the limit, one more byte is drawn to find out whether the post ends exactly there.
  if (symbol === END || room === 0 || characters > room) {
    row.isEnded = symbol === END;
    return false;
  }
  row.automaton = next;
  row.text.push(symbol);
  row.characters += characters;
  return true;
}

/** Remember the place after the prompt with the highest probability of the end mark. @param {Row} row */
function noteChanceToEnd(row, logits, characters) {
  if (row.characters <= characters || logits[END] === -Infinity) return;
  const most = logits[likeliest(logits)];
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  const chance = logits[END] - most - Math.log(sum);
  if (chance > row.bestChance) {
    row.bestChance = chance;
    row.bestEnd = row.text.length;
  }
}

function likeliest(logits) {
  let best = 0;
  for (let symbol = 1; symbol < SIZE; symbol += 1) if (logits[symbol] > logits[best]) best = symbol;
  return best;
}

/** Return the symbols to draw from, in the server's order (models_app/ml/sampling/choosing.py). */
function candidates(logits, { top_k, top_p }) {
  let picks = Array.from({ length: SIZE }, (_, symbol) => symbol);
  if (top_k > 0 && top_k < SIZE) {
    const ranked = [...picks].sort((a, b) => logits[b] - logits[a] || b - a);
    picks = ranked.slice(0, top_k).sort((a, b) => a - b);
  }
  return top_p < 1 ? picks.sort((a, b) => logits[b] - logits[a] || a - b) : picks;
}

/** Draw a symbol with this random number from 0 to 1. */
function choose(logits, sampling, number) {
  const picks = candidates(logits, sampling);
  const best = picks.reduce((most, symbol) => (logits[symbol] > logits[most] ? symbol : most));
  const temperature = Math.max(sampling.temperature, 2.2250738585072014e-308);
  let total = 0;
  const sums = picks.map((symbol) => (total += Math.exp(Math.fround(logits[symbol] - logits[best]) / temperature)));
  let last = sums.length - 1;
  if (sampling.top_p < 1) {
    const wanted = sampling.top_p * total;
    last = sums.findIndex((sum) => sum >= wanted);
    total = sums[last];
  }
  const drawn = sums.findIndex((sum) => sum > number * total);
  // Rounding can put the draw at the very end of the sum, after the last symbol.
  return drawn < 0 || drawn > last ? best : picks[drawn];
}
