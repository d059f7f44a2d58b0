// Rox.Chat's workspace in the host page, with the deployed functions behind it: from the CRM's link to the customer's card.

import test from 'node:test';
import assert from 'node:assert/strict';
import { picture, until, visitor } from './browser.mjs';
import { check } from './inapp.accessible.mjs';
import { post } from './screens.mjs';

const { ROXCHAT } = process.env;
const PATIENCE = { timeout: 30000 };
const PORTO = 'Do you ship to Porto?';

const lines = (page) => page.locator('#card .line p:last-child').allTextContents();

test('an agent comes from the CRM, and what happens in the workspace stands beside it', async () => {
  await post(ROXCHAT, 'reset', {});
  const guest = await visitor({ viewport: { width: 1400, height: 900 } });
  const page = await guest.open(`${ROXCHAT}/_sim/crm?agent=jana`, { settle: false });
  const workspace = page.frameLocator('iframe').locator('html[data-ready]');
  await workspace.waitFor({ ...PATIENCE, state: 'attached' });
  assert.equal(new URL(page.url()).search, '', 'no ticket in the address');
  const { chat } = await post(ROXCHAT, 'visitors/marta/write', { text: PORTO });
  await post(ROXCHAT, 'visitors/marta/select', {});
  const entry = page.locator('#card [data-key^="chat-"]');
  await entry.waitFor(PATIENCE);
  await until(async () => (await entry.count()) === 1, 'one chat');
  await entry.click();
  await until(async () => (await lines(page)).includes(PORTO), 'what the visitor wrote', 30000);

  await post(ROXCHAT, `chats/${chat}/agent`, { text: 'We do, within two days.' });
  await until(async () => (await lines(page)).length === 2, 'the answer', 30000);

  await page.reload();
  await workspace.waitFor({ ...PATIENCE, state: 'attached' });
  await post(ROXCHAT, 'visitors/marta/select', {});
  await entry.waitFor(PATIENCE);
  await check(page);
  await picture(page, 'stack-roxchat-host');
  await page.locator('#card .start button').click();
  await until(async () => (await page.locator('#card .said-here').textContent()) !== '', 'what became of the command', 30000);
  await guest.close();
});

test('without the CRM nobody sees anything', async () => {
  const guest = await visitor();
  const page = await guest.open(`${ROXCHAT}/_sim/crm?agent=petr`, { settle: false });
  const address = page.url();
  const stranger = await visitor();
  const other = await stranger.open(address, { settle: false });
  await other.getByRole('heading', { name: 'You are not signed in' }).waitFor(PATIENCE);
  assert.equal(await other.locator('iframe').count(), 0);
  await stranger.close();
  await guest.close();
});
