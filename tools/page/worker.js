/* Runs in a worker of the page: hashes pictures, makes reports. Talks to nobody but the page.
 *
 * The page sends { id, task, ... } and gets { id, value } or { id, error } with an error's name.
 * Before this text stands makeInstance() where WebAssembly is not used. */
'use strict';

const HASH_HEX = 64;
const BYTES_MAX = 64 << 20;
const CANVAS_PIXELS_MAX = 60e6;
/* enum imprint_format, as far as a browser may know the format and we do not */
const FORMAT_WEBP = 3;

let compiled = null;
let caseInstance = null;

class Refused extends Error {}

function newInstance() {
  const exports = compiled ? new WebAssembly.Instance(compiled, {}).exports : makeInstance();
  exports._initialize();
  return exports;
}

function bytesAt(exports, at, len) {
  return new Uint8Array(exports.memory.buffer, at, len);
}

function textAt(exports, at) {
  const bytes = new Uint8Array(exports.memory.buffer, at);
  return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
}

function give(exports, bytes) {
  const at = exports.take(bytes.length);
  if (at === 0) {
    throw new Refused('no_memory');
  }
  bytesAt(exports, at, bytes.length).set(bytes);
}

/* Calls into a module that may give up; the instance is of no use afterwards. */
function attempt(exports, call) {
  try {
    return call();
  } catch (trap) {
    if (trap instanceof Refused) {
      throw trap;
    }
    const error = exports.failure();
    throw new Refused(error === 0 ? 'image_malformed' : textAt(exports, exports.error_name(error)));
  }
}

/* --- Pictures ------------------------------------------------------------------------------- */

function readPicture(exports, at) {
  const [error, , quality, isHashable] = new Uint32Array(exports.memory.buffer, at, 4);
  if (error !== 0) {
    throw new Refused(textAt(exports, exports.error_name(error)));
  }
  if (!isHashable) {
    throw new Refused('flat');
  }
  return { hash: textAt(exports, at + 16).slice(0, HASH_HEX), quality };
}

/* Browsers that protect against recognition give pages noise in place of pixels. */
function isCanvasHonest() {
  const size = 64;
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const known = context.createImageData(size, size);
  for (let i = 0; i < known.data.length; i++) {
    known.data[i] = i % 4 === 3 ? 255 : (i * 2654435761) >>> 24;
  }
  context.putImageData(known, 0, 0);
  const seen = context.getImageData(0, 0, size, size).data;
  return known.data.every((value, i) => value === seen[i]);
}

/* Whether a WebP file asks to be turned: some browsers do it and some do not. */
function isTurnedWebp(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    if (view.getUint32(at) === 0x45584946) {
      const exif = bytes.subarray(at + 8, at + 8 + size);
      return orientationOf(exif) !== 1;
    }
    at += 8 + size + (size % 2);
  }
  return false;
}

function orientationOf(exif) {
  const start = exif[0] === 0x45 ? 6 : 0;
  if (exif.length < start + 14) {
    return 1;
  }
  const view = new DataView(exif.buffer, exif.byteOffset + start, exif.length - start);
  const isLittle = view.getUint8(0) === 0x49;
  const directory = view.getUint32(4, isLittle);
  if (directory + 2 > view.byteLength) {
    return 1;
  }
  const count = view.getUint16(directory, isLittle);
  for (let i = 0; i < count && directory + 2 + 12 * (i + 1) <= view.byteLength; i++) {
    const entry = directory + 2 + 12 * i;
    if (view.getUint16(entry, isLittle) === 0x0112) {
      return view.getUint16(entry + 8, isLittle);
    }
  }
  return 1;
}

async function decodeByBrowser(file) {
  if (typeof OffscreenCanvas === 'undefined' || typeof createImageBitmap === 'undefined') {
    throw new Refused('image_unsupported');
  }
  if (!isCanvasHonest()) {
    throw new Refused('hidden');
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: 'none' });
  } catch {
    throw new Refused('image_unsupported');
  }
  const { width, height } = bitmap;
  if (width * height > CANVAS_PIXELS_MAX) {
    bitmap.close();
    throw new Refused('image_too_large');
  }
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { pixels: context.getImageData(0, 0, width, height).data, width, height };
}

async function hashByBrowser(bytes, format, file) {
  if (format === FORMAT_WEBP && isTurnedWebp(bytes)) {
    throw new Refused('turned');
  }
  const { pixels, width, height } = await decodeByBrowser(file);
  const exports = newInstance();
  return attempt(exports, () => {
    give(exports, pixels);
    return readPicture(exports, exports.hash_pixels(width, height));
  });
}

async function hashPicture({ file }) {
  if (file.size > BYTES_MAX) {
    throw new Refused('image_too_large');
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  const exports = newInstance();
  try {
    return attempt(exports, () => {
      give(exports, bytes);
      return readPicture(exports, exports.hash());
    });
  } catch (refused) {
    if (refused.message !== 'image_unsupported') {
      throw refused;
    }
    give(exports, bytes.subarray(0, 64));
    return await hashByBrowser(bytes, exports.sniff(), file);
  }
}

/* --- The case --------------------------------------------------------------------------------- */

function readCase(exports, at) {
  const [error, len, file] = new Uint32Array(exports.memory.buffer, at, 3);
  if (error !== 0) {
    throw new Refused(textAt(exports, exports.error_name(error)));
  }
  return {
    code: textAt(exports, at + 12),
    number: textAt(exports, at + 47),
    text: file === 0 ? '' : new TextDecoder().decode(bytesAt(exports, file, len).slice()),
  };
}

function makeCode({ random }) {
  caseInstance = newInstance();
  give(caseInstance, random);
  caseInstance.seed();
  return readCase(caseInstance, caseInstance.make_code());
}

function readCode({ text }) {
  caseInstance = newInstance();
  give(caseInstance, new TextEncoder().encode(text));
  return readCase(caseInstance, caseInstance.read_code());
}

function writeReport({ day, statements, tool, items }) {
  const head = new TextEncoder().encode([day, statements, tool, ''].join('\0'));
  const bytes = new Uint8Array(head.length + items.length * 34);
  bytes.set(head);
  items.forEach(({ hash, quality, isLow }, i) => {
    const at = head.length + i * 34;
    for (let digit = 0; digit < HASH_HEX; digit += 2) {
      bytes[at + digit / 2] = parseInt(hash.slice(digit, digit + 2), 16);
    }
    bytes[at + 32] = quality;
    bytes[at + 33] = isLow ? 1 : 0;
  });
  give(caseInstance, bytes);
  return readCase(caseInstance, caseInstance.write_report());
}

function writeKey({ isWithdrawal }) {
  return readCase(caseInstance, caseInstance.write_key(isWithdrawal ? 1 : 0));
}

/* --- The door ------------------------------------------------------------------------------- */

function start({ module }) {
  compiled = module ? new WebAssembly.Module(module) : null;
  newInstance();
}

const tasks = { start, picture: hashPicture, code: makeCode, read: readCode, report: writeReport, key: writeKey };

self.onmessage = async ({ data }) => {
  try {
    self.postMessage({ id: data.id, value: await tasks[data.task](data) });
  } catch (error) {
    const name = error instanceof Refused ? error.message : error instanceof RangeError ? 'no_memory' : 'internal';
    self.postMessage({ id: data.id, error: name });
  }
};
