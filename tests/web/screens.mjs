// The words in which tests of the screens over the deployed functions are written: a trader whose app opens screens, and who
// stands behind these.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { visitor } from './browser.mjs';
import { watched } from './inapp.mjs';

const { CTRADER, OPERATOR } = process.env;

async function told(answer) {
  const text = await answer.text();
  assert.ok(answer.ok, text);
  return JSON.parse(text);
}

export async function post(simulator, path, body) {
  return told(await fetch(`${simulator}/_sim/${path}`, { method: 'POST', body: JSON.stringify(body) }));
}

export async function state(simulator) {
  return told(await fetch(`${simulator}/_sim/state`));
}

// What an operator does with one of their functions.
export async function operator(name, event) {
  return told(await fetch(`${OPERATOR}/${name}`, { method: 'POST', body: JSON.stringify(event) }));
}

// Somebody whom no other test knows, with a browser of their own. `close` fails where a page broke, or broke its policy.
export async function trader({ name = 'Inés Vega', ...options } = {}) {
  const guest = await visitor(options);
  const violations = await watched(guest.context);
  const userId = randomInt(1, 2 ** 31);
  await operator('operator-ctrader', { action: 'know', account: 'ctrader/demo', userId, name, tradingLogin: 5207718 });
  // A screen as the app opens it when a control is pressed: its address, with a token of its own.
  const address = async (screen, params = {}) =>
    (await post(CTRADER, 'open', { option: 'sso', screen, params, userId })).url;
  return {
    context: guest.context,
    address,
    open: (url, more) => guest.open(url, { settle: false, ...more }),
    press: async (screen, params) => guest.open(await address(screen, params), { settle: false }),
    close: async () => {
      await guest.close();
      assert.deepEqual(violations, [], 'content security policy');
    },
  };
}

export const field = (page) => page.locator('#text');
export const bubbles = (page) => page.locator('.bubble').allTextContents();
export const states = (page) => page.locator('.own .state').allTextContents();

export async function say(page, text) {
  await field(page).fill(text);
  await field(page).press('Enter');
}
