// What others write is shown as text: in every field of the workspace and of the function, under a policy that lets no markup be
// made of a string. Anything that ran, asked or broke the policy fails the test.

import test from 'node:test';
import assert from 'node:assert/strict';
import { until, visitor } from './browser.mjs';
import { CORPUS, ODD, isHarmless } from './inapp.corpus.mjs';
import { CARD, CHAT, MARTA, reached, withHost } from './roxchat.mjs';

const host = (run, options) => withHost(visitor, run, options);

const OWN = {
  more: ['aside', 'b', 'bdi', 'code', 'dd', 'details', 'dialog', 'div', 'dl', 'dt', 'h3', 'header', 'iframe', 'noscript', 'summary'],
  scripts: 2,
};
const harmless = (page, standIn) => isHarmless(page, standIn.workspace, OWN);

// What is seen of a text: a control character is a picture or its number.
const SEEN = new Map([
  ['\u0000', '␀'], ['\u0001', '␁'], ['\r\n', '\n'], ['\u2028', '[U+2028]'], ['\u202e', '[U+202E]'], ['\u202c', '[U+202C]'],
  ['\u2066', '[U+2066]'], ['\u2069', '[U+2069]'], ['\ufeff', '[U+FEFF]'],
]);
const seen = (text) => [...SEEN].reduce((all, [from, to]) => all.replaceAll(from, to), text);

test('each payload in an event of the workspace is shown as text and forwarded as it is', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  await workspace.frame().evaluate((all) => {
    all.forEach((text) => {
      window.workspace.emit('notificationAdded', { notification: { id: text, kind: text, text, sessionId: text } });
      window.workspace.emit('newMessageAdded', {
        roxchatVisitorId: text, providedVisitorId: text, sessionId: text, siebelId: text, chatId: text, kind: text, messageText: text,
      });
      window.workspace.emit('chatClosedByOperator', {
        roxchatVisitorId: text, channelId: text, channelType: text, channelUserId: text, channelUserName: text,
      });
      window.workspace.emit('visitorAuthorized', { old: { roxchatVisitorId: text }, new: { roxchatVisitorId: `${text} new` } });
      window.workspace.emit(text.slice(0, 64), { text });
    });
  }, CORPUS);
  const names = CORPUS.filter((text) => text).length;
  await reached(standIn, CORPUS.length * 4 + names);
  assert.deepEqual(standIn.texts().filter((text) => text !== undefined), CORPUS);
  await until(async () => (await page.locator('ul[aria-live] p.text').count()) > 0, 'the notifications');
  const shown = (await page.locator('ul[aria-live] p.text').allTextContents()).toReversed();
  // The newest fifty stand.
  assert.equal(shown.length, 50);
  assert.deepEqual(shown, CORPUS.slice(-50).map(seen));
  await harmless(page, standIn);
  for (const text of ODD.slice(0, 12)) {
    const ids = { roxchatVisitorId: text, providedVisitorId: text, siebelId: text };
    await workspace.emit('visitorSelected', { ...ids, chatId: text, taskId: text });
    await page.getByText('Nothing is known about this visitor yet.').waitFor();
  }
  await page.getByText('Check of the set-up').click();
  await page.locator('details dt').first().waitFor();
  await harmless(page, standIn);
}));

test('each payload in the answers of the function is shown as text', host(async ({ open, standIn }) => {
  standIn.agent = { id: 'agent-7', name: ODD[0] };
  const { page, workspace } = await open();
  assert.equal(await page.locator('header .agent').textContent(), ODD[0]);
  standIn.cards[MARTA] = {
    visitor: {
      ...CARD.visitor, providedVisitorId: CORPUS[1], siebelId: '7-3KXPL902', aliases: CORPUS, switches: CORPUS,
      channel: { type: CORPUS[2], userId: CORPUS[3], userName: CORPUS[4] },
    },
    chats: CORPUS.map((text) => ({ id: text, state: text, reopened: text, lastAt: text })),
    timeline: CORPUS.map((text) => ({ platform: text, conversation: text, at: text, state: text, with: text })),
    notifications: CORPUS.map((text) => ({ id: text, kind: text, text })),
  };
  const messages = CORPUS.map((text, at) => ({
    eventId: String(at), kind: text, side: text, text, at: text, truncated: text, originalBytes: text,
  }));
  CORPUS.forEach((text) => {
    standIn.chats[text] = { ...CHAT, messages, more: null };
  });
  await workspace.emit('visitorSelected');
  await page.locator('#card .name').waitFor();
  assert.deepEqual(await page.locator('#card dd').nth(4).locator('div').allTextContents(), CORPUS.map(seen));
  assert.deepEqual(await page.locator('#card ol .entry > .text').allTextContents(), CORPUS.map(seen));
  await harmless(page, standIn);
  await page.locator('#card ul button').nth(CORPUS.indexOf('$&')).click();
  await until(async () => (await page.locator('.lines > li').count()) === CORPUS.length, 'the chat');
  assert.deepEqual(await page.locator('.lines > li > .text').allTextContents(), CORPUS.map(seen));
  await harmless(page, standIn);
}));

test('each payload as an error is shown as text', host(async ({ open, standIn }) => {
  const { page, workspace } = await open();
  await workspace.emit('visitorSelected');
  await page.locator('#card .start button').waitFor();
  for (const code of ODD.filter((text) => text.trim() && text.length <= 128).slice(0, 30)) {
    await workspace.answer({ how: code });
    await page.locator('#card .start button').click();
    const wanted = `Rox.Chat answered with an error that is not known here: ${seen(code)}`;
    await until(async () => (await page.locator('#card .said-here').textContent()) === wanted, JSON.stringify(code));
  }
  standIn.rejecting = () => '<img src=x onerror=alert(1)>';
  await workspace.say('x');
  await page.getByText('Events that were not accepted: 1 (<img src=x onerror=alert(1)>)').waitFor();
  await harmless(page, standIn);
}));

test('a configuration cannot close its element', host(async ({ open, standIn }) => {
  standIn.agent = { id: '</script><script>alert(1)</script>', name: '</script><img src=x onerror=alert(1)>' };
  const { page, workspace } = await open();
  assert.equal(await page.locator('header .agent').textContent(), '</script><img src=x onerror=alert(1)>');
  await workspace.say('x');
  await reached(standIn, 1);
  await harmless(page, standIn);
}));

test('messages are posted to nobody else and never to everybody', host(async ({ open, standIn, context }) => {
  await context.addInitScript(() => {
    if (window !== window.top) return;
    const { postMessage } = MessagePort.prototype;
    window.ports = 0;
    MessagePort.prototype.postMessage = function count(...given) {
      window.ports += 1;
      return postMessage.apply(this, given);
    };
  });
  const { page, workspace } = await open();
  // A frame that has gone elsewhere within the list gets nothing that was meant for where it was.
  await workspace.emit('visitorSelected');
  await page.locator('#card .start button').waitFor();
  await workspace.frame().evaluate(() => location.assign('blank'));
  await until(() => workspace.frame().url().endsWith('/blank'), 'elsewhere');
  await workspace.frame().evaluate(() => {
    window.got = [];
    addEventListener('message', ({ data, origin }) => window.got.push([origin, data.action]));
  });
  await page.locator('#card .start button').click();
  await until(async () => (await workspace.frame().evaluate(() => window.got)).length === 1, 'the command');
  assert.deepEqual(await workspace.frame().evaluate(() => window.got), [[standIn.origin, 'start_outgoing_chat']]);
  assert.equal(await page.evaluate(() => window.ports), 0);
}));

test('a command goes nowhere when the frame has moved to another origin', host(async ({ open, standIn }) => {
  standIn.frames = [standIn.called('evil.localhost')];
  const { page, workspace } = await open({ watched: false });
  await workspace.emit('visitorSelected');
  await page.locator('#card .start button').waitFor();
  await workspace.frame().evaluate((to) => location.assign(to), `${standIn.called('evil.localhost')}/workspace/blank`);
  await until(() => workspace.frame().url().endsWith('/blank'), 'elsewhere');
  await workspace.frame().evaluate(() => {
    window.got = [];
    addEventListener('message', (event) => window.got.push(event.data));
  });
  await page.locator('#card .start button').click();
  await page.getByText('The workspace is starting the chat.').waitFor();
  await until(() => standIn.results.length === 1, 'sent');
  await page.evaluate(() => new Promise((done) => setTimeout(done, 300)));
  assert.deepEqual(await workspace.frame().evaluate(() => window.got), []);
}));
