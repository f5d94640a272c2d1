// NumPy's default random numbers, so that a seed writes the same posts here and on the server: PCG64 (O'Neill 2014),
// seeded by a SeedSequence as in numpy/random/bit_generator.pyx.

const WORDS = 4;
const MASK_64 = (1n << 64n) - 1n;
const MASK_128 = (1n << 128n) - 1n;
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;

/** Return the seed as words of 32 bits, the lowest first. */
function wordsOf(seed) {
  const words = [];
  for (let rest = BigInt(seed); rest > 0n; rest >>= 32n) words.push(Number(rest & 0xffffffffn));
  return words.length ? words : [0];
}

const folded = (value) => (value ^ (value >>> 16)) >>> 0;

/** Return the first four words of 64 bits of a SeedSequence. */
function stateOf(seed) {
  const entropy = wordsOf(seed);
  let constant = 0x43b0d7e5;
  const hashed = (value) => {
    const before = constant;
    constant = Math.imul(constant, 0x931e8875) >>> 0;
    return folded(Math.imul((value ^ before) >>> 0, constant) >>> 0);
  };
  const mixed = (x, y) => folded((Math.imul(x, 0xca01f9dd) - Math.imul(y, 0x4973f715)) >>> 0);

  const pool = Array.from({ length: WORDS }, (_, place) => hashed(entropy[place] ?? 0));
  for (let from = 0; from < WORDS; from += 1) {
    for (let to = 0; to < WORDS; to += 1) if (from !== to) pool[to] = mixed(pool[to], hashed(pool[from]));
  }
  for (const more of entropy.slice(WORDS)) for (let to = 0; to < WORDS; to += 1) pool[to] = mixed(pool[to], hashed(more));

  constant = 0x8b51f9dd;
  const words = Array.from({ length: 2 * WORDS }, (_, place) => {
    const value = (pool[place % WORDS] ^ constant) >>> 0;
    constant = Math.imul(constant, 0x58f38ded) >>> 0;
    return BigInt(folded(Math.imul(value, constant) >>> 0));
  });
  return Array.from({ length: WORDS }, (_, place) => words[2 * place] | (words[2 * place + 1] << 32n));
}

/** `numpy.random.default_rng(seed)` */
export class Random {
  /** @param {number | bigint} seed */
  constructor(seed) {
    const [high, low, highOfSequence, lowOfSequence] = stateOf(seed);
    this.increment = ((((highOfSequence << 64n) | lowOfSequence) << 1n) | 1n) & MASK_128;
    this.state = 0n;
    this.#step();
    this.state = (this.state + ((high << 64n) | low)) & MASK_128;
    this.#step();
  }

  #step() {
    this.state = (this.state * MULTIPLIER + this.increment) & MASK_128;
  }

  /** Return the next number from 0 to below 1. */
  next() {
    this.#step();
    const value = (this.state >> 64n) ^ (this.state & MASK_64);
    const turn = this.state >> 122n;
    const turned = ((value >> turn) | (value << ((64n - turn) & 63n))) & MASK_64;
    return Number(turned >> 11n) / 2 ** 53;
  }
}
