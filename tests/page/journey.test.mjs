/* The whole way in real browsers, from the first screen to the saved report: its hashes are the native
 * library's, broken pictures are told from good ones, and the page says nothing on its error console. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { browsers, choosePictures, expected, openPage, saved, walkToCode, walkToPictures, walkToReport, withBrowser }
  from './browser.mjs';

const program = process.env.IMPRINT_PROGRAM;
const FLOOR = 50;

const isGood = ({ error, hash }) => error === 'ok' && !/^0+$/.test(hash);

/* What a report of these files must hold, in no order. */
function itemsOf(list) {
  const items = new Map();
  for (const { hash, quality } of list.filter((file) => isGood(file) && file.quality >= FLOOR)) {
    items.set(hash, { hash, quality });
  }
  return [...items.values()];
}

const sorted = (items) => [...items].sort((a, b) => (a.hash < b.hash ? -1 : 1));

/* As `withdraw` and `status` of the program read it. */
function nativeKey(command, code) {
  const path = join(mkdtempSync(join(tmpdir(), 'imprint-journey-')), 'key.json');
  const run = spawnSync(program, [command, '-o', path], { input: `${code}\n`, encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  return readFileSync(path, 'utf8');
}

async function reportOf(list, context, file) {
  const opened = await openPage(context, file);
  await walkToPictures(opened);
  const outcomes = await choosePictures(opened, list.map(({ name }) => name));
  assert.deepEqual(outcomes.map((outcome) => outcome === ''), list.map(isGood), 'the wrong pictures are refused');
  const { code, number } = await walkToCode(opened);
  const { name, text } = await walkToReport(opened, code);
  assert.equal(name, 'report.json');
  const report = JSON.parse(text);
  assert.equal(report.case.id, number);
  assert.deepEqual(sorted(report.items), sorted(itemsOf(list)));
  for (const secret of ['kind-0', '.jpg', 'phone', code, code.replaceAll('-', '')]) {
    assert.ok(!text.includes(secret), `the report holds ${secret}`);
  }
  assert.equal(await opened.frame.inputValue('#save-text'), text.replace(/ +"}\s*$/, '"}\n'));
  await opened.frame.click('#save-go');
  assert.ok(!(await opened.frame.content()).includes(code.slice(5, 9)), 'the code is still there');
  assert.deepEqual(opened.problems, []);
  return { opened, code };
}

async function filesOfCode(opened, code) {
  const { page } = opened;
  await page.reload();
  const fresh = await (await page.waitForSelector('iframe')).contentFrame();
  await fresh.click('[data-go="have"]');
  await fresh.fill('#have-code', code.replace('-', ' ').slice(0, -1));
  await fresh.click('#have-form button.main');
  await fresh.waitForFunction(() => document.getElementById('have-problem').textContent !== '');
  await fresh.fill('#have-code', code.toLowerCase());
  await fresh.press('#have-code', 'Enter');
  for (const command of ['withdraw', 'status']) {
    const { name, text } = await saved(page, () => fresh.click(`#have-${command}`));
    assert.match(name, /^(withdrawal|status)\.json$/);
    assert.ok(text.includes(JSON.parse(text).key) && JSON.parse(text).key.length === 64);
    assert.equal(text, nativeKey(command, code));
  }
}

for (const name of browsers) {
  test(`${name}: a report holds the native hashes of all good pictures, and its code makes the program's files`,
    async () => withBrowser(name, {}, async (context) => {
      const { opened, code } = await reportOf(expected('whole.tsv'), context, 'notes.html');
      await filesOfCode(opened, code);
    }));

  test(`${name}: 2,000 broken pictures are told from good ones and harm nothing`,
    async () => withBrowser(name, {}, async (context) => {
      const opened = await openPage(context);
      const list = expected('broken.tsv');
      await walkToPictures(opened);
      const outcomes = await choosePictures(opened, list.map((file) => file.name), 300000);
      assert.equal(outcomes.length, 2000);
      assert.deepEqual(outcomes.map((outcome) => outcome === ''), list.map(isGood));
      assert.deepEqual(opened.problems, []);
    }));
}

test('chromium without WebAssembly: the lite page does the same, the other one says what to do',
  async () => withBrowser('chromium', { args: ['--js-flags=--jitless'] }, async (context) => {
    const { frame } = await openPage(context);
    await frame.waitForSelector('main > .note:only-child');
    assert.match(await frame.textContent('main'), /notes-lite\.html/);
    /* An interpreter without a compiler is slow, so only a few. */
    const few = expected('whole.tsv').filter(({ name }) => /^(kind-[0-9]|text|empty|size-64)/.test(name));
    await reportOf(few, context, 'notes-lite.html');
  }));

test('chromium: a phone picture is hashed well under a second, and the page stays alive meanwhile',
  async () => withBrowser('chromium', {}, async (context) => {
    const opened = await openPage(context);
    await walkToPictures(opened);
    await choosePictures(opened, ['phone.jpg']);
    const times = [];
    for (let i = 0; i < 5; i++) {
      const started = await opened.frame.evaluate(() => {
        document.querySelector('#pictures button').click();
        window.gaps = [performance.now()];
        window.ticking = setInterval(() => window.gaps.push(performance.now()), 5);
        return performance.now();
      });
      await choosePictures(opened, ['phone.jpg']);
      const gap = await opened.frame.evaluate(() => {
        clearInterval(window.ticking);
        return Math.max(...window.gaps.slice(1).map((at, i) => at - window.gaps[i]));
      });
      times.push([await opened.frame.evaluate((at) => performance.now() - at, started), gap].map(Math.round));
    }
    console.log('12 MP: [ms, longest gap of the main thread]', JSON.stringify(times));
    assert.ok(Math.min(...times.map(([ms]) => ms)) < 1800, 'three times what it must reach on an idle machine');
    assert.ok(Math.min(...times.map(([, gap]) => gap)) < 300);
  }));
