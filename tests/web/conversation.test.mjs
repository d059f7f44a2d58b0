// The conversation over real HTTP: what is sent, what is shown, and what happens when something gets lost.

import test from 'node:test';
import assert from 'node:assert/strict';
import {
  chats, control, dropFaults, field, launcher, lines, openChat, part, picture, requests, say, sentences, until, withVisitor,
} from './browser.mjs';

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const RULE = '77777777-7777-4777-8777-777777777777';
const SCENARIO = '33333333-3333-4333-8333-333333333333';
const id = (number) => `00000000-0000-4000-8000-0000000000${String(number).padStart(2, '0')}`;

const ask = (number, type, name, more) => ({
  ControlId: id(number), ScreenRank: 1, Rank: number, DisplayName: name, Description: null, ControlType: type,
  ControlNumber: null, ControlText: null, MandatoryField: false, Parameters: null, ...more,
});
const choices = (...names) => names.map((name, index) => ({
  Rank: index, DisplayName: name, ResultNumber: (index + 1) * 10, ResultText: name.toLowerCase(), DefaultItem: false,
}));

const chat = async () => (await chats()).at(-1);
const settled = (page, count) => until(async () => {
  const all = await lines(page);
  return all.length === count && all.every((line) => !line.pending);
}, `${count} sentences that came back`);

// Starts a chat with one sentence and an agent in it.
async function begin(page, text = 'Hello') {
  await openChat(page);
  await say(page, text);
  await settled(page, 1);
  await control('answer', {});
}

test('a conversation from the form to the end', withVisitor(async ({ open, shop }) => {
  await control('routing', {
    PartyName: 'Pat', WebResponse: 'Thank you. A colleague reads your answers now.',
    Scenario: {
      ScenarioId: SCENARIO, DisplayName: 'Before we start', Culture: 'en-GB', Controls: [
        ask(3, 'TextArea', 'What is it about?', { ScreenRank: 2, MandatoryField: true }),
        ask(2, 'DropDown', 'Topic', { Parameters: choices('Order', 'Return'), MandatoryField: true }),
        ask(1, 'LabelOnly', 'Two short questions.'),
      ],
    },
  });
  const page = await open('/lamps?user=pat@shop.example');
  await openChat(page);
  await part(page, 'h3:has-text("Before we start")').waitFor();
  assert.equal(await part(page, '.step').textContent(), 'Step 1 of 2');
  assert.equal(await field(page).isVisible(), false);

  await part(page, '.form .main').click();
  assert.equal(await part(page, '.screen:not([hidden]) .error:not([hidden])').textContent(), 'Please fill this in.');
  assert.equal(await part(page, 'select').getAttribute('aria-invalid'), 'true');
  await part(page, 'select').selectOption('Return');
  await part(page, '.form .main').click();
  assert.equal(await part(page, '.step').textContent(), 'Step 2 of 2');
  await part(page, '.form .plain').click();
  assert.equal(await part(page, 'select').inputValue(), '1');
  await part(page, '.form .main').click();
  await part(page, '.screen:not([hidden]) textarea').fill('My lamp hums.');
  await part(page, '.form .main').click();

  await part(page, '.intro:has-text("A colleague reads your answers now.")').waitFor();
  const started = await chat();
  assert.equal(started.starts.length, 1);
  assert.deepEqual(started.starts[0], {
    ScenarioId: SCENARIO, Culture: 'en-GB', UserToken: 'pat@shop.example', PartyName: 'Pat', WebSiteRoutingId: RULE,
    Location: `${shop}/lamps?user=pat@shop.example`,
    Values: [
      { ControlId: id(2), ResultNumber: 20, ResultText: 'return' },
      { ControlId: id(3), ResultText: 'My lamp hums.' },
    ],
  });

  await control('answer', { name: 'Eva Novak' });
  await control('say', { text: 'Does it hum all the time?' });
  await part(page, 'h2:has-text("Eva Novak")').waitFor();
  await part(page, '.theirs').waitFor();
  await say(page, 'Only in the evening.');
  await settled(page, 2);
  const [, second] = (await chat()).sentences;
  assert.match(second.ID, GUID);
  assert.equal(second.Text, 'Only in the evening.');
  assert.equal(second.PartyName, 'Pat');
  assert.match(await part(page, '.own .meta').textContent(), / · Sent$/);
  await control('confirm', {});
  await part(page, '.own .meta:has-text("Delivered")').waitFor();

  await part(page, 'button[aria-label="End conversation"]').click();
  await part(page, '.ask .plain').click();
  assert.equal((await chat()).stops, 0);
  await part(page, 'button[aria-label="End conversation"]').click();
  await part(page, '.ask .main').click();
  await part(page, '.system:has-text("This conversation has ended.")').waitFor();
  assert.equal((await chat()).stops, 1);
  assert.equal(await field(page).isVisible(), false);

  await part(page, 'button:has-text("Start a new conversation")').click();
  await part(page, 'h3:has-text("Before we start")').waitFor();
  assert.deepEqual(await lines(page), []);
}));

test('every kind of control gives its value', withVisitor(async ({ open }) => {
  await control('routing', {
    Scenario: {
      ScenarioId: SCENARIO, DisplayName: 'A few questions first', Culture: 'en', Controls: [
        ask(1, 'LabelOnly', 'This helps us to find the right colleague.', { Description: 'It takes half a minute.' }),
        ask(2, 'TextArea', 'Your name', { MandatoryField: true }),
        ask(3, 'DropDown', 'Topic', { Parameters: choices('Order', 'Return', 'Other') }),
        ask(4, 'RadioButtons', 'How did you hear of us?', {
          Parameters: choices('A friend', 'A magazine'), MandatoryField: true,
        }),
        ask(5, 'CheckBoxes', 'What do you own?', { Parameters: choices('Alva', 'Lund', 'Sol') }),
        ask(6, 'Integer', 'How many lamps?', { Description: 'A whole number' }),
        ask(7, 'Date', 'Day of purchase'),
        ask(8, 'Time', 'When may we call?'),
        ask(9, 'DateTime', 'When did it break?'),
        ask(10, 'TextArea', 'Left empty'),
      ],
    },
  });
  const page = await open();
  await openChat(page);
  await part(page, '.form').waitFor();
  await picture(page, 'form');
  await page.getByLabel('Your name').fill('  Pat Doe ');
  await page.getByLabel('Topic').selectOption('Other');
  await page.getByLabel('How many lamps?').fill('3.5');
  await part(page, '.form .main').click();
  const wrong = await part(page, '.error:not([hidden])').allTextContents();
  assert.deepEqual(wrong, ['Please fill this in.', 'Please enter a whole number.']);
  assert.equal(await page.getByLabel('A friend').evaluate((box) => box === box.getRootNode().activeElement), true);
  await picture(page, 'form-wrong');

  await page.getByLabel('A magazine').check();
  await page.getByLabel('Alva').check();
  await page.getByLabel('Sol').check();
  await page.getByLabel('How many lamps?').fill('\u0661\u0662');
  await page.getByLabel('Day of purchase').fill('2026-03-29');
  await page.getByLabel('When may we call?').fill('14:30');
  await page.getByLabel('When did it break?').fill('2026-07-01T08:15');
  await part(page, '.form .main').click();
  await field(page).waitFor();
  assert.deepEqual((await chat()).starts[0].Values, [
    { ControlId: id(2), ResultText: 'Pat Doe' },
    { ControlId: id(3), ResultNumber: 30, ResultText: 'other' },
    { ControlId: id(4), ResultNumber: 20, ResultText: 'a magazine' },
    { ControlId: id(5), ResultNumber: 10, ResultText: 'alva' },
    { ControlId: id(5), ResultNumber: 30, ResultText: 'sol' },
    { ControlId: id(6), ResultNumber: 12 },
    { ControlId: id(7), ResultTime: '2026-03-29T00:00:00.000Z' },
    { ControlId: id(8), ResultTime: '1970-01-01T14:30:00.000Z' },
    // Prague in summer is two hours ahead of UTC.
    { ControlId: id(9), ResultTime: '2026-07-01T06:15:00.000Z' },
  ]);
}));

test('a form that is not taken says so and keeps its answers', withVisitor(async ({ open }) => {
  const scenario = { ScenarioId: SCENARIO, DisplayName: 'Hello', Culture: 'en', Controls: [ask(1, 'TextArea', 'Your name')] };
  await control('routing', { Scenario: scenario });
  const page = await open();
  await openChat(page);
  await page.getByLabel('Your name').fill('Pat');
  await control('faults', { path: '/api/Chat/Start$', status: 503, headers: { 'Retry-After': '1' } });
  await part(page, '.form .main').click();
  await part(page, '.form [role=alert]:has-text("That did not work")').waitFor();
  await control('faults', { path: '/api/Chat/Start$', status: 422, body: { Error: { Code: 'ValidationFailed' } } });
  await part(page, '.form .main').click();
  await part(page, '.form [role=alert]:has-text("Please check your answers")').waitFor();
  assert.equal(await page.getByLabel('Your name').inputValue(), 'Pat');
  await control('routing', { Scenario: scenario, Signal: 'Closed' });
  await part(page, '.form .main').click();
  await part(page, '.absent:has-text("We are not here")').waitFor();
}));

test('the first call says who and where, the first sentence starts the chat', withVisitor(async ({ open, shop }) => {
  const long = 'u'.repeat(400);
  const page = await open(`/lamps?user=${long}`);
  const [routing] = await requests('^/api/Routing/webchat$', 'GET');
  const query = new URLSearchParams(routing.query);
  assert.equal(query.get('IncludeSettings'), 'true');
  assert.equal(query.get('UserToken'), 'u'.repeat(320));
  assert.equal(query.get('PageUrl'), `${shop}/lamps?user=${long}`);
  assert.equal(query.get('TimeZoneOffset'), String(await page.evaluate(() => -new Date().getTimezoneOffset())));
  assert.ok(Math.abs(Number(query.get('RegionalTime')) - Date.now()) < 60000);

  await openChat(page);
  assert.deepEqual(await chats(), []);
  await say(page, 'Hello');
  await settled(page, 1);
  const { starts, sentences: stored } = await chat();
  assert.equal(starts.length, 1);
  assert.equal(starts[0].WebSiteRoutingId, RULE);
  assert.equal(starts[0].UserToken, 'u'.repeat(320));
  assert.equal(stored[0].Location, `${shop}/lamps?user=${long}`);
}));

test('text, window and draft survive a page change', withVisitor(async ({ open, shop }) => {
  const page = await open();
  await begin(page);
  await control('say', { text: 'Which lamp is it?' });
  await part(page, '.theirs').waitFor();
  await field(page).fill('I am looking it u');
  await page.goto(`${shop}/basket`);
  await part(page, '.theirs').waitFor();
  assert.deepEqual(await sentences(page), ['Hello', 'Which lamp is it?']);
  assert.equal(await field(page).inputValue(), 'I am looking it u');
  await part(page, 'h2:has-text("Eva Novak")').waitFor();
  await say(page, 'It is Alva.');
  await settled(page, 3);
  assert.equal((await chats()).length, 1);
}));

test('a sentence on its way survives a page change and is said once', withVisitor(async ({ open, shop }) => {
  const page = await open();
  await begin(page);
  await control('options', { hold: 'after' });
  await say(page, 'Stored, but never answered');
  await until(async () => (await chat()).sentences.length === 2, 'the second sentence at the server');
  await control('options', { hold: 'before' });
  await page.goto(`${shop}/basket`);
  await settled(page, 2);
  await say(page, 'Not even stored');
  await part(page, '.pending').waitFor();
  await page.goto(`${shop}/again`);
  await part(page, '.pending').waitFor();
  await control('release', {});
  await settled(page, 3);
  await until(async () => (await requests('/Chat/Sentence$', 'POST')).length >= 4, 'the retry');
  const stored = (await chat()).sentences.map((one) => one.Text);
  assert.deepEqual(stored, ['Hello', 'Stored, but never answered', 'Not even stored']);
  const sent = (await requests('/Chat/Sentence$', 'POST')).filter((one) => one.body.Text === 'Not even stored');
  assert.equal(new Set(sent.map((one) => one.body.ID)).size, 1);
}));

test('a lost answer is tried again under the same ID and shown once', withVisitor(async ({ open }) => {
  const page = await open();
  await begin(page);
  // Twice: a browser itself repeats a request once when a kept connection breaks.
  await control('faults', { path: '/Chat/Sentence$', method: 'POST', drop: true, effect: true, times: 2 });
  // Polls would bring the echo too; without them it is the retry that has to.
  await control('faults', { path: '/api/Chat$', method: 'GET', status: 503, times: null });
  // It is shown as on its way for as long as the retry takes, which may be over before anybody asks for it.
  await page.evaluate(() => {
    const { shadowRoot } = document.querySelector('deskbridge-chat');
    const look = () => { window.wasPending ||= shadowRoot.querySelector('.pending') !== null; };
    new MutationObserver(look).observe(shadowRoot, { attributes: true, childList: true, subtree: true });
  });
  await say(page, 'Is anybody there?');
  await settled(page, 2);
  assert.equal(await page.evaluate(() => window.wasPending), true);
  const sent = (await requests('/Chat/Sentence$', 'POST')).filter((one) => one.body.Text === 'Is anybody there?');
  assert.ok(sent.length >= 3, `${sent.length} attempts`);
  assert.equal(new Set(sent.map((one) => one.body.ID)).size, 1);
  assert.deepEqual(await sentences(page), ['Hello', 'Is anybody there?']);
  assert.equal((await chat()).sentences.length, 2);
}));

test('an echo that only a poll brings is found by its text', withVisitor(async ({ open }) => {
  const page = await open();
  await begin(page, 'Same words');
  await control('options', { hold: 'after' });
  await say(page, 'Same words');
  await say(page, 'Other words & <signs> "here"');
  // The first echo lets the second sentence go although the first answer is still out.
  await until(async () => (await chat()).sentences.length === 3, 'both stored');
  await control('release', {});
  await settled(page, 3);
  assert.deepEqual(await sentences(page), ['Same words', 'Same words', 'Other words & <signs> "here"']);
}));

test('an echo with its ID, and answers that say everything twice', withVisitor(async ({ open }) => {
  await control('options', { echo_ids: true, copies: 2 });
  const page = await open();
  await begin(page, 'One');
  await say(page, 'Two');
  await say(page, 'Two');
  await settled(page, 3);
  await control('say', { text: 'Three' });
  await part(page, '.theirs').waitFor();
  assert.deepEqual(await sentences(page), ['One', 'Two', 'Two', 'Three']);
  assert.equal((await chat()).sentences.length, 4);
}));

const FROZEN = { prepare: (page) => page.clock.install({ time: new Date('2026-05-04T10:00:00Z') }) };

test('a sentence counts as not sent after 20 seconds, and a late echo still counts', withVisitor(async ({ open }) => {
  const page = await open('/', FROZEN);
  await begin(page);
  await page.clock.pauseAt(new Date('2026-05-04T11:00:00Z'));
  await control('options', { hold: 'before' });
  await say(page, 'Held back');
  await part(page, '.pending:has-text("Sending")').waitFor();
  await page.clock.runFor(19900);
  assert.equal((await lines(page))[1].pending, true);
  assert.equal((await lines(page))[1].failed, false);
  await page.clock.runFor(200);
  assert.equal((await lines(page))[1].failed, true);
  assert.match(await part(page, '.failed .meta').textContent(), /^Not sent Try again Remove$/);
  await picture(page, 'failed');

  await control('release', {});
  await until(async () => !(await lines(page))[1].failed, 'the late echo');
  assert.deepEqual(await sentences(page), ['Hello', 'Held back']);
  await page.clock.runFor(60000);
  assert.equal((await requests('/Chat/Sentence$', 'POST')).length, 2);
}));

test('try again keeps the ID and starts a new 20 seconds', withVisitor(async ({ open }) => {
  const page = await open('/', FROZEN);
  await begin(page);
  await page.clock.pauseAt(new Date('2026-05-04T11:00:00Z'));
  await control('options', { hold: 'before' });
  await say(page, 'Twice held back');
  await page.clock.runFor(20100);
  await part(page, '.failed button:has-text("Try again")').click();
  await page.clock.runFor(19800);
  assert.equal((await lines(page))[1].pending, true);
  await page.clock.runFor(300);
  assert.equal((await lines(page))[1].failed, true);
  await part(page, '.failed button:has-text("Try again")').click();
  await control('release', {});
  await until(async () => !(await lines(page))[1].failed && !(await lines(page))[1].pending, 'the echo');
  const sent = (await requests('/Chat/Sentence$', 'POST')).filter((one) => one.body.Text === 'Twice held back');
  assert.equal(new Set(sent.map((one) => one.body.ID)).size, 1);
  assert.equal((await chat()).sentences.length, 2);

  await control('options', { hold: 'before' });
  await say(page, 'Given up');
  await page.clock.runFor(20100);
  await part(page, '.failed button:has-text("Remove")').click();
  assert.deepEqual(await sentences(page), ['Hello', 'Twice held back']);
}));

test('what the server refuses for good is not tried again', withVisitor(async ({ open }) => {
  const page = await open();
  await begin(page);
  const refusal = { Error: { Code: 'ValidationFailed' } };
  await control('faults', { path: '/Chat/Sentence$', method: 'POST', status: 422, body: refusal });
  await say(page, 'Refused');
  await part(page, '.failed').waitFor();
  assert.match(await part(page, '.failed .meta').textContent(), /^Not sent Remove$/);
  await part(page, '.failed button').click();
  assert.deepEqual(await sentences(page), ['Hello']);
}));

test('a gate that closes before the first sentence keeps its text', withVisitor(async ({ open }) => {
  const page = await open('/', FROZEN);
  await openChat(page);
  await control('routing', { Signal: 'Closed' });
  await say(page, 'Are you still there?');
  await part(page, '.absent').waitFor();
  await control('routing', { Signal: 'Free' });
  await part(page, 'button[aria-label="Close chat"]').first().click();
  await page.clock.fastForward(60000);
  await openChat(page);
  await field(page).waitFor();
  assert.equal(await field(page).inputValue(), 'Are you still there?');
}));

test('too fast is answered with patience', withVisitor(async ({ open }) => {
  const page = await open();
  await begin(page);
  await control('faults', { path: '/Chat/Sentence$', method: 'POST', status: 429, headers: { 'Retry-After': '2' } });
  await say(page, 'Slowly');
  await settled(page, 2);
  const times = (await requests('/Chat/Sentence$', 'POST')).slice(1).map((one) => Date.parse(one.time));
  assert.equal(times.length, 2);
  assert.ok(times[1] - times[0] >= 2000, `${times[1] - times[0]} ms`);
}));

// How often the browser asks for permission before so many polls, once it has settled.
async function permissions(page, count) {
  await control('options', { poll_after: 1, rate_limit: false });
  const polls = () => requests('^/api/Chat$', 'GET');
  const asked = () => requests('^/api/Chat$', 'OPTIONS');
  const settledAt = (await polls()).length + 2;
  await until(async () => (await polls()).length >= settledAt, 'polls that bring nothing');
  const before = [(await polls()).length, (await asked()).length];
  await until(async () => (await polls()).length >= before[0] + count, 'more of them');
  assert.equal((await polls()).at(-1).status, 200);
  return (await asked()).length - before[1];
}

test('a poll is a call for which the browser asks no permission', withVisitor(async ({ open }) => {
  const page = await open('/');
  await begin(page);
  await part(page, 'h2:has-text("Eva Novak")').waitFor();
  assert.equal(await permissions(page, 4), 0);
  const poll = (await requests('^/api/Chat$', 'GET')).at(-1);
  assert.match(poll.query, /^After=\d+$/);
  assert.equal(poll.headers['If-None-Match'], undefined);
}));

test('where cookies are blocked the browser remembers the permission to poll', withVisitor(async ({ open }) => {
  await control('options', { cookies: false });
  const page = await open('/');
  await begin(page);
  await part(page, 'h2:has-text("Eva Novak")').waitFor();
  assert.equal(await permissions(page, 4), 0);
  assert.ok((await requests('^/api/Chat$', 'OPTIONS')).length > 0);
  assert.ok((await requests('^/api/Chat$', 'GET')).at(-1).headers['X-Tracking-Token']);
}));

test('polls follow X-Poll-After and Retry-After', withVisitor(async ({ open }) => {
  const page = await open('/', FROZEN);
  await begin(page);
  await part(page, 'h2:has-text("Eva Novak")').waitFor();
  await page.clock.pauseAt(new Date('2026-05-04T11:00:00Z'));
  const all = () => requests('^/api/Chat$', 'GET');
  const polls = async () => (await all()).length;
  // Small steps until somebody polls, then a moment for the answer: the clock of the page stands still meanwhile.
  const stepToPoll = async () => {
    const before = await polls();
    await until(async () => {
      await page.clock.runFor(100);
      return (await polls()) > before;
    }, 'a poll', 60000);
    await until(async () => (await all()).at(-1).status !== null, 'its answer');
    await new Promise((done) => setTimeout(done, 200));
    return (await all()).at(-1);
  };
  // The next poll after `seconds` and not before, and at most a tenth later, which is what keeps tabs apart.
  const nextAfter = async (seconds) => {
    const before = await polls();
    await page.clock.runFor(seconds * 1000 - 200);
    assert.equal(await polls(), before);
    const start = await page.evaluate(() => Date.now());
    const poll = await stepToPoll();
    assert.ok(await page.evaluate(() => Date.now()) - start <= seconds * 100 + 400);
    return poll;
  };
  await control('options', { poll_after: 7, rate_limit: false });
  await stepToPoll();
  await stepToPoll();
  const quiet = await nextAfter(7);
  assert.equal(quiet.status, 200);
  await control('faults', { path: '^/api/Chat$', method: 'GET', status: 429, headers: { 'Retry-After': '11' } });
  assert.equal((await nextAfter(7)).status, 429);
  await control('say', { text: 'News' });
  assert.equal((await nextAfter(11)).status, 200);
  await part(page, '.theirs').waitFor();
  await control('options', { poll_after: 0 });
  await nextAfter(7);
  const stopped = await polls();
  await page.clock.runFor(120000);
  assert.equal(await polls(), stopped);
}));

test('lost polls say that there is no connection until one comes back', withVisitor(async ({ open }) => {
  const page = await open();
  await begin(page);
  await control('faults', { path: '^/api/Chat$', method: 'GET', drop: true, times: null });
  await part(page, '.notice:has-text("There is no connection")').waitFor({ timeout: 20000 });
  await dropFaults();
  await part(page, '.notice').waitFor({ state: 'hidden', timeout: 20000 });
}));

test('typing is said at most every four seconds, ends, and is shown', withVisitor(async ({ open }) => {
  const page = await open('/', FROZEN);
  await begin(page);
  await part(page, 'h2:has-text("Eva Novak")').waitFor();
  await page.clock.pauseAt(new Date('2026-05-04T11:00:00Z'));
  await field(page).pressSequentially('Let me see');
  const typing = (expected) => until(async () => (await chat()).typing.join() === expected.join(), expected.join());
  await typing([true]);
  await page.clock.runFor(4100);
  await field(page).pressSequentially('...');
  await typing([true, true]);
  await page.clock.runFor(5100);
  await typing([true, true, false]);
  await field(page).press('x');
  await typing([true, true, false, true]);
  await field(page).press('Enter');
  await settled(page, 2);
  await page.clock.runFor(8000);
  await typing([true, true, false, true]);

  await control('options', { rate_limit: false });
  await control('typing', { typing: true });
  await until(async () => {
    await page.clock.runFor(1000);
    return part(page, '.typing').evaluate((element) => element.classList.contains('on'));
  }, 'the typing is shown');
  assert.equal(await part(page, '.typing [role=status]').textContent(), 'Eva Novak is typing');
  // Nothing is heard any more: her typing ends by itself.
  await control('faults', { path: '^/api/Chat$', method: 'GET', status: 503, times: null });
  await page.clock.runFor(11000);
  await part(page, '.typing.on').waitFor({ state: 'detached' });
}));

test('only what was displayed is confirmed', withVisitor(async ({ open }) => {
  const page = await open();
  await begin(page);
  await part(page, 'button[aria-label="Close chat"]').first().click();
  await control('say', { text: 'One' });
  await control('say', { text: 'Two' });
  await part(page, '.badge:has-text("2")').waitFor();
  assert.equal(await launcher(page).getAttribute('aria-label'), 'Open chat. New messages: 2');
  assert.deepEqual((await chat()).confirmed, []);
  await launcher(page).click();
  await until(async () => (await chat()).confirmed.includes(3), 'the confirmation');
  assert.equal(await part(page, '.badge').isVisible(), false);
  await control('faults', { path: '/Chat/Confirm$', method: 'POST', status: 503, headers: { 'Retry-After': '1' } });
  await control('say', { text: 'Three' });
  await until(async () => (await chat()).confirmed.includes(4), 'the confirmation after a failure');
}));

test('pages are told when the settings say so', withVisitor(async ({ open, shop }) => {
  await control('routing', { Settings: { ChatTrackUrl: '1' } });
  const page = await open();
  await begin(page);
  await page.goto(`${shop}/basket`);
  await until(async () => (await chat()).navigation.length === 1, 'a page');
  await page.evaluate(() => {
    window.location.hash = 'lamp';
  });
  await until(async () => (await chat()).navigation.length === 2, 'a step within the page');
  assert.deepEqual((await chat()).navigation, [`${shop}/basket`, `${shop}/basket#lamp`]);
}));

test('pages are not told otherwise', withVisitor(async ({ open, shop }) => {
  await control('routing', { Settings: { ChatTrackUrl: '0' } });
  const page = await open();
  await begin(page);
  await page.goto(`${shop}/basket`);
  await part(page, '.own').waitFor();
  await until(async () => (await requests('^/api/Chat$', 'GET')).length > 2, 'polls');
  assert.deepEqual((await chat()).navigation, []);
}));

test('the agent ends the chat and the next one starts afresh', withVisitor(async ({ open }) => {
  const page = await open();
  await begin(page);
  await control('close', {});
  await part(page, '.system').waitFor();
  await part(page, 'button:has-text("Start a new conversation")').click();
  await field(page).waitFor();
  await say(page, 'One more thing');
  await settled(page, 1);
  const all = await chats();
  assert.equal(all.length, 2);
  assert.deepEqual(all[1].sentences.map((one) => one.Text), ['One more thing']);
}));

test('a sentence to an ended chat comes back as not sent and waits in the next one', withVisitor(async ({ open }) => {
  const page = await open();
  await begin(page);
  await control('close', {});
  await say(page, 'Too late');
  await part(page, '.system').waitFor();
  await part(page, 'button:has-text("Start a new conversation")').click();
  assert.equal(await field(page).inputValue(), 'Too late');
}));

test('two tabs share one thread and the work of polling', withVisitor(async ({ open }) => {
  const one = await open();
  await begin(one);
  const other = await open('/basket');
  await control('say', { text: 'Hello, both of you' });
  await openChat(other);
  await part(other, '.theirs').waitFor();
  await part(one, '.theirs').waitFor();
  await say(other, 'From the second tab');
  await settled(other, 3);
  await until(async () => (await sentences(one)).includes('From the second tab'), 'the other tab hears it');
  await say(one, 'And from the first');
  await until(async () => (await sentences(other)).length === 4, 'and back');
  assert.deepEqual(await sentences(one), await sentences(other));
  assert.equal((await chats()).length, 1);

  const before = (await requests('^/api/Chat$', 'GET')).length;
  await new Promise((done) => setTimeout(done, 8000));
  const polls = (await requests('^/api/Chat$', 'GET')).slice(before);
  assert.ok(polls.length <= 5, `${polls.length} polls of two tabs in 8 s, one tab alone makes 4`);
  assert.ok(polls.every((poll) => poll.status !== 429));

  await part(one, 'button[aria-label="End conversation"]').click();
  await part(one, '.ask .main').click();
  await part(other, '.system').waitFor();
  await part(one, 'button:has-text("Start a new conversation")').click();
  await say(one, 'Again');
  await until(async () => JSON.stringify(await sentences(other)) === '["Again"]', 'the new chat in the other tab');
}));

const kept = (page) => page.evaluate(() => [localStorage, sessionStorage].map((area) => (
  Object.keys(area).filter((key) => key.endsWith(' token')).map((key) => JSON.parse(area.getItem(key))))));

test('where cookies are blocked the token keeps the thread', withVisitor(async ({ open, shop }) => {
  await control('options', { cookies: false });
  const page = await open();
  await begin(page);
  const visitor = (await chat()).visitor;
  await until(async () => JSON.stringify(await kept(page)) === JSON.stringify([[visitor], []]), 'the token is kept');
  await page.goto(`${shop}/basket`);
  await part(page, '.own').waitFor();
  const other = await open('/second');
  await control('say', { text: 'Still here' });
  await openChat(other);
  await part(other, '.theirs').waitFor();
  await say(other, 'Me too');
  await settled(other, 3);
  assert.equal((await chats()).length, 1);
  // The picture of the agent needs the token as well: anybody else gets a grey one.
  const [image] = await requests('^/api/AgentImage/', 'GET');
  assert.equal(image.headers['X-Tracking-Token'], visitor);
}));

test('a page change right after the start does not lose a token either', withVisitor(async ({ open, shop }) => {
  await control('options', { cookies: false });
  const page = await open();
  await openChat(page);
  // The call that shows whether cookies work gets no answer.
  await control('faults', { path: '^/api/Chat$', method: 'GET', drop: true, times: null });
  await say(page, 'Quick');
  await settled(page, 1);
  const { visitor } = await chat();
  assert.deepEqual(await kept(page), [[], [visitor]]);
  await dropFaults();
  await page.goto(`${shop}/basket`);
  await part(page, '.own').waitFor();
  assert.equal((await chats()).length, 1);
}));

test('where cookies work no token is kept', withVisitor(async ({ open, context }) => {
  const page = await open();
  await begin(page);
  await until(async () => JSON.stringify(await kept(page)) === '[[],[]]', 'nothing kept');
  const cookie = (await context.cookies()).find((one) => one.name === 'icc3_TrackingId');
  assert.equal(cookie.value, (await chat()).visitor);
  await until(async () => (await requests('^/api/Chat$', 'GET')).length > 2, 'polls');
  const bare = async () => (await requests('^/api/Chat$', 'GET')).at(-1).headers['X-Tracking-Token'] === undefined;
  assert.ok(await bare());
  await page.reload();
  await part(page, '.own').waitFor();
  const before = (await requests('^/api/Chat$', 'GET')).length;
  await until(async () => (await requests('^/api/Chat$', 'GET')).length > before + 1, 'polls of the next page');
  assert.ok(await bare());
}));
