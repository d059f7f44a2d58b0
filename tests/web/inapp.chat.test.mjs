// The chat screen.

import test from 'node:test';
import assert from 'node:assert/strict';
import { until, visitor } from './browser.mjs';
import { withScreen } from './inapp.mjs';

const screen = (run, options) => withScreen(visitor, run, options);
const field = (page) => page.getByRole('textbox', { name: 'Your message' });
const bubbles = (page) => page.locator('.bubble').allTextContents();
const states = (page) => page.locator('.own .state').allTextContents();
const announced = (page) => page.locator('[aria-live="polite"] p').allTextContents();

async function opened(open, query = '', more = {}) {
  const page = await open(`/inapp/chat?token=good${query}`, more);
  await page.locator('.agent .quiet:not(:text("Connecting"))').first().waitFor();
  return page;
}

async function say(page, text) {
  await field(page).fill(text);
  await field(page).press('Enter');
}

async function talking(open, standIn, more) {
  const page = await opened(open, '', more);
  await say(page, 'Hello');
  await until(async () => (await states(page))[0] === 'Sent', 'the first message');
  standIn.agentJoins();
  await page.getByText('Eva Novak').waitFor();
  return page;
}

test('the first message starts a chat and an agent answers by name', screen(async ({ open, standIn }) => {
  const page = await opened(open);
  assert.equal(standIn.made('/chat/start').length, 0);
  await say(page, 'My deposit is missing');
  await until(async () => (await states(page))[0] === 'Sent', 'the message');
  assert.equal(standIn.made('/chat/start').length, 1);
  assert.match(standIn.made('/chat/message')[0].body.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  standIn.agentJoins('Eva Novak', '/media/picture.png');
  standIn.agentSays('Good morning, I am looking into it.');
  await page.getByText('Good morning, I am looking into it.').first().waitFor();
  assert.deepEqual(await bubbles(page), ['My deposit is missing', 'Good morning, I am looking into it.']);
  assert.equal(await page.locator('.agent strong').textContent(), 'Eva Novak');
  await until(() => page.locator('.agent img').evaluate((image) => image.naturalWidth > 0), 'the picture');
  assert.deepEqual(await announced(page), ['Eva Novak: Good morning, I am looking into it.']);
}));

test('where nobody is there to answer, that is said, and the message can be sent again', screen(async ({ open, standIn }) => {
  const page = await opened(open);
  standIn.fail('/chat/start', 'POST', 409, { code: 'nobody_there' });
  await say(page, 'Is anybody there?');
  await page.getByRole('alert').getByText('Nobody is here to answer right now. Please try again later.').waitFor();
  assert.deepEqual(await states(page), ['Not sent']);
  await page.getByRole('button', { name: 'Try again' }).click();
  await until(async () => (await states(page))[0] === 'Sent', 'the message');
}));

test('nobody is there for somebody who comes with a reason', screen(async ({ open, standIn }) => {
  standIn.fail('/chat/start', 'POST', 409, { code: 'nobody_there' });
  const page = await opened(open, '&chatReason=deposit_issue&lang=de');
  await page.getByText('Im Moment ist niemand da, der antworten kann. Bitte versuchen Sie es später noch einmal.').waitFor();
}));

test('a file that is chosen before there is a session waits for it', screen(async ({ open, standIn }) => {
  const page = await open('/inapp/chat?token=good', {
    prepare: async (each) => {
      await each.route('**/inapp/api/session', async (route) => {
        await new Promise((done) => setTimeout(done, 1500));
        await route.continue();
      });
    },
  });
  await page.locator('input[type=file]').setInputFiles({ name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') });
  assert.equal(standIn.made('/session').length, 0);
  await page.locator('.composer .files').getByText('0 kB').waitFor();
  assert.deepEqual(
    standIn.made('/upload').map((call) => call.status),
    [200],
  );
}));

test('whoever comes with a reason is waited for without a word', screen(async ({ open, standIn }) => {
  const page = await opened(open, '&chatReason=deposit_issue&department=support&agentId=john_doe');
  await until(() => standIn.made('/chat/start').length === 1, 'the start');
  await page.getByText('We are looking for a colleague for you.').waitFor();
  assert.deepEqual(standIn.made('/session')[0].body.params, {
    chatReason: 'deposit_issue',
    department: 'support',
    agentId: 'john_doe',
  });
}));

test('the history is there at once and is not announced', screen(async ({ open, standIn }) => {
  standIn.chat.state = 'assigned';
  standIn.add({ id: 'm1', from: 'visitor', text: 'Yesterday' });
  standIn.agentSays('An answer');
  standIn.add({ id: 'm3', from: 'system', text: 'Eva has left' });
  const page = await opened(open);
  await page.getByText('Eva has left').waitFor();
  assert.deepEqual(await bubbles(page), ['Yesterday', 'An answer']);
  assert.deepEqual(await announced(page), []);
}));

test('Enter sends, with Shift makes a line, and does not send when it ends a composition', screen(async ({ open, standIn }) => {
  const page = await opened(open);
  await field(page).pressSequentially('one');
  await field(page).press('Shift+Enter');
  await field(page).pressSequentially('two');
  await field(page).evaluate((node) =>
    node.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true })),
  );
  await field(page).evaluate((node) =>
    node.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', keyCode: 229, bubbles: true, cancelable: true })),
  );
  assert.equal(await field(page).inputValue(), 'one\ntwo');
  assert.equal(standIn.made('/chat/message').length, 0);
  await field(page).press('Enter');
  await until(() => standIn.messages.length === 1, 'the message');
  assert.equal(standIn.messages[0].text, 'one\ntwo');
  assert.equal(await field(page).inputValue(), '');
}));

test('4000 characters are sent and 4001 are not, whatever they are made of', screen(async ({ open, standIn }) => {
  const page = await opened(open);
  await say(page, '𝒳'.repeat(4001));
  await page.getByText('A message has at most 4,000 characters; this one has 4,001.').waitFor();
  assert.equal(standIn.made('/chat/message').length, 0);
  await say(page, `  ${'𝒳'.repeat(4000)}\n `);
  await until(() => standIn.messages.length === 1, 'the message');
  assert.equal(standIn.messages[0].text, '𝒳'.repeat(4000));
  await say(page, ' \n\t ');
  await field(page).evaluate((node) => {
    node.value = 'half \ud83d and \u0000 nothing';
  });
  await field(page).press('Enter');
  await until(() => standIn.messages.length === 2, 'the second message');
  assert.equal(standIn.messages[1].text, 'half \ufffd and  nothing');
}));

test('a message is sent, delivered and read, and so is told of the agent s', screen(async ({ open, standIn }) => {
  const page = await talking(open, standIn);
  standIn.move(() => Object.assign(standIn.messages[0], { delivered: true, version: standIn.version }));
  await until(async () => (await states(page))[0] === 'Delivered', 'delivered');
  standIn.agentReads();
  await until(async () => (await states(page))[0] === 'Read', 'read');
  standIn.agentSays('I have read it');
  await until(() => standIn.readUpTo === 2, 'what the visitor has read');
}));

test('typing is told both ways', screen(async ({ open, standIn }) => {
  const page = await talking(open, standIn);
  await field(page).pressSequentially('I am');
  await until(() => standIn.isTyping === true, 'the visitor types');
  await say(page, 'I am done');
  standIn.move(() => Object.assign(standIn.chat, { typing: true }));
  await page.getByText('Eva Novak is typing').waitFor({ state: 'attached' });
  standIn.move(() => Object.assign(standIn.chat, { typing: false }));
  await page.locator('.typing.on').waitFor({ state: 'detached' });
}));

// --------------------------------------------------------------------------------------------------------------- connection

test('ten seconds without a network lose nothing and double nothing', screen(async ({ open, standIn, context }) => {
  const page = await talking(open, standIn, { prepare: (each) => each.clock.install() });
  await context.setOffline(true);
  await page.getByText('There is no connection. We keep trying.').waitFor();
  for (const text of ['one', 'two', 'three']) await say(page, text);
  standIn.agentSays('While you were away: first');
  standIn.agentSays('While you were away: second');
  await page.clock.runFor(10000);
  assert.deepEqual((await states(page)).slice(-3), ['Sending', 'Sending', 'Sending']);
  await context.setOffline(false);
  await until(() => standIn.messages.length === 6, 'all messages');
  await until(async () => (await bubbles(page)).length === 6 && !(await states(page)).includes('Sending'), 'all lines');
  assert.deepEqual(
    standIn.messages.filter((one) => one.from === 'visitor').map((one) => one.text),
    ['Hello', 'one', 'two', 'three'],
  );
  assert.deepEqual(
    await bubbles(page),
    standIn.messages.map((one) => one.text),
  );
  assert.equal(new Set(standIn.posts).size, standIn.posts.length, 'each was sent once');
  await page.getByText('There is no connection. We keep trying.').waitFor({ state: 'hidden' });
}));

test('an answer that is lost leads to the same id again and to one message', screen(async ({ open, standIn }) => {
  const page = await talking(open, standIn);
  standIn.fail('/chat/message', 'POST', 503, { after: true, times: 2 });
  await say(page, 'Only once');
  await until(async () => (await states(page)).at(-1) === 'Sent', 'the message');
  assert.deepEqual(
    standIn.messages.map((one) => one.text),
    ['Hello', 'Only once'],
  );
  assert.deepEqual(await bubbles(page), ['Hello', 'Only once']);
  await until(() => standIn.posts.length >= 2, 'more than one try');
  assert.equal(new Set(standIn.posts.slice(1)).size, 1);
}));

test('what waits for the network outlives a reload', screen(async ({ open, standIn, context }) => {
  const page = await talking(open, standIn);
  standIn.fail('/chat/message', 'POST', 503, { times: 1000 });
  await say(page, 'Kept');
  await until(() => standIn.made('/chat/message').length >= 2, 'a try');
  standIn.faults = [];
  await page.reload();
  await until(() => standIn.messages.length === 2, 'the message');
  assert.equal(standIn.messages[1].text, 'Kept');
  assert.equal(context.pages().length, 1);
}));

test('a message that is refused can be sent again or removed, and those behind it go on', screen(async ({ open, standIn }) => {
  const page = await talking(open, standIn);
  standIn.fail('/chat/message', 'POST', 413, { code: 'too_large' });
  await say(page, 'Refused');
  await say(page, 'Behind it');
  await until(async () => (await states(page)).includes('Not sent'), 'the refusal');
  await until(() => standIn.messages.some((one) => one.text === 'Behind it'), 'the other');
  await page.getByRole('button', { name: 'Try again' }).click();
  await until(() => standIn.messages.some((one) => one.text === 'Refused'), 'the message');
  assert.equal(standIn.messages.length, 3);
}));

test('too many messages are waited with, as long as the answer says', screen(async ({ open, standIn }) => {
  const page = await talking(open, standIn, { prepare: (each) => each.clock.install() });
  standIn.fail('/chat/message', 'POST', 429, { code: 'too_many', headers: { 'Retry-After': '7' } });
  await say(page, 'Patience');
  await until(() => standIn.made('/chat/message').length === 2, 'the refusal');
  await page.clock.runFor(6000);
  assert.equal(standIn.messages.length, 1);
  await page.clock.runFor(1500);
  await until(() => standIn.messages.length === 2, 'the message');
}));

test('a session that ends keeps what was said on the screen and takes no more', screen(async ({ open, standIn }) => {
  const page = await talking(open, standIn);
  standIn.expired = true;
  await say(page, 'Too late');
  await page.getByText('This link has expired. Close and try again.').waitFor();
  assert.deepEqual(await bubbles(page), ['Hello', 'Too late']);
  assert.equal((await states(page)).at(-1), 'Not sent');
  assert.equal(await field(page).isVisible(), false);
}));

test('what is written before there is a session is sent when there is one', screen(async ({ open, standIn }) => {
  let go = null;
  const held = new Promise((done) => {
    go = done;
  });
  const { session } = standIn;
  standIn.session = async (...all) => {
    await held;
    session.apply(standIn, all);
  };
  const page = await open('/inapp/chat?token=good');
  await say(page, 'Early');
  assert.deepEqual(await states(page), ['Sending']);
  go();
  await until(() => standIn.messages.length === 1, 'the message');
}));

// -------------------------------------------------------------------------------------------------------------------- files

test('a file is uploaded, sent with words of its own, and fetched again', screen(async ({ open, standIn }) => {
  const page = await talking(open, standIn);
  await page
    .locator('input[type=file]')
    .setInputFiles({ name: 'bill.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4') });
  await page.locator('.composer .files').getByText('KB').or(page.locator('.composer .files').getByText('kB')).waitFor();
  await page.getByRole('button', { name: 'Send' }).click();
  await until(() => standIn.messages.length === 2, 'the message');
  assert.deepEqual(standIn.made('/chat/message')[1].body.attachments, ['up-1']);
  assert.equal(standIn.messages[1].text, 'bill.pdf');
  const [file] = await Promise.all([page.waitForEvent('download'), page.locator('.log button.file').click()]);
  assert.equal(file.suggestedFilename(), 'bill.pdf');
}));

test('a message has five files and no more', screen(async ({ open, standIn }) => {
  const page = await talking(open, standIn);
  const files = Array.from({ length: 6 }, (_, at) => ({ name: `${at}.txt`, mimeType: 'text/plain', buffer: Buffer.from('x') }));
  await page.locator('input[type=file]').setInputFiles(files);
  await page.getByText('A message has at most 5 files.').waitFor();
  assert.equal(await page.locator('.composer .files li').count(), 5);
}));

// ------------------------------------------------------------------------------------------------------------------ the end

test('the end is asked for first, and then comes the survey, once', screen(async ({ open, standIn }) => {
  const page = await talking(open, standIn);
  await page.getByRole('button', { name: 'End conversation' }).click();
  await page.getByRole('button', { name: 'No, go on' }).click();
  assert.equal(standIn.chat.state, 'assigned');
  await page.getByRole('button', { name: 'End conversation' }).click();
  await page.getByRole('button', { name: 'Yes, end it' }).click();
  await page.getByText('We are glad that we could help.').waitFor();
  assert.equal(await field(page).isVisible(), false);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByText('Please fill this in.').waitFor();
  await page.getByRole('radio', { name: '5' }).check();
  await page.getByLabel('Is there anything you want to tell us?').fill('Very kind');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByText('Thank you for your answer.').waitFor();
  assert.deepEqual(standIn.surveyed, { rating: 5, comment: 'Very kind' });
  await page.getByRole('button', { name: 'Done' }).click();
  await page.waitForURL(`${standIn.origin}/callback/success`);
}));

test('each resolution has its words', screen(async ({ open, standIn }) => {
  const page = await talking(open, standIn);
  for (const [resolution, text] of [
    ['escalated', 'We have passed your question on to a specialist.'],
    ['follow_up', 'We will get back to you.'],
    [null, 'This conversation has ended.'],
  ]) {
    standIn.end(resolution);
    await page.getByText(text, { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Start a new conversation' }).click();
    await field(page).waitFor();
  }
}));

test('the transcript is on the screen and can be kept', screen(async ({ open, standIn }) => {
  const page = await talking(open, standIn);
  standIn.agentSays('Good morning');
  await page.getByText('Good morning').first().waitFor();
  await page.getByRole('button', { name: 'Transcript' }).click();
  await page.getByText('You: Hello\nEva Novak: Good morning').waitFor();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download' }).click()]);
  assert.equal(file.suggestedFilename(), 'transcript.txt');
  await page.getByRole('button', { name: 'Back' }).first().click();
  await field(page).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Transcript');
}));

test('whoever reads further up is told of news and not moved', screen(async ({ open, standIn }) => {
  const page = await talking(open, standIn);
  for (let at = 0; at < 40; at += 1) standIn.agentSays(`Line ${at}`);
  await page.getByText('Line 39').first().waitFor();
  await until(() => standIn.readUpTo === 41, 'all read');
  const scroller = page.locator('.scroller');
  await scroller.evaluate((node) => node.scrollTo(0, 0));
  standIn.agentSays('Something new');
  await page.getByRole('button', { name: 'New messages' }).waitFor();
  assert.equal(await scroller.evaluate((node) => node.scrollTop), 0);
  assert.equal(standIn.readUpTo, 41);
  await page.getByRole('button', { name: 'New messages' }).click();
  await until(() => standIn.readUpTo === 42, 'the last one read');
}),
{ reducedMotion: 'reduce' });
