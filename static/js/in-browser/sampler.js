// Writes posts as models_app/ml/sampling/sampler.py does: the same rules, in the same order, with the same random numbers.
// All posts of a request are drawn side by side, a symbol of each at a time.

import { BanList, HouseBanList } from "./bans.js";
import { copyOf } from "./networks.js";
import { addsPersonal } from "./personal.js";
import { Random } from "./random.js";
import { addsMention, lengthOf, stripped, wordsOf } from "./spelling.js";
import { Automaton, BARRED, holdTo, holdToWord, isIncomplete, promptOf } from "./vocabulary.js";

/** Tries for each post, and the characters to spend on those that don't end. */
const TRIES = 10;
const MIN_TRIES = 3;
const BEGINNING = 10;
const WASTE = (280 + BEGINNING) * TRIES;
const MAX_WASTE = 100 * WASTE;
const HOPELESS = 5 * WASTE;
const SIDE_BY_SIDE = 100;
/** What a bot adds to a prompt is compared by itself from this many words on. */
const MIN_ADDED = 6;
/** With more symbols than FEW, a draw takes two steps: a group of symbols, then one of them. */
const FEW = 256;
const GROUP = 64;
/** A sentence needs a name where an @ is so many times as likely as any other symbol. */
const NEEDED = 9;
const SIGN = 0x40;

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
    this.automaton = new Automaton(network.vocabulary);
    this.guard = guard;
    const symbols = Array.from({ length: network.vocabulary.size }, (_, symbol) => symbol);
    this.names = symbols.filter((symbol) => network.vocabulary.bytesOf(symbol).includes(SIGN));
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
    /** By place: the draft that replaces a refused one takes its place. */
    const posts = new Map();
    const refused = { copies: 0, banned: 0, unfinished: 0, empty: 0, house: 0, personal: 0, mentions: 0 };
    const spent = sampling.max_characters + BEGINNING;
    const unfinished = Math.max(MIN_TRIES, Math.floor(WASTE / spent));
    const missing = Array.from({ length: isGreedy ? 1 : sampling.count }, (_, place) => ({ place, unfinished: 0, others: 0 }));
    while (missing.length) {
      if (refused.unfinished * spent >= Math.min(MAX_WASTE, HOPELESS + WASTE * posts.size)) break;
      const open = missing.splice(0, SIDE_BY_SIDE);
      const rows = yield* this.#draw(sampling, open.length, random, isGreedy);
      rows.forEach((row, number) => {
        const tries = open[number];
        if (row.refused === null) posts.set(tries.place, row.post);
        else {
          refused[row.refused] += 1;
          tries[row.refused === "unfinished" ? "unfinished" : "others"] += 1;
          // The likeliest post would be the same again.
          if (!isGreedy && tries.unfinished < unfinished && tries.others < TRIES) missing.push(tries);
        }
      });
    }
    const places = [...posts.keys()].sort((a, b) => a - b);
    return { posts: places.map((place) => posts.get(place)), refused };
  }

  /** Draw so many posts side by side. @returns {Generator<string | null, Row[], void>} */
  *#draw(sampling, count, random, isGreedy) {
    const banned = new BanList(sampling.banned);
    const { size, end } = this.network.vocabulary;
    const prompt = promptOf(sampling.prompt, this.network.vocabulary);
    const { logits: opening, state } = this.#primed(prompt.symbols);
    const characters = lengthOf(prompt.text);
    const rows = Array.from({ length: count }, () => begun(prompt));
    let running = rows.map((row) => ({ row, state: copyOf(state) }));
    let logits = new Float32Array(count * size);
    for (let place = 0; place < count; place += 1) logits.set(opening, place * size);
    while (running.length) {
      for (const [place, { row }] of running.entries()) {
        const own = logits.subarray(place * size, (place + 1) * size);
        this.#bar(own, row, prompt, isGreedy);
        if (isGreedy) noteChanceToEnd(row, own, characters, end);
      }
      const numbers = () => running.map(() => (isGreedy ? 0 : random.next()));
      // As on the server: the first number of each post, then the second of each.
      const [first, second] = [numbers(), size > FEW ? numbers() : null];
      const symbols = running.map((_, place) => {
        const own = logits.subarray(place * size, (place + 1) * size);
        return isGreedy ? likeliest(own) : choose(own, sampling, first[place], second?.[place]);
      });
      const going = [];
      for (const [place, one] of running.entries()) {
        if (one.row.refused === "mentions") continue;
        if (this.#extend(one.row, symbols[place], sampling)) going.push({ ...one, symbol: symbols[place] });
        else {
          if (isGreedy && !one.row.isEnded && one.row.bestEnd) {
            one.row.text.length = one.row.bestEnd;
            one.row.isEnded = true;
          }
          this.#judge(one.row, prompt.text, banned);
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

  #primed(symbols) {
    const state = this.network.start();
    let logits = this.network.step([this.network.vocabulary.end], [state]);
    for (const symbol of symbols) logits = this.network.step([symbol], [state]);
    return { logits, state };
  }

  /** Rule out what may not follow. The prompt alone isn't a post. @param {Row} row */
  #bar(logits, row, { whole, goesOn }, isGreedy) {
    const { vocabulary } = this.network;
    const next = this.automaton.next[row.automaton];
    for (let symbol = 0; symbol < logits.length; symbol += 1) if (next[symbol] === BARRED) logits[symbol] = -Infinity;
    if (row.text.length < whole.length) return holdTo(whole.slice(row.text.length), logits, vocabulary);
    const added = row.text.slice(whole.length);
    if (!added.length) logits[vocabulary.end] = -Infinity;
    if (goesOn !== null && isIncomplete(added)) holdToWord(added, goesOn, logits, vocabulary);
    const likeliestName = this.#barNames(logits);
    // Right behind the prompt, the others would need one, too.
    if (!isGreedy && added.length && likeliestName > logits[likeliest(logits)] + Math.log(NEEDED)) row.refused = "mentions";
  }

  /** Rule out the symbols with an @, so that the bot names nobody. Returns the highest of their logits. */
  #barNames(logits) {
    let highest = -Infinity;
    for (const symbol of this.names) {
      highest = Math.max(highest, logits[symbol]);
      logits[symbol] = -Infinity;
    }
    return highest;
  }

  /** Append a symbol; return whether the post goes on. @param {Row} row */
  #extend(row, symbol, { max_characters }) {
    const characters = this.automaton.completed[row.automaton][symbol];
    const isEnd = symbol === this.network.vocabulary.end;
    const room = max_characters - row.characters;
    // At the limit, one more symbol is drawn to find out whether the post ends exactly there.
    if (isEnd || room === 0 || characters > room) {
      row.isEnded = isEnd;
      return false;
    }
    row.automaton = this.automaton.next[row.automaton][symbol];
    row.text.push(...this.network.vocabulary.bytesOf(symbol));
    row.characters += characters;
    return true;
  }

  /** Set the post, or the reason to refuse it. @param {Row} row */
  #judge(row, prompt, banned) {
    if (!row.isEnded) return;
    row.post = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(new Uint8Array(row.text));
    if (stripped(row.post) === stripped(prompt)) row.refused = "empty";
    else if (this.#isCopy(row.post, prompt)) row.refused = "copies";
    else if (banned.finds(row.post) !== undefined) row.refused = "banned";
    else if (this.house.finds(row.post) !== undefined) row.refused = "house";
    else if (addsPersonal(row.post, prompt)) row.refused = "personal";
    else row.refused = addsMention(row.post, prompt) ? "mentions" : null;
  }

  /** Return whether the post, or what the bot added, is a copy: a long prompt could hide one. */
  #isCopy(post, prompt) {
    if (!this.guard) return false;
    const added = post.slice(prompt.length);
    return this.guard.isCopy(post) || (prompt !== "" && wordsOf(added).length >= MIN_ADDED && this.guard.isCopy(added));
  }
}

/** @returns {Row} */
function begun({ begun: text, characters, state }) {
  return {
    text: [...text],
    characters,
    automaton: state,
    isEnded: false,
    bestEnd: 0,
    bestChance: -Infinity,
    post: "",
    refused: "unfinished",
  };
}

/** Remember the place after the prompt with the highest probability of the end mark. @param {Row} row */
function noteChanceToEnd(row, logits, characters, end) {
  if (row.characters <= characters || logits[end] === -Infinity) return;
  const most = logits[likeliest(logits)];
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  const chance = logits[end] - most - Math.log(sum);
  if (chance > row.bestChance) {
    row.bestChance = chance;
    row.bestEnd = row.text.length;
  }
}

function likeliest(logits) {
  let best = 0;
  for (let symbol = 1; symbol < logits.length; symbol += 1) if (logits[symbol] > logits[best]) best = symbol;
  return best;
}

/** Return the logits with those beyond the k most likely barred. */
function barredBeyond(logits, top_k) {
  if (top_k <= 0 || top_k >= logits.length) return logits;
  const ranked = Array.from(logits, (_, symbol) => symbol).sort((a, b) => logits[b] - logits[a] || b - a);
  const kept = logits.slice();
  for (const symbol of ranked.slice(top_k)) kept[symbol] = -Infinity;
  return kept;
}

/** Return the symbols in the order in which the server draws from them (models_app/ml/sampling/choosing.py). */
function ordered(logits, top_p) {
  const symbols = Array.from(logits, (_, symbol) => symbol);
  if (top_p >= 1) return symbols;
  return symbols.filter((symbol) => logits[symbol] > -Infinity).sort((a, b) => logits[b] - logits[a] || a - b);
}

/** Draw a symbol with one random number from 0 to 1, or in two steps with two. */
function choose(all, sampling, number, second) {
  const logits = barredBeyond(all, sampling.top_k);
  const picks = ordered(logits, sampling.top_p);
  const best = picks.reduce((most, symbol) => (logits[symbol] > logits[most] ? symbol : most));
  const temperature = Math.max(sampling.temperature, 2.2250738585072014e-308);
  const odds = Float64Array.from(picks, (symbol) => Math.exp(Math.fround(logits[symbol] - logits[best]) / temperature));
  if (sampling.top_p < 1) odds.fill(0, lastOf(odds, sampling.top_p) + 1);
  const drawn = second === undefined ? placeOf(odds, number) : placeInGroups(odds, number, second);
  // Rounding can put the draw at the very end of the sum, after the last symbol.
  return picks[drawn] ?? best;
}

/** Return the place of the last odds to draw from: the first whose sum reaches this share. */
function lastOf(odds, share) {
  const sums = summed(odds);
  const wanted = share * sums[sums.length - 1];
  return sums.findIndex((sum) => sum >= wanted);
}

/** Return the sum of the odds up to each. */
function summed(odds) {
  const sums = Float64Array.from(odds);
  for (let place = 1; place < sums.length; place += 1) sums[place] += sums[place - 1];
  return sums;
}

/** Return a place, drawn in proportion to the odds; their number if it was rounded up. */
function placeOf(odds, number) {
  const sums = summed(odds);
  const wanted = number * sums[sums.length - 1];
  const place = sums.findIndex((sum) => sum > wanted);
  return place < 0 ? odds.length : place;
}

/** Do the same by drawing a group of places, then a place in it. */
function placeInGroups(odds, number, second) {
  const count = Math.ceil(odds.length / GROUP);
  const groupOf = (group) => odds.subarray(group * GROUP, (group + 1) * GROUP);
  const sums = Float64Array.from({ length: count }, (_, group) => groupOf(group).reduce((sum, one) => sum + one, 0));
  const group = Math.min(placeOf(sums, number), count - 1);
  const own = groupOf(group);
  const place = placeOf(own, second);
  return place === own.length ? odds.length : group * GROUP + place;
}
