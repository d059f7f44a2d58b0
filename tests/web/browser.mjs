// One Chromium for a test file, the control API of the simulator, and the words in which the tests are written.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';

const HERE = dirname(fileURLToPath(import.meta.url));
export const API = process.env.WEBSITE;
export const SCREENSHOTS = join(HERE, 'screenshots');

let browser = null;
let shop = null;

// The package unpacks its Chromium into the system's temporary folder and takes what it finds there for its own, whatever
// version that is. A folder that `npm ci` removes cannot be out of date.
async function launch() {
  const temporary = process.env.TMPDIR;
  const unpacked = join(HERE, 'node_modules', '.chromium');
  mkdirSync(unpacked, { recursive: true });
  process.env.TMPDIR = unpacked;
  const { default: packed } = await import('@sparticuz/chromium');
  const executablePath = await packed.executablePath();
  if (temporary === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = temporary;
  // Not the package's own arguments: they switch off the rules between origins, which are tested here.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
}

// Without a simulator it is the whole local stack: then the environment says where the shop is.
before(async () => {
  browser = await launch();
  ({ shop } = API ? await control('addresses') : { shop: process.env.SHOP });
});

after(async () => {
  if (browser) await browser.close();
});

export async function control(path, body) {
  const options = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const answer = await fetch(`${API}/_sim/${path}`, options);
  const data = await answer.json();
  assert.ok(answer.ok, JSON.stringify(data));
  return data;
}

export const dropFaults = () => fetch(`${API}/_sim/faults`, { method: 'DELETE' });
export const chats = () => control('chats');
export const requests = (path, method) => control(`requests?path=${encodeURIComponent(path)}&method=${method}`);

export async function until(predicate, what, milliseconds = 10000) {
  const end = Date.now() + milliseconds;
  for (;;) {
    const value = await predicate();
    if (value) return value;
    if (Date.now() > end) assert.fail(`not within ${milliseconds} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 30));
  }
}

// A visitor with a browser of their own. Everything that goes wrong in a page fails the test at its end.
export async function visitor(options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'Europe/Prague', ...options });
  const problems = [];
  const open = async (path = '/', { settle = true, prepare } = {}) => {
    const page = await context.newPage();
    if (prepare) await prepare(page);
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) problems.push(message.text());
    });
    page.on('dialog', (dialog) => {
      problems.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    await page.goto(new URL(path, shop).href);
    if (settle) await page.locator('deskbridge-chat .launcher').waitFor();
    return page;
  };
  const close = async () => {
    await context.close();
    assert.deepEqual(problems, []);
    if (API) assert.deepEqual(await control('reports'), []);
  };
  return { context, open, close, shop };
}

// A simulator as new, a visitor, the test, and the checks that hold for all of them.
export function withVisitor(run, options) {
  return async () => {
    await control('reset', {});
    const guest = await visitor(options);
    await run(guest);
    await guest.close();
  };
}

export const part = (page, selector) => page.locator(`deskbridge-chat ${selector}`);
export const bubbles = (page) => part(page, '.bubble').evaluateAll((all) => all.map((each) => each.textContent));
export const launcher = (page) => part(page, '.launcher');
export const field = (page) => part(page, '.composer textarea');

export async function openChat(page) {
  await launcher(page).click();
  await part(page, '.window').waitFor();
}

export async function say(page, text) {
  await field(page).fill(text);
  await field(page).press('Enter');
}

// What the visitor has in front of them: the log with all its lines said, who speaks and in what state.
export const lines = (page) => part(page, '.line').evaluateAll((all) => all.map((line) => ({
  text: Array.from(line.querySelector('.bubble').childNodes).filter((node) => !(node.classList && node.classList.contains('sr')))
    .map((node) => (node.firstChild && node.nodeName === 'A' ? node.firstChild.data : node.textContent)).join(''),
  own: line.classList.contains('own'),
  pending: line.classList.contains('pending'),
  failed: line.classList.contains('failed'),
})));

export const sentences = async (page) => (await lines(page)).map((line) => line.text);

export async function picture(page, name) {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), animations: 'disabled' });
}
