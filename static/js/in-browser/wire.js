// Reads the file that the server sends a bot in (models_app/ml/wire.py): a header in JSON, then the numbers.

const MAGIC = "BOT1";

/** The value of each number of 16 bits: JavaScript has no such arrays everywhere. */
const HALVES = new Float32Array(1 << 16);
for (let bits = 0; bits < HALVES.length; bits += 1) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
  HALVES[bits] = bits >> 15 ? -size : size;
}

/**
 * Numbers in rows, as they came. `read` adds a row to floats; most rows of the tables are never needed.
 * @typedef {{rows: number, width: number, read: (row: number, out: Float32Array, at: number) => void}} Table
 */

/** @returns {Table} */
function tableOf(buffer, { shape, type, at, scales }) {
  const width = shape[shape.length - 1];
  const rows = shape.length > 1 ? shape[0] : 1;
  const size = rows * width;
  if (type === "float32") {
    const values = new Float32Array(buffer, at, size);
    return { rows, width, read: (row, out, to) => out.set(values.subarray(row * width, (row + 1) * width), to) };
  }
  if (type === "float16") {
    const values = new Uint16Array(buffer, at, size);
    const read = (row, out, to) => {
      for (let place = 0; place < width; place += 1) out[to + place] = HALVES[values[row * width + place]];
    };
    return { rows, width, read };
  }
  const wholeAt = wholesOf(buffer, type, at, size);
  const factors = new Uint16Array(buffer, scales, rows);
  const read = (row, out, to) => {
    const factor = HALVES[factors[row]];
    for (let place = 0; place < width; place += 1) out[to + place] = factor * wholeAt(row * width + place);
  };
  return { rows, width, read };
}

/** Return what reads the whole number at a place. Two of 4 bits share a byte, the first one in its low half. */
function wholesOf(buffer, type, at, size) {
  if (type === "int8") {
    const values = new Int8Array(buffer, at, size);
    return (place) => values[place];
  }
  if (type !== "int4") throw new Error(`unknown type ${type}`);
  const pairs = new Uint8Array(buffer, at, (size + 1) >> 1);
  return (place) => ((pairs[place >> 1] << (place & 1 ? 24 : 28)) >> 28);
}

/** Return all numbers of a table. */
export function floatsOf(table) {
  const floats = new Float32Array(table.rows * table.width);
  for (let row = 0; row < table.rows; row += 1) table.read(row, floats, row * table.width);
  return floats;
}

/**
 * Return what the file holds. Throws for a file that isn't one.
 * @param {ArrayBuffer} buffer
 * @returns {{network: any, tables: Record<string, Table>, tokenizer: any}} tokenizer: null for a network of bytes
 */
export function unpack(buffer) {
  const begin = new Uint8Array(buffer, 0, 4);
  if (String.fromCharCode(...begin) !== MAGIC) throw new Error("not a bot");
  const length = new DataView(buffer).getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const tables = Object.fromEntries(Object.entries(header.tensors).map(([name, tensor]) => [name, tableOf(buffer, tensor)]));
  return { network: header.network, tables, tokenizer: header.tokenizer ?? null };
}
