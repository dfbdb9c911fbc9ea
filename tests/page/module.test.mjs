/* The page's WebAssembly module gives the native library's answer, to the last bit, for every picture
 * the tests make: hashes, qualities and the reasons for refusing. Run under node, without a browser.
 *
 * IMPRINT_PAGE_TEST=MODULE.wasm:PICTURES node --test module.test.mjs */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const [modulePath, folder] = process.env.IMPRINT_PAGE_TEST.split(':');
const module = new WebAssembly.Module(readFileSync(modulePath));

function textAt(memory, at) {
  const bytes = new Uint8Array(memory.buffer, at);
  return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString();
}

function put(exports, bytes) {
  const at = exports.take(bytes.length);
  new Uint8Array(exports.memory.buffer, at, bytes.length).set(bytes);
}

/* [error name, quality, hash] */
function hashOf(bytes) {
  const { exports } = new WebAssembly.Instance(module, {});
  exports._initialize();
  put(exports, bytes);
  const name = (error) => (error === 0 ? 'ok' : textAt(exports.memory, exports.error_name(error)));
  try {
    const at = exports.hash();
    const [error, , quality] = new Uint32Array(exports.memory.buffer, at, 3);
    const hash = textAt(exports.memory, at + 16);
    return error === 0 ? ['ok', quality, hash] : [name(error), 0, '0'.repeat(64)];
  } catch (trap) {
    assert.ok(trap instanceof WebAssembly.RuntimeError, String(trap));
    return [exports.failure() === 0 ? 'trap' : name(exports.failure()), 0, '0'.repeat(64)];
  }
}

test('the module imports nothing', () => {
  assert.deepEqual(WebAssembly.Module.imports(module), []);
});

/* How many pictures had which outcome. isBlurry(name) says where a hash may differ; how many do is counted. */
function compareAll(list, isBlurry) {
  const counts = { blurred: 0 };
  for (const line of readFileSync(join(folder, list), 'utf8').trimEnd().split('\n')) {
    const [name, error, quality, hash] = line.split('\t');
    const answer = hashOf(readFileSync(join(folder, name)));
    counts[error] = (counts[error] ?? 0) + 1;
    if (isBlurry(name) && error === 'ok' && answer[0] === 'ok' && answer[2] !== hash) {
      counts.blurred++;
    } else {
      assert.deepEqual([name, ...answer], [name, error, Number(quality), hash]);
    }
  }
  console.log(list, counts);
  return counts;
}

test('every picture gets the native hash and quality', () => {
  const counts = compareAll('whole.tsv', () => false);
  assert.ok(counts.ok > 40, 'too few pictures to mean anything');
});

/* In a damaged JPEG numbers can outgrow the 32 bits that "long" has in WebAssembly, as they outgrow the 16 of
 * the vector code: what such blocks look like, nobody has defined. */
test('every broken picture gets the native reason, and but for overflows the native hash', () => {
  const counts = compareAll('broken.tsv', (name) => name.endsWith('.jpg'));
  assert.ok(counts.ok > 200 && counts.image_malformed > 200, 'too few pictures to mean anything');
  assert.ok(counts.blurred < counts.ok / 20, 'more than overflows can explain');
});

test('a code made of known bytes is what the native tools make of them', () => {
  const { exports } = new WebAssembly.Instance(module, {});
  exports._initialize();
  put(exports, Uint8Array.from({ length: 16 }, (_, i) => i * 17));
  const at = exports.make_code();
  const code = textAt(exports.memory, at + 4);
  assert.match(code, /^([0-9A-HJKMNP-TV-Z]{4}-){6}[0-9A-HJKMNP-TV-Z]{4}$/);
  const typed = code.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l');
  put(exports, Buffer.from(typed));
  assert.equal(new Uint32Array(exports.memory.buffer, exports.read_code(), 1)[0], 0);
  const wrong = code.replace(/[0-9A-Z]/, (symbol) => (symbol === '2' ? '3' : '2'));
  put(exports, Buffer.from(wrong));
  assert.notEqual(new Uint32Array(exports.memory.buffer, exports.read_code(), 1)[0], 0);
});
