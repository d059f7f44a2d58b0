// From the workspace through the page to the function: what is taken, what is not, and what it is when it arrives.

import test from 'node:test';
import assert from 'node:assert/strict';
import { until, visitor } from './browser.mjs';
import { ANONYMOUS, MARTA, SESSION, checked, reached, withHost } from './roxchat.mjs';

const host = (run, options) => withHost(visitor, run, options);

test('a message of a visitor reaches the function as it was posted', host(async ({ open, standIn }) => {
  const { workspace } = await open();
  await workspace.say('Do you ship to Porto?');
  await reached(standIn, 1);
  const [event] = standIn.events;
  assert.deepEqual(event.message, {
    source: 'roxchat',
    event: 'newMessageAdded',
    params: {
      roxchatVisitorId: MARTA,
      providedVisitorId: 'AG-20417',
      chatId: 55102,
      sessionId: '77f0aa12bc34de56f7890123456789ab',
      siebelId: '7-3KXPL902',
      kind: 'visitor',
      messageText: 'Do you ship to Porto?',
    },
  });
  assert.equal(event.seq, 1);
  assert.equal(event.origin, standIn.workspace);
  assert.match(event.eventId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.match(event.receivedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal('truncated' in event, false);
}));

// Of the frame's own events, the six of section 3 with all their members.
const SIX = {
  newMessageAdded: {
    roxchatVisitorId: MARTA, providedVisitorId: null, chatId: 55102, sessionId: SESSION, siebelId: null, kind: 'visitor', messageText: 'ok',
  },
  chatClosedByOperator: {
    roxchatVisitorId: MARTA, providedVisitorId: null, chatId: 55102, siebelId: null,
    channelId: null, channelType: null, channelUserId: null, channelUserName: null,
  },
  visitorAuthorized: {
    old: { roxchatVisitorId: ANONYMOUS, providedVisitorId: null, siebelId: null },
    new: { roxchatVisitorId: MARTA, providedVisitorId: 'AG-20417', siebelId: null },
  },
  visitorSelected: {
    roxchatVisitorId: MARTA, providedVisitorId: 'AG-20417', chatId: null, sessionId: SESSION, taskId: 'SR-88120', SiebelId: '7-3KXPL902',
  },
  notificationAdded: { notification: { id: 'n1', kind: 'visitor', text: 'The visitor left', sessionId: SESSION } },
  notificationRemoved: { notification: { id: 'n1' } },
};

test('each of the six events reaches the function unchanged and in order', host(async ({ open, standIn }) => {
  const { workspace } = await open();
  for (const [name, params] of Object.entries(SIX)) await workspace.emit(name, params);
  await reached(standIn, 6);
  assert.deepEqual(standIn.events.map(({ message }) => [message.event, message.params]), Object.entries(SIX));
  assert.deepEqual(standIn.events.map(({ seq }) => seq), [1, 2, 3, 4, 5, 6]);
}));

test('an event as a JSON text is the same event', host(async ({ open, standIn }) => {
  const { workspace } = await open();
  const data = { source: 'roxchat', event: 'notificationRemoved', params: { notification: { id: 'n1' } } };
  await workspace.post(JSON.stringify(data));
  await reached(standIn, 1);
  assert.deepEqual(standIn.events[0].message, data);
}));

test('an unknown event goes to the function and shows nothing but its name in the check', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  await workspace.odd('an unknown event');
  await workspace.odd('an unknown event');
  await reached(standIn, 2);
  assert.equal(standIn.events[0].message.event, 'visitorSneezed');
  assert.equal(standIn.events[0].message.params.loudness, 3);
  assert.deepEqual(standIn.calls.filter(({ what }) => what === 'GET visitors'), []);
  await page.getByText('Check of the set-up').click();
  assert.equal(await checked(page, 'Unknown events'), 'visitorSneezed');
}));

test('what is malformed is counted and goes nowhere', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  const all = [
    'a text', 'no JSON', 'an array', 'null', 'another source', 'no event', 'a long event', 'params as a text', 'a cycle',
    'only in a prototype',
  ];
  for (const name of all) await workspace.odd(name);
  await workspace.frame().evaluate(() => {
    let deep = {};
    for (let level = 0; level < 500; level += 1) deep = { deep };
    window.workspace.emit('visitorSelected', deep);
    window.workspace.post({ source: 'roxchat', event: 'visitorSelected', params: { chatId: 12n } });
    window.workspace.post(undefined);
    window.workspace.post({ source: 'roxchat', event: '', params: {} });
    window.workspace.post({ source: 'ROXCHAT', event: 'visitorSelected', params: {} });
    window.workspace.post({ source: 'roxchat', event: ['visitorSelected'], params: {} });
    window.workspace.post({ source: 'roxchat', event: 'visitorSelected', params: [] });
    window.workspace.post(new Map([['source', 'roxchat']]));
  });
  await workspace.say('the last one');
  await reached(standIn, 1);
  assert.deepEqual(standIn.texts(), ['the last one']);
  await page.getByText('Check of the set-up').click();
  assert.equal(await checked(page, 'Malformed'), '18');
  assert.equal(await checked(page, 'Valid events'), '1');
}));

test('params that are missing are empty and 64 characters are a name', host(async ({ open, standIn }) => {
  const { workspace } = await open();
  await workspace.post({ source: 'roxchat', event: 'e'.repeat(64) });
  await reached(standIn, 1);
  assert.deepEqual(standIn.events[0].message, { source: 'roxchat', event: 'e'.repeat(64) });
}));

test('names of prototypes are forwarded as they are and change nothing here', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  await workspace.odd('a prototype');
  const params = { constructor: { prototype: { polluted: 1 } } };
  await workspace.post(JSON.stringify({ source: 'roxchat', event: 'constructor', params }));
  await workspace.post(JSON.stringify({ source: 'roxchat', event: '__proto__', params: { toString: null, hasOwnProperty: 1 } }));
  await reached(standIn, 3);
  const sent = standIn.calls.filter(({ what }) => what === 'POST events').map(({ text }) => text).join('');
  assert.ok(sent.includes('"params":{"__proto__":{"polluted":"yes"}},"__proto__":{"x":1}}'), sent);
  const after = await page.evaluate(() => [{}.polluted, {}.x, Object.prototype.toString.call({})]);
  assert.deepEqual(after, [undefined, undefined, '[object Object]']);
  await workspace.say('still here');
  await reached(standIn, 4);
}));

test('a text of a megabyte is cut at a character and says how long it was', host(async ({ open, standIn }) => {
  const { workspace } = await open();
  await workspace.odd('a megabyte');
  await reached(standIn, 1);
  const [event] = standIn.events;
  assert.equal(event.truncated, true);
  assert.equal(event.originalBytes, 1048576);
  assert.equal(event.message.params.messageText, 'ř'.repeat(131072));
  assert.equal(event.message.params.roxchatVisitorId, MARTA);
  // Four bytes each: the one that would stand across the limit goes too.
  await workspace.say(`x${'\u{1f600}'.repeat(70000)}`);
  await workspace.say('y'.repeat(262144));
  await reached(standIn, 3);
  assert.equal(standIn.events[1].message.params.messageText, `x${'\u{1f600}'.repeat(65535)}`);
  assert.equal(standIn.events[1].originalBytes, 280001);
  assert.equal(standIn.events[2].message.params.messageText.length, 262144);
  assert.equal('truncated' in standIn.events[2], false);
}));

test('what is too large for any batch is said to the agent and holds nothing up', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  await workspace.frame().evaluate(() => {
    const params = Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`field${at}`, 'x'.repeat(200000)]));
    window.workspace.emit('visitorSneezed', params);
    window.workspace.emit('visitorSneezed', { text: 'x'.repeat(9 * 1024 * 1024) });
  });
  await workspace.say('after them');
  await reached(standIn, 1);
  assert.deepEqual(standIn.texts(), ['after them']);
  await page.getByText('Events that are too large to be sent: 2').waitFor();
  assert.deepEqual(standIn.events.map(({ seq }) => seq), [1]);
}));

test('halves of characters are replaced in values and in names', host(async ({ open, standIn }) => {
  const { workspace } = await open();
  await workspace.odd('half a character');
  await workspace.frame().evaluate(() => window.workspace.emit('visitorSneezed', { '\udc00': 'x', text: '\\ud800 \ud83d\ude00 \u0000' }));
  await reached(standIn, 2);
  assert.equal(standIn.events[0].message.params.messageText, 'a\ufffdb');
  assert.deepEqual(standIn.events[1].message.params, { '\ufffd': 'x', text: '\\ud800 \u{1f600} \u0000' });
}));

// The frame goes to another name, which the policy of the test lets it have: only the page's own check stands in the way.
const wander = async (workspace, address) => {
  const frame = workspace.frame();
  const arrived = frame.waitForURL(`${address}/**`);
  await frame.evaluate((to) => location.assign(to), `${address}/workspace/workspace.html`);
  await arrived;
  await frame.locator('html[data-ready]').waitFor();
};

test('the frame is not listened to from an origin that only looks alike', host(async ({ open, standIn }) => {
  const alike = ['acme.localhost.evil.localhost', 'evil-acme.localhost', 'xacme.localhost', 'acme.localhost.localhost', 'localhost'];
  standIn.frames = alike.map((name) => standIn.called(name));
  const { page, workspace } = await open();
  for (const address of standIn.frames) {
    await wander(workspace, address);
    await workspace.say('not to be heard');
  }
  await page.getByText('Check of the set-up').click();
  await until(async () => (await checked(page, 'From the frame, of another origin')) === '5', 'all counted');
  assert.equal(await checked(page, 'Last origin refused'), standIn.called('localhost'));
  await wander(workspace, standIn.workspace);
  await workspace.say('heard');
  await reached(standIn, 1);
  assert.deepEqual(standIn.texts(), ['heard']);
}));

test('the policy keeps the frame from going anywhere else', host(async ({ open, standIn, violations }) => {
  const { workspace } = await open({ watched: false });
  const elsewhere = standIn.called('evil.localhost');
  await workspace.frame().evaluate((to) => location.assign(to), `${elsewhere}/workspace/blank`);
  await until(() => violations.length > 0, 'the violation');
  assert.deepEqual(violations.splice(0), [`frame-src ${elsewhere}`]);
}));

test('a list with null a wildcard or a path lets nothing in', host(async ({ open, standIn }) => {
  standIn.more = { workspaceOrigins: ['null', '*', `${standIn.workspace}/`, 'http://*.localhost', 'https://acme.rox.chat'] };
  const { page, workspace } = await open();
  await workspace.say('not to be heard');
  await page.getByText('Check of the set-up').click();
  await until(async () => (await checked(page, 'From the frame, of another origin')) === '1', 'counted');
  assert.deepEqual(standIn.events, []);
}));

test('a frame of no origin is not listened to', host(async ({ open, standIn }) => {
  standIn.more = { workspaceOrigins: ['null'], workspaceUrl: `${standIn.workspace}/workspace/sandboxed` };
  const { page } = await open({ ready: false });
  const frame = () => page.frames().find((one) => one.url().endsWith('/sandboxed'));
  await until(() => frame(), 'the frame');
  await until(() => frame().evaluate(() => document.readyState === 'complete'), 'its document');
  await frame().evaluate(() => parent.postMessage({ source: 'roxchat', event: 'visitorSelected', params: {} }, '*'));
  await page.getByText('Check of the set-up').click();
  await until(async () => (await checked(page, 'Last origin refused')) === 'null', 'counted');
  assert.deepEqual(standIn.events, []);
}));

test('another window of the workspace is not listened to', host(async ({ open, standIn, context }) => {
  const { page, workspace } = await open();
  const event = { source: 'roxchat', event: 'newMessageAdded', params: { messageText: 'not to be heard' } };
  // A frame inside the workspace, of its own origin, and the page itself.
  await workspace.frame().evaluate(([data, to]) => {
    const inner = document.createElement('iframe');
    document.body.append(inner);
    inner.contentWindow.eval(`top.postMessage(${JSON.stringify(data)}, ${JSON.stringify(to)})`);
  }, [event, standIn.origin]);
  await page.evaluate((data) => window.postMessage(data, location.origin), event);
  // A window that the page's own frame has opened.
  const [other] = await Promise.all([
    context.waitForEvent('page'),
    workspace.frame().evaluate(() => window.open('blank')),
  ]);
  await other.waitForLoadState();
  await other.evaluate(([data, to]) => window.opener.parent.postMessage(data, to), [event, standIn.origin]);
  await page.getByText('Check of the set-up').click();
  await until(async () => (await checked(page, 'From other windows')) === '3', 'all counted');
  await workspace.say('heard');
  await reached(standIn, 1);
  assert.deepEqual(standIn.texts(), ['heard']);
}));

test('events without a message go together and messages go at once', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  await workspace.emit('visitorSelected');
  await reached(standIn, 1);
  const since = standIn.batches.length;
  await workspace.frame().evaluate(() => {
    for (let time = 0; time < 5; time += 1) window.workspace.emit('notificationAdded');
  });
  await reached(standIn, 6);
  assert.deepEqual(standIn.batches.slice(since).map((ids) => ids.length), [5]);
  const at = await page.evaluate(() => {
    const all = performance.getEntriesByType('resource');
    return all.filter(({ name }) => name.endsWith('/events')).map(({ startTime }) => startTime);
  });
  assert.ok(at[1] - at[0] >= 450, `${at[1] - at[0]} ms between requests`);
  await workspace.say('now');
  await reached(standIn, 7);
}));

test('no more than a hundred events and a megabyte are in a batch', host(async ({ open, standIn }) => {
  const { workspace } = await open();
  const hold = standIn.holdEvents();
  await workspace.say('first');
  await until(() => standIn.calls.some(({ what }) => what === 'POST events'), 'the first request');
  await workspace.frame().evaluate((id) => {
    for (let at = 0; at < 240; at += 1) {
      const params = { roxchatVisitorId: id, kind: 'visitor', messageText: `m${at}` };
      window.workspace.emit('newMessageAdded', params);
    }
    for (let at = 0; at < 6; at += 1) window.workspace.emit('newMessageAdded', { messageText: `${at}${'x'.repeat(250000)}` });
  }, MARTA);
  hold.release();
  await reached(standIn, 247);
  assert.deepEqual(standIn.batches.map((ids) => ids.length), [1, 100, 100, 44, 2]);
  assert.deepEqual(standIn.texts().slice(1, 241), Array.from({ length: 240 }, (_, at) => `m${at}`));
  assert.deepEqual(standIn.events.map(({ seq }) => seq), Array.from({ length: 247 }, (_, at) => at + 1));
  assert.equal(standIn.doubles, 0);
}));
