// The small networks, as in models_app/ml/networks: gated linear recurrences with hashed contexts ("glr"), and an LSTM.
// A network steps several posts side by side, so that its weights are read once for all of them.

import { Matrix } from "./products.js";
import { vocabularyOf } from "./vocabulary.js";
import { floatsOf } from "./wire.js";

const SPACE = 0x20;
const LINE_END = 0x0a;
const EPSILON = 1e-6;
/** The length that stands for the word so far. */
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
 * @typedef {import("./wire.js").Table} Table
 */

/** @type {Make} */
const plain = (values, depth, width) => new Matrix(values, depth, width);

/** Return the network of an unpacked file. `make`: makes its matrices, as `new Matrix` does. */
export function networkOf({ network, tables, tokenizer }, make = plain) {
  const kind = { glr: Gated, lstm: Lstm }[network.kind];
  if (!kind) throw new Error(`unknown network ${network.kind}`);
  return new kind(network, tables, make, vocabularyOf(tokenizer));
}

/** The rows of a product with the embedding of symbols, each computed when its symbol is first read. */
class Rows {
  /** @param {Table} embedding @param {Float32Array} values the matrix, row by row: a row for each of the embedding's numbers */
  constructor(embedding, values, factor = 1) {
    this.embedding = embedding;
    this.matrix = new Matrix(values, embedding.width, values.length / embedding.width);
    this.factor = factor;
    this.rows = new Map();
  }

  /** @returns {Float32Array} */
  of(symbol) {
    let row = this.rows.get(symbol);
    if (!row) {
      const embedded = new Float32Array(this.embedding.width);
      this.embedding.read(symbol, embedded, 0);
      for (let place = 0; place < embedded.length; place += 1) embedded[place] *= this.factor;
      row = new Float32Array(this.matrix.width);
      this.matrix.product(embedded, 1, row);
      this.rows.set(symbol, row);
    }
    return row;
  }
}

class Gated {
  constructor(config, tables, make, vocabulary) {
    this.vocabulary = vocabulary;
    this.units = config.units;
    this.contexts = config.contexts.map((order) => new Context(order, vocabulary));
    this.rowBits = Math.log2(config.context_rows || 1);
    this.width = config.context_width;
    const kernel = floatsOf(tables.input_kernel);
    const split = config.embedding * this.units;
    // A symbol's part of the input product is always the same.
    const factor = config.tied ? Math.fround(Math.sqrt(config.embedding)) : 1;
    this.entered = new Rows(tables.embedding, kernel.subarray(0, split), factor);
    this.contextDepth = this.contexts.length * this.width;
    this.contextKernel = make(kernel.subarray(split), this.contextDepth, this.units);
    this.contextTables = this.contexts.map((_, place) => tables[`context_${place}_embedding`]);
    this.layers = Array.from({ length: config.layers }, (_, layer) => {
      const kernelOfLayer = scaled(floatsOf(tables[`layer_${layer}_kernel`]), floatsOf(tables[`layer_${layer}_scale`]));
      return {
        kernel: make(kernelOfLayer, this.units, 3 * this.units),
        bias: floatsOf(tables[`layer_${layer}_bias`]),
        projection: make(floatsOf(tables[`layer_${layer}_projection`]), this.units, this.units),
      };
    });
    const output = scaled(floatsOf(tables.output_kernel), floatsOf(tables.output_scale));
    this.outputKernel = make(output, this.units, tables.output_kernel.width);
    this.written = config.tied ? make(transposed(tables.embedding), config.embedding, vocabulary.size) : null;
    this.writtenWidth = tables.output_kernel.width;
    this.outputBias = floatsOf(tables.output_bias);
  }

  /** @returns {State} */
  start() {
    return {
      memory: this.layers.map(() => new Float32Array(this.units)),
      keys: this.contexts.map((context) => context.start),
    };
  }

  /**
   * Read a symbol of each post, and return the logits (posts, size) of the next. Changes the states.
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
        if (symbols[row] === this.vocabulary.end) memory.fill(0);
        recur(gates, row * 3 * units, bias, memory, unit, row * units);
      }
      projection.product(unit, count, added);
      for (let place = 0; place < x.length; place += 1) x[place] += added[place];
    }
    normalize(x, count, units, unit);
    let logits = new Float32Array(count * this.writtenWidth);
    this.outputKernel.product(unit, count, logits);
    if (this.written) {
      const read = logits;
      logits = new Float32Array(count * this.vocabulary.size);
      this.written.product(read, count, logits);
    }
    return plus(logits, this.outputBias);
  }

  #inputs(symbols, states) {
    const { units, contextDepth } = this;
    const count = symbols.length;
    const x = new Float32Array(count * units);
    if (this.contexts.length) {
      const contexts = new Float32Array(count * contextDepth);
      for (let row = 0; row < count; row += 1) {
        const { keys } = states[row];
        for (let place = 0; place < this.contexts.length; place += 1) {
          keys[place] = this.contexts[place].next(keys[place], symbols[row]);
          this.contextTables[place].read(rowOf(keys[place], this.rowBits), contexts, row * contextDepth + place * this.width);
        }
      }
      this.contextKernel.product(contexts, count, x);
    }
    for (let row = 0; row < count; row += 1) {
      const entered = this.entered.of(symbols[row]);
      for (let place = 0; place < units; place += 1) x[row * units + place] += entered[place];
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

/** Return a table with rows and columns exchanged. @param {Table} table */
function transposed(table) {
  const floats = floatsOf(table);
  const { rows, width } = table;
  const out = new Float32Array(floats.length);
  for (let row = 0; row < rows; row += 1) {
    for (let place = 0; place < width; place += 1) out[place * rows + row] = floats[row * width + place];
  }
  return out;
}

/** The last symbols as a number, or a hash of the word so far. */
class Context {
  constructor(order, { size, end }) {
    this.order = order;
    this.end = end;
    /** The power of two by which a key grows with a symbol. */
    this.base = 2 ** Math.ceil(Math.log2(size));
    /** The key before a post, where all symbols count as end marks. */
    this.start = 0;
    for (let place = 0; place < order; place += 1) this.start = this.start * this.base + end;
  }

  /** Return the key after one more symbol. */
  next(key, symbol) {
    const { order, base } = this;
    if (symbol === this.end) return this.start;
    if (order !== WORD) return (key % base ** (order - 1)) * base + symbol;
    if (symbol === SPACE || symbol === LINE_END) return 0;
    return (Math.imul(key, WORD_MULTIPLIER) + symbol + 1) & 0x7fffffff;
  }
}

/** Return the row of a table for a key below 2**51. */
function rowOf(key, bits) {
  const mixed = Math.imul(key % LOW, LOW_MULTIPLIER) + Math.imul(Math.floor(key / LOW), HIGH_MULTIPLIER);
  return bits ? mixed >>> (32 - bits) : 0;
}

class Lstm {
  constructor(config, tables, make, vocabulary) {
    const matrixOf = (table) => make(floatsOf(table), table.rows, table.width);
    this.vocabulary = vocabulary;
    this.units = config.units;
    this.open = config.gates === "hard_sigmoid" ? hardSigmoid : sigmoid;
    this.entered = new Rows(tables.embedding, floatsOf(tables.kernel));
    this.bias = floatsOf(tables.bias);
    this.recurrent = matrixOf(tables.recurrent);
    this.outputKernel = matrixOf(tables.output_kernel);
    this.outputBias = floatsOf(tables.output_bias);
  }

  /** @returns {State} */
  start() {
    return { memory: [new Float32Array(this.units), new Float32Array(this.units)], keys: [] };
  }

  /**
   * Read a symbol of each post, and return the logits (posts, size) of the next. Changes the states.
   * @param {number[]} symbols
   * @param {State[]} states
   */
  step(symbols, states) {
    const { units, bias, open } = this;
    const count = symbols.length;
    const hidden = new Float32Array(count * units);
    for (let row = 0; row < count; row += 1) hidden.set(states[row].memory[0], row * units);
    const gates = new Float32Array(count * 4 * units);
    this.recurrent.product(hidden, count, gates);
    for (let row = 0; row < count; row += 1) {
      const [h, c] = states[row].memory;
      const at = row * 4 * units;
      const entered = this.entered.of(symbols[row]);
      const gate = (part, place) => {
        const from = part * units + place;
        return gates[at + from] + Math.fround(entered[from] + bias[from]);
      };
      for (let place = 0; place < units; place += 1) {
        c[place] = open(gate(1, place)) * c[place] + open(gate(0, place)) * Math.tanh(gate(2, place));
        h[place] = Math.tanh(c[place]) * open(gate(3, place));
      }
      hidden.set(h, row * units);
    }
    const logits = new Float32Array(count * this.vocabulary.size);
    this.outputKernel.product(hidden, count, logits);
    return plus(logits, this.outputBias);
  }
}
