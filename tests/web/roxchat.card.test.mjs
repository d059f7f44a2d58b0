// Beside the workspace: whose chat is open, what was said on every platform, and notifications that come and go.

import test from 'node:test';
import assert from 'node:assert/strict';
import { until, visitor } from './browser.mjs';
import { ANONYMOUS, CARD, CHAT, MARTA, checked, reached, withHost } from './roxchat.mjs';

const host = (run, options) => withHost(visitor, run, options);
const asked = (standIn) => standIn.calls.filter(({ what }) => what === 'GET visitors').map(({ rest, query }) => rest[0] + query);
const name = (page) => page.locator('#card .name').textContent();
const named = (page, text) => page.locator('#card .name', { hasText: text }).waitFor();

test('a visitor who is selected has their card and their timeline beside the workspace', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  await page.getByText('Open a chat in the workspace to see who it is with.').waitFor();
  await workspace.emit('visitorSelected');
  await named(page, 'Marta Q.');
  const details = await page.locator('#card dl').evaluate((list) => Array.from(list.children, (node) => node.textContent));
  assert.deepEqual(details, [
    'Visitor id', MARTA, 'Customer id', 'AG-20417', 'Siebel id', '7-3KXPL902', 'Channel', 'telegram Marta Q.',
  ]);
  assert.deepEqual(await page.locator('#card ol .first').allTextContents(), ['Rox.Chatopen', 'vcitaclosed', 'FrontStagemessages']);
  assert.deepEqual(await page.locator('#card ul .first').allTextContents(), ['Chat 55102open', 'Chat 55001closed by agent']);
  await page.getByText('Reopened: 1').waitFor();
  await reached(standIn, 1);
}));

test('a visitor is looked up by each id in turn', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  standIn.cards = { [MARTA]: { ...CARD, visitor: { ...CARD.visitor, providedVisitorId: null, siebelId: null } } };
  await workspace.emit('visitorSelected');
  await named(page, 'Marta Q.');
  assert.deepEqual(asked(standIn).slice(0, 3), ['7-3KXPL902?by=siebel', 'AG-20417?by=provided', MARTA]);
  standIn.cards = {};
  await workspace.emit('visitorSelected', { roxchatVisitorId: 'a/b?c', providedVisitorId: 7 });
  await page.getByText('Nothing is known about this visitor yet.').waitFor();
  assert.deepEqual(asked(standIn).slice(-2), ['7?by=provided', 'a/b?c']);
}));

test('of several selections the last one stands', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  const card = (id, userName) => ({ ...CARD, visitor: { ...CARD.visitor, id, channel: { userName } } });
  for (let at = 0; at < 10; at += 1) standIn.cards[`v${at}`] = card(`v${at}`, `Visitor ${at}`);
  await workspace.frame().evaluate(() => {
    for (let at = 0; at < 10; at += 1) window.workspace.emit('visitorSelected', { roxchatVisitorId: `v${at}` });
  });
  await named(page, 'Visitor 9');
  await reached(standIn, 10);
  assert.equal(await name(page), 'Visitor 9');
  assert.deepEqual([...new Set(asked(standIn))], ['v9']);
}));

test('the card follows what reaches the function about this person', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  standIn.cards = {};
  await workspace.emit('visitorSelected');
  await page.getByText('Nothing is known about this visitor yet.').waitFor();
  await reached(standIn, 1);
  standIn.cards = { [MARTA]: CARD };
  await workspace.say('now I am known');
  await named(page, 'Marta Q.');
  const before = asked(standIn).length;
  await workspace.say('somebody else', { roxchatVisitorId: 'other' });
  await reached(standIn, 3);
  standIn.cards = { [MARTA]: { ...CARD, visitor: { ...CARD.visitor, aliases: [ANONYMOUS] } } };
  await workspace.say('under the same id');
  await page.getByText('Merged from').waitFor();
  assert.equal(asked(standIn).length, before + 1);
  // Under the old id too.
  await workspace.say('late', { roxchatVisitorId: ANONYMOUS });
  await until(() => asked(standIn).length === before + 2, 'looked up again');
}));

test('a chat is read and left with the focus where it was', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  standIn.chats[55102] = { ...CHAT, more: 'older' };
  const first = { ...CHAT.messages[0], eventId: 'e0', text: 'Hello?', at: CHAT.messages[0].at - 60000 };
  const earlier = { ...first, truncated: true, originalBytes: 3145728 };
  standIn.chats['55102?older'] = { ...CHAT, messages: [earlier], more: null };
  await workspace.emit('visitorSelected');
  await named(page, 'Marta Q.');
  await page.getByRole('button', { name: 'Chat 55102' }).click();
  await page.locator('.line').first().waitFor();
  // Two pages told of one message: it stands once.
  const lines = () => page.locator('.lines .text:not(b .text)').allTextContents();
  assert.deepEqual(await page.locator('.lines b').allTextContents(), ['Visitor', 'Agent', 'Internal, not seen by the visitor', 'hologram']);
  assert.deepEqual(await lines(), ['Do you ship to Porto?', 'We do.\nIn two days.', 'asked twice', 'wave']);
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Chat 55102 open');
  await page.getByRole('button', { name: 'Earlier messages' }).click();
  await page.getByText('The text is longer (3 MB) and was cut.').waitFor();
  assert.deepEqual((await lines())[0], 'Hello?');
  assert.equal(await page.getByRole('button', { name: 'Earlier messages' }).count(), 0);
  await page.getByRole('button', { name: 'Back' }).click();
  assert.match(await page.evaluate(() => document.activeElement.textContent), /^Chat 55102/);
}));

test('a card that cannot be had can be asked for again', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  standIn.faults['GET visitors'] = { status: 503, times: 20 };
  await workspace.emit('visitorSelected');
  await page.getByText('That did not work. Please try again in a moment.').waitFor();
  await reached(standIn, 1);
  for (const body of [{}, [], 'x', { visitor: null }]) {
    standIn.faults['GET visitors'] = { status: 200, body };
    await page.getByRole('button', { name: 'Try again' }).click();
    await until(() => !standIn.faults['GET visitors'], 'asked');
    await page.getByText('That did not work. Please try again in a moment.').waitFor();
  }
  await page.getByRole('button', { name: 'Try again' }).click();
  await named(page, 'Marta Q.');
}));

test('notifications stand until they are removed and not when they come late', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  const texts = () => page.locator('aside .part[class] ul[aria-live] p.text').allTextContents();
  await page.getByText('There are none.').waitFor();
  await workspace.emit('notificationAdded', { notification: { id: 'n1', kind: 'visitor', text: 'The visitor left', sessionId: 's' } });
  await workspace.emit('notificationAdded', { id: 'n2', kind: 'visitor', text: 'flat as in the tables' });
  await workspace.emit('notificationAdded', { notification: { id: 'n1', kind: 'visitor', text: 'The visitor left again' } });
  await reached(standIn, 3);
  assert.deepEqual(await texts(), ['flat as in the tables', 'The visitor left again']);
  await workspace.emit('notificationRemoved', { notification: { id: 'n1' } });
  await workspace.emit('notificationRemoved', { id: 'n3' });
  await workspace.emit('notificationAdded', { notification: { id: 'n3', text: 'late' } });
  await workspace.emit('notificationAdded', { notification: { id: 'n1', text: 'late too' } });
  await reached(standIn, 7);
  assert.deepEqual(await texts(), ['flat as in the tables']);
  assert.equal(await page.getByText('There are none.').isHidden(), true);
}));

// The browser's own, written down; `permission` is what the agent says when asked.
const raised = (permission) => `
  window.raised = [];
  window.asked = 0;
  window.Notification = class {
    static permission = 'default';
    static async requestPermission() { window.asked += 1; return (Notification.permission = '${permission}'); }
    constructor(title, { body, tag }) { this.tag = tag; window.raised.push(['raised', title, body, tag]); }
    close() { window.raised.push(['closed', this.tag]); }
  };`;

test('notifications are on the desktop only when the agent has allowed it', host(async ({ open, standIn, context }) => {
  await context.addInitScript(raised('granted'));
  const { page, workspace } = await open();
  await workspace.emit('notificationAdded', { notification: { id: 'n1', text: 'before' } });
  await reached(standIn, 1);
  assert.deepEqual(await page.evaluate(() => [window.raised, window.asked]), [[], 0]);
  const press = page.getByRole('button', { name: 'Show them on the desktop' });
  assert.equal(await press.getAttribute('aria-pressed'), 'false');
  await press.click();
  await until(async () => (await press.getAttribute('aria-pressed')) === 'true', 'allowed');
  await workspace.emit('notificationAdded', { notification: { id: 'n2', text: '<b>left</b>' } });
  await workspace.emit('notificationRemoved', { notification: { id: 'n2' } });
  await reached(standIn, 3);
  assert.deepEqual(await page.evaluate(() => window.raised), [['raised', 'Rox.Chat workspace', '<b>left</b>', 'n2'], ['closed', 'n2']]);
  await press.click();
  await workspace.emit('notificationAdded', { notification: { id: 'n4', text: 'no longer' } });
  await reached(standIn, 4);
  assert.equal((await page.evaluate(() => window.raised)).length, 2);
}));

test('a browser that refuses them is said to', host(async ({ open, context }) => {
  await context.addInitScript(raised('denied'));
  const { page } = await open();
  await page.getByRole('button', { name: 'Show them on the desktop' }).click();
  await page.getByText('This browser does not let the page show them on the desktop.').waitFor();
}));

test('the check says which origin to register and what has come', host(async ({ open, standIn, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const { page, workspace } = await open();
  await page.getByText('Check of the set-up').click();
  assert.equal(await page.locator('details code').first().textContent(), standIn.origin);
  await until(async () => (await checked(page, 'First valid event')) === 'not yet', 'drawn');
  await page.getByRole('button', { name: 'Copy' }).click();
  await page.getByText('It has been copied.').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), standIn.origin);
  await workspace.say('x');
  await until(async () => (await checked(page, 'First valid event')).endsWith('s ago'), 'the event is seen');
  assert.match(await checked(page, 'Workspace loaded'), /^\d+ s ago$/);
  assert.match(await checked(page, 'Session good for'), /^(?:900|8\d\d) s$/);
  assert.equal(await checked(page, 'Kept over a reload'), 'yes');
}));

test('a page opened from another origin than the one to register says so', host(async ({ open, standIn }) => {
  standIn.more = { origin: 'https://desk.example' };
  const { page } = await open();
  await page.getByText('Check of the set-up').click();
  await page.getByText(`This page was opened from another origin: ${standIn.origin}`).waitFor();
}));

test('a workspace address that is not safe is not opened', host(async ({ open, standIn }) => {
  for (const workspaceUrl of ['http://chat.example/', 'https://a:b@chat.example/', 'javascript:alert(1)', 'https://chat.example/#x', 'x']) {
    standIn.more = { workspaceUrl };
    const { page } = await open({ ready: false });
    await page.getByText('The address of the workspace is not set up correctly.').waitFor();
    assert.equal(await page.locator('iframe').getAttribute('src'), null);
    await page.close();
  }
}));

test('other names of the source and of the visitor id are a setting', host(async ({ open, standIn }) => {
  standIn.more = { source: 'webim', visitorIdName: 'webimVisitorId' };
  standIn.cards.w1 = { ...CARD, visitor: { ...CARD.visitor, id: 'w1' } };
  const { page, workspace } = await open();
  await workspace.post({ source: 'roxchat', event: 'visitorSelected', params: {} });
  await workspace.post({ source: 'webim', event: 'visitorSelected', params: { webimVisitorId: 'w1', sessionId: 's' } });
  await named(page, 'Marta Q.');
  await page.locator('#card .start button').click();
  await until(async () => (await workspace.received()).length === 1, 'the command');
  const [{ data }] = await workspace.received();
  assert.deepEqual(data.params, { webimVisitorId: 'w1', sessionId: '77f0aa12bc34de56f7890123456789ab' });
  assert.equal(standIn.events.length, 1);
}));
