/* For everybody: no violation that axe-core knows on any step, in both languages, light and dark, on a narrow
 * screen; nothing wider than the screen; and the whole way by keyboard alone. Leaving blanks the page. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { choosePictures, openPage, pictures, require, walkToCode, walkToPictures, walkToReport, withBrowser }
  from './browser.mjs';

const axe = require('axe-core').source;
const shots = process.env.IMPRINT_PAGE_SHOTS;
const RULES = { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] };

async function checkStep({ page, frame }, name, label) {
  const found = await frame.evaluate(async (rules) => (await window.axe.run(document, rules)).violations, RULES);
  assert.deepEqual(found.map(({ id, nodes }) => [id, nodes.map(({ target, failureSummary }) => [target, failureSummary])]),
    [], `${name} ${label}`);
  const wide = await frame.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(wide <= 0, `${name} is ${wide} px too wide`);
  if (shots) {
    mkdirSync(shots, { recursive: true });
    await page.screenshot({ path: join(shots, `${label}-${name}.png`) });
  }
}

async function openForAxe(context) {
  const opened = await openPage(context);
  await opened.frame.evaluate(axe);
  return opened;
}

/* Every step in turn; check(name) at each. */
async function visitAll(opened, check) {
  const { frame } = opened;
  await check('start');
  await frame.click('#help summary');
  await check('help');
  await frame.click('[data-go="have"]');
  await frame.fill('#have-code', 'no code');
  await frame.click('#have-form button.main');
  await frame.waitForFunction(() => document.getElementById('have-problem').textContent !== '');
  await check('have');
  await frame.click('#s-have [data-go="start"]');
  await frame.click('[data-go="safe"]');
  await check('safe');
  await frame.click('[data-go="age"]');
  await frame.click('#age-form button.main');
  await check('age');
  await frame.check('input[value="unsure"]');
  await frame.click('#age-form button.main');
  await check('young');
  await frame.click('#s-young [data-go="age"]');
  await frame.check('input[value="yes"]');
  await frame.click('#age-form button.main');
  await check('rules');
  await frame.click('[data-go="choose"]');
  await choosePictures(opened, ['kind-0.jpg', 'plain.png', 'text.jpg', 'kind-0.jpg']);
  await check('choose');
  await frame.click('#choose-go');
  await frame.click('#statements button.main');
  await check('report');
  await frame.click('#s-report [data-go="choose"]');
  const { code } = await walkToCode(opened);
  await check('code');
  await walkToReport(opened, code);
  await check('save');
  await frame.click('#save-go');
  await check('next');
}

for (const [label, options] of Object.entries({
  'en-light-360': { colorScheme: 'light' },
  'cy-dark-360': { colorScheme: 'dark' },
  'en-dark-1280': { colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
})) {
  test(`every step is clean: ${label}`, async () => withBrowser('chromium', options, async (context) => {
    const opened = await openForAxe(context);
    if (label.startsWith('cy')) {
      await opened.frame.click('#language');
      assert.equal(await opened.frame.getAttribute('html', 'lang'), 'cy');
    }
    await visitAll(opened, (name) => checkStep(opened, name, label));
    await opened.page.evaluate(axe);
    /* Its heading and its main part are in the frame. */
    const rules = { runOnly: RULES.runOnly.filter((set) => set !== 'best-practice') };
    const shell = await opened.page.evaluate((only) => window.axe.run({ exclude: 'iframe' }, only), rules);
    assert.deepEqual(shell.violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
    assert.deepEqual(opened.problems, []);
  }));
}

/* Presses Tab until the element that matches has the focus. */
async function tabTo({ page, frame }, selector) {
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab');
    if (await frame.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector)) {
      return;
    }
  }
  assert.fail(`the Tab key never reaches ${selector}`);
}

async function pressOn(opened, selector, key = 'Enter') {
  await tabTo(opened, selector);
  await opened.page.keyboard.press(key);
}

test('the whole way by keyboard alone', async () => withBrowser('chromium', {}, async (context) => {
  const opened = await openPage(context);
  const { page, frame } = opened;
  const heading = () => frame.evaluate(() => document.activeElement.closest('section')?.id);
  await pressOn(opened, '#s-start [data-go="safe"]');
  assert.equal(await heading(), 's-safe', 'the focus does not follow');
  await pressOn(opened, '#s-safe [data-go="age"]');
  await pressOn(opened, 'input[name="age"]', 'Space');
  await pressOn(opened, '#age-form button.main');
  await pressOn(opened, '#s-rules [data-go="choose"]');
  await tabTo(opened, '#files');
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.keyboard.press('Enter')]);
  await chooser.setFiles([join(pictures, 'kind-0.jpg')]);
  await frame.waitForFunction(() => document.getElementById('progress').value === 1);
  await pressOn(opened, '#choose-go');
  for (const name of ['adult', 'mine', 'understood']) {
    await pressOn(opened, `[name="${name}"]`, 'Space');
  }
  await pressOn(opened, '#statements button.main');
  await frame.waitForSelector('#code span');
  await tabTo(opened, '#code-last');
  await page.keyboard.type((await frame.textContent('#code')).slice(-4));
  await page.keyboard.press('Enter');
  await tabTo(opened, '#save');
  const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
  assert.equal(download.suggestedFilename(), 'report.json');
  await pressOn(opened, '#save-go');
  assert.equal(await heading(), 's-next');
}));

/* --- Leaving ---------------------------------------------------------------------------------- */

async function assertBlank({ page, frame }) {
  const left = await frame.evaluate(() => document.body.innerText + document.querySelectorAll('body *').length);
  assert.equal(left, '1', 'more than an empty note is left');
  assert.equal(await page.title(), 'Notes');
  for (const worker of page.workers()) {
    await worker.waitForEvent('close', { timeout: 10000 });
  }
  assert.equal(page.workers().length, 0, 'a worker lives on');
}

for (const [how, leave] of Object.entries({
  'the button': ({ frame }) => frame.click('#leave'),
  'Esc twice': async ({ page }) => {
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
  },
})) {
  test(`leaving by ${how} blanks the page, in the middle of the work and without a network`,
    async () => withBrowser('chromium', { offline: true }, async (context) => {
      const opened = await openPage(context);
      const before = await opened.page.evaluate(() => history.length);
      await walkToPictures(opened);
      await opened.frame.setInputFiles('#files', [join(pictures, 'phone.jpg'), join(pictures, 'kind-0.jpg')]);
      await leave(opened);
      await assertBlank(opened);
      assert.equal(await opened.page.evaluate(() => history.length), before, 'the history has grown');
      assert.deepEqual(opened.problems, []);
    }));
}

test('whoever says no or is not sure gets help and can choose no picture',
  async () => withBrowser('chromium', {}, async (context) => {
    for (const answer of ['no', 'unsure']) {
      const { page, frame } = await openPage(context);
      await frame.click('[data-go="safe"]');
      await frame.click('[data-go="age"]');
      await frame.check(`input[value="${answer}"]`);
      await frame.click('#age-form button.main');
      assert.match(await frame.innerText('#s-young'), /Report Remove[^]*ceop\.police\.uk/);
      assert.equal(await frame.isVisible('#files'), false);
      await frame.setInputFiles('#files', [join(pictures, 'kind-0.jpg')]);
      assert.equal(await frame.locator('#pictures li').count(), 0, 'a picture was taken all the same');
      await page.close();
    }
  }));

test('what only the browser can decode goes through it',
  async () => withBrowser('chromium', {}, async (context) => {
    const opened = await openPage(context);
    await walkToPictures(opened);
    const rows = await opened.frame.evaluate(async () => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 300, height: 200 });
      const paint = canvas.getContext('2d');
      for (let i = 0; i < 60; i++) {
        paint.fillStyle = `hsl(${i * 67} 70% ${20 + (i * 37) % 60}%)`;
        paint.fillRect((i * 53) % 280, (i * 31) % 180, 20 + (i % 7) * 12, 15 + (i % 5) * 14);
      }
      const types = ['image/png', 'image/webp'];
      const blobs = await Promise.all(types.map((type) => new Promise((done) => canvas.toBlob(done, type, 0.9))));
      const list = new DataTransfer();
      blobs.forEach((blob, i) => list.items.add(new File([blob], `x${i}`, { type: blob.type })));
      const box = document.getElementById('files');
      const goal = document.querySelectorAll('#pictures li').length + blobs.length;
      box.files = list.files;
      box.dispatchEvent(new Event('change'));
      while (document.getElementById('progress').value !== goal) {
        await new Promise((again) => setTimeout(again, 20));
      }
      return [...document.querySelectorAll('#pictures .what')].map((row) => row.textContent);
    });
    assert.equal(rows.length, 2);
    assert.ok(rows.every((row) => /ready|same/.test(row)), rows.join());
  }));
