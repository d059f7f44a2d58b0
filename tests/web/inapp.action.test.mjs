// The action screen: a form in steps.

import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { until, visitor } from './browser.mjs';
import { withScreen } from './inapp.mjs';
import { validate } from '../../web/inapp/src/schema.js';

const screen = (run, options) => withScreen(visitor, run, options);
const next = (page) => page.getByRole('button', { name: /^(Continue|Send)$/ });
const heading = (page, name) => page.getByRole('heading', { name }).waitFor();
const errorOf = async (field) => {
  const ids = (await field.getAttribute('aria-describedby')).split(' ');
  const texts = await Promise.all(
    ids.filter((id) => id.endsWith('-error')).map((id) => field.page().locator(`#${id}`).textContent()),
  );
  return [await field.getAttribute('aria-invalid'), texts.join('')];
};

async function opened(open) {
  const page = await open('/inapp/action?token=good&actionType=account');
  await heading(page, 'About you');
  return page;
}

async function first(page) {
  await page.getByLabel('Full name').fill('Inés Vidal');
  await page.getByLabel('Email').fill('ines@example.com');
  await page.getByLabel('Country').selectOption('Spain');
  await next(page).click();
  await heading(page, 'Your home');
}

async function second(page) {
  await page.getByLabel('a house').check();
  await page.getByLabel('Rooms').fill('4');
  await page.getByLabel('a phone').check();
  await page
    .getByLabel('Proof of address')
    .setInputFiles({ name: 'bill.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4') });
  await page.locator('.files li', { hasText: 'bill.pdf' }).getByRole('button', { name: 'Remove' }).waitFor();
  await next(page).click();
  await heading(page, 'Almost done');
}

async function third(page) {
  await page.getByRole('radio', { name: '4' }).check();
  await page.getByLabel('What I have written is true').check();
  await next(page).click();
}

test('the rules of a form say what the vectors say', async () => {
  const vectors = JSON.parse(readFileSync(new URL('../../web/inapp/schema-vectors.json', import.meta.url), 'utf8'));
  assert.ok(vectors.length >= 60);
  for (const { schema, value, errors } of vectors)
    assert.deepEqual(validate(schema, value), errors, JSON.stringify({ schema, value }));
});

test('three steps are saved one by one, and what comes of them is shown', screen(async ({ open, standIn }) => {
  const page = await opened(open);
  assert.equal(await page.getByText('Step 1 of 3').count(), 1);
  await first(page);
  await second(page);
  await third(page);
  await heading(page, 'Your request was completed');
  await page.getByText('We have your new address.').waitFor();
  await page.getByText('Reference: R-4711').waitFor();
  assert.deepEqual(
    standIn.made('/action/progress', 'PUT').map((call) => call.body),
    [
      { rev: 1, step: 'who', answers: { name: 'Inés Vidal', email: 'ines@example.com', country: 'ES' } },
      { rev: 2, step: 'home', answers: { kind: 'house', rooms: 4, services: ['phone'], proof: 'up-1' } },
      { rev: 3, step: 'last', answers: { stars: 4, terms: true } },
    ],
  );
  assert.deepEqual(
    standIn.made('/action/submit').map((call) => call.body),
    [{ rev: 4 }],
  );
  assert.ok(standIn.stored.includes('%PDF-1.4') && standIn.stored.includes('name="key"'));
  await page.getByRole('button', { name: 'Done' }).click();
  await page.waitForURL(`${standIn.origin}/callback/success`);
}));

test('where told, the app is gone back to after a while, with the result where wanted', screen(async ({ open, standIn }) => {
  Object.assign(standIn, { resultOnClose: true, result: { status: 'partial', redirect: true } });
  const page = await open('/inapp/action?token=good', { prepare: (each) => each.clock.install() });
  await heading(page, 'About you');
  await first(page);
  await second(page);
  await third(page);
  await heading(page, 'Your request was partly completed');
  await page.getByText('You go back to the app in a moment.').waitFor();
  await page.clock.runFor(6000);
  await page.waitForURL(`${standIn.origin}/callback/success?result=partial`);
}));

test('whoever wants to read on stays', screen(async ({ open, standIn }) => {
  standIn.result = { status: 'failure', message: 'The document cannot be read.', redirect: true };
  const page = await open('/inapp/action?token=good', { prepare: (each) => each.clock.install() });
  await heading(page, 'About you');
  await first(page);
  await second(page);
  await third(page);
  await heading(page, 'Your request could not be completed');
  await page.getByRole('button', { name: 'Stay here' }).click();
  await page.clock.runFor(60000);
  await heading(page, 'Your request could not be completed');
  assert.equal(await page.getByText('You go back to the app in a moment.').count(), 0);
}));

test('what is wrong is said at the field, tied to it, and the first one has the focus', screen(async ({ open, standIn }) => {
  const page = await opened(open);
  await page.getByLabel('Email').fill('nobody');
  await next(page).click();
  assert.deepEqual(await errorOf(page.getByLabel('Full name')), ['true', 'Please fill this in.']);
  assert.deepEqual(await errorOf(page.getByLabel('Email')), ['true', 'Please enter an email address.']);
  assert.deepEqual(await errorOf(page.getByLabel('Country')), ['true', 'Please fill this in.']);
  assert.deepEqual(await errorOf(page.getByLabel('Living there since')), ['false', '']);
  assert.ok(await page.getByLabel('Full name').evaluate((field) => field === document.activeElement));
  assert.equal(await page.getByRole('alert').first().textContent(), 'Please check the marked answers.');
  assert.equal(standIn.made('/action/progress', 'PUT').length, 0);
  await page.getByLabel('Full name').fill('I');
  await next(page).click();
  assert.deepEqual(await errorOf(page.getByLabel('Full name')), ['true', 'Please enter at least 2 characters.']);
}));

test('what the function finds wrong is said in the same way', screen(async ({ open, standIn }) => {
  standIn.fail('/action/progress', 'PUT', 400, { code: 'invalid', fields: { email: 'format' } });
  const page = await opened(open);
  await page.getByLabel('Full name').fill('Inés Vidal');
  await page.getByLabel('Email').fill('ines@example.com');
  await page.getByLabel('Country').selectOption('Spain');
  await next(page).click();
  await page.getByText('Please enter an email address.').waitFor();
  assert.ok(await page.getByLabel('Email').evaluate((field) => field === document.activeElement));
}));

test('a number in another form of writing is a number, and words are not', screen(async ({ open, standIn }) => {
  const page = await opened(open);
  await first(page);
  const rooms = page.getByLabel('Rooms');
  for (const [written, said] of [
    ['four', 'Please enter a whole number.'],
    ['2.5', 'Please enter a whole number.'],
    ['0', 'Please enter 1 or more.'],
    ['21', 'Please enter 20 or less.'],
  ]) {
    await rooms.fill(written);
    await next(page).click();
    assert.deepEqual(await errorOf(rooms), ['true', said], written);
  }
  await rooms.fill('٤');
  await next(page).click();
  assert.deepEqual(await errorOf(rooms), ['false', '']);
  assert.equal(standIn.made('/action/progress', 'PUT').length, 1);
}));

test('a reload goes on at the step that was reached, with the answers', screen(async ({ open }) => {
  const page = await opened(open);
  await first(page);
  await page.reload();
  await heading(page, 'Your home');
  await page.getByRole('button', { name: 'Back' }).first().click();
  await heading(page, 'About you');
  assert.equal(await page.getByLabel('Full name').inputValue(), 'Inés Vidal');
  assert.equal(await page.getByLabel('Country').inputValue(), '1');
}));

test('a form that was continued elsewhere is read again, and what was typed stays', screen(async ({ open, standIn }) => {
  const page = await opened(open);
  standIn.action.progress.rev = 9;
  await page.getByLabel('Full name').fill('Inés Vidal');
  await page.getByLabel('Email').fill('ines@example.com');
  await page.getByLabel('Country').selectOption('Spain');
  await next(page).click();
  await page.getByText('This form was continued elsewhere.').waitFor();
  assert.equal(await page.getByLabel('Full name').inputValue(), 'Inés Vidal');
  await next(page).click();
  await heading(page, 'Your home');
}));

test('a call that fails for a moment leaves everything as it is', screen(async ({ open, standIn }) => {
  const page = await opened(open);
  await first(page);
  await second(page);
  standIn.fail('/action/submit', 'POST', 503);
  await third(page);
  await page.getByText('Please try again in a moment.').waitFor();
  await next(page).click();
  await heading(page, 'Your request was completed');
  assert.equal(standIn.results, 1);
}));

test('what is written and not yet saved outlives a reload, and the session does not leave it behind', screen(
  async ({ open, standIn }) => {
    const page = await opened(open);
    await first(page);
    await page.getByLabel('a house').check();
    await page.getByLabel('Rooms').fill('4');
    await page.getByLabel('a phone').check();
    await page.reload();
    await heading(page, 'Your home');
    assert.deepEqual(
      [
        await page.getByLabel('a house').isChecked(),
        await page.getByLabel('Rooms').inputValue(),
        await page.getByLabel('a phone').isChecked(),
      ],
      [true, '4', true],
    );
    // One step back, and on with what was written there too.
    await page.locator('form').getByRole('button', { name: 'Back' }).click();
    await page.getByLabel('Full name').fill('Inés Vega');
    await page.reload();
    await heading(page, 'About you');
    assert.equal(await page.getByLabel('Full name').inputValue(), 'Inés Vega');
    await next(page).click();
    await heading(page, 'Your home');
    assert.equal(await page.getByLabel('Rooms').inputValue(), '4');
    assert.equal(standIn.action.progress.answers.who.name, 'Inés Vega');
    assert.ok(!('home' in standIn.action.progress.answers), 'nobody has sent it');
    const kept = () => page.evaluate(() => JSON.stringify({ ...sessionStorage }));
    assert.ok((await kept()).includes('house') && !(await kept()).includes('Vega'));
    standIn.expired = true;
    await page.reload();
    await page.getByText('This link has expired.').waitFor();
    assert.equal(await kept(), '{}');
  },
));

test('what is written gives way to what was saved meanwhile, and to another person', screen(async ({ open, standIn }) => {
  const page = await opened(open);
  await page.getByLabel('Full name').fill('Inés Vega');
  standIn.action.progress.rev = 5;
  standIn.action.progress.answers.who = { name: 'Inés Vidal' };
  await page.reload();
  await heading(page, 'About you');
  assert.equal(await page.getByLabel('Full name').inputValue(), 'Inés Vidal');
  await page.getByLabel('Full name').fill('Inés Vega');
  standIn.tokens.add('another');
  standIn.action = { ...standIn.action, progress: { rev: 5, step: 'who', answers: {} } };
  await page.goto(`${standIn.origin}/inapp/action?token=another`);
  await heading(page, 'About you');
  assert.equal(await page.getByLabel('Full name').inputValue(), '');
}));

test('how far a file is on its way is shown and said', screen(async ({ open, standIn }) => {
  const page = await opened(open);
  await first(page);
  let release = null;
  standIn.storageReads = new Promise((done) => {
    release = done;
  });
  const line = page.locator('.files li', { hasText: 'bill.pdf' });
  await page
    .getByLabel('Proof of address')
    .setInputFiles({ name: 'bill.pdf', mimeType: 'application/pdf', buffer: Buffer.alloc(9 * 1024 * 1024, '%PDF-1.4') });
  const bar = line.getByRole('progressbar', { name: 'Uploading bill.pdf' });
  const percent = () => bar.evaluate((node) => node.value);
  await until(async () => (await bar.count()) && (await percent()) > 0, 'the beginning');
  assert.ok((await percent()) < 100, 'the storage has not read it');
  assert.match(await line.locator('.quiet').textContent(), /^[1-9]\d?%$/);
  await next(page).click();
  await page.getByText('Please wait until the file has been uploaded.').waitFor();
  const said = page.locator('[role=status]', { hasText: 'Uploading bill.pdf' });
  assert.match(await said.textContent(), /^Uploading bill\.pdf(: (25|50|75)%)?$/);
  release();
  await line.getByRole('button', { name: 'Remove' }).waitFor();
  assert.equal(await bar.count(), 0);
  assert.equal(await said.count(), 0);
}));

test('a complaint is taken back as soon as somebody mends the field', screen(async ({ open }) => {
  const page = await opened(open);
  await next(page).click();
  assert.deepEqual(await errorOf(page.getByLabel('Country')), ['true', 'Please fill this in.']);
  await page.getByLabel('Country').selectOption('Spain');
  assert.deepEqual(await errorOf(page.getByLabel('Country')), ['false', '']);
  assert.deepEqual(await errorOf(page.getByLabel('Full name')), ['true', 'Please fill this in.']);
}));

test('a file of a kind that is not taken is refused by name', screen(async ({ open }) => {
  const page = await opened(open);
  await first(page);
  await page
    .getByLabel('Proof of address')
    .setInputFiles({ name: 'page.html', mimeType: 'text/html', buffer: Buffer.from('<p>') });
  await page.getByText('page.html cannot be sent.').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Remove' }).count(), 0);
}));

test('an action that is done shows what came of it and goes nowhere by itself', screen(async ({ open, standIn }) => {
  Object.assign(standIn.action, { state: 'done', result: { id: 'R-1', status: 'success', redirect: true } });
  const page = await open('/inapp/action?token=good');
  await heading(page, 'Your request was completed');
  assert.equal(await page.getByText('You go back to the app in a moment.').count(), 0);
}));

test('the whole form can be filled in with the keyboard alone', screen(async ({ open, standIn }) => {
  const page = await opened(open);
  await page.keyboard.press('Tab');
  await page.keyboard.type('Inés Vidal');
  await page.keyboard.press('Tab');
  await page.keyboard.type('ines@example.com');
  await page.keyboard.press('Tab');
  await page.keyboard.type('Spain');
  await page.getByLabel('Email').focus();
  await page.keyboard.press('Enter');
  await heading(page, 'Your home');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Your home');
  await until(() => standIn.made('/action/progress', 'PUT').length === 1, 'the step');
}));
