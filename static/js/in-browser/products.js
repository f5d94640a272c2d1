// Products of a few rows with a large matrix. Sums are in double precision, which costs nothing in JavaScript.

/** Columns that are summed side by side, so that each number of a row is read once for all of them. */
const SIDE_BY_SIDE = 4;

/** A matrix (depth, width), laid out so that `product` reads it from start to end. */
export class Matrix {
  /** @param {Float32Array} values row by row */
  constructor(values, depth, width) {
    this.depth = depth;
    this.width = width;
    const blocks = Math.ceil(width / SIDE_BY_SIDE);
    this.packed = new Float32Array(blocks * depth * SIDE_BY_SIDE);
    for (let column = 0; column < width; column += 1) {
      const block = Math.floor(column / SIDE_BY_SIDE);
      let to = block * depth * SIDE_BY_SIDE + (column % SIDE_BY_SIDE);
      for (let from = column; from < depth * width; from += width, to += SIDE_BY_SIDE) this.packed[to] = values[from];
    }
  }

  /**
   * Write rows @ matrix to `out`. A row's result doesn't depend on the other rows.
   * @param {Float32Array} rows (count, depth)
   * @param {Float32Array} out (count, width)
   */
  product(rows, count, out) {
    let row = 0;
    for (; row + 1 < count; row += 2) this.#two(rows, row, out);
    if (row < count) this.#one(rows, row, out);
  }

  #one(rows, row, out) {
    const { packed, depth, width } = this;
    const begin = row * depth;
    for (let column = 0, at = 0; column < width; column += SIDE_BY_SIDE) {
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      for (let place = begin; place < begin + depth; place += 1, at += SIDE_BY_SIDE) {
        const x = rows[place];
        a += x * packed[at];
        b += x * packed[at + 1];
        c += x * packed[at + 2];
        d += x * packed[at + 3];
      }
      write(out, row * width, column, width, a, b, c, d);
    }
  }

  #two(rows, row, out) {
    const { packed, depth, width } = this;
    const begin = row * depth;
    for (let column = 0, at = 0; column < width; column += SIDE_BY_SIDE) {
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      let e = 0;
      let f = 0;
      let g = 0;
      let h = 0;
      for (let place = begin; place < begin + depth; place += 1, at += SIDE_BY_SIDE) {
        const x = rows[place];
        const y = rows[place + depth];
        const p = packed[at];
        const q = packed[at + 1];
        const r = packed[at + 2];
        const s = packed[at + 3];
        a += x * p;
        b += x * q;
        c += x * r;
        d += x * s;
        e += y * p;
        f += y * q;
        g += y * r;
        h += y * s;
      }
      write(out, row * width, column, width, a, b, c, d);
      write(out, (row + 1) * width, column, width, e, f, g, h);
    }
  }
}

function write(out, begin, column, width, a, b, c, d) {
  const at = begin + column;
  out[at] = a;
  if (column + 1 < width) out[at + 1] = b;
  if (column + 2 < width) out[at + 2] = c;
  if (column + 3 < width) out[at + 3] = d;
}
