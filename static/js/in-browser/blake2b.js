// BLAKE2b with a key and a digest of 8 bytes (RFC 7693): the hash of the copy guard's fingerprints.

const MASK = (1n << 64n) - 1n;
const BLOCK = 128;
const DIGEST = 8;
const START = [
  0x6a09e667f3bcc908n,
  0xbb67ae8584caa73bn,
  0x3c6ef372fe94f82bn,
  0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n,
  0x9b05688c2b3e6c1fn,
  0x1f83d9abfb41bd6bn,
  0x5be0cd19137e2179n,
];
const ORDERS = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];
const ROUNDS = 12;
/** The four numbers that each step of a round mixes: columns, then diagonals. */
const MIXED = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
];

/** @type {(value: bigint, by: bigint) => bigint} */
const turned = (value, by) => ((value >> by) | (value << (64n - by))) & MASK;

function compress(hash, block, count, isLast) {
  const view = new DataView(block.buffer, block.byteOffset, BLOCK);
  const words = Array.from({ length: 16 }, (_, place) => view.getBigUint64(8 * place, true));
  /** @type {bigint[]} */
  const v = [...hash, ...START];
  v[12] ^= BigInt(count);
  if (isLast) v[14] ^= MASK;
  for (let round = 0; round < ROUNDS; round += 1) {
    const order = ORDERS[round % ORDERS.length];
    MIXED.forEach(([a, b, c, d], step) => {
      v[a] = (v[a] + v[b] + words[order[2 * step]]) & MASK;
      v[d] = turned(v[d] ^ v[a], 32n);
      v[c] = (v[c] + v[d]) & MASK;
      v[b] = turned(v[b] ^ v[c], 24n);
      v[a] = (v[a] + v[b] + words[order[2 * step + 1]]) & MASK;
      v[d] = turned(v[d] ^ v[a], 16n);
      v[c] = (v[c] + v[d]) & MASK;
      v[b] = turned(v[b] ^ v[c], 63n);
    });
  }
  return hash.map((value, place) => value ^ v[place] ^ v[place + 8]);
}

/**
 * Return the digest as a number of 64 bits, as `int.from_bytes(digest, "little")` does.
 * @param {Uint8Array} data
 * @param {Uint8Array} key up to 64 bytes, at least one
 */
export function digestOf(data, key) {
  let hash = [...START];
  hash[0] ^= BigInt(0x01010000 ^ (key.length << 8) ^ DIGEST);
  const padded = new Uint8Array(BLOCK * (1 + Math.ceil(data.length / BLOCK)));
  padded.set(key);
  padded.set(data, BLOCK);
  for (let at = 0; at < padded.length; at += BLOCK) {
    const isLast = at + BLOCK >= padded.length;
    hash = compress(hash, padded.subarray(at, at + BLOCK), isLast ? BLOCK + data.length : at + BLOCK, isLast);
  }
  return hash[0];
}
