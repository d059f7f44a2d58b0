// What others write is shown as text: in every field of the API, of the library and of the agent's own, under a policy that lets no
// markup be made of a string. Anything that ran, asked or broke the policy fails the test.

import test from 'node:test';
import assert from 'node:assert/strict';
import { until, visitor } from './browser.mjs';
import { CORPUS, ODD, isHarmless } from './inapp.corpus.mjs';
import { KETTLE, withPanel } from './panel.mjs';

const panel = (run, options) => withPanel(visitor, run, options);

const OWN = { more: ['b', 'details', 'output', 'summary'], scripts: 2 };
const harmless = ({ inner }, standIn) => isHarmless(inner(), standIn.libraryOrigin, OWN);

test('each payload in a conversation is shown as text', panel(async ({ open, standIn }) => {
  standIn.person = {
    known: true,
    name: CORPUS[0],
    conversations: CORPUS.map((text, at) => ({ id: text, platform: text, open: at % 2 === 0, began: text, last: text })),
  };
  const lines = CORPUS.map((each) => ({ at: each, from: each, name: each, text: each }));
  standIn.lines = Object.fromEntries(CORPUS.map((text) => [text, lines]));
  const opened = await open();
  const { panel: body } = opened;
  await until(async () => (await body.locator('.entry b').count()) === CORPUS.length, 'the list');
  assert.deepEqual(await body.locator('.entry b').allTextContents(), CORPUS);
  await harmless(opened, standIn);
  await body.locator('.entry').nth(3).click();
  await until(async () => (await body.locator('.line .text').count()) === CORPUS.length, 'the conversation');
  assert.deepEqual(await body.locator('.line .text').allTextContents(), CORPUS);
  assert.deepEqual(await body.locator('.line b').allTextContents(), CORPUS);
  await harmless(opened, standIn);
  standIn.person.conversations.length = 1;
  await body.getByLabel('Search earlier conversations').fill('alert');
  await body.getByLabel('Search earlier conversations').press('Enter');
  const found = CORPUS.filter((text) => text.includes('alert'));
  await until(async () => (await body.locator('.entry .text').count()) === found.length, 'what was found');
  assert.deepEqual(await body.locator('.entry .text').allTextContents(), found);
  await harmless(opened, standIn);
}));

test('each payload in a product is shown as text and sent as it is', panel(async ({ open, standIn }) => {
  standIn.products = CORPUS.map((text, at) => ({
    ...KETTLE, id: at, title: text, brand: text, reference: text, summary: text, price: text, image: text, available: text,
  }));
  const opened = await open();
  const { panel: body, desk, page } = opened;
  await body.getByRole('tab', { name: 'Products' }).click();
  await page.evaluate((keys) => window.desk.tell('trigger', keys), CORPUS.map((_, at) => String(at)));
  await until(async () => (await body.locator('.product').count()) === CORPUS.length, 'the products');
  assert.deepEqual(await body.locator('.product h3').allTextContents(), CORPUS);
  assert.deepEqual(await body.locator('.product .text').allTextContents(), CORPUS);
  await harmless(opened, standIn);
  await body.getByRole('button', { name: 'Send as a card' }).first().click();
  await until(async () => (await desk.calls()).some(({ what }) => what === 'pushCardInConversationThread'), 'the card');
  const { value } = (await desk.calls()).find(({ what }) => what === 'pushCardInConversationThread');
  assert.deepEqual([value.title, 'image' in value, value.actions[0].url], [CORPUS[0], false, 'https://boutique.example/p/501']);
}));

test('addresses that are none of the web are no product and no card', panel(async ({ open, standIn }) => {
  const addresses = CORPUS.filter((text) => !text.match(/^https?:/i));
  standIn.products = addresses.map((text, at) => ({ ...KETTLE, id: at, url: text }));
  const { page, panel: body } = await open();
  await body.getByRole('tab', { name: 'Products' }).waitFor();
  await page.evaluate((keys) => window.desk.tell('trigger', keys), addresses.map((_, at) => String(at)));
  await body.getByText('No product was found.').waitFor();
}));

test('each payload as an intent and as a key stays text', panel(async ({ open, standIn }) => {
  const opened = await open();
  const { page, panel: body } = opened;
  await body.getByRole('tab', { name: 'Products' }).click();
  await page.evaluate((all) => {
    window.desk.tell('intent', all.map((text) => ({ key: text, payload: { title: text } })));
    window.desk.tell('trigger', all);
  }, CORPUS);
  await until(async () => (await body.locator('.chip').count()) === CORPUS.length, 'the chips');
  assert.deepEqual(await body.locator('.chip').allTextContents(), CORPUS);
  await harmless(opened, standIn);
}));

test('each payload in a reply its labels and its fields is shown and inserted as text', panel(async ({ open, standIn }) => {
  standIn.site.timeline = false;
  standIn.site.templates = CORPUS.map((text) => ({ title: text, text: `{x} ${text}`, fields: [['x', text]] }));
  const opened = await open();
  const { panel: body, desk } = opened;
  await until(async () => (await body.locator('details').count()) === CORPUS.length, 'the replies');
  assert.deepEqual(await body.locator('summary').allTextContents(), CORPUS);
  assert.deepEqual(await body.locator('.preview').allTextContents(), CORPUS.map((text) => `{x} ${text}`));
  await harmless(opened, standIn);
  const one = body.locator('details').nth(CORPUS.indexOf('$&'));
  await one.locator('summary').click();
  for (const text of ODD.filter((each) => each.trim() === each && !each.match(/[\u0000\ufeff\r\n]/)).slice(0, 40)) {
    const before = (await desk.calls()).length;
    await one.locator('input').fill(text);
    await one.getByRole('button').click();
    await until(async () => (await desk.calls()).length > before, JSON.stringify(text));
    assert.equal((await desk.calls()).at(-1).value, `${text} $&`);
  }
  await harmless(opened, standIn);
}));

test('each payload as an error of the Desk and as a payment stays text', panel(async ({ open, standIn }) => {
  standIn.context.channel = 'APPLE_BUSINESS_CHAT';
  standIn.site.applePay.label = ODD[0];
  const opened = await open();
  const { page, panel: body } = opened;
  await body.getByRole('tab', { name: 'Payment' }).click();
  await body.getByLabel('Description').fill(ODD[0]);
  await body.getByLabel('Amount (EUR)').fill('1');
  await page.evaluate((all) => {
    window.desk.fails.pushApplePayPaymentRequestInConversationThread = { message: all[0], details: all };
  }, CORPUS);
  await body.getByRole('button', { name: 'Ask to pay with Apple Pay' }).click();
  await until(async () => (await body.locator('.warning li').count()) === CORPUS.length, 'the details');
  assert.deepEqual(await body.locator('.warning li').allTextContents(), CORPUS);
  assert.equal(await body.locator('.warning p').textContent(), CORPUS[0]);
  await harmless(opened, standIn);
}));

test('each payload in the context and as a token leaves the page as it is', panel(async ({ open, standIn, context }) => {
  for (const text of ODD.slice(0, 25)) {
    standIn.context = { conversationId: text, projectId: text, channel: text, language: text };
    const opened = await open(`jwt=${standIn.mint()}`);
    await opened.panel.getByRole('tab', { name: 'Customer' }).waitFor();
    assert.equal(standIn.calls.at(-1).body.conversation, text);
    await harmless(opened, standIn);
    await opened.page.close();
  }
  const page = await context.newPage();
  for (const text of ODD) {
    await page.goto(`${standIn.origin}/iadvize/panel?jwt=${encodeURIComponent(text)}`);
    await page.getByText('This page cannot be opened').first().waitFor();
    assert.equal(await page.evaluate(() => document.scripts.length), 0);
  }
}));
