// The small networks, as in models_app/ml/networks: gated linear recurrences with hashed contexts ("glr"), and an LSTM.
// A network steps several posts side by side, so that its weights are read once for all of them.

import { Matrix } from "./products.js";
import { floatsOf } from "./wire.js";

export const END = 0xff;
const SIZE = 256;
const SPACE = 0x20;
const LINE_END = 0x0a;
const EPSILON = 1e-6;
/** The length in bytes that stands for the word so far. */
const WORD = 0;
const WORD_MULTIPLIER = 0x01000193;
const LOW_MULTIPLIER = 0x61c88647;
const HIGH_MULTIPLIER = 0x2545f491;
const LOW = 2 ** 24;

/**
 * What a network remembers of a post: the recurrent numbers, and the key of each context.
 * @typedef {{memory: Float32Array[], keys: number[]}} State
 */

/** @param {State} state @returns {State} */
export const copyOf = ({ memory, keys }) => ({ memory: memory.map((part) => part.slice()), keys: [...keys] });

/**
 * @typedef {{product: (rows: Float32Array, count: number, out: Float32Array) => void}} Product
 * @typedef {(values: Float32Array, depth: number, width: number) => Product} Make
 */

/** @type {Make} */
const plain = (values, depth, width) => new Matrix(values, depth, width);

/** Return the network of an unpacked file. `make`: makes its matrices, as `new Matrix` does. */
export function networkOf({ network, tables }, make = plain) {
  if (network.vocabulary !== "utf8-bytes") throw new Error(`unknown vocabulary ${network.vocabulary}`);
  const kind = { glr: Gated, lstm: Lstm }[network.kind];
  if (!kind) throw new Error(`unknown network ${network.kind}`);
  return new kind(network, tables, make);
}


class Gated {
  constructor(config, tables, make) {
    this.units = config.units;
    this.orders = config.contexts;
    this.rowBits = Math.log2(config.context_rows || 1);
    this.width = config.context_width;
    const kernel = floatsOf(tables.input_kernel);
    const split = config.embedding * this.units;
    // There are only 256 symbols, so their part of the input product is a precomputed table.
    this.table = new Float32Array(SIZE * this.units);
    plain(kernel.subarray(0, split), config.embedding, this.units).product(floatsOf(tables.embedding), SIZE, this.table);
    this.contextDepth = this.orders.length * this.width;
    this.contextKernel = make(kernel.subarray(split), this.contextDepth, this.units);
    this.contextTables = this.orders.map((_, place) => tables[`context_${place}_embedding`]);
    this.layers = Array.from({ length: config.layers }, (_, layer) => {
      const kernelOfLayer = scaled(floatsOf(tables[`layer_${layer}_kernel`]), floatsOf(tables[`layer_${layer}_scale`]));
      return {
        kernel: make(kernelOfLayer, this.units, 3 * this.units),
        bias: floatsOf(tables[`layer_${layer}_bias`]),
        projection: make(floatsOf(tables[`layer_${layer}_projection`]), this.units, this.units),
      };
    });
    const output = scaled(floatsOf(tables.output_kernel), floatsOf(tables.output_scale));
    this.outputKernel = make(output, this.units, SIZE);
    this.outputBias = floatsOf(tables.output_bias);
  }

  /** @returns {State} */
  start() {
    return {
      memory: this.layers.map(() => new Float32Array(this.units)),
      keys: this.orders.map(startKey),
    };
  }

  /**
   * Read a symbol of each post, and return the logits (posts, 256) of the next. Changes the states.
   * @param {number[]} symbols
   * @param {State[]} states
   */
  step(symbols, states) {
    const { units } = this;
    const count = symbols.length;
    const x = this.#inputs(symbols, states);
    const unit = new Float32Array(count * units);
    const gates = new Float32Array(count * 3 * units);
    const added = new Float32Array(count * units);
    for (const [number, { kernel, bias, projection }] of this.layers.entries()) {
      normalize(x, count, units, unit);
      kernel.product(unit, count, gates);
      for (let row = 0; row < count; row += 1) {
        const memory = states[row].memory[number];
        if (symbols[row] === END) memory.fill(0);
        recur(gates, row * 3 * units, bias, memory, unit, row * units);
      }
      projection.product(unit, count, added);
      for (let place = 0; place < x.length; place += 1) x[place] += added[place];
    }
    normalize(x, count, units, unit);
    const logits = new Float32Array(count * SIZE);
    this.outputKernel.product(unit, count, logits);
    return plus(logits, this.outputBias);
  }

  #inputs(symbols, states) {
    const { units, orders, contextDepth } = this;
    const count = symbols.length;
    const x = new Float32Array(count * units);
    if (orders.length) {
      const contexts = new Float32Array(count * contextDepth);
      for (let row = 0; row < count; row += 1) {
        const { keys } = states[row];
        for (let place = 0; place < orders.length; place += 1) {
          keys[place] = nextKey(orders[place], keys[place], symbols[row]);
          this.contextTables[place].read(rowOf(keys[place], this.rowBits), contexts, row * contextDepth + place * this.width);
        }
      }
      this.contextKernel.product(contexts, count, x);
    }
    for (let row = 0; row < count; row += 1) {
      const from = symbols[row] * units;
      for (let place = 0; place < units; place += 1) x[row * units + place] += this.table[from + place];
    }
    return x;
  }
}

const sigmoid = (x) => (1 + Math.tanh(x / 2)) / 2;
const hardSigmoid = (x) => Math.min(1, Math.max(0, x / 5 + 0.5));

/** Update the memory of a post, and write what its layer puts out. */
function recur(gates, at, bias, memory, out, to) {
  const units = memory.length;
  for (let place = 0; place < units; place += 1) {
    const candidate = gates[at + place] + bias[place];
    const forget = sigmoid(gates[at + units + place] + bias[units + place]);
    const output = sigmoid(gates[at + 2 * units + place] + bias[2 * units + place]);
    const kept = candidate + forget * (memory[place] - candidate);
    memory[place] = kept;
    out[to + place] = kept * sigmoid(kept) * output;
  }
}

/** Scale rows of x (count, width) so that their mean square is 1 (RMSNorm). */
function normalize(x, count, width, out) {
  for (let row = 0; row < count; row += 1) {
    let sum = 0;
    for (let place = row * width; place < (row + 1) * width; place += 1) sum += x[place] * x[place];
    const factor = 1 / Math.sqrt(sum / width + EPSILON);
    for (let place = row * width; place < (row + 1) * width; place += 1) out[place] = x[place] * factor;
  }
}

/** Multiply each row of a kernel by its scale. */
function scaled(kernel, scale) {
  const width = kernel.length / scale.length;
  for (let place = 0; place < kernel.length; place += 1) kernel[place] *= scale[Math.floor(place / width)];
  return kernel;
}

function plus(rows, bias) {
  for (let place = 0; place < rows.length; place += 1) rows[place] += bias[place % bias.length];
  return rows;
}

/** Return the key before a post, where all bytes count as end marks. */
const startKey = (order) => (order === WORD ? 0 : 256 ** order - 1);

/** Return the key after one more byte: the last bytes as a number, or a hash of the word so far. */
function nextKey(order, key, symbol) {
  if (symbol === END) return startKey(order);
  if (order !== WORD) return (key % 256 ** (order - 1)) * 256 + symbol;
  if (symbol === SPACE || symbol === LINE_END) return 0;
  return (Math.imul(key, WORD_MULTIPLIER) + symbol + 1) & 0x7fffffff;
}

/** Return the row of a table for a key below 2**48. */
function rowOf(key, bits) {
  const mixed = Math.imul(key % LOW, LOW_MULTIPLIER) + Math.imul(Math.floor(key / LOW), HIGH_MULTIPLIER);
  return bits ? mixed >>> (32 - bits) : 0;
}

class Lstm {
  constructor(config, tables, make) {
    const matrixOf = (table) => make(floatsOf(table), table.rows, table.width);
    this.units = config.units;
    this.open = config.gates === "hard_sigmoid" ? hardSigmoid : sigmoid;
    this.table = new Float32Array(SIZE * 4 * this.units);
    matrixOf(tables.kernel).product(floatsOf(tables.embedding), SIZE, this.table);
    plus(this.table, floatsOf(tables.bias));
    this.recurrent = matrixOf(tables.recurrent);
    this.outputKernel = matrixOf(tables.output_kernel);
    this.outputBias = floatsOf(tables.output_bias);
  }

  /** @returns {State} */
  start() {
    return { memory: [new Float32Array(this.units), new Float32Array(this.units)], keys: [] };
  }

  /**
   * Read a symbol of each post, and return the logits (posts, 256) of the next. Changes the states.
   * @param {number[]} symbols
   * @param {State[]} states
   */
  step(symbols, states) {
    const { units, table, open } = this;
    const count = symbols.length;
    const hidden = new Float32Array(count * units);
    for (let row = 0; row < count; row += 1) hidden.set(states[row].memory[0], row * units);
    const gates = new Float32Array(count * 4 * units);
    this.recurrent.product(hidden, count, gates);
    for (let row = 0; row < count; row += 1) {
      const [h, c] = states[row].memory;
      const at = row * 4 * units;
      const from = symbols[row] * 4 * units;
      const gate = (part, place) => gates[at + part * units + place] + table[from + part * units + place];
      for (let place = 0; place < units; place += 1) {
        c[place] = open(gate(1, place)) * c[place] + open(gate(0, place)) * Math.tanh(gate(2, place));
        h[place] = Math.tanh(c[place]) * open(gate(3, place));
      }
      hidden.set(h, row * units);
    }
    const logits = new Float32Array(count * SIZE);
    this.outputKernel.product(hidden, count, logits);
    return plus(logits, this.outputBias);
  }
}
