/* The page's WebAssembly module gives the native library's answer, to the last bit, for every picture
 * the tests make: hashes, qualities and the reasons for refusing. Run under node, without a browser.
 *
 * IMPRINT_PAGE_TEST=MODULE.wasm:PICTURES:PROGRAM node --test module.test.mjs */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const [modulePath, folder, program] = process.env.IMPRINT_PAGE_TEST.split(':');
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

/* The layout of struct page_case in wasm/case.c. */
function readCase(exports, at) {
  const [error, len, file] = new Uint32Array(exports.memory.buffer, at, 3);
  const text = file === 0 ? '' : Buffer.from(new Uint8Array(exports.memory.buffer, file, len)).toString();
  return { error, code: textAt(exports.memory, at + 12), number: textAt(exports.memory, at + 47), text };
}

function newCase() {
  const { exports } = new WebAssembly.Instance(module, {});
  exports._initialize();
  put(exports, randomBytes(65536));
  exports.seed();
  return { exports, ...readCase(exports, exports.make_code()) };
}

function readTyped(exports, typed) {
  put(exports, Buffer.from(typed));
  return readCase(exports, exports.read_code());
}

test('a code is read as people write it, and a typing mistake is noticed', () => {
  const { exports, code, number } = newCase();
  assert.match(code, /^([0-9A-HJKMNP-TV-Z]{4}-){6}[0-9A-HJKMNP-TV-Z]{4}$/);
  const typed = code.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l');
  assert.deepEqual({ ...readTyped(exports, typed), text: '' }, { error: 0, code, number, text: '' });
  const wrong = code.replace(/[0-9A-Z]/, (symbol) => (symbol === '2' ? '3' : '2'));
  assert.notEqual(readTyped(exports, wrong).error, 0);
});

test('the program makes the same withdrawal and status files of a code', () => {
  const { exports, code, number } = newCase();
  for (const [command, isWithdrawal] of [['withdraw', 1], ['status', 0]]) {
    const path = join(mkdtempSync(join(tmpdir(), 'imprint-page-')), 'key.json');
    const run = spawnSync(program, [command, '-o', path], { input: `${code}\n`, encoding: 'utf8' });
    assert.equal(run.status, 0, run.stderr);
    const { text } = readCase(exports, exports.write_key(isWithdrawal));
    assert.equal(readFileSync(path, 'utf8'), text);
    assert.ok(text.includes(number));
    rmSync(path);
  }
});

function writeReport(exports, head, hashes) {
  const bytes = Buffer.concat([Buffer.from(head), ...hashes.map((hash) => Buffer.concat([hash, Buffer.from([90, 0])]))]);
  put(exports, bytes);
  return readCase(exports, exports.write_report());
}

test('a report holds every hash once, in an order of its own, and ends on 4 KiB', () => {
  const { exports, number } = newCase();
  const hashes = Array.from({ length: 200 }, () => randomBytes(32));
  const { error, text } = writeReport(exports, '2026-11-22\0page-en-GB/1\0imprint 0.1.0\0', [...hashes, hashes[0]]);
  assert.equal(error, 0);
  assert.equal(text.length % 4096, 0);
  const report = JSON.parse(text);
  assert.equal(report.case.id, number);
  const given = hashes.map((hash) => hash.toString('hex'));
  const got = report.items.map(({ hash }) => hash);
  assert.notDeepEqual(got, given);
  assert.deepEqual([...got].sort(), [...given].sort());
});

test('what is no report request is refused', () => {
  const { exports } = newCase();
  for (const head of ['', '2026-11-22', '2026-11-22\0words\0tool', 'a day too long\0words\0tool\0']) {
    assert.notEqual(writeReport(exports, head, [randomBytes(32)]).error, 0, head);
  }
  assert.notEqual(writeReport(exports, '2026-11-22\0words\0tool\0', []).error, 0);
});
