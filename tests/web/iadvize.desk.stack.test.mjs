// iAdvize's Desk with the deployed functions around a conversation: what an agent sees, clicks and fills in.

import test from 'node:test';
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { picture, until, visitor } from './browser.mjs';
import { check } from './inapp.accessible.mjs';
import { post, state } from './screens.mjs';

const { IADVIZE, CONNECTOR } = process.env;
const PATIENCE = { timeout: 30000 };

// Somebody who wrote to the tenant before, and an agent with a Desk.
async function desk() {
  const number = `+4207${String(randomInt(10 ** 8)).padStart(8, '0')}`;
  await post(CONNECTOR, 'send', { from: number, text: 'Where is my order?' });
  await post(IADVIZE, 'visitors', { id: number, name: `Eva ${number}`, idVisitorExternal: number });
  const guest = await visitor({ viewport: { width: 1300, height: 1000 } });
  const page = await guest.open(`${IADVIZE}/_sim/desk`, { settle: false });
  await page.locator('#visitor').selectOption(number);
  await page.getByRole('button', { name: 'Open a conversation' }).click();
  return { page, number, close: guest.close };
}

const card = (page) => page.locator('#card');
const troubles = (page) => page.locator('#troubles li').allTextContents();

test('an agent sees who it is and opens a case by a click', async () => {
  const { page, number, close } = await desk();
  await card(page).getByText('Fiche client').waitFor(PATIENCE);
  assert.ok((await card(page).textContent()).includes(number));
  assert.equal(await card(page).getByRole('link').getAttribute('href'), `https://crm.example/c/${number.replace('+', '%2B')}`);
  await card(page).getByRole('button', { name: 'Ouvrir un dossier' }).dblclick();
  await page.getByText(/^Done: Dossier \d+ ouvert$/).waitFor(PATIENCE);
  const cases = card(page).getByText(/^\d+ · Ouvrir un dossier · /);
  await until(async () => (await cases.count()) === 1, 'the case is on the card', 30000);
  await page.getByLabel('Message', { exact: true }).fill('Je regarde.');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByText('Je regarde.').waitFor();
  assert.deepEqual(await troubles(page), []);
  await check(page);
  await picture(page, 'stack-iadvize-desk');
  await page.locator('#locale').selectOption('en');
  await card(page).getByText('Open a case', { exact: true }).waitFor(PATIENCE);
  await close();
});

test('an agent fills in the form that closes a conversation', async () => {
  const { page, close } = await desk();
  await card(page).getByText('Fiche client').waitFor(PATIENCE);
  await page.getByRole('button', { name: 'Close the conversation' }).click();
  const form = page.getByRole('dialog', { name: 'Close the conversation' });
  await form.getByLabel('Sujet').waitFor(PATIENCE);
  assert.equal(await form.getByLabel('Motif').isVisible(), false);
  await form.getByLabel('Créer un dossier').check();
  assert.equal(await form.getByLabel('Motif').isVisible(), true);
  await check(page);
  await picture(page, 'stack-iadvize-closing-form');
  await form.getByRole('button', { name: 'Close it' }).click();
  assert.equal(await form.isVisible(), true, 'what is required is missing');
  await form.getByLabel('Sujet').selectOption('ORDER');
  await form.getByLabel('Motif').selectOption('LATE');
  await form.getByRole('button', { name: 'Close it' }).click();
  await page.getByText('The conversation is closed.').waitFor(PATIENCE);
  const kinds = async () => (await state(IADVIZE)).deliveries.filter((one) => one.status === 200).map((one) => one.eventType);
  await until(async () => (await kinds()).includes('v2.conversation.closed'), 'the app was told', 30000);
  await close();
});

test('what the app refuses stands on the page', async () => {
  const { page, close } = await desk();
  await card(page).getByText('Fiche client').waitFor(PATIENCE);
  await post(IADVIZE, 'secret', { secret: '00000000000000000000000000000000' });
  await page.getByRole('button', { name: 'Look the customer up' }).click();
  await page.getByText(/^customer · answered 401: unauthorized/).waitFor(PATIENCE);
  await check(page);
  await picture(page, 'stack-iadvize-refused');
  // The demo's own token again.
  await post(IADVIZE, 'reset', {});
  await close();
});
