/* What the page's tests in real browsers share: starting one, opening the page, walking its steps.
 *
 * IMPRINT_PAGE_OUT        the folder with notes.html and notes-lite.html
 * IMPRINT_PAGE_PICTURES   the folder page_pictures filled
 * IMPRINT_PAGE_PACKAGES   the folder with node_modules
 * IMPRINT_PAGE_BROWSERS   "chromium", "firefox" or both, comma separated */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export const require = createRequire(join(process.env.IMPRINT_PAGE_PACKAGES, '/'));
const playwright = require('playwright-core');

export const browsers = (process.env.IMPRINT_PAGE_BROWSERS ?? 'chromium').split(',');
export const out = process.env.IMPRINT_PAGE_OUT;
export const pictures = process.env.IMPRINT_PAGE_PICTURES;

const CHROMIUM = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
  '--disable-background-networking', '--disable-component-update'];

/* calls(context) with a browser that has a new, empty profile, and ends it. */
export async function withBrowser(name, options, calls) {
  const profile = mkdtempSync(join(tmpdir(), 'imprint-browser-'));
  const downloads = mkdtempSync(join(tmpdir(), 'imprint-downloads-'));
  const { args = [], prefs = {}, ...rest } = options;
  const launch = name === 'chromium'
    ? { executablePath: '/usr/bin/chromium', args: [...CHROMIUM, ...args] }
    : { executablePath: '/usr/bin/firefox-esr', channel: 'moz-firefox', firefoxUserPrefs: prefs,
      downloadsPath: downloads, colorScheme: null, reducedMotion: null, contrast: null, forcedColors: null };
  const context = await playwright[name].launchPersistentContext(profile,
    { headless: true, viewport: { width: 360, height: 740 }, ...launch, ...rest });
  context.imprintDownloads = downloads;
  try {
    return await calls(context);
  } finally {
    await context.close();
    for (const folder of [profile, downloads]) {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  }
}

/* The opened page with its inner frame, and every complaint of the page's own scripts. */
export async function openPage(context, file = 'notes.html') {
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  await page.goto(pathToFileURL(join(out, file)).href);
  const frame = await (await page.waitForSelector('iframe')).contentFrame();
  await frame.waitForSelector('main:not([hidden])');
  return { page, frame, problems };
}

/* From the first screen to the one where pictures are chosen. */
export async function walkToPictures({ frame }) {
  await frame.click('[data-go="safe"]');
  await frame.click('[data-go="age"]');
  await frame.check('input[value="yes"]');
  await frame.click('#age-form button.main');
  await frame.click('[data-go="choose"]');
}

/* Into the field for pictures, as the browser's own dialogue does. Firefox's remote control cannot reach the
 * field of a sandboxed frame, so there the test makes the files inside and says that the field has changed. */
async function giveFiles({ page, frame }, names) {
  if (!isFirefox(page)) {
    await frame.setInputFiles('#files', names.map((name) => join(pictures, name)));
    return;
  }
  for (let at = 0; at < names.length; at += 100) {
    const files = names.slice(at, at + 100).map((name) => [name, readFileSync(join(pictures, name)).toString('base64')]);
    await frame.evaluate((given) => {
      const list = new DataTransfer();
      for (const [name, text] of given) {
        list.items.add(new File([Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0))], name));
      }
      document.getElementById('files').files = list.files;
      document.getElementById('files').dispatchEvent(new Event('change'));
    }, files);
  }
}

/* Chooses files and waits until each is read; gives each row's class of outcome: "" or "is-bad". */
export async function choosePictures(opened, names, timeout = 120000) {
  const { frame } = opened;
  const before = await frame.locator('#pictures li').count();
  await giveFiles(opened, names);
  await frame.waitForFunction((count) => {
    const bar = document.getElementById('progress');
    return document.querySelectorAll('#pictures li').length === count && bar.value === count;
  }, before + names.length, { timeout });
  return await frame.evaluate(() =>
    [...document.querySelectorAll('#pictures li')].map((row) => row.querySelector('.what > span:last-child').className));
}

/* From chosen pictures to the shown code. */
export async function walkToCode({ frame }) {
  await frame.click('#choose-go');
  for (const name of ['adult', 'mine', 'understood']) {
    await frame.check(`[name="${name}"]`);
  }
  await frame.click('#statements button.main');
  await frame.waitForSelector('#code span');
  return { code: await frame.textContent('#code'), number: await frame.textContent('#case') };
}

/* Past the code; the report's text as the page shows it and as it is saved. */
export async function walkToReport({ page, frame }, code) {
  await frame.fill('#code-last', code.slice(-4).toLowerCase());
  await frame.click('#code-form button.main');
  return await saved(page, () => frame.click('#save'));
}

const isFirefox = (page) => page.context().browser()?.browserType().name() === 'firefox';

/* { name, text } of the file that calling() makes the browser save. Firefox's remote control tells of no
 * downloads, so there the folder is watched. */
export async function saved(page, calling) {
  if (!isFirefox(page)) {
    const [download] = await Promise.all([page.waitForEvent('download'), calling()]);
    return { name: download.suggestedFilename(), text: readFileSync(await download.path(), 'utf8') };
  }
  const folder = page.context().imprintDownloads;
  await calling();
  for (let tries = 0; tries < 200; tries++) {
    const name = readdirSync(folder).find((file) => file.endsWith('.json'));
    const text = name ? readFileSync(join(folder, name), 'utf8') : '';
    if (text.endsWith('}\n')) {
      rmSync(join(folder, name));
      return { name, text };
    }
    await page.waitForTimeout(50);
  }
  throw new Error('nothing was saved');
}

/* [{ name, error, quality, hash }] of whole.tsv or broken.tsv */
export function expected(list) {
  return readFileSync(join(pictures, list), 'utf8').trimEnd().split('\n').map((line) => {
    const [name, error, quality, hash] = line.split('\t');
    return { name, error, quality: Number(quality), hash };
  });
}
