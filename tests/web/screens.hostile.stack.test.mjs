// What others write is shown as text, over the deployed functions: what a trader types, what a desk answers and is called, names
// of files and parameters of the address. Anything that ran, asked or broke the policy fails the test.

import test, { before } from 'node:test';
import assert from 'node:assert/strict';
import { until } from './browser.mjs';
import { CODES, CORPUS, ODD, isHarmless } from './inapp.corpus.mjs';
import { bubbles, field, operator, post, say, state, states, trader } from './screens.mjs';

const { AGENTS, DEMO, VCITA } = process.env;
const PATIENCE = { timeout: 30000 };

// As a page sends it: there is no NUL in a message, and nothing empty at its ends.
const typed = [...new Set(CORPUS.map((text) => text.replaceAll('\u0000', '').trim()))].filter(Boolean);

// Payloads put together, none of them cut, each piece at most so long.
function packed(texts, most) {
  const pieces = [''];
  for (const text of texts) {
    if (pieces.at(-1).length + 1 + text.length > most) pieces.push('');
    pieces.push([pieces.pop(), text].filter(Boolean).join(' '));
  }
  return pieces;
}

const isPlain = (text) => !text.match(/\p{Cc}/u);
const isSent = (word) => ['Sent', 'Delivered', 'Read'].includes(word);

const NAMES = packed(ODD.filter((text) => text.length > 20 && isPlain(text)), 150);

const [agent, staff, guestName] = NAMES;

// Before anything is called: a function keeps the accounts that it has read for four minutes.
before(async () => {
  const demo = JSON.parse(DEMO);
  const settings = (platform, key) => demo.accounts.find((one) => one.platform === platform && one.key === key).settings;
  settings('frontstage', 'desk-demo').desk.agents[0].name = agent;
  settings('vcita', 'demo').staff_name = staff;
  await operator('operator-configure', demo);
});

const origin = (page) => new URL(page.url()).origin;

// One after the other would take minutes: a session sends two messages in a second.
test('each payload that a trader writes is shown as text, at once and after a reload', async () => {
  const share = Math.ceil(typed.length / 5);
  const write = async (mine) => {
    const guest = await trader();
    const page = await guest.press('chat', { department: 'salon' });
    await field(page).waitFor(PATIENCE);
    for (const text of mine) await say(page, text);
    await until(async () => (await states(page)).every((one) => isSent(one)), 'all sent', 120000);
    assert.deepEqual(await bubbles(page), mine);
    await isHarmless(page, origin(page));
    await page.reload();
    await until(async () => (await bubbles(page)).length === mine.length, 'all of it after a reload', 30000);
    assert.deepEqual(await bubbles(page), mine);
    await isHarmless(page, origin(page));
    await page.getByRole('button', { name: 'Transcript' }).click();
    const transcript = page.locator('pre');
    await until(async () => (await transcript.textContent()) !== '', 'the transcript', 30000);
    const told = await transcript.textContent();
    assert.deepEqual(mine.filter((text) => !text.includes('\n') && !told.includes(`Inés Vega: ${text}`)), []);
    await isHarmless(page, origin(page));
    await guest.close();
  };
  await Promise.all([0, 1, 2, 3, 4].map((part) => write(typed.slice(part * share, (part + 1) * share))));
});

test('names of an agent and of staff, and what they write, are shown as text', async () => {
  await post(AGENTS, 'login', { workplace: '101', on_alert: 'answer' });
  const guest = await trader({ name: guestName });
  const page = await guest.press('chat');
  await field(page).waitFor(PATIENCE);
  await say(page, 'Who are you?');
  const heading = page.locator('.agent strong');
  await until(async () => (await heading.count()) && (await heading.textContent()) === agent, 'the agent', 60000);
  const said = packed(typed, 3500);
  for (const text of said) await post(AGENTS, 'say', { workplace: '101', text });
  await until(async () => (await bubbles(page)).length === 1 + said.length, 'what the agent wrote', 60000);
  assert.deepEqual((await bubbles(page)).slice(1), said);
  await isHarmless(page, origin(page));
  await page.getByRole('button', { name: 'End conversation' }).click();
  await page.getByRole('button', { name: 'Yes, end it' }).click();
  await page.locator('.survey').waitFor(PATIENCE);

  const other = await guest.press('chat', { department: 'salon' });
  await field(other).waitFor(PATIENCE);
  await say(other, 'And you?');
  await until(async () => (await state(VCITA)).messages.some((one) => one.message.includes('And you?')), 'at staff', 30000);
  // The name is that of when staff began to speak. What they write is HTML, and its text is what remains of it.
  await post(VCITA, 'staff-message', { text: `At your service.${ODD.slice(0, 12).join(' ')}` });
  const name = other.locator('.agent strong');
  await until(async () => (await name.count()) && (await name.textContent()) === staff, 'the name of staff', 30000);
  assert.ok((await bubbles(other)).at(-1).startsWith('At your service.'));
  await isHarmless(other, origin(other));
  await guest.close();
});

test('names of files are shown as text, without what means something to a file system', async () => {
  const guest = await trader();
  const page = await guest.press('chat', { department: 'salon' });
  await field(page).waitFor(PATIENCE);
  const names = CODES.map((code) => `${code.replaceAll('/', '\u2215')}.txt`);
  names.push('{{constructor.constructor("alert(1)")()}}.txt', '\u202etxt.exe.txt');
  const files = names.map((name) => ({ name, mimeType: 'text/plain', buffer: Buffer.from('hello') }));
  await page.locator('input[type=file]').setInputFiles(files);
  await until(async () => (await page.locator('.composer .name').allTextContents()).length === 5, 'the files', 30000);
  await isHarmless(page, origin(page));
  await until(async () => (await page.locator('.composer progress').count()) === 0, 'all of them', 60000);
  await say(page, 'Look at these.');
  await until(async () => isSent((await states(page))[0]), 'sent', 30000);
  await page.reload();
  await until(async () => (await page.locator('.log .file').count()) === 5, 'the files after a reload', 30000);
  assert.deepEqual(await page.locator('.log .file .name').allTextContents(), [
    'scriptalert(1)\u2215script.txt',
    'img src=x onerror=alert(1).txt',
    'svg onload=alert(1).txt',
    '{{constructor.constructor(alert(1))()}}.txt',
    'txt.exe.txt',
  ]);
  await isHarmless(page, origin(page));
  const [file] = await Promise.all([page.waitForEvent('download'), page.locator('.log .file').nth(1).click()]);
  assert.ok(file.suggestedFilename().endsWith('.txt'));
  await guest.close();
});

test('what is typed into a form comes back as text', async () => {
  const guest = await trader();
  const page = await guest.press('action', { actionType: 'address_change' });
  const street = page.getByLabel('Street');
  for (const text of packed(ODD.filter((one) => isPlain(one)), 190).slice(0, 6)) {
    await street.fill(text, PATIENCE);
    await page.getByLabel('Country').fill('CZ');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('heading', { name: 'Proof' }).waitFor(PATIENCE);
    await page.reload();
    await page.getByRole('heading', { name: 'Proof' }).waitFor(PATIENCE);
    await page.locator('form').getByRole('button', { name: 'Back' }).click();
    assert.equal(await street.inputValue(), text.trim());
    await isHarmless(page, origin(page));
  }
  await guest.close();
});

const COMMON = ['lang', 'theme', 'source', 'account', 'utm_source', 'eventName', 'promoId'];
const OWN = {
  action: [...COMMON, 'actionType', 'actionParams', 'other'],
  chat: [...COMMON, 'chatReason', 'department', 'agentId'],
  education: [...COMMON, 'contentType', 'contentId', 'resume'],
};

test('each payload in the parameters of each screen s address leaves the page as it is', async () => {
  const visit = async ([screen, names]) => {
    const guest = await trader();
    const page = await guest.context.newPage();
    page.on('pageerror', (error) => assert.fail(String(error)));
    page.on('dialog', (dialog) => assert.fail(`dialog: ${dialog.message()}`));
    for (let from = 0; from < CORPUS.length; from += names.length) {
      const params = Object.fromEntries(names.map((name, at) => [name, CORPUS[(from + at) % CORPUS.length]]));
      const extra = encodeURIComponent(CORPUS[from]);
      await page.goto(`${await guest.address(screen, params)}&${extra}=${extra}`);
      await page.waitForFunction(() => performance.getEntriesByName('content').length || document.querySelector('.notice-page'));
      assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
      assert.ok(!new URL(page.url()).searchParams.has('token'), page.url());
      await isHarmless(page, origin(page));
    }
    await guest.close();
  };
  await Promise.all(Object.entries(OWN).map(visit));
});

test('each payload as a token is no more than a link that does not open', async () => {
  const guest = await trader();
  const { origin: at } = new URL(await guest.address('chat'));
  const page = await guest.context.newPage();
  for (const text of ODD) {
    await page.goto(`${at}/inapp/chat?token=${encodeURIComponent(text)}`);
    await page.getByText(/This link has expired|Open this page from your trading app/).waitFor(PATIENCE);
    // What cannot be a token is told of by the function itself, on a page without a script.
    if (await page.locator('script').count()) assert.ok(!page.url().includes('token'), page.url());
  }
  await isHarmless(page, at);
  await guest.close();
});

test('a hostile name on a certificate is text for whoever verifies it', async () => {
  const name = NAMES[3];
  const guest = await trader({ name });
  const page = await guest.press('education', { contentId: 'forex101' });
  for (const label of ['The smallest usual step of a price', 'EUR', 'USD', 'Yes'])
    await page.getByLabel(label, { exact: true }).check(PATIENCE);
  await page.getByRole('button', { name: 'Check my answers' }).click();
  const link = page.locator('a[download]').first();
  await link.waitFor(PATIENCE);
  const verified = await guest.open(new URL((await link.getAttribute('href')).replace('/api/certificate/', '/verify/'), page.url()).href);
  assert.equal(await verified.locator('dd').first().textContent(), name);
  assert.equal(await verified.locator('dd *').count(), 0);
  await guest.close();
});
