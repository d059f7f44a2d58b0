// Chats that the agent starts: the command as the workspace gets it, its five errors in every shape that is understood, and what is
// said when nothing is heard.

import test from 'node:test';
import assert from 'node:assert/strict';
import { until, visitor } from './browser.mjs';
import { ANONYMOUS, CARD, MARTA, SESSION, reached, withHost, words } from './roxchat.mjs';

const host = (run, options) => withHost(visitor, run, options);

const ERRORS = {
  operator_cant_start_chat_with_visitor_from_another_department:
    'This visitor belongs to another department. Ask a colleague there to start the chat.',
  visitor_starting_chat_from_his_side: 'The visitor is opening a chat right now. It will appear in the workspace.',
  visitor_already_in_chat: 'The visitor is already in a chat.',
  no_tariff_option: 'Your Rox.Chat plan does not include outgoing chats. Contact the account administrator.',
  unable_to_start_outgoing_chat: 'Rox.Chat could not create the chat. Try again.',
};

const SHAPES = ['error', 'code', 'errorCode', 'error_code', 'reason', 'object', 'params', 'object in params', 'event', 'text'];

// Which origin each command was posted to, as the page called it.
const watchPosts = (page) =>
  page.addInitScript(() => {
    if (window !== window.top) return;
    window.posted = [];
    const get = Object.getOwnPropertyDescriptor(HTMLIFrameElement.prototype, 'contentWindow').get;
    const seen = new WeakMap();
    Object.defineProperty(HTMLIFrameElement.prototype, 'contentWindow', {
      get() {
        const real = get.call(this);
        // For comparisons it has to be the window itself, so only what calls `postMessage` gets another one.
        if (!new Error().stack.includes('.send')) return real;
        if (!seen.has(real)) {
          seen.set(real, { postMessage: (...given) => {
            window.posted.push(given);
            real.postMessage(...given);
          } });
        }
        return seen.get(real);
      },
    });
  });

// The card of Marta on the page, with the workspace ready.
async function card(open, standIn, options) {
  const opened = await open({ prepare: watchPosts, ...options });
  const before = standIn.events.length;
  await opened.workspace.emit('visitorSelected');
  await reached(standIn, before + 1);
  const start = opened.page.locator('#card .start button');
  await start.waitFor();
  const said = (text) => opened.page.locator('#card .said-here', { hasText: text }).waitFor();
  const posted = () => opened.page.evaluate(() => window.posted);
  return { ...opened, start, said, posted };
}

const states = (standIn) => standIn.results.map(([, result]) => result);
const reported = (standIn, count) => until(() => standIn.results.length >= count, `${count} reports`);

test('a chat from the card is a command to the exact origin of the workspace', host(async ({ open, standIn }) => {
  const { workspace, start, said, posted } = await card(open, standIn);
  await workspace.answer({ how: 'visitorSelected' });
  await start.click();
  await said('The chat has begun.');
  const command = { action: 'start_outgoing_chat', params: { roxchatVisitorId: MARTA, sessionId: SESSION } };
  assert.deepEqual(await workspace.received(), [{ origin: standIn.origin, data: command }]);
  assert.deepEqual(await posted(), [[command, standIn.workspace]]);
  await reported(standIn, 2);
  assert.deepEqual(states(standIn), [{ state: 'sent' }, { state: 'confirmed' }]);
  const asked = standIn.calls.find(({ what, rest }) => what === 'POST commands' && !rest.length);
  assert.deepEqual(JSON.parse(asked.text), { visitorId: MARTA });
}));

test('a message of the chat is a confirmation too', host(async ({ open, standIn }) => {
  const { workspace, start, said } = await card(open, standIn);
  await workspace.answer({ how: 'newMessageAdded' });
  await start.click();
  await said('The chat has begun.');
  await reported(standIn, 2);
  assert.deepEqual(states(standIn), [{ state: 'sent' }, { state: 'confirmed' }]);
}));

test('each of the five errors is understood in each shape and said in the words of the page', host(async ({ open, standIn }) => {
  const { workspace, start, said } = await card(open, standIn);
  let count = 0;
  for (const shape of SHAPES) {
    for (const [code, text] of Object.entries(ERRORS)) {
      await workspace.answer({ how: code, shape });
      await start.click();
      await said(text);
      count += 2;
      await reported(standIn, count);
      assert.deepEqual(states(standIn).slice(-2), [{ state: 'sent' }, { state: 'failed', code }], shape);
    }
  }
  const commands = (await workspace.received()).length;
  assert.equal(commands, 50);
  // Only the shape that is an event of its own is forwarded as one.
  const names = standIn.events.map(({ message }) => message.event).filter((name) => name !== 'visitorSelected');
  assert.deepEqual([...new Set(names)], ['commandFailed']);
}));

test('an error that is not known is shown with its code', host(async ({ open, standIn }) => {
  const { workspace, start, said } = await card(open, standIn);
  await workspace.answer({ how: '<b>made_up</b>', shape: 'object' });
  await start.click();
  await said('Rox.Chat answered with an error that is not known here: <b>made_up</b>');
  await reported(standIn, 2);
  assert.deepEqual(states(standIn)[1], { state: 'failed', code: '<b>made_up</b>' });
}));

test('the errors are said in the language of the page', host(async ({ open, standIn }) => {
  for (const lang of ['de', 'ar']) {
    standIn.lang = lang;
    const { page, workspace, start, said } = await card(open, standIn);
    await workspace.answer({ how: 'visitor_already_in_chat' });
    await start.click();
    await said(lang === 'de' ? 'Der Besucher ist bereits in einem Chat.' : 'الزائر في محادثة بالفعل.');
    await page.close();
  }
  assert.notEqual(words('de').AlreadyInChat, words('en').AlreadyInChat);
}));

test('a message whose text or members are those of an error is a message', host(async ({ open, standIn }) => {
  const { page, workspace, start, said } = await card(open, standIn, { prepare: async (one) => {
    await watchPosts(one);
    await one.clock.install();
  } });
  await start.click();
  await said('The workspace is starting the chat.');
  const before = standIn.events.length;
  const other = { roxchatVisitorId: ANONYMOUS, chatId: 1, sessionId: 's' };
  await workspace.say('visitor_already_in_chat', { ...other, error: 'no_tariff_option', code: 'no_tariff_option' });
  await workspace.emit('notificationAdded', { notification: { id: 'n', text: 'no_tariff_option' }, reason: 'no_tariff_option' });
  // Without a code it is no error, whatever else it is.
  await workspace.post({ error: '', code: 7, reason: null });
  await workspace.post({ error: { message: 'no_tariff_option' } });
  await reached(standIn, before + 2);
  await said('The workspace is starting the chat.');
  await page.clock.fastForward(10000);
  await said('Sent. Look in the workspace whether the chat has begun.');
  await reported(standIn, 2);
  assert.deepEqual(states(standIn), [{ state: 'sent' }, { state: 'unconfirmed' }]);
}));

test('another visitor another session or no chat id confirms nothing', host(async ({ open, standIn }) => {
  const { page, workspace, start, said } = await card(open, standIn, { prepare: async (one) => {
    await watchPosts(one);
    await one.clock.install();
  } });
  await start.click();
  await said('The workspace is starting the chat.');
  await workspace.emit('visitorSelected', { roxchatVisitorId: MARTA, sessionId: 'another', chatId: 9 });
  await workspace.emit('visitorSelected', { roxchatVisitorId: MARTA, sessionId: SESSION, chatId: null });
  await workspace.emit('newMessageAdded', { roxchatVisitorId: ANONYMOUS, sessionId: SESSION, chatId: 9, messageText: 'x' });
  await workspace.emit('chatClosedByOperator', { roxchatVisitorId: MARTA, sessionId: SESSION, chatId: 9 });
  await reached(standIn, 5);
  assert.deepEqual(states(standIn), [{ state: 'sent' }]);
  // Nothing is sent again by itself.
  await page.clock.fastForward(9000);
  await page.clock.fastForward(60000);
  await reported(standIn, 2);
  assert.deepEqual(states(standIn), [{ state: 'sent' }, { state: 'unconfirmed' }]);
  assert.equal((await workspace.received()).length, 1);
}));

test('an event under the old or the new id of a merged visitor confirms', host(async ({ open, standIn }) => {
  const { workspace, start, said } = await card(open, standIn);
  await start.click();
  await said('The workspace is starting the chat.');
  await workspace.emit('visitorAuthorized', {
    old: { roxchatVisitorId: ANONYMOUS }, new: { roxchatVisitorId: 'c' },
  });
  await workspace.emit('visitorAuthorized', { old: { roxchatVisitorId: MARTA }, new: { roxchatVisitorId: ANONYMOUS } });
  await workspace.emit('newMessageAdded', { roxchatVisitorId: 'c', sessionId: SESSION, chatId: '9', kind: 'visitor', messageText: 'x' });
  await reported(standIn, 2);
  assert.deepEqual(states(standIn), [{ state: 'sent' }, { state: 'confirmed' }]);
}));

test('an error is not taken for one while no command is under way', host(async ({ open, standIn }) => {
  const { page, workspace } = await card(open, standIn);
  await workspace.post({ error: 'visitor_already_in_chat' });
  await workspace.say('after');
  await until(() => standIn.texts().includes('after'), 'the message');
  assert.equal(await page.locator('#card .said-here').textContent(), '');
  assert.deepEqual(standIn.results, []);
}));

test('a second command while one is under way is refused here', host(async ({ open, standIn }) => {
  const { workspace, start, said } = await card(open, standIn);
  await start.click();
  await said('The workspace is starting the chat.');
  const asked = () => standIn.calls.filter(({ what, rest }) => what === 'POST commands' && !rest.length).length;
  assert.equal(asked(), 1);
  await start.click({ force: true });
  await said('Another chat is being started. Wait until that is done.');
  assert.equal(asked(), 1);
  assert.equal((await workspace.received()).length, 1);
}));

test('a command from the backend is taken sent and reported', host(async ({ open, standIn }) => {
  const { workspace } = await card(open, standIn);
  await workspace.answer({ how: 'no_tariff_option' });
  const id = standIn.queue(ANONYMOUS, 'backend-session');
  await reported(standIn, 2);
  assert.deepEqual((await workspace.received()).map(({ data }) => data.params), [
    { roxchatVisitorId: ANONYMOUS, sessionId: 'backend-session' },
  ]);
  assert.deepEqual(standIn.results, [[id, { state: 'sent' }], [id, { state: 'failed', code: 'no_tariff_option' }]]);
}));

test('a command that makes no sense is refused and never reaches the workspace', host(async ({ open, standIn }) => {
  const { workspace } = await card(open, standIn);
  standIn.queue(MARTA, SESSION, { action: 'close_everything' });
  standIn.queue(MARTA, null);
  standIn.queue(MARTA, SESSION, { roxchatVisitorId: 'x'.repeat(129) });
  await reported(standIn, 3);
  assert.deepEqual(states(standIn), Array(3).fill({ state: 'failed', code: 'invalid_params' }));
  assert.deepEqual(await workspace.received(), []);
}));

test('commands are asked for only when the workspace is ready and the page is seen', host(async ({ open, standIn }) => {
  const polls = () => standIn.calls.filter(({ what }) => what === 'GET commands').length;
  const { page, workspace } = await open({ prepare: (one) => one.clock.install() });
  await page.clock.runFor(12000);
  assert.equal(polls(), 0);
  await workspace.say('x');
  await reached(standIn, 1);
  await page.clock.runFor(3100);
  await until(() => polls() > 0, 'a poll');
  await page.evaluate(() => Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true }));
  await page.clock.runFor(100);
  const before = polls();
  await page.clock.runFor(12000);
  assert.equal(polls(), before);
}));

test('a chat cannot be started before the workspace is ready', host(async ({ open, standIn }) => {
  standIn.allowed = ['https://somebody.example'];
  const { page, workspace } = await open({ prepare: (one) => one.clock.install() });
  await page.clock.runFor(25000);
  await page.getByRole('heading', { name: 'Nothing has come from the workspace yet' }).waitFor();
  const link = page.getByRole('link', { name: 'Open the workspace in its own tab' });
  assert.equal(await link.getAttribute('href'), `${standIn.workspace}/workspace/workspace.html`);
  assert.equal(await page.locator('section.help code').textContent(), standIn.origin);
  standIn.queue(MARTA, SESSION);
  await page.clock.runFor(7000);
  assert.equal(standIn.commands.length, 1);
  // The agent knows better: then it may be spoken to.
  await page.getByRole('button', { name: 'I am signed in to the workspace' }).click();
  await page.clock.runFor(3100);
  await until(async () => (await workspace.frame().evaluate(() => window.workspace.received)).length === 1, 'the command');
}));

test('a visitor whose session is not known has a button that says why it is off', host(async ({ open, standIn }) => {
  standIn.cards[MARTA] = { ...CARD, visitor: { ...CARD.visitor, session: null, canStartChat: false } };
  const { page, start } = await card(open, standIn);
  assert.equal(await start.isDisabled(), true);
  await page.getByText("The visitor's session is not known: no message of theirs has been seen yet.").waitFor();
  assert.equal(await start.getAttribute('aria-describedby'), 'why');
}));

test('a command that nobody takes within a minute has expired', host(async ({ open, standIn }) => {
  const { page, start, said } = await card(open, standIn, { prepare: (one) => one.clock.install() });
  // The function gives it to nobody.
  standIn.queue = () => 'command-x';
  await start.click();
  await said('The chat has been asked for.');
  await until(() => standIn.calls.some(({ what, rest }) => what === 'POST commands' && !rest.length), 'asked');
  await page.clock.runFor(61000);
  await said('It took too long. Try again.');
}));

test('what the function refuses is said', host(async ({ open, standIn, context }) => {
  const { start, said } = await card(open, standIn);
  standIn.faults['POST commands'] = { status: 409, body: { error: { code: 'session_unknown' } } };
  await start.click();
  await said("The visitor's session is not known");
  standIn.faults['POST commands'] = { status: 503 };
  await start.click();
  await said('That did not work. Please try again in a moment.');
  await context.setOffline(true);
  await start.click();
  await said('There is no connection. Please try again.');
}));

test('a report that cannot be given is given again', host(async ({ open, standIn }) => {
  const { workspace, start, said } = await card(open, standIn);
  await workspace.answer({ how: 'visitorSelected' });
  await start.click();
  await said('The chat has begun.');
  await reported(standIn, 2);
  const id = standIn.queue(MARTA, SESSION);
  await until(() => standIn.commands.length === 0, 'taken');
  await reported(standIn, 4);
  standIn.faults['POST commands'] = { status: 503, times: 1 };
  standIn.queue(MARTA, SESSION);
  await reported(standIn, 6);
  assert.deepEqual(states(standIn).slice(4), [{ state: 'sent' }, { state: 'confirmed' }]);
  assert.equal(standIn.results[2][0], id);
}));
