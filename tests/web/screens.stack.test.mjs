// A trader at the screens of cTrader's app, in Chromium, over the deployed functions of the local stack.

import test from 'node:test';
import assert from 'node:assert/strict';
import { picture, until, visitor } from './browser.mjs';

const { AGENTS, CTRADER, VCITA } = process.env;
const OFFLINE_MS = 10000;

async function post(simulator, path, body) {
  const answer = await fetch(`${simulator}/_sim/${path}`, { method: 'POST', body: JSON.stringify(body) });
  const told = await answer.text();
  assert.ok(answer.ok, told);
  return JSON.parse(told);
}

// The app opens a screen, as when the trader presses a control.
async function pressed(trader, screen, params = {}) {
  const { url } = await post(CTRADER, 'open', { option: 'sso', screen, params });
  return trader.open(url, { settle: false });
}

const field = (page) => page.getByRole('textbox', { name: 'Your message' });
const bubbles = (page) => page.locator('.bubble').allTextContents();
const states = (page) => page.locator('.own .state').allTextContents();

async function say(page, text) {
  await field(page).fill(text);
  await field(page).press('Enter');
}

async function showing(page, texts) {
  await until(async () => (await bubbles(page)).length >= texts.length, `${texts.length} messages`, 30000);
  assert.deepEqual(await bubbles(page), texts);
}

// Ten seconds without a network, in which both sides write.
async function cut(trader, page, mine, theirs) {
  await trader.context.setOffline(true);
  const since = Date.now();
  await say(page, mine);
  await theirs();
  await until(() => Date.now() - since > OFFLINE_MS, 'the network is back', OFFLINE_MS + 5000);
  await trader.context.setOffline(false);
}

test('a trader and an agent talk, and a network that is cut loses and doubles nothing', async () => {
  const trader = await visitor();
  await post(AGENTS, 'login', { workplace: '101', on_alert: 'answer' });
  const page = await pressed(trader, 'chat', { theme: 'dark' });
  assert.equal(new URL(page.url()).searchParams.get('token'), null);
  await field(page).waitFor();
  await say(page, 'Where is my deposit?');
  await page.locator('.agent strong', { hasText: 'Jana' }).waitFor({ timeout: 30000 });
  await post(AGENTS, 'say', { workplace: '101', text: 'On its way.' });
  await showing(page, ['Where is my deposit?', 'On its way.']);
  await until(async () => (await states(page))[0] === 'Read', 'the first words are read', 20000);

  await cut(trader, page, 'I was in a tunnel.', () => post(AGENTS, 'say', { workplace: '101', text: 'It arrives today.' }));
  await until(async () => (await bubbles(page)).length === 4, 'all of it', 30000);
  const said = ['Where is my deposit?', 'On its way.', 'I was in a tunnel.', 'It arrives today.'];
  assert.deepEqual((await bubbles(page)).toSorted(), said.toSorted());
  await page.reload();
  await until(async () => (await bubbles(page)).length === 4, 'all of it after a reload', 30000);
  assert.deepEqual((await bubbles(page)).toSorted(), said.toSorted());
  await picture(page, 'stack-screen-chat');
  await trader.close();
});

test('a trader and vcita s staff talk, and a network that is cut loses and doubles nothing', async () => {
  const trader = await visitor();
  const page = await pressed(trader, 'chat', { department: 'salon' });
  await field(page).waitFor();
  await say(page, 'Is anybody there?');
  const session = () => post(VCITA, 'staff-message', { text: 'Yes, how can I help?' });
  await until(async () => {
    const told = await (await fetch(`${VCITA}/_sim/state`)).json();
    return told.messages.some((one) => one.message.includes('Is anybody there?'));
  }, 'the words at vcita', 30000);
  await session();
  await showing(page, ['Is anybody there?', 'Yes, how can I help?']);
  await cut(trader, page, 'My card was refused.', () => post(VCITA, 'staff-message', { text: 'Try it once more.' }));
  await until(async () => (await bubbles(page)).length === 4, 'all of it', 30000);
  const said = ['Is anybody there?', 'Yes, how can I help?', 'My card was refused.', 'Try it once more.'];
  assert.deepEqual((await bubbles(page)).toSorted(), said.toSorted());
  await trader.close();
});

test('a trader fills in a survey and goes back to the app', async () => {
  const trader = await visitor();
  const page = await pressed(trader, 'action', { actionType: 'survey' });
  await page.getByRole('radio').nth(3).check({ force: true });
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('textbox').fill('Quick and friendly.');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.waitForURL(/\/callback\/success/, { timeout: 30000 });
  await trader.close();
});

test('a trader reads a lesson', async () => {
  const trader = await visitor();
  const page = await pressed(trader, 'education');
  const lessons = page.getByRole('list').getByRole('link').or(page.getByRole('list').getByRole('button'));
  await lessons.first().waitFor({ timeout: 30000 });
  assert.ok((await lessons.count()) >= 3);
  await trader.close();
});
