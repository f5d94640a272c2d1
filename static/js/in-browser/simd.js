// Products by the vectors of the processor: a WebAssembly module of three functions, written here byte by byte, so that
// nothing needs to be built. Sums are in single precision, as on the server.

/** Columns of a block: two vectors of four floats. */
const COLUMNS = 8;
const FLOAT = 4;
const PAGE = 1 << 16;
/** How many rows each function takes. A weight is read once for all of them. */
const ROWS = [4, 2, 1];

// WebAssembly 2.0, chapter 5.
const I32 = 0x7f;
const V128 = 0x7b;
const EMPTY = 0x40;
const END = 0x0b;
const LOOP = [0x03, EMPTY];
const CONTINUE_IF = [0x0d, 0];
const ADD = 0x6a;
const SUBTRACT = 0x6b;
const MULTIPLY = 0x6c;
const LESS = 0x49;
const ADD_VECTORS = [0xfd, 0xe4, 0x01];
const MULTIPLY_VECTORS = [0xfd, 0xe6, 0x01];
const ZERO_VECTOR = [0xfd, 0x0c, ...Array(16).fill(0)];
const ALIGNED = 2;

/** Return a number as LEB128. Signed ones below 64 look the same. */
function number(value) {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

const get = (local) => [0x20, ...number(local)];
const set = (local) => [0x21, ...number(local)];
const tee = (local) => [0x22, ...number(local)];
const constant = (value) => [0x41, ...number(value)];
const load = (offset) => [0xfd, 0x00, ALIGNED, ...number(offset)];
const loadEverywhere = (offset) => [0xfd, 0x09, ALIGNED, ...number(offset)];
const store = (offset) => [0xfd, 0x0b, ALIGNED, ...number(offset)];
const sized = (bytes) => [...number(bytes.length), ...bytes];
const listed = (entries) => [...number(entries.length), ...entries.flat()];
const section = (id, entries) => [id, ...sized(listed(entries))];
const text = (word) => sized([...new TextEncoder().encode(word)]);

/** Return the body of the function that multiplies so many rows, which are interleaved. */
function body(rows) {
  const [x, w, out, stride, depth, blocks, place, end] = [0, 1, 2, 3, 4, 5, 6, 7];
  const [first, second, value] = [8, 9, 10];
  const sum = (row, half) => 11 + 2 * row + half;
  const each = Array.from({ length: rows }, (_, row) => row);
  const added = (row, half, weights) => [...get(sum(row, half)), ...get(value), ...get(weights), ...MULTIPLY_VECTORS, ...ADD_VECTORS, ...set(sum(row, half))];
  const stored = (row, half) => [...get(out), ...get(stride), ...constant(row), MULTIPLY, ADD, ...get(sum(row, half)), ...store(16 * half)];
  const code = [
    ...[...get(x), ...get(depth), ...constant(FLOAT * rows), MULTIPLY, ADD, ...set(end)],
    ...LOOP,
    ...each.flatMap((row) => [...ZERO_VECTOR, ...set(sum(row, 0)), ...ZERO_VECTOR, ...set(sum(row, 1))]),
    ...[...get(x), ...set(place)],
    ...LOOP,
    ...[...get(w), ...load(0), ...set(first), ...get(w), ...load(16), ...set(second)],
    ...each.flatMap((row) => [...get(place), ...loadEverywhere(FLOAT * row), ...set(value), ...added(row, 0, first), ...added(row, 1, second)]),
    ...[...get(w), ...constant(32), ADD, ...set(w)],
    ...[...get(place), ...constant(FLOAT * rows), ADD, ...tee(place), ...get(end), LESS, ...CONTINUE_IF],
    END,
    ...each.flatMap((row) => [...stored(row, 0), ...stored(row, 1)]),
    ...[...get(out), ...constant(32), ADD, ...set(out)],
    ...[...get(blocks), ...constant(1), SUBTRACT, ...tee(blocks), ...CONTINUE_IF],
    END,
    END,
  ];
  const locals = [
    [2, I32],
    [3 + 2 * rows, V128],
  ];
  return sized([...listed(locals.map(([count, type]) => [...number(count), type])), ...code]);
}

/** The module. It takes its memory from outside. */
export function moduleBytes() {
  const parameters = Array(6).fill(I32);
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [[0x60, ...listed(parameters.map((type) => [type])), 0]]),
    ...section(2, [[...text("js"), ...text("memory"), 0x02, 0x00, 1]]),
    ...section(3, ROWS.map(() => [0])),
    ...section(7, ROWS.map((rows, place) => [...text(`rows${rows}`), 0x00, place])),
    ...section(10, ROWS.map(body)),
  ]);
}

/** Matrices in a memory of their own. */
class Memory {
  constructor(functions, memory) {
    this.functions = functions;
    this.memory = memory;
    this.used = 0;
    this.scratch = this.#take(0);
    this.scratchSize = 0;
  }

  #take(bytes) {
    const at = this.used;
    this.used += Math.ceil(bytes / 16) * 16;
    const missing = this.used - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));
    return at;
  }

  floats(at, count) {
    return new Float32Array(this.memory.buffer, at, count);
  }

  take(count) {
    return this.#take(count * FLOAT);
  }

  /** Return a place for so many floats that nobody keeps. */
  scratchOf(count) {
    if (count > this.scratchSize) {
      this.scratch = this.take(count);
      this.scratchSize = count;
    }
    return this.scratch;
  }
}

/** As products.Matrix. */
class VectorMatrix {
  constructor(memory, values, depth, width) {
    this.memory = memory;
    this.depth = depth;
    this.width = width;
    this.blocks = Math.ceil(width / COLUMNS);
    this.at = memory.take(this.blocks * depth * COLUMNS);
    const packed = memory.floats(this.at, this.blocks * depth * COLUMNS);
    for (let column = 0; column < width; column += 1) {
      let to = Math.floor(column / COLUMNS) * depth * COLUMNS + (column % COLUMNS);
      for (let from = column; from < depth * width; from += width, to += COLUMNS) packed[to] = values[from];
    }
  }

  product(rows, count, out) {
    const { memory, depth, width, blocks } = this;
    const padded = blocks * COLUMNS;
    const most = ROWS[0];
    const scratch = memory.scratchOf(most * (depth + padded));
    const results = scratch + FLOAT * most * depth;
    for (let row = 0; row < count; ) {
      const together = ROWS.find((size) => size <= count - row);
      const from = memory.floats(scratch, together * depth);
      for (let each = 0; each < together; each += 1) {
        const begin = (row + each) * depth;
        for (let place = 0, to = each; place < depth; place += 1, to += together) from[to] = rows[begin + place];
      }
      memory.functions[`rows${together}`](scratch, this.at, results, padded * FLOAT, depth, blocks);
      for (let each = 0; each < together; each += 1) out.set(memory.floats(results + each * padded * FLOAT, width), (row + each) * width);
      row += together;
    }
  }
}

/**
 * Return what makes matrices that use vectors, or null where the browser can't.
 * @returns {Promise<import("./networks.js").Make | null>}
 */
export async function vectorMatrices() {
  try {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const { instance } = await WebAssembly.instantiate(moduleBytes(), { js: { memory } });
    const place = new Memory(instance.exports, memory);
    return (values, depth, width) => new VectorMatrix(place, values, depth, width);
  } catch {
    return null;
  }
}
