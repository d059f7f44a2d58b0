// The panel in a Desk of another origin: every call of the library, its API with a token of its own each time, and what becomes of
// it when something is missing.

import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { until, visitor } from './browser.mjs';
import { KETTLE, TEAPOT, withPanel } from './panel.mjs';

const panel = (run, options) => withPanel(visitor, run, options);
const did = async (desk, what) => (await desk.calls()).filter((call) => call.what === what).map((call) => call.value);

// The contract's schema of a card, as far as it goes.
const CARD = JSON.parse(readFileSync(new URL('../schemas/iadvize/panel-card.json', import.meta.url), 'utf8'));
function fitsCard(card) {
  const fits = (value, schema, at) => {
    if (schema.const !== undefined) assert.equal(value, schema.const, at);
    if (schema.type === 'string') assert.equal(typeof value, 'string', at);
    if (schema.pattern) assert.match(value, new RegExp(schema.pattern), at);
    if (schema.minLength) assert.ok(value.length >= schema.minLength, at);
    if (schema.type === 'array') {
      assert.ok(Array.isArray(value) && value.length >= schema.minItems, at);
      value.forEach((each, place) => fits(each, schema.items, `${at}[${place}]`));
    }
    if (schema.type === 'object') {
      assert.deepEqual(schema.required.filter((name) => !(name in value)), [], at);
      for (const [name, each] of Object.entries(value)) {
        assert.ok(name in schema.properties, `${at}.${name}`);
        fits(each, schema.properties[name], `${at}.${name}`);
      }
    }
  };
  fits(card, CARD, 'card');
}

test('the token is gone from the address before anything else is asked for', panel(async ({ open, standIn }) => {
  const { panel: body, inner } = await open();
  await body.getByRole('tab', { name: 'Customer' }).waitFor();
  assert.equal(await inner().evaluate(() => location.href), `${standIn.origin}/iadvize/panel`);
  assert.deepEqual(standIn.asked.map(([, , referer]) => referer), ['', '']);
  assert.ok(standIn.calls.every(({ referer, cookie }) => !referer && !cookie));
  const kept = await inner().evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]);
  assert.deepEqual(kept, [0, 0, '']);
}));

test('the token is gone from the address even while the library does not come', panel(async ({ context, standIn }) => {
  standIn.library = 'never';
  const page = await context.newPage();
  await page.goto(`${standIn.desk}/?jwt=launch`, { waitUntil: 'commit' });
  const inner = () => page.frames().find((frame) => frame.url().startsWith(standIn.origin));
  await until(() => inner() && inner().evaluate(() => location.href.endsWith('/iadvize/panel')), 'the address');
  assert.deepEqual(standIn.asked.map(([, , referer]) => referer).filter(Boolean), []);
  await inner().getByText('The Desk does not answer.').waitFor({ timeout: 15000 });
}));

test('nothing works with a bad token', panel(async ({ open, standIn }) => {
  for (const query of ['', 'jwt=', 'jwt=wrong']) {
    const { page, panel: body, inner } = await open(query);
    await body.getByRole('heading', { name: 'This page cannot be opened' }).waitFor();
    assert.equal(await inner().evaluate(() => document.scripts.length), 0);
    await page.close();
  }
  assert.deepEqual([standIn.calls, standIn.asked], [[], []]);
}));

test('the token opens the page once and its refusal in the API is told', panel(async ({ open, standIn }) => {
  standIn.mint = () => 'stolen';
  const { panel: body } = await open();
  await body.getByRole('alert').waitFor();
  assert.match(await body.getByRole('alert').textContent(), /Your session is over/);
  assert.equal(await body.getByRole('tab').count(), 0);
}));

test('a page that is no Desk does not get to embed it', panel(async ({ standIn, context }) => {
  const blocked = [];
  const page = await context.newPage();
  page.on('console', (message) => blocked.push(message.text()));
  await page.goto(`${standIn.stranger}/?jwt=launch`);
  await until(() => blocked.some((text) => text.includes('frame-ancestors') || text.includes('Framing')), 'the refusal');
  assert.equal(standIn.calls.length, 0);
}));

test('each call has a token of its own and says where it is asked', panel(async ({ open, standIn }) => {
  const { panel: body, desk } = await open();
  await body.getByRole('button', { name: /vcita/ }).click();
  await body.getByText('My kettle leaks.').waitFor();
  const { calls } = standIn;
  assert.deepEqual(calls.map(({ what, good }) => [what, good]), [['start', true], ['timeline', true], ['conversation', true]]);
  assert.equal(new Set(calls.map(({ token }) => token)).size, 3);
  assert.equal((await did(desk, 'getJWT')).length, 3);
  for (const { body: said } of calls) {
    assert.deepEqual(
      [said.project, said.conversation, said.language],
      ['4821', '7d0f4c5e-2b1a-4e7d-9f33-61a2b8c4d901', 'en'],
    );
  }
}));

test('what was said on every platform is shown and searched', panel(async ({ open }) => {
  const { panel: body } = await open();
  await body.getByRole('heading', { name: 'Léa Martin' }).waitFor();
  const names = await body.locator('.entry b').allTextContents();
  assert.deepEqual(names, ['iAdvize', 'vcita', 'cTrader']);
  assert.deepEqual(await body.locator('.entry .badge').allTextContents(), ['open', 'closed', 'closed']);
  await body.getByRole('button', { name: /vcita/ }).click();
  await body.getByText('We send you another one.').waitFor();
  assert.deepEqual(await body.locator('.line b').allTextContents(), ['Léa Martin', 'Jana', 'Note']);
  await body.getByRole('button', { name: 'Back' }).click();
  await body.getByRole('button', { name: /cTrader/ }).click();
  await body.getByText('Nothing was said.').waitFor();
  await body.getByRole('button', { name: 'Back' }).click();
  await body.getByLabel('Search earlier conversations').fill('kettle');
  await body.getByLabel('Search earlier conversations').press('Enter');
  await body.getByText('Found: 1').waitFor();
  await body.getByRole('button', { name: /My kettle leaks/ }).click();
  await body.getByText('We send you another one.').waitFor();
  await body.getByLabel('Search earlier conversations').fill('');
  await body.getByRole('button', { name: 'Search' }).click();
  await until(async () => (await body.locator('.entry').count()) === 3, 'the whole list again');
}));

test('somebody of whom nothing is known is somebody of whom nothing is known', panel(async ({ open, standIn }) => {
  standIn.person = { known: false, name: null, conversations: [] };
  const { panel: body } = await open();
  await body.getByText('Nobody has told yet who this visitor is.').waitFor();
  standIn.person = { known: true, name: null, conversations: [] };
  const { panel: other } = await open(`jwt=${standIn.mint()}`);
  await other.getByText('There are no conversations yet.').waitFor();
}));

test('a reply goes into the compose box with what the agent fills in', panel(async ({ open }) => {
  const { page, panel: body, desk } = await open();
  await body.getByRole('heading', { name: 'Léa Martin' }).waitFor();
  await body.getByRole('tab', { name: 'Replies' }).click();
  await body.getByText('Where is my order?').click();
  // The page is told after the reply has opened.
  await until(async () => (await body.getByLabel("Customer's name").inputValue()) === 'Léa Martin', 'the name');
  const insert = body.getByRole('button', { name: 'Put into the message' }).first();
  await insert.click();
  assert.deepEqual(await did(desk, 'insertTextInComposeBox'), [], 'the order number is missing');
  await body.getByLabel('Order number').fill('{name} $& 88-1204');
  assert.equal(await body.locator('.preview').first().textContent(), 'Hello Léa Martin, your order {name} $& 88-1204 is on its way.');
  await insert.click();
  await body.getByText('It stands in your message now.').waitFor();
  const text = 'Hello Léa Martin, your order {name} $& 88-1204 is on its way.';
  assert.deepEqual(await did(desk, 'insertTextInComposeBox'), [text]);
  assert.equal(await page.locator('#compose').inputValue(), text);
  await body.getByText('Opening hours').click();
  await body.getByRole('button', { name: 'Put into the message' }).nth(1).click();
  const today = new Date().toLocaleDateString('en', { dateStyle: 'long' });
  await until(async () => (await did(desk, 'insertTextInComposeBox')).length === 2, 'the second reply');
  assert.equal((await did(desk, 'insertTextInComposeBox'))[1], `We are here from 9 to 18. Today is ${today}.\nSee you soon!`);
}));

test('many replies are found by their words', panel(async ({ open, standIn }) => {
  standIn.site.timeline = false;
  standIn.site.templates = Array.from({ length: 30 }, (_, at) => ({ title: `Réponse ${at}`, text: 'x', fields: [] }));
  const { panel: body } = await open();
  await body.getByLabel('Find a reply').fill('REPONSE 17');
  await until(async () => (await body.locator('details:visible').count()) === 1, 'one reply');
  await body.getByLabel('Find a reply').fill('nothing of the kind');
  await body.getByText('No reply has these words.').waitFor();
}));

test('a product is sent as a card of the contract', panel(async ({ open }) => {
  const { panel: body, desk } = await open();
  await body.getByRole('tab', { name: 'Products' }).click();
  await body.getByLabel('Search products').fill('Nami');
  await body.getByLabel('Search products').press('Enter');
  await body.getByRole('button', { name: 'Send as a card' }).click();
  await body.getByText('The card has been sent.').waitFor();
  const [card] = await did(desk, 'pushCardInConversationThread');
  assert.deepEqual(card, {
    title: 'Bouilloire électrique Nami 1,7 l',
    text: '49,90 €\nInox, arrêt automatique',
    image: { url: 'https://boutique.example/img/501.jpg', description: 'Bouilloire électrique Nami 1,7 l' },
    actions: [{ type: 'LINK', title: 'See the product', url: 'https://boutique.example/p/501' }],
  });
  fitsCard(card);
}));

test('products are sent as a carousel of ten at most with titles of eighty characters', panel(async ({ open, standIn }) => {
  standIn.products = Array.from({ length: 12 }, (_, at) => ({ ...TEAPOT, id: at, title: `Pot ${at} ${'é'.repeat(90)}` }));
  const { panel: body, desk } = await open();
  await body.getByRole('tab', { name: 'Products' }).click();
  await body.getByLabel('Search products').fill('Pot');
  await body.getByRole('button', { name: 'Search' }).last().click();
  const boxes = body.getByLabel('for a carousel');
  await until(async () => (await boxes.count()) === 12, 'twelve products');
  for (let at = 0; at < 10; at += 1) await boxes.nth(at).check();
  assert.ok((await boxes.nth(10).isDisabled()) && (await boxes.nth(11).isDisabled()));
  await boxes.nth(0).uncheck();
  assert.ok(await boxes.nth(10).isEnabled());
  await boxes.nth(11).check();
  await body.getByRole('button', { name: 'Send as a carousel (10)' }).click();
  await body.getByText('The carousel has been sent.').waitFor();
  const [carousel] = await did(desk, 'pushCardBundleInConversationThread');
  assert.deepEqual(Object.keys(carousel), ['cards']);
  assert.equal(carousel.cards.length, 10);
  assert.deepEqual(carousel.cards.map((card) => card.title.split(' ')[1]), ['1', '2', '3', '4', '5', '6', '7', '8', '9', '11']);
  for (const card of carousel.cards) {
    fitsCard(card);
    assert.equal(Array.from(card.title).length, 80);
    assert.ok(!('image' in card));
  }
  assert.equal(await body.getByRole('button', { name: /Send as a carousel/ }).count(), 0);
  assert.equal(await body.locator('input[type=checkbox]:checked').count(), 0);
}));

test('what a message means is shown when it is clicked', panel(async ({ open, standIn }) => {
  const { page, panel: body } = await open();
  await body.getByRole('tab', { name: 'Customer' }).waitFor();
  await page.evaluate(() => window.desk.tell('intent', [
    { key: '501', payload: { title: 'Bouilloire Nami' } },
    { key: '501', payload: {} },
    { key: '502' },
    null,
    { key: 7 },
    { payload: {} },
  ]));
  await page.evaluate(() => window.desk.tell('trigger', ['501', 'nonsense', 7, null]));
  await body.getByRole('heading', { name: 'Mentioned in the message' }).waitFor();
  assert.equal(await body.getByRole('tab', { name: 'Products' }).getAttribute('aria-selected'), 'true');
  assert.deepEqual(await body.locator('.product h3').allTextContents(), [KETTLE.title]);
  assert.deepEqual(standIn.calls.at(-1).body.ids, [501]);
  assert.deepEqual(await body.locator('.chip').allTextContents(), ['501', '502']);
  await body.getByRole('button', { name: '502' }).click();
  await until(async () => (await body.locator('.product h3').textContent()) === TEAPOT.title, 'the other product');
  await page.evaluate(() => window.desk.tell('trigger', 'nonsense'));
  await body.getByText('No product was found.').waitFor();
}));

test('a payment is asked for on the Apple channel with exact sums', panel(async ({ open, standIn }) => {
  standIn.context.channel = 'APPLE_BUSINESS_CHAT';
  const { panel: body, desk } = await open();
  await body.getByRole('tab', { name: 'Payment' }).click();
  const send = body.getByRole('button', { name: 'Ask to pay with Apple Pay' });
  await send.click();
  assert.deepEqual(await did(desk, 'pushApplePayPaymentRequestInConversationThread'), [], 'nothing to pay for');
  await body.getByLabel('Description').fill('Kettle');
  for (const wrong of ['-1', '1.234', 'x', '1e3', '0']) {
    await body.getByLabel('Amount (EUR)').fill(wrong);
    await send.click();
  }
  assert.deepEqual(await did(desk, 'pushApplePayPaymentRequestInConversationThread'), [], 'amounts that are none');
  await body.getByLabel('Amount (EUR)').fill('0,1');
  await body.getByRole('button', { name: 'Add an item' }).click();
  await body.getByLabel('Description').nth(1).fill('Postage');
  await body.getByLabel('Amount (EUR)').nth(1).fill('0.20');
  await body.getByLabel('The amount is not final yet').nth(1).check();
  await body.getByText('Total: €0.30').waitFor();
  await body.getByRole('group', { name: 'Ask for billing' }).getByLabel('Name', { exact: true }).check();
  await body.getByRole('group', { name: 'Ask for shipping' }).getByLabel('Postal address').check();
  await body.getByRole('button', { name: 'Add a way of shipping' }).click();
  const shipping = body.getByRole('group', { name: 'Shipping 1' });
  await shipping.getByLabel('Description').fill('Express');
  await shipping.getByLabel('Details').fill('Tomorrow');
  await shipping.getByLabel('Amount (EUR)').fill('5');
  await send.click();
  await body.getByText('The request has been sent.').waitFor();
  const [request] = await did(desk, 'pushApplePayPaymentRequestInConversationThread');
  assert.match(request.requestIdentifier, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  delete request.requestIdentifier;
  assert.deepEqual(request, {
    payment: {
      currencyCode: 'EUR',
      lineItems: [
        { amount: '0.10', label: 'Kettle', type: 'final' },
        { amount: '0.20', label: 'Postage', type: 'pending' },
      ],
      total: { amount: '0.30', label: 'Boutique', type: 'pending' },
      requiredBillingContactFields: ['name'],
      requiredShippingContactFields: ['postalAddress'],
      shippingMethods: [{ amount: '5.00', detail: 'Tomorrow', identifier: 'shipping-1', label: 'Express' }],
    },
    receivedMessage: { type: 'CARD', data: { title: 'Boutique', text: '€0.30', actions: [] } },
  });
}));

test('why a payment was refused is shown with its details', panel(async ({ open, standIn }) => {
  standIn.context.channel = 'APPLE_BUSINESS_CHAT';
  const { page, panel: body } = await open();
  await page.evaluate(() => {
    window.desk.fails.pushApplePayPaymentRequestInConversationThread = {
      message: 'The device cannot pay',
      details: ['merchant is unknown', 7, 'try again later'],
    };
  });
  await body.getByRole('tab', { name: 'Payment' }).click();
  await body.getByLabel('Description').fill('Kettle');
  await body.getByLabel('Amount (EUR)').fill('49,90');
  await body.getByRole('button', { name: 'Ask to pay with Apple Pay' }).click();
  await body.getByText('The device cannot pay').waitFor();
  assert.deepEqual(await body.locator('.warning li').allTextContents(), ['merchant is unknown', 'try again later']);
  assert.equal(await body.getByLabel('Description').inputValue(), 'Kettle', 'what was written stays');
}));

test('payment is for the Apple channel and for sites that have it', panel(async ({ open, standIn }) => {
  const { panel: body } = await open();
  await body.getByRole('tab', { name: 'Customer' }).waitFor();
  assert.deepEqual(await body.getByRole('tab').allTextContents(), ['Customer', 'Replies', 'Products']);
  standIn.context.channel = 'APPLE_BUSINESS_CHAT';
  standIn.site = { timeline: false, products: false, templates: [], applePay: null };
  const { panel: other } = await open(`jwt=${standIn.mint()}`);
  await other.getByText('Nothing has been set up for this site yet.').waitFor();
}));

test('tabs are moved between with the arrows and nothing else of them is in the way', panel(async ({ open }) => {
  const { panel: body } = await open();
  await body.getByRole('tab', { name: 'Customer' }).focus();
  const selected = () => body.locator('[role=tab][aria-selected=true]').textContent();
  const moves = [
    ['ArrowRight', 'Replies'],
    ['End', 'Products'],
    ['ArrowRight', 'Customer'],
    ['ArrowLeft', 'Products'],
    ['Home', 'Customer'],
  ];
  for (const [key, name] of moves) {
    await body.press(key);
    assert.equal(await selected(), name);
    assert.equal(await body.locator('[role=tab]:focus').textContent(), name);
    assert.equal(await body.locator('[role=tab][tabindex="0"]').count(), 1);
    assert.equal(await body.locator('[role=tabpanel]:visible').count(), 1);
  }
}));

test('the page speaks the language of the conversation', panel(async ({ open, standIn }) => {
  const languages = [
    ['fr', 'fr', 'Réponses'],
    ['de-DE', 'de', 'Antworten'],
    ['es_ES', 'es', 'Respuestas'],
    ['ja', 'en', 'Replies'],
    ['', 'en', 'Replies'],
  ];
  for (const [language, lang, tab] of languages) {
    standIn.context.language = language;
    const { page, panel: body, inner } = await open(`jwt=${standIn.mint()}`);
    await body.getByRole('tab', { name: tab }).waitFor();
    assert.equal(await inner().evaluate(() => document.documentElement.lang), lang);
    await page.close();
  }
}));

test('what cannot be had now is asked for again when the agent wants it', panel(async ({ open, standIn }) => {
  standIn.faults = { start: { status: 502, once: true }, timeline: { status: 503, once: true }, products: { status: 404, once: true } };
  const { panel: body } = await open();
  await body.getByText('That did not work. Please try again in a moment.').waitFor();
  await body.getByRole('button', { name: 'Try again' }).click();
  await body.getByRole('tab', { name: 'Customer' }).waitFor();
  await body.getByRole('button', { name: 'Try again' }).click();
  await body.getByRole('heading', { name: 'Léa Martin' }).waitFor();
  await body.getByRole('tab', { name: 'Products' }).click();
  await body.getByLabel('Search products').fill('Nami');
  await body.getByLabel('Search products').press('Enter');
  await body.getByText('This is no longer there.').waitFor();
}));

test('without the library or an answer of the Desk the page says so', panel(async ({ open, standIn }) => {
  standIn.library = false;
  const { panel: body } = await open();
  await body.getByText('The Desk does not answer. Close this page and open it again.').waitFor();
  assert.equal(standIn.calls.length, 0);
  standIn.library = true;
  const { panel: other } = await open(`jwt=${standIn.mint()}`, {
    prepare: (page) => page.addInitScript(() => {
      addEventListener('DOMContentLoaded', () => {
        if (window.desk) window.desk.silent = true;
      });
    }),
  });
  await other.getByText('The Desk does not answer.').waitFor({ timeout: 15000 });
}));

test('pictures are shown from where the operator says and from nowhere else', panel(async ({ open, standIn }) => {
  standIn.products = [
    { ...KETTLE, title: 'Nami 1', image: `${standIn.origin}/iadvize/panel/picture` },
    { ...KETTLE, id: 2, title: 'Nami 2', image: 'https://elsewhere.example/x.png' },
    { ...KETTLE, id: 3, title: 'Nami 3', image: 'javascript:alert(1)' },
    { ...KETTLE, id: 4, title: 'Nami 4', url: 'javascript:alert(1)' },
  ];
  const { panel: body } = await open();
  await body.getByRole('tab', { name: 'Products' }).click();
  await body.getByLabel('Search products').fill('Nami');
  await body.getByLabel('Search products').press('Enter');
  await until(async () => (await body.locator('.product').count()) === 3, 'those with an address of the web');
  assert.equal(await body.locator('.product img').count(), 1);
}));
