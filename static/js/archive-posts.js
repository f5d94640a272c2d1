// Takes only the post files out of an X archive. A ZIP of many gigabytes becomes one of a few megabytes before it is sent.
// Messages, addresses and pictures never leave this computer. The packed bytes are copied unchanged, by reference.

const POST_FILE = /^(?:[^/]+\/)*(?:(?:data\/)?(?:note-)?tweets?(?:-part\d{1,6})?\.js|data\/js\/tweets\/\d{4}_\d{2}\.js|tweets\.csv)$/;
const LITTER = /(?:^|\/)(?:__MACOSX\/|\._)/;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const STORED = 0;
const DEFLATED = 8;
const SEE_EXTRA = 0xffffffff;
const LONGEST_DIRECTORY = 256 * 1024 * 1024;
const MAX_FILES = 5000;

/** The file that names the account: account.js today, user_details.js before 2019. */
const OWNER_FILE = /^(?:[^/]+\/)*(?:(?:data\/)?account\.js|data\/js\/user_details\.js)$/;
const LARGEST_OWNER_FILE = 1024 * 1024;

/** Return the @name of the archive's account, or "" if it gives none. Nothing else in that file is read. */
export async function ownerOf(file) {
  try {
    const [entry] = await entriesOf(file, OWNER_FILE);
    if (!entry || entry.size > LARGEST_OWNER_FILE || ![STORED, DEFLATED].includes(entry.method)) return "";
    const packed = await packedOf(file, entry);
    const unpacked = entry.method === STORED ? packed.stream() : packed.stream().pipeThrough(new DecompressionStream("deflate-raw"));
    const text = await new Response(unpacked).text();
    const value = JSON.parse(text.slice(text.indexOf("=") + 1));
    const fields = (Array.isArray(value) ? value[0]?.account : value) ?? {};
    const name = fields.username ?? fields.screen_name ?? "";
    return /^\w{1,15}$/.test(name) ? `@${name}` : "";
  } catch {
    return "";
  }
}

/**
 * Return a ZIP of the post files only, under the same name. Return null if the file isn't a ZIP or has no post files: the
 * server then says what is wrong.
 */
export async function onlyPosts(file) {
  try {
    const found = await entriesOf(file, POST_FILE);
    return found.length ? await zipOf(file, found) : null;
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError || error instanceof DOMException) return null;
    throw error;
  }
}

async function viewOf(file, start, end) {
  if (start < 0 || end > file.size || start > end) throw new RangeError("outside of the ZIP");
  return new DataView(await file.slice(start, end).arrayBuffer());
}

const large = (view, at) => Number(view.getBigUint64(at, true));

/** Return where the directory starts and ends, and how many other bytes come before the ZIP. */
async function directoryOf(file) {
  const back = Math.max(0, file.size - 22 - 0xffff);
  const tail = await viewOf(file, back, file.size);
  let at = tail.byteLength - 22;
  while (at >= 0 && tail.getUint32(at, true) !== END) at -= 1;
  if (at < 0) return null;
  let [size, offset, end] = [tail.getUint32(at + 12, true), tail.getUint32(at + 16, true), back + at];
  const isLarge = size === SEE_EXTRA || offset === SEE_EXTRA || tail.getUint16(at + 10, true) === 0xffff;
  if (isLarge && end >= 76) {
    const record = await viewOf(file, end - 76, end);
    if (record.getUint32(56, true) === LOCATOR_64 && record.getUint32(0, true) === END_64) {
      [size, offset, end] = [large(record, 40), large(record, 48), end - 76];
    }
  }
  return size <= LONGEST_DIRECTORY ? { start: end - size, end, before: end - size - offset } : null;
}

/** Return the files in the ZIP whose names match. */
async function entriesOf(file, wanted) {
  const directory = await directoryOf(file);
  if (!directory) return [];
  const view = await viewOf(file, directory.start, directory.end);
  const found = [];
  let at = 0;
  while (at + 46 <= view.byteLength && view.getUint32(at, true) === ENTRY) {
    const nameSize = view.getUint16(at + 28, true);
    const extraSize = view.getUint16(at + 30, true);
    const name = new Uint8Array(view.buffer, at + 46, nameSize);
    const shown = new TextDecoder().decode(name).replaceAll("\\", "/").replace(/^\/+/, "");
    if (wanted.test(shown) && !LITTER.test(shown)) {
      const entry = {
        name,
        // Without the flag for sizes after the data: here they come before it.
        flags: view.getUint16(at + 8, true) & ~8,
        method: view.getUint16(at + 10, true),
        moment: view.getUint32(at + 12, true),
        checksum: view.getUint32(at + 16, true),
        ...sizesOf(view, at, at + 46 + nameSize, extraSize),
      };
      entry.offset += directory.before;
      found.push(entry);
      if (found.length > MAX_FILES) return [];
    }
    at += 46 + nameSize + extraSize + view.getUint16(at + 32, true);
  }
  return found;
}

function sizesOf(view, at, extra, extraSize) {
  const sizes = { size: view.getUint32(at + 24, true), packed: view.getUint32(at + 20, true), offset: view.getUint32(at + 42, true) };
  for (let field = extra; field + 4 <= extra + extraSize; field += 4 + view.getUint16(field + 2, true)) {
    if (view.getUint16(field, true) !== 1) continue;
    let number = field + 4;
    for (const key of ["size", "packed", "offset"]) {
      if (sizes[key] !== SEE_EXTRA) continue;
      sizes[key] = large(view, number);
      number += 8;
    }
  }
  return sizes;
}

/** Return the packed bytes of a file in the ZIP, or null if they aren't where the directory says. */
async function packedOf(file, entry) {
  const local = await viewOf(file, entry.offset, entry.offset + 30);
  if (local.getUint32(0, true) !== LOCAL) return null;
  const start = entry.offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  return start + entry.packed > file.size ? null : file.slice(start, start + entry.packed);
}

async function zipOf(file, entries) {
  const parts = [];
  const directory = [];
  let place = 0;
  for (const entry of entries) {
    if (entry.size >= SEE_EXTRA || entry.packed >= SEE_EXTRA || place >= SEE_EXTRA) return null;
    const packed = await packedOf(file, entry);
    if (!packed) return null;
    parts.push(header(LOCAL, 30, entry, place), entry.name, packed);
    directory.push(header(ENTRY, 46, entry, place), entry.name);
    place += 30 + entry.name.length + entry.packed;
  }
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, END, true);
  end.setUint16(8, entries.length, true);
  end.setUint16(10, entries.length, true);
  end.setUint32(12, entries.reduce((sum, entry) => sum + 46 + entry.name.length, 0), true);
  end.setUint32(16, place, true);
  return new File([...parts, ...directory, end], file.name, { type: "application/zip" });
}

/** Return the fixed part of a file's header, before the file or (with its place) in the directory. */
function header(mark, length, entry, place) {
  const view = new DataView(new ArrayBuffer(length));
  const inDirectory = mark === ENTRY;
  view.setUint32(0, mark, true);
  view.setUint16(4, 20, true);
  const at = inDirectory ? 6 : 4; // the directory names the packing program first
  view.setUint16(at, 20, true);
  view.setUint16(at + 2, entry.flags, true);
  view.setUint16(at + 4, entry.method, true);
  view.setUint32(at + 6, entry.moment, true);
  view.setUint32(at + 10, entry.checksum, true);
  view.setUint32(at + 14, entry.packed, true);
  view.setUint32(at + 18, entry.size, true);
  view.setUint16(at + 22, entry.name.length, true);
  if (inDirectory) view.setUint32(42, place, true);
  return view;
}
