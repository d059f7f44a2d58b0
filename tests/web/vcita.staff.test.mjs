// The page of vcita's staff beside the simulator, in Chromium. The app that vcita calls is played here.

import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { picture, until, visitor } from './browser.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const { SHOP: VCITA, APP_PORT } = process.env;
const CHANNEL = '0d6a6c58-2d1e-4f53-9a5b-6f2a6f5b1c77';
const BUSINESS = 'q7x2m9d4k1v8b3zt';
const HOSTILE = '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">';

// What vcita told the app, and what the app answers.
const told = [];
let answerWith = 204;
const app = createServer(async (request, answer) => {
  let text = '';
  for await (const piece of request) text += piece;
  told.push({ method: request.method, path: request.url, body: text && JSON.parse(text) });
  answer.writeHead(answerWith).end();
});

before(() => new Promise((done) => app.listen(Number(APP_PORT), '127.0.0.1', done)));
after(() => app.close());

async function call(method, path, body) {
  const headers = { Authorization: 'Bearer good', 'Content-Type': 'application/json' };
  const answer = await fetch(VCITA + path, { method, headers, body: body && JSON.stringify(body) });
  assert.ok(answer.ok, await answer.clone().text());
  return answer.json();
}

const state = () => call('GET', '/_sim/state');

// A client with an active session, as the app makes them; the session's uid.
async function client(name, externalUid) {
  const { data: { client: { id } } } = await call('POST', '/platform/v1/clients', { first_name: name, phone: '+420700000000' });
  const body = { business_uid: BUSINESS, channel_uid: CHANNEL, contact_uid: id, external_uid: externalUid };
  const { data: { session: { uid } } } = await call('POST', '/business/communication/sessions', body);
  await until(async () => (await state()).sessions.find((one) => one.uid === uid).status === 'active', 'the session is active');
  return uid;
}

const write = (externalUid, messageUid, message) => call('POST', '/business/communication/messages', {
  channel_uid: CHANNEL, external_uid: externalUid, message_uid: messageUid, message,
});

const texts = (page) => page.locator('#messages .bubble').allTextContents();
const statuses = (page) => page.locator('#messages .status').allTextContents();
const open = (staff, path = '/_sim/staff') => staff.open(path, { settle: false });

// The page in front of a staff member, with the simulator as new.
function withStaff(run, options) {
  return async () => {
    await call('POST', '/_sim/reset', {});
    told.length = 0;
    answerWith = 204;
    const staff = await visitor(options);
    await run(staff);
    await staff.close();
  };
}

async function check(page) {
  // Not as a script element: the page's policy forbids it, as it should.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const serious = violations.filter((one) => ['serious', 'critical'].includes(one.impact));
  assert.deepEqual(serious.map((one) => [one.id, one.nodes.map((node) => [node.target, node.failureSummary])]), []);
}

test('staff see a client who writes and what becomes of the answer', withStaff(async (staff) => {
  const page = await open(staff);
  await page.locator('#no-sessions', { hasText: 'Nobody has written yet.' }).waitFor();
  const uid = await client('Eva', 'wa:1');
  await write('wa:1', 'm-1', 'Is 3 pm free?');
  await page.locator('#sessions .badge', { hasText: '1 new' }).waitFor();
  await page.locator('#sessions button').click();
  assert.deepEqual(await texts(page), ['Is 3 pm free?']);
  assert.deepEqual(await statuses(page), ['pending']);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'text');

  told.length = 0;
  await page.locator('#text').pressSequentially('Yes');
  await until(() => told.some((one) => one.body.typing === true), 'typing is told');
  assert.deepEqual(told[0], { method: 'POST', path: `/vcita/${uid}/typing`, body: { typing: true } });
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('at 3');
  await page.keyboard.press('Enter');
  await until(async () => (await texts(page)).length === 2, 'the answer on the page');
  const { path, body } = told.find((one) => one.body.message);
  assert.deepEqual([path, body.message, body.external_uid, body.status], ['/vcita/messages', 'Yes\nat 3', 'wa:1', 'pending']);
  assert.deepEqual(told.filter((one) => 'typing' in one.body).map((one) => one.body.typing), [true, false]);
  assert.equal(await page.locator('#text').inputValue(), '');
  assert.deepEqual(await statuses(page), ['pending', 'pending']);
  await call('PUT', `/business/communication/messages/${body.message_uid}`, { status: 'received', channel_uid: CHANNEL });
  await until(async () => (await statuses(page)).join() === 'pending,received', 'the status on the page');
}));

test('staff see the client typing, mark what they read and switch the session', withStaff(async (staff) => {
  const uid = await client('Eva', 'wa:1');
  await write('wa:1', 'm-1', 'One');
  await write('wa:1', 'm-2', 'Two');
  const page = await open(staff, `/_sim/staff#${uid}`);
  await until(async () => (await texts(page)).length === 2, 'both messages');

  await call('POST', '/business/communication/v1/sessions/typing', { session_uid: uid, typing: true });
  await page.locator('#typing', { hasText: 'Eva is writing …' }).waitFor();
  await call('POST', '/business/communication/v1/sessions/typing', { session_uid: uid, typing: false });
  await until(async () => await page.locator('#typing').textContent() === '', 'the client stops');

  told.length = 0;
  await page.locator('#read').click();
  await until(async () => (await statuses(page)).join() === 'read,read', 'both read');
  const read = { method: 'PUT', body: { status: 'read', channel_uid: CHANNEL } };
  const byPath = (one, other) => (one.path < other.path ? -1 : 1);
  assert.deepEqual(told.toSorted(byPath), [{ ...read, path: '/vcita/messages/m-1' }, { ...read, path: '/vcita/messages/m-2' }]);
  assert.equal(await page.locator('#read').isDisabled(), true);

  told.length = 0;
  await page.getByRole('button', { name: 'Make inactive' }).click();
  await page.locator('#session-status', { hasText: 'inactive' }).waitFor();
  await page.getByRole('button', { name: 'Make active' }).click();
  await page.getByRole('button', { name: 'Make inactive' }).waitFor();
  assert.deepEqual(told.map((one) => [one.method, one.path, one.body.status]), [
    ['PUT', `/vcita/sessions/${uid}`, 'inactive'], ['PUT', `/vcita/sessions/${uid}`, 'active'],
  ]);
}));

test('hostile text is rendered as text', withStaff(async (staff) => {
  const uid = await client(`Eva ${HOSTILE}`, 'wa:<b>1</b>');
  await write('wa:<b>1</b>', 'm-1', `Hello ${HOSTILE}`);
  const page = await open(staff, `/_sim/staff#${uid}`);
  await until(async () => (await texts(page)).length === 1, 'the message');
  await page.locator('#text').fill(`Good day ${HOSTILE}`);
  await page.locator('#text').press('Enter');
  await until(async () => (await texts(page)).length === 2, 'the answer');
  assert.deepEqual(await texts(page), [`Hello ${HOSTILE}`, `Good day ${HOSTILE}`]);
  assert.equal(await page.locator('#session-name').textContent(), `Eva ${HOSTILE}`);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.locator('img, b, script:not([src])').count(), 0);
}));

test('text from right to left stands right', withStaff(async (staff) => {
  const uid = await client('מיכל', 'wa:1');
  await write('wa:1', 'm-1', 'שלום, האם אתם פתוחים?');
  await write('wa:1', 'm-2', 'Hello');
  const page = await open(staff, `/_sim/staff#${uid}`);
  await until(async () => (await texts(page)).length === 2, 'both messages');
  const direction = (locator) => locator.evaluate((element) => getComputedStyle(element).direction);
  assert.equal(await direction(page.locator('#messages .bubble').nth(0)), 'rtl');
  assert.equal(await direction(page.locator('#messages .bubble').nth(1)), 'ltr');
  assert.equal(await direction(page.locator('#session-name')), 'rtl');
}));

test('what the app does not take is said', withStaff(async (staff) => {
  const uid = await client('Eva', 'wa:1');
  const page = await open(staff, `/_sim/staff#${uid}`);
  answerWith = 404;
  await page.locator('#text').fill('Is this on?');
  await page.locator('#text').press('Enter');
  await page.locator('.notice', { hasText: 'The message was not taken: Deskbridge answered 404' }).waitFor();
}));

test('another conversation is chosen by the keyboard and keeps its draft', withStaff(async (staff) => {
  const first = await client('Eva', 'wa:1');
  const second = await client('Adam', 'wa:2');
  const page = await open(staff, `/_sim/staff#${second}`);
  await page.locator('#session-name', { hasText: 'Adam' }).waitFor();
  await page.locator('#text').fill('a draft');
  await page.keyboard.press('Alt+ArrowDown');
  assert.equal(await page.locator('#session-name').textContent(), 'Eva');
  assert.equal(await page.evaluate(() => location.hash), `#${first}`);
  assert.equal(await page.locator('#text').inputValue(), '');
  await page.keyboard.press('Alt+ArrowUp');
  assert.equal(await page.locator('#text').inputValue(), 'a draft');
}));

test('page is accessible in light and in dark', withStaff(async (staff) => {
  const uid = await client('Eva', 'wa:1');
  await write('wa:1', 'm-1', 'Is 3 pm free?');
  const page = await open(staff, `/_sim/staff#${uid}`);
  await until(async () => (await texts(page)).length === 1, 'the message');
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await check(page);
    await picture(page, `staff-${colorScheme}`);
  }
}, { reducedMotion: 'reduce' }));

test('page of somebody else can neither call the simulator nor frame its page', withStaff(async (staff) => {
  const page = await open(staff);
  const headers = (await page.request.get(`${VCITA}/_sim/staff`)).headers();
  assert.match(headers['content-security-policy'], /default-src 'none'; script-src 'self'; .*frame-ancestors 'none'/);
  const foreign = await page.request.post(`${VCITA}/_sim/reset`, { headers: { Origin: 'https://evil.example' }, data: {} });
  assert.equal(foreign.status(), 403);
}));
